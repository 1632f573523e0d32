#!/usr/bin/env bats
# What Podman's options of one container ask of stube-runtime: volumes, roots, users, filters, devices, cgroups.
bats_require_minimum_version 1.5.0
load engine

setup_file() {
	command -v podman > /dev/null || skip "podman is not installed"
	engine_start own
	tar -C "$T/rootfs" -cf "$T/rootfs.tar" .
	pod_own import "$T/rootfs.tar" busybox:test > "$T/import.log" 2>&1
	mkdir "$T/vol"
	echo data > "$T/vol/file"
}

teardown_file() {
	[ -z "${T:-}" ] || pod_own rm -f -t 0 --all > /dev/null 2>&1 || true
	engine_stop
}

one() { # OPTION... -- COMMAND: in a container that is gone afterwards
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	pod_own run --rm "${options[@]}" busybox:test sh -c "exec 2>&1; $1"
}

@test "volumes: read-only, relabelled, named, given to the user by U" {
	run one -v "$T/vol:/ro:ro" -v "$T/vol:/rw:z" -v named:/named:nosuid -- \
		'cat /ro/file; echo x > /ro/new; echo y > /rw/new; cat /ro/new; grep " /named " /proc/self/mountinfo'
	[ "${lines[0]}" = data ]
	[[ "${lines[1]}" == *"Read-only file system"* ]]
	[ "${lines[2]}" = y ]
	[[ "${lines[3]}" == *nosuid* ]]
	run one --user 7:8 -v "$T/vol:/vol:U" -- 'stat -c %u:%g /vol/file; echo z > /vol/mine'
	[ "$output" = 7:8 ]
	[ "$(stat -c %u:%g "$T/vol/file" "$T/vol/mine")" = $'7:8\n7:8' ]
}

@test "a read-only root is writable in tmpfs alone, which takes its options" {
	run one --read-only --tmpfs /t:size=64k,mode=711 --tmpfs /u:ro -- \
		'echo x > /x; echo x > /tmp/x && echo x > /run/x && cat /tmp/x; stat -c %a /t /u; grep " /t " /proc/self/mountinfo; echo x > /u/x'
	[[ "${lines[0]}" == *"/x: Read-only file system"* ]]
	[ "${lines[1]} ${lines[2]} ${lines[3]}" = "x 711 1777" ]
	[[ "${lines[4]}" == *size=64k* ]]
	[[ "${lines[5]}" == *"/u/x: Read-only file system"* ]]
}

@test "a user namespace by maps owns its root, and an id-mapped volume keeps its owners" {
	chown 7:8 "$T/vol/file"
	run one --uidmap 0:100000:1000 --gidmap 0:100000:1000 -v "$T/vol:/vol:idmap" -- \
		'id -u; cat /proc/self/uid_map; stat -c %u:%g /bin/busybox /vol/file; echo n > /vol/new-by-root'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0 ]
	[[ "${lines[1]}" =~ ^\ *0\ +100000\ +1000$ ]]
	[ "${lines[2]} ${lines[3]}" = "0:0 7:8" ]
	[ "$(stat -c %u:%g "$T/vol/new-by-root")" = 0:0 ]
}

@test "automatic user namespaces differ" {
	for file in subuid subgid; do [ -e /etc/$file ] || skip "this host has no /etc/$file to cover"; done
	pod_own run -d --name auto1 --userns=auto busybox:test sleep 300
	pod_own run -d --name auto2 --userns=auto busybox:test sleep 300
	first=$(awk '{ print $2 }' "/proc/$(pod_own inspect --format '{{.State.Pid}}' auto1)/uid_map")
	second=$(awk '{ print $2 }' "/proc/$(pod_own inspect --format '{{.State.Pid}}' auto2)/uid_map")
	[ "$first" -ge 400000 ]
	[ "$second" -ge 400000 ]
	[ "$first" != "$second" ]
	[ "$(pod_own exec auto1 id -u)" = 0 ]
	pod_own rm -f -t 0 auto1 auto2
}

@test "an own seccomp profile is in force, or none" {
	cat > "$T/profile.json" <<-END
		{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		 {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
		 {"names": ["personality"], "action": "SCMP_ACT_KILL_PROCESS"}]}
	END
	run one --security-opt "seccomp=$T/profile.json" -- 'mkdir /a'
	[ "$status" -eq 1 ]
	[[ "$output" == *"Function not implemented"* ]]
	run one --security-opt seccomp=unconfined -- 'mkdir /a && grep ^Seccomp: /proc/self/status'
	[ "$output" = $'Seccomp:\t0' ]
}

@test "capabilities are those that were asked for, up to --privileged" {
	run one --cap-drop all --cap-add net_bind_service -- 'grep -E "^Cap(Eff|Bnd|Inh|Amb)" /proc/self/status'
	[ "$output" = $'CapInh:\t0000000000000000\nCapEff:\t0000000000000400\nCapBnd:\t0000000000000400\nCapAmb:\t0000000000000000' ]
	# For another user they are ambient, as Podman asks.
	run one --user 5 --cap-add net_bind_service -- 'grep -E "^Cap(Eff|Amb)" /proc/self/status'
	[ "$output" = $'CapEff:\t0000000000000400\nCapAmb:\t0000000000000400' ]
	run one --privileged -- 'grep -E "^(CapEff|Seccomp):" /proc/self/status; ls -l /dev/loop-control; echo x > /proc/sys/kernel/domainname'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "$(printf 'CapEff:\t%016x' "$((16#$(sed -n 's/CapBnd:\t//p' /proc/self/status)))")" ]
	[ "${lines[1]}" = $'Seccomp:\t0' ]
}

@test "devices, sysctls, masks, limits and the score of the out-of-memory killer" {
	# A node that no default rule lets in: reading is allowed (should its driver be missing, it says so), writing is not.
	mknod -m 666 "$T/node" c 10 200
	run one --device "$T/node:/dev/nix:r" --sysctl net.ipv4.ip_forward=1 --security-opt mask=/proc/version --security-opt unmask=/proc/timer_list \
		--ulimit nofile=77:88 --ulimit nproc=1024:1024 --oom-score-adj 100 -- \
		'stat -c %t:%T /dev/nix; true 2>&1 < /dev/nix | grep permitted; echo x > /dev/nix; cat /proc/sys/net/ipv4/ip_forward /proc/version
		grep -c " /proc/timer_list " /proc/self/mountinfo; ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj'
	[ "${lines[0]}" = a:c8 ]
	[[ "${lines[1]}" == *"/dev/nix: Operation not permitted"* ]]
	# Of the masked file nothing is read.
	[ "${lines[2]} ${lines[3]}" = "1 0" ]
	[ "${lines[4]} ${lines[5]} ${lines[6]}" = "77 88 100" ]
}

@test "an init, secrets, hosts and names are there" {
	echo secret | pod_own secret create word -
	local init=()
	command -v catatonit > /dev/null && init=(--init)
	run one "${init[@]}" --secret word,mode=0400 --secret word,type=env,target=WORD --hostname office --add-host desk:192.0.2.1 --shm-size 1m -w /bin -e A=b -- \
		'cat /run/secrets/word; stat -c %a /run/secrets/word; echo $WORD $A $PWD; cat /proc/sys/kernel/hostname; grep desk /etc/hosts; grep " /dev/shm " /proc/self/mountinfo; cat /proc/1/comm'
	[ "$status" -eq 0 ]
	[ "${lines[0]} ${lines[1]}" = "secret 400" ]
	[ "${lines[2]} ${lines[3]}" = "secret b /bin office" ]
	[[ "${lines[4]}" == 192.0.2.1*desk ]]
	[[ "${lines[5]}" == *size=1000k* || "${lines[5]}" == *size=1024k* ]]
	[ ${#init[@]} -eq 0 ] || [ "${lines[6]}" = podman-init ]
}

@test "namespaces of the host and of another container are shared when asked for" {
	pod_own run -d --name other busybox:test sleep 300
	pid=$(pod_own inspect --format '{{.State.Pid}}' other)
	run one --pid host --uts host --ipc host -- 'for n in pid uts ipc; do stat -L -c %i /proc/self/ns/$n; done'
	[ "$output" = "$(for n in pid uts ipc; do stat -L -c %i "/proc/self/ns/$n"; done)" ]
	run one --pid container:other --network container:other --ipc container:other -- 'for n in pid net ipc; do stat -L -c %i /proc/self/ns/$n; done'
	[ "$output" = "$(for n in pid net ipc; do stat -L -c %i "/proc/$pid/ns/$n"; done)" ]
	pod_own rm -f -t 0 other
}

@test "a network that Podman has set up is joined" {
	pod_own network exists podman 2> /dev/null || skip "podman has no network plugins here"
	run one --network podman -- 'cat /proc/net/dev'
	[[ "$output" == *[Ff]ailed*plugin* ]] && skip "the network plugins do not work here: $output"
	[ "$status" -eq 0 ]
	[[ "$output" == *eth0:* ]]
}

@test "under its own name it serves --cgroups=disabled, since its settings say so" {
	pod_own run -d --name none --cgroups=disabled busybox:test sleep 300
	[ "$(sed -n 's/^0:://p' "/proc/$(pod_own inspect --format '{{.State.Pid}}' none)/cgroup")" = "/${CGROUP##*/}/self" ]
	[ "$(pod_own exec none id -u)" = 0 ]
	pod_own rm -f -t 0 none
}

@test "a limit that cannot be raised, and one without its controller, are refused with their field" {
	[ $((16#$(sed -n 's/CapEff:\t//p' /proc/self/status) >> 24 & 1)) -eq 0 ] || skip "root has CAP_SYS_RESOURCE here"
	run one --ulimit nofile=99999999:99999999 -- true
	[ "$status" -eq 126 ]
	[[ "$output" == *"process.rlimits["*"RLIMIT_NOFILE cannot be raised"* ]]
	grep -qw memory "$CGROUP/cgroup.controllers" && skip "the cgroup v2 hierarchy of this host has the controller memory"
	run pod_own create --name limited busybox:test sleep 300
	pod_own start limited
	run pod_own update --memory 100m limited
	[ "$status" -ne 0 ]
	[[ "$output" == *"linux.resources.memory.limit: the controller 'memory' is not available"* ]]
	pod_own rm -f -t 0 limited
}
