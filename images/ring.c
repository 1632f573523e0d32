/* images/ring.c: a bounded queue of byte buffers between two threads. */
#include "images/ring-internal.h"

#include <pthread.h>

struct ring {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t written, read; /* buffers in all; their difference is what waits */
	bool closed, stopped;
	size_t lengths[RING_SLOTS];
	unsigned char *bytes; /* RING_SLOTS buffers */
};

err *ring_new(struct ring **ret)
{
	struct ring *r = calloc(1, sizeof *r);

	if (r)
		r->bytes = malloc((size_t)RING_SLOTS * RING_SLOT);
	if (!r || !r->bytes) {
		free(r);
		return err_oom();
	}
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	*ret = r;
	return NULL;
}

void ring_free(struct ring *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->changed);
	free(r->bytes);
	free(r);
}

unsigned char *ring_space(struct ring *r)
{
	pthread_mutex_lock(&r->lock);
	while (!r->stopped && r->written - r->read == RING_SLOTS)
		pthread_cond_wait(&r->changed, &r->lock);
	unsigned char *p = r->stopped ? NULL : r->bytes + r->written % RING_SLOTS * RING_SLOT;
	pthread_mutex_unlock(&r->lock);
	return p;
}

void ring_commit(struct ring *r, size_t len)
{
	pthread_mutex_lock(&r->lock);
	r->lengths[r->written++ % RING_SLOTS] = len;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

static void set(struct ring *r, bool *flag)
{
	pthread_mutex_lock(&r->lock);
	*flag = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

void ring_close(struct ring *r)
{
	set(r, &r->closed);
}

void ring_stop(struct ring *r)
{
	set(r, &r->stopped);
}

const unsigned char *ring_next(struct ring *r, size_t *ret_len)
{
	const unsigned char *p = NULL;

	pthread_mutex_lock(&r->lock);
	while (!r->stopped && !r->closed && r->written == r->read)
		pthread_cond_wait(&r->changed, &r->lock);
	if (!r->stopped && r->written != r->read) {
		p = r->bytes + r->read % RING_SLOTS * RING_SLOT;
		*ret_len = r->lengths[r->read % RING_SLOTS];
	}
	pthread_mutex_unlock(&r->lock);
	return p;
}

void ring_release(struct ring *r)
{
	pthread_mutex_lock(&r->lock);
	r->read++;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
}
