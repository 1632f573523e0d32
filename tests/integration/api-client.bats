#!/usr/bin/env bats
# The API's client against a server and an agent that lie, stall and break (tests/api/fake.py).
bats_require_minimum_version 1.5.0

certificate() { # NAME CN [AUTHORITY]
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2" &&
		openssl x509 -req -in "$1.csr" -CA "${3:-ca}.crt" -CAkey "${3:-ca}.key" -CAcreateserial -days 2 \
			-extfile <(echo "subjectAltName=IP:127.0.0.1") -out "$1.crt"
}
certificates() {
	local name
	for name in ca other; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.crt \
			-subj "/CN=$name" -days 2 || return
	done
	certificate server server && certificate admin admin && certificate stranger stranger other
}

setup_file() {
	export DIR ROOT
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	DIR=$(mktemp -d)
	cd "$DIR" || return
	certificates > openssl.log 2>&1 || { cat openssl.log; return 1; }
	# Standard error may be bats' own pipe; the server must not hold it open.
	/usr/bin/python3 "$ROOT/tests/api/fake.py" "$DIR" ca.crt server.crt server.key > out 2>&1 < /dev/null 3>&- &
	echo $! > pid
	for ((i = 0; i < 200; i++)); do
		[ ! -s ports ] || break
		sleep 0.05
	done
	export PLAIN TLS OTHER
	read -r PLAIN TLS OTHER < ports
	export DRIVER=${API_DRIVER:-$ROOT/build/release/tests/api/driver}
}

teardown_file() {
	kill "$(cat "$DIR/pid")"
	rm -rf "$DIR"
}

setup() {
	cd "$DIR" || return
}

# A configuration for a server; prints its name.
config() { # SERVER
	local name="$BATS_TEST_TMPDIR/config"
	printf 'apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: "%s"}}]\n' "$1" > "$name"
	printf 'contexts: [{name: c, context: {cluster: c}}]\n' >> "$name"
	echo "$name"
}
tls_config() { # CA CERTIFICATE [HOST] [KEY]
	local name="$BATS_TEST_TMPDIR/config" user=
	[ -z "$2" ] || user="client-certificate: $DIR/$2.crt, client-key: $DIR/${4:-$2}.key"
	cat > "$name" <<-CONFIG
		apiVersion: v1
		kind: Config
		clusters: [{name: c, cluster: {server: "https://${3:-127.0.0.1}:$TLS", certificate-authority: $DIR/$1.crt}}]
		contexts: [{name: c, context: {cluster: c, user: u}}]
		users: [{name: u, user: {$user}}]
	CONFIG
	echo "$name"
}
client() { # CONFIG COMMAND...
	run timeout 30 "$DRIVER" "$@"
}
# The client with a server that behaves so.
with() { # BEHAVIOUR COMMAND...
	client "$(config "http://127.0.0.1:$PLAIN/$1")" "${@:2}"
}
gives() { # STATUS OUTPUT, in which SERVER stands for its address
	local expected=${2//SERVER/http://127.0.0.1:$PLAIN}
	[ "$status" -eq "$1" ] && [ "$output" = "$expected" ] && return
	printf 'status %s, expected %s\n%s\nexpected:\n%s\n' "$status" "$1" "$output" "$expected"
	return 1
}
has() { # STATUS TEXT
	[ "$status" -eq "$1" ] && [[ "$output" == *"$2"* ]] && return
	printf 'status %s, expected %s and "%s"\n%s\n' "$status" "$1" "$2" "$output"
	return 1
}

# ---- requests ----

@test "api client: an object is got by its path, and fields of a newer server are passed over" {
	with truth get ns a
	gives 0 "got /a uid-a 3"
	grep -F "GET /truth/api/v1/namespaces/a agent=stube-test/1 accept=application/json" log
}

@test "api client: a name is one part of a path, whatever is in it" {
	with truth get ns 'a/b?c#d%'
	gives 0 "got /a/b?c#d% uid-a/b?c#d% 3"
	grep -F "/api/v1/namespaces/a%2Fb%3Fc%23d%25 " log
	with truth get ns ..
	gives 1 "EINVAL: '..' is not the name of a Namespace"
	with truth get ns ''
	gives 1 "EINVAL: '' is not the name of a Namespace"
}

@test "api client: creating, replacing, patching, deleting say what is meant" {
	printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: neu}\n' > "$BATS_TEST_TMPDIR/neu.yaml"
	with truth create "$BATS_TEST_TMPDIR/neu.yaml"
	gives 0 "created /neu uid-neu 50"
	with truth replace "$BATS_TEST_TMPDIR/neu.yaml"
	gives 0 "replaced /neu uid-neu 3"
	with truth patch ns neu '{"metadata":{"labels":{"a":"b"}}}'
	gives 0 "patched /neu uid-neu 3"
	with truth delete ns neu
	gives 0 ""
	grep -E 'POST /truth/api/v1/namespaces agent.* type=application/json .*\{"apiVersion":"v1","kind":"Namespace","metadata":\{"name":"neu"' log
	grep -E 'PUT /truth/api/v1/namespaces/neu agent.* type=application/json ' log
	grep -E 'PATCH /truth/api/v1/namespaces/neu agent.* type=application/merge-patch\+json .*\{"metadata":\{"labels":\{"a":"b"\}\}\}$' log
	grep -F '{"apiVersion":"v1","kind":"DeleteOptions","gracePeriodSeconds":5,"preconditions":{"uid":"u1"}}' log
}

@test "api client: failures keep the Status' code and name object and server" {
	with truth get ns gone
	gives 1 "ENOENT: Namespace 'gone': not found (SERVER/truth)"
	with forbidden get ns a
	gives 1 "EPERM: Namespace 'a': you may not (SERVER/forbidden)"
	with conflict patch deploy web '{}'
	gives 1 "ESTALE: Deployment 'web' in namespace 'default': it has changed (SERVER/conflict)"
	with invalid list pods
	gives 1 "EINVAL: Pods: spec.replicas: must not be negative (SERVER/invalid)"
	with text500 get ns a
	gives 1 "EIO: Namespace 'a': HTTP 500: <html>?[31mOops</html> (SERVER/text500)"
	with truth raw /nowhere
	gives 1 "ENOENT: '/nowhere': no such path (SERVER/truth)"
}

@test "api client: an answer that is not what was asked for is an error, not a crash" {
	with nojson get ns a
	gives 1 "EBADMSG: Namespace 'a': answer:1:22: premature EOF (SERVER/nojson)"
	with otherkind get ns a
	gives 1 "EBADMSG: Namespace 'x': answer:1:30: kind: expected Namespace, got Node (SERVER/otherkind)"
	with huge get ns a
	gives 1 "EFBIG: Namespace 'a': the body has more than 4194304 bytes (SERVER/huge)"
	with halfway get ns a
	has 1 "ECONNRESET: Namespace 'a': the connection was closed in the middle of the answer: "
	with notalist list ns
	gives 1 "EBADMSG: Namespaces: the server's answer is not a list (SERVER/notalist)"
}

@test "api client: a redirect is refused" {
	with elsewhere get ns a
	gives 1 "EPERM: Namespace 'a': answered with a redirect (307), which a server of the cluster must not (SERVER/elsewhere)"
	run grep -F "other - GET" log
	[ "$status" -eq 1 ]
}

@test "api client: nobody who listens is told with a hint on a local socket" {
	client "$(config "unix://$DIR/none.sock")" get ns a
	[ "$status" -eq 1 ]
	[[ "${lines[0]}" == "ENOENT: Namespace 'a': cannot connect: "*" (unix://$DIR/none.sock)" ]]
	[ "${lines[1]}" = 'hint: `stube up` starts a scheduler on this machine.' ]
}

@test "api client: lists come page by page, in smaller ones where objects are large" {
	with truth list ns
	gives 0 $'item /a uid-a 1\nitem /b uid-b 2\n2 at 10'
	with pages list ns
	gives 0 "1203 at 99"
	[ "$(grep -c 'GET /pages/api/v1/namespaces?limit=500' log)" -eq 3 ]
	grep -F '/pages/api/v1/namespaces?limit=500&continue=1000 ' log
	# 120 objects of 100 KB each are not one answer of 4 MiB.
	with fat list ns
	gives 0 "120 at 99"
	grep -F '/fat/api/v1/namespaces?limit=31&continue=93 ' log
}

@test "api client: connections are kept" {
	with pages list ns
	[ "$(grep '/pages/' log | tail -3 | grep -o 'peer=[0-9]*' | sort -u | wc -l)" -eq 1 ]
}

# ---- watches ----

@test "api watch: events come however their lines are cut, and unknown ones are passed over" {
	with events watch ns
	gives 0 $'ADDED /a uid-a 8\nBOOKMARK 9\nMODIFIED /a uid-a 10\nDELETED /a uid-a 11'
	grep -F '/events/api/v1/namespaces?watch=true&allowWatchBookmarks=true&resourceVersion=7&labelSelector=app%20in%20%28a%2C%20b%29 ' log
}

@test "api watch: what breaks it is told after the events before" {
	with expired watch ns
	gives 1 $'ADDED /a uid-a 8\nEKEYEXPIRED: Namespaces: too old (SERVER/expired)'
	with torn watch ns
	has 1 $'ADDED /a uid-a 8\nECONNRESET: Namespaces: the connection was closed in the middle of the answer: '
	with unended watch ns
	gives 1 "ECONNRESET: Namespaces: the watch ended in the middle of an event (SERVER/unended)"
	with garbage watch ns
	gives 1 "EBADMSG: Namespaces: the server sent what is no event (SERVER/garbage)"
	with notjson watch ns
	has 1 "EBADMSG: Namespaces: answer:1:2: invalid char"
	with text500 watch ns
	has 1 "EIO: Namespaces: HTTP 500"
}

@test "api watch: a line without end costs bounded memory" {
	run bash -c "ulimit -v 600000; timeout 30 '$DRIVER' '$(config "http://127.0.0.1:$PLAIN/longline")' watch ns"
	gives 1 "EFBIG: Namespaces: the server sent an event too large: text grows over its limit of 2097152 bytes (SERVER/longline)"
}

@test "api watch: cancelling ends a silent and a dribbling watch" {
	with silent watch ns 1
	gives 1 $'ADDED /a uid-a 8\nECANCELED: Namespaces: cancelled (SERVER/silent)'
	with dribble watch ns 1
	gives 1 "ECANCELED: Namespaces: cancelled (SERVER/dribble)"
}

@test "api follow: after every break the whole is known again, by what has changed" {
	with story follow ns 12
	has 0 "trouble: Namespaces: the connection was closed in the middle of the answer: "
	grep -v '^trouble' <<< "$output" > "$BATS_TEST_TMPDIR/told"
	# First list, a watch that tears, one that goes on and expires, a new list: b is gone, c is another, d is new.
	diff "$BATS_TEST_TMPDIR/told" - <<-'TOLD'
		ADDED /a uid-a 1
		ADDED /b uid-b 2
		SYNCED 10
		MODIFIED /a uid-a 11
		ADDED /c uid-c 12
		DELETED /c uid-c 12
		ADDED /c another 13
		ADDED /d uid-d 14
		DELETED /b uid-b 2
		BOOKMARK 25
		ADDED /e uid-e 26
		DELETED /a uid-a 27
	TOLD
	[ "$(grep -c '^trouble: over' <<< "$output")" -eq 2 ]
	# Where it went on.
	grep '/story/' log | grep -o 'namespaces?[^ ]*' | head -6 | diff - <(
		echo 'namespaces?limit=500'
		echo 'namespaces?watch=true&allowWatchBookmarks=true&resourceVersion=10'
		echo 'namespaces?watch=true&allowWatchBookmarks=true&resourceVersion=11'
		echo 'namespaces?limit=500'
		echo 'namespaces?watch=true&allowWatchBookmarks=true&resourceVersion=20'
		echo 'namespaces?watch=true&allowWatchBookmarks=true&resourceVersion=25'
	)
}

@test "api follow: a server in trouble is asked again, and its recovery told" {
	with troubled follow ns 2
	gives 0 "trouble: Namespaces: disk on fire (SERVER/troubled)
trouble: Namespaces: disk on fire (SERVER/troubled)
trouble: over
SYNCED 10
trouble: Namespaces: starting (SERVER/troubled)
trouble: over
ADDED /a uid-a 11"
}

@test "api follow: a server that ends every watch at once is not asked in a loop" {
	with hurried follow ns 99 2
	gives 1 $'SYNCED 10\nECANCELED: cancelled'
	[ "$(grep -c '/hurried/.*watch=true' log)" -le 6 ]
}

@test "api follow: what no retry heals ends it; cancelling does at once" {
	with forbidden follow ns
	gives 1 "EPERM: Namespaces: you may not (SERVER/forbidden)"
	with text500 follow ns 9 1
	has 1 "ECANCELED: cancelled"
}

# ---- who is who ----

@test "api client: server and client show certificates of the cluster's authority" {
	client "$(tls_config ca admin)" get ns a
	gives 0 "got /a uid-a 3"
	grep -F "tls admin GET /api/v1/namespaces/a " log
}

@test "api client: another authority, another name, a missing or foreign certificate are refused" {
	client "$(tls_config other admin)" get ns a
	has 1 "EKEYREJECTED: Namespace 'a': the server's certificate is not trusted: "
	client "$(tls_config ca admin localhost)" get ns a
	has 1 "EKEYREJECTED: Namespace 'a': the server's certificate is not trusted: "
	client "$(tls_config ca '')" get ns a
	has 1 "EKEYREJECTED: Namespace 'a': the server wants another client certificate, or one at all: "
	client "$(tls_config ca admin 127.0.0.1 stranger)" get ns a
	has 1 "EKEYREJECTED: Namespace 'a': the client certificate cannot be used: "
	client "$(tls_config ca stranger)" get ns a
	has 1 "EKEYREJECTED: Namespace 'a': the server wants another client certificate, or one at all: "
	run grep -F "tls stranger" log
	[ "$status" -eq 1 ]
}

@test "api client: where a cluster names its authority, the system's authorities count for nothing" {
	[ "$(id -u)" -eq 0 ] && [ -d /etc/ssl/certs ] || skip "needs root to replace /etc/ssl/certs for a moment"
	# A machine that trusts the server's authority.
	mkdir "$BATS_TEST_TMPDIR/certs"
	cp ca.crt "$BATS_TEST_TMPDIR/certs/ca-certificates.crt"
	cp ca.crt "$BATS_TEST_TMPDIR/certs/$(openssl x509 -hash -noout -in ca.crt).0"
	inside() {
		run unshare -m sh -c 'mount --bind "$1" /etc/ssl/certs && shift && exec timeout 30 "$@"' sh \
			"$BATS_TEST_TMPDIR/certs" "$DRIVER" "$@"
	}
	local config
	config=$(tls_config ca admin)
	sed -i 's/, certificate-authority: [^}]*//' "$config"
	inside "$config" get ns a
	gives 0 "got /a uid-a 3"
	inside "$(tls_config other admin)" get ns a
	has 1 "EKEYREJECTED: Namespace 'a': the server's certificate is not trusted: "
}

@test "api client: the proxy of the environment is not asked" {
	export https_proxy=http://127.0.0.1:1 all_proxy=http://127.0.0.1:1 http_proxy=http://127.0.0.1:1
	client "$(tls_config ca admin)" get ns a
	gives 0 "got /a uid-a 3"
}

@test "api client: a Unix socket is a server like any" {
	client "$(config "unix://$DIR/scheduler.sock")" get ns a
	gives 0 "got /a uid-a 3"
	grep -F "scheduler.sock - GET /api/v1/namespaces/a " log
}

# ---- logs and commands ----

@test "api log: comes from the agent of the Pod's node, with the same certificates" {
	client "$(tls_config ca admin)" log web
	gives 0 $'line of default/web/main\nline of default/web/main\nline of default/web/main'
	grep -F 'tls admin GET /containerLogs/default/web/main?timestamps=true&tailLines=3 ' log
	client "$(tls_config ca admin)" log gone
	gives 1 "ENOENT: Pod 'gone' in namespace 'default': no such Pod here (agent of node 'node1', https://127.0.0.1:$TLS)"
}

@test "api log: a Pod without node, a node without agent, a container too many are told" {
	client "$(tls_config ca admin)" log unbound
	gives 1 "EAGAIN: Pod 'unbound' in namespace 'default': is on no node yet (https://127.0.0.1:$TLS)"
	client "$(tls_config ca admin)" log silent
	gives 1 "EHOSTUNREACH: Pod 'silent' in namespace 'default': the agent of node 'silent' has not told yet where it listens (https://127.0.0.1:$TLS)"
	client "$(tls_config ca admin)" log two
	gives 1 "EINVAL: Pod 'two' in namespace 'default': has several containers: say which of 'a', 'b' (https://127.0.0.1:$TLS)"
	client "$(tls_config ca admin)" log two c
	gives 1 "ENOENT: Pod 'two' in namespace 'default': has no container 'c', only 'a', 'b' (https://127.0.0.1:$TLS)"
	client "$(tls_config ca admin)" log two b
	has 0 "line of default/two/b"
}

@test "api log: without a certificate this machine's agent is asked by its socket" {
	STUBE_RUN=$DIR client "$(config "unix://$DIR/scheduler.sock")" log web
	has 0 "line of default/web/main"
	grep -F 'agent.sock - GET /containerLogs/default/web/main' log
	STUBE_RUN=$DIR client "$(config "unix://$DIR/scheduler.sock")" log gone
	gives 1 "ENOENT: Pod 'gone' in namespace 'default': no such Pod here (agent of this machine, unix://$DIR/agent.sock)"
	STUBE_RUN=/nonexistent client "$(config "unix://$DIR/scheduler.sock")" log web
	gives 1 "EHOSTUNREACH: Pod 'web' in namespace 'default': the agent of node 'node1' wants a certificate, which this configuration lacks, and there is no agent on this machine (unix://$DIR/scheduler.sock)
hint: \`stube pki issue admin\` makes a configuration with one; name it by --config."
}

@test "api node: plain paths of an agent, of another machine's only with a certificate" {
	client "$(tls_config ca admin)" node /metrics
	gives 0 "up 1"
	STUBE_RUN=$DIR client "$(config "unix://$DIR/scheduler.sock")" node /metrics
	has 1 "EHOSTUNREACH: Node 'node1': is another machine, whose agent wants a certificate, which this configuration lacks"
}

@test "api exec: output, error output and exit code are the command's" {
	run --separate-stderr timeout 30 "$DRIVER" "$(tls_config ca admin)" exec three sh -c 'exit 3'
	[ "$status" -eq 3 ]
	[ "$output" = out ]
	# shellcheck disable=SC2154 # set by run
	[ "$stderr" = wrong ]
	grep -F 'tls admin GET /exec/default/three/main?command=sh&command=-c&command=exit%203&stdout=true&stderr=true ' log
}

@test "api exec: messages in pieces are put together, pings answered" {
	client "$(tls_config ca admin)" exec pieces x
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "one two three" ]
	[ ${#lines[1]} -eq 300000 ]
}

@test "api exec: input far larger than any buffer comes through, and so does its end" {
	head -c 20000000 /dev/urandom > "$BATS_TEST_TMPDIR/input"
	timeout 60 "$DRIVER" "$(tls_config ca admin)" exec -i echo cat < "$BATS_TEST_TMPDIR/input" > "$BATS_TEST_TMPDIR/output"
	cmp "$BATS_TEST_TMPDIR/input" "$BATS_TEST_TMPDIR/output"
	printf 'kurz\n' | STUBE_RUN=$DIR timeout 30 "$DRIVER" "$(config "unix://$DIR/scheduler.sock")" exec -i echo cat > "$BATS_TEST_TMPDIR/output"
	[ "$(cat "$BATS_TEST_TMPDIR/output")" = kurz ]
}

@test "api exec: an agent that refuses, lies or goes away is told" {
	local at="(agent of node 'node1', https://127.0.0.1:$TLS)" c
	c=$(tls_config ca admin)
	client "$c" exec gone x
	gives 1 "ENOENT: Pod 'gone' in namespace 'default': no such Pod here $at"
	client "$c" exec notfound x
	gives 1 "EBADMSG: Pod 'notfound' in namespace 'default': exec: 'x': no such file or directory $at"
	client "$c" exec impostor x
	gives 1 "EPROTO: Pod 'impostor' in namespace 'default': the answer belongs to another request $at"
	client "$c" exec oldest x
	gives 1 "EPROTO: Pod 'oldest' in namespace 'default': the server does not speak v5.channel.k8s.io $at"
	client "$c" exec closed x
	gives 1 "begin
ECONNRESET: Pod 'closed' in namespace 'default': the connection was closed before the command's end was told $at"
	client "$c" exec torn x
	has 1 "begin
ECONNRESET: Pod 'torn' in namespace 'default': the connection "
	client "$c" exec masked x
	gives 1 "EPROTO: Pod 'masked' in namespace 'default': not a WebSocket: frame of a server with a mask $at"
	client "$c" exec toolong x
	gives 1 "EFBIG: Pod 'toolong' in namespace 'default': a message of more than 1048576 bytes $at"
}

@test "api exec: leaves when nobody reads its output any more" {
	set -o pipefail
	run bash -c "timeout 30 '$DRIVER' '$(tls_config ca admin)' exec endless yes | head -c 100000 | wc -c; echo \${PIPESTATUS[0]}"
	[ "$output" = $'100000\n141' ]
}

@test "api exec: the terminal is raw meanwhile, its size told, and given back at the end and on a signal" {
	run timeout 60 /usr/bin/python3 "$ROOT/tests/api/terminal.py" "$DRIVER" "$(tls_config ca admin)"
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	[ "$output" = ok ]
}
