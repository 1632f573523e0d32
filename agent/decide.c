/* agent/decide.c: the next action for a Pod. */
#include "agent/decide.h"

#include "base/clock.h"

/* clang-format off */
const struct enum_name decide_goal_names[] = {
	{ "run", GOAL_RUN }, { "hold", GOAL_HOLD }, { "over", GOAL_OVER }, { "stop", GOAL_STOP }, { "remove", GOAL_REMOVE }, {0}
};
const struct enum_name decide_do_names[] = {
	{ "-", DO_NOTHING }, { "make-sandbox", DO_SANDBOX }, { "end-sandbox", DO_END_SANDBOX }, { "remove", DO_REMOVE },
	{ "pull", DO_PULL }, { "start", DO_START }, { "term", DO_TERM }, { "kill", DO_KILL }, {0}
};
/* clang-format on */

int64_t decide_backoff(uint32_t crashes, int64_t first, int64_t max)
{
	int64_t delay = first;

	if (crashes == 0)
		return 0;
	for (uint32_t i = 1; i < crashes && delay < max; i++)
		delay *= 2;
	return MIN(delay, max);
}

/* Ended, and to run again. */
static bool restarts(const struct decide_input *in, const struct decide_container *c)
{
	switch (in->pod->spec.restart) {
	case POD_RESTART_NEVER: return false;
	case POD_RESTART_ON_FAILURE: return c->interrupted || !c->end.known || c->end.code != 0;
	default: return true;
	}
}

static bool wants_to_run(const struct decide_input *in, const struct decide_container *c)
{
	return c->state != DECIDE_ENDED || restarts(in, c);
}

static bool any_running(const struct decide_input *in)
{
	for (size_t i = 0; i < in->pod->spec.containers.count; i++)
		if (in->containers[i].state == DECIDE_RUNNING)
			return true;
	return false;
}

static bool any_wanted(const struct decide_input *in)
{
	for (size_t i = 0; i < in->pod->spec.containers.count; i++)
		if (wants_to_run(in, &in->containers[i]))
			return true;
	return false;
}

/* Since the machine was restarted somebody else may run its replacement already: in contact the API tells
 * soon. */
static bool may_begin(const struct decide_input *in)
{
	if (!in->rebooted)
		return true;
	if (in->contact == PODS_FREE)
		return in->confirmed;
	if (in->loss == DECIDE_KEEP)
		return true;
	return in->loss == DECIDE_REPLACE && in->lease_end != 0 && in->now < in->lease_end;
}

static enum decide_goal choose_goal(const struct decide_input *in)
{
	if (in->deleted)
		return GOAL_REMOVE;
	if (in->lost)
		return GOAL_OVER;
	if (!any_wanted(in))
		return GOAL_OVER;
	if (in->contact == PODS_FENCED && in->loss != DECIDE_KEEP)
		return GOAL_STOP;
	return may_begin(in) ? GOAL_RUN : GOAL_HOLD;
}

static void wake_at(struct decision *d, int64_t at)
{
	if (d->wake == 0 || at < d->wake)
		d->wake = at;
}

static enum decide_do end_container(const struct decide_input *in, const struct decide_container *c, struct decision *d)
{
	if (c->state != DECIDE_RUNNING || c->killed)
		return DO_NOTHING;
	if (c->term_at == 0)
		return DO_TERM;
	if (in->now >= c->term_at + in->grace)
		return DO_KILL;
	wake_at(d, c->term_at + in->grace);
	return DO_NOTHING;
}

static void end_all(const struct decide_input *in, struct decision *d)
{
	for (size_t i = 0; i < in->pod->spec.containers.count; i++)
		d->containers[i] = end_container(in, &in->containers[i], d);
}

static enum decide_do run_container(const struct decide_input *in, const struct decide_container *c, struct decision *d)
{
	int64_t due = c->retry_at;

	if (c->state == DECIDE_RUNNING || !wants_to_run(in, c) || c->image == DECIDE_IMAGE_PULLING)
		return DO_NOTHING;
	if (c->image == DECIDE_IMAGE_READY && c->state == DECIDE_ENDED && !c->interrupted)
		due = MAX(due, c->ended_at + decide_backoff(c->crashes, in->backoff_first, in->backoff_max));
	if (in->now < due) {
		wake_at(d, due);
		return DO_NOTHING;
	}
	return c->image == DECIDE_IMAGE_READY ? DO_START : DO_PULL;
}

static void run_all(const struct decide_input *in, struct decision *d)
{
	if (in->sandbox == DECIDE_RUNNING) {
		for (size_t i = 0; i < in->pod->spec.containers.count; i++)
			d->containers[i] = run_container(in, &in->containers[i], d);
		return;
	}
	if (any_running(in)) { /* its sandbox has died under it */
		d->interrupt = true;
		end_all(in, d);
		return;
	}
	/* Images come while the sandbox is made. */
	for (size_t i = 0; i < in->pod->spec.containers.count; i++) {
		enum decide_do next = run_container(in, &in->containers[i], d);
		d->containers[i] = next == DO_PULL ? next : DO_NOTHING;
	}
	if (in->now >= in->sandbox_retry_at)
		d->pod = DO_SANDBOX;
	else
		wake_at(d, in->sandbox_retry_at);
}

void decide(const struct decide_input *in, enum decide_do *containers, struct decision *ret)
{
	*ret = (struct decision){ .goal = choose_goal(in), .containers = containers };
	for (size_t i = 0; i < in->pod->spec.containers.count; i++)
		containers[i] = DO_NOTHING;
	switch (ret->goal) {
	case GOAL_RUN:
		run_all(in, ret);
		break;
	case GOAL_REMOVE:
	case GOAL_STOP:
		ret->interrupt = ret->goal == GOAL_STOP;
		if (any_running(in))
			end_all(in, ret);
		else if (ret->goal == GOAL_REMOVE)
			ret->pod = DO_REMOVE;
		else if (in->sandbox == DECIDE_RUNNING)
			ret->pod = DO_END_SANDBOX;
		break;
	case GOAL_OVER:
		/* What runs here has lost its record: it is nobody's to end. */
		if (in->sandbox == DECIDE_RUNNING && !any_running(in))
			ret->pod = DO_END_SANDBOX;
		break;
	case GOAL_HOLD:
		if (in->loss == DECIDE_REPLACE && in->lease_end > in->now)
			wake_at(ret, in->lease_end);
		break;
	}
	/* Time alone ends the right to begin. */
	if (in->now < in->lease_end && in->contact != PODS_FREE && in->loss != DECIDE_KEEP)
		wake_at(ret, in->lease_end);
	if (in->sandbox_retry_at > in->now && ret->pod == DO_NOTHING && ret->goal >= GOAL_OVER)
		wake_at(ret, in->sandbox_retry_at);
}
