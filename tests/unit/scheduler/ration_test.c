/* tests/unit/scheduler/ration_test.c: how many Events a node may make. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "scheduler/ration.h"

#define SECOND ((int64_t)NSEC_PER_SEC)

static int taken(struct ration *r, const char *node, int64_t now)
{
	int count = 0;
	err *e = NULL;

	while (count < 2 * RATION_BURST && !(e = ration_take(r, node, now)))
		count++;
	if (e)
		assert_int_equal(e->code, EBUSY);
	err_free(e);
	return count;
}

static void test_a_node_has_its_burst_and_then_a_few_each_second(void **state)
{
	(void)state;
	CLEANUP(ration_free) struct ration *r = NULL;

	assert_ok(ration_new(&r));
	assert_int_equal(taken(r, "a", SECOND), RATION_BURST);
	assert_err(ration_take(r, "a", SECOND),
		   "node 'a' has told 1000 events at once; it may tell 5 a second");
	assert_int_equal(taken(r, "a", SECOND + SECOND / RATION_A_SECOND), 1);
	assert_int_equal(taken(r, "a", 11 * SECOND), 10 * RATION_A_SECOND - 1);
	assert_int_equal(taken(r, "a", 1000000 * SECOND), RATION_BURST);
}

static void test_one_node_takes_nothing_from_another(void **state)
{
	(void)state;
	CLEANUP(ration_free) struct ration *r = NULL;

	assert_ok(ration_new(&r));
	assert_int_equal(taken(r, "a", SECOND), RATION_BURST);
	assert_int_equal(taken(r, "ab", SECOND), RATION_BURST);
}

static void test_long_work_is_paid_for_with_four_times_its_time(void **state)
{
	(void)state;
	CLEANUP(ration_free) struct ration *r = NULL;

	assert_ok(ration_new(&r));
	assert_int_equal(ration_ready_at(r, "a", 10 * SECOND), 0);
	ration_cost(r, "a", 11 * SECOND, SECOND);
	assert_int_equal(ration_ready_at(r, "a", 14 * SECOND), 15 * SECOND);
	assert_int_equal(ration_ready_at(r, "b", 14 * SECOND), 0);
	assert_int_equal(ration_ready_at(r, "a", 15 * SECOND), 0);
	assert_int_equal(taken(r, "a", 15 * SECOND), RATION_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_node_has_its_burst_and_then_a_few_each_second),
		cmocka_unit_test(test_long_work_is_paid_for_with_four_times_its_time),
		cmocka_unit_test(test_one_node_takes_nothing_from_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
