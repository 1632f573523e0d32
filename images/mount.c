/* images/mount.c: a container's root as overlay over its layers. */
#include "images/mount.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "images/mount-internal.h"
#include "images/tree.h"

#define UPPER     "upper"
#define UPPER_NEW "upper.new"
#define WORK      "work"
#define ATTACHED  ".attached-" /* temporary places below pins_fd */

/* As many as overlay takes. */
#define LOWERS_MAX 500

/* Of the text of one option, fsconfig(2). */
#define JOINED_MAX 256

struct lower {
	int fd;
	bool detached;
};

struct root {
	const struct image_root_options *options;
	struct lower *lowers; /* uppermost first, as overlay wants them */
	size_t count;
	int upper_fd, work_fd;
	bool joined; /* all lower layers in one option */
};

static void cleanup_root(struct root *r)
{
	for (size_t i = 0; i < r->count; i++)
		fd_close(r->lowers[i].fd);
	free(r->lowers);
	fd_close(r->upper_fd);
	fd_close(r->work_fd);
}

static err *open_layer(const struct image_root_options *o, size_t i, struct lower *ret)
{
	auto_close int fd = -1;
	int userns_fd = o->extract.user_namespace ? -1 : o->userns_fd;

	if (o->trees)
		TRY(layer_tree_ensure(o->layer_fds[i], &o->extract, &fd));
	else
		TRY(index_mount(o->layer_fds[i], o->layer_names[i], o->pins_fd, &fd));
	*ret = (struct lower){ .detached = !o->trees && o->pins_fd < 0 };
	if (userns_fd < 0) {
		ret->fd = TAKE_FD(fd);
		return NULL;
	}
	ret->detached = true;
	return mount_clone(fd, userns_fd, &ret->fd);
}

/* Overlay merges the roots of all layers and does not look whether one of them is opaque. */
static bool hides_lower(const struct image_root_options *o, int fd)
{
	const char *name = o->extract.user_namespace ? "user.overlay.opaque" : "trusted.overlay.opaque";
	char path[PATH_FD_MAX], value;

	return getxattr(path_of_fd(fd, path), name, &value, 1) == 1 && value == 'y';
}

/* Overlay wants two directories: with a single layer and nothing to write, or no layer, an empty one more. */
static err *add_empty(struct root *r)
{
	auto_close int fs = -1;
	struct lower *l = &r->lowers[r->count];

	TRY(fs_open("tmpfs", &fs));
	TRY(fs_set(fs, "mode", "0755"));
	TRY(fs_set(fs, "size", "4096"));
	TRY(fs_mount(fs, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, &l->fd));
	l->detached = true;
	r->count++;
	return NULL;
}

static err *open_lowers(struct root *r)
{
	const struct image_root_options *o = r->options;

	if (o->layer_count > LOWERS_MAX - 1)
		return err_new(EINVAL, "%zu layers are more than the kernel takes", o->layer_count);
	r->lowers = calloc(o->layer_count + 2, sizeof *r->lowers);
	if (!r->lowers)
		return err_oom();
	for (size_t i = o->layer_count; i-- > 0;) {
		TRY(err_wrap(open_layer(o, i, &r->lowers[r->count]), "layer %s",
			     o->layer_names ? o->layer_names[i] : "of the image"));
		r->count++;
		if (hides_lower(o, r->lowers[r->count - 1].fd))
			break;
	}
	size_t least = o->state_fd >= 0 ? 1 : 2;
	while (r->count < least)
		TRY(err_wrap(add_empty(r), "empty layer"));
	return NULL;
}

/* Attributes of the uppermost layer's root that a merged directory would show if upper had none. */
static err *copy_xattrs(int from, int to)
{
	char from_path[PATH_FD_MAX], to_path[PATH_FD_MAX], names[4096];
	auto_free char *value = malloc(UINT16_MAX);

	if (!value)
		return err_oom();
	path_of_fd(from, from_path);
	path_of_fd(to, to_path);
	ssize_t len = listxattr(from_path, names, sizeof names);
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
		if (!tree_keeps_xattr(names + at, S_IFDIR))
			continue;
		ssize_t n = getxattr(from_path, names + at, value, UINT16_MAX);
		if (n >= 0 && setxattr(to_path, names + at, value, (size_t)n, 0) < 0 && errno != EPERM)
			return err_errno("copy attribute '%s'", names + at);
	}
	return NULL;
}

/* The upper directory is the merged root's inode: it must look as the uppermost layer's root does. */
static err *dress_upper(int upper_fd, int layer_fd)
{
	struct stat st;

	if (fstat(layer_fd, &st) < 0)
		return err_errno("stat layer");
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, st.st_mtim };
	if (fchown(upper_fd, st.st_uid, st.st_gid) < 0)
		return err_errno("set owner");
	if (fchmod(upper_fd, st.st_mode & 07777) < 0)
		return err_errno("set mode");
	TRY(copy_xattrs(layer_fd, upper_fd));
	return futimens(upper_fd, times) < 0 ? err_errno("set time") : NULL;
}

static err *make_dir(int dir_fd, const char *name, int *ret_fd)
{
	if (mkdirat(dir_fd, name, 0700) < 0)
		return err_errno("make directory '%s'", name);
	*ret_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? err_errno("open directory '%s'", name) : NULL;
}

/* Scratch of one mount; the mark of an earlier volatile one, also of one that failed, would forbid the next. */
static err *renew_work(struct root *r)
{
	int state_fd = r->options->state_fd;

	fd_clear(&r->work_fd);
	TRY(path_remove_all(state_fd, WORK));
	return make_dir(state_fd, WORK, &r->work_fd);
}

static err *open_upper(struct root *r)
{
	int state_fd = r->options->state_fd;

	r->upper_fd = openat(state_fd, UPPER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->upper_fd < 0 && errno != ENOENT)
		return err_errno("open directory '%s'", UPPER);
	if (r->upper_fd < 0) {
		TRY(path_remove_all(state_fd, UPPER_NEW));
		TRY(make_dir(state_fd, UPPER_NEW, &r->upper_fd));
		TRY(dress_upper(r->upper_fd, r->lowers[0].fd));
		if (renameat(state_fd, UPPER_NEW, state_fd, UPPER) < 0)
			return err_errno("rename '%s'", UPPER_NEW);
	}
	return renew_work(r);
}

/* By descriptor since Linux 6.13, by name before; no name of ours can be replaced by anybody. */
static err *set_dir(int fs, const char *key, int fd)
{
	char path[PATH_FD_MAX];

	if (fsconfig(fs, FSCONFIG_SET_FD, key, NULL, fd) == 0)
		return NULL;
	return fs_set(fs, key, path_of_fd(fd, path));
}

/* One option has room for 255 bytes, and names of another directory than the working one are long. The working directory
 * becomes this thread's own first; overlay finds the layers when it is told of them, or (before 6.5) when it mounts. */
static err *mount_joined(const struct root *r, int fs, unsigned attributes, int *ret_mount_fd)
{
	auto_str struct str names = STR_INIT(JOINED_MAX);
	auto_close int back = -1;

	for (size_t i = 0; i < r->count; i++)
		str_addf(&names, "%s%d", i ? ":" : "", r->lowers[i].fd);
	if (names.failed || names.len >= JOINED_MAX)
		return err_new(E2BIG, "%zu layers are more than this kernel takes", r->count);
	if (unshare(CLONE_FS) < 0)
		return err_errno("unshare the working directory");
	back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (back < 0 || chdir("/proc/self/fd") < 0)
		return err_errno("change to '/proc/self/fd'");
	err *e = fs_set(fs, "lowerdir", names.data);
	if (!e)
		e = fs_mount(fs, attributes, ret_mount_fd);
	if (fchdir(back) < 0 && !e)
		e = err_errno("change back to the working directory");
	return e;
}

static err *set_lowers(const struct root *r, int fs)
{
	for (size_t i = 0; i < r->count; i++)
		TRY(set_dir(fs, "lowerdir+", r->lowers[i].fd));
	return NULL;
}

/* What an image could otherwise use to steer overlay is off: redirects and metadata-only copies. */
static err *mount_overlay(const struct root *r, int *ret_mount_fd)
{
	const struct image_root_options *o = r->options;
	auto_close int fs = -1;
	unsigned attributes = (o->devices ? 0 : MOUNT_ATTR_NODEV) | (o->state_fd < 0 ? MOUNT_ATTR_RDONLY : 0);

	TRY(fs_open("overlay", &fs));
	TRY(fs_set(fs, "source", "stube"));
	if (!r->joined)
		TRY(set_lowers(r, fs));
	if (o->state_fd >= 0) {
		TRY(set_dir(fs, "upperdir", r->upper_fd));
		TRY(set_dir(fs, "workdir", r->work_fd));
	}
	if (o->extract.user_namespace)
		TRY(fs_set(fs, "userxattr", NULL));
	if (o->volatile_upper && o->state_fd >= 0)
		TRY(fs_set(fs, "volatile", NULL));
	TRY(fs_set(fs, "redirect_dir", "nofollow"));
	TRY(fs_set(fs, "metacopy", "off"));
	TRY(fs_set(fs, "index", "off"));
	TRY(fs_set(fs, "xino", "auto"));
	return r->joined ? mount_joined(r, fs, attributes, ret_mount_fd) : fs_mount(fs, attributes, ret_mount_fd);
}

/* Linux before 6.8 lacks the option; before 6.5 it takes any, and says EINVAL when it comes to mount. */
static bool takes_lower_by_lower(void)
{
	auto_close int fs = fsopen("overlay", FSOPEN_CLOEXEC);

	return fs < 0 || (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", "/proc/self/none", 0) < 0 && errno == ENOENT);
}

static err *mount_again(struct root *r, int *ret_mount_fd)
{
	if (r->options->state_fd >= 0)
		TRY(renew_work(r));
	return mount_overlay(r, ret_mount_fd);
}

static err *mount_layers(struct root *r, int *ret_mount_fd)
{
	err *e = mount_overlay(r, ret_mount_fd);

	if (!e || e->code != EINVAL || r->joined || takes_lower_by_lower())
		return e;
	err_free(e);
	r->joined = true;
	return mount_again(r, ret_mount_fd);
}

/* ---- kernels before 6.15: overlay takes only what is attached in the caller's mount namespace ---- */

static bool any_detached(const struct root *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->lowers[i].detached)
			return true;
	return false;
}

static void attach_name(char out[static 32], size_t i)
{
	snprintf(out, 32, ATTACHED "%zu", i);
}

static err *attach(const struct root *r)
{
	int pins_fd = r->options->pins_fd;
	char name[32];

	for (size_t i = 0; i < r->count; i++) {
		if (!r->lowers[i].detached)
			continue;
		attach_name(name, i);
		if (mkdirat(pins_fd, name, 0700) < 0 && errno != EEXIST)
			return err_errno("make directory '%s'", name);
		if (move_mount(r->lowers[i].fd, "", pins_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return err_errno("attach layer");
	}
	return NULL;
}

static void detach(const struct root *r)
{
	int pins_fd = r->options->pins_fd;
	char path[PATH_FD_MAX + 32], dir[PATH_FD_MAX], name[32];

	for (size_t i = 0; i < r->count; i++) {
		if (!r->lowers[i].detached)
			continue;
		attach_name(name, i);
		snprintf(path, sizeof path, "%s/%s", path_of_fd(pins_fd, dir), name);
		umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
		unlinkat(pins_fd, name, AT_REMOVEDIR);
	}
}

static err *mount_attached(struct root *r, int *ret_mount_fd)
{
	auto_close int lock_fd = -1;

	TRY(pins_lock(r->options->pins_fd, &lock_fd));
	err *e = attach(r);
	if (!e)
		e = mount_again(r, ret_mount_fd);
	detach(r);
	return e;
}

err *image_root_mount(const struct image_root_options *options, int *ret_mount_fd)
{
	__attribute__((cleanup(cleanup_root))) struct root r = {
		.options = options,
		.upper_fd = -1,
		.work_fd = -1,
		.joined = options->join_layers,
	};

	TRY(open_lowers(&r));
	if (options->state_fd >= 0)
		TRY(err_wrap(open_upper(&r), "upper layer"));
	err *e = options->attach_layers ? NULL : mount_layers(&r, ret_mount_fd);
	bool retry = options->attach_layers || (e && e->code == EINVAL);
	if (retry && options->pins_fd >= 0 && any_detached(&r)) {
		err_free(e);
		e = mount_attached(&r, ret_mount_fd);
	}
	return err_wrap(e, "root of layers");
}

err *image_root_remove(int state_fd)
{
	TRY(path_remove_all(state_fd, WORK));
	TRY(path_remove_all(state_fd, UPPER_NEW));
	return path_remove_all(state_fd, UPPER);
}
