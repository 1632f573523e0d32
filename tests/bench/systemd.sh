#!/usr/bin/env bash
# The cost of both cgroup managers, inside the bus lab (tests/vm/bus.sh): systemd.sh ROUNDS JSON. Peers that do not run there are left
# out. The lab has no controllers, so no limits: what is measured is the way to systemd and back.
set -eu
rounds=$1 json=$2
top=$(mktemp -d /tmp/bench.XXXXXX)
trap 'rm -rf "$top"' EXIT
mkdir -p "$top"/rootfs/{proc,sys,dev} "$top/state" "$top/b" "$top/sleep"
cp build/bench/payload "$top/rootfs/payload"
build/bin/stube-runtime spec -b "$top/b"
jq ".root.path = \"$top/rootfs\" | .process.terminal = false | .process.args = [\"/payload\"] | del(.linux.resources)
	| .process.rlimits = [{type: \"RLIMIT_NOFILE\", hard: 1024, soft: 1024}]" "$top/b/config.json" > "$top/b/new"
mv "$top/b/new" "$top/b/config.json"
jq '.process.args = ["/payload", "sleep"]' "$top/b/config.json" > "$top/sleep/config.json"

spec() {
	local stube=$PWD/build/bin/stube-runtime name r id
	id=bench-cgroupfs-%i
	r="$stube --root $top/state/stube"
	echo "run-cgroupfs|stube|bus||$r run -b $top/b $id|$r delete -f $id"
	for name in stube crun runc; do
		r="$(command -v $name || echo "$stube") --root $top/state/$name --systemd-cgroup"
		id=bench-$name-%i
		[ "$name" = stube ] || command -v $name > /dev/null || continue
		# shellcheck disable=SC2086 # words
		if ! ${r} run -b "$top/b" "bench-$name-try" > "$top/why" 2>&1 < /dev/null; then
			echo "systemd.sh: $name: left out: $(tail -1 "$top/why")" >&2
			continue
		fi
		echo "run-systemd|$name|bus||$r run -b $top/b $id|$r delete -f $id"
		echo "create-systemd|$name|bus||$r create -b $top/sleep $id|$r delete -f $id"
		echo "delete-systemd|$name|bus|$r create -b $top/sleep $id|$r delete -f $id|"
	done
}
spec > "$top/spec"
build/bench/race "$rounds" "$json" < "$top/spec"
