/* scheduler/watch-behind.c: watchers that are older than the rings: the store's log is read for them a page
 * at a time, each in its turn, in short slices of the loop's time. */
#include "scheduler/watch-internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "scheduler/ration.h"

enum {
	SLICE = 2 * NSEC_PER_MSEC, /* the loop's other work waits so long at most, and gets as much then */
	PAGE_ROWS = 1000,
	DECODED_SLOTS = 1024,
	DECODED_BYTES = 16 << 20,
};

/* Watchers that come back together read the same: it is decoded once. */
struct slot {
	char *key;
	struct entry *entry;
};
struct decoded {
	struct slot slots[DECODED_SLOTS]; /* by revision */
	size_t bytes, hand;
};

struct behind {
	struct watches *w;
	struct watcher *first, **last;
	struct loop_source *timer;
	bool armed;
	struct fill fill;
	struct decoded decoded;
};

/* ---- decoding ---- */

static void empty_slot(struct decoded *d, struct slot *slot)
{
	if (!slot->entry)
		return;
	d->bytes -= entry_bytes(slot->entry);
	entry_unref(slot->entry);
	free(slot->key);
	*slot = (struct slot){ 0 };
}

static void empty_all(struct decoded *d)
{
	for (size_t i = 0; i < DECODED_SLOTS; i++)
		empty_slot(d, &d->slots[i]);
}

static void keep_decoded(struct decoded *d, const char *key, const struct entry *e)
{
	struct slot *slot = &d->slots[e->revision % DECODED_SLOTS];

	empty_slot(d, slot);
	*slot = (struct slot){ strdup(key), entry_ref(e) };
	if (!slot->key)
		abort();
	d->bytes += entry_bytes(e);
	for (size_t i = 0; d->bytes > DECODED_BYTES && i < DECODED_SLOTS; i++)
		empty_slot(d, &d->slots[d->hand++ % DECODED_SLOTS]);
}

/* *ret: a reference. */
static err *decode(struct behind *b, const struct store_event *event, struct entry **ret)
{
	const struct slot *slot = &b->decoded.slots[event->revision % DECODED_SLOTS];
	const struct entry *present = cache_get_key(b->w->s->cache, event->key);

	if (present && present->revision == event->revision) {
		*ret = entry_ref(present);
		return NULL;
	}
	if (slot->entry && slot->entry->revision == event->revision && str_equal(slot->key, event->key)) {
		*ret = entry_ref(slot->entry);
		return NULL;
	}
	TRY(cache_decode(event->key, event->value, event->len, event->created, event->revision, ret));
	keep_decoded(&b->decoded, event->key, *ret);
	return NULL;
}

/* ---- one page of one watcher ---- */

struct page {
	struct behind *b;
	struct watcher *x;
	int64_t until;
	struct change *change; /* whose `before` is looked for */
	err *error;
};

/* Without decoding: can the filter see what has this text? A Pod's node is written once, so it is in all
 * texts from then on, and the Pod has never been elsewhere. */
static bool may_see(const struct watcher *x, const struct store_event *event)
{
	const char *node = x->kind->id == KIND_POD ? filter_node(&x->filter) : NULL;

	return !node || memmem(event->value, event->len, node, strlen(node));
}

static bool may_mean(const struct watcher *x, const struct store_event *event)
{
	const struct field_selector *fields = x->filter.fields;

	for (size_t i = 0; fields && i < fields->count; i++)
		if (!fields->items[i].differs && str_equal(fields->items[i].path, "metadata.name") &&
		    !str_equal(fields->items[i].value, strrchr(event->key, '/') + 1))
			return false;
	return !event->value || may_see(x, event);
}

static bool take_before(const struct store_event *event, void *user)
{
	struct page *p = user;

	p->change->unknown = false;
	if (event->value && may_see(p->x, event))
		p->error = decode(p->b, event, &p->change->before);
	return false;
}

static err *find_before(struct page *p, const struct store_event *event, struct change *c)
{
	c->unknown = true;
	p->change = c;
	TRY(store_before(p->b->w->s->store, event->key, event->revision, take_before, p));
	return TAKE(p->error);
}

static err *make_change(struct page *p, const struct store_event *event, struct change *c)
{
	*c = (struct change){ .revision = event->revision };
	if (event->value)
		TRY(decode(p->b, event, &c->after));
	if (event->value && event->created == event->revision)
		return NULL;
	/* Who sees all of it has seen it before. */
	if (event->value && !p->x->narrow)
		c->unknown = true;
	else
		TRY(find_before(p, event, c));
	return NULL;
}

static bool tell_row(const struct store_event *event, void *user)
{
	struct page *p = user;
	struct watcher *x = p->x;
	struct change c;

	if (!x->ending && !p->error && may_mean(x, event)) {
		p->error = make_change(p, event, &c);
		if (!p->error)
			watch_deliver(x, &c);
		change_done(&c);
	}
	return !x->ending && !p->error && stream_queued(x->stream) < watch_allowance(x->w) &&
	       clock_boot() < p->until;
}

static const char *prefix_of(const struct watcher *x, struct str *text)
{
	str_addf(text, "/%s/", x->kind->plural);
	if (x->kind->namespaced && x->filter.namespace)
		str_addf(text, "%s/", x->filter.namespace);
	return text->data;
}

static err *read_page(struct behind *b, struct watcher *x, int64_t until)
{
	auto_str struct str prefix = STR_INIT(STORE_KEY_MAX);
	struct store_past past = { .prefix = prefix_of(x, &prefix), .rows = PAGE_ROWS, .at = x->reached };
	struct page p = { .b = b, .x = x, .until = until };

	TRY(store_past(b->w->s->store, &past, tell_row, &p));
	TRY(p.error);
	x->reached = past.over ? store_revision(b->w->s->store) : past.at;
	return NULL;
}

static void one_page(struct behind *b, struct watcher *x, int64_t until)
{
	struct ration *ration = b->w->s->ration;
	int64_t begun = clock_boot();
	auto_err err *e = read_page(b, x, until);
	int64_t now = clock_boot();

	if (x->rationed)
		ration_cost(ration, x->filter.who.name, now, now - begun);
	if (!e)
		return;
	if (e->code != EKEYEXPIRED)
		log_err(e);
	watch_expire(x);
}

/* ---- everybody in turn ---- */

static void insert_last(struct behind *b, struct watcher *x)
{
	x->behind_next = NULL;
	x->behind_at = b->last;
	*b->last = x;
	b->last = &x->behind_next;
}

static void take_out(struct behind *b, struct watcher *x)
{
	*x->behind_at = x->behind_next;
	if (x->behind_next)
		x->behind_next->behind_at = x->behind_at;
	else
		b->last = x->behind_at;
}

void behind_remove(struct watcher *x)
{
	struct behind *b = x->w->behind;

	if (!x->behind)
		return;
	take_out(b, x);
	x->behind = false;
	if (!b->first)
		empty_all(&b->decoded);
}

/* From here on the ring has it. */
static bool join_ring(struct watcher *x)
{
	const struct ring *r = &x->w->rings.of[x->kind->id];

	if (x->ending || x->reached < r->from)
		return false;
	behind_remove(x);
	x->next_change = ring_after(r, x->reached);
	watch_pump(x);
	return true;
}

/* When it may have its turn: 0: now; INT64_MAX: when its reader has taken something. */
static int64_t ready_at(const struct behind *b, const struct watcher *x, int64_t now)
{
	if (x->ending || stream_queued(x->stream) >= watch_allowance(b->w))
		return INT64_MAX;
	return x->rationed ? ration_ready_at(b->w->s->ration, x->filter.who.name, now) : 0;
}

/* A page for each until the time is over. *ret_next: when there is more to do. */
static void serve(struct behind *b, int64_t until, int64_t *ret_next)
{
	struct watcher *stop = NULL;
	int64_t next = INT64_MAX;

	while (b->first && b->first != stop) {
		struct watcher *x = b->first;
		int64_t now = clock_boot(), at = ready_at(b, x, now);

		if (at == 0 && now >= until) {
			next = 0;
			break;
		}
		take_out(b, x);
		insert_last(b, x);
		if (at == 0) {
			stop = NULL;
			one_page(b, x, until);
			if (!join_ring(x))
				at = ready_at(b, x, clock_boot());
			else
				continue;
		}
		/* Once round without anybody who can go on. */
		if (!stop)
			stop = x;
		next = MIN(next, at);
		if (at == 0)
			stop = NULL;
	}
	*ret_next = next;
}

static void arm(struct behind *b, int64_t at)
{
	b->armed = true;
	IGNORE(loop_timer_set(b->timer, at));
}

static void join_all(struct behind *b)
{
	for (struct watcher *x = b->first, *next; x; x = next) {
		next = x->behind_next;
		join_ring(x);
	}
}

static void work(void *user)
{
	struct behind *b = user;
	struct watches *w = b->w;
	int64_t begun = clock_boot(), next = 0;

	b->armed = false;
	if (!b->fill.over) {
		auto_err err *e = fill_step(&b->fill, &w->rings, w->s->store, w->s->cache, begun + SLICE);

		if (e)
			log_err(e); /* who needs it reads the log */
		if (b->fill.over)
			fill_done(&b->fill);
		join_all(b);
	} else {
		join_all(b);
		serve(b, begun + SLICE, &next);
	}
	int64_t now = clock_boot();
	if (next < INT64_MAX && (b->first || !b->fill.over))
		arm(b, MAX(next, now + (now - begun)));
}

void behind_wake(struct behind *b)
{
	if (!b->armed)
		arm(b, clock_boot());
}

static bool refuse_row(const struct store_event *event, void *user)
{
	(void)event;
	(void)user;
	return false;
}

err *behind_add(struct behind *b, struct watcher *x, uint64_t revision)
{
	struct store_past reach = { .rows = 1, .at = revision };

	TRY(store_past(b->w->s->store, &reach, refuse_row, NULL));
	x->behind = true;
	x->reached = revision;
	insert_last(b, x);
	behind_wake(b);
	return NULL;
}

err *behind_new(struct watches *w, struct behind **ret)
{
	struct behind *b = calloc(1, sizeof(*b));

	if (!b)
		return err_oom();
	b->w = w;
	b->last = &b->first;
	*ret = b;
	fill_begin(&b->fill, store_revision(w->s->store));
	TRY(loop_timer(w->s->loop, clock_boot(), work, b, &b->timer));
	b->armed = true;
	return NULL;
}

void behind_free(struct behind *b)
{
	if (!b)
		return;
	loop_source_free(b->timer);
	fill_done(&b->fill);
	empty_all(&b->decoded);
	free(b);
}
