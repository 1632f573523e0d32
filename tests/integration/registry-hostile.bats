#!/usr/bin/env bats
# The registry client against a registry that lies, stalls and leads astray (tests/registry/hostile.py).

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	. tests/registry/lib.bash
	export DIR
	DIR=$(mktemp -d)
	registry_certificates "$DIR" '' > "$DIR/ignored"
	# Standard error may be bats' own pipe; the server must not hold it open.
	/usr/bin/python3 tests/registry/hostile.py "$DIR" "$DIR/server.crt" "$DIR/server.key" \
		> "$DIR/out" 2>&1 < /dev/null 3>&- &
	echo $! > "$DIR/pid"
	for ((i = 0; i < 200; i++)); do
		[ ! -s "$DIR/ports" ] || break
		sleep 0.05
	done
	export A B C
	read -r A B C < "$DIR/ports"
	mkdir -p "$DIR/certs.d/127.0.0.1:$C"
	cp "$DIR/ca.crt" "$DIR/certs.d/127.0.0.1:$C/"
	export BLOB SIZE
	BLOB=sha256:$(sha256sum < "$DIR/blob" | cut -d' ' -f1)
	SIZE=$(stat -c %s "$DIR/blob")
	printf '{"auths": {"127.0.0.1:%s": {"auth": "%s"}, "127.0.0.1:%s": {"auth": "%s"}}}' \
		"$A" "$(printf amt:geheim | base64)" "$C" "$(printf amt:geheim | base64)" > "$DIR/auth.json"
	export DRIVER=$PWD/build/release/tests/registry/driver
}

teardown_file() {
	kill "$(cat "$DIR/pid")"
	rm -rf "$DIR"
}

setup() {
	cd "$BATS_TEST_TMPDIR"
}

# The client with its credentials; fast, and never longer than a few seconds.
client() {
	timeout 20 "$DRIVER" -t "${TRIES:-3}" -s 1 -c "$DIR/certs.d" -a "$DIR/auth.json" "$@"
}
get_blob() { # REPOSITORY [PART]
	client get-blob "127.0.0.1:$A/$1" "$BLOB" "$SIZE" "${@:2}"
}
# What the servers saw for a repository.
seen() {
	grep -F "/v2/$1/" "$DIR/log"
}
# A bare "! command" fails no test.
refute() {
	! "$@"
}
failed_with() { # TEXT: one line, which has it
	[ "$status" -eq 1 ] || { echo "status $status: $output"; return 1; }
	[[ "$output" == *"$1"* ]] || { echo "expected '$1', got: $output"; return 1; }
	[[ "$output" != *geheim* && "$output" != *secret* ]] || { echo "a secret: $output"; return 1; }
	[ "$(grep -c '^error' <<< "$output")" -eq 1 ]
}
# Each line of standard input: BEHAVIOUR, the text of the error. All are run; all must fail so.
each_fails() { # COMMAND...: the client's words; REPO is the repository, PART a new file
	local behaviour text words bad=0
	while read -r behaviour text; do
		words=("${@/REPO/$behaviour/x}")
		words=("${words[@]/PART/$(mktemp -u part.XXXXXX)}")
		run client "${words[@]}"
		failed_with "$text" || { echo "  in $behaviour"; bad=1; }
	done
	return $bad
}

# ---- blobs ----

@test "a blob that is cut again and again is continued by Range until it is whole" {
	get_blob cut/x | cmp - "$DIR/blob"
	run seen cut/x
	[[ "$output" == *"range=bytes=100000-"* && "$output" == *"range=bytes=200000-"* ]]
}

@test "a part from an earlier run is continued, not fetched again" {
	head -c 123456 "$DIR/blob" > part
	get_blob honest-part/x part
	cmp part "$DIR/blob"
	seen honest-part/x | grep -qx ".*range=bytes=123456-"
	[ "$(seen honest-part/x | wc -l)" -eq 1 ]
}

@test "a part that is not of this blob ends with the digest in the error" {
	head -c 1000 /dev/zero > part
	run get_blob honest-part/x part
	failed_with "blob $BLOB: GET 'http://127.0.0.1:$A/v2/honest-part/x/blobs/$BLOB': "
	failed_with "expected $BLOB, got sha256:"
}

@test "a registry that ignores Range and sends everything again gives the right blob" {
	get_blob range-ignored/x | cmp - "$DIR/blob"
	head -c 299999 "$DIR/blob" > part
	get_blob range-ignored-always/x part
	cmp part "$DIR/blob"
}

@test "one reset connection does no harm" {
	get_blob reset-once/x | cmp - "$DIR/blob"
}

@test "a blob that never gets on is given up after the tries allowed" {
	run get_blob cut-forever/x part
	failed_with "given up after 3 tries"
	[ "$(seen cut-forever/x | wc -l)" -eq 3 ]
}

@test "wrong, short, long, encoded and unasked-for blobs are errors that name what was wrong" {
	each_fails get-blob "127.0.0.1:$A/REPO" "$BLOB" "$SIZE" PART <<- END
		wrong expected $BLOB, got sha256:
		long has 300001 bytes instead of 300000
		long-chunked has more than its 300000 bytes
		short-length has 1000 bytes instead of 300000
		short-chunked the body ended after 1000 of 300000 bytes
		gzip answered with Content-Encoding 'gzip', which was not asked for
		no-content status 204 where 200 was expected
		partial-first status 206 where 200 was expected
		range-start Content-Range 'bytes 0-299999/300000' where bytes 100000 to the end of 300000
		range-none a part without Content-Range
		range-size Content-Range 'bytes 100000-299999/300001' where
		range-garbage Content-Range 'bytes 100000-x/*' where
		range-416 416 range refused (RANGE_INVALID: no)
		silent the connection was closed without an answer
		garbage not an answer of the HTTP protocol
		headers-long headers of more than 65536 bytes
		headers-many more than 128 headers
		endless-error 404 not found
	END
}

@test "a blob that stalls or drips is given up, not waited for" {
	TRIES=1
	run get_blob stall/x part
	failed_with "stalled: "
	run get_blob drip/x part-drip
	failed_with "stalled: "
}

@test "several blobs at once come over connections of their own" {
	for ((i = 0; i < 8; i++)); do echo "$BLOB $SIZE"; done > list
	run client get-blobs "127.0.0.1:$A/cut/many" list
	[ "$status" -eq 0 ] && [ "${lines[-1]}" = 8 ]
}

# ---- redirects ----

@test "a redirect to another origin is followed without credentials" {
	get_blob redirect-other/x | cmp - "$DIR/blob"
	run seen redirect-other/x
	[[ "$output" == *"A GET"*"auth=Basic"* && "$output" == *"B GET"*"auth=no"* ]]
	[[ "$output" != *"B GET"*"auth=Basic"* ]]
}

@test "a chain that comes back to the registry does not get the credentials again" {
	get_blob redirect-back/x | cmp - "$DIR/blob"
	run seen redirect-end/x
	[[ "$output" == "A GET"*"auth=no"* ]]
}

@test "a server that a redirect led to and that asks for credentials gets none" {
	run get_blob redirect-401/x part
	failed_with "401 not authorised"
	[[ "$output" == *"hint: The registry led to another server"* ]]
	refute grep -q "^B.*auth=Basic" <(seen redirect-401/x)
}

@test "redirects to metadata services, other schemes, with user names and without end are refused" {
	each_fails get-blob "127.0.0.1:$A/REPO" "$BLOB" "$SIZE" PART <<- END
		redirect-link-local must not lead to the link-local address of 'http://169.254.169.254'
		redirect-mapped must not lead to the link-local address of
		redirect-file redirect: URL 'file:///etc/passwd': is neither http nor https
		redirect-user has a user name in it
		redirect-loop more than 10 redirects
	END
}

@test "TLS is never left: by a redirect, a realm, an upload's Location" {
	each_fails get-blob "127.0.0.1:$C/REPO" "$BLOB" "$SIZE" PART <<- END
		redirect-http it would leave TLS
		realm-http it would leave TLS
	END
	run client put-blob "127.0.0.1:$C/location-http/x" "$DIR/manifest"
	failed_with "it would leave TLS"
	refute grep -q "^A.*\(redirect-http\|location-http\)" "$DIR/log"
}

@test "a server with a certificate of an unknown authority is refused, also on this machine" {
	mkdir empty
	run timeout 20 "$DRIVER" -c empty tags "127.0.0.1:$C/honest/x"
	failed_with "the server's certificate is not trusted"
	run timeout 20 "$DRIVER" -c empty -i "127.0.0.1:$C" tags "127.0.0.1:$C/honest/x"
	[ "$status" -eq 0 ]
}

# ---- authentication ----

@test "a token server elsewhere gives a token for the registry alone" {
	run client tags "127.0.0.1:$A/realm-other/x"
	[ "$output" = $'1\n2' ]
	grep -q "^B GET /token/plain?service=hostile&scope=repository:realm-other/x:pull.*auth=Basic" "$DIR/log"
	seen realm-other/x | grep -q "^A.*auth=Bearer"
}

@test "a token server that redirects elsewhere does not take the password there" {
	run client tags "127.0.0.1:$A/realm-redirect/x"
	[ "$output" = $'1\n2' ]
	grep -q "^B GET /token/plain .*auth=no" "$DIR/log"
	grep -q "^A GET /token/redirect?.*auth=Basic" "$DIR/log"
}

@test "a token that is not enough is asked for again with the scope the registry wants" {
	run client tags "127.0.0.1:$A/wider-scope/x"
	[ "$output" = $'1\n2' ]
}

@test "a token that the registry no longer takes is replaced by a new one" {
	run client tags "127.0.0.1:$A/token-once/x"
	[ "$output" = $'t0\nt1\nt2' ]
}

@test "tokens with odd life times work" {
	run client tags "127.0.0.1:$A/token-strange-expiry/x"
	[ "$output" = $'1\n2' ]
}

@test "realms, tokens and challenges that are not what they should be are refused" {
	each_fails tags "127.0.0.1:$A/REPO" <<- END
		realm-link-local must not lead to the link-local address of 'http://169.254.169.254'
		realm-file is neither http nor https
		token-injected the token server's answer has no token
		token-empty the token server's answer has no token
		token-spaces the token server's answer has no token
		token-garbage the token server's answer is not JSON
		token-endless the body has more than 262144 bytes
		token-refused 401 not authorised (UNAUTHORIZED: authentication required)
		challenge-garbage a quote is not closed
		challenge-none neither Basic nor Bearer
		challenge-unknown neither Basic nor Bearer: 'Negotiate abcd=='
		forbidden 403 forbidden (DENIED: requested access is [31mdenied)
	END
	[ "$(seen token-refused/x | wc -l)" -le 3 ]
}

@test "wrong credentials are refused after two requests, and the error says where they came from" {
	printf '{"auths": {"127.0.0.1:%s": {"auth": "%s"}}}' "$A" "$(printf amt:falsch | base64)" > wrong.json
	run timeout 20 "$DRIVER" -a wrong.json tags "127.0.0.1:$A/basic/wrong"
	failed_with "401 not authorised"
	[[ "$output" == *"hint: Credentials used: wrong.json, key '127.0.0.1:$A'."* ]]
	[ "$(seen basic/wrong | wc -l)" -eq 2 ]
	[[ "$output" != *falsch* ]]
}

# ---- patience ----

@test "Retry-After is honoured, as seconds and as date, and the user is told" {
	start=$(date +%s%N)
	run get_blob 429-seconds/x part
	[ "$status" -eq 0 ]
	[ $((($(date +%s%N) - start) / 1000000)) -ge 1000 ]
	[[ "$output" == *"notice: trying again in 1.0 s (1 of 2): "*"429 too many requests (TOOMANYREQUESTS: slow down)"* ]]
	start=$(date +%s%N)
	run get_blob 429-date/x part-429-date
	[ "$status" -eq 0 ]
	[ $((($(date +%s%N) - start) / 1000000)) -ge 900 ]
	run get_blob 429-garbage/x part-429-garbage
	[ "$status" -eq 0 ]
}

@test "a quota that is used up is told at once and not waited for" {
	start=$SECONDS
	run get_blob 429-absurd/x part
	failed_with "429 too many requests (TOOMANYREQUESTS: pull rate limit)"
	[[ "$output" == *"hint: The registry asks to come back in 1440 minutes: a quota is used up"* ]]
	[ $((SECONDS - start)) -le 2 ]
	[ "$(seen 429-absurd/x | wc -l)" -eq 1 ]
}

@test "a registry that flaps is asked again, one that stays busy is given up" {
	run get_blob flapping/x part
	[ "$status" -eq 0 ]
	run get_blob 429-forever/x part-429-forever
	failed_with "given up after 3 tries: GET"
	[ "$(seen 429-forever/x | wc -l)" -eq 3 ]
}

@test "a registry that is down is one line, at once" {
	start=$SECONDS
	run client get-manifest 127.0.0.1:1/a/b:1
	[ "$output" = "error 111: registry '127.0.0.1:1': GET 'http://127.0.0.1:1/v2/': cannot connect: Connection refused" ]
	[ $((SECONDS - start)) -le 1 ]
}

# ---- manifests ----

@test "manifests that are not what their digest, size or type says are refused" {
	TRIES=1
	each_fails get-manifest "127.0.0.1:$A/REPO" <<- END
		digest-lie the registry names digest sha256:0000000000000000000000000000000000000000000000000000000000000000 for content that has
		digest-malformed Docker-Content-Digest: digest 'sha256:../../../../etc/passwd': must have 64 lower-case hexadecimal digits
		manifest-endless the body has more than 4194304 bytes
		type-none the answer has no Content-Type
		gzip answered with Content-Encoding 'gzip', which was not asked for
		html 500 internal error of the registry
	END
	[[ "$output" != *$'\x1b'* ]]
	run client get-manifest "127.0.0.1:$A/manifest-wrong/x@sha256:$(sha256sum < "$DIR/manifest" | cut -d' ' -f1)"
	failed_with "expected sha256:"
}

@test "a manifest without a claimed digest, or with one of another algorithm, is taken" {
	client get-manifest "127.0.0.1:$A/digest-none/x:1" | cmp - "$DIR/manifest"
	client get-manifest "127.0.0.1:$A/digest-sha512/x:1" | cmp - "$DIR/manifest"
}

@test "a registry that keeps another manifest than was sent is found out" {
	run client put-manifest "127.0.0.1:$A/put-lie/x:1" application/vnd.oci.image.manifest.v1+json "$DIR/manifest"
	failed_with "the registry keeps it as sha256:000"
}

# ---- tags ----

@test "tags are read over all pages" {
	run client tags "127.0.0.1:$A/pages/x"
	[ "$output" = $'t0\nt1\nt2' ]
	run client tags "127.0.0.1:$A/tags-null/x"
	[ "$status" -eq 0 ] && [ -z "$output" ]
}

@test "pages that lead elsewhere get no credentials" {
	run client tags "127.0.0.1:$A/link-other/x"
	[ "$output" = $'a\nb' ]
	seen link-other/x | grep -q "^B.*auth=no"
	refute grep -q "^B.*auth=Basic" <(seen link-other/x)
}

@test "pages without end, in a circle, to a metadata service, and tags that are none are refused" {
	each_fails tags "127.0.0.1:$A/REPO" <<- END
		link-loop the pages go in a circle
		link-link-local must not lead to the link-local address
		link-endless 10 pages one after the other without a tag
		tag-bad tags[0]: is not a tag
	END
}

# ---- uploads ----

@test "an upload's Location may be relative, absolute, or on another origin without credentials" {
	for kind in relative absolute other; do
		run client put-blob "127.0.0.1:$A/location-$kind/x" "$DIR/blob"
		[ "$output" = "uploaded $BLOB $SIZE" ]
	done
	seen location-other/x | grep -q "^B PUT.*auth=no"
	refute grep -q "^B.*auth=Basic" <(seen location-other/x)
}

@test "a mount that the registry answers with 202 becomes an upload in the same session" {
	run client put-blob "127.0.0.1:$A/upload/x" "$DIR/blob" 0 other/repo
	[ "$output" = "uploaded $BLOB $SIZE" ]
	seen upload/x | grep -q "POST /v2/upload/x/blobs/uploads/?mount=$BLOB&from=other/repo"
	[ "$(seen upload/x | grep -c POST)" -eq 1 ]
}

@test "chunks go on where the registry says it is, after 416 and after a cut" {
	for kind in 416 cut; do
		run client put-blob "127.0.0.1:$A/patch-$kind/x" "$DIR/blob" 70000
		[ "${lines[-1]}" = "uploaded $BLOB $SIZE" ]
	done
}

@test "an upload that failed for the moment is begun again" {
	run client put-blob "127.0.0.1:$A/put-503-once/x" "$DIR/blob"
	[ "${lines[-1]}" = "uploaded $BLOB $SIZE" ]
}

@test "uploads that are refused, misdirected or kept wrongly are errors with the registry's words" {
	each_fails put-blob "127.0.0.1:$A/REPO" "$DIR/blob" <<- END
		put-refused 400 bad request (SIZE_INVALID: too big for us)
		put-lie the registry keeps it as 'sha256:000
		location-none the registry gave no Location for the upload
		location-link-local must not lead to the link-local address
		redirect-put answered with a redirect (302), which this method does not follow
	END
}
