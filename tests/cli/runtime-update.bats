#!/usr/bin/env bats
# Promises of update, on the only controllers that this host may have; the conversion itself is proven by
# tests/unit/runtime/cgroup_limits_test.c and cgroup_tree_test.c.
load helpers

setup() {
	rt_setup
	rt_bundle b "$(rt_sh 'sleep 60') | .linux.cgroupsPath = \"/$ID/web\""
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
}
teardown() { rt_teardown; }

need_controller() {
	grep -qw "$1" "$CGROUP/cgroup.controllers" || skip "the cgroup v2 hierarchy of this host has no controller $1"
}

@test "limits come as a document from a file or from standard input" {
	need_controller hugetlb
	echo '{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}' > "$T/resources.json"
	rt update --resources "$T/resources.json" "$ID"
	[ "$(cat "$CGROUP/$ID/web/hugetlb.2MB.max")" = 4194304 ]
	rt update -r - "$ID" <<< '{"hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}]}'
	[ "$(cat "$CGROUP/$ID/web/hugetlb.2MB.max")" = 2097152 ]
	rt update -r - "$ID" <<< '{"unified": {"hugetlb.2MB.max": "max"}}'
	[ "$(cat "$CGROUP/$ID/web/hugetlb.2MB.max")" = max ]
}

@test "limits that engines always send change nothing and fail nowhere" {
	rt update --resources - "$ID" <<< '{"cpu": {"shares": 1024}, "pids": {"limit": 0}, "memory": {"limit": -1}}'
	rt update --memory -1 --pids-limit -1 --cpu-quota -1 "$ID"
}

@test "a limit whose controller is missing is refused by the name of its field" {
	! grep -qw memory "$CGROUP/cgroup.controllers" || skip "the cgroup v2 hierarchy of this host has the controller memory"
	run rt update --memory 64m "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.resources.memory.limit: the controller 'memory' is not available"* ]]
}

@test "values that cannot be meant are refused by the name of their field" {
	run rt update --memory 64x "$ID"
	[[ "$status" -eq 1 && "$output" == *"memory.limit: '64x' is no size such as 64m"* ]]
	run rt update --memory 9999999999t "$ID"
	[[ "$status" -eq 1 && "$output" == *"memory.limit: '9999999999t' is no size such as 64m"* ]]
	run rt update --cpu-share -5 "$ID"
	[[ "$status" -eq 1 && "$output" == *"cpu.shares: "* ]]
	run rt update --cpuset-cpus 'one' "$ID"
	[[ "$status" -eq 1 && "$output" == *"cpu.cpus: "* ]]
	run rt update -r - "$ID" <<< '{"pids": {"limit": "many"}}'
	[[ "$status" -eq 1 && "$output" == *"pids.limit: expected "* ]]
	# As with runc and crun, nothing to set is no error, but without a container it is.
	rt update "$ID"
	run rt update nobody
	[[ "$status" -eq 1 && "$output" == *"container 'nobody' does not exist"* ]]
	# As with runc, a document wins.
	run rt update -r - --memory 1g "$ID" <<< '{}'
	[[ "$status" -eq 0 && "$output" == *"options for single limits have no effect beside --resources"* ]]
}

@test "a container that has stopped has no limits to change" {
	rt kill "$ID" KILL
	for _ in {1..100}; do [ "$(rt state "$ID" | jq -r .status)" = stopped ] && break; sleep 0.02; done
	run rt update --memory -1 "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"container not running"* ]]
}
