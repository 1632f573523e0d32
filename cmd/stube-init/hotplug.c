/* cmd/stube-init/hotplug.c: mounts that come and go in a container that runs.
 *
 * Its processes may rename, link and mount at the same time. So each path is resolved once, inside the
 * root, and everything else is done to the descriptor. What was mounted is known by its mount id, which
 * no process can give to another mount. Kernel: statx(2), umount2(2). */
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "cmd/stube-init/init.h"
#include "runtime/kernel.h"
#include "runtime/steps.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000 /* Linux 6.8: never used twice */
#endif
#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif
/* <sys/mount.h> contradicts <linux/mount.h> on Debian 12. */
#define MNT_DETACH 2
int umount2(const char *target, int flags);

/* The id of the mount that `fd` lies on. *ret_root: `fd` is where that mount begins. */
static err *mount_id(int fd, uint64_t *ret, bool *ret_root)
{
	/* As struct statx of <linux/stat.h> since Linux 5.8; musl's headers may hide or rename it. */
	struct {
		uint32_t mask, blksize;
		uint64_t attributes;
		uint32_t counts[4];
		uint64_t sizes[3], attributes_mask;
		uint64_t times[8];
		uint32_t devices[4];
		uint64_t mnt_id;
		uint64_t spare[13];
	} st = { 0 };

	_Static_assert(sizeof st == 256, "struct statx");
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID_UNIQUE, &st) < 0)
		return err_errno("look at mount");
	if (!(st.mask & STATX_MNT_ID_UNIQUE) &&
	    syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return err_errno("look at mount");
	if (!(st.mask & (STATX_MNT_ID | STATX_MNT_ID_UNIQUE)))
		return err_new(ENOSYS, "this kernel does not tell the ids of mounts (Linux 5.8 does)");
	*ret = st.mnt_id;
	*ret_root = st.attributes & STATX_ATTR_MOUNT_ROOT;
	return NULL;
}

/* umount2(2) knows no descriptors: through the runtime's own, verified /proc. Whoever uses what lies there
 * keeps it; the descriptor itself is such a user, so nothing but a lazy unmount is possible. */
static err *unmount(struct init *init, int fd)
{
	char path[32];

	if (fchdir(init_fd(init, init->plan->fd_proc)) < 0)
		return err_errno("enter '/proc'");
	snprintf(path, sizeof path, "self/fd/%d", fd);
	return umount2(path, MNT_DETACH) < 0 ? err_errno("unmount") : NULL;
}

/* ---- add ---- */

/* All or none: the rows before a failure are taken back. */
static err *add_all(struct init *init, const struct plan_mount *mounts, int *trees, uint64_t *ids)
{
	const struct plan *p = init->plan;

	for (uint32_t i = 0; i < p->mounts.count; i++) {
		bool root;

		err *e = mount_row(init, &mounts[i], &trees[i]);
		if (!e)
			e = mount_id(trees[i], &ids[i], &root);
		if (!e)
			continue;
		/* One that is attached but not known by its id goes as well. */
		for (uint32_t k = trees[i] >= 0 ? i + 1 : i; k-- > 0;)
			IGNORE(unmount(init, trees[k]));
		return mount_error(e, p, &mounts[i]);
	}
	return NULL;
}

/* ---- remove ---- */

static err *open_added(struct init *init, const struct plan_mount *m, int *ret_fd)
{
	auto_close int fd = -1;
	uint64_t id;
	bool root;

	TRY(path_open(init->root, plan_string(init->plan, m->destination), PATH_IN_ROOT, O_PATH, 0, &fd));
	TRY(mount_id(fd, &id, &root));
	if (!root || id != m->set)
		return err_new(ESTALE, "what is there now is not the mount that was added");
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

static bool is_covered(const struct plan *p, const struct plan_mount *mounts, uint32_t i)
{
	for (uint32_t k = i + 1; k < p->mounts.count; k++)
		if (str_equal(plan_string(p, mounts[k].destination), plan_string(p, mounts[i].destination)))
			return true;
	return false;
}

/* All are looked at before the first goes; then the last goes first, as it may lie on an earlier one. */
static err *remove_all(struct init *init, const struct plan_mount *mounts, uint64_t *ids)
{
	const struct plan *p = init->plan;

	for (uint32_t i = 0; i < p->mounts.count; i++) {
		auto_close int fd = -1;

		if (!is_covered(p, mounts, i))
			TRY(mount_error(open_added(init, &mounts[i], &fd), p, &mounts[i]));
	}
	for (uint32_t i = p->mounts.count; i-- > 0;) {
		auto_close int fd = -1;

		err *e = open_added(init, &mounts[i], &fd);
		if (!e)
			e = unmount(init, fd);
		TRY(mount_error(e, p, &mounts[i]));
		ids[i] = mounts[i].set;
	}
	return NULL;
}

/* ids: what was added, or removed; 0 where nothing was. They are told before an error is. */
err *init_hotplug(void *data)
{
	struct init *init = data;
	const struct plan_list list = init->plan->mounts;
	const struct plan_mount *mounts = plan_items(init->plan, list);
	auto_free uint64_t *ids = calloc(list.count + 1, sizeof *ids);
	auto_free int *trees = calloc(list.count + 1, sizeof *trees);
	err *e;

	if (!ids || !trees)
		return err_oom();
	memset(trees, 0xff, (list.count + 1) * sizeof *trees);
	if (list.count > 0 && mounts[0].kind == PLAN_MOUNT_REMOVE) {
		e = remove_all(init, mounts, ids);
	} else {
		e = add_all(init, mounts, trees, ids);
		if (e)
			memset(ids, 0, list.count * sizeof *ids);
	}
	err *sent = walk_send_result(init->sock, ids, list.count * sizeof *ids);
	if (!e)
		return sent;
	err_free(sent);
	return e;
}
