/* images/ring-internal.h: a bounded queue of byte buffers between one writing and one reading thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/macro.h"

#define RING_SLOT  (256u * 1024) /* bytes; large enough that hashing and writing pay no overhead */
#define RING_SLOTS 4

struct ring;
err *ring_new(struct ring **ret) MUST_CHECK;
void ring_free(struct ring *r);
DEFINE_CLEANUP(struct ring *, ring_free)
#define auto_ring CLEANUP(ring_free)

/* Writer: a free buffer of RING_SLOT bytes; waits for one. NULL when the reader has stopped. The same buffer
 * until ring_commit(), which hands over its first `len` bytes. */
unsigned char *ring_space(struct ring *r);
void ring_commit(struct ring *r, size_t len);

/* Writer: nothing more comes. */
void ring_close(struct ring *r);

/* Reader: the oldest buffer, waits for one; NULL when the writer has closed and all is read, or somebody has
 * stopped. Valid until ring_release(). */
const unsigned char *ring_next(struct ring *r, size_t *ret_len);
void ring_release(struct ring *r);

/* Either side, or a third: give up; both sides get NULL from now on. */
void ring_stop(struct ring *r);
