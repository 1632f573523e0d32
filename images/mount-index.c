/* images/mount-index.c: a layer's index, mounted once per node and pinned in a directory. */
#include "images/mount.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "images/mount-internal.h"

#define PIN_NAME_MAX 256

/* Pins carry no privilege by themselves; a container's root gets its own attributes. */
#define PIN_ATTRIBUTES (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)

static err *mount_files(int index_fd, int tar_fd, int *ret_mount_fd)
{
	auto_close int fs = -1;
	char path[PATH_FD_MAX];

	TRY(fs_open("erofs", &fs));
	TRY(fs_set(fs, "source", path_of_fd(index_fd, path)));
	TRY(fs_set(fs, "device", path_of_fd(tar_fd, path)));
	TRY(fs_set(fs, "ro", NULL));
	return fs_mount(fs, PIN_ATTRIBUTES, ret_mount_fd);
}

static err *open_file(int layer_fd, const char *name, int *ret_fd)
{
	int fd = openat(layer_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_errno("open '%s'", name);
	*ret_fd = fd;
	return NULL;
}

err *pins_lock(int pins_fd, int *ret_fd)
{
	/* An open file of our own, so that closing it unlocks whatever else the caller holds. */
	auto_close int fd = openat(pins_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int status;

	if (fd < 0)
		return err_errno("open directory of pins");
	do
		status = flock(fd, LOCK_EX);
	while (status < 0 && errno == EINTR);
	if (status < 0)
		return err_errno("lock directory of pins");
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

/* "NAME.DEVICE-INODE" of the index: a repaired index, or another store with a damaged one, never meets an
 * old pin. The pin holds the file, so that its number cannot be given away meanwhile. */
static err *pin_name(const char *layer_name, int index_fd, char out[static PIN_NAME_MAX])
{
	struct stat st;

	if (fstat(index_fd, &st) < 0)
		return err_errno("stat '%s'", LAYER_INDEX);
	int n = snprintf(out, PIN_NAME_MAX, "%s.%x:%x-%llx", layer_name, major(st.st_dev), minor(st.st_dev),
			 (unsigned long long)st.st_ino);
	if (n < 0 || n >= PIN_NAME_MAX || !path_is_name(out))
		return err_new(EINVAL, "'%s' cannot name a pin", layer_name);
	return NULL;
}

/* A directory on which an index is mounted, in our mount namespace. */
static bool is_pinned(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == EROFS_SUPER_MAGIC_V1;
}

static int open_pin(int pins_fd, const char *name)
{
	return openat(pins_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static err *pin(int pins_fd, const char *name, int index_fd, int layer_fd, int *ret_mount_fd)
{
	auto_close int lock_fd = -1, tar_fd = -1;

	TRY(pins_lock(pins_fd, &lock_fd));
	auto_close int fd = open_pin(pins_fd, name);
	if (fd >= 0 && is_pinned(fd)) {
		*ret_mount_fd = TAKE_FD(fd);
		return NULL;
	}
	if (fd < 0 && mkdirat(pins_fd, name, 0700) < 0)
		return err_errno("make pin '%s'", name);
	fd_clear(&fd);
	TRY(open_file(layer_fd, LAYER_TAR, &tar_fd));
	auto_close int mount_fd = -1;
	TRY(mount_files(index_fd, tar_fd, &mount_fd));
	if (move_mount(mount_fd, "", pins_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno("attach pin '%s'", name);
	*ret_mount_fd = TAKE_FD(mount_fd);
	return NULL;
}

err *index_mount(int layer_fd, const char *layer_name, int pins_fd, int *ret_mount_fd)
{
	auto_close int index_fd = -1, tar_fd = -1;
	char name[PIN_NAME_MAX];

	TRY(open_file(layer_fd, LAYER_INDEX, &index_fd));
	if (pins_fd >= 0) {
		TRY(pin_name(layer_name, index_fd, name));
		return pin(pins_fd, name, index_fd, layer_fd, ret_mount_fd);
	}
	TRY(open_file(layer_fd, LAYER_TAR, &tar_fd));
	return mount_files(index_fd, tar_fd, ret_mount_fd);
}

bool image_index_supported(int dir_fd)
{
	auto_close int tar_fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	auto_close int index_fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	auto_close int mount_fd = -1;

	if (tar_fd < 0 || index_fd < 0)
		return false;
	err *e = layer_index_build(tar_fd, index_fd, NULL, NULL);
	if (!e)
		e = mount_files(index_fd, tar_fd, &mount_fd);
	err_free(e);
	return !e;
}

/* One entry of the directory of pins; *ret_gone says whether a mount was taken away. */
static err *release(int pins_fd, const char *name, bool (*keep)(const char *, void *), void *arg, bool *ret_gone)
{
	const char *dot = strrchr(name, '.');
	auto_free char *layer = dot ? strndup(name, (size_t)(dot - name)) : strdup(name);
	char path[PATH_FD_MAX + PIN_NAME_MAX], dir[PATH_FD_MAX];

	if (!layer)
		return err_oom();
	if (keep && keep(layer, arg))
		return NULL;
	int n = snprintf(path, sizeof path, "%s/%s", path_of_fd(pins_fd, dir), name);
	if (n < 0 || (size_t)n >= sizeof path)
		return err_new(EINVAL, "'%s' is no pin", name);
	auto_close int fd = open_pin(pins_fd, name);
	bool pinned = fd >= 0 && is_pinned(fd);
	fd_clear(&fd);
	/* Roots hold clones of their own: detaching the pin takes nothing from them. */
	if (pinned && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return err_errno("unmount pin '%s'", name);
	/* Busy means: mounted in another mount namespace, whose agent will come for it. */
	if (unlinkat(pins_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT && errno != EBUSY && errno != ENOTDIR)
		return err_errno("remove pin '%s'", name);
	*ret_gone = pinned;
	return NULL;
}

err *image_pins_release(int pins_fd, bool (*keep)(const char *layer_name, void *arg), void *arg,
			size_t *ret_count)
{
	auto_close int lock_fd = -1;
	err *failure = NULL;
	size_t count = 0;
	struct dirent *entry;

	TRY(pins_lock(pins_fd, &lock_fd));
	int fd = openat(pins_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		failure = err_errno("read directory of pins");
		fd_close(fd);
		return failure;
	}
	while (!failure && (entry = readdir(dir))) {
		bool gone = false;
		if (!path_is_name(entry->d_name))
			continue;
		failure = release(pins_fd, entry->d_name, keep, arg, &gone);
		count += gone;
	}
	closedir(dir);
	if (ret_count)
		*ret_count = count;
	return failure;
}
