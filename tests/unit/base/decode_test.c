/* tests/unit/base/decode_test.c: one declaration decodes, defaults, checks, reports and encodes. */
#include "tests/unit/unit.h"

#include "base/decode.h"

enum colour { RED, GREEN };
static const struct enum_name colours[] = { { "red", RED }, { "green", GREEN }, { 0 } };
static const struct type t_colour = ENUM("colour", colours);
static const struct type t_cap = ENUM_WARN("capability", colours);
static const struct type t_caps = ARRAY_OF(t_cap);
static const struct type t_percent = UINT_RANGE("percent", uint8_t, 1, 100);
static const struct type t_score = INT_RANGE("score", int32_t, -1000, 1000);

struct point {
	int64_t x;
	uint16_t *y;
};
static const struct field point_fields[] = {
	FIELD(struct point, "x", x, t_i64, REQUIRED, NULL),
	FIELD(struct point, "y", y, opt_u16, 0, NULL),
	{ 0 },
};
static const struct type t_point = OBJECT_STRICT("point", struct point, point_fields);
static const struct type t_points = ARRAY_OF_MAX(t_point, 3);
static const struct type opt_point = OPTIONAL(t_point);

struct named_point {
	const char *key;
	struct point point;
};
static const struct type t_point_map = MAP_OF(t_point, struct named_point, point);

struct doc {
	const char *cwd, *name;
	bool ready;
	int colour;
	uint8_t percent;
	int32_t score;
	double load;
	struct { int *items; size_t count; } caps;
	LIST(struct point) points;
	LIST(struct named_point) places;
	struct point *corner;
	struct strings args;
	struct string_map labels;
	const json *raw;
	bool future;
};
static const struct field doc_fields[] = {
	FIELD(struct doc, "cwd", cwd, t_abs_path, REQUIRED, NULL),
	FIELD(struct doc, "name", name, t_nonempty, 0, "\"web\""),
	FIELD(struct doc, "ready", ready, t_bool, OMIT_ZERO, NULL),
	FIELD(struct doc, "colour", colour, t_colour, 0, "\"green\""),
	FIELD(struct doc, "percent", percent, t_percent, OMIT_ZERO, NULL),
	FIELD(struct doc, "score", score, t_score, OMIT_ZERO, NULL),
	FIELD(struct doc, "load", load, t_double, OMIT_ZERO, NULL),
	FIELD(struct doc, "caps", caps, t_caps, 0, NULL),
	FIELD(struct doc, "points", points, t_points, 0, NULL),
	FIELD(struct doc, "places", places, t_point_map, 0, NULL),
	FIELD(struct doc, "corner", corner, opt_point, 0, NULL),
	FIELD(struct doc, "args", args, t_strings, 0, NULL),
	FIELD(struct doc, "labels", labels, t_string_map, 0, NULL),
	FIELD(struct doc, "raw", raw, t_raw, 0, NULL),
	FIELD(struct doc, "future", future, t_bool, UNSUPPORTED, NULL),
	FIELD(struct doc, "old", future, t_bool, IGNORED, NULL),
	{ 0 },
};
static const struct type t_doc = OBJECT("doc", struct doc, doc_fields);

static struct arena *arena;
static struct strv warnings, unknown;

static int setup(void **state)
{
	(void)state;
	warnings = unknown = (struct strv)STRV_INIT(100);
	assert_ok(arena_new(1 << 20, &arena));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	strv_done(&warnings);
	strv_done(&unknown);
	return 0;
}

static err *decode_doc(const char *text, struct doc *doc, const struct rule *rules)
{
	struct decoder d = { .arena = arena, .name = "t.json", .warnings = &warnings, .unknown = &unknown };

	return decode_text(&d, &t_doc, rules, text, strlen(text), doc);
}

static void test_absent_fields_take_their_defaults(void **state)
{
	(void)state;
	struct doc doc;

	assert_ok(decode_doc("{\"cwd\": \"/\", \"points\": null}", &doc, NULL));
	assert_string_equal(doc.cwd, "/");
	assert_string_equal(doc.name, "web");
	assert_int_equal(doc.colour, GREEN);
	assert_false(doc.ready);
	assert_null(doc.corner);
	assert_int_equal(doc.points.count, 0);
}

static void test_every_form_is_decoded(void **state)
{
	(void)state;
	struct doc doc;

	assert_ok(decode_doc("{\"cwd\":\"/srv\",\"name\":\"x\",\"ready\":true,\"colour\":\"red\",\"percent\":100,"
			     "\"score\":-1000,\"load\":0.25,\"caps\":[\"green\",\"red\"],"
			     "\"points\":[{\"x\":1},{\"x\":-2,\"y\":65535}],\"places\":{\"home\":{\"x\":7}},"
			     "\"corner\":{\"x\":9},\"args\":[\"a\",\"\"],\"labels\":{\"k\":\"v\",\"n\":null},"
			     "\"raw\":{\"any\":[1]},\"old\":true}", &doc, NULL));
	assert_true(doc.ready);
	assert_int_equal(doc.colour, RED);
	assert_int_equal(doc.percent, 100);
	assert_int_equal(doc.score, -1000);
	assert_true(doc.load == 0.25);
	assert_int_equal(doc.caps.items[0], GREEN);
	assert_int_equal(doc.points.count, 2);
	assert_null(doc.points.items[0].y);
	assert_int_equal(doc.points.items[1].x, -2);
	assert_int_equal(*doc.points.items[1].y, 65535);
	assert_string_equal(doc.places.items[0].key, "home");
	assert_int_equal(doc.places.items[0].point.x, 7);
	assert_int_equal(doc.corner->x, 9);
	assert_string_equal(doc.args.items[1], "");
	assert_string_equal(string_map_get(&doc.labels, "k"), "v");
	assert_string_equal(string_map_get(&doc.labels, "n"), "");
	assert_null(string_map_get(&doc.labels, "z"));
	assert_int_equal(json_get(doc.raw, "any")->kind, JSON_ARRAY);
	assert_false(doc.future);
}

static void test_errors_name_line_and_field_path(void **state)
{
	(void)state;
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "[]", "t.json:1:1: expected object, got array" },
		{ "{}", "t.json:1:1: cwd: required but missing" },
		{ "{\"cwd\":null}", "t.json:1:8: cwd: required but missing" },
		{ "{\n\"cwd\": 5}", "t.json:2:8: cwd: expected string, got number" },
		{ "{\"cwd\":\"srv\"}", "t.json:1:8: cwd: 'srv' is not an absolute path" },
		{ "{\"cwd\":\"/\",\"name\":\"\"}", "t.json:1:19: name: must not be empty" },
		{ "{\"cwd\":\"/\",\"colour\":\"blue\"}", "t.json:1:21: colour: unknown colour 'blue'" },
		{ "{\"cwd\":\"/\",\"percent\":0}", "t.json:1:22: percent: 0 is not a whole number from 1 to 100" },
		{ "{\"cwd\":\"/\",\"percent\":256}",
		  "t.json:1:22: percent: 256 is not a whole number from 1 to 100" },
		{ "{\"cwd\":\"/\",\"score\":1.5}",
		  "t.json:1:20: score: 1.5 is not a whole number from -1000 to 1000" },
		{ "{\"cwd\":\"/\",\"load\":1e999}", "t.json:1:19: load: number is out of range" },
		{ "{\"cwd\":\"/\",\"points\":[{\"x\":1},\n{\"x\":\"1\"}]}",
		  "t.json:2:6: points[1].x: expected number, got string" },
		{ "{\"cwd\":\"/\",\"points\":[{\"x\":1},null]}", "t.json:1:30: points[1]: expected object, got null" },
		{ "{\"cwd\":\"/\",\"points\":[{\"x\":1},{\"x\":1},{\"x\":1},{\"x\":1}]}",
		  "t.json:1:21: points: more than 3 items" },
		{ "{\"cwd\":\"/\",\"points\":[{\"x\":1,\"y\":65536}]}",
		  "t.json:1:33: points[0].y: 65536 is not a whole number from 0 to 65535" },
		{ "{\"cwd\":\"/\",\"places\":{\"a b\":{\"x\":1,\"z\":2}}}",
		  "t.json:1:39: places.a b.z: unknown field" },
		{ "{\"cwd\":\"/\",\"future\":false}", "t.json:1:21: future: is not supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct doc doc;

		assert_err(decode_doc(rows[i].text, &doc, NULL), rows[i].error);
	}
}

static void test_a_long_value_does_not_hide_the_reason(void **state)
{
	(void)state;
	auto_str struct str text = STR_INIT(1 << 16), error = STR_INIT(1 << 16);
	struct doc doc;

	str_add(&text, "{\"cwd\":\"");
	str_add(&error, "t.json:1:8: cwd: '");
	for (int i = 0; i < 20000; i++)
		str_add_char(&text, 'x');
	for (int i = 0; i < 200; i++)
		str_add_char(&error, 'x');
	str_add(&text, "\"}");
	str_add(&error, "' is not an absolute path");
	assert_err(decode_doc(text.data, &doc, NULL), error.data);
}

static void test_unknown_value_of_a_warning_enum_is_skipped_and_collected(void **state)
{
	(void)state;
	struct doc doc;

	assert_ok(decode_doc("{\"cwd\":\"/\",\"caps\":[\"red\",\"NET_ADMI\",\"green\"]}", &doc, NULL));
	assert_int_equal(doc.caps.count, 2);
	assert_int_equal(doc.caps.items[1], GREEN);
	assert_int_equal(warnings.count, 1);
	assert_string_equal(warnings.items[0], "t.json:1:26: caps[1]: unknown capability 'NET_ADMI', ignored");
}

static void test_unknown_keys_pass_and_are_listed(void **state)
{
	(void)state;
	struct doc doc;

	assert_ok(decode_doc("{\"cwd\":\"/\",\"x-vendor\":{\"a\":1}}", &doc, NULL));
	assert_int_equal(unknown.count, 1);
	assert_string_equal(unknown.items[0], "x-vendor");
}

static err *needs_ready(const void *document, struct decoder *d)
{
	const struct doc *doc = document;

	return doc->ready ? NULL : decoder_fail(d, "ready", "must be true with percent %d", doc->percent);
}

static void test_rules_check_the_finished_document(void **state)
{
	(void)state;
	static const struct rule rules[] = { { "ready", needs_ready }, { 0 } };
	struct doc doc;
	auto_err err *e = decode_doc("{\"cwd\":\"/\",\"percent\":5}", &doc, rules);

	assert_non_null(e);
	assert_non_null(strstr(e->message, "ready: must be true with percent 5"));
	assert_ok(decode_doc("{\"cwd\":\"/\",\"ready\":true}", &doc, rules));
}

static void test_encoder_writes_what_the_decoder_reads(void **state)
{
	(void)state;
	const char *text = "{\"cwd\":\"/srv\",\"name\":\"x\",\"ready\":true,\"colour\":\"red\",\"percent\":100,"
			   "\"score\":-1000,\"load\":0.1,\"caps\":[\"green\",\"red\"],"
			   "\"points\":[{\"x\":1},{\"x\":-2,\"y\":65535}],\"places\":{\"home\":{\"x\":7}},"
			   "\"corner\":{\"x\":9},\"args\":[\"a\",\"\"],\"labels\":{\"k\":\"v\"},"
			   "\"raw\":{\"any\":[1,null]}}";
	auto_str struct str out = STR_INIT(4096);
	struct doc doc;

	assert_ok(decode_doc(text, &doc, NULL));
	encode_text(&out, &t_doc, &doc, 0);
	assert_string_equal(out.data, text);
}

static void test_absent_values_are_left_out(void **state)
{
	(void)state;
	auto_str struct str out = STR_INIT(4096);
	struct doc doc;

	assert_ok(decode_doc("{\"cwd\":\"/\"}", &doc, NULL));
	encode_text(&out, &t_doc, &doc, 0);
	assert_string_equal(out.data, "{\"cwd\":\"/\",\"name\":\"web\",\"colour\":\"green\"}");
}

static void test_defaults_without_a_text(void **state)
{
	(void)state;
	struct doc doc;

	assert_ok(decode_defaults(arena, &t_doc, &doc));
	assert_null(doc.cwd);
	assert_string_equal(doc.name, "web");
	assert_int_equal(doc.colour, GREEN);
}

static void test_member_sizes_match_their_types(void **state)
{
	(void)state;
	for (const struct field *f = doc_fields; f->key; f++)
		assert_int_equal(f->size, f->type->size);
	for (const struct field *f = point_fields; f->key; f++)
		assert_int_equal(f->size, f->type->size);
}

static void test_memory_of_a_document_is_bounded(void **state)
{
	(void)state;
	auto_arena struct arena *small = NULL;
	struct decoder d = { .arena = small, .name = "t.json" };
	const char *text = "{\"cwd\":\"/\",\"args\":[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]}";
	struct doc doc;

	for (size_t ceiling = 0; ceiling < 600; ceiling += 16) {
		auto_arena struct arena *a = NULL;

		assert_ok(arena_new(ceiling, &a));
		d.arena = a;
		auto_err err *e = decode_text(&d, &t_doc, NULL, text, strlen(text), &doc);
		if (ceiling < 256)
			assert_int_equal(e ? e->code : 0, EFBIG);
	}
}

struct amount {
	int64_t value;
};
static const char *parse_amount(const char *text, void *value)
{
	return str_to_i64(text, &((struct amount *)value)->value) || str_equal(text, "many") ? NULL : "is no amount";
}
static void format_amount(const void *value, struct str *out)
{
	int64_t n = ((const struct amount *)value)->value;

	if (n == 7)
		str_add(out, "seven");
	else
		str_addf(out, "%lld", (long long)n);
}
static const struct type t_amount = {
	.kind = T_TEXT, .name = "amount", .size = sizeof(struct amount), .flags = OR_NUMBER | AS_NUMBER,
	.parse = parse_amount, .format = format_amount,
};
static const struct enum_name sizes[] = { { "", 0 }, { "large", 1 }, { 0 } };
static const struct type t_size = ENUM("size", sizes);
static const struct type t_sizes = ARRAY_OF(t_size);
struct order {
	const char *who, *note;
	struct amount amount;
	int size;
	struct { int *items; size_t count; } past;
};
static const struct field order_fields[] = {
	FIELD(struct order, "who", who, t_string, REQUIRED | EMPTY_ABSENT, NULL),
	FIELD(struct order, "note", note, t_string, EMPTY_ABSENT, "\"none\""),
	FIELD(struct order, "amount", amount, t_amount, 0, NULL),
	FIELD(struct order, "size", size, t_size, 0, "\"\""),
	FIELD(struct order, "past", past, t_sizes, 0, NULL),
	NOT_YET("later", "false"),
	{ 0 },
};
static const struct type t_order = OBJECT_STRICT("order", struct order, order_fields);

static void test_forms_that_go_encoders_write(void **state)
{
	(void)state;
	static const struct { const char *in, *out, *error; } rows[] = {
		{ "{\"who\":\"a\"}", "{\"who\":\"a\",\"note\":\"none\"}", NULL },
		{ "{\"who\":\"a\",\"note\":\"\"}", "{\"who\":\"a\",\"note\":\"none\"}", NULL },
		{ "{\"who\":\"\"}", NULL, "who: required but missing" },
		{ "{\"who\":\"a\",\"amount\":\"5\"}", "{\"who\":\"a\",\"note\":\"none\",\"amount\":5}", NULL },
		{ "{\"who\":\"a\",\"amount\":7}", "{\"who\":\"a\",\"note\":\"none\",\"amount\":\"seven\"}", NULL },
		{ "{\"who\":\"a\",\"amount\":-7}", "{\"who\":\"a\",\"note\":\"none\",\"amount\":\"-7\"}", NULL },
		{ "{\"who\":\"a\",\"size\":\"\"}", "{\"who\":\"a\",\"note\":\"none\"}", NULL },
		{ "{\"who\":\"a\",\"size\":\"large\"}", "{\"who\":\"a\",\"note\":\"none\",\"size\":\"large\"}", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *a = NULL;
		auto_str struct str out = STR_INIT(4096);
		struct order order;
		assert_ok(arena_new(1 << 20, &a));
		struct decoder d = { .arena = a, .name = "o" };
		err *e = decode_text(&d, &t_order, NULL, rows[i].in, strlen(rows[i].in), &order);
		if (rows[i].error) {
			assert_err(e, "o:1:8: who: required but missing");
			continue;
		}
		assert_ok(e);
		encode_text(&out, &t_order, &order, 0);
		assert_string_equal(out.data, rows[i].out);
	}
}

static void test_a_lenient_decoder_passes_over_what_it_does_not_know(void **state)
{
	(void)state;
	static const char text[] = "{\"who\":\"a\",\"new\":{},\"later\":true,\"size\":\"huge\",\"past\":[\"tiny\",\"large\"]}";
	auto_arena struct arena *a = NULL;
	struct order order;

	assert_ok(arena_new(1 << 20, &a));
	struct decoder d = { .arena = a, .name = "o" };
	assert_err(decode_text(&d, &t_order, NULL, text, strlen(text), &order), "o:1:18: new: unknown field");
	d.lenient = true;
	assert_ok(decode_text(&d, &t_order, NULL, text, strlen(text), &order));
	assert_int_equal(order.size, 0);
	assert_int_equal(order.past.count, 1);
	assert_int_equal(order.past.items[0], 1);
	/* What it knows must be right. */
	assert_err(decode_text(&d, &t_order, NULL, "{\"who\":1}", 9, &order), "o:1:8: who: expected string, got number");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms_that_go_encoders_write),
		cmocka_unit_test(test_a_lenient_decoder_passes_over_what_it_does_not_know),
		cmocka_unit_test_setup_teardown(test_absent_fields_take_their_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_form_is_decoded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors_name_line_and_field_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_long_value_does_not_hide_the_reason, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_value_of_a_warning_enum_is_skipped_and_collected, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_unknown_keys_pass_and_are_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules_check_the_finished_document, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encoder_writes_what_the_decoder_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absent_values_are_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defaults_without_a_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_member_sizes_match_their_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_of_a_document_is_bounded, setup, teardown),
	};

	return cmocka_run_group_tests_name("base/decode", tests, NULL, NULL);
}
