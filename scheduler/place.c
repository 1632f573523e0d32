/* scheduler/place.c: nodes with what is counted in on them, as columns and as a journal of changes. */
#include "scheduler/place.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/place-internal.h"

/* ---- the journal ---- */

void place_journal(struct place *p, const struct site *site, struct kin *kin, int present, int spread,
		   bool attrs)
{
	struct journal_entry *j = &p->journal[p->written % JOURNAL_SIZE];

	if (p->unsettled || site->index == SITE_NOWHERE)
		return;
	struct kin *old = j->kin;
	*j = (struct journal_entry){
		.kin = kin ? kin_ref(kin) : NULL,
		.node = site->index,
		.present = (int8_t)present,
		.spread = (int8_t)spread,
		.attrs = attrs,
	};
	p->written++;
	kin_unref(old);
}

static void journal_clear(struct place *p)
{
	for (size_t i = 0; i < JOURNAL_SIZE; i++) {
		kin_unref(p->journal[i].kin);
		p->journal[i] = (struct journal_entry){ 0 };
	}
}

/* ---- columns ---- */

static int32_t column(int64_t has, int64_t used)
{
	return (int32_t)MAX(MIN(has, (int64_t)COLUMN_MAX) - used, (int64_t)-1);
}

static int32_t weight(int64_t has)
{
	return (int32_t)(((1 << 30) - 1) / MAX(MIN(has, (int64_t)COLUMN_MAX), (int64_t)1));
}

void site_columns(struct place *p, const struct site *s)
{
	const struct columns *c = &p->columns;
	const struct attrs *a = s->attrs;
	uint32_t i = s->index;

	if (p->unsettled || i == SITE_NOWHERE)
		return;
	c->cpu[i] = column(a->cpu, s->cpu);
	c->pages[i] = column(a->memory >> PAGE_SHIFT, s->pages);
	c->pods[i] = column(a->pods, s->pods);
	c->used_pods[i] = (int32_t)MIN(s->pods, (int64_t)COLUMN_MAX);
	c->cpu_weight[i] = weight(a->cpu);
	c->page_weight[i] = weight(MIN(a->memory >> PAGE_SHIFT, (int64_t)COLUMN_MAX) >> 8);
}

static int by_name(const void *a, const void *b)
{
	const struct site *const *x = a, *const *y = b;

	return strcmp((*x)->key.bytes, (*y)->key.bytes);
}

static err *columns_make(struct place *p, size_t count)
{
	size_t room = (count + BLOCK_NODES - 1) / BLOCK_NODES * BLOCK_NODES;
	int32_t *memory = calloc(6 * room + 1, sizeof(*memory));
	struct site **by_index = calloc(count + 1, sizeof(struct site *));

	if (!memory || !by_index) {
		free(memory);
		free(by_index);
		return err_oom();
	}
	free(p->column_memory);
	free(p->by_index);
	p->column_memory = memory;
	p->by_index = by_index;
	p->columns = (struct columns){
		.cpu = memory,
		.pages = memory + room,
		.pods = memory + 2 * room,
		.used_pods = memory + 3 * room,
		.cpu_weight = memory + 4 * room,
		.page_weight = memory + 5 * room,
	};
	p->room = room;
	p->count = count;
	return NULL;
}

/* Nodes came, went or changed their labels: number them anew, and all that was compiled is void. */
err *place_settle(struct place *p)
{
	size_t cursor = 0, count = 0;
	struct site *s;

	if (!p->unsettled)
		return NULL;
	while ((s = table_next(&p->sites, &cursor)))
		count += s->attrs != NULL;
	TRY(columns_make(p, count));
	cursor = 0;
	count = 0;
	while ((s = table_next(&p->sites, &cursor)))
		if (s->attrs)
			p->by_index[count++] = s;
	qsort(p->by_index, count, sizeof(struct site *), by_name);
	p->unsettled = false;
	for (uint32_t i = 0; i < count; i++) {
		p->by_index[i]->index = i;
		site_columns(p, p->by_index[i]);
	}
	topologies_drop(p);
	journal_clear(p);
	p->epoch++;
	return NULL;
}

/* ---- Pods ---- */

static void site_count(struct place *p, struct site *s, const struct kin *k, int sign)
{
	s->cpu += sign * k->cpu;
	s->pages += sign * k->pages;
	s->pods += sign;
	p->changes++;
	s->port_users += k->ports.count ? (size_t)sign : 0;
	site_columns(p, s);
}

err *guest_add(struct place *p, struct kin *kin, const char *node, const char *uid, const char *name,
	       bool leaving)
{
	size_t uid_len = strlen(uid), name_len = strlen(name);
	struct guest *g = calloc(1, sizeof(*g) + uid_len + name_len + 2);
	struct site *s;
	err *e;

	if (!g)
		return err_oom();
	char *text = (char *)(g + 1);
	memcpy(text, uid, uid_len + 1);
	memcpy(text + uid_len + 1, name, name_len + 1);
	g->key = keyed_of(text, uid_len);
	g->name = text + uid_len + 1;
	g->leaving = leaving;
	e = site_of(p, node, &s);
	if (!e) {
		e = table_add(&p->guests, &g->key);
		if (e)
			site_tidy(p, s);
	}
	if (e) {
		free(g);
		return e;
	}
	g->kin = kin_ref(kin);
	g->site = s;
	g->site_next = s->guests;
	g->site_at = &s->guests;
	if (s->guests)
		s->guests->site_at = &g->site_next;
	s->guests = g;
	g->kin_next = kin->guests;
	g->kin_at = &kin->guests;
	if (kin->guests)
		kin->guests->kin_at = &g->kin_next;
	kin->guests = g;
	site_count(p, s, kin, 1);
	place_journal(p, s, kin, 1, !leaving, false);
	return NULL;
}

void guest_remove(struct place *p, struct guest *g)
{
	struct site *s = g->site;

	*g->site_at = g->site_next;
	if (g->site_next)
		g->site_next->site_at = g->site_at;
	*g->kin_at = g->kin_next;
	if (g->kin_next)
		g->kin_next->kin_at = g->kin_at;
	table_remove(&p->guests, &g->key);
	site_count(p, s, g->kin, -1);
	place_journal(p, s, g->kin, -1, -!g->leaving, false);
	kin_unref(g->kin);
	free(g);
	site_tidy(p, s);
}

err *place_add(struct place *p, const struct pod *pod)
{
	const char *uid = pod->metadata.uid;
	bool leaving = pod->metadata.deletion.nsec != 0;
	struct kin *kin;
	err *e = NULL;

	if (!uid || !pod->spec.node_name || !*pod->spec.node_name)
		return err_new(EINVAL, "pod '%s' is not bound to a node", pod->metadata.name);
	struct guest *g = table_find_text(&p->guests, uid);
	TRY(kin_of(p, pod, &kin));
	if (g &&
	    (g->kin != kin || g->leaving != leaving || !str_equal(g->site->key.bytes, pod->spec.node_name))) {
		guest_remove(p, g);
		g = NULL;
	}
	if (!g)
		e = guest_add(p, kin, pod->spec.node_name, uid, pod->metadata.name, leaving);
	kin_unref(kin);
	return e;
}

void place_remove(struct place *p, const char *uid)
{
	struct guest *g = table_find_text(&p->guests, uid);

	if (g)
		guest_remove(p, g);
}

uint64_t place_changes(const struct place *p)
{
	return p->changes;
}

/* ---- the whole ---- */

static scan_fn *best_scan(void)
{
	const struct scan_version *v = place_scan_versions;

	while (!v->supported())
		v++;
	return v->fn;
}

err *place_new(struct place **ret)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!p)
		return err_oom();
	str_init(&p->scratch, 4 << 20);
	p->scan = best_scan();
	p->unsettled = true;
	*ret = p;
	return NULL;
}

void place_free(struct place *p)
{
	size_t cursor = 0;
	struct guest *g;
	struct site *s;

	if (!p)
		return;
	p->unsettled = true; /* no journal, no columns any more */
	classes_drop(p);
	journal_clear(p);
	while ((g = table_next(&p->guests, &cursor))) {
		kin_unref(g->kin);
		free(g);
	}
	cursor = 0;
	while ((s = table_next(&p->sites, &cursor))) {
		attrs_unref(s->attrs);
		free(s);
	}
	topologies_drop(p);
	free(p->column_memory);
	free(p->by_index);
	str_done(&p->scratch);
	table_done(&p->sites);
	table_done(&p->guests);
	table_done(&p->kins);
	table_done(&p->terms);
	table_done(&p->filters);
	table_done(&p->classes);
	free(p);
}

static err *copy_into(const struct place *p, struct place *copy)
{
	size_t cursor = 0;
	const struct guest *g;
	const struct site *s;
	struct site *site;
	struct kin *kin;

	while ((s = table_next(&p->sites, &cursor))) {
		TRY(site_of(copy, s->key.bytes, &site));
		site->attrs = s->attrs;
		if (site->attrs)
			site->attrs->refs++;
	}
	cursor = 0;
	while ((g = table_next(&p->guests, &cursor))) {
		TRY(kin_copy(copy, g->kin, &kin));
		err *e = guest_add(copy, kin, g->site->key.bytes, g->key.bytes, g->name, g->leaving);
		kin_unref(kin);
		TRY(e);
	}
	return NULL;
}

err *place_copy(const struct place *p, struct place **ret)
{
	struct place *copy;

	TRY(place_new(&copy));
	err *e = copy_into(p, copy);
	if (e)
		place_free(copy);
	else
		*ret = copy;
	return e;
}
