#!/usr/bin/env bash
# Run every fuzzer for SECONDS, two at a time, on its corpus: tests/fuzz/run.sh SECONDS [PATTERN]
set -u
cd "$(dirname "$0")/../.." || exit
seconds=${1:-20}
pattern=${2:-.}
one() {
	name=$(basename "$1" | sed 's/^fuzz-//')
	work=build/fuzz/corpus/$name
	mkdir -p "$work" build/fuzz/crashes
	seeds=tests/data/fuzz/$name
	[ -d "$seeds" ] || seeds=
	log=build/fuzz/$name.log
	# shellcheck disable=SC2086 # no seeds, no word
	if "$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=1024 -artifact_prefix=build/fuzz/crashes/"$name"- \
		"$work" $seeds > "$log" 2>&1; then
		echo "ok 1 - $name: $(grep -oE '^#[0-9]+' "$log" | tail -1 | tr -d '#') inputs"
	else
		echo "not ok 1 - $name"
		tail -40 "$log"
	fi
}
export -f one
find build/fuzz/bin -name 'fuzz-*' -type f | grep -E "$pattern" | sort |
	xargs -P"$(nproc)" -I{} bash -c 'one "$1" "$2"' _ {} "$seconds" | tee build/fuzz/results
passed=$(grep -c '^ok' build/fuzz/results)
failed=$(grep -c '^not ok' build/fuzz/results)
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
