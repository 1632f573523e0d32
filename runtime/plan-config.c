/* runtime/plan-config.c: devices, paths, sysctls, names and hooks of the config as rows of the plan. */
#include "runtime/plan-config.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/annotations.h"
#include "runtime/cgroup-delegate.h"
#include "runtime/cgroup-owner.h"
#include "runtime/delete.h"

/* config-linux.md, "Default Devices"; console and ptmx belong to the terminal and to devpts. */
static const struct plan_default_device {
	const char *path;
	uint32_t major, minor;
} default_devices[] = {
	{ "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

err *plan_open_proc(int *ret_fd)
{
	auto_close int fd = openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return err_errno("open '/proc'");
	if (fs.f_type != PROC_SUPER_MAGIC)
		return err_new(EINVAL, "'/proc' is not a proc file system");
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

err *plan_refuse_unsupported(const struct oci_config *config)
{
	return annotations_check(&config->annotations);
}

static mode_t device_type(int type)
{
	return type == 'b' ? S_IFBLK : type == 'p' ? S_IFIFO : S_IFCHR;
}

static err *plan_device(struct plan_builder *b, const struct oci_device *d, size_t index,
			struct plan_device *row)
{
	char path[PATH_MAX];

	if (!path_clean(d->path, path, sizeof path) || str_equal(path, "/"))
		return err_new(EINVAL, "linux.devices[%zu].path: '%s' cannot be a device", index, d->path);
	if (d->type != 'p' && (d->major < 0 || d->minor < 0 || d->major > 4095 || d->minor > 1048575))
		return err_new(EINVAL, "linux.devices[%zu]: no such device number", index);
	*row = (struct plan_device){
		.path = plan_add_text(b, path),
		.label = plan_add_textf(b, "linux.devices[%zu]", index),
		.mode = device_type(d->type) | (d->file_mode ? *d->file_mode & 07777 : 0666),
		.uid = d->uid ? *d->uid : 0,
		.gid = d->gid ? *d->gid : 0,
		.major = (uint32_t)d->major,
		.minor = (uint32_t)d->minor,
	};
	return NULL;
}

static bool lists_device(const struct oci_config *config, const char *path)
{
	for (size_t i = 0; i < config->linux.devices.count; i++)
		if (str_equal(config->linux.devices.items[i].path, path))
			return true;
	return false;
}

static err *plan_devices(struct plan_builder *b, const struct plan_source *s)
{
	size_t listed = s->config->linux.devices.count, count = 0;
	struct plan_device *rows =
		arena_array(s->arena, listed + ARRAY_LEN(default_devices), sizeof *rows);

	if (!rows)
		return arena_error(s->arena);
	for (size_t i = 0; i < ARRAY_LEN(default_devices); i++) {
		const struct plan_default_device *d = &default_devices[i];

		if (lists_device(s->config, d->path))
			continue;
		plan_text path = plan_add_text(b, d->path);
		rows[count++] = (struct plan_device){ path, path, S_IFCHR | 0666, 0, 0, d->major, d->minor };
	}
	for (size_t i = 0; i < listed; i++)
		TRY(plan_device(b, &s->config->linux.devices.items[i], i, &rows[count++]));
	b->plan.devices = plan_add_items(b, rows, sizeof *rows, count);
	if (s->namespaces->all & CLONE_NEWUSER)
		b->plan.flags |= PLAN_BIND_DEVICES;
	return NULL;
}

static err *plan_paths(struct plan_builder *b, const struct plan_source *s, const char *field,
		       const struct strings *paths, struct plan_list *ret)
{
	plan_text *rows = arena_array(s->arena, paths->count ? paths->count : 1, sizeof *rows);

	if (!rows)
		return arena_error(s->arena);
	for (size_t i = 0; i < paths->count; i++) {
		char path[PATH_MAX];

		if (!path_clean(paths->items[i], path, sizeof path))
			return err_new(ENAMETOOLONG, "linux.%s[%zu]: too long", field, i);
		rows[i] = plan_add_text(b, path);
	}
	*ret = plan_add_items(b, rows, sizeof *rows, paths->count);
	if (paths->count > 0)
		b->plan.flags |= PLAN_PATHS;
	return NULL;
}

/* Only what belongs to a namespace of the container's own: the rest would change the host. */
static err *plan_sysctls(struct plan_builder *b, const struct plan_source *s)
{
	const struct string_map *map = &s->config->linux.sysctl;
	struct plan_pair *rows = arena_array(s->arena, map->count ? map->count : 1, sizeof *rows);

	if (!rows)
		return arena_error(s->arena);
	for (size_t i = 0; i < map->count; i++) {
		const char *key = map->items[i].key;
		char path[PATH_MAX];
		int type = oci_sysctl_namespace(key);

		if (!type)
			return err_new(EINVAL, "linux.sysctl: '%s' belongs to the host", key);
		if (!(s->namespaces->all & type))
			return err_new(EINVAL, "linux.sysctl: '%s' needs a %s namespace", key,
				       enum_name(oci_namespace_names, type));
		if (!oci_sysctl_path(key, path, sizeof path))
			return err_new(EINVAL, "linux.sysctl: '%s' is no sysctl", key);
		rows[i].key = plan_add_textf(b, "sys/%s", path);
		rows[i].value = plan_add_text(b, map->items[i].value ? map->items[i].value : "");
	}
	b->plan.sysctls = plan_add_items(b, rows, sizeof *rows, map->count);
	if (map->count > 0)
		b->plan.flags |= PLAN_SYSCTL;
	return NULL;
}

static err *plan_names(struct plan_builder *b, const struct oci_config *config, int namespaces)
{
	const char *host = config->hostname && *config->hostname ? config->hostname : NULL;
	const char *domain = config->domainname && *config->domainname ? config->domainname : NULL;

	if (!host && !domain)
		return NULL;
	if (!(namespaces & CLONE_NEWUTS))
		return err_new(EINVAL, "%s: needs a uts namespace", host ? "hostname" : "domainname");
	b->plan.hostname = plan_add_text(b, host);
	b->plan.domainname = plan_add_text(b, domain);
	b->plan.flags |= PLAN_NAMES;
	return NULL;
}

static err *plan_hooks(struct plan_builder *b, const struct plan_source *s,
		       const struct oci_hook_list *list, uint32_t flag, struct plan_list *ret)
{
	struct plan_hook *rows = arena_array(s->arena, list->count ? list->count : 1, sizeof *rows);

	if (!rows)
		return arena_error(s->arena);
	for (size_t i = 0; i < list->count; i++) {
		const struct oci_hook *h = &list->items[i];

		rows[i] = (struct plan_hook){
			.path = plan_add_text(b, h->path),
			.args = plan_add_texts(b, h->args.items, h->args.count),
			.env = plan_add_texts(b, h->env.items, h->env.count),
			.timeout = h->timeout ? *h->timeout : 0,
		};
	}
	*ret = plan_add_items(b, rows, sizeof *rows, list->count);
	if (list->count > 0)
		b->plan.flags |= flag;
	return NULL;
}

/* For the hooks of the child; the runtime opens them itself for its own. */
static err *plan_hook_file(struct plan_builder *b, const struct oci_config *c, const char *annotation,
			   uint32_t *ret)
{
	int fd = -1;

	TRY(container_open_hook_file(&c->annotations, annotation, &fd));
	if (fd >= 0)
		*ret = plan_add_fd(b, fd);
	return NULL;
}

static err *plan_hooks_of_child(struct plan_builder *b, const struct plan_source *s)
{
	const struct oci_hooks *h = &s->config->hooks;

	TRY(plan_hooks(b, s, &h->create_container, PLAN_HOOKS_CONTAINER, &b->plan.hooks_container));
	TRY(plan_hooks(b, s, &h->start_container, PLAN_HOOKS_START, &b->plan.hooks_start));
	if (!(b->plan.flags & (PLAN_HOOKS_CONTAINER | PLAN_HOOKS_START)))
		return NULL;
	TRY(plan_hook_file(b, s->config, ANNOTATION_HOOKS_STDOUT, &b->plan.fd_hooks_out));
	return plan_hook_file(b, s->config, ANNOTATION_HOOKS_STDERR, &b->plan.fd_hooks_errors);
}

err *plan_linux(struct plan_builder *b, const struct plan_source *s)
{
	const struct oci_config *c = s->config;

	if (b->plan.flags & PLAN_DEV)
		TRY(plan_devices(b, s));
	TRY(plan_paths(b, s, "maskedPaths", &c->linux.masked_paths, &b->plan.masked));
	TRY(plan_paths(b, s, "readonlyPaths", &c->linux.readonly_paths, &b->plan.readonly));
	TRY(plan_sysctls(b, s));
	TRY(plan_names(b, c, s->namespaces->all));
	if (cgroup_delegate_name(c) || cgroup_owner_wanted(c) || c->linux.intel_rdt)
		b->plan.flags |= PLAN_LIMITS;
	if (c->linux.net_devices.count > 0)
		b->plan.flags |= PLAN_NET_DEVICES;
	if (c->hooks.prestart.count > 0 || c->hooks.create_runtime.count > 0)
		b->plan.flags |= PLAN_HOOKS_RUNTIME;
	return plan_hooks_of_child(b, s);
}
