#!/usr/bin/env bash
# Run tests in the project's own machines, which have systemd and all of cgroup v2: tests/vm/run.sh [-m MACHINE] [PATTERN]
# runs the lines of tests/vm/Tests whose file or manager matches, and tests/vm/services.sh, which boots a machine twice. TAP,
# then the summary as the last line; status 1 when anything failed, and that includes a machine that does not boot or gives
# no result in time.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/vm/boot.sh
machines="uml qemu"
if [ "${1:-}" = -m ]; then
	machines=$2
	shift 2
fi
pattern=${1:-.}
limit=${STUBE_VM_TIMEOUT:-1500}
results=${STUBE_VM_RESULTS:-build/vm}
rm -rf "$results"
mkdir -p "$results"

summary() {
	grep -hi '# skip' "$results"/*.tap 2> /dev/null | sed 's/^ok [0-9]* -* */skipped: /' | sort | uniq
	awk '
		/^ok / { if (tolower($0) ~ /# skip/) skipped++; else passed++ }
		/^not ok / { failed++ }
		END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 || passed == 0 }
	' "$results"/*.tap /dev/null
}

# A machine that has lines in the list; the control folder goes with us.
machine() {
	local name=$1 control reader start=$SECONDS status
	control=$(mktemp -d "${TMPDIR:-/tmp}/stube-vm.XXXXXX") || return
	# shellcheck disable=SC2064 # as it is now
	trap "rm -rf --one-file-system '$control'" EXIT
	mkfifo "$control/out"
	printf 'exec bash /mnt/source/tests/vm/guest.sh %q %q\n' "$name" "$pattern" > "$control/command"
	echo "# machine $name"
	tee "$results/$name.tap" < "$control/out" &
	reader=$!
	vm_boot "$name" "$image" "$PWD" "$control" "$limit"
	exec 3<> "$control/out" # a machine that never opened its line: the reader is let go
	exec 3>&-
	wait $reader
	cp "$control/console" "$results/$name.console" 2> /dev/null
	status=$(cat "$control/status" 2> /dev/null)
	if [ -z "$status" ]; then
		echo "not ok 9999 machine $name: no result after $((SECONDS - start)) s (limit $limit s), booted after $(cut -d' ' -f1 "$control/booted" 2> /dev/null || echo "no") s"
		tail -40 "$control/emulator" "$control/console" 2> /dev/null | sed 's/^/# /'
	elif [ "$status" != 0 ] && ! grep -q '^not ok' "$results/$name.tap"; then
		echo "not ok 9999 machine $name: its tests ended with status $status"
	fi | tee -a "$results/$name.tap"
	echo "# machine $name: booted after $(cut -d' ' -f1 "$control/booted" 2> /dev/null) s, all $((SECONDS - start)) s"
	rm -rf --one-file-system "$control"
}

wanted() { # MACHINE
	local where manager build file
	while read -r where manager build _ file; do
		[ "$where" = "$1" ] && [[ "$file $manager $build" =~ $pattern ]] && return
	done < <(grep -v '^#' tests/vm/Tests)
	return 1
}

services() {
	local start=$SECONDS
	echo '# machine uml, the programs as services'
	STUBE_VM_IMAGE=$image tests/vm/services.sh | tee "$results/services.tap"
	echo "# machine uml, the programs as services: all $((SECONDS - start)) s"
}

if image=$(tests/vm/image.sh); then
	# A shared lock: this image is in use, nobody removes it.
	exec 8< "$image"
	flock -s 8
	for name in $machines; do
		wanted "$name" && machine "$name"
	done
	[[ " $machines " = *' uml '* && tests/vm/services.sh =~ $pattern ]] && services
else
	echo "not ok 1 the machines' image cannot be made" | tee "$results/image.tap"
fi
summary
