#!/usr/bin/env bats
# The registry client against Debian's docker-registry in each of its forms, with skopeo on the other side.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	export TOP=$PWD DIR
	DIR=$(mktemp -d)
	. tests/registry/lib.bash
	local name
	for name in anonymous basic token; do
		registry_start "$DIR/$name" "$name" || return
		echo "$REGISTRY" > "$DIR/$name.address"
	done
	registry_start "$DIR/tls" token tls || return
	registry_start "$DIR/mtls" basic mtls || return
	export DRIVER=$PWD/build/release/tests/registry/driver
	head -c 3000000 /dev/urandom > "$DIR/blob"
	export BLOB SIZE=3000000 REGISTRY_USER REGISTRY_PASSWORD
	BLOB=sha256:$(sha256sum < "$DIR/blob" | cut -d' ' -f1)
	# An image that skopeo takes: one layer, one configuration.
	mkdir "$DIR/layer"
	echo hello > "$DIR/layer/file"
	tar -C "$DIR/layer" --sort=name --mtime=@0 -cf "$DIR/layer.tar" file
	gzip -n "$DIR/layer.tar" -c > "$DIR/layer.gz"
	printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
		"$(sha256sum < "$DIR/layer.tar" | cut -d' ' -f1)" > "$DIR/config"
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"%s","size":%d}]}' \
		"$(digest "$DIR/config")" "$(stat -c %s "$DIR/config")" \
		"$(digest "$DIR/layer.gz")" "$(stat -c %s "$DIR/layer.gz")" > "$DIR/manifest"
}

teardown_file() {
	local name
	. "$TOP/tests/registry/lib.bash"
	for name in anonymous basic token tls mtls; do registry_stop "$DIR/$name"; done
	rm -rf "$DIR"
}

digest() {
	echo "sha256:$(sha256sum < "$1" | cut -d' ' -f1)"
}
use() { # NAME: which registry; its user is logged in
	R=$(cat "$DIR/$1/address")
	CERTS=$DIR/$1/certs.d
	AUTH=$BATS_TEST_TMPDIR/auth.json
	[ "$1" = anonymous ] || client store "$R" "$REGISTRY_USER" "$REGISTRY_PASSWORD" > /dev/null
}
client() {
	timeout 30 "$DRIVER" -c "$CERTS" -a "$AUTH" "$@"
}
anonymous() {
	timeout 30 "$DRIVER" -c "$CERTS" -a "$BATS_TEST_TMPDIR/nothing.json" "$@"
}
push_image() { # REFERENCE without tag
	client put-blob "$1" "$DIR/config"
	client put-blob "$1" "$DIR/layer.gz"
	client put-manifest "$1:1" application/vnd.oci.image.manifest.v1+json "$DIR/manifest"
}
# Everything that a push and a pull need.
round_trip() {
	run client login "$R"
	[ "$status" -eq 0 ]
	run client put-blob "$R/amt/portal" "$DIR/blob"
	[ "$output" = "uploaded $BLOB $SIZE" ]
	run client put-blob "$R/amt/portal" "$DIR/blob"
	[ "$output" = "existed $BLOB $SIZE" ]
	run client put-blob "$R/amt/other" "$DIR/blob" 0 amt/portal
	[ "$output" = "mounted $BLOB $SIZE" ]
	head -c 1700000 /dev/urandom > "$BATS_TEST_TMPDIR/chunked"
	run client put-blob "$R/amt/portal" "$BATS_TEST_TMPDIR/chunked" 500000
	[[ "$output" = uploaded* ]]
	client get-blob "$R/amt/portal" "$BLOB" "$SIZE" | cmp - "$DIR/blob"
	head -c 1234567 "$DIR/blob" > "$BATS_TEST_TMPDIR/part"
	client get-blob "$R/amt/portal" "$BLOB" "$SIZE" "$BATS_TEST_TMPDIR/part"
	cmp "$BATS_TEST_TMPDIR/part" "$DIR/blob"
	push_image "$R/amt/portal"
	client get-manifest "$R/amt/portal:1" | cmp - "$DIR/manifest"
	client get-manifest "$R/amt/portal@$(digest "$DIR/manifest")" | cmp - "$DIR/manifest"
	run client head "$R/amt/portal:1"
	[ "$output" = "yes $(digest "$DIR/manifest") $(stat -c %s "$DIR/manifest")" ]
	run client head "$R/amt/portal:2"
	[ "$output" = "no - 0" ]
	run client tags "$R/amt/portal"
	[ "$output" = 1 ]
	run client delete "$R/amt/portal@$(digest "$DIR/manifest")"
	[ "$status" -eq 0 ]
	run client head "$R/amt/portal:1"
	[[ "$output" = no* ]]
}

@test "push, pull, mount, chunks, parts, tags and deletion work without authentication" {
	use anonymous
	round_trip
}
@test "push, pull, mount, chunks, parts, tags and deletion work with basic authentication" {
	use basic
	round_trip
}
@test "push, pull, mount, chunks, parts, tags and deletion work with tokens" {
	use token
	round_trip
}
@test "push, pull, mount, chunks, parts, tags and deletion work with tokens over TLS with an own authority" {
	use tls
	round_trip
}
@test "push, pull, mount, chunks, parts, tags and deletion work with a client certificate" {
	use mtls
	round_trip
}

@test "without credentials, or with wrong ones, the error names the place and the way out" {
	for name in basic token tls; do
		use "$name"
		run anonymous tags "$R/amt/portal"
		[ "$status" -eq 1 ]
		[[ "${lines[0]}" == *"401 not authorised (UNAUTHORIZED: authentication required)" ]]
		[ "${lines[1]}" = "hint: No credentials were found for '$R'; \`stube login $R\` keeps some." ]
		run timeout 30 "$DRIVER" -c "$CERTS" -u "$REGISTRY_USER:falsch" login "$R"
		[ "$status" -eq 1 ]
		[[ "${lines[0]}" == "error 13: registry '$R': "*"401 not authorised"* ]]
		[[ "$output" != *falsch* ]]
	done
}

@test "a token allows what it was asked for: anonymous clients pull public images and push none" {
	use token
	push_image "$R/public/portal" > /dev/null
	anonymous get-manifest "$R/public/portal:1" | cmp - "$DIR/manifest"
	run anonymous put-blob "$R/public/portal" "$DIR/blob"
	[ "$status" -eq 1 ]
	[[ "$output" == *"401 not authorised"* ]]
}

@test "one token serves many blobs at once, and one that never is good enough is not asked for again and again" {
	use token
	client put-blob "$R/amt/many" "$DIR/blob" > /dev/null
	for ((i = 0; i < 12; i++)); do echo "$BLOB $SIZE"; done > "$BATS_TEST_TMPDIR/list"
	: > "$DIR/token/token/requests"
	run client get-blobs "$R/amt/many" "$BATS_TEST_TMPDIR/list"
	[ "$output" = 12 ]
	[ "$(wc -l < "$DIR/token/token/requests")" -eq 1 ]
	# Tokens that the registry takes for expired as soon as it gets them.
	echo -100 > "$DIR/token/token/expires"
	: > "$DIR/token/token/requests"
	run client tags "$R/amt/many"
	rm "$DIR/token/token/expires"
	[ "$status" -eq 1 ]
	[[ "$output" == *"401 not authorised"* ]]
	[ "$(wc -l < "$DIR/token/token/requests")" -le 2 ]
}

@test "an identity token is exchanged for a token" {
	use token
	push_image "$R/amt/identity" > /dev/null
	printf '{"auths": {"%s": {"identitytoken": "identity-of-%s"}}}' "$R" "$REGISTRY_USER" > "$AUTH"
	client get-manifest "$R/amt/identity:1" | cmp - "$DIR/manifest"
	grep -q '^POST user=amt scope=repository:amt/identity:pull' "$DIR/token/token/requests"
}

@test "a client without the authority, or without its certificate, is told so" {
	use tls
	mkdir "$BATS_TEST_TMPDIR/empty"
	run timeout 30 "$DRIVER" -c "$BATS_TEST_TMPDIR/empty" login "$R"
	[[ "${lines[0]}" == *"the server's certificate is not trusted: SSL certificate problem: unable to get local issuer certificate" ]]
	use mtls
	mkdir -p "$BATS_TEST_TMPDIR/half/$R"
	cp "$DIR/mtls/ca.crt" "$BATS_TEST_TMPDIR/half/$R/"
	run timeout 30 "$DRIVER" -t 1 -c "$BATS_TEST_TMPDIR/half" login "$R"
	[ "$status" -eq 1 ]
	[[ "${lines[0]}" == *"the server wants another client certificate, or one at all: "* ]]
	cp "$DIR/mtls/client.crt" "$BATS_TEST_TMPDIR/half/$R/client.cert"
	run timeout 30 "$DRIVER" -c "$BATS_TEST_TMPDIR/half" login "$R"
	[[ "${lines[0]}" == *"certificates in '$BATS_TEST_TMPDIR/half/$R': a .cert file without its .key" ]]
}

@test "localhost is a name like any other and needs no setting" {
	use anonymous
	run client tags "localhost:${R##*:}/amt/nothing"
	[ "$status" -eq 1 ]
	[[ "$output" == *"404 not found (NAME_UNKNOWN: repository name not known to registry)" ]]
}

@test "a host that is not this machine is never asked over plain http" {
	use anonymous
	unshare -m bash -c '
		cp /etc/hosts "$1/hosts"
		echo "127.0.0.1 registry.example" >> "$1/hosts"
		mount --bind "$1/hosts" /etc/hosts
		timeout 20 "$2" -t 1 tags "registry.example:$3/a/b"; echo "status $?"
		timeout 20 "$2" -t 1 -i "registry.example:$3" tags "registry.example:$3/a/b"; echo "status $?"
	' _ "$BATS_TEST_TMPDIR" "$DRIVER" "${R##*:}" > "$BATS_TEST_TMPDIR/out" 2>&1
	grep -A1 "GET 'https://registry.example:.*the TLS handshake failed" "$BATS_TEST_TMPDIR/out" | grep -qx 'status 1'
	# Allowed by name, it is asked, and answers that it does not know the repository.
	grep -q "GET 'http://registry.example:.*404 not found" "$BATS_TEST_TMPDIR/out"
}

@test "skopeo takes what we put, and we get what skopeo puts" {
	use tls
	skopeo login --authfile "$BATS_TEST_TMPDIR/skopeo.json" --cert-dir "$CERTS/$R" \
		-u "$REGISTRY_USER" -p "$REGISTRY_PASSWORD" "$R"
	sk() { timeout 60 skopeo "$1" --authfile "$BATS_TEST_TMPDIR/skopeo.json" "${@:2}"; }
	push_image "$R/amt/ours" > /dev/null
	run sk inspect --cert-dir "$CERTS/$R" --format '{{.Digest}}' "docker://$R/amt/ours:1"
	[ "$output" = "$(digest "$DIR/manifest")" ]
	sk copy --src-cert-dir "$CERTS/$R" --preserve-digests "docker://$R/amt/ours:1" "oci:$BATS_TEST_TMPDIR/layout:1"
	sk copy --dest-cert-dir "$CERTS/$R" --preserve-digests "oci:$BATS_TEST_TMPDIR/layout:1" "docker://$R/amt/theirs:2"
	# skopeo's own auth file is understood as it is.
	AUTH=$BATS_TEST_TMPDIR/skopeo.json
	client get-manifest "$R/amt/theirs:2" | cmp - "$DIR/manifest"
	client get-blob "$R/amt/theirs" "$(digest "$DIR/layer.gz")" "$(stat -c %s "$DIR/layer.gz")" | cmp - "$DIR/layer.gz"
}

@test "a registry that is stopped in the middle and comes back loses nothing" {
	use anonymous
	client put-blob "$R/amt/again" "$DIR/blob" > /dev/null
	. "$TOP/tests/registry/lib.bash"
	head -c 1000000 "$DIR/blob" > "$BATS_TEST_TMPDIR/part"
	PORT=${R##*:}
	registry_stop "$DIR/anonymous"
	run client get-blob "$R/amt/again" "$BLOB" "$SIZE" "$BATS_TEST_TMPDIR/part"
	[ "$status" -eq 1 ]
	[[ "$output" == *"cannot connect: Connection refused" ]]
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/part")" -eq 1000000 ]
	registry_start "$DIR/anonymous" anonymous
	client get-blob "$R/amt/again" "$BLOB" "$SIZE" "$BATS_TEST_TMPDIR/part"
	cmp "$BATS_TEST_TMPDIR/part" "$DIR/blob"
}

@test "what would be done is explained without secrets" {
	use token
	run client explain "$R/amt/portal"
	[ "${lines[0]}" = "server: http://$R" ]
	[ "${lines[1]}" = "credentials: $AUTH, key '$R'" ]
	[[ "$output" != *"$REGISTRY_PASSWORD"* ]]
}
