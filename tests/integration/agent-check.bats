#!/usr/bin/env bats
# tests/integration/agent-check.bats: stube-agent check, its help, and command lines that are wrong.

BIN=$PWD/build/bin

setup() {
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/stube-check.XXXXXX")
	export STUBE_RUN=$WORK/run STUBE_DATA=$WORK/data STUBE_STORE=$WORK/store
}
teardown() { rm -rf "$WORK"; }

@test "check tells what the machine has, changes nothing, and ends with 0 where services can run" {
	run "$BIN/stube-agent" check
	[ "$status" = 0 ]
	[[ "${lines[0]}" =~ ^CHECK\ +RESULT\ +FOUND\ +MEANS ]]
	for name in kernel user programs 'run folder' cgroup 'cgroup manager' reserve 'user namespaces' 'subordinate ids' layers overlay seccomp; do
		grep -qE "^$name +(ok|limited) " <<< "$output"
	done
	[ -z "$(ls -A "$WORK")" ]
}

@test "check ends with 1 and names what is missing" {
	mkdir "$WORK/programs"
	cp /bin/true "$WORK/programs/stube-runtime"
	run "$BIN/stube-agent" check --programs "$WORK/programs"
	[ "$status" = 1 ]
	grep -qE '^programs +missing .*stube-monitor is not there$' <<< "$output"
}

@test "check names the controllers without which limits are not possible" {
	controllers=$(cat /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/unified/cgroup.controllers 2> /dev/null || true)
	run "$BIN/stube-agent" check
	case " $controllers " in
	*" memory "*) grep -qE '^cgroup +ok' <<< "$output" || grep -qE '^cgroup +limited' <<< "$output" ;;
	*) grep -qE '^cgroup +limited .*services with limits of .*memory.* do not start' <<< "$output" ;;
	esac
}

@test "check names what the machine keeps for itself, and whether anything but placement holds it" {
	controllers=$(cat /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/unified/cgroup.controllers 2> /dev/null || true)
	run "$BIN/stube-agent" check --system-reserved cpu=250m,memory=100Mi
	case " $controllers " in
	*" cpu "*" memory "*) grep -qE '^reserve +ok +cpu=250m,memory=100Mi' <<< "$output" ;;
	*) grep -qE '^reserve +limited +cpu=250m,memory=100Mi +placement alone keeps it free: no controller ' <<< "$output" ;;
	esac
	run "$BIN/stube-agent" check --cgroups disabled --reserve-memory 100Mi
	grep -qE '^reserve +limited +cpu=[0-9m]+,memory=100Mi +placement alone keeps it free: Pods have no slice' <<< "$output"
	run "$BIN/stube-agent" check
	grep -qE '^reserve +(ok|limited) +cpu=[0-9m]+,memory=[0-9]+[MG]i' <<< "$output"
}

@test "wrong words and options are usage errors that name the choices" {
	run "$BIN/stube-agent" chekc
	[ "$status" = 2 ]
	[ "$output" = "$(printf "error: unknown command 'chekc'\nhint: see 'stube-agent --help'")" ]
	run "$BIN/stube-agent" --cgroups=none
	[ "$status" = 2 ]
	[[ "$output" == *"'none' is not one of cgroupfs|systemd|disabled"* ]]
}

@test "what cannot be meant is refused before anything is touched" {
	run timeout 20 "$BIN/stube-agent" --reserve-cpu many
	[ "$status" = 1 ]
	[ "$output" = "error: --reserve-cpu: 'many' is no amount such as 500m or 2" ]
	run timeout 20 "$BIN/stube-agent" --system-reserved cpu=100m,disk=1Gi
	[ "$output" = "error: --system-reserved: 'disk' cannot be reserved: cpu and memory can" ]
	run timeout 20 "$BIN/stube-agent" --system-reserved cpu=100m --reserve-memory 1Gi
	[ "$output" = "error: --system-reserved says what --reserve-cpu and --reserve-memory say: one of them is enough" ]
	run timeout 20 "$BIN/stube-agent" --reserve-memory 100000Gi
	[ "$status" = 1 ]
	[[ "$output" == *"are reserved, and the machine has "*": nothing is left for Pods" ]]
	run timeout 20 "$BIN/stube-agent" --name 'Not A Name'
	[ "$status" = 1 ]
	[[ "$output" == *"error: node name 'Not A Name': expected lower-case letters, digits, '-' and '.'"* ]]
	run timeout 20 "$BIN/stube-agent" --label zone
	[ "$status" = 1 ]
	[[ "$output" == *"label 'zone': expected KEY=VALUE"* ]]
	run timeout 20 "$BIN/stube-agent" --listen 127.0.0.1:0
	[ "$status" = 1 ]
	[[ "$output" == *"--listen: the configuration has no certificate to show"* ]]
	run timeout 20 "$BIN/stube-agent" --config "$WORK/nothing"
	[ "$status" = 1 ]
	[[ "$output" == *"$WORK/nothing"* ]]
}

@test "help, man page and completion name the options" {
	"$BIN/stube-agent" --help | grep -q -- '--reserve-memory SIZE'
	"$BIN/stube-agent" --print-man > "$WORK/man.1"
	mandoc -Tlint -W warning "$WORK/man.1"
	"$BIN/stube-agent" --print-completion | bash -n
}
