/* tests/unit/scheduler/worklist_test.c: keys that wait, are held, and come again. */
#include "scheduler/worklist.h"

#include "tests/unit/scheduler/loop-fake.h"

static void note(const char *key, void *user)
{
	str_addf(user, "%s ", key);
}

static void test_keys_come_once_in_order_not_while_held_and_later_after_failures(void **state)
{
	(void)state;
	auto_str struct str seen = STR_INIT(1024);
	struct loop *l;
	struct worklist *w;

	assert_ok(loop_new(&l));
	assert_ok(worklist_new(l, note, &seen, &w));
	worklist_add(w, "b");
	worklist_add(w, "a");
	worklist_add(w, "b");
	loop_settle(l);
	assert_string_equal(seen.data, "b a ");
	worklist_hold(w, "a");
	worklist_hold(w, "a");
	worklist_add(w, "a");
	worklist_release(w, "a");
	loop_settle(l);
	assert_string_equal(seen.data, "b a ");
	worklist_release(w, "a");
	loop_settle(l);
	assert_string_equal(seen.data, "b a a ");
	assert_int_equal(worklist_failed(w, "c"), 1);
	loop_pass(l, (int64_t)NSEC_PER_SEC - 1);
	assert_string_equal(seen.data, "b a a ");
	loop_pass(l, 2);
	assert_string_equal(seen.data, "b a a c ");
	assert_true(worklist_went_well(w, "c"));
	worklist_free(w);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_come_once_in_order_not_while_held_and_later_after_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
