#!/usr/bin/env bash
# Run the tests, some at a time, and count: tests/run.sh [PATTERN] runs the files whose path matches.
# Every test speaks TAP; results lie in build/results. The last line is the summary. TEST_STRICT=1: no second try.
# TEST_JOBS: how many files at once; without it, half as many again as there are cores, since a third of the time of most
# files is waiting.
set -u
cd "$(dirname "$0")/.." || exit
pattern=${1:-.}
out=build/results
rm -rf "$out"
mkdir -p "$out"

# A binary whose source is gone is no test.
list() {
	for source in tests/unit/*/*_test.c; do
		for mode in asan release; do
			[ -x "build/$mode/${source%.c}" ] && echo "build/$mode/${source%.c}"
		done
	done
	find tests/cli tests/integration -name '*.bats' 2>/dev/null
}

# cmocka prints "not ok 3 # SKIP name" for skip(); the line that the test printed before is the reason.
cmocka_skips() {
	awk '/^not ok [0-9]+ # SKIP / { $0 = "ok " $3 " - " $6 " # skip " said }
		!/^(ok|not ok) / { said = $0 } { print }' "$1" > "$1.new" && mv "$1.new" "$1"
}
export -f cmocka_skips

# One file: its TAP goes to a file of its own; a crash or a time-out is a failure, not silence. What it took is added to
# build/results/times: seconds, user and system seconds of CPU.
one() {
	local file=$1 tap=$2/${1//\//_}.tap status said wall user system bad=1
	local TIMEFORMAT='%R %U %S'
	{ time case $file in
	*.bats) timeout -k 10 "${TEST_TIMEOUT:-600}" bats --tap "$file" > "$tap" 2> "$tap.err" < /dev/null ;;
	*) CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 "${TEST_TIMEOUT:-300}" "./$file" > "$tap" 2> "$tap.err" < /dev/null ;;
	esac; } 2> "$tap.time"
	status=$?
	mapfile -t said < "$tap.time"
	read -r wall user system <<< "${said[-1]}"
	echo "$wall $user $system $file" >> "$2/times"
	[[ $file == *.bats ]] || ! grep -q '# SKIP' "$tap" || cmocka_skips "$tap"
	grep -q '^not ok' "$tap" || bad=
	if [ -z "$bad" ] && { [ $status -ne 0 ] || ! grep -q '^1\.\.' "$tap"; }; then
		bad=1
		echo "not ok 9999 - $file ended with status $status" >> "$tap"
	fi
	if [ -n "$bad" ]; then
		echo "FAILED $file"
		grep -A25 '^not ok' "$tap" | head -80
		tail -25 "$tap.err"
	else
		echo "ok     $file (${wall%.*} s)"
	fi
}
export -f one

# The longest first, so that no core waits for the other in the end: tests/durations has the seconds of the long files
# (the first column of build/results/times of a whole run), all others are short. Ordered by name, then.
longest_first() {
	awk 'NR == FNR { if (!/^#/) long[$2] = $1; next } { print long[$1] + 0, $1 }' tests/durations - | sort -k1,1rn -k2 | cut -d' ' -f2
}

list | grep -E "$pattern" | longest_first | xargs -P"${TEST_JOBS:-$((($(nproc) * 3 + 1) / 2))}" -I{} bash -c 'one "$1" "$2"' _ {} "$out"

# A file that failed beside others runs once more, alone: what fails again is broken. What does not is unsteady, which
# is said at the end and is a defect too, of the test or of what it tests; its first TAP is kept beside the second.
again() {
	local tap file
	for tap in $(grep -l '^not ok' "$out"/*.tap 2> /dev/null); do
		file=$(list | awk -v name="$(basename "$tap" .tap)" '{ path = $0; gsub("/", "_"); if ($0 == name) print path }')
		[ -n "$file" ] || continue
		mv "$tap" "$tap.first"
		echo "again, alone: $file"
		one "$file" "$out"
		grep -q '^not ok' "$tap" || sed -n "s|^not ok [0-9]* |unsteady: $file: |p" "$tap.first" >> "$out/unsteady"
	done
}
[ -n "${TEST_STRICT:-}" ] || again

[ ! -e "$out/unsteady" ] || cat "$out/unsteady"
grep -hi '# skip' "$out"/*.tap 2>/dev/null | sed 's/^ok [0-9]* -* */skipped: /' | sort | uniq
awk '
	/^ok / { if (tolower($0) ~ /# skip/) skipped++; else passed++ }
	/^not ok / { failed++ }
	END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 || passed == 0 }
' "$out"/*.tap
