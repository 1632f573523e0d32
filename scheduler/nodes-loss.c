/* scheduler/nodes-loss.c: what becomes of the Pods of a lost or tainted node: decisions without I/O. */
#include "scheduler/nodes.h"

#include "base/clock.h"

bool nodes_has_loss(const struct object *object)
{
	const struct node *node = (const struct node *)(const void *)object;

	for (size_t i = 0; i < node->spec.taints.count; i++)
		if (str_equal(node->spec.taints.items[i].key, TAINT_UNREACHABLE))
			return true;
	return false;
}

int64_t node_loss_time(const struct pod *pod, int64_t lost, int64_t margin)
{
	int64_t grace = pod->spec.grace_seconds;

	/* Its agent began to end it before, with this much time. */
	if (pod->metadata.deletion_grace)
		grace = MAX(grace, *pod->metadata.deletion_grace);
	return lost + grace * (int64_t)NSEC_PER_SEC + margin;
}

enum loss_action node_loss_action(const struct pod *pod, int64_t lost, int64_t margin, int64_t now,
				  int64_t *ret_at)
{
	const char *policy = pod_on_node_loss(pod);

	if (pod_is_over(pod) || str_equal(policy, "keep"))
		return LOSS_NOTHING;
	*ret_at = node_loss_time(pod, lost, margin);
	if (*ret_at > now)
		return LOSS_WAIT;
	/* Who deleted it wants no other state than that it is gone. */
	if (pod->metadata.deletion.nsec || !str_equal(policy, "stop"))
		return LOSS_REPLACE;
	return LOSS_STOP;
}

/* Tolerated for ever: INT64_MAX; not at all: 0; else so many ns. The longest toleration that matches counts.
 */
static int64_t tolerated(const struct pod *pod, const struct taint *taint)
{
	int64_t longest = 0;

	for (size_t i = 0; i < pod->spec.tolerations.count; i++) {
		const struct toleration *t = &pod->spec.tolerations.items[i];
		if (!toleration_matches(t, taint))
			continue;
		if (!t->seconds)
			return INT64_MAX;
		if (*t->seconds > INT64_MAX / (int64_t)NSEC_PER_SEC / 2)
			return INT64_MAX;
		longest = MAX(longest, *t->seconds * (int64_t)NSEC_PER_SEC);
	}
	return longest;
}

int64_t node_taint_deadline(const struct node *node, const struct pod *pod)
{
	int64_t first = 0;

	for (size_t i = 0; i < node->spec.taints.count; i++) {
		const struct taint *taint = &node->spec.taints.items[i];
		if (taint->effect != TAINT_NO_EXECUTE || str_equal(taint->key, TAINT_UNREACHABLE) ||
		    str_equal(taint->key, TAINT_NOT_READY))
			continue;
		int64_t time = tolerated(pod, taint);
		if (time == INT64_MAX)
			continue;
		int64_t at = MAX(taint->time_added.nsec, 1) + time;
		first = first ? MIN(first, at) : at;
	}
	return first;
}
