/* tests/unit/runtime/plan_mounts_test.c: mounts of the config as rows of the plan. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "runtime/idmap.h"
#include "runtime/plan-mounts-internal.h"

static struct arena *arena;
static struct strv warnings;

static int setup(void **state)
{
	(void)state;
	warnings = (struct strv)STRV_INIT(100);
	assert_ok(arena_new(16 << 20, &arena));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strv_done(&warnings);
	arena_free(arena);
	return 0;
}

/* ---- crun's idmap=... ---- */

static struct oci_id_mapping ranges[] = { { 0, 0, 1 }, { 1, 2, 1000 }, { 5000, 70000, 10 } };
static const struct oci_id_mappings container = { ranges, 3 };

static void test_maps_of_crun_are_read(void **state)
{
	static const struct {
		const char *text, *uids, *gids;
	} rows[] = {
		{ "uids=0-1-10;gids=0-100-10", "0 1 10\n", "0 100 10\n" },
		{ "uids=0-1-10#10-11-10;gids=0-100-10", "0 1 10\n10 11 10\n", "0 100 10\n" },
		{ "gids=1-2-3;uids=4-5-6", "4 5 6\n", "1 2 3\n" },
		{ "uids=7-8-9", "7 8 9\n", "0 0 4294967295\n" },
		{ "gids=7-8-9", "0 0 4294967295\n", "7 8 9\n" },
		/* The example of crun's manual: 3 is shown as 1 + 3 of the host. */
		{ "uids=@1-3-10;gids=0-0-1", "1 4 10\n", "0 0 1\n" },
		{ "uids=@1-5000-10#20-20-1;gids=@0-0-1", "1 70000 10\n20 20 1\n", "0 0 1\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str uids = STR_INIT(1024), gids = STR_INIT(1024);
		struct oci_id_mappings u, g;

		assert_ok(plan_parse_maps(arena, rows[i].text, &container, &container, &u, &g));
		idmap_text(&u, &uids);
		idmap_text(&g, &gids);
		assert_string_equal(uids.data, rows[i].uids);
		assert_string_equal(gids.data, rows[i].gids);
	}
}

static void test_maps_that_cannot_be_meant_are_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "expected uids= or gids=" },
		{ "uids=", "expected FIRST-SHOWN-SIZE" },
		{ "uids=1", "expected FIRST-SHOWN-SIZE" },
		{ "uids=1-2", "expected FIRST-SHOWN-SIZE" },
		{ "uids=1-2-", "expected FIRST-SHOWN-SIZE" },
		{ "uids=1-2-x", "expected FIRST-SHOWN-SIZE" },
		{ "uids=-1-2-3", "expected FIRST-SHOWN-SIZE" },
		{ "uids=1-2-99999999999", "expected FIRST-SHOWN-SIZE" },
		{ "uids=1-2-99999999999999999999999", "expected FIRST-SHOWN-SIZE" },
		{ "uids=1-2-3,gids=1-2-3", "unexpected ',gids=1-2-3'" },
		{ "uids=1-2-3#", "expected FIRST-SHOWN-SIZE" },
		{ "users=1-2-3", "expected uids= or gids=" },
		{ "uids=1-2-0", "size 0 does not fit" },
		{ "uids=1-2-10#5-100-1", "overlaps entry 0" },
		{ "uids=@1-5005-10", "not in one range of the container's map" },
		{ "uids=@1-1-4294967295", "not in one range of the container's map" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str text = STR_INIT(1024);
		struct oci_id_mappings u, g;
		auto_err err *e = plan_parse_maps(arena, rows[i].text, &container, &container, &u, &g);

		assert_non_null(e);
		assert_int_equal(e->code, EINVAL);
		err_format(e, &text);
		if (!strstr(text.data, rows[i].words))
			fail_msg("%s: %s", rows[i].text, text.data);
	}
}

/* ---- linux.mountLabel ---- */

#define LABEL "system_u:object_r:container_file_t:s0:c1,c2"

static const char *const with_context[] = { "context=system_u:object_r:own_t:s0" };
static struct oci_mount mounts[] = {
	{ .destination = "/proc", .type = "proc", .source = "proc" },
	{ .destination = "/sys", .type = "sysfs", .source = "sysfs" },
	{ .destination = "/dev/mqueue", .type = "mqueue", .source = "mqueue" },
	{ .destination = "/tmp", .type = "tmpfs", .source = "tmpfs" },
	{ .destination = "/dev/pts", .type = "devpts", .source = "devpts" },
	{ .destination = "/own", .type = "tmpfs", .options = { (const char **)with_context, 1 } },
};

/* The rows' options joined, "L" in front where the label is an attribute. */
static void plan_labels(const char *selinux_fs, struct str *out)
{
	struct oci_config config = { .mounts = { mounts, ARRAY_LEN(mounts) },
				     .linux = { .mount_label = LABEL } };
	struct namespaces namespaces = NAMESPACES_INIT;
	auto_plan_builder struct plan_builder b;
	struct plan_source source = {
		.arena = arena,
		.config = &config,
		.namespaces = &namespaces,
		.bundle = "/",
		.cgroup_fd = -1,
		.warnings = &warnings,
		.selinux_fs = selinux_fs,
	};
	const char *const args[] = { "x" };
	const struct plan *p;

	plan_builder_init(&b);
	b.plan.id = b.plan.process.cwd = plan_add_text(&b, "/");
	b.plan.process.args = plan_add_texts(&b, args, 1);
	assert_ok(plan_mounts(&b, &source));
	assert_ok(plan_finish(&b, &p));
	const struct plan_mount *m = plan_items(p, p->mounts);
	for (uint32_t i = 0; i < p->mounts.count; i++) {
		const plan_text *options = plan_items(p, m[i].options);

		str_addf(out, "%s%s:%s;", m[i].flags & PLAN_MOUNT_LABEL ? "L" : "",
			 plan_string(p, m[i].destination),
			 m[i].options.count ? plan_string(p, options[0]) : "");
	}
}

static void test_new_file_systems_get_the_label_where_selinux_is(void **state)
{
	char dir[] = "/tmp/stube-selinux-XXXXXX", file[64];
	auto_str struct str text = STR_INIT(4096);

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/enforce", dir);
	assert_ok(file_replace(AT_FDCWD, file, "1", 1, 0644));
	plan_labels(dir, &text);
	assert_int_equal(unlink(file), 0);
	assert_string_equal(text.data,
			    "/proc:;/sys:;L/dev/mqueue:;/tmp:context=" LABEL ";/dev/pts:context=" LABEL
			    ";/own:context=system_u:object_r:own_t:s0;");
	assert_int_equal(warnings.count, 0);
	str_clear(&text);
	plan_labels(dir, &text);
	assert_int_equal(rmdir(dir), 0);
	assert_string_equal(
		text.data,
		"/proc:;/sys:;/dev/mqueue:;/tmp:;/dev/pts:;/own:context=system_u:object_r:own_t:s0;");
	assert_int_equal(warnings.count, 1);
	assert_string_equal(warnings.items[0],
			    "linux.mountLabel: SELinux is not enabled on this host, '" LABEL "' ignored");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_maps_of_crun_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_maps_that_cannot_be_meant_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_file_systems_get_the_label_where_selinux_is, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
