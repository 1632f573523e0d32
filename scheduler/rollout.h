/* scheduler/rollout.h: the next step of a Deployment's rollout: a pure function of what is there.
 *
 * Each call gives the steps that may be taken at this moment; when what they did has shown itself (Pods became ready, or are gone)
 * the next call gives the next ones. All counting is of Pods, not of what ReplicaSets say of themselves. */
#pragma once
#include "scheduler/replicas.h"

/* One of the Deployment's ReplicaSets with its Pods. */
struct rollout_set {
	const struct replicaset *set;
	struct replicas pods;
};
struct rollout_state {
	const struct deployment *deployment;
	const struct rollout_set *sets;
	size_t count;
	int64_t now;      /* wall clock, ns */
	bool name_taken;  /* a ReplicaSet of the short name is there, of another template or another's */
};

struct rollout_scale {
	const struct replicaset *set;
	int32_t replicas;
};
struct rollout_plan {
	/* The set of the present template; NULL: there is none, and `create` says whether it is to be made now. */
	const struct replicaset *current;
	bool create;
	int32_t create_replicas;
	int64_t revision;            /* that `current` has, or gets; 0: it is not to be made yet */
	bool mark;                   /* write revision, cause and minReadySeconds into `current` */
	struct rollout_scale *scales; /* only real changes */
	size_t scale_count;
	const struct replicaset **remove; /* beyond revisionHistoryLimit, oldest first */
	size_t remove_count;
	struct deployment_status status;
	int64_t again;               /* wall clock, ns: when time alone may change something; 0: never */
};
/* In the arena; objects borrowed. */
err *rollout_plan(struct arena *arena, const struct rollout_state *state, struct rollout_plan *ret) MUST_CHECK;

/* The ReplicaSet that a plan creates. In the arena; texts borrowed. */
err *rollout_set(struct arena *arena, const struct rollout_state *state, const struct rollout_plan *plan,
		 const struct replicaset **ret) MUST_CHECK;
/* Its name; taken: the longer one, with a part of the Deployment's uid. In the arena, NULL without memory. */
const char *rollout_set_name(struct arena *arena, const struct deployment *d, bool taken);

/* One pair of labels or annotations, put or replaced: the map gets new items in the arena. */
err *rollout_set_pair(struct arena *arena, struct string_map *map, const char *key,
		      const char *value) MUST_CHECK;

/* Whether a ReplicaSet was made for the Deployment's present template. */
bool rollout_is_current(const struct deployment *d, const struct replicaset *set);
/* The revision in an object's annotations; 0: none. */
int64_t rollout_revision(const struct meta *meta);
/* At most so many more, and so many fewer available ones than wanted, while Pods are exchanged. */
void rollout_bounds(const struct deployment *d, int32_t *ret_surge, int32_t *ret_unavailable);
