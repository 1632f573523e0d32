/* runtime/idmap.h: user and group id mappings of user namespaces.
 * Spec: runtime-spec config-linux.md, "User namespace mappings". Kernel: user_namespaces(7). */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"
#include "oci/config.h"

/* Ranges that overlap on either side, or none: EINVAL. `what` is "linux.uidMappings". Pure. */
err *idmap_check(const char *what, const struct oci_id_mappings *maps) MUST_CHECK;

/* The container id that `host_id` is mapped to; false when it is not. Pure. */
bool idmap_to_container(const struct oci_id_mappings *maps, uint32_t host_id, uint32_t *ret);
bool idmap_has_container_id(const struct oci_id_mappings *maps, uint32_t id);

/* Text of a map file, one line a range. Pure. */
void idmap_text(const struct oci_id_mappings *maps, struct str *out);

/* Write the maps of a child that waits in its new user namespace.
 *   proc_fd    /proc of the caller's pid namespace; borrowed
 *   pid        the child, as seen through proc_fd
 * A caller without CAP_SETUID and CAP_SETGID writes a single own id itself (then setgroups(2) is denied
 * for good: *ret_no_groups) and leaves other maps to newuidmap(1) and newgidmap(1).
 * Errors: EPERM a range that subuid(5) does not grant, with what newuidmap said. */
err *idmap_write(int proc_fd, pid_t pid, const struct oci_id_mappings *uids,
		 const struct oci_id_mappings *gids, bool *ret_no_groups) MUST_CHECK;

/* A user namespace that only carries mappings, for an id-mapped mount: made by a child that is gone
 * when this returns. */
err *idmap_namespace(int proc_fd, const struct oci_id_mappings *uids,
		     const struct oci_id_mappings *gids, int *ret_fd) MUST_CHECK;

/* Whether this process has the capability in effect. */
bool capability_effective(int capability);
