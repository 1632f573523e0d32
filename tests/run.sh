#!/usr/bin/env bash
# Run the tests, two at a time, and count: tests/run.sh [PATTERN] runs the files whose path matches.
# Every test speaks TAP; results lie in build/results. The last line is the summary. TEST_STRICT=1: no second try.
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

# One file: its TAP goes to a file of its own; a crash or a time-out is a failure, not silence.
one() {
	file=$1
	tap=$2/$(echo "$file" | tr '/' '_').tap
	start=$SECONDS
	case $file in
	*.bats) timeout -k 10 "${TEST_TIMEOUT:-600}" bats --tap "$file" > "$tap" 2> "$tap.err" < /dev/null ;;
	*) CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 "${TEST_TIMEOUT:-300}" "./$file" > "$tap" 2> "$tap.err" < /dev/null ;;
	esac
	status=$?
	cmocka_skips "$tap"
	if ! grep -q '^not ok' "$tap" && { [ $status -ne 0 ] || ! grep -q '^1\.\.' "$tap"; }; then
		echo "not ok 9999 - $file ended with status $status" >> "$tap"
	fi
	if grep -q '^not ok' "$tap"; then
		echo "FAILED $file"
		grep -A25 '^not ok' "$tap" | head -80
		tail -25 "$tap.err"
	else
		echo "ok     $file ($((SECONDS - start)) s)"
	fi
}
export -f one

list | grep -E "$pattern" | sort | xargs -P"$(nproc)" -I{} bash -c 'one "$1" "$2"' _ {} "$out"

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
