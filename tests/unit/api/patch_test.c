/* tests/unit/api/patch_test.c: merge patches as RFC 7386 has them, and patches made of two documents. */
#include "tests/unit/unit.h"

#include "api/patch.h"

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

static json *parse(const char *text)
{
	json *tree = NULL;

	assert_ok(json_parse(arena, "test", text, strlen(text), &tree));
	return tree;
}

static void assert_tree(const json *tree, const char *expected)
{
	if (json_equal(tree, parse(expected)))
		return;
	auto_str struct str text = STR_INIT(1 << 16);
	struct json_writer w = JSON_WRITER(&text, 0);
	json_tree(&w, tree);
	fail_msg("got %s, expected %s", text.data, expected);
}

static void test_the_cases_of_the_rfc_merge_as_it_says(void **state)
{
	(void)state;
	static const struct { const char *target, *patch, *result; } rows[] = {
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
		{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
		{ "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
		{ "{\"a\":\"foo\"}", "null", "null" },
		{ "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
		{ "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
		{ "{\"title\":\"Goodbye!\",\"author\":{\"givenName\":\"John\",\"familyName\":\"Doe\"},"
		  "\"tags\":[\"example\",\"sample\"],\"content\":\"This will be unchanged\"}",
		  "{\"title\":\"Hello!\",\"phoneNumber\":\"+01-123-456-7890\",\"author\":{\"familyName\":null},"
		  "\"tags\":[\"example\"]}",
		  "{\"title\":\"Hello!\",\"author\":{\"givenName\":\"John\"},\"tags\":[\"example\"],"
		  "\"content\":\"This will be unchanged\",\"phoneNumber\":\"+01-123-456-7890\"}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json *result = NULL;
		assert_ok(patch_merge(arena, parse(rows[i].target), parse(rows[i].patch), &result));
		assert_tree(result, rows[i].result);
	}
}

static void test_what_is_absent_is_made_by_a_patch(void **state)
{
	(void)state;
	json *result = NULL;

	assert_ok(patch_merge(arena, NULL, parse("{\"a\":{\"b\":1,\"c\":null}}"), &result));
	assert_tree(result, "{\"a\":{\"b\":1}}");
}

static void test_neither_document_is_changed_by_merging(void **state)
{
	(void)state;
	json *target = parse("{\"a\":{\"b\":1},\"c\":2}"), *patch = parse("{\"a\":{\"b\":null,\"d\":3}}"), *result = NULL;

	assert_ok(patch_merge(arena, target, patch, &result));
	assert_tree(result, "{\"a\":{\"d\":3},\"c\":2}");
	assert_tree(target, "{\"a\":{\"b\":1},\"c\":2}");
	assert_tree(patch, "{\"a\":{\"b\":null,\"d\":3}}");
}

static void test_a_diff_names_only_what_changes(void **state)
{
	(void)state;
	static const struct { const char *from, *to, *patch; } rows[] = {
		{ "{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "{\"b\":{\"d\":3,\"c\":2},\"a\":1}", "{}" },
		{ "{\"a\":1,\"b\":2}", "{\"b\":2}", "{\"a\":null}" },
		{ "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1,\"c\":3}}", "{\"a\":{\"c\":3}}" },
		{ "{\"a\":[1,2]}", "{\"a\":[2,1]}", "{\"a\":[2,1]}" },
		{ "{\"a\":{\"b\":1}}", "{\"a\":{}}", "{\"a\":{\"b\":null}}" },
		{ "{\"a\":1}", "[1]", "[1]" },
		{ "{\"n\":1.0}", "{\"n\":1}", "{\"n\":1}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json *patch = NULL;
		assert_ok(patch_diff(arena, parse(rows[i].from), parse(rows[i].to), &patch));
		assert_tree(patch, rows[i].patch);
	}
}

/* ---- any two documents ---- */

static uint32_t dice_state;

static uint32_t dice(uint32_t sides)
{
	dice_state = dice_state * 1664525u + 1013904223u;
	return (dice_state >> 16) % sides;
}

static void roll(struct json_writer *w, unsigned depth)
{
	static const char *const keys[] = { "a", "b", "c", "spec", "x/y", "" };

	switch (dice(depth ? 6 : 3)) {
	case 0:
		json_int(w, dice(3));
		break;
	case 1:
		json_string(w, dice(2) ? "eins" : "zwei");
		break;
	case 2:
		json_bool(w, dice(2));
		break;
	case 3:
		json_begin_array(w);
		for (uint32_t n = dice(3); n; n--)
			roll(w, depth - 1);
		json_end_array(w);
		break;
	default:
		json_begin_object(w);
		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			if (dice(2)) {
				json_key(w, keys[i]);
				roll(w, depth - 1);
			}
		json_end_object(w);
	}
}

static json *random_tree(void)
{
	auto_str struct str text = STR_INIT(1 << 20);
	struct json_writer w = JSON_WRITER(&text, 0);

	json_begin_object(&w);
	json_key(&w, "root");
	roll(&w, 5);
	json_end_object(&w);
	return parse(text.data);
}

static void test_a_diff_merged_in_gives_the_other_document(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		dice_state = i * 7919u;
		json *from = random_tree(), *to = random_tree(), *patch = NULL, *result = NULL;
		assert_ok(patch_diff(arena, from, to, &patch));
		assert_ok(patch_merge(arena, from, patch, &result));
		assert_true(json_equal(result, to));
		assert_int_equal(patch->object.count == 0, json_equal(from, to));
	}
}

/* 200,000 members each: looked up, not searched for one by one. */
static void test_large_objects_are_merged_in_a_moment(void **state)
{
	(void)state;
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	json *patch = NULL, *result = NULL;

	str_add(&text, "{");
	for (int i = 0; i < 200000; i++)
		str_addf(&text, "%s\"key%d\":%d", i ? "," : "", i, i);
	str_add(&text, "}");
	assert_ok(str_check(&text));
	json *large = parse(text.data), *same = parse(text.data);
	assert_true(json_equal(large, same));
	assert_ok(patch_diff(arena, large, parse("{\"key7\":8}"), &patch));
	assert_int_equal(patch->object.count, 200000);
	assert_ok(patch_merge(arena, large, patch, &result));
	assert_tree(result, "{\"key7\":8}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_cases_of_the_rfc_merge_as_it_says, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_absent_is_made_by_a_patch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_neither_document_is_changed_by_merging, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_diff_names_only_what_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_diff_merged_in_gives_the_other_document, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_objects_are_merged_in_a_moment, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
