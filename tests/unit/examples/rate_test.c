/* tests/unit/examples/rate_test.c: buckets empty and fill again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "examples/rate.h"

#define SECOND ((int64_t)NSEC_PER_SEC)

static void test_a_burst_passes_and_the_next_must_wait(void **state UNUSED)
{
	struct bucket b = { 0 };
	int64_t now = 1000 * SECOND;

	for (int i = 0; i < 5; i++)
		assert_true(bucket_take(&b, 5, 60 * SECOND, now));
	assert_false(bucket_take(&b, 5, 60 * SECOND, now));
	assert_int_equal(bucket_wait(&b, 5, 60 * SECOND, now), 60);
	assert_int_equal(bucket_wait(&b, 5, 60 * SECOND, now + 30 * SECOND), 30);
	assert_true(bucket_take(&b, 5, 60 * SECOND, now + 60 * SECOND));
	assert_false(bucket_take(&b, 5, 60 * SECOND, now + 60 * SECOND));
	bucket_return(&b, 60 * SECOND);
	assert_true(bucket_take(&b, 5, 60 * SECOND, now + 60 * SECOND));
}

static void test_a_long_pause_fills_no_more_than_a_burst(void **state UNUSED)
{
	struct bucket b = { 0 };
	int64_t now = 1000 * SECOND;

	assert_true(bucket_take(&b, 2, SECOND, now));
	now += 3600 * SECOND;
	assert_true(bucket_take(&b, 2, SECOND, now));
	assert_true(bucket_take(&b, 2, SECOND, now));
	assert_false(bucket_take(&b, 2, SECOND, now));
}

static void test_names_have_buckets_of_their_own(void **state UNUSED)
{
	auto_rate struct rate *r = rate_new(1, 3600 * SECOND);
	bool other = false;

	assert_non_null(r);
	assert_true(rate_take(r, "erika"));
	assert_false(rate_take(r, "erika"));
	assert_true(rate_wait(r, "erika") > 3000);
	/* Of a few names, one may share a bucket with erika; all cannot. */
	for (char name[] = "a"; name[0] <= 'h'; name[0]++)
		other = rate_take(r, name) || other;
	assert_true(other);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_passes_and_the_next_must_wait),
		cmocka_unit_test(test_a_long_pause_fills_no_more_than_a_burst),
		cmocka_unit_test(test_names_have_buckets_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
