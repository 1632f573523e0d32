#!/usr/bin/env bats
# Promises about terminals: console socket, foreground, exec.
load helpers

setup() { rt_setup; }
teardown() {
	[ -z "${RECEIVER:-}" ] || kill "$RECEIVER" 2> /dev/null || true
	rt_teardown
}

# Listen on $T/console, take one master, write what it prints to $T/console.out; INPUT is typed.
receiver() {
	/usr/bin/python3 "$BATS_TEST_DIRNAME/console-recv.py" "$T/console" "$T/console.out" "${1:-}" 3>&- &
	RECEIVER=$!
	for _ in {1..100}; do [ -S "$T/console" ] && return; sleep 0.05; done
}

@test "the console socket receives the master of the container's terminal" {
	receiver
	rt_bundle b "$(rt_sh 'tty; test -t 0 && test -t 1 && test -t 2 && echo all; stty size; stat -c %F /dev/console; echo x > /dev/console') | .process.terminal = true | .process.consoleSize = {height: 33, width: 77}"
	run rt run --console-socket "$T/console" -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	wait "$RECEIVER"
	mapfile -t out < "$T/console.out"
	[ "${out[0]}" = /dev/pts/0 ]
	[ "${out[1]}" = all ]
	[ "${out[2]}" = "33 77" ]
	[ "${out[3]}" = "character special file" ]
	[ "${out[4]}" = x ]
}

@test "lines end in LF alone" {
	receiver
	rt_bundle b "$(rt_args echo line) | .process.terminal = true"
	rt run --console-socket "$T/console" -b "$T/b" "$ID"
	wait "$RECEIVER"
	[ "$(od -An -c "$T/console.out" | tr -d ' ')" = 'line\n' ]
}

@test "create with a terminal, then start: the terminal belongs to the user of the container" {
	receiver
	rt_bundle b "$(rt_sh 'stat -c %u $(tty); ps -o pid,tty') | .process.terminal = true | .process.user.uid = 1000"
	rt create --console-socket "$T/console" -b "$T/b" "$ID"
	rt start "$ID"
	wait "$RECEIVER"
	[ "$(head -1 "$T/console.out")" = 1000 ]
}

@test "exec -t in the foreground copies between the caller's terminal and the container's" {
	rt_bundle b "$(rt_sh 'sleep 50; true')"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	rt start "$ID"
	run script -qec "stty rows 20 cols 60; '$RT_BIN' --root '$ROOT' exec -t '$ID' sh -c 'tty; stty size; exit 5'" /dev/null < /dev/null
	[ "$status" -eq 5 ]
	[[ "$output" == *"/dev/pts/0"* ]]
	[[ "$output" == *"20 60"* ]]
}

@test "run with a terminal in the foreground takes what is typed" {
	rt_bundle b "$(rt_sh 'read a; echo "got $a"; exit 6') | .process.terminal = true"
	run script -qec "'$RT_BIN' --root '$ROOT' run -b '$T/b' '$ID'" /dev/null <<< "hello"
	[ "$status" -eq 6 ]
	[[ "$output" == *"got hello"* ]]
}

@test "detached with a terminal needs a console socket" {
	rt_bundle b '.process.terminal = true'
	run rt run -d -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"process.terminal: needs --console-socket"* ]]
	run rt create --console-socket "$T/none" -b "$T/b" "$ID"
	[[ "$output" == *"connect to socket '$T/none'"* ]]
}

@test "signals to a foreground run reach the container" {
	rt_bundle b "$(rt_sh 'trap "echo term; exit 9" TERM; echo ready; while :; do sleep 0.1; done')"
	"$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID" > "$T/out" 3>&- &
	for _ in {1..100}; do grep -q ready "$T/out" && break; sleep 0.05; done
	kill -TERM $!
	wait $! && status=0 || status=$?
	[ "$status" -eq 9 ]
	grep -q term "$T/out"
}
