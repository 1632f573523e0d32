/* images/leases.c: images in use: a file whose lock the user holds, so that a dead one needs no time-out. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "images/store-internal.h"

static err *lease_path(const char *id, char path[static STORE_PATH_MAX + 8])
{
	if (!path_is_name(id) || *id == '.' || strlen(id) > 200)
		return err_new(EINVAL, "'%s' is not the name of a lease", id);
	snprintf(path, STORE_PATH_MAX + 8, "leases/%s", id);
	return NULL;
}

/* Open and lock; again when somebody removed the file between the two. */
static err *open_locked(struct image_store *s, const char *path, int *ret_fd)
{
	for (;;) {
		auto_close int fd = openat(s->fd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat opened, named;
		bool held;

		if (fd < 0)
			return err_errno("open");
		TRY(store_flock(fd, LOCK_EX | LOCK_NB, &held));
		if (held)
			return err_new(EBUSY, "is held by another process");
		if (fstat(fd, &opened) < 0)
			return err_errno("stat");
		if (fstatat(s->fd, path, &named, AT_SYMLINK_NOFOLLOW) < 0 || named.st_ino != opened.st_ino)
			continue;
		*ret_fd = TAKE_FD(fd);
		return NULL;
	}
}

static err *take(struct image_store *s, const char *path, const struct digest *manifest, int *ret_fd)
{
	char text[DIGEST_TEXT_MAX + 1];
	auto_close int fd = -1;

	if (!image_blob_exists(s, manifest))
		return err_new(ENOENT, "%s is not in the image store", digest_text(manifest, text));
	TRY(open_locked(s, path, &fd));
	digest_text(manifest, text);
	if (ftruncate(fd, 0) < 0)
		return err_errno("truncate");
	TRY(fd_write_all(fd, text, strlen(text)));
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

err *image_lease_take(struct image_store *s, const char *id, const struct digest *manifest, int *ret_fd)
{
	char path[STORE_PATH_MAX + 8];

	TRY(lease_path(id, path));
	return err_wrap(take(s, path, manifest, ret_fd), "lease '%s'", id);
}

/* Under its lock, so that a lease which somebody has taken again under the same name stays. */
err *image_lease_drop(struct image_store *s, const char *id)
{
	char path[STORE_PATH_MAX + 8];
	bool held;

	TRY(lease_path(id, path));
	auto_close int fd = openat(s->fd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? NULL : err_errno("open lease '%s'", id);
	TRY(store_flock(fd, LOCK_EX | LOCK_NB, &held));
	if (!held && unlinkat(s->fd, path, 0) < 0 && errno != ENOENT)
		return err_errno("remove lease '%s'", id);
	return NULL;
}

err *lease_read(int fd, const char *id, struct digest *ret_manifest)
{
	auto_str struct str text = STR_INIT(DIGEST_TEXT_MAX);

	TRY(err_wrap(fd_read_all(fd, &text), "lease '%s'", id));
	return err_wrap(digest_parse(text.data, ret_manifest), "lease '%s'", id);
}
