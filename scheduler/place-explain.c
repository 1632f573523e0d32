/* scheduler/place-explain.c: why each node takes a Pod or refuses it, in words. */
#include <string.h>

#include "api/quantity.h"
#include "scheduler/place-internal.h"

/* ---- amounts ---- */

static void say_cpu(struct str *out, int64_t milli)
{
	struct quantity q = { MAX(milli, (int64_t)0), true };

	quantity_format(&q, out);
}

static void say_exact(struct str *out, int64_t bytes)
{
	struct quantity q = { .given = true };

	if (__builtin_mul_overflow(bytes, 1000, &q.milli))
		str_addf(out, "%lld", (long long)bytes);
	else
		quantity_format(&q, out);
}

/* Rounded down to what people can read, so that too little never looks like enough. */
static void say_memory(struct str *out, int64_t bytes)
{
	int64_t unit = 1;

	while (bytes / unit >= 10240 && unit < (int64_t)1 << 50)
		unit <<= 10;
	say_exact(out, MAX(bytes, (int64_t)0) / unit * unit);
}

static int64_t lacks_cpu(const struct site *s, const struct class *c)
{
	return MIN(c->kin->cpu, INT32_MAX) - (MIN(s->attrs->cpu, (int64_t)COLUMN_MAX) - s->cpu);
}

static int64_t free_pages(const struct site *s)
{
	return MIN(s->attrs->memory >> PAGE_SHIFT, (int64_t)COLUMN_MAX) - s->pages;
}

static int64_t lacks_pages(const struct site *s, const struct class *c)
{
	return MIN(c->kin->pages, INT32_MAX) - free_pages(s);
}

static void say_lack_of_cpu(const struct site *s, const struct class *c, struct str *detail)
{
	str_add(detail, "needs ");
	say_cpu(detail, c->kin->cpu);
	str_add(detail, ", ");
	say_cpu(detail, s->attrs->cpu - s->cpu);
	str_add(detail, " of ");
	say_cpu(detail, s->attrs->cpu);
	str_add(detail, " are free");
}

static void say_lack_of_memory(const struct site *s, const struct class *c, struct str *detail)
{
	str_add(detail, "needs ");
	say_exact(detail, c->kin->memory);
	str_add(detail, ", ");
	say_memory(detail, free_pages(s) * (1 << PAGE_SHIFT));
	str_add(detail, " of ");
	say_memory(detail, s->attrs->memory);
	str_add(detail, " are free");
}

/* ---- ports ---- */

static void say_guest(struct str *out, const struct guest *g)
{
	str_addf(out, "'%s/%s'", g->kin->namespace ? g->kin->namespace : "", g->name);
}

/* Of several, the one that everybody would name. */
static bool before(const struct guest *a, const struct guest *b)
{
	int order = strcmp(a->kin->namespace ? a->kin->namespace : "",
			   b->kin->namespace ? b->kin->namespace : "");

	return order ? order < 0 : strcmp(a->name, b->name) < 0;
}

static void say_port(struct str *detail, const struct site *s, const struct class *c)
{
	static const char *const protocols[] = { "", "TCP", "UDP", "SCTP" };

	for (size_t i = 0; i < c->kin->ports.count; i++) {
		const struct port *port = &c->kin->ports.items[i];
		const struct guest *holder = NULL;
		for (const struct guest *g = s->guests; g; g = g->site_next)
			if (kin_has_port(g->kin, port) && (!holder || before(g, holder)))
				holder = g;
		if (!holder)
			continue;
		str_addf(detail, "%s port %u is taken by ", protocols[MIN(port->protocol, 3)], port->number);
		say_guest(detail, holder);
		return;
	}
}

/* ---- spread, anti-affinity ---- */

static void say_spread(struct str *detail, const struct class *c, uint32_t node, const struct verdict *v)
{
	const struct spread *s = &c->spreads[v->which];
	const struct tally *t = &c->tallies[v->which];
	int32_t domain = t->topology->domain[node];

	if (domain < 0) {
		str_addf(detail, "it has no label %s", s->topology);
		return;
	}
	str_addf(detail, "%s=%s has %d, %s has %d, the difference may be %d at most", s->topology,
		 t->topology->values[domain], t->counts[domain + 1],
		 s->least_domain >= 0 ? t->topology->values[s->least_domain] : "", s->least, s->max_skew);
}

static bool refuses(const struct class *c, const struct tally *t, const struct guest *g)
{
	if (t->kind == TALLY_MATCH)
		return str_equal(g->kin->namespace, c->kin->namespace) &&
		       label_selector_matches(t->selector, &g->kin->labels);
	for (size_t i = 0; i < g->kin->term_count; i++)
		if (g->kin->terms[i] == t->term)
			return true;
	return false;
}

static void say_anti_affinity(const struct place *p, struct str *detail, const struct class *c, uint32_t node,
			      const struct verdict *v)
{
	const struct tally *t = &c->tallies[v->which];
	int32_t domain = t->topology->domain[node];
	const struct guest *found = NULL, *g;
	size_t cursor = 0;

	while ((g = table_next(&p->guests, &cursor)))
		if (g->site->index != SITE_NOWHERE && t->topology->domain[g->site->index] == domain &&
		    refuses(c, t, g) && (!found || before(g, found)))
			found = g;
	if (!found)
		return;
	say_guest(detail, found);
	str_addf(detail, " is in %s=%s", t->topology->name, t->topology->values[domain]);
}

/* ---- all of it ---- */

enum place_reason first_reason(unsigned reasons)
{
	return reasons ? (enum place_reason)__builtin_ctz(reasons) : PLACE_FITS;
}

unsigned node_reasons(const struct place *p, const struct class *c, uint32_t node, const char *claim_node)
{
	const struct site *s = p->by_index[node];
	unsigned reasons = c->filter->admit[node] == ADMIT_NO ? filter_reasons(c->filter, s->attrs) : 0;
	struct verdict verdict;

	if (claim_node && !str_equal(claim_node, s->key.bytes))
		reasons |= 1u << PLACE_CLAIM;
	if (lacks_cpu(s, c) > 0)
		reasons |= 1u << PLACE_CPU;
	if (lacks_pages(s, c) > 0)
		reasons |= 1u << PLACE_MEMORY;
	if (s->pods >= s->attrs->pods)
		reasons |= 1u << PLACE_PODS;
	if (class_ports_taken(p, c, node))
		reasons |= 1u << PLACE_PORT;
	class_judge(c, node, &verdict);
	return verdict.reason == PLACE_FITS ? reasons : reasons | 1u << verdict.reason;
}

static void say(const struct place *p, const struct class *c, uint32_t node, const char *claim_node,
		enum place_reason reason, struct str *detail)
{
	const struct site *s = p->by_index[node];
	struct verdict verdict;

	switch (reason) {
	case PLACE_CLAIM:
		str_addf(detail, "it is on '%s'", claim_node);
		break;
	case PLACE_CPU:
		say_lack_of_cpu(s, c, detail);
		break;
	case PLACE_MEMORY:
		say_lack_of_memory(s, c, detail);
		break;
	case PLACE_PODS:
		str_addf(detail, "%lld are there, at most %lld may be", (long long)s->pods,
			 (long long)s->attrs->pods);
		break;
	case PLACE_PORT:
		say_port(detail, s, c);
		break;
	case PLACE_SPREAD:
		class_judge(c, node, &verdict);
		say_spread(detail, c, node, &verdict);
		break;
	case PLACE_ANTI_AFFINITY:
		class_judge(c, node, &verdict);
		say_anti_affinity(p, detail, c, node, &verdict);
		break;
	default:
		filter_detail(c->filter, s->attrs, reason, detail);
		break;
	}
}

static err *explain_one(const struct place *p, struct arena *arena, const struct class *c, uint32_t node,
			const char *claim_node, struct place_refusal *ret)
{
	const struct site *s = p->by_index[node];
	auto_str struct str detail = STR_INIT(4096);

	ret->reasons = node_reasons(p, c, node, claim_node);
	ret->reason = first_reason(ret->reasons);
	ret->lacks_cpu = MAX(lacks_cpu(s, c), (int64_t)0);
	ret->lacks_memory = MAX(lacks_pages(s, c), (int64_t)0) << PAGE_SHIFT;
	say(p, c, node, claim_node, ret->reason, &detail);
	TRY_ALLOC(arena, ret->node, arena_strdup(arena, s->key.bytes));
	TRY_ALLOC(arena, ret->detail, arena_strndup(arena, detail.data, detail.len));
	return NULL;
}

static err *explain_all(struct place *p, struct arena *arena, const struct pod *pod, const char *claim_node,
			struct place_refusal **ret, size_t *ret_count)
{
	struct place_refusal *list;
	struct class *c;

	TRY(class_of(p, pod, &c));
	TRY_ALLOC(arena, list, arena_array(arena, p->count, sizeof(*list)));
	for (uint32_t i = 0; i < p->count; i++)
		TRY(explain_one(p, arena, c, i, claim_node, &list[i]));
	*ret = list;
	*ret_count = p->count;
	return NULL;
}

err *place_explain(struct place *p, struct arena *arena, const struct pod *pod, const char *claim_node,
		   struct place_refusal **ret, size_t *ret_count)
{
	struct guest *self = pod->metadata.uid ? table_find_text(&p->guests, pod->metadata.uid) : NULL;

	if (!self)
		return explain_all(p, arena, pod, claim_node, ret, ret_count);
	/* It does not stand in its own way. */
	const char *node, *uid, *name;
	TRY_ALLOC(arena, node, arena_strdup(arena, self->site->key.bytes));
	TRY_ALLOC(arena, uid, arena_strdup(arena, self->key.bytes));
	TRY_ALLOC(arena, name, arena_strdup(arena, self->name));
	struct kin *kin = kin_ref(self->kin);
	bool leaving = self->leaving;
	guest_remove(p, self);
	err *e = explain_all(p, arena, pod, claim_node, ret, ret_count);
	err *back = guest_add(p, kin, node, uid, name, leaving);
	kin_unref(kin);
	if (e)
		err_free(back);
	return e ? e : back;
}
