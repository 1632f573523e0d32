/* runtime/cgroup-write.c: enabling controllers along a path and writing limits. */
#include "runtime/cgroup-internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "oci/config.h"
#include "runtime/unit.h"

/* Controllers that are enabled where they exist although no limit asks for them: figures of a container
 * (`events --stats`, metrics of engines) come from their files. */
static const char *const wanted[] = { "cpu", "io", "memory", "pids" };

enum { CONTROLLERS_MAX = 16 };
struct controllers {
	const char *names[CONTROLLERS_MAX]; /* borrowed */
	size_t count;
};

static void add_controller(struct controllers *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (str_equal(list->names[i], name))
			return;
	}
	/* The kernel has nine; a name beyond that cannot be available and was refused before. */
	if (list->count < CONTROLLERS_MAX)
		list->names[list->count++] = name;
}

static err *missing_controller(const struct cgroup *cg, const struct cgroup_limit *limit)
{
	err *e = err_new(ENOTSUP, "linux.resources.%s: the controller '%s' is not available in the cgroup v2 "
			 "hierarchy at '%s'", limit->field, limit->controller, cg->mount);

	return err_hint(e, "a host that mounts cgroup v1 hierarchies keeps their controllers from v2; boot it "
			   "with systemd.unified_cgroup_hierarchy=1, or leave the limit out");
}

/* Which controllers the limits need; each must be available at the root. */
static err *needed_controllers(const struct cgroup *cg, const struct cgroup_limits *limits,
			       const char *available, struct controllers *ret)
{
	for (size_t i = 0; i < limits->count; i++) {
		const struct cgroup_limit *limit = &limits->items[i];
		if (!limit->controller || limit->no_limit)
			continue;
		if (!cgroup_has_word(available, limit->controller))
			return missing_controller(cg, limit);
		add_controller(ret, limit->controller);
	}
	return NULL;
}

/* Hand controllers on to the children of one directory. */
static err *enable_in(int fd, const char *path, const struct controllers *list, bool must)
{
	auto_str struct str enabled = STR_INIT(4096);
	auto_str struct str line = STR_INIT(4096);

	TRY(file_read(fd, "cgroup.subtree_control", &enabled));
	for (size_t i = 0; i < list->count; i++) {
		if (cgroup_has_word(enabled.data, list->names[i]))
			continue;
		str_addf(&line, "%s+%s", line.len ? " " : "", list->names[i]);
		if (must)
			continue;
		/* One by one: the rest is not to fail with the first that is refused. */
		IGNORE(file_put(fd, "cgroup.subtree_control", line.data));
		str_clear(&line);
	}
	if (!line.len)
		return NULL;
	err *e = err_wrap(file_put(fd, "cgroup.subtree_control", line.data),
			  "enable controllers in cgroup '%s'", path);
	if (e && e->code == EBUSY)
		e = err_hint(e, "a cgroup with processes of its own cannot have children with controllers; "
				"give linux.cgroupsPath below an empty one");
	return e;
}

/* From the root down to the parent of the container's own directory. */
static err *enable_along(const struct cgroup *cg, const struct controllers *list, bool must)
{
	auto_close int fd = fd_dup(cg->root_fd);
	auto_free char *copy = strdup(cg->path);
	char *save = NULL;

	if (fd < 0)
		return err_errno("duplicate descriptor");
	if (!copy)
		return err_oom();
	for (char *name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		int next = -1;
		err *e = enable_in(fd, cg->path, list, must);
		if (e && must)
			return e;
		err_free(e);
		TRY(cgroup_open_dir(fd, name, &next));
		fd_clear(&fd);
		fd = next;
	}
	return NULL;
}

static err *not_delegated(const struct cgroup *cg, const struct cgroup_limit *limit)
{
	const char *manager = cg->unit->user ? "user" : "system";
	err *e = err_new(ENOTSUP,
			 "linux.resources.%s: the controller '%s' is not delegated to the %s manager's "
			 "unit '%s'",
			 limit->field, limit->controller, manager, cg->unit->name);

	return cg->unit->user ? err_hint(e, "As root: a drop-in for user@.service with "
					    "[Service] Delegate=cpu cpuset io memory pids")
			      : e;
}

/* What a limit needs and the unit's directory has not. */
static err *find_not_delegated(const struct cgroup *cg, const struct cgroup_limits *limits,
			       const struct cgroup_limit **ret)
{
	auto_str struct str there = STR_INIT(4096);

	*ret = NULL;
	TRY(file_read(cg->fd, "cgroup.controllers", &there));
	for (size_t i = 0; i < limits->count && !*ret; i++) {
		const struct cgroup_limit *limit = &limits->items[i];
		if (limit->controller && !limit->no_limit && !cgroup_has_word(there.data, limit->controller))
			*ret = limit;
	}
	return NULL;
}

/* systemd has handed on what it knows and may; the rest (hugetlb, rdma, misc), as far as we may. */
static err *check_delegated(const struct cgroup *cg, const struct cgroup_limits *limits,
			    const struct controllers *needed)
{
	const struct cgroup_limit *missing;

	TRY(find_not_delegated(cg, limits, &missing));
	if (!missing)
		return NULL;
	IGNORE(enable_along(cg, needed, false));
	TRY(find_not_delegated(cg, limits, &missing));
	return missing ? not_delegated(cg, missing) : NULL;
}

static err *enable_controllers(const struct cgroup *cg, const struct cgroup_limits *limits)
{
	char space[1024];
	auto_str struct str available = STR_ON(space, 4096);
	struct controllers needed = { .count = 0 };
	struct controllers figures = { .count = 0 };

	TRY(file_read(cg->root_fd, "cgroup.controllers", &available));
	TRY(needed_controllers(cg, limits, available.data, &needed));
	if (cg->unit)
		return check_delegated(cg, limits, &needed);
	if (needed.count)
		TRY(enable_along(cg, &needed, true));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		if (cgroup_has_word(available.data, wanted[i]))
			add_controller(&figures, wanted[i]);
	}
	return figures.count ? enable_along(cg, &figures, false) : NULL;
}

static err *write_limit(int fd, const struct cgroup_limit *limit)
{
	err *e = file_put(fd, limit->file, limit->value);

	if (e && e->code == ENOENT && limit->other_file) {
		err_free(e);
		e = file_put(fd, limit->other_file, limit->other_value);
	}
	if (e && e->code == ENOENT && (limit->no_limit || limit->optional)) {
		err_free(e);
		return NULL;
	}
	return err_wrap(e, "linux.resources.%s", limit->field);
}

/* The unit's properties, too: else `systemctl show` would tell the old ones, and systemd write them again. */
static err *update_unit(const struct cgroup *cg, const struct cgroup_limits *limits)
{
	auto_arena struct arena *arena = NULL;
	struct unit_properties list = { 0 };

	TRY(arena_new(4 << 20, &arena));
	TRY(unit_add_limits(arena, limits, false, &list));
	return list.count ? unit_update(arena, cg->unit, &list) : NULL;
}

err *cgroup_write_limits(struct cgroup *cg, const struct cgroup_limits *limits, bool fresh)
{
	TRY(enable_controllers(cg, limits));
	if (cg->unit && !fresh)
		TRY(update_unit(cg, limits));
	err *e = NULL;
	for (size_t i = 0; i < limits->count && !e; i++) {
		if (!limits->items[i].no_limit || !fresh)
			e = write_limit(cg->fd, &limits->items[i]);
	}
	/* The new limit has ended the container, and systemd removes a directory where nobody is left. */
	if (e && e->code == ENOENT && cg->unit && !fresh && faccessat(cg->fd, "cgroup.procs", F_OK, 0) < 0) {
		err_free(e);
		return NULL;
	}
	return e;
}

/* The caller asked that a limit below what is in use be refused instead of killing for it. */
static err *check_memory_in_use(const struct cgroup *cg, const struct oci_memory *m)
{
	auto_str struct str text = STR_INIT(64);
	uint64_t used;

	if (!m || !m->check_before_update || !*m->check_before_update || !m->limit || *m->limit <= 0)
		return NULL;
	TRY(file_read(cg->fd, "memory.current", &text));
	text.data[strcspn(text.data, "\n")] = '\0';
	if (str_to_u64(text.data, &used) && used > (uint64_t)*m->limit)
		return err_new(EBUSY, "linux.resources.memory.limit: %" PRId64 " is less than the %" PRIu64
			       " bytes in use", *m->limit, used);
	return NULL;
}

/* The first word of a file such as "max 100000"; false: "max", or no such file. */
static bool read_first_number(int fd, const char *file, int64_t *ret)
{
	auto_str struct str text = STR_INIT(256);
	err *e = file_read(fd, file, &text);

	err_free(e);
	text.data[strcspn(text.data, " \n")] = '\0';
	return !e && str_to_i64(text.data, ret);
}

/* The second word of cpu.max, for a quota that comes without a period: systemd would take its own default. */
static bool read_period(int fd, uint64_t *ret)
{
	auto_str struct str text = STR_INIT(256);
	err *e = file_read(fd, "cpu.max", &text);

	err_free(e);
	text.data[strcspn(text.data, "\n")] = '\0';
	const char *space = strchr(text.data, ' ');
	return !e && space && str_to_u64(space + 1, ret);
}

/* An update may name one half of what the kernel keeps as a pair: the other half is what is in force. */
struct completed {
	struct oci_resources resources;
	struct oci_cpu cpu;
	struct oci_memory memory;
	int64_t quota, limit;
	uint64_t period;
};

static void complete(const struct cgroup *cg, const struct oci_resources *asked, struct completed *c)
{
	c->resources = *asked;
	if (asked->cpu && asked->cpu->period && !asked->cpu->quota &&
	    read_first_number(cg->fd, "cpu.max", &c->quota)) {
		c->cpu = *asked->cpu;
		c->cpu.quota = &c->quota;
		c->resources.cpu = &c->cpu;
	}
	if (cg->unit && asked->cpu && asked->cpu->quota && !asked->cpu->period &&
	    read_period(cg->fd, &c->period)) {
		c->cpu = *asked->cpu;
		c->cpu.period = &c->period;
		c->resources.cpu = &c->cpu;
	}
	if (asked->memory && asked->memory->swap && *asked->memory->swap > 0 && !asked->memory->limit &&
	    read_first_number(cg->fd, "memory.max", &c->limit)) {
		c->memory = *asked->memory;
		c->memory.limit = &c->limit;
		c->resources.memory = &c->memory;
	}
}

err *cgroup_set_limits(struct cgroup *cg, const struct oci_resources *resources)
{
	auto_arena struct arena *arena = NULL;
	struct completed c = { 0 };
	struct cgroup_limits limits;

	if (cg->fd < 0)
		return err_new(ENOENT, "the container has no cgroup");
	complete(cg, resources, &c);
	TRY(arena_new(4 << 20, &arena));
	TRY(cgroup_limits(arena, &c.resources, &limits));
	TRY(check_memory_in_use(cg, c.resources.memory));
	return cgroup_write_limits(cg, &limits, false);
}
