#!/usr/bin/env bats
# Promises of the benchmark's floor: its container is the benchmark's, and its calls are those it lists.

setup() {
	command -v strace > /dev/null || skip "strace is not installed"
	cd "$BATS_TEST_DIRNAME/../.." || return
	T=$(mktemp -d "${TMPDIR:-/tmp}/stube-floor.XXXXXX")
	BENCH_OUT=$T/bin tests/bench/build.sh
	mkdir -p "$T/rootfs"/{proc,sys,dev}
	cp "$T/bin/payload" "$T/rootfs/payload"
	# "return ALLOW", as one instruction.
	printf '\x06\x00\x00\x00\x00\x00\xff\x7f' > "$T/filter"
}

teardown() {
	[ -z "${T:-}" ] || rm -rf "$T"
}

# Calls of `floor ARGUMENTS` as "name count" lines, sorted; rmdir is tried until the cgroup is empty.
calls() {
	unshare -m --propagation private bash -c '
		[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
		strace -f -c -U name,calls -o "$1/calls" "$1/bin/floor" "$1/rootfs" "${@:2}"' _ "$T" "$@" || return
	awk '$2 ~ /^[0-9]+$/ && $1 != "total" { print $1, $1 == "rmdir" ? 1 : $2 }' "$T/calls" | sort
}

# The sum of the header's lists: listed [cgroup [filter]]
listed() {
	awk -v cgroup="${1:-}" -v filter="${2:-}" '
		/^ \*   always: / || (cgroup && /^ \*   with CGROUP: /) || (filter && /^ \*   with FILTER: /) {
			sub(/^[^:]*: /, ""); sub(/ \*\/$/, "")
			n = split($0, pairs, ", ")
			for (i = 1; i <= n; i++) { split(pairs[i], pair, " "); sum[pair[1]] += pair[2] }
		}
		END { for (name in sum) print name, sum[name] }' tests/bench/floor.c | sort
}

@test "the floor makes the system calls that its header lists, and no other" {
	[ "$(listed cgroup filter | wc -l)" -gt 25 ]
	diff <(listed cgroup filter) <(calls "/sys/fs/cgroup/stube-floor-test-$$" "$T/filter")
}

@test "without a filter, and without a cgroup, it makes none of theirs" {
	diff <(listed cgroup) <(calls "/sys/fs/cgroup/stube-floor-test-$$")
	diff <(listed) <(calls)
}

@test "what it mounts and restricts is what the benchmark's bundle asks for" {
	run unshare -m --propagation private strace -f -e trace=mount,capset,prctl "$T/bin/floor" "$T/rootfs"
	[ "$status" -eq 0 ]
	[[ "$output" == *'mount("dev/null", "proc/keys", NULL, MS_BIND, NULL) = 0'* ]]
	[[ "$output" == *'mount(NULL, "proc/sys", NULL, MS_RDONLY|MS_REMOUNT|MS_BIND, NULL) = 0'* ]]
	[[ "$output" == *'PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) = 0'* ]]
	[[ "$output" == *'permitted=1<<CAP_KILL|1<<CAP_NET_BIND_SERVICE|1<<CAP_AUDIT_WRITE'* ]]
}
