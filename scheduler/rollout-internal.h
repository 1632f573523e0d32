/* scheduler/rollout-internal.h: what the rollout's files share. */
#pragma once
#include "scheduler/rollout.h"

/* One set as counted. */
struct rollout_row {
	const struct replicaset *set;
	struct replica_counts counts;
	int32_t wanted;    /* its spec's replicas, then as the plan goes on */
	int32_t available; /* of those that will stay */
	int64_t revision;
};
struct rollout_rows {
	struct rollout_row *items; /* oldest first, by revision */
	size_t count;
	struct rollout_row *current; /* NULL: none */
};

/* Status, conditions, and when to look again. */
err *rollout_status(struct arena *arena, const struct rollout_state *state, const struct rollout_rows *rows,
		    struct rollout_plan *plan) MUST_CHECK;
bool rollout_is_complete(const struct deployment *d, const struct deployment_status *status);
