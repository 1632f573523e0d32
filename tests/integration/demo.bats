#!/usr/bin/env bats
# `make demo` from the outside: it succeeds, it notices what is wrong, and it always tidies up.

setup_file() {
	[ "$(id -u)" = 0 ] || skip 'needs root: the demo makes sandboxes'
	cd "$BATS_TEST_DIRNAME/../.."
	make --no-print-directory examples example-images > /dev/null
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	DIR=$(mktemp -d)
	chmod 711 "$DIR"
	export TMPDIR=$DIR
}

teardown() {
	rm -rf "$DIR"
}

# The demo's names are its own: one demo at a time, also beside a person who tries it.
demo() {
	flock --close /tmp/stube-demo.lock timeout -k 20 175 examples/demo.sh > "$DIR/out" 2>&1
}

# Nothing of the demo is left: folder, mount, process.
clean() {
	[ "$(find "$DIR" -name 'stube-demo.*' | wc -l)" = 0 ]
	[ "$(grep -cF "$DIR/" /proc/self/mountinfo)" = 0 ]
	local file words
	for file in /proc/[0-9]*/cmdline; do
		mapfile -d '' -t words 2> /dev/null < "$file" || continue
		[[ ${words[*]} != *"$DIR/stube-demo."* ]] || { echo "left: ${words[*]}"; return 1; }
	done
}

last_line() { grep -v '^  ' "$DIR/out" | grep . | tail -1; }

@test "the demo ends in one line of success, shows what the kernel says, and leaves nothing" {
	demo
	[[ $(last_line) == "demo: success: three services placed on three machines, used, one machine lost and back, nothing lost, in "* ]]
	for row in 'pid inside          1 ' 'user inside         10001 ' 'capabilities        none in any set' \
		'no new privileges   1' 'system call filter  mode 2, 1 filter' 'root file system    ro,'; do
		grep -qF "  $row" "$DIR/out"
	done
	clean
}

@test "a step that fails is named with its reason, the status is 1, and nothing is left" {
	# A tool that cannot push: everything before it works.
	mkdir "$DIR/bin"
	cp build/bin/stube-* "$DIR/bin"
	cat > "$DIR/bin/stube" <<-END
		#!/bin/sh
		case " \$* " in *" push "*) echo 'error: the registry is full' >&2; exit 1 ;; esac
		exec $PWD/build/bin/stube "\$@"
	END
	chmod +x "$DIR/bin/stube"
	export PROGRAMS=$DIR/bin
	run demo
	[ "$status" = 1 ]
	[ "$(last_line)" = "demo: failed at: 1  A registry: Debian's docker-registry, with a password; three services packed and pushed: error: the registry is full " ]
	clean
}

@test "a service without its filter fails the demo" {
	mkdir "$DIR/bin"
	cp build/bin/stube-* "$DIR/bin"
	cat > "$DIR/bin/stube" <<-END
		#!/bin/bash
		case " \$* " in *" apply "*) sed -i 's/securityContext: {/securityContext: {seccompProfile: {type: Unconfined}, /' "\${STUBE_DATA%/state}/manifests/antrag.yaml" ;; esac
		exec $PWD/build/bin/stube "\$@"
	END
	chmod +x "$DIR/bin/stube"
	export PROGRAMS=$DIR/bin
	run demo
	[ "$status" = 1 ]
	[[ $(last_line) == 'demo: failed at: 5  How they are confined, read back from the kernel: antrag: no system call filter: mode 0'* ]]
	clean
}

@test "interrupted in the middle, the demo still takes everything away" {
	exec 7> /tmp/stube-demo.lock
	flock 7
	examples/demo.sh > "$DIR/out" 2>&1 7>&- &
	pid=$!
	for i in {1..1200}; do
		! grep -q '^6 ' "$DIR/out" || break
		sleep 0.05
	done
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" = 1 ]
	[ "$(last_line)" = 'demo: failed at: 6  A citizen applies and asks how far it is, through the portal only: interrupted ' ]
	clean
	flock -u 7
}

@test "the check of the confinement refuses processes of the host, by every value" {
	. examples/confinement.bash
	SERVICES=(one two three)
	USER_ID=10001
	confinement_table $$ $$ $$ > /dev/null
	run confinement_check
	[ "$status" = 1 ]
	for words in 'one: pid inside is' 'one: user inside is' 'one: capabilities is' 'one: no new privileges is' \
		'one: no system call filter' 'one: root is rw' 'one: a user of the host' "one: the host's user namespace" \
		"one: the host's mnt namespace" "one: the host's pid namespace" "one: the host's net namespace" \
		"one: the host's cgroup namespace" 'three and two share: cgroup'; do
		[[ $output == *"$words"* ]] || { echo "not said: $words"; false; }
	done
}
