/* tests/unit/runtime/cgroup_kernel_test.c: cgroups of the running kernel, in a directory of this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "oci/config.h"
#include "runtime/cgroup.h"
#include "runtime/devices-bpf.h"

static struct arena *arena;
static struct cgroup_root hierarchy = { .fd = -1 };
static const char *why_not; /* reason for a skip */

static int find_hierarchy(void **state)
{
	(void)state;
	if (arena_new(1 << 20, &arena))
		return -1;
	err *e = cgroup_root_open(arena, &hierarchy);
	if (e)
		why_not = "no cgroup v2 hierarchy is mounted";
	else if (faccessat(hierarchy.fd, "cgroup.procs", W_OK, 0) < 0)
		why_not = "the cgroup v2 hierarchy is not writable for this user";
	err_free(e);
	return 0;
}

static int drop_hierarchy(void **state)
{
	(void)state;
	cgroup_root_done(&hierarchy);
	arena_free(arena);
	return 0;
}

/* A cgroup of our own; two levels, to see parents come and go. */
static void make(struct cgroup *cg, const struct oci_resources *resources)
{
	struct cgroup_request r = { .id = "x" };

	if (why_not) {
		print_message("skipped: %s\n", why_not);
		skip();
	}
	r.cgroups_path = arena_printf(arena, "/stube-unit-%d/web", getpid());
	assert_null(cgroup_plan(arena, &hierarchy, &r, cg));
	assert_int_equal(cg->made, 2);
	assert_null(cgroup_create(cg, resources));
}

/* After a failure, too, nothing of this test stays in the hierarchy. */
static int clean_up(void **state)
{
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	(void)state;
	if (why_not)
		return 0;
	err *e = cgroup_open(arena, &hierarchy, arena_printf(arena, "/stube-unit-%d/web", getpid()), 2, &cg);
	if (!e)
		e = cgroup_kill(&cg);
	if (!e)
		e = cgroup_remove(&cg);
	bool failed = e != NULL;
	err_free(e);
	return failed;
}

static bool exists(const char *name)
{
	return faccessat(hierarchy.fd, name, F_OK, 0) == 0;
}

/* A child born in the cgroup; it runs `child` and ends with its result. */
static pid_t spawn_in(const struct cgroup *cg, int (*child)(void))
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cg->fd,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);

	if (pid == 0)
		_exit(child());
	assert_true(pid > 0);
	return pid;
}

static int sleep_long(void)
{
	return (int)sleep(60);
}

/* A process that no signal but SIGKILL ends, with a child of its own. */
static int ignore_and_fork(void)
{
	signal(SIGTERM, SIG_IGN);
	if (fork() == 0)
		return (int)sleep(60);
	return (int)sleep(60);
}

static int wait_status(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_a_child_is_born_in_the_cgroup_and_listed(void **state)
{
	(void)state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	pid_t *pids;
	size_t count;

	make(&cg, NULL);
	pid_t pid = spawn_in(&cg, sleep_long);
	assert_null(cgroup_processes(&cg, arena, &pids, &count));
	assert_int_equal(count, 1);
	assert_int_equal(pids[0], pid);
	assert_null(cgroup_kill(&cg));
	assert_int_equal(WTERMSIG(wait_status(pid)), SIGKILL);
	assert_null(cgroup_remove(&cg));
	assert_false(exists(cg.path + 1));
	assert_false(exists(arena_printf(arena, "stube-unit-%d", getpid())));
}

static void test_a_cgroup_in_use_is_refused_for_another_container(void **state)
{
	(void)state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	struct cgroup second = CGROUP_INIT;

	make(&cg, NULL);
	pid_t pid = spawn_in(&cg, sleep_long);
	struct cgroup_request r = { .cgroups_path = cg.path, .id = "x" };
	auto_err err *e = cgroup_plan(arena, &hierarchy, &r, &second);
	assert_non_null(e);
	assert_int_equal(e->code, EBUSY);
	assert_null(cgroup_kill(&cg));
	wait_status(pid);
	assert_null(cgroup_remove(&cg));
}

static volatile int *ticks; /* shared with the child */

static int tick(void)
{
	for (;; usleep(1000))
		++*ticks;
	return 0;
}

static void wait_for_ticks(int more)
{
	int until = *ticks + more;

	for (int i = 0; i < 5000 && *ticks < until; i++)
		usleep(1000);
	assert_true(*ticks >= until);
}

static void test_frozen_processes_stand_still_until_thawed(void **state)
{
	(void)state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	bool frozen;

	ticks = mmap(NULL, sizeof *ticks, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(ticks != MAP_FAILED);
	make(&cg, NULL);
	pid_t pid = spawn_in(&cg, tick);
	wait_for_ticks(3);
	assert_null(cgroup_freeze(&cg, true));
	assert_null(cgroup_is_frozen(&cg, &frozen));
	assert_true(frozen);
	int then = *ticks;
	usleep(100000);
	assert_int_equal(*ticks, then);
	assert_null(cgroup_freeze(&cg, false));
	wait_for_ticks(3);
	assert_null(cgroup_kill(&cg));
	wait_status(pid);
	assert_null(cgroup_remove(&cg));
	munmap((void *)ticks, sizeof *ticks);
}

static void test_kill_reaches_children_and_the_frozen(void **state)
{
	(void)state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	pid_t *pids;
	size_t count = 0;

	make(&cg, NULL);
	pid_t pid = spawn_in(&cg, ignore_and_fork);
	for (int i = 0; i < 500 && count < 2; i++, usleep(10000))
		assert_null(cgroup_processes(&cg, arena, &pids, &count));
	assert_int_equal(count, 2);
	assert_null(cgroup_freeze(&cg, true));
	assert_null(cgroup_kill(&cg));
	assert_int_equal(WTERMSIG(wait_status(pid)), SIGKILL);
	assert_null(cgroup_wait_empty(&cg, 5000));
	assert_null(cgroup_remove(&cg));
}

static void test_a_signal_reaches_every_process_and_leaves_the_container_thawed(void **state)
{
	(void)state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	bool frozen;

	make(&cg, NULL);
	pid_t one = spawn_in(&cg, sleep_long);
	pid_t two = spawn_in(&cg, sleep_long);
	assert_null(cgroup_signal(&cg, SIGUSR1));
	assert_int_equal(WTERMSIG(wait_status(one)), SIGUSR1);
	assert_int_equal(WTERMSIG(wait_status(two)), SIGUSR1);
	assert_null(cgroup_is_frozen(&cg, &frozen));
	assert_false(frozen);
	assert_null(cgroup_remove(&cg));
}

static void test_children_that_the_container_made_are_removed_with_it(void **state)
{
	(void)state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	make(&cg, NULL);
	assert_int_equal(mkdirat(cg.fd, "inner", 0755), 0);
	assert_int_equal(mkdirat(cg.fd, "inner/most", 0755), 0);
	assert_null(cgroup_remove(&cg));
	assert_false(exists(cg.path + 1));
}

static void test_the_short_way_removes_what_is_empty_and_nothing_else(void **state)
{
	(void)state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	make(&cg, NULL);
	assert_int_equal(mkdirat(cg.fd, "inner", 0755), 0);
	assert_false(cgroup_remove_empty(&cg));
	assert_true(exists(cg.path + 1));
	assert_int_equal(unlinkat(cg.fd, "inner", AT_REMOVEDIR), 0);
	assert_true(cgroup_remove_empty(&cg));
	assert_false(exists(cg.path + 1));
	/* The parent, ours as well, has gone with it. */
	*strrchr(cg.path + 1, '/') = '\0';
	assert_false(exists(cg.path + 1));
}

static void test_removal_waits_for_processes_that_are_ending(void **state)
{
	(void)state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	make(&cg, NULL);
	pid_t pid = spawn_in(&cg, sleep_long);
	pid_t killer = fork();
	if (killer == 0) {
		usleep(300000);
		kill(pid, SIGKILL);
		_exit(0);
	}
	assert_null(cgroup_remove(&cg));
	assert_false(exists(cg.path + 1));
	wait_status(pid);
	wait_status(killer);
}

static void test_a_limit_on_huge_pages_reaches_the_kernel(void **state)
{
	(void)state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	auto_str struct str text = STR_INIT(4096);
	struct oci_hugepage_limit huge = { .page_size = "2MB", .limit = 4194304 };
	struct oci_resources limits = { .hugepage_limits = { &huge, 1 } };

	if (!why_not)
		assert_null(file_read(hierarchy.fd, "cgroup.controllers", &text));
	if (!strstr(text.data, "hugetlb")) {
		print_message("skipped: the controller hugetlb is not in the cgroup v2 hierarchy\n");
		skip();
	}
	make(&cg, &limits);
	str_clear(&text);
	assert_null(file_read(cg.fd, "hugetlb.2MB.max", &text));
	assert_string_equal(text.data, "4194304\n");
	assert_null(cgroup_remove(&cg));
}

/* ---- device rules, enforced ---- */

static int open_devices(void)
{
	int allowed = open("/dev/null", O_RDWR);
	int refused = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	return (allowed >= 0 ? 1 : 0) | (refused < 0 && errno == EPERM ? 2 : 0);
}

static void test_device_rules_are_enforced_by_the_kernel(void **state)
{
	(void)state;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	struct oci_device_rule nothing = { .allow = false, .type = 'a', .access = "rwm" };
	struct oci_resources resources = { .devices = { &nothing, 1 } };

	make(&cg, NULL);
	err *e = devices_apply(cg.fd, &resources, true, false);
	if (e && e->code == EPERM) {
		err_free(e);
		assert_null(cgroup_remove(&cg));
		print_message("skipped: this user may not load eBPF programs\n");
		skip();
	}
	assert_null(e);
	int status = wait_status(spawn_in(&cg, open_devices));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1 | 2);
	/* Replaced, not added: with an allowing rule in an update the node opens. */
	nothing.allow = true;
	assert_null(devices_apply(cg.fd, &resources, false, false));
	status = wait_status(spawn_in(&cg, open_devices));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_null(cgroup_remove(&cg));
}

#define KERNEL_TEST(f) cmocka_unit_test_teardown(f, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KERNEL_TEST(test_a_child_is_born_in_the_cgroup_and_listed),
		KERNEL_TEST(test_a_cgroup_in_use_is_refused_for_another_container),
		KERNEL_TEST(test_frozen_processes_stand_still_until_thawed),
		KERNEL_TEST(test_kill_reaches_children_and_the_frozen),
		KERNEL_TEST(test_a_signal_reaches_every_process_and_leaves_the_container_thawed),
		KERNEL_TEST(test_children_that_the_container_made_are_removed_with_it),
		KERNEL_TEST(test_the_short_way_removes_what_is_empty_and_nothing_else),
		KERNEL_TEST(test_removal_waits_for_processes_that_are_ending),
		KERNEL_TEST(test_a_limit_on_huge_pages_reaches_the_kernel),
		KERNEL_TEST(test_device_rules_are_enforced_by_the_kernel),
	};

	return cmocka_run_group_tests_name("cgroup of the kernel", tests, find_hierarchy, drop_hierarchy);
}
