/* cmd/stube-init/paths.c: masked and read-only paths. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/fd.h"
#include "base/path.h"
#include "cmd/stube-init/init.h"
#include "runtime/kernel.h"

/* What covers: files get the null device, directories one empty directory that all share. */
struct covers {
	int null;  /* the host's /dev/null, verified */
	int empty; /* attached on the first masked directory */
	const char *label; /* linux.mountLabel where SELinux is, or NULL */
	int root; /* the container's */
};

/* CVE-2025-31133: the host's, by descriptor, and only if it is the null device. root: the container's, whose
 * /dev/null is never asked. */
static err *open_null(int root, int *ret_fd)
{
	struct stat st;
	auto_close int fd = DEFENCE("null-device")
				    ? openat(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC)
				    : openat(root, "dev/null", O_PATH | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno("open '/dev/null'");
	if (DEFENCE("null-device") && (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)))
		return err_new(EINVAL, "the host's '/dev/null' is not the null device");
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

static err *new_empty(const char *label, int *ret_fd)
{
	auto_close int fs = k_fsopen("tmpfs");

	if (fs < 0 || k_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755") < 0 ||
	    k_fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "1") < 0 ||
	    (label && k_fsconfig(fs, FSCONFIG_SET_STRING, "context", label) < 0) ||
	    k_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
		return err_errno("make empty directory");
	int fd = k_fsmount(fs, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				       MOUNT_ATTR_NOEXEC);
	if (fd < 0)
		return err_errno("mount empty directory");
	*ret_fd = fd;
	return NULL;
}

static err *clone_of(int fd, int *ret_fd)
{
	int tree = k_open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (tree < 0)
		return err_errno("clone cover");
	*ret_fd = tree;
	return NULL;
}

static err *mask(struct covers *covers, int place)
{
	auto_close int tree = -1;
	struct stat st;

	if (fstat(place, &st) < 0)
		return err_errno("check");
	if (!S_ISDIR(st.st_mode)) {
		if (covers->null < 0)
			TRY(open_null(covers->root, &covers->null));
		TRY(clone_of(covers->null, &tree));
	} else if (covers->empty >= 0) {
		TRY(clone_of(covers->empty, &tree));
	} else {
		TRY(new_empty(covers->label, &tree));
	}
	if (k_move_mount(tree, place) < 0)
		return err_errno("attach");
	if (S_ISDIR(st.st_mode) && covers->empty < 0)
		covers->empty = TAKE_FD(tree);
	return NULL;
}

static err *make_readonly(int place)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	/* What is a mount is changed as it is: a cover on /proc would hide it from the masks that follow. */
	if (k_mount_setattr(place, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) == 0)
		return NULL;
	if (errno != EINVAL)
		return err_errno("set read-only");
	auto_close int tree =
		k_open_tree(place, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (tree < 0)
		return err_errno("clone");
	if (k_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0)
		return err_errno("set read-only");
	return k_move_mount(tree, place) < 0 ? err_errno("attach") : NULL;
}

/* Below /proc and /sys it is the mount itself that counts: a container that shares the root can move the
 * directory away, mount and all, and put a link to something else there (CVE-2019-19921). */
static int root_of(const struct init *init, const char **path)
{
	const struct {
		const char *place;
		int tree;
	} kept[] = { { "/proc", init->proc }, { "/sys", init->sys } };

	for (size_t i = 0; i < ARRAY_LEN(kept) && DEFENCE("paths-by-mount") && !strstr(*path, ".."); i++) {
		size_t len = strlen(kept[i].place);

		if (kept[i].tree < 0 || !str_starts_with(*path, kept[i].place) ||
		    ((*path)[len] && (*path)[len] != '/'))
			continue;
		*path += len;
		return kept[i].tree;
	}
	return init->root;
}

/* A path that is not there needs no cover. */
static err *open_place(const struct init *init, const char *path, int *ret_fd)
{
	int root = root_of(init, &path);
	err *e = path_open(root, path, PATH_IN_ROOT, O_PATH, 0, ret_fd);

	if (e && (e->code == ENOENT || e->code == ENOTDIR)) {
		err_free(e);
		return NULL;
	}
	return e;
}

err *init_paths(void *data)
{
	struct init *init = data;
	const struct plan *p = init->plan;
	const plan_text *masked = plan_items(p, p->masked);
	const plan_text *readonly = plan_items(p, p->readonly);
	struct covers covers = { -1, -1, plan_string(p, p->mount_label), init->root };
	err *e = NULL;

	/* Read-only first: a mask below a read-only path must not be covered by its clone. */
	for (uint32_t i = 0; i < p->readonly.count && !e; i++) {
		const char *path = plan_string(p, readonly[i]);
		auto_close int place = -1;

		e = open_place(init, path, &place);
		if (!e && place >= 0)
			e = make_readonly(place);
		e = err_wrap(e, "linux.readonlyPaths[%u]: '%s'", i, path);
	}
	for (uint32_t i = 0; i < p->masked.count && !e; i++) {
		const char *path = plan_string(p, masked[i]);
		auto_close int place = -1;

		e = open_place(init, path, &place);
		if (!e && place >= 0)
			e = mask(&covers, place);
		e = err_wrap(e, "linux.maskedPaths[%u]: '%s'", i, path);
	}
	fd_close(covers.null);
	fd_close(covers.empty);
	return e;
}
