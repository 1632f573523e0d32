# tests/cli/local.bash: a world of its own for each test of local containers: folders, a root, no leftovers.

BIN=$PWD/build/bin

local_setup() {
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/stube-local.XXXXXX")
	export STUBE_RUN=$WORK/run STUBE_DATA=$WORK/data STUBE_STORE=$WORK/store
	ROOT=$WORK/root
	[ -d "$BATS_FILE_TMPDIR/root" ] || local_root "$BATS_FILE_TMPDIR/root"
	cp -aT "$BATS_FILE_TMPDIR/root" "$ROOT"
	chmod 755 "$WORK"
}

# One tree for each file of tests; each test has a copy.
local_root() {
	local a root=$1.new
	mkdir -p "$root"/{bin,dev,etc,proc,run,sys,tmp,srv}
	cp /bin/busybox "$root/bin/"
	for a in sh cat echo sleep ls id true false seq stty mount env head kill dd tr wc hostname ps touch trap grep printf; do
		ln -sf busybox "$root/bin/$a"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/srv:/bin/sh\n' > "$root/etc/passwd"
	printf 'root:x:0:\napp:x:1000:\nextra:x:2000:app\n' > "$root/etc/group"
	mv "$root" "$1"
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
# A look costs more than the wait between two, so looks get rarer: at first after 50 ms, in the end three in a second.
eventually() {
	local end=$((SECONDS + 60)) pause looks=0
	while [ $SECONDS -lt $end ]; do
		"$@" > /dev/null 2>&1 && return 0
		pause=$((looks++ * 25 + 50))
		printf -v pause 0.%03d $((pause < 300 ? pause : 300))
		sleep "$pause"
	done
	echo "never became true: $*"
	return 1
}
