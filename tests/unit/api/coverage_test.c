/* tests/unit/api/coverage_test.c: docs/api-coverage.md is what the tables of the kinds say.
 * After a change: STUBE_UPDATE=1 build/release/tests/unit/api/coverage_test, then commit. */
#include "tests/unit/api/api.h"

#include "api/deployment.h"

#define DOCUMENT "docs/api-coverage.md"

/* Parts of several kinds: told once, referred to elsewhere. */
static const struct {
	const struct type *type;
	const char *title, *link;
} parts[] = {
	{ &t_meta, "metadata", "#metadata-of-every-kind" },
	{ &t_pod_spec, "Pod", "#pod" },
	{ &t_label_selector, "selectors", "#selectors" },
};

static void describe(const struct type *type, struct str *out)
{
	size_t shown = 0;

	switch (type->kind) {
	case T_OPTIONAL:
		describe(type->item, out);
		return;
	case T_ARRAY:
		str_add(out, "list of ");
		describe(type->item, out);
		break;
	case T_MAP:
		str_add(out, "map of ");
		describe(type->item, out);
		break;
	case T_ENUM:
		for (const struct enum_name *n = type->names; n->name; n++)
			if (*n->name)
				str_addf(out, "%s`%s`", shown++ ? ", " : "", n->name);
		break;
	case T_INT:
	case T_UINT:
		str_add(out, "whole number");
		if (type->kind == T_INT && (type->min || type->max))
			str_addf(out, ", %lld to %llu", (long long)type->min, (unsigned long long)type->max);
		if (type->kind == T_UINT && (type->low || type->max))
			str_addf(out, ", %llu to %llu", (unsigned long long)type->low, (unsigned long long)type->max);
		break;
	default:
		str_add(out, type->kind == T_OBJECT ? "object" : type->name);
	}
	if (type->kind == T_ARRAY && type->max)
		str_addf(out, ", at most %llu", (unsigned long long)type->max);
	if ((type->kind == T_ARRAY && (type->flags & NOT_EMPTY)) || type == &t_nonempty)
		str_add(out, ", not empty");
}

/* How the field counts, and what it may hold. */
static void describe_field(const struct field *field, const char *path, struct str *out)
{
	str_addf(out, "| `%s` | ", path);
	if ((field->flags & UNSUPPORTED) && (!field->absent || str_equal(field->absent, "null")))
		str_add(out, "**refused** | |\n");
	else if ((field->flags & UNSUPPORTED) && strlen(field->absent) <= 2)
		str_add(out, "only empty | |\n");
	else if (field->flags & UNSUPPORTED)
		str_addf(out, "only `%s` or empty | |\n", field->absent);
	else if (field->flags & IGNORED)
		str_add(out, "accepted, without effect | |\n");
	else
		str_add(out, field->flags & REQUIRED ? "required | " : "works | ");
	if (field->flags & (UNSUPPORTED | IGNORED))
		return;
	describe(field->type, out);
	if (field->absent && strlen(field->absent) > 2)
		str_addf(out, "; default `%s`", field->absent);
	str_add(out, " |\n");
}

static const char *part_of(const struct type *type, size_t *index)
{
	for (*index = 0; *index < ARRAY_LEN(parts); (*index)++)
		if (parts[*index].type == type)
			return parts[*index].link;
	return NULL;
}

static void print_fields(const struct type *object, const char *prefix, bool whole, struct str *out)
{
	for (const struct field *field = object->fields; field->key; field++) {
		auto_str struct str path = STR_INIT(4096);
		const struct type *inner = field->type;
		size_t part;

		if (!*prefix && (str_equal(field->key, "apiVersion") || str_equal(field->key, "kind")))
			continue; /* each heading says them */
		str_addf(&path, "%s%s", prefix, field->key);
		while (inner->item && !(field->flags & (UNSUPPORTED | IGNORED))) {
			if (inner->kind != T_OPTIONAL)
				str_add(&path, inner->kind == T_ARRAY ? "[]" : ".*");
			inner = inner->item;
		}
		if (part_of(inner, &part) && !(whole && parts[part].type == &t_pod_spec)) {
			str_addf(out, "| `%s` | %s | as in [%s](%s) |\n", path.data,
				 field->flags & REQUIRED ? "required" : "works", parts[part].title, parts[part].link);
			continue;
		}
		describe_field(field, path.data, out);
		if (inner->kind != T_OBJECT || field->flags & (UNSUPPORTED | IGNORED))
			continue;
		str_add_char(&path, '.');
		print_fields(inner, path.data, whole, out);
	}
}

#define TABLE "| field | | |\n|---|---|---|\n"

static void print_page(struct str *out)
{
	str_add(out, "# What is covered of the Kubernetes API\n\n"
		     "Written from the tables that decode the objects (`api/*.c`), by tests/unit/api/coverage_test.c; the same\n"
		     "test fails when this page is not current. Names and meanings are those of Kubernetes 1.33. A field with\n"
		     "\"only ... or empty\" is accepted while it holds that default or nothing, and refused by name, file and line\n"
		     "otherwise; a key without a row is refused. `\"\"` and `null` are absent values. `apiVersion` and `kind` are\n"
		     "required.\n"
		     "\n## Metadata of every kind\n\n" TABLE);
	print_fields(&t_meta, "", false, out);
	str_add(out, "\n## Selectors\n\n" TABLE);
	print_fields(&t_label_selector, "", false, out);
	for (size_t i = 0; i < KIND_COUNT; i++) {
		str_addf(out, "\n## %s\n\n`%s`%s\n\n" TABLE, kinds[i].name, kinds[i].api_version,
			 kinds[i].namespaced ? ", in a namespace" : "");
		print_fields(kinds[i].type, "", i == KIND_POD, out);
	}
}

static void test_the_page_is_current(void **state)
{
	(void)state;
	auto_str struct str now = STR_INIT(1 << 20), page = STR_INIT(1 << 20);

	print_page(&now);
	assert_ok(str_check(&now));
	if (getenv("STUBE_UPDATE"))
		assert_ok(file_replace(AT_FDCWD, DOCUMENT, now.data, now.len, 0644));
	assert_ok(file_read(AT_FDCWD, DOCUMENT, &page));
	if (strcmp(now.data, page.data) != 0)
		fail_msg("%s is not what the tables say: STUBE_UPDATE=1 build/release/tests/unit/api/coverage_test", DOCUMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_the_page_is_current) };

	return cmocka_run_group_tests_name("api/coverage", tests, NULL, NULL);
}
