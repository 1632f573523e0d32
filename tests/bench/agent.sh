#!/usr/bin/env bash
# make bench-agent: one scheduler, one agent, Pods of a static program that only waits: from bind to running, Pods a second,
# memory of agent and monitors. PODS=100 and ROUNDS=20 may be set; build/bench/agent.json has the figures.
set -eu
cd "$(dirname "$0")/../.."
build=build/bench
top=$(mktemp -d /tmp/stube-bench-XXXXXX)
export STUBE_RUN=$top/run STUBE_DATA=$top/data STUBE_STORE=$top/store
mkdir -p "$build" "$top/root" "$STUBE_RUN" "$STUBE_DATA"
chmod 700 "$STUBE_RUN" "$STUBE_DATA"
scheduler='' agent=''

# Whatever happened: Pods' processes, monitors and mounts of this world go.
clean() {
	for p in $agent $scheduler; do kill -9 "$p" 2> /dev/null && wait "$p" 2> /dev/null; done
	for p in $(pgrep -f -- "^$PWD/build/bin/stube-monitor .*--dir=$STUBE_RUN/"); do kill -9 "$p"; done
	for f in "$STUBE_RUN"/agent/containers/*; do
		[ -d "$f" ] || continue
		if [ -e "$f/running.json" ]; then kill -9 "$(jq .pid "$f/running.json")" 2> /dev/null; fi
		build/bin/stube-runtime --root="$STUBE_RUN/agent/runtime" delete --force "${f##*/}" 2> /dev/null
	done
	grep -F " $top/" /proc/self/mountinfo | awk '{ print $5 }' | sort -r | xargs -r umount -l
	rm -rf "$top"
}
trap 'set +e; clean' EXIT

"${CC:-gcc}" -O2 -D_GNU_SOURCE -Wno-unused-result -static -o "$top/root/payload" tests/bench/payload.c
mkdir -p "$top/root"/{proc,sys,dev,tmp,run,etc}
build/bin/stube image pack --quiet --entrypoint /payload --cmd sleep "$top/root" localhost/bench/wait:1 > /dev/null
build/bin/stube-scheduler --store "$top/store.db" --socket "$STUBE_RUN/scheduler.sock" 2> "$top/scheduler.log" &
scheduler=$!
build/bin/stube-agent --name bench --quiet --max-pods 1000 2> "$top/agent.log" &
agent=$!
python3 tests/bench/agent.py "$STUBE_RUN" "$agent" "$build/agent.json" "${PODS:-100}" "${ROUNDS:-20}" ||
	{ tail -n 20 "$top/agent.log" "$top/scheduler.log"; exit 1; }
echo "written: $build/agent.json"
