/* scheduler/watch-internal.h: what has changed, and who is told of it: recent changes of each kind in memory,
 * older ones read from the store a little at a time. */
#pragma once
#include "scheduler/api-internal.h"
#include "scheduler/index.h"

struct change {
	struct entry *before, *after; /* references; NULL: it was not there, is gone */
	bool unknown;		      /* what was before is no longer known */
	uint64_t revision;
	size_t bytes; /* as the rings count it */
};
void change_done(struct change *c);

/* ---- scheduler/watch-past.c ---- */

enum { RING_MAX = 8192 /* changes of one kind that are kept in memory */ };
/* The recent changes of one kind; number n is items[n % cap]. */
struct ring {
	struct change *items;
	size_t cap, bytes;
	uint64_t tail, head;
	uint64_t from; /* all changes after this revision are here */
	bool full;     /* older ones find no room */
};
struct rings {
	struct ring of[KIND_COUNT];
	size_t bytes;
};
/* Empty, at that revision. */
void rings_begin(struct rings *rings, uint64_t revision);
void rings_done(struct rings *rings);
/* Takes the references; may drop the oldest, of any kind. The change stays where it is until the next call.
 */
struct change *rings_push(struct rings *rings, const struct kind *kind, const struct change *c);
struct change *ring_at(const struct ring *r, uint64_t number);
/* The number of the first change after a revision. */
uint64_t ring_after(const struct ring *r, uint64_t revision);

/* After a start: the changes before it are put into the rings, the newest first, so that who comes back can
 * go on from where it was. */
struct fill {
	bool over;
	uint64_t at, end;
	struct index waiting; /* by key: the number of the change whose `before` is still to be found */
};
void fill_begin(struct fill *f, uint64_t revision);
void fill_done(struct fill *f);
/* Goes on until clock_boot() is `until`. */
err *fill_step(struct fill *f, struct rings *rings, struct store *store, const struct cache *cache,
	       int64_t until) MUST_CHECK;

/* ---- scheduler/watch.c ---- */

/* Changes in a list of their own. */
struct past {
	struct change *changes;
	size_t count, cap;
};
struct watcher {
	struct watches *w;
	struct watcher *next, **at;
	struct arena *arena;
	const struct kind *kind;
	struct filter filter;
	bool narrow;   /* the filter looks at more than the namespace */
	bool rationed; /* its time is counted to its name */
	struct stream *stream;
	struct loop_source *timer;
	struct past past; /* to be told first: what is there */
	size_t past_next;
	uint64_t next_change; /* of the ring */
	bool bookmarks, initial, told_initial, ending;

	/* While it is older than the ring: it has been told up to `reached`. */
	bool behind;
	uint64_t reached;
	struct watcher *behind_next, **behind_at;
};

struct behind;
struct watches {
	struct scheduler *s;
	struct rings rings;
	struct behind *behind;
	struct watcher *watchers[KIND_COUNT];
	size_t counts[KIND_COUNT];
	struct loop_source *timer;
	/* Lines of the newest change, made once for all who watch. */
	const struct change *hot;
	struct blob *lines[3];
	size_t free_bytes; /* of malloc(3), when it last gave memory back */
};

/* Bytes that may wait for one reader: the more readers, the less for each. */
size_t watch_allowance(const struct watches *w);
/* False: it is over with this watcher. */
bool watch_deliver(struct watcher *x, const struct change *c);
/* Tell it what it does not know yet, as far as it takes it. */
void watch_pump(struct watcher *x);
/* It has to list again. */
void watch_expire(struct watcher *x);

/* ---- scheduler/watch-behind.c: who is older than the rings ---- */
err *behind_new(struct watches *w, struct behind **ret) MUST_CHECK;
void behind_free(struct behind *b);
/* It is told what came after `revision`, in its turn. EKEYEXPIRED: that is no longer kept. */
err *behind_add(struct behind *b, struct watcher *x, uint64_t revision) MUST_CHECK;
void behind_remove(struct watcher *x);
/* Its reader has taken what was sent. */
void behind_wake(struct behind *b);
