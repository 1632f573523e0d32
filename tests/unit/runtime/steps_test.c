/* tests/unit/runtime/steps_test.c: one table, two walkers, over a real socket pair. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/plan.h"
#include "runtime/steps.h"

static const struct step table[] = {
	{ STEP_JOIN, STEP_EARLY, PLAN_JOIN, "only with joins", "" },
	{ STEP_MAP_IDS, STEP_PARENT, 0, "first", "" },
	{ STEP_ROOT, STEP_CHILD, 0, "second", "" },
	{ STEP_MOUNTS, STEP_CHILD, PLAN_JOIN, "also only with joins", "" },
	{ STEP_RECORD, STEP_PARENT, 0, "last", "" },
	{ 0 },
};

struct side {
	int log; /* a pipe: one letter a row */
	const char *fail_at;
};

static err *step(void *data, char letter, const char *name)
{
	const struct side *s = data;

	assert_int_equal(write(s->log, &letter, 1), 1);
	return str_equal(s->fail_at, name) ? err_wrap(err_hint(err_new(EXDEV, "deep"), "Try harder."), "outer") :
					     NULL;
}
static err *row_join(void *data)
{
	return step(data, 'j', "join");
}
static err *row_map(void *data)
{
	return step(data, 'm', "map");
}
static err *row_root(void *data)
{
	return step(data, 'r', "root");
}
static err *row_mounts(void *data)
{
	return step(data, 'M', "mounts");
}
static err *row_record(void *data)
{
	return step(data, 'R', "record");
}
static err *row_die(void *data)
{
	(void)data;
	_exit(7);
}

static err *(*const rows[STEP_COUNT])(void *) = {
	[STEP_JOIN] = row_join,   [STEP_MAP_IDS] = row_map,   [STEP_ROOT] = row_root,
	[STEP_MOUNTS] = row_mounts, [STEP_RECORD] = row_record,
};

/* Walk both sides; what each row logged ends in `log`; the parent's error is returned. */
static err *walk_both(uint32_t flags, const char *fail_at, bool die, char *log, size_t size)
{
	err *(*child_rows[STEP_COUNT])(void *);
	int pair[2], pipe_fds[2], status;

	memcpy(child_rows, rows, sizeof rows);
	if (die)
		child_rows[STEP_ROOT] = row_die;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe(pipe_fds), 0);
	struct side side = { pipe_fds[1], fail_at };
	struct walk w = { .flags = flags, .run = rows, .data = &side, .owner = WALK_NOBODY };
	pid_t pid = fork();
	if (pid == 0) {
		w.role = STEP_CHILD;
		w.sock = pair[1];
		w.run = child_rows;
		fd_close(pair[0]);
		IGNORE(walk_steps(&w, table, 0));
		_exit(0);
	}
	fd_close(pair[1]);
	fd_close(pipe_fds[1]);
	side.log = open("/dev/null", O_WRONLY | O_CLOEXEC);
	w.role = STEP_PARENT;
	w.sock = pair[0];
	err *e = walk_steps(&w, table, 0);
	fd_close(pair[0]);
	waitpid(pid, &status, 0);
	ssize_t n = read(pipe_fds[0], log, size - 1);
	log[n > 0 ? n : 0] = '\0';
	fd_close(pipe_fds[0]);
	fd_close(side.log);
	return e;
}

static void test_each_side_runs_its_own_rows_in_order(void **state)
{
	char log[32];

	(void)state;
	assert_null(walk_both(0, NULL, false, log, sizeof log));
	assert_string_equal(log, "r");
	assert_null(walk_both(PLAN_JOIN, NULL, false, log, sizeof log));
	assert_string_equal(log, "jrM");
}

static void test_an_error_of_the_child_arrives_with_text_code_and_hint(void **state)
{
	auto_str struct str text = STR_INIT(1024);
	char log[32];

	(void)state;
	auto_err err *e = walk_both(0, "root", false, log, sizeof log);
	assert_non_null(e);
	err_format(e, &text);
	assert_string_equal(text.data, "second: outer: deep");
	assert_int_equal(e->code, EXDEV);
	assert_string_equal(err_first_hint(e), "Try harder.");
}

static void test_an_error_of_the_parent_stops_the_child(void **state)
{
	char log[32];

	(void)state;
	auto_err err *e = walk_both(0, "map", false, log, sizeof log);
	assert_non_null(e);
	assert_string_equal(log, "");
}

static void test_a_child_that_dies_is_an_error_that_names_the_row(void **state)
{
	auto_str struct str text = STR_INIT(1024);
	char log[32];

	(void)state;
	auto_err err *e = walk_both(0, NULL, true, log, sizeof log);
	assert_non_null(e);
	assert_int_equal(e->code, EPIPE);
	err_format(e, &text);
	assert_string_equal(text.data, "last: the other side ended unexpectedly");
}

static void test_every_row_of_the_tables_has_name_and_reason(void **state)
{
	const struct step *const tables[] = { steps_create, steps_exec, steps_start };

	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (const struct step *s = tables[t]; s->name; s++) {
			assert_true(s->id < STEP_COUNT);
			assert_true(strlen(s->why) > 5);
		}
}

static void test_early_rows_come_before_stube_init_and_child_rows_after(void **state)
{
	(void)state;
	for (int t = 0; t < 2; t++) {
		const struct step *table_of = t ? steps_exec : steps_create;
		size_t enter = steps_after(table_of, STEP_ENTER_INIT);

		assert_true(enter > 0);
		for (size_t i = 0; table_of[i].name; i++) {
			if (table_of[i].role == STEP_EARLY)
				assert_true(i < enter);
			if (table_of[i].role == STEP_CHILD)
				assert_true(i >= enter);
		}
		/* The plan follows at once: nothing in between needs it. */
		assert_int_equal(table_of[enter].id, STEP_SEND_PLAN);
		assert_int_equal(table_of[enter].when, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_side_runs_its_own_rows_in_order),
		cmocka_unit_test(test_an_error_of_the_child_arrives_with_text_code_and_hint),
		cmocka_unit_test(test_an_error_of_the_parent_stops_the_child),
		cmocka_unit_test(test_a_child_that_dies_is_an_error_that_names_the_row),
		cmocka_unit_test(test_every_row_of_the_tables_has_name_and_reason),
		cmocka_unit_test(test_early_rows_come_before_stube_init_and_child_rows_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
