/* tests/unit/scheduler/nodes_test.c: what becomes of Pods of lost and of tainted nodes, and when. */
#include "scheduler/nodes.h"

#include "tests/unit/scheduler/rollout-make.h"

#define LOST (5000 * SECOND)

static void annotate(struct arena *arena, struct pod *pod, const char *policy)
{
	pod->metadata.annotations.items = arena_alloc(arena, sizeof(struct string_pair));
	pod->metadata.annotations.items[0] = (struct string_pair){ STUBE_ON_NODE_LOSS, policy };
	pod->metadata.annotations.count = 1;
}

static void mount_claim(struct arena *arena, struct pod *pod)
{
	struct pod_volume *v = arena_alloc(arena, sizeof(*v));
	struct pod_claim_source *source = arena_alloc(arena, sizeof(*source));

	source->claim = "data";
	v->name = "data";
	v->claim = source;
	pod->spec.volumes.items = v;
	pod->spec.volumes.count = 1;
}

/* Grace 30 s, margin 4 s: due 34 s after the loss. */
static void test_a_lost_nodes_pods_go_by_policy_and_never_early(void **state)
{
	(void)state;
	static const int64_t long_grace = 60;
	static const struct {
		const char *name, *policy;
		bool claim, deleted, over;
		const int64_t *deletion_grace;
		int64_t after; /* seconds since the loss */
		enum loss_action action;
		int64_t at;
	} rows[] = {
		{ "usual, at once", NULL, false, false, false, NULL, 0, LOSS_WAIT, 34 },
		{ "usual, a moment early", NULL, false, false, false, NULL, 33, LOSS_WAIT, 34 },
		{ "usual, due", NULL, false, false, false, NULL, 34, LOSS_REPLACE, 34 },
		{ "replace, due", "replace", false, false, false, NULL, 34, LOSS_REPLACE, 34 },
		{ "replace, with a claim", "replace", true, false, false, NULL, 34, LOSS_REPLACE, 34 },
		{ "usual, with a claim", NULL, true, false, false, NULL, 999, LOSS_NOTHING, 0 },
		{ "keep", "keep", false, false, false, NULL, 999, LOSS_NOTHING, 0 },
		{ "keep, on its way out", "keep", false, true, false, NULL, 999, LOSS_NOTHING, 0 },
		{ "stop, early", "stop", false, false, false, NULL, 33, LOSS_WAIT, 34 },
		{ "stop, due", "stop", false, false, false, NULL, 34, LOSS_STOP, 34 },
		{ "stop, on its way out", "stop", false, true, false, NULL, 34, LOSS_REPLACE, 34 },
		{ "on its way out with more time", NULL, false, true, false, &long_grace, 34, LOSS_WAIT, 64 },
		{ "over", NULL, false, false, true, NULL, 999, LOSS_NOTHING, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		int64_t at = 0;

		assert_ok(arena_new(1 << 20, &arena));
		struct pod *pod = make_pod(arena, "a", "n", NOON);
		if (rows[i].policy)
			annotate(arena, pod, rows[i].policy);
		if (rows[i].claim)
			mount_claim(arena, pod);
		pod->metadata.deletion.nsec = rows[i].deleted ? NOON : 0;
		pod->metadata.deletion_grace = rows[i].deletion_grace;
		pod->status.phase = rows[i].over ? POD_FAILED : POD_RUNNING;
		pod->spec.grace_seconds = 30;
		assert_int_equal(node_loss_action(pod, LOST, 4 * SECOND, LOST + rows[i].after * SECOND, &at),
				 rows[i].action);
		assert_int_equal(at, rows[i].at ? LOST + rows[i].at * SECOND : 0);
	}
}

static void test_only_the_mark_of_a_lost_node_says_lost(void **state)
{
	(void)state;
	struct taint taints[] = { { .key = "team", .effect = TAINT_NO_EXECUTE },
				  { .key = TAINT_UNREACHABLE, .effect = TAINT_NO_EXECUTE } };
	struct node node = { .spec.taints = { taints, 1 } };

	assert_false(nodes_has_loss((const struct object *)(const void *)&node));
	node.spec.taints.count = 2;
	assert_true(nodes_has_loss((const struct object *)(const void *)&node));
}

/* The taint was put at NOON; deadlines in seconds after it; -1: never. */
static void test_pods_leave_tainted_nodes_when_they_do_not_tolerate_it(void **state)
{
	(void)state;
	static const int64_t minute = 60, hour = 3600;
	static const struct {
		const char *name, *key;
		int effect;
		struct toleration tolerations[2];
		size_t count;
		int64_t deadline;
	} rows[] = { { "not tolerated", "team", TAINT_NO_EXECUTE, { { 0 } }, 0, 0 },
		     { "only NoSchedule", "team", TAINT_NO_SCHEDULE, { { 0 } }, 0, -1 },
		     { "lost nodes have a policy", TAINT_UNREACHABLE, TAINT_NO_EXECUTE, { { 0 } }, 0, -1 },
		     { "unready nodes too", TAINT_NOT_READY, TAINT_NO_EXECUTE, { { 0 } }, 0, -1 },
		     { "tolerated", "team", TAINT_NO_EXECUTE,
		       { { .key = "team", .operator= TOLERATION_EXISTS } }, 1, -1 },
		       { "tolerated for a minute",
			 "team",
			 TAINT_NO_EXECUTE,
			 { { .key = "team", .operator= TOLERATION_EXISTS, .seconds = &minute } },
			 1,
			 60 },
		       { "the longest counts",
			 "team",
			 TAINT_NO_EXECUTE,
			 { { .key = "team", .operator= TOLERATION_EXISTS, .seconds = &minute },
			   { .operator= TOLERATION_EXISTS, .seconds = &hour } },
			 2,
			 3600 },
		       { "another's toleration", "team", TAINT_NO_EXECUTE,
			 {
				 { .key = "other", .operator= TOLERATION_EXISTS } },
				 1,
				 0 },
		       };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct taint taint = { .key = rows[i].key,
				       .effect = rows[i].effect,
				       .time_added.nsec = NOON };
		const struct node node = { .spec.taints = { &taint, 1 } };
		struct toleration tolerations[2];
		struct pod pod = { .spec.tolerations = { tolerations, rows[i].count } };

		memcpy(tolerations, rows[i].tolerations, sizeof(tolerations));
		assert_int_equal(node_taint_deadline(&node, &pod),
				 rows[i].deadline < 0 ? 0 : NOON + rows[i].deadline * SECOND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_lost_nodes_pods_go_by_policy_and_never_early),
		cmocka_unit_test(test_only_the_mark_of_a_lost_node_says_lost),
		cmocka_unit_test(test_pods_leave_tainted_nodes_when_they_do_not_tolerate_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
