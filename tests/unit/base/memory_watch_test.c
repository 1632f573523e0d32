/* tests/unit/base/memory_watch_test.c: whether the kernel killed for want of memory, in a tree of plain files. */
#include "base/memory-watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "tests/unit/unit.h"

static char root[64];

static void write_events(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", root, name);
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_ok(fd_write_all(fd, text, strlen(text)));
}

#define PARENT "memory.events"
#define OWN    "own/memory.events"

static int setup(void **state)
{
	char path[80];

	(void)state;
	snprintf(root, sizeof root, "/tmp/stube-watch.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof path, "%s/own", root);
	return mkdir(path, 0755);
}

static int teardown(void **state)
{
	(void)state;
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	IGNORE(path_remove_all(tmp, root + strlen("/tmp/")));
	return 0;
}

static struct memory_watch open_watch(void)
{
	struct memory_watch w = MEMORY_WATCH_INIT;
	char path[80];

	snprintf(path, sizeof path, "%s/own", root);
	auto_close int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	memory_watch_open(&w, dir);
	return w;
}

/* What the kernel answers on the descriptor of a removed cgroup is an error; so is a directory's answer. */
static void remove_own(struct memory_watch *w)
{
	auto_close int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(w->own >= 0);
	assert_true(dup3(dir, w->own, O_CLOEXEC) >= 0);
	assert_false(memory_watch_read(w));
}

static void test_a_kill_of_any_process_in_it_counts_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		uint64_t kills;
	} rows[] = {
		{ "low 0\nhigh 0\nmax 12\noom 3\noom_kill 0\noom_group_kill 0\n", 0 },
		{ "low 0\nhigh 0\nmax 12\noom 3\noom_kill 1\noom_group_kill 1\n", 1 },
		{ "oom_group_kill 1\noom_kill 20\n", 20 },
		/* 6.1 counts the group once, and its processes before. */
		{ "oom 1\noom_kill 0\noom_group_kill 7\n", 0 },
		{ "not_oom_kill 5\n", 0 },
		{ "oom_kill x\n", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		write_events(OWN, rows[i].text);
		struct memory_watch w = open_watch();
		/* Its own figure is there: nobody asks how it ended, or what the parent has. */
		write_events(PARENT, "oom_kill 9\n");
		if (memory_watch_kills(&w, true) != rows[i].kills || memory_watch_kills(&w, false) != rows[i].kills)
			fail_msg("%s", rows[i].text);
		memory_watch_done(&w);
	}
	struct memory_watch none = MEMORY_WATCH_INIT;
	assert_int_equal(memory_watch_kills(&none, true), 0);
}

static void test_a_kill_that_was_read_outlives_the_cgroup(void **state)
{
	(void)state;
	write_events(OWN, "max 0\noom_kill 0\n");
	struct memory_watch w = open_watch();
	write_events(OWN, "max 3\noom_kill 1\n");
	assert_true(memory_watch_read(&w));
	remove_own(&w);
	assert_int_equal(memory_watch_kills(&w, false), 1);
	memory_watch_done(&w);
}

static void test_a_kill_that_was_not_read_is_found_in_the_parent(void **state)
{
	static const struct {
		const char *above;
		bool by_kill, long_ago;
		uint64_t kills;
	} rows[] = {
		{ "oom_kill 5\n", true, false, 1 },   /* ours: 4 before, 5 now */
		{ "oom_kill 4\n", true, false, 0 },  /* somebody's signal */
		{ "oom_kill 5\n", false, false, 0 }, /* ended by itself; a sibling was killed */
		{ "oom_kill 5\n", true, true, 0 },   /* no sign of want for long; a sibling was killed */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		write_events(OWN, "max 0\noom_kill 0\n");
		write_events(PARENT, "max 7\noom_kill 3\n");
		struct memory_watch w = open_watch();
		/* The limit is hit, which is told; meanwhile a sibling had been killed. */
		write_events(PARENT, "max 8\noom_kill 4\n");
		assert_true(memory_watch_read(&w));
		write_events(PARENT, rows[i].above);
		remove_own(&w);
		if (rows[i].long_ago)
			w.read -= 60 * (int64_t)NSEC_PER_SEC;
		if (memory_watch_kills(&w, rows[i].by_kill) != rows[i].kills)
			fail_msg("row %zu", i);
		memory_watch_done(&w);
	}
}

static void test_without_a_parent_that_counts_nothing_is_made_up(void **state)
{
	(void)state;
	write_events(OWN, "oom_kill 0\n");
	struct memory_watch w = open_watch();
	assert_int_equal(w.above, -1);
	remove_own(&w);
	assert_int_equal(memory_watch_kills(&w, true), 0);
	memory_watch_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_kill_of_any_process_in_it_counts_and_nothing_else, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_kill_that_was_read_outlives_the_cgroup, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_kill_that_was_not_read_is_found_in_the_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_a_parent_that_counts_nothing_is_made_up, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
