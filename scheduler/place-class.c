/* scheduler/place-class.c: classes of equal Pods: found again, compiled once, kept current from the journal.
 */
#include <stdlib.h>
#include <string.h>

#include "scheduler/place-internal.h"

/* ---- one node ---- */

bool class_ports_taken(const struct place *p, const struct class *c, uint32_t node)
{
	const struct site *s = p->by_index[node];

	if (!c->kin->ports.count || !s->port_users)
		return false;
	for (const struct guest *g = s->guests; g; g = g->site_next)
		for (size_t i = 0; i < g->kin->ports.count; i++)
			if (kin_has_port(c->kin, &g->kin->ports.items[i]))
				return true;
	return false;
}

static int32_t add_owner(const struct class *c, uint32_t node, int32_t key)
{
	if (key == KEY_NONE || !c->by_owner)
		return key;
	return key | MIN(c->tallies[0].counts[node + 1], KEY_OWNER_MAX) << KEY_OWNER_SHIFT;
}

int32_t class_key(const struct place *p, const struct class *c, uint32_t node)
{
	int32_t key = place_key(&p->columns, c->filter->admit[node], &c->ask, node);

	return class_ports_taken(p, c, node) ? KEY_NONE : add_owner(c, node, key);
}

/* ---- the row ---- */

static int32_t least_of(const struct class *c, const struct block *b)
{
	int32_t least = KEY_NONE;

	for (uint32_t i = b->start; i < b->end; i++)
		least = MIN(least, c->row[c->layout->order[i]]);
	return least;
}

static err *fill_row(const struct place *p, struct class *c)
{
	const struct layout *l = c->layout;
	bool changed = l->key_count > 0;

	p->scan(&p->columns, c->filter->admit, &c->ask, c->row, c->block_min, p->room);
	for (uint32_t i = 0; c->by_owner && i < p->count; i++)
		if (c->tallies[0].counts[i + 1]) {
			c->row[i] = add_owner(c, i, c->row[i]);
			changed = true;
		}
	for (uint32_t i = 0; c->kin->ports.count && i < p->count; i++)
		if (class_ports_taken(p, c, i)) {
			c->row[i] = KEY_NONE;
			changed = true;
		}
	for (size_t b = 0; changed && b < l->block_count; b++)
		c->block_min[b] = least_of(c, &l->blocks[b]);
	return NULL;
}

static void update(const struct place *p, struct class *c, uint32_t node)
{
	uint32_t b = c->layout->block_of[node];
	int32_t before = c->row[node], now = class_key(p, c, node);

	c->row[node] = now;
	if (now <= c->block_min[b])
		c->block_min[b] = now;
	else if (before == c->block_min[b])
		c->block_min[b] = least_of(c, &c->layout->blocks[b]);
}

static err *compile(struct place *p, struct class *c)
{
	size_t blocks;

	c->epoch = 0; /* until all is well */
	TRY(class_tallies(p, c));
	blocks = MAX(c->layout->block_count, p->room / BLOCK_NODES);
	int32_t *row = realloc(c->row, (p->room + 1) * sizeof(*row));
	if (!row)
		return err_oom();
	c->row = row;
	int32_t *block_min = realloc(c->block_min, (blocks + 1) * sizeof(*block_min));
	if (!block_min)
		return err_oom();
	c->block_min = block_min;
	TRY(fill_row(p, c));
	c->epoch = p->epoch;
	c->terms_epoch = p->terms_epoch;
	return NULL;
}

static err *replay(struct place *p, struct class *c)
{
	uint64_t missed = p->written - c->seen;

	if (missed > JOURNAL_SIZE)
		class_recount(p, c);
	for (uint64_t at = c->seen; missed <= JOURNAL_SIZE && at < p->written; at++)
		if (p->journal[at % JOURNAL_SIZE].kin)
			class_count(c, &p->journal[at % JOURNAL_SIZE]);
	if (c->filter_version != c->filter->version)
		class_open_domains(p, c);
	/* A pass over all nodes by vectors costs as much as some single ones. */
	if (missed > MAX(p->count / 64, (size_t)16))
		return fill_row(p, c);
	for (uint64_t at = c->seen; at < p->written; at++)
		update(p, c, p->journal[at % JOURNAL_SIZE].node);
	return NULL;
}

static err *refresh(struct place *p, struct class *c)
{
	TRY(filter_refresh(p, c->filter));
	if (c->epoch != p->epoch || c->terms_epoch != p->terms_epoch)
		TRY(compile(p, c));
	else if (c->seen != p->written)
		TRY(replay(p, c));
	c->seen = p->written;
	c->filter_version = c->filter->version;
	class_least(c);
	return NULL;
}

/* ---- finding ---- */

static void unlink_class(struct place *p, struct class *c)
{
	*(c->newer ? &c->newer->older : &p->newest) = c->older;
	*(c->older ? &c->older->newer : &p->oldest) = c->newer;
	c->newer = c->older = NULL;
}

static void link_newest(struct place *p, struct class *c)
{
	c->older = p->newest;
	*(p->newest ? &p->newest->newer : &p->oldest) = c;
	p->newest = c;
}

static void class_free(struct place *p, struct class *c)
{
	class_tallies_drop(p, c);
	filter_unref(p, c->filter);
	kin_unref(c->kin);
	free(c->row);
	free(c->block_min);
	free((void *)c->key.bytes);
	free(c);
}

static void drop_oldest(struct place *p)
{
	struct class *c = p->oldest;

	unlink_class(p, c);
	table_remove(&p->classes, &c->key);
	class_free(p, c);
}

void classes_drop(struct place *p)
{
	while (p->oldest)
		drop_oldest(p);
}

static void key_class(struct str *key, const struct pod *pod, const struct filter *f, const struct kin *k)
{
	key_bytes(key, &f, sizeof(f));
	key_bytes(key, &k, sizeof(k));
	for (size_t i = 0; i < pod->spec.spread.count; i++) {
		const struct spread_constraint *s = &pod->spec.spread.items[i];
		key_number(key, s->max_skew);
		key_number(key, s->when_unsatisfiable);
		key_text(key, s->topology_key);
		key_selector(key, s->selector);
	}
}

static void pack_class(struct pack *pack, struct class *c, const struct pod *pod)
{
	c->spread_count = pod->spec.spread.count;
	c->spreads = pack_room(pack, c->spread_count * sizeof(*c->spreads));
	for (size_t i = 0; i < c->spread_count; i++) {
		const struct spread_constraint *from = &pod->spec.spread.items[i];
		struct label_selector *selector = from->selector ? pack_room(pack, sizeof(*selector)) : NULL,
				      copy = { 0 };
		if (from->selector)
			pack_selector(pack, from->selector, &copy);
		if (selector)
			*selector = copy;
		const char *topology = pack_text(pack, from->topology_key);
		if (c->spreads)
			c->spreads[i] = (struct spread){
				.max_skew = from->max_skew,
				.hard = from->when_unsatisfiable != SPREAD_SCHEDULE_ANYWAY,
				.self = selector && label_selector_matches(selector, &pod->metadata.labels),
				.topology = topology,
				.selector = selector,
			};
	}
}

static err *class_make(struct place *p, const struct pod *pod, struct class **ret)
{
	struct pack pack = { 0 };
	struct class *c, measure;

	if (pod->spec.spread.count > CELL_KEYS_MAX)
		return err_new(EINVAL, "more than %d topologySpreadConstraints", CELL_KEYS_MAX);
	pack_room(&pack, sizeof(*c));
	pack_class(&pack, &measure, pod);
	pack = (struct pack){ .memory = calloc(1, pack.used) };
	if (!pack.memory)
		return err_oom();
	c = pack_room(&pack, sizeof(*c));
	pack_class(&pack, c, pod);
	err *e = key_take(&p->scratch, &c->key);
	if (!e)
		e = table_add(&p->classes, &c->key);
	if (e) {
		free((void *)c->key.bytes);
		free(c);
		return e;
	}
	link_newest(p, c);
	*ret = c;
	return NULL;
}

static size_t classes_max(const struct place *p)
{
	return MAX(MIN(CLASS_BYTES / (2 * sizeof(int32_t) * (p->room + 1)), (size_t)CLASSES_MAX), (size_t)16);
}

/* Takes both references. */
static err *find_class(struct place *p, const struct pod *pod, struct filter *f, struct kin *k,
		       struct class **ret)
{
	struct keyed key;
	err *e;

	str_clear(&p->scratch);
	key_class(&p->scratch, pod, f, k);
	key = keyed_of(p->scratch.data, p->scratch.len);
	e = str_check(&p->scratch);
	struct class *c = e ? NULL : table_find(&p->classes, &key);
	if (!e && !c) {
		e = class_make(p, pod, &c);
		if (!e) {
			c->filter = f;
			c->kin = k;
			c->ask.cpu = (int32_t)MIN(k->cpu, INT32_MAX);
			c->ask.pages = (int32_t)MIN(k->pages, INT32_MAX);
			*ret = c;
			return NULL;
		}
	}
	filter_unref(p, f);
	kin_unref(k);
	*ret = c;
	return e;
}

err *class_of(struct place *p, const struct pod *pod, struct class **ret)
{
	struct filter *f;
	struct kin *k;
	struct class *c;
	err *e;

	TRY(place_settle(p));
	TRY(filter_of(p, pod, &f));
	e = kin_of(p, pod, &k);
	if (e) {
		filter_unref(p, f);
		return e;
	}
	TRY(find_class(p, pod, f, k, &c));
	unlink_class(p, c);
	link_newest(p, c);
	while (p->classes.count > classes_max(p))
		drop_oldest(p);
	if (p->topology_count > TOPOLOGIES_MAX) {
		topologies_drop(p);
		p->epoch++;
	}
	TRY(refresh(p, c));
	*ret = c;
	return NULL;
}
