#!/usr/bin/env bash
# make bench-scheduler: placement as a library, then a real scheduler under load. build/bench/scheduler.json has the figures.
# What each case is: tests/bench/scheduler-place.c and scheduler-load.c. No peer runs beside it: neither Nomad nor Kubernetes
# is in Debian; their published figures are in docs/placement.md.
set -eu
cd "$(dirname "$0")/../.."
build=build/bench
top=$(mktemp -d "${TMPDIR:-/tmp}/stube-bench.XXXXXX")
scheduler=
clean() {
	[ -z "$scheduler" ] || { kill "$scheduler" 2> /dev/null && wait "$scheduler" 2> /dev/null; }
	rm -rf "$top"
}
trap 'set +e; clean' EXIT
openb=../shared/data/openb-gpu-2023
[ -d "$openb" ] || { openb=; echo 'quality-*: left out: the traces of openb are not here' >&2; }
"$build/bin/scheduler-place" $openb | tee "$top/figures" | awk -F '\t' '{ printf "%-28s %12s %-10s %s\n", $1, $5, $2, $4 }'
build/bin/stube-scheduler --store "sqlite:$top/store.db" --socket "$top/s.sock" --log-level error 2> "$top/log" &
scheduler=$!
for _ in $(seq 100); do [ ! -S "$top/s.sock" ] || break; sleep 0.05; done
"$build/bin/scheduler-load" "$top/s.sock" "$scheduler" > "$top/load" || { tail -5 "$top/log" >&2; exit 1; }
awk -F '\t' '{ printf "%-28s %12s %-10s %s\n", $1, $5, $2, $4 }' "$top/load"
cat "$top/load" >> "$top/figures"
jq -Rn --arg machine "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)" '
	[inputs | split("\t")] | group_by(.[0]) |
	{ machine: $machine, rows: map({ case: .[0][0], unit: .[0][1], better: .[0][2] } + (map({ (.[3]): (.[4] | tonumber) }) | add)) }
' < "$top/figures" > "$build/scheduler.json"
echo "written: $build/scheduler.json"
