/* scheduler/watch.c: who watches what, from which revision on: recent changes in memory, older ones from the
 * store. */
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "api/status.h"
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/api-internal.h"
#include "scheduler/index.h"

enum {
	RING_MAX = 8192,	/* changes of one kind that are kept in memory ... */
	RING_BYTES = 16 << 20,	/* ... and about so many bytes of them */
	HISTORY_MAX = 20000,	/* changes that are read again for one that comes back after long */
	QUEUE_HIGH = 256 << 10, /* bytes that a reader has not taken: then it is waited for */
	BOOKMARK_SECONDS = 20,
	WATCH_SECONDS = 1800, /* so long, and up to twice, unless the client says */
};

enum line { LINE_ADDED, LINE_MODIFIED, LINE_DELETED, LINE_COUNT };
static const char *const line_names[] = { "ADDED", "MODIFIED", "DELETED" };

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

struct watcher {
	struct watches *w;
	struct watcher *next, **at;
	struct arena *arena;
	const struct kind *kind;
	struct filter filter;
	bool narrow; /* the filter looks at more than the namespace */
	struct stream *stream;
	struct loop_source *timer;
	struct change *past; /* to be told first: what is there, or what was */
	size_t past_count, past_next;
	uint64_t next_change; /* of the ring */
	bool bookmarks, initial, told_initial, ending;
};

struct watches {
	struct scheduler *s;
	struct ring rings[KIND_COUNT];
	struct watcher *watchers[KIND_COUNT];
	size_t counts[KIND_COUNT];
	struct loop_source *timer;
	/* Lines of the newest change, made once for all who watch. */
	const struct change *hot;
	struct blob *lines[LINE_COUNT];
};

static void change_done(struct change *c)
{
	entry_unref(c->before);
	entry_unref(c->after);
}

/* ---- the ring ---- */

static struct change *ring_at(const struct ring *r, uint64_t number)
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

/* Takes the references. */
static struct change *ring_push(struct ring *r, const struct change *c)
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

static uint64_t ring_after(const struct ring *r, uint64_t revision)
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

/* ---- lines ---- */

/* The object as it was, at the revision that ended it: from there a watch goes on. */
static void write_gone(const struct change *c, struct str *out)
{
	auto_arena struct arena *arena = NULL;
	auto_err err *e = arena_new(1 << 20, &arena);
	struct object *copy = e ? NULL : arena_alloc(arena, c->before->kind->type->size);

	if (!copy)
		abort();
	memcpy(copy, c->before->object, c->before->kind->type->size);
	copy->metadata.resource_version = arena_printf(arena, "%" PRIu64, c->revision);
	object_encode(out, copy, 0);
}

static struct blob *make_line(const struct change *c, enum line type)
{
	auto_str struct str text = STR_INIT(4 * STORE_VALUE_MAX);

	str_addf(&text, "{\"type\":\"%s\",\"object\":", line_names[type]);
	if (type == LINE_DELETED)
		write_gone(c, &text);
	else
		str_add_bytes(&text, c->after->json->bytes, c->after->json->len);
	str_add(&text, "}\n");
	return blob_new(text.data, text.len);
}

static void cool(struct watches *w)
{
	for (int i = 0; i < LINE_COUNT; i++) {
		blob_unref(w->lines[i]);
		w->lines[i] = NULL;
	}
	w->hot = NULL;
}

static bool send_line(struct watcher *x, const struct change *c, enum line type)
{
	struct watches *w = x->w;
	struct blob *line = c == w->hot ? w->lines[type] : NULL;

	if (!line)
		line = make_line(c, type);
	bool sent = stream_send(x->stream, line);
	if (c == w->hot)
		w->lines[type] = line;
	else
		blob_unref(line);
	return sent;
}

static void send_text(struct watcher *x, const struct str *text)
{
	struct blob *b = blob_new(text->data, text->len);

	if (!stream_send(x->stream, b))
		x->ending = true;
	blob_unref(b);
}

static void send_bookmark(struct watcher *x)
{
	auto_str struct str text = STR_INIT(4096);

	str_addf(&text,
		 "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{"
		 "\"resourceVersion\":\"%" PRIu64 "\"%s}}}\n",
		 x->kind->name, x->kind->api_version, cache_revision(x->w->s->cache),
		 x->initial && !x->told_initial ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}"
						: "");
	x->told_initial = true;
	send_text(x, &text);
}

static void end_watch(struct watcher *x)
{
	x->ending = true;
	stream_end(x->stream);
}

/* It has to list again. */
static void end_expired(struct watcher *x)
{
	auto_str struct str text = STR_INIT(8192);
	auto_err err *e = err_new(EKEYEXPIRED, "what has happened meanwhile is no longer kept: list again");

	str_add(&text, "{\"type\":\"ERROR\",\"object\":");
	status_encode_err(&text, e, x->kind->plural, NULL);
	str_add(&text, "}\n");
	send_text(x, &text);
	end_watch(x);
}

/* ---- telling one watcher ---- */

/* False: it is over with this watcher. */
static bool deliver(struct watcher *x, const struct change *c)
{
	bool is = c->after && filter_sees(&x->filter, c->after->object);
	bool was = c->before && filter_sees(&x->filter, c->before->object);

	if (c->unknown && (!c->after || (!is && x->narrow))) {
		end_expired(x);
		return false;
	}
	if (c->unknown)
		was = is;
	if (!is && !was)
		return true;
	if (send_line(x, c, !is ? LINE_DELETED : was ? LINE_MODIFIED : LINE_ADDED))
		return true;
	x->ending = true;
	return false;
}

/* Tell it what it does not know yet, as far as it takes it. */
static void pump(struct watcher *x)
{
	struct ring *r = &x->w->rings[x->kind->id];

	while (!x->ending && stream_queued(x->stream) < QUEUE_HIGH) {
		if (x->past_next < x->past_count) {
			if (!deliver(x, &x->past[x->past_next++]))
				return;
			continue;
		}
		if (x->next_change < r->tail) {
			end_expired(x);
			return;
		}
		if (x->next_change == r->head) {
			if (!x->told_initial && x->bookmarks)
				send_bookmark(x);
			return;
		}
		if (!deliver(x, ring_at(r, x->next_change++)))
			return;
	}
}

static void on_drained(void *user)
{
	pump(user);
}

static void on_closed(void *user)
{
	struct watcher *x = user;

	*x->at = x->next;
	if (x->next)
		x->next->at = x->at;
	x->w->counts[x->kind->id]--;
	loop_source_free(x->timer);
	for (size_t i = 0; i < x->past_count; i++)
		change_done(&x->past[i]);
	free(x->past);
	arena_free(x->arena);
	free(x);
}

static void on_timeout(void *user)
{
	struct watcher *x = user;

	if (!x->ending)
		end_watch(x);
}

static void on_change(const struct entry *before, const struct entry *after, uint64_t revision, void *user)
{
	struct watches *w = user;
	const struct kind *kind = (after ? after : before)->kind;
	const struct change change = { .before = before ? entry_ref(before) : NULL,
				       .after = after ? entry_ref(after) : NULL,
				       .revision = revision };

	w->hot = ring_push(&w->rings[kind->id], &change);
	for (struct watcher *x = w->watchers[kind->id], *next; x; x = next) {
		next = x->next;
		pump(x);
	}
	cool(w);
}

static void on_bookmark_time(void *user)
{
	struct watches *w = user;

	for (int i = 0; i < KIND_COUNT; i++)
		for (struct watcher *x = w->watchers[i], *next; x; x = next) {
			next = x->next;
			if (x->bookmarks && !x->ending && x->past_next == x->past_count &&
			    x->next_change == w->rings[i].head)
				send_bookmark(x);
		}
	IGNORE(loop_timer_set(w->timer, clock_boot() + BOOKMARK_SECONDS * (int64_t)NSEC_PER_SEC));
}

/* ---- what the store still knows ---- */

struct replay {
	struct watches *w;
	const struct kind *kind; /* NULL: all */
	struct index last;	 /* by key: the entry as it was last, not referenced */
	struct change *changes;
	const struct kind **kinds;
	size_t count, cap;
};

static void replay_add(struct replay *r, const struct kind *kind, const struct change *c)
{
	if (r->count == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 64;
		r->changes = reallocarray(r->changes, r->cap, sizeof(*r->changes));
		r->kinds = reallocarray(r->kinds, r->cap, sizeof(*r->kinds));
		if (!r->changes || !r->kinds)
			abort();
	}
	r->kinds[r->count] = kind;
	r->changes[r->count++] = *c;
}

static err *on_past(const struct store_event *event, void *user)
{
	struct replay *r = user;
	const struct kind *kind = cache_key_kind(event->key);
	struct entry *before = index_get(&r->last, event->key);
	struct change c = { .revision = event->revision };

	if (!kind || (r->kind && kind != r->kind))
		return NULL;
	if (event->value)
		TRY(cache_decode(event->key, event->value, event->len, event->created, event->revision,
				 &c.after));
	c.before = before ? entry_ref(before) : NULL;
	c.unknown = !before && !(event->value && event->created == event->revision);
	if (c.after)
		index_put(&r->last, event->key, c.after);
	else
		index_remove(&r->last, event->key);
	replay_add(r, kind, &c);
	return NULL;
}

static void replay_done(struct replay *r, bool keep)
{
	for (size_t i = 0; i < r->count && !keep; i++)
		change_done(&r->changes[i]);
	free(keep ? NULL : r->changes);
	free(r->kinds);
	index_done(&r->last);
}

/* After a start: so that who comes back can go on from where it was. */
static err *read_past(struct watches *w)
{
	uint64_t now = store_revision(w->s->store);
	err *e = NULL;

	for (uint64_t back = RING_MAX; back; back /= 8) {
		struct replay r = { .w = w };
		uint64_t from = now > back ? now - back : 0;

		err_free(e);
		e = store_history(w->s->store, from, 0, on_past, &r);
		if (e) {
			replay_done(&r, false);
			if (e->code != EKEYEXPIRED)
				return e;
			continue;
		}
		for (int i = 0; i < KIND_COUNT; i++)
			w->rings[i].from = from;
		for (size_t i = 0; i < r.count; i++)
			ring_push(&w->rings[r.kinds[i]->id], &r.changes[i]);
		free(r.changes);
		replay_done(&r, true);
		return NULL;
	}
	err_free(e);
	for (int i = 0; i < KIND_COUNT; i++)
		w->rings[i].from = now;
	return NULL;
}

/* ---- the beginning of a watch ---- */

static err *resume(struct watcher *x, uint64_t revision)
{
	struct watches *w = x->w;
	struct ring *ring = &w->rings[x->kind->id];
	struct replay r = { .w = w, .kind = x->kind };

	if (revision >= ring->from) {
		x->next_change = ring_after(ring, revision);
		return NULL;
	}
	err *e = cache_revision(w->s->cache) - revision > HISTORY_MAX
			 ? err_new(EKEYEXPIRED, "resourceVersion: %" PRIu64 " is too old: list again",
				   revision)
			 : store_history(w->s->store, revision, 0, on_past, &r);
	replay_done(&r, !e);
	if (e)
		return e->code == EKEYEXPIRED ? err_wrap(e, "resourceVersion: %" PRIu64, revision) : e;
	x->past = r.changes;
	x->past_count = r.count;
	x->next_change = ring->head;
	return NULL;
}

static bool add_present(const struct entry *e, void *user)
{
	struct replay *r = user;
	const struct change c = { .after = entry_ref(e), .revision = e->revision };

	replay_add(r, e->kind, &c);
	return true;
}

static void begin_with_present(struct watcher *x)
{
	struct replay r = { .w = x->w };

	cache_each(x->w->s->cache, x->kind->id, x->filter.namespace, add_present, &r);
	x->past = r.changes;
	x->past_count = r.count;
	replay_done(&r, true);
	x->next_change = x->w->rings[x->kind->id].head;
}

static err *read_options(struct call *c, struct watcher *x, uint64_t *ret_revision, uint64_t *ret_seconds)
{
	uint64_t now = cache_revision(c->s->cache);
	uint16_t chance = 0;
	bool given;

	TRY(call_number(c, "resourceVersion", UINT64_MAX, ret_revision, &given));
	if (*ret_revision > now)
		return err_new(EKEYEXPIRED,
			       "resourceVersion: %" PRIu64 " is not of this store, which is at %" PRIu64
			       ": list again",
			       *ret_revision, now);
	TRY(call_flag(c, "allowWatchBookmarks", &x->bookmarks));
	TRY(call_flag(c, "sendInitialEvents", &x->initial));
	TRY(call_number(c, "timeoutSeconds", 86400, ret_seconds, &given));
	if (!given || *ret_seconds == 0) {
		if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
			chance = 0;
		*ret_seconds = WATCH_SECONDS + chance % WATCH_SECONDS;
	}
	return NULL;
}

static err *make_watcher(struct watches *w, struct call *c, struct watcher *x)
{
	uint64_t revision, seconds;

	x->w = w;
	x->kind = c->kind;
	x->filter = (struct filter){ c->namespace, c->labels, c->fields, c->who };
	if (c->who.node)
		TRY_ALLOC(c->arena, x->filter.who.node, arena_strdup(c->arena, c->who.node));
	TRY_ALLOC(c->arena, x->filter.who.name, arena_strdup(c->arena, c->who.name));
	x->narrow = (c->labels && !label_selector_is_empty(c->labels)) || (c->fields && c->fields->count) ||
		    c->who.role == ROLE_NODE;
	TRY(read_options(c, x, &revision, &seconds));
	if (revision && !x->initial)
		TRY(resume(x, revision));
	else
		begin_with_present(x);
	return loop_timer(w->s->loop, clock_boot() + (int64_t)(seconds * NSEC_PER_SEC), on_timeout, x,
			  &x->timer);
}

err *watches_begin(struct watches *w, struct call *c)
{
	struct watcher *x = calloc(1, sizeof(*x));

	if (!x)
		return err_oom();
	err *e = make_watcher(w, c, x);
	if (e) {
		for (size_t i = 0; i < x->past_count; i++)
			change_done(&x->past[i]);
		free(x->past);
		free(x);
		return e;
	}
	x->next = w->watchers[x->kind->id];
	x->at = &w->watchers[x->kind->id];
	if (x->next)
		x->next->at = &x->next;
	w->watchers[x->kind->id] = x;
	w->counts[x->kind->id]++;
	/* The selectors live in the call's arena. */
	x->arena = TAKE(c->arena);
	x->stream = call_stream(c, API_JSON, API_WATCH_QUEUE, on_closed, x);
	stream_on_drained(x->stream, on_drained, x);
	pump(x);
	return NULL;
}

size_t watches_count(const struct watches *w)
{
	size_t count = 0;

	for (int i = 0; i < KIND_COUNT; i++)
		count += w->counts[i];
	return count;
}

err *watches_new(struct scheduler *s, struct watches **ret)
{
	struct watches *w = calloc(1, sizeof(*w));

	if (!w)
		return err_oom();
	w->s = s;
	err *e = read_past(w);
	if (!e)
		e = cache_subscribe(s->cache, on_change, w);
	if (!e)
		e = loop_timer(s->loop, clock_boot() + BOOKMARK_SECONDS * (int64_t)NSEC_PER_SEC,
			       on_bookmark_time, w, &w->timer);
	if (e) {
		watches_free(w);
		return e;
	}
	*ret = w;
	return NULL;
}

void watches_free(struct watches *w)
{
	if (!w)
		return;
	loop_source_free(w->timer);
	for (int i = 0; i < KIND_COUNT; i++) {
		while (w->rings[i].tail < w->rings[i].head)
			ring_drop(&w->rings[i]);
		free(w->rings[i].items);
	}
	free(w);
}
