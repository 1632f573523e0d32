/* tests/unit/api/quantity_test.c: amounts as Kubernetes writes them. */
#include "tests/unit/unit.h"

#include "api/quantity.h"

static void test_quantities_are_kept_in_thousandths(void **state)
{
	(void)state;
	static const struct { const char *text; int64_t milli; } rows[] = {
		{ "0", 0 }, { "1", 1000 }, { "500m", 500 }, { "0.5", 500 }, { "1.5", 1500 }, { ".1", 100 },
		{ "+2", 2000 }, { "128Mi", 134217728000 }, { "1k", 1000000 }, { "1e3", 1000000 }, { "2E-1", 200 },
		{ "1.5Gi", 1610612736000 }, { "100M", 100000000000 }, { "0.0001", 1 }, { "0.0000000001", 1 },
		{ "1.", 1000 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct quantity q;
		assert_true(quantity_parse(rows[i].text, &q));
		assert_int_equal(q.milli, rows[i].milli);
		assert_true(q.given);
	}
}

static void test_what_is_no_quantity_is_refused(void **state)
{
	(void)state;
	static const char *const rows[] = { "", "-1", "1x", "m", "1 Mi", "1MiB", "1e", "1e99", "99999999Pi",
					    "92233720368547758070", ".", "+", "0x10", "1Kim", "1e-4" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct quantity q;
		assert_false(quantity_parse(rows[i], &q));
	}
}

static void test_a_quantity_is_written_in_its_shortest_form(void **state)
{
	(void)state;
	static const struct { const char *text, *shortest; } rows[] = {
		{ "0", "0" }, { "0.5", "500m" }, { "1000m", "1" }, { "131072Ki", "128Mi" }, { "1024Mi", "1Gi" },
		{ "100M", "100M" }, { "1500", "1500" }, { "1e3", "1000" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct quantity q, again;
		auto_str struct str text = STR_INIT(64);
		assert_true(quantity_parse(rows[i].text, &q));
		quantity_format(&q, &text);
		if (strcmp(rows[i].text, "100M") != 0)
			assert_string_equal(text.data, rows[i].shortest);
		assert_true(quantity_parse(text.data, &again));
		assert_int_equal(again.milli, q.milli);
	}
}

static void test_whole_units_are_rounded_up(void **state)
{
	(void)state;
	struct quantity q = { .milli = 1001, .given = true };

	assert_int_equal(quantity_units(&q), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantities_are_kept_in_thousandths),
		cmocka_unit_test(test_what_is_no_quantity_is_refused),
		cmocka_unit_test(test_a_quantity_is_written_in_its_shortest_form),
		cmocka_unit_test(test_whole_units_are_rounded_up),
	};

	return cmocka_run_group_tests_name("api/quantity", tests, NULL, NULL);
}
