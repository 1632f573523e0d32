#!/usr/bin/env bats
# Images between a real registry (docker-registry) and the store: pulled, pushed, resumed, shared, removed.
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	. tests/registry/lib.bash
	export DIR=$BATS_FILE_TMPDIR
	export PATH=$PWD/build/bin:$PATH
	/usr/bin/python3 tests/images/layout.py "$DIR/oci" one=gzip:3000000 \
		many=tar:100000,gzip:200000,zstd:300000,gzip:50000 other=gzip:1000 big=tar:12000000 index=one,other
	registry_start "$DIR/registry"
	export REGISTRY
	local name
	for name in one many other big; do
		skopeo copy -q --dest-tls-verify=false "oci:$DIR/oci:$name" "docker://$REGISTRY/amt/$name:1"
	done
	skopeo copy -q --all --dest-tls-verify=false "oci:$DIR/oci:index" "docker://$REGISTRY/amt/index:1"
}

teardown_file() {
	. tests/registry/lib.bash
	registry_stop "$DIR/registry"
}

setup() {
	export STORE=$BATS_TEST_TMPDIR/store
	export STUBE_STORE=$STORE
}

digest_of() {
	skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/$1" | sha256sum | sed 's/^\([0-9a-f]*\).*/sha256:\1/'
}

clean() {
	run stube image fsck
	[ "$status" -eq 0 ]
	[ -z "$(ls -A "$STORE/ingest")" ]
}

@test "a pull prints the digest that skopeo sees, and the image is listed" {
	run --separate-stderr stube pull --quiet "$REGISTRY/amt/one:1"
	[ "$status" -eq 0 ]
	[ "$output" = "$(digest_of amt/one:1)" ]
	[ -z "$stderr" ]
	run stube images --output json
	[ "$(jq -r '.[0].name' <<< "$output")" = "$REGISTRY/amt/one:1" ]
	[ "$(jq -r '.[0].digest' <<< "$output")" = "$(digest_of amt/one:1)" ]
	[ "$(jq -r '.[0].size' <<< "$output")" -gt 6000000 ]
	run stube images
	[[ "${lines[0]}" =~ ^NAME\ +DIGEST\ +AGE\ +SIZE$ ]]
	[[ "${lines[1]}" == "$REGISTRY/amt/one:1 "* ]]
	clean
}

@test "data.tar of each layer is what the other tools unpack from its blob" {
	stube pull -q "$REGISTRY/amt/many:1"
	n=0
	while read -r type digest; do
		blob=$STORE/blobs/sha256/${digest#sha256:}
		case $type in
		*gzip) sum=$(gzip -dc "$blob" | sha256sum) ;;
		*zstd) sum=$(zstd -dc "$blob" | sha256sum) ;;
		*) sum=$(sha256sum < "$blob") ;;
		esac
		cmp "$STORE/layers/sha256/${sum%% *}/data.tar" \
			<(case $type in *gzip) gzip -dc "$blob" ;; *zstd) zstd -dc "$blob" ;; *) cat "$blob" ;; esac)
		[ -s "$STORE/layers/sha256/${sum%% *}/index.erofs" ]
		n=$((n + 1))
	done < <(stube image inspect "$REGISTRY/amt/many:1" | jq -r '.manifest.layers[] | "\(.mediaType) \(.digest)"')
	[ $n -eq 4 ]
	clean
}

@test "nobody but the owner can look into the store" {
	stube pull -q "$REGISTRY/amt/other:1"
	[ "$(stat -c %a "$STORE")" = 700 ]
	[ -z "$(find "$STORE" -perm /077)" ]
}

@test "the second pull fetches nothing" {
	stube pull -q "$REGISTRY/amt/many:1"
	run --separate-stderr stube pull --output json "$REGISTRY/amt/many:1"
	[ "$(jq .fetched <<< "$output")" -eq 0 ]
	[[ "$stderr" == *"there already"* ]]
}

@test "a pushed image has the same digest and bytes, and what the registry has is not sent again" {
	stube pull -q "$REGISTRY/amt/many:1"
	run --separate-stderr stube push --output json "$REGISTRY/amt/many:1" "$REGISTRY/amt/many:copy"
	[ "$status" -eq 0 ]
	[ "$(jq .sent <<< "$output")" -eq 0 ]
	[ "$(digest_of amt/many:copy)" = "$(digest_of amt/many:1)" ]
	# Another repository of the same registry: taken from there.
	run --separate-stderr stube push --output json "$REGISTRY/amt/many:1" "$REGISTRY/other-$BATS_TEST_NUMBER/many:1"
	[ "$(jq .sent <<< "$output")" -eq 0 ]
	[[ "$stderr" == *"taken from another repository"* ]]
	skopeo copy -q --src-tls-verify=false "docker://$REGISTRY/other-$BATS_TEST_NUMBER/many:1" \
		"dir:$BATS_TEST_TMPDIR/copied"
	cmp "$BATS_TEST_TMPDIR/copied/manifest.json" \
		"$STORE/blobs/sha256/$(digest_of amt/many:1 | cut -d: -f2)"
}

@test "an image goes to an empty registry and comes back as it was" {
	. tests/registry/lib.bash
	stube pull -q "$REGISTRY/amt/many:1"
	from=$REGISTRY
	want=$(digest_of amt/many:1)
	registry_start "$BATS_TEST_TMPDIR/second" basic
	stube login --username "$REGISTRY_USER" --password-stdin --auth-file "$BATS_TEST_TMPDIR/auth.json" \
		"$REGISTRY" <<< "$REGISTRY_PASSWORD"
	run stube push -q "$from/amt/many:1" "$REGISTRY/new/many:7"
	unauthorised=$status
	run --separate-stderr stube push --output json --auth-file "$BATS_TEST_TMPDIR/auth.json" "$from/amt/many:1" \
		"$REGISTRY/new/many:7"
	pushed=$output
	run stube --store "$BATS_TEST_TMPDIR/other" pull -q --auth-file "$BATS_TEST_TMPDIR/auth.json" "$REGISTRY/new/many:7"
	stube logout --auth-file "$BATS_TEST_TMPDIR/auth.json" "$REGISTRY"
	registry_stop "$BATS_TEST_TMPDIR/second"
	[ "$unauthorised" -eq 1 ]
	[ "$(jq -r .digest <<< "$pushed")" = "$want" ]
	[ "$(jq .sent <<< "$pushed")" -gt 600000 ]
	[ "$output" = "$want" ]
	diff -r "$STORE/blobs" "$BATS_TEST_TMPDIR/other/blobs"
	diff -r "$STORE/layers" "$BATS_TEST_TMPDIR/other/layers"
}

@test "of an index this machine's image is taken, another one on demand, and missing ones are listed" {
	stube pull -q "$REGISTRY/amt/index:1"
	run stube image inspect "$REGISTRY/amt/index:1"
	[ "$(jq -r .digest <<< "$output")" = "$(digest_of amt/index:1)" ]
	[ "$(jq -r .config.architecture <<< "$output")" != riscv64 ]
	run stube image inspect --platform linux/riscv64 "$REGISTRY/amt/index:1"
	[ "$status" -eq 1 ]
	[[ "$output" == *"is not in the image store for linux/riscv64"* ]]
	stube pull -q --platform linux/riscv64 "$REGISTRY/amt/index:1"
	run stube image inspect --platform linux/riscv64 "$REGISTRY/amt/index:1"
	[ "$(jq -r .config.architecture <<< "$output")" = riscv64 ]
	run stube pull -q --platform linux/mips64 "$REGISTRY/amt/index:1"
	[ "$status" -eq 1 ]
	[[ "$output" == *linux/riscv64* ]]
	clean
}

@test "an index is pushed when all its images are there, else one platform's alone" {
	stube pull -q "$REGISTRY/amt/index:1"
	run stube push -q "$REGISTRY/amt/index:1" "$REGISTRY/whole-$BATS_TEST_NUMBER/index:1"
	[ "$status" -eq 1 ]
	[[ "$output" == *"of the index is not in the image store"* ]]
	[[ "$output" == *"--all-platforms"* ]]
	stube pull -q --all-platforms "$REGISTRY/amt/index:1"
	run stube push -q "$REGISTRY/amt/index:1" "$REGISTRY/whole-$BATS_TEST_NUMBER/index:1"
	[ "$output" = "$(digest_of amt/index:1)" ]
	[ "$(digest_of whole-$BATS_TEST_NUMBER/index:1)" = "$output" ]
	run stube push -q --platform linux/riscv64 "$REGISTRY/amt/index:1" "$REGISTRY/one-$BATS_TEST_NUMBER/index:1"
	[ "$status" -eq 0 ]
	[ "$output" = "$(digest_of one-$BATS_TEST_NUMBER/index:1)" ]
	[ "$output" != "$(digest_of amt/index:1)" ]
}

@test "kill -9 in the middle of a layer: nothing visible, and the next pull goes on where it stopped" {
	# Each write of the part takes 20 ms, so that there is a middle.
	strace -f -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:delay_enter=20000 \
		"$(command -v stube)" pull -q "$REGISTRY/amt/big:1" &
	tracer=$!
	for ((i = 0; i < 500; i++)); do
		part=$(find "$STORE/ingest" -maxdepth 1 -type f -size +2000k 2> /dev/null | head -1)
		[ -z "$part" ] || break
		sleep 0.01
	done
	[ -n "$part" ]
	kill -9 $(pgrep -P $tracer)
	wait $tracer || true
	[ -z "$(ls -A "$STORE/refs")" ]
	[ -z "$(ls -A "$STORE/blobs/sha256")" ]
	[ -z "$(ls -A "$STORE/layers/sha256")" ]
	kept=$(stat -c %s "$part")
	run --separate-stderr stube pull --output json "$REGISTRY/amt/big:1"
	[ "$status" -eq 0 ]
	total=$(stube image inspect "$REGISTRY/amt/big:1" | jq '.manifest.layers[0].size')
	[ "$(jq .fetched <<< "$output")" -eq $((total - kept)) ]
	[ "$kept" -ge 2000000 ]
	clean
}

@test "pulls killed at random moments leave a store that fsck finds clean, and the last one completes" {
	for i in 1 2 3 4 5 6 7 8 9 10; do
		stube pull -q "$REGISTRY/amt/many:1" "$REGISTRY/amt/one:1" > /dev/null 2>&1 &
		pid=$!
		sleep 0.0$((RANDOM % 6))
		kill -9 $pid 2> /dev/null || true
		wait $pid 2> /dev/null || true
		run stube image fsck
		[ "$status" -eq 0 ]
		[ $((i % 4)) -ne 0 ] || stube image gc
	done
	run stube pull -q "$REGISTRY/amt/many:1" "$REGISTRY/amt/one:1"
	[ "$status" -eq 0 ]
	clean
}

@test "four processes that pull one image fetch each layer once" {
	for i in 1 2 3 4; do
		stube pull --output json --progress none "$REGISTRY/amt/one:1" > "$BATS_TEST_TMPDIR/$i.json" &
		pids[i]=$!
	done
	for i in 1 2 3 4; do wait "${pids[i]}"; done
	total=$(stube image inspect "$REGISTRY/amt/one:1" | jq '.manifest.layers[0].size')
	[ "$(cat "$BATS_TEST_TMPDIR"/?.json | jq -s 'map(.fetched) | add')" -eq "$total" ]
	clean
}

@test "rm frees what no other name and no container needs" {
	stube pull -q "$REGISTRY/amt/one:1" "$REGISTRY/amt/many:1"
	stube image tag "$REGISTRY/amt/one:1" keep:1
	run stube image rm "$REGISTRY/amt/one:1"
	[ "$output" = "removed $REGISTRY/amt/one:1" ]
	run stube images -q
	[ "$output" = "$REGISTRY/amt/many:1"$'\n'"localhost/keep:1" ]
	[ "$(ls "$STORE/layers/sha256" | wc -l)" -eq 5 ]
	# A container holds its lease by flock.
	stube image inspect keep:1 | jq -j .digest > "$STORE/leases/container"
	exec 8<> "$STORE/leases/container"
	flock 8
	stube image rm keep:1
	[ "$(ls "$STORE/layers/sha256" | wc -l)" -eq 5 ]
	exec 8>&-
	stube image gc
	[ "$(ls "$STORE/layers/sha256" | wc -l)" -eq 4 ]
	[ -z "$(ls -A "$STORE/leases")" ]
	digest=$(stube image inspect "$REGISTRY/amt/many:1" | jq -r .digest)
	run stube image rm "$digest"
	[ "$status" -eq 0 ]
	[ -z "$(find "$STORE/layers" "$STORE/blobs" "$STORE/refs" -type f)" ]
	run stube image rm "$digest"
	[ "$status" -eq 1 ]
}

@test "gc says what it would remove, and does no harm to a store in use" {
	stube pull -q "$REGISTRY/amt/one:1"
	stube image rm --keep-content "$REGISTRY/amt/one:1"
	run stube image gc --dry-run --output json
	[ "$(jq -c '[.layers, .blobs, .dryRun]' <<< "$output")" = '[1,3,true]' ]
	[ "$(ls "$STORE/layers/sha256" | wc -l)" -eq 1 ]
	run stube image gc
	[[ "$output" == "removed 1 layers, 3 blobs, 0 unfinished transfers, "* ]]
}

@test "damage is found, said, repaired by the next pull" {
	stube pull -q "$REGISTRY/amt/one:1"
	tar=$(echo "$STORE"/layers/sha256/*/data.tar)
	chmod u+w "$tar"
	printf 'X' | dd of="$tar" bs=1 seek=1000 conv=notrunc status=none
	run stube image fsck
	[ "$status" -eq 1 ]
	[[ "${lines[0]}" == "layer sha256:"*": expected sha256:"* ]]
	run stube image fsck --repair
	[ "$status" -eq 1 ]
	stube pull -q "$REGISTRY/amt/one:1"
	stube image gc
	clean
}

@test "what fails says so in one line and leaves nothing" {
	run --separate-stderr stube pull -q "$REGISTRY/amt/unknown:1"
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ "$stderr" == "error: image '$REGISTRY/amt/unknown:1': "* ]]
	run stube pull -q "portal:1"
	[ "$status" -eq 1 ]
	run stube pull --progress=loud "$REGISTRY/amt/one:1"
	[ "$status" -eq 2 ]
	run stube push -q "$REGISTRY/amt/one:1"
	[ "$status" -eq 1 ]
	[[ "$output" == *"no image is called '$REGISTRY/amt/one:1'"* ]]
	[ -z "$(ls -A "$STORE/refs" "$STORE/ingest" 2> /dev/null | grep -v : | grep .)" ]
}

@test "a blob that the registry changed is refused with its digest" {
	. tests/registry/lib.bash
	mkdir "$BATS_TEST_TMPDIR/lying"
	cp -r "$DIR/registry/data" "$BATS_TEST_TMPDIR/lying/data"
	digest=$(skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/amt/one:1" | jq -r '.layers[0].digest')
	blob=$(find "$BATS_TEST_TMPDIR/lying/data" -path "*${digest#sha256:}/data")
	printf 'X' | dd of="$blob" bs=1 seek=$(($(stat -c %s "$blob") - 3)) conv=notrunc status=none
	registry_start "$BATS_TEST_TMPDIR/lying"
	run --separate-stderr stube pull -q "$REGISTRY/amt/one:1"
	registry_stop "$BATS_TEST_TMPDIR/lying"
	[ "$status" -eq 1 ]
	[[ "$stderr" == *"$digest"* ]]
	[ -z "$(find "$STORE/ingest" "$STORE/blobs" "$STORE/layers" "$STORE/refs" -type f)" ]
}

@test "a full disk is one clear error, and the next try succeeds" {
	[ "$(id -u)" -eq 0 ] || skip "mounting a small tmpfs needs root"
	mkdir -p "$STORE"
	run unshare -m bash -c '
		mount -t tmpfs -o size=4M,mode=700 tmpfs "$STORE" || exit 9
		stube pull -q "$REGISTRY/amt/one:1" && exit 8
		[ -z "$(ls -A "$STORE/refs")" ] || exit 7
		mount -o remount,size=200M "$STORE"
		stube pull -q "$REGISTRY/amt/one:1" || exit 6
		stube image fsck'
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == *"has "*" MB free, at least "*" MB are needed"* ]]
}

@test "progress is plain lines for logs, JSON for programs, bars on a terminal" {
	run --separate-stderr stube pull "$REGISTRY/amt/one:1"
	[[ "$stderr" =~ [0-9a-f]{12}\ \ done ]]
	[[ "$stderr" != *$'\033'* ]]
	[[ "${lines[1]}" == "$(digest_of amt/one:1)" ]]
	stube image rm "$REGISTRY/amt/one:1"
	run --separate-stderr stube pull --progress json "$REGISTRY/amt/one:1"
	[ "$(jq -rs 'last | .state + " " + (.done == .total | tostring)' <<< "$stderr")" = "done true" ]
	stube image rm "$REGISTRY/amt/one:1"
	script -qec "env TERM=xterm stube pull $REGISTRY/amt/one:1" /dev/null < /dev/null > "$BATS_TEST_TMPDIR/screen"
	grep -q $'\033' "$BATS_TEST_TMPDIR/screen"
	grep -q 'done' "$BATS_TEST_TMPDIR/screen"
}

@test "pulled without compressed layers, an image takes less disk and says why it cannot be pushed" {
	stube pull -q "$REGISTRY/amt/one:1"
	full=$(du -s "$STORE" | cut -f1)
	stube image rm "$REGISTRY/amt/one:1"
	stube pull -q --discard-blobs "$REGISTRY/amt/one:1"
	[ "$(du -s "$STORE" | cut -f1)" -lt $((full - 2000)) ]
	run stube push -q "$REGISTRY/amt/one:1" "$REGISTRY/amt/one:again"
	[ "$status" -eq 1 ]
	[[ "$output" == *"pull the image again"* ]]
	clean
}

@test "a user without privileges pulls into a store of his own" {
	[ "$(id -u)" -eq 0 ] || skip "already unprivileged: the other tests say it"
	home=$BATS_TEST_TMPDIR/home
	mkdir "$home"
	chown 65534:65534 "$home"
	chmod 755 "$DIR" "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR"
	cp "$(command -v stube)" "$home/stube"
	run setpriv --reuid 65534 --regid 65534 --clear-groups env -u STUBE_STORE HOME="$home" XDG_DATA_HOME= \
		bash -c 'cd; ~/stube pull -q "$REGISTRY/amt/one:1" && ~/stube image fsck && ~/stube image rm "$REGISTRY/amt/one:1"'
	[ "$status" -eq 0 ]
	[ -d "$home/.local/share/stube/images/blobs" ]
	# Root does not use another user's store.
	run stube --store "$home/.local/share/stube/images" images
	[ "$status" -eq 1 ]
	[[ "$output" == *"belongs to user 65534"* ]]
}

@test "root of a user namespace is still a user: the store is his own" {
	mkdir "$BATS_TEST_TMPDIR/home"
	run unshare --user --map-root-user env -u STUBE_STORE HOME="$BATS_TEST_TMPDIR/home" XDG_DATA_HOME= stube images
	[ "$status" -eq 0 ]
	[ -s "$BATS_TEST_TMPDIR/home/.local/share/stube/images/version" ]
}
