# tests/vm/vm.bash: what tests inside the machines share; each runs for the cgroup manager in $MANAGER.
# Use: load vm; setup_file() { vm_bundle; }; setup() { vm_setup; }; teardown() { vm_teardown; }
load ../cli/helpers

# The bundle that all tests of a file use: making its root costs a second in a slow machine.
vm_bundle() {
	BUNDLES=$(mktemp -d /tmp/stube-vm.XXXXXX)
	export BUNDLES
	T=$BUNDLES
	rt_bundle b
	cp "$BATS_TEST_DIRNAME/../../build/helpers/load" "$BUNDLES/b/rootfs/bin/load"
}

vm_setup() {
	MANAGER=${MANAGER:-cgroupfs}
	T=$BUNDLES
	ROOT=$T/state
	CGROUP=/sys/fs/cgroup
	ID=c$BATS_TEST_NUMBER
}

rt() {
	"$RT_BIN" --root "$ROOT" --cgroup-manager "$MANAGER" "$@"
}

# What linux.cgroupsPath is for the manager, and where the container's directory then is.
cgroups_path() {
	case $MANAGER in
	systemd) echo "vmtest.slice:stube:$ID" ;;
	*) echo "/vmtest/$ID" ;;
	esac
}
cgroup_dir() {
	case $MANAGER in
	systemd) echo "$CGROUP/vmtest.slice/stube-$ID.scope" ;;
	*) echo "$CGROUP/vmtest/$ID" ;;
	esac
}

# config.json: a command, linux.resources, and more of a jq filter.
config() { # RESOURCES FILTER WORD...
	local resources=$1 filter=$2
	shift 2
	jq -n --arg path "$(cgroups_path)" "$RT_BASE"' | .process.args = $ARGS.positional | .linux.cgroupsPath = $path
		| .linux.resources = '"$resources | $filter" --args -- "$@" > "$T/b/config.json"
}

# Run in the foreground: bats' $status and $output. A process that goes on in the background: began.
go() { # RESOURCES WORD...
	local resources=$1
	shift
	config "$resources" . "$@"
	run rt run -b "$T/b" "$ID"
}
began() { # RESOURCES WORD...
	local resources=$1
	shift
	config "$resources" . "$@"
	rt run -d -b "$T/b" "$ID" > "$T/out" 2>&1 < /dev/null || { cat "$T/out"; return 1; }
	DIR=$(cgroup_dir)
	[ -d "$DIR" ]
}

# value FILE: of the container's cgroup, its lines as one.
value() {
	tr '\n' ' ' < "$DIR/$1" | sed 's/ $//'
}

wait_for() { # until the command succeeds; half a minute is for a machine that others use as well
	local _
	for _ in {1..600}; do
		"$@" && return
		sleep 0.05
	done
	return 1
}

# What every test leaves: no container, no cgroup.
vm_teardown() {
	if [ -e "$ROOT/$ID" ]; then rt delete --force "$ID"; fi
	[ ! -e "$(cgroup_dir)" ]
	[ ! -e "$ROOT/$ID" ]
}
