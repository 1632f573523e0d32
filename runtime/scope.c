/* runtime/scope.c: a container's cgroup where systemd manages it: the scope's life beside the container's. */
#include "runtime/scope.h"

#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "runtime/annotations.h"
#include "runtime/cgroup-internal.h"
#include "runtime/unit.h"

err *scope_plan(struct start *s)
{
	const struct start_request *r = s->request;

	TRY(cgroup_root_open(s->arena, &s->hierarchy));
	s->unit.user = r->rootless;
	return unit_parse_path(s->arena, r->config->linux.cgroups_path, r->id, s->unit.user, &s->slice,
			       &s->unit.name);
}

/* ---- properties ---- */

static err *set_text(struct start *s, struct unit_properties *list, const char *name, const char *text)
{
	const struct unit_property p = { .name = name, .type = UNIT_STRING, .text = text };

	return unit_set_property(s->arena, list, &p);
}

static err *set_bool(struct start *s, struct unit_properties *list, const char *name, bool value)
{
	const struct unit_property p = { .name = name, .type = UNIT_BOOL, .number = value };

	return unit_set_property(s->arena, list, &p);
}

/* What every container's scope has. The accounting is what figures come from; the number of tasks is the
 * container's own limit or none, as without systemd, never systemd's default. */
static err *set_basics(struct start *s, struct unit_properties *list)
{
	static const char *const accounting[] = { "CPUAccounting", "IOAccounting", "MemoryAccounting",
						  "TasksAccounting" };
	const struct unit_property tasks = { .name = "TasksMax", .type = UNIT_UINT64, .number = UINT64_MAX };
	char *description;

	TRY_ALLOC(s->arena, description, arena_printf(s->arena, "container %s", s->request->id));
	TRY(set_text(s, list, "Description", description));
	TRY(set_text(s, list, "Slice", s->slice));
	TRY(set_text(s, list, "CollectMode", "inactive-or-failed"));
	TRY(set_bool(s, list, "DefaultDependencies", false));
	TRY(set_bool(s, list, "Delegate", true));
	for (size_t i = 0; i < ARRAY_LEN(accounting); i++)
		TRY(set_bool(s, list, accounting[i], true));
	return unit_set_property(s->arena, list, &tasks);
}

/* ---- make ---- */

/* Where systemd put the keeper, as this process sees the hierarchy: the unit's own words are those of the
 * manager, which may live in another cgroup namespace. */
static err *open_directory(struct start *s)
{
	auto_str struct str text = STR_INIT(64 * 1024);
	auto_str struct str path = STR_INIT(PATH_MAX);
	char name[32];

	snprintf(name, sizeof name, "%d/cgroup", s->keeper.pid);
	TRY(file_read(s->proc_fd, name, &text));
	TRY(cgroup_parse_membership(text.data, &path));
	const char *last = strrchr(path.data, '/');
	if (!last || !str_equal(last + 1, s->unit.name))
		return err_new(EPROTO, "systemd unit '%s': its process is in cgroup '%s'", s->unit.name,
			       path.data);
	TRY(cgroup_open(s->arena, &s->hierarchy, path.data, 0, &s->cgroup));
	if (s->cgroup.fd < 0)
		return err_new(ENOENT, "systemd unit '%s': its cgroup '%s' is gone", s->unit.name, path.data);
	s->cgroup.unit = &s->unit;
	return NULL;
}

/* crun's annotation: a cgroup below the scope holds the processes, as one that systemd does not touch. */
err *scope_subgroup(const struct oci_config *config, const char **ret)
{
	const char *name = string_map_get(&config->annotations, ANNOTATION_SUBGROUP);

	*ret = name && *name ? name : NULL;
	if (!*ret || path_is_name(name))
		return NULL;
	return err_new(EINVAL, "annotations." ANNOTATION_SUBGROUP ": '%s' is not the name of a directory",
		       name);
}

static err *make_subgroup(struct start *s)
{
	TRY(scope_subgroup(s->request->config, &s->subgroup));
	if (!s->subgroup)
		return NULL;
	if (mkdirat(s->cgroup.fd, s->subgroup, 0755) < 0 && errno != EEXIST)
		return err_errno("annotations." ANNOTATION_SUBGROUP ": make '%s'", s->subgroup);
	return cgroup_open_dir(s->cgroup.fd, s->subgroup, &s->subgroup_fd);
}

/* The keeper counts as long as it is there: one more. */
static err *make_room(struct start *s)
{
	auto_str struct str text = STR_INIT(64);
	char more[24];

	err *e = file_read(s->cgroup.fd, "pids.max", &text);
	err_free(e);
	text.data[strcspn(text.data, "\n")] = '\0';
	if (e || !str_to_u64(text.data, &s->tasks_max) || s->tasks_max == UINT64_MAX) {
		s->tasks_max = 0;
		return NULL;
	}
	snprintf(more, sizeof more, "%" PRIu64, s->tasks_max + 1);
	return file_put(s->cgroup.fd, "pids.max", more);
}

err *scope_make(struct start *s)
{
	const struct oci_config *config = s->request->config;
	struct state_record *record = &s->container.record;
	struct unit_properties list = { 0 };
	struct cgroup_limits limits;

	TRY(cgroup_limits(s->arena, &config->linux.resources, &limits));
	TRY(set_basics(s, &list));
	TRY(unit_add_limits(s->arena, &limits, true, &list));
	TRY(unit_add_annotations(s->arena, &config->annotations, &list));
	TRY(unit_start(s->arena, &s->unit, &list, s->container.dir_fd, &s->keeper, &record->unit.invocation));
	s->made_cgroup = true;
	TRY(open_directory(s));
	/* From here on a killed create leaves a record that tells which run of which unit to end. */
	record->cgroup = s->cgroup.path;
	TRY(container_save(&s->container));
	/* Whatever dies in it from now on may take the directory with it. */
	(void)start_memory(s);
	TRY(cgroup_write_limits(&s->cgroup, &limits, true));
	TRY(make_subgroup(s));
	return make_room(s);
}

err *scope_settle(struct start *s)
{
	char text[24];

	unit_keeper_end(&s->keeper);
	if (!s->tasks_max)
		return NULL;
	snprintf(text, sizeof text, "%" PRIu64, s->tasks_max);
	return file_put(s->cgroup.fd, "pids.max", text);
}

/* ---- end ---- */

/* Whether nothing of it is left in the hierarchy. With init's pid namespace everybody of the container is
 * gone; who else may be there was put there by init, and does not outlive it. */
static err *end_processes(struct arena *arena, const struct state_record *record, bool *ret_gone)
{
	auto_cgroup_root struct cgroup_root root = { .fd = -1 };
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	*ret_gone = true;
	if (!record->cgroup)
		return NULL;
	TRY(cgroup_root_open(arena, &root));
	TRY(cgroup_open(arena, &root, record->cgroup, 0, &cg));
	*ret_gone = cg.fd < 0;
	return cg.fd >= 0 && !record->own_pid_namespace ? cgroup_kill(&cg) : NULL;
}

err *scope_end(struct arena *arena, const struct state_record *record)
{
	bool gone = false;

	TRY(end_processes(arena, record, &gone));
	err *e = unit_stop(arena, &record->unit);
	/* Without its manager, which may have ended with the user's session, and without a directory there is
	 * no unit. */
	if (e && e->code == ENOTCONN && gone) {
		err_free(e);
		return NULL;
	}
	return e;
}
