#!/usr/bin/env bats
# The life of containers and pods that Podman keeps with stube-runtime: health, signals, figures, terminals, exec.
bats_require_minimum_version 1.5.0
load engine

setup_file() {
	command -v podman > /dev/null || skip "podman is not installed"
	engine_start own
	tar -C "$T/rootfs" -cf "$T/rootfs.tar" .
	pod_own import -c 'CMD sleep 900' "$T/rootfs.tar" busybox:test > "$T/import.log" 2>&1
	# Answers USR1, ends by TERM with 3, and goes on logging until then.
	pod_own run -d --name web --health-cmd 'test -e /ok' --health-interval=disable --health-retries=1 busybox:test \
		sh -c 'trap "echo got usr1" USR1; trap "echo bye; exit 3" TERM; echo words >&2; while :; do sleep 0.1; done' > "$T/web.log" 2>&1
}

teardown_file() {
	[ -z "${T:-}" ] || pod_own rm -f -t 0 --all > /dev/null 2>&1 || true
	engine_stop
}

@test "the runtime that make install makes known is found by its name" {
	[ "$(pod_own info --format '{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}')" = "stube-runtime $T/bin/stube-runtime" ]
	[ "$(pod_own --runtime crun info --format '{{.Host.OCIRuntime.Name}}')" = crun ]
	[ "$(pod_own inspect --format '{{.OCIRuntime}} {{.State.Status}}' web)" = "stube-runtime running" ]
}

@test "a health check runs in the container and turns with what it finds" {
	run pod_own healthcheck run web
	[ "$status" -eq 1 ]
	[ "$(pod_own inspect --format '{{.State.Health.Status}}' web)" = unhealthy ]
	pod_own exec web sh -c 'echo > /ok'
	pod_own healthcheck run web
	[ "$(pod_own inspect --format '{{.State.Health.Status}}' web)" = healthy ]
}

@test "kill sends the signal, and logs keep what was said" {
	pod_own kill -s USR1 web
	until_says '*got usr1*' pod_own logs web
	[ "$(pod_own logs web 2> /dev/null)" = "got usr1" ]
	[ "$(pod_own logs web 2>&1 > /dev/null)" = words ]
}

@test "top and stats show the container's own processes and figures" {
	run pod_own top web pid user comm
	[[ "${lines[1]}" =~ ^1\ +0\ +sh ]]
	run pod_own stats --no-stream --format '{{.Name}} {{.CPUNano}}' web
	[ "$status" -eq 0 ]
	[[ "$output" =~ web\ [1-9][0-9]*$ ]]
}

@test "exec takes user, folder and environment, and the container's filter and bounding set" {
	run pod_own exec -e A=b -w /bin -u 5:6 web sh -c 'id -u; id -g; echo $PWD $A; grep -E "^(CapEff|CapBnd|Seccomp):" /proc/self/status'
	[ "$status" -eq 0 ]
	[ "$output" = $'5\n6\n/bin b\nCapEff:\t0000000000000000\nCapBnd:\t00000000800405fb\nSeccomp:\t2' ]
	run pod_own exec --privileged web grep CapEff /proc/self/status
	[ "$output" = "$(printf 'CapEff:\t%016x' "$((16#$(sed -n 's/CapBnd:\t//p' /proc/self/status)))")" ]
	echo text | pod_own exec -i web cat > "$T/said"
	[ "$(cat "$T/said")" = text ]
}

@test "what exec cannot find is status 127, what is no program 126" {
	run -127 pod_own exec web /no/such/program
	[[ "$output" == *'exec: "/no/such/program": no such file or directory'* ]]
	run -127 pod_own exec web nosuchprogram
	run -126 pod_own exec web /bin
	[[ "$output" == *'exec: "/bin": is a directory: permission denied'* ]]
}

@test "exec -d goes on by itself, and cp brings out what it wrote" {
	pod_own exec -d web sh -c 'echo detached > /made; sleep 300'
	until_says detached pod_own exec web cat /made
	pod_own cp web:/made "$T/made"
	[ "$(cat "$T/made")" = detached ]
}

@test "a terminal is had by run -it and exec -it, with its size, and no line end is doubled" {
	cat > "$T/terminal" <<-END
		stty rows 33 cols 99
		exec "$T/inside" podman --root "$T/root" --runroot "$T/run" --tmpdir "$T/tmp" --storage-driver=vfs "\$@"
	END
	# script(1) may echo the end of its own input first. Podman sets the size when it has attached: the program asks until it has come.
	ask='until [ "$(stty size)" = "33 99" ]; do sleep 0.1; done; test -t 0 && test -t 1 && echo a terminal'
	for command in 'run --rm -it busybox:test' 'exec -it web'; do
		timeout 60 script -qefc "sh $T/terminal $command sh -c '$ask'" "$T/typescript" < /dev/null > "$T/screen" 3>&-
		[ "$(tr -d '\r\0' < "$T/screen" | grep -c 'a terminal$')" -eq 1 ]
		run ! grep -q $'\r\r' "$T/screen"
	done
}

@test "pause stops, unpause goes on, restart starts anew, stop ends by the signal" {
	pod_own pause web
	[ "$(pod_own inspect --format '{{.State.Status}}' web)" = paused ]
	run pod_own exec web true
	[ "$status" -ne 0 ]
	pod_own unpause web
	pod_own exec web true
	before=$(pod_own inspect --format '{{.State.Pid}}' web)
	pod_own restart -t 20 web
	after=$(pod_own inspect --format '{{.State.Pid}}' web)
	[ "$before" != "$after" ]
	[ ! -e "/proc/$before" ]
	until_says '*words*words*' pod_own logs web
	pod_own stop -t 20 web
	[ "$(pod_own wait web)" = 3 ]
	pod_own start web
	pod_own kill web
	[ "$(pod_own wait web)" = 137 ]
	run pod_own kill web
	[ "$status" -ne 0 ]
	[ ! -e "/proc/$after" ]
}

@test "a pod's containers share what its infra container holds" {
	pod_own pod create --name office --infra-image busybox:test --infra-command 'sleep 900' --network none --share ipc,uts,net,pid
	pod_own run -d --pod office --name desk busybox:test sleep 900
	infra=$(pod_own pod inspect --format '{{.InfraContainerID}}' office)
	one=$(pod_own inspect --format '{{.State.Pid}}' desk)
	two=$(pod_own inspect --format '{{.State.Pid}}' "$infra")
	for kind in ipc uts net pid; do [ "$(readlink "/proc/$one/ns/$kind")" = "$(readlink "/proc/$two/ns/$kind")" ]; done
	[ "$(readlink "/proc/$one/ns/mnt")" != "$(readlink "/proc/$two/ns/mnt")" ]
	# One process tree, seen by a third that comes and goes; one cgroup above all.
	run pod_own run --rm --pod office busybox:test sh -c 'cat /proc/1/comm'
	[ "$output" = sleep ]
	[ "$(dirname "$(sed -n 's/^0:://p' "/proc/$one/cgroup")")" = "$(dirname "$(sed -n 's/^0:://p' "/proc/$two/cgroup")")" ]
	run pod_own pod top office pid comm
	[[ "$output" == *sleep*sleep* ]]
	pod_own pod pause office
	[ "$(pod_own inspect --format '{{.State.Status}}' desk)" = paused ]
	pod_own pod unpause office
	[[ "$(pod_own generate kube office)" == *"kind: Pod"*"image: localhost/busybox:test"* ]]
	pod_own pod rm -f -t 0 office
	[ ! -e "/proc/$one" ]
	[ ! -e "/proc/$two" ]
}

@test "a Kubernetes manifest is played, and taken down" {
	cat > "$T/kube.yaml" <<-END
		apiVersion: v1
		kind: Pod
		metadata: {name: played}
		spec:
		  containers:
		  - name: c
		    image: localhost/busybox:test
		    command: [sh, -c, "id -u; echo > /x; sleep 900"]
		    securityContext: {readOnlyRootFilesystem: true, runAsUser: 5}
	END
	cat > "$T/etc/containers/containers.conf.d/95-infra.conf" <<-END
		[engine]
		infra_image = "localhost/busybox:test"
		infra_command = "sleep 900"
	END
	pod_own play kube --network none "$T/kube.yaml"
	until_says '*Read-only file system*' pod_own logs played-c
	[ "$(pod_own logs played-c 2> /dev/null)" = 5 ]
	pod_own play kube --down "$T/kube.yaml"
	[ -z "$(pod_own ps -aq --filter name=played)" ]
}

@test "a checkpoint is kept and restored" {
	"$RUNTIME" checkpoint --help > /dev/null 2>&1 || skip "this runtime has no checkpoint"
	command -v criu > /dev/null || skip "criu is not installed"
	inside criu check > /dev/null 2>&1 || skip "criu check fails: $(inside criu check 2>&1 | tail -1)"
	pod_own run -d --name kept busybox:test sh -c 'i=0; while :; do i=$((i+1)); echo $i > /count; sleep 0.1; done'
	until_says '[1-9]*' pod_own exec kept cat /count
	pod_own container checkpoint kept
	pod_own container restore kept
	pod_own exec kept cat /count
	pod_own rm -f -t 0 kept
}

@test "nothing is left in the hierarchy" {
	pod_own rm -f -t 0 --all > /dev/null
	[ -z "$(find "$CGROUP" -name 'libpod-*' -not -name 'libpod-conmon*')" ]
	[ -z "$(inside "$T/bin/stube-runtime" list -q)" ]
}
