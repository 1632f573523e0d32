/* runtime/state.c: the record of a container: its text, its id, what users see of it. */
#include "runtime/state-internal.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "runtime/namespaces.h"

const struct enum_name state_status_names[] = {
	{ "creating", STATE_CREATING }, { "created", STATE_CREATED }, { "running", STATE_RUNNING },
	{ "paused", STATE_PAUSED },	{ "stopped", STATE_STOPPED }, { NULL, 0 },
};

static const char *check_id_text(const void *value)
{
	const char *id = *(const char *const *)value;
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";

	if (!id || !id[0])
		return "is empty";
	if (strlen(id) > STATE_ID_MAX)
		return "is too long";
	if (id[0] == '.')
		return "begins with a dot";
	return id[strspn(id, allowed)] ? "may have letters, digits and _+-. only" : NULL;
}

err *state_check_id(const char *id)
{
	const char *reason = check_id_text(&id);

	return reason ? err_new(EINVAL, "container id '%s' %s", id ? id : "", reason) : NULL;
}

/* ---- the record ---- */

static const char *check_cgroup(const void *value)
{
	const char *path = *(const char *const *)value;

	return path && path[0] != '/' ? "is no absolute path" : NULL;
}

static const char *check_class(const void *value)
{
	const char *name = *(const char *const *)value;

	return str_equal(name, "/") || path_is_name(name) ? NULL : "is not the name of a directory";
}

static const char *check_unit(const void *value)
{
	const char *name = *(const char *const *)value;

	return !name[0] || strlen(name) > UNIT_NAME_MAX || strchr(name, '/') || strchr(name, '\'')
		       ? "is no name of a unit"
		       : NULL;
}

static const char *check_invocation(const void *value)
{
	const char *id = *(const char *const *)value;

	return strspn(id, "0123456789abcdef") == UNIT_INVOCATION_LEN && !id[UNIT_INVOCATION_LEN]
		       ? NULL
		       : "has not 32 hexadecimal digits";
}

/* clang-format off */
static const struct type t_version = UINT_RANGE("version", uint32_t, STATE_VERSION, STATE_VERSION);
static const struct type t_pid = INT_RANGE("process id", int32_t, 0, INT32_MAX);
static const struct type t_id = STRING_CHECKED("container id", check_id_text);
static const struct type t_cgroup = STRING_CHECKED("cgroup path", check_cgroup);

static const struct type t_unit = STRING_CHECKED("name of a unit", check_unit);
static const struct type t_invocation = STRING_CHECKED("id of a unit's run", check_invocation);
static const struct type t_class = STRING_CHECKED("class of service", check_class);

static const struct field record_fields[] = {
	FIELD(struct state_record, "version",         version,           t_version,    REQUIRED, NULL),
	FIELD(struct state_record, "id",              id,                t_id,         REQUIRED, NULL),
	FIELD(struct state_record, "ociVersion",      oci_version,       t_nonempty,   REQUIRED, NULL),
	FIELD(struct state_record, "pid",             pid,               t_pid,        REQUIRED, NULL),
	FIELD(struct state_record, "startTime",       start_time,        t_u64,        REQUIRED, NULL),
	FIELD(struct state_record, "bootId",          boot_id,           t_nonempty,   0,        NULL),
	FIELD(struct state_record, "creator",         creator,           t_pid,        OMIT_ZERO,NULL),
	FIELD(struct state_record, "creatorStartTime", creator_start_time, t_u64,      OMIT_ZERO,NULL),
	FIELD(struct state_record, "bundle",          bundle,            t_abs_path,   REQUIRED, NULL),
	FIELD(struct state_record, "rootfs",          rootfs,            t_abs_path,   REQUIRED, NULL),
	FIELD(struct state_record, "created",         created,           t_nonempty,   REQUIRED, NULL),
	FIELD(struct state_record, "owner",           owner,             t_nonempty,   REQUIRED, NULL),
	FIELD(struct state_record, "cgroup",          cgroup,            t_cgroup,     0,        NULL),
	FIELD(struct state_record, "cgroupMade",      cgroup_made,       t_u32,        0,        NULL),
	FIELD(struct state_record, "unit",            unit.name,         t_unit,       0,        NULL),
	FIELD(struct state_record, "unitOfUser",      unit.user,         t_bool,       OMIT_ZERO,NULL),
	FIELD(struct state_record, "unitInvocation",  unit.invocation,   t_invocation, 0,        NULL),
	FIELD(struct state_record, "resctrl",         resctrl.name,      t_class,      0,        NULL),
	FIELD(struct state_record, "resctrlMade",     resctrl.made,      t_bool,       OMIT_ZERO,NULL),
	FIELD(struct state_record, "resctrlMonitor",  resctrl.monitor_made, t_bool,    OMIT_ZERO,NULL),
	FIELD(struct state_record, "ownPidNamespace", own_pid_namespace, t_bool,       REQUIRED, NULL),
	FIELD(struct state_record, "poststop",        poststop,          t_bool,       0,        NULL),
	FIELD(struct state_record, "annotations",     annotations,       t_string_map, 0,        NULL),
	FIELD(struct state_record, "descriptors",     descriptors,       t_strings,    0,        NULL),
	{0}
};
static const struct type t_record = OBJECT_STRICT("state of a container", struct state_record, record_fields);
/* clang-format on */

err *state_encode(const struct state_record *record, struct str *out)
{
	encode_text(out, &t_record, record, 0);
	return str_check(out);
}

err *state_decode(struct arena *arena, const char *name, const char *text, size_t len,
		  struct state_record *ret)
{
	struct decoder d = { .arena = arena, .name = name };
	struct state_record record;

	TRY(decode_text(&d, &t_record, NULL, text, len, &record));
	*ret = record;
	return NULL;
}

/* ---- what users see ---- */

static void json_annotations(struct json_writer *w, const struct string_map *map)
{
	if (!map->count)
		return;
	json_key(w, "annotations");
	encode(w, &t_string_map, map);
}

err *state_json(const struct state_record *r, enum state_status status, bool extended, unsigned indent,
		struct str *out)
{
	struct json_writer w = JSON_WRITER(out, indent);
	bool alive = status != STATE_STOPPED;

	json_begin_object(&w);
	json_member_string(&w, "ociVersion", r->oci_version);
	json_member_string(&w, "id", r->id);
	if (alive || extended)
		json_member_int(&w, "pid", alive ? r->pid : 0);
	json_member_string(&w, "status", enum_name(state_status_names, status));
	json_member_string(&w, "bundle", r->bundle);
	if (extended) {
		json_member_string(&w, "rootfs", r->rootfs);
		json_member_string(&w, "created", r->created);
	}
	json_annotations(&w, &r->annotations);
	if (extended)
		json_member_string(&w, "owner", r->owner);
	json_end_object(&w);
	return str_check(out);
}

/* ---- where it lies ---- */

/* Root of a user namespace that others made for a rootless engine is no root of the machine. */
static bool is_real_root(void)
{
	return geteuid() == 0 && namespaces_user_is_initial();
}

err *state_default_root(struct arena *arena, const char **ret)
{
	static const char system_root[] = "/run/stube-runtime";
	const char *dir = getenv("XDG_RUNTIME_DIR");

	if (is_real_root() || (geteuid() == 0 && (!dir || dir[0] != '/'))) {
		*ret = system_root;
		return NULL;
	}
	if (!dir || dir[0] != '/')
		return err_hint(err_new(ENOENT, "XDG_RUNTIME_DIR is not set, so there is no place for the "
					"state of rootless containers"), "set it, or give --root");
	TRY_ALLOC(arena, *ret, arena_printf(arena, "%s/stube-runtime", dir));
	return NULL;
}

/* ---- processes ---- */

err *state_boot_id(struct arena *arena, const char **ret)
{
	char text[64];

	*ret = NULL;
	err *e = file_read_record(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, sizeof text);
	if (e && e->code == ENOENT) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	TRY_ALLOC(arena, *ret, arena_strndup(arena, text, strcspn(text, "\n")));
	return NULL;
}

bool state_parse_start_time(char *stat, uint64_t *ret)
{
	char *save = NULL;
	int field = 3;
	/* The name in parentheses may hold anything, parentheses too: the last one ends it. */
	char *at = strrchr(stat, ')');

	for (at = at ? strtok_r(at + 1, " ", &save) : NULL; at; at = strtok_r(NULL, " ", &save), field++) {
		if (field == 22)
			return str_to_u64(at, ret);
	}
	return false;
}

err *state_start_time(pid_t pid, uint64_t *ret)
{
	char path[32], text[1024];

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	err *e = file_read_record(AT_FDCWD, path, text, sizeof text);
	if (e)
		return err_with_code(e, e->code == ENOENT ? ESRCH : e->code);
	if (state_parse_start_time(text, ret))
		return NULL;
	return err_new(EINVAL, "'%s' has no start time", path);
}
