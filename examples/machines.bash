# examples/machines.bash: machines of the demo, made of namespaces of its own: they share nothing but a network.
#
#	machines_network                             in a network namespace of the caller's: a bridge, which is 10.77.0.1
#	machine_on NAME LAST-NUMBER COMMAND...       switch one on; COMMAND is its agent
#	machine_off NAME                             pull its plug: every process of it is gone at once, and so is /run
#	machine_process NAME COMM                    pid, as seen from here, of a process of it
#
# $WORK/NAME holds what a machine has on its disk.

MACHINES=()
declare -gA MACHINE_PID

machines_network() {
	ip link set lo up
	ip link add name stube-lan type bridge
	ip address add 10.77.0.1/24 dev stube-lan
	ip link set stube-lan up
}

machine_on() { # NAME NUMBER COMMAND...
	local name=$1 number=$2 outer i
	shift 2
	mkdir -p "$WORK/$name"
	unshare --net --uts --mount --pid --fork --kill-child --mount-proc "$ROOT/examples/node.sh" \
		"$name" "10.77.0.$number/24" "$@" >> "$WORK/$name.log" 2>&1 < /dev/null &
	outer=$!
	disown $outer
	for ((i = 0; i < 100; i++)); do
		MACHINE_PID[$name]=$(cat "/proc/$outer/task/$outer/children" 2> /dev/null | tr -d ' ')
		[ -z "${MACHINE_PID[$name]}" ] || break
		sleep 0.02
	done
	# unshare(1) makes the namespaces before the child; still, nothing here depends on that.
	for ((i = 0; i < 100; i++)); do
		[ "$(readlink "/proc/${MACHINE_PID[$name]}/ns/net")" = "$(readlink /proc/self/ns/net)" ] || break
		sleep 0.02
	done
	ip link add "lan-$number" type veth peer name eth0 netns "${MACHINE_PID[$name]}"
	ip link set "lan-$number" master stube-lan up
	MACHINES+=("$name")
}

# Processes of a machine, as seen from here.
machine_processes() {
	local wanted
	wanted=$(readlink "/proc/${MACHINE_PID[$1]}/ns/net" 2> /dev/null) || return 0
	# One program for all processes: 'PATH' -> 'net:[NUMBER]'.
	stat -c %N /proc/[0-9]*/ns/net 2> /dev/null | awk -F "'" -v wanted="$wanted" '$4 == wanted { split($2, part, "/"); print part[3] }'
}

machine_process() {
	local pid
	for pid in $(machine_processes "$1"); do
		[ "$(cat "/proc/$pid/comm" 2> /dev/null)" != "$2" ] || { echo "$pid"; return; }
	done
	return 0
}

# The cgroups of a machine's containers: a real one's go with it.
machine_cgroups() {
	local mount pid
	mount=$(awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i + 1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo)
	for pid in $(machine_processes "$1"); do
		sed -n "s|^0::/stube/|$mount/stube/|p" "/proc/$pid/cgroup" 2> /dev/null || true
	done | sort -u
}

machine_off() {
	local name=$1 cgroups i kept=()
	[ -n "${MACHINE_PID[$name]:-}" ] || return 0
	cgroups=$(machine_cgroups "$name")
	kill -KILL "${MACHINE_PID[$name]}" 2> /dev/null || true
	for ((i = 0; i < 200; i++)); do
		kill -0 "${MACHINE_PID[$name]}" 2> /dev/null || break
		sleep 0.02
	done
	unset "MACHINE_PID[$name]"
	for i in "${MACHINES[@]}"; do [ "$i" = "$name" ] || kept+=("$i"); done
	MACHINES=("${kept[@]}")
	rm -rf "${WORK:?}/$name/run"
	for ((i = 0; i < 50; i++)); do
		# shellcheck disable=SC2046,SC2086 # a list of words; the deeper ones come last
		rmdir $(printf '%s\n' $cgroups | sort -r) 2> /dev/null || true
		# shellcheck disable=SC2086
		[ -n "$(ls -d $cgroups 2> /dev/null || true)" ] || break
		sleep 0.05
	done
}
