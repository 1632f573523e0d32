#!/usr/bin/env bash
# Inside a test machine: run its lines of tests/vm/Tests, print TAP: guest.sh MACHINE [PATTERN].
# Programs and tests are copied to the machine's own disk first: a shared folder knows neither file locks nor all modes.
set -u
machine=$1
pattern=${2:-.}
cd /mnt/source || exit
here=/tmp/stube
mkdir -p $here
tar -c --exclude='*.o' build/bin build/asan/bin build/helpers tests/cli tests/vm 2> /dev/null | tar -x -C $here
cd $here || exit
# What an OCI engine or a service manager would have prepared.
for controllers in cpu cpuset io memory pids; do
	echo "+$controllers" > /sys/fs/cgroup/cgroup.subtree_control
done 2> /dev/null
for module in overlay nf_conntrack_netlink unix_diag inet_diag tcp_diag udp_diag raw_diag af_packet_diag netlink_diag tun; do
	modprobe $module 2> /dev/null # which of them there is, the kernel says
done

numbered=0
failed=0
one() { # MANAGER RUNTIME SECONDS FILE
	local name="$4 ($1, $2)" tap=/tmp/tap status start=$SECONDS base
	local -a command
	export MANAGER=$1 MACHINE=$machine RT_BIN=$here/build/$2/stube-runtime
	case $4 in
	*.bats) command=(bats --tap "$4") ;;
	*.c)
		base=${4##*/}
		command=("build/helpers/vm-${base%.c}" "$RT_BIN" build/helpers "$machine" "$1")
		;;
	esac
	timeout -k 10 "$3" "${command[@]}" 2> $tap.err < /dev/null | tee $tap | while IFS= read -r line; do
		case $line in
		ok\ * | not\ ok\ *)
			numbered=$((numbered + 1))
			rest=${line#*ok }
			echo "${line%%ok *}ok $numbered $name${rest#"${rest%%[!0-9]*}"}"
			;;
		1..*) ;;
		*) echo "$line" ;;
		esac
	done
	status=${PIPESTATUS[0]}
	numbered=$((numbered + $(grep -cE '^(not )?ok ' $tap)))
	if ! grep -q '^not ok' $tap && { [ "$status" -ne 0 ] || ! grep -q '^1\.\.' $tap; }; then
		numbered=$((numbered + 1))
		echo "not ok $numbered $name ended with status $status"
		failed=1
	fi
	! grep -q '^not ok' $tap || failed=1
	[ "$failed" = 0 ] || tail -25 $tap.err | sed 's/^/# /'
	# Whatever ran, the machine's own devices are as they were: the next test must not be the one that says so.
	if [ "$(stat -c %F:%t:%T:%a /dev/null)" != 'character special file:1:3:666' ]; then
		numbered=$((numbered + 1))
		echo "not ok $numbered $name replaced /dev/null of the machine"
		failed=1
	fi
	echo "# $name: $((SECONDS - start)) s"
}

while read -r where manager build seconds file; do
	[ "$where" = "$machine" ] || continue
	[[ "$file $manager $build" =~ $pattern ]] || continue
	one "$manager" "$build" "$seconds" "$file"
done < <(grep -v '^#' tests/vm/Tests)
echo "1..$numbered"
exit $failed
