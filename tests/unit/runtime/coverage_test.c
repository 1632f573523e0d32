/* tests/unit/runtime/coverage_test.c: docs/spec-coverage.md is what the tables say and the runtime refuses.
 * After a change of either: STUBE_UPDATE=1 build/release/tests/unit/runtime/coverage_test, then commit. */
#include "tests/unit/unit.h"

#include <fcntl.h>

#include "base/file.h"
#include "oci/config.h"
#include "oci/features.h"
#include "oci/image.h"
#include "oci/state.h"
#include "runtime/annotations.h"
#include "runtime/cgroup.h"
#include "runtime/plan-config.h"

#define DOCUMENT "docs/spec-coverage.md"
#define FULL_CONFIG "tests/data/oci/full-config.json"
#define NAMES_MAX   12 /* longer lists of words are counted */

static const struct {
	const char *title, *text;
	const struct type *type;
} documents[] = {
	{ "config.json", "runtime-spec 1.3, config.md and config-linux.md. Table: `oci/config*.c`.", &t_oci_config },
	{ "State", "runtime-spec 1.3, runtime.md. Table: `oci/state.c`.", &t_oci_state },
	{ "Container process state", "runtime-spec 1.3, config-linux.md. Table: `oci/state.c`.", &t_oci_process_state },
	{ "Features", "runtime-spec 1.3, features.md. Table: `oci/features.c`.", &t_oci_features },
	{ "Image manifest", "image-spec 1.1, manifest.md. Table: `oci/image-tables.c`.", &t_oci_manifest },
	{ "Image index", "image-spec 1.1, image-index.md. Table: `oci/image-tables.c`.", &t_oci_index },
	{ "Image config", "image-spec 1.1, config.md. Table: `oci/image-tables.c`.", &t_oci_image },
	{ "Image layout", "image-spec 1.1, image-layout.md. Table: `oci/image-tables.c`.", &t_oci_layout },
};

static const struct {
	const char *title;
	const struct enum_name *names;
} words[] = {
	{ "Capabilities", oci_capability_names },
	{ "Resource limits", oci_rlimit_names },
	{ "Seccomp architectures", oci_seccomp_arch_names },
};

static void describe_names(const struct type *type, struct str *out)
{
	size_t count = 0;

	while (type->names[count].name)
		count++;
	if (count == 0 || count > NAMES_MAX) {
		str_addf(out, "%s: %zu names%s", type->name, count, count ? ", listed below" : "");
		return;
	}
	for (size_t i = 0; i < count; i++)
		str_addf(out, "%s`%s`", i ? ", " : "", type->names[i].name);
}

static void describe(const struct type *type, struct str *out)
{
	switch (type->kind) {
	case T_OPTIONAL:
		describe(type->item, out);
		return;
	case T_ARRAY:
		str_add(out, "array of ");
		describe(type->item, out);
		break;
	case T_MAP:
		str_add(out, "map of ");
		describe(type->item, out);
		break;
	case T_ENUM:
		describe_names(type, out);
		break;
	case T_OBJECT:
		str_add(out, "object");
		break;
	case T_INT:
	case T_UINT:
		str_add(out, type->kind == T_INT ? "integer" : "unsigned integer");
		if (type->min || type->low || type->max)
			str_addf(out, ", from %lld", type->kind == T_INT ? (long long)type->min : (long long)type->low);
		if (type->max && type->max != INT64_MAX)
			str_addf(out, " to %llu", (unsigned long long)type->max);
		break;
	default:
		str_add(out, type->name);
	}
	if (type->kind == T_ARRAY && type->max)
		str_addf(out, ", at most %llu", (unsigned long long)type->max);
	if ((type->kind == T_ARRAY && (type->flags & NOT_EMPTY)) || type == &t_nonempty)
		str_add(out, ", not empty");
}

/* The object that a row leads to, through options, arrays and maps; `suffix` shows the way. */
static const struct type *inner_object(const struct type *type, struct str *suffix)
{
	while (type->kind == T_OPTIONAL || type->kind == T_ARRAY || type->kind == T_MAP) {
		if (type->kind != T_OPTIONAL)
			str_add(suffix, type->kind == T_ARRAY ? "[]" : ".*");
		type = type->item;
	}
	return type->kind == T_OBJECT ? type : NULL;
}

/* ---- what decodes, but is refused by the runtime: asked with one member at a time ---- */

static struct strv refusals = STRV_INIT(100); /* "linux.netDevices: not supported yet" */
static struct arena *arena;

static void ask_runtime(const struct oci_config *config)
{
	struct cgroup_limits limits;
	auto_str struct str text = STR_INIT(4096);
	auto_err err *e = plan_refuse_unsupported(config);

	if (!e)
		e = cgroup_limits(arena, &config->linux.resources, &limits);
	if (!e || e->code != ENOTSUP)
		return;
	err_format(e, &text);
	if (!strv_contains(&refusals, text.data))
		strv_add(&refusals, text.data);
}

/* Give `probe`, which lies within `config` and is otherwise empty, one member of `full` after the other. */
static void ask_each(const struct type *object, const char *full, char *probe, const struct oci_config *config)
{
	for (const struct field *field = object->fields; field->key; field++) {
		const void *from = full + field->offset;
		void *to = probe + field->offset;

		if (field->flags & (UNSUPPORTED | IGNORED))
			continue;
		if (field->type->kind == T_OBJECT) {
			ask_each(field->type, from, to, config);
		} else if (field->type->kind == T_OPTIONAL && field->type->item->kind == T_OBJECT) {
			char *item = arena_alloc(arena, field->type->item->size);
			assert_non_null(item);
			*(void **)to = item;
			ask_each(field->type->item, *(const char *const *)from, item, config);
		} else {
			memcpy(to, from, field->size);
			ask_runtime(config);
		}
		memset(to, 0, field->size);
	}
}

static void ask_all(void)
{
	auto_str struct str text = STR_INIT(1 << 20);
	const struct oci_config *full;
	struct oci_config probe = { 0 };

	assert_ok(file_read(AT_FDCWD, FULL_CONFIG, &text));
	assert_ok(oci_config_decode(arena, FULL_CONFIG, text.data, text.len, NULL, &full));
	ask_each(&t_oci_config, (const char *)full, (char *)&probe, &probe);
	assert_ok(strv_check(&refusals));
}

/* The runtime's reason for refusing "linux.devices[].path", or NULL; it writes paths without indexes. */
static const char *refusal(const char *path)
{
	auto_str struct str plain = STR_INIT(4096);

	for (; *path; path++)
		if (*path != '[' && *path != ']')
			str_add_char(&plain, *path);
	for (size_t i = 0; i < refusals.count; i++)
		if (str_starts_with(refusals.items[i], plain.data) && refusals.items[i][plain.len] == ':')
			return refusals.items[i] + plain.len + 2;
	return NULL;
}

static const char *severity(const struct field *field)
{
	const struct type *type = field->type;

	while (type->item)
		type = type->item;
	if (field->flags & UNSUPPORTED)
		return str_equal(field->key, "vm") ? "**refused**: containers here share the host's kernel" :
						     "**not supported**, refused";
	if (field->flags & IGNORED)
		return "accepted, without effect";
	if (field->type == &t_raw)
		return "of another system: passed over, refused where linux.namespaces is missing";
	if (field->flags & REQUIRED)
		return "required";
	if (type->kind == T_ENUM && (type->flags & WARN))
		return "others are skipped with a warning";
	return "";
}

static void print_fields(const struct type *object, const char *prefix, struct str *out)
{
	for (const struct field *field = object->fields; field->key; field++) {
		auto_str struct str path = STR_INIT(4096), kind = STR_INIT(4096);
		bool known = !(field->flags & (UNSUPPORTED | IGNORED));

		str_addf(&path, "%s%s", prefix, field->key);
		if (known)
			describe(field->type, &kind);
		const char *why = refusal(path.data);
		str_addf(out, "| `%s` | %s | %s%s%s%s%s |\n", path.data, kind.data, severity(field),
			 field->absent ? "default " : "", field->absent ? field->absent : "",
			 why ? "**refused**: " : "", why ? why : "");
		const struct type *inner = known ? inner_object(field->type, &path) : NULL;
		if (!inner || !inner->fields->key)
			continue;
		str_add_char(&path, '.');
		print_fields(inner, path.data, out);
	}
}

static void print_annotations(struct str *out)
{
	static const char *const kinds[] = { "", "**refused**: ", "passed over: " };

	str_add(out, "\n## Annotations of config.json\n\nTable: `runtime/annotations.c`. A name that ends in a dot stands for "
		     "all that begin so; others have no effect.\n\n| annotation | |\n|---|---|\n");
	for (const struct annotation *a = annotations; a->name; a++)
		str_addf(out, "| `%s` | %s%s |\n", a->name, kinds[a->kind], a->text);
}

static void print_coverage(struct str *out)
{
	str_add(out, "# What is covered of the specifications\n\n"
		     "Written from the tables that decode the documents, by tests/unit/runtime/coverage_test.c; the same\n"
		     "test fails when this page is not current. A row that is not supported is refused by name; what the\n"
		     "runtime refuses although it decodes was asked of the runtime itself, field by field; a key\n"
		     "that has no row is passed over, as the specifications want.\n");
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		str_addf(out, "\n## %s\n\n%s\n\n| field | type | |\n|---|---|---|\n", documents[i].title, documents[i].text);
		print_fields(documents[i].type, "", out);
		strv_done(&refusals); /* they are about config.json, the first */
		if (i == 0)
			print_annotations(out);
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		str_addf(out, "\n## %s\n\n", words[i].title);
		for (const struct enum_name *n = words[i].names; n->name; n++)
			str_addf(out, "%s`%s`", n == words[i].names ? "" : ",\n", n->name);
		str_add(out, "\n");
	}
}

static void test_the_page_is_current(void **state)
{
	(void)state;
	auto_str struct str now = STR_INIT(1 << 20), page = STR_INIT(1 << 20);

	assert_ok(arena_new(16 << 20, &arena));
	ask_all();
	print_coverage(&now);
	arena_free(arena);
	assert_ok(str_check(&now));
	if (getenv("STUBE_UPDATE"))
		assert_ok(file_replace(AT_FDCWD, DOCUMENT, now.data, now.len, 0644));
	assert_ok(file_read(AT_FDCWD, DOCUMENT, &page));
	if (strcmp(now.data, page.data) != 0)
		fail_msg("%s is not what the tables say: STUBE_UPDATE=1 build/release/tests/unit/runtime/coverage_test", DOCUMENT);
}

/* A member of another size than its type would be written past its end. */
static size_t check_sizes(const struct type *type)
{
	size_t count = 0;

	while (type->item)
		type = type->item;
	for (const struct field *field = type->fields; type->kind == T_OBJECT && field->key; field++) {
		if (field->flags & (UNSUPPORTED | IGNORED))
			continue;
		if (field->size != field->type->size)
			fail_msg("%s.%s: the member has %zu bytes, its type %zu", type->name, field->key, field->size,
				 field->type->size);
		if (field->offset + field->size > type->size)
			fail_msg("%s.%s: lies outside of its struct", type->name, field->key);
		count += 1 + check_sizes(field->type);
	}
	return count;
}

static void test_every_member_has_the_size_of_its_type(void **state)
{
	(void)state;
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(documents); i++)
		count += check_sizes(documents[i].type);
	assert_true(count > 250);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_page_is_current),
		cmocka_unit_test(test_every_member_has_the_size_of_its_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
