#!/usr/bin/env bats
# tests/integration/scheduler-hostile.bats: the control plane against clients that lie, pry and dawdle: see tests/cluster/hostile.py.

setup_file() {
	export WORK BIN
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/stube-hostile.XXXXXX")
	BIN=${BIN:-$PWD/build/bin}
	make_certificates "$WORK/certs" > "$WORK/openssl.log" 2>&1
	start_scheduler
}

start_scheduler() {
	mkdir -p "$WORK/run"
	chmod 700 "$WORK/run"
	# No agent stands behind the nodes: they must not be lost before the last client has gone.
	"$BIN/stube-scheduler" --store "$WORK/store.db" --socket "$WORK/run/s.sock" --listen 127.0.0.1:0 \
		--lease 3600 --cert "$WORK/certs/server.crt" --key "$WORK/certs/server.key" --client-ca "$WORK/certs/ca.crt" \
		--log "$WORK/log" --log-format json --log-level debug > "$WORK/stderr" 2>&1 3>&- 4>&- &
	echo $! > "$WORK/pid"
	for _ in $(seq 600); do
		grep -q '"ready"' "$WORK/log" 2> /dev/null && return
		sleep 0.1
	done
	cat "$WORK/stderr" "$WORK/log" >&2
	return 1
}

teardown() { [ ! -f "$BATS_TEST_TMPDIR/small/pid" ] || kill "$(cat "$BATS_TEST_TMPDIR/small/pid")" 2> /dev/null || true; }
teardown_file() {
	[ ! -f "$WORK/pid" ] || kill "$(cat "$WORK/pid")" 2> /dev/null || true
	rm -rf "$WORK"
}

# certificate NAME SUBJECT PURPOSE [CA [OPENSSL-OPTIONS]]
certificate() {
	local name=$1 subject=$2 purpose=$3 ca=${4:-ca}
	shift 3
	[ $# -eq 0 ] || shift
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -out "$name.csr" -subj "$subject"
	printf 'extendedKeyUsage=%s\nsubjectAltName=IP:127.0.0.1\n' "$purpose" > "$name.ext"
	openssl x509 -req -in "$name.csr" -CA "$ca.crt" -CAkey "$ca.key" -CAcreateserial -out "$name.crt" -extfile "$name.ext" "${@:--days=2}"
}

make_certificates() (
	mkdir -p "$1"
	cd "$1" || exit 1
	for ca in ca other; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $ca.key -out $ca.crt -days 2 -subj /CN=authority
	done
	certificate server /CN=scheduler serverAuth
	certificate admin /O=system:masters/CN=admin clientAuth
	certificate node-a /O=system:nodes/CN=system:node:a clientAuth
	certificate node-b /O=system:nodes/CN=system:node:b clientAuth
	certificate node-odd "/O=system:nodes/CN=system:node:A\/..\/b" clientAuth
	certificate viewer /O=stube:viewers/CN=v clientAuth
	certificate stranger /CN=system:node:a clientAuth
	certificate foreign /O=system:masters/CN=admin clientAuth other
	certificate as-server /O=system:masters/CN=admin serverAuth
	certificate two-names /O=system:masters/CN=admin/CN=system:node:a clientAuth
	certificate no-name /O=system:masters clientAuth
	certificate expired /O=system:masters/CN=admin clientAuth ca -days -1
	certificate itself /O=system:masters/CN=admin clientAuth
	openssl req -x509 -key itself.key -out itself.crt -days 2 -subj /O=system:masters/CN=admin
)

port() { jq -r 'select(.msg == "listening" and .port) | .port' "$WORK/log"; }

hostile() {
	run python3 tests/cluster/hostile.py "$1" "$WORK/run/s.sock" "$(port)" "$WORK/certs" "$(cat "$WORK/pid")"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "a node's certificate in the wrong hands opens nothing that is not its own" { hostile access; }

@test "a path and its query mean one thing, whatever is hidden in them" { hostile paths; }

@test "a body that is no object of its kind is refused with what is wrong in it" { hostile bodies; }

@test "who lists and then watches misses nothing, whatever others do meanwhile" { hostile watches; }

@test "what is no HTTP costs nobody else anything" { hostile wire; }

@test "only certificates of the authority, for clients, of one name, in force, open a TLS connection" { hostile tls; }

@test "idle, slow, huge and greedy clients cost bounded memory" { hostile bounds; }

@test "one host, without any certificate, leaves connections for the others" {
	mkdir "$BATS_TEST_TMPDIR/small"
	ln -s "$WORK/certs" "$BATS_TEST_TMPDIR/small/certs"
	WORK=$BATS_TEST_TMPDIR/small
	(
		ulimit -n 1024
		start_scheduler
	)
	hostile crowd
	kill "$(cat "$WORK/pid")"
}
