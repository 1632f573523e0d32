/* examples/rate.c: token buckets, one or a table of them. */
#include "examples/rate.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"

unsigned bucket_wait(const struct bucket *b, unsigned burst, int64_t interval, int64_t now)
{
	int64_t free_at = b->full_at - (int64_t)(burst - 1) * interval;

	return free_at <= now
		       ? 0
		       : (unsigned)((free_at - now + (int64_t)NSEC_PER_SEC - 1) / (int64_t)NSEC_PER_SEC);
}

bool bucket_take(struct bucket *b, unsigned burst, int64_t interval, int64_t now)
{
	if (bucket_wait(b, burst, interval, now) > 0)
		return false;
	b->full_at = MAX(b->full_at, now) + interval;
	return true;
}

void bucket_return(struct bucket *b, int64_t interval)
{
	b->full_at -= interval;
}

#define SLOTS 4096u /* a power of two; 32 KiB */

struct rate {
	pthread_mutex_t lock;
	unsigned burst;
	int64_t interval;
	uint64_t seed;
	struct bucket slots[SLOTS];
};

struct rate *rate_new(unsigned burst, int64_t interval)
{
	struct rate *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	if (getrandom(&r->seed, sizeof(r->seed), 0) != sizeof(r->seed)) {
		free(r);
		return NULL;
	}
	pthread_mutex_init(&r->lock, NULL);
	r->burst = burst;
	r->interval = interval;
	return r;
}

void rate_free(struct rate *r)
{
	if (r)
		pthread_mutex_destroy(&r->lock);
	free(r);
}

/* FNV-1a from a random start, with a final mix: enough to hide the slot, not a message authenticator. */
static struct bucket *slot(struct rate *r, const char *name)
{
	uint64_t hash = r->seed ^ 0xcbf29ce484222325u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
	hash ^= r->seed >> 32 ^ hash >> 29;
	hash *= 0xbf58476d1ce4e5b9u;
	return &r->slots[hash >> 40 & (SLOTS - 1)];
}

bool rate_take(struct rate *r, const char *name)
{
	bool taken;

	pthread_mutex_lock(&r->lock);
	taken = bucket_take(slot(r, name), r->burst, r->interval, clock_monotonic());
	pthread_mutex_unlock(&r->lock);
	return taken;
}

void rate_return(struct rate *r, const char *name)
{
	pthread_mutex_lock(&r->lock);
	bucket_return(slot(r, name), r->interval);
	pthread_mutex_unlock(&r->lock);
}

unsigned rate_wait(struct rate *r, const char *name)
{
	unsigned wait;

	pthread_mutex_lock(&r->lock);
	wait = bucket_wait(slot(r, name), r->burst, r->interval, clock_monotonic());
	pthread_mutex_unlock(&r->lock);
	return wait;
}
