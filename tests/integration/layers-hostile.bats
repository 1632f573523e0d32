#!/usr/bin/env bats
# Archives that try to write, link or change something outside of their directory, through both ways.

setup() {
	[ "$(id -u)" = 0 ] || skip "mounts need root"
	TOOL=$PWD/build/release/tests/images/layer-tool
	HERE=$BATS_TEST_DIRNAME
	T=$(mktemp -d "${TMPDIR:-/tmp}/stube-hostile.XXXXXX")
	mkdir "$T/outside" "$T/tars"
	echo untouched > "$T/outside/file"
	chmod 600 "$T/outside/file"
	/usr/bin/python3 "$HERE/hostile-tars.py" "$T/tars" "$T/outside"
	# Everything around the place of work is watched, the working directory too.
	mkdir "$T/cwd"
	echo untouched > "$T/cwd/sentinel"
	cd "$T/cwd" || return 1
	"$TOOL" list "$T/outside" > "$T/outside.txt"
	"$TOOL" list "$T/cwd" > "$T/cwd.txt"
}

teardown() {
	cd /
	[ -z "${T:-}" ] || rm -rf "$T"
}

assert_untouched() {
	"$TOOL" list "$T/outside" | cmp - "$T/outside.txt"
	"$TOOL" list "$T/cwd" | cmp - "$T/cwd.txt"
	[ "$(ls "$T")" = "$1" ]
}

@test "no archive of the corpus reaches a file outside, and both ways read it alike" {
	local tar name checked=0 around
	mkdir "$T/mounted" "$T/layer" "$T/jail"
	touch "$T/mounted.txt" "$T/extracted.txt"
	around=$(ls "$T")
	for tar in "$T"/tars/*.tar; do
		name=$(basename "$tar")
		rm -rf "$T/jail/tree"
		mkdir -p "$T/jail/tree"
		cp "$tar" "$T/layer/data.tar"
		if [[ $name == *.bad.tar ]]; then
			! "$TOOL" index "$T/layer/data.tar" "$T/layer/index.erofs" 2> /dev/null || { echo "$name was indexed"; return 1; }
			! "$TOOL" extract "$T/layer/data.tar" "$T/jail/tree" 2> /dev/null || { echo "$name was extracted"; return 1; }
			[ -z "$(ls -A "$T/jail/tree")" ] || { echo "$name left files"; return 1; }
		else
			"$TOOL" index "$T/layer/data.tar" "$T/layer/index.erofs" || { echo "$name: index"; return 1; }
			"$TOOL" extract "$T/layer/data.tar" "$T/jail/tree" || { echo "$name: extract"; return 1; }
			"$TOOL" list "$T/jail/tree" > "$T/extracted.txt"
			# shellcheck disable=SC2016 # for the inner shell
			unshare -m bash -ec '"$1" mount "$2" "$3"; "$1" list "$3"' _ "$TOOL" "$T/layer" "$T/mounted" > "$T/mounted.txt"
			diff "$T/extracted.txt" "$T/mounted.txt" || { echo "$name: differs"; return 1; }
		fi
		assert_untouched "$around" || { echo "$name reached outside"; return 1; }
		[ "$(ls "$T/jail")" = tree ] || { echo "$name left its directory"; return 1; }
		checked=$((checked + 1))
	done
	[ "$checked" -ge 40 ]
}

@test "the corpus is hostile: a tool that trusts names does reach outside" {
	# The recipes must bite somebody, or the test above proves nothing.
	mkdir "$T/naive"
	for tar in "$T"/tars/*climbing-name.ok.tar "$T"/tars/*file-through-absolute-link.ok.tar; do
		tar --absolute-names --keep-directory-symlink --extract --file "$tar" --directory "$T/naive" || true
	done
	"$TOOL" list "$T/outside" > "$T/after.txt"
	run cmp -s "$T/after.txt" "$T/outside.txt"
	[ "$status" = 1 ]
}

@test "an archive of sparse promises takes neither memory nor disk" {
	/usr/bin/python3 - "$T/bomb.tar" <<-'EOF'
	import io, sys, tarfile
	with tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT) as t:
	    for i in range(1000):
	        info = tarfile.TarInfo(f"f{i}")
	        info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": f"f{i}",
	                            "GNU.sparse.size": str(1 << 42), "GNU.sparse.map": "512,512", "GNU.sparse.numblocks": "1"}
	        info.size = 512
	        t.addfile(info, io.BytesIO(b"x" * 512))
	EOF
	run bash -c "ulimit -v 300000; '$TOOL' index '$T/bomb.tar' '$T/index'"
	[ "$status" = 1 ]
	[[ $output == *"sparse files need a map of more than 4194304 entries"* ]]
	[ "$(stat -c %s "$T/index")" -lt 1000000 ]
}

@test "a header that never ends is refused" {
	# An old GNU sparse header whose extensions go on for ever: libarchive would keep them all.
	/usr/bin/python3 - "$T/endless.tar" <<-'EOF'
	import sys
	header = bytearray(512)
	header[0:1] = b"s"
	header[100:108] = b"0000644\0"
	header[108:116] = header[116:124] = b"0000000\0"
	header[124:136] = b"00000000000\0"
	header[136:148] = b"00000000000\0"
	header[156:157] = b"S"
	header[257:265] = b"ustar  \0"
	header[386:398] = header[398:410] = b"00000000000\0"
	header[482] = 1
	header[483:495] = b"77777777777\0"
	header[148:156] = b"        "
	header[148:155] = b"%06o\0" % sum(header)
	more = b"".join(b"%011o\0%011o\0" % (1024 * (i + 1), 512) for i in range(21)) + b"\1" + b"\0" * 7
	with open(sys.argv[1], "wb") as f:
	    f.write(header)
	    for _ in range(40000):
	        f.write(more)
	EOF
	run bash -c "ulimit -v 300000; '$TOOL' index '$T/endless.tar' '$T/index'"
	[ "$status" = 1 ]
	[[ $output == *"headers of one entry are larger than 4194304 bytes"* ]]
}
