/* oci/config-linux.c: `linux` of config.json: namespaces, devices, paths and what else isolates. */
#include "oci/config-internal.h"

#include <ctype.h>

#include "base/path.h"

static const struct type t_namespace_type = ENUM("namespace", oci_namespace_names);
static const struct type t_device_type = ENUM("device type", oci_device_type_names);
static const struct type t_propagation = ENUM("mount propagation", oci_propagation_names);
static const struct type t_mode = ENUM("memory policy", oci_memory_mode_names);
static const struct type t_mode_flag = ENUM("memory policy flag", oci_memory_flag_names);
static const struct type t_mode_flags = ARRAY_OF(t_mode_flag);
static const struct type t_domain = ENUM("personality", oci_personality_names);
static const struct enum_name no_names[] = { { NULL, 0 } };
static const struct type t_personality_flag = ENUM("personality flag", no_names);
static const struct type t_personality_flags = ARRAY_OF(t_personality_flag);
static const struct type t_abs_paths = ARRAY_OF(t_abs_path);
static const struct type t_device_number = INT_RANGE("number", int64_t, -1, UINT32_MAX);
/* podman writes the whole st_mode, type bits included; runtimes use the permission bits. */
static const struct type t_file_mode = UINT_RANGE("number", uint32_t, 0, 0177777);
static const struct type opt_file_mode = OPTIONAL(t_file_mode);
static const struct type t_nanosecs = UINT_RANGE("number", uint32_t, 0, 999999999);

/* dev_valid_name() of the kernel: 1 to 15 bytes, no slash, colon or space, not "." or "..". */
bool oci_is_interface_name(const char *name)
{
	if (!path_is_name(name) || strlen(name) > 15)
		return false;
	for (; *name; name++)
		if (*name == ':' || isspace((unsigned char)*name))
			return false;
	return true;
}
static const char *check_interface(const void *value)
{
	const char *name = *(const char *const *)value;

	return !*name || oci_is_interface_name(name) ? NULL : "is not the name of a network interface";
}
static const struct type t_interface = STRING_CHECKED("network interface", check_interface);

static const char *check_no_newline(const void *value)
{
	return strchr(*(const char *const *)value, '\n') ? "must be one line" : NULL;
}
static const struct type t_line = STRING_CHECKED("string", check_no_newline);

static const char *check_mem_bw(const void *value)
{
	const char *text = *(const char *const *)value;

	return str_starts_with(text, "MB:") ? check_no_newline(value) : "does not begin with MB:";
}
static const struct type t_mem_bw = STRING_CHECKED("string", check_mem_bw);

static const char *check_clos(const void *value)
{
	static const char *const kernels[] = { "info", "mon_groups", "mon_data" };
	const char *name = *(const char *const *)value;

	for (size_t i = 0; i < ARRAY_LEN(kernels); i++)
		if (str_equal(name, kernels[i]))
			return "is a directory of the kernel's own";
	/* "/" is the default class, whose directory is the file system's root. */
	return str_equal(name, "/") || path_is_name(name) ? NULL : "is not the name of a directory";
}
static const struct type t_clos = STRING_CHECKED("string", check_clos);

/* Runtimes may refuse paths: one with ".." would leave what the manager delegates. */
static const char *check_cgroups_path(const void *value)
{
	const char *p = *(const char *const *)value;

	for (; *p; p += strspn(p, "/")) {
		size_t len = strcspn(p, "/");
		if (len == 2 && p[0] == '.' && p[1] == '.')
			return "has a component '..'";
		p += len;
	}
	return NULL;
}
static const struct type t_cgroups_path = STRING_CHECKED("cgroup path", check_cgroups_path);

/* clang-format off */
static const struct field namespace_fields[] = {
	FIELD(struct oci_namespace, "type", type, t_namespace_type, REQUIRED,     NULL),
	FIELD(struct oci_namespace, "path", path, t_abs_path,       EMPTY_ABSENT, NULL),
	{0}
};
static const struct type t_namespace = OBJECT("namespace", struct oci_namespace, namespace_fields);
static const struct type t_namespaces = ARRAY_OF(t_namespace);

static const struct field time_offset_fields[] = {
	FIELD(struct oci_time_offset, "secs",     secs,     t_i64,      0, NULL),
	FIELD(struct oci_time_offset, "nanosecs", nanosecs, t_nanosecs, 0, NULL),
	{0}
};
static const struct type t_time_offset = OBJECT("time offset", struct oci_time_offset, time_offset_fields);
static const struct type opt_time_offset = OPTIONAL(t_time_offset);
static const struct field time_offsets_fields[] = {
	FIELD(struct oci_time_offsets, "boottime",  boottime,  opt_time_offset, 0, NULL),
	FIELD(struct oci_time_offsets, "monotonic", monotonic, opt_time_offset, 0, NULL),
	{0}
};
/* Strict: its keys are names of clocks, and one that is not known would be left unset in silence. */
static const struct type t_time_offsets = OBJECT_STRICT("time offsets", struct oci_time_offsets, time_offsets_fields);
static const struct type opt_time_offsets = OPTIONAL(t_time_offsets);

static const struct field device_fields[] = {
	FIELD(struct oci_device, "type",     type,      t_device_type,   REQUIRED, NULL),
	FIELD(struct oci_device, "path",     path,      t_abs_path,      REQUIRED, NULL),
	FIELD(struct oci_device, "major",    major,     t_device_number, 0,        "-1"),
	FIELD(struct oci_device, "minor",    minor,     t_device_number, 0,        "-1"),
	FIELD(struct oci_device, "fileMode", file_mode, opt_file_mode,   0,        NULL),
	FIELD(struct oci_device, "uid",      uid,       opt_u32,         0,        NULL),
	FIELD(struct oci_device, "gid",      gid,       opt_u32,         0,        NULL),
	{0}
};
static const struct type t_device = OBJECT("device", struct oci_device, device_fields);
static const struct type t_devices = ARRAY_OF(t_device);

static const struct field net_device_fields[] = {
	FIELD(struct oci_net_device, "name", target_name, t_interface, 0, NULL),
	{0}
};
/* The map's key is the struct's first member, so the value is the struct itself. */
static const struct type t_net_device = OBJECT("network device", struct oci_net_device, net_device_fields);
static const struct type t_net_devices = {
	.kind = T_MAP, .name = "object", .size = sizeof(LIST(void)), .item = &t_net_device,
	.value_offset = 0, .entry_size = sizeof(struct oci_net_device)
};

static const struct field rdt_fields[] = {
	FIELD(struct oci_intel_rdt, "closID",           clos_id,           t_clos,    EMPTY_ABSENT, NULL),
	FIELD(struct oci_intel_rdt, "schemata",         schemata,          t_strings, 0,         NULL),
	FIELD(struct oci_intel_rdt, "l3CacheSchema",    l3_cache_schema,   t_line,    0,         NULL),
	FIELD(struct oci_intel_rdt, "memBwSchema",      mem_bw_schema,     t_mem_bw,  0,         NULL),
	FIELD(struct oci_intel_rdt, "enableMonitoring", enable_monitoring, t_bool,    OMIT_ZERO, NULL),
	KNOWN("enableCMT", IGNORED), /* before 1.3; monitoring groups come with every group */
	KNOWN("enableMBM", IGNORED),
	{0}
};
static const struct type t_rdt = OBJECT("intelRdt", struct oci_intel_rdt, rdt_fields);
static const struct type opt_rdt = OPTIONAL(t_rdt);

static const struct field memory_policy_fields[] = {
	FIELD(struct oci_memory_policy, "mode",  mode,  t_mode,         REQUIRED, NULL),
	FIELD(struct oci_memory_policy, "nodes", nodes, t_oci_cpu_list, 0,        NULL),
	FIELD(struct oci_memory_policy, "flags", flags, t_mode_flags,   0,        NULL),
	{0}
};
static const struct type t_memory_policy = OBJECT("memoryPolicy", struct oci_memory_policy, memory_policy_fields);
static const struct type opt_memory_policy = OPTIONAL(t_memory_policy);

static const struct field personality_fields[] = {
	FIELD(struct oci_personality, "domain", domain, t_domain,            REQUIRED, NULL),
	FIELD(struct oci_personality, "flags",  flags,  t_personality_flags, 0,        NULL),
	{0}
};
static const struct type t_personality = OBJECT("personality", struct oci_personality, personality_fields);
static const struct type opt_personality = OPTIONAL(t_personality);

static const struct field linux_fields[] = {
	FIELD(struct oci_linux, "namespaces",        namespaces,         t_namespaces,      0,         NULL),
	FIELD(struct oci_linux, "uidMappings",       uid_mappings,       t_oci_id_mappings, 0,         NULL),
	FIELD(struct oci_linux, "gidMappings",       gid_mappings,       t_oci_id_mappings, 0,         NULL),
	FIELD(struct oci_linux, "timeOffsets",       time_offsets,       opt_time_offsets,  0,         NULL),
	FIELD(struct oci_linux, "devices",           devices,            t_devices,         0,         NULL),
	FIELD(struct oci_linux, "netDevices",        net_devices,        t_net_devices,     0,         NULL),
	FIELD(struct oci_linux, "cgroupsPath",       cgroups_path,       t_cgroups_path,    0,         NULL),
	FIELD(struct oci_linux, "resources",         resources,          t_oci_resources,   OMIT_ZERO, NULL),
	FIELD(struct oci_linux, "rootfsPropagation", rootfs_propagation, t_propagation,     EMPTY_ABSENT, NULL),
	FIELD(struct oci_linux, "seccomp",           seccomp,            opt_oci_seccomp,   0,         NULL),
	FIELD(struct oci_linux, "sysctl",            sysctl,             t_string_map,      0,         NULL),
	FIELD(struct oci_linux, "maskedPaths",       masked_paths,       t_abs_paths,       0,         NULL),
	FIELD(struct oci_linux, "readonlyPaths",     readonly_paths,     t_abs_paths,       0,         NULL),
	FIELD(struct oci_linux, "mountLabel",        mount_label,        t_string,          0,         NULL),
	FIELD(struct oci_linux, "intelRdt",          intel_rdt,          opt_rdt,           0,         NULL),
	FIELD(struct oci_linux, "memoryPolicy",      memory_policy,      opt_memory_policy, 0,         NULL),
	FIELD(struct oci_linux, "personality",       personality,        opt_personality,   0,         NULL),
	{0}
};
/* clang-format on */
const struct type t_oci_linux = OBJECT("linux", struct oci_linux, linux_fields);
