#!/usr/bin/env bats
# What failing commands say, as the programs that call an OCI runtime read it.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

# The expressions of callers, by what they make of a match:
# podman and conmon (exit 126, 127), docker (126, 127), containerd's shim, CRI-O, go-runc.
PODMAN_126='permission denied|operation not permitted'
PODMAN_127='executable file not found in|no such file or directory|open executable'
DOCKER_126='permission denied|is a directory'
DOCKER_127='executable file not found|no such file or directory|system cannot find the file'
SHIM_GONE='os: process already finished|no such process|container not running'
CRIO_GONE='no such process|container not running'
MISSING='does not exist'
EXISTS='container with given ID already exists'

# fails STATUS REGEX COMMAND...: the last line of the log's JSON is the error, and stderr says the same.
fails() {
	local expected=$1 regex=$2 log
	shift 2
	rm -f "$T/log"
	run rt --log "$T/log" --log-format json "$@"
	echo "# $*: $status $output"
	[ "$status" -eq "$expected" ]
	log=$(tail -n 1 "$T/log")
	[ "$(jq -r .level <<< "$log")" = error ]
	date -d "$(jq -r .time <<< "$log")" > /dev/null
	grep -qiE -- "$regex" <<< "$(jq -r .msg <<< "$log")"
	grep -qiE -- "$regex" <<< "$output"
	# No name twice: "container 'x': container 'x' does not exist".
	! grep -qE "container '([^']*)'.*container '\1'" <<< "$output"
}

running() {
	rt_bundle b "$(rt_sh 'trap "exit 0" TERM; sleep 60 & wait')"
	rt create -b "$T/b" "$ID" > /dev/null 2>&1
	rt start "$ID"
}

stopped() {
	rt kill "$ID" KILL
	for _ in {1..200}; do [ "$(rt state "$ID" | jq -r .status)" = stopped ] && return; sleep 0.02; done
	false
}

@test "what does not exist is said in the words that every caller looks for" {
	for command in start state kill delete pause resume ps events; do
		fails 1 "$MISSING" "$command" nobody
	done
	fails 1 "$MISSING" update --pids-limit 5 nobody
	fails 255 "$MISSING" exec nobody true
	run rt delete --force nobody
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "what does not exist is said by the commands that take files, too, and names the container once" {
	fails 1 "$MISSING" checkpoint nobody
	fails 1 "$MISSING" mounts add nobody '[]'
	fails 1 "$MISSING" mounts remove nobody '[{"destination": "/x"}]'
	# A variable that a script forgot to set must not look like a host without containers.
	fails 1 '^--root: is empty$' --root "" list
	for command in features spec list; do
		fails 2 '^takes no operand$' "$command" extra
	done
}

@test "what is asked for in the wrong state is said in runc's words" {
	running
	fails 1 "$EXISTS" create -b "$T/b" "$ID"
	fails 1 "$EXISTS" run -b "$T/b" "$ID"
	fails 1 'cannot start an already running container' start "$ID"
	fails 1 "cannot delete container $ID that is not stopped: running" delete "$ID"
	fails 1 'container not paused' resume "$ID"
	rt pause "$ID"
	fails 255 'cannot exec in a paused container' exec "$ID" true
	fails 1 'cannot start a container in the paused state' start "$ID"
	fails 1 'container not running' pause "$ID"
	rt resume "$ID"
	stopped
	fails 1 "$SHIM_GONE" kill "$ID" TERM
	fails 1 "$CRIO_GONE" kill "$ID" KILL
	rt kill --all "$ID" KILL
	fails 1 'container not running' pause "$ID"
	fails 1 'container not paused' resume "$ID"
	fails 1 'container not running' events --stats "$ID"
	fails 1 'container not running' update --pids-limit 5 "$ID"
	fails 1 'cannot start a container that has stopped' start "$ID"
	fails 255 'cannot exec in a stopped container' exec "$ID" true
}

@test "a program that is not there, or may not be executed, is told apart as podman and docker do" {
	running
	rt_bundle f
	for words in "$PODMAN_127" "$DOCKER_127"; do
		fails 255 "$words" exec "$ID" nonexistent
		fails 255 "$words" exec "$ID" /nonexistent
		rt_config f "$(rt_args nonexistent)"
		fails 1 "$words" create -b "$T/f" "$ID-f"
		rt_config f "$(rt_args /nonexistent)"
		fails 1 "$words" run -b "$T/f" "$ID-f"
	done
	for words in "$PODMAN_126" "$DOCKER_126"; do
		fails 255 "$words" exec "$ID" /etc/passwd
		fails 255 "$words" exec "$ID" /etc
		rt_config f "$(rt_args /etc/passwd)"
		fails 1 "$words" create -b "$T/f" "$ID-f"
		rt_config f "$(rt_args /etc)"
		fails 1 "$words" run -b "$T/f" "$ID-f"
	done
	# A program that is there must not look like one that is missing because of the way of saying it.
	fails 255 'no such file or directory' exec --cwd /nowhere "$ID" true
}

@test "why the kernel refused a program is said: another machine, no interpreter, no program at all" {
	rt_bundle f
	printf 'text\n' > "$T/f/rootfs/bin/text"
	: > "$T/f/rootfs/bin/empty"
	printf '#!/no/such -x\n' > "$T/f/rootfs/bin/script"
	# The ELF head of the own shell with the machine arm64; its own, with an interpreter that the root lacks.
	head -c 4096 "$T/f/rootfs/bin/busybox" > "$T/f/rootfs/bin/foreign"
	printf '\xb7\x00' | dd of="$T/f/rootfs/bin/foreign" bs=1 seek=18 conv=notrunc 2> /dev/null
	cp "$(readlink -f /bin/bash)" "$T/f/rootfs/bin/dynamic"
	chmod 755 "$T/f/rootfs/bin"/{text,empty,script,foreign,dynamic}
	while read -r name words; do
		rt_config f "$(rt_args "/bin/$name")"
		fails 1 "$words" run -b "$T/f" "$ID-f"
	done <<-'EOF_ROWS'
		text exec format error: neither an ELF program nor a script that begins with #!
		empty exec format error: the file is empty
		script no such file or directory: its interpreter "/no/such" is missing in the root
		foreign exec format error: a program for (arm64|another machine), this machine is
		dynamic no such file or directory: its interpreter "/lib.*ld-.*" is missing in the root
	EOF_ROWS
	# Text that is meant for a terminal does not come from an image.
	printf '#!/\033[31mred\n' > "$T/f/rootfs/bin/script"
	rt_config f "$(rt_args /bin/script)"
	run rt run -b "$T/f" "$ID-f"
	[ "$status" -eq 1 ]
	[[ "$output" != *$'\033'* ]]
}

@test "an error names the field of config.json, the mount, the hook" {
	rt_bundle f
	while IFS='|' read -r filter words; do
		rt_config f "$filter"
		fails 1 "$words" run -b "$T/f" "$ID-f"
	done <<-'EOF_ROWS'
		del(.root)|config.json:1:1: root: required but missing
		.root.path = "none"|root.path: '.*/none': no such file or directory
		.process.args = []|process.args: must name a program to start
		.mounts[0].type = 7|config.json:[0-9]+:[0-9]+: mounts\[0\].type: expected string, got number
		.mounts += [{destination: "/x", type: "bind", source: "/does/not/exist", options: ["bind"]}]|mounts\[5\]: bind on '/x': source: open '/does/not/exist': no such file or directory
		.mounts += [{destination: "/x", type: "nofs", source: "x"}]|mounts\[5\]: mount 'nofs' of 'x' on '/x': file system 'nofs': no such device
		.hooks = {createRuntime: [{path: "/bin/true"}, {path: "/bin/false"}]}|error running createRuntime hook #2: '/bin/false': exit status 1
		.hooks = {createContainer: [{path: "/no/such"}]}|error running createContainer hook #1: start '/no/such': no such file or directory
		.linux.cgroupsPath = "/a/../b"|linux.cgroupsPath: '/a/../b' has a component '..'
	EOF_ROWS
}

@test "--version has the lines of runc and crun that callers parse: version, commit, spec" {
	local expected
	for word in --version -v -V -version; do
		run rt "$word"
		[ "$status" -eq 0 ]
		[ "${#lines[@]}" -eq 3 ]
		[[ "${lines[0]}" =~ ^[a-z-]+\ version\ [0-9] ]]
		[[ "${lines[1]}" =~ ^commit:\ [0-9a-f.]+$ ]]
		[[ "${lines[2]}" =~ ^spec:\ [0-9]+\.[0-9]+ ]]
	done
	# The checkout's, where it is one and was not committed to since the build.
	expected=$(cat "$BATS_TEST_DIRNAME/../../build/release/commit")
	[ "${lines[1]}" = "commit: $expected" ]
}

@test "help is asked for in the words of runc and of crun, and is no failure" {
	for words in --help -h '-?' -help help h 'create -?' 'help create' 'h create' 'create -h' 'mounts -?'; do
		# shellcheck disable=SC2086 # words
		run "$RT_BIN" $words
		echo "# $words: $status"
		[ "$status" -eq 0 ]
		[[ "$output" == *"Usage: stube-runtime"* ]]
	done
	run "$RT_BIN" create --usage
	[ "$status" -eq 0 ]
	[ "$output" = "Usage: stube-runtime create [OPTIONS] ID" ]
	for words in "help nothing" nothing "create --nothing" "" create; do
		# shellcheck disable=SC2086
		run "$RT_BIN" $words
		[ "$status" -eq 2 ]
	done
}

@test "a command line in the style of Go programs does what it says" {
	rt_bundle b "$(rt_sh 'sleep 60')"
	"$RT_BIN" -root "$ROOT" -log "$T/go.log" -log-format=json -rootless=0 -debug=false \
		create -bundle "$T/b" -pid-file="$T/pid" "$ID" > "$T/out" 2>&1
	[ -s "$T/pid" ]
	run "$RT_BIN" -root="$ROOT" list -format=json
	[ "$(jq -r '.[0].id' <<< "$output")" = "$ID" ]
	run "$RT_BIN" -root "$ROOT" -log "$T/go.log" -log-format json kill -all nobody TERM
	[ "$status" -eq 1 ]
	tail -n 1 "$T/go.log" | jq -e '.level == "error"'
	"$RT_BIN" -root "$ROOT" delete -force "$ID"
	run "$RT_BIN" --rootless=maybe list
	[ "$status" -eq 2 ]
}

@test "what killed the process inside in the middle of a start is said" {
	rt_bundle f '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "kill -KILL $(jq .pid)"], env: ["PATH=/usr/bin:/bin"]}]'
	fails 1 'the process inside was killed by signal 9 \(Killed\)' create -b "$T/f" "$ID"
	fails 1 'the process inside was killed by signal 9 \(Killed\)' run -b "$T/f" "$ID"
	[ ! -e "$ROOT/$ID" ]
}
