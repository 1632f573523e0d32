#!/usr/bin/env bats
# What a node promises about its Pods: sandbox, containers, restarts, the end.
load pods

setup() { pods_setup; }
teardown() {
	[ -z "${user:-}" ] || pgrep -u "$user" | xargs -r kill -9
	[ -z "${user:-}" ] || pgrep -f -- "^$WORK/bin/stube-monitor" | xargs -r kill -9
	pods_teardown
}

@test "a Pod runs in its own user, network, ipc and uts namespaces, and leaves nothing behind" {
	driver_start
	tell contact free
	tell "$(pod "$A" "hostname; id -u; cat /proc/self/uid_map; $SERVE")"
	eventually phase_is "$A" Running
	p=$(pid "$A" 0) s=$(pid "$A" s)
	for n in user net ipc uts; do
		[ "$(ns "$p" $n)" = "$(ns "$s" $n)" ]
		[ "$(ns "$p" $n)" != "$(ns $$ $n)" ]
	done
	for n in pid mnt cgroup; do
		[ "$(ns "$p" $n)" != "$(ns "$s" $n)" ]
		[ "$(ns "$p" $n)" != "$(ns $$ $n)" ]
	done
	eventually grep -q ready "$STUBE_DATA/agent/containers/$A-0-1/log"
	run awk '{ print $4 }' "$STUBE_DATA/agent/containers/$A-0-1/log"
	[ "${lines[0]}" = "$A" ]
	[ "${lines[1]}" = 0 ]
	[ "${lines[2]}" = 0 ]
	[ "$(status_of "$A" .hostIP)" = 192.0.2.7 ]
	[ "$(status_of "$A" .podIP)" = null ]
	[ "$(status_of "$A" '[.conditions[] | .type + "=" + .status] | join(" ")')" = "PodScheduled=True Initialized=True ContainersReady=True Ready=True" ]
	[[ "$(status_of "$A" '.containerStatuses[0].imageID')" = localhost/t/sh@sha256:* ]]
	tell "$(pod "$A" x | deleted)"
	eventually gone "$A"
	eventually nothing_left
	[ "$(events_of "$A" | tr '\n' ' ')" = "Pulled Started Killing Killed " ]
}

@test "containers of a Pod share its network, ipc and uts, and an emptyDir volume" {
	driver_start
	tell contact free
	tell "$(pod "$A" "echo from-main > /shared/file; echo > /memory/x; $SERVE" '.spec.volumes = [{name: "shared", emptyDir: {}}, {name: "memory", emptyDir: {medium: "Memory"}}]
		| .spec.containers[0].volumeMounts = [{name: "shared", mountPath: "/shared"}, {name: "memory", mountPath: "/memory"}]
		| .spec.containers += [.spec.containers[0] | .name = "side" | .args[1] = "until cat /shared/file; do sleep 0.1; done; while :; do sleep 0.1; done"]')"
	eventually phase_is "$A" Running
	p=$(pid "$A" 0) q=$(pid "$A" 1)
	for n in user net ipc uts; do [ "$(ns "$p" $n)" = "$(ns "$q" $n)" ]; done
	[ "$(ns "$p" pid)" != "$(ns "$q" pid)" ]
	eventually grep -q from-main "$STUBE_DATA/agent/containers/$A-1-1/log"
	tell "exec default $A side echo from-exec"
	eventually said 'select(.kind == "exec" and .text == "from-exec\n")'
	tell "log default $A side"
	eventually said 'select(.kind == "log" and .text == "from-main")'
	tell "log default $A other"
	eventually said "select(.kind == \"error\" and .message == \"Pod 'default/$A' has no container 'other'\")"
	tell "$(pod "$A" x '.spec.containers += [.spec.containers[0] | .name = "side"]' | deleted 0)"
	eventually gone "$A"
	eventually nothing_left
}

@test "a Pod's processes stand by their own class and not as the agent does: OOM score, open files" {
	# As the service manager would give them to the agent.
	ulimit -n 5000
	echo 100 > /proc/$BASHPID/oom_score_adj
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE")"
	tell "$(pod "$B" "$SERVE" '.spec.containers[0].resources = {requests: {memory: "2Gi"}}')"
	eventually phase_is "$A" Running
	eventually phase_is "$B" Running
	files_of() { awk '/^Max open files/ { print $4, $5 }' "/proc/$1/limits"; }
	[ "$(cat "/proc/$(pid "$A" 0)/oom_score_adj")" = 1000 ]
	[ "$(files_of "$(pid "$A" 0)")" = '1024 5000' ]
	share=$(awk '/^MemTotal/ { print int(1000 - 1000 * 2097152 / $2) }' /proc/meminfo)
	score=$(cat "/proc/$(pid "$B" 0)/oom_score_adj")
	[ "$score" -ge $((share - 1)) ] && [ "$score" -le $((share + 1)) ]
	tell "exec default $A main cat /proc/self/oom_score_adj"
	eventually said 'select(.kind == "exec" and .text == "1000\n")'
	# Nobody can be protected better than this caller may.
	[ "$(cat "/proc/$(pid "$A" s)/oom_score_adj")" -le 100 ]
	tell "forget $A"
	tell "forget $B"
	eventually nothing_left
}

@test "with hostUsers a Pod has the node's ids; stube ps shows no container of Pods" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE" '.spec.hostUsers = true')"
	eventually phase_is "$A" Running
	[ "$(ns "$(pid "$A" 0)" user)" = "$(ns $$ user)" ]
	[ "$(ns "$(pid "$A" 0)" net)" = "$(ns "$(pid "$A" s)" net)" ]
	[ "$(ns "$(pid "$A" 0)" net)" != "$(ns $$ net)" ]
	run stube ps --all --output name
	[ "$output" = "" ]
	tell "forget $A"
	eventually nothing_left
}

@test "Pods run where /run and /var are mounted noexec" {
	mkdir -p "$STUBE_RUN" "$STUBE_DATA"
	mount -t tmpfs -o nosuid,nodev,noexec,mode=700 tmpfs "$STUBE_RUN"
	mount -t tmpfs -o nosuid,nodev,noexec,mode=700 tmpfs "$STUBE_DATA"
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE")"
	eventually phase_is "$A" Running
	tell "forget $A"
	eventually no_monitors
	driver_end
}

@test "with hostNetwork a Pod has the node's network and address" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE" '.spec.hostNetwork = true')"
	eventually phase_is "$A" Running
	[ "$(ns "$(pid "$A" 0)" net)" = "$(ns $$ net)" ]
	[ "$(ns "$(pid "$A" 0)" user)" = "$(ns "$(pid "$A" s)" user)" ]
	[ "$(status_of "$A" .podIP)" = 192.0.2.7 ]
	tell "forget $A"
	eventually nothing_left
	run gone "$A"
	[ "$status" -ne 0 ]
}

@test "a container that ends is restarted, at once and then after growing pauses; its sandbox stays" {
	driver_start
	tell contact free
	tell "$(pod "$A" 'echo run; exit 3')"
	eventually status_is "$A" '.containerStatuses[0] | .state.waiting.reason' CrashLoopBackOff
	s=$(pid "$A" s)
	eventually status_is "$A" '.containerStatuses[0] | .state.waiting.message' "back-off 0.8s restarting failed container 'main'"
	[ "$(status_of "$A" '.containerStatuses[0].lastState.terminated | "\(.exitCode) \(.reason)"')" = "3 Error" ]
	[ "$(status_of "$A" .phase)" = Running ]
	[ "$(status_of "$A" '.containerStatuses[0].restartCount')" -ge 3 ]
	[ "$(pid "$A" s)" = "$s" ]
	said "select(.reason == \"BackOff\" and .message == \"back-off 0.2s restarting failed container 'main'\")"
	said "select(.reason == \"BackOff\" and .message == \"back-off 0.4s restarting failed container 'main'\")"
	# Asked again and again: between two attempts there is none before the last.
	ran_before() { tell "log default $A main previous"; said 'select(.kind == "log" and .text == "run")'; }
	eventually ran_before
	# The attempt that runs and the one before, no more.
	[ "$(find "$STUBE_DATA/agent/containers" -maxdepth 1 -name "$A-0-*" | wc -l)" -le 2 ]
	tell "forget $A"
	eventually nothing_left
}

@test "OnFailure restarts what failed and not what is done; Never restarts nothing" {
	driver_start
	tell contact free
	tell "$(pod "$A" '[ -e /v/x ] && exit 0; touch /v/x; exit 1' '.spec.restartPolicy = "OnFailure" | .spec.volumes = [{name: "v", emptyDir: {}}]
		| .spec.containers[0].volumeMounts = [{name: "v", mountPath: "/v"}]')"
	tell "$(pod "$B" 'exit 4' '.spec.restartPolicy = "Never"')"
	eventually phase_is "$A" Succeeded
	eventually phase_is "$B" Failed
	[ "$(status_of "$A" '.containerStatuses[0] | "\(.restartCount) \(.state.terminated.reason) \(.lastState.terminated.exitCode)"')" = "1 Completed 1" ]
	[ "$(status_of "$B" '.containerStatuses[0] | "\(.restartCount) \(.state.terminated.reason) \(.state.terminated.exitCode)"')" = "0 Error 4" ]
	# What is over needs no sandbox.
	eventually no_pid "$A" s
	tell "log default $A main"
	# Not after a restart of the agent either.
	driver_kill
	driver_start
	tell contact free
	tell "$(pod "$A" x '.spec.restartPolicy = "OnFailure"')"
	tell "$(pod "$B" x '.spec.restartPolicy = "Never"')"
	tell synced
	eventually phase_is "$A" Succeeded
	sleep 0.5
	[ "$(jq .containers[0].attempt "$STUBE_DATA/agent/pods/$A/pod.json")" = 2 ]
	tell "forget $A"
	tell "forget $B"
	eventually nothing_left
}

@test "a Pod that does not end is killed when its grace is over" {
	driver_start
	tell contact free
	tell "$(pod "$A" 'trap "echo no" TERM; echo ready; while :; do sleep 0.1; done')"
	eventually grep -q ready "$STUBE_DATA/agent/containers/$A-0-1/log"
	tell "$(pod "$A" x | deleted 1)"
	eventually grep -q no "$STUBE_DATA/agent/containers/$A-0-1/log"
	run gone "$A"
	[ "$status" -ne 0 ]
	eventually gone "$A"
	[ "$(status_of "$A" '.containerStatuses[0].state.terminated.signal')" = 9 ]
	eventually nothing_left
}

@test "the stop signal is the annotation's" {
	driver_start
	tell contact free
	tell "$(pod "$A" 'trap "exit 7" USR1; echo ready; while :; do sleep 0.1; done' '.metadata.annotations = {"stube/stop-signal": "SIGUSR1"}')"
	eventually grep -q ready "$STUBE_DATA/agent/containers/$A-0-1/log"
	tell "$(pod "$A" x | deleted 30)"
	eventually gone "$A"
	[ "$(status_of "$A" '.containerStatuses[0].state.terminated.exitCode')" = 7 ]
}

@test "the data of a claim outlives its Pod, for a Pod with other host ids" {
	claim='.spec.volumes = [{name: "data", persistentVolumeClaim: {claimName: "daten"}}] | .spec.containers[0].volumeMounts = [{name: "data", mountPath: "/data"}]
		| .spec.containers[0].securityContext = {runAsUser: 1000, runAsGroup: 1000}'
	driver_start
	tell contact free
	tell "$(pod "$A" "echo Antrag > /data/1; id -u; $SERVE" "$claim")"
	eventually status_is "$A" '.containerStatuses[0].state.waiting.reason' CreateContainerConfigError
	[ "$(status_of "$A" '.containerStatuses[0].state.waiting.message')" = "volume 'data': the claim 'daten' is not known here yet" ]
	tell "claim default daten claim-uid"
	eventually phase_is "$A" Running
	eventually test -s "$STUBE_DATA/agent/volumes/default/claim-uid/1"
	[ "$(stat -c %u:%g:%a "$STUBE_DATA/agent/volumes/default/claim-uid")" = 1000:1000:2770 ]
	tell "$(pod "$B" 'cat /data/1; echo more >> /data/1 && cat /data/1; sleep 100' "$claim")"
	eventually phase_is "$B" Running
	[ "$(jq .ids.first "$STUBE_DATA/agent/pods/$A/pod.json")" != "$(jq .ids.first "$STUBE_DATA/agent/pods/$B/pod.json")" ]
	eventually grep -q more "$STUBE_DATA/agent/containers/$B-0-1/log"
	tell "no-claim default claim-uid"
	tell "forget $A"
	tell list
	eventually said 'select(.kind == "pod")'
	[ -s "$STUBE_DATA/agent/volumes/default/claim-uid/1" ]
	driver_end # a claim that is deleted goes with its last Pod, unless the agent does not hear of it
	driver_start
	tell contact free
	tell synced
	eventually nothing_left
	[ "$(cat "$STUBE_DATA/agent/volumes/default/claim-uid/1")" = $'Antrag\nmore' ]
	[ "$(stat -c %u "$STUBE_DATA/agent/volumes/default/claim-uid/1")" = 1000 ]
	tell "no-claim default claim-uid"
	eventually test ! -e "$STUBE_DATA/agent/volumes/default/claim-uid"
}

@test "a name of no image ends in ImagePullBackOff, one of no registry too, Never says so" {
	driver_start
	tell contact free
	tell "$(pod "$A" x '.spec.containers[0].image = "kurz"')"
	tell "$(pod "$B" x '.spec.containers[0].image = "localhost:1/nicht/da:1"')"
	tell "$(pod "$TAG-c" x '.spec.containers[0] += {image: "localhost/t/other:1", imagePullPolicy: "Never"}')"
	eventually status_is "$A" '.containerStatuses[0].state.waiting.reason' InvalidImageName
	eventually status_is "$B" '.containerStatuses[0].state.waiting.reason' ImagePullBackOff
	eventually status_is "$TAG-c" '.containerStatuses[0].state.waiting.reason' ErrImageNeverPull
	[[ "$(status_of "$B" '.containerStatuses[0].state.waiting.message')" = "back-off pulling image 'localhost:1/nicht/da:1': "* ]]
	[ "$(count_said "select(.kind == \"status\" and .uid == \"$B\" and .status.containerStatuses[0].state.waiting.reason == \"ErrImagePull\")")" -ge 1 ]
	[ "$(status_of "$B" .phase)" = Pending ]
	said "select(.uid == \"$B\" and .reason == \"Pulling\")"
	for u in "$A" "$B" "$TAG-c"; do tell "forget $u"; done
	eventually nothing_left
}

@test "a command that is not there is told, and tried again" {
	driver_start
	tell contact free
	tell "$(pod "$A" x '.spec.containers[0].command = ["/bin/nicht-da"]')"
	eventually status_is "$A" '.containerStatuses[0].state.waiting.reason' CreateContainerError
	[[ "$(status_of "$A" '.containerStatuses[0].state.waiting.message')" == *"/bin/nicht-da"* ]]
	[ "$(status_of "$A" .phase)" = Pending ]
	[ "$(status_of "$A" '.containerStatuses[0].restartCount')" = 0 ]
	eventually said 'select(.kind == "event" and .reason == "Failed")'
	tell "forget $A"
	eventually nothing_left
}

@test "an ordinary user's node runs Pods in the user's own ids" {
	user=$((40000 + RANDOM % 10000))
	mkdir "$WORK/bin"
	cp "$BIN"/stube-* "$DRIVER_PROGRAM" "$WORK/bin"
	mkdir -m 700 "$WORK/home"
	(cat /etc/passwd; echo "stubetest:x:$user:$user::$WORK/home:/bin/sh") > "$WORK/passwd"
	echo "stubetest:700000000:65536" > "$WORK/subid"
	touch /etc/subuid /etc/subgid
	cp -r "$STUBE_STORE" "$WORK/home/store"
	chown -R "$user:$user" "$WORK/home" "$WORK/in" "$WORK/out"
	cat > "$WORK/driver" <<-END
		#!/bin/sh
		export STUBE_RUN=$WORK/home/run STUBE_DATA=$WORK/home/data STUBE_STORE=$WORK/home/store HOME=$WORK/home
		exec unshare -m --propagation private sh -euc '
			mount --bind $WORK/passwd /etc/passwd
			mount --bind $WORK/subid /etc/subuid; mount --bind $WORK/subid /etc/subgid
			exec setpriv --reuid $user --regid $user --clear-groups $WORK/bin/pods-driver $WORK/bin'
	END
	chmod +x "$WORK/driver"
	DRIVER_PROGRAM=$WORK/driver
	export STUBE_RUN=$WORK/home/run STUBE_DATA=$WORK/home/data
	driver_start
	tell contact free
	tell "$(pod "$A" "id -u; cat /proc/self/uid_map; $SERVE" '.spec.volumes = [{name: "v", emptyDir: {}}] | .spec.containers[0].volumeMounts = [{name: "v", mountPath: "/v"}]
		| .spec.containers += [.spec.containers[0] | .name = "side" | .args[1] = "touch /v/x && echo written; sleep 100"]')"
	eventually phase_is "$A" Running
	[ "$(ns "$(pid "$A" 0)" user)" = "$(ns "$(pid "$A" s)" user)" ]
	[ "$(ns "$(pid "$A" 0)" net)" = "$(ns "$(pid "$A" 1)" net)" ]
	eventually grep -q written "$STUBE_DATA/agent/containers/$A-1-1/log"
	[ "$(stat -c %u "$STUBE_DATA/agent/pods/$A/volumes/v/x")" = "$user" ]
	p=$(pid "$A" 0)
	driver_kill
	driver_start
	tell counts
	eventually said 'select(.kind == "counts" and .adopted == 2 and .started == 0)'
	[ "$(pid "$A" 0)" = "$p" ]
	tell contact free
	# Into the namespaces of before.
	kill -9 "$p"
	eventually status_is "$A" '.containerStatuses[0] | "\(.restartCount) \(.state | keys[0])"' "1 running"
	[ "$(ns "$(pid "$A" 0)" user)" = "$(ns "$(pid "$A" s)" user)" ]
	tell synced
	no_user_monitors() { ! pgrep -f -- "^$WORK/bin/stube-monitor " > /dev/null; }
	eventually no_user_monitors
	[ -z "$(find "$STUBE_DATA/agent/pods" "$STUBE_DATA/agent/containers" -mindepth 1)" ]
}
