/* cmd/stube-init/root.c: the container's root: attached, made read-only, pivoted into. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "cmd/stube-init/init.h"
#include "runtime/kernel.h"

/* <sys/mount.h> contradicts <linux/mount.h> on Debian 12. */
#define MNT_DETACH 2
int umount2(const char *target, int flags);

static err *set_propagation(int fd, unsigned flags, uint64_t propagation)
{
	struct mount_attr attr = { .propagation = propagation };

	if (k_mount_setattr(fd, fd == AT_FDCWD ? "/" : "", flags, &attr) < 0)
		return err_errno("set propagation");
	return NULL;
}

/* Where the root is attached until the pivot: on its own path, which hooks of engines expect; on "/" when
 * the container's user may not walk there. What is attached never depends on this path. */
static int open_point(const char *path)
{
	int fd = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 ? fd : openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

err *init_root(void *data)
{
	struct init *init = data;
	const struct plan *p = init->plan;
	const char *path = plan_string(p, p->root_path);
	/* Nothing that is mounted here may reach the host. */
	uint64_t cut = p->root_propagation & MS_PRIVATE ? MS_PRIVATE : MS_SLAVE;

	TRY(set_propagation(AT_FDCWD, AT_RECURSIVE, cut));
	int tree = init_take_fd(init, p->fd_root);
	if (tree < 0)
		tree = k_open_tree(AT_FDCWD, path,
				   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0)
		return err_errno("root.path: open '%s'", path);
	init->root = tree;
	TRY(set_propagation(tree, AT_EMPTY_PATH | AT_RECURSIVE, cut));
	auto_close int point = open_point(path);
	if (point < 0)
		return err_errno("open place of root");
	if (k_move_mount(tree, point) < 0)
		return err_errno("attach root '%s'", path);
	return NULL;
}

err *init_root_readonly(void *data)
{
	struct init *init = data;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (k_mount_setattr(init->root, "", AT_EMPTY_PATH, &attr) < 0)
		return err_errno("root.readonly");
	return NULL;
}

/* Without pivot_root(2), which an initramfs as the host's root refuses: cover "/" and chroot. */
static err *cover_root(int root)
{
	auto_close int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (slash < 0 || k_move_mount(root, slash) < 0)
		return err_errno("move root to '/'");
	if (fchdir(root) < 0 || chroot(".") < 0)
		return err_errno("chroot");
	return NULL;
}

static err *pivot(int root)
{
	if (fchdir(root) < 0)
		return err_errno("enter root");
	/* pivot_root(2), NOTES: the old root is stacked on the new one and taken away from there. */
	if (k_pivot_root(".", ".") < 0)
		return err_hint(err_errno("pivot_root"),
				"With an initramfs as the host's root use --no-pivot.");
	if (umount2(".", MNT_DETACH) < 0)
		return err_errno("detach the old root");
	return NULL;
}

err *init_pivot(void *data)
{
	struct init *init = data;
	uint32_t propagation = init->plan->root_propagation;

	TRY(init->plan->flags & PLAN_NO_PIVOT ? cover_root(init->root) : pivot(init->root));
	if (chdir("/") < 0)
		return err_errno("enter new root");
	/* Only now: a shared root cannot be pivoted into. */
	if (propagation & (MS_SHARED | MS_UNBINDABLE))
		TRY(err_wrap(set_propagation(AT_FDCWD, 0, propagation & ~(uint64_t)MS_REC),
			     "linux.rootfsPropagation"));
	return NULL;
}
