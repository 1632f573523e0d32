/* scheduler/replicas.c: counting a ReplicaSet's Pods, and choosing which go. */
#include "scheduler/replicas.h"

#include <string.h>

#include "api/kinds.h"
#include "base/clock.h"

bool replica_counts(const struct replica *r)
{
	const struct pod *pod = r->pod;

	if (pod->metadata.deletion.nsec)
		return false;
	if (!pod_is_over(pod))
		return true;
	return r->node_lost && pod->status.phase == POD_FAILED &&
	       str_equal(pod->status.reason, REASON_NODE_LOST);
}

/* Since when it is ready; 0: it is not. */
static int64_t ready_since(const struct pod *pod)
{
	const struct condition *c = condition_find(&pod->status.conditions, "Ready");

	if (!c || c->status != CONDITION_TRUE || pod_is_over(pod))
		return 0;
	return MAX(c->transition.nsec, 1);
}

static bool has_labels(const struct pod *pod, const struct string_map *labels)
{
	for (size_t i = 0; i < labels->count; i++)
		if (!str_equal(string_map_get(&pod->metadata.labels, labels->items[i].key),
			       labels->items[i].value))
			return false;
	return true;
}

static void count_one(const struct replica *r, const struct pod_template *template, int64_t min_ready,
		      int64_t now, struct replica_counts *c)
{
	int64_t since = ready_since(r->pod);

	c->terminating += r->pod->metadata.deletion.nsec != 0;
	if (!replica_counts(r))
		return;
	c->replicas++;
	c->fully_labeled += template && has_labels(r->pod, &template->metadata.labels);
	if (!since)
		return;
	c->ready++;
	if (min_ready == 0 || since + min_ready <= now)
		c->available++;
	else if (!c->again || since + min_ready < c->again)
		c->again = since + min_ready;
}

void replicas_count(const struct replicas *pods, const struct pod_template *template, int32_t min_ready,
		    int64_t now, struct replica_counts *ret)
{
	*ret = (struct replica_counts){ 0 };
	for (size_t i = 0; i < pods->count; i++)
		count_one(&pods->items[i], template, min_ready * (int64_t)NSEC_PER_SEC, now, ret);
}

/* ---- which go ---- */

struct candidate {
	const struct pod *pod;
	size_t beside; /* of the same set on the same node */
};

static bool is_bound(const struct pod *pod)
{
	return pod->spec.node_name && pod->spec.node_name[0];
}

/* Less than 0: a goes before b. */
static int order(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	const struct pod *p = a->pod, *q = b->pod;

	if (is_bound(p) != is_bound(q))
		return is_bound(p) ? 1 : -1;
	if (!ready_since(p) != !ready_since(q))
		return ready_since(p) ? 1 : -1;
	if (ready_since(p) != ready_since(q))
		return ready_since(p) > ready_since(q) ? -1 : 1;
	if (p->metadata.creation.nsec != q->metadata.creation.nsec)
		return p->metadata.creation.nsec > q->metadata.creation.nsec ? -1 : 1;
	if (a->beside != b->beside)
		return a->beside > b->beside ? -1 : 1;
	return strcmp(p->metadata.name, q->metadata.name);
}

static size_t count_beside(const struct candidate *all, size_t count, const struct pod *pod)
{
	size_t beside = 0;

	for (size_t i = 0; i < count && is_bound(pod); i++)
		beside += str_equal(all[i].pod->spec.node_name, pod->spec.node_name);
	return beside;
}

err *replicas_plan(struct arena *arena, const struct replicaset *set, const struct replicas *pods,
		   int64_t now, struct replicas_plan *ret)
{
	struct candidate *all;
	size_t count = 0;

	*ret = (struct replicas_plan){ 0 };
	replicas_count(pods, &set->spec.template, set->spec.min_ready_seconds, now, &ret->counts);
	if (ret->counts.replicas <= set->spec.replicas) {
		ret->create = set->spec.replicas - ret->counts.replicas;
		return NULL;
	}
	TRY_ALLOC(arena, all, arena_array(arena, pods->count, sizeof(*all)));
	for (size_t i = 0; i < pods->count; i++)
		if (replica_counts(&pods->items[i]))
			all[count++].pod = pods->items[i].pod;
	for (size_t i = 0; i < count; i++)
		all[i].beside = count_beside(all, count, all[i].pod);
	qsort(all, count, sizeof(*all), order);
	ret->delete_count = count - (size_t)set->spec.replicas;
	TRY_ALLOC(arena, ret->delete, arena_array(arena, ret->delete_count, sizeof(const struct pod *)));
	for (size_t i = 0; i < ret->delete_count; i++)
		ret->delete[i] = all[i].pod;
	return NULL;
}

err *replicas_pod(struct arena *arena, const struct replicaset *set, const struct pod **ret)
{
	const struct pod_template *t = &set->spec.template;
	struct owner_reference *owner;
	struct object *object;

	TRY(object_new(arena, &kinds[KIND_POD], &object));
	TRY_ALLOC(arena, owner, arena_alloc(arena, sizeof(*owner)));
	*owner = (struct owner_reference){
		.api_version = kinds[KIND_REPLICASET].api_version,
		.kind = kinds[KIND_REPLICASET].name,
		.name = set->metadata.name,
		.uid = set->metadata.uid,
		.controller = true,
		.block_owner_deletion = true,
	};
	struct pod *pod = (struct pod *)(void *)object;
	pod->metadata.namespace = set->metadata.namespace;
	TRY_ALLOC(arena, pod->metadata.generate_name, arena_printf(arena, "%s-", set->metadata.name));
	pod->metadata.labels = t->metadata.labels;
	pod->metadata.annotations = t->metadata.annotations;
	pod->metadata.owners.items = owner;
	pod->metadata.owners.count = 1;
	pod->spec = t->spec;
	*ret = pod;
	return NULL;
}
