/* scheduler/replicas.h: how many Pods a ReplicaSet has, which it makes and which it deletes: pure functions.
 *
 * Pods belong to it by their controller reference alone. One that is on its way out, or over, does not count; but one that was
 * stopped because its node is lost (policy `stop`) counts until the node is back or somebody deletes the Pod, so that it is
 * not replaced. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "api/deployment.h"
#include "base/arena.h"
#include "base/err.h"

#define REASON_NODE_LOST "NodeLost"

struct replica {
	const struct pod *pod;
	bool node_lost; /* the node that it is bound to */
};
struct replicas {
	struct replica *items;
	size_t count;
};

struct replica_counts {
	int32_t replicas, fully_labeled, ready, available, terminating;
	int64_t again; /* wall clock, ns: when the next one becomes available; 0: none will by waiting */
};

bool replica_counts(const struct replica *r);
/* min_ready: seconds that a Pod must have been ready; now: wall clock, ns. template may be NULL. */
void replicas_count(const struct replicas *pods, const struct pod_template *template, int32_t min_ready, int64_t now,
		    struct replica_counts *ret);

/* Pods that fail as soon as they are bound (a node that cannot run them) are not made anew as fast as that:
 * the next one comes 10 s after the newest that failed, twice as late each time that all have failed, up to 5
 * minutes. Failures of the last 10 minutes count. Wall clock, ns; 0 or a time that has passed: at once. */
#define REPLICAS_PAUSE_FIRST	(10 * (int64_t)1000000000)
#define REPLICAS_PAUSE_MAX	(300 * (int64_t)1000000000)
#define REPLICAS_FAILURES_COUNT (600 * (int64_t)1000000000)
int64_t replicas_pause(const struct replicaset *set, const struct replicas *pods, int64_t now);

struct replicas_plan {
	int32_t create;
	const struct pod **delete;
	size_t delete_count;
	struct replica_counts counts;
};
/* What is to be done so that there are as many as wanted. In the arena. Surplus goes in this order: not bound; not
 * ready; ready for the shortest time (so not yet available); youngest; from the node that has most of them; by name. */
err *replicas_plan(struct arena *arena, const struct replicaset *set, const struct replicas *pods, int64_t now,
		   struct replicas_plan *ret) MUST_CHECK;

/* The Pod that it makes: name generated, owned, as the template says. In the arena; texts borrowed. */
err *replicas_pod(struct arena *arena, const struct replicaset *set, const struct pod **ret) MUST_CHECK;
