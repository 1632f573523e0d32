/* tests/unit/api/patch_kinds_test.c: JSON Patch as RFC 6902 has it, and strategic merge patches as kubectl
 * makes them. */
#include "tests/unit/unit.h"

#include "api/patch.h"

typedef err *patch_fn(struct arena *arena, const json *target, const json *patch, json **ret);
struct row {
	const char *target, *patch;
	const char *result; /* or the error's text, where it does not begin with { */
};

static void assert_rows(patch_fn *fn, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		auto_arena struct arena *arena = NULL;
		auto_str struct str text = STR_INIT(1 << 16);
		struct json_writer w = JSON_WRITER(&text, 0);
		json *target, *patch, *result = NULL, *expected;

		assert_ok(arena_new(64 << 20, &arena));
		assert_ok(json_parse(arena, "target", rows[i].target, strlen(rows[i].target), &target));
		assert_ok(json_parse(arena, "patch", rows[i].patch, strlen(rows[i].patch), &patch));
		err *e = fn(arena, target, patch, &result);
		if (rows[i].result[0] != '{') {
			assert_err(e, rows[i].result);
			continue;
		}
		if (e)
			fail_msg("%s: %s", rows[i].patch, e->message);
		assert_ok(json_parse(arena, "result", rows[i].result, strlen(rows[i].result), &expected));
		json_tree(&w, result);
		if (!json_equal(result, expected))
			fail_msg("%s with %s: got %s, expected %s", rows[i].target, rows[i].patch, text.data,
				 rows[i].result);
		/* A retry patches it again. */
		json *again;
		assert_ok(json_parse(arena, "target", rows[i].target, strlen(rows[i].target), &again));
		assert_true(json_equal(target, again));
	}
}

static void test_operations_of_a_json_patch(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "{\"a\":1}", "[]", "{\"a\":1}" },
		{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]", "{\"a\":1,\"b\":2}" },
		{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}" },
		{ "{\"a\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":9}]", "{\"a\":[1,9,2]}" },
		{ "{\"a\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":9}]", "{\"a\":[1,2,9]}" },
		{ "{\"a\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/a/2\",\"value\":9}]", "{\"a\":[1,2,9]}" },
		{ "{\"a\":[1,2]}", "[{\"op\":\"add\",\"path\":\"/a/3\",\"value\":9}]",
		  "[0]: path '/a/3': there is nothing" },
		{ "{\"a\":[1,2]}", "[{\"op\":\"remove\",\"path\":\"/a/0\"}]", "{\"a\":[2]}" },
		{ "{\"a\":[1,2]}", "[{\"op\":\"remove\",\"path\":\"/a/-\"}]",
		  "[0]: path '/a/-': there is nothing" },
		{ "{\"a\":[1,2]}", "[{\"op\":\"remove\",\"path\":\"/a/01\"}]",
		  "[0]: path '/a/01': there is nothing" },
		{ "{\"a\":{\"b\":1,\"c\":2}}", "[{\"op\":\"remove\",\"path\":\"/a/b\"}]",
		  "{\"a\":{\"c\":2}}" },
		{ "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/b\"}]", "[0]: path '/b': there is nothing" },
		{ "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"\"}]",
		  "[0]: path '': the whole cannot be removed" },
		{ "{\"a\":[{\"b\":1}]}", "[{\"op\":\"replace\",\"path\":\"/a/0/b\",\"value\":{\"c\":1}}]",
		  "{\"a\":[{\"b\":{\"c\":1}}]}" },
		{ "{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":1}]",
		  "[0]: path '/b': there is nothing" },
		{ "{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{}}]", "{}" },
		{ "{\"a/b\":1,\"m~n\":2}",
		  "[{\"op\":\"remove\",\"path\":\"/a~1b\"},{\"op\":\"replace\",\"path\":\"/"
		  "m~0n\",\"value\":3}]",
		  "{\"m~n\":3}" },
		{ "{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/c\"}]",
		  "{\"a\":{},\"c\":1}" },
		{ "{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]",
		  "[0]: path '/a/b': there is nothing" },
		{ "{\"a\":[1,2,3]}", "[{\"op\":\"move\",\"from\":\"/a/0\",\"path\":\"/a/2\"}]",
		  "{\"a\":[2,3,1]}" },
		{ "{\"a\":{\"b\":1}}",
		  "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},{\"op\":\"add\",\"path\":\"/c/"
		  "d\",\"value\":2}]",
		  "{\"a\":{\"b\":1},\"c\":{\"b\":1,\"d\":2}}" },
		{ "{\"a\":[1,{\"x\":null}]}",
		  "[{\"op\":\"test\",\"path\":\"/a\",\"value\":[1,{\"x\":null}]}]",
		  "{\"a\":[1,{\"x\":null}]}" },
		{ "{\"a\":1}",
		  "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2},{\"op\":\"test\",\"path\":\"/"
		  "a\",\"value\":2}]",
		  "[1]: path '/a': is not what was expected" },
		{ "{}", "[{\"op\":\"merge\",\"path\":\"/a\"}]",
		  "[0]: op: is not one of add, remove, replace, copy, move, test" },
		{ "{}", "[1]", "[0]: op: is not one of add, remove, replace, copy, move, test" },
		{ "{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", "[0]: add: needs path and value" },
		{ "{}", "[{\"op\":\"move\",\"path\":\"/a\"}]", "[0]: move: needs path and from" },
		{ "{}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]",
		  "[0]: path 'a' does not begin with '/'" },
		{ "{}", "[{\"op\":\"add\",\"path\":\"/~2\",\"value\":1}]",
		  "[0]: path '/~2': '~' is followed by neither 0 nor 1" },
		{ "{}", "{}", "expected array, got object" },
	};

	assert_rows(patch_json, rows, ARRAY_LEN(rows));
}

#define POD                                                                                              \
	"{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"1\",\"env\":[{\"name\":\"X\",\"value\":" \
	"\"1\"},{\"name\":\"Y\",\"value\":\"2\"}]},"                                                     \
	"{\"name\":\"b\",\"image\":\"2\"}],\"tolerations\":[{\"key\":\"t\"}]}}"
#define A                                                                                            \
	"{\"name\":\"a\",\"image\":\"1\",\"env\":[{\"name\":\"X\",\"value\":\"1\"},{\"name\":\"Y\"," \
	"\"value\":\"2\"}]}"

static void test_strategic_merges(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ POD, "{\"spec\":{\"containers\":[{\"name\":\"b\",\"image\":\"3\"}]}}",
		  "{\"spec\":{\"containers\":[" A
		  ",{\"name\":\"b\",\"image\":\"3\"}],\"tolerations\":[{\"key\":\"t\"}]}}" },
		{ POD,
		  "{\"spec\":{\"containers\":[{\"name\":\"b\",\"$patch\":\"delete\"}],\"tolerations\":null}}",
		  "{\"spec\":{\"containers\":[" A "]}}" },
		{ POD,
		  "{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"4\",\"x\":null}],\"tolerations\":[{"
		  "\"key\":\"u\"}]}}",
		  "{\"spec\":{\"containers\":[" A ",{\"name\":\"b\",\"image\":\"2\"},{\"name\":\"c\","
						  "\"image\":\"4\"}],\"tolerations\":[{\"key\":\"u\"}]}}" },
		{ POD,
		  "{\"spec\":{\"tolerations\":[],\"containers\":[{\"name\":\"a\",\"$setElementOrder/"
		  "env\":[{\"name\":\"Y\"},{\"name\":\"Z\"}],"
		  "\"env\":[{\"name\":\"Z\",\"value\":\"3\"},{\"name\":\"X\",\"$patch\":\"delete\"}]}]}}",
		  "{\"spec\":{\"tolerations\":[],\"containers\":[{\"name\":\"a\",\"image\":\"1\",\"env\":[{"
		  "\"name\":\"Y\",\"value\":\"2\"},"
		  "{\"name\":\"Z\",\"value\":\"3\"}]},{\"name\":\"b\",\"image\":\"2\"}]}}" },
		{ POD,
		  "{\"spec\":{\"tolerations\":null,\"$setElementOrder/"
		  "containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]}}",
		  "{\"spec\":{\"containers\":[{\"name\":\"b\",\"image\":\"2\"}," A "]}}" },
		{ POD,
		  "{\"spec\":{\"containers\":[{\"$patch\":\"replace\"},{\"name\":\"n\"}],\"tolerations\":"
		  "null}}",
		  "{\"spec\":{\"containers\":[{\"name\":\"n\"}]}}" },
		{ POD, "{\"spec\":{\"$patch\":\"replace\",\"x\":1}}", "{\"spec\":{\"x\":1}}" },
		{ POD, "{\"spec\":{\"$patch\":\"delete\"}}", "{}" },
		{ POD, "{\"spec\":{\"containers\":[{\"image\":\"3\"}]}}",
		  "containers: an item has no 'name'" },
		{ "{\"s\":{\"type\":\"R\",\"rolling\":1}}",
		  "{\"s\":{\"$retainKeys\":[\"type\"],\"type\":\"C\"}}", "{\"s\":{\"type\":\"C\"}}" },
		{ "{\"finalizers\":[\"a\",\"b\"]}",
		  "{\"finalizers\":[\"c\",\"a\"],\"$deleteFromPrimitiveList/finalizers\":[\"b\"]}",
		  "{\"finalizers\":[\"a\",\"c\"]}" },
		{ "{\"finalizers\":[\"a\",\"b\"]}", "{\"$deleteFromPrimitiveList/finalizers\":[\"b\"]}",
		  "{\"finalizers\":[\"a\"]}" },
		{ "{\"a\":{\"b\":1}}", "{\"a\":{\"c\":{\"d\":null,\"e\":1}}}",
		  "{\"a\":{\"b\":1,\"c\":{\"e\":1}}}" },
		{ "{\"args\":[\"a\"]}", "{\"args\":[\"b\"]}", "{\"args\":[\"b\"]}" },
		{ "{}", "[]", "expected object, got array" },
		{ "{}", "{\"$patch\":\"delete\"}", "$patch: the whole cannot be deleted by a patch" },
	};

	assert_rows(patch_strategic, rows, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations_of_a_json_patch),
		cmocka_unit_test(test_strategic_merges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
