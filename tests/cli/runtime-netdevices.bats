#!/usr/bin/env bats
# Promises of linux.netDevices. The "host" of these tests is a network namespace of their own.
load helpers

setup() {
	rt_setup
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -n sleep 600 > "$T/holder.out" 2>&1 3>&- &
	HOLDER=$!
	until [ "$(readlink /proc/$HOLDER/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
	host ip link add stubev0 type veth peer name stubev1 2> "$T/veth" || skip "no veth devices here: $(cat "$T/veth")"
}

teardown() {
	[ -z "${HOLDER:-}" ] || kill "$HOLDER"
	rt_teardown
}

host() { nsenter -t "$HOLDER" -n "$@"; }
in_host() { host "$RT_BIN" --root "$ROOT" "$@"; }
addresses() { # DEVICE: of the host
	host ip -o address show dev "$1" | awk '{print $3, $4, $6}' | sort
}

@test "a device moves in with its permanent global addresses and MTU, is renamed and up" {
	host ip address add 192.0.2.7/24 broadcast 192.0.2.255 dev stubev0
	host ip address add 2001:db8::7/64 dev stubev0 nodad
	host ip address add 169.254.9.9/16 scope link dev stubev0
	host ip link set stubev0 mtu 1400 up
	mac=$(host ip -j link show stubev0 | jq -r '.[0].address')
	rt_bundle b "$(rt_sh 'ip address show dev data0') | .linux.netDevices = {stubev0: {name: \"data0\"}}"
	run in_host run -b "$T/b" "$ID"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"UP"*"mtu 1400"* ]]
	[[ "$output" == *"inet 192.0.2.7/24 brd 192.0.2.255 scope global data0"* ]]
	[[ "$output" == *"inet6 2001:db8::7/64 scope global"* ]]
	[[ "$output" != *169.254.9.9* ]]
	[[ "$output" == *"link/ether $mac"* ]]
}

@test "without a name it keeps its own, and the host no longer has it" {
	rt_bundle b "$(rt_sh 'sleep 600') | .linux.netDevices = {stubev0: {}}"
	in_host create -b "$T/b" "$ID" > /dev/null 2>&1 3>&-
	run host ip link show stubev0
	[ "$status" -ne 0 ]
	in_host start "$ID"
	run in_host exec "$ID" ip -o link show stubev0
	[ "$status" -eq 0 ]
	[[ "$output" == *"stubev0"*UP* ]]
	in_host delete --force "$ID"
}

@test "a template such as eth%d takes the first free number, for each device its own" {
	rt_bundle b "$(rt_sh 'ls /proc/sys/net/ipv4/conf') | .linux.netDevices = {stubev0: {name: \"eth%d\"}, stubev1: {name: \"eth%d\"}}"
	run in_host run -b "$T/b" "$ID"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *eth0*eth1*lo* ]]
}

@test "hooks and sysctls of the container find the device" {
	rt_bundle b "$(rt_sh 'cat /proc/sys/net/ipv4/conf/data0/forwarding') | .linux.netDevices = {stubev0: {name: \"data0\"}}
		| .linux.sysctl = {\"net.ipv4.conf.data0.forwarding\": \"1\"}"
	run in_host run -b "$T/b" "$ID"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = 1 ]
}

@test "a user namespace of the container's own is no obstacle" {
	host ip address add 192.0.2.7/24 dev stubev0
	rt_bundle b "$(rt_sh 'ip -o address show dev data0') | .linux.netDevices = {stubev0: {name: \"data0\"}} | $RT_USERNS"
	chmod 755 "$T"
	chown -R 100000:100000 "$T/b/rootfs"
	run in_host run -b "$T/b" "$ID"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"192.0.2.7/24"* ]]
}

@test "a device that is not there is named, and what moved before comes back with its addresses" {
	host ip address add 192.0.2.7/24 dev stubev0
	host ip link set stubev0 up
	before=$(addresses stubev0)
	rt_bundle b '.linux.netDevices = {stubev0: {name: "data0"}, missing0: {}}'
	run in_host run -b "$T/b" "$ID"
	echo "$output"
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.netDevices.missing0: find: the kernel refuses: No such device"* ]]
	[ "$(addresses stubev0)" = "$before" ]
	[ ! -e "$ROOT/$ID" ]
}

@test "a start that fails later gives the device back" {
	host ip address add 192.0.2.7/24 dev stubev0
	before=$(addresses stubev0)
	rt_bundle b "$(rt_args /no/such/program) | .linux.netDevices = {stubev0: {name: \"data0\"}}"
	run in_host run -b "$T/b" "$ID"
	[ "$status" -ne 0 ]
	[[ "$output" == *"no such file or directory"* ]]
	[ "$(addresses stubev0)" = "$before" ]
}

@test "a name that is taken inside is refused before anything moves" {
	rt_bundle b '.linux.netDevices = {stubev0: {name: "lo"}}'
	run in_host run -b "$T/b" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"linux.netDevices.stubev0: the container has a device 'lo' already"* ]]
	host ip link show stubev0
}

@test "the loopback device, two devices of one name, no network namespace: refused with the field" {
	rt_bundle b '.linux.netDevices = {lo: {name: "lo1"}}'
	run in_host run -b "$T/b" "$ID"
	[[ "$output" == *"linux.netDevices.lo: is a loopback interface"* ]]
	rt_config b '.linux.netDevices = {stubev0: {name: "a"}, stubev1: {name: "a"}}'
	run in_host run -b "$T/b" "$ID"
	[[ "$output" == *"linux.netDevices.stubev1: gets the name 'a', as another does"* ]]
	rt_config b '.linux.netDevices = {stubev0: {}} | .linux.namespaces |= map(select(.type != "network"))'
	run in_host run -b "$T/b" "$ID"
	[[ "$output" == *"linux.netDevices: needs a network namespace"* ]]
}
