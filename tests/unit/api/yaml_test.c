/* tests/unit/api/yaml_test.c: YAML as Kubernetes reads it, what is refused where, and writing that reads back. */
#include "tests/unit/unit.h"

#include "api/patch.h"
#include "api/yaml.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	assert_ok(arena_new(128 << 20, &arena));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static err *parse(const char *text, json ***ret, size_t *ret_count)
{
	return yaml_parse(arena, "web.yaml", text, strlen(text), ret, ret_count);
}

static json *parse_one(const char *text)
{
	json **documents = NULL;
	size_t count = 0;

	assert_ok(parse(text, &documents, &count));
	assert_int_equal(count, 1);
	return documents[0];
}

static err *parse_any(const char *text)
{
	json **documents = NULL;
	size_t count = 0;

	return parse(text, &documents, &count);
}

static void assert_json(const json *tree, const char *expected)
{
	auto_str struct str text = STR_INIT(8 << 20);
	struct json_writer w = JSON_WRITER(&text, 0);

	json_tree(&w, tree);
	assert_string_equal(text.data, expected);
}

static void test_plain_scalars_are_typed_as_kubernetes_types_them(void **state)
{
	(void)state;
	static const struct { const char *yaml, *json; } rows[] = {
		{ "true", "true" }, { "True", "true" }, { "TRUE", "true" }, { "yes", "true" }, { "On", "true" },
		{ "y", "true" }, { "false", "false" }, { "No", "false" }, { "OFF", "false" }, { "N", "false" },
		{ "tRUE", "\"tRUE\"" }, { "yEs", "\"yEs\"" },
		{ "null", "null" }, { "~", "null" }, { "Null", "null" }, { "nULL", "\"nULL\"" }, { "", "null" },
		{ "0", "0" }, { "12", "12" }, { "-12", "-12" }, { "+12", "12" }, { "1_000", "1000" },
		{ "0x1F", "31" }, { "-0x10", "-16" }, { "0x", "\"0x\"" }, { "0xfg", "\"0xfg\"" },
		{ "0o17", "15" }, { "017", "15" }, { "08", "8" }, { "0b101", "5" }, { "0b12", "\"0b12\"" }, { "00", "0" },
		{ "9223372036854775808", "9223372036854775808" }, { "123456789012345678901234567890", "123456789012345678901234567890" },
		{ "0xffffffffffffffff", "18446744073709551615" }, { "0x10000000000000000", "\"0x10000000000000000\"" },
		{ "1.10", "1.10" }, { ".5", "0.5" }, { "-.5", "-0.5" }, { "1.", "1" }, { "1e3", "1e3" }, { "1.5E-3", "1.5E-3" },
		{ "5.e3", "5e3" }, { "1e", "\"1e\"" }, { "1.2.3", "\"1.2.3\"" }, { ".", "\".\"" }, { "-a", "\"-a\"" },
		{ "._5", "\"._5\"" }, { "1:30", "\"1:30\"" }, { "2026-11-23", "\"2026-11-23\"" },
		{ "2026-11-23T20:15:04Z", "\"2026-11-23T20:15:04Z\"" }, { "500m", "\"500m\"" }, { "10.0.0.1", "\"10.0.0.1\"" },
		{ "'true'", "\"true\"" }, { "\"12\"", "\"12\"" }, { "!!str 12", "\"12\"" }, { "! '12'", "\"12\"" },
		{ "!!int '12'", "12" }, { "!!float 1", "1" }, { "!!bool yes", "true" }, { "!!null ''", "null" }, { "!!str", "\"\"" },
		{ "|\n  12\n", "\"12\\n\"" }, { "'it''s'", "\"it's\"" }, { "\"\\u00e4\\x41\"", "\"äA\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str text = STR_INIT(4096), expected = STR_INIT(4096);
		str_addf(&text, "v: %s\n", rows[i].yaml);
		str_addf(&expected, "{\"v\":%s}", rows[i].json);
		assert_json(parse_one(text.data), expected.data);
	}
}

static void test_a_manifest_is_read_with_its_places(void **state)
{
	(void)state;
	const json *tree = parse_one("# a comment\n"
				     "kind: Pod\n"
				     "metadata:\n"
				     "  labels: {app: web, 8080: port, yes: key}\n"
				     "spec:\n"
				     "  containers:\n"
				     "  - name: web\n"
				     "    args: [a, 'b']\n"
				     "    command:\n"
				     "    - sh\n"
				     "    - |\n"
				     "      echo 1\n"
				     "        echo 2\n");

	assert_json(tree, "{\"kind\":\"Pod\",\"metadata\":{\"labels\":{\"app\":\"web\",\"8080\":\"port\",\"yes\":\"key\"}},"
			  "\"spec\":{\"containers\":[{\"name\":\"web\",\"args\":[\"a\",\"b\"],\"command\":[\"sh\","
			  "\"echo 1\\n  echo 2\\n\"]}]}}");
	const json *container = json_get(json_get(tree, "spec"), "containers")->array.items[0];
	assert_int_equal(container->line, 7);
	assert_int_equal(container->column, 5);
	assert_int_equal(json_get(container, "command")->array.items[1]->line, 11);
	assert_int_equal(json_get(container, "name")->column, 11);
}

static void test_a_stream_holds_many_documents_and_empty_ones_do_not_count(void **state)
{
	(void)state;
	json **documents = NULL;
	size_t count = 0;

	assert_ok(parse("---\n# nothing\n---\na: 1\n---\n\n---\nnull\n---\nb: 2\n...\n---\n[]\n", &documents, &count));
	assert_int_equal(count, 3);
	assert_json(documents[0], "{\"a\":1}");
	assert_json(documents[1], "{\"b\":2}");
	assert_json(documents[2], "[]");
	assert_ok(parse("", &documents, &count));
	assert_int_equal(count, 0);
	assert_ok(parse("# only a comment\n", &documents, &count));
	assert_int_equal(count, 0);
}

static void test_json_is_yaml(void **state)
{
	(void)state;
	assert_json(parse_one("{\"a\":\"\\ud83d\\ude00\",\n\t\"b\":[1,2.50]}"), "{\"a\":\"😀\",\"b\":[1,2.50]}");
	assert_json(parse_one("{a: b, \"c\":d}"), "{\"a\":\"b\",\"c\":\"d\"}");
	assert_json(parse_one("\xef\xbb\xbf" "a: 1\n"), "{\"a\":1}");
}

static void test_aliases_stand_for_their_anchors(void **state)
{
	(void)state;
	assert_json(parse_one("a: &x {k: [1, 2]}\nb: *x\nc: &x z\nd: *x\n"),
		    "{\"a\":{\"k\":[1,2]},\"b\":{\"k\":[1,2]},\"c\":\"z\",\"d\":\"z\"}");
	assert_err(parse_any("a: &x 1\n---\nb: *x\n"), "web.yaml:3:4: alias '*x' of no anchor");
	assert_err(parse_any("a: &x\n  b: *x\n"), "web.yaml:2:6: alias '*x' inside of what it stands for");
}

static void test_a_billion_laughs_are_too_many(void **state)
{
	(void)state;
	auto_str struct str text = STR_INIT(1 << 16);

	str_add(&text, "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
	for (int i = 1; i < 10; i++) {
		str_addf(&text, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			str_addf(&text, "%s*a%d", k ? ", " : "", i - 1);
		str_add(&text, "]\n");
	}
	assert_err(parse_any(text.data), "web.yaml:6:15: more than 262144 values, counting what aliases stand for");
}

static void test_nesting_has_an_end_also_through_aliases(void **state)
{
	(void)state;
	auto_str struct str text = STR_INIT(1 << 16);

	for (int i = 0; i < 65; i++)
		str_add(&text, "[");
	assert_err(parse_any(text.data), "web.yaml:1:65: nested deeper than 64 levels");
	str_clear(&text);
	str_add(&text, "a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n");
	for (int i = 1; i < 8; i++)
		str_addf(&text, "a%d: &a%d [[[[[[[[[[*a%d]]]]]]]]]]\n", i, i, i - 1);
	assert_err(parse_any(text.data), "web.yaml:7:19: nested deeper than 64 levels");
}

static void test_what_would_be_misread_is_refused_with_its_place(void **state)
{
	(void)state;
	static const struct { const char *text, *error; } rows[] = {
		{ "a: 1\nb: 2\na: 3\n", "web.yaml:3:4: duplicate key 'a'" },
		{ "{\"a\":1,\"a\":2}", "web.yaml:1:12: duplicate key 'a'" },
		{ "a:\n  <<: {b: 1}\n", "web.yaml:2:3: merge keys '<<' are not supported" },
		{ "a: !!binary aGFsbG8=\n", "web.yaml:1:4: tag '!!binary' is not supported" },
		{ "a: !secret x\n", "web.yaml:1:4: tag '!secret' is not supported" },
		{ "a: !!int x\n", "web.yaml:1:4: tag says number, but this is a string" },
		{ "a: !!seq {}\n", "web.yaml:1:4: tag says array, but this is an object" },
		{ "a: .inf\n", "web.yaml:1:4: '.inf' is not a number that JSON knows; a string needs quotes" },
		{ "a: .NaN\n", "web.yaml:1:4: '.NaN' is not a number that JSON knows; a string needs quotes" },
		{ "? [a]\n: 1\n", "web.yaml:1:3: a key must be a string" },
		{ "~: 1\n", "web.yaml:1:1: a key must be a string" },
		{ "a: &x b\n*x : 1\n", "web.yaml:2:1: an alias as a key is not supported" },
		{ "a: \"x\\0y\"\n", "web.yaml:1:4: NUL character in a string" },
		{ "a:\n\tb: 1\n", "web.yaml:2:1: a tab in the indentation, where YAML allows only spaces" },
		{ "a: [1\nb: 2\n", "web.yaml:2:2: did not find expected ',' or ']', while parsing a flow sequence of line 1" },
		{ "a: 'x\n", "web.yaml:2:1: found unexpected end of stream, while scanning a quoted scalar of line 1" },
		{ "a: b: c\n", "web.yaml:1:5: mapping values are not allowed in this context" },
		{ "a: x\x01y\n", "web.yaml:1:5: control characters are not allowed (0x1)" },
		{ "k: a\nv: \xff\n", "web.yaml:2:4: invalid leading UTF-8 octet (0xff)" },
		{ "a: 11111111111111111111111111111111111111111111111111111111111111111\n",
		  "web.yaml:1:4: number is too long; a string needs quotes" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_err(parse_any(rows[i].text), rows[i].error);
}

static void test_too_much_text_is_refused(void **state)
{
	(void)state;
	auto_free char *text = malloc(YAML_SIZE_MAX + 1);
	json **documents = NULL;
	size_t count = 0;

	assert_non_null(text);
	memset(text, '#', YAML_SIZE_MAX + 1);
	assert_ok(yaml_parse(arena, "web.yaml", text, YAML_SIZE_MAX, &documents, &count));
	assert_err(yaml_parse(arena, "web.yaml", text, YAML_SIZE_MAX + 1, &documents, &count),
		   "web.yaml: larger than 4194304 bytes");
}

static void test_objects_are_written_as_people_write_them(void **state)
{
	(void)state;
	auto_str struct str text = STR_INIT(1 << 16);
	static const char expected[] = "apiVersion: v1\n"
				       "metadata:\n"
				       "  annotations:\n"
				       "    note: |\n"
				       "      eins\n"
				       "        zwei\n"
				       "\n"
				       "      drei\n"
				       "    open: |-\n"
				       "      a\n"
				       "      b\n"
				       "  creationTimestamp: \"2026-11-23T20:15:04Z\"\n"
				       "  labels: {}\n"
				       "spec:\n"
				       "  containers:\n"
				       "  - args:\n"
				       "    - --port=80\n"
				       "    - \"true\"\n"
				       "    - \"12\"\n"
				       "    - \"a: b\"\n"
				       "    - \"\"\n"
				       "    image: registry:5000/web:1.2\n"
				       "    ports: []\n"
				       "  - - 1\n"
				       "    - 2.50\n"
				       "  nothing: null\n"
				       "  ready: true\n";

	yaml_write(&text, parse_one(expected));
	assert_string_equal(text.data, expected);
}

/* As a value, as a key, in a list, and in a list of a list. */
static void assert_comes_back(const char *value)
{
	auto_str struct str source = STR_INIT(1 << 20), text = STR_INIT(1 << 20);
	struct json_writer w = JSON_WRITER(&source, 0);
	json *tree = NULL;

	json_begin_object(&w);
	json_member_string(&w, "the first", value);
	json_member_string(&w, value, value);
	json_key(&w, "the list");
	json_begin_array(&w);
	json_string(&w, value);
	json_begin_array(&w);
	json_string(&w, value);
	json_end_array(&w);
	json_end_array(&w);
	json_member_string(&w, "the last", value);
	json_end_object(&w);
	if (json_parse(arena, "test", source.data, source.len, &tree))
		fail_msg("not JSON: %s", source.data);
	yaml_write(&text, tree);
	assert_ok(str_check(&text));
	json **again = NULL;
	size_t count = 0;
	assert_ok(yaml_parse(arena, "written", text.data, text.len, &again, &count));
	assert_int_equal(count, 1);
	if (!json_equal(tree, again[0]))
		fail_msg("does not come back: %s", text.data);
}

static void test_every_string_written_is_read_as_the_same(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"", " ", "true", "no", "y", "~", "null", "12", "0x1f", "1e3", ".5", "-", "- a", "-a", "?", "? a", ":", ": a", ":a",
		"a:", "a: b", "a:b", "a #b", "a#b", "#a", "&a", "*a", "!a", "|", ">", "'", "\"", "%a", "@a", "`a", "{a", "[a", "a]",
		",a", "a, b", "<<", "=", "---", "--- a", "...", "-----BEGIN X-----", " a", "a ", "\ta", "a\t", "a\tb", "\n", "a\n", "a\nb",
		"a\n\n", "a\n\n\nb\n\n\n", "\na", "  a\nb", "a\n  b\n", "a\n\tb", "a \nb ", "a\n \nb", "a\n  ", "a\r\nb", "\x7f",
		"\x01", "äöü", "\xc2\x85", "\xe2\x80\xa8", "\xef\xbb\xbf", "😀", "\xef\xbf\xbf", "\xc2\xa0", "1:30", "2026-11-23", "\\",
		"a\\nb", "\xef\xbf\xbd", ".inf", "-.INF", ".nan", "0o17", "08", "1_000", "+1", "'a'", "\"a\"", "---\na", "...\na", "a\n---\nb",
		"- a\n- b", "# a\n# b", "key: |\n  text\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_comes_back(rows[i]);
	for (int a = 1; a < 128; a++)
		for (int b = 0; b < 128; b++) {
			char pair[] = { (char)a, (char)b, 0 }, within[] = { 'x', (char)a, b ? (char)b : 'y', 'x', 0 };
			assert_comes_back(pair);
			if (b)
				assert_comes_back(within);
		}
}

static void test_keys_of_any_length_come_back(void **state)
{
	(void)state;
	static const size_t lengths[] = { 900, 999, 1000, 1001, 1024, 5000 };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		auto_free char *key = malloc(lengths[i] + 1);
		assert_non_null(key);
		memset(key, 'k', lengths[i]);
		key[lengths[i]] = '\0';
		assert_comes_back(key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain_scalars_are_typed_as_kubernetes_types_them, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_manifest_is_read_with_its_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_stream_holds_many_documents_and_empty_ones_do_not_count, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json_is_yaml, setup, teardown),
		cmocka_unit_test_setup_teardown(test_aliases_stand_for_their_anchors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_billion_laughs_are_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nesting_has_an_end_also_through_aliases, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_would_be_misread_is_refused_with_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_much_text_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_objects_are_written_as_people_write_them, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_string_written_is_read_as_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys_of_any_length_come_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
