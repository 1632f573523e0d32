/* tests/unit/scheduler/replicas_test.c: counting a ReplicaSet's Pods, choosing which go, making new ones. */
#include "scheduler/replicas.h"

#include <unistd.h>

#include "tests/unit/scheduler/rollout-make.h"

/* "NAME NODE STATE...": node "-": not bound; states: ready=SECONDS ago, old=SECONDS since creation, deleted,
 * failed, done, lost (stopped with its lost node), back (the same, and the node is back). */
static void read_pod(struct arena *arena, const char *line, struct replica *ret)
{
	char words[8][32] = { 0 }, rest[256];
	size_t count = 0;
	char *save = NULL;

	snprintf(rest, sizeof(rest), "%s", line);
	for (char *w = strtok_r(rest, " ", &save); w && count < 8; w = strtok_r(NULL, " ", &save))
		snprintf(words[count++], sizeof(words[0]), "%s", w);
	struct pod *pod =
		make_pod(arena, words[0], words[1][0] == '-' ? NULL : words[1], NOON - 1000 * SECOND);
	*ret = (struct replica){ .pod = pod };
	for (size_t i = 2; i < count; i++) {
		uint64_t seconds = 0;
		const char *value = strchr(words[i], '=');
		if (value)
			assert_true(str_to_u64(value + 1, &seconds));
		if (str_starts_with(words[i], "ready="))
			set_condition(arena, &pod->status.conditions, "Ready", true,
				      NOON - (int64_t)seconds * SECOND);
		else if (str_starts_with(words[i], "old="))
			pod->metadata.creation.nsec = NOON - (int64_t)seconds * SECOND;
		else if (str_equal(words[i], "deleted"))
			pod->metadata.deletion.nsec = NOON;
		else if (str_equal(words[i], "done"))
			pod->status.phase = POD_SUCCEEDED;
		else
			pod->status.phase = POD_FAILED;
		if (str_equal(words[i], "lost") || str_equal(words[i], "back"))
			pod->status.reason = REASON_NODE_LOST;
		ret->node_lost = str_equal(words[i], "lost");
	}
}

static void read_pods(struct arena *arena, const char *const *lines, struct replicas *ret)
{
	ret->items = arena_array(arena, 16, sizeof(*ret->items));
	ret->count = 0;
	for (; lines[ret->count]; ret->count++)
		read_pod(arena, lines[ret->count], &ret->items[ret->count]);
}

static struct replicaset *make_set(struct arena *arena, int32_t wanted, int32_t min_ready)
{
	struct object *object;

	assert_ok(object_new(arena, &kinds[KIND_REPLICASET], &object));
	struct replicaset *set = (struct replicaset *)(void *)object;
	set->metadata.name = "web-1";
	set->metadata.namespace = "default";
	set->metadata.uid = "set-1";
	set->spec.replicas = wanted;
	set->spec.min_ready_seconds = min_ready;
	return set;
}

static void test_pods_are_counted_by_what_they_are(void **state)
{
	(void)state;
	static const struct {
		const char *name, *pods[6];
		int32_t min_ready, replicas, ready, available, terminating;
		int64_t again; /* seconds from now */
	} rows[] = {
		{ "none", { NULL }, 0, 0, 0, 0, 0, 0 },
		{ "waiting", { "a -", "b n" }, 0, 2, 0, 0, 0, 0 },
		{ "ready", { "a n ready=1", "b n ready=9" }, 0, 2, 2, 2, 0, 0 },
		{ "ready, not long enough",
		  { "a n ready=1", "b n ready=9", "c n ready=10" },
		  10,
		  3,
		  3,
		  1,
		  0,
		  1 },
		{ "on its way out", { "a n ready=9 deleted", "b n ready=9" }, 0, 1, 1, 1, 1, 0 },
		{ "over", { "a n ready=9 failed", "b n done", "c n" }, 0, 1, 0, 0, 0, 0 },
		{ "stopped with its lost node", { "a n ready=9 lost", "b n ready=9" }, 0, 2, 1, 1, 0, 0 },
		{ "its node is back", { "a n back", "b n ready=9" }, 0, 1, 1, 1, 0, 0 },
		{ "deleted with its lost node", { "a n deleted lost" }, 0, 0, 0, 0, 1, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		struct replicas pods;
		struct replica_counts c;

		assert_ok(arena_new(1 << 20, &arena));
		read_pods(arena, rows[i].pods, &pods);
		replicas_count(&pods, NULL, rows[i].min_ready, NOON, &c);
		assert_int_equal(c.replicas, rows[i].replicas);
		assert_int_equal(c.ready, rows[i].ready);
		assert_int_equal(c.available, rows[i].available);
		assert_int_equal(c.terminating, rows[i].terminating);
		assert_int_equal(c.again, rows[i].again ? NOON + rows[i].again * SECOND : 0);
	}
}

static void test_what_is_missing_is_made_and_surplus_goes_in_order(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int32_t wanted;
		const char *pods[8];
		int32_t create;
		const char *deleted;
	} rows[] = {
		{ "nothing to do", 2, { "a n", "b n" }, 0, "" },
		{ "one is missing", 3, { "a n", "b n" }, 1, "" },
		{ "what is on its way out is missing", 2, { "a n", "b n deleted" }, 1, "" },
		{ "what is over is missing", 2, { "a n", "b n failed" }, 1, "" },
		{ "stopped with its node is not missing", 2, { "a n", "b n lost" }, 0, "" },
		{ "not bound before bound", 1, { "a n ready=9", "b -" }, 0, "b" },
		{ "not ready before ready", 1, { "a n", "b n ready=9" }, 0, "a" },
		{ "ready for shorter before longer",
		  1,
		  { "a n ready=9 old=20", "b n ready=5 old=30" },
		  0,
		  "b" },
		{ "younger before older", 1, { "a n ready=9 old=20", "b n ready=9 old=10" }, 0, "b" },
		{ "from the node with most", 2, { "a m ready=9", "b n ready=9", "c n ready=9" }, 0, "b" },
		{ "by name", 2, { "c m ready=9", "b n ready=9", "a o ready=9" }, 0, "a" },
		{ "down to nothing", 0, { "a n ready=9", "b -", "c n deleted" }, 0, "b a" },
		{ "all rules at once", 1, { "a n ready=9", "b n", "c -", "d n ready=7" }, 0, "c b d" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		auto_str struct str deleted = STR_INIT(256);
		struct replicas pods;
		struct replicas_plan plan;

		assert_ok(arena_new(1 << 20, &arena));
		read_pods(arena, rows[i].pods, &pods);
		assert_ok(replicas_plan(arena, make_set(arena, rows[i].wanted, 0), &pods, NOON, &plan));
		for (size_t k = 0; k < plan.delete_count; k++)
			str_addf(&deleted, "%s%s", k ? " " : "", plan.delete[k]->metadata.name);
		assert_int_equal(plan.create, rows[i].create);
		assert_string_equal(deleted.data, rows[i].deleted);
	}
}

static void test_pods_that_fail_at_once_are_made_anew_ever_later(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int32_t wanted;
		const char *pods[10];
		int32_t create;
		int64_t again; /* seconds from now */
	} rows[] = {
		{ "the first failure", 1, { "a n failed old=3" }, 0, 7 },
		{ "its time is over", 1, { "a n failed old=10" }, 1, 0 },
		{ "the second in a row", 1, { "a n failed old=3", "b n failed old=14" }, 0, 17 },
		{ "the third", 1, { "a n failed old=1", "b n failed old=30", "c n failed old=60" }, 0, 39 },
		{ "one of many", 3, { "a n", "b n", "c n failed old=2" }, 0, 8 },
		{ "all of many, once",
		  3,
		  { "a n failed old=2", "b n failed old=2", "c n failed old=2" },
		  0,
		  8 },
		{ "at most five minutes",
		  1,
		  { "a n failed old=1", "b n failed old=2", "c n failed old=3", "d n failed old=4",
		    "e n failed old=5", "f n failed old=6", "g n failed old=7" },
		  0,
		  299 },
		{ "long ago", 1, { "a n failed old=601", "b n failed old=700" }, 1, 0 },
		{ "stopped with its node, which is back", 1, { "a n back old=3" }, 1, 0 },
		{ "from a clock that was ahead", 1, { "a n failed old=0" }, 0, 10 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		struct replicas pods;
		struct replicas_plan plan;

		assert_ok(arena_new(1 << 20, &arena));
		read_pods(arena, rows[i].pods, &pods);
		assert_ok(replicas_plan(arena, make_set(arena, rows[i].wanted, 0), &pods, NOON, &plan));
		assert_int_equal(plan.create, rows[i].create);
		assert_int_equal(plan.counts.again, rows[i].again ? NOON + rows[i].again * SECOND : 0);
	}
}

/* Counting each Pod's neighbours by looking at all would take minutes here. */
static void test_a_large_set_on_one_node_is_scaled_down_at_once(void **state)
{
	(void)state;
	enum { MANY = 100000 };
	auto_arena struct arena *arena = NULL;
	struct replicas_plan plan;
	struct replicas pods = { .count = MANY };

	assert_ok(arena_new(512 << 20, &arena));
	pods.items = arena_array(arena, MANY, sizeof(*pods.items));
	for (size_t i = 0; i < MANY; i++)
		pods.items[i].pod =
			make_pod(arena, arena_printf(arena, "p-%zu", i), "n", NOON - 1000 * SECOND);
	alarm(60);
	assert_ok(replicas_plan(arena, make_set(arena, 1, 0), &pods, NOON, &plan));
	alarm(0);
	assert_int_equal(plan.delete_count, MANY - 1);
}

static void test_a_pod_ready_since_the_future_is_not_available_yet(void **state)
{
	(void)state;
	auto_arena struct arena *arena = NULL;
	struct replicas pods;
	struct replica_counts c;

	assert_ok(arena_new(1 << 20, &arena));
	read_pods(arena, (const char *const[]){ "a n ready=1", NULL }, &pods);
	((struct condition *)(uintptr_t)condition_find(&pods.items[0].pod->status.conditions, "Ready"))
		->transition.nsec = INT64_MAX - 1;
	replicas_count(&pods, NULL, INT32_MAX, NOON, &c);
	assert_int_equal(c.ready, 1);
	assert_int_equal(c.available, 0);
	assert_int_equal(c.again, INT64_MAX);
}

static void test_a_new_pod_is_the_templates_and_owned(void **state)
{
	(void)state;
	auto_arena struct arena *arena = NULL;
	auto_str struct str text = STR_INIT(1 << 16);
	const struct pod *pod;

	assert_ok(arena_new(1 << 20, &arena));
	struct deployment *d = make_deployment(arena, 1, "img", "");
	struct replicaset *set = make_set(arena, 1, 0);
	set->spec.template = d->spec.template;
	assert_ok(replicas_pod(arena, set, &pod));
	assert_string_equal(pod->metadata.generate_name, "web-1-");
	assert_string_equal(pod->metadata.namespace, "default");
	assert_string_equal(string_map_get(&pod->metadata.labels, "app"), "web");
	assert_string_equal(meta_controller(&pod->metadata)->uid, "set-1");
	assert_string_equal(meta_controller(&pod->metadata)->kind, "ReplicaSet");
	assert_string_equal(pod->spec.containers.items[0].image, "img");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pods_are_counted_by_what_they_are),
		cmocka_unit_test(test_what_is_missing_is_made_and_surplus_goes_in_order),
		cmocka_unit_test(test_pods_that_fail_at_once_are_made_anew_ever_later),
		cmocka_unit_test(test_a_large_set_on_one_node_is_scaled_down_at_once),
		cmocka_unit_test(test_a_pod_ready_since_the_future_is_not_available_yet),
		cmocka_unit_test(test_a_new_pod_is_the_templates_and_owned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
