/* cmd/stube-runtime/update.c: the command update. */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "cmd/stube-runtime/runtime.h"
#include "oci/config.h"
#include "runtime/devices-bpf.h"

struct update_args {
	const char *resources;
	const char *memory, *reservation, *swap;
	const char *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_shares, *cpu_idle, *pids;
	const char *cpus, *mems, *rt_period, *rt_runtime, *kernel, *kernel_tcp;
	const char *l3_cache, *mem_bandwidth;
};

/* Each option is one member of the document that --resources would give; the decoder checks them all. */
enum kind { NUMBER, BYTES, TEXT };
/* clang-format off */
#define ROW(member, object, key, kind) { offsetof(struct update_args, member), object, key, kind }
static const struct row {
	size_t offset;
	const char *object, *key;
	enum kind kind;
} rows[] = { /* those of one object stand together */
	ROW(blkio_weight, "blockIO", "weight",      NUMBER),
	ROW(cpu_burst,    "cpu",     "burst",       NUMBER),
	ROW(cpus,         "cpu",     "cpus",        TEXT),
	ROW(cpu_idle,     "cpu",     "idle",        NUMBER),
	ROW(mems,         "cpu",     "mems",        TEXT),
	ROW(cpu_period,   "cpu",     "period",      NUMBER),
	ROW(cpu_quota,    "cpu",     "quota",       NUMBER),
	ROW(rt_period,    "cpu",     "realtimePeriod", NUMBER),
	ROW(rt_runtime,   "cpu",     "realtimeRuntime", NUMBER),
	ROW(cpu_shares,   "cpu",     "shares",      NUMBER),
	ROW(kernel,       "memory",  "kernel",      BYTES),
	ROW(kernel_tcp,   "memory",  "kernelTCP",   BYTES),
	ROW(memory,       "memory",  "limit",       BYTES),
	ROW(reservation,  "memory",  "reservation", BYTES),
	ROW(swap,         "memory",  "swap",        BYTES),
	ROW(pids,         "pids",    "limit",       NUMBER),
};
/* clang-format on */

/* "64m" as runc takes it: b, k, m, g, in powers of 1024; -1 lifts the limit. */
static bool parse_bytes(const char *text, int64_t *ret)
{
	static const char units[] = "bkmgt";
	size_t len = strlen(text);
	const char *unit = len > 1 ? strchr(units, text[len - 1] | 0x20) : NULL;
	char number[24];
	uint64_t value;

	if (str_equal(text, "-1")) {
		*ret = -1;
		return true;
	}
	len -= unit ? 1 : 0;
	if (len >= sizeof number)
		return false;
	memcpy(number, text, len);
	number[len] = '\0';
	unsigned shift = unit ? (unsigned)(unit - units) * 10 : 0;
	if (!str_to_u64(number, &value) || value > (uint64_t)INT64_MAX >> shift)
		return false;
	*ret = (int64_t)(value << shift);
	return true;
}

static err *add_value(struct json_writer *w, const struct row *row, const char *text)
{
	int64_t number;

	if (row->kind == TEXT) {
		json_string(w, text);
		return NULL;
	}
	if (row->kind == BYTES ? !parse_bytes(text, &number) : !str_to_i64(text, &number))
		return err_new(EINVAL, "%s.%s: '%s' is no %s", row->object, row->key, text,
			       row->kind == BYTES ? "size such as 64m" : "whole number");
	json_int(w, number);
	return NULL;
}

static err *options_as_json(const struct update_args *a, struct str *out, bool *ret_any)
{
	struct json_writer w = JSON_WRITER(out, 0);
	const char *open = NULL;

	*ret_any = false;
	json_begin_object(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *text = *(const char *const *)((const char *)a + rows[i].offset);
		if (!text)
			continue;
		if (!str_equal(open, rows[i].object)) {
			if (open)
				json_end_object(&w);
			open = rows[i].object;
			json_key(&w, open);
			json_begin_object(&w);
		}
		json_key(&w, rows[i].key);
		TRY(add_value(&w, &rows[i], text));
		*ret_any = true;
	}
	if (open)
		json_end_object(&w);
	json_end_object(&w);
	return str_check(out);
}

/* What the caller wants, from one place: a document, or options. */
static err *read_resources(struct arena *arena, const struct update_args *a, struct strv *warnings,
			   const struct oci_resources **ret)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	bool any;

	TRY(options_as_json(a, &text, &any));
	/* As in runc: callers pass both. */
	if (a->resources && any)
		log_warning("options for single limits have no effect beside --resources", NULL);
	/* Nothing to set in the cgroup, perhaps nothing at all, is no error, as in runc and crun. */
	if (!a->resources && !any)
		return NULL;
	if (!a->resources)
		return oci_resources_decode(arena, "options", text.data, text.len, warnings, ret);
	str_clear(&text);
	TRY(runtime_read_document(a->resources, &text));
	return oci_resources_decode(arena, a->resources, text.data, text.len, warnings, ret);
}

/* The container's group of resctrl: linux.intelRdt.closID, or its id, as create names it. */
static err *rdt_group(struct container *c, const char **ret)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	const struct oci_config *config = NULL;

	TRY(container_load_config(c, &text));
	TRY(oci_config_decode(c->arena, "config.json", text.data, text.len, NULL, &config));
	const struct oci_intel_rdt *rdt = config->linux.intel_rdt;
	*ret = rdt && rdt->clos_id ? rdt->clos_id : c->record.id;
	return path_is_name(*ret) ? NULL : err_new(EINVAL, "linux.intelRdt.closID: '%s' is no name", *ret);
}

static err *update_rdt(struct container *c, const char *option, const char *prefix, const char *schema)
{
	auto_close int dir = open("/sys/fs/resctrl", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int group_fd = -1;
	char line[4096];
	const char *group;

	if (!schema)
		return NULL;
	if (dir < 0 || faccessat(dir, "schemata", F_OK, 0) < 0)
		return err_new(ENOTSUP, "%s: resctrl is not mounted on this host, or the processor has none",
			       option);
	TRY(rdt_group(c, &group));
	TRY(err_wrap(path_open(dir, group, PATH_NO_LINKS, O_RDONLY | O_DIRECTORY, 0, &group_fd),
		     "%s: group '%s' of resctrl", option, group));
	bool whole = str_starts_with(schema, prefix);
	int n = snprintf(line, sizeof line, "%s%s\n", whole ? "" : prefix, schema);
	if (n < 0 || (size_t)n >= sizeof line)
		return err_new(EINVAL, "%s: too long", option);
	return err_wrap(file_put(group_fd, "schemata", line), "%s '%s'", option, schema);
}

static err *update_cgroup(const struct cli_context *c, struct container *container,
			  const struct oci_resources *resources)
{
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	TRY(container_open_cgroup(container, &cg));
	TRY(cgroup_set_limits(&cg, resources));
	/* A list of rules replaces the one in force, in one step; without a list that one stays. */
	return resources->devices.count ? devices_apply(cg.fd, resources, false, runtime_is_rootless(c))
					: NULL;
}

static err *update_run(const struct cli_context *c, int *ret_status)
{
	auto_arena struct arena *arena = NULL;
	auto_container struct container container = CONTAINER_INIT;
	auto_strv struct strv warnings = STRV_INIT(64);
	const struct oci_resources *resources = NULL;
	enum state_status status;

	(void)ret_status;
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(read_resources(arena, c->args, &warnings, &resources));
	runtime_log_warnings(&warnings);
	TRY(runtime_open(arena, c, CONTAINER_LOCK, &container));
	TRY(container_status(&container, &status, NULL));
	if (status == STATE_STOPPED)
		return err_new(ESRCH, "container '%s': container not running", c->operands[0]);
	const struct update_args *a = c->args;
	TRY(update_rdt(&container, "--l3-cache-schema", "L3:", a->l3_cache));
	TRY(update_rdt(&container, "--mem-bw-schema", "MB:", a->mem_bandwidth));
	if (!resources)
		return NULL;
	if (!container.record.cgroup)
		return cgroup_refuse_limits(resources, "cgroups are disabled");
	return err_wrap(update_cgroup(c, &container, resources), "update container '%s'", c->operands[0]);
}

#define OPT_STRUCT struct update_args
/* clang-format off */
static const struct cli_option update_options[] = {
	OPT('r', "resources",          CLI_STRING, resources,    "FILE",   "read linux.resources as JSON from FILE, - for standard input"),
	OPT(0,   "memory",             CLI_STRING, memory,       "BYTES",  "limit of memory, such as 64m; -1 for none"),
	OPT(0,   "memory-reservation", CLI_STRING, reservation,  "BYTES",  "memory that is kept for the container"),
	OPT(0,   "memory-swap",        CLI_STRING, swap,         "BYTES",  "limit of memory and swap together; -1 for none"),
	OPT(0,   "cpu-share",          CLI_STRING, cpu_shares,   "SHARES", "weight beside other containers (default 1024)"),
	OPT(0,   "cpu-quota",          CLI_STRING, cpu_quota,    "USEC",   "time in a period; -1 for no limit"),
	OPT(0,   "cpu-period",         CLI_STRING, cpu_period,   "USEC",   "length of a period"),
	OPT(0,   "cpu-burst",          CLI_STRING, cpu_burst,    "USEC",   "time that may be saved up"),
	OPT(0,   "cpu-idle",           CLI_STRING, cpu_idle,     "0|1",    "run only when nothing else wants to"),
	OPT(0,   "cpuset-cpus",        CLI_STRING, cpus,         "LIST",   "processors to run on, such as 0-3,7"),
	OPT(0,   "cpuset-mems",        CLI_STRING, mems,         "LIST",   "memory nodes to allocate from"),
	OPT(0,   "pids-limit",         CLI_STRING, pids,         "N",      "number of processes; -1 for no limit"),
	OPT(0,   "blkio-weight",       CLI_STRING, blkio_weight, "WEIGHT", "weight of input and output, 10 to 1000"),
	OPT(0,   "l3-cache-schema",    CLI_STRING, l3_cache,      "SCHEMA", "parts of the third-level cache, such as L3:0=f;1=f (resctrl)"),
	OPT(0,   "mem-bw-schema",      CLI_STRING, mem_bandwidth, "SCHEMA", "bandwidth to memory, such as MB:0=20;1=70 (resctrl)"),
	OPT_HIDDEN(0, "cpu-rt-period",     CLI_STRING, rt_period,  "USEC",  "cgroup v2 has none: refused by name"),
	OPT_HIDDEN(0, "cpu-rt-runtime",    CLI_STRING, rt_runtime, "USEC",  "cgroup v2 has none: refused by name"),
	OPT_HIDDEN(0, "kernel-memory",     CLI_STRING, kernel,     "BYTES", "cgroup v2 counts it with the rest: refused by name"),
	OPT_HIDDEN(0, "kernel-memory-tcp", CLI_STRING, kernel_tcp, "BYTES", "cgroup v2 counts it with the rest: refused by name"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

const struct cli_command cmd_update = {
	.name = "update",
	.operands = "ID",
	.summary = "Change the limits of a container",
	.example = "stube-runtime update --memory 64m --pids-limit 100 web\n"
		   "stube-runtime update --resources resources.json web",
	.options = update_options,
	.args_size = sizeof(struct update_args),
	.min = 1,
	.max = 1,
	.run = update_run,
};
