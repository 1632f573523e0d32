/* tests/unit/scheduler/rollout_test.c: a Deployment's steps, one by one and to the end, whatever order Pods
 * get ready in. */
#include "scheduler/rollout.h"

#include <stdlib.h>

#include "tests/unit/scheduler/rollout-make.h"

/* ---- a small cluster that does what plans and replicas say ---- */

enum { SETS_MAX = 16, PODS_MAX = 400, STEPS_MAX = 4000 };
struct world {
	struct arena *arena;
	struct deployment *d;
	struct rollout_set sets[SETS_MAX];
	size_t count;
	int64_t now;
	unsigned names;
	uint64_t seed;
	int broken_revision; /* Pods of this revision never get ready */
	struct rollout_plan plan;
};

static uint64_t chance(struct world *w, uint64_t below)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (w->seed >> 33) % below;
}

static void world_make(struct world *w, int replicas, const char *spec)
{
	*w = (struct world){ .now = NOON, .seed = 1 };
	assert_ok(arena_new(512 << 20, &w->arena));
	w->d = make_deployment(w->arena, replicas, "v1", spec);
}

static void world_done(struct world *w)
{
	arena_free(w->arena);
}
DEFINE_CLEANUP_OF(struct world, world_done)
#define auto_world CLEANUP(world_done)

static void new_image(struct world *w, const char *image)
{
	w->d->spec.template.spec.containers.items[0].image = image;
	w->d->metadata.generation++;
}

static void add_set(struct world *w, const struct rollout_state *state)
{
	const struct replicaset *set;

	assert_ok(rollout_set(w->arena, state, &w->plan, &set));
	assert_ok(object_check((const struct object *)(const void *)set));
	assert_true(w->count < SETS_MAX);
	struct rollout_set *s = &w->sets[w->count++];
	struct object *copy;
	assert_ok(object_copy(w->arena, (const struct object *)(const void *)set, &copy));
	copy->metadata.uid = copy->metadata.name;
	copy->metadata.creation.nsec = w->now;
	s->set = (struct replicaset *)(void *)copy;
	s->pods = (struct replicas){ .items = arena_array(w->arena, PODS_MAX, sizeof(struct replica)) };
}

static struct replicaset *writable(const struct replicaset *set)
{
	return (struct replicaset *)(uintptr_t)set;
}

static void put_pair(struct world *w, struct string_map *map, const char *key, const char *value)
{
	struct string_pair *items = arena_array(w->arena, map->count + 1, sizeof(*items));
	size_t count = 0;

	for (size_t i = 0; i < map->count; i++)
		if (!str_equal(map->items[i].key, key))
			items[count++] = map->items[i];
	items[count++] = (struct string_pair){ key, value };
	*map = (struct string_map){ items, count };
}

static void remove_set(struct world *w, const struct replicaset *set)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->sets[i].set == set) {
			assert_int_equal(w->sets[i].pods.count, 0);
			w->sets[i] = w->sets[--w->count];
			return;
		}
	fail_msg("a set to be removed is not there");
}

/* What the Deployment controller does with one plan. */
static void deploy(struct world *w)
{
	struct rollout_state state = { w->d, w->sets, w->count, w->now, false };
	char revision[24];

	assert_ok(rollout_plan(w->arena, &state, &w->plan));
	snprintf(revision, sizeof(revision), "%lld", (long long)w->plan.revision);
	if (w->plan.create)
		add_set(w, &state);
	if (w->plan.mark) {
		put_pair(w, &writable(w->plan.current)->metadata.annotations, ANNOTATION_REVISION,
			 arena_strdup(w->arena, revision));
		writable(w->plan.current)->spec.min_ready_seconds = w->d->spec.min_ready_seconds;
	}
	if (w->plan.revision)
		put_pair(w, &w->d->metadata.annotations, ANNOTATION_REVISION,
			 arena_strdup(w->arena, revision));
	for (size_t i = 0; i < w->plan.scale_count; i++)
		writable(w->plan.scales[i].set)->spec.replicas = w->plan.scales[i].replicas;
	for (size_t i = 0; i < w->plan.remove_count; i++)
		remove_set(w, w->plan.remove[i]);
	w->d->status = w->plan.status;
}

static void delete_pod(struct rollout_set *s, const struct pod *pod, bool at_once)
{
	for (size_t i = 0; i < s->pods.count; i++) {
		if (s->pods.items[i].pod != pod)
			continue;
		((struct pod *)(uintptr_t)pod)->metadata.deletion.nsec = NOON;
		if (at_once)
			s->pods.items[i] = s->pods.items[--s->pods.count];
		return;
	}
	fail_msg("a Pod to be deleted is not there");
}

/* What the ReplicaSet controller does with one set. */
static void replicate(struct world *w, struct rollout_set *s)
{
	struct replicas_plan plan;
	char name[32];

	assert_ok(replicas_plan(w->arena, s->set, &s->pods, w->now, &plan));
	for (int32_t i = 0; i < plan.create; i++) {
		assert_true(s->pods.count < PODS_MAX);
		snprintf(name, sizeof(name), "pod-%04u", w->names++);
		s->pods.items[s->pods.count++].pod =
			make_pod(w->arena, name, chance(w, 4) ? "n" : NULL, w->now);
	}
	for (size_t i = 0; i < plan.delete_count; i++)
		delete_pod(s, plan.delete[i], chance(w, 2) == 0);
}

/* Something happens to one Pod: it gets ready, or what is on its way out has gone. */
static void live(struct world *w)
{
	struct rollout_set *s = w->count ? &w->sets[chance(w, w->count)] : NULL;
	size_t i = s && s->pods.count ? chance(w, s->pods.count) : 0;

	w->now += SECOND;
	if (!s || !s->pods.count)
		return;
	struct pod *pod = (struct pod *)(uintptr_t)s->pods.items[i].pod;
	if (pod->metadata.deletion.nsec)
		s->pods.items[i] = s->pods.items[--s->pods.count];
	else if (rollout_revision(&s->set->metadata) != w->broken_revision && !pod_is_ready(pod)) {
		pod->spec.node_name = "n";
		set_condition(w->arena, &pod->status.conditions, "Ready", true, w->now);
	}
}

static struct replica_counts count_all(struct world *w)
{
	struct replica_counts sum = { 0 }, one;

	for (size_t i = 0; i < w->count; i++) {
		replicas_count(&w->sets[i].pods, NULL, w->d->spec.min_ready_seconds, w->now, &one);
		sum.replicas += one.replicas;
		sum.available += one.available;
		sum.terminating += one.terminating;
	}
	return sum;
}

static bool is_complete(const struct world *w)
{
	const struct condition *c = condition_find(&w->d->status.conditions, "Progressing");

	return c && str_equal(c->reason, "NewReplicaSetAvailable") &&
	       w->d->status.updated == w->d->spec.replicas && w->d->status.replicas == w->d->spec.replicas &&
	       w->d->status.available == w->d->spec.replicas &&
	       w->d->status.observed_generation == w->d->metadata.generation;
}

/* In any order: a controller looks, or a Pod lives on. The bounds hold after each step. */
static void step(struct world *w, int32_t least, int32_t most)
{
	uint64_t what = chance(w, 4);

	if (what == 0)
		deploy(w);
	else if (what == 1 && w->count)
		replicate(w, &w->sets[chance(w, w->count)]);
	else
		live(w);
	struct replica_counts c = count_all(w);
	assert_true(c.replicas <= most);
	assert_true(c.available >= least);
}

static void run_until_complete(struct world *w, int32_t least, int32_t most)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		step(w, least, most);
		if (is_complete(w))
			return;
	}
	fail_msg("the rollout does not end: %d of %d updated, %d available", w->d->status.updated,
		 w->d->spec.replicas, w->d->status.available);
}

static const char *reason_of(const struct world *w, const char *type)
{
	const struct condition *c = condition_find(&w->d->status.conditions, type);

	return c ? c->reason : "";
}

/* "NAME=replicas@revision ..." by age; the hash of a name is left out. */
static void assert_sets(struct world *w, const char *expected)
{
	auto_str struct str text = STR_INIT(4096);

	for (int64_t revision = 0; revision < 100; revision++)
		for (size_t i = 0; i < w->count; i++)
			if (rollout_revision(&w->sets[i].set->metadata) == revision)
				str_addf(&text, "%s%s=%d@%lld", text.len ? " " : "",
					 w->sets[i].set->spec.template.spec.containers.items[0].image,
					 w->sets[i].set->spec.replicas, (long long)revision);
	assert_string_equal(text.data, expected);
}

/* ---- to the end ---- */

static void test_rolling_updates_end_within_their_bounds_in_any_order(void **state)
{
	(void)state;
	static const char *const bounds[] = { "0", "1", "3", "\"25%\"", "\"100%\"" };
	static const int sizes[] = { 1, 2, 3, 7, 10 };

	for (size_t s = 0; s < ARRAY_LEN(bounds); s++)
		for (size_t u = 0; u < ARRAY_LEN(bounds); u++)
			for (size_t n = 0; n < ARRAY_LEN(sizes); n++)
				for (int ready = 0; ready <= 5; ready += 5) {
					auto_world struct world w = { 0 };
					char spec[256];
					int32_t surge, unavailable;

					if (s == 0 && u == 0)
						continue;
					snprintf(spec, sizeof(spec),
						 "\"minReadySeconds\": %d, \"strategy\": {\"rollingUpdate\": "
						 "{\"maxSurge\": %s, "
						 "\"maxUnavailable\": %s}},",
						 ready, bounds[s], bounds[u]);
					world_make(&w, sizes[n], spec);
					w.seed = s * 1000 + u * 100 + n * 10 + (unsigned)ready;
					rollout_bounds(w.d, &surge, &unavailable);
					assert_true(surge + unavailable > 0);
					run_until_complete(&w, 0, sizes[n]);
					new_image(&w, "v2");
					run_until_complete(&w, sizes[n] - unavailable, sizes[n] + surge);
					new_image(&w, "v3");
					run_until_complete(&w, sizes[n] - unavailable, sizes[n] + surge);
				}
}

static void test_a_broken_version_never_takes_down_more_than_allowed(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w, 4, "");
	run_until_complete(&w, 0, 4);
	w.broken_revision = 2;
	new_image(&w, "v2");
	for (int i = 0; i < 2000; i++)
		step(&w, 3, 5);
	assert_string_equal(reason_of(&w, "Progressing"), "ProgressDeadlineExceeded");
	assert_string_equal(reason_of(&w, "Available"), "MinimumReplicasAvailable");
	assert_sets(&w, "v1=3@1 v2=2@2");
	/* The next version goes on from there: the broken ones go first. */
	new_image(&w, "v3");
	run_until_complete(&w, 3, 5);
	assert_sets(&w, "v1=0@1 v2=0@2 v3=4@3");
}

static void test_recreate_never_has_two_versions_at_once(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w, 3, "\"strategy\": {\"type\": \"Recreate\"},");
	run_until_complete(&w, 0, 3);
	new_image(&w, "v2");
	for (int i = 0; i < STEPS_MAX && !is_complete(&w); i++) {
		step(&w, 0, 3);
		size_t with_pods = 0;
		for (size_t k = 0; k < w.count; k++)
			with_pods += w.sets[k].pods.count > 0; /* also those on their way out */
		assert_true(with_pods <= 1);
	}
	assert_true(is_complete(&w));
	assert_sets(&w, "v1=0@1 v2=3@2");
}

static void test_rolling_back_takes_up_the_old_set_with_a_new_revision(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w, 2, "");
	run_until_complete(&w, 0, 2);
	new_image(&w, "v2");
	run_until_complete(&w, 2, 3);
	new_image(&w, "v3");
	run_until_complete(&w, 2, 3);
	assert_sets(&w, "v1=0@1 v2=0@2 v3=2@3");
	new_image(&w, "v1");
	run_until_complete(&w, 2, 3);
	assert_sets(&w, "v2=0@2 v3=0@3 v1=2@4");
	assert_int_equal(rollout_revision(&w.d->metadata), 4);
	assert_int_equal(w.count, 3);
}

static void test_old_sets_beyond_the_limit_go_oldest_first(void **state)
{
	(void)state;
	static const char *const images[] = { "v2", "v3", "v4", "v5" };
	auto_world struct world w;

	world_make(&w, 2, "\"revisionHistoryLimit\": 2,");
	run_until_complete(&w, 0, 2);
	for (size_t i = 0; i < ARRAY_LEN(images); i++) {
		new_image(&w, images[i]);
		run_until_complete(&w, 2, 3);
	}
	for (int i = 0; i < 200; i++)
		step(&w, 2, 2);
	assert_sets(&w, "v3=0@3 v4=0@4 v5=2@5");
}

static void test_scaling_in_the_middle_of_a_rollout_ends_at_the_new_size(void **state)
{
	(void)state;
	for (int size = 0; size <= 9; size += 3) {
		auto_world struct world w;

		world_make(&w, 4, "");
		run_until_complete(&w, 0, 4);
		new_image(&w, "v2");
		for (int i = 0; i < 12; i++)
			step(&w, 3, 5);
		w.d->spec.replicas = size;
		w.d->metadata.generation++;
		run_until_complete(&w, 0, 12);
		assert_int_equal(count_all(&w).replicas, size);
	}
}

/* ---- paused ---- */

static void test_paused_neither_begins_nor_goes_on_but_keeps_the_number(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w, 4, "");
	run_until_complete(&w, 0, 4);
	w.d->spec.paused = true;
	new_image(&w, "v2");
	for (int i = 0; i < 200; i++)
		step(&w, 4, 4);
	assert_sets(&w, "v1=4@1");
	assert_string_equal(reason_of(&w, "Progressing"), "DeploymentPaused");
	w.d->spec.replicas = 6;
	w.d->metadata.generation++;
	for (int i = 0; i < 200; i++)
		step(&w, 4, 6);
	assert_sets(&w, "v1=6@1");
	w.d->spec.replicas = 3;
	for (int i = 0; i < 200; i++)
		step(&w, 3, 6);
	assert_sets(&w, "v1=3@1");
	w.d->spec.paused = false;
	deploy(&w);
	assert_string_equal(reason_of(&w, "Progressing"), "DeploymentResumed");
	run_until_complete(&w, 3, 4);
	assert_sets(&w, "v1=0@1 v2=3@2");
}

static void test_paused_in_the_middle_gives_the_difference_to_the_youngest(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w, 4, "");
	run_until_complete(&w, 0, 4);
	w.broken_revision = 2;
	new_image(&w, "v2");
	for (int i = 0; i < 300; i++)
		step(&w, 3, 5);
	assert_sets(&w, "v1=3@1 v2=2@2");
	w.d->spec.paused = true;
	w.d->spec.replicas = 8;
	for (int i = 0; i < 300; i++)
		step(&w, 3, 8);
	assert_sets(&w, "v1=3@1 v2=5@2");
	w.d->spec.replicas = 2;
	for (int i = 0; i < 300; i++)
		step(&w, 0, 8);
	assert_sets(&w, "v1=0@1 v2=2@2");
}

/* ---- single steps ---- */

static void test_the_first_plan_makes_a_set_with_everything_on_it(void **state)
{
	(void)state;
	auto_world struct world w;
	char short_hash[16];

	world_make(&w, 3, "\"minReadySeconds\": 7,");
	put_pair(&w, &w.d->metadata.annotations, ANNOTATION_CAUSE, "because");
	deploy(&w);
	assert_true(w.plan.create);
	assert_int_equal(w.count, 1);
	const struct replicaset *set = w.sets[0].set;
	const char *hash = string_map_get(&set->metadata.labels, LABEL_TEMPLATE_HASH);
	assert_non_null(hash);
	snprintf(short_hash, sizeof(short_hash), "%s", set->metadata.name + strlen("web-"));
	assert_string_equal(short_hash, hash);
	assert_int_equal(strlen(hash), 10);
	assert_string_equal(string_map_get(&set->spec.selector.match_labels, LABEL_TEMPLATE_HASH), hash);
	assert_string_equal(string_map_get(&set->spec.template.metadata.labels, LABEL_TEMPLATE_HASH), hash);
	assert_string_equal(string_map_get(&set->spec.template.metadata.labels, "app"), "web");
	assert_string_equal(string_map_get(&set->metadata.annotations, ANNOTATION_REVISION), "1");
	assert_string_equal(string_map_get(&set->metadata.annotations, ANNOTATION_CAUSE), "because");
	assert_string_equal(meta_controller(&set->metadata)->uid, "d-1");
	assert_int_equal(set->spec.replicas, 3);
	assert_int_equal(set->spec.min_ready_seconds, 7);
	assert_true(rollout_is_current(w.d, set));
	assert_string_equal(reason_of(&w, "Progressing"), "NewReplicaSetCreated");
	assert_string_equal(reason_of(&w, "Available"), "MinimumReplicasUnavailable");
	deploy(&w);
	assert_false(w.plan.create);
	assert_false(w.plan.mark);
	assert_int_equal(w.plan.scale_count, 0);
}

static void test_a_taken_name_gives_a_longer_one(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w, 1, "");
	const char *usual = rollout_set_name(w.arena, w.d, false),
		   *longer = rollout_set_name(w.arena, w.d, true);
	assert_true(str_starts_with(longer, usual));
	/* Sixteen digits, and the Deployment's own: "d-1". */
	assert_int_equal(strlen(longer), strlen("web-") + 16 + strlen("-d-1"));
}

static void test_a_hash_label_of_the_template_is_replaced(void **state)
{
	(void)state;
	auto_world struct world w;
	const struct replicaset *set;

	world_make(&w, 1, "");
	assert_ok(rollout_set_pair(w.arena, &w.d->spec.template.metadata.labels, LABEL_TEMPLATE_HASH, "abc"));
	const struct rollout_state state_now = { .deployment = w.d, .now = NOON };
	assert_ok(rollout_plan(w.arena, &state_now, &w.plan));
	assert_ok(rollout_set(w.arena, &state_now, &w.plan, &set));
	assert_int_equal(set->spec.template.metadata.labels.count, 2);
	assert_string_not_equal(string_map_get(&set->spec.template.metadata.labels, LABEL_TEMPLATE_HASH),
				"abc");
	assert_true(label_selector_matches(&set->spec.selector, &set->spec.template.metadata.labels));
}

static void test_a_plan_that_changes_nothing_says_nothing_new(void **state)
{
	(void)state;
	auto_world struct world w;
	auto_str struct str before = STR_INIT(1 << 16), after = STR_INIT(1 << 16);

	world_make(&w, 2, "");
	run_until_complete(&w, 0, 2);
	encode_text(&before, &t_conditions, &w.d->status.conditions, 0);
	w.now += 100000 * SECOND;
	deploy(&w);
	encode_text(&after, &t_conditions, &w.d->status.conditions, 0);
	assert_string_equal(after.data, before.data);
	assert_int_equal(w.plan.scale_count, 0);
	assert_int_equal(w.plan.again, 0);
}

/* A rollout that was complete is not blamed for Pods that fail, or for a new size, long after. */
static void test_a_complete_rollout_has_no_deadline_any_more(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w, 2, "");
	run_until_complete(&w, 0, 2);
	w.now += 100000 * SECOND;
	set_condition(w.arena, &((struct pod *)(uintptr_t)w.sets[0].pods.items[0].pod)->status.conditions,
		      "Ready", false, w.now);
	deploy(&w);
	assert_string_equal(reason_of(&w, "Progressing"), "NewReplicaSetAvailable");
	assert_string_equal(reason_of(&w, "Available"),
			    "MinimumReplicasUnavailable"); /* 25% of 2 rounds down to 0 */
	w.d->spec.replicas = 5;
	w.d->metadata.generation++;
	deploy(&w);
	deploy(&w);
	assert_string_equal(reason_of(&w, "Progressing"), "NewReplicaSetAvailable");
}

static void test_a_rollout_is_looked_at_again_when_its_time_is_over(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w, 1, "\"progressDeadlineSeconds\": 60,");
	deploy(&w);
	assert_int_equal(w.plan.again, NOON + 60 * SECOND);
	w.now += 59 * SECOND;
	deploy(&w);
	assert_string_equal(reason_of(&w, "Progressing"), "NewReplicaSetCreated");
	assert_int_equal(w.plan.again, NOON + 60 * SECOND);
	w.now += SECOND;
	deploy(&w);
	assert_string_equal(reason_of(&w, "Progressing"), "ProgressDeadlineExceeded");
	assert_int_equal(w.plan.again, 0);
}

static void test_shares_become_numbers_that_let_something_move(void **state)
{
	(void)state;
	static const struct {
		const char *surge, *unavailable;
		int replicas;
		int32_t expected_surge, expected_unavailable;
	} rows[] = {
		{ "\"25%\"", "\"25%\"", 1, 1, 0 },  { "\"25%\"", "\"25%\"", 4, 1, 1 },
		{ "\"25%\"", "\"25%\"", 10, 3, 2 }, { "0", "\"25%\"", 3, 0, 1 },
		{ "0", "\"25%\"", 1, 0, 1 },	    { "2", "5", 3, 2, 3 },
		{ "\"25%\"", "\"25%\"", 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_world struct world w;
		char spec[160];
		int32_t surge, unavailable;

		snprintf(spec, sizeof(spec),
			 "\"strategy\": {\"rollingUpdate\": {\"maxSurge\": %s, \"maxUnavailable\": %s}},",
			 rows[i].surge, rows[i].unavailable);
		world_make(&w, rows[i].replicas, spec);
		rollout_bounds(w.d, &surge, &unavailable);
		assert_int_equal(surge, rows[i].expected_surge);
		assert_int_equal(unavailable, rows[i].expected_unavailable);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rolling_updates_end_within_their_bounds_in_any_order),
		cmocka_unit_test(test_a_broken_version_never_takes_down_more_than_allowed),
		cmocka_unit_test(test_recreate_never_has_two_versions_at_once),
		cmocka_unit_test(test_rolling_back_takes_up_the_old_set_with_a_new_revision),
		cmocka_unit_test(test_old_sets_beyond_the_limit_go_oldest_first),
		cmocka_unit_test(test_scaling_in_the_middle_of_a_rollout_ends_at_the_new_size),
		cmocka_unit_test(test_paused_neither_begins_nor_goes_on_but_keeps_the_number),
		cmocka_unit_test(test_paused_in_the_middle_gives_the_difference_to_the_youngest),
		cmocka_unit_test(test_the_first_plan_makes_a_set_with_everything_on_it),
		cmocka_unit_test(test_a_taken_name_gives_a_longer_one),
		cmocka_unit_test(test_a_hash_label_of_the_template_is_replaced),
		cmocka_unit_test(test_a_plan_that_changes_nothing_says_nothing_new),
		cmocka_unit_test(test_a_complete_rollout_has_no_deadline_any_more),
		cmocka_unit_test(test_a_rollout_is_looked_at_again_when_its_time_is_over),
		cmocka_unit_test(test_shares_become_numbers_that_let_something_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
