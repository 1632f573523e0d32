#!/usr/bin/env bats
# Images are built with stube-runtime by Buildah and by podman build.
bats_require_minimum_version 1.5.0
load engine

setup_file() {
	command -v buildah > /dev/null || skip "buildah is not installed"
	engine_start own
	tar -C "$T/rootfs" -cf "$T/rootfs.tar" .
	pod_own import "$T/rootfs.tar" busybox:test > "$T/import.log" 2>&1
	mkdir "$T/context"
	cat > "$T/context/Containerfile" <<-END
		FROM localhost/busybox:test
		RUN --mount=type=tmpfs,target=/scratch echo built > /built && grep -q " /scratch " /proc/self/mountinfo && grep Seccomp: /proc/self/status
		USER 5
		RUN id -u; echo x > /denied || echo refused
		CMD cat /built
	END
	sed '/^RUN --mount/d' "$T/context/Containerfile" > "$T/context/Short"
}

teardown_file() { engine_stop; }

buildah_own() {
	inside buildah --root "$T/root" --runroot "$T/run" --storage-driver=vfs "$@" 3>&-
}

# The runtime's log of calls since the last look.
witnessed() {
	cat "$T/witness.log"
	rm -f "$T/witness.log"
}

@test "buildah bud runs each RUN through the runtime, as the user that the file says" {
	run buildah_own bud --layers=false --isolation oci --network none --runtime "$T/bin/witness" -t built "$T/context"
	[ "$status" -eq 0 ]
	[[ "$output" == *$'Seccomp:\t2'*$'\n5\n'*refused* ]]
	run witnessed
	[ "$(grep -c '^create ' <<< "$output")" -eq 2 ]
	[ "$(grep -c '^start ' <<< "$output")" -eq 2 ]
	[ "$(pod_own run --rm built)" = built ]
}

@test "a RUN that fails ends the build with its status" {
	printf 'FROM localhost/busybox:test\nRUN exit 9\n' > "$T/context/Failing"
	run buildah_own bud --isolation oci --network none --runtime "$T/bin/witness" -f "$T/context/Failing" "$T/context"
	[ "$status" -eq 9 ]
	witnessed > /dev/null
}

@test "buildah run starts a program in a working container: status, volumes, terminal, user" {
	container=$(buildah_own from localhost/busybox:test)
	mkdir "$T/volume"
	run buildah_own run --isolation oci --network none --runtime stube-runtime -v "$T/volume:/vol" --user 7 "$container" \
		sh -c 'id -u; grep CapEff /proc/self/status; exit 6'
	[ "$status" -eq 6 ]
	[[ "$output" == *$'7\nCapEff:\t0000000000000000'* ]]
	run buildah_own run --isolation oci --network none --runtime stube-runtime --terminal "$container" sh -c 'test -t 1 && echo a terminal'
	[[ "$output" == *"a terminal"* ]]
	run buildah_own run --isolation oci --network none --runtime stube-runtime "$container" /no/such/program
	[ "$status" -ne 0 ]
	[[ "$output" == *"no such file or directory"* ]]
	buildah_own rm "$container"
}

@test "podman build does so through the runtime that it was given" {
	run pod_own --runtime "$T/bin/witness" build --layers=false --isolation oci --network none -t again -f "$T/context/Short" "$T/context"
	[ "$status" -eq 0 ]
	[[ "$output" == *$'\n5\n'*refused* ]]
	[ "$(witnessed | grep -c '^create ')" -eq 1 ]
}

@test "an ordinary user builds as well" {
	command -v newuidmap > /dev/null || skip "newuidmap is not installed"
	for file in subuid subgid; do [ -e /etc/$file ] || skip "this host has no /etc/$file to cover"; done
	as_user podman --storage-driver=vfs import "$T/rootfs.tar" busybox:test > "$T/user.log" 2>&1 || skip "an ordinary user's podman does not work here: $(tail -1 "$T/user.log")"
	run as_user buildah --storage-driver=vfs bud --layers=false --isolation oci --network none --runtime "$T/bin/stube-runtime" -t built - < "$T/context/Short"
	[ "$status" -eq 0 ]
	[[ "$output" == *$'\n5\n'*refused* ]]
}

@test "nothing is left in the hierarchy" {
	[ -z "$(find "$CGROUP" -mindepth 1 -type d -name 'buildah*')" ]
	[ -z "$(inside "$T/bin/stube-runtime" list -q)" ]
}
