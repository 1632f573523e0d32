#!/usr/bin/env bats
# Promises of checkpoint and restore with the real CRIU, wherever `criu check` passes. What such a machine proves:
# processes come back, with their mounts, masks, namespaces, terminal, streams, cgroup and filters.
# The requests, refusals and failures are proven everywhere by runtime-criu.bats.
load helpers

setup() {
	PATH=$PATH:/usr/sbin:/sbin
	command -v criu > /dev/null || skip "criu is not installed"
	criu check > /dev/null 2>&1 || skip "criu check: $(criu check 2>&1 | grep -v 'Diag module\|tun:' | tail -1)"
	rt_setup
	# Counts below /dev/shm: memory that only the images can bring back. It reads commands from nowhere.
	COUNT='i=0; while :; do i=$((i+1)); echo $i > /dev/shm/count; sleep 0.1; done'
}
teardown() { [ -z "${T:-}" ] || rt_teardown; }

count() { # what the container of this id has counted to
	local pid
	pid=$(rt_pid "${1:-$ID}")
	cat "/proc/$pid/root/dev/shm/count"
}

wait_above() { # NUMBER [ID]
	for _ in {1..300}; do
		[ "$(count "${2:-$ID}" 2> /dev/null || echo 0)" -gt "$1" ] && return
		sleep 0.1
	done
	return 1
}

run_detached() { # run the bundle b, and wait until it works
	rt run -d -b "$T/b" "$ID" > /dev/null 2>&1 < /dev/null
	wait_above 2
}

status_of() {
	rt state "$ID" | jq -r .status
}

@test "a container goes into files and comes back where it was" {
	rt_bundle b "$(rt_sh "$COUNT")"
	run_detached
	before=$(rt state "$ID")
	rt checkpoint --image-path "$T/images" "$ID"
	# Gone, with state and cgroup.
	run rt state "$ID"
	[[ "$status" -eq 1 && "$output" == *"does not exist"* ]]
	[ ! -e "$CGROUP/$ID" ]
	rt restore -d -b "$T/b" --image-path "$T/images" --pid-file "$T/pid" "$ID" > /dev/null 2>&1 < /dev/null
	first=$(count)
	[ "$first" -gt 2 ]
	wait_above "$first"
	[ "$(status_of)" = running ]
	[ "$(cat "$T/pid")" = "$(rt_pid "$ID")" ]
	[ "$(rt state "$ID" | jq -r .created)" != "$(jq -r .created <<< "$before")" ]
	[ "$(rt state "$ID" | jq 'del(.pid, .created)')" = "$(jq 'del(.pid, .created)' <<< "$before")" ]
	# It is a container like any other.
	[ "$(rt exec "$ID" cat /proc/1/comm)" = sh ]
	rt exec "$ID" sh -c 'ip addr show lo' | grep -q 'LOOPBACK,UP'
	grep -q "/$ID$" "/proc/$(rt_pid "$ID")/cgroup"
	rt pause "$ID"
	[ "$(status_of)" = paused ]
	rt resume "$ID"
	[ ! -e "$ROOT/$ID/criu-root" ]
	[ -z "$(grep criu-root /proc/self/mountinfo)" ]
	rt delete -f "$ID"
}

@test "bind mounts, masks, read-only paths, limits and rights come back as they were" {
	mkdir "$T/volume"
	echo data > "$T/volume/file"
	echo alone > "$T/alone"
	rt_bundle b "$(rt_sh "$COUNT")"' | .mounts += [
		{destination: "/volume", type: "bind", source: "'"$T/volume"'", options: ["rbind", "ro"]},
		{destination: "/etc/alone", type: "bind", source: "'"$T/alone"'", options: ["bind", "rprivate"]}]
		| .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}]
		| .process.user.uid = 1000
		| .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["uname"], action: "SCMP_ACT_ERRNO", errnoRet: 13}]}'
	run_detached
	view() {
		local pid
		pid=$(rt_pid "$ID")
		sed -n 's/^[0-9]* [0-9]* [0-9:]* \([^ ]*\) \([^ ]*\) \([^ ]*\) .*- \([^ ]*\) .*/\2 \3 \4/p' "/proc/$pid/mountinfo" | sort
		grep -E '^(Cap|NoNewPrivs|Seccomp|Uid|Gid)' "/proc/$pid/status"
		grep 'open files' "/proc/$pid/limits"
		cat "/proc/$pid/uid_map"
		ls "/proc/$pid/root/proc/acpi" "/proc/$pid/root/sys/firmware" 2>&1 | sed "s/$pid/PID/"
		stat -c '%n %t:%T' "/proc/$pid/root/proc/kcore" | sed "s/$pid/PID/"
	}
	before=$(view)
	rt checkpoint --image-path "$T/images" "$ID"
	rt restore -d -b "$T/b" --image-path "$T/images" "$ID" > /dev/null 2>&1 < /dev/null
	wait_above "$(count)"
	diff <(echo "$before") <(view)
	[ "$(rt exec "$ID" cat /volume/file /etc/alone)" = "$(printf 'data\nalone')" ]
	run rt exec "$ID" touch /volume/new
	[ "$status" -ne 0 ]
}

@test "a paused container can be taken, and one that is left running goes on" {
	rt_bundle b "$(rt_sh "$COUNT")"
	run_detached
	rt checkpoint --leave-running --image-path "$T/running" "$ID"
	[ "$(status_of)" = running ]
	wait_above "$(count)"
	rt pause "$ID"
	rt checkpoint --leave-running --image-path "$T/paused" "$ID"
	[ "$(status_of)" = paused ]
	rt resume "$ID"
	wait_above "$(count)"
	# The images of a running one start a second container.
	rt restore -d -b "$T/b" --image-path "$T/running" "$ID-2" > /dev/null 2>&1 < /dev/null
	wait_above "$(count "$ID-2")" "$ID-2"
	[ "$(status_of)" = running ]
}

@test "a chain of pre-dumps leaves the container running, its end has the rest" {
	rt_bundle b "$(rt_sh "$COUNT")"
	run_detached
	rt checkpoint --pre-dump --image-path "$T/1" "$ID"
	wait_above "$(count)"
	rt checkpoint --pre-dump --image-path "$T/2" --parent-path ../1 "$ID"
	wait_above "$(count)"
	[ "$(status_of)" = running ]
	rt checkpoint --image-path "$T/3" --parent-path ../2 --work-path "$T/work" "$ID"
	[ -e "$T/work/dump.log" ]
	[ -L "$T/3/parent" ]
	rt restore -d -b "$T/b" --image-path "$T/3" --work-path "$T/work" "$ID" > /dev/null 2>&1 < /dev/null
	wait_above "$(count)"
}

@test "standard streams become those of the restore, pipes and files of the host alike" {
	rt_bundle b "$(rt_sh 'exec 4>&1; i=0; while read -r a; do i=$((i+1)); echo "out $i $a"; echo "err $i" >&2; done')"
	mkfifo "$T/in"
	# A pipe for input, a pipe for output, a file of the host for errors.
	(exec 3>&-; tail -f /dev/null --pid=$$ < /dev/null > "$T/in" & echo $! > "$T/holder")
	sh -c 'cat > "$0"' "$T/out" < <("$RT_BIN" --root "$ROOT" run -d -b "$T/b" "$ID" < <(cat "$T/in" & echo one; sleep 1000 & echo $! > "$T/sleeper"; wait) 2> "$T/err") 3>&- &
	for _ in {1..300}; do grep -q 'out 1 one' "$T/out" 2> /dev/null && grep -q 'err 1' "$T/err" && break; sleep 0.1; done
	grep -q 'out 1 one' "$T/out"
	grep -q 'err 1' "$T/err"
	rt checkpoint --image-path "$T/images" "$ID"
	kill "$(cat "$T/holder")" "$(cat "$T/sleeper")" || true
	printf 'two\nthree\n' | rt restore -b "$T/b" --image-path "$T/images" "$ID" 2>> "$T/err" | cat > "$T/out2"
	head -20 "$T/out2" "$T/err" # what it was, where it was not that
	[ "$(cat "$T/out2")" = "$(printf 'out 2 two\nout 3 three')" ]
	# CRIU wants a file to be as long as it was: the log goes on where it ended.
	[ "$(cat "$T/err")" = "$(printf 'err 1\nerr 2\nerr 3')" ]
}

@test "run in the foreground again: exit status, and nothing is left" {
	rt_bundle b "$(rt_sh "$COUNT")"
	rt_config b "$(rt_sh 'i=0; while [ ! -e /tmp/go ]; do i=$((i+1)); echo $i > /dev/shm/count; sleep 0.1; done; exit 7')"
	run_detached
	rt checkpoint --image-path "$T/images" "$ID"
	touch "$T/b/rootfs/tmp/go"
	run rt restore -b "$T/b" --image-path "$T/images" "$ID"
	[ "$status" -eq 7 ]
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$CGROUP/$ID" ]
}

@test "a terminal comes back at the console socket" {
	rt_bundle b "$(rt_sh 'i=0; while read a; do i=$((i+1)); echo "got $i $a"; echo $i > /dev/shm/count; done') | .process.terminal = true"
	/usr/bin/python3 "$BATS_TEST_DIRNAME/console-recv.py" "$T/console" "$T/console.out" $'a\nb\nc\n' 3>&- &
	first=$!
	for _ in {1..300}; do [ -S "$T/console" ] && break; sleep 0.1; done
	rt run -d -b "$T/b" --console-socket "$T/console" "$ID" 3>&-
	wait_above 2
	rt checkpoint --image-path "$T/images" "$ID"
	wait $first || true
	rm -f "$T/console"
	/usr/bin/python3 "$BATS_TEST_DIRNAME/console-recv.py" "$T/console" "$T/console.out2" $'d\n' 3>&- &
	second=$!
	for _ in {1..300}; do [ -S "$T/console" ] && break; sleep 0.1; done
	rt restore -d -b "$T/b" --console-socket "$T/console" --image-path "$T/images" "$ID" 3>&-
	for _ in {1..300}; do grep -q 'got 4 d' "$T/console.out2" && break; sleep 0.1; done
	rt delete -f "$ID"
	wait $second || true
	grep -q 'got 4 d' "$T/console.out2"
}

@test "namespaces by path are found again, others made anew" {
	rt_bundle pause "$(rt_args sleep 1000)"
	rt run -d -b "$T/pause" "$ID-pod" > /dev/null 2>&1 < /dev/null
	pod=$(rt_pid "$ID-pod")
	rt_bundle b "$(rt_sh "$COUNT")"' | .linux.namespaces |= map(if .type == "network" or .type == "ipc" or .type == "uts" then .path = "/proc/'"$pod"'/ns/" + {network: "net", ipc: "ipc", uts: "uts"}[.type] else . end) | del(.hostname)'
	run_detached
	rt checkpoint --image-path "$T/images" "$ID"
	rt restore -d -b "$T/b" --image-path "$T/images" "$ID" > /dev/null 2>&1 < /dev/null
	wait_above "$(count)"
	pid=$(rt_pid "$ID")
	for ns in net ipc uts; do
		[ "$(readlink "/proc/$pid/ns/$ns")" = "$(readlink "/proc/$pod/ns/$ns")" ]
	done
	for ns in pid mnt; do
		[ "$(readlink "/proc/$pid/ns/$ns")" != "$(readlink "/proc/$pod/ns/$ns")" ]
	done
}

@test "limits and device rules are those of the new cgroup" {
	grep -qw pids "$CGROUP/cgroup.controllers" || skip "the cgroup v2 hierarchy of this host has no controller pids"
	rt_bundle b "$(rt_sh "$COUNT") | .linux.cgroupsPath = \"/$ID/one\" | .linux.resources = {pids: {limit: 50}, devices: [{allow: false, access: \"rwm\"}]}"
	run_detached
	rt checkpoint --image-path "$T/images" "$ID"
	rt_config b "$(rt_sh "$COUNT") | .linux.cgroupsPath = \"/$ID/two\" | .linux.resources = {pids: {limit: 60}, devices: [{allow: false, access: \"rwm\"}]}"
	rt restore -d -b "$T/b" --image-path "$T/images" "$ID" > /dev/null 2>&1 < /dev/null
	wait_above "$(count)"
	[ ! -e "$CGROUP/$ID/one" ]
	[ "$(cat "$CGROUP/$ID/two/pids.max")" = 60 ]
	grep -qx "0::/$ID/two" "/proc/$(rt_pid "$ID")/cgroup"
	run rt exec "$ID" sh -c 'mknod /dev/kmsg c 1 11 2> /dev/null; cat /dev/kmsg'
	[ "$status" -ne 0 ]
	[ "$(rt exec "$ID" head -c 3 /dev/zero | wc -c)" = 3 ]
}

@test "a cgroup namespace with its mount comes back" {
	rt_bundle b "$(rt_sh "$COUNT")"' | .linux.namespaces += [{type: "cgroup"}] | .mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"]}]'
	run_detached
	rt checkpoint --image-path "$T/images" "$ID"
	rt restore -d -b "$T/b" --image-path "$T/images" "$ID" > /dev/null 2>&1 < /dev/null
	wait_above "$(count)"
	[ "$(rt exec "$ID" sh -c 'grep 0:: /proc/self/cgroup')" = "0::/" ]
	[ -n "$(rt exec "$ID" cat /sys/fs/cgroup/cgroup.procs)" ]
}

@test "a dump that CRIU refuses leaves the container running and says why" {
	# A file of the host that no image can name.
	rt_bundle b "$(rt_sh "$COUNT")"
	echo host > "$T/hostfile"
	rt run -d -b "$T/b" --preserve-fds 1 "$ID" > /dev/null 2>&1 < /dev/null 3< "$T/hostfile"
	wait_above 2
	run rt checkpoint --image-path "$T/images" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"criu failed: "*"Can't lookup mount="* ]]
	[ "$(status_of)" = running ]
	wait_above "$(count)"
}

@test "a restore that CRIU refuses leaves nothing" {
	rt_bundle b "$(rt_sh "$COUNT")"
	run_detached
	rt checkpoint --image-path "$T/images" "$ID"
	rm "$T/images/"pagemap-*.img
	run rt restore -d -b "$T/b" --image-path "$T/images" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"criu failed: "* ]]
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$CGROUP/$ID" ]
}
