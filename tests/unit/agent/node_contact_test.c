/* tests/unit/agent/node_contact_test.c: what may run while the control plane is out of reach, as times alone decide. */
#include "tests/unit/unit.h"

#include "agent/node-internal.h"

#define S 1000000000ll
#define T (40 * S)

/* A step: what happens at a second, and what may run right after. */
enum what { LOOK, RENEWED, CREATED, FAILED, SYNCED };
struct step {
	int64_t at, sent; /* seconds */
	enum what what;
	enum pods_contact now;
	bool relist;
};

static void play(struct contact *c, const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct step *s = &steps[i];
		bool relist = false;
		int64_t next;
		if (s->what == RENEWED || s->what == CREATED)
			relist = contact_renewed(c, s->at * S, s->sent * S, T, s->what == CREATED);
		else if (s->what == FAILED)
			contact_failed(c);
		else if (s->what == SYNCED)
			contact_synced(c);
		enum pods_contact now = contact_decide(c, s->at * S, &next);
		if (now != s->now || relist != s->relist)
			print_error("step %zu: state %d, list anew %d\n", i, now, relist);
		assert_int_equal(now, s->now);
		assert_int_equal(relist, s->relist);
		if (next != 0)
			assert_true(next > s->at * S);
	}
}
#define PLAY(c, ...)                                                                               \
	do {                                                                                       \
		static const struct step steps_[] = { __VA_ARGS__ };                               \
		play(&(c), steps_, ARRAY_LEN(steps_));                                             \
	} while (0)

static void test_nothing_is_free_before_the_first_list_is_whole(void **state)
{
	struct contact c = { .stale = true };

	(void)state;
	PLAY(c, { 0, 0, LOOK, PODS_ALONE, false }, { 1, 1, CREATED, PODS_ALONE, false }, { 2, 0, SYNCED, PODS_FREE, false });
}

static void test_a_failed_renewal_is_alone_until_the_lease_runs_out(void **state)
{
	struct contact c = { .stale = true };

	(void)state;
	PLAY(c, { 10, 9, CREATED, PODS_ALONE, false }, { 10, 0, SYNCED, PODS_FREE, false },
	     { 22, 0, FAILED, PODS_ALONE, false }, { 49, 0, LOOK, PODS_ALONE, false }, { 50, 0, LOOK, PODS_FENCED, false },
	     { 500, 0, LOOK, PODS_FENCED, false });
}

static void test_the_lease_counts_from_when_the_request_was_sent(void **state)
{
	struct contact c = { .stale = true };

	(void)state;
	/* The answer took 30 seconds: 10 are left. */
	PLAY(c, { 30, 0, CREATED, PODS_ALONE, false }, { 30, 0, SYNCED, PODS_FREE, false },
	     { 40, 0, LOOK, PODS_FREE, false }, { 41, 0, LOOK, PODS_FENCED, false });
}

static void test_after_a_lost_lease_nothing_starts_before_a_new_list(void **state)
{
	struct contact c = { .stale = true };

	(void)state;
	PLAY(c, { 0, 0, CREATED, PODS_ALONE, false }, { 1, 0, SYNCED, PODS_FREE, false }, { 41, 0, LOOK, PODS_FENCED, false },
	     { 60, 60, RENEWED, PODS_FENCED, true }, { 61, 0, SYNCED, PODS_FREE, false });
}

static void test_a_lease_that_the_server_forgot_is_made_anew_and_lists_again(void **state)
{
	struct contact c = { .stale = true };

	(void)state;
	PLAY(c, { 0, 0, CREATED, PODS_ALONE, false }, { 1, 0, SYNCED, PODS_FREE, false }, { 13, 13, CREATED, PODS_ALONE, true },
	     { 14, 0, SYNCED, PODS_FREE, false });
}

static void test_the_lease_of_the_program_before_still_counts(void **state)
{
	struct contact c = { .stale = true, .lease_end = 30 * S };

	(void)state;
	PLAY(c, { 10, 0, LOOK, PODS_ALONE, false }, { 31, 0, LOOK, PODS_FENCED, false },
	     { 32, 32, RENEWED, PODS_FENCED, false }, { 33, 0, SYNCED, PODS_FREE, false });
}

static void test_renewals_that_arrive_keep_it_free(void **state)
{
	struct contact c = { .stale = true };

	(void)state;
	PLAY(c, { 0, 0, CREATED, PODS_ALONE, false }, { 1, 0, SYNCED, PODS_FREE, false }, { 13, 13, RENEWED, PODS_FREE, false },
	     { 26, 0, FAILED, PODS_ALONE, false }, { 29, 29, RENEWED, PODS_FREE, false }, { 69, 0, LOOK, PODS_FREE, false });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_free_before_the_first_list_is_whole),
		cmocka_unit_test(test_a_failed_renewal_is_alone_until_the_lease_runs_out),
		cmocka_unit_test(test_the_lease_counts_from_when_the_request_was_sent),
		cmocka_unit_test(test_after_a_lost_lease_nothing_starts_before_a_new_list),
		cmocka_unit_test(test_a_lease_that_the_server_forgot_is_made_anew_and_lists_again),
		cmocka_unit_test(test_the_lease_of_the_program_before_still_counts),
		cmocka_unit_test(test_renewals_that_arrive_keep_it_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
