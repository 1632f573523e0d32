#!/usr/bin/env bats
# Promises about a start that is given up by a signal: it ends at once, and nothing of it stays.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

# A bundle whose hook of the kind says its pid in $T/at, or /tmp/at inside, and hangs.
hangs_in() { # KIND
	rt_bundle b "$(rt_sh true) | .linux.cgroupsPath = \"/$ID\" | .hooks.$1 = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"echo \$\$ > $2; exec sleep 600\"]}]"
}

# Start COMMAND in the background, wait for the file, send the signal: it ends with 1 and says why.
given_up() { # FILE SIGNAL WORDS COMMAND...
	local file=$1 signal=$2 words=$3 pid status=0
	shift 3
	rm -f "$file"
	"$RT_BIN" --root "$ROOT" "$@" > "$T/out" 2>&1 &
	pid=$!
	for _ in {1..500}; do [ -s "$file" ] && break; sleep 0.02; done
	[ -s "$file" ]
	kill "-$signal" "$pid"
	wait "$pid" || status=$?
	cat "$T/out"
	[ "$status" -eq 1 ]
	grep -q "$words" "$T/out"
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$CGROUP/$ID" ]
}

gone() { # PID: ended, or not yet waited for
	for _ in {1..200}; do
		[[ -e /proc/$1 && "$(awk '{print $3}' "/proc/$1/stat" 2> /dev/null)" != Z ]] || return 0
		sleep 0.02
	done
	false
}

@test "run and create end at INT, TERM, HUP and QUIT while a hook of the host hangs" {
	for signal in INT TERM HUP QUIT; do
		hangs_in createRuntime "$T/at"
		given_up "$T/at" $signal "createRuntime hook #1: '/bin/sh': interrupted by signal" run -b "$T/b" "$ID"
		gone "$(cat "$T/at")"
		rm -rf "$T/b"
	done
	hangs_in createRuntime "$T/at"
	given_up "$T/at" TERM "interrupted by signal 15 (Terminated)" create -b "$T/b" "$ID"
	gone "$(cat "$T/at")"
	given_up "$T/at" TERM "interrupted by signal 15 (Terminated)" run -d -b "$T/b" "$ID"
}

@test "run and create end at TERM while a hook inside the container hangs" {
	hangs_in createContainer "$T/at"
	given_up "$T/at" TERM "interrupted by signal 15 (Terminated)" run -b "$T/b" "$ID"
	given_up "$T/at" TERM "interrupted by signal 15 (Terminated)" create -b "$T/b" "$ID"
	rm -rf "$T/b"
	hangs_in startContainer /tmp/at
	given_up "$T/b/rootfs/tmp/at" TERM "interrupted by signal 15 (Terminated)" run -b "$T/b" "$ID"
}

@test "exec in a paused container is given up at TERM" {
	rt_bundle b "$(rt_sh 'sleep 60')"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	rt start "$ID"
	rt pause "$ID"
	before=$(rt ps -f json "$ID" | jq length)
	"$RT_BIN" --root "$ROOT" exec --ignore-paused "$ID" true > "$T/out" 2>&1 &
	pid=$!
	# The new process is there, frozen before it could say a word.
	for _ in {1..500}; do [ "$(rt ps -f json "$ID" | jq length)" -gt "$before" ] && break; sleep 0.02; done
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 255 ]
	grep -q "interrupted by signal 15 (Terminated)" "$T/out"
	rt resume "$ID"
}

@test "a signal after the start is the container's, and none is lost" {
	rt_bundle b "$(rt_sh 'trap "echo got; exit 7" TERM; echo ready; while :; do sleep 0.05; done')"
	"$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID" > "$T/out" 2>&1 &
	pid=$!
	for _ in {1..500}; do grep -q ready "$T/out" && break; sleep 0.02; done
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 7 ]
	grep -q got "$T/out"
}
