#!/usr/bin/env bats
# Slices of Pods as units, before a real systemd and a real D-Bus (tests/vm/bus.sh), without real limits.
bats_require_minimum_version 1.5.0

load lab

setup_file() {
	lab_prepare
	lab_up
}
teardown_file() { lab_down; }

# Run a script inside, with the driver of a node's Pods.
lab() { # SCRIPT
	"$BUS" in "$LAB/lab" bash -euc "
		cd $TOP
		export BATS_FILE_TMPDIR=/tmp DRIVER_CGROUPS=systemd
		. tests/integration/pods.bash
		show() { systemctl show --property \"\$2\" --value \"\$1\"; }
		no_unit() { [ -z \"\$(systemctl list-units --all --no-legend --plain \"\$1\")\" ]; }
		# The lab has covered parts of /proc: the kernel lets no new user namespace mount one.
		ASKS='.spec.hostUsers = true | .spec.containers[0].resources = {requests: {memory: \"8Mi\", cpu: \"205m\"}} | .metadata.namespace = \"amt-a\"'
		pods_setup
		trap 'status=\$?; set +e; pods_teardown; exit \$status' EXIT
		$1"
}

@test "a Pod's slice is a unit with its values, its tenant's has the sums; both go with the last Pod" {
	run lab '
		driver_start
		tell contact free
		tell "$(pod "$A" "$SERVE" "$ASKS")"
		tell "$(pod "$B" "$SERVE" "$ASKS")"
		eventually phase_is "$A" Running
		eventually phase_is "$B" Running
		tenant=stube-amt_a.slice
		one=stube-amt_a-pod${TAG}_a.slice
		[ "$(show stube-$A-0-1.scope Slice)" = $one ]
		[ "$(show stube-$A-0-1.scope ControlGroup)" = /stube.slice/$tenant/$one/stube-$A-0-1.scope ]
		[ "$(show $one MemoryLow) $(show $one CPUWeight) $(show $one MemoryMax)" = "$((8 << 20)) 20 infinity" ]
		[ "$(show $one Transient) $(show $tenant Transient)" = "yes yes" ]
		systemctl daemon-reload
		[ "$(show $one MemoryLow)" = $((8 << 20)) ]
		tell "forget $A"
		eventually no_unit $one
		[ "$(show $tenant ActiveState)" = active ]
		# The next driver ends what the first one made.
		driver_kill
		driver_start
		tell synced
		tell "forget $B"
		eventually no_unit "stube-amt_a*"
		[ ! -e /sys/fs/cgroup/stube.slice/$tenant ]
		[ -z "$(ls -d /run/systemd/{transient,system.control}/stube-amt* 2> /dev/null)" ]'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "a Pod's limits are its slice's, with room for the sandbox" {
	# The lab has no controllers: the container is refused for it, the slice around it has its values all the same.
	run lab '
		driver_start
		tell contact free
		tell "$(pod "$A" "$SERVE" "$ASKS | .spec.containers[0].resources.limits = {memory: \"24Mi\", cpu: \"205m\"}")"
		one=stube-amt_a-pod${TAG}_a.slice
		limited() { [ "$(show $one MemoryMax) $(show $one CPUQuotaPerSecUSec)" = "$((32 << 20)) 210ms" ]; } # 205m in whole percents
		eventually limited
		tell "forget $A"
		eventually no_unit "stube-amt_a*"'
	echo "$output"
	[ "$status" -eq 0 ]
}
