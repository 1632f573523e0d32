#!/usr/bin/env bats
# Docker's daemon starts, enters, watches and builds containers with stube-runtime.
bats_require_minimum_version 1.5.0
load engine

setup_file() {
	command -v dockerd > /dev/null || skip "docker.io is not installed"
	# Beside Debian's there may be another client.
	DOCKER=/usr/bin/docker
	[ -x "$DOCKER" ] || DOCKER=docker
	export DOCKER
	engine_start own
	start_dockerd
	tar -C "$T/rootfs" -cf "$T/rootfs.tar" .
	docker_own import "$T/rootfs.tar" busybox:test > "$T/import.log" 2>&1
	docker_own run -d --name web --network none --health-cmd 'test -e /ok' --health-interval 1s --health-retries 1 busybox:test \
		sh -c 'trap "echo got usr1" USR1; trap "echo bye; exit 3" TERM; echo words >&2; while :; do sleep 0.1; done' > "$T/web.log" 2>&1
}

teardown_file() {
	if [ -n "${DAEMON:-}" ]; then
		# shellcheck disable=SC2046 # a list of words
		docker_own rm -f $(docker_own ps -aq) > /dev/null 2>&1 || true
		kill "$DAEMON"
		while kill -0 "$DAEMON" 2> /dev/null; do sleep 0.05; done
	fi
	engine_stop
}

# No network of its own making, no settings of this machine; the limits that this machine's root can have.
start_dockerd() {
	mkdir "$T/docker"
	echo '{}' > "$T/docker/daemon.json"
	"$T/inside" dockerd --config-file "$T/docker/daemon.json" --data-root "$T/docker/data" --exec-root "$T/docker/exec" \
		-p "$T/docker/pid" -H "unix://$T/docker/sock" --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs \
		--exec-opt native.cgroupdriver=cgroupfs --cgroup-parent /docker --default-ulimit nofile=1024:1024 \
		--add-runtime "stube=$T/bin/stube-runtime" --default-runtime stube > "$T/docker/log" 2>&1 3>&- &
	DAEMON=$!
	export DAEMON
	for _ in {1..600}; do
		docker_own version > /dev/null 2>&1 && return
		kill -0 "$DAEMON" 2> /dev/null || skip "dockerd does not run here: $(tail -1 "$T/docker/log")"
		sleep 0.1
	done
	tail "$T/docker/log" >&2
	return 1
}

docker_own() {
	inside "$DOCKER" -H "unix://$T/docker/sock" "$@" 3>&-
}

one() { # OPTION... -- COMMAND
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	docker_own run --rm --network none "${options[@]}" busybox:test sh -c "exec 2>&1; $1"
}

@test "docker run prints what the program prints, passes its status on, and puts it into a cgroup of its own with the filter" {
	[ "$(docker_own inspect -f '{{.HostConfig.Runtime}}' web)" = stube ]
	run one -- 'echo hello; grep -E "^(CapEff|Seccomp):" /proc/self/status; exit 7'
	[ "$status" -eq 7 ]
	[ "$output" = $'hello\nCapEff:\t00000000a80425fb\nSeccomp:\t2' ]
	pid=$(docker_own inspect -f '{{.State.Pid}}' web)
	[[ "$(sed -n 's/^0:://p' "/proc/$pid/cgroup")" =~ ^/${CGROUP##*/}/docker/[0-9a-f]{64}$ ]]
}

@test "what does not exist is status 127, what is no program 126" {
	run -127 docker_own run --rm --network none busybox:test /no/such/program
	[[ "$output" == *'exec: "/no/such/program": no such file or directory'* ]]
	run -126 docker_own run --rm --network none busybox:test /bin
}

@test "exec takes user, folder, environment and input, and may be had with all rights" {
	run docker_own exec -u 5:6 -w /bin -e A=b web sh -c 'id -u; echo $PWD $A; exit 5'
	[ "$status" -eq 5 ]
	[ "$output" = $'5\n/bin b' ]
	echo text | docker_own exec -i web cat > "$T/said"
	[ "$(cat "$T/said")" = text ]
	run docker_own exec --privileged web grep CapEff /proc/self/status
	[[ "$output" == CapEff:*3ffeffffff || "$output" == CapEff:*1ff?effffff || "$output" == CapEff:*1ff?ffffff ]]
	run docker_own exec web /no/such/program
	[ "$status" -ne 0 ]
	[[ "$output" == *"no such file or directory"* ]]
}

@test "the health check turns, signals arrive, top and stats show the processes, logs keep their streams" {
	until_says unhealthy docker_own inspect -f '{{.State.Health.Status}}' web
	docker_own exec web sh -c 'echo > /ok'
	until_says healthy docker_own inspect -f '{{.State.Health.Status}}' web
	docker_own kill -s USR1 web
	until_says '*got usr1*' docker_own logs web
	[ "$(docker_own logs web 2> /dev/null)" = "got usr1" ]
	[[ "$(docker_own top web -o pid,comm)" == *"$(docker_own inspect -f '{{.State.Pid}}' web)"*sh* ]]
	[[ "$(docker_own stats --no-stream --format '{{.Name}} {{.CPUPerc}}' web)" =~ ^web\ [0-9.]+%$ ]]
}

@test "a terminal is had by run -it, with its size" {
	cat > "$T/terminal" <<-END
		stty rows 33 cols 99
		exec "$T/inside" "$DOCKER" -H "unix://$T/docker/sock" run --rm -it --network none busybox:test sh -c \
			'until [ "\$(stty size)" = "33 99" ]; do sleep 0.1; done; test -t 0 && test -t 1 && echo a terminal'
	END
	timeout 60 script -qefc "sh $T/terminal" "$T/typescript" < /dev/null > "$T/screen" 3>&-
	[ "$(tr -d '\r' < "$T/screen" | grep -c 'a terminal$')" -eq 1 ]
}

@test "pause stops, restart starts anew, stop ends by the signal, kill at once" {
	pid=$(docker_own inspect -f '{{.State.Pid}}' web)
	cgroup=$(dirname "$CGROUP")$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
	docker_own pause web
	[ "$(cat "$cgroup/cgroup.freeze")" = 1 ]
	docker_own unpause web
	[ "$(cat "$cgroup/cgroup.freeze")" = 0 ]
	docker_own restart -t 20 web
	[ "$(docker_own inspect -f '{{.State.Status}}' web)" = running ]
	[ ! -e "/proc/$pid" ]
	docker_own stop -t 20 web
	[ "$(docker_own inspect -f '{{.State.ExitCode}}' web)" = 3 ]
	docker_own start web
	docker_own kill web
	[ "$(docker_own wait web)" = 137 ]
	docker_own rm web
	[ ! -e "$cgroup" ]
}

@test "read-only root, tmpfs, volumes, an init, and nothing but what was allowed" {
	mkdir -p "$T/vol"
	echo data > "$T/vol/file"
	local init=()
	command -v docker-init > /dev/null && init=(--init)
	run one "${init[@]}" --read-only --tmpfs /t:size=64k,mode=711 -v "$T/vol:/vol:ro" -v kept:/kept --user 5 --cap-drop all --security-opt no-new-privileges -- \
		'cat /vol/file; echo x > /x; echo x > /vol/x; stat -c %a /t; grep -E "^(CapBnd|NoNewPrivs):" /proc/self/status; cat /proc/1/comm'
	[ "${lines[0]}" = data ]
	[[ "${lines[1]}" == *"/x: Read-only file system"* ]]
	[[ "${lines[2]}" == *"/vol/x: Read-only file system"* ]]
	[ "${lines[3]}" = 711 ]
	[ "${lines[4]}" = $'CapBnd:\t0000000000000000' ]
	[ "${lines[5]}" = $'NoNewPrivs:\t1' ]
	[ ${#init[@]} -eq 0 ] || [ "${lines[6]}" = docker-init ]
}

@test "an own seccomp profile, and the namespaces of another container" {
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}' > "$T/profile.json"
	docker_own run -d --name other --network none --ipc shareable --security-opt "seccomp=$T/profile.json" busybox:test sleep 900
	run docker_own exec other mkdir /a
	[[ "$output" == *"Function not implemented"* ]]
	pid=$(docker_own inspect -f '{{.State.Pid}}' other)
	run docker_own run --rm --network container:other --pid container:other --ipc container:other busybox:test \
		sh -c 'for n in net pid ipc; do stat -L -c %i /proc/self/ns/$n; done'
	[ "$output" = "$(for n in net pid ipc; do stat -L -c %i "/proc/$pid/ns/$n"; done)" ]
	docker_own rm -f other
}

@test "docker build runs each RUN through the runtime" {
	mkdir -p "$T/context"
	printf 'FROM busybox:test\nUSER 5\nRUN id -u; echo x > /denied || echo refused\n' > "$T/context/Dockerfile"
	run docker_own build --network none -t built "$T/context"
	[ "$status" -eq 0 ]
	[[ "$output" == *$'\n5\n'*refused* ]]
}

@test "nothing is left in the hierarchy" {
	# shellcheck disable=SC2046 # a list of words
	docker_own rm -f $(docker_own ps -aq) > /dev/null 2>&1 || true
	[ -z "$(find "$CGROUP/docker" -mindepth 1 -type d 2> /dev/null)" ]
}
