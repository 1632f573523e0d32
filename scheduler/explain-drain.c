/* scheduler/explain-drain.c: where the Pods of a node would go if it were drained. */
#include <string.h>

#include "api/report.h"
#include "scheduler/explain-internal.h"

struct drain {
	struct scheduler *s;
	struct arena *arena;
	struct place *place; /* a copy, with the node cordoned */
	const char *node;
	struct drain_forecast forecast;
	size_t room;
	err *error;
};

static err *cordon(struct drain *d, const struct entry *e)
{
	struct node node = *(const struct node *)(const void *)e->object;

	node.spec.unschedulable = true;
	return place_node(d->place, &node);
}

static err *forecast_pod(struct drain *d, const struct pod *pod, struct drain_pod *ret)
{
	const char *claim = report_claim_at(d->s, pod, d->node);
	auto_str struct str summary = STR_INIT(SENTENCE_MAX);
	struct place_answer answer = { 0 };
	struct pod moved = *pod;

	*ret = (struct drain_pod){ .namespace = pod->metadata.namespace, .name = pod->metadata.name };
	place_remove(d->place, pod->metadata.uid);
	moved.spec.node_name = NULL;
	if (claim) {
		str_addf(&summary, "the data of claim '%s' is on '%s'", claim, d->node);
	} else if (!meta_controller(&pod->metadata)) {
		str_add(&summary, "no Deployment makes it anew");
	} else {
		TRY(place_choose(d->place, &moved, binder_claim_node(d->s, pod), true, &answer));
		if (answer.node)
			TRY_ALLOC(d->arena, ret->node, arena_strdup(d->arena, answer.node));
		else
			place_summary(&answer, &summary);
	}
	d->forecast.fits = d->forecast.fits && ret->node;
	return summary.len ? report_keep(d->arena, &summary, &ret->summary) : NULL;
}

static bool add_pod(const struct entry *e, void *user)
{
	struct drain *d = user;
	const struct pod *pod = (const struct pod *)(const void *)e->object;

	if (pod->metadata.deletion.nsec) { /* on its way out already, and whoever makes it anew has done so */
		place_remove(d->place, pod->metadata.uid);
		return true;
	}
	if (pod_is_over(pod) || d->forecast.pods.count == d->room)
		return true;
	d->error = forecast_pod(d, pod, &d->forecast.pods.items[d->forecast.pods.count]);
	d->forecast.pods.count += !d->error;
	return !d->error;
}

static bool count_pod(const struct entry *e UNUSED, void *user)
{
	++*(size_t *)user;
	return true;
}

static err *forecast(struct drain *d, const struct entry *node)
{
	TRY(cordon(d, node));
	cache_each_on_node(d->s->cache, d->node, count_pod, &d->room);
	TRY_ALLOC(d->arena, d->forecast.pods.items,
		  arena_array(d->arena, d->room, sizeof(*d->forecast.pods.items)));
	d->forecast.node = d->node;
	d->forecast.fits = true;
	cache_each_on_node(d->s->cache, d->node, add_pod, d);
	return d->error;
}

err *explain_drain(struct scheduler *s, const char *node, struct str *out)
{
	const struct entry *e = cache_get(s->cache, KIND_NODE, NULL, node);
	auto_arena struct arena *arena = NULL;
	struct drain d = { .s = s, .node = node };

	if (!e)
		return err_new(ENOENT, "nodes '%s' not found", node);
	TRY(arena_new(REPORT_ARENA_MAX, &arena));
	d.arena = arena;
	TRY(place_copy(s->place, &d.place));
	err *error = forecast(&d, e);
	place_free(d.place);
	return error ? error : report_write(out, &t_drain_forecast, &d.forecast);
}
