/* scheduler/collect.c: what goes because something else went, or because it is old. */
#include "scheduler/collect.h"

#include <string.h>

#include "api/claim.h"
#include "api/event.h"
#include "base/clock.h"
#include "scheduler/control.h"
#include "scheduler/scheduler.h"

/* Keys of the worklist: what they are about, then its name.
 *   "object/UID"        its owners are gone, or it waits for its last user
 *   "namespace/NAME"    is to be emptied
 *   "sweep/"            from time to time: Events, Pods that are over */
#define KEY_OBJECT    "object"
#define KEY_NAMESPACE "namespace"
#define KEY_SWEEP     "sweep"

/* Deletions in one look; the next look goes on. */
enum { DELETE_MAX = 500 };
#define SWEEP_NSEC (30 * (int64_t)NSEC_PER_SEC)
#define EVENT_TTL  (3600 * (int64_t)NSEC_PER_SEC)

struct collector {
	struct controller controller;
	struct scheduler *s;
	int64_t event_ttl;
};

static const struct pod *pod_of(const struct entry *e)
{
	return (const struct pod *)(const void *)e->object;
}

static bool is_leaving(const struct entry *e)
{
	return e->object->metadata.deletion.nsec != 0;
}

/* ---- one object ---- */

bool collect_is_orphaned(const struct cache *cache, const struct object *object)
{
	const struct meta *m = &object->metadata;

	for (size_t i = 0; i < m->owners.count; i++)
		if (cache_get_uid(cache, m->owners.items[i].uid))
			return false;
	return m->owners.count > 0;
}

static void look_at_object(struct collector *c, struct run *r, const struct entry *e)
{
	/* Marked, and its last user may be gone by now; of Namespaces see below. */
	if (e->kind->id == KIND_CLAIM && is_leaving(e))
		run_delete(r, e->object, NULL, NULL);
	else if (!is_leaving(e) && collect_is_orphaned(c->s->cache, e->object))
		run_delete(r, e->object, NULL, NULL);
}

/* ---- a Namespace on its way out ---- */

struct emptying {
	struct run *run;
	int left;
};

static bool empty_one(const struct entry *e, void *user)
{
	struct emptying *v = user;

	if (is_leaving(e))
		return true;
	run_delete(v->run, e->object, NULL, NULL);
	return --v->left > 0;
}

/* Who makes others goes before those that it would make again. */
static void look_at_namespace(struct collector *c, struct run *r, const struct entry *e)
{
	static const enum kind_id order[] = { KIND_DEPLOYMENT, KIND_REPLICASET, KIND_POD,
					      KIND_CLAIM,      KIND_LEASE,	KIND_EVENT };
	struct emptying v = { r, DELETE_MAX };

	if (!is_leaving(e))
		return;
	for (size_t i = 0; i < ARRAY_LEN(order) && v.left > 0; i++)
		cache_each(c->s->cache, order[i], e->object->metadata.name, empty_one, &v);
	if (!cache_has_any(c->s->cache, e->object->metadata.name))
		run_delete(r, e->object, NULL, NULL);
}

/* ---- what is old ---- */

struct sweep {
	struct run *run;
	int64_t before; /* wall clock, ns */
	int left;
	const struct entry **over;
	size_t count, cap;
	err *error;
};

int64_t collect_event_time(const struct event *e)
{
	return MAX(MAX(e->last.nsec, e->event_time.nsec), MAX(e->first.nsec, e->metadata.creation.nsec));
}

static bool sweep_event(const struct entry *e, void *user)
{
	struct sweep *v = user;

	if (collect_event_time((const struct event *)(const void *)e->object) > v->before)
		return true;
	run_delete(v->run, e->object, NULL, NULL);
	return --v->left > 0;
}

static bool gather_over(const struct entry *e, void *user)
{
	struct sweep *v = user;

	if (!pod_is_over(pod_of(e)) || is_leaving(e) || str_equal(pod_of(e)->status.reason, "NodeLost"))
		return true;
	if (v->count == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 256;
		const struct entry **over = arena_array(v->run->arena, cap, sizeof(*over));
		if (!over) {
			v->error = arena_error(v->run->arena);
			return false;
		}
		if (v->count)
			memcpy(over, v->over, v->count * sizeof(*over));
		v->over = over;
		v->cap = cap;
	}
	v->over[v->count++] = e;
	return true;
}

static int by_creation(const void *left, const void *right)
{
	const struct meta *a = &(*(const struct entry *const *)left)->object->metadata;
	const struct meta *b = &(*(const struct entry *const *)right)->object->metadata;

	if (a->creation.nsec != b->creation.nsec)
		return a->creation.nsec < b->creation.nsec ? -1 : 1;
	return strcmp(a->name, b->name);
}

static err *look_at_age(struct collector *c, struct run *r)
{
	struct sweep v = { .run = r, .before = clock_real() - c->event_ttl, .left = DELETE_MAX };

	cache_each(c->s->cache, KIND_EVENT, NULL, sweep_event, &v);
	cache_each(c->s->cache, KIND_POD, NULL, gather_over, &v);
	TRY(v.error);
	if (v.count > COLLECT_OVER_MAX) {
		qsort(v.over, v.count, sizeof(const struct entry *), by_creation);
		for (size_t i = 0; i < MIN(v.count - COLLECT_OVER_MAX, (size_t)DELETE_MAX); i++)
			run_delete(r, v.over[i]->object, NULL, NULL);
	}
	worklist_add_at(c->controller.list, r->key, clock_boot() + MIN(SWEEP_NSEC, c->event_ttl / 4 + 1));
	return NULL;
}

/* ---- keys ---- */

static err *look(struct collector *c, struct run *r, const char *what, const struct entry *e)
{
	if (str_equal(what, KEY_SWEEP))
		return look_at_age(c, r);
	if (str_equal(what, KEY_NAMESPACE))
		look_at_namespace(c, r, e);
	else
		look_at_object(c, r, e);
	return NULL;
}

static void on_key(const char *key, void *user)
{
	struct collector *c = user;
	char what[RUN_NAMESPACE_MAX];
	const char *name = run_name(key, what);
	const struct entry *e = NULL;
	struct run *r = NULL;

	if (str_equal(what, KEY_OBJECT))
		e = cache_get_uid(c->s->cache, name);
	else if (str_equal(what, KEY_NAMESPACE))
		e = cache_get(c->s->cache, KIND_NAMESPACE, NULL, name);
	if (!e && !str_equal(what, KEY_SWEEP)) {
		worklist_forget(c->controller.list, key);
		return;
	}
	err *failed = run_begin(&c->controller, key, e, &r);
	if (failed) {
		err_free(failed);
		worklist_failed(c->controller.list, key);
		return;
	}
	run_end(r, look(c, r, what, e));
}

/* ---- where to look ---- */

static bool look_at_one(const struct entry *e, void *user)
{
	struct collector *c = user;

	run_look(&c->controller, KEY_OBJECT, e->object->metadata.uid);
	return true;
}

/* Claims that wait for their last user. */
static void pod_gone(struct collector *c, const struct entry *pod)
{
	const struct pod *p = pod_of(pod);

	for (size_t i = 0; i < p->spec.volumes.count; i++) {
		const struct pod_claim_source *source = p->spec.volumes.items[i].claim;
		const struct entry *claim =
			source ? cache_get(c->s->cache, KIND_CLAIM, p->metadata.namespace, source->claim)
			       : NULL;
		if (claim && is_leaving(claim))
			look_at_one(claim, c);
	}
}

static void look_at_new(struct collector *c, const struct entry *e)
{
	if (e->kind->id == KIND_NAMESPACE && is_leaving(e))
		run_look(&c->controller, KEY_NAMESPACE, e->object->metadata.name);
	if (e->object->metadata.owners.count > 0 || e->kind->id == KIND_CLAIM)
		look_at_one(e, c);
}

static void look_at_gone(struct collector *c, const struct entry *e)
{
	const char *namespace = e->object->metadata.namespace;
	const struct entry *room = namespace ? cache_get(c->s->cache, KIND_NAMESPACE, NULL, namespace) : NULL;

	cache_each_owned(c->s->cache, e->object->metadata.uid, look_at_one, c);
	if (room && is_leaving(room))
		run_look(&c->controller, KEY_NAMESPACE, namespace);
}

static void on_change(const struct entry *before, const struct entry *after, uint64_t revision UNUSED,
		      void *user)
{
	struct collector *c = user;
	bool new = !before || !after || is_leaving(before) != is_leaving(after) ||
		   before->object->metadata.owners.count != after->object->metadata.owners.count;

	/* An object of the same name may be another one. */
	if (before && (!after || !str_equal(before->object->metadata.uid, after->object->metadata.uid)))
		look_at_gone(c, before);
	if (after && new)
		look_at_new(c, after);
	if (before && before->kind->id == KIND_POD && (!after || pod_is_over(pod_of(after))))
		pod_gone(c, before);
}

static bool look_at(const struct entry *e, void *user)
{
	look_at_new(user, e);
	return true;
}

DEFINE_CLEANUP(struct collector *, collector_free)

err *collector_new(struct scheduler *s, struct collector **ret)
{
	CLEANUP(collector_free) struct collector *c = calloc(1, sizeof(*c));

	if (!c)
		return err_oom();
	c->s = s;
	c->event_ttl = s->options->event_ttl ? s->options->event_ttl : EVENT_TTL;
	TRY(controller_begin(&c->controller, "collector", s, on_key, on_change, c));
	for (int i = 0; i < KIND_COUNT; i++)
		cache_each(s->cache, (enum kind_id)i, NULL, look_at, c);
	run_look(&c->controller, KEY_SWEEP, "");
	*ret = TAKE(c);
	return NULL;
}

void collector_free(struct collector *c)
{
	if (!c)
		return;
	worklist_free(c->controller.list);
	free(c);
}
