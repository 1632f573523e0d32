/* scheduler/rollout.c: which ReplicaSet of a Deployment grows, and which shrinks. */
#include "scheduler/rollout.h"

#include <stdlib.h>
#include <string.h>

#include "api/kinds.h"
#include "scheduler/rollout-internal.h"

enum { HASH_SHORT = 10 };

void rollout_bounds(const struct deployment *d, int32_t *ret_surge, int32_t *ret_unavailable)
{
	const struct rolling_update *u = &d->spec.strategy.rolling_update;
	int64_t surge = 0, unavailable = 0;

	if (d->spec.strategy.type != STRATEGY_RECREATE) {
		surge = count_or_share(&u->max_surge, d->spec.replicas, true);
		unavailable = count_or_share(&u->max_unavailable, d->spec.replicas, false);
		/* Shares that came to nothing would let nothing move. */
		if (surge == 0 && unavailable == 0)
			unavailable = 1;
	}
	*ret_surge = (int32_t)MIN(surge, INT32_MAX / 2);
	*ret_unavailable = (int32_t)MIN(unavailable, d->spec.replicas);
}

int64_t rollout_revision(const struct meta *meta)
{
	const char *text = string_map_get(&meta->annotations, ANNOTATION_REVISION);
	int64_t revision = 0;

	return text && str_to_i64(text, &revision) && revision > 0 ? revision : 0;
}

/* ---- templates ---- */

/* By content, as encoded by this program: a hash in a name may be another program version's. */
static void hash_template(const struct pod_template *t, char out[static 17])
{
	struct pod_template bare = *t;
	struct string_map *labels = &bare.metadata.labels;
	struct string_pair *items = calloc(labels->count + 1, sizeof(*items));
	size_t count = 0;

	if (!items)
		abort();
	for (size_t i = 0; i < labels->count; i++)
		if (!str_equal(labels->items[i].key, LABEL_TEMPLATE_HASH))
			items[count++] = labels->items[i];
	*labels = (struct string_map){ items, count };
	object_hash(&t_pod_template, &bare, out);
	free(items);
}

bool rollout_is_current(const struct deployment *d, const struct replicaset *set)
{
	char wanted[17], has[17];

	hash_template(&d->spec.template, wanted);
	hash_template(&set->spec.template, has);
	return str_equal(wanted, has);
}

static const char *hash_text(struct arena *arena, const struct deployment *d, bool taken)
{
	char hash[17];

	hash_template(&d->spec.template, hash);
	return arena_strndup(arena, hash, taken ? 16 : HASH_SHORT);
}

const char *rollout_set_name(struct arena *arena, const struct deployment *d, bool taken)
{
	const char *hash = hash_text(arena, d, taken);

	if (!hash)
		return NULL;
	/* Taken by another's set, too: long names are cut, so the Deployment's own uid tells them apart. */
	return taken ? arena_printf(arena, "%.220s-%s-%.8s", d->metadata.name, hash,
				    d->metadata.uid ? d->metadata.uid : "")
		     : arena_printf(arena, "%.230s-%s", d->metadata.name, hash);
}

/* ---- rows ---- */

static int by_age(const void *left, const void *right)
{
	const struct rollout_row *a = left, *b = right;

	if (a->revision != b->revision)
		return a->revision < b->revision ? -1 : 1;
	if (a->set->metadata.creation.nsec != b->set->metadata.creation.nsec)
		return a->set->metadata.creation.nsec < b->set->metadata.creation.nsec ? -1 : 1;
	return strcmp(a->set->metadata.name, b->set->metadata.name);
}

static err *make_rows(struct arena *arena, const struct rollout_state *state, struct rollout_rows *ret)
{
	TRY_ALLOC(arena, ret->items, arena_array(arena, state->count + 1, sizeof(*ret->items)));
	for (size_t i = 0; i < state->count; i++) {
		const struct rollout_set *s = &state->sets[i];
		struct rollout_row *row = &ret->items[ret->count];
		/* On its way out: it is nobody's any more. */
		if (s->set->metadata.deletion.nsec)
			continue;
		*row = (struct rollout_row){
			.set = s->set,
			.wanted = s->set->spec.replicas,
			.revision = rollout_revision(&s->set->metadata),
		};
		replicas_count(&s->pods, NULL, state->deployment->spec.min_ready_seconds, state->now,
			       &row->counts);
		/* Those that are available and not among the surplus that is being deleted. */
		row->available = MIN(row->counts.available, row->wanted);
		ret->count++;
	}
	qsort(ret->items, ret->count, sizeof(*ret->items), by_age);
	for (size_t i = 0; i < ret->count && !ret->current; i++)
		if (rollout_is_current(state->deployment, ret->items[i].set))
			ret->current = &ret->items[i];
	return NULL;
}

static int32_t sum_wanted(const struct rollout_rows *rows)
{
	int64_t sum = 0;

	for (size_t i = 0; i < rows->count; i++)
		sum += rows->items[i].wanted;
	return (int32_t)MIN(sum, INT32_MAX);
}

/* Pods that are there or wanted: also those that a shrunk set has yet to delete. */
static int32_t sum_present(const struct rollout_rows *rows)
{
	int64_t sum = 0;

	for (size_t i = 0; i < rows->count; i++)
		sum += MAX(rows->items[i].wanted, rows->items[i].counts.replicas);
	return (int32_t)MIN(sum, INT32_MAX);
}

static int32_t sum_available(const struct rollout_rows *rows)
{
	int64_t sum = 0;

	for (size_t i = 0; i < rows->count; i++)
		sum += MIN(rows->items[i].available, rows->items[i].wanted);
	return (int32_t)MIN(sum, INT32_MAX);
}

/* ---- steps ---- */

/* The current set may grow while all Pods together stay within the surge. */
static int32_t grown(const struct deployment *d, int32_t wanted, int32_t all)
{
	int32_t surge, unavailable;

	rollout_bounds(d, &surge, &unavailable);
	int64_t room = (int64_t)d->spec.replicas + surge - all;
	if (wanted >= d->spec.replicas || room <= 0)
		return MIN(wanted, d->spec.replicas);
	return (int32_t)MIN(wanted + room, d->spec.replicas);
}

/* Old Pods that do not serve anyway go first, then those that the current set has made up for; oldest sets
 * first. */
static void shrink_old(const struct deployment *d, struct rollout_rows *rows)
{
	int32_t surge, unavailable;

	rollout_bounds(d, &surge, &unavailable);
	int32_t least = d->spec.replicas - unavailable;
	int32_t missing =
		rows->current ? rows->current->wanted - MIN(rows->current->available, rows->current->wanted)
			      : 0;
	int32_t may = sum_wanted(rows) - least - missing;

	for (size_t i = 0; i < rows->count && may > 0; i++) {
		struct rollout_row *row = &rows->items[i];
		if (row == rows->current)
			continue;
		int32_t idle = MIN(row->wanted - MIN(row->available, row->wanted), may);
		row->wanted -= idle;
		may -= idle;
	}
	int32_t spare = sum_available(rows) - least;
	for (size_t i = 0; i < rows->count && may > 0 && spare > 0; i++) {
		struct rollout_row *row = &rows->items[i];
		if (row == rows->current)
			continue;
		int32_t down = MIN(MIN(row->wanted, spare), may);
		row->wanted -= down;
		row->available = MIN(row->available, row->wanted);
		may -= down;
		spare -= down;
	}
}

static void rolling(const struct deployment *d, struct rollout_rows *rows, struct rollout_plan *plan)
{
	int32_t all = sum_present(rows);

	if (rows->current) {
		rows->current->wanted = grown(d, rows->current->wanted, all);
	} else {
		plan->create = true;
		plan->create_replicas = grown(d, 0, all);
	}
	/* A set that is only being made is seen, with its Pods, in the next step. */
	if (rows->current)
		shrink_old(d, rows);
}

static bool old_pods_run(const struct rollout_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct rollout_row *row = &rows->items[i];
		if (row != rows->current && (row->counts.replicas > 0 || row->counts.terminating > 0))
			return true;
	}
	return false;
}

static void recreate(const struct deployment *d, struct rollout_rows *rows, struct rollout_plan *plan)
{
	for (size_t i = 0; i < rows->count; i++)
		if (&rows->items[i] != rows->current)
			rows->items[i].wanted = 0;
	if (old_pods_run(rows))
		return;
	if (rows->current) {
		rows->current->wanted = d->spec.replicas;
	} else {
		plan->create = true;
		plan->create_replicas = d->spec.replicas;
	}
}

/* Paused: only the number is kept. The youngest set that has Pods takes what is missing; the oldest give
 * back. */
static void only_scale(const struct deployment *d, struct rollout_rows *rows)
{
	struct rollout_row *last = rows->count ? &rows->items[rows->count - 1] : NULL;
	int32_t surge, unavailable, active = 0;

	for (size_t i = 0; i < rows->count; i++)
		if (rows->items[i].wanted > 0) {
			last = &rows->items[i];
			active++;
		}
	rollout_bounds(d, &surge, &unavailable);
	if (!last)
		return;
	int64_t all = sum_wanted(rows), most = (int64_t)d->spec.replicas + (active > 1 ? surge : 0);
	if (all < d->spec.replicas)
		last->wanted += (int32_t)(d->spec.replicas - all);
	for (size_t i = 0; i < rows->count && all > most; i++) {
		int32_t down = (int32_t)MIN(rows->items[i].wanted, all - most);
		rows->items[i].wanted -= down;
		all -= down;
	}
}

/* ---- the plan ---- */

static err *list_scales(struct arena *arena, const struct rollout_rows *rows, struct rollout_plan *plan)
{
	TRY_ALLOC(arena, plan->scales, arena_array(arena, rows->count, sizeof(*plan->scales)));
	for (size_t i = 0; i < rows->count; i++) {
		const struct rollout_row *row = &rows->items[i];
		if (row->wanted != row->set->spec.replicas)
			plan->scales[plan->scale_count++] = (struct rollout_scale){ row->set, row->wanted };
	}
	return NULL;
}

static err *list_removals(struct arena *arena, const struct deployment *d, const struct rollout_rows *rows,
			  struct rollout_plan *plan)
{
	size_t old = 0, limit = (size_t)MAX(d->spec.revision_history_limit, 0);

	TRY_ALLOC(arena, plan->remove, arena_array(arena, rows->count, sizeof(const struct replicaset *)));
	for (size_t i = 0; i < rows->count; i++)
		old += &rows->items[i] != rows->current;
	for (size_t i = 0; i < rows->count && old > limit; i++) {
		const struct rollout_row *row = &rows->items[i];
		if (row == rows->current)
			continue;
		old--;
		if (!row->wanted && !row->set->spec.replicas && !row->counts.replicas &&
		    !row->counts.terminating)
			plan->remove[plan->remove_count++] = row->set;
	}
	return NULL;
}

/* One more than all others have: a set that is taken up again becomes the youngest. */
static void set_revision(const struct deployment *d, const struct rollout_rows *rows,
			 struct rollout_plan *plan)
{
	int64_t others = 0;

	if (!rows->current && !plan->create)
		return;
	for (size_t i = 0; i < rows->count; i++)
		if (&rows->items[i] != rows->current)
			others = MAX(others, rows->items[i].revision);
	plan->revision = others + 1;
	if (!rows->current)
		return;
	if (rows->current->revision > others)
		plan->revision = rows->current->revision;
	const char *cause = string_map_get(&d->metadata.annotations, ANNOTATION_CAUSE);
	plan->mark = plan->revision != rows->current->revision ||
		     rows->current->set->spec.min_ready_seconds != d->spec.min_ready_seconds ||
		     (cause && !str_equal(cause, string_map_get(&rows->current->set->metadata.annotations,
								ANNOTATION_CAUSE)));
}

err *rollout_plan(struct arena *arena, const struct rollout_state *state, struct rollout_plan *ret)
{
	const struct deployment *d = state->deployment;
	struct rollout_rows rows = { 0 };

	*ret = (struct rollout_plan){ 0 };
	TRY(make_rows(arena, state, &rows));
	if (d->spec.paused)
		only_scale(d, &rows);
	else if (d->spec.strategy.type == STRATEGY_RECREATE)
		recreate(d, &rows, ret);
	else
		rolling(d, &rows, ret);
	if (rows.current)
		ret->current = rows.current->set;
	set_revision(d, &rows, ret);
	TRY(list_scales(arena, &rows, ret));
	TRY(rollout_status(arena, state, &rows, ret));
	if (rollout_is_complete(d, &ret->status))
		TRY(list_removals(arena, d, &rows, ret));
	return NULL;
}

/* ---- the new set ---- */

err *rollout_set_pair(struct arena *arena, struct string_map *map, const char *key, const char *value)
{
	struct string_pair *items;

	TRY_ALLOC(arena, items, arena_array(arena, map->count + 1, sizeof(*items)));
	if (map->count)
		memcpy(items, map->items, map->count * sizeof(*items));
	map->items = items;
	for (size_t i = 0; i < map->count; i++)
		if (str_equal(items[i].key, key)) {
			items[i].value = value;
			return NULL;
		}
	items[map->count++] = (struct string_pair){ key, value };
	return NULL;
}

err *rollout_set(struct arena *arena, const struct rollout_state *state, const struct rollout_plan *plan,
		 const struct replicaset **ret)
{
	const struct deployment *d = state->deployment;
	const char *cause = string_map_get(&d->metadata.annotations, ANNOTATION_CAUSE), *hash, *revision;
	struct owner_reference *owner;
	struct object *object;

	TRY(object_new(arena, &kinds[KIND_REPLICASET], &object));
	struct replicaset *set = (struct replicaset *)(void *)object;
	TRY_ALLOC(arena, hash, hash_text(arena, d, state->name_taken));
	TRY_ALLOC(arena, revision, arena_printf(arena, "%lld", (long long)plan->revision));
	TRY_ALLOC(arena, owner, arena_alloc(arena, sizeof(*owner)));
	*owner = (struct owner_reference){
		.api_version = kinds[KIND_DEPLOYMENT].api_version,
		.kind = kinds[KIND_DEPLOYMENT].name,
		.name = d->metadata.name,
		.uid = d->metadata.uid,
		.controller = true,
		.block_owner_deletion = true,
	};
	set->metadata.namespace = d->metadata.namespace;
	TRY_ALLOC(arena, set->metadata.name, rollout_set_name(arena, d, state->name_taken));
	set->metadata.owners.items = owner;
	set->metadata.owners.count = 1;
	TRY(rollout_set_pair(arena, &set->metadata.annotations, ANNOTATION_REVISION, revision));
	if (cause)
		TRY(rollout_set_pair(arena, &set->metadata.annotations, ANNOTATION_CAUSE, cause));
	set->spec.template = d->spec.template;
	TRY(rollout_set_pair(arena, &set->spec.template.metadata.labels, LABEL_TEMPLATE_HASH, hash));
	set->metadata.labels = set->spec.template.metadata.labels;
	set->spec.selector = d->spec.selector;
	TRY(rollout_set_pair(arena, &set->spec.selector.match_labels, LABEL_TEMPLATE_HASH, hash));
	set->spec.replicas = plan->create_replicas;
	set->spec.min_ready_seconds = d->spec.min_ready_seconds;
	*ret = set;
	return NULL;
}
