#!/usr/bin/env bash
# A node of the demo: process 1 of a machine made of namespaces. Starts its agent and adopts what outlives it.
#
#	unshare --net --uts --mount --pid --fork --kill-child --mount-proc examples/node.sh NAME ADDRESS/BITS COMMAND...
#
# Its network card, eth0, is put in by the demo.
name=$1 address=$2
shift 2
hostname "$name"
ip link set lo up
for ((i = 0; i < 200; i++)); do
	! ip link show eth0 > /dev/null 2>&1 || break
	sleep 0.05
done
ip address add "$address" dev eth0
ip link set eth0 up
trap 'kill -TERM "$agent" 2> /dev/null' TERM
"$@" &
agent=$!
# A machine goes on without its agent; only the demo switches it off.
while :; do wait -n || sleep 0.2; done
