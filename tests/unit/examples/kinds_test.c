/* tests/unit/examples/kinds_test.c: what people write into forms is checked to the last digit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "examples/filenumber.h"
#include "examples/kinds.h"
#include "examples/token.h"

static void test_dates_exist_or_are_refused(void **state UNUSED)
{
	static const struct {
		const char *text;
		int64_t days; /* -1: refused */
	} rows[] = {
		{ "1970-01-01", 0 },	 { "1970-01-02", 1 },	  { "2000-03-01", 11017 }, { "2024-02-29", 19782 },
		{ "2026-11-23", 20780 }, { "2023-02-29", -1 },	  { "1900-02-29", -1 },	   { "2026-13-01", -1 },
		{ "2026-00-10", -1 },	 { "2026-04-31", -1 },	  { "2026-1-1", -1 },	   { "23.11.2026", -1 },
		{ "2026-11-23 ", -1 },	 { "+026-11-23", -1 },	  { "", -1 },		   { "1799-12-31", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t days = -1;

		assert_int_equal(date_parse(rows[i].text, &days), rows[i].days >= 0);
		assert_int_equal(days, rows[i].days);
	}
}

static void test_numbers_with_check_digits_are_checked(void **state UNUSED)
{
	static const struct {
		bool (*valid)(const char *text);
		const char *text;
		bool good;
	} rows[] = {
		{ iban_valid, "DE02120300000000202051", true },
		{ iban_valid, "GB82WEST12345698765432", true },
		{ iban_valid, "NO9386011117947", true },
		{ iban_valid, "DE03120300000000202051", false },
		{ iban_valid, "DE02120300000000202015", false },
		{ iban_valid, "DE0212030000000020205", false },
		{ iban_valid, "de02120300000000202051", false },
		{ iban_valid, "DE02-120300000000202051", false },
		{ iban_valid, "", false },
		{ tax_id_valid, "86095742719", true },
		{ tax_id_valid, "47036892816", true },
		{ tax_id_valid, "86095742718", false },
		{ tax_id_valid, "86095724719", false },
		{ tax_id_valid, "06095742719", false },
		{ tax_id_valid, "8609574271", false },
		{ tax_id_valid, "8609574271A", false },
		{ insurance_number_valid, "A123456780", true },
		{ insurance_number_valid, "A123456781", false },
		{ insurance_number_valid, "A213456780", false },
		{ insurance_number_valid, "1123456780", false },
		{ insurance_number_valid, "A12345678", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].valid(rows[i].text) != rows[i].good)
			fail_msg("'%s' is %s", rows[i].text, rows[i].good ? "refused" : "accepted");
}

static void test_values_are_kept_in_their_normal_form(void **state UNUSED)
{
	auto_arena struct arena *arena = NULL;
	struct string_pair pairs[] = { { "iban", " de02 1203 0000 0000 2020 51 " },
				       { "child_name", "  Lena Mustermann\n" },
				       { "child_tax_id", "86 095 742 719" },
				       { "household", "ja" },
				       { "child_birth", "2026-10-01" } };
	struct string_map typed = { pairs, ARRAY_LEN(pairs) }, kept;
	struct problem problems[PROBLEMS_MAX];
	size_t count = 99;

	assert_null(arena_new(1 << 20, &arena));
	assert_null(kind_check(arena, kind_find("kindergeld"), &typed, 20780, &kept, problems, &count));
	assert_int_equal(count, 0);
	assert_string_equal(kept.items[0].key, "child_name"); /* the order of the form */
	assert_string_equal(string_map_get(&kept, "child_name"), "Lena Mustermann");
	assert_string_equal(string_map_get(&kept, "iban"), "DE02120300000000202051");
	assert_string_equal(string_map_get(&kept, "child_tax_id"), "86095742719");
}

static void test_problems_come_in_the_order_of_the_form(void **state UNUSED)
{
	auto_arena struct arena *arena = NULL;
	struct string_pair pairs[] = { { "wanted_day", "2026-11-23" }, /* today: too early */
				       { "birth", "2020-01-01" },      /* too young */
				       { "name", "Max\nBeispiel" },
				       { "email", "max@beispiel" },
				       { "language", "xx" },
				       { "activity", "" },
				       { "role", "clerk" } };
	static const char want[] = "name:control birth:date_range activity:missing language:choice "
				   "wanted_day:date_range email:email role:unknown ";
	struct string_map typed = { pairs, ARRAY_LEN(pairs) }, kept;
	struct problem problems[PROBLEMS_MAX];
	auto_str struct str got = STR_INIT(1024);
	size_t count = 0;

	assert_null(arena_new(1 << 20, &arena));
	assert_null(kind_check(arena, kind_find("gesundheitszeugnis"), &typed, 20780, &kept, problems, &count));
	for (size_t i = 0; i < count; i++)
		str_addf(&got, "%s:%s ", problems[i].field, problem_name(problems[i].code));
	assert_string_equal(got.data, want);
}

static void test_endless_values_and_fields_are_bounded(void **state UNUSED)
{
	auto_arena struct arena *arena = NULL;
	struct string_pair pairs[100];
	char longest[400] = { 0 };
	struct string_map typed = { pairs, ARRAY_LEN(pairs) }, kept;
	struct problem problems[PROBLEMS_MAX];
	size_t count = 0;

	memset(longest, 'a', sizeof(longest) - 1);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		pairs[i] = (struct string_pair){ i == 0 ? "child_name" : "foreign", longest };
	assert_null(arena_new(1 << 20, &arena));
	assert_null(kind_check(arena, kind_find("kindergeld"), &typed, 20780, &kept, problems, &count));
	assert_int_equal(count, PROBLEMS_MAX);
	assert_int_equal(problems[0].code, PROBLEM_TOO_LONG);
}

static void test_every_kind_is_complete(void **state UNUSED)
{
	for (const struct kind *kind = kinds; kind->name; kind++) {
		char number[FILENUMBER_SIZE], again[FILENUMBER_SIZE];

		assert_null(filenumber_new(kind->prefix, 2026, number));
		assert_true(filenumber_parse(number, again));
		assert_non_null(enum_name(loa_names, kind->loa));
		assert_true(kind->title.de && kind->title.en && kind->summary.de && kind->summary.en);
		for (const struct kind_field *field = kind->fields; field->name; field++) {
			assert_true(field->label.de && field->label.en);
			assert_int_equal(!field->hint.de, !field->hint.en);
			assert_int_equal(field->kind == FIELD_CHOICE, field->choices != NULL);
			assert_true(field->kind != FIELD_TEXT || field->max > 0);
		}
	}
	for (int code = 0; code <= PROBLEM_CHOICE; code++)
		assert_true(problem_name(code) && problem_words(code)->de && problem_words(code)->en);
	assert_null(kind_find("steuer"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates_exist_or_are_refused),
		cmocka_unit_test(test_numbers_with_check_digits_are_checked),
		cmocka_unit_test(test_values_are_kept_in_their_normal_form),
		cmocka_unit_test(test_problems_come_in_the_order_of_the_form),
		cmocka_unit_test(test_endless_values_and_fields_are_bounded),
		cmocka_unit_test(test_every_kind_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
