# tests/integration/lab.bash: a real systemd and a real D-Bus for one file of tests (tests/vm/bus.sh), in $LAB/lab, without real limits.

# In setup_file, in this order; between them what must be there before the lab is.
lab_prepare() {
	[ "$(id -u)" = 0 ] || skip 'needs root, for namespaces and mounts'
	export TOP=${BATS_TEST_DIRNAME%/tests/integration} BUS=${BATS_TEST_DIRNAME%/integration}/vm/bus.sh
	LAB=$(mktemp -d "${TMPDIR:-/tmp}/stube-bus.XXXXXX")
	export LAB
	mkdir "$LAB/lab"
}
lab_up() { cd "$TOP" && "$BUS" up "$LAB/lab"; }

# In teardown_file.
lab_down() { [ -z "${LAB:-}" ] || { cd "$TOP" && "$BUS" down "$LAB/lab"; rm -rf "$LAB"; }; }
