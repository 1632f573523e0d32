/* agent/decide-status.c: a Pod's status from what is there. */
#include <string.h>

#include "agent/decide.h"
#include "base/clock.h"

static err *copy_text(struct arena *arena, const char *text, const char **ret)
{
	*ret = NULL;
	if (text)
		TRY_ALLOC(arena, *ret, arena_strdup(arena, text));
	return NULL;
}

/* ---- containers ---- */

static const char *end_reason(const struct decide_end *end)
{
	if (!end->known)
		return "ContainerStatusUnknown";
	/* One of its processes was killed, and it did its work all the same. */
	if (end->oom && end->code != 0)
		return "OOMKilled";
	return end->code == 0 ? "Completed" : "Error";
}

static err *set_terminated(struct arena *arena, const struct decide_end *end, struct container_state *state)
{
	struct container_terminated *t;

	TRY_ALLOC(arena, t, arena_alloc(arena, sizeof(*t)));
	t->code = (int32_t)end->code;
	t->signal = (int32_t)end->signal;
	t->reason = end_reason(end);
	t->started.nsec = end->started;
	t->finished.nsec = end->finished;
	TRY(copy_text(arena, end->reason, &t->message));
	TRY(copy_text(arena, end->id, &t->container_id));
	state->terminated = t;
	return NULL;
}

static err *set_waiting(struct arena *arena, const char *reason, const char *message, struct container_state *state)
{
	struct container_waiting *w;

	TRY_ALLOC(arena, w, arena_alloc(arena, sizeof(*w)));
	TRY(copy_text(arena, reason, &w->reason));
	TRY(copy_text(arena, message, &w->message));
	state->waiting = w;
	return NULL;
}

/* It waits for its restart: for how long, at least. */
static err *set_crashed(struct arena *arena, const struct decide_input *in, size_t i, struct container_state *state)
{
	const struct decide_container *c = &in->containers[i];
	int64_t delay = c->interrupted ? 0 : decide_backoff(c->crashes, in->backoff_first, in->backoff_max);
	const char *text;

	if (c->problem)
		return set_waiting(arena, c->problem, c->problem_text, state);
	if (delay == 0)
		return set_waiting(arena, "ContainerCreating", NULL, state);
	TRY_ALLOC(arena, text,
		  arena_printf(arena, "back-off %llu.%llus restarting failed container '%s'",
			       (unsigned long long)delay / NSEC_PER_SEC,
			       (unsigned long long)delay % NSEC_PER_SEC / (100 * NSEC_PER_MSEC),
			       in->pod->spec.containers.items[i].name));
	return set_waiting(arena, "CrashLoopBackOff", text, state);
}

static bool comes_back(const struct decide_input *in, const struct decision *d, const struct decide_container *c)
{
	int policy = in->pod->spec.restart;

	if (d->goal == GOAL_REMOVE || d->goal == GOAL_STOP || policy == POD_RESTART_NEVER)
		return false;
	return policy != POD_RESTART_ON_FAILURE || c->interrupted || !c->end.known || c->end.code != 0;
}

static err *container(struct arena *arena, const struct decide_input *in, const struct decision *d, size_t i,
		      struct container_status *s)
{
	const struct pod_container *spec = &in->pod->spec.containers.items[i];
	const struct decide_container *c = &in->containers[i];

	s->name = spec->name;
	s->image = spec->image;
	s->restarts = c->attempt > 1 ? (int32_t)c->attempt - 1 : 0;
	TRY(copy_text(arena, c->image_id, &s->image_id));
	TRY(copy_text(arena, c->id, &s->container_id));
	if (c->last.there)
		TRY(set_terminated(arena, &c->last, &s->last_state));
	switch (c->state) {
	case DECIDE_RUNNING: {
		struct container_running *r;
		TRY_ALLOC(arena, r, arena_alloc(arena, sizeof(*r)));
		r->started.nsec = c->started;
		s->state.running = r;
		s->ready = s->started = true;
		return NULL;
	}
	case DECIDE_ENDED:
		if (!comes_back(in, d, c))
			return set_terminated(arena, &c->end, &s->state);
		s->last_state.terminated = NULL;
		TRY(set_terminated(arena, &c->end, &s->last_state));
		return set_crashed(arena, in, i, &s->state);
	default:
		if (c->problem)
			return set_waiting(arena, c->problem, c->problem_text, &s->state);
		if (in->sandbox_problem)
			return set_waiting(arena, "CreatePodSandboxError", in->sandbox_problem, &s->state);
		return set_waiting(arena, "ContainerCreating", NULL, &s->state);
	}
}

/* ---- the whole ---- */

static int phase(const struct decide_input *in, const struct pod_status *s)
{
	size_t fresh = 0, running = 0, ended = 0, good = 0;

	for (size_t i = 0; i < s->containers.count; i++) {
		const struct container_status *c = &s->containers.items[i];
		fresh += c->state.waiting && !c->last_state.terminated;
		running += c->state.running || (c->state.waiting && c->last_state.terminated);
		ended += c->state.terminated != NULL;
		/* What we ended has not done all its work, whatever it says. */
		good += c->state.terminated && c->state.terminated->code == 0 &&
			!in->containers[i].interrupted;
	}
	if (in->lost)
		return POD_FAILED;
	if (fresh > 0)
		return POD_PENDING;
	if (running > 0 || ended < s->containers.count)
		return POD_RUNNING;
	/* Ended because it shall: the phase stays until the object goes, as with Kubernetes. */
	if (in->pod->spec.restart == POD_RESTART_ALWAYS)
		return POD_RUNNING;
	if (good == ended)
		return POD_SUCCEEDED;
	return in->deleted && in->pod->spec.restart == POD_RESTART_ON_FAILURE ? POD_RUNNING : POD_FAILED;
}

static err *set(struct arena *arena, struct pod_status *s, const char *type, bool value, const char *reason, int64_t wall)
{
	struct condition *old = NULL;

	for (size_t i = 0; i < s->conditions.count; i++)
		if (str_equal(s->conditions.items[i].type, type))
			old = &s->conditions.items[i];
	if (!old) {
		struct condition *items;
		TRY_ALLOC(arena, items, arena_array(arena, s->conditions.count + 1, sizeof(*items)));
		if (s->conditions.count > 0)
			memcpy(items, s->conditions.items, s->conditions.count * sizeof(*items));
		s->conditions.items = items;
		old = &items[s->conditions.count++];
		old->type = type;
	}
	int status = value ? CONDITION_TRUE : CONDITION_FALSE;
	if (old->status != status)
		old->transition.nsec = wall;
	old->status = status;
	old->reason = value ? NULL : reason;
	old->message = NULL;
	return NULL;
}

/* Others' conditions of `before` stay as they are. */
static err *conditions(struct arena *arena, const struct decide_input *in, const struct pod_status *before,
		       int64_t wall, struct pod_status *s)
{
	size_t ready = 0;
	bool over = s->phase == POD_SUCCEEDED || s->phase == POD_FAILED;

	for (size_t i = 0; i < s->containers.count; i++)
		ready += s->containers.items[i].ready;
	bool all = ready == s->containers.count;
	if (before && before->conditions.count > 0) {
		TRY_ALLOC(arena, s->conditions.items,
			  arena_array(arena, before->conditions.count, sizeof(struct condition)));
		for (size_t i = 0; i < before->conditions.count; i++) {
			const struct condition *c = &before->conditions.items[i];
			s->conditions.items[i] = *c;
			TRY(copy_text(arena, c->type, &s->conditions.items[i].type));
			TRY(copy_text(arena, c->reason, &s->conditions.items[i].reason));
			TRY(copy_text(arena, c->message, &s->conditions.items[i].message));
		}
		s->conditions.count = before->conditions.count;
	}
	const char *why = over ? (s->phase == POD_SUCCEEDED ? "PodCompleted" : "PodFailed") : "ContainersNotReady";
	TRY(set(arena, s, "PodScheduled", true, NULL, wall));
	TRY(set(arena, s, "Initialized", !in->lost, "RecordLost", wall));
	TRY(set(arena, s, "ContainersReady", all, why, wall));
	return set(arena, s, "Ready", all && !in->deleted, in->deleted && all ? "PodTerminating" : why, wall);
}

err *decide_status(struct arena *arena, const struct decide_input *in, const struct decision *d,
		   const struct pod_status *before, int64_t wall, struct pod_status *ret)
{
	size_t count = in->pod->spec.containers.count;
	struct pod_status s = { .qos_class = pod_qos_class(&in->pod->spec),
				.observed_generation = in->pod->metadata.generation };

	TRY_ALLOC(arena, s.containers.items, arena_array(arena, count, sizeof(*s.containers.items)));
	s.containers.count = count;
	for (size_t i = 0; i < count; i++)
		TRY(container(arena, in, d, i, &s.containers.items[i]));
	s.phase = phase(in, &s);
	s.start_time.nsec = in->start_time;
	if (d->goal == GOAL_STOP) {
		s.reason = "NodeLost";
		s.message = "the node has been out of the control plane's reach for too long, and has ended the Pod itself";
	}
	if (in->lost) {
		s.reason = "RecordLost";
		s.message = "the Pod has run on this node, whose records of it are gone; it is not started a second time";
	}
	TRY(copy_text(arena, in->host_ip, &s.host_ip));
	if (in->host_ip && in->pod->spec.host_network) {
		s.pod_ip = s.host_ip;
		TRY_ALLOC(arena, s.pod_ips.items, arena_alloc(arena, sizeof(struct pod_ip)));
		s.pod_ips.items[0].ip = s.pod_ip;
		s.pod_ips.count = 1;
	}
	TRY(conditions(arena, in, before, wall, &s));
	*ret = s;
	return NULL;
}
