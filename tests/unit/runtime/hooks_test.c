/* tests/unit/runtime/hooks_test.c: hooks as their authors and their victims see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "runtime/hooks.h"

static char dir[] = "/tmp/stube-hooks-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
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

static int remove_dir(void **state)
{
	(void)state;
	return remove_temporary(dir);
}

#define SHELL(script) ((const char *const[]){ "sh", "-c", script, NULL })
static const char *const env_dir[] = { "PATH=/usr/bin:/bin", "GREETING=hallo", NULL };

static err *run(const char *const *args, int timeout, const char *text)
{
	struct hook hook = { .path = "/bin/sh", .args = args, .env = env_dir, .timeout = timeout };

	return hooks_run("createRuntime", &hook, 1, text, strlen(text), dir);
}

static void assert_file(const char *name, const char *expected)
{
	auto_str struct str path = STR_INIT(256);
	auto_str struct str text = STR_INIT(1024);

	str_addf(&path, "%s/%s", dir, name);
	assert_null(file_read(AT_FDCWD, path.data, &text));
	assert_string_equal(text.data, expected);
}

static void assert_message(err *taken, const char *part)
{
	auto_str struct str text = STR_INIT(64 * 1024);
	auto_err err *e = taken;

	assert_non_null(e);
	err_format(e, &text);
	if (!strstr(text.data, part))
		fail_msg("'%s' lacks '%s'", text.data, part);
}

static void test_a_hook_gets_the_state_its_arguments_environment_and_directory(void **state)
{
	(void)state;
	assert_null(run(SHELL("cat > in; echo $0 $GREETING $(env | wc -l) > who"), 0, "{\"id\":\"x\"}"));
	assert_file("in", "{\"id\":\"x\"}");
	/* sh adds PWD, SHLVL or the like; HOME of the test must not be among them. */
	assert_null(run(SHELL("echo ${HOME-none} > home"), 0, ""));
	assert_file("home", "none\n");
}

static void test_a_hook_without_arguments_sees_its_path_as_argument_zero(void **state)
{
	(void)state;
	struct hook hook = { .path = "/bin/true" };

	assert_null(hooks_run("poststop", &hook, 1, "", 0, NULL));
}

static void test_a_state_larger_than_a_pipe_arrives_whole(void **state)
{
	(void)state;
	enum { SIZE = 300000 };
	char *big = malloc(SIZE + 1);

	assert_non_null(big);
	memset(big, 'a', SIZE);
	big[SIZE] = '\0';
	err *e = run(SHELL("wc -c > count"), 0, big);
	free(big);
	assert_null(e);
	assert_file("count", "300000\n");
}

static void test_a_hook_that_never_reads_its_stdin_is_fine(void **state)
{
	(void)state;
	assert_null(run(SHELL("exec <&-; exit 0"), 0, "{}"));
}

static void test_a_failing_hook_is_named_with_status_and_output(void **state)
{
	(void)state;
	struct hook hooks[2] = { { .path = "/bin/true" }, { .path = "/bin/sh" } };

	hooks[1].args = SHELL("echo to-out; echo to-err >&2; exit 7");
	err *e = hooks_run("createRuntime", hooks, 2, "", 0, NULL);
	assert_message(e, "error running createRuntime hook #2: '/bin/sh': exit status 7, "
			  "stdout: to-out, stderr: to-err");
}

static void test_a_hook_that_a_signal_ends_says_which(void **state)
{
	(void)state;
	assert_message(run(SHELL("kill -SEGV $$"), 0, ""), "signal 11");
}

static void test_only_the_end_of_a_long_output_is_kept(void **state)
{
	(void)state;
	err *e = run(SHELL("seq 1 20000 >&2; exit 1"), 0, "");
	auto_str struct str text = STR_INIT(64 * 1024);

	assert_non_null(e);
	err_format(e, &text);
	assert_non_null(strstr(text.data, "20000"));
	assert_true(text.len < 1500 + 200);
	err_free(e);
}

static void test_a_hook_that_does_not_exist_is_named(void **state)
{
	(void)state;
	struct hook hook = { .path = "/no/such/hook" };
	err *e = hooks_run("prestart", &hook, 1, "", 0, NULL);

	assert_int_equal(e->code, ENOENT);
	assert_message(e, "error running prestart hook #1: start '/no/such/hook': No such file");
}

static void test_a_timeout_kills_the_hook_with_its_children(void **state)
{
	(void)state;
	int64_t before = clock_monotonic();
	err *e = run(SHELL("sleep 60 & echo $! > child; wait"), 1, "");

	assert_int_equal(e->code, ETIMEDOUT);
	assert_message(e, "took longer than 1 s");
	assert_true(clock_monotonic() - before < 10 * (int64_t)NSEC_PER_SEC);

	auto_str struct str path = STR_INIT(256);
	auto_str struct str text = STR_INIT(64);
	uint64_t pid;
	str_addf(&path, "%s/child", dir);
	assert_null(file_read(AT_FDCWD, path.data, &text));
	text.data[text.len - 1] = '\0';
	assert_true(str_to_u64(text.data, &pid));
	/* init may take a moment to reap it. */
	for (int i = 0; i < 100 && kill((pid_t)pid, 0) == 0; i++) {
		auto_str struct str stat_text = STR_INIT(4096);
		char name[64];
		snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
		err *gone = file_read(AT_FDCWD, name, &stat_text);
		err_free(gone);
		if (gone || strstr(stat_text.data, ") Z "))
			return;
		usleep(20000);
	}
	assert_int_equal(kill((pid_t)pid, 0), -1);
}

static void test_a_child_that_keeps_the_pipes_open_does_not_delay(void **state)
{
	(void)state;
	int64_t before = clock_monotonic();

	assert_null(run(SHELL("sleep 5 & exit 0"), 0, ""));
	assert_true(clock_monotonic() - before < 3 * (int64_t)NSEC_PER_SEC);
}

static void test_no_other_descriptor_reaches_a_hook(void **state)
{
	(void)state;
	int leaked = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as a careless caller has it */

	assert_true(leaked >= 0);
	err *e = run(SHELL("ls /proc/self/fd | wc -l > fds"), 0, "");
	close(leaked);
	assert_null(e);
	assert_file("fds", "4\n"); /* 0, 1, 2, and the directory that ls reads */
}

static void test_a_signal_that_the_runtime_ignores_has_its_default_in_a_hook(void **state)
{
	(void)state;
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	signal(SIGTERM, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, &old);
	err *e = run(SHELL("kill -TERM $$; sleep 5"), 0, "");
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGTERM, SIG_DFL);
	assert_message(e, "signal 15");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_hook_gets_the_state_its_arguments_environment_and_directory),
		cmocka_unit_test(test_a_hook_without_arguments_sees_its_path_as_argument_zero),
		cmocka_unit_test(test_a_state_larger_than_a_pipe_arrives_whole),
		cmocka_unit_test(test_a_hook_that_never_reads_its_stdin_is_fine),
		cmocka_unit_test(test_a_failing_hook_is_named_with_status_and_output),
		cmocka_unit_test(test_a_hook_that_a_signal_ends_says_which),
		cmocka_unit_test(test_only_the_end_of_a_long_output_is_kept),
		cmocka_unit_test(test_a_hook_that_does_not_exist_is_named),
		cmocka_unit_test(test_a_timeout_kills_the_hook_with_its_children),
		cmocka_unit_test(test_a_child_that_keeps_the_pipes_open_does_not_delay),
		cmocka_unit_test(test_no_other_descriptor_reaches_a_hook),
		cmocka_unit_test(test_a_signal_that_the_runtime_ignores_has_its_default_in_a_hook),
	};

	return cmocka_run_group_tests_name("hooks", tests, make_dir, remove_dir);
}
