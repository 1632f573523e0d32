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

# The pid of one of the two, by what `up` noted.
pid_of() { jq .pid "$STUBE_RUN/up/stube-$1/running.json"; }
kill_agent() {
	local pid
	pid=$(pid_of agent)
	kill -KILL "$pid"
	gone "$pid"
}
# Somebody else listens on an address.
hold() {
	/usr/bin/python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); print("held", flush=True); time.sleep(120)' "${1#*:}" > "$WORK/held" 3>&- &
	HOLDER=$!
	eventually grep -q held "$WORK/held"
}

@test "an agent that died is not taken for one that runs, although its node is ready still" {
	up
	kill_agent
	taken=127.0.0.1:$(free_port)
	hold "$taken"
	AGENT_LISTEN=$taken run --separate-stderr up
	kill $HOLDER
	echo "$output / $stderr"
	[ "$status" = 1 ]
	[ -z "$output" ]
	[[ ${stderr_lines[0]} == "error: stube-agent ended at once (status 1): "*"in use"* ]]
	up
	stube down --name here
}

@test "down ends services also when their agent, or both programs, are not there" {
	up
	cluster_image
	deployment_manifest web 1 "$SLEEPER" | stube apply --file - --wait --timeout 30
	kill_agent
	[ -n "$(cluster_monitors)" ]
	[ "$(stube down --name here | tail -1)" = 'node/here is down' ]
	[ -z "$(cluster_monitors)" ]
	[ -z "$(programs)" ]
	up
	stube rollout status web --timeout 30
	stube down --name here --keep-services
	[ -n "$(cluster_monitors)" ]
	[ "$(stube down --name here | tail -1)" = 'node/here is down' ]
	[ -z "$(cluster_monitors)" ]
	[ -z "$(programs)" ]
}

@test "down names the services that still run when their agent cannot be started" {
	up
	cluster_image
	pod_manifest alone "$SLEEPER" | stube apply --file -
	running() { [ "$(stube get pod alone --output json | jq -r .status.phase)" = Running ]; }
	eventually running
	kill_agent
	hold "$AGENT_LISTEN"
	run --separate-stderr stube down --name here
	kill $HOLDER
	echo "$output / $stderr"
	[ "$status" = 1 ]
	[ -z "$output" ]
	[[ ${stderr_lines[0]} == "error: end the services: services still run: default/alone: stube-agent ended at once"* ]]
	[[ ${stderr_lines[1]} == *'`stube up`'* ]]
	[ -n "$(cluster_monitors)" ]
	wait $HOLDER || true
	stube down --name here
	[ -z "$(cluster_monitors)" ]
}

@test "up renews what ends soon, also under programs that run; what cannot be renewed is told" {
	pki=$WORK/data/pki
	"$BIN/stube" pki init --dir "$pki" > /dev/null
	"$BIN/stube" pki issue scheduler --dir "$pki" --address 127.0.0.1 --lifetime 240h > /dev/null
	"$BIN/stube" pki issue node here --dir "$pki" --address 127.0.0.1 --server "https://$API" --lifetime 240h > /dev/null
	kept=$(cat "$pki/ca.crt")
	run --separate-stderr up
	[ "$status" = 0 ]
	[ "$stderr" = "'$pki/scheduler.crt' is renewed
'$pki/node-here.conf' is renewed" ]
	[ "$("$BIN/stube" pki list --dir "$pki" --output json | jq '[.[] | select(.expired)] | length')" = 0 ]
	[ "$("$BIN/stube" pki list --dir "$pki" | grep -c ' 36[0-9]$')" = 3 ]
	[ "$(cat "$pki/ca.crt")" = "$kept" ]
	curl -fs --unix-socket "$STUBE_RUN/agent.sock" http://agent/metrics |
		grep '^stube_certificate_expiration_seconds{certificate="own"} 3[01][0-9]*'
	curl -fs --unix-socket "$STUBE_RUN/scheduler.sock" http://scheduler/metrics |
		grep '^stube_certificate_expiration_seconds{certificate="authority"} 31[0-9]*'
	run ! grep -q 'ends soon' "$WORK"/data/log/*
	stube down --name here
	# Without the authority's key nothing is renewed: a warning while it holds, an error afterwards.
	"$BIN/stube" pki issue scheduler --dir "$pki" --address 127.0.0.1 --lifetime 240h > /dev/null
	mv "$pki/ca.key" "$WORK/ca.key"
	run --separate-stderr up
	echo "$stderr"
	[ "$status" = 0 ]
	[[ ${stderr_lines[0]} == "warning: 'scheduler.crt' ends "*' and cannot be renewed: '*ca.key* ]]
	grep -q 'warning: a certificate ends soon: renew it certificate=own' "$WORK/data/log/stube-scheduler.log"
	mv "$WORK/ca.key" "$pki/ca.key"
	"$BIN/stube" pki issue scheduler --dir "$pki" --address 127.0.0.1 --lifetime 1s > /dev/null
	mv "$pki/ca.key" "$WORK/ca.key"
	expired() { "$BIN/stube" pki list --dir "$pki" | grep -q '^scheduler.crt .* EXPIRED$'; }
	eventually expired
	run --separate-stderr up
	echo "$stderr"
	[ "$status" = 1 ]
	[[ ${stderr_lines[0]} == "error: '$pki': 'scheduler.crt' has ended: "*ca.key* ]]
}

# The commands of a page's section: its indented lines.
commands_of() { awk -v heading="$2" '/^## / { on = $0 == "## " heading } on && /^    / { sub(/^    /, ""); print }' "$1"; }

@test "the commands of docs/cluster.md, one machine, do what they say as they stand there" {
	commands_of docs/cluster.md 'One machine, one command' > "$WORK/commands"
	[ "$(grep -c '^stube ' "$WORK/commands")" = 7 ]
	cat > "$WORK/page" <<-END
		set -eux
		# Only the addresses are others, so that nothing of this machine is in the way.
		stube() {
			case \$1 in
			up) "$BIN/stube" "\$@" --listen $API --agent-listen $AGENT_LISTEN ;;
			apply) "$BIN/stube" "\$@" --timeout 60 ;;
			logs) until "$BIN/stube" "\$@" | grep .; do sleep 0.2; done ;; # their first line may be a moment away
			*) "$BIN/stube" "\$@" ;;
			esac
		}
		$(cat "$WORK/commands")
	END
	run --separate-stderr bash "$WORK/page"
	stube down > /dev/null 2>&1 || true
	echo "$output"
	echo "$stderr"
	[ "$status" = 0 ]
	[[ $output == *'deployment/hello: complete, 2 available'* ]]
	[[ $output == *'Grüß Gott'* ]]
	[[ $output == *"runs on '$(uname -n)'"* ]]
	[[ ${lines[-1]} == "node/$(uname -n) is down" ]]
}
