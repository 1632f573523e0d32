/* oci/config-root.c: root, mounts and hooks of config.json, and id mappings. */
#include "oci/config-internal.h"

/* clang-format off */
static const struct field root_fields[] = {
	FIELD(struct oci_root, "path",     path,     t_nonempty, REQUIRED,  NULL),
	FIELD(struct oci_root, "readonly", readonly, t_bool,     OMIT_ZERO, NULL),
	{0}
};
static const struct type t_root = OBJECT("root", struct oci_root, root_fields);
const struct type opt_oci_root = OPTIONAL(t_root);

static const struct type t_id_count = UINT_RANGE("number", uint32_t, 1, UINT32_MAX);
static const struct field id_mapping_fields[] = {
	FIELD(struct oci_id_mapping, "containerID", container_id, t_u32,      REQUIRED, NULL),
	FIELD(struct oci_id_mapping, "hostID",      host_id,      t_u32,      REQUIRED, NULL),
	FIELD(struct oci_id_mapping, "size",        size,         t_id_count, REQUIRED, NULL),
	{0}
};
static const struct type t_id_mapping = OBJECT("id mapping", struct oci_id_mapping, id_mapping_fields);
/* 340 is the kernel's own limit (UID_GID_MAP_MAX_EXTENTS). */
const struct type t_oci_id_mappings = ARRAY_OF_MAX(t_id_mapping, 340);

static const struct field mount_fields[] = {
	FIELD(struct oci_mount, "destination", destination,  t_nonempty,        REQUIRED, NULL),
	FIELD(struct oci_mount, "type",        type,         t_string,          EMPTY_ABSENT, NULL),
	FIELD(struct oci_mount, "source",      source,       t_string,          0,        NULL),
	FIELD(struct oci_mount, "options",     options,      t_strings,         0,        NULL),
	FIELD(struct oci_mount, "uidMappings", uid_mappings, t_oci_id_mappings, 0,        NULL),
	FIELD(struct oci_mount, "gidMappings", gid_mappings, t_oci_id_mappings, 0,        NULL),
	{0}
};
static const struct type t_mount = OBJECT("mount", struct oci_mount, mount_fields);
const struct type t_oci_mounts = ARRAY_OF(t_mount);

static const struct type t_timeout = INT_RANGE("number", int32_t, 1, INT32_MAX);
static const struct type opt_timeout = OPTIONAL(t_timeout);
static const struct field hook_fields[] = {
	FIELD(struct oci_hook, "path",    path,    t_abs_path,  REQUIRED, NULL),
	FIELD(struct oci_hook, "args",    args,    t_strings,   0,        NULL),
	FIELD(struct oci_hook, "env",     env,     t_strings,   0,        NULL),
	FIELD(struct oci_hook, "timeout", timeout, opt_timeout, 0,        NULL),
	{0}
};
static const struct type t_hook = OBJECT("hook", struct oci_hook, hook_fields);
static const struct type t_hook_list = ARRAY_OF(t_hook);

static const struct field hooks_fields[] = {
	FIELD(struct oci_hooks, "prestart",        prestart,         t_hook_list, 0, NULL),
	FIELD(struct oci_hooks, "createRuntime",   create_runtime,   t_hook_list, 0, NULL),
	FIELD(struct oci_hooks, "createContainer", create_container, t_hook_list, 0, NULL),
	FIELD(struct oci_hooks, "startContainer",  start_container,  t_hook_list, 0, NULL),
	FIELD(struct oci_hooks, "poststart",       poststart,        t_hook_list, 0, NULL),
	FIELD(struct oci_hooks, "poststop",        poststop,         t_hook_list, 0, NULL),
	{0}
};
/* clang-format on */
const struct type t_oci_hooks = OBJECT("hooks", struct oci_hooks, hooks_fields);

static bool overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return (uint64_t)a < (uint64_t)b + b_size && (uint64_t)b < (uint64_t)a + a_size;
}

err *oci_rules_id_mappings(const struct oci_id_mappings *mappings, const char *path, struct decoder *d)
{
	char item[OCI_PATH_MAX];

	for (size_t i = 0; i < mappings->count; i++) {
		const struct oci_id_mapping *m = &mappings->items[i];

		oci_rule_path(item, "%s[%zu]", path, i);
		/* The last id, (uid_t)-1, means "none" to the kernel and cannot be mapped. */
		if (m->size > UINT32_MAX - MAX(m->container_id, m->host_id))
			return decoder_fail(d, item, "reaches beyond id %u", UINT32_MAX - 1);
		for (size_t k = 0; k < i; k++) {
			const struct oci_id_mapping *o = &mappings->items[k];
			if (overlap(m->container_id, m->size, o->container_id, o->size))
				return decoder_fail(d, item, "overlaps entry %zu in the container's ids", k);
			if (overlap(m->host_id, m->size, o->host_id, o->size))
				return decoder_fail(d, item, "overlaps entry %zu in the host's ids", k);
		}
	}
	return NULL;
}

static err *rule_mount(const struct oci_mount *m, size_t i, struct decoder *d)
{
	char path[OCI_PATH_MAX];

	if (*m->destination != '/')
		decoder_warn(d, oci_rule_path(path, "mounts[%zu].destination", i),
			     "'%.200s' is not an absolute path, read as '/%.200s'", m->destination,
			     m->destination);
	if ((m->uid_mappings.count == 0) != (m->gid_mappings.count == 0))
		return decoder_fail(d, oci_rule_path(path, "mounts[%zu]", i),
				    "uidMappings and gidMappings must be given together");
	TRY(oci_rules_id_mappings(&m->uid_mappings, oci_rule_path(path, "mounts[%zu].uidMappings", i), d));
	return oci_rules_id_mappings(&m->gid_mappings, oci_rule_path(path, "mounts[%zu].gidMappings", i), d);
}

err *oci_rules_mounts(const struct oci_config *config, struct decoder *d)
{
	for (size_t i = 0; i < config->mounts.count; i++)
		TRY(rule_mount(&config->mounts.items[i], i, d));
	return NULL;
}
