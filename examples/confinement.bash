# examples/confinement.bash: how the three services are confined, as the kernel tells it.
#
#	confinement_table PID PID PID   gathers and prints, in the order of $SERVICES
#	confinement_check               says on stdout what is not as it must be; status 1 then

declare -gA SEEN

namespace() { readlink "/proc/$1/ns/$2" 2> /dev/null | tr -dc 0-9; }
status_of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }

# One process's facts into SEEN[INDEX,NAME].
confinement_read() {
	local i=$1 pid=$2 name
	# shellcheck disable=SC2034 # the other two stand in the same line of the file
	read -r first host size < "/proc/$pid/uid_map"
	SEEN[$i,pid inside]=$(status_of "$pid" NSpid | awk '{ print $NF }')
	SEEN[$i,user inside]=$(($(status_of "$pid" Uid | cut -f2) - host))
	SEEN[$i,user on the host]=$(status_of "$pid" Uid | cut -f2)
	SEEN[$i,ids of its own]="$host+$size"
	SEEN[$i,capabilities]=
	for name in CapInh CapPrm CapEff CapBnd CapAmb; do
		[[ $(status_of "$pid" $name) =~ ^0+$ ]] || SEEN[$i,capabilities]+="$name "
	done
	SEEN[$i,capabilities]=${SEEN[$i,capabilities]:-none in any set}
	SEEN[$i,no new privileges]=$(status_of "$pid" NoNewPrivs)
	SEEN[$i,system call filter]="mode $(status_of "$pid" Seccomp), $(status_of "$pid" Seccomp_filters) filter"
	for name in user mnt pid ipc uts cgroup net; do
		SEEN[$i,$name namespace]=$(namespace "$pid" $name)
	done
	SEEN[$i,root file system]=$(awk '$5 == "/" { split($6, o, ","); print o[1] "," $(NF - 2) }' "/proc/$pid/mountinfo" | tail -1)
	SEEN[$i,cgroup]=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
}

confinement_rows=('pid inside' 'user inside' 'user on the host' 'ids of its own' capabilities 'no new privileges'
	'system call filter' 'root file system' 'user namespace' 'mnt namespace' 'pid namespace' 'ipc namespace'
	'uts namespace' 'cgroup namespace' 'net namespace' cgroup)

confinement_table() {
	local i=0 pid row value
	for pid in "$@"; do
		confinement_read $i "$pid"
		i=$((i + 1))
	done
	confinement_read 3 $$
	printf '  %-20s%-22s%-22s%-22s%s\n' '' "${SERVICES[@]}" 'this shell'
	for row in "${confinement_rows[@]}"; do
		printf '  %-20s' "$row"
		for i in 0 1 2; do
			value=${SEEN[$i,$row]#/stube/}
			[ ${#value} -le 20 ] || value=${value:0:19}…
			printf '%-22s' "$value"
		done
		printf '%s\n' "${SEEN[3,$row]}"
	done
}

# The directories of their cgroups, one a line.
confinement_cgroups() {
	local i mount
	mount=$(awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i + 1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo)
	for i in 0 1 2; do
		echo "$mount${SEEN[$i,cgroup]}"
	done
}

# must SERVICE-INDEX ROW VALUE
confinement_must() {
	[ "${SEEN[$1,$2]}" = "$3" ] || echo "${SERVICES[$1]}: $2 is '${SEEN[$1,$2]}', must be '$3'"
}

confinement_check() {
	local i j name host wrong
	wrong=$(
		for i in 0 1 2; do
			confinement_must $i 'pid inside' 1
			confinement_must $i 'user inside' "$USER_ID"
			confinement_must $i capabilities 'none in any set'
			confinement_must $i 'no new privileges' 1
			[[ ${SEEN[$i,system call filter]} =~ ^'mode 2, '[1-9] ]] ||
				echo "${SERVICES[i]}: no system call filter: ${SEEN[$i,system call filter]}"
			[[ ${SEEN[$i,root file system]} == ro,* ]] || echo "${SERVICES[i]}: root is ${SEEN[$i,root file system]}"
			[ "${SEEN[$i,user on the host]}" -ge 65536 ] || echo "${SERVICES[i]}: a user of the host"
			[ -n "${SEEN[$i,cgroup]}" ] || echo "${SERVICES[i]}: no cgroup"
			for name in user mnt pid ipc uts cgroup net; do
				host=$(namespace $$ $name)
				[ "${SEEN[$i,$name namespace]}" != "$host" ] || echo "${SERVICES[i]}: the host's $name namespace"
			done
			for ((j = 0; j < i; j++)); do
				for name in 'user namespace' 'mnt namespace' 'pid namespace' 'ipc namespace' cgroup; do
					[ "${SEEN[$i,$name]}" != "${SEEN[$j,$name]}" ] ||
						echo "${SERVICES[i]} and ${SERVICES[j]} share: $name"
				done
				# Two nodes may use the same ids, as two machines may; on one of them nobody shares.
				[ "${SEEN[$i,net namespace]}" != "${SEEN[$j,net namespace]}" ] ||
					[ "${SEEN[$i,user on the host]}" != "${SEEN[$j,user on the host]}" ] ||
					echo "${SERVICES[i]} and ${SERVICES[j]} share: user on the host"
			done
		done
	)
	printf '%s' "$wrong"
	[ -z "$wrong" ]
}
