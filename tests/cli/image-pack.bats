#!/usr/bin/env bats
# stube image pack: what the options promise, and what is refused before any work.

setup() {
	STUBE=$PWD/build/bin/stube
	T=$(mktemp -d "${TMPDIR:-/tmp}/stube-pack.XXXXXX")
	export STUBE_STORE=$T/store
	unset SOURCE_DATE_EPOCH
	mkdir "$T/tree"
	echo hello > "$T/tree/file"
	touch -d @1600000000 "$T/tree/file"
}

teardown() {
	rm -rf "$T"
}

@test "a directory becomes an image with the options' config" {
	run "$STUBE" image pack "$T/tree" localhost/amt/portal:2 --entrypoint /bin/portal --entrypoint --serve --cmd -v \
		--env A=1 --env B=2 --user 1000:1000 --workdir /srv --port 8080 --port 53/udp --label x=y --volume /data \
		--stop-signal SIGINT --author Amt
	[ "$status" = 0 ]
	[[ $output =~ ^packed\ localhost/amt/portal:2\ sha256:[0-9a-f]{64}$ ]]
	digest=${output##* }
	config=$(jq -r .config.digest "$STUBE_STORE/blobs/${digest/://}")
	run jq -c '[.author, .created, .config]' "$STUBE_STORE/blobs/${config/://}"
	[ "$output" = '["Amt","2020-09-13T12:26:40Z",{"User":"1000:1000","ExposedPorts":{"53/udp":{},"8080/tcp":{}},"Env":["A=1","B=2"],"Entrypoint":["/bin/portal","--serve"],"Cmd":["-v"],"Volumes":{"/data":{}},"WorkingDir":"/srv","Labels":{"x":"y"},"StopSignal":"SIGINT"}]' ]
}

@test "a static binary gets itself as entrypoint; the place can be chosen" {
	run "$STUBE" image pack --output json /bin/busybox localhost/bb:1 --path /usr/bin/bb
	[ "$status" = 0 ]
	digest=$(jq -r .digest <<< "$output")
	[ "$(jq -r .name <<< "$output")" = localhost/bb:1 ]
	config=$(jq -r .config.digest "$STUBE_STORE/blobs/${digest/://}")
	[ "$(jq -c .config.Entrypoint "$STUBE_STORE/blobs/${config/://}")" = '["/usr/bin/bb"]' ]
	run tar -tf "$STUBE_STORE"/layers/sha256/*/data.tar
	[ "$output" = $'usr/\nusr/bin/\nusr/bin/bb' ]
}

@test "the same tree and options give the same digest in another store" {
	first=$("$STUBE" image pack --quiet "$T/tree" localhost/x)
	second=$(STUBE_STORE=$T/other "$STUBE" image pack --quiet "$T/tree" localhost/x)
	[ "$first" = "$second" ]
	[[ $first =~ ^sha256:[0-9a-f]{64}$ ]]
	third=$(STUBE_STORE=$T/third "$STUBE" image pack --quiet --label a=b "$T/tree" localhost/x)
	[ "$first" != "$third" ]
}

@test "SOURCE_DATE_EPOCH and --created clamp times, the option first" {
	first=$(SOURCE_DATE_EPOCH=1000 "$STUBE" image pack --quiet "$T/tree" localhost/x)
	second=$("$STUBE" image pack --quiet --created 1970-01-01T00:16:40Z "$T/tree" localhost/x)
	third=$(SOURCE_DATE_EPOCH=7 "$STUBE" image pack --quiet --created 1000 "$T/tree" localhost/x)
	[ "$first" = "$second" ]
	[ "$first" = "$third" ]
	run tar --utc -tvf "$STUBE_STORE"/layers/sha256/*/data.tar
	[[ $output == *"1970-01-01 00:16 file" ]]
}

@test "compression is what was asked for" {
	for how in gzip zstd none; do
		digest=$("$STUBE" image pack --quiet --compression $how "$T/tree" localhost/x:$how)
		type=$(jq -r '.layers[0].mediaType' "$STUBE_STORE/blobs/${digest/://}")
		case $how in
		none) [ "$type" = application/vnd.oci.image.layer.v1.tar ] ;;
		*) [ "$type" = application/vnd.oci.image.layer.v1.tar+$how ] ;;
		esac
	done
}

refused() { # MESSAGE ARGUMENT...: pack fails with just this message and leaves no image
	local message=$1
	shift
	run "$STUBE" image pack "$@"
	[ "$status" -ne 0 ]
	[ "${lines[0]}" = "error: $message" ] || { echo "${lines[0]}"; return 1; }
	[ -z "$(ls "$STUBE_STORE/refs" 2> /dev/null)" ]
}

@test "what cannot be right is refused by name, before anything is packed" {
	refused "'/bin/ls' is not a static binary" /bin/ls localhost/x
	refused "open '$T/none': No such file or directory" "$T/none" localhost/x
	refused "--path is for a single binary, '$T/tree' is a directory" --path /x "$T/tree" localhost/x
	refused "pack '$T/tree': port '99999' is not NUMBER, NUMBER/tcp, NUMBER/udp or NUMBER/sctp" --port 99999 "$T/tree" localhost/x
	refused "pack '$T/tree': environment 'A' is not NAME=value" --env A "$T/tree" localhost/x
	refused "pack '$T/tree': working directory 'srv' does not begin with a slash" --workdir srv "$T/tree" localhost/x
	refused "--created: 'now' is neither seconds nor a date as 2026-11-23T20:15:04Z" --created now "$T/tree" localhost/x
	mkdir "$T/tree/d"
	touch "$T/tree/d/.wh.x"
	refused "pack '$T/tree': 'd/.wh.x': a name that begins with '.wh.' would remove a file of a lower layer" "$T/tree" localhost/x
}

@test "links that lead out of the tree are stored, what they lead to is not" {
	echo secret > "$T/outside"
	ln -s "$T/outside" "$T/tree/link"
	ln -s / "$T/tree/root"
	"$STUBE" image pack "$T/tree" localhost/x
	run tar -tf "$STUBE_STORE"/layers/sha256/*/data.tar
	[ "$output" = $'file\nlink\nroot' ]
	run grep -c secret "$STUBE_STORE"/layers/sha256/*/data.tar
	[ "$status" = 1 ]
}

@test "an unprivileged user packs too" {
	[ "$(id -u)" = 0 ] || skip "is unprivileged already"
	chmod 755 "$T"
	mkdir -m 777 "$T/store"
	chown 65534 "$T/store"
	chmod 700 "$T/store"
	as_nobody=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$STUBE" image pack --quiet "$T/tree" localhost/x)
	[ "$as_nobody" = "$(STUBE_STORE=$T/root "$STUBE" image pack --quiet "$T/tree" localhost/x)" ]
}
