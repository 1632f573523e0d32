/* runtime/unit-properties.c: limits of a container as properties of a systemd unit.
 * Ref: systemd.resource-control(5), org.freedesktop.systemd1(5). The rows come from cgroup_limits(). */
#include "runtime/unit.h"

#include "runtime/plan-config.h"

enum { PERCENT = 10000, SECOND = 1000000 }; /* of CPUQuotaPerSecUSec */

err *unit_set_property(struct arena *arena, struct unit_properties *list, const struct unit_property *p)
{
	for (size_t i = 0; i < list->count; i++) {
		if (str_equal(list->items[i].name, p->name)) {
			list->items[i] = *p;
			return NULL;
		}
	}
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 32;
		struct unit_property *more;

		TRY_ALLOC(arena, more, arena_array(arena, cap, sizeof *more));
		if (list->count)
			memcpy(more, list->items, list->count * sizeof *more);
		list->items = more;
		list->cap = cap;
	}
	list->items[list->count++] = *p;
	return NULL;
}

struct adding {
	struct arena *arena;
	struct unit_properties *list;
};

static err *set_number(const struct adding *a, const char *name, uint64_t value)
{
	const struct unit_property p = { .name = name, .type = UNIT_UINT64, .number = value };

	return unit_set_property(a->arena, a->list, &p);
}

/* "max" is systemd's infinity. What is neither stays for the file, where the kernel says what is wrong. */
static bool parse_number(const char *text, uint64_t *ret)
{
	if (str_equal(text, "max")) {
		*ret = UINT64_MAX;
		return true;
	}
	return str_to_u64(text, ret);
}

static err *add_number(const struct adding *a, const char *name, const char *value)
{
	uint64_t number;

	return parse_number(value, &number) ? set_number(a, name, number) : NULL;
}

/* A weight of 0 is what systemd 252 and later call idle. */
static err *add_idle(const struct adding *a, const char *name, const char *value)
{
	return str_equal(value, "1") ? set_number(a, name, 0) : NULL;
}

/* "QUOTA PERIOD", "QUOTA" or "max ...". systemd keeps the quota in its files as a whole number of percents:
 * rounded up, a reload can only give more. The kernel's own file gets the exact one. */
static err *add_quota(const struct adding *a, const char *name, const char *value)
{
	uint64_t quota, period = 100000;
	char first[32];
	size_t len = strcspn(value, " ");

	if (len >= sizeof first)
		return NULL;
	memcpy(first, value, len);
	first[len] = '\0';
	if (!parse_number(first, &quota))
		return NULL;
	if (value[len]) {
		if (!str_to_u64(value + len + 1, &period) || period == 0 || period > SECOND)
			return NULL;
		TRY(set_number(a, "CPUQuotaPeriodUSec", period));
	}
	if (quota == UINT64_MAX)
		return set_number(a, name, UINT64_MAX);
	if (quota > UINT64_MAX / SECOND / 2)
		return NULL;
	uint64_t per_second = (quota * SECOND + period - 1) / period;
	return set_number(a, name, (per_second + PERCENT - 1) / PERCENT * PERCENT);
}

/* "0-3,7" as bytes, the lowest bit first. */
static err *add_mask(const struct adding *a, const char *name, const char *value)
{
	uint64_t *words;
	uint8_t *bytes;
	size_t count, len = 0;

	err *e = plan_parse_list(a->arena, value, &words, &count);
	if (e && e->code == EINVAL) {
		err_free(e); /* for the file, as above */
		return NULL;
	}
	TRY(e);
	TRY_ALLOC(a->arena, bytes, arena_alloc(a->arena, count * 8 + 1));
	for (size_t i = 0; i < count * 8; i++) {
		bytes[i] = (uint8_t)(words[i / 8] >> (i % 8 * 8));
		if (bytes[i])
			len = i + 1;
	}
	const struct unit_property p = { .name = name, .type = UNIT_BYTES, .bytes = bytes, .count = len };
	return len ? unit_set_property(a->arena, a->list, &p) : NULL;
}

/* One more device of a list; the same device again replaces. device: "8:0", not ended. */
static err *add_pair(const struct adding *a, const char *name, const char *device, size_t len, uint64_t value)
{
	struct unit_property p = { .name = name, .type = UNIT_PAIRS };
	struct unit_item *items;
	char *path;

	for (size_t i = 0; i < a->list->count; i++)
		if (str_equal(a->list->items[i].name, name))
			p = a->list->items[i];
	TRY_ALLOC(a->arena, path, arena_printf(a->arena, "/dev/block/%.*s", (int)len, device));
	TRY_ALLOC(a->arena, items, arena_array(a->arena, p.count + 1, sizeof *items));
	if (p.count)
		memcpy(items, p.items, p.count * sizeof *items);
	items[p.count++] = (struct unit_item){ path, value };
	p.items = items;
	return unit_set_property(a->arena, a->list, &p);
}

/* "100", "default 100" or "8:0 100". */
static err *add_io_weight(const struct adding *a, const char *name, const char *value)
{
	size_t len = strcspn(value, " ");
	const char *number = value[len] ? value + len + 1 : value;
	uint64_t weight;

	if (!str_to_u64(number, &weight))
		return NULL;
	if (number == value || strncmp(value, "default ", 8) == 0)
		return set_number(a, name, weight);
	return add_pair(a, "IODeviceWeight", value, len, weight);
}

/* "8:0 rbps=1048576 wiops=max". */
static err *add_io_max(const struct adding *a, const char *name, const char *value)
{
	static const char *const keys[][2] = {
		{ "rbps=", "IOReadBandwidthMax" },
		{ "wbps=", "IOWriteBandwidthMax" },
		{ "riops=", "IOReadIOPSMax" },
		{ "wiops=", "IOWriteIOPSMax" },
	};
	size_t device = strcspn(value, " ");

	(void)name;
	for (const char *at = value + device; *at; at += strcspn(at, " ")) {
		char number[24];
		uint64_t limit;

		at += strspn(at, " ");
		for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
			size_t key = strlen(keys[i][0]), len = strcspn(at, " ");
			if (!str_starts_with(at, keys[i][0]) || len - key >= sizeof number)
				continue;
			memcpy(number, at + key, len - key);
			number[len - key] = '\0';
			if (parse_number(number, &limit))
				TRY(add_pair(a, keys[i][1], value, device, limit));
		}
	}
	return NULL;
}

/* clang-format off */
static const struct file_rule {
	const char *file, *property;
	err *(*add)(const struct adding *a, const char *name, const char *value);
} rules[] = {
	{ "cpu.idle",        "CPUWeight",          add_idle },
	{ "cpu.max",         "CPUQuotaPerSecUSec", add_quota },
	{ "cpu.weight",      "CPUWeight",          add_number },
	{ "cpuset.cpus",     "AllowedCPUs",        add_mask },
	{ "cpuset.mems",     "AllowedMemoryNodes", add_mask },
	{ "io.max",          NULL,                 add_io_max },
	{ "io.weight",       "IOWeight",           add_io_weight },
	{ "memory.high",     "MemoryHigh",         add_number },
	{ "memory.low",      "MemoryLow",          add_number },
	{ "memory.max",      "MemoryMax",          add_number },
	{ "memory.min",      "MemoryMin",          add_number },
	{ "memory.swap.max", "MemorySwapMax",      add_number },
	{ "pids.max",        "TasksMax",           add_number },
};
/* clang-format on */

static err *add_file(const struct adding *a, const char *file, const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (str_equal(rules[i].file, file))
			return rules[i].add(a, rules[i].property, value);
	return NULL;
}

err *unit_add_limits(struct arena *arena, const struct cgroup_limits *limits, bool fresh,
		     struct unit_properties *list)
{
	const struct adding a = { arena, list };

	for (size_t i = 0; i < limits->count; i++) {
		const struct cgroup_limit *row = &limits->items[i];

		if (fresh && row->no_limit)
			continue;
		TRY(add_file(&a, row->file, row->value));
		if (row->other_file)
			TRY(add_file(&a, row->other_file, row->other_value));
	}
	return NULL;
}
