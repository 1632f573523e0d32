/* runtime/seccomp-internal.h: what seccomp.c and seccomp-cache.c share. */
#pragma once
#include "runtime/seccomp.h"

/* Flags and the notify bit, which are no part of the bytes and so not of the cache. */
void seccomp_set_flags(const struct oci_seccomp *profile, struct seccomp_program *p);

/* What of the library decides the bytes. */
void seccomp_add_version(struct str *out);
