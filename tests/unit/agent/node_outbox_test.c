/* tests/unit/agent/node_outbox_test.c: what waits to be told to the API: newest state only, bounded, in order. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/node-internal.h"

static struct outbox *box;

static int setup(void **state)
{
	(void)state;
	box = outbox_new();
	return box ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	outbox_free(box);
	return 0;
}

static void put(enum out_kind kind, const char *uid, const char *reason, const char *body)
{
	outbox_put(box, (struct out_item){
		.kind = kind, .about = "Pod", .namespace = strdup("default"), .name = strdup("web"), .uid = strdup(uid),
		.reason = reason ? strdup(reason) : NULL, .body = body ? strdup(body) : NULL, .count = 1, .last = 7,
	});
}

static void take(enum out_kind kind, const char *uid, const char *body, int count)
{
	struct out_item *i = outbox_take(box);

	assert_non_null(i);
	assert_int_equal(i->kind, kind);
	assert_string_equal(i->uid, uid);
	if (body)
		assert_string_equal(i->body, body);
	assert_int_equal(i->count, count);
	outbox_item_free(i);
}

static void test_several_changes_of_one_pod_become_the_newest(void **state)
{
	(void)state;
	put(OUT_POD_STATUS, "a", NULL, "1");
	put(OUT_POD_STATUS, "b", NULL, "1");
	put(OUT_POD_STATUS, "a", NULL, "2");
	put(OUT_POD_STATUS, "a", NULL, "3");
	assert_int_equal(outbox_length(box), 2);
	take(OUT_POD_STATUS, "a", "3", 1);
	take(OUT_POD_STATUS, "b", "1", 1);
}

static void test_a_status_is_told_before_the_deletion_that_follows_it(void **state)
{
	(void)state;
	put(OUT_POD_STATUS, "a", NULL, "ended");
	put(OUT_POD_DELETE, "a", NULL, NULL);
	put(OUT_POD_DELETE, "a", NULL, NULL);
	take(OUT_POD_STATUS, "a", "ended", 1);
	take(OUT_POD_DELETE, "a", NULL, 1);
	assert_int_equal(outbox_length(box), 0);
}

static void test_equal_events_count_up_and_others_do_not(void **state)
{
	(void)state;
	put(OUT_EVENT, "a", "BackOff", "again");
	put(OUT_EVENT, "a", "BackOff", "again");
	put(OUT_EVENT, "a", "BackOff", "otherwise");
	put(OUT_EVENT, "b", "BackOff", "again");
	take(OUT_EVENT, "a", "again", 2);
	take(OUT_EVENT, "a", "otherwise", 1);
	take(OUT_EVENT, "b", "again", 1);
}

static void test_too_many_events_drop_the_oldest_and_count_them(void **state)
{
	char text[32];

	(void)state;
	put(OUT_POD_STATUS, "a", NULL, "1");
	for (int i = 0; i < OUTBOX_EVENTS_MAX + 3; i++) {
		snprintf(text, sizeof(text), "%d", i);
		put(OUT_EVENT, "a", "Pulled", text);
	}
	assert_int_equal(outbox_dropped(box), 3);
	assert_int_equal(outbox_length(box), OUTBOX_EVENTS_MAX + 1);
	take(OUT_POD_STATUS, "a", "1", 1);
	take(OUT_EVENT, "a", "3", 1);
}

static void test_what_failed_comes_first_again_unless_a_newer_one_waits(void **state)
{
	(void)state;
	put(OUT_POD_STATUS, "a", NULL, "1");
	put(OUT_POD_STATUS, "b", NULL, "1");
	struct out_item *failed = outbox_take(box);
	outbox_return(box, failed);
	take(OUT_POD_STATUS, "a", "1", 1);
	failed = outbox_take(box);
	put(OUT_POD_STATUS, "b", NULL, "2");
	outbox_return(box, failed);
	take(OUT_POD_STATUS, "b", "2", 1);
	assert_int_equal(outbox_length(box), 0);
	/* The last one that was put is still found behind one that came back. */
	put(OUT_EVENT, "a", "x", "1");
	failed = outbox_take(box);
	outbox_return(box, failed);
	put(OUT_EVENT, "a", "x", "2");
	take(OUT_EVENT, "a", "1", 1);
	take(OUT_EVENT, "a", "2", 1);
}

static void *end_later(void *arg)
{
	outbox_end(arg);
	return NULL;
}

static void test_whoever_waits_is_woken_by_the_end(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, end_later, box), 0);
	assert_null(outbox_take(box));
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_several_changes_of_one_pod_become_the_newest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_status_is_told_before_the_deletion_that_follows_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_equal_events_count_up_and_others_do_not, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_events_drop_the_oldest_and_count_them, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_failed_comes_first_again_unless_a_newer_one_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whoever_waits_is_woken_by_the_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
