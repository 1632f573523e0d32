/* tests/unit/agent/reserve_test.c: what a node keeps for the machine itself. */
#include "agent/reserve.h"

#include "tests/unit/unit.h"

#define MIB ((int64_t)1 << 20)
#define GIB ((int64_t)1 << 30)

static void test_the_reserve_grows_with_the_machine(void **state)
{
	(void)state;
	static const struct {
		unsigned cpus;
		int64_t memory;
		struct reserve r;
	} rows[] = {
		{ 1, 256 * MIB, { 100, 64 * MIB } },	 { 1, 1 * GIB, { 100, 128 * MIB } },
		{ 2, 4 * GIB, { 100, 409 * MIB } },	 { 4, 8 * GIB, { 200, 614 * MIB } },
		{ 16, 64 * GIB, { 800, 2007 * MIB } }, { 256, 1024 * GIB, { 2000, 12492 * MIB } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reserve r;
		reserve_by_size(rows[i].cpus, rows[i].memory, &r);
		if (r.cpu != rows[i].r.cpu || r.memory != rows[i].r.memory)
			fail_msg("%u, %lld MiB: %lldm, %lld MiB", rows[i].cpus, (long long)(rows[i].memory / MIB), (long long)r.cpu,
				 (long long)(r.memory / MIB));
	}
}

static void test_words_of_kubernetes_are_read(void **state)
{
	(void)state;
	struct reserve r = { RESERVE_BY_SIZE, RESERVE_BY_SIZE };

	assert_ok(reserve_parse("memory=1Gi", &r));
	assert_int_equal(r.cpu, RESERVE_BY_SIZE);
	assert_int_equal(r.memory, GIB);
	assert_ok(reserve_parse("cpu=500m,memory=0", &r));
	assert_int_equal(r.cpu, 500);
	assert_int_equal(r.memory, 0);
	assert_err(reserve_parse("cpu", &r), "'cpu' is no NAME=AMOUNT such as cpu=500m or memory=1Gi");
	assert_err(reserve_parse("cpu=many", &r), "'cpu=many' is no NAME=AMOUNT such as cpu=500m or memory=1Gi");
	assert_err(reserve_parse("cpu=1,pid=100", &r), "'pid' cannot be reserved: cpu and memory can");
	assert_int_equal(r.cpu, 500);
}

static void test_a_machine_cannot_keep_more_than_it_has(void **state)
{
	(void)state;
	struct reserve none = { 0, 0 }, cpu = { 2000, 0 }, memory = { 0, GIB }, usual = { RESERVE_BY_SIZE, RESERVE_BY_SIZE };

	assert_ok(reserve_decide(2, GIB, &none));
	assert_int_equal(none.cpu + none.memory, 0);
	assert_err(reserve_decide(2, GIB, &cpu),
		   "2000m of processors are reserved, and the machine has 2: nothing is left for Pods");
	assert_err(reserve_decide(2, GIB, &memory), "1073741824 bytes of memory are reserved, and the machine has 1073741824: "
						     "nothing is left for Pods");
	assert_ok(reserve_decide(2, GIB, &usual));
	assert_int_equal(usual.cpu, 100);
	assert_int_equal(usual.memory, 128 * MIB);
}

static void test_what_is_left_is_what_pods_may_take_together(void **state)
{
	(void)state;
	const struct reserve usual = { 100, 128 * MIB }, none = { 0, 0 }, much = { 1900, 0 };
	struct slice_values v;

	reserve_share(2, GIB, 30000, &usual, &v);
	assert_int_equal(v.memory_max, GIB - 128 * MIB);
	assert_int_equal(v.memory_low, -1);
	assert_int_equal(v.cpu_quota, -1);
	/* 1900 to 100: against system.slice alone, 1.9 of two processors. */
	assert_int_equal(v.cpu_weight, 1900);
	assert_int_equal(v.pids_max, 27000);
	reserve_share(2, GIB, 0, &none, &v);
	assert_int_equal(v.memory_max, -1);
	assert_int_equal(v.cpu_weight, 10000);
	assert_int_equal(v.pids_max, -1);
	reserve_share(2, GIB, 0, &much, &v);
	assert_int_equal(v.cpu_weight, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_reserve_grows_with_the_machine),
		cmocka_unit_test(test_words_of_kubernetes_are_read),
		cmocka_unit_test(test_a_machine_cannot_keep_more_than_it_has),
		cmocka_unit_test(test_what_is_left_is_what_pods_may_take_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
