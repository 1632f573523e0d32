#!/usr/bin/env bats
# What the scheduler promises when it is killed, when the disk is full, and when clients are slow or too many.

load scheduler
setup() { scheduler_setup; }
teardown() {
	[ -z "${WRITER:-}" ] || kill "$WRITER" 2> /dev/null || true
	scheduler_teardown
}

@test "kill -9 in the middle of writes, ten rounds: each object that was accepted is there" {
	cat > "$T/writer.py" <<-'EOF'
	# Four clients that make Leases as fast as they can; names of those that were accepted go to a file.
	import http.client, json, socket, sys, threading
	path, out, tag = sys.argv[1:4]
	def run(worker):
	    done = open("%s.%d" % (out, worker), "a", buffering=1)
	    try:
	        c = http.client.HTTPConnection("localhost")
	        c.sock = socket.socket(socket.AF_UNIX)
	        c.sock.connect(path)
	        for i in range(100000):
	            name = "%s-%d-%d" % (tag, worker, i)
	            c.request("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", json.dumps(
	                {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}}),
	                {"Content-Type": "application/json"})
	            r = c.getresponse()
	            body = json.loads(r.read())
	            if r.status == 201:
	                done.write(name + " " + body["metadata"]["uid"] + "\n")
	    except (OSError, http.client.HTTPException, ValueError):
	        pass
	threads = [threading.Thread(target=run, args=(w,)) for w in range(4)]
	for t in threads: t.start()
	for t in threads: t.join()
	EOF
	local round i before=0
	for round in {1..10}; do
		python3 "$T/writer.py" "$T/s.sock" "$T/done" "r$round" 3>&- &
		WRITER=$!
		# Somewhere in the middle: after so many were accepted.
		for ((i = 0; i < 400; i++)); do
			[ "$(cat "$T"/done.* 2> /dev/null | wc -l)" -ge $((before + 20 + RANDOM % 60)) ] && break
			sleep 0.02
		done
		scheduler_stop KILL
		wait "$WRITER" 2> /dev/null || true
		WRITER=
		before=$(cat "$T"/done.* | wc -l)
		scheduler_start
	done
	want 200 GET "$LEASES"
	jq -r '.items[].metadata | .name + " " + .uid' "$BODY" | sort > "$T/there"
	sort "$T"/done.* > "$T/accepted"
	[ "$(wc -l < "$T/accepted")" -ge 200 ]
	[ -z "$(comm -23 "$T/accepted" "$T/there")" ]
	# At most what was on its way when it was killed is there beyond that: one of each client in each round.
	[ "$(comm -13 "$T/accepted" "$T/there" | wc -l)" -le 40 ]
}

@test "a full disk refuses writes with 507, reads and watches go on, and with room writes are taken again" {
	[ "$(id -u)" -eq 0 ] || skip "needs root to mount a small disk"
	scheduler_stop
	mkdir "$T/disk"
	# In a mount namespace of its own, so that nothing is left behind however this ends.
	ASAN_OPTIONS=log_path=$T/asan unshare -m --propagation private bash -c '
		mount -t tmpfs -o size=2m tmpfs "$1/disk" && exec "$2" --store "$1/disk/store.db" --socket "$1/s.sock" --log-format json' \
		_ "$T" "$SCHEDULER" 2>> "$T/log" 3>&- &
	echo $! > "$T/pid"
	scheduler_wait
	send 201 POST "$LEASES" "$(lease first)"
	local i code accepted=0
	lease big ".metadata.annotations.big = \"$(head -c 100000 /dev/zero | tr '\0' x)\"" > "$T/big.json"
	for ((i = 0; i < 100; i++)); do
		code=$(jq -c ".metadata.name = \"big-$i\"" "$T/big.json" | curl -s -m 30 -o "$T/body" -w '%{http_code}' \
			--unix-socket "$T/s.sock" -H 'Content-Type: application/json' --data-binary @- "http://localhost$LEASES")
		[ "$code" = 201 ] || break
		accepted=$((accepted + 1))
	done
	[ "$code" = 507 ]
	BODY=$T/body
	is .reason InsufficientStorage
	want 200 GET "$LEASES/first"
	want 503 GET /readyz
	want 200 GET /livez
	want 200 GET "$LEASES?watch=true&timeoutSeconds=1"
	want 200 GET /metrics
	grep -q '^stube_store_full 1' "$BODY"
	# All that was accepted, nothing that was refused.
	want 200 GET "$LEASES"
	is '.items | length' $((accepted + 1))
	nsenter -t "$(< "$T/pid")" -m mount -o remount,size=16m "$T/disk"
	send 201 POST "$LEASES" "$(lease after)"
	want 200 GET /readyz
	want 200 GET "$LEASES"
	is '.items | length' $((accepted + 2))
}

@test "clients that send slowly or not at all do not keep others waiting" {
	cat > "$T/slow.py" <<-'EOF'
	import socket, sys, time
	socks = []
	for i in range(100):
	    s = socket.socket(socket.AF_UNIX)
	    s.connect(sys.argv[1])
	    if i % 3 == 0:
	        s.sendall(b"POST /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{")
	    elif i % 3 == 1:
	        s.sendall(b"GET /api/v1/po")
	    socks.append(s)
	open(sys.argv[1] + ".there", "w")
	time.sleep(60)
	EOF
	python3 "$T/slow.py" "$T/s.sock" 3>&- &
	WRITER=$!
	local i
	for ((i = 0; i < 200; i++)); do [ -e "$T/s.sock.there" ] && break; sleep 0.05; done
	send 201 POST "$LEASES" "$(lease quick)"
	want 200 GET "$LEASES/quick"
	want 200 GET /metrics
	[ "$(sed -n 's/^stube_connections //p' "$BODY")" -ge 100 ]
}

@test "a second scheduler on the same store is refused, and the first goes on" {
	run timeout 10 "$SCHEDULER" --store "$T/store.db" --socket "$T/other.sock"
	[ "$status" -eq 1 ]
	[[ $output == *"process $(< "$T/pid") has it open" ]] || { echo "$output"; false; }
	want 200 GET /readyz
}

@test "TERM ends the scheduler after what was accepted is safe, with status 0" {
	send 201 POST "$LEASES" "$(lease last)"
	local pid
	pid=$(< "$T/pid")
	curl -sN -m 30 --unix-socket "$T/s.sock" "http://localhost$LEASES?watch=true" > "$T/watch" 3>&- &
	WRITER=$!
	kill "$pid"
	wait "$pid"
	wait "$WRITER" || true
	WRITER=
	[ ! -e "$T/s.sock" ]
	scheduler_start
	want 200 GET "$LEASES/last"
}

@test "the service manager is told when it is ready and when it ends" {
	scheduler_stop
	python3 - "$T/notify" "$T/told" 3>&- <<-'EOF' &
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind(sys.argv[1])
	s.settimeout(30)
	with open(sys.argv[2], "w", buffering=1) as out:
	    while True:
	        text = s.recv(4096).decode()
	        out.write(text + "\n")
	        if "STOPPING=1" in text:
	            break
	EOF
	WRITER=$!
	local i
	for ((i = 0; i < 100; i++)); do [ -S "$T/notify" ] && break; sleep 0.05; done
	NOTIFY_SOCKET=$T/notify scheduler_start
	for ((i = 0; i < 100; i++)); do grep -q '^READY=1' "$T/told" && break; sleep 0.05; done
	grep -q '^READY=1' "$T/told"
	scheduler_stop INT
	wait "$WRITER"
	WRITER=
	grep -q '^STOPPING=1' "$T/told"
	scheduler_start
}

@test "a stale socket of a killed scheduler is replaced; another file of that name is not" {
	scheduler_stop KILL
	[ -S "$T/s.sock" ]
	scheduler_start
	touch "$T/file"
	run timeout 10 "$SCHEDULER" --store "$T/second.db" --socket "$T/file"
	[ "$status" -eq 1 ]
	[[ $output == *"socket '$T/file': another file has that name"* ]]
}

@test "wrong options are named, with status 2" {
	local args message
	while IFS='|' read -r args message; do
		# shellcheck disable=SC2086
		run timeout 10 "$SCHEDULER" $args
		[ "$status" -eq 2 ]
		[ "$output" = "error: $message" ] || { echo "$output"; false; }
	done <<-'EOF'
	--listen 127.0.0.1:0|--listen needs --cert, --key and --client-ca
	--cert a --key b --client-ca c|--cert, --key and --client-ca need --listen
	--no-socket|--no-socket needs --listen: nobody could reach the scheduler
	--no-socket --socket a|give one of --socket, --no-socket
	--lease 0|--lease: must be 1 second to 1 hour
	EOF
	touch "$T/file"
	run timeout 10 "$SCHEDULER" --store "$T/file/store.db" --socket "$T/x.sock"
	[ "$status" -eq 1 ]
	[[ $output == *"$T/file"* ]]
}

@test "the manual names options, environment, files and exit status" {
	run timeout 10 "$SCHEDULER" --print-man
	[ "$status" -eq 0 ]
	local word
	for word in client\\-ca STUBE_DATA NOTIFY_SOCKET store.db 'EXIT STATUS' system:masters; do
		[[ $output == *"$word"* ]] || { echo "no $word"; false; }
	done
	if command -v mandoc > /dev/null; then "$SCHEDULER" --print-man | mandoc -Tlint -W warning; fi
	"$SCHEDULER" --help | grep -q -- '--lease SECONDS'
}
