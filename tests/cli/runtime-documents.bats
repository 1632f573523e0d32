#!/usr/bin/env bats
# What the runtime prints and writes about itself: features, spec.

load helpers

setup() {
	rt_setup
}

teardown() {
	rt_teardown
}

# A new bundle by `spec`, with a program that ends by itself instead of a shell on a terminal.
new_bundle() { # DIR [OPTION...]
	mkdir -p "$1/rootfs/bin"
	cp /bin/busybox "$1/rootfs/bin/busybox"
	ln -s busybox "$1/rootfs/bin/sh"
	rt spec --bundle "$@"
	jq '.process.terminal = false | .process.args = ["sh", "-c", "echo started as $(busybox id -u)"]' \
		"$1/config.json" > "$1/config.new"
	mv "$1/config.new" "$1/config.json"
}

@test "features recognises every word that Debian's runc recognises" {
	rt features > "$T/ours"
	runc features > "$T/runc"
	for list in .hooks .mountOptions .linux.namespaces .linux.capabilities .linux.seccomp.actions .linux.seccomp.operators \
		.linux.seccomp.archs; do
		run jq -n --slurpfile a "$T/runc" --slurpfile b "$T/ours" "(\$a[0] | $list) - (\$b[0] | $list)"
		[ "$output" = "[]" ]
	done
	# Its annotations tell its own version; this one is asked for by callers, and crun prints it too.
	for file in ours runc; do
		[ "$(jq -r '.annotations["org.opencontainers.runc.checkpoint.enabled"]' "$T/$file")" = true ]
	done
}

@test "features says what runc and crun leave out: time namespaces, flags of seccomp, idmap, cgroup v2 only" {
	rt features > "$T/ours"
	jq -e '.linux.namespaces | index("time")' "$T/ours"
	jq -e '.linux.seccomp.supportedFlags | index("SECCOMP_FILTER_FLAG_LOG") != null' "$T/ours"
	jq -e '.linux.mountExtensions.idmap.enabled' "$T/ours"
	jq -e '.linux.cgroup | .v2 and (.v1 | not)' "$T/ours"
	jq -e '.mountOptions | index("rro") and index("ridmap")' "$T/ours"
	jq -e '.potentiallyUnsafeConfigAnnotations | index("run.oci.keep_original_groups") != null' "$T/ours"
}

@test "a new bundle starts here and with Debian's runc and crun" {
	[ "$(id -u)" = 0 ] || skip "only root starts containers with crun and runc here"
	new_bundle "$T/new"
	run rt run --bundle "$T/new" "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "started as 0" ]
	for peer in runc crun; do
		# They do not take the hybrid layout: a private mount namespace shows them cgroup v1 alone.
		run unshare -m --propagation private sh -c '
			umount /sys/fs/cgroup/unified 2> /dev/null
			exec "$1" --root "$2" run --bundle "$3" "$4"' _ "$peer" "$T/$peer" "$T/new" "$ID-$peer"
		echo "$peer: $output"
		[ "$status" -eq 0 ]
		[ "$output" = "started as 0" ]
	done
}

@test "the bundles that runc, crun and containerd write start here, without a warning" {
	[ "$(id -u)" = 0 ] || skip "they are bundles for root"
	new_bundle "$T/theirs"
	for writer in "runc spec" "crun spec" "ctr oci spec"; do
		rm "$T/theirs/config.json"
		(cd "$T/theirs" && $writer > printed && [ -e config.json ] || mv printed config.json)
		jq 'del(.linux.cgroupsPath) | .process.terminal = false | .process.args = ["sh", "-c", "echo started"]' \
			"$T/theirs/config.json" > "$T/config.new"
		mv "$T/config.new" "$T/theirs/config.json"
		run rt run --bundle "$T/theirs" "$ID"
		echo "$writer: $output"
		[ "$status" -eq 0 ]
		[ "$output" = started ]
	done
}

@test "a rootless bundle starts for its user" {
	new_bundle "$T/own" --rootless
	run rt run --bundle "$T/own" "$ID"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = "started as 0" ]
	run jq -c '.linux.uidMappings' "$T/own/config.json"
	[ "$output" = "[{\"containerID\":0,\"hostID\":$(id -u),\"size\":1}]" ]
}

@test "spec never overwrites a config.json" {
	echo mine > "$T/config.json"
	run rt spec --bundle "$T"
	[ "$status" -eq 1 ]
	[[ $output == *"make 'config.json': File exists"* ]]
	[ "$(cat "$T/config.json")" = mine ]
}
