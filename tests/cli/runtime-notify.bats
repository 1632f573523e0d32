#!/usr/bin/env bats
# Promises about what reaches a service manager and other programs outside: readiness, sockets, pidfds.
load helpers

setup() { rt_setup; helpers=; }
teardown() { [ -z "$helpers" ] || kill $helpers 2> /dev/null || true; rt_teardown; }

wait_for() { # FILE: not empty
	for _ in {1..1000}; do [ -s "$1" ] && return; sleep 0.02; done
	false
}

listen() { # SOCKET
	python3 "$BATS_TEST_DIRNAME/notify-listen.py" "$1" "$T/messages" 3>&- &
	helpers="$helpers $!"
	for _ in {1..1000}; do [ -e "$T/messages" ] && return; sleep 0.02; done
	false
}

# The datagrams of the manager's socket, barriers left out.
messages() { jq -c 'select(.text != "BARRIER=1") | .text' "$T/messages"; }

# busybox has no program that sends to a socket: it is sent from the outside, through the container's root.
send() { # PID TEXT...
	local pid=$1
	shift
	python3 "$BATS_TEST_DIRNAME/notify-send.py" "/proc/$pid/root/run/notify/notify.sock" "$@"
}

inside='test -S "$NOTIFY_SOCKET" || [ "$NOTIFY_SOCKET" = /run/notify/notify.sock ] || exit 9; touch /run/notify/x 2> /dev/null && exit 8; sleep 60'

@test "start waits until the service is ready and tells the manager, with the container's pid" {
	listen "$T/host"
	rt_bundle b "$(rt_sh "$inside")"
	NOTIFY_SOCKET=$T/host rt create -b "$T/b" --pid-file "$T/pid" "$ID" > /dev/null 2>&1
	NOTIFY_SOCKET=$T/host "$RT_BIN" --root "$ROOT" start "$ID" 3>&- &
	start=$!
	pid=$(cat "$T/pid")
	for _ in {1..1000}; do [ -S "/proc/$pid/root/run/notify/notify.sock" ] && break; sleep 0.02; done
	send "$pid" 'STATUS=loading' 'MAINPID=1\nFDSTORE=1' 'STATUS=up\nMAINPID=7\nREADY=1'
	wait "$start"
	[ "$(rt state "$ID" | jq -r .status)" = running ]
	[ "$(messages | jq -r . | grep -v '^$' | tr '\n' ' ')" = "MAINPID=$pid STATUS=loading MAINPID=$pid STATUS=up READY=1 " ]
	# start ends only once the manager has handled it: the barrier is the last that came.
	[ "$(tail -n 1 "$T/messages" | jq -r '"\(.text) \(.fds)"')" = "BARRIER=1 1" ]
}

@test "start waits no longer than the container lives, and delete takes the socket away" {
	listen "$T/host"
	rt_bundle b "$(rt_sh 'exit 3')"
	NOTIFY_SOCKET=$T/host rt create -b "$T/b" "$ID" > /dev/null 2>&1
	NOTIFY_SOCKET=$T/host rt start "$ID" > /dev/null 2>&1
	[ -z "$(messages)" ]
	rt delete "$ID"
	[ ! -e "$ROOT/$ID" ]
}

@test "run --detach returns when the service is ready, also over an abstract socket" {
	listen "@stube-$ID"
	rt_bundle b "$(rt_sh "$inside")"
	NOTIFY_SOCKET=@stube-$ID "$RT_BIN" --root "$ROOT" run -d -b "$T/b" --pid-file "$T/pid" "$ID" > "$T/out" 2>&1 3>&- &
	run=$!
	wait_for "$T/pid"
	pid=$(cat "$T/pid")
	for _ in {1..1000}; do [ -S "/proc/$pid/root/run/notify/notify.sock" ] && break; sleep 0.02; done
	kill -0 "$run"
	send "$pid" 'READY=1'
	wait "$run"
	[ "$(messages)" = "\"MAINPID=$pid\\nREADY=1\\n\"" ]
}

@test "run in the foreground goes on to relay, in a user namespace too" {
	listen "$T/host"
	rt_bundle b "$(rt_sh "$inside") | $RT_USERNS"
	chmod 755 "$T"
	chown -R 100000:100000 "$T/b/rootfs"
	NOTIFY_SOCKET=$T/host "$RT_BIN" --root "$ROOT" run -b "$T/b" --pid-file "$T/pid" "$ID" > "$T/out" 2>&1 3>&- &
	run=$!
	wait_for "$T/pid"
	pid=$(cat "$T/pid")
	for _ in {1..1000}; do [ -S "/proc/$pid/root/run/notify/notify.sock" ] && break; sleep 0.02; done
	setpriv --reuid 100000 --regid 100000 --clear-groups python3 "$BATS_TEST_DIRNAME/notify-send.py" "/proc/$pid/root/run/notify/notify.sock" READY=1 2> /dev/null || send "$pid" READY=1
	send "$pid" WATCHDOG=1 'STOPPING=1'
	for _ in {1..1000}; do [ "$(messages | wc -l)" -ge 3 ] && break; sleep 0.02; done
	rt kill "$ID" KILL
	wait "$run" || [ $? -eq 137 ]
	[ "$(messages | jq -r . | grep -v '^$' | tr '\n' ' ')" = "MAINPID=$pid READY=1 MAINPID=$pid WATCHDOG=1 MAINPID=$pid STOPPING=1 " ]
}

@test "without NOTIFY_SOCKET there is none inside; a form that is unknown is refused" {
	rt_bundle b "$(rt_sh 'echo "$NOTIFY_SOCKET"; ls /run 2> /dev/null; true')"
	run env -u NOTIFY_SOCKET "$RT_BIN" --root "$ROOT" run -b "$T/b" "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	NOTIFY_SOCKET=vsock:2:1234 run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"NOTIFY_SOCKET: 'vsock:2:1234'"* ]]
	NOTIFY_SOCKET=$T/none run rt run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"NOTIFY_SOCKET: connect to socket '$T/none'"* ]]
	[ ! -e "$ROOT/$ID" ]
}

@test "socket activation: the descriptors, their names and the pid that they are for" {
	rt_bundle b "$(rt_sh 'echo "$LISTEN_FDS $LISTEN_FDNAMES $LISTEN_PID $$"; cat <&4')"
	echo content > "$T/file"
	run bash -c 'LISTEN_FDS=2 LISTEN_FDNAMES=web:file LISTEN_PID=$$ exec "$0" --root "$1" run -b "$2" "$3" 3< /dev/null 4< "$4"' "$RT_BIN" "$ROOT" "$T/b" "$ID" "$T/file"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "2 web:file 1 1" ]
	[ "${lines[1]}" = content ]
	# In the host's pid namespace the program has another number, and it is told that one.
	rt_config b "$(rt_sh 'test "$LISTEN_PID" = "$$" && echo mine') | .linux.namespaces |= map(select(.type != \"pid\"))"
	run bash -c 'LISTEN_FDS=1 exec "$0" --root "$1" run -b "$2" "$3" 3< /dev/null' "$RT_BIN" "$ROOT" "$T/b" "$ID"
	[ "$output" = mine ]
	# Meant for another process, which only forgot to unset it.
	rt_config b "$(rt_sh 'env | grep -c LISTEN_')"
	run bash -c 'LISTEN_FDS=1 LISTEN_PID=1 exec "$0" --root "$1" run -b "$2" "$3" 3>&-' "$RT_BIN" "$ROOT" "$T/b" "$ID"
	[ "$output" = 0 ]
}

receive() {
	python3 "$BATS_TEST_DIRNAME/pidfd-recv.py" "$T/sock" "$T/received" 3>&- &
	helpers="$helpers $!"
	for _ in {1..1000}; do [ -S "$T/sock" ] && return; sleep 0.02; done
	false
}

dead() {
	: > "$T/sock.kill"
	for _ in {1..500}; do [ "$(rt state "$ID" | jq -r .status)" = stopped ] && return; sleep 0.02; done
	false
}

@test "--pidfd-socket of create, run and exec gives out the process, as runc's does" {
	rt_bundle b "$(rt_sh 'sleep 60')"
	for command in create "run -d"; do
		receive
		# shellcheck disable=SC2086 # two words
		rt $command --pidfd-socket "$T/sock" -b "$T/b" --pid-file "$T/pid" "$ID" > "$T/out" 2>&1
		wait_for "$T/received"
		[ "$(cat "$T/received")" = "standard $(cat "$T/pid")" ]
		dead
		rt delete "$ID"
		rm -f "$T/sock" "$T/sock.kill" "$T/received"
	done
	rt run -d -b "$T/b" "$ID" > "$T/out" 2>&1
	receive
	rt exec --pidfd-socket "$T/sock" -d --pid-file "$T/pid2" "$ID" sleep 50 > "$T/out" 2>&1
	wait_for "$T/received"
	[ "$(cat "$T/received")" = "setns $(cat "$T/pid2")" ]
	[ "$(rt state "$ID" | jq -r .status)" = running ]
}

@test "the annotation run.oci.pidfd_receiver does the same, as crun's does" {
	rt_bundle b "$(rt_sh 'sleep 60') | .annotations = {\"run.oci.pidfd_receiver\": \"$T/sock\"}"
	receive
	rt create -b "$T/b" --pid-file "$T/pid" "$ID" > "$T/out" 2>&1
	wait_for "$T/received"
	[[ "$(cat "$T/received")" == *" $(cat "$T/pid")" ]]
	dead
	rt delete "$ID"
	run rt create -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"pidfd socket: connect to socket '$T/sock'"* ]]
	[ ! -e "$ROOT/$ID" ]
}
