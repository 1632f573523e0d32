/* examples/antrag/keysource.c: a ring of public keys that renews itself. */
#include "examples/antrag/keysource.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "examples/fetch.h"

#define MAX_AGE	  (600 * (int64_t)NSEC_PER_SEC)
#define MIN_PAUSE (5 * (int64_t)NSEC_PER_SEC)

struct keysource {
	const char *where; /* borrowed */
	bool remote;
	pthread_mutex_t lock;
	struct keyring ring;
	int64_t fetched; /* CLOCK_MONOTONIC; 0: never */
	int64_t tried;
};

static err *load(struct keysource *k)
{
	auto_str struct str text = STR_INIT(64 << 10);
	struct keyring ring;
	unsigned status = 200;

	if (k->remote) {
		struct fetch f = { .method = "GET", .base = k->where, .path = "", .max = 64 << 10 };

		TRY(fetch(&f, &status, &text));
	} else {
		TRY(file_read(AT_FDCWD, k->where, &text));
	}
	if (status != 200)
		return err_new(EHOSTUNREACH, "status %u", status);
	TRY(keyring_parse(text.data, text.len, &ring));
	k->ring = ring;
	k->fetched = clock_monotonic();
	return NULL;
}

err *keysource_new(const char *where, struct keysource **ret)
{
	auto_keysource struct keysource *k = calloc(1, sizeof(*k));

	if (!k)
		return err_oom();
	pthread_mutex_init(&k->lock, NULL);
	k->where = where;
	k->remote = str_starts_with(where, "http://") || str_starts_with(where, "https://");
	if (!k->remote)
		TRY(err_wrap(load(k), "keys of bayernid in '%s'", where));
	*ret = TAKE(k);
	return NULL;
}

void keysource_free(struct keysource *k)
{
	if (k)
		pthread_mutex_destroy(&k->lock);
	free(k);
}

/* The present ring, fetched first if it is old, or if `again` says that it lacks a key. */
static err *ring_of(struct keysource *k, bool again, struct keyring *ret)
{
	int64_t now = clock_monotonic();
	err *e = NULL;

	pthread_mutex_lock(&k->lock);
	bool old = k->remote && (k->fetched == 0 || now - k->fetched > MAX_AGE);
	bool rested = k->fetched == 0 || now - k->tried > MIN_PAUSE;
	if ((old || (again && k->remote)) && rested) {
		k->tried = now;
		e = err_wrap(load(k), "keys of bayernid from '%s'", k->where);
	}
	*ret = k->ring;
	pthread_mutex_unlock(&k->lock);
	if (e && ret->count > 0) { /* the old keys are better than none */
		log_err(e);
		err_free(e);
		return NULL;
	}
	return e;
}

err *keysource_verify(struct keysource *k, struct arena *arena, const char *token, struct claims *ret)
{
	int64_t now = clock_real() / (int64_t)NSEC_PER_SEC;
	struct keyring ring;
	err *e;

	TRY(ring_of(k, false, &ring));
	e = token_verify(arena, &ring, now, token, ret);
	if (!e || e->code != ENOKEY)
		return e;
	err_free(e);
	TRY(ring_of(k, true, &ring));
	e = token_verify(arena, &ring, now, token, ret);
	return e ? err_with_code(e, EACCES) : NULL;
}

bool keysource_signed(struct keysource *k, const void *bytes, size_t len,
		      const uint8_t signature[static SIGNATURE_SIZE])
{
	struct keyring ring;
	auto_err err *e = ring_of(k, false, &ring);

	for (size_t i = 0; !e && i < ring.count; i++)
		if (signing_verify(&ring.keys[i], bytes, len, signature))
			return true;
	return false;
}
