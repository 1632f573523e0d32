/* cmd/stube-init/mounts.c: mounts of the plan, by descriptors of the new mount API only. */
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/fd.h"
#include "base/path.h"
#include "cmd/stube-init/init.h"
#include "runtime/kernel.h"

#define LINKS_MAX 8

/* What the file system itself says about a failure (fsopen(2), "message retrieval"). */
static err *fs_error(int fs, const char *action, const char *what)
{
	int code = errno;
	char text[512];
	ssize_t n = read(fs, text, sizeof text - 1);

	if (n <= 0)
		return err_code(code, "%s '%s'", action, what);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	return err_wrap(err_code(code, "%s", text[0] && text[1] == ' ' ? text + 2 : text), "%s '%s'",
			action, what);
}

/* overlay takes long lists of layers one by one: fsconfig(2) refuses strings over 255 bytes. */
static int set_lower_dirs(int fs, const char *list)
{
	auto_free char *copy = strdup(list);
	char *out = copy;

	if (!copy)
		return -1;
	for (const char *in = list;; in++) {
		if (*in == '\\' && in[1]) {
			*out++ = *++in;
			continue;
		}
		if (*in != ':' && *in) {
			*out++ = *in;
			continue;
		}
		*out = '\0';
		if (k_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", copy) < 0)
			return -1;
		if (!*in)
			return 0;
		out = copy;
	}
}

/* runc and mount(2) take these words for every file system, whatever becomes of them: today's file systems
 * count their versions and keep their access lists anyway, or have an option of their own for it. */
static bool is_for_some(const char *option)
{
	static const char *const words[] = { "acl", "noacl", "iversion" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_equal(words[i], option))
			return true;
	return false;
}

static err *set_option(int fs, const char *option)
{
	char key[64];
	const char *equals = strchr(option, '=');
	int rc;

	if (!equals) {
		rc = k_fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL);
		if (rc >= 0)
			return NULL;
		err *e = fs_error(fs, "option", option);
		if (e->code != EINVAL || !is_for_some(option))
			return e;
		err_free(e);
		return NULL;
	}
	if ((size_t)(equals - option) >= sizeof key)
		return err_new(EINVAL, "option '%s': unknown", option);
	snprintf(key, sizeof key, "%.*s", (int)(equals - option), option);
	if (strlen(equals + 1) > 255 && str_equal(key, "lowerdir"))
		rc = set_lower_dirs(fs, equals + 1);
	else
		rc = k_fsconfig(fs, FSCONFIG_SET_STRING, key, equals + 1);
	return rc < 0 ? fs_error(fs, "option", option) : NULL;
}

/* Takes something from the directory below, so it is writable until then. */
static bool covers(const struct plan_mount *m)
{
	return m->flags & (PLAN_MOUNT_COPY_UP | PLAN_MOUNT_TAKE_MODE | PLAN_MOUNT_TAKE_OWNER);
}

static err *new_file_system(const struct init *init, const struct plan_mount *m, int *ret_fd)
{
	const struct plan *p = init->plan;
	const char *type = plan_string(p, m->type);
	const char *source = plan_string(p, m->source);
	const plan_text *options = plan_items(p, m->options);
	auto_close int fs = k_fsopen(type);

	if (fs < 0)
		return err_errno("file system '%s'", type);
	if (source && !(m->flags & PLAN_MOUNT_FALLBACK) &&
	    k_fsconfig(fs, FSCONFIG_SET_STRING, "source", source) < 0)
		return fs_error(fs, "source", source);
	for (uint32_t i = 0; i < m->options.count; i++)
		TRY(set_option(fs, plan_string(p, options[i])));
	if (k_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
		return fs_error(fs, "new file system", type);
	int fd = k_fsmount(fs, (unsigned)(covers(m) ? m->set & ~(uint64_t)MOUNT_ATTR_RDONLY : m->set));
	if (fd < 0)
		return fs_error(fs, "mount file system", type);
	*ret_fd = fd;
	return NULL;
}

static err *set_attributes(int fd, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

	if (!set && !clear && !propagation)
		return NULL;
	return k_mount_setattr(fd, "", AT_EMPTY_PATH | flags, &attr) < 0 ? err_errno("set attributes") :
									  NULL;
}

static err *tree_of(const char *source, uint32_t flags, int *ret_fd)
{
	int fd = k_open_tree(AT_FDCWD, source,
			     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
				     (flags & PLAN_MOUNT_RECURSIVE ? AT_RECURSIVE : 0u) |
				     (flags & PLAN_MOUNT_SOURCE_LINK ? (unsigned)AT_SYMLINK_NOFOLLOW : 0u));

	if (fd < 0)
		return err_errno("open '%s'", source);
	*ret_fd = fd;
	return NULL;
}

static err *bind_tree(struct init *init, const struct plan_mount *m, int *ret_fd)
{
	uint64_t cut = m->flags & PLAN_MOUNT_SLAVE   ? MS_SLAVE :
		       m->flags & PLAN_MOUNT_PRIVATE ? MS_PRIVATE :
						       0;
	auto_close int fd = init_take_fd(init, m->fd);

	if (fd < 0)
		TRY(tree_of(plan_string(init->plan, m->source), m->flags, &fd));
	TRY(set_attributes(fd, AT_RECURSIVE, 0, 0, cut));
	TRY(set_attributes(fd, 0, m->set, m->clear, 0));
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

/* sysfs and mqueue belong to a network or ipc namespace: without owning it only a bind is possible. */
static err *source_tree(struct init *init, const struct plan_mount *m, int *ret_fd)
{
	if (m->kind == PLAN_MOUNT_BIND)
		return bind_tree(init, m, ret_fd);
	err *e = new_file_system(init, m, ret_fd);
	if (!e || !(m->flags & PLAN_MOUNT_FALLBACK) || e->code != EPERM)
		return e;
	err_free(e);
	auto_close int fd = -1;
	TRY(tree_of(plan_string(init->plan, m->source), PLAN_MOUNT_RECURSIVE, &fd));
	TRY(set_attributes(fd, 0, m->set, 0, 0));
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

static err *file_open(int root, const char *path, unsigned links, int *ret_fd);

/* A link in the image that leads to nothing gets what it leads to, inside the root: /etc/resolv.conf is such
 * a link in many images. mknod(2) neither follows a link nor opens what another process put there. */
static err *file_make(int root, const char *path, unsigned links, int *ret_fd)
{
	auto_close int parent = -1;
	char target[PATH_MAX];
	const char *name;

	TRY(path_make_parent(root, path, 0755, &parent, &name));
	if (mknodat(parent, name, S_IFREG | 0644, 0) < 0) {
		if (errno != EEXIST)
			return err_errno("make file '%s'", path);
		if (links > 0 && path_of_link(path, parent, name, target, sizeof target))
			return file_open(root, target, links - 1, ret_fd);
	}
	return path_open(root, path, PATH_IN_ROOT, O_PATH, 0, ret_fd);
}

static err *file_open(int root, const char *path, unsigned links, int *ret_fd)
{
	err *e = path_open(root, path, PATH_IN_ROOT, O_PATH, 0, ret_fd);

	if (!e || e->code != ENOENT)
		return e;
	err_free(e);
	return file_make(root, path, links, ret_fd);
}

err *destination_open(int root, const char *path, bool directory, int *ret_fd)
{
	return directory ? path_make_dirs(root, path, 0755, ret_fd)
			 : file_open(root, path, LINKS_MAX, ret_fd);
}

/* /proc and /sys: a link there would take masks, labels and sysctls somewhere else (CVE-2019-19921,
 * CVE-2023-27561). */
static err *strict_open(int root, const char *path, int *ret_fd)
{
	err *e = path_open(root, path, PATH_NO_LINKS, O_PATH | O_DIRECTORY, 0, ret_fd);

	if (e && e->code == ENOENT) {
		err_free(e);
		if (mkdirat(root, path + 1, 0755) < 0 && errno != EEXIST)
			return err_errno("make directory '%s'", path);
		e = path_open(root, path, PATH_NO_LINKS, O_PATH | O_DIRECTORY, 0, ret_fd);
	}
	if (e && (e->code == ENOTDIR || e->code == ELOOP))
		return err_wrap(e, "'%s' must be mounted on ordinary directory", path);
	return e;
}

static bool is_file_system(int fd, long magic)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (long)fs.f_type == magic;
}

/* Only the real thing at /proc and /sys; nothing below /proc but a few files that lxcfs fakes. */
static err *check_place(const struct plan_mount *m, int tree, int destination)
{
	if (!DEFENCE("proc-filesystem"))
		return NULL;
	if ((m->flags & PLAN_MOUNT_PROC) && !is_file_system(tree, PROC_SUPER_MAGIC))
		return err_new(EPERM, "only a proc file system may be mounted on '/proc'");
	if ((m->flags & PLAN_MOUNT_SYSFS) && !is_file_system(tree, SYSFS_MAGIC))
		return err_new(EPERM, "only a sysfs may be mounted on '/sys'");
	if (!(m->flags & (PLAN_MOUNT_PROC | PLAN_MOUNT_OVER_PROC)) &&
	    is_file_system(destination, PROC_SUPER_MAGIC))
		return err_new(EPERM, "cannot be mounted because it is inside /proc");
	return NULL;
}

static err *copy_up(int destination, int to)
{
	auto_close int from = openat(destination, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return err_wrap(from < 0 ? err_errno("open directory") : copy_tree(from, to), "tmpcopyup");
}

/* Mode and owner need no right to read the directory; its content does. */
static err *cover(const struct plan_mount *m, int tree, int destination)
{
	auto_close int to = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (to < 0)
		return err_errno("open new file system");
	if (fstat(destination, &st) < 0)
		return err_errno("look at directory");
	if (m->flags & PLAN_MOUNT_COPY_UP)
		TRY(copy_up(destination, to));
	/* Owner first: chown(2) drops set-id bits. */
	if ((m->flags & PLAN_MOUNT_TAKE_OWNER) && fchown(to, st.st_uid, st.st_gid) < 0)
		return err_errno("set owner");
	if ((m->flags & PLAN_MOUNT_TAKE_MODE) && fchmod(to, st.st_mode & 07777) < 0)
		return err_errno("set mode");
	return NULL;
}

static err *open_existing(int root, const char *path, int *ret_fd)
{
	err *e = path_open(root, path, PATH_IN_ROOT, O_PATH | O_DIRECTORY, 0, ret_fd);

	if (!e || e->code != ENOENT)
		return e;
	err_free(e);
	return NULL;
}

static err *set_label(const struct plan *p, int tree)
{
	const char *label = plan_string(p, p->mount_label);
	auto_close int root = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0 || (label && fsetxattr(root, "security.selinux", label, strlen(label), 0) < 0))
		return err_errno("linux.mountLabel");
	return NULL;
}

/* The destination as it is, also a link. */
static err *link_open(int root, const char *path, int *ret_fd)
{
	return path_open(root, path, PATH_IN_ROOT, O_PATH | O_NOFOLLOW, 0, ret_fd);
}

/* EINVAL alone would leave the caller to guess. */
static err *attach_error(int destination, bool directory)
{
	err *e = err_errno("attach");
	struct stat st;

	if (e->code != EINVAL || fstat(destination, &st) < 0 || S_ISDIR(st.st_mode) == directory)
		return e;
	err_free(e);
	return err_new(directory ? ENOTDIR : EISDIR, "the source is %s directory, the destination is %s",
		       directory ? "a" : "no", directory ? "none" : "one");
}

static err *attach(struct init *init, const struct plan_mount *m, int tree)
{
	const char *path = plan_string(init->plan, m->destination);
	auto_close int destination = -1;
	bool directory = m->kind == PLAN_MOUNT_FS; /* as every file system's root */
	struct stat st = { 0 };

	if (!directory && fstat(tree, &st) < 0)
		return err_errno("check source");
	if (m->flags & PLAN_MOUNT_LABEL)
		TRY(set_label(init->plan, tree));
	if (covers(m) && !(m->flags & PLAN_MOUNT_NO_LINKS))
		TRY(open_existing(init->root, path, &destination));
	/* What is yet to be made has nothing to give: then the tmpfs is as its options say. */
	bool existed = destination >= 0;
	if (!existed && (m->flags & PLAN_MOUNT_NO_LINKS) && DEFENCE("proc-links"))
		TRY(strict_open(init->root, path, &destination));
	else if (!existed && (m->flags & PLAN_MOUNT_PLACE_LINK))
		TRY(link_open(init->root, path, &destination));
	else if (!existed)
		TRY(destination_open(init->root, path, directory || S_ISDIR(st.st_mode), &destination));
	TRY(check_place(m, tree, destination));
	if (existed)
		TRY(cover(m, tree, destination));
	if (covers(m))
		TRY(set_attributes(tree, 0, m->set & MOUNT_ATTR_RDONLY, 0, 0));
	TRY(set_attributes(tree, AT_RECURSIVE, m->set_all, m->clear_all, 0));
	if (k_move_mount(tree, destination) < 0)
		return attach_error(destination, directory || S_ISDIR(st.st_mode));
	/* Propagation only once it is attached: a detached mount cannot be shared. */
	return set_attributes(tree, m->propagation & MS_REC ? AT_RECURSIVE : 0, 0, 0,
			      m->propagation & ~(uint64_t)MS_REC);
}

/* Options of the file system itself, for all who have it mounted. */
static err *reconfigure(const struct plan *p, const struct plan_mount *m, int fd)
{
	const plan_text *options = plan_items(p, m->options);
	auto_close int fs = k_fspick(fd);

	if (fs < 0)
		return err_errno("open file system");
	for (uint32_t i = 0; i < m->options.count; i++)
		TRY(set_option(fs, plan_string(p, options[i])));
	return k_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL) < 0 ? fs_error(fs, "change", "options")
									: NULL;
}

/* copy-symlink: the same link once more, or the same already. */
static err *make_link(struct init *init, const struct plan_mount *m)
{
	const char *target = plan_string(init->plan, m->source), *name;
	auto_close int parent = -1;
	char there[PATH_MAX];

	TRY(path_make_parent(init->root, plan_string(init->plan, m->destination), 0755, &parent, &name));
	if (symlinkat(target, parent, name) == 0)
		return NULL;
	if (errno != EEXIST)
		return err_errno("make link");
	ssize_t n = readlinkat(parent, name, there, sizeof there - 1);
	there[n > 0 ? n : 0] = '\0';
	return str_equal(there, target) ? NULL : err_new(EEXIST, "something else is there");
}

static err *remount(struct init *init, const struct plan_mount *m)
{
	auto_close int fd = -1;

	TRY(path_open(init->root, plan_string(init->plan, m->destination), PATH_IN_ROOT, O_PATH, 0,
		      &fd));
	if (m->options.count > 0)
		TRY(reconfigure(init->plan, m, fd));
	TRY(set_attributes(fd, 0, m->set, m->clear, 0));
	TRY(set_attributes(fd, AT_RECURSIVE, m->set_all, m->clear_all, 0));
	return set_attributes(fd, m->propagation & MS_REC ? AT_RECURSIVE : 0, 0, 0,
			      m->propagation & ~(uint64_t)MS_REC);
}

err *mount_row(struct init *init, const struct plan_mount *m, int *ret_tree)
{
	auto_close int tree = -1;

	if (m->kind == PLAN_MOUNT_REMOUNT)
		return remount(init, m);
	if (m->kind == PLAN_MOUNT_LINK)
		return make_link(init, m);
	TRY(source_tree(init, m, &tree));
	TRY(attach(init, m, tree));
	*ret_tree = TAKE_FD(tree);
	return NULL;
}

err *mount_error(err *e, const struct plan *p, const struct plan_mount *m)
{
	static const char *const words[] = {
		[PLAN_MOUNT_FS] = "mount",  [PLAN_MOUNT_BIND] = "bind",	     [PLAN_MOUNT_REMOUNT] = "remount",
		[PLAN_MOUNT_LINK] = "link", [PLAN_MOUNT_REMOVE] = "unmount",
	};
	const char *type = plan_string(p, m->type), *source = plan_string(p, m->source);
	const char *what = m->kind == PLAN_MOUNT_FS ? type : source;
	const char *from = m->kind == PLAN_MOUNT_FS && source && !str_equal(source, type) ? source : NULL;

	return err_wrap(e, "%s: %s %s%s%s%s%s%s%s'%s'", plan_string(p, m->label), words[m->kind],
			what ? "'" : "", what ? what : "", what ? "'" : "", from ? " of '" : "",
			from ? from : "", from ? "'" : "", what ? " on " : "",
			plan_string(p, m->destination));
}

/* Kept for the masks: the last one on a place is the one that is seen. */
static void keep_tree(struct init *init, const struct plan_mount *m, int *tree)
{
	int *kept = m->flags & PLAN_MOUNT_PROC	  ? &init->proc
		    : m->flags & PLAN_MOUNT_SYSFS ? &init->sys
						  : NULL;

	if (!kept || *tree < 0)
		return;
	fd_close(*kept);
	*kept = TAKE_FD(*tree);
}

err *init_mounts(void *data)
{
	struct init *init = data;
	const struct plan *p = init->plan;
	const struct plan_mount *mounts = plan_items(p, p->mounts);

	for (uint32_t i = 0; i < p->mounts.count; i++) {
		auto_close int tree = -1;

		TRY(mount_error(mount_row(init, &mounts[i], &tree), p, &mounts[i]));
		keep_tree(init, &mounts[i], &tree);
	}
	return NULL;
}
