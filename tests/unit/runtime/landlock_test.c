/* tests/unit/runtime/landlock_test.c: org.stube.landlock for kernels older than this one. */
#include "tests/unit/unit.h"

#include "oci/landlock.h"
#include "runtime/plan-build.h"
#include "runtime/plan-config.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	assert_ok(arena_new(1 << 20, &arena));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* Plan the document for kernel version `abi`; its error's text, or NULL. */
static const char *plan(struct plan_builder *b, const char *document, int abi, struct strv *warnings)
{
	static char text[1000];
	auto_str struct str out = STR_INIT(sizeof text - 1);
	const struct oci_landlock *l = NULL;
	struct plan_source source = { .arena = arena, .warnings = warnings };

	plan_builder_init(b);
	assert_ok(oci_landlock_decode(arena, "document", document, strlen(document), &l));
	auto_err err *e = plan_landlock_document(b, &source, l, abi);
	if (!e)
		return NULL;
	err_format(e, &out);
	snprintf(text, sizeof text, "%s", out.data);
	return text;
}

#define ALL(more) \
	"{\"ruleset\":{\"handledAccessFS\":[\"execute\",\"refer\",\"truncate\",\"ioctl_dev\"]," \
	"\"handledAccessNetwork\":[\"connect_tcp\"],\"scoped\":[\"signal\"]}," \
	"\"rules\":{\"pathBeneath\":[{\"allowedAccess\":[\"execute\",\"ioctl_dev\"],\"paths\":[\"/bin/../usr\"]}]," \
	"\"networkPort\":[{\"allowedAccess\":[\"connect_tcp\"],\"ports\":[80,443]}]}" more "}"

static void test_a_right_that_the_kernel_lacks_is_an_error_with_its_place(void **state)
{
	static const struct {
		int abi;
		const char *error;
	} rows[] = {
		{ 0, "ruleset.handledAccessFS[0]: 'execute' needs version 1 of the kernel's Landlock, which has 0" },
		{ 1, "ruleset.handledAccessFS[1]: 'refer' needs version 2 of the kernel's Landlock, which has 1" },
		{ 2, "ruleset.handledAccessFS[2]: 'truncate' needs version 3 of the kernel's Landlock, which has 2" },
		{ 3, "ruleset.handledAccessFS[3]: 'ioctl_dev' needs version 5 of the kernel's Landlock, which has 3" },
		{ 4, "ruleset.handledAccessFS[3]: 'ioctl_dev' needs version 5 of the kernel's Landlock, which has 4" },
		{ 5, "ruleset.scoped[0]: 'signal' needs version 6 of the kernel's Landlock, which has 5" },
		{ 6, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_plan_builder struct plan_builder b;
		const char *error = plan(&b, ALL(""), rows[i].abi, NULL);

		if (rows[i].error)
			assert_string_equal(error, rows[i].error);
		else
			assert_null(error);
		assert_int_equal(!!(b.plan.flags & PLAN_LANDLOCK), !rows[i].error);
	}
}

static void test_best_effort_drops_them_from_rules_as_well_and_warns_of_each(void **state)
{
	auto_plan_builder struct plan_builder b;
	auto_strv struct strv warnings = STRV_INIT(100);
	const struct plan *p = NULL;

	(void)state;
	assert_null(plan(&b, ALL(",\"bestEffort\":true"), 3, &warnings));
	assert_int_equal(warnings.count, 3);
	assert_string_equal(warnings.items[0], "org.stube.landlock: ruleset.handledAccessFS[3]: 'ioctl_dev' is not "
					       "restricted: the kernel's Landlock has version 3, not 5");
	b.plan.id = b.plan.process.cwd = plan_add_text(&b, "/");
	b.plan.process.args = plan_add_texts(&b, (const char *const[]){ "x" }, 1);
	assert_ok(plan_finish(&b, &p));
	const struct plan_landlock_path *path = plan_items(p, p->landlock.paths);
	assert_int_equal(p->landlock.fs, 1 | 1 << 13 | 1 << 14);
	assert_int_equal(p->landlock.net, 0);
	assert_int_equal(p->landlock.scoped, 0);
	assert_int_equal(p->landlock.paths.count, 1);
	assert_int_equal(p->landlock.ports.count, 0);
	assert_string_equal(plan_string(p, path->path), "/usr");
	assert_int_equal(path->access, 1);
}

static void test_best_effort_without_landlock_restricts_nothing_and_says_so(void **state)
{
	auto_plan_builder struct plan_builder b;
	auto_strv struct strv warnings = STRV_INIT(100);

	(void)state;
	assert_null(plan(&b, ALL(",\"bestEffort\":true"), 0, &warnings));
	assert_int_equal(warnings.count, 6);
	assert_false(b.plan.flags & PLAN_LANDLOCK);
}

/* The names and bits are the kernel's: a ruleset of each alone is one that this kernel takes. */
static void test_this_kernel_takes_every_right_of_its_version(void **state)
{
	auto_plan_builder struct plan_builder b;

	(void)state;
	if (plan_landlock_abi() < 6)
		skip();
	assert_null(plan(&b, ALL(""), plan_landlock_abi(), NULL));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_right_that_the_kernel_lacks_is_an_error_with_its_place),
		cmocka_unit_test(test_best_effort_drops_them_from_rules_as_well_and_warns_of_each),
		cmocka_unit_test(test_best_effort_without_landlock_restricts_nothing_and_says_so),
		cmocka_unit_test(test_this_kernel_takes_every_right_of_its_version),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
