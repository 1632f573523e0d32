/* scheduler/place-topology.c: domains that labels make of nodes, with nodes ordered by them. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/place-internal.h"

/* ---- topologies ---- */

struct value {
	struct keyed key;
	int32_t domain;
};

static void topology_free(struct topology *t)
{
	free(t->domain);
	for (size_t i = 0; t->values && t->name && i < t->count; i++)
		free((void *)t->values[i]);
	free(t->values);
	free((void *)t->name);
	free(t);
}

static err *find_domains(const struct place *p, struct topology *t)
{
	auto_free struct value *values = calloc(p->count + 1, sizeof(*values));
	struct table seen = { 0 };
	err *e = NULL;

	if (!values)
		return err_oom();
	for (size_t i = 0; i < p->count && !e; i++) {
		const char *text = string_map_get(&p->by_index[i]->attrs->labels, t->name);
		t->domain[i] = -1;
		if (!text)
			continue;
		struct value *v = table_find_text(&seen, text);
		if (!v) {
			char *copy = strdup(text);
			v = &values[t->count];
			*v = (struct value){ keyed_of(text, strlen(text)), (int32_t)t->count };
			e = copy ? table_add(&seen, &v->key) : err_oom();
			t->values[t->count++] = copy;
		}
		t->domain[i] = v->domain;
	}
	table_done(&seen);
	return e;
}

static void each_its_own(const struct place *p, struct topology *t)
{
	for (size_t i = 0; i < p->count; i++) {
		t->domain[i] = (int32_t)i;
		t->values[i] = p->by_index[i]->key.bytes;
	}
	t->count = p->count;
}

err *topology_of(struct place *p, const char *name, const struct topology **ret)
{
	struct topology *t;
	err *e = NULL;

	for (t = p->topologies; t; t = t->next)
		if (str_equal(t->name, name)) {
			*ret = t;
			return NULL;
		}
	t = calloc(1, sizeof(*t));
	if (!t)
		return err_oom();
	t->domain = calloc(p->count + 1, sizeof(*t->domain));
	t->values = calloc(p->count + 1, sizeof(*t->values));
	t->name = name ? strdup(name) : NULL;
	if (!t->domain || !t->values || (name && !t->name))
		e = err_oom();
	else if (name)
		e = find_domains(p, t);
	else
		each_its_own(p, t);
	if (e) {
		topology_free(t);
		return e;
	}
	t->next = p->topologies;
	p->topologies = t;
	p->topology_count++;
	*ret = t;
	return NULL;
}

/* ---- layouts ---- */

static void layout_free(struct layout *l)
{
	free(l->order);
	free(l->block_of);
	free(l->blocks);
	free(l->cells);
	free(l);
}

/* Sort the order by a topology's domains, keeping what is equal as it stands. */
static err *sort_by(const struct topology *t, uint32_t *order, size_t count)
{
	auto_free uint32_t *at = calloc(t->count + 2, sizeof(*at));
	auto_free uint32_t *from = malloc((count + 1) * sizeof(*from));

	if (!at || !from)
		return err_oom();
	memcpy(from, order, count * sizeof(*from));
	for (size_t i = 0; i < count; i++)
		at[t->domain[i] + 2]++; /* -1 comes first */
	for (size_t i = 1; i < t->count + 2; i++)
		at[i] += at[i - 1];
	for (size_t i = 0; i < count; i++)
		order[at[t->domain[from[i]] + 1]++] = from[i];
	return NULL;
}

static bool same_cell(const struct layout *l, uint32_t a, uint32_t b)
{
	for (size_t i = 0; i < l->key_count; i++)
		if (l->keys[i]->domain[a] != l->keys[i]->domain[b])
			return false;
	return true;
}

/* Blocks never cross the border of a cell. */
static void cut(struct layout *l, size_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct cell *cell = l->cell_count ? &l->cells[l->cell_count - 1] : NULL;
		bool begins = !cell || !same_cell(l, cell->node, l->order[i]);
		if (begins) {
			cell = &l->cells[l->cell_count++];
			*cell = (struct cell){ (uint32_t)l->block_count, (uint32_t)l->block_count,
					       l->order[i] };
		}
		struct block *b = l->block_count ? &l->blocks[l->block_count - 1] : NULL;
		if (begins || b->end - b->start == BLOCK_NODES) {
			b = &l->blocks[l->block_count++];
			*b = (struct block){ i, i };
			cell->end = (uint32_t)l->block_count;
		}
		b->end = i + 1;
		l->block_of[l->order[i]] = (uint32_t)(b - l->blocks);
	}
}

err *layout_of(struct place *p, const struct topology *const *keys, size_t count, const struct layout **ret)
{
	struct layout *l;
	err *e = NULL;

	for (l = p->layouts; l; l = l->next)
		if (l->key_count == count && (!count || memcmp(l->keys, keys, count * sizeof(*keys)) == 0)) {
			*ret = l;
			return NULL;
		}
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_oom();
	l->order = calloc(p->room + 1, sizeof(*l->order));
	l->block_of = calloc(p->room + 1, sizeof(*l->block_of));
	l->blocks = calloc(p->count + 1, sizeof(*l->blocks));
	l->cells = calloc(p->count + 1, sizeof(*l->cells));
	if (!l->order || !l->block_of || !l->blocks || !l->cells)
		e = err_oom();
	if (!e)
		for (uint32_t i = 0; i < p->count; i++)
			l->order[i] = i;
	for (size_t i = 0; i < count; i++)
		l->keys[i] = keys[i];
	l->key_count = count;
	for (size_t i = count; i-- > 0 && !e;)
		e = sort_by(keys[i], l->order, p->count);
	if (e) {
		layout_free(l);
		return e;
	}
	cut(l, p->count);
	l->next = p->layouts;
	p->layouts = l;
	*ret = l;
	return NULL;
}

void topologies_drop(struct place *p)
{
	for (struct topology *t = p->topologies, *next; t; t = next) {
		next = t->next;
		topology_free(t);
	}
	for (struct layout *l = p->layouts, *next; l; l = next) {
		next = l->next;
		layout_free(l);
	}
	p->topologies = NULL;
	p->layouts = NULL;
	p->topology_count = 0;
}
