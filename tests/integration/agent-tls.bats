#!/usr/bin/env bats
# tests/integration/agent-tls.bats: node and scheduler over TLS: who may ask a node for what, renewed certificates.
load agent

# issue NAME SUBJECT USAGE [DAYS]: a certificate of the authority for 127.0.0.1.
issue() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/$1.key" -out "$WORK/$1.csr" -subj "$2" \
		2> /dev/null
	openssl x509 -req -in "$WORK/$1.csr" -CA "$WORK/ca.crt" -CAkey "$WORK/ca.key" -CAcreateserial -days "${4:-2}" \
		-out "$WORK/$1.crt" -extfile <(printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=%s\n' "$3") 2> /dev/null
}

agent_config() {
	cat > "$WORK/agent.conf.new" <<-END
		apiVersion: v1
		kind: Config
		clusters: [{name: c, cluster: {server: "https://127.0.0.1:$PORT", certificate-authority: "$WORK/ca.crt"}}]
		users: [{name: u, user: {client-certificate: "$WORK/$1.crt", client-key: "$WORK/$1.key"}}]
		contexts: [{name: x, context: {cluster: c, user: u}}]
		current-context: x
	END
	chmod 600 "$WORK/agent.conf.new"
	mv "$WORK/agent.conf.new" "$WORK/agent.conf"
}

setup() {
	LEASE=6
	cluster_setup
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/ca.key" -out "$WORK/ca.crt" -days 2 \
		-subj "/CN=test" 2> /dev/null
	issue server "/CN=scheduler" serverAuth
	issue node "/O=system:nodes/CN=system:node:one" serverAuth,clientAuth
	issue admin "/O=system:masters/CN=anna" clientAuth
	issue viewer "/O=stube:viewers/CN=vera" clientAuth
	issue other "/O=system:nodes/CN=system:node:two" clientAuth
	scheduler_kill
	"$BIN/stube-scheduler" --store "$WORK/store.db" --socket "$SOCKET" --lease "$LEASE" --listen 127.0.0.1:0 \
		--cert "$WORK/server.crt" --key "$WORK/server.key" --client-ca "$WORK/ca.crt" >> "$WORK/scheduler.log" 2>&1 3>&- 4>&- &
	SCHEDULER=$!
	eventually api GET /readyz
	PORT=$(grep -oE 'listening address=127\.0\.0\.1:0 port=[0-9]+' "$WORK/scheduler.log" | grep -oE '[0-9]+$')
	agent_config node
	agent_start --config "$WORK/agent.conf" --listen 127.0.0.1:0 --address 127.0.0.1
	eventually node_ready
	AGENT_PORT=$(api GET "$NODES/one" | jq .status.daemonEndpoints.kubeletEndpoint.Port)
}
teardown() { cluster_teardown; }

# as NAME PATH: status code and body of the agent's answer.
as() {
	local who=()
	[ "$1" = nobody ] || who=(--cert "$WORK/$1.crt" --key "$WORK/$1.key")
	curl -sS --max-time 30 --cacert "$WORK/ca.crt" "${who[@]}" -w '%{http_code}' "https://127.0.0.1:$AGENT_PORT$2"
}
exec_as() {
	timeout 60 python3 tests/integration/exec-client.py "127.0.0.1:$AGENT_PORT" "/exec/default/web/main?command=echo&command=hello" \
		"$WORK/ca.crt" "$WORK/$1.crt" "$WORK/$1.key"
}

@test "a node serves logs and commands with its certificate, to whom the groups allow it" {
	apply web 'echo hello; exec sleep 1000'
	eventually runs web
	logged() { [ "$(agent_get /containerLogs/default/web/main)" = hello ]; }
	eventually logged
	log=/containerLogs/default/web/main
	[ "$(as admin $log)" = "$(printf 'hello\n200')" ]
	[ "$(as viewer $log)" = "$(printf 'hello\n200')" ]
	[ "$(exec_as admin)" = hello ]
	run exec_as viewer
	[ "$status" = 125 ]
	[[ "$output" == "403 "*"'vera' may not ask this node for that"* ]]
	run as other $log
	[[ "$output" == *"'system:node:two' may not ask this node for that"*403 ]]
	run as nobody $log
	[[ "$output" == *"who are you? a client certificate is needed"*401 ]]
	run as nobody /healthz
	[[ "$output" == *401 ]]
	[[ "$(as viewer /metrics)" == *200 ]]
	[[ "$(as viewer /pods)" == *200 ]]
}

@test "a certificate of another authority ends the handshake" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/wrong.key" -out "$WORK/wrong.crt" \
		-days 2 -subj "/O=system:masters/CN=eve" 2> /dev/null
	run as wrong /healthz
	[ "$status" -ne 0 ]
	[[ "$output" == *000 ]]
}

@test "renewed certificates are used without a restart" {
	serial() { openssl s_client -connect "127.0.0.1:$AGENT_PORT" < /dev/null 2> /dev/null | openssl x509 -noout -serial; }
	old=$(serial)
	issue node2 "/O=system:nodes/CN=system:node:one" serverAuth,clientAuth
	agent_config node2
	renewed() { [ "$(serial)" != "$old" ]; }
	eventually renewed
	[ "$(serial)" = "$(openssl x509 -noout -serial -in "$WORK/node2.crt")" ]
	grep -q 'read the configuration again' "$WORK/agent.log"
	apply web 'exec sleep 1000'
	eventually runs web
}

@test "the metrics' plain port answers only health and metrics" {
	agent_end
	"$BIN/stube-agent" --name one --config "$WORK/agent.conf" --listen 127.0.0.1:0 --address 127.0.0.1 \
		--metrics 127.0.0.1:0 --log "$WORK/log.json" --log-format json --debug 3>&- 4>&- &
	AGENT=$!
	eventually agent_get /readyz
	METRICS=127.0.0.1:$(jq -r 'select(.msg == "listening" and .what == "metrics") | .port' "$WORK/log.json")
	[ "$(curl -sS "http://$METRICS/healthz")" = ok ]
	curl -sS "http://$METRICS/metrics" > "$WORK/metrics"
	python3 tests/integration/metrics-check.py "$WORK/metrics"
	run curl -sS -w '%{http_code}' "http://$METRICS/pods"
	[[ "$output" == *404 ]]
}

@test "a node may not speak for another one" {
	agent_end
	agent_config other
	"$BIN/stube-agent" --name one --config "$WORK/agent.conf" --listen 127.0.0.1:0 --address 127.0.0.1 \
		>> "$WORK/agent.log" 2>&1 3>&- 4>&- &
	AGENT=$!
	refused() { grep -q "register node 'one': .*system:node:two" "$WORK/agent.log"; }
	eventually refused
}
