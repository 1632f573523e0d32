/* tests/unit/runtime/death_test.c: what a process died of in the middle of a start. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "runtime/death.h"
#include "runtime/kernel.h"

static void assert_words(const err *e, int code, const char *words)
{
	auto_str struct str text = STR_INIT(1024);

	assert_non_null(e);
	err_format(e, &text);
	assert_string_equal(text.data, words);
	assert_int_equal(e->code, code);
}

/* A directory that plays a cgroup with this memory.events. */
static int fake_cgroup(char dir[static 32], const char *events)
{
	snprintf(dir, 32, "/tmp/stube-death-XXXXXX");
	assert_non_null(mkdtemp(dir));
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_null(file_replace_volatile(fd, "memory.events", events, strlen(events), 0600));
	return fd;
}

static void fake_done(const char *dir)
{
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_null(path_remove_all(tmp, dir + strlen("/tmp/")));
}

static void test_a_kill_for_memory_is_told_from_another(void **state)
{
	static const struct {
		const char *events;
		int signal, code;
		const char *words;
	} rows[] = {
		{ "oom 3\noom_kill 1\n", SIGKILL, ENOMEM,
		  "the process inside was killed: out of memory (linux.resources.memory.limit)" },
		{ "oom 0\noom_kill 0\n", SIGKILL, EPIPE,
		  "the process inside was killed by signal 9 (Killed)" },
		{ "oom 3\noom_kill 1\n", SIGSYS, EPIPE,
		  "the process inside was killed by signal 31 (Bad system call)" },
		{ "", SIGKILL, EPIPE, "the process inside was killed by signal 9 (Killed)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char dir[32];
		auto_close int fd = fake_cgroup(dir, rows[i].events);
		struct memory_watch memory = MEMORY_WATCH_INIT;
		memory_watch_open(&memory, fd);
		auto_err err *e = death_error(rows[i].signal, &memory);

		assert_words(e, rows[i].code, rows[i].words);
		memory_watch_done(&memory);
		fake_done(dir);
	}
}

/* A child that ends by this signal, or with status 3. */
static pid_t child(int signal, int *ret_pidfd)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (signal)
			kill(getpid(), signal);
		_exit(3);
	}
	*ret_pidfd = k_pidfd_open(pid);
	assert_true(*ret_pidfd >= 0);
	return pid;
}

static err *broken(void)
{
	return err_wrap(err_new(EPIPE, "the other side ended unexpectedly"), "mounts");
}

static void test_the_signal_stands_where_the_walk_broke_off(void **state)
{
	auto_close int killed_fd = -1;
	auto_close int ended_fd = -1;
	pid_t killed = child(SIGTERM, &killed_fd), ended = child(0, &ended_fd);

	(void)state;
	auto_err err *e = death_explain(broken(), killed, killed_fd, NULL);
	assert_words(e, EPIPE, "mounts: the process inside was killed by signal 15 (Terminated)");
	auto_err err *f = death_explain(broken(), ended, ended_fd, NULL);
	assert_words(f, EPIPE, "mounts: the other side ended unexpectedly");
	auto_err err *g = death_explain(err_new(EINVAL, "other"), killed, killed_fd, NULL);
	assert_words(g, EINVAL, "other");
	assert_null(death_explain(NULL, killed, killed_fd, NULL));
	/* Whoever waits for it next still can. */
	assert_int_equal(waitpid(killed, NULL, 0), killed);
	assert_int_equal(waitpid(ended, NULL, 0), ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_kill_for_memory_is_told_from_another),
		cmocka_unit_test(test_the_signal_stands_where_the_walk_broke_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
