/* scheduler/place-node.c: nodes as they say they are. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/place-internal.h"

/* ---- what a node says of itself ---- */

void attrs_unref(struct attrs *a)
{
	if (a && !--a->refs)
		free(a);
}

static bool same_labels(const struct string_map *a, const struct string_map *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!str_equal(a->items[i].key, b->items[i].key) ||
		    !str_equal(a->items[i].value, b->items[i].value))
			return false;
	return true;
}

static bool same_taints(const struct attrs *a, const struct attrs *b)
{
	if (a->taints.count != b->taints.count)
		return false;
	for (size_t i = 0; i < a->taints.count; i++) {
		const struct taint *x = &a->taints.items[i], *y = &b->taints.items[i];
		if (!str_equal(x->key, y->key) || !str_equal(x->value, y->value) || x->effect != y->effect)
			return false;
	}
	return true;
}

static bool same_state(const struct attrs *a, const struct attrs *b)
{
	return a->unschedulable == b->unschedulable && a->level == b->level &&
	       str_equal(a->trouble, b->trouble) && same_taints(a, b);
}

static bool same_amounts(const struct attrs *a, const struct attrs *b)
{
	return a->cpu == b->cpu && a->memory == b->memory && a->pods == b->pods;
}

/* Allocatable, or capacity where the agent keeps nothing back. */
static struct quantity has(const struct node *node, const char *name)
{
	struct quantity q = resource_get(&node->status.allocatable, name);

	return q.given ? q : resource_get(&node->status.capacity, name);
}

static const char *trouble(const struct node *node)
{
	const struct condition *ready = condition_find(&node->status.conditions, "Ready");

	if (node_is_ready(node))
		return NULL;
	if (!ready)
		return "its agent has not reported yet";
	if (ready->message && *ready->message)
		return ready->message;
	return ready->reason && *ready->reason ? ready->reason : "its agent says so";
}

/* Everything borrowed from the node. */
static struct attrs attrs_view(const struct node *node)
{
	struct quantity memory = has(node, "memory"), pods = has(node, "pods");

	return (struct attrs){
		.refs = 1,
		.labels = node->metadata.labels,
		.taints = { node->spec.taints.items, node->spec.taints.count },
		.trouble = trouble(node),
		.unschedulable = node->spec.unschedulable,
		.level = protection_level(string_map_get(&node->metadata.labels, STUBE_PROTECTION_CLASS), 0),
		.cpu = has(node, "cpu").milli,
		.memory = memory.milli / 1000,
		.pods = pods.given ? pods.milli / 1000 : PODS_DEFAULT,
	};
}

static void pack_attrs(struct pack *pack, struct attrs *to, const struct attrs *from)
{
	struct taint *taints;

	*to = *from;
	pack_map(pack, &from->labels, &to->labels);
	taints = pack_room(pack, from->taints.count * sizeof(*taints));
	for (size_t i = 0; i < from->taints.count; i++) {
		struct taint t = from->taints.items[i];
		t.key = pack_text(pack, t.key);
		t.value = pack_text(pack, t.value);
		if (taints)
			taints[i] = t;
	}
	to->taints.items = taints;
	to->trouble = pack_text(pack, from->trouble);
}

static err *attrs_copy(const struct attrs *from, struct attrs **ret)
{
	struct pack pack = { 0 };
	struct attrs *a, measure;

	pack_room(&pack, sizeof(*a));
	pack_attrs(&pack, &measure, from);
	pack = (struct pack){ .memory = calloc(1, pack.used) };
	if (!pack.memory)
		return err_oom();
	a = pack_room(&pack, sizeof(*a));
	pack_attrs(&pack, a, from);
	*ret = a;
	return NULL;
}

/* ---- nodes ---- */

err *site_of(struct place *p, const char *name, struct site **ret)
{
	struct site *s = table_find_text(&p->sites, name);
	size_t len = strlen(name);

	if (!s) {
		s = calloc(1, sizeof(*s) + len + 1);
		if (!s)
			return err_oom();
		memcpy(s + 1, name, len + 1);
		s->key = keyed_of(s + 1, len);
		s->index = SITE_NOWHERE;
		err *e = table_add(&p->sites, &s->key);
		if (e) {
			free(s);
			return e;
		}
	}
	*ret = s;
	return NULL;
}

void site_tidy(struct place *p, struct site *s)
{
	if (s->attrs || s->guests)
		return;
	table_remove(&p->sites, &s->key);
	free(s);
}

err *place_node(struct place *p, const struct node *node)
{
	struct attrs view = attrs_view(node), *now = NULL;
	struct site *s;

	TRY(site_of(p, node->metadata.name, &s));
	struct attrs *before = s->attrs;
	if (before && same_labels(&before->labels, &view.labels) && same_state(before, &view) &&
	    same_amounts(before, &view))
		return NULL;
	err *e = attrs_copy(&view, &now);
	if (e) {
		site_tidy(p, s);
		return e;
	}
	s->attrs = now;
	p->changes++;
	if (!before || !same_labels(&before->labels, &now->labels)) {
		p->unsettled = true;
	} else {
		site_columns(p, s);
		place_journal(p, s, NULL, 0, 0, !same_state(before, now));
	}
	attrs_unref(before);
	return NULL;
}

void place_node_gone(struct place *p, const char *name)
{
	struct site *s = table_find_text(&p->sites, name);

	if (!s || !s->attrs)
		return;
	attrs_unref(s->attrs);
	p->changes++;
	s->attrs = NULL;
	s->index = SITE_NOWHERE;
	p->unsettled = true;
	site_tidy(p, s);
}
