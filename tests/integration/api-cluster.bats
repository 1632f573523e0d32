#!/usr/bin/env bats
# The API's client (tests/api/driver.c) against a real scheduler and a real agent, by sockets and by TLS.
bats_require_minimum_version 1.5.0
load agent

setup() {
	cluster_setup
	DRIVER=${API_DRIVER:-$PWD/build/release/tests/api/driver}
	config local "unix://$SOCKET"
}
teardown() { cluster_teardown; }

config() { # NAME SERVER [CERTIFICATE]
	cat > "$WORK/$1.conf" <<-END
		apiVersion: v1
		kind: Config
		clusters: [{name: c, cluster: {server: "$2"${3:+, certificate-authority: "$WORK/ca.crt"}}}]
		users: [{name: u, user: {${3:+client-certificate: "$WORK/$3.crt", client-key: "$WORK/$3.key"}}}]
		contexts: [{name: x, context: {cluster: c, user: u}}]
	END
}
client() { # CONFIG COMMAND...
	timeout 60 "$DRIVER" "$WORK/$1.conf" "${@:2}"
}
told() { grep -qE "$1" "$WORK/told"; }

# A TLS listener of scheduler and agent; certificates of one authority.
issue() { # NAME SUBJECT USAGE
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/$1.key" -out "$WORK/$1.csr" -subj "$2" &&
		openssl x509 -req -in "$WORK/$1.csr" -CA "$WORK/ca.crt" -CAkey "$WORK/ca.key" -CAcreateserial -days 2 \
			-out "$WORK/$1.crt" -extfile <(printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=%s\n' "$3")
}
tls_setup() {
	{
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/ca.key" -out "$WORK/ca.crt" \
			-days 2 -subj "/CN=test" &&
			issue server "/CN=scheduler" serverAuth &&
			issue node "/O=system:nodes/CN=system:node:one" serverAuth,clientAuth &&
			issue admin "/O=system:masters/CN=anna" clientAuth &&
			issue viewer "/O=stube:viewers/CN=vera" clientAuth
	} > "$WORK/openssl.log" 2>&1 || { cat "$WORK/openssl.log"; return 1; }
	scheduler_kill
	"$BIN/stube-scheduler" --store "$WORK/store.db" --socket "$SOCKET" --listen 127.0.0.1:0 \
		--cert "$WORK/server.crt" --key "$WORK/server.key" --client-ca "$WORK/ca.crt" >> "$WORK/scheduler.log" 2>&1 3>&- 4>&- &
	# shellcheck disable=SC2034 # of agent.bash
	SCHEDULER=$!
	eventually api GET /readyz
	local port who
	port=$(grep -oE 'listening address=127\.0\.0\.1:0 port=[0-9]+' "$WORK/scheduler.log" | grep -oE '[0-9]+$')
	for who in node admin viewer; do config $who "https://127.0.0.1:$port" $who; done
}

@test "api client: writes and reads of the real scheduler" {
	printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: amt}\n' > "$WORK/amt.yaml"
	run client local create "$WORK/amt.yaml"
	[[ "$status" -eq 0 && "$output" == "created /amt "* ]]
	run client local create "$WORK/amt.yaml"
	[ "$output" = "EEXIST: Namespace 'amt': already exists (unix://$SOCKET)" ]
	run client local get ns nobody
	[ "$output" = "ENOENT: Namespace 'nobody': not found (unix://$SOCKET)" ]
	run client local patch ns amt '{"metadata":{"labels":3}}'
	[[ "$output" == "EINVAL: Namespace 'amt': "*"metadata.labels: expected object, got number (unix://$SOCKET)" ]]
	run client local delete ns amt # of another uid
	[[ "$output" == "ESTALE: Namespace 'amt': "* ]]
	run client local list nosuch
	[ "$output" = "EINVAL: no kind 'nosuch'" ]
	run client local raw /readyz
	[ "$output" = ok ]
}

@test "api client: lists of many pages are whole" {
	for i in $(seq 1 620); do
		[ "$i" = 1 ] || echo ---
		printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: n%s}\n' "$i"
	done > "$WORK/many.yaml"
	client local create "$WORK/many.yaml" > "$WORK/created"
	[ "$(wc -l < "$WORK/created")" -eq 620 ]
	[[ "$(client local list ns)" == "622 at "* ]]
}

@test "api follow: a scheduler that is killed is followed over its death, and nothing is missed" {
	"$DRIVER" "$WORK/local.conf" follow ns > "$WORK/told" 2> "$WORK/troubles" 3>&- 4>&- &
	# shellcheck disable=SC2034 # ended by agent.bash
	RELAY=$!
	eventually told '^SYNCED'
	printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: amt}\n' > "$WORK/amt.yaml"
	client local create "$WORK/amt.yaml"
	eventually told '^ADDED /amt '
	scheduler_kill
	scheduler_start
	client local patch ns amt '{"metadata":{"labels":{"a":"b"}}}'
	eventually told '^MODIFIED /amt '
	grep -q '^trouble: over' "$WORK/troubles"
	# Nothing is told twice.
	[ "$(grep -c '^ADDED' "$WORK/told")" -eq "$(grep '^ADDED' "$WORK/told" | sort -u | wc -l)" ]
}

@test "api log, api exec: of a Pod on this machine, by the agent's socket" {
	agent_start
	eventually node_ready
	apply web 'echo eins; echo zwei; exec sleep 1000'
	eventually runs web
	logged() { [ "$(client local log web | cut -d' ' -f2)" = $'eins\nzwei' ]; }
	eventually logged
	run client local exec web sh -c 'echo out; echo wrong >&2; exit 7'
	[ "$status" -eq 7 ]
	[[ "$output" == *out* && "$output" == *wrong* ]]
	head -c 3000000 /dev/urandom > "$WORK/big"
	client local exec -i web cat < "$WORK/big" > "$WORK/back"
	cmp "$WORK/big" "$WORK/back"
	run client local exec web /nope
	[ "$status" -eq 1 ]
	[[ "$output" == *"Pod 'web' in namespace 'default': "*"no such file or directory (agent of this machine, unix://$STUBE_RUN/agent.sock)" ]]
	run client local log web other
	[ "$output" = "ENOENT: Pod 'web' in namespace 'default': has no container 'other', only 'main' (unix://$SOCKET)" ]
}

@test "api log, api exec: of a Pod anywhere, by TLS, as far as the certificate allows" {
	tls_setup
	agent_start --config "$WORK/node.conf" --listen 127.0.0.1:0 --address 127.0.0.1
	eventually node_ready
	apply web 'echo eins; exec sleep 1000'
	eventually runs web
	logged() { [ "$(client viewer log web | cut -d' ' -f2)" = eins ]; }
	eventually logged
	[ "$(client admin exec web echo hallo)" = hallo ]
	run client viewer exec web echo hallo
	[ "$status" -eq 1 ]
	[[ "$output" == "EPERM: Pod 'web' in namespace 'default': "*"may not"*"(agent of node 'one', https://127.0.0.1:"* ]]
	run client viewer delete ns default
	[[ "$output" == "EPERM: Namespace 'default': "* ]]
	run client viewer node /metrics
	[[ "$output" == "ENOENT: Node 'node1': not found (https://127.0.0.1:"* ]]
}
