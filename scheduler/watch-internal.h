/* scheduler/watch-internal.h: what has changed: recent changes of each kind in memory, older ones read from the store. */
#pragma once
#include "scheduler/cache.h"

struct change {
	struct entry *before, *after; /* references; NULL: it was not there, is gone */
	bool unknown;		      /* what was before is no longer known */
	uint64_t revision;
};

/* The recent changes of one kind; number n is items[n % cap]. */
struct ring {
	struct change *items;
	size_t cap, bytes;
	uint64_t tail, head;
	uint64_t from; /* all changes after this revision are here */
};
/* Takes the references; may drop the oldest. The change stays where it is until the next call. */
struct change *ring_push(struct ring *r, const struct change *c);
struct change *ring_at(const struct ring *r, uint64_t number);
/* The number of the first change after a revision. */
uint64_t ring_after(const struct ring *r, uint64_t revision);
void ring_done(struct ring *r);

/* Changes in a list of their own, each with its kind. */
struct past {
	struct change *changes;
	const struct kind **kinds;
	size_t count, cap;
};
void past_add(struct past *p, const struct kind *kind, const struct change *c);
/* What the store still knows of one kind, or of all (NULL), after a revision. EKEYEXPIRED: it is no longer kept. */
err *past_read(struct store *store, const struct cache *cache, uint64_t after, const struct kind *kind,
	       struct past *ret) MUST_CHECK;
void past_done(struct past *p);

enum { RING_MAX = 8192 /* changes of one kind that are kept in memory */ };
/* After a start: so that who comes back can go on from where it was. */
err *rings_fill(struct ring rings[static KIND_COUNT], struct store *store,
		const struct cache *cache) MUST_CHECK;
