/* images/layer-write.c: making a layer's directory. */
#include "images/layer-write-internal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"

#define WRITEBACK_STEP (16u << 20)

/* A layer never takes the last bytes of a file system: others must go on. */
#define SPACE_RESERVE (32u << 20)

err *layer_write_begin(struct image_store *s, const char *path, const struct digest *want,
		       struct layer_write *ret)
{
	auto_layer_write struct layer_write w = LAYER_WRITE_INIT;
	const char *name = strrchr(path, '/') + 1;
	auto_close int parent = openat(s->fd, "ingest", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0)
		return err_errno("open '%s/ingest'", s->path);
	w.store = s;
	snprintf(w.path, sizeof w.path, "%s", path);
	TRY(path_remove_all(parent, name));
	if (mkdirat(parent, name, 0700) < 0)
		return err_errno("make '%s/%s'", s->path, path);
	w.dir_fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (w.dir_fd < 0)
		return err_errno("open '%s/%s'", s->path, path);
	w.tar_fd = openat(w.dir_fd, LAYER_TAR, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (w.tar_fd < 0)
		return err_errno("create '%s/%s/%s'", s->path, path, LAYER_TAR);
	TRY(hasher_new(&w.hasher));
	TRY(want ? hasher_expect(w.hasher, want, -1) : hasher_begin(w.hasher, DIGEST_SHA256));
	*ret = w;
	w = (struct layer_write)LAYER_WRITE_INIT;
	return NULL;
}

/* Begin write-back early, so that the final sync is short, and look at the space that is left. */
static err *step(struct layer_write *w)
{
	if (w->size - w->synced < WRITEBACK_STEP)
		return NULL;
	sync_file_range(w->tar_fd, (off_t)w->synced, (off_t)(w->size - w->synced), SYNC_FILE_RANGE_WRITE);
	w->synced = w->size;
	return store_check_space(w->store, SPACE_RESERVE);
}

err *layer_write_add(struct layer_write *w, const void *bytes, size_t len)
{
	const char *p = bytes;

	TRY(hasher_add(w->hasher, bytes, len));
	while (len > 0) {
		ssize_t n = pwrite(w->tar_fd, p, len, (off_t)w->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("write '%s/%s/%s'", w->store->path, w->path, LAYER_TAR);
		p += n;
		len -= (size_t)n;
		w->size += (uint64_t)n;
	}
	return step(w);
}

void layer_meta(const struct digest *diff_id, uint64_t size, const struct layer_stats *stats, struct str *out)
{
	struct json_writer w = JSON_WRITER(out, 0);
	char text[DIGEST_TEXT_MAX];

	json_begin_object(&w);
	json_member_uint(&w, "version", STORE_VERSION);
	json_member_string(&w, "diffId", digest_text(diff_id, text));
	json_member_uint(&w, "size", size);
	json_member_uint(&w, "entries", stats->entries);
	json_member_uint(&w, "inodes", stats->inodes);
	json_member_uint(&w, "files", stats->files);
	json_member_uint(&w, "bytes", stats->bytes);
	json_end_object(&w);
	str_add_char(out, '\n');
}

static err *create_synced(int dir_fd, const char *name, const void *bytes, size_t len)
{
	auto_close int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);

	if (fd < 0)
		return err_errno("create '%s'", name);
	TRY(err_wrap(fd_write_all(fd, bytes, len), "write '%s'", name));
	return fdatasync(fd) < 0 ? err_errno("sync '%s'", name) : NULL;
}

err *layer_write_finish(struct layer_write *w, const struct layer_limits *limits, struct digest *ret_diff_id)
{
	struct layer_stats stats;
	auto_str struct str meta = STR_INIT(4096);
	auto_close int index_fd = -1;

	TRY(err_wrap(hasher_end(w->hasher, ret_diff_id), "unpacked layer"));
	index_fd = openat(w->dir_fd, LAYER_INDEX, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (index_fd < 0)
		return err_errno("create '%s'", LAYER_INDEX);
	/* Write-back of the tail of data.tar goes on while the index is built. */
	sync_file_range(w->tar_fd, (off_t)w->synced, 0, SYNC_FILE_RANGE_WRITE);
	TRY(layer_index_build(w->tar_fd, index_fd, limits, &stats));
	layer_meta(ret_diff_id, w->size, &stats, &meta);
	TRY(str_check(&meta));
	TRY(create_synced(w->dir_fd, LAYER_META, meta.data, meta.len));
	if (fdatasync(index_fd) < 0 || fdatasync(w->tar_fd) < 0 || fsync(w->dir_fd) < 0)
		return err_errno("sync '%s/%s'", w->store->path, w->path);
	return NULL;
}

err *layer_write_publish(struct layer_write *w, const struct digest *diff_id)
{
	char path[STORE_PATH_MAX];
	char dir[32];

	if (renameat(w->store->fd, w->path, w->store->fd, layer_path(diff_id, path)) < 0) {
		if (errno != ENOTEMPTY && errno != EEXIST)
			return err_errno("rename '%s/%s'", w->store->path, w->path);
		return NULL;
	}
	w->path[0] = '\0';
	snprintf(dir, sizeof dir, "layers/%s", digest_algorithm_name(diff_id->algorithm));
	return store_sync_dir(w->store, dir);
}

void layer_write_done(struct layer_write *w)
{
	hasher_free(w->hasher);
	w->hasher = NULL;
	fd_clear(&w->tar_fd);
	fd_clear(&w->dir_fd);
	if (!w->store || !w->path[0])
		return;
	auto_close int parent = openat(w->store->fd, "ingest", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent >= 0)
		IGNORE(path_remove_all(parent, strrchr(w->path, '/') + 1));
	w->path[0] = '\0';
}
