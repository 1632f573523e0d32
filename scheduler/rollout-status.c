/* scheduler/rollout-status.c: what a Deployment says of its rollout. Ref: Kubernetes "Deployments",
 * "Deployment status". */
#include "scheduler/rollout-internal.h"

#include "base/clock.h"

bool rollout_is_complete(const struct deployment *d, const struct deployment_status *s)
{
	return s->updated == d->spec.replicas && s->replicas == d->spec.replicas &&
	       s->available == d->spec.replicas && s->observed_generation >= d->metadata.generation;
}

static void count(const struct rollout_rows *rows, struct rollout_plan *plan)
{
	struct deployment_status *s = &plan->status;

	for (size_t i = 0; i < rows->count; i++) {
		const struct replica_counts *c = &rows->items[i].counts;
		s->replicas += c->replicas;
		s->ready += c->ready;
		s->available += c->available;
		s->terminating += c->terminating;
		if (c->again && (!plan->again || c->again < plan->again))
			plan->again = c->again;
	}
	if (rows->current)
		s->updated = rows->current->counts.replicas;
	s->unavailable = MAX(s->replicas - s->available, 0);
}

static err *say_available(struct arena *arena, const struct deployment *d, int64_t now,
			  struct deployment_status *s)
{
	int32_t surge, unavailable;

	rollout_bounds(d, &surge, &unavailable);
	bool enough = s->available >= d->spec.replicas - unavailable;
	const struct condition *was = condition_find(&s->conditions, "Available");
	struct condition c = {
		.type = "Available",
		.status = enough ? CONDITION_TRUE : CONDITION_FALSE,
		.reason = enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
		.message = enough ? "Deployment has minimum availability."
				  : "Deployment does not have minimum availability.",
		.update.nsec = now,
		.transition.nsec = now,
	};
	if (was && was->status == c.status)
		c.update = was->update;
	return condition_set(arena, &s->conditions, &c);
}

static err *say_progress(struct arena *arena, const struct rollout_state *state, struct deployment_status *s,
			 int status, const char *reason, const char *message)
{
	const struct condition c = {
		.type = "Progressing",
		.status = status,
		.reason = reason,
		.message = message,
		.update.nsec = state->now,
		.transition.nsec = state->now,
	};

	if (!message)
		return arena_error(arena);
	return condition_set(arena, &s->conditions, &c);
}

/* Something has moved since the last status, in the right direction. */
static bool has_moved(const struct deployment *d, const struct deployment_status *s)
{
	const struct deployment_status *was = &d->status;

	return s->updated > was->updated || s->replicas - s->updated < was->replicas - was->updated ||
	       s->ready > was->ready || s->available > was->available;
}

/* "ReplicaSet "web-1" is progressing." */
static const char *sentence(struct arena *arena, const struct rollout_state *state,
			    const struct rollout_plan *plan, const char *what)
{
	const struct meta *m = plan->current ? &plan->current->metadata : &state->deployment->metadata;

	return arena_printf(arena, "%s \"%s\" %s", plan->current ? "ReplicaSet" : "Deployment", m->name,
			    what);
}

static err *under_way(struct arena *arena, const struct rollout_state *state, struct rollout_plan *plan,
		      const struct condition *was)
{
	const struct deployment *d = state->deployment;
	int64_t deadline = d->spec.progress_deadline_seconds * (int64_t)NSEC_PER_SEC;
	bool begins = !was || plan->mark || d->status.observed_generation != plan->status.observed_generation;

	if (begins || has_moved(d, &plan->status))
		return say_progress(arena, state, &plan->status, CONDITION_TRUE, "ReplicaSetUpdated",
				    sentence(arena, state, plan, "is progressing."));
	if (was->status == CONDITION_FALSE || was->update.nsec + deadline > state->now)
		return NULL;
	return say_progress(arena, state, &plan->status, CONDITION_FALSE, "ProgressDeadlineExceeded",
			    sentence(arena, state, plan, "has timed out progressing."));
}

/* The condition is kept as it is as long as nothing new is to be said. */
static err *progress(struct arena *arena, const struct rollout_state *state, struct rollout_plan *plan)
{
	const struct deployment *d = state->deployment;
	struct deployment_status *s = &plan->status;
	const struct condition *was = condition_find(&d->status.conditions, "Progressing");
	bool was_paused = was && str_equal(was->reason, "DeploymentPaused");
	bool was_done =
		was && str_equal(was->reason, "NewReplicaSetAvailable") && plan->current && !plan->mark;

	if (d->spec.paused && was_paused)
		return NULL;
	if (d->spec.paused)
		return say_progress(arena, state, s, CONDITION_UNKNOWN, "DeploymentPaused",
				    "Deployment is paused");
	if (was_paused)
		return say_progress(arena, state, s, CONDITION_UNKNOWN, "DeploymentResumed",
				    "Deployment is resumed");
	/* Said once; a set that cannot be made runs into the deadline. */
	bool told = was && str_equal(was->reason, "NewReplicaSetCreated") &&
		    d->status.observed_generation == s->observed_generation;
	if (plan->create && !told)
		return say_progress(arena, state, s, CONDITION_TRUE, "NewReplicaSetCreated",
				    arena_printf(arena, "Created new replica set \"%s\"",
						 rollout_set_name(arena, d, state->name_taken)));
	/* A rollout that was complete stays so, whatever happens to its Pods, or to their number, later. */
	if (was_done && s->updated == s->replicas)
		return NULL;
	if (plan->current && rollout_is_complete(d, s))
		return say_progress(arena, state, s, CONDITION_TRUE, "NewReplicaSetAvailable",
				    sentence(arena, state, plan, "has successfully progressed."));
	return under_way(arena, state, plan, was);
}

/* A rollout under way is looked at again when its time is over. */
static void set_deadline(const struct rollout_state *state, struct rollout_plan *plan)
{
	const struct deployment *d = state->deployment;
	const struct condition *c = condition_find(&plan->status.conditions, "Progressing");

	if (!c || d->spec.paused || c->status == CONDITION_FALSE ||
	    str_equal(c->reason, "NewReplicaSetAvailable"))
		return;
	int64_t at = c->update.nsec + d->spec.progress_deadline_seconds * (int64_t)NSEC_PER_SEC;
	if (at > state->now && (!plan->again || at < plan->again))
		plan->again = at;
}

static err *copy_conditions(struct arena *arena, const struct conditions *from, struct conditions *to)
{
	TRY_ALLOC(arena, to->items, arena_array(arena, from->count, sizeof(*to->items)));
	if (from->count)
		memcpy(to->items, from->items, from->count * sizeof(*to->items));
	to->count = from->count;
	return NULL;
}

err *rollout_status(struct arena *arena, const struct rollout_state *state, const struct rollout_rows *rows,
		    struct rollout_plan *plan)
{
	const struct deployment *d = state->deployment;

	plan->status.observed_generation = d->metadata.generation;
	TRY(copy_conditions(arena, &d->status.conditions, &plan->status.conditions));
	count(rows, plan);
	TRY(say_available(arena, d, state->now, &plan->status));
	TRY(progress(arena, state, plan));
	set_deadline(state, plan);
	return NULL;
}
