#!/usr/bin/env bats
# stube run as an ordinary user: a user namespace with the user's own ids, or with a single one.

bats_require_minimum_version 1.5.0
load local

setup() {
	local_setup
	USER_ID=$((40000 + RANDOM % 10000))
	# The user must reach the programs wherever the tree lies.
	mkdir "$WORK/bin"
	cp "$BIN"/stube "$BIN"/stube-* "$WORK/bin"
	mkdir -m 700 "$WORK/home"
	chown -R "$USER_ID:$USER_ID" "$WORK/home" "$ROOT"
	# Users of this test alone: what /etc says is bound over in a mount namespace of the test.
	(cat /etc/passwd; echo "stubetest:x:$USER_ID:$USER_ID::$WORK/home:/bin/sh") > "$WORK/passwd"
	(cat /etc/group; echo "stubetest:x:$USER_ID:") > "$WORK/group"
	echo "stubetest:700000000:65536" > "$WORK/subid"
	: > "$WORK/nosubid"
	touch /etc/subuid /etc/subgid
}
teardown() {
	pgrep -f -- "^$WORK/bin/stube-monitor" | xargs -r kill -9
	pgrep -u "$USER_ID" | xargs -r kill -9
	local_teardown
}

# as_user SUBID-FILE SCRIPT: a shell of that user, with `stube` for the program.
as_user() {
	STUBE_RUN=$WORK/home/run STUBE_DATA=$WORK/home/data STUBE_STORE=$WORK/home/store HOME=$WORK/home ROOT=$ROOT \
	PATH=$WORK/bin:$PATH unshare -m --propagation private bash -euc '
		mount --bind "$1/passwd" /etc/passwd; mount --bind "$1/group" /etc/group
		mount --bind "$1/$2" /etc/subuid; mount --bind "$1/$2" /etc/subgid
		cd "$1/home"; exec setpriv --reuid "$3" --regid "$3" --clear-groups bash -euc "$4"' \
		bash "$WORK" "$1" "$USER_ID" "$2"
}

@test "an ordinary user runs a directory: confined, with all of its own ids" {
	run as_user subid 'stube run --rm --rootfs "$ROOT" --user app /bin/sh -c "id; cat /proc/self/uid_map; grep CapBnd /proc/self/status; touch /x; exit 6"'
	echo "$output"
	[ "$status" = 6 ]
	[ "${lines[0]}" = "uid=1000(app) gid=1000(app) groups=2000(extra)" ]
	[[ ${lines[2]} =~ '1          1      65535' ]]
	[ "${lines[3]}" = $'CapBnd:\t0000000000000000' ]
	[[ $output == *"touch: /x: Read-only file system"* ]]
}

@test "without ranges of ids there is one id, and it suffices for root" {
	run as_user nosubid 'stube run --rm --rootfs "$ROOT" /bin/sh -c "id -u; cat /proc/self/uid_map"'
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[0]}" = 0 ]
	[ "${#lines[@]}" = 2 ]
	run as_user nosubid 'stube run --rm --rootfs "$ROOT" --user app /bin/true'
	[ "$status" = 1 ]
	[[ $output == *"user 1000:1000 is not among the 1 ids of the container's user namespace"* ]]
}

@test "pack, run, ps, exec, share a network, stop, rm: an image's whole life as an ordinary user" {
	run as_user subid '
		stube image pack --quiet --cmd /bin/sh --cmd -c --cmd "id -u; touch /srv/x" --user app "$ROOT" localhost/t/a:1 > /dev/null
		stube run --rm --writable --user root localhost/t/a:1 /bin/sh -c "echo written > /srv/f; cat /srv/f"
		stube run --detach --name web localhost/t/a:1 /bin/sleep 100
		stube ps --output name
		stube exec web /bin/id -u
		a=$(stube exec web /bin/ls -l /proc/self/ns/net | sed "s/.*> //")
		b=$(stube run --rm --network container:web localhost/t/a:1 /bin/ls -l /proc/self/ns/net | sed "s/.*> //")
		[ "$a" = "$b" ]
		stube stop --timeout 0 web
		stube inspect web | jq .[0].exitCode
		stube rm web
		[ -z "$(ls data/containers run/containers | grep -v :)" ]
		echo end'
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = $'written\nweb\nweb\n1000\nweb\n137\nweb\nend' ]
}

@test "the service of an ordinary user survives its monitor's death" {
	run --separate-stderr as_user subid '
		stube run --detach --name web --rootfs "$ROOT" /bin/sh -c "trap \"exit 11\" TERM; echo up; while :; do sleep 0.05; done"
		while ! stube logs web | grep -q up; do sleep 0.05; done
		kill -9 $(jq .monitor run/containers/web/running.json)
		stube stop web
		stube inspect web | jq -c "[.[0].exitCode, .[0].exitKnown]"
		stube rm web'
	echo "$output"
	[ "$output" = $'web\nweb\n[11,true]\nweb' ]
}

@test "limits that need a cgroup are refused with a reason" {
	run as_user subid 'stube run --rm --memory 64M --rootfs "$ROOT" /bin/true'
	[ "$status" = 1 ]
	[[ $output == *"a limit needs a cgroup, and cgroups are disabled"* ]]
}
