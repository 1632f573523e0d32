/* examples/rate.h: token buckets that say when somebody asks too often. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/macro.h"

/* A bucket holds up to `burst` tokens and gains one every `interval` nanoseconds. All zero is a full one. */
struct bucket {
	int64_t full_at; /* when it will hold `burst` again, on CLOCK_MONOTONIC */
};

/* Seconds to wait, 0 when a token is there. Takes nothing. */
unsigned bucket_wait(const struct bucket *b, unsigned burst, int64_t interval, int64_t now);

/* Take one; false, and nothing taken, when none is there. */
bool bucket_take(struct bucket *b, unsigned burst, int64_t interval, int64_t now);

/* Put one back: what was taken turned out to be none that counts. */
void bucket_return(struct bucket *b, int64_t interval);

/* Buckets for any number of names in bounded memory, safe between threads. A name shares its bucket with
 * others of the same (keyed) hash, so that nobody can choose with whom. */
struct rate;
struct rate *rate_new(unsigned burst, int64_t interval);
void rate_free(struct rate *r);
DEFINE_CLEANUP(struct rate *, rate_free)
#define auto_rate CLEANUP(rate_free)
bool rate_take(struct rate *r, const char *name) MUST_CHECK;
void rate_return(struct rate *r, const char *name);
unsigned rate_wait(struct rate *r, const char *name); /* seconds */
