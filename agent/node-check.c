/* agent/node-check.c: looking at the machine without changing it. */
#include "agent/node-check.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/cgroup.h"
#include "agent/ids.h"
#include "agent/node.h"
#include "agent/place.h"
#include "base/fd.h"
#include "base/file.h"

#define KERNEL_NEEDED 5014 /* cgroup.kill, id-mapped mounts, overlay in user namespaces */
#define KERNEL_EROFS  6012 /* EROFS mounted from files */

static bool file_has_line(const char *path, const char *line)
{
	auto_str struct str text = STR_INIT(64 * 1024);
	auto_err err *e = file_read(AT_FDCWD, path, &text);
	char *save = NULL;

	for (char *l = e ? NULL : strtok_r(text.data, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (str_ends_with(l, line))
			return true;
	return false;
}

unsigned node_check_kernel(const char *release)
{
	char *dot = NULL;
	unsigned long major = strtoul(release, &dot, 10);
	unsigned long minor = dot && *dot == '.' ? strtoul(dot + 1, NULL, 10) : 0;

	return (unsigned)(major * 1000 + MIN(minor, 999ul));
}

/* *ret_mounted: straight from the tar, now. */
static err *look_at_layers(struct str *out, bool *ret_mounted)
{
	struct utsname host;

	*ret_mounted = false;
	if (uname(&host) < 0)
		return err_errno("ask for the kernel's version");
	if (geteuid() != 0)
		str_add(out, "extracted (only root may mount EROFS)");
	else if (node_check_kernel(host.release) < KERNEL_EROFS)
		str_add(out, "extracted (mounting from files needs Linux 6.12)");
	else if (!file_has_line("/proc/filesystems", "\terofs"))
		str_add(out, "mounted from their tar once the erofs module is loaded, else extracted");
	else {
		str_add(out, "mounted from their tar (EROFS)");
		*ret_mounted = true;
	}
	return NULL;
}

err *node_check_layers(struct str *out)
{
	bool mounted;

	return look_at_layers(out, &mounted);
}

err *node_check_cgroup(struct str *out)
{
	auto_str struct str controllers = STR_INIT(4096);
	const char *where;
	bool hybrid;

	TRY(cgroup_find(&controllers, &where, &hybrid));
	if (!where)
		str_add(out, "no v2 hierarchy");
	else
		str_addf(out, "%s at %s, controllers: %s", hybrid ? "hybrid" : "v2", where,
			 *controllers.data ? controllers.data : "none");
	return NULL;
}

err *node_check_seccomp(struct str *out)
{
	auto_str struct str text = STR_INIT(4096);
	auto_err err *e = file_read(AT_FDCWD, "/proc/sys/kernel/seccomp/actions_avail", &text);

	text.data[strcspn(text.data, "\n")] = '\0';
	str_add(out, e ? "not available" : text.data);
	return NULL;
}

/* ---- each of the checks ---- */

struct look {
	const char *programs;
	const struct node_check_options *options;
	struct str found, means;
	enum node_check_result result;
};

static void is(struct look *l, enum node_check_result result, const char *means)
{
	l->result = result;
	str_add(&l->means, means);
}

static err *check_kernel(struct look *l)
{
	struct utsname host;

	if (uname(&host) < 0)
		return err_errno("ask for the kernel's version");
	str_addf(&l->found, "%s %s %s", host.sysname, host.release, host.machine);
	if (node_check_kernel(host.release) < KERNEL_NEEDED)
		is(l, CHECK_MISSING, "Linux 5.14 or later is needed");
	return NULL;
}

static err *check_user(struct look *l)
{
	bool root = place_is_root();

	str_addf(&l->found, "%s (uid %u)", root ? "root" : "rootless", geteuid());
	if (!root)
		is(l, CHECK_LIMITED, "no bridged networks, no priorities; images are extracted");
	return NULL;
}

static err *check_layers(struct look *l)
{
	bool mounted;

	TRY(look_at_layers(&l->found, &mounted));
	if (!mounted)
		is(l, CHECK_LIMITED, "starts are slower, and images take twice the space");
	return NULL;
}

static err *check_overlay(struct look *l)
{
	if (file_has_line("/proc/filesystems", "\toverlay")) {
		str_add(&l->found, "overlay");
		return NULL;
	}
	str_add(&l->found, "not loaded");
	is(l, CHECK_LIMITED, "the kernel loads the module overlay when it is first needed, or images do not start");
	return NULL;
}

static err *check_cgroup(struct look *l)
{
	static const char *const wanted[] = { "cpu", "memory", "pids" };
	auto_str struct str controllers = STR_INIT(4096), missing = STR_INIT(256);
	const char *where;
	bool hybrid;

	TRY(node_check_cgroup(&l->found));
	TRY(cgroup_find(&controllers, &where, &hybrid));
	if (!where) {
		is(l, CHECK_MISSING, "mount the v2 hierarchy: systemd.unified_cgroup_hierarchy=1 on the kernel's command line");
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		const char *at = strstr(controllers.data, wanted[i]);
		/* "cpu" is also the beginning of "cpuset". */
		while (at && at[strlen(wanted[i])] && at[strlen(wanted[i])] != ' ')
			at = strstr(at + 1, wanted[i]);
		if (!at)
			str_addf(&missing, "%s%s", missing.len ? ", " : "", wanted[i]);
	}
	if (missing.len == 0)
		return NULL;
	str_addf(&l->means, "services with limits of %s do not start", missing.data);
	l->result = CHECK_LIMITED;
	return NULL;
}

static err *check_manager(struct look *l)
{
	bool answers;

	TRY(node_check_manager(l->programs, l->options->cgroups, &answers, &l->found));
	if (!answers && str_equal(l->options->cgroups, "systemd"))
		is(l, CHECK_MISSING, "--cgroups=cgroupfs works without systemd");
	return NULL;
}

static err *check_reserve(struct look *l)
{
	const struct node_options o = { .reserve_cpu = l->options->reserve.cpu,
					.reserve_memory = l->options->reserve.memory };
	auto_str struct str missing = STR_INIT(256);
	struct reserve r;

	TRY(node_reserve(&o, &r));
	str_add(&l->found, "cpu=");
	quantity_format(&(struct quantity){ r.cpu, true }, &l->found);
	str_add(&l->found, ",memory=");
	quantity_format(&(struct quantity){ r.memory * 1000, true }, &l->found);
	if (!cgroup_has("cpu") && r.cpu > 0)
		str_add(&missing, "cpu");
	if (!cgroup_has("memory") && r.memory > 0)
		str_addf(&missing, "%smemory", missing.len ? ", " : "");
	if (!place_is_root() || str_equal(l->options->cgroups, "disabled"))
		is(l, CHECK_LIMITED, "placement alone keeps it free: Pods have no slice");
	else if (missing.len > 0) {
		l->result = CHECK_LIMITED;
		str_addf(&l->means, "placement alone keeps it free: no controller %s", missing.data);
	}
	return NULL;
}

static err *check_userns(struct look *l)
{
	auto_str struct str text = STR_INIT(256);
	auto_err err *e = file_read(AT_FDCWD, "/proc/sys/user/max_user_namespaces", &text);
	uint64_t max = 0;

	text.data[strcspn(text.data, "\n")] = '\0';
	if (access("/proc/self/ns/user", F_OK) != 0 || (!e && (!str_to_u64(text.data, &max) || max == 0))) {
		str_add(&l->found, "none");
		is(l, CHECK_MISSING, "allow them: sysctl user.max_user_namespaces=65536");
		return NULL;
	}
	str_addf(&l->found, "up to %llu", (unsigned long long)max);
	return NULL;
}

static err *check_subids(struct look *l)
{
	static const char *const files[] = { "/etc/subuid", "/etc/subgid" };
	struct passwd entry, *self = NULL;
	char strings[4096];
	bool root = place_is_root(), all = true;
	struct id_range range = { 0 };

	if (getpwuid_r(geteuid(), &entry, strings, sizeof(strings), &self) != 0)
		self = NULL;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		auto_str struct str text = STR_INIT(1 << 20);
		IGNORE(file_read(AT_FDCWD, files[i], &text));
		all = all && (root ? ids_parse_subid(text.data, "stube", &range) ||
					     ids_parse_subid(text.data, "containers", &range) :
				     self && ids_parse_subid(text.data, self->pw_name, &range));
	}
	if (all)
		str_addf(&l->found, "%u from %u on", range.size, range.first);
	else if (root)
		str_addf(&l->found, "none given to 'stube'; %u from %u on are used", IDS_LAST - IDS_FIRST + 1, IDS_FIRST);
	else
		str_add(&l->found, "none");
	if (!all && !root)
		is(l, CHECK_LIMITED, "images with more than one user need a range in /etc/subuid and /etc/subgid");
	return NULL;
}

static err *check_seccomp(struct look *l)
{
	TRY(node_check_seccomp(&l->found));
	if (!strstr(l->found.data, "errno"))
		is(l, CHECK_MISSING, "the kernel must be built with CONFIG_SECCOMP_FILTER");
	return NULL;
}

static err *check_run(struct look *l)
{
	auto_str struct str path = STR_INIT(4096);
	struct statfs fs;

	TRY(place_run(&path));
	str_add(&l->found, path.data);
	/* The folder is made at the first start; its nearest ancestor that exists tells. */
	while (statfs(path.data, &fs) < 0) {
		char *slash = strrchr(path.data, '/');
		if (errno != ENOENT || !slash || slash == path.data)
			return NULL;
		*slash = '\0';
	}
	if (fs.f_type != TMPFS_MAGIC)
		is(l, CHECK_LIMITED, "it is no tmpfs: what bundles hold reaches a disk");
	return NULL;
}

static err *check_programs(struct look *l)
{
	static const char *const names[] = { "stube-monitor", "stube-runtime" };
	char dir[PATH_MAX], path[PATH_MAX + 32];

	TRY(place_programs(l->programs, dir));
	str_add(&l->found, dir);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%.*s/%s", PATH_MAX - 1, dir, names[i]);
		if (access(path, X_OK) == 0)
			continue;
		l->result = CHECK_MISSING;
		str_addf(&l->means, "%s%s is not there", l->means.len ? "; " : "", names[i]);
	}
	return NULL;
}

/* clang-format off */
static const struct {
	const char *name;
	err *(*look)(struct look *l);
} checks[] = {
	{ "kernel",          check_kernel },
	{ "user",            check_user },
	{ "programs",        check_programs },
	{ "run folder",      check_run },
	{ "cgroup",          check_cgroup },
	{ "cgroup manager",  check_manager },
	{ "reserve",         check_reserve },
	{ "user namespaces", check_userns },
	{ "subordinate ids", check_subids },
	{ "layers",          check_layers },
	{ "overlay",         check_overlay },
	{ "seccomp",         check_seccomp },
};
/* clang-format on */

err *node_check(struct arena *arena, const struct node_check_options *o, struct node_check **ret,
		size_t *ret_count)
{
	struct node_check *all;

	TRY_ALLOC(arena, all, arena_array(arena, ARRAY_LEN(checks), sizeof(*all)));
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		auto_str struct str found = STR_INIT(8192), means = STR_INIT(8192);
		struct look l = { .programs = o->programs, .options = o, .found = found, .means = means };
		err *e = checks[i].look(&l);
		found = l.found; /* grown there, freed here */
		means = l.means;
		TRY(err_wrap(e, "%s", checks[i].name));
		all[i] = (struct node_check){ .name = checks[i].name, .result = l.result };
		TRY_ALLOC(arena, all[i].found, arena_strdup(arena, found.data));
		if (l.result != CHECK_OK)
			TRY_ALLOC(arena, all[i].means, arena_strdup(arena, means.data));
	}
	*ret = all;
	*ret_count = ARRAY_LEN(checks);
	return NULL;
}
