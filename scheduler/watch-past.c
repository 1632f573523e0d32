/* scheduler/watch-past.c: changes that have been: a ring of each kind, filled after a start from the store's
 * log. */
#include "scheduler/watch-internal.h"

#include "base/clock.h"

enum {
	RINGS_BYTES = 64 << 20, /* memory for the changes of all kinds */
	FILL_ROWS = 256,	/* of the log, in one page */
};
/* Numbers go on in both directions. */
#define FIRST_NUMBER (UINT64_C(1) << 32)

void change_done(struct change *c)
{
	entry_unref(c->before);
	entry_unref(c->after);
}

struct change *ring_at(const struct ring *r, uint64_t number)
{
	return &r->items[number % r->cap];
}

/* What is before is after in another change, but for what is deleted. */
static size_t weight(const struct change *c)
{
	const struct entry *e = c->after ? c->after : c->before;

	return sizeof(*c) + (e ? entry_bytes(e) : 0);
}

static size_t count_of(const struct ring *r)
{
	return (size_t)(r->head - r->tail);
}

static void drop(struct rings *rings, struct ring *r)
{
	struct change *c = ring_at(r, r->tail++);

	r->from = c->revision;
	r->full = true;
	r->bytes -= c->bytes;
	rings->bytes -= c->bytes;
	change_done(c);
}

/* Where most is; the newest of each kind stays, as it may be about to be told. */
static struct ring *largest(struct rings *rings)
{
	struct ring *found = NULL;

	for (int i = 0; i < KIND_COUNT; i++)
		if (count_of(&rings->of[i]) > 1 && (!found || rings->of[i].bytes > found->bytes))
			found = &rings->of[i];
	return found;
}

static void grow(struct ring *r)
{
	size_t cap = r->cap ? 2 * r->cap : 16;
	struct change *items = calloc(cap, sizeof(*items));

	if (!items)
		abort();
	for (uint64_t n = r->tail; n < r->head; n++)
		items[n % cap] = *ring_at(r, n);
	free(r->items);
	r->items = items;
	r->cap = cap;
}

static void weigh(struct rings *rings, struct ring *r, struct change *c)
{
	size_t before = c->bytes;

	c->bytes = weight(c);
	r->bytes += c->bytes - before;
	rings->bytes += c->bytes - before;
}

struct change *rings_push(struct rings *rings, const struct kind *kind, const struct change *c)
{
	struct ring *r = &rings->of[kind->id];

	if (count_of(r) == RING_MAX)
		drop(rings, r);
	if (count_of(r) == r->cap)
		grow(r);
	struct change *own = ring_at(r, r->head++);
	*own = *c;
	own->bytes = 0;
	weigh(rings, r, own);
	for (struct ring *l; rings->bytes > RINGS_BYTES && (l = largest(rings));)
		drop(rings, l);
	return ring_at(r, r->head - 1);
}

/* False: there is no room for it. */
static bool unshift(struct rings *rings, struct ring *r, const struct change *c)
{
	if (r->full || count_of(r) == RING_MAX || rings->bytes + weight(c) > RINGS_BYTES) {
		r->full = true;
		return false;
	}
	if (count_of(r) == r->cap)
		grow(r);
	struct change *own = ring_at(r, --r->tail);
	*own = *c;
	own->bytes = 0;
	weigh(rings, r, own);
	return true;
}

uint64_t ring_after(const struct ring *r, uint64_t revision)
{
	uint64_t low = r->tail, high = r->head;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (ring_at(r, middle)->revision <= revision)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void rings_begin(struct rings *rings, uint64_t revision)
{
	for (int i = 0; i < KIND_COUNT; i++)
		rings->of[i] = (struct ring){ .tail = FIRST_NUMBER, .head = FIRST_NUMBER, .from = revision };
}

void rings_done(struct rings *rings)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		while (count_of(&rings->of[i]))
			drop(rings, &rings->of[i]);
		free(rings->of[i].items);
	}
}

/* ---- what the log still knows ---- */

struct filling {
	struct fill *f;
	struct rings *rings;
	const struct cache *cache;
	int64_t until;
	err *error;
};

void fill_begin(struct fill *f, uint64_t revision)
{
	*f = (struct fill){ .at = revision + 1, .end = revision > RING_MAX ? revision - RING_MAX : 0 };
}

void fill_done(struct fill *f)
{
	index_done(&f->waiting);
}

/* The change after this one of the same object is waiting to know what it was. */
static void give_before(struct filling *f, struct ring *r, const char *key, struct entry *was)
{
	uint64_t number = (uintptr_t)index_remove(&f->f->waiting, key);

	if (!number || number < r->tail || !was)
		return;
	struct change *c = ring_at(r, number);
	c->before = entry_ref(was);
	c->unknown = false;
	weigh(f->rings, r, c);
}

static err *fill_change(struct filling *f, const struct store_event *event, const struct kind *kind)
{
	struct ring *r = &f->rings->of[kind->id];
	const struct entry *present = cache_get_key(f->cache, event->key);
	struct change c = { .revision = event->revision };

	/* Most are as they still are. */
	if (event->value && present && present->revision == event->revision)
		c.after = entry_ref(present);
	else if (event->value)
		TRY(cache_decode(event->key, event->value, event->len, event->created, event->revision,
				 &c.after));
	c.unknown = !event->value || event->created != event->revision;
	give_before(f, r, event->key, c.after);
	if (!unshift(f->rings, r, &c))
		change_done(&c);
	else if (c.unknown)
		index_put(&f->f->waiting, event->key, (void *)(uintptr_t)r->tail);
	return NULL;
}

static bool fill_row(const struct store_event *event, void *user)
{
	struct filling *f = user;
	const struct kind *kind = cache_key_kind(event->key);

	if (kind && (!f->rings->of[kind->id].full || index_get(&f->f->waiting, event->key)))
		f->error = fill_change(f, event, kind);
	return !f->error && clock_boot() < f->until;
}

err *fill_step(struct fill *f, struct rings *rings, struct store *store, const struct cache *cache,
	       int64_t until)
{
	struct filling filling = { .f = f, .rings = rings, .cache = cache, .until = until };

	do {
		struct store_past page = { .backwards = true, .rows = FILL_ROWS, .at = f->at };

		f->over = true;
		TRY(store_past(store, &page, fill_row, &filling));
		TRY(filling.error);
		f->at = page.at;
		f->over = page.over || page.at <= f->end + 1;
		for (int i = 0; i < KIND_COUNT; i++)
			if (!rings->of[i].full)
				rings->of[i].from = MIN(rings->of[i].from, f->at - 1);
	} while (!f->over && clock_boot() < until);
	return NULL;
}
