/* scheduler/deployment.c: the Deployment controller: takes the steps that scheduler/rollout.h gives. */
#include "scheduler/scheduler.h"

#include <string.h>

#include "api/deployment.h"
#include "base/clock.h"
#include "scheduler/control.h"
#include "scheduler/replicaset.h"
#include "scheduler/rollout.h"

struct deployments {
	struct controller controller;
	struct scheduler *s;
	struct replicasets *replicasets;
};

static const struct deployment *deployment_of(const struct entry *e)
{
	return (const struct deployment *)(const void *)e->object;
}

/* ---- what there is ---- */

struct gather {
	struct scheduler *s;
	struct arena *arena;
	struct rollout_set *sets;
	size_t count, cap;
	err *error;
};

static bool gather_set(const struct entry *e, void *user)
{
	struct gather *g = user;

	if (e->kind->id != KIND_REPLICASET)
		return true;
	if (g->count == g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 16;
		struct rollout_set *sets = arena_array(g->arena, cap, sizeof(*sets));
		if (!sets) {
			g->error = arena_error(g->arena);
			return false;
		}
		if (g->count)
			memcpy(sets, g->sets, g->count * sizeof(*sets));
		g->sets = sets;
		g->cap = cap;
	}
	struct rollout_set *set = &g->sets[g->count];
	set->set = (const struct replicaset *)(const void *)e->object;
	g->error = replicasets_pods(g->s, g->arena, e->object->metadata.uid, &set->pods);
	g->count++;
	return !g->error;
}

static err *read_state(struct deployments *c, struct run *r, struct rollout_state *ret)
{
	const struct deployment *d = deployment_of(r->subject);
	struct gather g = { .s = c->s, .arena = r->arena };
	const char *name;

	cache_each_owned(c->s->cache, d->metadata.uid, gather_set, &g);
	TRY(g.error);
	TRY_ALLOC(r->arena, name, rollout_set_name(r->arena, d, false));
	const struct entry *taken = cache_get(c->s->cache, KIND_REPLICASET, d->metadata.namespace, name);
	*ret = (struct rollout_state){
		.deployment = d, .sets = g.sets, .count = g.count, .now = clock_real()
	};
	const struct owner_reference *owner = taken ? meta_controller(&taken->object->metadata) : NULL;
	ret->name_taken =
		taken && (!owner || !str_equal(owner->uid, d->metadata.uid) ||
			  !rollout_is_current(d, (const struct replicaset *)(const void *)taken->object));
	return NULL;
}

/* ---- what is done ---- */

static err *set_revision(struct arena *arena, struct object *draft, int64_t revision)
{
	const char *text;

	TRY_ALLOC(arena, text, arena_printf(arena, "%lld", (long long)revision));
	return rollout_set_pair(arena, &draft->metadata.annotations, ANNOTATION_REVISION, text);
}

static void scaled(struct run *r, const char *name, int32_t from, int32_t to)
{
	objects_event(r->controller->objects, r->subject->object, false, "ScalingReplicaSet",
		      "Scaled %s replica set %s from %d to %d", to > from ? "up" : "down", name, from, to);
}

static err *change_scale(struct arena *arena UNUSED, struct object *draft, const void *value)
{
	((struct replicaset *)(void *)draft)->spec.replicas = ((const struct rollout_scale *)value)->replicas;
	return NULL;
}

/* What a marked set gets. */
struct mark {
	int64_t revision;
	const char *cause;
	int32_t min_ready;
};

static err *change_mark(struct arena *arena, struct object *draft, const void *value)
{
	const struct mark *m = value;

	TRY(set_revision(arena, draft, m->revision));
	((struct replicaset *)(void *)draft)->spec.min_ready_seconds = m->min_ready;
	return m->cause ? rollout_set_pair(arena, &draft->metadata.annotations, ANNOTATION_CAUSE, m->cause)
			: NULL;
}

static err *change_revision(struct arena *arena, struct object *draft, const void *value)
{
	return set_revision(arena, draft, *(const int64_t *)value);
}

static err *change_status(struct arena *arena UNUSED, struct object *draft, const void *value)
{
	((struct deployment *)(void *)draft)->status = *(const struct deployment_status *)value;
	return NULL;
}

static void set_made(struct run *r, const struct entry *set)
{
	scaled(r, set->object->metadata.name, 0,
	       ((const struct replicaset *)(const void *)set->object)->spec.replicas);
}

static void set_not_made(struct run *r, const err *error)
{
	auto_str struct str text = STR_INIT(1024);

	if (error->code == ECANCELED || error->code == EPERM)
		return;
	err_format(error, &text);
	objects_event(r->controller->objects, r->subject->object, true, "ReplicaSetCreateError",
		      "Failed to create new replica set: %s", text.data);
}

static err *make_set(struct run *r, const struct rollout_state *state, const struct rollout_plan *plan)
{
	static const struct run_told told = { set_made, set_not_made };
	const struct replicaset *set;

	if (!plan->create)
		return NULL;
	TRY(rollout_set(r->arena, state, plan, &set));
	run_create(r, (const struct object *)(const void *)set, &told);
	return NULL;
}

static err *mark_set(struct run *r, const struct rollout_state *state, const struct rollout_plan *plan)
{
	const struct deployment *d = state->deployment;
	struct mark *mark;

	if (plan->mark) {
		TRY_ALLOC(r->arena, mark, arena_alloc(r->arena, sizeof(*mark)));
		mark->revision = plan->revision;
		mark->cause = string_map_get(&d->metadata.annotations, ANNOTATION_CAUSE);
		mark->min_ready = d->spec.min_ready_seconds;
		run_change(r, (const struct object *)(const void *)plan->current, NULL, change_mark, mark,
			   NULL);
	}
	if (plan->revision && plan->revision != rollout_revision(&d->metadata))
		run_change(r, r->subject->object, NULL, change_revision, &plan->revision, NULL);
	return NULL;
}

static bool same_conditions(const struct conditions *a, const struct conditions *b)
{
	char first[17], second[17];

	object_hash(&t_conditions, a, first);
	object_hash(&t_conditions, b, second);
	return str_equal(first, second);
}

static void write_status(struct run *r, const struct rollout_plan *plan)
{
	const struct deployment_status *was = &deployment_of(r->subject)->status, *s = &plan->status;

	if (was->observed_generation == s->observed_generation && was->replicas == s->replicas &&
	    was->updated == s->updated && was->ready == s->ready && was->available == s->available &&
	    was->unavailable == s->unavailable && was->terminating == s->terminating &&
	    same_conditions(&was->conditions, &s->conditions))
		return;
	run_change(r, r->subject->object, "status", change_status, s, NULL);
}

static err *look(struct deployments *c, struct run *r)
{
	struct rollout_state state;
	struct rollout_plan *plan;

	/* Sets that `delete --cascade=orphan` left; they count in the next look. */
	if (run_adopt(r, c->s->cache, KIND_REPLICASET, &deployment_of(r->subject)->spec.selector))
		return NULL;
	TRY_ALLOC(r->arena, plan, arena_alloc(r->arena, sizeof(*plan)));
	TRY(read_state(c, r, &state));
	TRY(rollout_plan(r->arena, &state, plan));
	TRY(make_set(r, &state, plan));
	TRY(mark_set(r, &state, plan));
	for (size_t i = 0; i < plan->scale_count; i++) {
		const struct rollout_scale *s = &plan->scales[i];
		run_change(r, (const struct object *)(const void *)s->set, NULL, change_scale, s, NULL);
		scaled(r, s->set->metadata.name, s->set->spec.replicas, s->replicas);
	}
	for (size_t i = 0; i < plan->remove_count; i++)
		run_delete(r, (const struct object *)(const void *)plan->remove[i], NULL, NULL);
	write_status(r, plan);
	if (plan->again)
		worklist_add_at(c->controller.list, r->key, clock_boot() + MAX(plan->again - state.now, 1));
	return NULL;
}

static void on_key(const char *key, void *user)
{
	struct deployments *c = user;
	char namespace[RUN_NAMESPACE_MAX];
	const char *name = run_name(key, namespace);
	const struct entry *e = cache_get(c->s->cache, KIND_DEPLOYMENT, namespace, name);
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

/* A ReplicaSet's Deployment. */
static void look_at_owner(struct deployments *c, const struct object *set)
{
	const struct owner_reference *owner = meta_controller(&set->metadata);

	if (owner && str_equal(owner->kind, kinds[KIND_DEPLOYMENT].name))
		run_look(&c->controller, set->metadata.namespace, owner->name);
}

/* A Pod's ReplicaSet's Deployment. */
static void look_at_pods(struct deployments *c, const struct object *pod)
{
	const struct owner_reference *owner = meta_controller(&pod->metadata);
	const struct entry *set = owner ? cache_get_uid(c->s->cache, owner->uid) : NULL;

	if (set && set->kind->id == KIND_REPLICASET)
		look_at_owner(c, set->object);
}

struct loose {
	struct deployments *c;
	const struct entry *set;
};

static bool look_if_selected(const struct entry *e, void *user)
{
	struct loose *v = user;

	if (label_selector_matches(&deployment_of(e)->spec.selector, &v->set->object->metadata.labels))
		run_look(&v->c->controller, e->object->metadata.namespace, e->object->metadata.name);
	return true;
}

/* A ReplicaSet that nobody controls (any more). */
static void look_who_takes(struct deployments *c, const struct entry *before, const struct entry *after)
{
	struct loose v = { c, after };

	if (after && run_is_let_go(before, after))
		cache_each(c->s->cache, KIND_DEPLOYMENT, after->object->metadata.namespace, look_if_selected,
			   &v);
}

static void on_change(const struct entry *before, const struct entry *after, uint64_t revision UNUSED,
		      void *user)
{
	struct deployments *c = user;
	const struct entry *e = after ? after : before;

	if (e->kind->id == KIND_DEPLOYMENT)
		run_look(&c->controller, e->object->metadata.namespace, e->object->metadata.name);
	else if (e->kind->id == KIND_REPLICASET) {
		look_at_owner(c, e->object);
		look_who_takes(c, before, after);
	} else if (e->kind->id == KIND_POD)
		look_at_pods(c, e->object);
}

static bool look_at(const struct entry *e, void *user)
{
	struct deployments *c = user;

	run_look(&c->controller, e->object->metadata.namespace, e->object->metadata.name);
	return true;
}

DEFINE_CLEANUP(struct deployments *, deployments_free)

err *deployments_new(struct scheduler *s, struct deployments **ret)
{
	CLEANUP(deployments_free) struct deployments *c = calloc(1, sizeof(*c));

	if (!c)
		return err_oom();
	c->s = s;
	TRY(replicasets_new(s, &c->replicasets));
	TRY(controller_begin(&c->controller, "deployment", s, on_key, on_change, c));
	cache_each(s->cache, KIND_DEPLOYMENT, NULL, look_at, c);
	*ret = TAKE(c);
	return NULL;
}

void deployments_free(struct deployments *c)
{
	if (!c)
		return;
	worklist_free(c->controller.list);
	replicasets_free(c->replicasets);
	free(c);
}
