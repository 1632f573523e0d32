/* runtime/seccomp.h: linux.seccomp of config.json as the kernel's filter bytes, compiled once.
 *
 * Spec: runtime-spec config-linux.md, "Seccomp". Kernel: seccomp(2). Library: libseccomp, seen only in
 * seccomp.c. The runtime compiles; stube-init installs the bytes with one seccomp(2) call. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

struct oci_seccomp;

/* A filter ready for seccomp(SECCOMP_SET_MODE_FILTER). */
struct seccomp_program {
	const void *bytes; /* struct sock_filter[], in the arena */
	size_t len;
	unsigned flags;    /* SECCOMP_FILTER_FLAG_*, NEW_LISTENER included when notify is set */
	bool notify;       /* some rule asks for SCMP_ACT_NOTIFY: seccomp(2) returns the listener */
	bool cached;       /* came from the cache */
};

/* Compile, by libseccomp with its binary tree. Syscalls unknown to libseccomp are skipped and named in
 * `warnings` (may be NULL); syscalls newer than any that the profile names get ENOSYS instead of the
 * default action, so that programs fall back, as runc answers. For x86_64 x86 and x32 are covered as
 * the profile says; a foreign architecture that it does not list is killed. Errors: EINVAL with the
 * path of the field below linux.seccomp. */
err *seccomp_compile(struct arena *arena, const struct oci_seccomp *profile, struct strv *warnings,
		     struct seccomp_program *ret) MUST_CHECK;

/* The same through the cache in `cache_fd` (seccomp-cache.c; -1: no cache). */
err *seccomp_get(struct arena *arena, const struct oci_seccomp *profile, int cache_fd,
		 struct strv *warnings, struct seccomp_program *ret) MUST_CHECK;

/* An error for the first system call of the profile that libseccomp does not know, where it stands. */
err *seccomp_check_names(const struct oci_seccomp *profile) MUST_CHECK;

/* Open the cache's directory, made when missing: for root ROOT/.cache/seccomp (root_dir: --root), for
 * others $XDG_CACHE_HOME or ~/.cache, stube/seccomp. -1 in *ret_fd when the directory or one of its
 * own parents could be written by somebody else, or cannot be made: then each start compiles. */
void seccomp_cache_open(const char *root_dir, int *ret_fd);

/* A block that the kernel would take: a whole number of instructions, 1 to BPF_MAXINSNS. */
err *seccomp_check_bytes(const void *bytes, size_t len) MUST_CHECK;

/* Bytes that decide the compiled filter, for the cache's key: canonical profile, native architecture,
 * libseccomp's version, the kernel's list of actions. */
err *seccomp_cache_key(const struct oci_seccomp *profile, struct str *out) MUST_CHECK;
