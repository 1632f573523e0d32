#!/usr/bin/env bats
# Promises about options: those of runc and those of crun, each with its meaning, written as their callers write them.
load helpers

setup() { rt_setup; helper=; }
teardown() { [ -z "$helper" ] || kill "$helper" 2> /dev/null || true; rt_teardown; }

running() { # [FILTER]
	rt_bundle b "$(rt_sh 'trap "exit 0" TERM; sleep 60 & wait')${1:+ | $1}"
	rt create -b "$T/b" "$ID" > "$T/out" 2>&1
	rt start "$ID"
}

@test "options stand before or behind the id, with = or a blank, flags with the words of Go" {
	rt_bundle b "$(rt_sh 'sleep 60')"
	rt create "$ID" --bundle="$T/b" --pid-file "$T/pid" > "$T/out" 2>&1
	rt delete "$ID" --force
	for word in false False FALSE f F 0; do
		rt "--debug=$word" "--systemd-cgroup=$word" create "--no-pivot=$word" -b "$T/b" "$ID" > "$T/out" 2>&1
		run rt delete "--force=$word" "$ID"
		[ "$status" -eq 0 ]
	done
	for word in true True TRUE t T 1; do
		rt create -b "$T/b" "$ID" > "$T/out" 2>&1
		rt start "$ID"
		rt delete "--force=$word" "$ID"
	done
	run rt --debug=maybe list
	[ "$status" -eq 2 ]
	[[ "$output" == *"--debug: 'maybe' is not one of true|false"* ]]
}

@test "--log takes a file, file:PATH and syslog:ID" {
	run rt --log "$T/one" state nobody
	grep -q 'does not exist' "$T/one"
	run rt --log "file:$T/two" --log-format=json state nobody
	jq -e '.level == "error"' "$T/two"
	# A /dev of its own with a syslog socket in it.
	cat > "$T/syslog.py" <<-'PY'
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		s.settimeout(60)
		open(sys.argv[2], "wb").write(s.recv(8192))
	PY
	mkdir "$T/dev"
	python3 "$T/syslog.py" "$T/dev/log" "$T/said" 3>&- &
	helper=$!
	for _ in {1..500}; do [ -S "$T/dev/log" ] && break; sleep 0.02; done
	run unshare -m --propagation private bash -c 'mount --bind "$1" /dev && exec "$2" --root "$3" --log syslog:web state nobody' _ "$T/dev" "$RT_BIN" "$ROOT"
	[ "$status" -eq 1 ]
	for _ in {1..500}; do [ -s "$T/said" ] && break; sleep 0.02; done
	[[ "$(cat "$T/said")" =~ ^\<27\>web\[[0-9]+\]:\ container\ \'nobody\'\ does\ not\ exist$ ]]
}

@test "--log-level and --debug decide what is logged" {
	rt_bundle b "$(rt_args true) | .process.capabilities.bounding = [\"CAP_NONE\"]"
	rt --log "$T/log" --log-level error run -b "$T/b" "$ID"
	[ ! -s "$T/log" ]
	rt --log "$T/log" --log-level warning run -b "$T/b" "$ID"
	grep -q CAP_NONE "$T/log"
	! grep -q 'debug' "$T/log" || false
	rt --log "$T/debug" --debug --log-format json run -b "$T/b" "$ID"
	[ "$(jq -r 'select(.level == "debug") | .msg' "$T/debug" | sort -u)" = step ]
}

@test "exec -c adds a capability, as in both peers" {
	running
	run rt exec -c CAP_NET_RAW "$ID" grep CapEff /proc/self/status
	[ "$status" -eq 0 ]
	[[ "$output" =~ CapEff:[[:space:]]0*2421$ ]]
	# crun takes lower case; both pass over what the kernel, or they, do not know.
	run rt exec -c cap_net_raw "$ID" grep CapEff /proc/self/status
	[[ "$status" -eq 0 && "$output" =~ CapEff:[[:space:]]0*2421$ ]]
	run rt exec -c CAP_OF_TOMORROW "$ID" grep CapEff /proc/self/status
	[[ "$status" -eq 0 && "${lines[0]}" =~ CapEff:[[:space:]]0*421$ ]]
	[[ "$output" == *"warning: --cap: unknown capability 'CAP_OF_TOMORROW', ignored"* ]]
}

@test "exec --cgroup begins at the container's cgroup, with or without a slash" {
	running ".linux.cgroupsPath = \"/$ID\" | .linux.namespaces += [{type: \"cgroup\"}]"
	mkdir "$CGROUP/$ID/sub"
	for path in sub /sub //sub; do
		run rt exec --cgroup "$path" "$ID" grep 0:: /proc/self/cgroup
		[ "$output" = 0::/sub ]
	done
	run rt exec --cgroup / "$ID" grep 0:: /proc/self/cgroup
	[ "$output" = 0::/ ]
	for path in none ../.. sub/../..; do
		run rt exec --cgroup "$path" "$ID" true
		[ "$status" -eq 255 ]
		[[ "$output" == *"--cgroup '$path'"* ]]
	done
}

@test "exec adds groups, keeps to the process document, and takes -e and -t as they are" {
	running
	run rt exec -g 5 --additional-gids 7 -u 1000:1000 -e A=B --env=C=D=E "$ID" sh -c 'id -G; echo $A $C'
	[ "${lines[0]}" = "1000 5 7" ]
	[ "${lines[1]}" = "B D=E" ]
	jq '.process | .args = ["id", "-u"] | .user.uid = 1000' "$T/b/config.json" > "$T/process.json"
	run rt exec --process="$T/process.json" "$ID"
	[ "$output" = 1000 ]
}

@test "state prints one container, those that match, or all" {
	running
	rt create -b "$T/b" "$ID-two" > "$T/out" 2>&1
	[ "$(rt state --all | jq -r .id | sort | tr '\n' ' ')" = "$ID $ID-two " ]
	[ "$(rt state -a | jq -rs length)" = 2 ]
	[ "$(rt state -r "two\$" | jq -r .id)" = "$ID-two" ]
	[ "$(rt state "$ID" | jq -r .id)" = "$ID" ]
	run rt state
	[ "$status" -eq 1 ]
	[[ "$output" == *"needs ID"* ]]
}

@test "update takes each limit of both peers: set, or refused by its name" {
	running ".linux.cgroupsPath = \"/$ID\""
	while IFS='|' read -r options words; do
		# shellcheck disable=SC2086 # options are words
		run rt update $options "$ID"
		echo "# $options: $status $output"
		[ "$status" -eq 1 ]
		[[ "$output" == *"$words"* ]]
	done <<-'EOF_ROWS'
		--cpu-rt-period 1000|cpu.realtimePeriod
		--cpu-rt-runtime 1000|cpu.realtimeRuntime
		--kernel-memory 1m|memory.kernel
		--kernel-memory-tcp 1m|memory.kernelTCP
		--memory lots|memory.limit: 'lots' is no size
		--cpu-quota x|cpu.quota: 'x' is no whole number
	EOF_ROWS
	if [ ! -e /sys/fs/resctrl/schemata ]; then
		run rt update --l3-cache-schema 'L3:0=f' "$ID"
		[[ "$output" == *"--l3-cache-schema: resctrl is not mounted on this host"* ]]
		run rt update --mem-bw-schema '0=20' "$ID"
		[[ "$output" == *"--mem-bw-schema: resctrl is not mounted on this host"* ]]
	fi
	# A document wins over options, as in runc; from a file or from standard input.
	echo '{"pids": {"limit": 0}}' > "$T/resources"
	run rt update --resources "$T/resources" --memory 1 "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" == *"no effect beside --resources"* ]]
	rt update -r - "$ID" < "$T/resources"
	echo '{"pids": {"limit": "x"}}' | {
		run rt update -r - "$ID"
		[ "$status" -eq 1 ]
		[[ "$output" == *"-:1:20: pids.limit: expected"* ]]
	}
}

@test "spec writes under the name that crun's --file and our --config give" {
	rt spec -b "$T" -f one.json
	rt spec --bundle="$T" --file two.json --rootless
	jq -e '.linux.namespaces | map(.type) | index("user") | not' "$T/one.json"
	jq -e '.linux.namespaces | map(.type) | index("user")' "$T/two.json"
	run rt spec -b "$T" -f one.json
	[ "$status" -eq 1 ]
}

@test "each command has help with an example, and the man page is well-formed" {
	for command in $("$RT_BIN" --help | awk '/^Commands/ {on = 1; next} /^[A-Z]/ {on = 0} on && /^  [a-z]/ {print $1}'); do
		run "$RT_BIN" "$command" --help
		[ "$status" -eq 0 ]
		[[ "$output" == *"stube-runtime $command"* ]]
		grep -qi '^example' <<< "$output"
		run "$RT_BIN" help "$command"
		[ "$status" -eq 0 ]
	done
	"$RT_BIN" --print-man > "$T/stube-runtime.1"
	run mandoc -Tlint -W warning "$T/stube-runtime.1"
	[ -z "$output" ]
	"$RT_BIN" --print-completion > "$T/completion"
	bash -n "$T/completion"
	grep -q -- --pidfd-socket "$T/completion"
	! grep -q 'without effect' "$T/stube-runtime.1" || false
}
