/* tests/unit/examples/filenumber_test.c: file numbers notice what people mistype. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "examples/filenumber.h"

static const char symbols[] = "0123456789ACDEFGHJKMNPQRSTVWXYZ";

static void make(char out[static FILENUMBER_SIZE])
{
	auto_err err *e = filenumber_new("KG", 2026, out);

	assert_null(e);
}

static void test_a_number_has_kind_year_ten_characters_and_a_check(void **state UNUSED)
{
	static const uint8_t random[10] = { 0, 1, 2, 30, 31, 61, 8, 10, 11, 12 };
	char number[FILENUMBER_SIZE];

	filenumber_format("GZ", 2026, random, number);
	assert_string_equal(number, "GZ-2026-012Z0-Z8ACD-8");
}

static void test_what_was_made_is_read_back(void **state UNUSED)
{
	for (int i = 0; i < 1000; i++) {
		char number[FILENUMBER_SIZE], again[FILENUMBER_SIZE];

		make(number);
		assert_true(filenumber_parse(number, again));
		assert_string_equal(number, again);
	}
}

static void test_two_numbers_are_different(void **state UNUSED)
{
	char one[FILENUMBER_SIZE], two[FILENUMBER_SIZE];

	make(one);
	make(two);
	assert_string_not_equal(one, two);
}

static void test_every_single_wrong_character_is_noticed(void **state UNUSED)
{
	char number[FILENUMBER_SIZE], again[FILENUMBER_SIZE];

	make(number);
	for (size_t i = 0; number[i]; i++) {
		char right = number[i];

		for (const char *wrong = symbols; *wrong && right != '-'; wrong++) {
			number[i] = *wrong;
			assert_int_equal(filenumber_parse(number, again), *wrong == right);
		}
		number[i] = right;
	}
}

static void test_every_exchange_of_two_characters_is_noticed(void **state UNUSED)
{
	char number[FILENUMBER_SIZE], again[FILENUMBER_SIZE];

	make(number);
	for (size_t i = 0; number[i]; i++)
		for (size_t j = i + 1; number[j]; j++) {
			char a = number[i], b = number[j];

			if (a == b || a == '-' || b == '-')
				continue;
			number[i] = b;
			number[j] = a;
			assert_false(filenumber_parse(number, again));
			number[i] = a;
			number[j] = b;
		}
}

static void test_people_may_type_it_their_way(void **state UNUSED)
{
	static const struct {
		const char *typed;
		const char *read; /* NULL: refused */
	} rows[] = {
		{ "GZ-2026-012Z0-Z8ACD-8", "GZ-2026-012Z0-Z8ACD-8" },
		{ "gz2026012z0z8acd8", "GZ-2026-012Z0-Z8ACD-8" },
		{ " gz 2026 o12zO zbacd 8 ", "GZ-2026-012Z0-Z8ACD-8" },
		{ "GZ-2026-0I2Z0-Z8ACD-8", "GZ-2026-012Z0-Z8ACD-8" },
		{ "GZ-2026-0l2Z0-Z8ACD-8", "GZ-2026-012Z0-Z8ACD-8" },
		{ "GZ-2026-012Z0-Z8ACD-9", NULL },
		{ "GZ-2026-012Z0-Z8ACD", NULL },
		{ "GZ-2026-012Z0-Z8ACD-88", NULL },
		{ "00-2026-012Z0-Z8ACD-8", NULL },
		{ "GZ-2O2A-012Z0-Z8ACD-8", NULL },
		{ "", NULL },
		{ "' OR 1=1 --", NULL },
		{ "GZ-2026-012Z0-Z8ACD-\xc3\xa4", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char number[FILENUMBER_SIZE] = "";
		bool good = filenumber_parse(rows[i].typed, number);

		assert_int_equal(good, rows[i].read != NULL);
		if (good)
			assert_string_equal(number, rows[i].read);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_number_has_kind_year_ten_characters_and_a_check),
		cmocka_unit_test(test_what_was_made_is_read_back),
		cmocka_unit_test(test_two_numbers_are_different),
		cmocka_unit_test(test_every_single_wrong_character_is_noticed),
		cmocka_unit_test(test_every_exchange_of_two_characters_is_noticed),
		cmocka_unit_test(test_people_may_type_it_their_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
