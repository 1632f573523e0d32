/* images/unpack.c: the two threads that turn a blob into data.tar. */
#include "images/unpack-internal.h"

#include <pthread.h>

#include "images/decompress.h"
#include "images/ring-internal.h"

struct unpack {
	struct layer_write writer; /* the second thread's, until it has ended */
	struct digest diff_id;
	const struct image_limits *limits;
	struct decompressor *decompressor; /* the first thread's */
	struct ring *packed, *plain;
	pthread_t threads[2];
	unsigned running; /* threads to be joined */
	pthread_mutex_t lock;
	err *failure; /* first error of a thread; under the lock */
};

/* The first error counts; both queues stop, so that nobody waits for a thread that is gone. */
static void fail(struct unpack *u, err *e)
{
	pthread_mutex_lock(&u->lock);
	if (u->failure)
		err_free(e);
	else
		u->failure = e;
	pthread_mutex_unlock(&u->lock);
	ring_stop(u->packed);
	ring_stop(u->plain);
}

static err *failure(struct unpack *u)
{
	pthread_mutex_lock(&u->lock);
	err *e = u->failure ? TAKE(u->failure) : err_new(ECANCELED, "unpacking was stopped");
	pthread_mutex_unlock(&u->lock);
	return e;
}

/* Buffers are filled to the brim before they are handed on: hash and write see few, large pieces. */
struct filling {
	unsigned char *space;
	size_t len;
};

static err *decompress_piece(struct unpack *u, const unsigned char *in, size_t in_len, struct filling *f)
{
	for (;;) {
		size_t n = 0;

		if (!f->space && !(f->space = ring_space(u->plain)))
			return err_new(ECANCELED, "unpacking was stopped");
		size_t before = in_len;
		TRY(decompressor_run(u->decompressor, &in, &in_len, f->space + f->len, RING_SLOT - f->len,
				     &n));
		f->len += n;
		if (f->len == RING_SLOT) {
			ring_commit(u->plain, f->len);
			*f = (struct filling){ 0 };
		} else if (in_len == 0 && n == 0) {
			return NULL;
		} else if (in_len == before && n == 0) {
			return err_new(EBADMSG, "compressed layer makes no progress");
		}
	}
}

static err *decompress_all(struct unpack *u)
{
	struct filling f = { 0 };
	const unsigned char *in;
	size_t len;

	while ((in = ring_next(u->packed, &len))) {
		TRY(decompress_piece(u, in, len, &f));
		ring_release(u->packed);
	}
	TRY(decompressor_finish(u->decompressor));
	if (f.len > 0)
		ring_commit(u->plain, f.len);
	ring_close(u->plain);
	return NULL;
}

static void *decompress_thread(void *arg)
{
	err *e = decompress_all(arg);

	if (e)
		fail(arg, e);
	return NULL;
}

static void *write_thread(void *arg)
{
	struct unpack *u = arg;
	const unsigned char *bytes;
	size_t len;
	err *e = NULL;

	while (!e && (bytes = ring_next(u->plain, &len))) {
		e = layer_write_add(&u->writer, bytes, len);
		ring_release(u->plain);
	}
	if (e)
		fail(u, e);
	return NULL;
}

static err *start_threads(struct unpack *u)
{
	void *(*const bodies[])(void *) = { decompress_thread, write_thread };

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		int code = pthread_create(&u->threads[i], NULL, bodies[i], u);

		if (code)
			return err_code(code, "start a thread");
		u->running++;
	}
	return NULL;
}

static void join(struct unpack *u)
{
	while (u->running > 0)
		pthread_join(u->threads[--u->running], NULL);
}

err *unpack_start(struct image_store *s, const char *path, enum oci_compression compression,
		  const struct digest *diff_id, const struct image_limits *limits, struct unpack **ret)
{
	auto_unpack struct unpack *u = calloc(1, sizeof *u);

	if (!u)
		return err_oom();
	u->writer = (struct layer_write)LAYER_WRITE_INIT;
	u->diff_id = *diff_id;
	u->limits = limits;
	pthread_mutex_init(&u->lock, NULL);
	TRY(ring_new(&u->packed));
	TRY(ring_new(&u->plain));
	TRY(decompressor_new(compression, limits->layer_bytes, limits->layer_ratio, &u->decompressor));
	TRY(layer_write_begin(s, path, diff_id, &u->writer));
	TRY(start_threads(u));
	*ret = TAKE(u);
	return NULL;
}

err *unpack_space(struct unpack *u, unsigned char **ret_space)
{
	*ret_space = ring_space(u->packed);
	return *ret_space ? NULL : failure(u);
}

void unpack_commit(struct unpack *u, size_t len)
{
	ring_commit(u->packed, len);
}

err *unpack_finish(struct unpack *u)
{
	struct digest got;

	ring_close(u->packed);
	join(u);
	if (u->failure)
		return TAKE(u->failure);
	return layer_write_finish(&u->writer, u->limits->tree, &got);
}

err *unpack_publish(struct unpack *u)
{
	return layer_write_publish(&u->writer, &u->diff_id);
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	if (u->packed)
		ring_stop(u->packed);
	if (u->plain)
		ring_stop(u->plain);
	join(u);
	layer_write_done(&u->writer);
	decompressor_free(u->decompressor);
	ring_free(u->packed);
	ring_free(u->plain);
	err_free(u->failure);
	pthread_mutex_destroy(&u->lock);
	free(u);
}
