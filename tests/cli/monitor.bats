#!/usr/bin/env bats
# stube-monitor: what holds when readers are slow, clients hostile, and processes killed at any moment.

bats_require_minimum_version 1.5.0
load local

setup() { local_setup; }
teardown() { local_teardown; }

client() { /usr/bin/python3 "$BATS_TEST_DIRNAME/monitor-client.py" "$STUBE_RUN/containers/$1/monitor.sock" "${@:2}"; }
monitor_of() { pgrep -f -- "^$BIN/stube-monitor --id=$1 .*--dir=$STUBE_RUN/"; }
pid_of() { stube inspect "$1" | jq '.[0].pid'; }
ticker='i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.05; done'

@test "a monitor starts in a cgroup beside the containers', without a move that the kernel makes wait" {
	root=/sys/fs/cgroup
	[ "$(stat -f -c %T $root)" = cgroup2fs ] || root=$root/unified
	[ "$(stat -f -c %T $root 2> /dev/null)" = cgroup2fs ] || skip "no cgroup v2 hierarchy"
	run_dir --detach --name a /bin/sleep 100
	grep -qx '0::/stube/monitors' "/proc/$(monitor_of a)/cgroup"
	strace -f -qq -o "$WORK/trace" -e trace=openat "$BIN/stube" run --rm --rootfs "$ROOT" /bin/true
	grep -q 'stube/monitors' "$WORK/trace"
	! grep 'cgroup.procs.*O_WRONLY' "$WORK/trace"
}

# ---- killed processes ----

@test "kill -9 of a monitor: the service goes on, the next command gives it a new one, nothing is lost" {
	run_dir --detach --name a /bin/sh -c "$ticker"
	pid=$(pid_of a)
	kill -9 "$(monitor_of a)"
	sleep 0.5
	kill -0 "$pid"
	run --separate-stderr stube ps --output json
	[ "$(jq -r '.[0] | [.status, .pid] | join(" ")' <<< "$output")" = "running $pid" ]
	[[ $stderr == *"lost its monitor"*"container=a"* ]]
	[ "$(monitor_of a | wc -l)" = 1 ]
	run --separate-stderr stube ps
	[ -z "$stderr" ]
	sleep 0.2
	# Every line is there, also those of the time without a monitor.
	stube logs a > "$WORK/log"
	[ "$(wc -l < "$WORK/log")" -ge 10 ]
	diff "$WORK/log" <(seq "$(wc -l < "$WORK/log")" | sed 's/^/tick /')
	[ "$(stube exec a /bin/echo entered)" = entered ]
	stube stop --timeout 0 a
	[ "$(stube inspect a | jq -c '.[0] | [.status, .exitCode, .signal, .exitKnown]')" = '["exited",137,9,true]' ]
}

@test "the image of an adopted service stays when its name goes" {
	stube image pack --quiet "$ROOT" localhost/t/a:1
	stube run --detach --name a localhost/t/a:1 /bin/sleep 100
	stube image rm --keep-content localhost/t/a:1
	kill -9 "$(monitor_of a)"
	(cd / && stube ps 2> /dev/null)
	stube image gc
	[ "$(ls "$STUBE_STORE/layers/sha256" | wc -l)" = 1 ]
	stube rm --force a
	stube image gc
	[ -z "$(ls "$STUBE_STORE/layers/sha256")" ]
}

@test "the exit status of an adopted service is its own" {
	run_dir --detach --name a /bin/sh -c 'trap "exit 42" TERM; echo up; while :; do sleep 0.05; done'
	eventually sh -c "'$BIN/stube' logs a | grep up"
	kill -9 "$(monitor_of a)"
	stube stop a 2> /dev/null
	[ "$(stube inspect a | jq -c '.[0] | [.exitCode, .exitKnown]')" = '[42,true]' ]
}

@test "kill -9 of monitor and service: the end is recorded as unseen, and all can be removed" {
	run_dir --detach --name a /bin/sleep 100
	pid=$(pid_of a)
	kill -9 "$(monitor_of a)" "$pid"
	eventually sh -c "! grep -q '^State:.*[RSD] ' /proc/$pid/status"
	[ "$(stube inspect a 2> /dev/null | jq -c '.[0] | [.status, .exitKnown]')" != '["running",true]' ]
	stube rm --force a
	[ -z "$(find "$STUBE_RUN/runtime" -mindepth 1 -maxdepth 1 ! -name .cache)" ]
}

@test "kill -9 of stube run at any moment leaves nothing, or a service that runs" {
	local i name
	for i in $(seq 12); do
		name=k$i
		"$BIN/stube" run --rootfs "$ROOT" --detach --name "$name" /bin/sleep 100 > /dev/null 2>&1 &
		pid=$!
		sleep "0.0$((i * 7 % 10))$i"
		kill -9 "$pid" 2> /dev/null || true
		wait "$pid" 2> /dev/null || true
	done
	eventually sh -c "! '$BIN/stube' ps --all --output json | grep '\"status\":\"created\"'"
	stube ps --all --output json | jq -r '.[] | select(.status == "running") | .name' > "$WORK/running"
	[ "$(stube ps --all --output name)" = "$(cat "$WORK/running")" ]
	# Each name can be used again.
	for i in $(seq 12); do
		grep -qx "k$i" "$WORK/running" && continue
		run run_dir --rm --name "k$i" /bin/echo again
		[ "$output" = again ]
	done
}

@test "kill -9 of the foreground stube run: the service goes on" {
	"$BIN/stube" run --rootfs "$ROOT" --name a /bin/sh -c "$ticker" > "$WORK/out" &
	pid=$!
	eventually grep -q tick "$WORK/out"
	kill -9 "$pid"
	wait "$pid" || true
	n=$(stube logs a | wc -l)
	eventually sh -c "[ \$('$BIN/stube' logs a | wc -l) -gt $((n + 3)) ]"
	[ "$(stube ps --output name)" = a ]
}

@test "an exec session whose client was killed goes on, and leaves nothing once it has ended" {
	run_dir --detach --name a /bin/sleep 100
	"$BIN/stube" exec a /bin/sh -c 'touch /tmp/in; while [ ! -e /tmp/go ]; do sleep 0.05; done; touch /tmp/out' &
	client=$!
	eventually stube exec a /bin/cat /tmp/in
	kill -9 "$client"
	[ "$(ls "$STUBE_RUN/containers/a/exec" | wc -l)" = 1 ]
	stube exec a /bin/touch /tmp/go
	eventually stube exec a /bin/cat /tmp/out
	eventually sh -c "'$BIN/stube' exec a /bin/true; [ -z \"\$(ls '$STUBE_RUN/containers/a/exec')\" ]"
}

@test "after a restart of the machine a service is known to have ended unseen" {
	run_dir --detach --name a /bin/sleep 100
	pid=$(pid_of a)
	kill -9 "$(monitor_of a)" "$pid"
	eventually sh -c "! grep -q '^State:.*[RSD] ' /proc/$pid/status"
	"$BIN/stube-runtime" --root "$STUBE_RUN/runtime" delete --force a
	rm -rf "$STUBE_RUN"
	[ "$(stube inspect a | jq -c '.[0] | [.status, .exitKnown, .reason]')" = '["exited",false,"the machine was restarted"]' ]
	stube rm a
}

# ---- readers ----

@test "a reader that does not read never blocks a service, and gets all in the end" {
	mkfifo "$WORK/pipe"
	exec 9<> "$WORK/pipe"
	"$BIN/stube" run --rootfs "$ROOT" --name a /bin/sh -c 'seq 200000; echo done > /tmp/x' > "$WORK/pipe" 9>&- &
	pid=$!
	# The service ends although not one byte was taken from the pipe.
	eventually test -e "$STUBE_DATA/containers/a/exit.json"
	exec 8< "$WORK/pipe" 9>&-
	cat <&8 > "$WORK/out" &
	wait "$pid"
	wait
	seq 200000 | cmp - "$WORK/out"
}

@test "a reader too slow for a small log is told what it missed" {
	mkfifo "$WORK/pipe"
	exec 9<> "$WORK/pipe"
	"$BIN/stube" run --rootfs "$ROOT" --name a --log-size 64k --log-files 2 /bin/seq 300000 > "$WORK/pipe" 2> "$WORK/err" 9>&- &
	pid=$!
	eventually test -e "$STUBE_DATA/containers/a/exit.json"
	exec 8< "$WORK/pipe" 9>&-
	cat <&8 > "$WORK/out" &
	status=0
	wait "$pid" || status=$?
	wait
	[ "$status" = 1 ]
	grep -q "standard output was read too slowly, part of it is lost" "$WORK/err"
	[ "$(tail -1 "$WORK/out")" = 300000 ]
	[ "$(wc -l < "$WORK/out")" -lt 300000 ]
}

@test "when nobody reads its output any more, stube run leaves and the service goes on" {
	set +o pipefail
	timeout 20 "$BIN/stube" run --rootfs "$ROOT" --name a /bin/sh -c "$ticker" | head -1
	[ "$(stube inspect a | jq -r '.[0].status')" = running ]
	timeout 20 "$BIN/stube" run --rootfs "$ROOT" --rm --name b /bin/sh -c "$ticker" | head -1
	eventually sh -c "! '$BIN/stube' inspect b"
	timeout 20 "$BIN/stube" exec a /bin/sh -c "$ticker" | head -1
	[ "$(stube inspect a | jq -r '.[0].status')" = running ]
}

# ---- log ----

@test "the log rotates by size, keeps its number of files, and is read as one" {
	run_dir --name a --log-size 8k --log-files 3 /bin/seq 5000 > /dev/null
	ls -l "$STUBE_DATA/containers/a"
	[ "$(ls "$STUBE_DATA/containers/a" | grep -c '^log')" = 3 ]
	for f in "$STUBE_DATA"/containers/a/log*; do [ "$(stat -c %s "$f")" -le 8192 ]; done
	stube logs a > "$WORK/log"
	[ "$(tail -1 "$WORK/log")" = 5000 ]
	diff "$WORK/log" <(seq "$(head -1 "$WORK/log")" 5000)
	grep -qE '^20[0-9-]+T[0-9:]+\.[0-9]{9}Z stdout F 5000$' "$STUBE_DATA/containers/a/log"
}

@test "reopen-log begins a new file after an outside program moved the old one" {
	run_dir --detach --name a --interactive /bin/sh -c 'while read line; do echo "$line"; done'
	client a hello recv attach:3 recv input:first$'\n' recv recv sleep:0.2
	mv "$STUBE_DATA/containers/a/log" "$WORK/moved"
	client a hello recv reopen recv attach:3 recv input:second$'\n' recv recv sleep:0.2
	grep -q first "$WORK/moved"
	! grep -q second "$WORK/moved"
	grep -q second "$STUBE_DATA/containers/a/log"
}

@test "a full disk costs log lines, not the service, and the log says how many" {
	mkdir "$WORK/small"
	mount -t tmpfs -o size=256k,mode=0700 none "$WORK/small"
	STUBE_DATA=$WORK/small run_dir --detach --name a /bin/sh -c 'trap "seq 10; exit 0" TERM; seq 30000; echo full; while :; do sleep 0.05; done'
	export STUBE_DATA=$WORK/small
	eventually sh -c "'$BIN/stube' logs a 2>&1 | grep -E 'stube: [0-9]+ bytes of output could not be logged'"
	[ "$(stube inspect a | jq -r '.[0].status')" = running ]
	: > "$WORK/small/containers/a/log"
	stube stop a
	[ "$(stube inspect a | jq '.[0].exitCode')" = 0 ]
	[ "$(jq .logLost "$WORK/small/containers/a/exit.json")" -gt 0 ]
	stube rm a
	umount "$WORK/small"
}

# ---- protocol ----

@test "the socket belongs to its owner alone" {
	run_dir --detach --name a /bin/sleep 100
	[ "$(stat -c %a "$STUBE_RUN/containers/a/monitor.sock")" = 600 ]
	[ "$(stat -c %a "$STUBE_RUN/containers/a")" = 700 ]
	# Even where modes let another user through, the monitor does not.
	chmod 755 "$STUBE_RUN" "$STUBE_RUN/containers" "$STUBE_RUN/containers/a"
	chmod 666 "$STUBE_RUN/containers/a/monitor.sock"
	cp "$BATS_TEST_DIRNAME/monitor-client.py" "$WORK/client.py"
	run setpriv --reuid 65534 --regid 65534 --clear-groups /usr/bin/python3 "$WORK/client.py" \
		"$STUBE_RUN/containers/a/monitor.sock" hello recv
	[[ $output == *closed* || $output == *reset* || $output == *pipe* ]]
	chmod 700 "$STUBE_RUN" "$STUBE_RUN/containers"
	[ "$(client a hello recv)" = "ok 1" ]
}

@test "a client that breaks the protocol is hung up on, and nobody else notices" {
	run_dir --detach --name a --interactive /bin/sh -c 'sleep 100'
	[ "$(client a wait recv)" = closed ]                      # no greeting
	[ "$(client a raw:00 recv)" = closed ]                    # too short
	[ "$(client a raw:$(printf 'ff%.0s' {1..24}) recv)" = closed ] # unknown kind
	[ "$(client a hello:0 recv)" = closed ]                   # no such version
	[ "$(client a hello recv signal:99 recv | tail -1)" = closed ]
	[ "$(client a hello recv resize:70000:1 recv | tail -1)" = closed ]
	[[ $(client a hello recv input:x recv | tail -1) == closed ]] # not attached
	[[ $(client a hello recv attach:3 recv flood:200000 drain | tail -1) =~ closed|recv|send ]] # over its window
	[ "$(client a hello:999 recv)" = "ok 1" ]                 # a newer client is welcome
	[ "$(stube inspect a | jq -r '.[0].status')" = running ]
	[ "$(monitor_of a | wc -l)" = 1 ]
}

@test "two clients cannot hold the input at once" {
	run_dir --detach --name a --interactive /bin/cat
	client a hello recv attach:3 recv sleep:1 > /dev/null &
	sleep 0.3
	[ "$(client a hello recv attach:3 recv | tail -1)" = "error 16 Device or resource busy" ]
	wait
	[ "$(client a hello recv attach:3 recv | tail -1)" = "ok 2" ]
}

@test "seventeen clients: the seventeenth is refused, the service is not disturbed" {
	run_dir --detach --name a /bin/sleep 100
	pids=()
	for i in $(seq 16); do
		/usr/bin/python3 "$BATS_TEST_DIRNAME/monitor-client.py" "$STUBE_RUN/containers/a/monitor.sock" hello recv sleep:60 \
			> "$WORK/c$i" 3>&- &
		pids+=($!)
	done
	eventually sh -c "[ \$(cat $WORK/c* | grep -c '^ok 1') = 16 ]"
	run client a hello recv
	[[ $output == *closed* || $output == *reset* || $output == *pipe* ]]
	kill "${pids[@]}"
	wait "${pids[@]}" || true
	eventually sh -c "/usr/bin/python3 '$BATS_TEST_DIRNAME/monitor-client.py' '$STUBE_RUN/containers/a/monitor.sock' hello recv | grep '^ok 1'"
}

# ---- the program ----

@test "any OCI runtime fits: crun, and runc, in the view of cgroups that they know" {
	for runtime in crun runc; do
		path=$(command -v $runtime) || skip "$runtime is missing"
		run unshare -m --propagation private sh -c 'umount /sys/fs/cgroup/unified; exec "$@"' sh \
			"$BIN/stube" run --rootfs "$ROOT" --rm --name "$runtime" --runtime "$path" --userns host \
			$([ $runtime = crun ] && echo --cgroups disabled) /bin/sh -c 'echo hello; exit 4'
		echo "$output"
		[ "$status" = 4 ]
		[ "${lines[-1]}" = hello ]
	done
}

@test "a runtime that cannot be executed is named" {
	run run_dir --runtime /nowhere/runtime /bin/true
	[ "$status" = 1 ]
	[ "$output" = "error: runtime '/nowhere/runtime': No such file or directory" ]
	touch "$WORK/plain"
	run run_dir --name a --runtime "$WORK/plain" /bin/true
	[ "$status" = 1 ]
	[[ $output == *"cannot execute the runtime '$WORK/plain'"* ]]
}

@test "the monitor names what is missing on its command line" {
	run "$BIN/stube-monitor"
	[ "$status" = 2 ]
	[[ $output == *"--id is missing"* ]]
	run "$BIN/stube-monitor" --id a --dir rel --keep /tmp --runtime /bin/true
	[[ $output == *"--dir: 'rel' is not an absolute path"* ]]
	run "$BIN/stube-monitor" --id a --dir /tmp --keep /tmp --runtime /bin/true --bundle /b --process /p
	[[ $output == *"give one of --bundle, --process, --adopt"* ]]
}

@test "a monitor is small" {
	run_dir --detach --name a /bin/sleep 100
	m=$(monitor_of a)
	[ "$(awk '/^Private_(Clean|Dirty)/ { s += $2 } END { print s }' "/proc/$m/smaps_rollup")" -lt 1200 ]
	[ "$(ls "/proc/$m/fd" | wc -l)" -lt 24 ]
	[ "$(awk '/^Threads/ { print $2 }' "/proc/$m/status")" = 1 ]
}
