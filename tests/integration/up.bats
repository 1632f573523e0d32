#!/usr/bin/env bats
# tests/integration/up.bats: a cluster on one machine with one command, and its end.

bats_require_minimum_version 1.5.0
load ../cluster/lib.bash

SLEEPER='trap exit TERM; echo ready; while :; do sleep 0.1; done'

setup() {
	[ "$(id -u)" = 0 ] || skip 'needs root: agents make sandboxes'
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/stube-up.XXXXXX")
	chmod 755 "$WORK"
	export STUBE_RUN=$WORK/run STUBE_DATA=$WORK/data HOME=$WORK/home
	export STUBE_STORE=$WORK/images
	unset STUBE_CONFIG
	API=127.0.0.1:$(free_port)
	AGENT_LISTEN=127.0.0.1:$(free_port)
	SCHEDULER=
}
teardown() {
	stube down --name here --keep-services > /dev/null 2>&1 || true
	cluster_teardown
}
up() { stube up --name here --listen "$API" --agent-listen "$AGENT_LISTEN" "$@"; }
# All processes of this test's cluster.
programs() { pgrep -f -- "^stube-(scheduler|agent) .*$WORK/" || true; }

@test "up starts a cluster, again it changes nothing; services run, and come back after down" {
	run up
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "node/here is ready; the API is at https://$API, as whom: $WORK/data/pki/admin-admin.conf" ]
	before=$(programs)
	[ "$(wc -w <<< "$before")" = 2 ]
	up
	[ "$(programs)" = "$before" ]
	cluster_image
	deployment_manifest web 1 "$SLEEPER" | stube apply --file - --wait --timeout 30
	[ "$(stube logs deployment/web)" = ready ]
	[ "$(stube exec deployment/web echo hello)" = hello ]
	[ "$(STUBE_CONFIG=$WORK/data/pki/admin-admin.conf stube get deployments --output name)" = deployment/web ]
	stube down --name here
	[ -z "$(programs)" ]
	[ -z "$(cluster_monitors)" ]
	run --separate-stderr stube get pods
	[ "$status" = 1 ]
	up
	stube rollout status web --timeout 30
	[ "$(stube logs deployment/web)" = ready ]
	stube delete deployment web --timeout 30
	stube down --name here
	[ "$(stube down --name here)" = 'node/here was not up' ]
}

@test "with --keep-services they go on without scheduler and agent, untouched" {
	up
	cluster_image
	deployment_manifest web 1 "$SLEEPER" | stube apply --file - --wait --timeout 30
	before=$(cluster_monitors)
	stube down --name here --keep-services
	[ -z "$(programs)" ]
	[ "$(cluster_monitors)" = "$before" ]
	up
	eventually stube exec deployment/web true
	[ "$(cluster_monitors)" = "$before" ]
	stube down --name here
}

@test "what cannot be started is told with its last words, and nothing stays" {
	/usr/bin/python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); time.sleep(60)' "${API#*:}" 3>&- &
	holder=$!
	sleep 0.3
	run --separate-stderr up
	kill $holder
	[ "$status" = 1 ]
	echo "$stderr"
	[[ ${stderr_lines[0]} == "error: stube-scheduler ended at once (status 1): "*"in use"* ]]
	[ -z "$(programs)" ]
}
