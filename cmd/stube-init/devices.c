/* cmd/stube-init/devices.c: device nodes and links in the container's /dev. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "cmd/stube-init/init.h"
#include "runtime/kernel.h"

static bool same_node(const struct stat *st, const struct plan_device *d)
{
	if ((st->st_mode & S_IFMT) != (d->mode & S_IFMT))
		return false;
	return S_ISFIFO(st->st_mode) || st->st_rdev == makedev(d->major, d->minor);
}

/* What an image put there is replaced, never used or followed (CVE-2026-88264). */
static err *clear_name(int parent, const char *name)
{
	return unlinkat(parent, name, 0) < 0 && errno != ENOENT ? err_errno("replace") : NULL;
}

/* Of `mounts` in config.json: nobody else mounts in this namespace. Callers bind devices of the host so, beside a user
 * namespace above all; what is mounted on a name of /dev stays, as with runc and crun. */
static bool is_mounted(int parent, const char *name)
{
	/* As struct statx of <linux/stat.h>, which musl hides; MOUNT_ROOT since Linux 5.8. */
	enum { NO_AUTOMOUNT = 0x800, MOUNT_ROOT = 0x2000 };
	struct {
		uint32_t mask, block_size;
		uint64_t attributes, rest[30];
	} st;

	_Static_assert(sizeof st == 256, "struct statx");
	return syscall(SYS_statx, parent, name, AT_SYMLINK_NOFOLLOW | NO_AUTOMOUNT, 0, &st) == 0 &&
	       (st.attributes & MOUNT_ROOT);
}

/* Ends the error of an attempt to replace what is mounted there. */
static err *leave_mounted(err *e, int parent, const char *name)
{
	if (!e || e->code != EBUSY || !is_mounted(parent, name))
		return e;
	err_free(e);
	return NULL;
}

/* EPERM is returned as it is: the caller may bind instead. */
static err *make_node(int parent, const char *name, const struct plan_device *d)
{
	dev_t number = makedev(d->major, d->minor);
	struct stat st;

	if (mknodat(parent, name, d->mode, number) < 0) {
		if (errno != EEXIST || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_errno("make node");
		if (same_node(&st, d))
			return NULL;
		TRY(clear_name(parent, name));
		if (mknodat(parent, name, d->mode, number) < 0)
			return err_errno("make node");
	}
	if ((d->uid || d->gid) && fchownat(parent, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno("set owner");
	return NULL;
}

/* The host's node of the same path, if it really is that device. */
static err *bind_node(int parent, const char *name, const char *path, const struct plan_device *d)
{
	struct stat st;
	auto_close int tree = k_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0 || fstat(tree, &st) < 0)
		return err_errno("open the host's '%s'", path);
	if (!same_node(&st, d))
		return err_new(EPERM, "the host's '%s' is another device, and none may be made here",
			       path);
	TRY(clear_name(parent, name));
	auto_close int made = openat(parent, name, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0644);
	auto_close int place = made < 0 ? -1 :
					  openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (place < 0)
		return err_errno("make place for node");
	return k_move_mount(tree, place) < 0 ? err_errno("bind the host's node") : NULL;
}

/* The directory of the device before, which is nearly always that of the next one too. */
struct parent {
	const char *path;
	size_t len;
	int fd;
};

static err *open_parent(struct init *init, struct parent *p, const char *path, const char **ret_name)
{
	const char *name = strrchr(path, '/') + 1;
	size_t len = (size_t)(name - path);

	*ret_name = name;
	if (p->fd >= 0 && p->len == len && memcmp(p->path, path, len) == 0 && path_is_name(name))
		return NULL;
	fd_clear(&p->fd);
	*p = (struct parent){ path, len, -1 };
	return path_make_parent(init->root, path, 0755, &p->fd, ret_name);
}

static err *make_or_bind(const struct init *init, int parent, const char *name, const char *path,
			 const struct plan_device *d)
{
	if (!(init->plan->flags & PLAN_BIND_DEVICES)) {
		err *e = make_node(parent, name, d);
		if (!e || e->code != EPERM)
			return e;
		err_free(e);
	}
	return bind_node(parent, name, path, d);
}

static err *make_device(struct init *init, const struct plan_device *d, struct parent *parent)
{
	const char *path = plan_string(init->plan, d->path);
	const char *name;

	TRY(open_parent(init, parent, path, &name));
	return leave_mounted(make_or_bind(init, parent->fd, name, path, d), parent->fd, name);
}

/* clang-format off */
static const struct {
	const char *name, *target;
	bool replace; /* what is there is the image's and useless */
} links[] = {
	{ "fd",     "/proc/self/fd",   false },
	{ "stdin",  "/proc/self/fd/0", false },
	{ "stdout", "/proc/self/fd/1", false },
	{ "stderr", "/proc/self/fd/2", false },
	{ "ptmx",   "pts/ptmx",        true },
};
/* clang-format on */

static err *make_links(struct init *init)
{
	auto_close int dev = -1;

	TRY(path_make_dirs(init->root, "/dev", 0755, &dev));
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		if (links[i].replace)
			TRY(leave_mounted(clear_name(dev, links[i].name), dev, links[i].name));
		if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST)
			return err_errno("make link '/dev/%s'", links[i].name);
	}
	return NULL;
}

err *init_devices(void *data)
{
	struct init *init = data;
	const struct plan *p = init->plan;
	const struct plan_device *devices = plan_items(p, p->devices);
	const char *cwd = plan_string(p, p->process.cwd);
	struct parent parent = { .fd = -1 };
	err *e = NULL;

	for (uint32_t i = 0; i < p->devices.count && !e; i++)
		e = err_wrap(make_device(init, &devices[i], &parent), "%s: device '%s'",
			     plan_string(p, devices[i].label), plan_string(p, devices[i].path));
	fd_close(parent.fd);
	TRY(e);
	if (p->flags & PLAN_DEV)
		TRY(make_links(init));
	/* A missing working directory is made while that is allowed, as runc does; whether it can be
	 * used is seen later, as the user. */
	if ((p->flags & PLAN_MAKE_CWD) && !str_equal(cwd, "/")) {
		int fd = -1;

		IGNORE(path_make_dirs(init->root, cwd, 0755, &fd));
		fd_close(fd);
	}
	return NULL;
}
