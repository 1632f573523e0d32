/* oci/features.c: the features document. */
#include "oci/features.h"

/* clang-format off */
static const struct field enabled_fields[] = {
	FIELD(struct oci_enabled, "enabled", enabled, t_bool, 0, NULL),
	{0}
};
static const struct type t_enabled = OBJECT("feature", struct oci_enabled, enabled_fields);

static const struct field cgroup_fields[] = {
	FIELD(struct oci_features_cgroup, "v1",          v1,           t_bool, 0, NULL),
	FIELD(struct oci_features_cgroup, "v2",          v2,           t_bool, 0, NULL),
	FIELD(struct oci_features_cgroup, "systemd",     systemd,      t_bool, 0, NULL),
	FIELD(struct oci_features_cgroup, "systemdUser", systemd_user, t_bool, 0, NULL),
	FIELD(struct oci_features_cgroup, "rdma",        rdma,         t_bool, 0, NULL),
	{0}
};
static const struct type t_cgroup = OBJECT("cgroup features", struct oci_features_cgroup, cgroup_fields);

static const struct field seccomp_fields[] = {
	FIELD(struct oci_features_seccomp, "enabled",        enabled,         t_bool,    0, NULL),
	FIELD(struct oci_features_seccomp, "actions",        actions,         t_strings, 0, NULL),
	FIELD(struct oci_features_seccomp, "operators",      operators,       t_strings, 0, NULL),
	FIELD(struct oci_features_seccomp, "archs",          archs,           t_strings, 0, NULL),
	FIELD(struct oci_features_seccomp, "knownFlags",     known_flags,     t_strings, 0, NULL),
	FIELD(struct oci_features_seccomp, "supportedFlags", supported_flags, t_strings, 0, NULL),
	{0}
};
static const struct type t_seccomp = OBJECT("seccomp features", struct oci_features_seccomp, seccomp_fields);

static const struct field rdt_fields[] = {
	FIELD(struct oci_features_rdt, "enabled",    enabled,    t_bool, 0, NULL),
	FIELD(struct oci_features_rdt, "schemata",   schemata,   t_bool, 0, NULL),
	FIELD(struct oci_features_rdt, "monitoring", monitoring, t_bool, 0, NULL),
	{0}
};
static const struct type t_rdt = OBJECT("intelRdt features", struct oci_features_rdt, rdt_fields);

static const struct field memory_fields[] = {
	FIELD(struct oci_features_memory_policy, "modes", modes, t_strings, 0, NULL),
	FIELD(struct oci_features_memory_policy, "flags", flags, t_strings, 0, NULL),
	{0}
};
static const struct type t_memory =
	OBJECT("memory policy features", struct oci_features_memory_policy, memory_fields);

static const struct field mount_fields[] = {
	FIELD(struct oci_features_mount, "idmap", idmap, t_enabled, 0, NULL),
	{0}
};
static const struct type t_mount = OBJECT("mount features", struct oci_features_mount, mount_fields);

static const struct field linux_fields[] = {
	FIELD(struct oci_features_linux, "namespaces",      namespaces,       t_strings, 0, NULL),
	FIELD(struct oci_features_linux, "capabilities",    capabilities,     t_strings, 0, NULL),
	FIELD(struct oci_features_linux, "cgroup",          cgroup,           t_cgroup,  0, NULL),
	FIELD(struct oci_features_linux, "seccomp",         seccomp,          t_seccomp, 0, NULL),
	FIELD(struct oci_features_linux, "apparmor",        apparmor,         t_enabled, 0, NULL),
	FIELD(struct oci_features_linux, "selinux",         selinux,          t_enabled, 0, NULL),
	FIELD(struct oci_features_linux, "intelRdt",        intel_rdt,        t_rdt,     0, NULL),
	FIELD(struct oci_features_linux, "memoryPolicy",    memory_policy,    t_memory,  0, NULL),
	FIELD(struct oci_features_linux, "mountExtensions", mount_extensions, t_mount,   0, NULL),
	FIELD(struct oci_features_linux, "netDevices",      net_devices,      t_enabled, 0, NULL),
	{0}
};
static const struct type t_linux = OBJECT("linux features", struct oci_features_linux, linux_fields);

static const struct field features_fields[] = {
	FIELD(struct oci_features, "ociVersionMin", version_min,   t_nonempty,   REQUIRED, NULL),
	FIELD(struct oci_features, "ociVersionMax", version_max,   t_nonempty,   REQUIRED, NULL),
	FIELD(struct oci_features, "hooks",         hooks,         t_strings,    0,        NULL),
	FIELD(struct oci_features, "mountOptions",  mount_options, t_strings,    0,        NULL),
	FIELD(struct oci_features, "linux",         linux,         t_linux,      0,        NULL),
	FIELD(struct oci_features, "annotations",   annotations,   t_string_map, 0,        NULL),
	FIELD(struct oci_features, "potentiallyUnsafeConfigAnnotations", unsafe_annotations, t_strings, 0, NULL),
	{0}
};
/* clang-format on */
const struct type t_oci_features = OBJECT("features", struct oci_features, features_fields);

void oci_features_encode(struct str *out, const struct oci_features *features, unsigned indent)
{
	encode_text(out, &t_oci_features, features, indent);
}

err *oci_features_decode(struct arena *arena, const char *name, const char *text, size_t len,
			 const struct oci_features **ret)
{
	struct decoder d = { .arena = arena, .name = name };
	struct oci_features *features;

	TRY_ALLOC(arena, features, arena_alloc(arena, sizeof *features));
	TRY(decode_text(&d, &t_oci_features, NULL, text, len, features));
	*ret = features;
	return NULL;
}

err *oci_enum_strings(struct arena *arena, const struct enum_name *names, struct strings *ret)
{
	size_t count = 0;

	while (names[count].name)
		count++;
	TRY_ALLOC(arena, ret->items, arena_array(arena, count, sizeof *ret->items));
	for (size_t i = 0; i < count; i++)
		ret->items[i] = names[i].name;
	ret->count = count;
	return NULL;
}
