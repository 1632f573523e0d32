/* images/fsck.c: check everything in the store again, from its bytes. */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "images/extract.h"
#include "images/layer-write-internal.h"
#include "images/ring-internal.h"

#define FSCK_MEMORY (1u << 30)

struct fsck {
	struct image_store *s;
	bool repair;
	void (*report)(const char *problem, void *arg);
	void *arg;
	struct image_fsck_result result;
	enum digest_algorithm algorithm;
	struct hasher *hasher;
	unsigned char *buffer; /* RING_SLOT */
	const char *ref;       /* being followed */
};

static void problem(struct fsck *f, const char *fmt, ...) PRINTF(2, 3);
static void problem(struct fsck *f, const char *fmt, ...)
{
	auto_str struct str text = STR_INIT(16384);
	va_list ap;

	va_start(ap, fmt);
	str_addv(&text, fmt, ap);
	va_end(ap);
	f->result.damaged++;
	f->report(text.data, f->arg);
}

/* Report an error as a problem; it is freed. */
static void problem_err(struct fsck *f, const char *what, err *e)
{
	auto_str struct str text = STR_INIT(8192);

	err_format(e, &text);
	err_free(e);
	problem(f, "%s: %s", what, text.data);
}

/* ---- content ---- */

static err *hash_file(struct fsck *f, int fd, const struct digest *want)
{
	off_t at = 0;
	ssize_t n;

	TRY(hasher_expect(f->hasher, want, -1));
	while ((n = pread(fd, f->buffer, RING_SLOT, at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("read");
		TRY(hasher_add(f->hasher, f->buffer, (size_t)n));
		at += n;
		f->result.bytes += (uint64_t)n;
	}
	return hasher_end(f->hasher, NULL);
}

static err *entry_digest(struct fsck *f, const char *name, struct digest *ret)
{
	char text[DIGEST_TEXT_MAX + NAME_MAX];

	snprintf(text, sizeof text, "%s:%s", digest_algorithm_name(f->algorithm), name);
	return digest_parse(text, ret);
}

static err *check_blob_file(struct fsck *f, int dir_fd, const char *name)
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct digest digest;

	TRY(entry_digest(f, name, &digest));
	if (fd < 0)
		return err_errno("open");
	return hash_file(f, fd, &digest);
}

static err *check_blob(struct image_store *s, int dir_fd, const char *name, void *arg)
{
	struct fsck *f = arg;
	char what[64 + NAME_MAX];

	if (*name == '.') /* a temporary file; gc removes it */
		return NULL;
	f->result.blobs++;
	err *e = check_blob_file(f, dir_fd, name);
	if (!e)
		return NULL;
	snprintf(what, sizeof what, "blob %s:%s", digest_algorithm_name(f->algorithm), name);
	problem_err(f, what, e);
	if (f->repair && unlinkat(dir_fd, name, 0) < 0)
		return err_errno("remove '%s/blobs/%s'", s->path, name);
	return NULL;
}

static err *same_content(struct fsck *f, int a, int b, const char *name)
{
	struct stat sa, sb;
	unsigned char *half = f->buffer + RING_SLOT / 2;
	ssize_t n;

	if (fstat(a, &sa) < 0 || fstat(b, &sb) < 0)
		return err_errno("stat");
	bool same = sa.st_size == sb.st_size;
	for (off_t at = 0; same && at < sa.st_size; at += n) {
		n = pread(a, f->buffer, RING_SLOT / 2, at);
		if (n <= 0)
			return err_errno("read '%s'", name);
		same = pread(b, half, (size_t)n, at) == n && memcmp(f->buffer, half, (size_t)n) == 0;
	}
	return same ? NULL : err_new(EBADMSG, "'%s' is not what '%s' gives", name, LAYER_TAR);
}

static err *check_layer_dir(struct fsck *f, int dir_fd, const char *name)
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	auto_close int tar_fd = fd < 0 ? -1 : openat(fd, LAYER_TAR, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	auto_close int index_fd = fd < 0 ? -1 : openat(fd, LAYER_INDEX, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	auto_close int again_fd = openat(f->s->fd, "ingest", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	auto_str struct str meta = STR_INIT(4096);
	auto_str struct str meta_again = STR_INIT(4096);
	struct layer_stats stats;
	struct digest diff_id;

	TRY(entry_digest(f, name, &diff_id));
	if (tar_fd < 0 || index_fd < 0)
		return err_errno("open '%s' or '%s'", LAYER_TAR, LAYER_INDEX);
	if (again_fd < 0)
		return err_errno("create a temporary file");
	TRY(hash_file(f, tar_fd, &diff_id));
	TRY(layer_index_build(tar_fd, again_fd, NULL, &stats));
	TRY(same_content(f, index_fd, again_fd, LAYER_INDEX));
	layer_meta(&diff_id, hasher_count(f->hasher), &stats, &meta_again);
	TRY(file_read(fd, LAYER_META, &meta));
	if (!str_equal(meta.data, meta_again.data))
		return err_new(EBADMSG, "'%s' is not what '%s' gives", LAYER_META, LAYER_TAR);
	return NULL;
}

static err *check_layer(struct image_store *s, int dir_fd, const char *name, void *arg)
{
	struct fsck *f = arg;
	char what[64 + NAME_MAX];
	char gone[STORE_PATH_MAX + NAME_MAX];

	f->result.layers++;
	err *e = check_layer_dir(f, dir_fd, name);
	if (!e)
		return NULL;
	snprintf(what, sizeof what, "layer %s:%s", digest_algorithm_name(f->algorithm), name);
	problem_err(f, what, e);
	if (!f->repair)
		return NULL;
	/* Out of sight in one step; gc takes it apart, for which a tree may need a user namespace. */
	snprintf(gone, sizeof gone, "ingest/gone-%s-%s", digest_algorithm_name(f->algorithm), name);
	return renameat(dir_fd, name, s->fd, gone) < 0 ? err_errno("rename '%s/layers/%s'", s->path, name)
						       : NULL;
}

/* ---- names ---- */

static err *follow_blob(const struct oci_descriptor *d, bool required, void *arg)
{
	struct fsck *f = arg;
	char text[DIGEST_TEXT_MAX];

	if (required && !image_blob_exists(f->s, &d->digest))
		problem(f, "image '%s': %s is missing", f->ref, digest_text(&d->digest, text));
	return NULL;
}

static err *follow_layer(const struct digest *diff_id, void *arg)
{
	struct fsck *f = arg;
	char text[DIGEST_TEXT_MAX];

	if (!image_layer_exists(f->s, diff_id))
		problem(f, "image '%s': layer %s is missing", f->ref, digest_text(diff_id, text));
	return NULL;
}

static err *check_ref(struct image_store *s, int dir_fd, const char *file, void *arg)
{
	struct fsck *f = arg;
	auto_arena struct arena *arena = NULL;
	struct image_ref ref;
	char name[256];
	err *e;

	if (*file == '.')
		return NULL;
	TRY(arena_new(FSCK_MEMORY, &arena));
	f->result.refs++;
	if (!ref_unescape(file, name)) {
		e = err_new(EINVAL, "is not the file of a name");
	} else {
		e = image_store_ref(s, arena, name, &ref);
		if (!e) {
			const struct reach reach = { arena, f, follow_blob, follow_layer };

			f->ref = name;
			e = store_reach(s, &ref.digest, ref.media_type, &reach);
			if (e)
				problem_err(f, name, e);
			return NULL;
		}
	}
	problem_err(f, file, e);
	if (f->repair && unlinkat(dir_fd, file, 0) < 0)
		return err_errno("remove '%s/refs/%s'", s->path, file);
	return NULL;
}

static err *check_all(struct fsck *f)
{
	static const enum digest_algorithm algorithms[] = { DIGEST_SHA256, DIGEST_SHA512 };
	char dir[32];

	TRY(hasher_new(&f->hasher));
	f->buffer = malloc(RING_SLOT);
	if (!f->buffer)
		return err_oom();
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		f->algorithm = algorithms[i];
		snprintf(dir, sizeof dir, "blobs/%s", digest_algorithm_name(f->algorithm));
		TRY(store_each(f->s, dir, check_blob, f));
		snprintf(dir, sizeof dir, "layers/%s", digest_algorithm_name(f->algorithm));
		TRY(store_each(f->s, dir, check_layer, f));
	}
	/* After the content: what repair removed shows up here as missing. */
	return store_each(f->s, "refs", check_ref, f);
}

err *image_fsck(struct image_store *s, bool repair, void (*report)(const char *problem, void *arg), void *arg,
		struct image_fsck_result *ret)
{
	struct fsck f = { .s = s, .repair = repair, .report = report, .arg = arg };

	if (repair && s->use != IMAGE_STORE_SWEEP)
		return err_new(EINVAL, "image store '%s' is not open for a sweep", s->path);
	err *e = check_all(&f);
	hasher_free(f.hasher);
	free(f.buffer);
	if (!e)
		*ret = f.result;
	return e;
}
