#!/usr/bin/env bash
# make bench-runtime: stube-runtime beside crun, runc and the kernel's floor, alternating in one run.
# View v2: a private mount namespace in which /sys/fs/cgroup is the v2 hierarchy, and what stands for /run is a
# tmpfs, as on a host that systemd has booted. Figures of one run may be compared with each other only.
# ROUNDS=N (100); PEERS="name=/path ..." adds runtimes.
set -eu
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-100}
if [ "${BENCH_INSIDE:-}" != 1 ]; then
	BENCH_INSIDE=1 exec unshare -m --propagation private "$0" "$@"
fi
[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup

top=$(mktemp -d /run/stube-bench-XXXXXX)
trap 'umount -l "$top"; rmdir "$top"' EXIT
mount -t tmpfs -o mode=755 tmpfs "$top"
build=build/bench
tests/bench/build.sh
mkdir -p "$top/rootfs" "$top/state"
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

# runc has no way to leave cgroups alone: with --rootless=true it only forgives what it may not do.
peers | grep -q '^runc ' && echo 'runtime.sh: run-nocgroup runc: left out: runc always makes a cgroup' >&2

# The filter itself, which the floor loads ready-made: the end of the cache's file (runtime/seccomp-cache.c).
if [ -d "$top/seccomp" ]; then
	build/bin/stube-runtime --root "$top/state/stube" run -b "$top/seccomp" bench-filter
	cached=$(echo "$top"/state/stube/.cache/seccomp/*)
	tail -c "$(od -An -tu4 -j12 -N4 "$cached" | tr -d ' ')" "$cached" > "$top/filter"
fi

spec() {
	local floor="$build/floor $top/rootfs" cgroup=/sys/fs/cgroup/stube-bench-floor-%i
	echo "run-nocgroup|floor|v2||$floor|"
	echo "run|floor|v2||$floor $cgroup|"
	[ -e "$top/filter" ] && echo "run-seccomp|floor|v2||$floor $cgroup $top/filter|"
	peers | while read -r name path; do
		r="$path --root $top/state/$name"
		id="bench-$name-%i"
		sleep="-b $top/sleep $id"
		[ "$name" = runc ] || echo "run-nocgroup|$name|v2||$r --cgroup-manager disabled run -b $top/nocgroup $id|$r delete -f $id"
		echo "run|$name|v2||$r run -b $top/plain $id|$r delete -f $id"
		if [ -d "$top/seccomp" ]; then
			echo "run-seccomp|$name|v2||$r run -b $top/seccomp $id|$r delete -f $id"
			miss="$path --root $top/state/miss-$name"
			echo "run-seccomp-miss|$name|v2|rm -rf $top/state/miss-$name|$miss run -b $top/seccomp $id|$miss delete -f $id"
		fi
		echo "create|$name|v2||$r create $sleep|$r delete -f $id"
		echo "start|$name|v2|$r create $sleep|$r start $id|$r delete -f $id"
		echo "state|$name|v2|$r create $sleep|$r state $id|$r delete -f $id"
		echo "exec|$name|v2|$r create $sleep; $r start $id|$r exec $id /payload|$r delete -f $id"
		echo "delete|$name|v2|$r create $sleep|$r delete -f $id|"
	done
}
uptime
spec | "$build/race" "$rounds" "$build/runtime.json"
load=$(uptime | sed 's/.*load average: //')
echo "load average at the end: $load"

# System calls of each case and peer, once, all processes counted. A line of the table as `race` prints them.
count_calls() {
	spec | sed 's/%i/calls/g' | while IFS='|' read -r case peer view setup command teardown; do
		sh -c "$setup" > /dev/null 2>&1 < /dev/null || continue
		rm -f "$top/calls"
		# What create leaves behind is traced as well, until the teardown ends it. Words, as race splits them.
		# shellcheck disable=SC2086
		strace -f -c -U calls,name -o "$top/calls" $command > /dev/null 2>&1 < /dev/null &
		tracer=$!
		if [ "$case" = create ]; then
			for _ in {1..100}; do sh -c "${teardown/delete -f/state}" > /dev/null 2>&1 && break; sleep 0.1; done
			sh -c "$teardown" > /dev/null 2>&1 < /dev/null
		fi
		wait "$tracer" && [ -s "$top/calls" ] &&
			printf '%-22s %-10s %-6s %10d calls\n' "calls-$case" "$peer" "$view" \
				"$(awk '$2 == "total" { print $1 }' "$top/calls")"
		sh -c "$teardown" > /dev/null 2>&1 < /dev/null
	done
}
: > "$top/calls-table"
if command -v strace > /dev/null; then count_calls | tee "$top/calls-table"; fi

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
jq --rawfile m "$top/memory" --rawfile calls "$top/calls-table" --arg load "$load" '
	.rows += [(.rows[] | select(.case == "run") | {case: "memory-run", view, unit: "KiB", better: "lower"} + .rss_kib)]
	| .rows += [{case: "memory-init", view: "v2", unit: "KiB", better: "lower"}
		+ ($m | split("\n") | map(select(. != "") | [splits(" +")] | {(.[1]): (.[3] | tonumber)}) | add)]
	| .rows += [$calls | split("\n") | map(select(. != "") | [splits(" +")]) | group_by(.[0])[]
		| {case: .[0][0], view: .[0][2], unit: "calls", better: "lower"} + (map({(.[1]): (.[3] | tonumber)}) | add)]
	| .load = $load
	' "$build/runtime.json" > "$build/runtime.tmp" && mv "$build/runtime.tmp" "$build/runtime.json"

# Both cgroup managers, before a real systemd; rows of the same file.
tests/vm/bus.sh up "$top/lab"
trap 'tests/vm/bus.sh down "$top/lab"; umount -l "$top"; rmdir "$top"' EXIT
tests/vm/bus.sh in "$top/lab" "$PWD/tests/bench/systemd.sh" "$rounds" /run/lab/bench.json
jq --slurpfile bus "$top/lab/share/bench.json" '.rows += $bus[0].rows' "$build/runtime.json" > "$build/runtime.tmp" && mv "$build/runtime.tmp" "$build/runtime.json"
echo "written: $build/runtime.json"
