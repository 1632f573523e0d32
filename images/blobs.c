/* images/blobs.c: blobs, and the directories of layers, by digest. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "images/layer.h"
#include "images/store-internal.h"

static const char *below(const char *dir, const struct digest *d, char buf[static STORE_PATH_MAX])
{
	char name[DIGEST_TEXT_MAX];

	snprintf(buf, STORE_PATH_MAX, "%s/%s", dir, digest_blob_path(d, name));
	return buf;
}

const char *blob_path(const struct digest *d, char buf[static STORE_PATH_MAX])
{
	return below("blobs", d, buf);
}

const char *layer_path(const struct digest *d, char buf[static STORE_PATH_MAX])
{
	return below("layers", d, buf);
}

err *image_blob_open(struct image_store *s, const struct digest *digest, int *ret_fd, int64_t *ret_size)
{
	char path[STORE_PATH_MAX];
	char text[DIGEST_TEXT_MAX];
	auto_close int fd = openat(s->fd, blob_path(digest, path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return err_new(ENOENT, "%s is not in the image store", digest_text(digest, text));
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno("open blob %s", digest_text(digest, text));
	if (ret_size)
		*ret_size = st.st_size;
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

bool image_blob_exists(struct image_store *s, const struct digest *digest)
{
	char path[STORE_PATH_MAX];

	return faccessat(s->fd, blob_path(digest, path), F_OK, 0) == 0;
}

err *image_blob_read(struct image_store *s, const struct digest *digest, struct str *out)
{
	char text[DIGEST_TEXT_MAX];
	auto_close int fd = -1;
	size_t before = out->len;

	TRY(image_blob_open(s, digest, &fd, NULL));
	TRY(err_wrap(fd_read_all(fd, out), "blob %s", digest_text(digest, text)));
	return err_wrap(digest_check(digest, out->data + before, out->len - before), "blob in the store");
}

err *blob_write(struct image_store *s, const struct digest *d, const void *bytes, size_t len)
{
	char path[STORE_PATH_MAX];

	if (image_blob_exists(s, d))
		return NULL;
	return file_replace(s->fd, blob_path(d, path), bytes, len, 0400);
}

err *image_store_add_blob(struct image_store *s, const void *bytes, size_t len, struct digest *ret_digest)
{
	struct digest digest;

	TRY(digest_of(DIGEST_SHA256, bytes, len, &digest));
	TRY(blob_write(s, &digest, bytes, len));
	if (ret_digest)
		*ret_digest = digest;
	return NULL;
}

err *blob_publish(struct image_store *s, const char *from, int fd, const struct digest *d)
{
	char path[STORE_PATH_MAX];
	char dir[32];

	if (fdatasync(fd) < 0 || fchmod(fd, 0400) < 0)
		return err_errno("sync '%s'", from);
	if (renameat(s->fd, from, s->fd, blob_path(d, path)) < 0)
		return err_errno("rename '%s'", from);
	snprintf(dir, sizeof dir, "blobs/%s", digest_algorithm_name(d->algorithm));
	return store_sync_dir(s, dir);
}

err *image_layer_open(struct image_store *s, const struct digest *diff_id, int *ret_fd)
{
	char path[STORE_PATH_MAX];
	char text[DIGEST_TEXT_MAX];
	int fd = openat(s->fd, layer_path(diff_id, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT)
		return err_new(ENOENT, "layer %s is not in the image store", digest_text(diff_id, text));
	if (fd < 0)
		return err_errno("open layer %s", digest_text(diff_id, text));
	*ret_fd = fd;
	return NULL;
}

bool image_layer_exists(struct image_store *s, const struct digest *diff_id)
{
	char path[STORE_PATH_MAX];

	return faccessat(s->fd, layer_path(diff_id, path), F_OK, 0) == 0;
}

err *image_layer_size(struct image_store *s, const struct digest *diff_id, int64_t *ret_size)
{
	auto_close int fd = -1;
	struct stat tar, index;

	TRY(image_layer_open(s, diff_id, &fd));
	if (fstatat(fd, LAYER_TAR, &tar, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno("stat '%s'", LAYER_TAR);
	if (fstatat(fd, LAYER_INDEX, &index, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno("stat '%s'", LAYER_INDEX);
	*ret_size = tar.st_size + index.st_size;
	return NULL;
}
