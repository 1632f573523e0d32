/* tests/unit/agent/ids_test.c: which ranges of ids are free; what /etc/subuid says. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ids.h"
#include "base/fd.h"
#include "base/path.h"

static char path[64];
static int dir_fd = -1;
static const char *gone; /* a container that no longer exists */

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/stube-ids.XXXXXX");
	assert_non_null(mkdtemp(path));
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	gone = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fd_clear(&dir_fd);
	assert_ok(path_remove_all(tmp, path + strlen("/tmp/")));
	return 0;
}

static bool in_use(const char *name, void *arg)
{
	(void)arg;
	return !str_equal(name, gone);
}

static uint32_t take(const char *name)
{
	struct id_range r;

	assert_ok(ids_take(dir_fd, name, in_use, NULL, &r));
	assert_int_equal(r.size, 65536);
	return r.first;
}

static void test_ranges_are_given_from_below_and_never_twice(void **state)
{
	(void)state;
	uint32_t a = take("a"), b = take("b"), c = take("c");

	assert_int_equal(b, a + 65536);
	assert_int_equal(c, b + 65536);
	assert_int_equal(take("b"), b); /* its own again */
	assert_ok(ids_give(dir_fd, "b", (struct id_range){ b, 65536 }));
	assert_ok(ids_give(dir_fd, "b", (struct id_range){ b, 65536 }));
	assert_int_equal(take("d"), b);
	assert_int_equal(take("c"), c);
}

static void test_a_range_given_back_twice_stays_with_its_next_owner(void **state)
{
	(void)state;
	uint32_t a = take("a");

	assert_ok(ids_give(dir_fd, "a", (struct id_range){ a, 65536 }));
	assert_int_equal(take("b"), a);
	assert_ok(ids_give(dir_fd, "a", (struct id_range){ a, 65536 }));
	assert_int_not_equal(take("c"), a);
}

static void test_a_range_of_a_container_that_is_gone_is_free(void **state)
{
	(void)state;
	uint32_t a = take("a"), b = take("b");

	gone = "a";
	assert_int_equal(take("new"), a);
	assert_int_equal(take("b"), b);
}

static void test_the_half_made_record_of_a_killed_process_goes(void **state)
{
	(void)state;
	uint32_t a = take("a");

	assert_int_equal(close(openat(dir_fd, "ids/.1073741824.c50721c4c278a887", O_WRONLY | O_CREAT, 0600)), 0);
	assert_int_not_equal(take("b"), a);
	assert_int_equal(faccessat(dir_fd, "ids/.1073741824.c50721c4c278a887", F_OK, 0), -1);
	assert_int_equal(take("a"), a);
}

static void test_subordinate_ids_are_read_as_subuid_5_says(void **state)
{
	(void)state;
	static const struct { const char *text, *user; uint32_t first, size; } rows[] = {
		{ "stube:100000:65536\n", "stube", 100000, 65536 },
		{ "a:1:65536\nstube:200000:131072", "stube", 200000, 131072 },
		{ "stube:5:100\nstube:300000:65536\n", "stube", 300000, 65536 },
		{ "stube:5:100\n", "stube", 0, 0 },
		{ "stubenhocker:100000:65536\n", "stube", 0, 0 },
		{ "stube:0:65536\n", "stube", 0, 0 },
		{ "stube:4294900000:65536\n", "stube", 4294900000u, 65536 },
		{ "stube:4294960000:65536\n", "stube", 0, 0 },
		{ "stube:x:65536\n", "stube", 0, 0 },
		{ "", "stube", 0, 0 },
		{ "\n\n:", "stube", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct id_range r = { 0, 0 };
		assert_int_equal(ids_parse_subid(rows[i].text, rows[i].user, &r), rows[i].size > 0);
		assert_int_equal(r.first, rows[i].first);
		assert_int_equal(r.size, rows[i].size);
	}
}

static NORETURN void make_namespaces(void)
{
	/* Who reads what the tests print must not wait for an orphan. */
	(void)close(STDOUT_FILENO);
	(void)close(STDERR_FILENO);
	for (;;) {
		int fd = -1;
		err *e = ids_userns((struct id_range){ 100000, 65536 }, &fd);
		if (e)
			_exit(1);
		fd_close(fd);
	}
}

/* What it leaves would hold its sockets and locks: the next agent could never begin. */
static void test_an_agent_killed_while_it_makes_a_namespace_leaves_no_process(void **state)
{
	(void)state;
	enum { ROUNDS = 30 };

	if (geteuid() != 0) {
		print_message("only root maps ids that are not its own\n");
		skip();
	}
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	for (int i = 0; i < ROUNDS; i++) {
		pid_t agent = fork();
		assert_true(agent >= 0);
		if (agent == 0)
			make_namespaces();
		(void)poll(NULL, 0, i % 5 + 1);
		assert_int_equal(kill(agent, SIGKILL), 0);
		int status = 0;
		assert_int_equal(waitpid(agent, &status, 0), agent);
		assert_true(WIFSIGNALED(status));
		/* An orphan is ours now; one that stays keeps this from ending. */
		pid_t orphan = 0;
		for (int waited = 0; (orphan = waitpid(-1, NULL, WNOHANG)) >= 0 && waited < 5000; waited++)
			if (orphan == 0)
				(void)poll(NULL, 0, 1);
		assert_int_equal(orphan, -1);
	}
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ranges_are_given_from_below_and_never_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_range_given_back_twice_stays_with_its_next_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_range_of_a_container_that_is_gone_is_free, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_half_made_record_of_a_killed_process_goes, setup, teardown),
		cmocka_unit_test(test_subordinate_ids_are_read_as_subuid_5_says),
		cmocka_unit_test(test_an_agent_killed_while_it_makes_a_namespace_leaves_no_process),
	};

	return cmocka_run_group_tests_name("agent/ids", tests, NULL, NULL);
}
