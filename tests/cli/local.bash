# tests/cli/local.bash: a world of its own for each test of local containers: folders, a root, no leftovers.

BIN=$PWD/build/bin

local_setup() {
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/stube-local.XXXXXX")
	export STUBE_RUN=$WORK/run STUBE_DATA=$WORK/data STUBE_STORE=$WORK/store
	ROOT=$WORK/root
	mkdir -p "$ROOT"/{bin,dev,etc,proc,run,sys,tmp,srv}
	cp /bin/busybox "$ROOT/bin/"
	local a
	for a in sh cat echo sleep ls id true false seq stty mount env head kill dd tr wc hostname ps touch trap grep printf; do
		ln -sf busybox "$ROOT/bin/$a"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/srv:/bin/sh\n' > "$ROOT/etc/passwd"
	printf 'root:x:0:\napp:x:1000:\nextra:x:2000:app\n' > "$ROOT/etc/group"
	chmod 755 "$WORK"
}

stube() { "$BIN/stube" "$@"; }

# Pids of this test's own monitors: those whose command line names its folder.
monitors() { pgrep -f -- "^$BIN/stube-monitor .*--dir=$STUBE_RUN/" || true; }

local_teardown() {
	local name m i
	for name in $(stube ps --all --output name 2> /dev/null); do stube rm --force "$name" > /dev/null 2>&1; done
	for i in $(seq 50); do
		m=$(monitors)
		[ -z "$m" ] && break
		sleep 0.1
	done
	[ -z "$m" ] || kill -9 $m
	grep -F " $WORK/" /proc/self/mountinfo | awk '{ print $5 }' | sort -r | xargs -r umount -l
	rm -rf "$WORK"
}

# run_dir [OPTIONS] COMMAND...: a container of this test's directory.
run_dir() { stube run --rootfs "$ROOT" "$@"; }

# Wait up to a minute for a command to succeed: no test measures time by it, and a busy machine takes its time.
eventually() {
	local end=$((SECONDS + 60))
	while [ $SECONDS -lt $end ]; do
		"$@" > /dev/null 2>&1 && return 0
		sleep 0.05
	done
	echo "never became true: $*"
	return 1
}
