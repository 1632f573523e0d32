#!/usr/bin/env bats
# kubectl, as it comes, against the scheduler over TLS.

load scheduler

setup_file() {
	kubectl version --client > /dev/null 2>&1 || skip "kubectl is not installed"
	export T
	T=$(mktemp -d "${TMPDIR:-/tmp}/stube-scheduler.XXXXXX")
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout "$T/ca.key" \
		-out "$T/ca.crt" -addext basicConstraints=critical,CA:true 2> /dev/null
	certificate server /CN=scheduler 'subjectAltName=IP:127.0.0.1'
	certificate admin /O=system:masters/CN=anna extendedKeyUsage=clientAuth
	scheduler_start --listen 127.0.0.1:0 --cert "$T/server.crt" --key "$T/server.key" --client-ca "$T/ca.crt"
	export PORT
	PORT=$(jq -r 'select(.msg == "listening" and .port) | .port' "$T/log" | tail -1)
	cat > "$T/config" <<-EOF2
	{"apiVersion": "v1", "kind": "Config", "current-context": "c",
	 "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:$PORT", "certificate-authority": "$T/ca.crt"}}],
	 "users": [{"name": "u", "user": {"client-certificate": "$T/admin.crt", "client-key": "$T/admin.key"}}],
	 "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}
	EOF2
}
teardown_file() { [ -z "${T:-}" ] || scheduler_teardown; }

certificate() { # NAME SUBJECT EXTENSIONS
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$T/$1.key" -out "$T/$1.csr" 2> /dev/null
	openssl x509 -req -in "$T/$1.csr" -CA "$T/ca.crt" -CAkey "$T/ca.key" -CAcreateserial -days 2 \
		-extfile <(printf '%s\n' "$3") -out "$T/$1.crt" 2> /dev/null
}
# kubectl wants a schema to check manifests by; this server checks them itself.
k() {
	HOME=$T timeout 30 kubectl --kubeconfig "$T/config" "$@"
}
make_it() { # JSON
	k create --validate=false -f - <<< "$1"
}

@test "kubectl create, get, patch and delete work" {
	run make_it "$(pod web)"
	[ "$output" = "pod/web created" ]
	run k get pod web -o jsonpath='{.spec.containers[0].image}'
	[ "$output" = registry.example.org/web:1 ]
	run k get po -o name
	[ "$output" = pod/web ]
	run k patch pod web --type=merge -p '{"metadata":{"labels":{"a":"b"}}}'
	[ "$output" = "pod/web patched" ]
	run k label pod web c=d
	[ "$output" = "pod/web labeled" ]
	run k get pods -l a=b,c=d -o name
	[ "$output" = pod/web ]
	run make_it "$(pod web)"
	[ "$status" -eq 1 ]
	[[ $output == *"(AlreadyExists)"*"pods 'web' already exists"* ]]
	run k delete pod web
	[ "$status" -eq 0 ]
	[[ $output == 'pod "web" deleted'* ]]
	run k get pod web
	[[ $output == *"(NotFound)"*"pods 'web' not found"* ]]
}

@test "kubectl get -w sees what happens" {
	k get leases -w -o json > "$T/watched" 3>&- &
	local watch=$! i
	for ((i = 0; i < 200; i++)); do
		k get leases > /dev/null 2>&1
		want 200 GET /metrics
		[ "$(sed -n 's/^stube_watchers //p' "$BODY")" -ge 1 ] && break
		sleep 0.05
	done
	send 201 POST "$LEASES" "$(lease seen)"
	for ((i = 0; i < 200; i++)); do
		grep -q '"name": "seen"' "$T/watched" && break
		sleep 0.05
	done
	kill "$watch" || true
	wait "$watch" || true
	grep -q '"name": "seen"' "$T/watched"
}

@test "kubectl create deployment --dry-run=client prints what can be created as it is" {
	k create deployment hello --image=registry.example.org/hello:1 --dry-run=client -o yaml > "$T/hello.yaml"
	run k create --validate=false -f "$T/hello.yaml"
	[ "$output" = "deployment.apps/hello created" ]
	run k get deployment hello -o jsonpath='{.spec.replicas}'
	[ "$output" = 1 ]
}

@test "kubectl scale changes replicas, rollout status waits for them" {
	make_it "$(deployment scaled 2)"
	run k scale deployment scaled --replicas=3
	[ "$output" = "deployment.apps/scaled scaled" ]
	run k get deployment scaled -o jsonpath='{.spec.replicas}'
	[ "$output" = 3 ]
	run k scale deployment scaled --current-replicas=7 --replicas=1
	[ "$status" -eq 1 ]
	# No node: it is not done, and says how far it is.
	run k rollout status deployment scaled --timeout=2s
	[ "$status" -eq 1 ]
	[[ $output == *"Waiting for deployment"* ]]
	run k delete deployment scaled
	[[ $output == *'"scaled" deleted'* ]]
}

@test "kubectl cordon and uncordon a node, describe it" {
	make_it "$(node n1)"
	run k cordon n1
	[ "$output" = "node/n1 cordoned" ]
	run k get node n1 -o jsonpath='{.spec.unschedulable}'
	[ "$output" = true ]
	run k uncordon n1
	[ "$output" = "node/n1 uncordoned" ]
	run k describe node n1
	[ "$status" -eq 0 ]
	[[ $output == *"Name:"*"n1"* ]]
	run k get nodes
	[[ $output == *n1* ]]
}

@test "kubectl drain cordons a node and evicts its Pods" {
	make_it "$(node n2)"
	make_it "$(pod leaves)"
	bind default leaves n2
	run k drain n2 --force --timeout=2s
	# One older than 1.22 sees no group policy here, and deletes instead: the Pod has its time either way.
	[[ $output == *"evicting pod default/leaves"* || $(k version --client) == *'Minor:"'@(1?|2[01])'"'* ]]
	run k get pod leaves -o jsonpath='{.metadata.deletionGracePeriodSeconds}'
	[ "$output" = 30 ]
	want 200 DELETE '/api/v1/namespaces/default/pods/leaves?gracePeriodSeconds=0'
	run k drain n2 --force --timeout=20s
	[ "$status" -eq 0 ]
	[[ $output == *"node/n2 "@(drained|evicted)* ]]
}

@test "kubectl describe shows a Pod with its events" {
	make_it "$(pod told)"
	local i
	# The binder says why it waits.
	for ((i = 0; i < 100; i++)); do
		run k get events --field-selector involvedObject.name=told -o name
		[ -n "$output" ] && break
		sleep 0.1
	done
	run k describe pod told
	[ "$status" -eq 0 ]
	[[ $output == *"Name:"*"told"*"Events:"*"FailedScheduling"* ]]
	run k get events
	[[ $output == *event* || $output == *told* ]]
}

@test "kubectl apply changes what changed: containers, env, what was taken out" {
	# apply JQ-FILTER: of what was applied before.
	apply() {
		jq -c "$1" "$T/applied.json" > "$T/next.json"
		mv "$T/next.json" "$T/applied.json"
		k apply --validate=false -f "$T/applied.json"
	}
	deployment applied 0 > "$T/applied.json"
	run apply '.spec.template.spec.containers[0].env = [{name: "A", value: "1"}, {name: "B", value: "2"}]
		| .spec.template.spec.containers += [{name: "side", image: "registry.example.org/side:1"}]'
	[ "$output" = "deployment.apps/applied created" ]
	run apply .
	[ "$output" = "deployment.apps/applied unchanged" ]
	run apply '.spec.template.spec.containers[0].image = "registry.example.org/web:2"
		| .spec.template.spec.containers[0].env = [{name: "B", value: "3"}, {name: "C", value: "4"}]'
	[ "$output" = "deployment.apps/applied configured" ]
	run k get deployment applied -o jsonpath='{range .spec.template.spec.containers[*]}{.name} {.image} {.env[*].name} {.env[*].value};{end}'
	[ "$output" = "c registry.example.org/web:2 B C 3 4;side registry.example.org/side:1  ;" ]
	# What somebody else has set stays; what is taken out goes.
	run k set env deployment/applied -c c OTHER=5
	[ "$status" -eq 0 ]
	run apply '.spec.template.spec.containers |= [.[0] | .env = [{name: "B", value: "3"}]]'
	[ "$output" = "deployment.apps/applied configured" ]
	run k get deployment applied -o jsonpath='{range .spec.template.spec.containers[*]}{.name} {.image} {.env[*].name} {.env[*].value};{end}'
	[ "$output" = "c registry.example.org/web:2 B OTHER 3 5;" ]
	run k set image deployment/applied c=registry.example.org/web:3
	[ "$output" = "deployment.apps/applied image updated" ]
	run k replace --validate=false -f "$T/applied.json"
	[ "$output" = "deployment.apps/applied replaced" ]
}

@test "kubectl edit sends what the editor has changed" {
	make_it "$(deployment edited 0)"
	EDITOR="sed -i s,web:1,web:2," run k edit --validate=false deployment edited
	[ "$status" -eq 0 ]
	run k get deployment edited -o jsonpath='{.spec.template.spec.containers[0].image}'
	[ "$output" = registry.example.org/web:2 ]
}

@test "kubectl patch --type=json and rollout undo work" {
	make_it "$(deployment undone 0)"
	run k patch deployment undone --type=json -p '[{"op":"test","path":"/spec/replicas","value":0},
		{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"registry.example.org/web:2"}]'
	[ "$output" = "deployment.apps/undone patched" ]
	run k patch deployment undone --type=json -p '[{"op":"test","path":"/spec/replicas","value":9}]'
	[ "$status" -ne 0 ]
	local i
	for ((i = 0; i < 100; i++)); do
		[ "$(k get rs -o name | grep -c undone)" -eq 2 ] && break
		sleep 0.1
	done
	run k rollout undo deployment undone
	[ "$output" = "deployment.apps/undone rolled back" ]
	run k get deployment undone -o jsonpath='{.spec.template.spec.containers[0].image}'
	[ "$output" = registry.example.org/web:1 ]
}

@test "kubectl api-resources and version know the server" {
	run k api-resources --no-headers
	[ "$status" -eq 0 ]
	[[ $output == *deployments*deploy*apps/v1* ]]
	[[ $output == *persistentvolumeclaims*pvc* ]]
	run k version
	[[ $output == *"Server Version: "*"v1.33.0+stube-"* ]]
}
