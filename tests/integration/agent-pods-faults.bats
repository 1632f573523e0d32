#!/usr/bin/env bats
# What a node promises about its Pods when something is killed: adopted untouched, made anew, or gone without a trace.
load pods

setup() { pods_setup; }
teardown() { pods_teardown; }

@test "after kill -9 of the agent what runs is adopted: same processes, same monitors, one start" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE" '.spec.containers += [.spec.containers[0] | .name = "side"]')"
	eventually phase_is "$A" Running
	before="$(pid "$A" 0) $(pid "$A" 1) $(pid "$A" s) $(monitor_pid "$A" 0) $(monitor_pid "$A" s)"
	driver_kill
	driver_start
	# Out of contact it goes on; the API has not told us anything yet.
	eventually said_after 3 'select(.kind == "status" and .status.phase == "Running")'
	tell counts
	eventually said 'select(.kind == "counts" and .adopted == 2 and .started == 0 and .running == 1)'
	[ "$(pid "$A" 0) $(pid "$A" 1) $(pid "$A" s) $(monitor_pid "$A" 0) $(monitor_pid "$A" s)" = "$before" ]
	tell contact free
	tell "$(pod "$A" "$SERVE" '.spec.containers += [.spec.containers[0] | .name = "side"]')"
	tell synced
	tell "exec default $A main echo alive"
	eventually said 'select(.kind == "exec" and .text == "alive\n")'
	[ "$(count_said 'select(.kind == "event" and .reason == "Started")')" = 2 ]
	driver_end
	[ "$(pid "$A" 0) $(pid "$A" 1) $(pid "$A" s) $(monitor_pid "$A" 0) $(monitor_pid "$A" s)" = "$before" ]
	driver_start
	tell contact free
	# The API does not know it any more.
	tell synced
	eventually nothing_left
}

@test "a container whose monitor is killed gets a new one, and goes on" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE")"
	eventually phase_is "$A" Running
	p=$(pid "$A" 0) m=$(monitor_pid "$A" 0)
	kill -9 "$m"
	new_monitor() { [ -n "$(monitor_pid "$A" 0)" ] && [ "$(monitor_pid "$A" 0)" != "$m" ]; }
	eventually new_monitor
	[ "$(pid "$A" 0)" = "$p" ]
	# Its end is seen through the new one.
	kill -9 "$p"
	eventually status_is "$A" '.containerStatuses[0] | "\(.restartCount) \(.lastState.terminated.exitCode) \(.state | has("running"))"' "1 137 true"
	s=$(pid "$A" s)
	kill -9 "$(monitor_pid "$A" s)"
	tell "exec default $A main echo alive"
	eventually said 'select(.kind == "exec" and .text == "alive\n")'
	[ "$(pid "$A" s)" = "$s" ]
	tell "$(pod "$A" x | deleted 5)"
	eventually gone "$A"
	eventually nothing_left
}

@test "when the sandbox is killed it and all containers are made anew, with an event" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE" '.spec.containers += [.spec.containers[0] | .name = "side"]')"
	eventually phase_is "$A" Running
	p=$(pid "$A" 0) s=$(pid "$A" s)
	kill -9 "$s"
	eventually status_is "$A" '[.phase, .containerStatuses[0].restartCount, .containerStatuses[1].restartCount] | join(" ")' "Running 1 1"
	eventually status_is "$A" '[.containerStatuses[].state | has("running")] | all' true
	[ "$(pid "$A" s)" != "$s" ]
	[ "$(pid "$A" 0)" != "$p" ]
	[ "$(ns "$(pid "$A" 0)" net)" = "$(ns "$(pid "$A" s)" net)" ]
	said 'select(.kind == "event" and .warning and .reason == "SandboxChanged" and .message == "the sandbox has ended: it and all containers are made anew")'
	tell "forget $A"
	eventually nothing_left
}

@test "a record of a newer release leaves its Pod running, with an event, whatever is asked for" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE")"
	eventually phase_is "$A" Running
	p=$(pid "$A" 0)
	driver_end
	record=$STUBE_DATA/agent/pods/$A/pod.json
	cp "$record" "$WORK/kept"
	jq -c '.version = 99' "$WORK/kept" > "$record"
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE" | deleted 0)"
	eventually said "select(.kind == \"event\" and .reason == \"RecordUnreadable\")"
	tell "forget $A"
	tell synced
	tell counts
	eventually said 'select(.kind == "counts")'
	kill -0 "$p"
	[ "$(jq .version "$record")" = 99 ]
	driver_end
	cp "$WORK/kept" "$record"
	driver_start
	tell contact free
	tell synced
	eventually nothing_left
}

@test "what was to end when the agent was killed ends, and is not begun again, also without control plane" {
	slow='echo x >> /v/starts; trap "sleep 0.5; exit 0" TERM; echo ready; while :; do sleep 0.1; done'
	volume='.spec.volumes = [{name: "v", hostPath: {path: "'$WORK'/v"}}] | .spec.containers[0].volumeMounts = [{name: "v", mountPath: "/v"}]'
	mkdir "$WORK/v"
	driver_start
	tell contact free
	tell "$(pod "$A" "$slow" "$volume")"
	tell "$(pod "$B" "$slow" "$volume")"
	for u in "$A" "$B"; do eventually grep -q ready "$STUBE_DATA/agent/containers/$u-0-1/log"; done
	tell "$(pod "$A" x | deleted 5)"
	tell "forget $B"
	for u in "$A" "$B"; do eventually said "select(.uid == \"$u\" and .reason == \"Killing\")"; done
	driver_kill
	for u in "$A" "$B"; do
		ended() { [ -e "$STUBE_DATA/agent/containers/$u-0-1/exit.json" ]; }
		eventually ended
	done
	driver_start
	eventually gone "$A"
	eventually nothing_left
	[ "$(wc -l < "$WORK/v/starts")" = 2 ]
	run gone "$B"
	[ "$status" -ne 0 ]
}

@test "a Pod that records of version 1 tell of is adopted as it runs" {
	uid=0b9b8f0c-6d5e-4a3f-9d5d-0f6a4d7c2e11
	claim='.metadata.uid = "'$uid'" | .spec.volumes = [{name: "data", persistentVolumeClaim: {claimName: "daten"}}] | .spec.containers[0].volumeMounts = [{name: "data", mountPath: "/data"}]'
	driver_start
	tell contact free
	tell "claim default daten 5f0c2a1e-3b7d-4c7e-9a57-0f6a4d7c2e11"
	tell "$(pod antrag-0 "$SERVE" "$claim")"
	for i in 1 2; do
		eventually status_is $uid '.containerStatuses[0] | "\(.restartCount) \(.state | keys[0])"' "$((i - 1)) running"
		kill -9 "$(pid $uid 0)"
	done
	eventually status_is $uid '.containerStatuses[0] | "\(.restartCount) \(.state | keys[0])"' "2 running"
	driver_end
	p=$(pid $uid 0) record=$STUBE_DATA/agent/pods/$uid/pod.json
	# What that release wrote, with this machine's boot and image.
	jq -c --slurpfile now "$record" '.bootID = $now[0].bootID | .ids = $now[0].ids | .containers[0].imageDigest = $now[0].containers[0].imageDigest' tests/compat/pod-1/pod.json > "$WORK/old"
	cp "$WORK/old" "$record"
	# The same of the container, whose monitor runs on; and once more below, with a monitor that was killed.
	container=$STUBE_DATA/agent/containers/$uid-0-3/container.json running=$STUBE_RUN/agent/containers/$uid-0-3/running.json
	jq -c --slurpfile now "$container" '. + ($now[0] | {name, imageDigest, store, ids, runtime, runtimeArgs, cgroupsPath})' \
		tests/compat/container-1/container.json > "$WORK/old"
	cp "$WORK/old" "$container"
	jq -c --slurpfile now "$running" '. + ($now[0] | {pid, birth, monitor, started}) | .tty = false' tests/compat/monitor-1/running.json > "$WORK/old"
	cp "$WORK/old" "$running"
	driver_start
	tell counts
	eventually said 'select(.kind == "counts" and .adopted == 1 and .started == 0)'
	[ "$(pid $uid 0)" = "$p" ]
	m=$(monitor_pid $uid 0)
	kill -9 "$m"
	new_monitor() { [ -n "$(monitor_pid $uid 0)" ] && [ "$(monitor_pid $uid 0)" != "$m" ]; }
	eventually new_monitor
	[ "$(pid $uid 0)" = "$p" ]
	tell contact free
	kill -9 "$p"
	eventually status_is $uid '.containerStatuses[0] | .restartCount' 3
	tell synced
	eventually nothing_left
}

@test "a Pod that has run here is not started a second time when its record is gone" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE" '.status = {phase: "Running", containerStatuses: [{name: "main", image: "x", imageID: "x", ready: true, restartCount: 0, state: {running: {startedAt: "2026-01-01T00:00:00Z"}}}]}')"
	eventually phase_is "$A" Failed
	[ "$(status_of "$A" .reason)" = RecordLost ]
	[ -z "$(pid "$A" 0)" ]
	tell "$(pod "$A" x | deleted 0)"
	eventually gone "$A"
	eventually nothing_left
}

@test "out of contact for too long, replaceable Pods are ended and kept ones go on; back in contact all run" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE")"
	tell "$(pod "$B" "$SERVE" '.metadata.annotations = {"stube/on-node-loss": "keep"}')"
	eventually phase_is "$A" Running
	eventually phase_is "$B" Running
	q=$(pid "$B" 0)
	tell contact alone
	tell lease 3600
	tell contact fenced
	eventually status_is "$A" '"\(.reason) \(.containerStatuses[0].state | keys[0])"' "NodeLost terminated"
	eventually no_pid "$A" s
	[ "$(pid "$B" 0)" = "$q" ]
	tell contact free
	eventually status_is "$A" '"\(.reason) \(.containerStatuses[0].state | keys[0]) \(.containerStatuses[0].restartCount)"' "null running 1"
	[ "$(pid "$B" 0)" = "$q" ]
	tell "forget $A"
	tell "forget $B"
	eventually nothing_left
}

@test "an agent that was away for too long, and finds no control plane, ends what may have been replaced" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE")"
	tell "$(pod "$B" "$SERVE" '.metadata.annotations = {"stube/on-node-loss": "keep"}')"
	eventually phase_is "$A" Running
	eventually phase_is "$B" Running
	tell lease 1
	driver_end
	driver_start
	eventually phase_is "$B" Running
	kill -0 "$(pid "$A" 0)"
	# Not at once: it may have been the agent alone.
	ended() { status_is "$A" .reason NodeLost && [ -z "$(pid "$A" 0)" ]; }
	eventually ended || eventually ended
	kill -0 "$(pid "$B" 0)"
	tell "forget $A"
	tell "forget $B"
	eventually nothing_left
}

# As after a restart of the machine: nothing runs, RUN is empty, the boot id is another one.
reboot() {
	local m
	driver_end
	for m in $(monitors); do kill -9 "$m"; done
	for f in "$STUBE_RUN"/agent/containers/*/running.json; do kill -9 "$(jq .pid "$f")"; done
	for f in "$STUBE_RUN"/agent/containers/*; do "$BIN/stube-runtime" --root="$STUBE_RUN/agent/runtime" delete --force "${f##*/}" 2> /dev/null || true; done
	grep -F " $WORK/" /proc/self/mountinfo | awk '{ print $5 }' | xargs -r umount -l
	rm -rf "$STUBE_RUN"
	for f in "$STUBE_DATA"/agent/pods/*/pod.json; do
		jq -c '.bootID = "00000000-0000-0000-0000-000000000000"' "$f" > "$WORK/x"
		cp "$WORK/x" "$f"
	done
}

@test "after a reboot without control plane only kept Pods start, and replaceable ones while their time runs" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE")"
	tell "$(pod "$B" "$SERVE" '.metadata.annotations = {"stube/on-node-loss": "keep"}')"
	eventually phase_is "$A" Running
	eventually phase_is "$B" Running
	reboot
	driver_start
	eventually status_is "$B" '"\(.phase) \(.containerStatuses[0].restartCount) \(.containerStatuses[0].state | keys[0])"' "Running 1 running"
	[ -z "$(pid "$A" 0)" ]
	[ "$(status_of "$A" '.containerStatuses[0].lastState.terminated.reason')" = ContainerStatusUnknown ]
	tell lease 3600
	driver_end
	driver_start
	eventually status_is "$A" '"\(.containerStatuses[0].restartCount) \(.containerStatuses[0].state | keys[0])"' "1 running"
	tell contact free
	tell synced
	eventually nothing_left
}

@test "20 rounds of kill -9 at random: no Pod started twice, none forgotten, nothing left" {
	local i u n=0
	driver_start
	for i in $(seq 20); do
		tell contact free
		u=$TAG-$((i % 3))
		tell "$(pod "$u" "echo x >> /v/starts; $SERVE" '.spec.volumes = [{name: "v", emptyDir: {}}] | .spec.containers[0].volumeMounts = [{name: "v", mountPath: "/v"}]')"
		sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
		case $((RANDOM % 4)) in
		0) m=$(monitors | shuf -n 1); [ -z "$m" ] || kill -9 "$m" ;;
		1) tell "$(pod "$u" x | deleted 0)" ;;
		esac
		driver_kill
		driver_start
	done
	# All that were wanted and not deleted run once more, each start counted by one attempt.
	tell contact free
	for u in 0 1 2; do
		tell "$(pod "$TAG-$u" "echo x >> /v/starts; $SERVE" '.spec.volumes = [{name: "v", emptyDir: {}}] | .spec.containers[0].volumeMounts = [{name: "v", mountPath: "/v"}]')"
	done
	for u in 0 1 2; do
		runs() { phase_is "$TAG-$u" Running || gone "$TAG-$u"; }
		eventually runs
		f=$STUBE_DATA/agent/pods/$TAG-$u
		[ -e "$f/pod.json" ] || continue
		settled() { [ "$(wc -l < "$f/volumes/v/starts")" -le "$(jq .containers[0].attempt "$f/pod.json")" ]; }
		eventually settled
	done
	driver_end
	driver_start
	tell contact free
	tell synced
	eventually nothing_left
}
