/* scheduler/binder.c: Pods without a node: tried in the order of their creation, again when something changed that may
 * help, bound in batches. */
#include <stdlib.h>
#include <string.h>

#include "api/claim.h"
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/explain-internal.h"
#include "scheduler/index.h"
#include "scheduler/scheduler.h"

enum {
	BATCH = 128,
	IN_FLIGHT_MAX = 8 * BATCH,
	TRIES_A_TURN = 512, /* so that requests are answered meanwhile */
};

#define TELL_AGAIN (30 * (int64_t)NSEC_PER_SEC)

/* What may help a Pod that waits. */
enum {
	HELP_NODE = 1 << 0,
	HELP_POD_GONE = 1 << 1,
	HELP_POD_THERE = 1 << 2, /* elsewhere: it evens out */
	HELP_CLAIM = 1 << 3,
};
static const unsigned helps[PLACE_REASON_COUNT] = {
	[PLACE_CLAIM] = HELP_CLAIM,
	[PLACE_CPU] = HELP_POD_GONE,
	[PLACE_MEMORY] = HELP_POD_GONE,
	[PLACE_PODS] = HELP_POD_GONE,
	[PLACE_PORT] = HELP_POD_GONE,
	[PLACE_SPREAD] = HELP_POD_GONE | HELP_POD_THERE,
	[PLACE_ANTI_AFFINITY] = HELP_POD_GONE,
};

enum waiting_state { QUEUED, BINDING, PARKED };
struct waiting {
	enum waiting_state state;
	unsigned helped_by;	    /* PARKED: HELP_* */
	struct waiting *next, **at; /* PARKED */
	int64_t since;		    /* clock_boot() when it was queued */
	unsigned reasons, last; /* bits of enum place_reason: all that its events told, and the last one */
	char *why;		/* a reason that is not placement's, as told last; NULL */
	int64_t told_at;
	const char *uid, *namespace, *name;
	char order[]; /* creation's revision, then uid: the key in the queue */
};

struct binder {
	struct scheduler *s;
	struct index by_uid, queue;
	struct waiting *parked;
	struct batch *batches;
	size_t in_flight;
	unsigned changes;           /* HELP_* since the last turn */
	unsigned failures;          /* of binding, one after the other */
	bool paused;
	struct loop_source *work, *again;
};

struct batch {
	struct binder *binder;      /* NULL: it is gone */
	struct batch *next, **at;
	size_t count;
	struct binding bindings[BATCH];
};

/* ---- claims ---- */

struct claims {
	const char *node;           /* where their data is; NULL: nowhere yet */
	struct str *why;            /* not empty: the Pod has to wait for them; may be NULL */
};

static void find_claim(struct scheduler *s, const struct pod *pod, const char *name, struct claims *c)
{
	const struct entry *e = cache_get(s->cache, KIND_CLAIM, pod->metadata.namespace, name);
	const char *node = e ? string_map_get(&e->object->metadata.annotations, CLAIM_NODE) : NULL;

	if (c->why && !c->why->len && !e)
		str_addf(c->why, "claim '%s' is not there", name);
	else if (c->why && !c->why->len && e->object->metadata.deletion.nsec)
		str_addf(c->why, "claim '%s' is on its way out", name);
	else if (c->why && !c->why->len && node && c->node && !str_equal(node, c->node))
		str_addf(c->why, "the data of its claims is on '%s' and on '%s'", c->node, node);
	if (node && *node && !c->node)
		c->node = node;
}

static void find_claims(struct scheduler *s, const struct pod *pod, struct claims *c)
{
	for (size_t i = 0; i < pod->spec.volumes.count; i++)
		if (pod->spec.volumes.items[i].claim)
			find_claim(s, pod, pod->spec.volumes.items[i].claim->claim, c);
}

const char *binder_claim_node(struct scheduler *s, const struct pod *pod)
{
	struct claims c = { 0 };

	find_claims(s, pod, &c);
	return c.node;
}

void binder_claims_trouble(struct scheduler *s, const struct pod *pod, struct str *out)
{
	struct claims c = { .why = out };

	find_claims(s, pod, &c);
}

/* ---- who waits ---- */

static const struct pod *pod_of(const struct entry *e)
{
	return (const struct pod *)(const void *)e->object;
}

static bool is_bound(const struct pod *pod)
{
	return pod->spec.node_name && *pod->spec.node_name;
}

static void unpark(struct waiting *w)
{
	if (w->state != PARKED)
		return;
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
}

static void enqueue(struct binder *b, struct waiting *w)
{
	unpark(w);
	w->state = QUEUED;
	index_put(&b->queue, w->order, w);
	loop_soon(b->work);
}

static void park(struct binder *b, struct waiting *w, unsigned helped_by)
{
	w->state = PARKED;
	w->helped_by = helped_by;
	w->next = b->parked;
	w->at = &b->parked;
	if (w->next)
		w->next->at = &w->next;
	b->parked = w;
}

static void wait_for_node(struct binder *b, const struct entry *e)
{
	const struct meta *m = &e->object->metadata;
	size_t uid = strlen(m->uid) + 1, namespace = strlen(m->namespace) + 1, name = strlen(m->name) + 1;
	enum { REVISION = 17 };
	struct waiting *w = calloc(1, sizeof(*w) + REVISION + uid + namespace + name);

	if (!w)
		abort(); /* as the indexes do: a Pod that nobody knows of would wait for ever */
	snprintf(w->order, REVISION, "%016llx", (unsigned long long)e->created);
	memcpy(w->order + REVISION - 1, m->uid, uid);
	w->uid = w->order + REVISION - 1;
	w->namespace = memcpy(w->order + REVISION + uid, m->namespace, namespace);
	w->name = memcpy(w->order + REVISION + uid + namespace, m->name, name);
	w->since = clock_boot();
	index_put(&b->by_uid, w->uid, w);
	enqueue(b, w);
}

static void waiting_free(struct waiting *w)
{
	free(w->why);
	free(w);
}

static void wait_no_more(struct binder *b, const char *uid)
{
	struct waiting *w = index_remove(&b->by_uid, uid);

	if (!w)
		return;
	unpark(w);
	if (w->state == QUEUED)
		index_remove(&b->queue, w->order);
	waiting_free(w);
}

/* ---- what the user is told ---- */

struct verdict_text {
	size_t len;
	char message[];
};

static err *set_condition(struct arena *arena, struct object *draft, void *user)
{
	struct pod *pod = (struct pod *)(void *)draft;
	const struct verdict_text *t = user;
	struct condition c = {
		.type = "PodScheduled",
		.status = CONDITION_FALSE,
		.reason = "Unschedulable",
		.transition.nsec = clock_real(),
	};

	if (is_bound(pod))
		return err_new(ECANCELED, "pod '%s' has its node", pod->metadata.name);
	TRY_ALLOC(arena, c.message, arena_strndup(arena, t->message, t->len));
	return condition_set(arena, &pod->status.conditions, &c);
}

static void condition_was_set(const err *error, const struct entry *entry UNUSED, void *user)
{
	/* Gone or bound meanwhile: nothing is lost. */
	if (error && error->code != ECANCELED && error->code != ENOENT && error->code != ESTALE)
		log_err(error);
	free(user);
}

/* A reason that is new is told at once; figures that change are not; reasons that come and go, now and then.
 */
static bool is_news(struct waiting *w, unsigned reasons, const char *why)
{
	bool known = w->told_at && !(reasons & ~w->reasons) && (!why || str_equal(why, w->why));
	int64_t now = clock_boot();

	if (known && (reasons == w->last || now - w->told_at < TELL_AGAIN))
		return false;
	w->reasons |= reasons;
	w->last = reasons;
	w->told_at = now;
	if (!str_equal(why, w->why)) {
		free(w->why);
		w->why = why ? strdup(why) : NULL;
	}
	return true;
}

static void tell(struct binder *b, struct waiting *w, const struct entry *e, const char *message)
{
	size_t len = strlen(message);
	struct verdict_text *text = malloc(sizeof(*text) + len);

	objects_event(b->s->objects, e->object, true, "FailedScheduling", "%s", message);
	if (!text)
		return;
	text->len = len;
	memcpy(text->message, message, len);
	const struct write write = { .subresource = "status", .done = condition_was_set, .user = text };
	err *error = objects_change(b->s->objects, &kinds[KIND_POD], w->namespace, w->name, set_condition,
				    text, &write);
	if (error)
		condition_was_set(error, NULL, text);
	err_free(error);
}

static void measure(struct binder *b, const struct waiting *w, bool placed)
{
	if (b->s->metrics)
		metrics_placement(b->s->metrics, placed, clock_boot() - w->since);
}

/* ---- trying ---- */

/* why: a reason that is not placement's; else NULL. */
static void cannot(struct binder *b, struct waiting *w, const struct entry *e, unsigned helped_by,
		   unsigned reasons, const char *why, const char *message)
{
	park(b, w, helped_by | HELP_NODE);
	measure(b, w, false);
	if (is_news(w, reasons, why))
		tell(b, w, e, message);
}

static void refused(struct binder *b, struct waiting *w, const struct entry *e, const struct place_answer *answer)
{
	auto_str struct str message = STR_INIT(4096);
	unsigned helped_by = 0, reasons = answer->nodes ? 0 : 1u << PLACE_REASON_COUNT;

	for (size_t i = 0; i < PLACE_REASON_COUNT; i++)
		if (answer->counts[i]) {
			helped_by |= helps[i];
			reasons |= 1u << i;
		}
	place_summary(answer, &message);
	cannot(b, w, e, helped_by, reasons, NULL, message.data);
}

/* The node, or NULL: then it is parked. */
static const char *try(struct binder *b, struct waiting *w, const struct entry *e)
{
	auto_str struct str why = STR_INIT(4096);
	struct claims claims = { .why = &why };
	struct place_answer answer;

	find_claims(b->s, pod_of(e), &claims);
	if (why.len) {
		cannot(b, w, e, HELP_CLAIM, 0, why.data, why.data);
		return NULL;
	}
	auto_err err *error = place_choose(b->s->place, pod_of(e), claims.node, true, &answer);
	if (error) {
		err_format(error, &why);
		cannot(b, w, e, HELP_POD_GONE, 0, why.data, why.data);
	} else if (!answer.node) {
		refused(b, w, e, &answer);
	}
	return error ? NULL : answer.node;
}

/* ---- binding ---- */

static void batch_free(struct batch *batch)
{
	if (batch->at)
		*batch->at = batch->next;
	if (batch->next)
		batch->next->at = batch->at;
	for (size_t i = 0; i < batch->count; i++)
		entry_unref((struct entry *)(uintptr_t)batch->bindings[i].pod);
	free(batch);
}

/* What did not get through comes again; a store that cannot write just now is left in peace for a while. */
static void settle(struct binder *b, const struct entry *e)
{
	struct waiting *w = index_get(&b->by_uid, e->object->metadata.uid);

	if (!w || w->state != BINDING)
		return;
	place_remove(b->s->place, e->object->metadata.uid);
	enqueue(b, w);
}

static void batch_done(const err *error, size_t bound, void *user)
{
	struct batch *batch = user;
	struct binder *b = batch->binder;

	if (b) {
		b->in_flight -= batch->count;
		for (size_t i = 0; i < batch->count; i++)
			settle(b, batch->bindings[i].pod);
		b->failures = error && !bound ? b->failures + 1 : 0;
		if (b->failures > 1) {
			log_err(error);
			b->paused = true;
			IGNORE(loop_timer_set(b->again, clock_boot() + (100 * (int64_t)NSEC_PER_MSEC << MIN(b->failures, 7u))));
		}
		loop_soon(b->work);
	}
	batch_free(batch);
}

static void bind_batch(struct binder *b, struct batch **at)
{
	struct batch *batch = TAKE(*at);

	if (!batch)
		return;
	b->in_flight += batch->count;
	objects_bind(b->s->objects, batch->bindings, batch->count, batch_done, batch);
}

static void add_to_batch(struct binder *b, struct batch **at, const struct entry *e, const char *node)
{
	struct batch *batch = *at;

	if (!batch) {
		batch = *at = calloc(1, sizeof(*batch));
		if (!batch)
			abort();
		batch->binder = b;
		batch->next = b->batches;
		batch->at = &b->batches;
		if (batch->next)
			batch->next->at = &batch->next;
		b->batches = batch;
	}
	batch->bindings[batch->count++] = (struct binding){ entry_ref(e), node };
	if (batch->count == BATCH)
		bind_batch(b, at);
}

/* ---- turns ---- */

static void wake(struct binder *b)
{
	unsigned changes = b->changes;

	b->changes = 0;
	for (struct waiting *w = b->parked, *next; w; w = next) {
		next = w->next;
		if (w->helped_by & changes)
			enqueue(b, w);
	}
}

static bool take_first(void *value, void *user)
{
	*(struct waiting **)user = value;
	return false;
}

static void work(void *user)
{
	struct binder *b = user;
	struct batch *batch = NULL;

	wake(b);
	for (unsigned tries = 0; tries < TRIES_A_TURN && !b->paused && b->in_flight < IN_FLIGHT_MAX; tries++) {
		struct waiting *w = NULL;
		index_each(&b->queue, "", NULL, take_first, &w);
		if (!w)
			break;
		index_remove(&b->queue, w->order);
		w->state = BINDING;
		const struct entry *e = cache_get(b->s->cache, KIND_POD, w->namespace, w->name);
		const char *node = e ? try(b, w, e) : NULL;
		if (node) {
			b->changes |= HELP_POD_THERE;
			add_to_batch(b, &batch, e, node);
		}
	}
	bind_batch(b, &batch);
	if ((b->queue.count && !b->paused && b->in_flight < IN_FLIGHT_MAX) || b->changes)
		loop_soon(b->work);
}

static void resume(void *user)
{
	struct binder *b = user;

	b->paused = false;
	loop_soon(b->work);
}

/* ---- what changes ---- */

static void changed(struct binder *b, uint64_t before, unsigned help)
{
	if (place_changes(b->s->place) == before)
		return;
	b->changes |= help;
	loop_soon(b->work);
}

static void node_changed(struct binder *b, const struct entry *before, const struct entry *after)
{
	uint64_t changes = place_changes(b->s->place);
	err *e = NULL;

	if (after)
		e = place_node(b->s->place, (const struct node *)(const void *)after->object);
	else
		place_node_gone(b->s->place, before->object->metadata.name);
	if (e)
		log_err(e);
	err_free(e);
	changed(b, changes, HELP_NODE);
}

static bool same_labels(const struct entry *a, const struct entry *b)
{
	const struct string_map *x = &a->object->metadata.labels, *y = &b->object->metadata.labels;

	if (x->count != y->count)
		return false;
	for (size_t i = 0; i < x->count; i++)
		if (!str_equal(x->items[i].key, y->items[i].key) || !str_equal(x->items[i].value, y->items[i].value))
			return false;
	return true;
}

static void pod_is_bound(struct binder *b, const struct entry *e)
{
	const struct pod *pod = pod_of(e);
	struct waiting *w = index_get(&b->by_uid, pod->metadata.uid);

	if (w) {
		measure(b, w, true);
		objects_event(b->s->objects, e->object, false, "Scheduled", "Successfully assigned %s/%s to %s",
			      pod->metadata.namespace, pod->metadata.name, pod->spec.node_name);
		wait_no_more(b, pod->metadata.uid);
	}
	err *error = place_add(b->s->place, pod);
	if (error)
		log_err(error);
	err_free(error);
}

static void pod_changed(struct binder *b, const struct entry *before, const struct entry *after,
			const struct pod *pod)
{
	uint64_t changes = place_changes(b->s->place);
	const char *uid = pod->metadata.uid;

	if (!after || pod_is_over(pod) || (!is_bound(pod) && pod->metadata.deletion.nsec)) {
		wait_no_more(b, uid);
		place_remove(b->s->place, uid);
		changed(b, changes, HELP_POD_GONE);
		return;
	}
	if (is_bound(pod)) {
		pod_is_bound(b, after);
		changed(b, changes, HELP_POD_GONE | HELP_POD_THERE);
		return;
	}
	struct waiting *w = index_get(&b->by_uid, uid);
	if (!w)
		wait_for_node(b, after);
	else if (w->state == PARKED && before &&
		 (before->object->metadata.generation != after->object->metadata.generation ||
		  !same_labels(before, after)))
		enqueue(b, w);
}

static void cache_changed(const struct entry *before, const struct entry *after, uint64_t revision UNUSED, void *user)
{
	struct binder *b = user;

	const struct entry *e = after ? after : before;

	if (!e)
		return;
	switch (e->kind->id) {
	case KIND_NODE:
		node_changed(b, before, after);
		break;
	case KIND_POD:
		pod_changed(b, before, after, pod_of(e));
		break;
	case KIND_CLAIM:
		b->changes |= HELP_CLAIM;
		loop_soon(b->work);
		break;
	default:
		break;
	}
}

static bool begin_with(const struct entry *e, void *user)
{
	cache_changed(NULL, e, e->revision, user);
	return true;
}

/* ---- the whole ---- */

static err *start(struct binder *b)
{
	struct scheduler *s = b->s;

	TRY(place_new(&s->place));
	TRY(loop_defer(s->loop, work, b, &b->work));
	TRY(loop_timer(s->loop, 0, resume, b, &b->again));
	cache_each(s->cache, KIND_NODE, NULL, begin_with, b);
	cache_each(s->cache, KIND_POD, NULL, begin_with, b);
	return cache_subscribe(s->cache, cache_changed, b);
}

err *binder_new(struct scheduler *s, struct binder **ret)
{
	struct binder *b = calloc(1, sizeof(*b));

	if (!b)
		return err_oom();
	b->s = s;
	err *e = start(b);
	if (e)
		binder_free(b);
	else
		*ret = b;
	return e;
}

static bool free_one(void *value, void *user UNUSED)
{
	waiting_free(value);
	return true;
}

void binder_free(struct binder *b)
{
	if (!b)
		return;
	for (struct batch *batch = b->batches, *next; batch; batch = next) {
		next = batch->next;
		batch->binder = NULL;
		batch->next = NULL;
		batch->at = NULL;
	}
	loop_source_free(b->work);
	loop_source_free(b->again);
	index_each(&b->by_uid, "", NULL, free_one, NULL);
	index_done(&b->by_uid);
	index_done(&b->queue);
	place_free(b->s->place);
	b->s->place = NULL;
	free(b);
}

size_t binder_waiting(const struct binder *b)
{
	return b->by_uid.count;
}
