/* tests/unit/runtime/cgroup_tree_test.c: cgroups on a directory tree that plays the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "oci/config.h"
#include "runtime/cgroup.h"

struct tree {
	char dir[64];
	struct arena *arena;
	struct cgroup_root root;
};

static int tree_make(void **state)
{
	struct tree *t = calloc(1, sizeof *t);

	snprintf(t->dir, sizeof t->dir, "/tmp/stube-cgroup-XXXXXX");
	if (!mkdtemp(t->dir) || arena_new(1 << 20, &t->arena))
		return -1;
	t->root = (struct cgroup_root){ open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), t->dir, true };
	*state = t;
	return t->root.fd < 0;
}

/* Remove a directory that mkdtemp(3) made in /tmp. */
static int remove_temporary(const char *path)
{
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err *e = path_remove_all(tmp, strrchr(path, '/') + 1);
	bool failed = e != NULL;

	err_free(e);
	return failed;
}

static int tree_remove(void **state)
{
	struct tree *t = *state;

	cgroup_root_done(&t->root);
	arena_free(t->arena);
	int failed = remove_temporary(t->dir);
	free(t);
	return failed;
}

/* The files of one directory, "NAME=content" each. */
static void put(struct tree *t, const char *dir, const char *const *files)
{
	auto_close int fd = -1;

	assert_null(path_make_dirs(t->root.fd, dir, 0755, &fd));
	for (; *files; files++) {
		char name[128];
		const char *equals = strchr(*files, '=');
		snprintf(name, sizeof name, "%.*s", (int)(equals - *files), *files);
		auto_close int file = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		assert_true(file >= 0);
		assert_null(fd_write_all(file, equals + 1, strlen(equals + 1)));
	}
}
#define FILES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void assert_content(struct tree *t, const char *name, const char *expected)
{
	auto_str struct str text = STR_INIT(4096);

	assert_null(file_read(t->root.fd, name, &text));
	assert_string_equal(text.data, expected);
}

static void assert_message(err *taken, int code, const char *expected)
{
	auto_err err *e = taken;
	auto_str struct str text = STR_INIT(8192);

	assert_non_null(e);
	err_format(e, &text);
	assert_string_equal(text.data, expected);
	assert_int_equal(e->code, code);
}

static err *plan(struct tree *t, const char *path, const char *own, struct cgroup *ret)
{
	struct cgroup_request r = { .cgroups_path = path, .id = "web", .own_cgroup = own };

	return cgroup_plan(t->arena, &t->root, &r, ret);
}

static void test_paths_are_decided_as_the_caller_means_them(void **state)
{
	static const struct { const char *asked, *own, *expected; } rows[] = {
		{ "/machine/web", "0::/\n", "/machine/web" },
		{ "//machine///web/", "0::/\n", "/machine/web" },
		{ "machine/web", "0::/\n", "/machine/web" },
		{ "machine/web", "0::/user.slice/session\n", "/user.slice/machine/web" },
		{ NULL, "0::/user.slice/session\n", "/user.slice/web" },
		{ "", "9:name=systemd:/\n4:memory:/x\n0::/a/b/c\n", "/a/b/web" },
		{ NULL, "4:memory:/x\n", "/web" },
		{ NULL, "0::/../outside\n", "/web" },
		{ "/a:b:c", "0::/\n", "/a:b:c" },
	};
	struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_cgroup struct cgroup cg = CGROUP_INIT;
		assert_null(plan(t, rows[i].asked, rows[i].own, &cg));
		assert_string_equal(cg.path, rows[i].expected);
	}
}

static void test_paths_that_cannot_be_meant_are_refused(void **state)
{
	struct tree *t = *state;
	struct cgroup cg = CGROUP_INIT;

	assert_message(plan(t, "/a/../../b", "0::/\n", &cg), EINVAL,
		       "linux.cgroupsPath: '/a/../../b' contains '..'");
	assert_message(plan(t, "..", "0::/\n", &cg), EINVAL, "linux.cgroupsPath: '..' contains '..'");
	assert_message(plan(t, "/", "0::/\n", &cg), EINVAL, "linux.cgroupsPath: '/' is the root cgroup");
	assert_message(plan(t, "system.slice:stube:web", "0::/\n", &cg), EINVAL,
		       "linux.cgroupsPath: 'system.slice:stube:web' is the form of the systemd cgroup "
		       "manager, which is not in use");
	assert_int_equal(cg.fd, -1);
}

static void test_a_plan_changes_nothing_and_counts_what_is_missing(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup one = CGROUP_INIT;
	auto_cgroup struct cgroup two = CGROUP_INIT;

	assert_null(plan(t, "/a/b/c", "", &one));
	assert_int_equal(one.made, 3);
	assert_int_equal(faccessat(t->root.fd, "a", F_OK, 0), -1);
	put(t, "a/b", FILES("cgroup.events=populated 0\nfrozen 0\n"));
	assert_null(plan(t, "/a/b", "", &two));
	assert_int_equal(two.made, 0);
}

static void test_a_cgroup_with_processes_or_frozen_is_refused(void **state)
{
	struct tree *t = *state;
	struct cgroup cg = CGROUP_INIT;

	put(t, "full", FILES("cgroup.events=populated 1\nfrozen 0\n"));
	put(t, "cold", FILES("cgroup.events=populated 0\nfrozen 1\n"));
	assert_message(plan(t, "/full", "", &cg), EBUSY, "cgroup '/full' is not empty");
	assert_message(plan(t, "/cold", "", &cg), EBUSY,
		       "cgroup '/cold' is frozen: the container could never start");
	/* A parent with processes is nobody's trouble, a frozen parent is. */
	assert_null(plan(t, "/full/web", "", &cg));
	cgroup_done(&cg);
	assert_message(plan(t, "/cold/web", "", &cg), EBUSY,
		       "cgroup '/cold/web' is frozen: the container could never start");
}

static const char *const no_controllers[] = {
	"cgroup.controllers=hugetlb\n", "cgroup.subtree_control=", NULL,
};
static const char *const all_controllers[] = {
	"cgroup.controllers=cpuset cpu io memory hugetlb pids rdma\n", "cgroup.subtree_control=", NULL,
};
static const struct oci_pids pids_20 = { .limit = 20 }, pids_none = { .limit = -1 };
static const uint64_t shares_default = 1024;
static const struct oci_cpu cpu_default = { .shares = &shares_default };

static void test_directories_are_made_and_removed_but_not_those_of_others(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	struct oci_resources defaults = { .cpu = &cpu_default, .pids = &pids_none };

	put(t, ".", no_controllers);
	put(t, "others", FILES("cgroup.subtree_control="));
	assert_null(plan(t, "/others/a/web", "", &cg));
	assert_null(cgroup_create(&cg, &defaults));
	assert_true(cg.fd >= 0);
	assert_int_equal(cg.made, 2);
	assert_int_equal(faccessat(t->root.fd, "others/a/web", F_OK, 0), 0);
	assert_null(cgroup_remove(&cg));
	assert_int_equal(faccessat(t->root.fd, "others/a", F_OK, 0), -1);
	assert_int_equal(faccessat(t->root.fd, "others", F_OK, 0), 0);
	assert_null(cgroup_remove(&cg)); /* twice is fine */
}

static void test_a_directory_that_was_there_before_stays(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	put(t, ".", no_controllers);
	put(t, "web", FILES("cgroup.events=populated 0\nfrozen 0\n"));
	assert_null(plan(t, "/web", "", &cg));
	assert_null(cgroup_create(&cg, NULL));
	assert_int_equal(mkdirat(cg.fd, "made-by-the-container", 0755), 0);
	assert_null(cgroup_remove(&cg));
	assert_int_equal(faccessat(t->root.fd, "web", F_OK, 0), 0);
	assert_int_equal(faccessat(t->root.fd, "web/made-by-the-container", F_OK, 0), -1);
}

static void test_a_parent_that_somebody_else_uses_meanwhile_stays(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	put(t, ".", no_controllers);
	assert_null(plan(t, "/pod/web", "", &cg));
	/* The parent has no cgroup.subtree_control on this tree; nothing needs it. */
	assert_null(cgroup_create(&cg, NULL));
	put(t, "pod/neighbour", FILES("cgroup.procs="));
	assert_null(cgroup_remove(&cg));
	assert_int_equal(faccessat(t->root.fd, "pod/web", F_OK, 0), -1);
	assert_int_equal(faccessat(t->root.fd, "pod/neighbour", F_OK, 0), 0);
}

static void test_a_real_limit_without_its_controller_names_field_and_controller(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	struct oci_resources limits = { .cpu = &cpu_default, .pids = &pids_20 };
	char expected[256];

	put(t, ".", no_controllers);
	assert_null(plan(t, "/pod/web", "", &cg));
	snprintf(expected, sizeof expected, "linux.resources.pids.limit: the controller 'pids' is not "
		 "available in the cgroup v2 hierarchy at '%s'", t->dir);
	assert_message(cgroup_create(&cg, &limits), ENOTSUP, expected);
	/* nothing half-made is left */
	assert_int_equal(faccessat(t->root.fd, "pod", F_OK, 0), -1);
}

static void test_limits_are_written_and_controllers_enabled_on_the_way(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	const int64_t limit = 1048576, swap = 3145728;
	const uint16_t weight = 500;
	struct oci_memory memory = { .limit = &limit, .swap = &swap };
	struct oci_block_io io = { .weight = &weight };
	struct oci_resources limits = { .memory = &memory, .pids = &pids_20, .block_io = &io };

	put(t, ".", all_controllers);
	put(t, "pod", FILES("cgroup.subtree_control=memory\n"));
	put(t, "pod/web", FILES("cgroup.events=populated 0\nfrozen 0\n", "memory.max=", "memory.swap.max=",
				"pids.max=", "io.weight="));
	assert_null(plan(t, "/pod/web", "", &cg));
	assert_null(cgroup_create(&cg, &limits));
	assert_content(t, "pod/web/memory.max", "1048576");
	assert_content(t, "pod/web/memory.swap.max", "2097152");
	assert_content(t, "pod/web/pids.max", "20");
	assert_content(t, "pod/web/io.weight", "default 4950"); /* no BFQ here */
}

static void test_needed_controllers_are_enabled_in_every_parent(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	struct oci_hugepage_limit huge = { .page_size = "2MB", .limit = 0 };
	const uint32_t handles = 3;
	struct oci_rdma rdma = { .device = "mlx", .hca_handles = &handles };
	struct oci_resources limits = {
		.hugepage_limits = { &huge, 1 },
		.rdma = { &rdma, 1 },
	};

	put(t, ".", FILES("cgroup.controllers=hugetlb rdma\n", "cgroup.subtree_control=hugetlb\n"));
	put(t, "pod", FILES("cgroup.subtree_control="));
	put(t, "pod/web", FILES("hugetlb.2MB.max=", "rdma.max="));
	assert_null(plan(t, "/pod/web", "", &cg));
	assert_null(cgroup_create(&cg, &limits));
	assert_content(t, "cgroup.subtree_control", "+rdmalb\n"); /* the tree does not truncate */
	assert_content(t, "pod/cgroup.subtree_control", "+hugetlb +rdma");
	assert_content(t, "pod/web/rdma.max", "mlx hca_handle=3");
}

static void test_controllers_with_figures_are_enabled_where_they_exist(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	put(t, ".", FILES("cgroup.controllers=cpuset memory\n", "cgroup.subtree_control="));
	assert_null(plan(t, "/web", "", &cg));
	assert_null(cgroup_create(&cg, NULL));
	assert_content(t, "cgroup.subtree_control", "+memory");
}

static void test_an_update_writes_defaults_too_and_does_not_miss_absent_files(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	struct oci_resources update = { .cpu = &cpu_default, .pids = &pids_none };

	put(t, ".", all_controllers);
	put(t, "web", FILES("cgroup.events=populated 1\nfrozen 0\n", "pids.max=20"));
	assert_null(cgroup_open(t->arena, &t->root, "/web", 1, &cg));
	assert_null(cgroup_set_limits(&cg, &update));
	assert_content(t, "web/pids.max", "max");
	update.pids = &pids_20;
	assert_null(cgroup_set_limits(&cg, &update));
	assert_content(t, "web/pids.max", "20x");
}

static void test_an_update_of_one_half_keeps_the_other(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	const uint64_t period = 20000;
	const int64_t swap = 3000000;
	struct oci_cpu cpu = { .period = &period };
	struct oci_memory memory = { .swap = &swap };
	struct oci_resources update = { .cpu = &cpu, .memory = &memory };

	put(t, ".", all_controllers);
	put(t, "web", FILES("cpu.max=5000 100000\n", "memory.max=1000000\n", "memory.swap.max="));
	assert_null(cgroup_open(t->arena, &t->root, "/web", 1, &cg));
	assert_null(cgroup_set_limits(&cg, &update));
	assert_content(t, "web/cpu.max", "5000 200000\n"); /* "5000 20000" over a longer text */
	assert_content(t, "web/memory.swap.max", "2000000");
	/* without a quota in force a period alone limits nothing */
	put(t, "web", FILES("cpu.max=max 100000\n"));
	update.memory = NULL;
	assert_null(cgroup_set_limits(&cg, &update));
	assert_content(t, "web/cpu.max", "max 200000\n");
}

static void test_a_memory_limit_below_the_use_is_refused_when_asked(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	const int64_t limit = 1000;
	const bool yes = true;
	struct oci_memory memory = { .limit = &limit, .check_before_update = &yes };
	struct oci_resources update = { .memory = &memory };

	put(t, ".", all_controllers);
	put(t, "web", FILES("memory.current=1001\n", "memory.max=max\n"));
	assert_null(cgroup_open(t->arena, &t->root, "/web", 1, &cg));
	assert_message(cgroup_set_limits(&cg, &update), EBUSY,
		       "linux.resources.memory.limit: 1000 is less than the 1001 bytes in use");
	assert_content(t, "web/memory.max", "max\n");
}

static void test_processes_of_children_are_listed_sorted_without_the_invisible(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	pid_t *pids;
	size_t count;

	put(t, "web", FILES("cgroup.procs=30\n0\n7\n"));
	put(t, "web/a", FILES("cgroup.procs="));
	put(t, "web/a/b", FILES("cgroup.procs=12\n"));
	assert_null(cgroup_open(t->arena, &t->root, "/web", 1, &cg));
	assert_null(cgroup_processes(&cg, t->arena, &pids, &count));
	assert_int_equal(count, 3);
	assert_int_equal(pids[0], 7);
	assert_int_equal(pids[1], 12);
	assert_int_equal(pids[2], 30);
}

static void test_a_missing_cgroup_has_no_processes_and_is_gone_already(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	pid_t *pids;
	size_t count = 9;
	bool frozen = true;

	assert_null(cgroup_open(t->arena, &t->root, "/pod/gone", 2, &cg));
	assert_int_equal(cg.fd, -1);
	assert_null(cgroup_processes(&cg, t->arena, &pids, &count));
	assert_int_equal(count, 0);
	assert_null(cgroup_is_frozen(&cg, &frozen));
	assert_false(frozen);
	assert_null(cgroup_kill(&cg));
	assert_null(cgroup_remove(&cg));
	assert_message(cgroup_open(t->arena, &t->root, "/../x", 2, &cg), EINVAL,
		       "'/../x' is no path of a cgroup");
}

static void test_figures_are_read_and_absent_ones_say_so(void **state)
{
	struct tree *t = *state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	struct cgroup_stats s;

	put(t, "web", FILES("cpu.stat=usage_usec 700\nuser_usec 300\nsystem_usec 400\nnr_throttled 2\n",
			    "memory.current=4096\n", "memory.max=max\n", "memory.stat=anon 11\nfile 22\n",
			    "memory.events=low 0\noom 3\noom_kill 1\n", "pids.current=5\n", "pids.max=20\n",
			    "io.stat=8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0\n8:16 rbytes=10 wbytes=20 "
			    "rios=30 wios=40\n"));
	assert_null(cgroup_open(t->arena, &t->root, "/web", 1, &cg));
	assert_null(cgroup_read_stats(&cg, &s));
	assert_int_equal(s.cpu_usage_usec, 700);
	assert_int_equal(s.cpu_system_usec, 400);
	assert_int_equal(s.cpu_throttled, 2);
	assert_true(s.cpu_periods == CGROUP_NO_FIGURE);
	assert_int_equal(s.memory_current, 4096);
	assert_true(s.memory_limit == CGROUP_NO_FIGURE);
	assert_true(s.swap_current == CGROUP_NO_FIGURE);
	assert_int_equal(s.memory_file, 22);
	assert_int_equal(s.oom_events, 3);
	assert_int_equal(s.oom_kills, 1);
	assert_int_equal(s.pids_limit, 20);
	assert_int_equal(s.io_read_bytes, 11);
	assert_int_equal(s.io_writes, 44);
}

static void test_the_hierarchy_is_found_in_mountinfo(void **state)
{
	static const struct { const char *text, *path; bool hybrid; } rows[] = {
		{ "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup", false },
		{ "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw\n"
		  "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		  "41 31 0:38 / /mnt/a\\040b rw shared:1 - cgroup2 cgroup2 rw\n", "/mnt/a b", true },
		{ "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu", NULL, false },
		{ "1 2 3\nx - cgroup2\n\n - cgroup2 \n", NULL, false },
		{ "", NULL, false },
	};
	struct tree *t = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *path = "unset";
		bool hybrid = true;
		assert_null(cgroup_parse_mountinfo(t->arena, rows[i].text, &path, &hybrid));
		if (rows[i].path)
			assert_string_equal(path, rows[i].path);
		else
			assert_null(path);
		assert_int_equal(hybrid, rows[i].hybrid);
	}
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, tree_make, tree_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_paths_are_decided_as_the_caller_means_them),
		TREE_TEST(test_paths_that_cannot_be_meant_are_refused),
		TREE_TEST(test_a_plan_changes_nothing_and_counts_what_is_missing),
		TREE_TEST(test_a_cgroup_with_processes_or_frozen_is_refused),
		TREE_TEST(test_directories_are_made_and_removed_but_not_those_of_others),
		TREE_TEST(test_a_directory_that_was_there_before_stays),
		TREE_TEST(test_a_parent_that_somebody_else_uses_meanwhile_stays),
		TREE_TEST(test_a_real_limit_without_its_controller_names_field_and_controller),
		TREE_TEST(test_limits_are_written_and_controllers_enabled_on_the_way),
		TREE_TEST(test_needed_controllers_are_enabled_in_every_parent),
		TREE_TEST(test_controllers_with_figures_are_enabled_where_they_exist),
		TREE_TEST(test_an_update_writes_defaults_too_and_does_not_miss_absent_files),
		TREE_TEST(test_an_update_of_one_half_keeps_the_other),
		TREE_TEST(test_a_memory_limit_below_the_use_is_refused_when_asked),
		TREE_TEST(test_processes_of_children_are_listed_sorted_without_the_invisible),
		TREE_TEST(test_a_missing_cgroup_has_no_processes_and_is_gone_already),
		TREE_TEST(test_figures_are_read_and_absent_ones_say_so),
		TREE_TEST(test_the_hierarchy_is_found_in_mountinfo),
	};

	return cmocka_run_group_tests_name("cgroup on a tree", tests, NULL, NULL);
}
