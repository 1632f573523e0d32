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
	/* Times are the agent's: one may be far in the future. */
	if (min_ready == 0 || now - since >= min_ready) {
		c->available++;
		return;
	}
	int64_t at = since > INT64_MAX - min_ready ? INT64_MAX : since + min_ready;
	c->again = c->again ? MIN(c->again, at) : at;
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

static const char *node_name(const struct candidate *c)
{
	return is_bound(c->pod) ? c->pod->spec.node_name : "";
}

static int by_node(const void *left, const void *right)
{
	return strcmp(node_name(left), node_name(right));
}

/* Sorted by node once: a set may have a hundred thousand Pods, and all on one node. */
static void count_beside(struct candidate *all, size_t count)
{
	qsort(all, count, sizeof(*all), by_node);
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && by_node(&all[i], &all[end]) == 0; end++)
			;
		for (size_t k = i; k < end; k++)
			all[k].beside = is_bound(all[k].pod) ? end - i : 0;
	}
}

/* ---- when the next is made ---- */

/* Pods of its template that failed within moments of their creation, NodeLost apart. */
static bool failed_at_once(const struct pod *pod, int64_t now)
{
	return pod->status.phase == POD_FAILED && !str_equal(pod->status.reason, REASON_NODE_LOST) &&
	       now - pod->metadata.creation.nsec < REPLICAS_FAILURES_COUNT;
}

int64_t replicas_pause(const struct replicaset *set, const struct replicas *pods, int64_t now)
{
	int64_t newest = 0, pause = REPLICAS_PAUSE_FIRST;
	size_t failed = 0;

	for (size_t i = 0; i < pods->count; i++) {
		const struct pod *pod = pods->items[i].pod;
		if (!failed_at_once(pod, now))
			continue;
		failed++;
		newest = MAX(newest, pod->metadata.creation.nsec);
	}
	if (!failed)
		return 0;
	/* As often as all that are wanted have failed. */
	for (size_t wave = failed / (size_t)MAX(set->spec.replicas, 1);
	     wave > 1 && pause < REPLICAS_PAUSE_MAX; wave--)
		pause *= 2;
	/* The creation time has whole seconds, and clocks may have been set back. */
	return MIN(newest, now) + MIN(pause, REPLICAS_PAUSE_MAX);
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
		int64_t at = ret->create ? replicas_pause(set, pods, now) : 0;
		if (at > now) {
			ret->create = 0;
			ret->counts.again = ret->counts.again ? MIN(ret->counts.again, at) : at;
		}
		return NULL;
	}
	TRY_ALLOC(arena, all, arena_array(arena, pods->count, sizeof(*all)));
	for (size_t i = 0; i < pods->count; i++)
		if (replica_counts(&pods->items[i]))
			all[count++].pod = pods->items[i].pod;
	count_beside(all, count);
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
