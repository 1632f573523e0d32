/* runtime/plan-mounts-internal.h: what the files of runtime/plan-mounts*.c share. */
#pragma once
#include "runtime/mount-options.h"
#include "runtime/plan-config.h"

/* Give the detached tree its id map: the mount's own, that of crun's option idmap=..., or the container's. */
err *plan_id_map(const struct plan_source *s, const struct oci_mount *m, const struct mount_spec *spec,
		 int tree) MUST_CHECK;

/* crun's "uids=0-1-10#10-11-10;gids=0-100-10": first id in the file system, first id shown, size; "@" before
 * a range: the second is the container's, turned into the host's by `container_uids` and gids. A kind
 * that is not given stays as it is. EINVAL. Pure. */
err *plan_parse_maps(struct arena *arena, const char *text, const struct oci_id_mappings *container_uids,
		     const struct oci_id_mappings *container_gids, struct oci_id_mappings *ret_uids,
		     struct oci_id_mappings *ret_gids) MUST_CHECK;

/* A new file system of m->type with the options in spec->data, made here and id-mapped, as a detached mount.
 * The child cannot: the kernel maps no file system by the user namespace that it belongs to. EINVAL: the
 * kernel has no id maps for this type. */
err *plan_mapped_file_system(const struct plan_source *s, const struct oci_mount *m,
			     const struct mount_spec *spec, int *ret_fd) MUST_CHECK;
