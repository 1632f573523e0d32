/* tests/unit/agent/slices_test.c: the cgroups above a Pod's containers: names, values, and a tree of plain files. */
#include "agent/slices.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/kinds.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "tests/unit/unit.h"

#define TENANT_A "stube.slice/stube-amt_a.slice"
#define POD_1	 TENANT_A "/stube-amt_a-podu1.slice"
#define POD_2	 TENANT_A "/stube-amt_a-podu2.slice"

static struct arena *arena;
static int root_fd = -1;
static char root[] = "/tmp/stube-slices.XXXXXX";

/* ---- a hierarchy of plain files: as the kernel fills a directory when it is made ---- */

static void write_file(const char *dir, const char *file, const char *text)
{
	auto_close int fd = -1;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_ok(fd_write_all(fd, text, strlen(text)));
}

static void make_cgroup(const char *dir)
{
	static const struct {
		const char *file, *value;
	} files[] = {
		{ "cgroup.subtree_control", "" }, { "memory.max", "max\n" },	   { "memory.low", "0\n" }, { "memory.current", "0\n" },
		{ "cpu.max", "max 100000\n" },	  { "cpu.weight", "100\n" }, { "pids.max", "max\n" },
	};

	if (strcmp(dir, ".") != 0)
		assert_int_equal(mkdirat(root_fd, dir, 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		write_file(dir, files[i].file, files[i].value);
}

static void assert_file(const char *dir, const char *file, const char *expected)
{
	auto_str struct str text = STR_INIT(4096);
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	assert_ok(file_read(root_fd, path, &text));
	assert_string_equal(text.data, expected);
}

/* file_put() writes over what is there, as the kernel's files take it; plain files keep their tails. */
static void empty(const char *dir)
{
	static const char *const files[] = { "memory.max", "memory.low", "cpu.max", "cpu.weight", "pids.max" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		write_file(dir, files[i], "");
}

static int setup(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/stube-slices.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_cgroup(".");
	return arena_new(4 << 20, &arena) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	fd_clear(&root_fd);
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	IGNORE(path_remove_all(tmp, root + strlen("/tmp/")));
	return 0;
}

static const struct pod *pod(const char *annotations, const char *first, const char *second)
{
	struct object *object = NULL;
	const char *text = arena_printf(arena,
					"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"annotations\":{%s}},"
					"\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i:1\",\"resources\":{%s}}%s%s%s]}}",
					annotations, first,
					second ? ",{\"name\":\"d\",\"image\":\"i:1\",\"resources\":{" : "", second ? second : "",
					second ? "}}" : "");

	assert_ok(object_decode(arena, "test", text, strlen(text), NULL, 0, &object));
	return (const struct pod *)(void *)object;
}

/* ---- names ---- */

static void test_names_of_tenants_never_meet_and_never_leave_their_place(void **state)
{
	(void)state;
	static const struct {
		const char *tenant, *uid, *path;
	} rows[] = {
		{ "default", "u-1", "/stube.slice/stube-default.slice/stube-default-podu_1.slice" },
		/* '-' would be a level of its own. */
		{ "amt-a", "u", "/stube.slice/stube-amt_a.slice/stube-amt_a-podu.slice" },
		{ "amt_a", "u", "/stube.slice/stube-amt\\x5fa.slice/stube-amt\\x5fa-podu.slice" },
		{ "..", "u", "/stube.slice/stube-\\x2e..slice/stube-\\x2e.-podu.slice" },
		{ "a/../../b", "u", "/stube.slice/stube-a\\x2f..\\x2f..\\x2fb.slice/stube-a\\x2f..\\x2f..\\x2fb-podu.slice" },
		{ "\xc3\xa4\n%", "u", "/stube.slice/stube-\\xc3\\xa4\\x0a\\x25.slice/stube-\\xc3\\xa4\\x0a\\x25-podu.slice" },
		{ "a\\x2d", "u", "/stube.slice/stube-a\\x5cx2d.slice/stube-a\\x5cx2d-podu.slice" },
	};
	char path[SLICES_PATH_MAX], long_name[300];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_ok(slices_path(rows[i].tenant, rows[i].uid, path));
		assert_string_equal(path, rows[i].path);
		assert_true(slices_is_path(path));
		assert_string_equal(slices_unit(path), strrchr(rows[i].path, '/') + 1);
	}
	memset(long_name, '/', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_err_code(slices_path(long_name, "u", path), ENAMETOOLONG);
	assert_err_code(slices_path("a", long_name, path), ENAMETOOLONG);
	assert_err_code(slices_path("", "u", path), ENAMETOOLONG);
}

static void test_a_record_names_a_slice_or_nothing(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"", "/", "/stube.slice", "/stube.slice/stube-a.slice", "/stube.slice/../stube-a.slice/b.slice", "/system.slice/x.slice",
		"/stube.slice/stube-a.slice/../../init.slice", "/stube.slice/stube-a.slice//b.slice", "stube.slice/stube-a.slice/b.slice",
		"/stube.slice/stube-a.slice/b",
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (slices_is_path(wrong[i]))
			fail_msg("'%s'", wrong[i]);
	const struct slice_values v = { 0 };
	assert_err(slices_make(root_fd, "/system.slice/a.slice", &v), "'/system.slice/a.slice' is no slice of a Pod");
	assert_err(slices_make(root_fd, "/stube.slice/stube-a.slice/b/c.slice", &v),
		   "'/stube.slice/stube-a.slice/b/c.slice' is no slice of a Pod");
}

/* ---- values ---- */

static void test_a_pods_values_are_the_sum_of_its_containers(void **state)
{
	(void)state;
	static const struct {
		const char *name, *annotations, *first, *second;
		struct slice_values v; /* max, low, quota, weight, pids */
	} rows[] = {
		{ "nothing", "", "", NULL, { -1, 0, -1, 1, -1 } },
		{ "limits stand for requests", "", "\"limits\":{\"cpu\":\"500m\",\"memory\":\"64Mi\"}", NULL,
		  { (64 + 8) << 20, 64 << 20, 50000, 50, -1 } },
		{ "two", "", "\"limits\":{\"cpu\":\"2\",\"memory\":\"64Mi\"},\"requests\":{\"cpu\":\"1\",\"memory\":\"32Mi\"}",
		  "\"limits\":{\"cpu\":\"250m\",\"memory\":\"64Mi\"}", { (128 + 8) << 20, 96 << 20, 225000, 125, -1 } },
		{ "one without a limit", "", "\"limits\":{\"cpu\":\"1\",\"memory\":\"64Mi\"}", "\"requests\":{\"memory\":\"1Mi\"}",
		  { -1, 65 << 20, -1, 100, -1 } },
		{ "processes of each", "\"stube/pids-limit\":\"100\"", "", "", { -1, 0, -1, 1, 216 } },
		{ "more processes than there are", "\"stube/pids-limit\":\"4194303\"", "", NULL, { -1, 0, -1, 1, -1 } },
		{ "next to nothing", "", "\"limits\":{\"cpu\":\"1m\"}", NULL, { -1, 0, 1000, 1, -1 } },
		{ "more than any machine", "", "\"limits\":{\"cpu\":\"9000000000000000\"}", NULL, { -1, 0, 100000000000, 10000, -1 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice_values v;
		slices_of_pod(pod(rows[i].annotations, rows[i].first, rows[i].second), &v);
		if (memcmp(&v, &rows[i].v, sizeof(v)) != 0)
			fail_msg("%s: memory %lld %lld cpu %lld %lld pids %lld", rows[i].name, (long long)v.memory_max,
				 (long long)v.memory_low, (long long)v.cpu_quota, (long long)v.cpu_weight, (long long)v.pids_max);
	}
}

/* ---- the tree ---- */

static void test_a_pod_and_its_tenant_have_values_and_go(void **state)
{
	(void)state;
	const struct slice_values one = { 100, 60, 50000, 20, 99 }, two = { -1, 40, -1, 5, -1 };

	make_cgroup("stube.slice");
	make_cgroup(TENANT_A);
	make_cgroup(POD_1);
	empty(POD_1);
	empty(TENANT_A);
	empty("stube.slice");
	assert_ok(slices_make(root_fd, "/" POD_1, &one));
	assert_file(POD_1, "memory.max", "100");
	assert_file(POD_1, "memory.low", "60");
	assert_file(POD_1, "cpu.max", "50000 100000");
	assert_file(POD_1, "cpu.weight", "20");
	assert_file(POD_1, "pids.max", "99");
	/* Each is asked for by itself, so that the rest does not fail with one: in a plain file over the one before. */
	assert_file(POD_1, "cgroup.subtree_control", "+pidsry");
	assert_file(TENANT_A, "cpu.weight", "20");
	assert_file(TENANT_A, "memory.low", "60");
	assert_file(TENANT_A, "memory.max", "");
	assert_file("stube.slice", "memory.low", "60");
	/* The weight of all Pods is what the machine's reserve leaves, not their sum. */
	assert_file("stube.slice", "cpu.weight", "");
	make_cgroup(POD_2);
	empty(POD_2);
	empty(TENANT_A);
	empty("stube.slice");
	assert_ok(slices_make(root_fd, "/" POD_2, &two));
	assert_file(POD_2, "memory.max", "max");
	assert_file(POD_2, "cpu.max", "max");
	assert_file(POD_2, "pids.max", "max");
	assert_file(TENANT_A, "cpu.weight", "25");
	assert_file(TENANT_A, "memory.low", "100");
	assert_file("stube.slice", "memory.low", "100");
}

static void test_without_controllers_there_are_directories_alone(void **state)
{
	(void)state;
	const struct slice_values v = { 100, 60, 50000, 20, 99 };
	struct stat st;

	assert_ok(slices_make(root_fd, "/" POD_1, &v));
	assert_int_equal(fstatat(root_fd, POD_1, &st, 0), 0);
	assert_int_equal(fstatat(root_fd, POD_1 "/memory.max", &st, 0), -1);
	/* Twice is once, and what a killed runtime left goes, too. */
	assert_ok(slices_make(root_fd, "/" POD_1, &v));
	assert_int_equal(mkdirat(root_fd, POD_1 "/u1-0-1", 0755), 0);
	assert_ok(slices_make(root_fd, "/" POD_2, &v));
	assert_ok(slices_remove(root_fd, "/" POD_1));
	assert_int_equal(fstatat(root_fd, POD_1, &st, 0), -1);
	assert_int_equal(fstatat(root_fd, TENANT_A, &st, 0), 0);
	assert_ok(slices_remove(root_fd, "/" POD_1));
	assert_ok(slices_remove(root_fd, "/" POD_2));
	assert_int_equal(fstatat(root_fd, TENANT_A, &st, 0), -1);
	assert_ok(slices_remove(root_fd, "/" POD_2));
}

static void test_a_slice_in_use_is_not_removed(void **state)
{
	(void)state;
	const struct slice_values v = { 100, 60, 50000, 20, 99 };

	assert_ok(slices_make(root_fd, "/" POD_1, &v));
	assert_int_equal(mkdirat(root_fd, POD_1 "/u1-0-1", 0755), 0);
	write_file(POD_1 "/u1-0-1", "busy", ""); /* a plain directory that is not empty stands for a cgroup with processes */
	assert_err_code(slices_remove(root_fd, "/" POD_1), ENOTEMPTY);
}

static void test_what_others_left_is_swept_when_it_is_empty_and_old(void **state)
{
	static const char *const pods[] = { POD_1, POD_2, TENANT_A "/stube-amt_a-podu3.slice" };
	const struct slice_values v = { 100, 60, 50000, 20, 99 };
	struct stat st;

	(void)state;
	assert_ok(slices_sweep(root_fd, INT64_MAX)); /* no /stube.slice yet */
	for (size_t i = 0; i < ARRAY_LEN(pods); i++) {
		char path[SLICES_PATH_MAX];
		snprintf(path, sizeof(path), "/%s", pods[i]);
		assert_ok(slices_make(root_fd, path, &v));
	}
	/* Nobody says of the first whether something runs in it, of the second somebody does. */
	write_file(POD_2, "cgroup.events", "populated 1\nfrozen 0\n");
	write_file(pods[2], "cgroup.events", "populated 0\nfrozen 0\n");
	assert_ok(slices_sweep(root_fd, INT64_MAX));
	assert_int_equal(fstatat(root_fd, POD_1, &st, 0), 0);
	assert_int_equal(fstatat(root_fd, POD_2, &st, 0), 0);
	/* A plain directory with a file cannot go; the kernel's own files are no obstacle
	 * (tests/integration/agent-slices.bats). */
	assert_int_equal(fstatat(root_fd, pods[2], &st, 0), 0);
}

static void test_a_link_in_the_hierarchy_is_not_followed(void **state)
{
	(void)state;
	const struct slice_values v = { 100, 60, 50000, 20, 99 };

	assert_int_equal(mkdirat(root_fd, "stube.slice", 0755), 0);
	assert_int_equal(mkdirat(root_fd, "elsewhere", 0755), 0);
	assert_int_equal(symlinkat("../elsewhere", root_fd, TENANT_A), 0);
	err *e = slices_make(root_fd, "/" POD_1, &v);
	assert_non_null(e);
	err_free(e);
	assert_ok(path_remove_all(root_fd, "elsewhere"));
}

static void test_all_pods_together_leave_the_machine_its_share(void **state)
{
	(void)state;
	const struct slice_values share = { 1000, -1, -1, 1900, 900 };

	make_cgroup("stube.slice");
	empty("stube.slice");
	assert_ok(slices_share(root_fd, &share));
	assert_file("stube.slice", "memory.max", "1000");
	assert_file("stube.slice", "cpu.weight", "1900");
	assert_file("stube.slice", "cpu.max", "max");
	assert_file("stube.slice", "pids.max", "900");
	assert_file("stube.slice", "memory.low", "");
	/* A smaller share than what is in use would kill services: the old limit stays, the rest holds. */
	empty("stube.slice");
	write_file("stube.slice", "memory.current", "2000\n");
	write_file("stube.slice", "memory.max", "3000\n");
	assert_err(slices_share(root_fd, &share), "Pods use 2000 bytes of memory, more than the 1000 that are not reserved for the "
						   "machine: the limit waits");
	assert_file("stube.slice", "memory.max", "3000\n");
	assert_file("stube.slice", "cpu.weight", "1900");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_names_of_tenants_never_meet_and_never_leave_their_place),
		TEST(test_a_record_names_a_slice_or_nothing),
		TEST(test_a_pods_values_are_the_sum_of_its_containers),
		TEST(test_a_pod_and_its_tenant_have_values_and_go),
		TEST(test_without_controllers_there_are_directories_alone),
		TEST(test_a_slice_in_use_is_not_removed),
		TEST(test_what_others_left_is_swept_when_it_is_empty_and_old),
		TEST(test_a_link_in_the_hierarchy_is_not_followed),
		TEST(test_all_pods_together_leave_the_machine_its_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
