#!/usr/bin/env bats
# Where a Pod's cgroups are: a slice for each tenant, a slice for each Pod; and that none stays behind.
load pods

setup() {
	pods_setup
	CGROUPS=/sys/fs/cgroup
	[ "$(stat -f -c %T $CGROUPS)" = cgroup2fs ] || CGROUPS=/sys/fs/cgroup/unified
	[ "$(stat -f -c %T $CGROUPS 2> /dev/null)" = cgroup2fs ] || skip 'no cgroup v2 hierarchy'
	[ "$(id -u)" = 0 ] || skip 'needs root'
}
# What a test made by hand and did not come to remove.
remove_left() {
	local tenant=$CGROUPS/stube.slice/stube-${TAG}_left.slice
	[ ! -d "$tenant" ] || find "$tenant" -depth -type d -exec rmdir {} +
}
teardown() {
	[ -n "${TAG:-}" ] || return 0
	[ -z "${USED:-}" ] || kill -9 "$USED" 2> /dev/null || true
	pods_teardown
	eventually remove_left
}

cgroup_of() { sed -n 's/^0:://p' "/proc/$1/cgroup"; }
slice_is() { [ "$(cgroup_of "$(pid "$1" "$2")")" = "$3" ]; }

@test "sandbox and containers are in their Pod's slice, in that of its namespace; monitors beside; all goes with the Pod" {
	local slice=/stube.slice/stube-${TAG}_amt.slice/stube-${TAG}_amt-pod${TAG}_a.slice
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE" ".metadata.namespace = \"$TAG-amt\"")"
	eventually phase_is "$A" Running
	slice_is "$A" 0 "$slice/$A-0-1"
	slice_is "$A" s "$slice/$A-s-1"
	[ "$(cgroup_of "$(monitor_pid "$A" 0)")" = /stube.slice/monitors ]
	jq -e --arg slice "$slice" '.slice == $slice' "$STUBE_DATA/agent/pods/$A/pod.json"
	# A second Pod of the tenant stays when the first goes.
	tell "$(pod "$B" "$SERVE" ".metadata.namespace = \"$TAG-amt\"")"
	eventually phase_is "$B" Running
	tell "forget $A"
	eventually test ! -e "$CGROUPS$slice"
	[ -d "$CGROUPS/stube.slice/stube-${TAG}_amt.slice" ]
	tell "forget $B"
	eventually nothing_left
	[ ! -e "$CGROUPS/stube.slice/stube-${TAG}_amt.slice" ]
}

@test "a Pod that has ended keeps no cgroup while its object is there" {
	driver_start
	tell contact free
	tell "$(pod "$A" 'exit 3' '.spec.restartPolicy = "Never"')"
	eventually phase_is "$A" Failed
	eventually test ! -e "$CGROUPS/stube.slice/stube-default.slice/stube-default-pod${TAG}_a.slice"
	tell "forget $A"
	eventually nothing_left
}

@test "what ran before Pods had slices stays where it is; its next attempt is in one" {
	DRIVER_CGROUPS=disabled driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE")"
	eventually phase_is "$A" Running
	old=$(pid "$A" 0)
	before=$(cgroup_of "$old")
	jq -e 'has("slice") | not' "$STUBE_DATA/agent/pods/$A/pod.json"
	driver_kill
	driver_start
	tell contact free
	tell "$(pod "$A" "$SERVE")"
	tell synced
	eventually phase_is "$A" Running
	[ "$(pid "$A" 0)" = "$old" ]
	[ "$(cgroup_of "$old")" = "$before" ]
	kill -9 "$old"
	eventually slice_is "$A" 0 "/stube.slice/stube-default.slice/stube-default-pod${TAG}_a.slice/$A-0-2"
	tell "forget $A"
	eventually nothing_left
}

@test "the agent's umask is none of a container's affair: it sees its own cgroup" {
	umask 077 # as the agent's unit has it
	driver_start
	umask 022
	tell contact free
	tell "$(pod "$A" "cat /sys/fs/cgroup/cgroup.procs; $SERVE" ".metadata.namespace = \"$TAG-amt\"")"
	eventually phase_is "$A" Running
	eventually grep -q ready "$STUBE_DATA/agent/containers/$A-0-1/log"
	run awk '{ print $4 }' "$STUBE_DATA/agent/containers/$A-0-1/log"
	[ "${lines[0]}" = 1 ]
	[ "$(stat -c %a "$CGROUPS/stube.slice/stube-${TAG}_amt.slice")" = 755 ]
	tell "forget $A"
	eventually nothing_left
}

@test "what an agent left that lost its records goes when the next one starts, but nothing that is new or in use" {
	local tenant=$CGROUPS/stube.slice/stube-${TAG}_left.slice
	mkdir -p "$tenant"/stube-${TAG}_left-pod{old,new,used}.slice/x
	sleep 1000 3>&- 4>&- &
	USED=$!
	echo "$USED" > "$tenant/stube-${TAG}_left-podused.slice/x/cgroup.procs"
	touch -d '1 hour ago' "$tenant"/stube-${TAG}_left-pod{old,used}.slice
	driver_start
	[ ! -e "$tenant/stube-${TAG}_left-podold.slice" ]
	[ -d "$tenant/stube-${TAG}_left-podnew.slice/x" ]
	[ -d "$tenant/stube-${TAG}_left-podused.slice/x" ]
	driver_kill
	kill "$USED"
	wait "$USED" || true
	touch -d '1 hour ago' "$tenant"/stube-${TAG}_left-pod{new,used}.slice
	driver_start
	[ ! -e "$tenant" ]
}
