#!/usr/bin/env bats
# Promises of state, list, kill, delete, ps, and of what a killed create leaves behind.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

# A running container $ID; its program ends on TERM.
running() { # [FILTER]
	rt_bundle b "$(rt_sh 'trap "exit 0" TERM; sleep 60 & wait')${1:+ | $1}"
	rt create -b "$T/b" --pid-file "$T/pid" "$ID" > "$T/out" 2>&1
	rt start "$ID"
	pid=$(cat "$T/pid")
}

status_of() { rt state "$1" | jq -r .status; }

wait_for() { # STATUS
	for _ in {1..100}; do
		[ "$(status_of "$ID")" = "$1" ] && return
		sleep 0.02
	done
	false
}

@test "state prints what the specification and runc print, and pid 0 once it is stopped" {
	running '.annotations = {"org.example": "yes"}'
	run rt state "$ID"
	[ "$status" -eq 0 ]
	[ "$(jq -r .ociVersion <<< "$output")" = 1.0.2 ]
	[ "$(jq -r .id <<< "$output")" = "$ID" ]
	[ "$(jq -r .status <<< "$output")" = running ]
	[ "$(jq -r .pid <<< "$output")" = "$pid" ]
	[ "$(jq -r .bundle <<< "$output")" = "$T/b" ]
	[ "$(jq -r .rootfs <<< "$output")" = "$T/b/rootfs" ]
	[ "$(jq -r .owner <<< "$output")" = "$(id -un)" ]
	[ "$(jq -r '.annotations["org.example"]' <<< "$output")" = yes ]
	date -d "$(jq -r .created <<< "$output")" > /dev/null
	rt kill "$ID" KILL
	wait_for stopped
	[ "$(rt state "$ID" | jq .pid)" -eq 0 ]
}

@test "state of a container that does not exist says so" {
	run rt state nobody
	[ "$status" -eq 1 ]
	[[ "$output" == *"container 'nobody' does not exist"* ]]
}

@test "an id that would lead out of the state directory is refused by every command" {
	for command in state start kill delete pause resume ps; do
		run rt $command ../etc
		[ "$status" -eq 1 ]
		[[ "$output" == *"container id '../etc'"* ]]
	done
}

@test "list prints a table with runc's heading, JSON, or ids alone" {
	running
	run rt list
	[ "$(awk '{$1=$1}; NR==1' <<< "$output")" = "ID PID STATUS BUNDLE CREATED OWNER" ]
	[[ "${lines[1]}" =~ ^"$ID"\ +"$pid"\ +running\ +"$T/b"\ +20.*\ +"$(id -un)"$ ]]
	run rt list --format json
	[ "$(jq -r '.[0] | [.id, .status, .pid] | join(" ")' <<< "$output")" = "$ID running $pid" ]
	run rt list -q
	[ "$output" = "$ID" ]
}

@test "list of a root that does not exist is empty" {
	run rt list -f json
	[ "$status" -eq 0 ]
	[ "$output" = "[]" ]
}

@test "list shows the others beside one whose record cannot be read" {
	running
	mkdir -m 700 "$ROOT/broken"
	echo '{' > "$ROOT/broken/state.json"
	run rt list
	[ "$status" -eq 0 ]
	[[ "$output" == *"$ID"* ]]
	[[ "$output" == *"broken/state.json"* ]]
	rt delete --force broken
	[ ! -e "$ROOT/broken" ]
}

@test "kill sends TERM by default, and signals by name or number" {
	running
	rt kill "$ID" 0
	rt kill "$ID"
	wait_for stopped
	run rt kill "$ID" TERM
	[ "$status" -eq 1 ]
	[[ "$output" == *"container not running"* ]]
	run rt kill "$ID" NOSUCH
	[ "$status" -eq 1 ]
	[[ "$output" == *"unknown signal 'NOSUCH'"* ]]
}

@test "kill --all reaches processes that init does not know" {
	# The host's pid namespace: the children of init do not end with it.
	running '.process.args = ["sh", "-c", "trap \"\" TERM; sleep 61 & sleep 62 & wait"] | .linux.namespaces |= map(select(.type != "pid"))'
	for _ in {1..100}; do [ "$(rt ps -f json "$ID" | jq length)" -eq 3 ] && break; sleep 0.02; done
	pids=$(rt ps -f json "$ID" | jq -r '.[]')
	[ "$(wc -w <<< "$pids")" -eq 3 ]
	rt kill --all "$ID" KILL
	for p in $pids; do
		for _ in {1..100}; do [[ -e /proc/$p && "$(awk '{print $3}' "/proc/$p/stat" 2> /dev/null)" != Z ]] || break; sleep 0.02; done
		[ ! -e "/proc/$p" ] || [ "$(awk '{print $3}' "/proc/$p/stat" 2> /dev/null)" = Z ] || [ ! -e "/proc/$p" ]
	done
}

@test "kill and delete take a regular expression" {
	running
	rt_bundle c "$(rt_sh 'sleep 60')"
	rt create -b "$T/c" "$ID-two" > /dev/null 2>&1
	rt kill --regex "^$ID.two\$" KILL
	[ "$(status_of "$ID")" = running ]
	for _ in {1..100}; do [ "$(status_of "$ID-two")" = stopped ] && break; sleep 0.02; done
	rt delete --regex "^$ID-"
	[ "$(rt list -q)" = "$ID" ]
	run rt delete --regex '['
	[ "$status" -eq 1 ]
	[[ "$output" == *"regular expression '['"* ]]
}

@test "delete refuses a running container, takes a created one, and any by force" {
	running
	run rt delete "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"cannot delete container $ID that is not stopped: running"* ]]
	kill -0 "$pid"
	rt delete --force "$ID"
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$CGROUP/$ID" ]
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	rt delete "$ID"
	[ ! -e "$ROOT/$ID" ]
}

@test "delete of what does not exist fails, by force it does not" {
	run rt delete nobody
	[ "$status" -eq 1 ]
	[[ "$output" == *"container 'nobody' does not exist"* ]]
	rt delete --force nobody
}

@test "delete runs poststop hooks with the stopped state, and a failing one only warns" {
	running ".hooks.poststop = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"cat > $T/hook; exit 3\"]}]"
	run rt delete --force "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" == *"error running poststop hook #1: '/bin/sh': exit status 3"* ]]
	[ "$(jq -r '.id + " " + .status' "$T/hook")" = "$ID stopped" ]
	[ ! -e "$ROOT/$ID" ]
}

@test "ps lists the processes as a table of ps or as JSON" {
	running
	run rt ps "$ID"
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == *PID* ]]
	[[ "$output" == *"sleep 60"* ]]
	[ "${#lines[@]}" -eq 3 ]
	run rt ps "$ID" -o pid,comm
	[[ "${lines[1]}" =~ ^\ *"$pid"\ +sh$ ]]
	run rt ps --format json "$ID"
	[ "$(jq '.[0]' <<< "$output")" = "$pid" ]
	run rt ps "$ID" -o comm
	[ "$status" -eq 1 ]
	[[ "$output" == *"no column PID"* ]]
}

@test "a pid that was given to another process is not the container" {
	running
	rt kill "$ID" KILL
	wait_for stopped
	sleep 60 &
	other=$!
	jq -c ".pid = $other" "$ROOT/$ID/state.json" > "$T/new"
	cat "$T/new" > "$ROOT/$ID/state.json"
	[ "$(status_of "$ID")" = stopped ]
	rt delete --force "$ID"
	kill -0 "$other"
	kill "$other"
}

@test "what a create that was killed with -9 left behind is cleaned by list, create and delete" {
	# A createRuntime hook that waits gives the moment at which the create dies.
	rt_bundle b "$(rt_sh true) | .linux.cgroupsPath = \"/$ID\" | .hooks.createRuntime = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"echo \$\$ > $T/at; exec sleep 60\"]}]"
	for next in list create delete; do
		rm -f "$T/at"
		"$RT_BIN" --root "$ROOT" create -b "$T/b" "$ID" > /dev/null 2>&1 &
		create=$!
		for _ in {1..200}; do [ -s "$T/at" ] && break; sleep 0.02; done
		[ -s "$T/at" ]
		[ "$(status_of "$ID")" = creating ]
		kill -9 "$create"
		wait "$create" || true
		kill -9 "$(cat "$T/at")"
		run rt state "$ID"
		[ "$status" -eq 1 ]
		case $next in
		list) [ -z "$(rt list -q)" ] ;;
		delete) rt delete "$ID" ;;
		create)
			jq 'del(.hooks)' "$T/b/config.json" > "$T/config.json"
			rt create -b "$T/b" -f "$T/config.json" "$ID" > /dev/null 2>&1
			[ "$(status_of "$ID")" = created ]
			rt delete "$ID"
			;;
		esac
		[ ! -e "$ROOT/$ID" ]
		[ ! -e "$CGROUP/$ID" ]
	done
}

@test "events --stats prints the figures that the kernel counts, once" {
	running
	run rt events --stats "$ID"
	[ "$status" -eq 0 ]
	[ "$(jq -r '.type + " " + .id' <<< "$output")" = "stats $ID" ]
	jq -e '.data.cpu.usage | .total > 0 and .total >= .kernel' <<< "$output"
	jq -e '.data | has("memory") and has("pids") and has("blkio")' <<< "$output"
}

@test "events goes on until the container ends" {
	running
	rt events --interval 50ms "$ID" > "$T/events" &
	events=$!
	for _ in {1..200}; do [ "$(wc -l < "$T/events")" -ge 2 ] && break; sleep 0.02; done
	rt kill "$ID" KILL
	wait "$events"
	[ "$(jq -rs 'map(.type) | unique | join(" ")' "$T/events")" = stats ]
	[ "$(wc -l < "$T/events")" -ge 2 ]
	run rt events "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"container not running"* ]]
}
