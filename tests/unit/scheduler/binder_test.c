/* tests/unit/scheduler/binder_test.c: Pods find their nodes, or wait and are told why. */
#include "tests/unit/scheduler/cluster.h"

static int set_up(void **state)
{
	cluster_set_up(state);
	struct cluster *c = *state;
	assert_ok(binder_new(&c->s, &c->s.binder));
	return 0;
}

static bool has_events(struct cluster *c)
{
	return *cluster_events(c, c->pod);
}

static void assert_events(struct cluster *c, const char *pod, const char *text)
{
	c->pod = pod;
	cluster_until(c, has_events);
	assert_string_equal(cluster_events(c, pod), text);
}

static void test_a_pod_goes_to_a_node_and_its_event_says_so(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_pod(c, "web", "500m", "100Mi");
	assert_string_equal(cluster_bound(c, "web"), "a");
	assert_events(c, "web", "Normal Scheduled: Successfully assigned default/web to a x1\n");
	assert_int_equal(binder_waiting(c->s.binder), 0);
	assert_null(cluster_refusal(c, "web"));
}

static void test_a_pod_that_fits_nowhere_is_told_why_and_waits_for_a_node(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_pod(c, "web", "2", "100Mi");
	assert_string_equal(cluster_refused(c, "web"), "0 of 1 nodes fit: 1 not enough cpu");
	assert_events(c, "web", "Warning FailedScheduling: 0 of 1 nodes fit: 1 not enough cpu x1\n");
	assert_int_equal(binder_waiting(c->s.binder), 1);
	cluster_node(c, "b", "2", "1Gi", "");
	assert_string_equal(cluster_bound(c, "web"), "b");
	assert_int_equal(binder_waiting(c->s.binder), 0);
}

static void test_the_same_reason_is_told_once_whatever_its_figures(void **state)
{
	struct cluster *c = *state;

	cluster_pod(c, "web", "2", "100Mi");
	assert_string_equal(cluster_refused(c, "web"), "there are no nodes");
	cluster_node(c, "a", "1", "1Gi", "");
	cluster_node(c, "b", "1", "1Gi", "");
	cluster_node(c, "c", "1", "1Gi", "");
	cluster_node(c, "d", "2", "1Gi", "");
	assert_string_equal(cluster_bound(c, "web"), "d");
	cluster_pod(c, "marker", "1m", "1Mi");
	assert_string_equal(cluster_bound(c, "marker"), "a");
	/* None there, then one that has not reported, then too small: each once, however many nodes. */
	const char *at = cluster_events(c, "web");
	int failures = 0;
	while ((at = strstr(at, "FailedScheduling"))) {
		failures++;
		at++;
	}
	assert_int_equal(failures, 3);
	assert_null(strstr(cluster_events(c, "web"), "x2"));
}

static void test_a_place_that_becomes_free_goes_to_who_waited_longest(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_pod(c, "zz-holder", "1", "1Mi");
	assert_string_equal(cluster_bound(c, "zz-holder"), "a");
	cluster_pod(c, "zz-first", "1", "1Mi");
	cluster_refused(c, "zz-first");
	cluster_pod(c, "aa-second", "1", "1Mi");
	cluster_refused(c, "aa-second");
	cluster_delete(c, KIND_POD, "zz-holder");
	assert_string_equal(cluster_bound(c, "zz-first"), "a");
	assert_null(cluster_node_of(c, "aa-second"));
	/* One that is over holds nothing. */
	cluster_patch(c, KIND_POD, "zz-first", "status", "{\"status\":{\"phase\":\"Succeeded\"}}");
	assert_string_equal(cluster_bound(c, "aa-second"), "a");
}

static void test_a_node_that_is_uncordoned_takes_who_waits(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_patch(c, KIND_NODE, "a", NULL, "{\"spec\":{\"unschedulable\":true}}");
	cluster_pod(c, "web", "1", "1Mi");
	assert_string_equal(cluster_refused(c, "web"), "0 of 1 nodes fit: 1 cordoned");
	cluster_patch(c, KIND_NODE, "a", NULL, "{\"spec\":{\"unschedulable\":false}}");
	assert_string_equal(cluster_bound(c, "web"), "a");
}

static const char claim[] = "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":\"data\"},"
			    "\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],"
			    "\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}}}";
static const char volume[] = ",\"volumes\":[{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"data\"}}]";

static void test_a_pod_waits_for_its_claim_and_then_follows_the_data(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_create(c, cluster_pod_text(c, "first", "600m", "1Mi", "", volume));
	assert_string_equal(cluster_refused(c, "first"), "claim 'data' is not there");
	cluster_create(c, claim);
	assert_string_equal(cluster_bound(c, "first"), "a");
	const struct pod *first = cluster_get_pod(c, "first");
	assert_string_equal(binder_claim_node(&c->s, first), "a");
	/* The other node would fit better, but the data is here. */
	cluster_node(c, "b", "500m", "1Gi", "");
	cluster_create(c, cluster_pod_text(c, "second", "100m", "1Mi", "", volume));
	assert_string_equal(cluster_bound(c, "second"), "a");
	cluster_create(c, cluster_pod_text(c, "third", "500m", "1Mi", "", volume));
	assert_string_equal(cluster_refused(c, "third"),
			    "0 of 2 nodes fit: 1 the volume's data is elsewhere, 1 not enough cpu");
}

static bool all_bound(struct cluster *c)
{
	return binder_waiting(c->s.binder) == 0;
}

static void test_many_pods_are_bound_in_batches_none_twice_none_too_many(void **state)
{
	struct cluster *c = *state;
	enum { PODS = 300 };

	for (int i = 0; i < 5; i++)
		cluster_node(c, arena_printf(c->a, "n%d", i), "6", "6Gi", "");
	cluster_wanted = c->answers + PODS;
	for (int i = 0; i < PODS; i++)
		cluster_submit(c, cluster_pod_text(c, arena_printf(c->a, "p%03d", i), "100m", "64Mi", "", ""));
	cluster_until(c, cluster_answered);
	cluster_until(c, all_bound);
	int on[5] = { 0 };
	for (int i = 0; i < PODS; i++)
		on[cluster_node_of(c, arena_printf(c->a, "p%03d", i))[1] - '0']++;
	for (int i = 0; i < 5; i++)
		assert_int_equal(on[i], 60);
}

/* A label that the store has, and the binder has not yet heard of, makes the binding fail: it comes again. */
static void test_a_binding_that_came_too_late_is_tried_again(void **state)
{
	struct cluster *c = *state;
	static const char patch[] = "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}";
	const struct write w = { .done = cluster_answer, .user = c };

	cluster_node(c, "a", "1", "1Gi", "");
	for (int i = 0; i < 20; i++) {
		const char *name = arena_printf(c->a, "p%d", i);
		cluster_pod(c, name, "10m", "1Mi");
		assert_ok(objects_patch(c->s.objects, &kinds[KIND_POD], "default", name, patch, strlen(patch), &w));
		assert_string_equal(cluster_bound(c, name), "a");
	}
	assert_int_equal(binder_waiting(c->s.binder), 0);
}

static void test_who_is_deleted_while_it_waits_is_forgotten(void **state)
{
	struct cluster *c = *state;

	cluster_pod(c, "web", "1", "1Mi");
	cluster_refused(c, "web");
	cluster_delete(c, KIND_POD, "web");
	assert_int_equal(binder_waiting(c->s.binder), 0);
	cluster_node(c, "a", "1", "1Gi", "");
	cluster_pod(c, "next", "1", "1Mi");
	assert_string_equal(cluster_bound(c, "next"), "a");
}

static void test_after_a_restart_all_is_counted_and_who_waited_goes_on(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_pod(c, "first", "600m", "1Mi");
	assert_string_equal(cluster_bound(c, "first"), "a");
	cluster_pod(c, "second", "600m", "1Mi");
	cluster_refused(c, "second");
	cluster_close(c);
	cluster_open(c);
	assert_ok(binder_new(&c->s, &c->s.binder));
	assert_int_equal(binder_waiting(c->s.binder), 1);
	cluster_pod(c, "third", "400m", "1Mi");
	assert_string_equal(cluster_bound(c, "third"), "a");
	assert_null(cluster_node_of(c, "second"));
	cluster_delete(c, KIND_POD, "first");
	assert_string_equal(cluster_bound(c, "second"), "a");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, cluster_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_pod_goes_to_a_node_and_its_event_says_so),
		TEST(test_a_pod_that_fits_nowhere_is_told_why_and_waits_for_a_node),
		TEST(test_the_same_reason_is_told_once_whatever_its_figures),
		TEST(test_a_place_that_becomes_free_goes_to_who_waited_longest),
		TEST(test_a_node_that_is_uncordoned_takes_who_waits),
		TEST(test_a_pod_waits_for_its_claim_and_then_follows_the_data),
		TEST(test_many_pods_are_bound_in_batches_none_twice_none_too_many),
		TEST(test_a_binding_that_came_too_late_is_tried_again),
		TEST(test_who_is_deleted_while_it_waits_is_forgotten),
		TEST(test_after_a_restart_all_is_counted_and_who_waited_goes_on),
	};

	return cmocka_run_group_tests_name("binder", tests, NULL, NULL);
}
