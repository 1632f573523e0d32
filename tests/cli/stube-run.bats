#!/usr/bin/env bats
# stube run, ps, logs, exec, stop, rm, inspect: what they promise, with real containers.

bats_require_minimum_version 1.5.0
load local

setup() { local_setup; }
teardown() { local_teardown; }

# ---- run ----

@test "run passes on output and exit status, and --rm leaves nothing" {
	run --separate-stderr run_dir --rm --name a /bin/sh -c 'echo out; echo err >&2; exit 7'
	[ "$status" = 7 ]
	[ "$output" = out ]
	[ "$stderr" = err ]
	[ -z "$(ls "$STUBE_RUN/containers" "$STUBE_DATA/containers" | grep -v :)" ] || { ls -R "$STUBE_RUN" "$STUBE_DATA"; false; }
	[ -z "$(ls "$STUBE_DATA/ids" | grep -v lock)" ]
	[ -z "$(find "$STUBE_RUN/runtime" -mindepth 1 -maxdepth 1 ! -name .cache)" ]
}

@test "a service is confined unless it says otherwise" {
	run run_dir --rm /bin/sh -c 'cat /proc/self/uid_map; grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; touch /x; touch /tmp/y /run/z && echo scratch; echo $$; ls /sys/class/net'
	echo "$output"
	[[ $output =~ ' 0 '[0-9]{5,}' '+65536 ]]
	[[ $output == *$'CapBnd:\t0000000000000000'* ]]
	[[ $output == *$'NoNewPrivs:\t1'* ]]
	[[ $output == *$'Seccomp:\t2'* ]]
	[[ $output == *"touch: /x: Read-only file system"* ]]
	grep -qx scratch <<< "$output" # standard error may come before or behind
	[ "$(grep -xE '1|lo' <<< "$output")" = $'1\nlo' ]
}

@test "what is asked for is given: capability, writable root, no filter, ids of the host" {
	run run_dir --rm --cap-add net_bind_service --writable --seccomp unconfined --userns host --new-privileges \
		/bin/sh -c 'grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; touch /x && echo written; cat /proc/self/uid_map'
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *$'CapBnd:\t0000000000000400'* ]]
	[[ $output == *$'NoNewPrivs:\t0'* ]]
	[[ $output == *$'Seccomp:\t0'* ]]
	[[ $output == *written* ]]
	[[ $output =~ '0          0 4294967295' ]]
	[ -e "$ROOT/x" ]
}

@test "a capability reaches a user who is not root" {
	run run_dir --rm --user app --cap-add NET_RAW /bin/grep CapEff /proc/self/status
	[ "$output" = $'CapEff:\t0000000000002000' ]
}

@test "user by name, working directory, variables, host name" {
	printf '# comment\nFILE=from file\nBOTH=file\n' > "$WORK/env"
	OWN=mine run run_dir --rm --user app --workdir /srv --hostname schalter --env-file "$WORK/env" \
		--env BOTH=option --env OWN --env 'MONEY=$HOME $(HOME) $$' /bin/sh -c 'id; echo "$PWD|$FILE|$BOTH|$OWN|$MONEY|$HOME"; hostname; cat /etc/hostname; grep schalter /etc/hosts'
	echo "$output"
	[ "${lines[0]}" = "uid=1000(app) gid=1000(app) groups=2000(extra)" ]
	[ "${lines[1]}" = '/srv|from file|option|mine|$HOME $(HOME) $$|/srv' ]
	[ "${lines[2]}" = schalter ]
	[ "${lines[3]}" = schalter ]
	[ "${lines[4]}" = $'127.0.0.1\tschalter' ]
}

@test "a user who is not there, a command that is not there: one line, nothing left" {
	run run_dir --name a --user nobody-here /bin/true
	[ "$status" = 1 ]
	[ "$output" = "error: there is no user 'nobody-here' in the image's /etc/passwd" ]
	run run_dir --name a /bin/no-such-program
	[ "$status" = 1 ]
	[[ $output == *no-such-program* ]]
	[ "${#lines[@]}" = 1 ]
	[ -z "$(stube ps --all --output name)" ]
	run run_dir --name a /bin/true
	[ "$status" = 0 ]
}

@test "standard input goes in whole, output comes out whole" {
	head -c 5000000 /dev/urandom > "$WORK/big"
	run_dir --rm --interactive /bin/cat < "$WORK/big" > "$WORK/copy"
	cmp "$WORK/big" "$WORK/copy"
}

@test "without --interactive standard input is empty" {
	run run_dir --rm /bin/cat <<< "not for it"
	[ "$status" = 0 ]
	[ -z "$output" ]
}

@test "a signal to stube run reaches the process" {
	run_dir --rm --name a /bin/sh -c 'trap "echo got; exit 5" TERM; echo ready; while :; do sleep 0.05; done' > "$WORK/out" &
	pid=$!
	eventually grep -q ready "$WORK/out"
	# The shell function is a subshell: its child is stube.
	kill -TERM "$(pgrep -P "$pid" -x stube || echo "$pid")"
	status=0; wait "$pid" || status=$?
	[ "$status" = 5 ]
	grep -q got "$WORK/out"
}

@test "a process that a signal ends gives 128 and the signal" {
	run run_dir --rm --name a /bin/sh -c 'kill -SEGV $$; sleep 5 & kill -9 $!; exec sh -c "kill -ABRT 1; exit 66"'
	[ "$status" = 66 ] # the first process of a pid namespace is not killed from inside
	run_dir --detach --name b /bin/sleep 100
	stube stop --timeout 0 b
	[ "$(stube inspect b | jq -c '.[0] | [.status, .exitCode, .signal]')" = '["exited",137,9]' ]
}

@test "a volume keeps the owners that its files have on disk" {
	mkdir "$WORK/vol"
	chown 1000:1000 "$WORK/vol"
	run run_dir --rm --user app --volume "$WORK/vol:/srv" /bin/sh -c 'echo x > /srv/f && ls -ln /srv'
	[ "$status" = 0 ]
	[ "$(stat -c %u:%g "$WORK/vol/f")" = 1000:1000 ]
	run run_dir --rm --user app --volume "$WORK/vol:/srv:ro" /bin/touch /srv/g
	[ "$status" = 1 ]
	[[ $output == *"Read-only file system"* ]]
	run run_dir --rm --volume "$WORK/none:/srv" /bin/true
	[ "$output" = "error: --volume: '$WORK/none': No such file or directory" ]
}

@test "a tmpfs has the size that was asked for" {
	run run_dir --rm --tmpfs /srv:1Mi /bin/dd if=/dev/zero of=/srv/f bs=64k count=32
	[ "$status" = 1 ]
	[[ $output == *"No space left on device"* ]]
}

@test "--network container:NAME shares a network, host is the machine's, none has loopback alone" {
	run_dir --detach --name a /bin/sleep 100
	net=$(readlink "/proc/$(stube inspect a | jq .[0].pid)/ns/net")
	[ "$(run_dir --rm --network container:a /bin/ls -l /proc/self/ns/net | sed 's/.*-> //')" = "$net" ]
	[ "$(run_dir --rm --network host /bin/ls -l /proc/self/ns/net | sed 's/.*-> //')" = "$(readlink /proc/self/ns/net)" ]
	[ "$net" != "$(readlink /proc/self/ns/net)" ]
	run run_dir --network container:nobody /bin/true
	[ "$output" = "error: --network: there is no container 'nobody'" ]
	run run_dir --network bridge /bin/true
	[ "$output" = "error: --network: 'bridge' is not one of none|host|ns:PATH|container:NAME" ]
}

@test "a terminal: size, raw bytes, both ways" {
	command -v script > /dev/null || skip "script(1) is missing"
	cat > "$WORK/session" <<-END
		exec "$BIN/stube" run --rm --rootfs "$ROOT" --interactive --tty /bin/sh -c 'stty size; test -t 0 && test -t 1 && echo tty; read line; echo "got: \$line"'
	END
	run script -qec "stty rows 33 cols 111; sh '$WORK/session'" /dev/null < <(sleep 0.7; echo hallo; sleep 1)
	echo "$output"
	[[ $output == *"33 111"* ]]
	[[ $output == *tty* ]]
	[[ $output == *"got: hallo"* ]]
}

@test "an image runs with its own command, user and variables; --entrypoint and a command replace them" {
	stube image pack --quiet --entrypoint /bin/echo --cmd standard --env COLOUR=blue --user app "$ROOT" localhost/t/a:1
	[ "$(stube run --rm localhost/t/a:1)" = standard ]
	[ "$(stube run --rm localhost/t/a:1 other words)" = "other words" ]
	[ "$(stube run --rm --entrypoint /bin/sh localhost/t/a:1 -c 'echo $COLOUR; id -u')" = $'blue\n1000' ]
	run stube run --rm --writable --user root --entrypoint /bin/sh localhost/t/a:1 -c 'echo x > /srv/f && cat /srv/f'
	[ "$output" = x ]
	[ ! -e "$ROOT/srv/f" ]
	run stube run --pull never localhost/t/b:1
	[ "$status" = 1 ]
	[[ $output == *localhost/t/b:1* ]]
	! grep -F " $WORK/" /proc/self/mountinfo
}

@test "a service in the foreground keeps its image from gc, and gc does not wait for its end" {
	stube image pack --quiet "$ROOT" localhost/t/a:1
	stube run --rm --name a localhost/t/a:1 /bin/sleep 100 &
	pid=$!
	eventually stube exec a /bin/true
	stube image rm --keep-content localhost/t/a:1
	timeout 10 "$BIN/stube" image gc
	[ "$(ls "$STUBE_STORE/layers/sha256" | wc -l)" = 1 ]
	[ "$(stube exec a /bin/cat /etc/passwd)" = "$(cat "$ROOT/etc/passwd")" ]
	stube stop --timeout 0 a
	wait "$pid" || true
	stube image gc
	[ -z "$(ls "$STUBE_STORE/layers/sha256")" ]
}

@test "a container that is removed leaves no lease in the store" {
	stube image pack --quiet "$ROOT" localhost/t/a:1
	stube run --rm localhost/t/a:1 /bin/true
	stube run --detach --name a localhost/t/a:1 /bin/sleep 100
	[ "$(ls "$STUBE_STORE/leases")" = a ]
	stube rm --force a
	[ -z "$(ls "$STUBE_STORE/leases")" ]
}

@test "a name whose folder another command tidies at this moment is waited for" {
	install -d -m 700 "$STUBE_RUN/containers/a" "$STUBE_DATA/containers/a"
	(umask 077 && : > "$STUBE_RUN/containers/a/lock")
	flock "$STUBE_RUN/containers/a/lock" sleep 0.5 3>&- &
	sleep 0.1
	run run_dir --rm --name a /bin/echo here
	wait $!
	[ "$output" = here ]
	[ "$status" = 0 ]
}

@test "wrong options: one line that names option and choices, status 2" {
	run stube run
	[ "$status" = 2 ]
	[[ $output == *"name an image, or a directory with --rootfs"* ]]
	run stube run --pull sometimes x
	[ "$status" = 2 ]
	[[ $output == *"--pull"*"missing|always|never"* ]]
	run run_dir --name UPPER /bin/true
	[ "$status" = 1 ]
	[[ $output == *"'UPPER' is not a name"* ]]
	run run_dir --cap-add FLY /bin/true
	[ "$output" = "error: securityContext.capabilities.add[0]: unknown capability 'FLY'" ]
	run run_dir --cpus lots /bin/true
	[ "$status" = 2 ]
	[ "$output" = "error: --cpus: 'lots' is not a number of processors such as 1.5" ]
	run run_dir --network bridge /bin/true
	[ "$status" = 2 ]
	[ "$output" = "error: --network: 'bridge' is not one of none|host|ns:PATH|container:NAME" ]
	run run_dir --volume /srv /bin/true
	[ "$status" = 2 ]
	[ "$output" = "error: --volume: '/srv' is not SOURCE:DESTINATION[:ro]" ]
}

# ---- ps, logs, inspect, stop, rm ----

@test "a detached service is listed, logged, entered, stopped, removed" {
	[ "$(run_dir --detach --name web --label amt=bau /bin/sh -c 'echo one; echo two >&2; trap "exit 0" TERM; while :; do sleep 0.05; done')" = web ]
	[ "$(stube ps --output name)" = web ]
	eventually sh -c "'$BIN/stube' logs web 2>&1 | grep two"
	[ "$(stube logs web 2> /dev/null)" = one ]
	[ "$(stube logs web 2>&1 > /dev/null)" = two ]
	[ "$(stube inspect web | jq -r '.[0].container.pod.metadata.labels.amt')" = bau ]
	run run_dir --name web /bin/true
	[ "$status" = 1 ]
	[[ $output == *"there is a container 'web' already"* ]]
	run stube rm web
	[ "$status" = 1 ]
	[[ $output == *"container 'web' is running"* ]]
	[ "$(stube stop web)" = web ]
	[ "$(stube ps --output name)" = "" ]
	[[ $(stube ps --all) == *"exited (0)"* ]]
	[ "$(stube logs web 2> /dev/null)" = one ]
	[ "$(stube rm web)" = web ]
	run stube logs web
	[ "$output" = "error: there is no container 'web'" ]
}

@test "ps and inspect speak JSON" {
	run_dir --detach --name a /bin/sleep 100
	[ "$(stube ps --output json | jq -r '.[0] | [.name, .status, (.pid | type)] | join(" ")')" = "a running number" ]
	[ "$(stube ps --all --output json | jq length)" = 1 ]
}

@test "stop uses the service's own signal, waits, then kills" {
	run_dir --detach --name a --stop-signal USR1 /bin/sh -c 'trap "echo bye; exit 3" USR1; trap "" TERM; echo up; while :; do sleep 0.05; done'
	eventually sh -c "'$BIN/stube' logs a | grep up"
	stube stop a
	[ "$(stube inspect a | jq .[0].exitCode)" = 3 ]
	run_dir --detach --name b --stop-timeout 1 /bin/sh -c 'trap "" TERM; while :; do sleep 0.05; done'
	stube stop b
	[ "$(stube inspect b | jq .[0].exitCode)" = 137 ]
}

@test "logs follow, tail, since and time stamps" {
	run_dir --detach --name a /bin/sh -c 'for i in 1 2 3 4 5; do echo line $i; done; sleep 1; printf partial; sleep 0.3; echo " and rest"'
	[ "$(timeout 10 "$BIN/stube" logs --follow --tail 2 a)" = $'line 4\nline 5\npartial and rest' ]
	[ "$(stube logs --tail 1 a)" = "partial and rest" ]
	[[ $(stube logs --timestamps --tail 1 a) =~ ^20[0-9]{2}-[0-9-]+T[0-9:]+\.[0-9]{9}Z\ partial\ and\ rest$ ]]
	[ "$(stube logs --since 0.1s a | head -1)" != "line 1" ]
	[ "$(stube logs --since 1h a | head -1)" = "line 1" ]
	run stube logs --since yesterday a
	[[ $output == *"'yesterday' is neither a time (RFC 3339) nor a duration"* ]]
}

# ---- exec ----

@test "exec passes on status, output, input; with user, directory and variables of its own" {
	run_dir --detach --name a --env SHARED=1 /bin/sleep 100
	run --separate-stderr stube exec a /bin/sh -c 'echo out; echo err >&2; exit 9'
	[ "$status" = 9 ]
	[ "$output" = out ]
	[ "$stderr" = err ]
	[ "$(echo hello | stube exec --interactive a /bin/cat)" = hello ]
	[ "$(stube exec --user app --workdir /srv --env X=y a /bin/sh -c 'echo $(id -u) $PWD $X $SHARED $$')" != "" ]
	[[ $(stube exec --user app --workdir /srv --env X=y a /bin/sh -c 'echo $(id -u) $PWD $X $SHARED') = "1000 /srv y 1" ]]
	[[ $(stube exec a /bin/ps) == *sleep* ]]
	run stube exec a /bin/none
	[ "$status" != 0 ]
	[[ $output == "error: container 'a': "*none* ]]
	[ "${#lines[@]}" = 1 ]
	run stube exec nobody /bin/true
	[ "$output" = "error: there is no container 'nobody'" ]
	[ -z "$(ls "$STUBE_RUN/containers/a/exec")" ]
}

@test "exec is no less confined than its container" {
	run_dir --detach --name a /bin/sleep 100
	run stube exec a /bin/grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/self/status
	[ "$output" = $'CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2' ]
}

@test "exec hands over all of a large output, however slowly it is read" {
	run_dir --detach --name a /bin/sleep 100
	stube exec a /bin/dd if=/dev/zero bs=64k count=64 2> /dev/null | (sleep 1; wc -c) > "$WORK/count"
	[ "$(cat "$WORK/count")" = 4194304 ]
}

# ---- login ----

@test "a password without an end is refused, not read for ever" {
	run timeout 10 "$BIN/stube" login --username amt --password-stdin 127.0.0.1:1 < /dev/zero
	[ "$status" = 1 ]
	[ "$output" = "error: standard input: text grows over its limit of 65536 bytes" ]
}

@test "below a service that says when it is ready, a container is no part of it: nothing waits for its READY=1, no descriptor goes along" {
	python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); time.sleep(600)' "$WORK/notify" 3>&- &
	local manager=$! variables
	eventually test -S "$WORK/notify"
	NOTIFY_SOCKET=$WORK/notify WATCHDOG_USEC=1000000 run timeout 60 "$BIN/stube" run --detach --name a --rootfs "$ROOT" \
		/bin/sh -c 'echo "socket: $NOTIFY_SOCKET"; exec sleep 1000' 9> "$WORK/callers"
	kill "$manager"
	[ "$status" = 0 ]
	[ "$(stube logs a)" = 'socket: ' ]
	variables=$(tr '\0' '\n' < "/proc/$(monitors)/environ")
	[[ $variables != *NOTIFY_SOCKET=* && $variables != *WATCHDOG_USEC=* ]]
	[[ $(readlink "/proc/$(monitors)/fd"/*) != *"$WORK/callers"* ]]
}
