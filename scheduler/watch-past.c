/* scheduler/watch-past.c: changes that have been: a ring of each kind, and what the store's log tells. */
#include "scheduler/watch-internal.h"

#include <errno.h>

#include "scheduler/index.h"

enum {
	RING_BYTES = 16 << 20, /* about so much memory for the changes of one kind */
};

static void change_done(struct change *c)
{
	entry_unref(c->before);
	entry_unref(c->after);
}

struct change *ring_at(const struct ring *r, uint64_t number)
{
	return &r->items[number % r->cap];
}

/* The decoded form is some times as large as the text. */
static size_t weight(const struct change *c)
{
	return sizeof(*c) + 4 * (c->after ? c->after->json->len : c->before ? c->before->json->len : 0);
}

static void ring_drop(struct ring *r)
{
	struct change *c = ring_at(r, r->tail++);

	r->from = c->revision;
	r->bytes -= weight(c);
	change_done(c);
}

static void ring_grow(struct ring *r)
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

struct change *ring_push(struct ring *r, const struct change *c)
{
	if (r->head - r->tail == RING_MAX)
		ring_drop(r);
	if (r->head - r->tail == r->cap)
		ring_grow(r);
	*ring_at(r, r->head++) = *c;
	r->bytes += weight(c);
	while (r->bytes > RING_BYTES && r->head - r->tail > 1)
		ring_drop(r);
	return ring_at(r, r->head - 1);
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

void ring_done(struct ring *r)
{
	while (r->tail < r->head)
		ring_drop(r);
	free(r->items);
}

/* ---- what the store still knows ---- */

struct replay {
	const struct cache *cache;
	const struct kind *kind; /* NULL: all */
	struct index last;       /* by key: the entry as it was last, not referenced */
	struct past *past;
};

void past_add(struct past *p, const struct kind *kind, const struct change *c)
{
	if (p->count == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 64;
		p->changes = reallocarray(p->changes, p->cap, sizeof(*p->changes));
		p->kinds = reallocarray(p->kinds, p->cap, sizeof(*p->kinds));
		if (!p->changes || !p->kinds)
			abort();
	}
	p->kinds[p->count] = kind;
	p->changes[p->count++] = *c;
}

void past_done(struct past *p)
{
	for (size_t i = 0; i < p->count; i++)
		change_done(&p->changes[i]);
	free(p->changes);
	free(p->kinds);
	*p = (struct past){ 0 };
}

static err *on_past(const struct store_event *event, void *user)
{
	struct replay *r = user;
	const struct kind *kind = cache_key_kind(event->key);
	struct entry *before = index_get(&r->last, event->key);
	const struct entry *present = cache_get_key(r->cache, event->key);
	struct change c = { .revision = event->revision };

	if (!kind || (r->kind && kind != r->kind))
		return NULL;
	/* Most are as they still are. */
	if (event->value && present && present->revision == event->revision)
		c.after = entry_ref(present);
	else if (event->value)
		TRY(cache_decode(event->key, event->value, event->len, event->created, event->revision,
				 &c.after));
	c.before = before ? entry_ref(before) : NULL;
	c.unknown = !before && !(event->value && event->created == event->revision);
	if (c.after)
		index_put(&r->last, event->key, c.after);
	else
		index_remove(&r->last, event->key);
	past_add(r->past, kind, &c);
	return NULL;
}

err *past_read(struct store *store, const struct cache *cache, uint64_t after, const struct kind *kind,
	       struct past *ret)
{
	struct replay r = { .cache = cache, .kind = kind, .past = ret };
	err *e;

	*ret = (struct past){ 0 };
	e = store_history(store, after, 0, on_past, &r);
	index_done(&r.last);
	if (e)
		past_done(ret);
	return e;
}

err *rings_fill(struct ring rings[static KIND_COUNT], struct store *store, const struct cache *cache)
{
	uint64_t now = store_revision(store), from = now;
	struct past past = { 0 };

	for (uint64_t back = RING_MAX; back; back /= 8) {
		uint64_t begin = now > back ? now - back : 0;
		err *e = past_read(store, cache, begin, NULL, &past);

		if (!e) {
			from = begin;
			break;
		}
		if (e->code != EKEYEXPIRED)
			return e;
		err_free(e);
	}
	for (int i = 0; i < KIND_COUNT; i++)
		rings[i].from = from;
	for (size_t i = 0; i < past.count; i++)
		ring_push(&rings[past.kinds[i]->id], &past.changes[i]);
	past.count = 0; /* the rings have them */
	past_done(&past);
	return NULL;
}
