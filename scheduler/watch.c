/* scheduler/watch.c: who watches what, from which revision on. */
#include "scheduler/watch-internal.h"

#include <inttypes.h>
#include <malloc.h>
#include <string.h>
#include <sys/random.h>

#include "api/status.h"
#include "base/clock.h"
#include "base/log.h"

enum {
	HISTORY_MAX = 20000,	/* changes that are read again for one that comes back after long */
	QUEUE_HIGH = 256 << 10, /* bytes that a reader has not taken: then it is waited for */
	QUEUE_LOW = 16 << 10,	/* the same where there are very many */
	QUEUES_HIGH = 64 << 20, /* all of them together */
	FREE_BYTES = 32 << 20,	/* so much more that is free is given back to the system */
	BOOKMARK_SECONDS = 20,
	WATCH_SECONDS = 1800, /* so long, and up to twice, unless the client says */
	SECONDS_MAX = 86400,
};

enum line { LINE_ADDED, LINE_MODIFIED, LINE_DELETED, LINE_COUNT };
_Static_assert(LINE_COUNT == ARRAY_LEN(((struct watches *)NULL)->lines), "a line of each type is kept");
static const char *const line_names[] = { "ADDED", "MODIFIED", "DELETED" };

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

void watch_expire(struct watcher *x)
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

/* A Pod on another node has never been on this one: where it is, is written once. */
static bool was_never(const struct watcher *x, const struct object *now)
{
	const char *node = filter_node(&x->filter),
		   *there = x->kind->id == KIND_POD ? object_field(now, "spec.nodeName") : NULL;

	return node && there && there[0] && !str_equal(there, node);
}

bool watch_deliver(struct watcher *x, const struct change *c)
{
	bool is = c->after && filter_sees(&x->filter, c->after->object);
	bool was = c->before && filter_sees(&x->filter, c->before->object);

	if (c->unknown && (!c->after || (!is && x->narrow && !was_never(x, c->after->object)))) {
		watch_expire(x);
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

size_t watch_allowance(const struct watches *w)
{
	size_t share = QUEUES_HIGH / MAX(watches_count(w), (size_t)1);

	return MIN(MAX(share, (size_t)QUEUE_LOW), (size_t)QUEUE_HIGH);
}

void watch_pump(struct watcher *x)
{
	const struct ring *r = &x->w->rings.of[x->kind->id];
	size_t allowance = watch_allowance(x->w);

	if (x->behind) {
		behind_wake(x->w->behind);
		return;
	}
	while (!x->ending && stream_queued(x->stream) < allowance) {
		if (x->past_next < x->past.count) {
			if (!watch_deliver(x, &x->past.changes[x->past_next++]))
				return;
			continue;
		}
		if (x->next_change < r->tail) {
			watch_expire(x);
			return;
		}
		if (x->next_change == r->head) {
			if (!x->told_initial && x->bookmarks)
				send_bookmark(x);
			return;
		}
		if (!watch_deliver(x, ring_at(r, x->next_change++)))
			return;
	}
}

static void on_drained(void *user)
{
	watch_pump(user);
}

static void past_done(struct past *p)
{
	for (size_t i = 0; i < p->count; i++)
		change_done(&p->changes[i]);
	free(p->changes);
	*p = (struct past){ 0 };
}

static void on_closed(void *user)
{
	struct watcher *x = user;

	*x->at = x->next;
	if (x->next)
		x->next->at = x->at;
	x->w->counts[x->kind->id]--;
	behind_remove(x);
	loop_source_free(x->timer);
	past_done(&x->past);
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

	w->hot = rings_push(&w->rings, kind, &change);
	for (struct watcher *x = w->watchers[kind->id], *next; x; x = next) {
		next = x->next;
		if (!x->behind)
			watch_pump(x);
	}
	cool(w);
}

/* What many readers had is free, but glibc keeps it for this process. */
static void give_back(struct watches *w)
{
	size_t free_bytes = mallinfo2().fordblks;

	if (free_bytes < w->free_bytes + FREE_BYTES) {
		w->free_bytes = MIN(w->free_bytes, free_bytes);
		return;
	}
	malloc_trim(0);
	w->free_bytes = mallinfo2().fordblks;
}

static void on_bookmark_time(void *user)
{
	struct watches *w = user;

	for (int i = 0; i < KIND_COUNT; i++)
		for (struct watcher *x = w->watchers[i], *next; x; x = next) {
			next = x->next;
			if (x->bookmarks && !x->ending && !x->behind && x->past_next == x->past.count &&
			    x->next_change == w->rings.of[i].head)
				send_bookmark(x);
		}
	give_back(w);
	IGNORE(loop_timer_set(w->timer, clock_boot() + BOOKMARK_SECONDS * (int64_t)NSEC_PER_SEC));
}

/* ---- the beginning of a watch ---- */

static err *resume(struct watcher *x, uint64_t revision)
{
	struct watches *w = x->w;
	const struct ring *ring = &w->rings.of[x->kind->id];
	uint64_t now = cache_revision(w->s->cache);

	if (revision >= ring->from) {
		x->next_change = ring_after(ring, revision);
		return NULL;
	}
	if (now - revision > HISTORY_MAX)
		return err_new(EKEYEXPIRED, "resourceVersion: %" PRIu64 " is too old: list again", revision);
	err *e = behind_add(w->behind, x, revision);
	return e && e->code == EKEYEXPIRED ? err_wrap(e, "resourceVersion: %" PRIu64, revision) : e;
}

static void past_add(struct past *p, const struct change *c)
{
	if (p->count == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 64;
		p->changes = reallocarray(p->changes, p->cap, sizeof(*p->changes));
		if (!p->changes)
			abort();
	}
	p->changes[p->count++] = *c;
}

/* Only what it sees: thousands of nodes watch a few Pods each of very many. */
static bool add_present(const struct entry *e, void *user)
{
	struct watcher *x = user;
	struct change c = { .revision = e->revision };

	if (!filter_sees(&x->filter, e->object))
		return true;
	c.after = entry_ref(e);
	past_add(&x->past, &c);
	return true;
}

static void begin_with_present(struct watcher *x)
{
	filter_each(&x->filter, x->w->s->cache, x->kind, add_present, x);
	x->next_change = x->w->rings.of[x->kind->id].head;
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
	TRY(call_revision_match(c));
	TRY(call_number(c, "timeoutSeconds", INT64_MAX, ret_seconds, &given));
	*ret_seconds = MIN(*ret_seconds, (uint64_t)SECONDS_MAX);
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
	x->rationed = request_peer(c->r)->kind != PEER_UNIX;
	if (c->who.node)
		TRY_ALLOC(c->arena, x->filter.who.node, arena_strdup(c->arena, c->who.node));
	TRY_ALLOC(c->arena, x->filter.who.name, arena_strdup(c->arena, c->who.name));
	x->narrow = (c->labels && !label_selector_is_empty(c->labels)) || (c->fields && c->fields->count) ||
		    c->who.role == ROLE_NODE;
	TRY(read_options(c, x, &revision, &seconds));
	if (revision && !x->initial)
		TRY(resume(x, revision));
	else if (x->initial || !request_query(c->r, "sendInitialEvents"))
		begin_with_present(x);
	else /* what is there is expressly not wanted */
		x->next_change = w->rings.of[x->kind->id].head;
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
		behind_remove(x);
		past_done(&x->past);
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
	watch_pump(x);
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
	rings_begin(&w->rings, cache_revision(s->cache));
	err *e = behind_new(w, &w->behind);
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
	behind_free(w->behind);
	rings_done(&w->rings);
	free(w);
}
