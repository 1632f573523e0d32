/* scheduler/objects-bind.c: Pods get their nodes, and claims with them. */
#include "scheduler/objects-internal.h"

#include <string.h>

#include "api/claim.h"
#include "base/clock.h"

/* One call of objects_bind(). */
struct bindings {
	objects_bound_fn *done;
	void *user;
	struct loop *loop;
	size_t waiting, bound;
	err *error;
};

static void finish(void *user)
{
	struct bindings *b = user;

	if (--b->waiting > 0)
		return;
	if (b->done)
		b->done(b->error, b->bound, b->user);
	err_free(b->error);
	free(b);
}

static void keep_first(struct bindings *b, err *e)
{
	if (b->error)
		err_free(e);
	else
		b->error = e;
}

static void bound(const err *error, const struct entry *entry, void *user)
{
	struct bindings *b = user;

	(void)entry;
	if (error) {
		auto_str struct str text = STR_INIT(4096);

		err_format(error, &text);
		keep_first(b, err_new(error->code, "%s", text.data));
	} else {
		b->bound++;
	}
	finish(b);
}

/* The claim's data will be on that node, for ever. */
static err *bind_claim(struct job *j, const char *name)
{
	const struct entry *now = cache_get(j->o->cache, KIND_CLAIM, j->namespace, name);
	const char *there = now ? string_map_get(&now->object->metadata.annotations, CLAIM_NODE) : NULL;
	struct object *object;

	if (!now)
		return err_new(ENOENT, "persistentvolumeclaims '%s' not found", name);
	if (there && !str_equal(there, j->node))
		return err_new(ESTALE, "the data of claim '%s' lies on node '%s', not on '%s'", name, there,
			       j->node);
	const struct claim *claim = (const struct claim *)(const void *)now->object;
	if (there && claim->status.phase == CLAIM_BOUND)
		return NULL;
	TRY(object_copy(j->arena, now->object, &object));

	struct claim *c = (struct claim *)(void *)object;
	struct string_map *a = &c->metadata.annotations;
	if (!there) {
		struct string_pair *pairs;

		TRY_ALLOC(j->arena, pairs, arena_array(j->arena, a->count + 1, sizeof(*pairs)));
		if (a->count)
			memcpy(pairs, a->items, a->count * sizeof(*pairs));
		pairs[a->count] = (struct string_pair){ CLAIM_NODE, j->node };
		a->items = pairs;
		a->count++;
	}
	TRY_ALLOC(j->arena, c->spec.volume_name, arena_printf(j->arena, "local-%s", c->metadata.uid));
	c->status.phase = CLAIM_BOUND;
	c->status.access_modes = c->spec.access_modes;
	c->status.capacity = c->spec.resources.requests;
	return job_put_other(j, now, object);
}

static err *make_bound(struct job *j, const struct entry *now, const struct object **ret)
{
	const struct condition placed = { .type = "PodScheduled",
					  .status = CONDITION_TRUE,
					  .transition.nsec = clock_real() };
	struct object *object;

	TRY(object_copy(j->arena, now->object, &object));
	struct pod *pod = (struct pod *)(void *)object;
	if (pod->spec.node_name && pod->spec.node_name[0])
		return err_new(ESTALE, "pods '%s' is bound to node '%s' already", j->name,
			       pod->spec.node_name);
	if (pod->metadata.deletion.nsec || pod_is_over(pod))
		return err_new(ESTALE, "pods '%s' is on its way out", j->name);
	if (!cache_get(j->o->cache, KIND_NODE, NULL, j->node))
		return err_new(ENOENT, "nodes '%s' not found", j->node);
	for (size_t i = 0; i < pod->spec.volumes.count; i++)
		if (pod->spec.volumes.items[i].claim)
			TRY(bind_claim(j, pod->spec.volumes.items[i].claim->claim));
	pod->spec.node_name = j->node;
	TRY(condition_set(j->arena, &pod->status.conditions, &placed));
	*ret = object;
	return NULL;
}

static err *bind_pod(struct objects *o, const char *namespace, const char *name, const char *node, uint64_t seen,
		     const struct write *w)
{
	struct job *j;

	TRY(job_new(o, &kinds[KIND_POD], namespace, name, w, &j));
	j->make = make_bound;
	j->seen = seen;
	j->node = arena_strdup(j->arena, node);
	if (!j->node) {
		job_free(j);
		return err_oom();
	}
	return job_start(j);
}

err *objects_bind_named(struct objects *o, const char *namespace, const char *name, const char *node,
			const struct write *w)
{
	return bind_pod(o, namespace, name, node, 0, w);
}

void objects_bind(struct objects *o, const struct binding *bindings, size_t count, objects_bound_fn *done,
		  void *user)
{
	struct bindings *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	/* One more than there are, so that it ends after the loop, however small. */
	*b = (struct bindings){ .done = done, .user = user, .loop = o->loop, .waiting = count + 1 };
	for (size_t i = 0; i < count; i++) {
		const struct write w = { .done = bound, .user = b };
		const struct entry *pod = bindings[i].pod;
		err *e = bind_pod(o, pod->object->metadata.namespace, pod->object->metadata.name, bindings[i].node,
				  pod->revision, &w);

		if (e) {
			keep_first(b, e);
			b->waiting--;
		}
	}
	loop_post(o->loop, finish, b);
}
