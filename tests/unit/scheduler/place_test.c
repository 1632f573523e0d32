/* tests/unit/scheduler/place_test.c: where Pods go, and in which words they are refused. */
#include "tests/unit/scheduler/place-make.h"

struct fixture {
	struct arena *a;
	struct place *p;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_ok(arena_new(16 << 20, &f->a));
	assert_ok(place_new(&f->p));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	place_free(f->p);
	arena_free(f->a);
	free(f);
	return 0;
}

static struct node *put(struct fixture *f, const char *name, const char *cpu, const char *memory, const char *labels)
{
	struct node *n = make_node(f->a, name, cpu, memory, "10", labels);

	assert_ok(place_node(f->p, n));
	return n;
}

/* Chosen and counted in; NULL: the summary goes to `why`. */
static const char *go(struct fixture *f, const struct pod *pod, struct str *why)
{
	struct place_answer answer;

	assert_ok(place_choose(f->p, pod, NULL, true, &answer));
	if (why) {
		str_clear(why);
		place_summary(&answer, why);
	}
	return answer.node;
}

static void assert_refusal(struct fixture *f, const struct pod *pod, const char *claim, const char *reason,
			   const char *detail)
{
	struct place_refusal *list;
	size_t count;

	assert_ok(place_explain(f->p, f->a, pod, claim, &list, &count));
	assert_true(count >= 1);
	assert_string_equal(list[0].node, "node");
	assert_string_equal(place_reason_text(list[0].reason), reason);
	assert_string_equal(list[0].detail, detail);
}

/* ---- the words ---- */

static void test_a_node_that_fits_needs_no_words(void **state)
{
	struct fixture *f = *state;

	put(f, "node", "2", "4Gi", "");
	assert_refusal(f, make_pod(f->a, "p", "2", "4Gi", ""), NULL, "fits", "");
}

static void test_amounts_are_named_with_what_is_free(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_node(f->a, "node", "2", "4Gi", "1", "");

	assert_ok(place_node(f->p, n));
	assert_refusal(f, make_pod(f->a, "p", "2500m", "1", ""), NULL, "not enough cpu",
		       "needs 2500m, 2 of 2 are free");
	assert_refusal(f, make_pod(f->a, "p", "1", "5Gi", ""), NULL, "not enough memory",
		       "needs 5Gi, 4Gi of 4Gi are free");
	assert_string_equal(go(f, make_pod(f->a, "first", "1500m", "3500Mi", ""), NULL), "node");
	assert_refusal(f, make_pod(f->a, "p", "1", "1", ""), NULL, "not enough cpu", "needs 1, 500m of 2 are free");
	assert_refusal(f, make_pod(f->a, "p", "500m", "1Gi", ""), NULL, "not enough memory",
		       "needs 1Gi, 596Mi of 4Gi are free");
	assert_refusal(f, make_pod(f->a, "p", NULL, NULL, ""), NULL, "too many Pods",
		       "1 are there, at most 1 may be");
	n = make_node(f->a, "node", "1", "1Gi", "1", "");
	assert_ok(place_node(f->p, n));
	assert_refusal(f, make_pod(f->a, "p", "1", "1", ""), NULL, "not enough cpu", "needs 1, 0 of 1 are free");
}

static void test_memory_is_counted_in_pages(void **state)
{
	struct fixture *f = *state;

	put(f, "node", "2", "8193", "");
	assert_string_equal(go(f, make_pod(f->a, "a", NULL, "4096", ""), NULL), "node");
	assert_refusal(f, make_pod(f->a, "p", NULL, "4097", ""), NULL, "not enough memory",
		       "needs 4097, 4Ki of 8193 are free");
	assert_string_equal(go(f, make_pod(f->a, "b", NULL, "1", ""), NULL), "node");
	assert_refusal(f, make_pod(f->a, "p", NULL, "1", ""), NULL, "not enough memory",
		       "needs 1, 0 of 8193 are free");
}

static void test_a_limit_counts_where_there_is_no_request(void **state)
{
	struct fixture *f = *state;
	struct pod *p = make_pod(f->a, "p", NULL, "1Gi", "");
	int64_t cpu, memory;

	p->spec.containers.items[0].resources.limits.cpu = amount("1500m");
	p->spec.containers.items[0].resources.limits.memory = amount("2Gi");
	pod_requests(p, &cpu, &memory);
	assert_int_equal(cpu, 1500);
	assert_int_equal(memory, 1 << 30);
}

static void test_labels_protection_and_taints_are_named(void **state)
{
	struct fixture *f = *state;
	struct node *n = put(f, "node", "2", "4Gi", "disk=hdd");
	struct pod *p = make_pod(f->a, "p", "1", "1Gi", "app=a");

	p->spec.node_selector = make_map(f->a, "disk=ssd");
	assert_refusal(f, p, NULL, "labels do not match", "needs disk=ssd, it has hdd");
	p->spec.node_selector = make_map(f->a, "zone=a");
	assert_refusal(f, p, NULL, "labels do not match", "needs zone=a, it has no such label");
	p->spec.node_selector.count = 0;
	struct selector_requirement r = { "disk", SELECTOR_DOES_NOT_EXIST, { NULL, 0 } };
	struct node_selector_term term = { .match_expressions = { &r, 1 } };
	p->spec.affinity.node_required.items = &term;
	p->spec.affinity.node_required.count = 1;
	assert_refusal(f, p, NULL, "labels do not match", "none of the Pod's node affinity terms matches");
	p->spec.affinity.node_required.count = 0;
	make_taint(f->a, n, "team", "red", TAINT_NO_EXECUTE);
	assert_ok(place_node(f->p, n));
	assert_refusal(f, p, NULL, "taint not tolerated", "team=red:NoExecute");
	make_need(f->a, p, "very-high");
	assert_refusal(f, p, NULL, "protection class too low", "its class is normal, the Pod needs very-high");
}

static void test_cordon_and_loss_are_named_before_all_else(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_node(f->a, "node", "1", "1Gi", "10", "");
	struct pod *p = make_pod(f->a, "p", "2", "1Gi", "");

	make_ready(f->a, n, false, "no image store");
	assert_ok(place_node(f->p, n));
	assert_refusal(f, p, NULL, "not ready", "no image store");
	n->status.conditions.count = 0;
	assert_ok(place_node(f->p, n));
	assert_refusal(f, p, NULL, "not ready", "its agent has not reported yet");
	make_ready(f->a, n, true, NULL);
	make_taint(f->a, n, TAINT_UNREACHABLE, NULL, TAINT_NO_EXECUTE);
	assert_ok(place_node(f->p, n));
	assert_refusal(f, p, NULL, "not ready", "node.kubernetes.io/unreachable:NoExecute");
	n->spec.unschedulable = true;
	assert_ok(place_node(f->p, n));
	assert_refusal(f, p, NULL, "cordoned", "");
	n->spec.taints.count = 0;
	assert_ok(place_node(f->p, n));
	make_toleration(f->a, p, (struct toleration){ TAINT_UNSCHEDULABLE, TOLERATION_EXISTS, NULL, 0, NULL });
	assert_refusal(f, p, NULL, "not enough cpu", "needs 2, 1 of 1 are free");
}

static void test_claims_and_ports_are_named(void **state)
{
	struct fixture *f = *state;
	struct pod *p = make_pod(f->a, "p", NULL, NULL, "");

	put(f, "node", "1", "1Gi", "");
	assert_refusal(f, p, "state-1", "the volume's data is elsewhere", "it is on 'state-1'");
	make_port(f->a, p, 8080, POD_TCP);
	p->metadata.uid = "other";
	assert_string_equal(go(f, p, NULL), "node");
	p->metadata.uid = "p";
	assert_refusal(f, p, NULL, "host port taken", "TCP port 8080 is taken by 'default/p'");
	p->spec.containers.items[0].ports.items[0].protocol = POD_UDP;
	assert_refusal(f, p, NULL, "fits", "");
}

static void test_spread_and_anti_affinity_are_named(void **state)
{
	struct fixture *f = *state;
	struct pod *p = make_pod(f->a, "p", NULL, NULL, "app=a");
	struct pod *q = make_pod(f->a, "q", NULL, NULL, "app=a");

	put(f, "node", "1", "1Gi", "zone=a");
	put(f, "other", "1", "1Gi", "zone=b");
	put(f, "third", "1", "1Gi", "");
	q->spec.node_selector = make_map(f->a, "zone=a");
	assert_string_equal(go(f, q, NULL), "node");
	make_spread(f->a, p, "zone", 1, true, "app=a");
	assert_refusal(f, p, NULL, "spread too uneven", "zone=a has 1, b has 0, the difference may be 1 at most");
	p->spec.spread.items[0].topology_key = "rack";
	assert_refusal(f, p, NULL, "spread too uneven", "it has no label rack");
	p->spec.spread.count = 0;
	make_anti(f->a, p, "zone", "app=a");
	assert_refusal(f, p, NULL, "anti-affinity", "'default/q' is in zone=a");
	/* And the other way round: who is there does not want it. */
	assert_string_equal(go(f, p, NULL), "other");
	struct pod *r = make_pod(f->a, "r", NULL, NULL, "app=a");
	r->spec.node_selector = make_map(f->a, "zone=b");
	assert_null(go(f, r, NULL));
	r->metadata.namespace = "elsewhere";
	assert_string_equal(go(f, r, NULL), "other");
}

static void test_a_pod_does_not_stand_in_its_own_way(void **state)
{
	struct fixture *f = *state;
	struct pod *p = make_pod(f->a, "p", "1", "1Gi", "app=a");

	put(f, "node", "1", "1Gi", "");
	make_port(f->a, p, 80, POD_TCP);
	make_anti(f->a, p, LABEL_HOSTNAME, "app=a");
	assert_string_equal(go(f, p, NULL), "node");
	assert_refusal(f, p, NULL, "fits", "");
	assert_null(go(f, make_pod(f->a, "q", "1", "1Gi", ""), NULL));
}

static void test_the_summary_counts_reasons_the_most_frequent_first(void **state)
{
	struct fixture *f = *state;
	auto_str struct str why = STR_INIT(1024);
	struct pod *p = make_pod(f->a, "p", "1", "1Gi", "");

	assert_null(go(f, p, &why));
	assert_string_equal(why.data, "there are no nodes");
	put(f, "a", "1", "512Mi", STUBE_PROTECTION_CLASS "=high");
	put(f, "b", "1", "512Mi", STUBE_PROTECTION_CLASS "=high");
	put(f, "c", "1", "2Gi", "");
	make_need(f->a, p, "high");
	assert_null(go(f, p, &why));
	assert_string_equal(why.data, "0 of 3 nodes fit: 2 not enough memory, 1 protection class too low");
	put(f, "d", "1", "2Gi", STUBE_PROTECTION_CLASS "=high");
	assert_string_equal(go(f, p, &why), "d");
	assert_string_equal(why.data, "fits on 'd'");
}

/* ---- the choice ---- */

static void test_what_fits_best_is_taken(void **state)
{
	struct fixture *f = *state;

	put(f, "large", "8", "32Gi", "");
	put(f, "small", "2", "8Gi", "");
	put(f, "tiny", "1", "1Gi", "");
	assert_string_equal(go(f, make_pod(f->a, "a", "1500m", "6Gi", ""), NULL), "small");
	assert_string_equal(go(f, make_pod(f->a, "b", "500m", "2Gi", ""), NULL), "small");
	assert_string_equal(go(f, make_pod(f->a, "c", "500m", "2Gi", ""), NULL), "large");
}

static void test_equals_go_by_name(void **state)
{
	struct fixture *f = *state;

	put(f, "node-10", "1", "1Gi", "");
	put(f, "node-2", "1", "1Gi", "");
	put(f, "node-1", "1", "1Gi", "");
	assert_string_equal(go(f, make_pod(f->a, "a", "1", "1Gi", ""), NULL), "node-1");
	assert_string_equal(go(f, make_pod(f->a, "b", "1", "1Gi", ""), NULL), "node-10");
	assert_string_equal(go(f, make_pod(f->a, "c", "1", "1Gi", ""), NULL), "node-2");
}

static void test_pods_that_ask_for_nothing_go_where_few_are(void **state)
{
	struct fixture *f = *state;

	put(f, "a", "1", "1Gi", "");
	put(f, "b", "64", "256Gi", "");
	assert_string_equal(go(f, make_pod(f->a, "1", NULL, NULL, ""), NULL), "a");
	assert_string_equal(go(f, make_pod(f->a, "2", NULL, NULL, ""), NULL), "b");
	assert_string_equal(go(f, make_pod(f->a, "3", NULL, NULL, ""), NULL), "a");
}

static void test_replicas_are_spread_over_nodes_then_zones(void **state)
{
	struct fixture *f = *state;
	static const char *const expected[] = { "a1", "b1", "a2", "b1", "a1" };

	put(f, "a1", "4", "4Gi", LABEL_ZONE "=a");
	put(f, "a2", "4", "4Gi", LABEL_ZONE "=a");
	put(f, "b1", "4", "4Gi", LABEL_ZONE "=b");
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		struct pod *p = make_pod(f->a, arena_printf(f->a, "p%zu", i), "100m", "100Mi", "");
		make_owner(f->a, p, "web");
		assert_string_equal(go(f, p, NULL), expected[i]);
	}
}

static void test_a_pod_on_its_way_out_no_longer_counts_for_spread(void **state)
{
	struct fixture *f = *state;
	struct pod *old = make_pod(f->a, "old", "100m", "100Mi", "app=a");
	struct pod *new = make_pod(f->a, "new", "100m", "100Mi", "app=a");

	put(f, "a", "4", "4Gi", "zone=a");
	struct node *b = put(f, "b", "4", "4Gi", "zone=b");
	b->spec.unschedulable = true;
	assert_ok(place_node(f->p, b));
	make_owner(f->a, old, "web");
	make_owner(f->a, new, "web");
	assert_string_equal(go(f, old, NULL), "a");
	b->spec.unschedulable = false;
	assert_ok(place_node(f->p, b));
	old->spec.node_name = "a";
	old->metadata.deletion.nsec = 1;
	assert_ok(place_add(f->p, old));
	assert_string_equal(go(f, new, NULL), "a");
}

static void test_a_lost_zone_does_not_hold_up_the_others(void **state)
{
	struct fixture *f = *state;
	struct node *lost = make_node(f->a, "b", "4", "4Gi", "10", "zone=b");

	put(f, "a", "4", "4Gi", "zone=a");
	assert_ok(place_node(f->p, lost));
	for (int i = 0; i < 5; i++) {
		static const char *const expected[] = { "a", "b", "a", "a", "a" };
		struct pod *p = make_pod(f->a, arena_printf(f->a, "p%d", i), NULL, NULL, "app=a");
		make_spread(f->a, p, "zone", 1, true, "app=a");
		if (i == 2) {
			make_ready(f->a, lost, false, "lost");
			assert_ok(place_node(f->p, lost));
		}
		assert_string_equal(go(f, p, NULL), expected[i]);
	}
}

/* More changes than the journal keeps, between two Pods of one class. */
static void test_a_class_that_slept_long_knows_what_has_changed(void **state)
{
	struct fixture *f = *state;
	struct pod *first = make_pod(f->a, "first", "1", "1Gi", "app=a");
	struct pod *second = make_pod(f->a, "second", "1", "1Gi", "app=a");
	struct pod *other = make_pod(f->a, "other", "100m", "1Mi", "app=a");

	put(f, "a", "4", "4Gi", "");
	put(f, "b", "4", "4Gi", "");
	make_owner(f->a, first, "web");
	make_owner(f->a, second, "web");
	make_owner(f->a, other, "web");
	assert_string_equal(go(f, first, NULL), "a");
	other->spec.node_name = "b";
	for (int i = 0; i < 5000; i++) {
		assert_ok(place_add(f->p, other));
		place_remove(f->p, "other");
	}
	place_remove(f->p, "first");
	assert_ok(place_add(f->p, other));
	assert_string_equal(go(f, second, NULL), "a");
	place_remove(f->p, "second");
	place_remove(f->p, "other");
	other->spec.node_name = "a";
	for (int i = 0; i < 5000; i++) {
		assert_ok(place_add(f->p, other));
		place_remove(f->p, "other");
	}
	assert_ok(place_add(f->p, other));
	assert_string_equal(go(f, second, NULL), "b");
}

static void test_strong_places_stay_free_for_who_needs_them(void **state)
{
	struct fixture *f = *state;
	struct pod *p = make_pod(f->a, "high", "100m", "100Mi", "");

	put(f, "a", "1", "1Gi", STUBE_PROTECTION_CLASS "=very-high");
	put(f, "b", "2", "2Gi", STUBE_PROTECTION_CLASS "=high");
	put(f, "c", "4", "4Gi", "");
	assert_string_equal(go(f, make_pod(f->a, "normal", "100m", "100Mi", ""), NULL), "c");
	make_need(f->a, p, "high");
	assert_string_equal(go(f, p, NULL), "b");
	p = make_pod(f->a, "unknown", "100m", "100Mi", "");
	make_need(f->a, p, "top-secret");
	assert_string_equal(go(f, p, NULL), "a");
}

static void test_a_shunned_node_is_the_last_resort(void **state)
{
	struct fixture *f = *state;
	struct node *n = make_node(f->a, "a", "1", "1Gi", "10", "");

	make_taint(f->a, n, "old", "", TAINT_PREFER_NO_SCHEDULE);
	assert_ok(place_node(f->p, n));
	put(f, "b", "1", "1Gi", "");
	assert_string_equal(go(f, make_pod(f->a, "1", "1", "1Gi", ""), NULL), "b");
	assert_string_equal(go(f, make_pod(f->a, "2", "1", "1Gi", ""), NULL), "a");
}

static void test_the_node_with_the_data_is_the_only_one(void **state)
{
	struct fixture *f = *state;
	struct pod *p = make_pod(f->a, "p", "1", "1Gi", "");
	struct place_answer answer;
	auto_str struct str why = STR_INIT(256);

	put(f, "a", "1", "1Gi", "");
	put(f, "b", "4", "4Gi", "");
	assert_ok(place_choose(f->p, p, "b", true, &answer));
	assert_string_equal(answer.node, "b");
	assert_ok(place_choose(f->p, p, "gone", false, &answer));
	assert_null(answer.node);
	place_summary(&answer, &why);
	assert_string_equal(why.data, "0 of 2 nodes fit: 2 the volume's data is elsewhere");
}

static void test_a_pod_counts_once_wherever_it_is_heard_of(void **state)
{
	struct fixture *f = *state;
	struct pod *p = make_pod(f->a, "p", "1", "1Gi", "");

	/* Its node is heard of later. */
	p->spec.node_name = "a";
	assert_ok(place_add(f->p, p));
	assert_ok(place_add(f->p, p));
	put(f, "a", "2", "2Gi", "");
	assert_string_equal(go(f, make_pod(f->a, "q", "1", "1Gi", ""), NULL), "a");
	assert_null(go(f, make_pod(f->a, "r", "1", "1Gi", ""), NULL));
	place_remove(f->p, "p");
	place_remove(f->p, "p");
	assert_string_equal(go(f, make_pod(f->a, "r", "1", "1Gi", ""), NULL), "a");
	assert_null(go(f, make_pod(f->a, "s", "1", "1Gi", ""), NULL));
	p->spec.node_name = NULL;
	assert_err(place_add(f->p, p), "pod 'p' is not bound to a node");
}

static void test_a_copy_is_a_world_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct place *copy;
	struct place_answer answer;

	put(f, "a", "2", "2Gi", "");
	assert_string_equal(go(f, make_pod(f->a, "p", "1", "1Gi", ""), NULL), "a");
	assert_ok(place_copy(f->p, &copy));
	assert_ok(place_choose(copy, make_pod(f->a, "q", "1", "1Gi", ""), NULL, true, &answer));
	assert_string_equal(answer.node, "a");
	assert_ok(place_choose(copy, make_pod(f->a, "r", "1", "1Gi", ""), NULL, true, &answer));
	assert_null(answer.node);
	place_node_gone(copy, "a");
	place_free(copy);
	assert_string_equal(go(f, make_pod(f->a, "r", "1", "1Gi", ""), NULL), "a");
}

static void test_too_many_topologies_are_refused(void **state)
{
	struct fixture *f = *state;
	struct pod *p = make_pod(f->a, "p", NULL, NULL, "");
	struct place_answer answer;

	put(f, "a", "1", "1Gi", "");
	for (int i = 0; i < 17; i++)
		make_spread(f->a, p, arena_printf(f->a, "key-%d", i), 1, false, "");
	assert_err(place_choose(f->p, p, NULL, true, &answer), "more than 16 topologySpreadConstraints");
	make_anti(f->a, p, "one-more", "");
	p->spec.spread.count = 16;
	assert_err(place_choose(f->p, p, NULL, true, &answer), "more than 16 topologies in spread and anti-affinity");
	/* It has left nothing behind that would spoil the next. */
	p->spec.spread.count = 15;
	assert_string_equal(go(f, p, NULL), "a");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_node_that_fits_needs_no_words),
		TEST(test_amounts_are_named_with_what_is_free),
		TEST(test_memory_is_counted_in_pages),
		TEST(test_a_limit_counts_where_there_is_no_request),
		TEST(test_labels_protection_and_taints_are_named),
		TEST(test_cordon_and_loss_are_named_before_all_else),
		TEST(test_claims_and_ports_are_named),
		TEST(test_spread_and_anti_affinity_are_named),
		TEST(test_a_pod_does_not_stand_in_its_own_way),
		TEST(test_the_summary_counts_reasons_the_most_frequent_first),
		TEST(test_what_fits_best_is_taken),
		TEST(test_equals_go_by_name),
		TEST(test_pods_that_ask_for_nothing_go_where_few_are),
		TEST(test_replicas_are_spread_over_nodes_then_zones),
		TEST(test_a_pod_on_its_way_out_no_longer_counts_for_spread),
		TEST(test_a_lost_zone_does_not_hold_up_the_others),
		TEST(test_a_class_that_slept_long_knows_what_has_changed),
		TEST(test_strong_places_stay_free_for_who_needs_them),
		TEST(test_a_shunned_node_is_the_last_resort),
		TEST(test_the_node_with_the_data_is_the_only_one),
		TEST(test_a_pod_counts_once_wherever_it_is_heard_of),
		TEST(test_a_copy_is_a_world_of_its_own),
		TEST(test_too_many_topologies_are_refused),
	};

	return cmocka_run_group_tests_name("placement", tests, NULL, NULL);
}
