#!/usr/bin/env bash
# make bench-runtime: stube-runtime beside crun, runc and the kernel's floor, alternating in one run.
# View v2: a private mount namespace in which /sys/fs/cgroup is the v2 hierarchy.
set -eu
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-40}
if [ "${BENCH_INSIDE:-}" != 1 ]; then
	BENCH_INSIDE=1 exec unshare -m --propagation private "$0" "$@"
fi
[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup

top=$(mktemp -d /run/stube-bench-XXXXXX)
trap 'rm -rf "$top"' EXIT
build=build/bench
mkdir -p "$build" "$top/rootfs" "$top/state"
cc=${CC:-gcc}
for p in race floor payload; do "$cc" -O2 -D_GNU_SOURCE -Wno-unused-result -static -o "$build/$p" "tests/bench/$p.c"; done
cp "$build/payload" "$top/rootfs/payload"
mkdir -p "$top/rootfs"/{proc,sys,dev}

# One bundle for every runtime: crun's default document, no terminal, our payload.
bundle() { # folder, jq program
	mkdir -p "$top/$1"
	jq ".root.path = \"$top/rootfs\" | .process.terminal = false | .process.args = [\"/payload\"]
		| .process.rlimits = [{\"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, \"soft\": 1024}]
		| del(.linux.resources.devices) | $2" "$top/spec.json" > "$top/$1/config.json"
}
mkdir "$top/spec" && build/bin/stube-runtime spec -b "$top/spec" && mv "$top/spec/config.json" "$top/spec.json"
bundle plain '.'
bundle sleep '.process.args = ["/payload", "sleep"]'
bundle nocgroup '.linux.namespaces |= map(select(.type != "cgroup"))'
if [ -r "${STUBE_SECCOMP:-/usr/share/containers/seccomp.json}" ]; then
	# Engines resolve the profile's conditions; here: what a container without capabilities gets.
	jq '{defaultAction, defaultErrnoRet: (.defaultErrnoRet // 1),
		architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
		syscalls: [.syscalls[] | select((.includes.caps // []) == [] and ((.includes.arches // []) == [] or (.includes.arches | index("amd64")))
			and (.includes.minKernel // "") == "" and (.excludes.caps // []) == [])
			| {names, action} + (if (.args // []) == [] then {} else {args: [.args[] | {index, value, valueTwo, op}]} end)
			+ (if .errnoRet then {errnoRet} else {} end)]}' \
		"${STUBE_SECCOMP:-/usr/share/containers/seccomp.json}" > "$top/seccomp.json"
	mkdir -p "$top/seccomp"
	jq --slurpfile s "$top/seccomp.json" '.linux.seccomp = $s[0]' "$top/plain/config.json" > "$top/seccomp/config.json"
fi

peers() {
	echo "stube $PWD/build/bin/stube-runtime"
	for p in crun runc; do command -v $p > /dev/null && echo "$p $(command -v $p)"; done
	# More runtimes to race: PEERS="name=/path name=/path"
	for p in ${PEERS:-}; do echo "${p%%=*} ${p#*=}"; done
}

spec() {
	echo "run-nocgroup|floor|v2||$build/floor $top/rootfs|"
	echo "run|floor|v2||$build/floor $top/rootfs /sys/fs/cgroup/stube-bench-floor-%i|"
	peers | while read -r name path; do
		r="$path --root $top/state/$name"
		id="bench-$name-%i"
		sleep="-b $top/sleep $id"
		nocgroup=
		[ "$name" = stube ] && nocgroup="--cgroup-manager disabled"
		[ "$name" = crun ] && nocgroup="--cgroup-manager disabled"
		[ -n "$nocgroup" ] && echo "run-nocgroup|$name|v2||$r $nocgroup run -b $top/nocgroup $id|$r delete -f $id"
		echo "run|$name|v2||$r run -b $top/plain $id|$r delete -f $id"
		[ -d "$top/seccomp" ] && echo "run-seccomp|$name|v2||$r run -b $top/seccomp $id|$r delete -f $id"
		echo "create|$name|v2||$r create $sleep|$r delete -f $id"
		echo "start|$name|v2|$r create $sleep|$r start $id|$r delete -f $id"
		echo "state|$name|v2|$r create $sleep|$r state $id|$r delete -f $id"
		echo "exec|$name|v2|$r create $sleep; $r start $id|$r exec $id /payload|$r delete -f $id"
		echo "delete|$name|v2|$r create $sleep|$r delete -f $id|"
	done
}
spec | "$build/race" "$rounds" "$build/runtime.json"

# Memory of a created container's first process: private and proportional, in KiB.
memory_init() {
	peers | while read -r name path; do
		id=bench-memory-$name
		"$path" --root "$top/state/$name" create --pid-file "$top/pid" -b "$top/sleep" "$id" > /dev/null 2>&1 < /dev/null || continue
		awk -v n="$name" '/^Private/ { p += $2 } /^Pss:/ { s = $2 } END { printf "%-22s %-10s %-6s %10d private %10d pss KiB\n", "memory-init", n, "v2", p, s }' \
			"/proc/$(cat "$top/pid")/smaps_rollup"
		"$path" --root "$top/state/$name" delete -f "$id" > /dev/null 2>&1
	done
}
memory_init | tee "$top/memory"
# The JSON gets the memory rows too: the largest process of a run, and the created init.
jq --rawfile m "$top/memory" '
	.rows += [(.rows[] | select(.case == "run") | {case: "memory-run", view, unit: "KiB", better: "lower"} + .rss_kib)]
	| .rows += [{case: "memory-init", view: "v2", unit: "KiB", better: "lower"}
		+ ($m | split("\n") | map(select(. != "") | [splits(" +")] | {(.[1]): (.[3] | tonumber)}) | add)]
	' "$build/runtime.json" > "$build/runtime.tmp" && mv "$build/runtime.tmp" "$build/runtime.json"
echo "written: $build/runtime.json"
