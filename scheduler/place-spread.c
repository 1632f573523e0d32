/* scheduler/place-spread.c: Pods counted by domain, for spread and anti-affinity. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/place-internal.h"

static bool counts_kin(const struct class *c, const struct tally *t, const struct kin *k)
{
	switch (t->kind) {
	case TALLY_OWNER:
		return k->owner && k->owner_hash == c->kin->owner_hash && str_equal(k->owner, c->kin->owner);
	case TALLY_MATCH:
		return t->selector && str_equal(k->namespace, c->kin->namespace) &&
		       label_selector_matches(t->selector, &k->labels);
	case TALLY_CARRY:
		break;
	}
	for (size_t i = 0; i < k->term_count; i++)
		if (k->terms[i] == t->term)
			return true;
	return false;
}

static int32_t *count_at(const struct tally *t, uint32_t node)
{
	return &t->counts[t->topology->domain[node] + 1];
}

void class_count(const struct class *c, const struct journal_entry *change)
{
	for (size_t i = 0; i < c->tally_count; i++) {
		const struct tally *t = &c->tallies[i];
		int delta = t->refuses ? change->present : change->spread;
		if (delta && counts_kin(c, t, change->kin))
			*count_at(t, change->node) += delta;
	}
}

void class_recount(const struct place *p, struct class *c)
{
	size_t cursor = 0;
	struct kin *k;

	for (size_t i = 0; i < c->tally_count; i++)
		memset(c->tallies[i].counts, 0, (c->tallies[i].topology->count + 1) * sizeof(int32_t));
	while (c->tally_count && (k = table_next(&p->kins, &cursor)))
		for (size_t i = 0; i < c->tally_count; i++) {
			const struct tally *t = &c->tallies[i];
			if (!k->guests || !counts_kin(c, t, k))
				continue;
			for (const struct guest *g = k->guests; g; g = g->kin_next)
				if (g->site->index != SITE_NOWHERE && (t->refuses || !g->leaving))
					++*count_at(t, g->site->index);
		}
}

/* ---- which tallies a class needs ---- */

static err *tally_add(struct place *p, struct class *c, const char *topology, struct tally tally)
{
	TRY(topology_of(p, topology, &tally.topology));
	tally.counts = calloc(tally.topology->count + 1, sizeof(*tally.counts));
	if (!tally.counts)
		return err_oom();
	c->tallies[c->tally_count++] = tally;
	return NULL;
}

static bool refuses_class(const struct term *t, const struct class *c)
{
	return str_equal(t->namespace, c->kin->namespace) &&
	       label_selector_matches(&t->selector, &c->kin->labels);
}

static err *find_others(struct place *p, struct class *c)
{
	size_t cursor = 0;
	struct term *t;

	c->others = calloc(p->terms.count + 1, sizeof(*c->others));
	if (!c->others)
		return err_oom();
	while ((t = table_next(&p->terms, &cursor)))
		if (refuses_class(t, c))
			c->others[c->other_count++] = term_ref(t);
	return NULL;
}

static err *add_tallies(struct place *p, struct class *c)
{
	if (c->by_owner) {
		TRY(tally_add(p, c, NULL, (struct tally){ .kind = TALLY_OWNER }));
		TRY(tally_add(p, c, LABEL_ZONE, (struct tally){ .kind = TALLY_OWNER }));
	}
	for (size_t i = 0; i < c->spread_count; i++) {
		struct spread *s = &c->spreads[i];
		TRY(tally_add(p, c, s->topology,
			      (struct tally){ .kind = TALLY_MATCH, .selector = s->selector }));
		s->open = s->hard ? calloc(c->tallies[i].topology->count + 1, sizeof(*s->open)) : NULL;
		if (s->hard && !s->open)
			return err_oom();
	}
	for (size_t i = 0; i < c->kin->term_count; i++) {
		const struct term *t = c->kin->terms[i];
		TRY(tally_add(p, c, t->topology,
			      (struct tally){
				      .kind = TALLY_MATCH, .refuses = true, .selector = &t->selector }));
	}
	for (size_t i = 0; i < c->other_count; i++)
		TRY(tally_add(p, c, c->others[i]->topology,
			      (struct tally){ .kind = TALLY_CARRY, .refuses = true, .term = c->others[i] }));
	return NULL;
}

/* Nodes of a cell are the same to all tallies but that of the owner by node, which is in the row. */
static err *find_layout(struct place *p, struct class *c)
{
	const struct topology *keys[CELL_KEYS_MAX];
	size_t count = 0;

	for (size_t i = c->by_owner; i < c->tally_count; i++) {
		const struct topology *t = c->tallies[i].topology;
		size_t at = 0;
		while (at < count && keys[at] != t)
			at++;
		if (at == CELL_KEYS_MAX)
			return err_new(EINVAL, "more than %d topologies in spread and anti-affinity",
				       CELL_KEYS_MAX);
		keys[at] = t;
		count = MAX(count, at + 1);
	}
	return layout_of(p, keys, count, &c->layout);
}

err *class_tallies(struct place *p, struct class *c)
{
	class_tallies_drop(p, c);
	c->by_owner = !c->spread_count && c->kin->owner;
	TRY(find_others(p, c));
	c->tallies = calloc(2 * c->by_owner + c->spread_count + c->kin->term_count + c->other_count + 1,
			    sizeof(*c->tallies));
	if (!c->tallies)
		return err_oom();
	TRY(add_tallies(p, c));
	TRY(find_layout(p, c));
	class_recount(p, c);
	class_open_domains(p, c);
	return NULL;
}

void class_tallies_drop(struct place *p, struct class *c)
{
	for (size_t i = 0; i < c->tally_count; i++)
		free(c->tallies[i].counts);
	for (size_t i = 0; i < c->other_count; i++)
		term_unref(p, c->others[i]);
	for (size_t i = 0; i < c->spread_count; i++) {
		free(c->spreads[i].open);
		c->spreads[i].open = NULL;
	}
	free(c->tallies);
	free(c->others);
	c->tallies = NULL;
	c->others = NULL;
	c->tally_count = c->other_count = 0;
}

/* ---- the verdict ---- */

void class_open_domains(const struct place *p, struct class *c)
{
	for (size_t i = 0; i < c->spread_count; i++) {
		struct spread *s = &c->spreads[i];
		const struct topology *t = c->tallies[i].topology;
		if (!s->hard)
			continue;
		memset(s->open, 0, (t->count + 1) * sizeof(*s->open));
		for (size_t node = 0; node < p->count; node++)
			s->open[t->domain[node] + 1] += c->filter->admit[node] != ADMIT_NO;
	}
}

/* A domain counts where a node would take the Pod as far as selector, taints, protection and readiness go:
 * one that is lost as a whole does not hold up the others. */
void class_least(struct class *c)
{
	for (size_t i = 0; i < c->spread_count; i++) {
		struct spread *s = &c->spreads[i];
		const struct tally *t = &c->tallies[i];
		s->least_domain = -1;
		s->least = 0;
		for (size_t d = 0; s->hard && d < t->topology->count; d++)
			if (s->open[d + 1] && (s->least_domain < 0 || t->counts[d + 1] < s->least)) {
				s->least_domain = (int32_t)d;
				s->least = t->counts[d + 1];
			}
	}
}

static enum place_reason judge_spread(const struct class *c, uint32_t node, struct verdict *v)
{
	for (size_t i = 0; i < c->spread_count; i++) {
		const struct spread *s = &c->spreads[i];
		const struct tally *t = &c->tallies[i];
		bool labelled = t->topology->domain[node] >= 0;
		int32_t count = *count_at(t, node);
		v->which = i;
		if (s->hard && (!labelled || count + s->self - s->least > s->max_skew))
			return PLACE_SPREAD;
		v->counts[v->count++] = labelled ? count : INT32_MAX;
	}
	return PLACE_FITS;
}

void class_judge(const struct class *c, uint32_t node, struct verdict *ret)
{
	ret->count = 0;
	ret->reason = judge_spread(c, node, ret);
	if (ret->reason != PLACE_FITS)
		return;
	if (c->by_owner)
		ret->counts[ret->count++] = *count_at(&c->tallies[1], node);
	for (size_t i = c->spread_count; i < c->tally_count; i++) {
		const struct tally *t = &c->tallies[i];
		if (!t->refuses || t->topology->domain[node] < 0 || !*count_at(t, node))
			continue;
		ret->reason = PLACE_ANTI_AFFINITY;
		ret->which = i;
		return;
	}
}
