/* tests/unit/api/apply_test.c: what apply sets, removes, and leaves alone. */
#include "api/apply.h"
#include "tests/unit/unit.h"

static json *parse(struct arena *arena, const char *text)
{
	json *tree = NULL;

	if (text)
		assert_ok(json_parse(arena, "test", text, strlen(text), &tree));
	return tree;
}

static void assert_tree(const json *tree, const char *expected)
{
	auto_str struct str text = STR_INIT(1 << 20);
	struct json_writer w = JSON_WRITER(&text, 0);

	json_tree(&w, tree);
	assert_string_equal(text.data, expected);
}

static const struct row {
	const char *name, *last, *wanted, *live, *patch;
} rows[] = {
	{ "nothing new", "{\"a\":1}", "{\"a\":1}", "{\"a\":1,\"b\":2}", "{}" },
	{ "a value changes", "{\"a\":1}", "{\"a\":2}", "{\"a\":1,\"b\":2}", "{\"a\":2}" },
	{ "what others set stays", NULL, "{\"a\":{\"x\":1}}", "{\"a\":{\"x\":1,\"y\":2},\"b\":2}", "{}" },
	{ "what was applied and is wanted no more goes", "{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"x\":1}}",
	  "{\"a\":{\"x\":1,\"y\":2,\"z\":3}}", "{\"a\":{\"y\":null}}" },
	{ "a whole object goes", "{\"a\":{\"x\":1},\"b\":1}", "{\"b\":1}", "{\"a\":{\"x\":1},\"b\":1}",
	  "{\"a\":null}" },
	{ "of an object that goes, what others set stays", "{\"m\":{\"l\":{\"a\":\"1\",\"c\":\"3\"}}}",
	  "{\"m\":{}}", "{\"m\":{\"l\":{\"a\":\"1\",\"b\":\"2\"}}}", "{\"m\":{\"l\":{\"a\":null}}}" },
	{ "and below it", "{\"s\":{\"r\":{\"x\":1},\"t\":{\"z\":1}}}", "{}",
	  "{\"s\":{\"r\":{\"x\":1,\"y\":2},\"t\":{\"z\":1}}}", "{\"s\":{\"r\":{\"x\":null},\"t\":null}}" },
	{ "an object in which others set something else only", "{\"a\":{\"x\":1}}", "{}", "{\"a\":{\"y\":1}}",
	  "{}" },
	{ "a list that goes", "{\"a\":[1]}", "{}", "{\"a\":[1,2]}", "{\"a\":null}" },
	{ "nothing is removed that is not there", "{\"a\":1}", "{}", "{\"b\":1}", "{}" },
	{ "a drifted value is set right", "{\"a\":1}", "{\"a\":1}", "{\"a\":5}", "{\"a\":1}" },
	{ "lists are one value", "{\"l\":[1,2]}", "{\"l\":[1]}", "{\"l\":[1,2]}", "{\"l\":[1]}" },
	{ "null in a manifest is nothing", NULL, "{\"creationTimestamp\":null}",
	  "{\"creationTimestamp\":\"x\"}", "{}" },
	{ "an object in place of a scalar", NULL, "{\"a\":{\"x\":1}}", "{\"a\":1}", "{\"a\":{\"x\":1}}" },
};

static void test_patches(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		json *patch;
		assert_ok(arena_new(1 << 20, &arena));
		print_message("%s\n", rows[i].name);
		assert_ok(apply_patch(arena, parse(arena, rows[i].last), parse(arena, rows[i].wanted),
				      parse(arena, rows[i].live), &patch));
		assert_tree(patch, rows[i].patch);
	}
}

static void test_the_annotation_holds_the_manifest_and_is_read_back(void **state)
{
	auto_arena struct arena *arena = NULL;
	const json *wanted, *last;
	json *annotated;

	(void)state;
	assert_ok(arena_new(1 << 20, &arena));
	wanted = parse(arena, "{\"metadata\":{\"name\":\"web\",\"annotations\":{\"k\":\"v\"}},\"spec\":1}");
	assert_ok(apply_annotate(arena, wanted, &annotated));
	assert_tree(annotated, "{\"metadata\":{\"name\":\"web\",\"annotations\":{\"k\":\"v\",\"" APPLY_LAST "\":"
			       "\"{\\\"metadata\\\":{\\\"name\\\":\\\"web\\\",\\\"annotations\\\":{\\\"k\\\":\\\"v\\\"}},"
			       "\\\"spec\\\":1}\"}},\"spec\":1}");
	last = apply_last(arena, annotated);
	assert_non_null(last);
	assert_tree(last, "{\"metadata\":{\"name\":\"web\",\"annotations\":{\"k\":\"v\"}},\"spec\":1}");
	assert_null(apply_last(arena, wanted));
	assert_null(apply_last(arena, parse(arena, "{\"metadata\":{\"annotations\":{\"" APPLY_LAST "\":\"{\"}}}")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patches),
		cmocka_unit_test(test_the_annotation_holds_the_manifest_and_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
