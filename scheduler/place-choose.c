/* scheduler/place-choose.c: the best node for a Pod, or how many nodes refuse it for which reason. */
#include <string.h>

#include "scheduler/place-internal.h"

struct candidate {
	int32_t key;
	struct verdict verdict;
	uint32_t node;
};

/* Less than 0: a is better. The nodes are compared by whoever calls. */
static int compare(const struct candidate *a, const struct candidate *b)
{
	int32_t low = (1 << KEY_OWNER_SHIFT) - 1;

	if (a->key >> KEY_OWNER_SHIFT != b->key >> KEY_OWNER_SHIFT)
		return a->key < b->key ? -1 : 1;
	for (size_t i = 0; i < a->verdict.count; i++)
		if (a->verdict.counts[i] != b->verdict.counts[i])
			return a->verdict.counts[i] < b->verdict.counts[i] ? -1 : 1;
	if ((a->key & low) != (b->key & low))
		return (a->key & low) < (b->key & low) ? -1 : 1;
	return 0;
}

/* The first of a cell's nodes with that key. */
static uint32_t first_node(const struct class *c, const struct cell *cell, int32_t key)
{
	uint32_t b = cell->start;

	while (c->block_min[b] != key)
		b++;
	uint32_t i = c->layout->blocks[b].start;
	while (c->row[c->layout->order[i]] != key)
		i++;
	return c->layout->order[i];
}

static int32_t least_key(const struct class *c, const struct cell *cell)
{
	int32_t least = KEY_NONE;

	for (uint32_t b = cell->start; b < cell->end; b++)
		least = MIN(least, c->block_min[b]);
	return least;
}

static bool find_best(const struct class *c, struct candidate *best)
{
	const struct cell *from = NULL;

	for (size_t i = 0; i < c->layout->cell_count; i++) {
		const struct cell *cell = &c->layout->cells[i];
		struct candidate one = { .key = least_key(c, cell) };
		if (one.key == KEY_NONE)
			continue;
		class_judge(c, cell->node, &one.verdict);
		if (one.verdict.reason != PLACE_FITS)
			continue;
		int order = from ? compare(&one, best) : -1;
		if (order == 0)
			order = first_node(c, cell, one.key) < first_node(c, from, best->key) ? -1 : 1;
		if (order > 0)
			continue;
		*best = one;
		from = cell;
	}
	if (from)
		best->node = first_node(c, from, best->key);
	return from;
}

static bool only(const struct place *p, const struct class *c, const char *name, struct candidate *best)
{
	const struct site *s = table_find_text(&p->sites, name);

	if (!s || s->index == SITE_NOWHERE)
		return false;
	best->node = s->index;
	return !node_reasons(p, c, s->index, name);
}

/* Many equal Pods may wait: between changes they are refused for the same reasons. */
static void count_refusals(const struct place *p, struct class *c, const char *claim_node,
			   size_t counts[PLACE_REASON_COUNT])
{
	bool known = !claim_node && c->refused_at == p->changes + 1;

	for (uint32_t i = 0; !known && i < p->count; i++)
		counts[first_reason(node_reasons(p, c, i, claim_node))]++;
	if (known)
		memcpy(counts, c->refused, sizeof(c->refused));
	if (!known && !claim_node) {
		memcpy(c->refused, counts, sizeof(c->refused));
		c->refused_at = p->changes + 1;
	}
}

err *place_choose(struct place *p, const struct pod *pod, const char *claim_node, bool commit,
		  struct place_answer *ret)
{
	struct class *c;
	struct candidate best = { .key = KEY_NONE };

	TRY(class_of(p, pod, &c));
	bool found = claim_node ? only(p, c, claim_node, &best) : find_best(c, &best);
	*ret = (struct place_answer){ .nodes = p->count };
	if (!found) {
		count_refusals(p, c, claim_node, ret->counts);
		return NULL;
	}
	ret->node = p->by_index[best.node]->key.bytes;
	if (!commit)
		return NULL;
	place_remove(p, pod->metadata.uid);
	return guest_add(p, c->kin, ret->node, pod->metadata.uid, pod->metadata.name,
			 pod->metadata.deletion.nsec != 0);
}

const char *place_reason_text(enum place_reason reason)
{
	static const char *const texts[] = {
		[PLACE_FITS] = "fits",
		[PLACE_UNSCHEDULABLE] = "cordoned",
		[PLACE_NOT_READY] = "not ready",
		[PLACE_SELECTOR] = "labels do not match",
		[PLACE_PROTECTION] = "protection class too low",
		[PLACE_TAINT] = "taint not tolerated",
		[PLACE_CLAIM] = "the volume's data is elsewhere",
		[PLACE_CPU] = "not enough cpu",
		[PLACE_MEMORY] = "not enough memory",
		[PLACE_PODS] = "too many Pods",
		[PLACE_PORT] = "host port taken",
		[PLACE_SPREAD] = "spread too uneven",
		[PLACE_ANTI_AFFINITY] = "anti-affinity",
	};

	return texts[reason];
}

void place_summary(const struct place_answer *answer, struct str *out)
{
	bool said[PLACE_REASON_COUNT] = { false };
	const char *separator = ": ";

	if (answer->node) {
		str_addf(out, "fits on '%s'", answer->node);
		return;
	}
	if (!answer->nodes) {
		str_add(out, "there are no nodes");
		return;
	}
	str_addf(out, "0 of %zu nodes fit", answer->nodes);
	for (;;) {
		size_t most = 0;
		for (size_t i = 1; i < PLACE_REASON_COUNT; i++)
			if (!said[i] && answer->counts[i] > (most ? answer->counts[most] : 0))
				most = i;
		if (!most)
			return;
		str_addf(out, "%s%zu %s", separator, answer->counts[most],
			 place_reason_text((enum place_reason)most));
		said[most] = true;
		separator = ", ";
	}
}
