/* tests/unit/scheduler/index_test.c: the ordered set, against a plain sorted list. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/index.h"

enum { NAMES = 400 };

static bool list(void *value, void *user)
{
	str_addf(user, "%s ", (const char *)value);
	return true;
}

static bool first(void *value, void *user)
{
	*(const char **)user = value;
	return false;
}

static void test_keys_are_walked_in_order_from_a_key_on(void **state)
{
	(void)state;
	static const char *const keys[] = { "b\1web", "a\1web", "a-b\1web", "a\1app", "a\1zoo", "ab\1x" };
	static const struct {
		const char *prefix, *after, *expected;
	} rows[] = {
		{ "", NULL, "a\1app a\1web a\1zoo a-b\1web ab\1x b\1web " },
		{ "a\1", NULL, "a\1app a\1web a\1zoo " },
		{ "a\1", "a\1app", "a\1web a\1zoo " },
		{ "a\1", "a\1b", "a\1web a\1zoo " },
		{ "a\1", "a\1zoo", "" },
		{ "", "a\1zoo", "a-b\1web ab\1x b\1web " },
		{ "c", NULL, "" },
		{ "a\1", "", "a\1app a\1web a\1zoo " },
	};
	struct index ix = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		index_put(&ix, keys[i], (void *)(uintptr_t)keys[i]);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str told = STR_INIT(4096);

		index_each(&ix, rows[i].prefix, rows[i].after, list, &told);
		assert_string_equal(told.data, rows[i].expected);
	}
	const char *one = NULL;
	index_each(&ix, "a", NULL, first, &one);
	assert_string_equal(one, "a\1app");
	index_done(&ix);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void test_any_order_of_putting_and_removing_gives_the_sorted_list(void **state)
{
	(void)state;
	static char names[NAMES][16];
	const char *there[NAMES];
	struct index ix = { 0 };
	unsigned seed = 7;
	size_t count = 0;

	for (int i = 0; i < NAMES; i++)
		snprintf(names[i], sizeof(names[i]), "n%d", i);
	for (int round = 0; round < 4000; round++) {
		char *name = names[rand_r(&seed) % NAMES];
		bool was = index_get(&ix, name) != NULL;

		if (rand_r(&seed) % 3) {
			index_put(&ix, name, name);
			assert_ptr_equal(index_get(&ix, name), name);
		} else {
			assert_ptr_equal(index_remove(&ix, name), was ? name : NULL);
			assert_null(index_get(&ix, name));
		}
	}
	for (int i = 0; i < NAMES; i++)
		if (index_get(&ix, names[i]))
			there[count++] = names[i];
	assert_int_equal(ix.count, count);
	qsort(there, count, sizeof(*there), compare);

	auto_str struct str expected = STR_INIT(1 << 16), told = STR_INIT(1 << 16);
	for (size_t i = 0; i < count; i++)
		str_addf(&expected, "%s ", there[i]);
	index_each(&ix, "", NULL, list, &told);
	assert_string_equal(told.data, expected.data);
	index_done(&ix);
	assert_int_equal(ix.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_are_walked_in_order_from_a_key_on),
		cmocka_unit_test(test_any_order_of_putting_and_removing_gives_the_sorted_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
