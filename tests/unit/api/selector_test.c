/* tests/unit/api/selector_test.c: selectors as text: what they mean, how they are written, what is wrong with them. */
#include "tests/unit/api/api.h"

#include "api/selector.h"

static void test_label_selectors_select(void **state)
{
	(void)state;
	static struct string_pair pairs[] = { { "app", "web" }, { "tier", "front" }, { "empty", "" } };
	static const struct string_map labels = { pairs, 3 };
	static const struct { const char *text; bool matches; } rows[] = {
		{ NULL, true }, { "", true }, { "  ", true },
		{ "app=web", true }, { "app==web", true }, { "app = web", true }, { "app=api", false },
		{ "app!=web", false }, { "app!=api", true }, { "stage!=test", true },
		{ "app", true }, { "stage", false }, { "!stage", true }, { "!app", false }, { "! stage", true },
		{ "app in (web)", true }, { "app in (api, web)", true }, { "app in (api)", false }, { "stage in (a)", false },
		{ "app notin (api)", true }, { "app notin (api,web)", false }, { "stage notin (a)", true },
		{ "app=web,tier=front", true }, { "app=web,tier=back", false }, { "app=web,app=api", false },
		{ "empty=", true }, { "empty", true }, { "empty in ()", true }, { "app in (,web)", true },
		{ "app in(web),tier notin(back)", true }, { "in=x", false }, { "in", false }, { "notin!=x", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct label_selector *s = NULL, *again = NULL;
		auto_str struct str text = STR_INIT(4096), second = STR_INIT(4096);
		assert_ok(label_selector_parse(arena, rows[i].text, &s));
		assert_int_equal(label_selector_matches(s, &labels), rows[i].matches);
		/* Written and read again, it means the same. */
		label_selector_format(s, &text);
		assert_ok(label_selector_parse(arena, text.data, &again));
		assert_int_equal(label_selector_matches(again, &labels), rows[i].matches);
		label_selector_format(again, &second);
		assert_string_equal(text.data, second.data);
	}
}

static void test_label_selectors_are_written(void **state)
{
	(void)state;
	static const struct { const char *in, *out; } rows[] = {
		{ " tier in ( a , b ) , app == web ", "app=web,tier in (a,b)" },
		{ "x notin (a)", "x!=a" },
		{ "x notin (a,b),!y,z", "x notin (a,b),!y,z" },
		{ "example.org/a=b", "example.org/a=b" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct label_selector *s = NULL;
		auto_str struct str text = STR_INIT(4096);
		assert_ok(label_selector_parse(arena, rows[i].in, &s));
		label_selector_format(s, &text);
		assert_string_equal(text.data, rows[i].out);
	}
}

static void test_a_wrong_label_selector_is_shown_its_place(void **state)
{
	(void)state;
	static const struct { const char *text, *error; } rows[] = {
		{ "app=web,", "selector 'app=web,': character 9: expected a label key" },
		{ ",", "selector ',': character 1: expected a label key" },
		{ "app in web", "selector 'app in web': character 8: expected '('" },
		{ "app in (a", "selector 'app in (a': character 10: expected ',' or ')'" },
		{ "app is web", "selector 'app is web': character 5: expected ',' or an operator" },
		{ "app>5", "selector 'app>5': character 4: '<' and '>' are not supported" },
		{ "a/b/c", "selector 'a/b/c': character 1: this is no label key" },
		{ "app=-web", "selector 'app=-web': character 5: this is no label value" },
		{ "app=a=b", "selector 'app=a=b': character 6: expected ',' or an operator" },
		{ "!", "selector '!': character 2: expected a label key" },
		{ "app\xff", "selector 'app?': character 4: expected ',' or an operator" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct label_selector *s = NULL;
		assert_err(label_selector_parse(arena, rows[i].text, &s), rows[i].error);
	}
}

static void test_selectors_have_a_ceiling(void **state)
{
	(void)state;
	auto_str struct str many = STR_INIT(1 << 20), values = STR_INIT(1 << 20);
	const struct label_selector *s = NULL;
	const struct field_selector *f = NULL;

	for (int i = 0; i < 300; i++)
		str_add(&many, i ? ",a" : "a");
	assert_err_code(label_selector_parse(arena, many.data, &s), EINVAL);
	str_add(&values, "a in (");
	for (int i = 0; i < 2000; i++)
		str_add(&values, "b,");
	assert_err_code(label_selector_parse(arena, values.data, &s), EINVAL);
	while (values.len <= 64 << 10)
		str_add(&values, "bbbbbbbbbbbbbbbbb");
	assert_err(label_selector_parse(arena, values.data, &s), "selector: longer than 65536 bytes");
	assert_err(field_selector_parse(arena, &kinds[KIND_POD], values.data, &f), "selector: longer than 4096 bytes");
}

static void test_field_selectors_select(void **state)
{
	(void)state;
	static const struct { const char *text; bool matches; } rows[] = {
		{ NULL, true }, { "", true },
		{ "spec.nodeName=state-1", true }, { "spec.nodeName==state-1", true }, { "spec.nodeName!=state-1", false },
		{ "spec.nodeName=", false }, { "spec.nodeName!=", true },
		{ "spec.nodeName=state-1,status.phase!=Running", false }, { "status.phase=Running,metadata.namespace=amt", true },
		{ "metadata.name=web-7d4c5b6f9-x2x2x", true }, { "metadata.name=a\\,b\\=c\\\\", false },
	};
	const struct object *pod = decoded_file("tests/data/api/full-pod.json");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct field_selector *s = NULL;
		assert_ok(field_selector_parse(arena, &kinds[KIND_POD], rows[i].text, &s));
		assert_int_equal(field_selector_matches(s, pod), rows[i].matches);
	}
	const struct field_selector *s = NULL;
	assert_ok(field_selector_parse(arena, &kinds[KIND_POD], "metadata.name=a\\,b\\=c\\\\,status.phase=x", &s));
	assert_int_equal(s->count, 2);
	assert_string_equal(s->items[0].value, "a,b=c\\");
}

static void test_a_field_that_a_kind_does_not_have_is_named(void **state)
{
	(void)state;
	static const struct { const char *text, *error; } rows[] = {
		{ "spec.nodeName=a,spec.image=x", "selector 'spec.nodeName=a,spec.image=x': character 17: a Pod cannot be selected "
						  "by its field 'spec.image'" },
		{ "spec.nodeName", "selector 'spec.nodeName': character 14: expected '=' or '!='" },
		{ "spec.nodeName=a,", "selector 'spec.nodeName=a,': character 17: expected a field" },
		{ "=a", "selector '=a': character 1: a Pod cannot be selected by its field ''" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct field_selector *s = NULL;
		assert_err(field_selector_parse(arena, &kinds[KIND_POD], rows[i].text, &s), rows[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_label_selectors_select),
		TEST(test_label_selectors_are_written),
		TEST(test_a_wrong_label_selector_is_shown_its_place),
		TEST(test_selectors_have_a_ceiling),
		TEST(test_field_selectors_select),
		TEST(test_a_field_that_a_kind_does_not_have_is_named),
	};

	return cmocka_run_group_tests_name("api/selector", tests, NULL, NULL);
}
