/* images/add.c: a new layer, made here, into the store. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "images/compress-internal.h"
#include "images/layer-write-internal.h"
#include "images/ring-internal.h"

#define BLOB_NAME "blob"

/* The caller's thread reads, hashes and writes the tar; a second one compresses. */
struct adding {
	struct image_store *s;
	struct layer_write writer;
	struct ring *ring;
	enum oci_compression compression;
	pthread_t thread;
	bool running;
	/* The second thread's, until it has ended. */
	int blob_fd;
	int64_t blob_size;
	struct hasher *hasher;
	struct digest blob_digest;
	err *failure;
};

static err *write_blob(const void *bytes, size_t len, void *user)
{
	struct adding *a = user;

	TRY(hasher_add(a->hasher, bytes, len));
	a->blob_size += (int64_t)len;
	return fd_write_all(a->blob_fd, bytes, len);
}

static err *compress_all(struct adding *a)
{
	auto_compressor struct compressor *c = NULL;
	const unsigned char *bytes;
	size_t len;

	TRY(hasher_begin(a->hasher, DIGEST_SHA256));
	TRY(compressor_new(a->compression, write_blob, a, &c));
	while ((bytes = ring_next(a->ring, &len))) {
		TRY(compressor_add(c, bytes, len));
		ring_release(a->ring);
	}
	TRY(compressor_finish(c));
	return hasher_end(a->hasher, &a->blob_digest);
}

static void *compress_thread(void *arg)
{
	struct adding *a = arg;

	a->failure = compress_all(a);
	if (a->failure)
		ring_stop(a->ring);
	return NULL;
}

static err *join(struct adding *a)
{
	if (a->running)
		pthread_join(a->thread, NULL);
	a->running = false;
	return a->failure ? TAKE(a->failure) : NULL;
}

static err *read_tar(struct adding *a, int tar_fd)
{
	for (;;) {
		unsigned char *space = ring_space(a->ring);
		size_t len = 0;

		if (!space) /* the compressor gave up; join() says why */
			return NULL;
		while (len < RING_SLOT) {
			ssize_t n = read(tar_fd, space + len, RING_SLOT - len);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return err_errno("read the layer's tar");
			if (n == 0)
				break;
			len += (size_t)n;
		}
		if (len == 0)
			return NULL;
		TRY(layer_write_add(&a->writer, space, len));
		ring_commit(a->ring, len);
	}
}

/* A name that no other process uses: what a killed one leaves, gc removes. */
static err *begin(struct adding *a)
{
	char path[STORE_PATH_MAX];
	unsigned long long random;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return err_errno("get random bytes");
	snprintf(path, sizeof path, "ingest/new-%d-%016llx", (int)getpid(), random);
	TRY(ring_new(&a->ring));
	TRY(hasher_new(&a->hasher));
	TRY(layer_write_begin(a->s, path, NULL, &a->writer));
	a->blob_fd = openat(a->writer.dir_fd, BLOB_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (a->blob_fd < 0)
		return err_errno("create '%s/%s'", path, BLOB_NAME);
	int code = pthread_create(&a->thread, NULL, compress_thread, a);
	if (code)
		return err_code(code, "start a thread");
	a->running = true;
	return NULL;
}

static err *publish(struct adding *a, const struct digest *diff_id)
{
	char from[STORE_PATH_MAX + 8];

	snprintf(from, sizeof from, "%s/%s", a->writer.path, BLOB_NAME);
	if (image_blob_exists(a->s, &a->blob_digest)) {
		if (unlinkat(a->writer.dir_fd, BLOB_NAME, 0) < 0)
			return err_errno("remove '%s'", from);
	} else {
		TRY(blob_publish(a->s, from, a->blob_fd, &a->blob_digest));
	}
	return layer_write_publish(&a->writer, diff_id);
}

static err *add(struct adding *a, int tar_fd, struct digest *ret_diff_id)
{
	TRY(begin(a));
	TRY(read_tar(a, tar_fd));
	ring_close(a->ring);
	TRY(join(a));
	TRY(layer_write_finish(&a->writer, NULL, ret_diff_id));
	return publish(a, ret_diff_id);
}

err *image_store_add_layer(struct image_store *s, int tar_fd, enum oci_compression compression,
			   struct oci_descriptor *ret_descriptor, struct digest *ret_diff_id)
{
	static const char *const media_types[] = {
		[OCI_PLAIN] = OCI_MEDIA_LAYER,
		[OCI_GZIP] = OCI_MEDIA_LAYER_GZIP,
		[OCI_ZSTD] = OCI_MEDIA_LAYER_ZSTD,
	};
	struct adding a = { .s = s, .writer = LAYER_WRITE_INIT, .compression = compression, .blob_fd = -1 };
	err *e = add(&a, tar_fd, ret_diff_id);

	if (a.ring)
		ring_stop(a.ring);
	err_free(join(&a));
	layer_write_done(&a.writer);
	fd_close(a.blob_fd);
	ring_free(a.ring);
	hasher_free(a.hasher);
	if (!e)
		*ret_descriptor = (struct oci_descriptor){
			.media_type = media_types[compression],
			.digest = a.blob_digest,
			.size = a.blob_size,
		};
	return err_wrap(e, "add a layer");
}
