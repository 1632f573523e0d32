/* tests/unit/base/json_test.c: the JSON parser refuses what hides attacks; the writer owns its bytes. */
#include "tests/unit/unit.h"

#include "base/json.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	assert_ok(arena_new(64 << 20, &arena));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static void test_refusals_name_line_and_column(void **state)
{
	(void)state;
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "", "t.json:1:1: premature EOF" },
		{ "   ", "t.json:1:4: premature EOF" },
		{ "{\"a\":1,\n \"a\":2}", "t.json:2:6: duplicate key 'a'" },
		{ "{\"x\":{\"b\":1,\"a\":1,\"b\":{}}}", "t.json:1:23: duplicate key 'b'" },
		{ "[\"a\\u0000b\"]", "t.json:1:2: NUL character in a string" },
		{ "{\"a\\u0000\":1}", "t.json:1:2: NUL character in a string" },
		{ "// x\n1", "t.json:1:1: probable comment found in input text, comments are not enabled." },
		{ "[1,]", "t.json:1:5: unallowed token at this point in JSON text" },
		{ "{\"a\":1} x", "t.json:1:10: trailing garbage" },
		{ "{\"a\":", "t.json:1:6: premature EOF" },
		{ "\"\xff\"", "t.json:1:2: bytes that are no UTF-8" },
		/* an overlong slash, half a pair in bytes, a code point that does not exist, a cut sequence */
		{ "[\"\xc0\xaf\"]", "t.json:1:3: bytes that are no UTF-8" },
		{ "[\"\xed\xa0\x80\"]", "t.json:1:3: bytes that are no UTF-8" },
		{ "[\"\xf5\x80\x80\x80\"]", "t.json:1:3: bytes that are no UTF-8" },
		{ "[\"\xe2\x82", "t.json:1:3: bytes that are no UTF-8" },
		/* yajl would read the first as '?', the third as U+10041 */
		{ "[\"\\ud800\"]", "t.json:1:3: half of a surrogate pair" },
		{ "[\"\\udc00\"]", "t.json:1:3: half of a surrogate pair" },
		{ "[\"\\uD800\\u0041\"]", "t.json:1:3: half of a surrogate pair" },
		{ "[\"\\ud800\\", "t.json:1:3: half of a surrogate pair" },
		{ "\xef\xbb\xbf{}", "t.json:1:2: invalid char in json text." },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json *tree = NULL;
		auto_err err *e = json_parse(arena, "t.json", rows[i].text, strlen(rows[i].text), &tree);
		auto_str struct str text = STR_INIT(4096);

		assert_non_null(e);
		err_format(e, &text);
		assert_string_equal(text.data, rows[i].error);
		assert_null(tree);
	}
}

/* The text is looked at eight bytes at a time. */
static void test_bad_bytes_are_found_wherever_they_stand(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"\xff", "\x80", "\xc0\xaf", "\xed\xa0\x80", "\\udc00", "\\ud800x"
	};
	enum { LONGEST = 40 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		for (int before = 0; before < LONGEST; before++) {
			for (int after = 0; after < 9; after++) {
				auto_str struct str text = STR_INIT(256), found = STR_INIT(256);
				char expected[64];
				json *tree = NULL;

				str_addf(&text, "\"%.*s%s%.*s\"", before,
					 "abc[]{}~]abc[]{}~]abc[]{}~]abc[]{}~]abc[]{}~]", bad[i], after,
					 "]]]]]]]]]");
				snprintf(expected, sizeof expected, "t:1:%d: ", before + 2);
				auto_err err *e = json_parse(arena, "t", text.data, text.len, &tree);
				err_format(e, &found);
				assert_true(str_starts_with(found.data, expected));
				assert_non_null(strstr(found.data, *bad[i] == '\\' ? "half of" : "no UTF-8"));
			}
		}
	}
}

static void test_whole_pairs_and_doubled_backslashes_pass(void **state)
{
	(void)state;
	static const char text[] = "[\"\\uD83D\\uDE00\",\"\\\\ud800\",\"\\ud7ff\\ue000\"]";
	json *tree = NULL;

	assert_ok(json_parse(arena, "t", text, strlen(text), &tree));
	assert_string_equal(tree->array.items[0]->text, "\xf0\x9f\x98\x80");
	assert_string_equal(tree->array.items[1]->text, "\\ud800");
	assert_string_equal(tree->array.items[2]->text, "\xed\x9f\xbf\xee\x80\x80");
}

static void test_depth_is_bounded(void **state)
{
	(void)state;
	char text[200];
	json *tree = NULL;

	memset(text, '[', 64);
	memset(text + 64, ']', 64);
	assert_ok(json_parse(arena, "deep", text, 128, &tree));
	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	assert_err(json_parse(arena, "deep", text, 130, &tree), "deep:1:65: nested deeper than 64 levels");
}

static void test_size_is_bounded_before_parsing(void **state)
{
	(void)state;
	json *tree = NULL;

	assert_err(json_parse(arena, "big", "", (size_t)JSON_SIZE_MAX + 1, &tree),
		   "big: larger than 4194304 bytes");
}

static void test_memory_is_bounded_by_the_arena(void **state)
{
	(void)state;
	auto_arena struct arena *small = NULL;
	auto_str struct str text = STR_INIT(1 << 20);
	json *tree = NULL;

	assert_ok(arena_new(1000, &small));
	str_add_char(&text, '[');
	for (int i = 0; i < 1000; i++)
		str_add(&text, "1,");
	str_add(&text, "1]");
	assert_err_code(json_parse(small, "wide", text.data, text.len, &tree), EFBIG);
}

static void test_many_keys_are_checked_in_reasonable_time(void **state)
{
	(void)state;
	auto_str struct str text = STR_INIT(4 << 20);
	json *tree = NULL;

	str_add_char(&text, '{');
	for (int i = 0; i < 200000; i++)
		str_addf(&text, "\"%d\":0,", i);
	str_add(&text, "\"7\":0}");
	auto_err err *e = json_parse(arena, "keys", text.data, text.len, &tree);
	assert_non_null(e);
	assert_non_null(strstr(e->message, "duplicate key '7'"));
}

/* Children of open containers stand in one list: those of the outer ones are kept while inner ones grow. */
static void test_long_lists_within_lists_keep_their_order(void **state)
{
	(void)state;
	auto_str struct str text = STR_INIT(1 << 20);
	json *root = NULL;

	str_add(&text, "[");
	for (int i = 0; i < 300; i++) {
		str_addf(&text, "%s{\"n\":%d,\"list\":[", i ? "," : "", i);
		for (int k = 0; k <= i; k++)
			str_addf(&text, "%s%d", k ? "," : "", k);
		str_add(&text, "]}");
	}
	str_add(&text, "]");
	assert_ok(json_parse(arena, "t.json", text.data, text.len, &root));
	assert_int_equal(root->array.count, 300);
	for (int i = 0; i < 300; i++) {
		const json *list = root->array.items[i]->object.members[1].value;
		char number[16];

		snprintf(number, sizeof number, "%d", i);
		assert_string_equal(root->array.items[i]->object.members[0].key, "n");
		assert_string_equal(root->array.items[i]->object.members[0].value->text, number);
		assert_int_equal(list->array.count, i + 1);
		assert_string_equal(list->array.items[i]->text, number);
	}
}

static void test_values_know_where_they_stood(void **state)
{
	(void)state;
	const char *text = "{\n  \"a\": [1, \"two\"],\n\t\"b\": null\n}";
	json *tree = NULL;

	assert_ok(json_parse(arena, "t", text, strlen(text), &tree));
	json *list = json_get(tree, "a");
	assert_int_equal(list->line, 2);
	assert_int_equal(list->column, 8);
	assert_int_equal(list->array.items[1]->column, 12);
	assert_int_equal(json_get(tree, "b")->line, 3);
	assert_null(json_get(tree, "c"));
	assert_null(json_get(list, "c"));
	assert_null(json_get_string(tree, "a"));
}

static void test_numbers_keep_every_digit(void **state)
{
	(void)state;
	const char *text = "[18446744073709551615, -9223372036854775808, 1e3, 0.5, 1e999]";
	json *tree = NULL;
	uint64_t u;
	int64_t i;
	double d;

	assert_ok(json_parse(arena, "t", text, strlen(text), &tree));
	json **n = tree->array.items;
	assert_true(json_to_u64(n[0], &u) && u == UINT64_MAX);
	assert_false(json_to_i64(n[0], &i));
	assert_true(json_to_i64(n[1], &i) && i == INT64_MIN);
	assert_false(json_to_u64(n[1], &u));
	assert_false(json_to_i64(n[2], &i));
	assert_true(json_to_double(n[2], &d) && d == 1000.0);
	assert_false(json_to_double(n[4], &d));
}

static void test_writer_owns_its_bytes(void **state)
{
	(void)state;
	auto_str struct str out = STR_INIT(4096);
	struct json_writer w = JSON_WRITER(&out, 0);

	json_begin_object(&w);
	json_member_string(&w, "s", "a\"b\\c\n\t\x01ü\x7f");
	json_member_int(&w, "i", -5);
	json_member_uint(&w, "u", UINT64_MAX);
	json_member_bool(&w, "t", true);
	json_key(&w, "l");
	json_begin_array(&w);
	json_null(&w);
	json_string(&w, NULL);
	json_begin_object(&w);
	json_end_object(&w);
	json_end_array(&w);
	json_end_object(&w);
	assert_string_equal(out.data, "{\"s\":\"a\\\"b\\\\c\\n\\t\\u0001ü\x7f\",\"i\":-5,\"u\":18446744073709551615,"
				      "\"t\":true,\"l\":[null,null,{}]}");
}

static void test_indented_writer(void **state)
{
	(void)state;
	const char *text = "{\"a\":[1,{\"b\":[]}],\"c\":{}}";
	auto_str struct str out = STR_INIT(4096);
	struct json_writer w = JSON_WRITER(&out, 2);
	json *tree = NULL;

	assert_ok(json_parse(arena, "t", text, strlen(text), &tree));
	json_tree(&w, tree);
	assert_string_equal(out.data, "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}");
}

static void test_bytes_that_are_no_utf8_are_replaced(void **state)
{
	(void)state;
	static const struct {
		const char *bytes, *quoted;
	} rows[] = {
		{ "\xff", "\"\xef\xbf\xbd\"" },
		{ "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },             /* overlong slash */
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" }, /* surrogate */
		{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },             /* cut off */
		{ "\xf0\x9f\x8f\x9b", "\"\xf0\x9f\x8f\x9b\"" },
		{ "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str out = STR_INIT(100);

		json_quote(&out, rows[i].bytes);
		assert_string_equal(out.data, rows[i].quoted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refusals_name_line_and_column, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_bytes_are_found_wherever_they_stand, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_whole_pairs_and_doubled_backslashes_pass, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_depth_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_size_is_bounded_before_parsing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_is_bounded_by_the_arena, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_keys_are_checked_in_reasonable_time, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_long_lists_within_lists_keep_their_order, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_values_know_where_they_stood, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers_keep_every_digit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writer_owns_its_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_indented_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes_that_are_no_utf8_are_replaced, setup, teardown),
	};

	return cmocka_run_group_tests_name("base/json", tests, NULL, NULL);
}
