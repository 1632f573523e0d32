#!/usr/bin/env bats
# Promises about whose a cgroup is, and where exec goes in one that the container divided itself.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

status_of() { rt state "$1" | jq -r .status; }

stopped() { # ID
	rt kill "$1" KILL
	for _ in {1..200}; do [ "$(status_of "$1")" = stopped ] && return; sleep 0.02; done
	false
}

@test "a cgroup that a stopped container has recorded is refused to another one" {
	rt_bundle b "$(rt_sh 'sleep 60') | .linux.cgroupsPath = \"/$ID\""
	rt create -b "$T/b" "$ID-one" > /dev/null 2>&1
	stopped "$ID-one"
	rt create -b "$T/b" "$ID-two" > "$T/out" 2>&1 && false
	grep -q "cgroup '/$ID' belongs to container '$ID-one'" "$T/out"
	[ ! -e "$ROOT/$ID-two" ]
	rt delete "$ID-one"
	rt create -b "$T/b" "$ID-two" > /dev/null 2>&1
	[ "$(status_of "$ID-two")" = created ]
}

@test "deleting a stopped container never kills what is in its cgroup now" {
	rt_bundle b "$(rt_sh 'sleep 60') | .linux.cgroupsPath = \"/$ID\""
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	stopped "$ID"
	# Another --root, as another engine has: its records are not known here.
	"$RT_BIN" --root "$T/other" create -b "$T/b" --pid-file "$T/pid" "$ID" > /dev/null 2>&1
	rt kill --all "$ID" KILL
	run rt delete --force "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"it still has processes"* ]]
	kill -0 "$(cat "$T/pid")"
	"$RT_BIN" --root "$T/other" delete --force "$ID"
	rt delete "$ID"
	[ ! -e "$CGROUP/$ID" ]
}

@test "without an own pid namespace, too, deleting a stopped container leaves alone who came after it" {
	rt_bundle b "$(rt_sh 'sleep 60') | .linux.cgroupsPath = \"/$ID\" | .linux.namespaces |= map(select(.type != \"pid\"))"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	stopped "$ID"
	"$RT_BIN" --root "$T/other" create -b "$T/b" --pid-file "$T/pid" "$ID" > /dev/null 2>&1
	rt kill --all "$ID" KILL
	run rt delete --force "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"it still has processes"* ]]
	kill -0 "$(cat "$T/pid")"
	# The newcomer's own are ended as ever; then the first one goes with the directory.
	"$RT_BIN" --root "$T/other" kill --all "$ID" KILL
	"$RT_BIN" --root "$T/other" delete --force "$ID"
	rt delete "$ID"
	[ ! -e "$CGROUP/$ID" ]
}

@test "without an own pid namespace delete ends what init left behind" {
	rt_bundle b "$(rt_sh 'sleep 61 & sleep 62 & exit 0') | .linux.cgroupsPath = \"/$ID\" | .linux.namespaces |= map(select(.type != \"pid\"))"
	rt run --keep -b "$T/b" "$ID" > /dev/null 2>&1
	[ -n "$(cat "$CGROUP/$ID/cgroup.procs")" ]
	rt delete "$ID"
	[ ! -e "$CGROUP/$ID" ]
}

@test "exec enters the cgroup of init when the container distributes controllers itself" {
	grep -qw hugetlb "$CGROUP/cgroup.controllers" || skip "the cgroup v2 hierarchy of this host has no controller hugetlb"
	rt_bundle b "$(rt_sh 'cd /sys/fs/cgroup && mkdir init && echo $$ > init/cgroup.procs && echo +hugetlb > cgroup.subtree_control && touch /tmp/done; sleep 60') | .linux.cgroupsPath = \"/$ID\" | .linux.resources = {hugepageLimits: [{pageSize: \"2MB\", limit: 4194304}]} | .linux.namespaces += [{type: \"cgroup\"}] | .mounts += [{destination: \"/sys/fs/cgroup\", type: \"cgroup\", source: \"cgroup\"}]"
	rt create -b "$T/b" "$ID" > "$T/out" 2>&1
	rt start "$ID"
	for _ in {1..200}; do [ -e "$T/b/rootfs/tmp/done" ] && break; sleep 0.02; done
	[ -e "$T/b/rootfs/tmp/done" ]
	run rt exec "$ID" grep 0:: /proc/self/cgroup
	[ "$status" -eq 0 ]
	[ "$output" = 0::/init ]
	# What is asked for by name is not replaced.
	run rt exec --cgroup . "$ID" true
	[ "$status" -eq 255 ]
	run rt exec --cgroup init "$ID" true
	[ "$status" -eq 0 ]
}
