/* runtime/plan-mounts.c: root and mounts of the config as rows of the plan, sources opened. */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/fd.h"
#include "base/path.h"
#include "runtime/annotations.h"
#include "runtime/idmap.h"
#include "runtime/kernel.h"
#include "runtime/mount-options.h"
#include "runtime/plan-config.h"
#include "runtime/plan-mounts-internal.h"

#define OPEN_TREE_FLAGS (OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)

/* Kernel interfaces without a disk: read-only is a matter of the mount, never of the file system that
 * others share. fallback: what a container binds that does not own the namespace the type belongs to. */
static const struct {
	const char *type, *fallback;
} pseudo[] = {
	{ "proc", NULL },   { "sysfs", "/sys" }, { "mqueue", "/dev/mqueue" },
	{ "devpts", NULL }, { "tmpfs", NULL },   { "cgroup2", NULL },
};

/* Files below /proc that may be covered: lxcfs and the like fake them. As runc allows. */
static const char *const over_proc[] = {
	"/proc/cpuinfo",  "/proc/diskstats", "/proc/meminfo", "/proc/stat",
	"/proc/swaps",    "/proc/uptime",    "/proc/loadavg", "/proc/slabinfo",
	"/proc/net/dev",  "/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
};

static err *text_error(const struct plan_source *s)
{
	return arena_error(s->arena);
}

/* `path` of the bundle as an absolute one; NULL: no memory. */
static const char *absolute(const struct plan_source *s, const char *path)
{
	return *path == '/' ? arena_strdup(s->arena, path) :
			      arena_printf(s->arena, "%s/%s", s->bundle, path);
}

/* A detached copy of the tree, or -1 without error when only the child has the rights. flags: of
 * open_tree(2). */
static err *open_source(const struct plan_source *s, const char *path, unsigned flags, int *ret_fd)
{
	if (!s->can_mount) {
		struct stat st;

		/* At least a clear word, before anything is started, about what is not there. */
		return fstatat(AT_FDCWD, path, &st, (int)flags & AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT
			       ? err_errno("open '%s'", path)
			       : NULL;
	}
	int fd = s->open_tree ? s->open_tree(s->open_data, path, OPEN_TREE_FLAGS | flags)
			      : k_open_tree(AT_FDCWD, path, OPEN_TREE_FLAGS | flags);
	if (fd < 0)
		return err_errno("open '%s'", path);
	*ret_fd = fd;
	return NULL;
}

err *plan_root(struct plan_builder *b, const struct plan_source *s)
{
	struct stat st;
	auto_close int fd = -1;
	const char *path = absolute(s, s->config->root->path);

	if (!path)
		return text_error(s);
	if (stat(path, &st) < 0)
		return err_errno("root.path: '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_new(ENOTDIR, "root.path: '%s' is not a directory", path);
	TRY(err_wrap(open_source(s, path, AT_RECURSIVE, &fd), "root.path"));
	b->plan.root_path = plan_add_text(b, path);
	if (fd >= 0)
		b->plan.fd_root = plan_add_fd(b, TAKE_FD(fd));
	b->plan.root_propagation = (uint32_t)s->config->linux.rootfs_propagation;
	if (s->config->root->readonly)
		b->plan.flags |= PLAN_ROOT_READONLY;
	return NULL;
}

static bool is_pseudo(const char *type, const char **ret_fallback)
{
	for (size_t i = 0; i < ARRAY_LEN(pseudo); i++) {
		if (!str_equal(pseudo[i].type, type))
			continue;
		*ret_fallback = pseudo[i].fallback;
		return true;
	}
	return false;
}

static uint32_t place_flags(const char *destination)
{
	if (str_equal(destination, "/proc"))
		return PLAN_MOUNT_PROC | PLAN_MOUNT_NO_LINKS;
	if (str_equal(destination, "/sys"))
		return PLAN_MOUNT_SYSFS | PLAN_MOUNT_NO_LINKS;
	for (size_t i = 0; i < ARRAY_LEN(over_proc); i++)
		if (str_equal(destination, over_proc[i]))
			return PLAN_MOUNT_OVER_PROC;
	return 0;
}

static uint32_t cut_flag(const struct plan_source *s)
{
	int propagation = s->config->linux.rootfs_propagation;

	if (propagation & MS_SHARED)
		return 0;
	return propagation & MS_PRIVATE ? PLAN_MOUNT_PRIVATE : PLAN_MOUNT_SLAVE;
}

/* copy-symlink: a source that is a link is made again in the container. *ret_done: it is one. */
static err *plan_link(struct plan_builder *b, const char *path, struct plan_mount *row, bool *ret_done)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof target);

	*ret_done = n > 0;
	if (n < 0)
		return errno == EINVAL ? NULL : err_errno("source: open '%s'", path);
	if ((size_t)n >= sizeof target)
		return err_new(ENAMETOOLONG, "source: '%s'", path);
	target[n] = '\0';
	row->kind = PLAN_MOUNT_LINK;
	row->source = plan_add_text(b, target);
	return NULL;
}

/* What would be an option of the file system has none to go to: an error elsewhere, and for those who bind
 * perhaps a slip of the pen. */
static void warn_of_data(const struct plan_source *s, size_t index, const struct mount_spec *spec)
{
	for (size_t i = 0; s->warnings && i < spec->data.count; i++)
		strv_addf(s->warnings, "mounts[%zu].options: '%.100s' is no option of a bind mount, ignored",
			  index, spec->data.items[i]);
}

static err *plan_bind(struct plan_builder *b, const struct plan_source *s, const struct oci_mount *m,
		      const struct mount_spec *spec, struct plan_mount *row)
{
	auto_close int fd = -1;
	const char *path = m->source ? absolute(s, m->source) : NULL;
	bool link = false;

	if (!m->source)
		return err_new(EINVAL, "source: required for a bind mount");
	if (!path)
		return text_error(s);
	if (spec->copy_link)
		TRY(plan_link(b, path, row, &link));
	if (link)
		return NULL;
	TRY(err_wrap(open_source(s, path,
				 (spec->recursive ? AT_RECURSIVE : 0u) |
					 (spec->source_link ? (unsigned)AT_SYMLINK_NOFOLLOW : 0u),
				 &fd),
		     "source"));
	if (spec->idmap || m->uid_mappings.count > 0)
		TRY(plan_id_map(s, m, spec, fd));
	row->kind = PLAN_MOUNT_BIND;
	row->source = plan_add_text(b, path);
	row->flags |= (spec->recursive ? PLAN_MOUNT_RECURSIVE : 0) |
		      (spec->source_link ? PLAN_MOUNT_SOURCE_LINK : 0);
	if (fd >= 0) {
		row->flags |= cut_flag(s);
		row->fd = plan_add_fd(b, TAKE_FD(fd));
	}
	return NULL;
}

/* The caller's own cgroup, when the container has none of its own. */
static err *open_own_cgroup(int *ret_fd)
{
	auto_str struct str text = STR_INIT(64 * 1024);
	auto_close int file = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	if (file < 0)
		return err_errno("open own cgroup");
	TRY(fd_read_all(file, &text));
	char *path = str_starts_with(text.data, "0::") ? text.data : strstr(text.data, "\n0::");
	if (!path)
		return err_new(ENOENT, "no cgroup v2");
	path = strchr(path, '/');
	if (!path)
		return err_new(ENOENT, "no cgroup v2");
	path[strcspn(path, "\n")] = '\0';
	for (size_t i = ARRAY_LEN(mounts); i-- > 0;) {
		char full[PATH_MAX];

		snprintf(full, sizeof full, "%s%s", mounts[i], path);
		*ret_fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (*ret_fd >= 0)
			return NULL;
	}
	return err_errno("open own cgroup '%s'", path);
}

/* Never the host's root of the hierarchy: a new mount in a cgroup namespace, else the own directory. */
static err *plan_cgroup(struct plan_builder *b, const struct plan_source *s, struct plan_mount *row)
{
	auto_close int own = -1;
	int dir = s->cgroup_fd;

	row->options = (struct plan_list){ 0 };
	if (s->namespaces->all & CLONE_NEWCGROUP) {
		row->kind = PLAN_MOUNT_FS;
		row->type = plan_add_text(b, "cgroup2");
		return NULL;
	}
	if (dir < 0) {
		TRY(open_own_cgroup(&own));
		dir = own;
	}
	int tree = k_open_tree(dir, DEFENCE("cgroup-own") ? "" : "..", OPEN_TREE_FLAGS | AT_EMPTY_PATH);
	if (tree < 0)
		return err_hint(err_errno("open the container's cgroup"),
				"Without CAP_SYS_ADMIN a cgroup mount needs a cgroup namespace.");
	row->kind = PLAN_MOUNT_BIND;
	row->flags |= cut_flag(s);
	row->fd = plan_add_fd(b, tree);
	return NULL;
}

static bool has_option(const struct mount_data *options, const char *prefix)
{
	for (size_t i = 0; i < options->count; i++)
		if (str_starts_with(options->items[i], prefix))
			return true;
	return false;
}

/* What a tmpfs takes from the directory that it covers where no option says it, as crun and runc do. */
static uint32_t tmpfs_flags(const struct mount_spec *spec)
{
	uint32_t flags = spec->copy_up ? PLAN_MOUNT_COPY_UP : 0;

	if (!has_option(&spec->data, "mode="))
		flags |= PLAN_MOUNT_TAKE_MODE;
	if (spec->copy_up && !has_option(&spec->data, "uid=") && !has_option(&spec->data, "gid="))
		flags |= PLAN_MOUNT_TAKE_OWNER;
	return flags;
}

/* linux.mountLabel, as runc and crun give it: an option where the file system takes it, an attribute of the
 * root where it takes none; proc and sysfs have labels of their own. */
static err *add_label(const struct plan_builder *b, const struct plan_source *s, const char *type,
		      struct mount_spec *spec, struct plan_mount *row)
{
	static const char *const words[] = { "context", "fscontext", "defcontext", "rootcontext" };
	const char *word = string_map_get(&s->config->annotations, ANNOTATION_MOUNT_CONTEXT);
	bool known = !word;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		known = known || str_equal(word, words[i]);
	if (!known)
		return err_new(EINVAL, "annotations." ANNOTATION_MOUNT_CONTEXT
			       ": '%s' is not one of context|fscontext|defcontext|rootcontext", word);
	if (!b->plan.mount_label || str_equal(type, "proc") || str_equal(type, "sysfs"))
		return NULL;
	if (str_equal(type, "mqueue"))
		row->flags |= PLAN_MOUNT_LABEL;
	if (str_equal(type, "mqueue") || has_option(&spec->data, "context="))
		return NULL;
	char *text;
	TRY_ALLOC(s->arena, text,
		  arena_printf(s->arena, "%s=%s", word ? word : words[0], s->config->linux.mount_label));
	mount_spec_add(spec, text);
	return NULL;
}

/* To the child it is a tree by descriptor, as a bind mount is. Only tmpfs: others hold devices or the
 * kernel's own objects, which belong to the container's namespaces. */
static err *plan_mapped(struct plan_builder *b, const struct plan_source *s, const struct oci_mount *m,
			struct mount_spec *spec, struct plan_mount *row)
{
	auto_close int fd = -1;

	if (!str_equal(m->type, "tmpfs"))
		return err_new(ENOTSUP, "uidMappings: only bind mounts and tmpfs can be id-mapped");
	if (spec->copy_up)
		return err_new(ENOTSUP, "tmpcopyup: not with id maps");
	TRY(add_label(b, s, m->type, spec, row));
	TRY(mount_spec_check(spec));
	TRY(plan_mapped_file_system(s, m, spec, &fd));
	row->kind = PLAN_MOUNT_BIND;
	row->source = plan_add_text(b, m->source ? m->source : m->type);
	row->flags |= cut_flag(s);
	row->fd = plan_add_fd(b, TAKE_FD(fd));
	return NULL;
}

static err *plan_file_system(struct plan_builder *b, const struct plan_source *s, const struct oci_mount *m,
			     struct mount_spec *spec, struct plan_mount *row)
{
	const char *fallback = NULL;

	if (spec->idmap || m->uid_mappings.count > 0)
		return plan_mapped(b, s, m, spec, row);
	if (str_equal(m->type, "tmpfs"))
		row->flags |= tmpfs_flags(spec);
	/* What is filled first cannot be read-only from birth: then only its mount is, afterwards. */
	else if (!is_pseudo(m->type, &fallback) && (spec->set & MOUNT_ATTR_RDONLY))
		mount_spec_add(spec, "ro");
	TRY(add_label(b, s, m->type, spec, row));
	TRY(mount_spec_check(spec));
	row->kind = PLAN_MOUNT_FS;
	row->type = plan_add_text(b, m->type);
	row->source = plan_add_text(b, fallback ? fallback : m->source);
	row->flags |= fallback ? PLAN_MOUNT_FALLBACK : 0;
	row->options = plan_add_texts(b, spec->data.items, spec->data.count);
	return NULL;
}

static bool is_bind(const struct oci_mount *m, const struct mount_spec *spec)
{
	return spec->bind || !m->type || str_equal(m->type, "bind");
}

static err *plan_mount(struct plan_builder *b, const struct plan_source *s, size_t index,
		       struct plan_mount *row)
{
	const struct oci_mount *m = &s->config->mounts.items[index];
	struct mount_spec spec = { 0 };
	struct strings words;
	char path[PATH_MAX];

	if (!path_clean(m->destination, path, sizeof path))
		return err_new(ENAMETOOLONG, "destination: too long");
	if (str_equal(path, "/"))
		return err_new(EINVAL, "destination: the root cannot be covered");
	TRY(mount_words(s->arena, &m->options, &words));
	TRY(mount_spec_parse(words.items, words.count, &spec));
	*row = (struct plan_mount){
		.destination = plan_add_text(b, path),
		.label = plan_add_textf(b, "mounts[%zu]", index),
		.flags = place_flags(path),
		.fd = PLAN_NO_FD,
		.propagation = spec.propagation,
		.set = spec.set,
		.clear = spec.clear,
		.set_all = spec.set_all,
		.clear_all = spec.clear_all,
	};
	row->flags |= spec.place_link ? PLAN_MOUNT_PLACE_LINK : 0;
	if (spec.remount) {
		row->kind = PLAN_MOUNT_REMOUNT;
		if (!spec.bind)
			row->options = plan_add_texts(b, spec.data.items, spec.data.count);
		return NULL;
	}
	if (is_bind(m, &spec)) {
		warn_of_data(s, index, &spec);
		return plan_bind(b, s, m, &spec, row);
	}
	if (str_equal(m->type, "cgroup") || str_equal(m->type, "cgroup2"))
		return plan_cgroup(b, s, row);
	return plan_file_system(b, s, m, &spec, row);
}

/* /dev belongs to the host when it is bound: then neither nodes nor links are made there. */
static bool covers_dev(const struct oci_mount *m)
{
	char path[PATH_MAX];
	bool bind = !m->type || str_equal(m->type, "bind");

	for (size_t i = 0; i < m->options.count; i++)
		if (str_equal(m->options.items[i], "bind") || str_equal(m->options.items[i], "rbind"))
			bind = true;
	return bind && path_clean(m->destination, path, sizeof path) && str_equal(path, "/dev");
}

/* Without SELinux nothing looks at a label; crun passes it over as well. */
static void plan_label(struct plan_builder *b, const struct plan_source *s)
{
	const char *label = s->config->linux.mount_label;
	char path[PATH_MAX];

	if (!label || !*label)
		return;
	snprintf(path, sizeof path, "%s/enforce", s->selinux_fs ? s->selinux_fs : "/sys/fs/selinux");
	if (access(path, F_OK) == 0)
		b->plan.mount_label = plan_add_text(b, label);
	else if (s->warnings)
		strv_addf(s->warnings,
			  "linux.mountLabel: SELinux is not enabled on this host, '%.200s' ignored", label);
}

/* "mounts[3]: bind on '/data': ..." */
static err *mount_error(err *e, const struct oci_mount *m, size_t index)
{
	bool bind = !m->type || str_equal(m->type, "bind");

	if (!e)
		return NULL;
	return bind ? err_wrap(e, "mounts[%zu]: bind on '%s'", index, m->destination)
		    : err_wrap(e, "mounts[%zu]: mount '%s' on '%s'", index, m->type, m->destination);
}

err *plan_mounts(struct plan_builder *b, const struct plan_source *s)
{
	size_t count = s->config->mounts.count;
	struct plan_mount *rows = arena_array(s->arena, count ? count : 1, sizeof *rows);

	if (!rows)
		return text_error(s);
	b->plan.flags |= PLAN_DEV;
	plan_label(b, s);
	for (size_t i = 0; i < count; i++) {
		TRY(mount_error(plan_mount(b, s, i, &rows[i]), &s->config->mounts.items[i], i));
		if (covers_dev(&s->config->mounts.items[i]))
			b->plan.flags &= ~(uint32_t)PLAN_DEV;
	}
	b->plan.mounts = plan_add_items(b, rows, sizeof *rows, count);
	return NULL;
}
