/* runtime/cgroup-internal.h: what the files of runtime/cgroup*.c share. */
#pragma once
#include "runtime/cgroup.h"

/* Longest file of the core that is read whole: cgroup.procs of a large container. */
#define CGROUP_FILE_MAX (4u << 20)

/* Open a cgroup directory below `dir_fd` for reading; no symbolic link is followed. */
err *cgroup_open_dir(int dir_fd, const char *path, int *ret_fd) MUST_CHECK;

/* A number behind `key` in a flat keyed file ("populated 1"); *ret_found false without file or key. */
err *cgroup_read_key(int fd, const char *file, const char *key, uint64_t *ret, bool *ret_found) MUST_CHECK;

/* Whether the space-separated list in `text` has this word. */
bool cgroup_has_word(const char *text, const char *word);

/* Enable along the path what `limits` needs, and what figures are read from; write the limits.
 * fresh: values equal to the kernel's defaults need no write. */
err *cgroup_write_limits(struct cgroup *cg, const struct cgroup_limits *limits, bool fresh) MUST_CHECK;
