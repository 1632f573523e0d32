#!/usr/bin/env bats
# What a node promises about the images of its Pods: fetched once, told, tried again.
load pods
. tests/registry/lib.bash

setup() {
	pods_setup
	mkdir "$WORK/registry"
	registry_start "$WORK/registry"
	IMAGE=$REGISTRY/t/sh:1
	stube image pack --quiet --entrypoint /bin/sh "$ROOT" "$IMAGE" > "$WORK/packed"
	stube push --quiet "$IMAGE" > "$WORK/pushed"
	rm -rf "$STUBE_STORE"
}
teardown() {
	# Its pid lies in the folder that goes.
	[ -z "${WORK:-}" ] || registry_stop "$WORK/registry" 2> /dev/null || true
	pods_teardown
}
from_registry() { echo ".spec.containers[0].image = \"$IMAGE\" | ${1:-.}"; }

@test "Pods that want the same image at the same moment fetch it once, with events of bytes and time" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE" "$(from_registry)")"
	tell "$(pod "$B" "$SERVE" "$(from_registry)")"
	tell "$(pod "$TAG-c" "$SERVE" "$(from_registry '.spec.containers += [.spec.containers[0] | .name = "side"]')")"
	for u in "$A" "$B" "$TAG-c"; do eventually phase_is "$u" Running; done
	tell counts
	eventually said 'select(.kind == "counts" and .pulls == 1)'
	said "select(.uid == \"$B\" and .reason == \"Pulling\" and .message == \"pulling image '$IMAGE'\")"
	jq -r 'select(.reason == "Pulled") | .message' "$WORK/out" > "$WORK/pulled"
	grep -Eqx "pulled image '$IMAGE' in [0-9]+\.[0-9]{3} s, [1-9][0-9]* bytes" "$WORK/pulled"
	# Another Pod finds it.
	tell "$(pod "$TAG-d" "$SERVE" "$(from_registry)")"
	eventually phase_is "$TAG-d" Running
	said "select(.uid == \"$TAG-d\" and .message == \"image '$IMAGE' is on this machine already\")"
	for u in "$A" "$B" "$TAG-c" "$TAG-d"; do tell "forget $u"; done
	eventually nothing_left
}

@test "Always asks the registry for a new Pod; a restart does not need it" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE" "$(from_registry '.spec.containers[0].imagePullPolicy = "Always"')")"
	eventually phase_is "$A" Running
	registry_stop "$WORK/registry"
	kill -9 "$(pid "$A" 0)"
	eventually status_is "$A" '.containerStatuses[0] | "\(.restartCount) \(.state | keys[0])"' "1 running"
	tell "$(pod "$B" "$SERVE" "$(from_registry '.spec.containers[0].imagePullPolicy = "Always"')")"
	eventually said "select(.uid == \"$B\" and .kind == \"event\" and .reason == \"Pulling\")"
	tell "forget $A"
	tell "forget $B"
	eventually nothing_left
}

@test "gc leaves the image of a Pod that runs, and one that is gone is fetched again" {
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE" "$(from_registry)")"
	eventually phase_is "$A" Running
	stube image rm "$IMAGE"
	stube image gc > /dev/null
	kill -9 "$(pid "$A" 0)"
	eventually status_is "$A" '.containerStatuses[0] | "\(.restartCount) \(.state | keys[0])"' "1 running"
	rm -rf "$STUBE_STORE"
	kill -9 "$(pid "$A" 0)"
	eventually status_is "$A" '.containerStatuses[0] | "\(.restartCount) \(.state | keys[0])"' "2 running"
	tell counts
	eventually said 'select(.kind == "counts" and .pulls == 2)'
	tell "forget $A"
	eventually nothing_left
}
