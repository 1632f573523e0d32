/* tests/unit/runtime/resctrl_test.c: linux.intelRdt on a directory that stands for the resctrl file system. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "runtime/resctrl.h"
#include "runtime/state.h"

static struct arena *arena;
static char place[64];
static int root = -1;

/* What the kernel puts into a new group; a fake tree needs it done by hand. */
static void populate(const char *group, const char *schemata)
{
	char path[256];

	if (group)
		(void)!mkdirat(root, group, 0755);
	for (const char *const *f = (const char *const[]){ "tasks", "schemata", NULL }; *f; f++) {
		snprintf(path, sizeof path, "%s/%s", group ? group : ".", *f);
		const char *text = strcmp(*f, "schemata") == 0 ? schemata : "";
		assert_ok(file_replace(root, path, text, strlen(text), 0644));
	}
	snprintf(path, sizeof path, "%s/mon_groups", group ? group : ".");
	(void)!mkdirat(root, path, 0755);
}

static int setup(void **state)
{
	(void)state;
	snprintf(place, sizeof place, "/tmp/stube-resctrl-XXXXXX");
	assert_ok(arena_new(1 << 20, &arena));
	assert_non_null(mkdtemp(place));
	root = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	populate(NULL, "    MB:0=100\n    L3:0=7ff;1=7ff\n");
	assert_int_equal(mkdirat(root, "info", 0755), 0);
	assert_ok(file_replace(root, "info/last_cmd_status", "ok\n", 3, 0644));
	return 0;
}

static int teardown(void **state)
{
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	fd_clear(&root);
	arena_free(arena);
	err_free(path_remove_all(tmp, strrchr(place, '/') + 1));
	return 0;
}

static const char *content(const char *path)
{
	static char text[4096];
	auto_str struct str out = STR_INIT(sizeof text - 1);

	assert_ok(file_read(root, path, &out));
	snprintf(text, sizeof text, "%s", out.data ? out.data : "");
	return text;
}

static bool exists(const char *path)
{
	struct stat st;

	return fstatat(root, path, &st, 0) == 0;
}

static const char *lines[] = { "L2:0=f", "L3:0=1" };

static void test_a_class_without_a_name_is_made_written_entered_and_removed(void **state)
{
	const struct oci_intel_rdt rdt = {
		.l3_cache_schema = "L3:0=7f0;1=1f\nMB:0=50\nL3CODE:0=1",
		.mem_bw_schema = "MB:0=20;1=70",
		.schemata = { lines, 2 },
	};
	struct resctrl_group g = { 0 };

	(void)state;
	assert_ok(resctrl_make(arena, root, &rdt, "web", &g));
	assert_string_equal(g.name, "web");
	assert_true(g.made);
	populate("web", "");
	assert_ok(resctrl_fill(root, &rdt, &g));
	/* The specification's order; MB: of l3CacheSchema gives way. */
	assert_string_equal(content("web/schemata"), "L3:0=7f0;1=1f\nL3CODE:0=1\nMB:0=20;1=70\nL2:0=f\nL3:0=1\n");
	assert_ok(resctrl_enter(root, &g, "web", 4711));
	assert_string_equal(content("web/tasks"), "4711");
	for (const char *const *f = (const char *const[]){ "web/tasks", "web/schemata", NULL }; *f; f++)
		assert_int_equal(unlinkat(root, *f, 0), 0);
	assert_int_equal(unlinkat(root, "web/mon_groups", AT_REMOVEDIR), 0);
	assert_ok(resctrl_remove(root, &g, "web"));
	assert_false(exists("web"));
	assert_ok(resctrl_remove(root, &g, "web"));
}

static void test_the_containers_id_must_not_be_a_class_already(void **state)
{
	const struct oci_intel_rdt rdt = { .mem_bw_schema = "MB:0=20" };
	struct resctrl_group g = { 0 };

	(void)state;
	populate("taken", "MB:0=20\n");
	assert_err(resctrl_make(arena, root, &rdt, "taken", &g), "linux.intelRdt.closID: make 'taken': File exists");
	assert_ok(resctrl_remove(root, &g, "taken"));
	assert_true(exists("taken"));
}

static void test_a_class_that_is_there_is_compared_joined_and_stays(void **state)
{
	struct oci_intel_rdt rdt = { .clos_id = "gold", .l3_cache_schema = "L3:0=0f;1=F0", .mem_bw_schema = "MB:1=70" };
	struct resctrl_group g = { 0 };

	(void)state;
	populate("gold", "    MB:0=100;1=70\n    L3:0=f;1=f0\n");
	assert_ok(resctrl_make(arena, root, &rdt, "web", &g));
	assert_false(g.made);
	assert_ok(resctrl_fill(root, &rdt, &g));
	assert_ok(resctrl_enter(root, &g, "web", 12));
	assert_string_equal(content("gold/tasks"), "12");
	rdt.mem_bw_schema = "MB:0=20";
	assert_err(resctrl_fill(root, &rdt, &g), "linux.intelRdt: the class 'gold' is there already, without 'MB:0=20'");
	assert_ok(resctrl_remove(root, &g, "web"));
	assert_true(exists("gold"));
}

static void test_a_class_without_schema_must_be_there(void **state)
{
	const struct oci_intel_rdt rdt = { .clos_id = "silver" };
	struct resctrl_group g = { 0 };

	(void)state;
	assert_err(resctrl_make(arena, root, &rdt, "web", &g),
		   "linux.intelRdt.closID: 'silver' is not set up on this host, and no schema is given to make it: No such file or directory");
	assert_false(exists("silver"));
	populate("silver", "MB:0=10\n");
	assert_ok(resctrl_make(arena, root, &rdt, "web", &g));
	assert_ok(resctrl_fill(root, &rdt, &g));
	assert_string_equal(content("silver/schemata"), "MB:0=10\n");
}

static void test_monitoring_makes_a_group_of_the_containers_id(void **state)
{
	const struct oci_intel_rdt rdt = { .clos_id = "/", .enable_monitoring = true };
	struct resctrl_group g = { 0 };

	(void)state;
	assert_ok(resctrl_make(arena, root, &rdt, "mon", &g));
	assert_true(g.monitor_made);
	assert_false(g.made);
	assert_ok(file_replace(root, "mon_groups/mon/tasks", "", 0, 0644));
	assert_ok(resctrl_enter(root, &g, "mon", 99));
	assert_string_equal(content("mon_groups/mon/tasks"), "99");
	assert_string_equal(content("tasks"), "99");
	assert_int_equal(unlinkat(root, "mon_groups/mon/tasks", 0), 0);
	assert_ok(resctrl_remove(root, &g, "mon"));
	assert_false(exists("mon_groups/mon"));
	assert_true(exists("mon_groups"));
}

static void test_a_host_that_cannot_monitor_says_so_and_keeps_nothing(void **state)
{
	const struct oci_intel_rdt rdt = { .mem_bw_schema = "MB:0=1", .enable_monitoring = true };
	struct resctrl_group g = { 0 };

	(void)state;
	assert_err(resctrl_make(arena, root, &rdt, "blind", &g),
		   "linux.intelRdt.enableMonitoring: this host does not monitor caches or memory bandwidth");
	assert_ok(resctrl_remove(root, &g, "blind"));
	assert_false(exists("blind"));
}

static void test_what_the_kernel_says_is_the_hint(void **state)
{
	const struct oci_intel_rdt rdt = { .mem_bw_schema = "MB:0=1" };
	struct resctrl_group g = { 0 };

	(void)state;
	populate("full", "");
	assert_ok(file_replace(root, "info/last_cmd_status", "Out of CLOSIDs\n", 15, 0644));
	auto_err err *e = resctrl_make(arena, root, &rdt, "full", &g);
	assert_non_null(e);
	assert_string_equal(err_first_hint(e), "The kernel says: Out of CLOSIDs");
}

static void test_a_class_is_a_directory_never_a_link(void **state)
{
	const struct oci_intel_rdt rdt = { .clos_id = "link", .mem_bw_schema = "MB:0=100" };
	struct resctrl_group g = { 0 };

	(void)state;
	assert_int_equal(symlinkat("/", root, "link"), 0);
	assert_ok(resctrl_make(arena, root, &rdt, "web", &g));
	auto_err err *e = resctrl_fill(root, &rdt, &g);
	assert_non_null(e);
	assert_int_equal(e->code, ELOOP);
}

static void test_lines_agree_by_value(void **state)
{
	static const struct {
		const char *have, *wanted;
		bool same;
	} rows[] = {
		{ "L3:0=7ff;1=7ff\n", "L3:0=7ff;1=7ff", true },
		{ "    L3:0=007ff;1=00000\n", "L3:0=7FF;1=0", true },
		{ "L3:0=7ff;1=7ff\n", "L3:1=7ff", true },
		{ "L3:0=7ff\n", "L3:1=7ff", false },
		{ "L3CODE:0=7ff\n", "L3:0=7ff", false },
		{ "MB:0=10\nL3:0=1\n", "L3:0=2", false },
		{ "MB:0=10\n", "MB:0=100", false },
		{ "MB:0=10\n", "MB", false },
		{ "MB:0=10\n", "MB:0", false },
		{ "", "MB:0=10", false },
		{ "MB:0=10", "MB:0=10", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (resctrl_has_line(rows[i].have, rows[i].wanted) != rows[i].same)
			fail_msg("row %zu", i);
}

static void test_the_record_keeps_what_was_made(void **state)
{
	static const char record[] =
		"{\"version\":1,\"id\":\"web\",\"ociVersion\":\"1.3.0\",\"pid\":1,\"startTime\":1,\"bundle\":\"/b\","
		"\"rootfs\":\"/b/r\",\"created\":\"now\",\"owner\":\"root\",\"resctrl\":\"web\",\"resctrlMade\":true,"
		"\"resctrlMonitor\":true,\"ownPidNamespace\":true}";
	auto_str struct str out = STR_INIT(4096);
	struct state_record r;

	(void)state;
	assert_ok(state_decode(arena, "record", record, strlen(record), &r));
	assert_string_equal(r.resctrl.name, "web");
	assert_true(r.resctrl.made && r.resctrl.monitor_made);
	assert_ok(state_encode(&r, &out));
	assert_non_null(strstr(out.data, "\"resctrl\":\"web\",\"resctrlMade\":true,\"resctrlMonitor\":true"));
	const char *bad = "{\"version\":1,\"id\":\"web\",\"ociVersion\":\"1.3.0\",\"pid\":1,\"startTime\":1,\"bundle\":\"/b\","
			  "\"rootfs\":\"/b/r\",\"created\":\"now\",\"owner\":\"root\",\"resctrl\":\"../x\",\"ownPidNamespace\":true}";
	auto_err err *e = state_decode(arena, "record", bad, strlen(bad), &r);
	assert_non_null(e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_class_without_a_name_is_made_written_entered_and_removed),
		cmocka_unit_test(test_the_containers_id_must_not_be_a_class_already),
		cmocka_unit_test(test_a_class_that_is_there_is_compared_joined_and_stays),
		cmocka_unit_test(test_a_class_without_schema_must_be_there),
		cmocka_unit_test(test_monitoring_makes_a_group_of_the_containers_id),
		cmocka_unit_test(test_a_host_that_cannot_monitor_says_so_and_keeps_nothing),
		cmocka_unit_test(test_what_the_kernel_says_is_the_hint),
		cmocka_unit_test(test_a_class_is_a_directory_never_a_link),
		cmocka_unit_test(test_lines_agree_by_value),
		cmocka_unit_test(test_the_record_keeps_what_was_made),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
