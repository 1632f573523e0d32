/* runtime/cgroup-limits.c: linux.resources as rows of file and value for cgroup v2.
 *
 * Spec: runtime-spec config-linux.md, "Control groups". Kernel: admin-guide/cgroup-v2.rst, "Controllers". */
#include "runtime/cgroup.h"

#include <inttypes.h>

#include "base/path.h"
#include "oci/config.h"

enum { ROWS_MAX = 4096 };

struct rows {
	struct arena *arena;
	struct cgroup_limit *items;
	size_t count, cap;
};

static err *add(struct rows *r, struct cgroup_limit row)
{
	if (r->count == ROWS_MAX)
		return err_new(E2BIG, "linux.resources: more than %d limits", ROWS_MAX);
	if (r->count == r->cap) {
		struct cgroup_limit *more;

		TRY_ALLOC(r->arena, more,
			  arena_array(r->arena, r->cap ? r->cap * 2 : 16, sizeof *more));
		if (r->count)
			memcpy(more, r->items, r->count * sizeof *more);
		r->items = more;
		r->cap = r->cap ? r->cap * 2 : 16;
	}
	r->items[r->count++] = row;
	return NULL;
}

/* A value that cgroup v2 has no file for; what it asks for cannot be had, so it is not passed over. */
static err *refuse(const char *field, const char *why)
{
	return err_new(ENOTSUP, "linux.resources.%s: %s", field, why);
}

static err *number(struct rows *r, uint64_t value, const char **ret)
{
	TRY_ALLOC(r->arena, *ret, arena_printf(r->arena, "%" PRIu64, value));
	return NULL;
}

/* A byte count where -1 (and any other negative number) is "no limit". */
static err *add_bytes(struct rows *r, const char *field, const char *file, int64_t value, bool optional)
{
	struct cgroup_limit row = {
		.controller = "memory", .field = field, .file = file, .value = "max", .optional = optional,
	};

	row.no_limit = value < 0;
	if (!row.no_limit)
		TRY(number(r, (uint64_t)value, &row.value));
	return add(r, row);
}

/* config.json counts memory and swap together, the kernel's v2 file counts swap alone. */
static err *add_swap(struct rows *r, const struct oci_memory *m)
{
	static const char field[] = "memory.swap", file[] = "memory.swap.max";
	int64_t limit = m->limit ? *m->limit : 0;
	int64_t swap = m->swap ? *m->swap : 0;

	/* As v1 did: no limit of memory lifts that of swap, too. */
	if (swap < 0 || (swap == 0 && limit < 0))
		return add_bytes(r, field, file, -1, true);
	if (swap == 0)
		return NULL;
	if (limit <= 0)
		return err_new(EINVAL, "linux.resources.%s: needs memory.limit beside it", field);
	if (swap < limit)
		return err_new(EINVAL, "linux.resources.%s: %" PRId64 " is less than memory.limit %" PRId64
			       " (it counts memory and swap together)", field, swap, limit);
	/* A kernel without swap accounting has no swap to refuse. */
	return add_bytes(r, field, file, swap - limit, swap == limit);
}

static err *add_memory(struct rows *r, const struct oci_memory *m)
{
	if (m->limit && *m->limit != 0)
		TRY(add_bytes(r, "memory.limit", "memory.max", *m->limit, false));
	TRY(add_swap(r, m));
	if (m->reservation && *m->reservation > 0)
		TRY(add_bytes(r, "memory.reservation", "memory.low", *m->reservation, false));
	if (m->kernel && *m->kernel > 0)
		return refuse("memory.kernel", "cgroup v2 counts kernel memory within memory.limit");
	if (m->kernel_tcp && *m->kernel_tcp > 0)
		return refuse("memory.kernelTCP", "cgroup v2 counts socket memory within memory.limit");
	if (m->swappiness)
		return refuse("memory.swappiness", "cgroup v2 has no such setting");
	if (m->disable_oom_killer && *m->disable_oom_killer)
		return refuse("memory.disableOOMKiller", "cgroup v2 has no such setting");
	return NULL;
}

/* Logarithm to base 2, bit by bit: libm would be one more library for one line. x is 1 or more. */
static double log_2(double x)
{
	double result = 0, bit = 1;

	while (x >= 2) {
		x /= 2;
		result++;
	}
	for (int i = 0; i < 53; i++) {
		x *= x;
		bit /= 2;
		if (x >= 2) {
			x /= 2;
			result += bit;
		}
	}
	return result;
}

/* 10 to the x, by the exponential series; x is between -1 and 5. */
static double exp_10(double x)
{
	const double ln_10 = 2.302585092994045684;
	double y = x * ln_10, term = 1, sum = 1;

	for (int i = 1; i < 80; i++) {
		term *= y / i;
		sum += term;
	}
	return sum;
}

/* cpu.shares (2 to 262144, default 1024) as cpu.weight (1 to 10000, default 100): the quadratic curve
 * through those three points on which runc and crun agreed in 2025, because the older straight line
 * gave the default of one scale less than half of the default of the other. */
static uint64_t weight_of_shares(uint64_t shares)
{
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	double l = log_2((double)shares);
	double weight = exp_10((l * l + 125 * l) / 612 - 7.0 / 34);
	uint64_t down = (uint64_t)(weight - 1e-9);
	return down + 1; /* rounded up; the small step back keeps 100.0 at 100 */
}

static err *add_cpu_max(struct rows *r, const struct oci_cpu *c)
{
	int64_t quota = c->quota ? *c->quota : 0;
	uint64_t period = c->period ? *c->period : 0;
	struct cgroup_limit row = {
		.controller = "cpu", .field = quota ? "cpu.quota" : "cpu.period", .file = "cpu.max",
		.value = "max", .no_limit = quota <= 0,
	};

	if (quota == 0 && period == 0)
		return NULL;
	/* Without a period the kernel keeps the one it has. */
	if (quota > 0 && period)
		TRY_ALLOC(r->arena, row.value,
			  arena_printf(r->arena, "%" PRId64 " %" PRIu64, quota, period));
	else if (quota > 0)
		TRY(number(r, (uint64_t)quota, &row.value));
	else if (period)
		TRY_ALLOC(r->arena, row.value, arena_printf(r->arena, "max %" PRIu64, period));
	return add(r, row);
}

static err *add_cpu_number(struct rows *r, const char *field, const char *file, uint64_t value,
			   uint64_t kernel_default)
{
	struct cgroup_limit row = { .controller = "cpu", .field = field, .file = file };

	row.no_limit = value == kernel_default;
	TRY(number(r, value, &row.value));
	return add(r, row);
}

static err *add_cpu(struct rows *r, const struct oci_cpu *c)
{
	bool idle = c->idle && *c->idle != 0;

	if (c->idle)
		TRY(add_cpu_number(r, "cpu.idle", "cpu.idle", idle, 0));
	/* The kernel refuses a weight for an idle cgroup. */
	if (c->shares && *c->shares != 0 && !idle)
		TRY(add_cpu_number(r, "cpu.shares", "cpu.weight", weight_of_shares(*c->shares), 100));
	TRY(add_cpu_max(r, c));
	if (c->burst)
		TRY(add_cpu_number(r, "cpu.burst", "cpu.max.burst", *c->burst, 0));
	if (c->cpus && c->cpus[0])
		TRY(add(r, (struct cgroup_limit){ .controller = "cpuset", .field = "cpu.cpus",
						  .file = "cpuset.cpus", .value = c->cpus }));
	if (c->mems && c->mems[0])
		TRY(add(r, (struct cgroup_limit){ .controller = "cpuset", .field = "cpu.mems",
						  .file = "cpuset.mems", .value = c->mems }));
	if (c->realtime_runtime && *c->realtime_runtime > 0)
		return refuse("cpu.realtimeRuntime", "cgroup v2 has no such setting");
	if (c->realtime_period && *c->realtime_period > 0)
		return refuse("cpu.realtimePeriod", "cgroup v2 has no such setting");
	return NULL;
}

/* blkio's weight (10 to 1000) as that of io.weight (1 to 10000): a straight line. */
static uint64_t io_weight(uint64_t weight)
{
	return weight <= 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
}

/* BFQ, where it is in use, takes the specification's numbers as they are. device: "8:0 " or "". */
static err *add_io_weight(struct rows *r, const char *field, const char *device, uint64_t weight)
{
	struct cgroup_limit row = {
		.controller = "io", .field = field, .file = "io.bfq.weight", .other_file = "io.weight",
	};

	TRY_ALLOC(r->arena, row.value, arena_printf(r->arena, "%s%" PRIu64, device, weight));
	TRY_ALLOC(r->arena, row.other_value,
		  arena_printf(r->arena, "%s%" PRIu64, device[0] ? device : "default ",
			       io_weight(weight)));
	return add(r, row);
}

static err *add_throttle(struct rows *r, const char *field, const char *key,
			 const struct oci_throttle_devices *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct oci_throttle_device *d = &list->items[i];
		struct cgroup_limit row = {
			.controller = "io", .field = field, .file = "io.max", .no_limit = d->rate == 0,
		};
		const char *rate = "max";

		if (d->rate)
			TRY(number(r, d->rate, &rate));
		TRY_ALLOC(r->arena, row.value, arena_printf(r->arena, "%" PRId64 ":%" PRId64 " %s=%s",
							    d->major, d->minor, key, rate));
		TRY(add(r, row));
	}
	return NULL;
}

static err *add_block_io(struct rows *r, const struct oci_block_io *b)
{
	if (b->weight && *b->weight)
		TRY(add_io_weight(r, "blockIO.weight", "", *b->weight));
	if (b->leaf_weight && *b->leaf_weight)
		return refuse("blockIO.leafWeight", "cgroup v2 has no such setting");
	for (size_t i = 0; i < b->weight_device.count; i++) {
		const struct oci_weight_device *d = &b->weight_device.items[i];
		char device[48];

		if (d->leaf_weight && *d->leaf_weight)
			return refuse("blockIO.weightDevice.leafWeight", "cgroup v2 has no such setting");
		if (!d->weight || !*d->weight)
			continue;
		snprintf(device, sizeof device, "%" PRId64 ":%" PRId64 " ", d->major, d->minor);
		TRY(add_io_weight(r, "blockIO.weightDevice", device, *d->weight));
	}
	TRY(add_throttle(r, "blockIO.throttleReadBpsDevice", "rbps", &b->read_bps));
	TRY(add_throttle(r, "blockIO.throttleWriteBpsDevice", "wbps", &b->write_bps));
	TRY(add_throttle(r, "blockIO.throttleReadIOPSDevice", "riops", &b->read_iops));
	return add_throttle(r, "blockIO.throttleWriteIOPSDevice", "wiops", &b->write_iops);
}

static err *add_pids(struct rows *r, const struct oci_pids *p)
{
	struct cgroup_limit row = {
		.controller = "pids", .field = "pids.limit", .file = "pids.max", .value = "max",
		.no_limit = p->limit <= 0,
	};

	if (!row.no_limit)
		TRY(number(r, (uint64_t)p->limit, &row.value));
	return add(r, row);
}

static err *add_hugetlb(struct rows *r, const struct oci_hugepage_limit *h)
{
	struct cgroup_limit row = {
		.controller = "hugetlb", .field = "hugepageLimits", .value = "max",
		.no_limit = h->limit == UINT64_MAX,
	};

	if (!row.no_limit)
		TRY(number(r, h->limit, &row.value));
	TRY_ALLOC(r->arena, row.file, arena_printf(r->arena, "hugetlb.%s.max", h->page_size));
	if (!path_is_name(row.file))
		return err_new(EINVAL, "linux.resources.hugepageLimits.pageSize: '%s' is no page size",
			       h->page_size);
	TRY(add(r, row));
	/* Reserved pages, too (Linux 5.7), so that a reservation fails instead of a later fault. */
	TRY_ALLOC(r->arena, row.file, arena_printf(r->arena, "hugetlb.%s.rsvd.max", h->page_size));
	row.optional = true;
	return add(r, row);
}

static err *add_rdma(struct rows *r, const struct oci_rdma *d)
{
	char handles[32] = "", objects[32] = "";
	struct cgroup_limit row = { .controller = "rdma", .field = "rdma", .file = "rdma.max" };

	if (d->hca_handles)
		snprintf(handles, sizeof handles, " hca_handle=%" PRIu32, *d->hca_handles);
	if (d->hca_objects)
		snprintf(objects, sizeof objects, " hca_object=%" PRIu32, *d->hca_objects);
	TRY_ALLOC(r->arena, row.value, arena_printf(r->arena, "%s%s%s", d->device, handles, objects));
	return add(r, row);
}

/* Verbatim files; the caller knows v2. The controller is what stands before the first dot. */
static err *add_unified(struct rows *r, const struct string_pair *pair)
{
	const char *dot = strchr(pair->key, '.');
	struct cgroup_limit row = { .file = pair->key, .value = pair->value };

	if (!path_is_name(pair->key) || !dot || dot == pair->key)
		return err_new(EINVAL, "linux.resources.unified: '%s' is no file of a controller", pair->key);
	TRY_ALLOC(r->arena, row.field, arena_printf(r->arena, "unified.%s", pair->key));
	if (!str_starts_with(pair->key, "cgroup."))
		TRY_ALLOC(r->arena, row.controller,
			  arena_strndup(r->arena, pair->key, (size_t)(dot - pair->key)));
	return add(r, row);
}

static err *add_network(const struct oci_network *n)
{
	if (n->class_id && *n->class_id)
		return refuse("network.classID", "cgroup v2 has no such setting");
	if (n->priorities.count)
		return refuse("network.priorities", "cgroup v2 has no such setting");
	return NULL;
}

err *cgroup_limits(struct arena *arena, const struct oci_resources *resources, struct cgroup_limits *ret)
{
	struct rows r = { .arena = arena };

	if (resources) {
		if (resources->memory)
			TRY(add_memory(&r, resources->memory));
		if (resources->cpu)
			TRY(add_cpu(&r, resources->cpu));
		if (resources->pids)
			TRY(add_pids(&r, resources->pids));
		if (resources->block_io)
			TRY(add_block_io(&r, resources->block_io));
		if (resources->network)
			TRY(add_network(resources->network));
		for (size_t i = 0; i < resources->hugepage_limits.count; i++)
			TRY(add_hugetlb(&r, &resources->hugepage_limits.items[i]));
		for (size_t i = 0; i < resources->rdma.count; i++)
			TRY(add_rdma(&r, &resources->rdma.items[i]));
		for (size_t i = 0; i < resources->unified.count; i++)
			TRY(add_unified(&r, &resources->unified.items[i]));
	}
	*ret = (struct cgroup_limits){ r.items, r.count };
	return NULL;
}

err *cgroup_refuse_limits(const struct oci_resources *resources, const char *why)
{
	auto_arena struct arena *arena = NULL;
	struct cgroup_limits limits;

	TRY(arena_new(1 << 20, &arena));
	TRY(cgroup_limits(arena, resources, &limits));
	for (size_t i = 0; i < limits.count; i++) {
		if (!limits.items[i].no_limit)
			return err_new(ENOTSUP, "linux.resources.%s: %s", limits.items[i].field, why);
	}
	return NULL;
}
