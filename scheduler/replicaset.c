/* scheduler/replicaset.c: the ReplicaSet controller: as many Pods as wanted, and a status that says so. */
#include "scheduler/replicaset.h"

#include <string.h>

#include "api/deployment.h"
#include "base/clock.h"
#include "scheduler/control.h"
#include "scheduler/nodes.h"
#include "scheduler/replicas.h"

/* Pods made or deleted in one look; the next look goes on. After a failure one is made. */
enum { BURST_MAX = 500 };

struct replicasets {
	struct controller controller;
	struct scheduler *s;
};

static const struct replicaset *set_of(const struct entry *e)
{
	return (const struct replicaset *)(const void *)e->object;
}

static const struct pod *pod_of(const struct entry *e)
{
	return (const struct pod *)(const void *)e->object;
}

/* ---- what there is ---- */

struct gather {
	struct scheduler *s;
	struct arena *arena;
	struct replicas *pods;
	size_t cap;
	err *error;
};

static bool gather_pod(const struct entry *e, void *user)
{
	struct gather *g = user;
	struct replicas *p = g->pods;

	if (e->kind->id != KIND_POD)
		return true;
	if (p->count == g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 16;
		struct replica *items = arena_array(g->arena, cap, sizeof(*items));
		if (!items) {
			g->error = arena_error(g->arena);
			return false;
		}
		if (p->count)
			memcpy(items, p->items, p->count * sizeof(*items));
		p->items = items;
		g->cap = cap;
	}
	p->items[p->count++] = (struct replica){ pod_of(e), nodes_is_lost(g->s, pod_of(e)->spec.node_name) };
	return true;
}

err *replicasets_pods(struct scheduler *s, struct arena *arena, const char *uid, struct replicas *ret)
{
	struct gather g = { .s = s, .arena = arena, .pods = ret };

	*ret = (struct replicas){ 0 };
	cache_each_owned(s->cache, uid, gather_pod, &g);
	return g.error;
}

/* ---- what is done ---- */

static void pod_made(struct run *r, const struct entry *pod)
{
	objects_event(r->controller->objects, r->subject->object, false, "SuccessfulCreate",
		      "Created pod: %s", pod->object->metadata.name);
}

static void pod_not_made(struct run *r, const err *error)
{
	auto_str struct str text = STR_INIT(1024);

	if (error->code == ECANCELED || error->code == EPERM || r->failed)
		return;
	err_format(error, &text);
	objects_event(r->controller->objects, r->subject->object, true, "FailedCreate", "Error creating: %s",
		      text.data);
}

static void pod_deleted(struct run *r, const struct entry *pod)
{
	objects_event(r->controller->objects, r->subject->object, false, "SuccessfulDelete",
		      "Deleted pod: %s", pod->object->metadata.name);
}

static err *change_status(struct arena *arena UNUSED, struct object *draft, const void *value)
{
	((struct replicaset *)(void *)draft)->status = *(const struct replicaset_status *)value;
	return NULL;
}

static err *write_status(struct run *r, const struct replica_counts *c)
{
	const struct replicaset *set = set_of(r->subject);
	const struct replicaset_status *was = &set->status;
	struct replicaset_status *s;

	TRY_ALLOC(r->arena, s, arena_alloc(r->arena, sizeof(*s)));
	*s = (struct replicaset_status){
		.observed_generation = set->metadata.generation,
		.replicas = c->replicas,
		.fully_labeled = c->fully_labeled,
		.ready = c->ready,
		.available = c->available,
		.terminating = c->terminating,
		.conditions = was->conditions,
	};
	if (was->observed_generation == s->observed_generation && was->replicas == s->replicas &&
	    was->fully_labeled == s->fully_labeled && was->ready == s->ready &&
	    was->available == s->available && was->terminating == s->terminating)
		return NULL;
	run_change(r, r->subject->object, "status", change_status, s, NULL);
	return NULL;
}

static err *make_pods(struct run *r, int32_t count)
{
	static const struct run_told told = { pod_made, pod_not_made };
	const struct pod *pod;

	if (!count)
		return NULL;
	if (worklist_failures(r->controller->list, r->key))
		count = 1;
	TRY(replicas_pod(r->arena, set_of(r->subject), &pod));
	for (int32_t i = 0; i < MIN(count, BURST_MAX) && !r->failed; i++)
		run_create(r, (const struct object *)(const void *)pod, &told);
	return NULL;
}

static err *look(struct replicasets *c, struct run *r)
{
	static const struct run_told told = { pod_deleted, NULL };
	const struct replicaset *set = set_of(r->subject);
	int64_t now = clock_real();
	struct replicas pods;
	struct replicas_plan plan;

	/* What was taken is counted in the next look. */
	if (run_adopt(r, c->s->cache, KIND_POD, &set->spec.selector))
		return NULL;
	TRY(replicasets_pods(c->s, r->arena, set->metadata.uid, &pods));
	TRY(replicas_plan(r->arena, set, &pods, now, &plan));
	TRY(make_pods(r, plan.create));
	for (size_t i = 0; i < MIN(plan.delete_count, (size_t)BURST_MAX); i++)
		run_delete(r, (const struct object *)(const void *)plan.delete[i], NULL, &told);
	if (plan.counts.again)
		worklist_add_at(c->controller.list, r->key, clock_boot() + plan.counts.again - now);
	return write_status(r, &plan.counts);
}

static void on_key(const char *key, void *user)
{
	struct replicasets *c = user;
	char namespace[RUN_NAMESPACE_MAX];
	const char *name = run_name(key, namespace);
	const struct entry *e = cache_get(c->s->cache, KIND_REPLICASET, namespace, name);
	struct run *r = NULL;

	if (!e || e->object->metadata.deletion.nsec) {
		worklist_forget(c->controller.list, key);
		return;
	}
	err *failed = run_begin(&c->controller, key, e, &r);
	if (failed) {
		err_free(failed);
		worklist_failed(c->controller.list, key);
		return;
	}
	run_end(r, look(c, r));
}

/* ---- where to look ---- */

static void look_at_owner(struct replicasets *c, const struct entry *pod)
{
	const struct owner_reference *owner = meta_controller(&pod->object->metadata);

	if (owner && str_equal(owner->kind, kinds[KIND_REPLICASET].name))
		run_look(&c->controller, pod->object->metadata.namespace, owner->name);
}

struct loose {
	struct replicasets *c;
	const struct entry *pod;
};

static bool look_if_selected(const struct entry *set, void *user)
{
	struct loose *v = user;

	if (label_selector_matches(&set_of(set)->spec.selector, &v->pod->object->metadata.labels))
		run_look(&v->c->controller, set->object->metadata.namespace, set->object->metadata.name);
	return true;
}

/* A Pod that nobody controls (any more): one that was let go may be taken again. */
static void look_who_takes(struct replicasets *c, const struct entry *before, const struct entry *after)
{
	struct loose v = { c, after };

	if (after && run_is_let_go(before, after))
		cache_each(c->s->cache, KIND_REPLICASET, after->object->metadata.namespace, look_if_selected,
			   &v);
}

static bool pod_on_node(const struct entry *pod, void *user)
{
	look_at_owner(user, pod);
	return true;
}

static void on_change(const struct entry *before, const struct entry *after, uint64_t revision UNUSED,
		      void *user)
{
	struct replicasets *c = user;
	const struct entry *e = after ? after : before;

	if (e->kind->id == KIND_POD) {
		look_at_owner(c, e);
		look_who_takes(c, before, after);
	} else if (e->kind->id == KIND_REPLICASET) {
		run_look(&c->controller, e->object->metadata.namespace, e->object->metadata.name);
	} else if (e->kind->id == KIND_NODE) {
		/* Lost, or back: stopped Pods count or do not count any more. */
		if (!before || !after || nodes_has_loss(before->object) != nodes_has_loss(after->object))
			cache_each_on_node(c->s->cache, e->object->metadata.name, pod_on_node, c);
	}
}

static bool look_at(const struct entry *e, void *user)
{
	struct replicasets *c = user;

	run_look(&c->controller, e->object->metadata.namespace, e->object->metadata.name);
	return true;
}

DEFINE_CLEANUP(struct replicasets *, replicasets_free)

err *replicasets_new(struct scheduler *s, struct replicasets **ret)
{
	CLEANUP(replicasets_free) struct replicasets *c = calloc(1, sizeof(*c));

	if (!c)
		return err_oom();
	c->s = s;
	TRY(controller_begin(&c->controller, "replicaset", s, on_key, on_change, c));
	cache_each(s->cache, KIND_REPLICASET, NULL, look_at, c);
	*ret = TAKE(c);
	return NULL;
}

void replicasets_free(struct replicasets *c)
{
	if (!c)
		return;
	worklist_free(c->controller.list);
	free(c);
}
