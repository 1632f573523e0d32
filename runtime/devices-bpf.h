/* runtime/devices-bpf.h: device rules of a container as an eBPF program on its cgroup.
 *
 * Spec: runtime-spec config-linux.md, "Allowed Device list" and "Default Devices". Kernel:
 * cgroup-v2.rst, "Device controller"; bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE. No controller is needed, so
 * this works on hybrid hosts too. RLIMIT_MEMLOCK is never raised: since Linux 5.11 the memory of
 * programs is charged to the cgroup. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"

struct bpf_insn;
struct oci_resources;

/* One rule; major, minor -1: any. */
enum device_access { DEVICE_MKNOD = 1, DEVICE_READ = 2, DEVICE_WRITE = 4, DEVICE_RWM = 7 };
struct device_rule {
	bool allow;
	char type; /* 'a' both, 'b', 'c' */
	int64_t major, minor;
	unsigned access; /* enum device_access */
};

/* The rules of a container in order: linux.resources.devices, then the specification's default devices
 * (null, zero, full, random, urandom, tty, console, ptmx, pts), and mknod of any device, as runc and crun
 * allow, because the container may make nodes that it may not open. Without caller's rules nothing but
 * those is allowed. In the arena. */
err *devices_rules(struct arena *arena, const struct oci_resources *resources,
		   struct device_rule **ret, size_t *ret_count) MUST_CHECK;

/* Compile: the last matching rule decides, access is refused when none matches; an access of several
 * kinds (read and write) needs every kind allowed. In the arena. */
err *devices_compile(struct arena *arena, const struct device_rule *rules, size_t count,
		     struct bpf_insn **ret, size_t *ret_count) MUST_CHECK;

/* Load the program and attach it to the cgroup. Two bpf(2) calls on a fresh cgroup.
 *   fresh  the directory was made for this container: nothing can be attached to it yet. Otherwise an
 *          earlier program of ours on this very directory is replaced.
 * Errors: EPERM names the missing capability. */
err *devices_attach(int cgroup_fd, const struct bpf_insn *insns, size_t count, bool fresh) MUST_CHECK;

/* All of it. rootless: a caller who may not load programs skips them, as crun and runc do: such a
 * container can open only nodes that its user may open, and cannot make any. */
err *devices_apply(int cgroup_fd, const struct oci_resources *resources, bool fresh, bool rootless)
	MUST_CHECK;
