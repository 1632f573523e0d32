#!/usr/bin/env bats
# Promises of create, start and exec.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

created() { # FILTER: a container that waits for start
	rt_bundle b "$1"
	rt create -b "$T/b" --pid-file "$T/pid" "$ID" > "$T/out" 2>&1
}

running() {
	created "$(rt_sh 'trap "exit 0" TERM; sleep 60 & wait')${1:+ | $1}"
	rt start "$ID"
}

@test "create returns while the program waits; start executes it" {
	created "$(rt_sh 'echo started; sleep 60; true')"
	pid=$(cat "$T/pid")
	[ "$pid" = "$(rt_pid "$ID")" ]
	[ "$(tr '\0' ' ' < "/proc/$pid/cmdline")" != "" ]
	[ ! -s "$T/out" ]
	rt start "$ID"
	for _ in {1..50}; do [ -s "$T/out" ] && break; sleep 0.02; done
	[ "$(cat "$T/out")" = started ]
	[[ "$(tr '\0' ' ' < "/proc/$pid/cmdline")" == "sh -c "* ]]
}

@test "while it waits the first process keeps at most 300 KB for itself" {
	created "$(rt_args true)"
	private=$(awk '/^Private_/ { sum += $2 } END { print sum }' "/proc/$(cat "$T/pid")/smaps_rollup")
	[ "$private" -le 300 ]
}

@test "while it waits nothing of the host is open in it" {
	created "$(rt_args true)"
	run bash -c "ls -l /proc/$(cat "$T/pid")/fd | sed -n 's/.* -> //p' | grep -v -e '^/dev/null' -e '^socket:' -e '^pipe:' -e '$ROOT/$ID/start' -e '$T/out' -e /tmp/bash_jobs -e bats"
	[ "$output" = "" ]
}

@test "a second create with the same id is refused and harms nothing" {
	created "$(rt_sh 'sleep 60')"
	run rt create -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"already exists"* ]]
	rt start "$ID"
	kill -0 "$(cat "$T/pid")"
}

@test "start of a container that runs is refused" {
	running
	run rt start "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"cannot start an already running container"* ]]
}

@test "start of an unknown container says that it does not exist" {
	run rt start "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"does not exist"* ]]
}

@test "create fails with the reason and leaves nothing, and the next try succeeds" {
	rt_bundle b '.process.args = ["nosuch"]'
	run rt create -b "$T/b" --pid-file "$T/pid" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"executable file not found in \$PATH"* ]]
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$CGROUP/$ID" ]
	[ ! -e "$T/pid" ]
	rt_config b
	rt run -b "$T/b" "$ID"
}

@test "a create that is killed at any moment leaves nothing that the next one does not clean" {
	rt_bundle b '.hooks.createRuntime = [{path: "/bin/sleep", args: ["sleep", "5"]}]'
	"$RT_BIN" --root "$ROOT" create -b "$T/b" "$ID" &
	sleep 0.3
	kill -9 $!
	wait $! || true
	rt_config b "$(rt_sh 'exit 3')"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 3 ]
	[ ! -e "$CGROUP/$ID" ]
}

@test "exec runs in all namespaces of the container, as one more process of its cgroup" {
	running '.linux.namespaces += [{type: "cgroup"}]'
	run rt exec "$ID" sh -c 'for n in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$n; done'
	[ "$status" -eq 0 ]
	i=0
	for n in cgroup ipc mnt net pid user uts; do
		[ "${lines[$i]}" = "$(readlink "/proc/$(cat "$T/pid")/ns/$n")" ]
		i=$((i + 1))
	done
	rt exec -d --pid-file "$T/exec.pid" "$ID" sleep 50
	grep -q "^0::/$ID$" "/proc/$(cat "$T/exec.pid")/cgroup"
}

@test "exec into a user namespace" {
	running "$RT_USERNS"
	run rt exec "$ID" sh -c 'id -u; readlink /proc/self/ns/user; grep CapEff /proc/self/status'
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = "$(readlink "/proc/$(cat "$T/pid")/ns/user")" ]
	[[ "${lines[2]}" == *421 ]]
}

@test "exec into a time namespace sees its clock" {
	running '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets.boottime = {secs: 1000000, nanosecs: 0}'
	run rt exec "$ID" cut -d. -f1 /proc/uptime
	[ "$output" -gt 1000000 ]
}

@test "the exit status of an exec is its program's" {
	running
	run rt exec "$ID" sh -c 'exit 7'
	[ "$status" -eq 7 ]
}

@test "exec takes user, groups, directory, environment and capabilities" {
	running
	run rt exec -u 1000:1001 -g 5 --cwd /etc -e A=b -e PATH=/bin:/x "$ID" sh -c 'id -u; id -g; id -G; pwd; echo $A $PATH'
	[ "${lines[0]}" = 1000 ]
	[ "${lines[1]}" = 1001 ]
	[ "${lines[2]}" = "1001 5" ]
	[ "${lines[3]}" = /etc ]
	[ "${lines[4]}" = "b /bin:/x" ]
	run rt exec --cap CAP_NET_RAW "$ID" grep Cap /proc/self/status
	[[ "${lines[0]}" == *0000000000000000 ]]
	[[ "${lines[2]}" == *0000000000002421 ]]
	run rt exec --cap CAP_NONE "$ID" true
	[[ "$output" == *"unknown capability 'CAP_NONE'"* ]]
}

@test "exec --process takes a process document" {
	running
	echo '{"args":["sh","-c","echo $X; id -u"],"cwd":"/","env":["PATH=/bin","X=doc"],"user":{"uid":1000,"gid":1000}}' > "$T/p.json"
	run rt exec --process "$T/p.json" "$ID"
	[ "${lines[0]}" = doc ]
	[ "${lines[1]}" = 1000 ]
}

@test "a process document that is wrong names line and field" {
	running
	echo '{"args":["true"],"cwd":"relative","user":{"uid":0,"gid":0}}' > "$T/p.json"
	run rt exec --process "$T/p.json" "$ID"
	[ "$status" -eq 255 ]
	[[ "$output" == *"p.json:1:"*"cwd"* ]]
}

@test "exec of a missing program gives the words that callers look for" {
	running
	run rt exec "$ID" nosuch
	[ "$status" -eq 255 ]
	[[ "$output" == *"exec: \"nosuch\": executable file not found in \$PATH"* ]]
	run rt exec --cwd /no/such "$ID" true
	[[ "$output" == *"working directory: process.cwd: open '/no/such': No such file or directory"* ]]
}

@test "exec in a stopped container is refused" {
	running
	kill -9 "$(cat "$T/pid")"
	for _ in {1..50}; do kill -0 "$(cat "$T/pid")" 2> /dev/null || break; sleep 0.02; done
	run rt exec "$ID" true
	[ "$status" -eq 255 ]
	[[ "$output" == *"cannot exec in a stopped container"* ]]
}

@test "user ids that are no plain numbers are refused, never read as root" {
	running
	for u in 1000: 010 1x -1 ' 1' 4294967295 99999999999 root 1:2:3; do
		run rt exec -u "$u" "$ID" id -u
		[ "$status" -ne 0 ]
		[[ "$output" == *"is no user or group id"* ]]
	done
}

@test "a pid file that is a pipe or a device is written to, not replaced" {
	rt_bundle b "$(rt_args sleep 60)"
	mkfifo "$T/pipe"
	cat "$T/pipe" > "$T/read" &
	rt create -b "$T/b" --pid-file "$T/pipe" "$ID" > "$T/out" 2>&1
	wait $!
	[ "$(cat "$T/read")" = "$(rt_pid "$ID")" ]
	[ -p "$T/pipe" ]
	mknod "$T/full" c 1 7
	run rt run -b "$T/b" --pid-file "$T/full" "$ID-2"
	[ "$status" -eq 1 ]
	[[ "$output" == *"pid file '$T/full': write: No space left on device"* ]]
	[ -c "$T/full" ]
}

@test "the highest number is no user: the kernel reads it as leave me root" {
	rt_bundle b "$(rt_args id -u) | .process.user.uid = 4294967295"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"process.user.uid: 4294967295 is not a whole number from 0 to 4294967294"* ]]
	running
	echo '{"user": {"uid": 1, "gid": 4294967295}, "args": ["id", "-u"], "cwd": "/"}' > "$T/p.json"
	run rt exec -p "$T/p.json" "$ID"
	[ "$status" -eq 255 ]
	[[ "$output" == *"user.gid: 4294967295 is not a whole number from 0 to 4294967294"* ]]
}

@test "hooks run in their order and namespaces, with the state on stdin" {
	mkdir -p "$T/h"
	for kind in prestart createRuntime createContainer poststart poststop; do
		cat > "$T/h/$kind" <<-EOF
			#!/bin/sh
			echo "$kind \$(jq -r '.id + " " + .status') \$(readlink /proc/self/ns/uts)" >> $T/h/log
			pwd >> $T/h/places
		EOF
	done
	chmod +x "$T"/h/*
	rt_bundle b "$(jq -nc --arg d "$T/h/" '["prestart","createRuntime","createContainer","poststart","poststop"] | map({key: ., value: [{path: ($d + .), env: ["PATH=/usr/bin:/bin"]}]}) | from_entries' | sed 's/^/.hooks = /')"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	host=$(readlink /proc/self/ns/uts)
	mapfile -t log < "$T/h/log"
	[ "${log[0]}" = "prestart $ID creating $host" ]
	[ "${log[1]}" = "createRuntime $ID creating $host" ]
	[[ "${log[2]}" == "createContainer $ID creating "* && "${log[2]}" != *"$host" ]]
	[[ "${log[3]}" == "poststart $ID running $host" ]]
	[ "${log[4]}" = "poststop $ID stopped $host" ]
	# Each begins in the bundle, wherever the caller is.
	[ "$(sort "$T/h/places" | uniq -c | tr -s ' ')" = " 5 $T/b" ]
}

@test "a failing hook stops the start with its words, and nothing stays" {
	rt_bundle b '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "echo broken >&2; exit 9"]}]'
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"error running createRuntime hook #"*"exit status 9"*"broken"* ]]
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$CGROUP/$ID" ]
}

@test "a startContainer hook runs inside" {
	printf '#!/bin/sh\ncat > /dev/null\necho hook > /tmp/hooked\n' > "$T/hook"
	rt_bundle b "$(rt_args cat /tmp/hooked) | .hooks.startContainer = [{path: \"/bin/hook\"}]"
	cp "$T/hook" "$T/b/rootfs/bin/hook"
	chmod +x "$T/b/rootfs/bin/hook"
	run rt run -b "$T/b" "$ID"
	[ "$output" = hook ]
}

@test "seccomp refuses what the profile refuses, with and without no_new_privs" {
	filter='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 42}]}'
	rt_bundle b "$(rt_sh 'mkdir /tmp/x; grep -E "Seccomp:|NoNewPrivs|CapPrm" /proc/self/status') | $filter"
	run rt run -b "$T/b" "$ID"
	[[ "${lines[0]}" == *"mkdir: can't create directory '/tmp/x'"* ]]
	[[ "$output" == *"NoNewPrivs:"*"1"*"Seccomp:"*"2"* ]]
	rt_config b "$(rt_sh 'mkdir /tmp/x; grep -E "Seccomp:|NoNewPrivs|CapPrm" /proc/self/status') | $filter | .process.noNewPrivileges = false"
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"can't create directory"* ]]
	[[ "$output" =~ CapPrm:[[:space:]]0000000000000421 ]]
	[[ "$output" =~ NoNewPrivs:[[:space:]]0 ]]
	[[ "$output" =~ Seccomp:[[:space:]]2 ]]
}

@test "a seccomp listener is sent to its agent with the container's state" {
	rt_bundle b "$(rt_sh 'mkdir /tmp/x; echo done') | .linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", listenerPath: \"$T/agent\", listenerMetadata: \"meta\", syscalls: [{names: [\"mkdir\", \"mkdirat\"], action: \"SCMP_ACT_NOTIFY\"}]}"
	/usr/bin/python3 - "$T/agent" > "$T/agent.out" <<-'EOF' &
		import socket, sys, array, json, fcntl, struct
		s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); s.settimeout(10)
		c, _ = s.accept()
		data, anc, _, _ = c.recvmsg(65536, socket.CMSG_SPACE(4))
		fd = array.array("i", anc[0][2])[0]
		state = json.loads(data)
		print(state["metadata"], state["fds"][0], state["state"]["id"], flush=True)
		req = bytearray(80)
		fcntl.ioctl(fd, 0xc0502100, req)                       # SECCOMP_IOCTL_NOTIF_RECV
		ident = struct.unpack_from("Q", req)[0]
		resp = bytearray(struct.pack("QqiI", ident, 0, -99, 0))  # answer with an errno
		fcntl.ioctl(fd, 0xc0182101, resp)                      # SECCOMP_IOCTL_NOTIF_SEND
	EOF
	for _ in {1..100}; do [ -S "$T/agent" ] && break; sleep 0.05; done
	run timeout 10 "$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID"
	wait
	[ "$(cat "$T/agent.out")" = "meta seccompFd $ID" ]
	[[ "$output" == *"can't create directory"*"done"* ]]
}

@test "a cgroup that was there before and was once killed is used all the same" {
	rt_bundle b "$(rt_sh 'grep 0:: /proc/self/cgroup') | .linux.cgroupsPath = \"/$ID-own\""
	mkdir "$CGROUP/$ID-own"
	echo 1 > "$CGROUP/$ID-own/cgroup.kill"
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "0::/$ID-own" ]
	[ -d "$CGROUP/$ID-own" ]
}

@test "creates killed at many moments leave neither process nor cgroup once deleted" {
	rt_bundle b "$(rt_sh 'sleep 60; true')"
	for i in {0..12}; do
		"$RT_BIN" --root "$ROOT" create -b "$T/b" "$ID" > /dev/null 2>&1 3>&- &
		sleep "0.00$((i / 2))"
		kill -9 $! 2> /dev/null || true
		wait $! 2> /dev/null || true
		rt delete -f "$ID"
		[ ! -e "$ROOT/$ID" ]
		[ ! -e "$CGROUP/$ID" ]
		rt create -b "$T/b" "$ID" > /dev/null 2>&1 3>&-
		rt delete -f "$ID"
	done
	[ ! -e "$CGROUP/$ID" ]
}
