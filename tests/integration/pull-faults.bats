#!/usr/bin/env bats
# What goes wrong between stube and a registry: logins, registries that are down, die or lie, disks that fill,
# signals. One line each, nothing half-made in the store, and the next try succeeds.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	. tests/registry/lib.bash
	export TOP=$PWD DIR=$BATS_FILE_TMPDIR PATH=$PWD/build/bin:$PATH
	/usr/bin/python3 tests/images/layout.py "$DIR/oci" big=tar:12000000 small=gzip:1000
	registry_start "$DIR/registry" token tls
	export REGISTRY REGISTRY_USER REGISTRY_PASSWORD CERTS=$DIR/registry/certs.d
	skopeo login -u "$REGISTRY_USER" -p "$REGISTRY_PASSWORD" --authfile "$DIR/auth.json" \
		--cert-dir "$CERTS/$REGISTRY" "$REGISTRY"
	local name
	for name in big small; do
		skopeo copy -q --authfile "$DIR/auth.json" --dest-cert-dir "$CERTS/$REGISTRY" \
			"oci:$DIR/oci:$name" "docker://$REGISTRY/amt/$name:1"
	done
}

teardown_file() {
	. tests/registry/lib.bash
	registry_stop "$DIR/registry"
}

setup() {
	export STORE=$BATS_TEST_TMPDIR/store STUBE_STORE=$BATS_TEST_TMPDIR/store
	AUTH=$DIR/auth.json
}

pull() { # NAME [WORD...]
	stube pull -q --auth-file "$AUTH" --certs-dir "$CERTS" "${@:2}" "$REGISTRY/amt/$1:1"
}
one_line() { # TEXT: the error is one line (and perhaps a hint) that has it, and nothing stands on stdout
	[ "$status" -eq 1 ] || { echo "status $status"; return 1; }
	[ -z "$output" ] || { echo "stdout: $output"; return 1; }
	[[ "${stderr_lines[0]}" == "error: "*"$1"* ]] || { echo "$stderr"; return 1; }
	[ "${#stderr_lines[@]}" -le 2 ] || { echo "$stderr"; return 1; }
}
nothing_visible() {
	[ -z "$(find "$STORE/refs" "$STORE/blobs" "$STORE/layers" -type f 2> /dev/null)" ]
}
clean() {
	stube image fsck > /dev/null
	[ -z "$(ls -A "$STORE/ingest")" ]
}
# A pull of the big image in the background whose writes take 20 ms each; returns when 2 MB are on disk.
slow_pull() {
	strace -f -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:delay_enter=20000 \
		"$(command -v stube)" pull -q --auth-file "$AUTH" --certs-dir "$CERTS" "$REGISTRY/amt/big:1" \
		> "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" &
	tracer=$!
	for ((i = 0; i < 1000; i++)); do
		part=$(find "$STORE/ingest" -maxdepth 1 -type f -size +2000k 2> /dev/null | head -1)
		[ -z "$part" ] || return 0
		sleep 0.01
	done
	cat "$BATS_TEST_TMPDIR/err"
	return 1
}

@test "a login is checked, kept, used, and forgotten" {
	AUTH=$BATS_TEST_TMPDIR/auth.json
	login() { stube login --auth-file "$AUTH" --certs-dir "$CERTS" --username "$1" --password-stdin "$REGISTRY" <<< "$2"; }
	run --separate-stderr login "$REGISTRY_USER" falsch
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"401 not authorised (UNAUTHORIZED: wrong name or password)"* ]]
	[[ "$stderr" != *falsch* ]]
	[ ! -e "$AUTH" ]
	run --separate-stderr pull small
	one_line "401 not authorised"
	[[ "${stderr_lines[1]}" == *"stube login $REGISTRY"* ]]
	nothing_visible
	login "$REGISTRY_USER" "$REGISTRY_PASSWORD"
	[ "$(stat -c %a "$AUTH")" = 600 ]
	pull small
	stube logout --auth-file "$AUTH" "$REGISTRY"
	run --separate-stderr pull big
	one_line "401 not authorised"
}

@test "a certificate of an unknown authority ends a pull, and nothing is asked with less safety" {
	mkdir "$BATS_TEST_TMPDIR/none"
	CERTS=$BATS_TEST_TMPDIR/none
	run --separate-stderr pull small
	one_line "the server's certificate is not trusted"
	nothing_visible
}

@test "a registry that is down is one line at once, for pull and push" {
	start=$SECONDS
	run --separate-stderr stube pull -q 127.0.0.1:1/amt/small:1
	one_line "cannot connect: Connection refused"
	pull small
	run --separate-stderr stube push -q "$REGISTRY/amt/small:1" 127.0.0.1:1/amt/small:1
	one_line "cannot connect: Connection refused"
	[ $((SECONDS - start)) -le 5 ]
}

@test "a registry that dies in the middle and comes back is waited for" {
	. "$TOP/tests/registry/lib.bash"
	slow_pull
	PORT=${REGISTRY##*:}
	kill -9 "$(cat "$DIR/registry/pid")"
	kill "$(cat "$DIR/registry/token/pid")"
	sleep 0.3
	registry_start "$DIR/registry" token tls
	AUTH=$DIR/auth.json
	wait $tracer || { cat "$BATS_TEST_TMPDIR/err"; false; }
	clean
}

@test "a registry that dies for good leaves a part that the next pull goes on with" {
	. "$TOP/tests/registry/lib.bash"
	slow_pull
	PORT=${REGISTRY##*:}
	registry_stop "$DIR/registry"
	status=0
	wait $tracer || status=$?
	kept=$(stat -c %s "$part")
	registry_start "$DIR/registry" token tls
	[ "$status" -eq 1 ]
	cat "$BATS_TEST_TMPDIR/err"
	grep -q '^error: .*given up after 5 tries: .*Connection refused' "$BATS_TEST_TMPDIR/err"
	[ "$kept" -ge 2000000 ]
	nothing_visible
	fetched=$(stube pull --output json --auth-file "$AUTH" --certs-dir "$CERTS" "$REGISTRY/amt/big:1" 2> /dev/null | jq .fetched)
	total=$(stube image inspect "$REGISTRY/amt/big:1" | jq '.manifest.layers[0].size')
	[ "$fetched" -eq $((total - kept)) ]
	clean
}

@test "an interrupted pull ends soon, shows nothing half-made, and goes on next time" {
	slow_pull
	kill -TERM "$(pgrep -P $tracer)" # a shell lets its background jobs ignore INT
	start=$SECONDS
	status=0
	wait $tracer || status=$?
	[ "$status" -ne 0 ]
	[ $((SECONDS - start)) -le 5 ]
	nothing_visible
	[ "$(stat -c %s "$part")" -ge 2000000 ]
	pull big
	clean
}

@test "a disk that fills up in the middle is one line, and the next pull succeeds" {
	[ "$(id -u)" -eq 0 ] || skip "mounting a small tmpfs needs root"
	mkdir -p "$STORE"
	run --separate-stderr unshare -m bash -c '
		mount -t tmpfs -o size=100M,mode=700 tmpfs "$STORE" || exit 9
		strace -f -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:delay_enter=20000 stube pull -q \
			--auth-file "$1" --certs-dir "$2" "$3" &
		for ((i = 0; i < 1000; i++)); do
			[ -z "$(find "$STORE/ingest" -maxdepth 1 -type f -size +2000k 2> /dev/null)" ] || break
			sleep 0.01
		done
		dd if=/dev/zero of="$STORE/hog" bs=1M status=none 2> /dev/null
		wait $! && exit 8
		[ -z "$(find "$STORE/refs" "$STORE/blobs" "$STORE/layers" -type f)" ] || exit 7
		rm "$STORE/hog"
		stube pull -q --auth-file "$1" --certs-dir "$2" "$3" > /dev/null || exit 6
		stube image fsck > /dev/null' _ "$AUTH" "$CERTS" "$REGISTRY/amt/big:1"
	echo "$status $stderr"
	[ "$status" -eq 0 ]
	[ "${#stderr_lines[@]}" -le 2 ]
	[[ "${stderr_lines[0]}" == "error: "*"No space left on device"* ]]
}

@test "a store that cannot be written is one line" {
	[ "$(id -u)" -eq 0 ] || skip "mounting a tmpfs needs root"
	mkdir -p "$STORE"
	run --separate-stderr unshare -m bash -c '
		mount -t tmpfs -o ro tmpfs "$STORE" && stube pull -q --auth-file "$1" --certs-dir "$2" "$3"' \
		_ "$AUTH" "$CERTS" "$REGISTRY/amt/small:1"
	one_line "Read-only file system"
}

@test "an image of a registry that lies never becomes visible, and a good one is pulled after it" {
	mkdir "$BATS_TEST_TMPDIR/liar"
	/usr/bin/python3 "$TOP/tests/registry/hostile.py" "$BATS_TEST_TMPDIR/liar" > /dev/null 2>&1 < /dev/null 3>&- &
	liar=$!
	for ((i = 0; i < 200; i++)); do
		[ ! -s "$BATS_TEST_TMPDIR/liar/ports" ] || break
		sleep 0.05
	done
	read -r port _ < "$BATS_TEST_TMPDIR/liar/ports"
	bad=''
	for behaviour in wrong long long-chunked short-length gzip digest-lie digest-malformed manifest-endless \
		redirect-link-local realm-link-local token-garbage forbidden html garbage; do
		run --separate-stderr stube pull -q --auth-file "$AUTH" "127.0.0.1:$port/$behaviour/x:1"
		one_line "127.0.0.1:$port/$behaviour/x" && nothing_visible || bad="$bad $behaviour"
	done
	kill $liar
	[ -z "$bad" ] || { echo "not as they should be:$bad"; false; }
	pull small
	clean
}
