#!/usr/bin/env bats
# Layers as the kernel mounts them and as we extract them, beside what GNU tar makes of the same archive.

load debian

setup() {
	[ "$(id -u)" = 0 ] || skip "mounts need root"
	TOOL=$PWD/build/release/tests/images/layer-tool
	STUBE=$PWD/build/bin/stube
	T=$(mktemp -d "${TMPDIR:-/tmp}/stube-layers.XXXXXX")
	# Unpacked trees: in memory where there is room, because ext4 is slow at making thousands of files just
	# after thousands were removed.
	TREES=$T
	if [ "$(df --output=avail -k /dev/shm 2> /dev/null | tail -1)" -gt 1500000 ] 2> /dev/null; then
		TREES=$(mktemp -d /dev/shm/stube-layers.XXXXXX)
	fi
}

teardown() {
	if [ -n "${T:-}" ]; then
		mountpoint -q "$T/mounted" && umount "$T/mounted"
		rm -rf "$T" "$TREES"
	fi
}

# Mount $T/layer and list it: in a mount namespace of its own, so that nothing stays behind.
list_mounted() { # LAYER OUT
	mkdir -p "$T/mounted"
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m bash -ec '"$1" mount "$2" "$3"; "$1" list "$3" > "$4"' _ "$TOOL" "$1" "$T/mounted" "$2"
}

# The three of them: $T/{tar,extracted,mounted}.txt from $T/layer/data.tar.
list_all() {
	mkdir -p "$TREES/by-tar" "$TREES/extracted"
	"$TOOL" index "$T/layer/data.tar" "$T/layer/index.erofs"
	tar --extract --file "$T/layer/data.tar" --directory "$TREES/by-tar" --same-owner --same-permissions --numeric-owner \
		--xattrs --xattrs-include='*' --acls
	"$TOOL" extract "$T/layer/data.tar" "$TREES/extracted"
	list_mounted "$T/layer" "$T/mounted.txt"
	"$TOOL" list "$TREES/by-tar" > "$T/tar.txt"
	"$TOOL" list "$TREES/extracted" > "$T/extracted.txt"
}

@test "thousands of files of Debian look the same mounted, extracted, and unpacked by GNU tar" {
	local tar
	tar=$(debian_tar)
	mkdir "$T/layer"
	ln "$tar" "$T/layer/data.tar" 2>/dev/null || cp "$tar" "$T/layer/data.tar"
	list_all
	[ "$(wc -l < "$T/tar.txt")" -gt 4000 ]
	diff "$T/tar.txt" "$T/mounted.txt" | head -20
	cmp "$T/tar.txt" "$T/mounted.txt"
	cmp "$T/tar.txt" "$T/extracted.txt"
	diff -r --no-dereference -x dev "$TREES/by-tar" "$TREES/extracted"
	# Small beside the 130 MB that it describes: no file's data is in it.
	[ "$(stat -c %s "$T/layer/index.erofs")" -lt 1500000 ]
}

@test "a Debian tree is packed into the same image twice, and comes out as it went in" {
	local tar first second diff_id
	tar=$(debian_tar)
	mkdir "$TREES/tree"
	tar -xf "$tar" -C "$TREES/tree" --numeric-owner --xattrs --xattrs-include='*'
	first=$("$STUBE" --store "$T/one" image pack --quiet --keep-owners --compression zstd "$TREES/tree" localhost/debian:1)
	cp -a "$TREES/tree" "$TREES/copy"
	second=$("$STUBE" --store "$T/two" image pack --quiet --keep-owners --compression zstd "$TREES/copy" localhost/debian:1)
	[ "$first" = "$second" ]
	cmp "$T"/one/layers/sha256/*/data.tar "$T"/two/layers/sha256/*/data.tar
	cmp "$T"/one/layers/sha256/*/index.erofs "$T"/two/layers/sha256/*/index.erofs
	diff_id=$(ls "$T/one/layers/sha256")
	[ "$(sha256sum < "$T/one/layers/sha256/$diff_id/data.tar")" = "$diff_id  -" ]
	list_mounted "$T/one/layers/sha256/$diff_id" "$T/mounted.txt"
	"$TOOL" list "$TREES/tree" > "$T/tree.txt"
	# Times are kept in whole seconds; the top directory's own metadata is not packed.
	sed -i -E '1d; s/^(.* -?[0-9]+\.)[0-9]{9}/\1000000000/' "$T/mounted.txt" "$T/tree.txt"
	diff "$T/tree.txt" "$T/mounted.txt" | head -20
	cmp "$T/tree.txt" "$T/mounted.txt"
}

@test "every format of GNU tar is understood, sparse files included" {
	mkdir -p "$T/src/dir" "$T/layer"
	printf 'x%.0s' {1..300} > "$T/src/dir/$(printf 'n%.0s' {1..200})"
	ln -s "$(printf 't%.0s' {1..300})" "$T/src/link"
	truncate -s 20M "$T/src/sparse"
	printf data | dd of="$T/src/sparse" bs=1 seek=4194304 conv=notrunc status=none
	printf tail | dd of="$T/src/sparse" bs=1 seek=20971516 conv=notrunc status=none
	truncate -s 3M "$T/src/only-a-hole"
	{ head -c 1M /dev/urandom; } > "$T/src/random"
	truncate -s 5M "$T/src/random"
	chmod 6755 "$T/src/random"
	touch -d '1965-03-04 05:06:07' "$T/src/random"
	mkfifo "$T/src/fifo"
	mknod "$T/src/null" c 1 3
	local format
	for format in "gnu" "gnu --sparse" "oldgnu --sparse" "pax" "pax --sparse --sparse-version=0.0" \
		"pax --sparse --sparse-version=0.1" "pax --sparse --sparse-version=1.0"; do
		rm -rf "$TREES/by-tar" "$TREES/extracted"
		# shellcheck disable=SC2086 # several words
		tar --create --format=$format --file "$T/layer/data.tar" --directory "$T/src" .
		list_all
		diff "$T/tar.txt" "$T/mounted.txt"
		diff "$T/tar.txt" "$T/extracted.txt"
	done
	[ "$(du -k "$TREES/extracted/sparse" | cut -f1)" -lt 100 ]
}

@test "what bsdtar and python write is understood" {
	mkdir -p "$T/src/ünïcode" "$T/layer"
	echo data > "$T/src/ünïcode/日本"
	ln "$T/src/ünïcode/日本" "$T/src/hard"
	setfattr -n user.comment -v text "$T/src/hard"
	/usr/bin/python3 - "$T/src" "$T/layer/data.tar" <<-'EOF'
	import sys, tarfile
	with tarfile.open(sys.argv[2], "w", format=tarfile.PAX_FORMAT) as t:
	    t.add(sys.argv[1], arcname=".")
	EOF
	list_all
	diff "$T/tar.txt" "$T/mounted.txt"
	diff "$T/tar.txt" "$T/extracted.txt"
	command -v bsdtar > /dev/null || skip "bsdtar is not installed (the python half passed)"
	rm -rf "$TREES/by-tar" "$TREES/extracted"
	LC_ALL=C.UTF-8 bsdtar -cf "$T/layer/data.tar" --format pax -C "$T/src" .
	list_all
	# GNU tar does not know bsdtar's attributes, and sets a folder's time too early.
	rm -rf "$TREES/by-tar"
	mkdir "$TREES/by-tar"
	LC_ALL=C.UTF-8 bsdtar -xpf "$T/layer/data.tar" -C "$TREES/by-tar"
	"$TOOL" list "$TREES/by-tar" > "$T/tar.txt"
	diff "$T/extracted.txt" "$T/mounted.txt"
	# bsdtar leaves the top folder's time as it comes.
	diff <(sed 1d "$T/tar.txt") <(sed 1d "$T/mounted.txt")
	grep -q 'user.comment=74657874' "$T/mounted.txt"
}

@test "the locale of the caller does not change an index" {
	mkdir -p "$T/src/ünïcode"
	tar --create --format=pax --file "$T/data.tar" --directory "$T/src" .
	LC_ALL=C "$TOOL" index "$T/data.tar" "$T/a"
	LC_ALL=C.UTF-8 "$TOOL" index "$T/data.tar" "$T/b"
	cmp "$T/a" "$T/b"
}
