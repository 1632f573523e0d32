/* runtime/resctrl.c: linux.intelRdt on the resctrl file system. */
#include "runtime/resctrl.h"

#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

#ifndef RDTGROUP_SUPER_MAGIC
#define RDTGROUP_SUPER_MAGIC 0x7655821
#endif
#define SCHEMATA_MAX (64 * 1024)
#define DIR_FLAGS    (O_RDONLY | O_DIRECTORY)

static void close_mounts(FILE *file)
{
	if (file)
		endmntent(file);
}
DEFINE_CLEANUP(FILE *, close_mounts)

err *resctrl_open(int *ret_fd)
{
	CLEANUP(close_mounts) FILE *mounts = setmntent("/proc/self/mounts", "re");
	char line[8192];
	struct mntent entry;
	struct statfs fs;

	if (!mounts)
		return err_errno("open '/proc/self/mounts'");
	while (getmntent_r(mounts, &entry, line, sizeof line)) {
		if (!str_equal(entry.mnt_type, "resctrl"))
			continue;
		auto_close int fd = open(entry.mnt_dir, DIR_FLAGS | O_CLOEXEC);
		if (fd < 0 || fstatfs(fd, &fs) < 0)
			return err_errno("open '%s'", entry.mnt_dir);
		if (fs.f_type != RDTGROUP_SUPER_MAGIC)
			continue; /* covered by something else */
		*ret_fd = TAKE_FD(fd);
		return NULL;
	}
	return err_hint(err_new(ENOENT, "no resctrl file system is mounted on this host"),
			"Where the processor has it: mount -t resctrl resctrl /sys/fs/resctrl");
}

/* ---- one class ---- */

static bool has_schema(const struct oci_intel_rdt *rdt)
{
	return rdt->l3_cache_schema || rdt->mem_bw_schema || rdt->schemata.count > 0;
}

static err *open_class(int root_fd, const char *name, int *ret_fd)
{
	return path_open(root_fd, str_equal(name, "/") ? "." : name, PATH_NO_LINKS, DIR_FLAGS, 0, ret_fd);
}

/* What the kernel itself says about its last refusal; an errno alone says little here. */
static err *explain(err *e, int root_fd)
{
	auto_str struct str text = STR_INIT(4096);

	err_free(file_read(root_fd, "info/last_cmd_status", &text));
	int len = text.len > 0 ? (int)strcspn(text.data, "\n") : 0;
	return len == 0 || str_equal(text.data, "ok\n")
		       ? e
		       : err_hint(e, "The kernel says: %.*s", len, text.data);
}

static err *make_class(int root_fd, const struct oci_intel_rdt *rdt, struct resctrl_group *g)
{
	if (str_equal(g->name, "/"))
		return NULL;
	if (rdt->clos_id && !has_schema(rdt)) {
		struct stat st;

		return fstatat(root_fd, g->name, &st, AT_SYMLINK_NOFOLLOW) < 0
			       ? err_errno(
					 "'%s' is not set up on this host, and no schema is given to make it",
					 g->name)
			       : NULL;
	}
	if (mkdirat(root_fd, g->name, 0755) == 0) {
		g->made = true;
		return NULL;
	}
	if (errno == EEXIST && rdt->clos_id)
		return NULL;
	return explain(err_errno("make '%s'", g->name), root_fd);
}

static err *make_monitor(int root_fd, const char *id, struct resctrl_group *g)
{
	auto_close int class = -1;
	auto_close int groups = -1;

	TRY(open_class(root_fd, g->name, &class));
	groups = openat(class, "mon_groups", DIR_FLAGS | O_CLOEXEC);
	if (groups < 0)
		return errno == ENOENT
			       ? err_new(ENOTSUP, "this host does not monitor caches or memory bandwidth")
			       : err_errno("open 'mon_groups'");
	if (mkdirat(groups, id, 0755) < 0)
		return explain(err_errno("make 'mon_groups/%s'", id), root_fd);
	g->monitor_made = true;
	return NULL;
}

err *resctrl_make(struct arena *arena, int root_fd, const struct oci_intel_rdt *rdt, const char *id,
		  struct resctrl_group *g)
{
	TRY_ALLOC(arena, g->name, arena_strdup(arena, rdt->clos_id ? rdt->clos_id : id));
	TRY(err_wrap(make_class(root_fd, rdt, g), "linux.intelRdt.closID"));
	if (rdt->enable_monitoring)
		TRY(err_wrap(make_monitor(root_fd, id, g), "linux.intelRdt.enableMonitoring"));
	return NULL;
}

/* ---- schemata ---- */

/* "L3:..." lines of l3CacheSchema; its own MB: lines give way to memBwSchema. */
static void add_cache_lines(struct str *out, const struct oci_intel_rdt *rdt)
{
	for (const char *p = rdt->l3_cache_schema; p && *p;) {
		size_t len = strcspn(p, "\n");

		if (len > 0 && !(rdt->mem_bw_schema && strncmp(p, "MB:", 3) == 0)) {
			str_add_bytes(out, p, len);
			str_add_char(out, '\n');
		}
		p += len + (p[len] == '\n');
	}
}

static err *all_lines(const struct oci_intel_rdt *rdt, struct str *out)
{
	add_cache_lines(out, rdt);
	if (rdt->mem_bw_schema)
		str_addf(out, "%s\n", rdt->mem_bw_schema);
	for (size_t i = 0; i < rdt->schemata.count; i++)
		str_addf(out, "%s\n", rdt->schemata.items[i]);
	return str_check(out);
}

/* The value of one domain in "0=7ff;1=f" of `len` bytes; NULL: not there. */
static const char *domain_value(const char *list, size_t len, const char *domain, size_t domain_len,
				size_t *ret_len)
{
	for (const char *p = list, *end = list + len; p < end;) {
		size_t item = strcspn(p, ";\n");
		const char *equals = memchr(p, '=', item);

		if (equals && (size_t)(equals - p) == domain_len && strncmp(p, domain, domain_len) == 0) {
			*ret_len = item - (size_t)(equals + 1 - p);
			return equals + 1;
		}
		p += item + 1;
	}
	return NULL;
}

/* The kernel writes masks with or without leading zeros. */
static bool same_value(const char *a, size_t a_len, const char *b, size_t b_len)
{
	for (; a_len > 1 && *a == '0'; a_len--)
		a++;
	for (; b_len > 1 && *b == '0'; b_len--)
		b++;
	return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

static bool line_agrees(const char *have, size_t have_len, const char *wanted)
{
	for (const char *p = wanted; *p;) {
		size_t item = strcspn(p, ";"), have_value_len = 0;
		const char *equals = memchr(p, '=', item);
		const char *value =
			equals ? domain_value(have, have_len, p, (size_t)(equals - p), &have_value_len)
			       : NULL;

		if (!value || !same_value(value, have_value_len, equals + 1, item - (size_t)(equals + 1 - p)))
			return false;
		p += item + (p[item] == ';');
	}
	return true;
}

bool resctrl_has_line(const char *schemata, const char *wanted)
{
	size_t name = strcspn(wanted, ":");

	for (const char *p = schemata; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		p += strspn(p, " ");
		if (strcspn(p, ":\n") == name && strncmp(p, wanted, name) == 0 && p[name] == ':' &&
		    wanted[name] == ':')
			return line_agrees(p + name + 1, strcspn(p + name + 1, "\n"), wanted + name + 1);
	}
	return false;
}

static err *compare(int class, const char *name, char *lines)
{
	auto_str struct str have = STR_INIT(SCHEMATA_MAX);
	char *save = NULL;

	TRY(file_read(class, "schemata", &have));
	for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!resctrl_has_line(have.data, line))
			return err_new(EINVAL, "the class '%s' is there already, without '%s'", name, line);
	return NULL;
}

err *resctrl_fill(int root_fd, const struct oci_intel_rdt *rdt, const struct resctrl_group *g)
{
	auto_str struct str lines = STR_INIT(SCHEMATA_MAX);
	auto_close int class = -1;

	if (!has_schema(rdt))
		return NULL;
	TRY(all_lines(rdt, &lines));
	TRY(err_wrap(open_class(root_fd, g->name, &class), "linux.intelRdt.closID"));
	if (!g->made)
		return err_wrap(compare(class, g->name, lines.data), "linux.intelRdt");
	err *e = err_wrap(file_put(class, "schemata", lines.data), "linux.intelRdt");
	return e ? explain(e, root_fd) : NULL;
}

/* ---- processes, and the end ---- */

err *resctrl_enter(int root_fd, const struct resctrl_group *g, const char *id, pid_t pid)
{
	char text[16], path[PATH_MAX];
	auto_close int class = -1;

	snprintf(text, sizeof text, "%d", pid);
	TRY(err_wrap(open_class(root_fd, g->name, &class), "linux.intelRdt: class '%s'", g->name));
	TRY(err_wrap(file_put(class, "tasks", text), "linux.intelRdt: class '%s'", g->name));
	if (!g->monitor_made)
		return NULL;
	snprintf(path, sizeof path, "mon_groups/%s/tasks", id);
	return err_wrap(file_put(class, path, text), "linux.intelRdt.enableMonitoring");
}

static err *remove_dir(int fd, const char *path)
{
	return unlinkat(fd, path, AT_REMOVEDIR) < 0 && errno != ENOENT
		       ? err_errno("linux.intelRdt: remove '%s'", path)
		       : NULL;
}

err *resctrl_remove(int root_fd, const struct resctrl_group *g, const char *id)
{
	char path[PATH_MAX];

	if (!g->name)
		return NULL;
	snprintf(path, sizeof path, "%s/mon_groups/%s", str_equal(g->name, "/") ? "." : g->name, id);
	if (g->monitor_made)
		TRY(remove_dir(root_fd, path));
	return g->made ? remove_dir(root_fd, g->name) : NULL;
}

err *resctrl_end(const struct resctrl_group *g, const char *id)
{
	auto_close int root_fd = -1;

	if (!g->made && !g->monitor_made)
		return NULL;
	err *e = resctrl_open(&root_fd);
	if (e && e->code == ENOENT) { /* unmounted since: nothing is left */
		err_free(e);
		return NULL;
	}
	TRY(e);
	return resctrl_remove(root_fd, g, id);
}
