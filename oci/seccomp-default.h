/* oci/seccomp-default.h: the seccomp profile of services whose manifest does not bring one.
 *
 * An allow list. Left out is what reaches the kernel's rarely used or privileged corners: modules, kexec,
 * mounts, namespaces, bpf, io_uring, userfaultfd, keyrings, tracing. A capability in the container's
 * bounding set brings the calls back that are useless without it. Sockets: unix, IPv4, IPv6, netlink,
 * packet. clone3 answers ENOSYS, so that libraries fall back to clone, whose flags can be looked at.
 * Refused calls answer EPERM; calls newer than this list answer ENOSYS (runtime/seccomp.h). */
#pragma once
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "oci/config.h"

/* capabilities: bit N is capability N of capabilities(7), the bounding set (oci_capability_mask()).
 * Architectures: the machine's own with its compatible ones (x86_64: x86 and x32 as well). The profile
 * lives in the arena. */
err *oci_seccomp_default(struct arena *arena, uint64_t capabilities, const struct oci_seccomp **ret)
	MUST_CHECK;
