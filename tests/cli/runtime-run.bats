#!/usr/bin/env bats
# Promises of `stube-runtime run`: namespaces, mounts, devices, attributes, errors.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

# rt_go FILTER: bundle b with this filter, run in the foreground as $ID.
go() {
	rt_bundle b "$1"
	run rt run -b "$T/b" "$ID"
}

@test "the exit status of the program is the exit status of run" {
	go "$(rt_sh 'exit 42')"
	[ "$status" -eq 42 ]
}

@test "a program killed by a signal gives 128 and the signal's number" {
	go "$(rt_sh 'kill -TERM $$; sleep 5') | .linux.namespaces |= map(select(.type != \"pid\"))"
	[ "$status" -eq 143 ]
}

@test "run leaves neither state nor cgroup behind" {
	go "$(rt_args true)"
	[ "$status" -eq 0 ]
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$CGROUP/$ID" ]
}

@test "the container has pid 1, its own host name and its own network with loopback up" {
	go "$(rt_sh 'echo $$ $(hostname); ip -o link; cat /sys/class/net/lo/flags')"
	[ "${lines[0]}" = "1 stube" ]
	[[ "${lines[1]}" == *": lo: <LOOPBACK,UP,LOWER_UP>"* ]]
	[ "${#lines[@]}" -eq 3 ]
}

@test "every new namespace differs from the host's, every other is the host's" {
	go "$(rt_sh 'cd /proc/self/ns; for n in cgroup ipc mnt net pid user uts; do echo $n $(readlink $n); done')"
	for n in ipc mnt net pid uts; do
		[[ "$output" != *"$n $(readlink /proc/self/ns/$n)"* ]]
	done
	[[ "$output" == *"user $(readlink /proc/self/ns/user)"* ]]
	[[ "$output" == *"cgroup $(readlink /proc/self/ns/cgroup)"* ]]
}

@test "a cgroup namespace begins at the container's own cgroup" {
	go "$(rt_sh 'grep 0:: /proc/self/cgroup; ls /sys/fs/cgroup/cgroup.procs') | .linux.namespaces += [{type: \"cgroup\"}] | .mounts += [{destination: \"/sys/fs/cgroup\", type: \"cgroup\", source: \"cgroup\", options: [\"ro\"]}]"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "0::/" ]
	[ "${lines[1]}" = "/sys/fs/cgroup/cgroup.procs" ]
}

@test "without a cgroup namespace a cgroup mount shows the container's own directory, not the host's root" {
	go "$(rt_sh 'cat /sys/fs/cgroup/cgroup.procs; ls /sys/fs/cgroup/'"$ID"' 2>&1') | .mounts += [{destination: \"/sys/fs/cgroup\", type: \"cgroup\", source: \"cgroup\", options: [\"ro\"]}]"
	[ "${lines[0]}" = 1 ]
	[[ "$output" == *"No such file"* ]]
}

@test "a time namespace gets its offsets" {
	go "$(rt_sh 'cut -d. -f1 /proc/uptime') | .linux.namespaces += [{type: \"time\"}] | .linux.timeOffsets = {boottime: {secs: 1000000, nanosecs: 0}, monotonic: {secs: 500, nanosecs: 1}}"
	[ "$status" -eq 0 ]
	[ "$output" -gt 1000000 ]
}

@test "a user namespace maps root of the container to another user" {
	go "$(rt_sh 'id -u; cat /proc/self/uid_map; stat -c %u /dev/null; echo x > /tmp/made') | $RT_USERNS | .mounts += [{destination: \"/tmp\", type: \"tmpfs\", source: \"tmpfs\"}]"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0 ]
	[[ "${lines[1]}" =~ ^[\ ]+0[\ ]+100000[\ ]+65536$ ]]
}

@test "a user namespace without id 0 keeps working" {
	go "$(rt_sh 'id -u') | $RT_USERNS | .linux.uidMappings[0].containerID = 1000 | .linux.gidMappings[0].containerID = 1000 | .process.user = {uid: 1000, gid: 1000} | .mounts |= map(select(.type != \"devpts\"))"
	[ "$output" = 1000 ]
}

@test "default devices and links are there and work" {
	go "$(rt_sh 'for d in null zero full random urandom tty; do stat -c "%n %t:%T %a" /dev/$d; done; for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done; head -c 3 /dev/zero | wc -c')"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "/dev/null 1:3 666" ]
	[ "${lines[5]}" = "/dev/tty 5:0 666" ]
	[ "${lines[6]}" = "/proc/self/fd" ]
	[ "${lines[10]}" = "pts/ptmx" ]
	[ "${lines[11]}" = 3 ]
}

@test "in a user namespace the devices are the host's, bound" {
	go "$(rt_sh 'for d in null zero full random urandom tty; do stat -c "%n %t:%T" /dev/$d; done; echo x > /dev/null') | $RT_USERNS"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "/dev/null 1:3" ]
	[ "${lines[4]}" = "/dev/urandom 1:9" ]
}

@test "what is bound on a device of /dev stays, with and without a user namespace" {
	local mounts='.mounts += (["null", "zero"] | map({destination: ("/dev/" + .), type: "bind", source: ("/dev/" + .), options: ["rbind", "rslave", "nosuid", "noexec"]}))'
	echo content > "$T/file"
	for userns in . "$RT_USERNS"; do
		go "$(rt_sh 'stat -c "%n %t:%T" /dev/null /dev/zero /dev/full; echo x > /dev/null; cat /dev/full; grep -c " /dev/null .*noexec" /proc/self/mounts') | $userns | $mounts |
			.mounts += [{destination: \"/dev/full\", type: \"bind\", source: \"$T/file\", options: [\"bind\"]}]"
		[ "$output" = $'/dev/null 1:3\n/dev/zero 1:5\n/dev/full 0:0\ncontent\n1' ]
	done
	go "$(rt_sh 'cat /dev/ptmx') | .mounts += [{destination: \"/dev/ptmx\", type: \"bind\", source: \"$T/file\", options: [\"bind\"]}]"
	[ "$output" = content ]
}

@test "linux.devices are made with mode and owner" {
	go "$(rt_sh 'stat -c "%F %t:%T %a %u:%g" /dev/fuse /dev/pipe') | .linux.devices = [{type: \"c\", path: \"/dev/fuse\", major: 10, minor: 229, fileMode: 416, uid: 5, gid: 6}, {type: \"p\", path: \"/dev/pipe\"}]"
	[ "${lines[0]}" = "character special file a:e5 640 5:6" ]
	[[ "${lines[1]}" == "fifo "* ]]
	# Docker passes on each --device that it is given.
	go "$(rt_sh 'stat -c "%t:%T %a" /dev/x') | .linux.devices = ([{type: \"c\", path: \"/dev/x\", major: 1, minor: 3, fileMode: 384}] | . + .)"
	[ "$output" = "1:3 600" ]
}

@test "masked files are empty, masked directories are empty, read-only paths refuse writes" {
	go "$(rt_sh 'wc -c < /proc/keys; ls /sys/firmware | wc -l; echo 1 > /proc/sys/kernel/domainname') | .process.capabilities.bounding += [\"CAP_SYS_ADMIN\"] | .process.capabilities.effective += [\"CAP_SYS_ADMIN\"] | .process.capabilities.permitted += [\"CAP_SYS_ADMIN\"]"
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = 0 ]
	[[ "${lines[2]}" == *"Read-only file system"* ]]
}

@test "a read-only root refuses writes, mounts in it do not" {
	go "$(rt_sh 'echo x > /file; echo y > /dev/shm/file && cat /dev/shm/file') | .root.readonly = true"
	[[ "${lines[0]}" == *"Read-only file system"* ]]
	[ "${lines[1]}" = y ]
}

@test "capabilities are those of the config and no others" {
	go "$(rt_sh 'grep Cap /proc/self/status')"
	[[ "${lines[0]}" == *0000000000000000 ]]
	[[ "${lines[1]}" == *0000000000000421 ]]
	[[ "${lines[2]}" == *0000000000000421 ]]
	[[ "${lines[3]}" == *0000000000000421 ]]
	[[ "${lines[4]}" == *0000000000000000 ]]
}

@test "ambient capabilities reach a program of another user" {
	go "$(rt_sh 'grep -E "CapEff|CapAmb" /proc/self/status') | .process.user.uid = 1000 | .process.capabilities = ([\"CAP_NET_BIND_SERVICE\"] | {bounding: ., effective: ., permitted: ., inheritable: ., ambient: .})"
	[[ "${lines[0]}" == *0000000000000400 ]]
	[[ "${lines[1]}" == *0000000000000400 ]]
}

@test "without capabilities in the config there are none" {
	go "$(rt_sh 'grep CapBnd /proc/self/status') | del(.process.capabilities)"
	[[ "$output" == *0000000000000000 ]]
}

@test "user, groups, umask and no_new_privs are set" {
	go "$(rt_sh 'id -u; id -g; id -G; umask; grep NoNewPrivs /proc/self/status') | .process.user = {uid: 1000, gid: 1001, additionalGids: [5, 7], umask: 63}"
	[ "${lines[0]}" = 1000 ]
	[ "${lines[1]}" = 1001 ]
	[ "${lines[2]}" = "1001 5 7" ]
	[ "${lines[3]}" = 0077 ]
	[[ "${lines[4]}" == *1 ]]
}

@test "resource limits are set" {
	go "$(rt_sh 'ulimit -n; ulimit -Hn') | .process.rlimits = [{type: \"RLIMIT_NOFILE\", soft: 100, hard: 200}]"
	[ "${lines[0]}" = 100 ]
	[ "${lines[1]}" = 200 ]
}

@test "a hard limit that cannot be raised is named with both values" {
	[ $((0x$(sed -n 's/^CapEff:\s*//p' /proc/self/status) >> 24 & 1)) = 0 ] || skip "this caller has CAP_SYS_RESOURCE"
	rt_bundle b '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 2000000000}]'
	run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"process.rlimits[0]: the hard limit of RLIMIT_NOFILE cannot be raised from "*" to 2000000000 without CAP_SYS_RESOURCE"* ]]
}

@test "oomScoreAdj, personality and io priority are set" {
	go "$(rt_sh 'cat /proc/self/oom_score_adj; cat /proc/self/personality') | .process.oomScoreAdj = 123 | .linux.personality = {domain: \"LINUX32\"} | .process.ioPriority = {class: \"IOPRIO_CLASS_BE\", priority: 5}"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 123 ]
	[ "${lines[1]}" = 00000008 ]
}

@test "a sysctl of an own namespace is set" {
	go "$(rt_sh 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax') | .linux.sysctl = {\"net.ipv4.ip_forward\": \"1\", \"kernel.msgmax\": \"4242\"}"
	[ "${lines[0]}" = 1 ]
	[ "${lines[1]}" = 4242 ]
}

@test "a sysctl of the host is refused by name" {
	go '.linux.sysctl = {"vm.swappiness": "1"}'
	[ "$status" -eq 1 ]
	[[ "$output" == *"config.json:"*": linux.sysctl.vm.swappiness: belongs to the host"* ]]
}

@test "the environment is the config's, without the caller's" {
	FOO=leak go "$(rt_args env) | .process.env = [\"PATH=/bin\", \"A=b\"]"
	[[ "$output" == *"A=b"* ]]
	[[ "$output" != *leak* ]]
}

@test "a name that the environment has twice has its last value" {
	go "$(rt_args env) | .process.env = [\"PATH=/bin\", \"A=1\", \"AB=3\", \"A=2\", \"AB=\"]"
	[ "$output" = $'PATH=/bin\nA=2\nAB=\nHOME=/root' ]
}

@test "the program inherits stdio and nothing else" {
	rt_bundle b "$(rt_sh 'ls /proc/self/fd')"
	exec 7< /etc/passwd
	run rt run -b "$T/b" "$ID"
	# 3 is the directory that ls reads.
	[ "$output" = $'0\n1\n2\n3' ]
}

@test "--preserve-fds passes exactly that many descriptors" {
	rt_bundle b "$(rt_sh 'cat <&3; ls /proc/self/fd')"
	echo passed > "$T/file"
	run bash -c '"$0" --root "$1" run --preserve-fds 1 -b "$2" "$3" 3< "$4" 4< "$4"' "$RT_BIN" "$ROOT" "$T/b" "$ID" "$T/file"
	[ "${lines[0]}" = passed ]
	[ "${#lines[@]}" -eq 6 ]
}

@test "--preserve-fds of a closed descriptor is refused" {
	rt_bundle b
	run bash -c '"$0" --root "$1" run --preserve-fds 2 -b "$2" "$3" 3< /dev/null 4<&-' "$RT_BIN" "$ROOT" "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"descriptor 4 is not open"* ]]
}

@test "the working directory is made when it is missing" {
	go "$(rt_args pwd) | .process.cwd = \"/srv/new/dir\""
	[ "$output" = /srv/new/dir ]
	[ -d "$T/b/rootfs/srv/new/dir" ]
}

@test "a program that is missing gives the words that callers look for" {
	go '.process.args = ["nosuch"]'
	[ "$status" -eq 1 ]
	[[ "$output" == *"container '$ID': find program: exec: \"nosuch\": executable file not found in \$PATH"* ]]
	rt_config b '.process.args = ["/no/such"]'
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"exec: \"/no/such\": no such file or directory"* ]]
	rt_config b '.process.args = ["/etc/passwd"]'
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"exec: \"/etc/passwd\": permission denied"* ]]
	# What execve(2) would say, and why: engines make status 126 of it.
	rt_config b '.process.args = ["/etc"]'
	run rt run -b "$T/b" "$ID"
	[[ "$output" == *"exec: \"/etc\": is a directory: permission denied"* ]]
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$CGROUP/$ID" ]
}

@test "a mount that fails names its field, source and destination" {
	go '.mounts += [{destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["size=banana"]}]'
	[ "$status" -eq 1 ]
	[[ "$output" == *"container '$ID': mounts: mounts[5]: mount 'tmpfs' on '/mnt': option 'size=banana'"* ]]
	[ ! -e "$ROOT/$ID" ]
}

@test "a missing bind source is named before anything is started" {
	go '.mounts += [{destination: "/mnt", type: "bind", source: "/no/such", options: ["bind"]}]'
	[[ "$output" == *"mounts[5]: bind on '/mnt': source: open '/no/such': No such file or directory"* ]]
}

@test "--debug logs each step" {
	rt_bundle b
	run rt --debug --log "$T/log" --log-format json run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[ "$(jq -r 'select(.msg == "step") | .name' "$T/log" | tail -1)" = "record state" ]
	jq -es 'any(.name == "pivot root" and .role == "child")' "$T/log"
}

@test "errors reach the JSON log as one line with level, msg and time" {
	rt_bundle b '.process.args = ["nosuch"]'
	run rt --log "$T/log" --log-format json run -b "$T/b" "$ID"
	jq -e 'select(.level == "error") | .msg | contains("executable file not found in $PATH")' "$T/log"
	jq -e '.time | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T")' "$T/log"
}

@test "what this release does not support is refused by field" {
	go '.vm = {kernel: {path: "/boot/vmlinuz"}}'
	[ "$status" -eq 1 ]
	[[ "$output" == *"config.json:"*": vm: is not supported"* ]]
}

@test "a closed stdin is not replaced by something of the runtime" {
	rt_bundle b "$(rt_sh 'readlink /proc/self/fd/0; ls /proc/self/fd | wc -l')"
	run bash -c '"$0" --root "$1" run -b "$2" "$3" <&-' "$RT_BIN" "$ROOT" "$T/b" "$ID"
	[ "${lines[0]}" = /dev/null ]
	[ "${lines[1]}" = 4 ]
}

@test "--preserve-fds never passes on the runtime's own log" {
	rt_bundle b "$(rt_sh 'echo x >&3')"
	run bash -c '"$0" --root "$1" --log "$4" run --preserve-fds 1 -b "$2" "$3" 3<&-' "$RT_BIN" "$ROOT" "$T/b" "$ID" "$T/log"
	[ "$status" -eq 1 ]
	[[ "$output" == *"descriptor 3 is not open"* ]]
}

@test "in a plain v2 hierarchy the container has its cgroup as well" {
	rt_bundle b "$(rt_sh 'grep 0:: /proc/self/cgroup; cat /sys/fs/cgroup/cgroup.procs') | .linux.namespaces += [{type: \"cgroup\"}] | .mounts += [{destination: \"/sys/fs/cgroup\", type: \"cgroup\", source: \"cgroup\", options: [\"ro\"]}]"
	run unshare -m --propagation private bash -c 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && "$0" --root "$1" run -b "$2" "$3"' "$RT_BIN" "$ROOT" "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0::/ ]
	[ "${lines[1]}" = 1 ]
}

@test "a device that the rules do not allow cannot be opened" {
	rt_bundle b "$(rt_sh 'cat /dev/kmsg; echo x > /dev/null && echo null') | .linux.devices = [{type: \"c\", path: \"/dev/kmsg\", major: 1, minor: 11, fileMode: 438}] | .linux.resources.devices = [{allow: false, access: \"rwm\"}] | .process.capabilities.bounding += [\"CAP_SYSLOG\"] | .process.capabilities.effective += [\"CAP_SYSLOG\"] | .process.capabilities.permitted += [\"CAP_SYSLOG\"]"
	run timeout 10 "$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID"
	[[ "${lines[0]}" == *"Operation not permitted"* ]]
	[ "${lines[1]}" = null ]
}

@test "LISTEN_FDS passes on the descriptors of socket activation" {
	rt_bundle b "$(rt_sh 'cat <&3; echo $LISTEN_FDS $LISTEN_PID')"
	echo activated > "$T/file"
	LISTEN_FDS=1 run bash -c '"$0" --root "$1" run -b "$2" "$3" 3< "$4"' "$RT_BIN" "$ROOT" "$T/b" "$ID" "$T/file"
	[ "${lines[0]}" = activated ]
	[ "${lines[1]}" = "1 1" ]
}

@test "stube-init by hand explains itself, and as pause reaps until it is told to end" {
	init=$(dirname "$RT_BIN")/stube-init
	run "$init"
	[ "$status" -eq 2 ]
	[[ "$output" == *"is started by stube-runtime"* ]]
	"$init" pause 3>&- &
	sleep 0.1
	kill -TERM $!
	wait $!
}
