/* oci/config-resources.c: `linux.resources` of config.json: limits of the container's cgroup. */
#include "oci/config-internal.h"

#include "base/path.h"

static const char *check_access(const void *value)
{
	const char *text = *(const char *const *)value;

	return text[strspn(text, "rwm")] ? "is not made of the letters r, w and m" : NULL;
}
static const struct type t_access = STRING_CHECKED("device access", check_access);

static const char *check_page_size(const void *value)
{
	const char *text = *(const char *const *)value;
	size_t digits = strspn(text, "0123456789");

	const char *unit = text + digits;
	bool known = str_equal(unit, "KB") || str_equal(unit, "MB") || str_equal(unit, "GB");

	if (*text == '0' || digits == 0 || !known)
		return "is not a page size such as 64KB, 2MB or 1GB";
	return NULL;
}
static const struct type t_page_size = STRING_CHECKED("page size", check_page_size);

static const struct type t_rule_type = ENUM("device type", oci_device_rule_names);
static const struct type t_swappiness = UINT_RANGE("number", uint64_t, 0, 100);
static const struct type opt_swappiness = OPTIONAL(t_swappiness);
static const struct type t_major = INT_RANGE("number", int64_t, 0, INT64_MAX);

/* clang-format off */
static const struct field device_rule_fields[] = {
	FIELD(struct oci_device_rule, "allow",  allow,  t_bool,      REQUIRED, NULL),
	FIELD(struct oci_device_rule, "type",   type,   t_rule_type, EMPTY_ABSENT, "\"a\""),
	FIELD(struct oci_device_rule, "major",  major,  opt_i64,     0,        NULL),
	FIELD(struct oci_device_rule, "minor",  minor,  opt_i64,     0,        NULL),
	FIELD(struct oci_device_rule, "access", access, t_access,    0,        NULL),
	{0}
};
static const struct type t_device_rule = OBJECT("device rule", struct oci_device_rule, device_rule_fields);
static const struct type t_device_rules = ARRAY_OF(t_device_rule);

static const struct field memory_fields[] = {
	FIELD(struct oci_memory, "limit",             limit,               opt_i64,        0, NULL),
	FIELD(struct oci_memory, "reservation",       reservation,         opt_i64,        0, NULL),
	FIELD(struct oci_memory, "swap",              swap,                opt_i64,        0, NULL),
	FIELD(struct oci_memory, "kernel",            kernel,              opt_i64,        0, NULL),
	FIELD(struct oci_memory, "kernelTCP",         kernel_tcp,          opt_i64,        0, NULL),
	FIELD(struct oci_memory, "swappiness",        swappiness,          opt_swappiness, 0, NULL),
	FIELD(struct oci_memory, "disableOOMKiller",  disable_oom_killer,  opt_bool,       0, NULL),
	FIELD(struct oci_memory, "useHierarchy",      use_hierarchy,       opt_bool,       0, NULL),
	FIELD(struct oci_memory, "checkBeforeUpdate", check_before_update, opt_bool,       0, NULL),
	{0}
};
static const struct type t_memory = OBJECT("memory", struct oci_memory, memory_fields);
static const struct type opt_memory = OPTIONAL(t_memory);

static const struct field cpu_fields[] = {
	FIELD(struct oci_cpu, "shares",          shares,           opt_u64,        0, NULL),
	FIELD(struct oci_cpu, "quota",           quota,            opt_i64,        0, NULL),
	FIELD(struct oci_cpu, "burst",           burst,            opt_u64,        0, NULL),
	FIELD(struct oci_cpu, "period",          period,           opt_u64,        0, NULL),
	FIELD(struct oci_cpu, "realtimeRuntime", realtime_runtime, opt_i64,        0, NULL),
	FIELD(struct oci_cpu, "realtimePeriod",  realtime_period,  opt_u64,        0, NULL),
	FIELD(struct oci_cpu, "cpus",            cpus,             t_oci_cpu_list, 0, NULL),
	FIELD(struct oci_cpu, "mems",            mems,             t_oci_cpu_list, 0, NULL),
	FIELD(struct oci_cpu, "idle",            idle,             opt_i64,        0, NULL),
	{0}
};
static const struct type t_cpu = OBJECT("cpu", struct oci_cpu, cpu_fields);
static const struct type opt_cpu = OPTIONAL(t_cpu);

static const struct field pids_fields[] = {
	FIELD(struct oci_pids, "limit", limit, t_i64, REQUIRED, NULL),
	{0}
};
static const struct type t_pids = OBJECT("pids", struct oci_pids, pids_fields);
static const struct type opt_pids = OPTIONAL(t_pids);

static const struct field weight_device_fields[] = {
	FIELD(struct oci_weight_device, "major",      major,       t_major, REQUIRED, NULL),
	FIELD(struct oci_weight_device, "minor",      minor,       t_major, REQUIRED, NULL),
	FIELD(struct oci_weight_device, "weight",     weight,      opt_u16, 0,        NULL),
	FIELD(struct oci_weight_device, "leafWeight", leaf_weight, opt_u16, 0,        NULL),
	{0}
};
static const struct type t_weight_device = OBJECT("device weight", struct oci_weight_device, weight_device_fields);
static const struct type t_weight_devices = ARRAY_OF(t_weight_device);

static const struct field throttle_fields[] = {
	FIELD(struct oci_throttle_device, "major", major, t_major, REQUIRED, NULL),
	FIELD(struct oci_throttle_device, "minor", minor, t_major, REQUIRED, NULL),
	FIELD(struct oci_throttle_device, "rate",  rate,  t_u64,   REQUIRED, NULL),
	{0}
};
static const struct type t_throttle = OBJECT("device rate", struct oci_throttle_device, throttle_fields);
static const struct type t_throttles = ARRAY_OF(t_throttle);

static const struct field block_io_fields[] = {
	FIELD(struct oci_block_io, "weight",                  weight,        opt_u16,          0, NULL),
	FIELD(struct oci_block_io, "leafWeight",              leaf_weight,   opt_u16,          0, NULL),
	FIELD(struct oci_block_io, "weightDevice",            weight_device, t_weight_devices, 0, NULL),
	FIELD(struct oci_block_io, "throttleReadBpsDevice",   read_bps,      t_throttles,      0, NULL),
	FIELD(struct oci_block_io, "throttleWriteBpsDevice",  write_bps,     t_throttles,      0, NULL),
	FIELD(struct oci_block_io, "throttleReadIOPSDevice",  read_iops,     t_throttles,      0, NULL),
	FIELD(struct oci_block_io, "throttleWriteIOPSDevice", write_iops,    t_throttles,      0, NULL),
	{0}
};
static const struct type t_block_io = OBJECT("blockIO", struct oci_block_io, block_io_fields);
static const struct type opt_block_io = OPTIONAL(t_block_io);

static const struct field hugepage_fields[] = {
	FIELD(struct oci_hugepage_limit, "pageSize", page_size, t_page_size, REQUIRED, NULL),
	FIELD(struct oci_hugepage_limit, "limit",    limit,     t_u64,       REQUIRED, NULL),
	{0}
};
static const struct type t_hugepage = OBJECT("huge page limit", struct oci_hugepage_limit, hugepage_fields);
static const struct type t_hugepages = ARRAY_OF(t_hugepage);

static const struct field net_priority_fields[] = {
	FIELD(struct oci_net_priority, "name",     name,     t_nonempty, REQUIRED, NULL),
	FIELD(struct oci_net_priority, "priority", priority, t_u32,      REQUIRED, NULL),
	{0}
};
static const struct type t_net_priority = OBJECT("network priority", struct oci_net_priority, net_priority_fields);
static const struct type t_net_priorities = ARRAY_OF(t_net_priority);

static const struct field network_fields[] = {
	FIELD(struct oci_network, "classID",    class_id,   opt_u32,          0, NULL),
	FIELD(struct oci_network, "priorities", priorities, t_net_priorities, 0, NULL),
	{0}
};
static const struct type t_network = OBJECT("network", struct oci_network, network_fields);
static const struct type opt_network = OPTIONAL(t_network);

static const struct field rdma_fields[] = {
	FIELD(struct oci_rdma, "hcaHandles", hca_handles, opt_u32, 0, NULL),
	FIELD(struct oci_rdma, "hcaObjects", hca_objects, opt_u32, 0, NULL),
	{0}
};
/* The map's key is the struct's first member, so the value is the struct itself. */
static const struct type t_rdma_limits = OBJECT("rdma limits", struct oci_rdma, rdma_fields);
static const struct type t_rdma = {
	.kind = T_MAP, .name = "object", .size = sizeof(LIST(void)), .item = &t_rdma_limits,
	.value_offset = 0, .entry_size = sizeof(struct oci_rdma)
};

static const struct field resources_fields[] = {
	FIELD(struct oci_resources, "devices",        devices,         t_device_rules, 0, NULL),
	FIELD(struct oci_resources, "memory",         memory,          opt_memory,     0, NULL),
	FIELD(struct oci_resources, "cpu",            cpu,             opt_cpu,        0, NULL),
	FIELD(struct oci_resources, "pids",           pids,            opt_pids,       0, NULL),
	FIELD(struct oci_resources, "blockIO",        block_io,        opt_block_io,   0, NULL),
	FIELD(struct oci_resources, "hugepageLimits", hugepage_limits, t_hugepages,    0, NULL),
	FIELD(struct oci_resources, "network",        network,         opt_network,    0, NULL),
	FIELD(struct oci_resources, "rdma",           rdma,            t_rdma,         0, NULL),
	FIELD(struct oci_resources, "unified",        unified,         t_string_map,   0, NULL),
	{0}
};
/* clang-format on */
const struct type t_oci_resources = OBJECT("resources", struct oci_resources, resources_fields);

static err *rule_cpu(const struct oci_cpu *cpu, const char *at, struct decoder *d)
{
	char path[OCI_PATH_MAX];

	if (!cpu)
		return NULL;
	if (cpu->burst && cpu->quota && *cpu->quota > 0 && *cpu->burst > (uint64_t)*cpu->quota)
		return decoder_fail(d, oci_rule_path(path, "%scpu.burst", at), "%llu is over the quota %lld",
				    (unsigned long long)*cpu->burst, (long long)*cpu->quota);
	if (cpu->idle && *cpu->idle != 0 && *cpu->idle != 1)
		return decoder_fail(d, oci_rule_path(path, "%scpu.idle", at), "%lld is not 0 or 1",
				    (long long)*cpu->idle);
	return NULL;
}

static err *rule_memory(const struct oci_memory *m, const char *at, struct decoder *d)
{
	char path[OCI_PATH_MAX];

	if (m && m->swap && m->limit && *m->swap > 0 && *m->limit > 0 && *m->swap < *m->limit)
		return decoder_fail(d, oci_rule_path(path, "%smemory.swap", at),
				    "%lld (memory and swap together) is under the limit %lld",
				    (long long)*m->swap, (long long)*m->limit);
	return NULL;
}

static err *rule_block_io(const struct oci_block_io *io, const char *at, struct decoder *d)
{
	char path[OCI_PATH_MAX];

	for (size_t i = 0; io && i < io->weight_device.count; i++)
		if (!io->weight_device.items[i].weight && !io->weight_device.items[i].leaf_weight)
			return decoder_fail(d, oci_rule_path(path, "%sblockIO.weightDevice[%zu]", at, i),
					    "needs weight or leafWeight");
	return NULL;
}

/* Any file of the container's cgroup may be given, known or not, but for those that say where its
 * processes are and whether they live: they are the runtime's. */
static err *rule_unified(const char *key, const char *at, struct decoder *d)
{
	static const char *const own[] = { "cgroup.procs", "cgroup.threads", "cgroup.subtree_control",
					   "cgroup.type",  "cgroup.freeze",  "cgroup.kill" };
	char path[OCI_PATH_MAX];

	oci_rule_path(path, "%sunified.%s", at, key);
	if (!path_is_name(key) || !strchr(key, '.'))
		return decoder_fail(d, path, "is not the name of a cgroup file");
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (str_equal(key, own[i]))
			return decoder_fail(d, path, "is written by the runtime only");
	return NULL;
}

err *oci_rules_resources(const struct oci_resources *r, const char *at, struct decoder *d)
{
	char path[OCI_PATH_MAX];

	TRY(rule_cpu(r->cpu, at, d));
	TRY(rule_memory(r->memory, at, d));
	TRY(rule_block_io(r->block_io, at, d));
	for (size_t i = 0; i < r->rdma.count; i++)
		if (!r->rdma.items[i].hca_handles && !r->rdma.items[i].hca_objects)
			return decoder_fail(d, oci_rule_path(path, "%srdma.%s", at, r->rdma.items[i].device),
					    "needs hcaHandles or hcaObjects");
	for (size_t i = 0; i < r->unified.count; i++)
		TRY(rule_unified(r->unified.items[i].key, at, d));
	return NULL;
}
