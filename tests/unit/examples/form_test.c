/* tests/unit/examples/form_test.c: form bodies are read whole or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "examples/form.h"

static err *parse(struct arena *arena, const char *body, struct string_map *map)
{
	return form_parse(arena, body, strlen(body), map);
}

static void test_bodies_are_read(void **state UNUSED)
{
	static const struct {
		const char *body, *key, *value; /* value NULL: there is no such key */
	} rows[] = {
		{ "a=1&b=2", "b", "2" },
		{ "a=1&b=2&", "a", "1" },
		{ "name=Erika+Mustermann", "name", "Erika Mustermann" },
		{ "name=M%C3%BCller%26S%c3%b6hne", "name", "Müller&Söhne" },
		{ "a=x%3Dy", "a", "x=y" },
		{ "a=x=y", "a", "x=y" },
		{ "a", "a", "" },
		{ "a=", "a", "" },
		{ "%61=1", "a", "1" },
		{ "", "a", NULL },
		{ "&&", "", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		struct string_map map = { 0 };

		assert_null(arena_new(65536, &arena));
		assert_null(parse(arena, rows[i].body, &map));
		const char *value = string_map_get(&map, rows[i].key);
		if (rows[i].value)
			assert_string_equal(value, rows[i].value);
		else
			assert_null(value);
	}
}

static void test_broken_bodies_are_refused(void **state UNUSED)
{
	static const char *const rows[] = {
		"a=%",	 "a=%4",      "a=%zz",	      "a=1&b=%G0", "a=%00b",  "%00=1", "a=%ff", "a=%c0%80",
		"a=%ed%a0%80", "a=%f4%90%80%80", "a=%e0%80%80", "a=1&a=2", "a=1&%61=2", "a=%c3",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		struct string_map map = { 0 };

		assert_null(arena_new(65536, &arena));
		auto_err err *e = parse(arena, rows[i], &map);
		assert_non_null(e);
		assert_int_equal(e->code, EINVAL);
	}
}

static void test_the_number_of_fields_is_bounded(void **state UNUSED)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str body = STR_INIT(65536);
	struct string_map map = { 0 };

	assert_null(arena_new(1 << 20, &arena));
	for (int i = 0; i < FORM_FIELDS_MAX; i++)
		str_addf(&body, "f%d=1&", i);
	assert_null(parse(arena, body.data, &map));
	str_add(&body, "more=1");
	auto_err err *e = parse(arena, body.data, &map);
	assert_non_null(e);
	assert_int_equal(e->code, E2BIG);
}

static void test_utf8_is_checked_to_the_letter(void **state UNUSED)
{
	assert_true(utf8_valid("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10));
	assert_false(utf8_valid("\xe2\x82", 2));
	assert_false(utf8_valid("\x80", 1));
	assert_false(utf8_valid("\xf8\x88\x80\x80\x80", 5));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies_are_read),
		cmocka_unit_test(test_broken_bodies_are_refused),
		cmocka_unit_test(test_the_number_of_fields_is_bounded),
		cmocka_unit_test(test_utf8_is_checked_to_the_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
