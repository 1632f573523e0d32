/* agent/ids.h: host ids for containers: which ranges are free, and user namespaces made of them.
 * Ref: subuid(5), user_namespaces(7).
 *
 * Root's containers get 65536 ids each, from the ranges that /etc/subuid and /etc/subgid both give to the
 * user `stube` or else `containers`, else from 0x40000000 on. Records of ranges in use are files in
 * DATA/ids, named by their first id, holding the container's name; DATA/ids/lock guards them. */
#pragma once
#include <stdbool.h>
#include "agent/bundle.h"
#include "base/err.h"
#include "base/macro.h"

#define IDS_SIZE      65536u
#define IDS_FIRST     0x40000000u
#define IDS_LAST      0xbfffffffu

/* Take the lowest free range for the container `name`; one that it has already is given again. in_use says
 * whether a recorded container still exists (its record may be older than a crash).
 *   dir_fd  DATA, borrowed
 * ENOSPC: all are taken. */
err *ids_take(int dir_fd, const char *name, bool (*in_use)(const char *name, void *arg), void *arg,
	      struct id_range *ret) MUST_CHECK;

/* Give back what `name` has; a missing record, or one of another owner, is fine and stays as it is. */
err *ids_give(int dir_fd, const char *name, struct id_range range) MUST_CHECK;

/* The whole range that `user` owns in text like /etc/subuid; false when it has none of IDS_SIZE ids. */
bool ids_parse_subid(const char *text, const char *user, struct id_range *ret) MUST_CHECK;

/* How many ids from 0 on, without a gap, this process's own user namespace has. */
err *ids_own(uint32_t *ret) MUST_CHECK;

/* A user namespace with these mappings (0 to range->size - 1), for id-mapped mounts. The process that makes
 * it ends before the call returns. Needs CAP_SETUID over the ids. */
err *ids_userns(struct id_range range, int *ret_fd) MUST_CHECK;
