/* images/mount-fs.c: file system contexts of the new mount API, with the kernel's own words in errors. */
#include "images/mount-internal.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

/* Each line of a context's log begins with its level: "e ", "w ", "i ". */
err *fs_failure(int fs_fd, const char *what)
{
	int code = errno;
	char text[512];
	auto_str struct str log = STR_INIT(4096);

	for (;;) {
		ssize_t n = read(fs_fd, text, sizeof text);
		if (n <= 2)
			break;
		while (n > 2 && text[n - 1] == '\n')
			n--;
		str_addf(&log, "%s%.*s", log.len ? "; " : "", (int)n - 2, text + 2);
	}
	if (!log.len)
		return err_code(code, "%s", what);
	return err_wrap(err_code(code, "%s", log.data), "%s", what);
}

err *fs_open(const char *type, int *ret_fs_fd)
{
	int fd = fsopen(type, FSOPEN_CLOEXEC);

	if (fd < 0)
		return err_errno("open file system '%s'", type);
	*ret_fs_fd = fd;
	return NULL;
}

err *fs_set(int fs_fd, const char *key, const char *value)
{
	unsigned command = value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;

	if (fsconfig(fs_fd, command, key, value, 0) < 0)
		return err_wrap(fs_failure(fs_fd, value ? value : "set"), "mount option '%s'", key);
	return NULL;
}

err *fs_mount(int fs_fd, unsigned attributes, int *ret_mount_fd)
{
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_failure(fs_fd, "mount");
	int fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, attributes);
	if (fd < 0)
		return fs_failure(fs_fd, "mount");
	*ret_mount_fd = fd;
	return NULL;
}

err *mount_clone(int fd, int userns_fd, int *ret_mount_fd)
{
	auto_close int mount_fd = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)userns_fd,
	};

	if (mount_fd < 0)
		return err_errno("clone mount");
	if (userns_fd >= 0 && mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
		return err_errno("map the ids of a mount");
	*ret_mount_fd = TAKE_FD(mount_fd);
	return NULL;
}
