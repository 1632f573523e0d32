/* tests/unit/monitor/memory_test.c: the cgroup of a process, in a tree of plain files. */
#include "monitor/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "tests/unit/unit.h"

static char root[64], second[80];
static const char *roots[] = { root, second, NULL };

static void write_events(const char *dir, const char *text)
{
	auto_close int fd = -1;
	char path[256];

	snprintf(path, sizeof(path), "%s/a/b/memory.events", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_ok(fd_write_all(fd, text, strlen(text)));
}

static int setup(void **state)
{
	char path[256];

	(void)state;
	snprintf(root, sizeof(root), "/tmp/stube-memory.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(second, sizeof(second), "%s/unified", root);
	snprintf(path, sizeof(path), "%s/a/b", second);
	return path_mkdir_all(path, 0755) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	IGNORE(path_remove_all(tmp, root + strlen("/tmp/")));
	return 0;
}

static void test_the_count_is_found_by_the_processs_own_cgroup(void **state)
{
	static const char *const nowhere[] = { "", "0::", "0::/other\n", "1:memory:/a/b\n", "10::/a/b\n" };
	static const char *const here[] = { "0::/a/b\n", "12:pids:/x\n1:name=systemd:/y\n0::/a/b\n", "0::/a/b" };

	(void)state;
	write_events(second, "oom_kill 1\n");
	for (size_t i = 0; i < ARRAY_LEN(nowhere); i++)
		assert_int_equal(memory_cgroup_open(roots, nowhere[i]), -1);
	for (size_t i = 0; i < ARRAY_LEN(here); i++) {
		auto_close int fd = memory_cgroup_open(roots, here[i]);
		assert_true(fd >= 0);
		assert_int_equal(faccessat(fd, "memory.events", R_OK, 0), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_count_is_found_by_the_processs_own_cgroup, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
