/* scheduler/place-filter.c: which nodes admit a Pod before anything is counted: cordon, readiness, selector,
 * affinity, protection, taints. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/place-internal.h"

int protection_level(const char *text, int unknown)
{
	static const char *const levels[] = { "normal", "high", "very-high" };

	if (!text)
		return 0;
	for (int i = 0; i < (int)ARRAY_LEN(levels); i++)
		if (strcmp(text, levels[i]) == 0)
			return i;
	return unknown;
}

static const char *level_name(int level)
{
	return level == 2 ? "very-high" : level == 1 ? "high" : "normal";
}

/* ---- one node ---- */

static bool tolerated(const struct filter *f, const struct taint *taint)
{
	for (size_t i = 0; i < f->tolerations.count; i++)
		if (toleration_matches(&f->tolerations.items[i], taint))
			return true;
	return false;
}

static enum place_reason taint_reason(const struct taint *t)
{
	if (str_equal(t->key, TAINT_UNSCHEDULABLE))
		return PLACE_UNSCHEDULABLE;
	if (str_equal(t->key, TAINT_NOT_READY) || str_equal(t->key, TAINT_UNREACHABLE))
		return PLACE_NOT_READY;
	return PLACE_TAINT;
}

static bool term_matches(const struct requirements *r, const struct string_map *labels)
{
	struct label_selector s = { .match_expressions = { r->items, r->count } };

	return r->count && label_selector_matches(&s, labels);
}

static bool labels_match(const struct filter *f, const struct attrs *a)
{
	bool any = !f->term_count;

	for (size_t i = 0; i < f->selector.count; i++)
		if (!str_equal(string_map_get(&a->labels, f->selector.items[i].key),
			       f->selector.items[i].value))
			return false;
	for (size_t i = 0; i < f->term_count && !any; i++)
		any = term_matches(&f->terms[i], &a->labels);
	return any;
}

unsigned filter_reasons(const struct filter *f, const struct attrs *a)
{
	static const struct taint cordon = { .key = TAINT_UNSCHEDULABLE, .effect = TAINT_NO_SCHEDULE };
	unsigned reasons = 0;

	if (a->unschedulable && !tolerated(f, &cordon))
		reasons |= 1u << PLACE_UNSCHEDULABLE;
	if (a->trouble)
		reasons |= 1u << PLACE_NOT_READY;
	for (size_t i = 0; i < a->taints.count; i++)
		if (a->taints.items[i].effect != TAINT_PREFER_NO_SCHEDULE &&
		    !tolerated(f, &a->taints.items[i]))
			reasons |= 1u << taint_reason(&a->taints.items[i]);
	if (!labels_match(f, a))
		reasons |= 1u << PLACE_SELECTOR;
	if (a->level < f->need)
		reasons |= 1u << PLACE_PROTECTION;
	return reasons;
}

static void say_labels(const struct filter *f, const struct attrs *a, struct str *detail)
{
	for (size_t i = 0; i < f->selector.count; i++) {
		const struct string_pair *want = &f->selector.items[i];
		const char *value = string_map_get(&a->labels, want->key);
		if (str_equal(value, want->value))
			continue;
		str_addf(detail, "needs %s=%s, it has %s", want->key, want->value,
			 value ? value : "no such label");
		return;
	}
	str_add(detail, "none of the Pod's node affinity terms matches");
}

static void say_taint(const struct filter *f, const struct attrs *a, enum place_reason reason,
		      struct str *detail)
{
	static const char *const effects[] = { "", "NoSchedule", "PreferNoSchedule", "NoExecute" };

	for (size_t i = 0; i < a->taints.count; i++) {
		const struct taint *t = &a->taints.items[i];
		if (t->effect == TAINT_PREFER_NO_SCHEDULE || tolerated(f, t) || taint_reason(t) != reason)
			continue;
		str_add(detail, t->key);
		if (t->value && *t->value)
			str_addf(detail, "=%s", t->value);
		str_addf(detail, ":%s", effects[t->effect]);
		return;
	}
}

void filter_detail(const struct filter *f, const struct attrs *a, enum place_reason reason,
		   struct str *detail)
{
	switch (reason) {
	case PLACE_NOT_READY:
		if (a->trouble)
			str_add(detail, a->trouble);
		else
			say_taint(f, a, reason, detail);
		break;
	case PLACE_TAINT:
		say_taint(f, a, reason, detail);
		break;
	case PLACE_SELECTOR:
		say_labels(f, a, detail);
		break;
	case PLACE_PROTECTION:
		str_addf(detail, "its class is %s, the Pod needs %s", level_name(a->level),
			 level_name(f->need));
		break;
	default:
		break;
	}
}

static uint8_t admission(const struct filter *f, const struct attrs *a)
{
	unsigned shunned = 0;

	if (filter_reasons(f, a))
		return ADMIT_NO;
	for (size_t i = 0; i < a->taints.count; i++)
		if (a->taints.items[i].effect == TAINT_PREFER_NO_SCHEDULE &&
		    !tolerated(f, &a->taints.items[i]))
			shunned++;
	return (uint8_t)(MIN(shunned, 7u) * 4 + (unsigned)(a->level - f->need));
}

/* ---- filters ---- */

static void key_filter(struct str *key, const struct pod *pod)
{
	const struct pod_spec *spec = &pod->spec;

	key_text(key, string_map_get(&pod->metadata.labels, STUBE_PROTECTION_NEED));
	key_map(key, &spec->node_selector);
	key_number(key, (int64_t)spec->affinity.node_required.count);
	for (size_t i = 0; i < spec->affinity.node_required.count; i++) {
		const struct node_selector_term *t = &spec->affinity.node_required.items[i];
		struct requirements r = { t->match_expressions.items, t->match_expressions.count };
		key_requirements(key, &r);
	}
	for (size_t i = 0; i < spec->tolerations.count; i++) {
		const struct toleration *t = &spec->tolerations.items[i];
		key_text(key, t->key);
		key_number(key, t->operator);
		key_text(key, t->value);
		key_number(key, t->effect);
	}
}

static void pack_filter(struct pack *pack, struct filter *f, const struct pod *pod)
{
	const struct pod_spec *spec = &pod->spec;

	f->need = protection_level(string_map_get(&pod->metadata.labels, STUBE_PROTECTION_NEED), 2);
	pack_map(pack, &spec->node_selector, &f->selector);
	f->term_count = spec->affinity.node_required.count;
	f->terms = pack_room(pack, f->term_count * sizeof(*f->terms));
	for (size_t i = 0; i < f->term_count; i++) {
		const struct node_selector_term *t = &spec->affinity.node_required.items[i];
		struct requirements from = { t->match_expressions.items, t->match_expressions.count }, to;
		pack_requirements(pack, &from, &to);
		if (f->terms)
			f->terms[i] = to;
	}
	f->tolerations.count = spec->tolerations.count;
	f->tolerations.items = pack_room(pack, f->tolerations.count * sizeof(*f->tolerations.items));
	for (size_t i = 0; i < f->tolerations.count; i++) {
		struct toleration t = spec->tolerations.items[i];
		t.key = pack_text(pack, t.key);
		t.value = pack_text(pack, t.value);
		t.seconds = NULL; /* how long it may stay later says nothing about now */
		if (f->tolerations.items)
			f->tolerations.items[i] = t;
	}
}

static void filter_free(struct filter *f)
{
	free(f->admit);
	free((void *)f->key.bytes);
	free(f);
}

void filter_unref(struct place *p, struct filter *f)
{
	if (!f || --f->refs)
		return;
	table_remove(&p->filters, &f->key);
	filter_free(f);
}

err *filter_of(struct place *p, const struct pod *pod, struct filter **ret)
{
	struct pack pack = { 0 };
	struct filter *f, measure;

	str_clear(&p->scratch);
	key_filter(&p->scratch, pod);
	TRY(str_check(&p->scratch));
	struct keyed key = keyed_of(p->scratch.data, p->scratch.len);
	f = table_find(&p->filters, &key);
	if (f) {
		f->refs++;
		*ret = f;
		return NULL;
	}
	pack_room(&pack, sizeof(*f));
	pack_filter(&pack, &measure, pod);
	pack = (struct pack){ .memory = calloc(1, pack.used) };
	if (!pack.memory)
		return err_oom();
	f = pack_room(&pack, sizeof(*f));
	pack_filter(&pack, f, pod);
	f->refs = 1;
	err *e = key_take(&p->scratch, &f->key);
	if (!e)
		e = table_add(&p->filters, &f->key);
	if (e)
		filter_free(f);
	else
		*ret = f;
	return e;
}

err *filter_refresh(struct place *p, struct filter *f)
{
	bool whole = f->epoch != p->epoch || p->written - f->seen > JOURNAL_SIZE;

	if (whole) {
		uint8_t *admit = realloc(f->admit, MAX(p->room, (size_t)1));
		if (!admit)
			return err_oom();
		f->admit = admit;
		for (size_t i = 0; i < p->room; i++)
			admit[i] = i < p->count ? admission(f, p->by_index[i]->attrs) : ADMIT_NO;
		f->epoch = p->epoch;
		f->version++;
	}
	for (uint64_t at = whole ? p->written : f->seen; at < p->written; at++) {
		const struct journal_entry *j = &p->journal[at % JOURNAL_SIZE];
		if (!j->attrs)
			continue;
		f->admit[j->node] = admission(f, p->by_index[j->node]->attrs);
		f->version++;
	}
	f->seen = p->written;
	return NULL;
}
