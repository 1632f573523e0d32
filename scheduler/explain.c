/* scheduler/explain.c: why a Pod is where it is, or is not placed. */
#include "scheduler/explain-internal.h"

#include <stdio.h>
#include <string.h>

#include "api/claim.h"
#include "api/quantity.h"
#include "api/report.h"

/* ---- shared by the reports ---- */

bool report_lost(struct scheduler *s, const char *name, struct loss *ret)
{
	const struct entry *e = cache_get(s->cache, KIND_NODE, NULL, name);
	const struct node *node = e ? (const struct node *)(const void *)e->object : NULL;
	const struct condition *ready = node ? condition_find(&node->status.conditions, "Ready") : NULL;

	*ret = (struct loss){ .gone = !node };
	if (!node)
		return true;
	for (size_t i = 0; i < node->spec.taints.count; i++)
		if (str_equal(node->spec.taints.items[i].key, TAINT_UNREACHABLE)) {
			ret->since = node->spec.taints.items[i].time_added;
			if (!ret->since.nsec && ready)
				ret->since = ready->transition;
			return true;
		}
	if (!ready || ready->status != CONDITION_UNKNOWN)
		return false;
	ret->since = ready->transition;
	return true;
}

void report_say_loss(struct str *out, const struct loss *loss)
{
	if (loss->gone) {
		str_add(out, ", which is gone");
		return;
	}
	str_add(out, ", lost");
	if (loss->since.nsec) {
		str_add(out, " since ");
		t_api_time.format(&loss->since, out);
	}
}

const char *report_claim_at(struct scheduler *s, const struct pod *pod, const char *node)
{
	for (size_t i = 0; i < pod->spec.volumes.count; i++) {
		const struct pod_claim_source *source = pod->spec.volumes.items[i].claim;
		const struct entry *e =
			source ? cache_get(s->cache, KIND_CLAIM, pod->metadata.namespace, source->claim) : NULL;
		if (e && str_equal(string_map_get(&e->object->metadata.annotations, CLAIM_NODE), node))
			return source->claim;
	}
	return NULL;
}

err *report_keep(struct arena *arena, const struct str *text, const char **ret)
{
	char *copy;

	TRY(str_check(text));
	TRY_ALLOC(arena, copy, arena_strndup(arena, text->data, text->len));
	*ret = copy;
	return NULL;
}

err *report_write(struct str *out, const struct type *type, const void *report)
{
	encode_text(out, type, report, 0);
	return str_check(out);
}

/* ---- the smallest change that would help ---- */

static void say_more(struct str *out, const struct place_refusal *r)
{
	struct quantity cpu = { r->lacks_cpu, true };
	int64_t mib = (r->lacks_memory + (1 << 20) - 1) >> 20;

	if (r->lacks_cpu) {
		quantity_format(&cpu, out);
		str_add(out, " more cpu");
	}
	if (r->lacks_cpu && r->lacks_memory)
		str_add(out, " and ");
	if (r->lacks_memory) {
		struct quantity memory = { (mib << 20) * 1000, true };
		quantity_format(&memory, out);
		str_add(out, " more memory");
	}
	str_addf(out, " on '%s'", r->node);
}

/* What one change mends, the smallest first. before NULL: say_more(). */
static const struct remedy {
	unsigned reasons;
	const char *before, *after; /* the node's name stands between them */
	bool detail;
} remedies[] = {
	{ 1u << PLACE_UNSCHEDULABLE, "the cordon of '", "' lifted", false },
	{ 1u << PLACE_NOT_READY, "'", "' ready again", false },
	{ 1u << PLACE_PODS, "one Pod fewer on '", "'", false },
	{ 1u << PLACE_PORT, "another Pod gone from '", "': ", true },
	{ 1u << PLACE_CPU, NULL, NULL, false },
	{ 1u << PLACE_MEMORY, NULL, NULL, false },
	{ 1u << PLACE_CPU | 1u << PLACE_MEMORY, NULL, NULL, false },
	{ 1u << PLACE_ANTI_AFFINITY, "another Pod gone from the domain of '", "': ", true },
	{ 1u << PLACE_SPREAD, "a larger maxSkew for '", "': ", true },
	{ 1u << PLACE_TAINT, "a toleration for the taint of '", "': ", true },
	{ 1u << PLACE_SELECTOR, "another label on '", "': ", true },
};

/* Of equal remedies the one that asks for least. */
static bool less(const struct place_refusal *a, const struct place_refusal *b)
{
	return a->lacks_cpu + (a->lacks_memory >> 22) < b->lacks_cpu + (b->lacks_memory >> 22);
}

static bool find_remedy(const struct place_refusal *list, size_t count, struct str *out)
{
	for (size_t i = 0; i < ARRAY_LEN(remedies); i++) {
		const struct place_refusal *best = NULL;
		for (size_t j = 0; j < count; j++)
			if (list[j].reasons == remedies[i].reasons && (!best || less(&list[j], best)))
				best = &list[j];
		if (!best)
			continue;
		if (remedies[i].before)
			str_addf(out, "%s%s%s%s", remedies[i].before, best->node, remedies[i].after,
				 remedies[i].detail ? best->detail : "");
		else
			say_more(out, best);
		return true;
	}
	return false;
}

/* Where no single change to a node is enough. */
static void say_new_node(const struct pod *pod, struct str *out)
{
	const char *need = string_map_get(&pod->metadata.labels, STUBE_PROTECTION_NEED);
	struct quantity cpu = { .given = true }, memory = { .given = true };
	int64_t bytes;

	pod_requests(pod, &cpu.milli, &bytes);
	memory.milli = bytes > INT64_MAX / 1000 ? INT64_MAX : bytes * 1000;
	str_add(out, "another node");
	if (need)
		str_addf(out, " of protection class %s", need);
	if (!cpu.milli && !bytes)
		return;
	str_add(out, " with ");
	quantity_format(&cpu, out);
	str_add(out, " cpu and ");
	quantity_format(&memory, out);
	str_add(out, " memory free");
}

/* ---- one sentence ---- */

static void say_bound(struct scheduler *s, const struct pod *pod, struct str *out)
{
	const char *node = pod->spec.node_name, *claim = report_claim_at(s, pod, node);
	struct loss loss;

	if (pod_is_over(pod)) {
		str_addf(out, "has ended on '%s'", node);
		report_say_containers(pod, out);
		return;
	}
	if (report_lost(s, node, &loss)) {
		bool stays = !pod->metadata.deletion.nsec && !str_equal(pod_on_node_loss(pod), "replace");
		str_addf(out, stays ? "waits for node '%s'" : "was on node '%s'", node);
		report_say_loss(out, &loss);
		if (stays && claim)
			str_addf(out, ", where the data of claim '%s' is", claim);
		return;
	}
	if (pod->metadata.deletion.nsec)
		str_addf(out, "is being stopped on '%s'", node);
	else if (pod_is_ready(pod))
		str_addf(out, "runs on '%s'", node);
	else if (pod->status.phase == POD_RUNNING)
		str_addf(out, "runs on '%s', but is not ready", node);
	else
		str_addf(out, "is being started on '%s'", node);
	report_say_containers(pod, out);
}

static void say_waiting(struct scheduler *s, const struct pod *pod, const char *claim_node,
			const struct place_answer *answer, struct str *out)
{
	struct loss loss;

	if (answer->node) {
		str_addf(out, "fits on '%s' and will be bound", answer->node);
	} else if (claim_node && report_lost(s, claim_node, &loss)) {
		str_addf(out, "waits for node '%s'", claim_node);
		report_say_loss(out, &loss);
		str_addf(out, ", where the data of claim '%s' is", report_claim_at(s, pod, claim_node));
	} else {
		place_summary(answer, out);
	}
}

/* ---- the report ---- */

static err *list_nodes(struct arena *arena, const struct place_refusal *list, size_t count, struct report_nodes *ret)
{
	TRY_ALLOC(arena, ret->items, arena_array(arena, count, sizeof(*ret->items)));
	for (size_t i = 0; i < count; i++)
		ret->items[i] = (struct report_node){
			.node = list[i].node,
			.fits = list[i].reason == PLACE_FITS,
			.reason = list[i].reason == PLACE_FITS ? NULL : place_reason_text(list[i].reason),
			.detail = *list[i].detail ? list[i].detail : NULL,
		};
	ret->count = count;
	return NULL;
}

static err *explain_waiting(struct scheduler *s, struct arena *arena, const struct pod *pod, const char *claim_node,
			    const struct place_refusal *list, size_t count, struct explanation *ret)
{
	auto_str struct str summary = STR_INIT(SENTENCE_MAX), help = STR_INIT(SENTENCE_MAX);
	struct place_answer answer;
	struct loss loss;

	binder_claims_trouble(s, pod, &summary);
	if (summary.len)
		return report_keep(arena, &summary, &ret->summary);
	TRY(place_choose(s->place, pod, claim_node, false, &answer));
	say_waiting(s, pod, claim_node, &answer, &summary);
	TRY(report_keep(arena, &summary, &ret->summary));
	if (answer.node)
		return NULL;
	if (claim_node && report_lost(s, claim_node, &loss))
		str_addf(&help, "'%s' ready again", claim_node);
	else if (!find_remedy(list, count, &help))
		say_new_node(pod, &help);
	return report_keep(arena, &help, &ret->help);
}

static struct api_time since(const struct pod *pod)
{
	const struct condition *placed = condition_find(&pod->status.conditions, "PodScheduled");

	if (pod->status.start_time.nsec)
		return pod->status.start_time;
	return placed && placed->transition.nsec ? placed->transition : pod->metadata.creation;
}

err *explain_pod(struct scheduler *s, const struct entry *entry, struct str *out)
{
	const struct pod *pod = (const struct pod *)(const void *)entry->object;
	const char *claim_node = binder_claim_node(s, pod);
	struct explanation e = {
		.namespace = pod->metadata.namespace,
		.name = pod->metadata.name,
		.phase = pod_status_word(pod),
		.since = since(pod),
	};
	auto_arena struct arena *arena = NULL;
	struct place_refusal *list;
	size_t count;

	TRY(arena_new(REPORT_ARENA_MAX, &arena));
	TRY(place_explain(s->place, arena, pod, claim_node, &list, &count));
	TRY(list_nodes(arena, list, count, &e.nodes));
	if (pod->spec.node_name && *pod->spec.node_name) {
		auto_str struct str summary = STR_INIT(SENTENCE_MAX);
		e.node = pod->spec.node_name;
		say_bound(s, pod, &summary);
		TRY(report_keep(arena, &summary, &e.summary));
	} else {
		TRY(explain_waiting(s, arena, pod, claim_node, list, count, &e));
	}
	return report_write(out, &t_explanation, &e);
}
