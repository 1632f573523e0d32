/* tests/unit/monitor/state_test.c: every state with every event, against docs/monitor-states.txt; messages; records. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "monitor/exit.h"
#include "monitor/protocol.h"
#include "monitor/session.h"
#include "monitor/state.h"

static void test_every_state_meets_every_event_as_the_golden_table_says(void **state)
{
	(void)state;
	auto_str struct str actual = STR_INIT(1 << 16), golden = STR_INIT(1 << 16);

	for (int s = 0; s < ST_COUNT; s++)
		for (int e = 0; e < EV_COUNT; e++) {
			const struct state_row *row = state_find((enum monitor_state)s, (enum monitor_event)e);
			str_addf(&actual, "%-10s  %-13s  %-10s  %s\n", state_name((enum monitor_state)s),
				 event_name((enum monitor_event)e), row ? state_name(row->to) : "-", row ? row->name : "");
			if (row)
				assert_non_null(row->action);
		}
	if (getenv("UPDATE"))
		assert_ok(file_replace_volatile(AT_FDCWD, "docs/monitor-states.txt", actual.data, actual.len, 0644));
	assert_ok(file_read(AT_FDCWD, "docs/monitor-states.txt", &golden));
	assert_string_equal(actual.data, golden.data);
}

static void test_messages_that_break_the_protocol_are_named(void **state)
{
	(void)state;
	static const struct {
		enum monitor_side from;
		struct monitor_head head;
		size_t data;
		const char *error; /* NULL: fine */
	} rows[] = {
		{ MONITOR_SIDE_CLIENT, { MONITOR_HELLO, 1, 0, 0 }, 0, NULL },
		{ MONITOR_SIDE_CLIENT, { MONITOR_HELLO, 0, 0, 0 }, 0, "message 'hello': value 0 is out of range" },
		{ MONITOR_SIDE_CLIENT, { MONITOR_HELLO, 1, 0, 0 }, 1, "message 'hello' cannot carry 1 bytes" },
		{ MONITOR_SIDE_CLIENT, { MONITOR_INPUT, 0, 0, 0 }, 0, "message 'input' cannot carry 0 bytes" },
		{ MONITOR_SIDE_CLIENT, { MONITOR_INPUT, 0, 0, 0 }, MONITOR_DATA_MAX, NULL },
		{ MONITOR_SIDE_CLIENT, { MONITOR_SIGNAL, 65, 0, 0 }, 0, "message 'signal': value 65 is out of range" },
		{ MONITOR_SIDE_CLIENT, { MONITOR_SIGNAL, -9, 0, 0 }, 0, "message 'signal': value -9 is out of range" },
		{ MONITOR_SIDE_CLIENT, { MONITOR_RESIZE, 0, 65536, 1 }, 0, "message 'resize': number is out of range" },
		{ MONITOR_SIDE_CLIENT, { MONITOR_ATTACH, 8, 0, 0 }, 0, "message 'attach': value 8 is out of range" },
		{ MONITOR_SIDE_CLIENT, { MONITOR_OK, 1, 0, 0 }, 0, "message of unknown kind 64" },
		{ MONITOR_SIDE_CLIENT, { 0, 0, 0, 0 }, 0, "message of unknown kind 0" },
		{ MONITOR_SIDE_CLIENT, { 4000000000u, 0, 0, 0 }, 0, "message of unknown kind 4000000000" },
		{ MONITOR_SIDE_SERVER, { MONITOR_OK, 1, 7, 9 }, 0, NULL },
		{ MONITOR_SIDE_SERVER, { MONITOR_START, 0, 0, 0 }, 0, "message of unknown kind 3" },
		{ MONITOR_SIDE_SERVER, { MONITOR_EXITED, 256, 0, 0 }, 0, "message 'exited': value 256 is out of range" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct monitor_message m = { .head = rows[i].head };
		err *e = monitor_check(rows[i].from, &m, sizeof(m.head) + rows[i].data);
		if (rows[i].error)
			assert_err(e, rows[i].error);
		else
			assert_ok(e);
	}
	struct monitor_message m = { 0 };
	assert_err(monitor_check(MONITOR_SIDE_CLIENT, &m, 3), "message of 3 bytes is too short");
}

static void test_a_message_arrives_as_it_was_sent_and_a_long_one_is_refused(void **state)
{
	(void)state;
	int ends[2];
	char big[sizeof(struct monitor_message) + 1] = { 0 };
	struct monitor_message m;
	size_t len;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	auto_close int a = ends[0], b = ends[1];
	assert_ok(monitor_send(a, MONITOR_OUT, 0, 0, 0, "bytes", 5));
	assert_ok(monitor_recv(b, MONITOR_SIDE_SERVER, &m, &len));
	assert_int_equal(len, 5);
	assert_memory_equal(m.data, "bytes", 5);
	assert_int_equal(send(a, big, sizeof(big), 0), (long)sizeof(big));
	assert_err_code(monitor_recv(b, MONITOR_SIDE_SERVER, &m, &len), EPROTO);
	fd_clear(&a);
	assert_err(monitor_recv(b, MONITOR_SIDE_SERVER, &m, &len), "the monitor has hung up");
}

static void test_an_exit_record_is_read_as_it_was_written(void **state)
{
	(void)state;
	auto_arena struct arena *arena = NULL;
	char path[] = "/tmp/stube-exit.XXXXXX";
	struct exit_record r = { .version = 1, .started = 5, .finished = 7, .oom = true, .log_lost = 3 }, back;

	assert_ok(arena_new(1 << 20, &arena));
	assert_non_null(mkdtemp(path));
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_err_code(exit_record_read(arena, fd, &back), ENOENT);
	exit_record_status(&r, 9 /* killed by signal 9 */);
	assert_ok(exit_record_write(fd, &r));
	assert_ok(exit_record_read(arena, fd, &back));
	assert_int_equal(back.code, 137);
	assert_int_equal(back.signal, 9);
	assert_true(back.known && back.oom);
	assert_int_equal(back.log_lost, 3);
	assert_int_equal(unlinkat(fd, EXIT_RECORD_FILE, 0), 0);
	assert_int_equal(rmdir(path), 0);
}

/* tests/compat: release N reads what release N - 1 wrote. */
static void test_records_of_version_1_are_read(void **state)
{
	(void)state;
	auto_arena struct arena *arena = NULL;
	auto_close int fd = open("tests/compat/monitor-1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct exit_record end;
	struct running running;

	assert_ok(arena_new(1 << 20, &arena));
	assert_ok(exit_record_read(arena, fd, &end));
	assert_int_equal(end.code, 42);
	assert_true(end.known);
	assert_ok(running_read(fd, &running));
	assert_int_equal(running.pid, 4711);
	assert_int_equal(running.birth, 815);
	assert_true(running.tty);
	/* A newer one is not misread. */
	const char newer[] = "{\"version\":2,\"finished\":1,\"code\":0}";
	assert_err_code(exit_record_parse(arena, newer, strlen(newer), &end), EINVAL);
}

static void test_another_process_with_the_same_number_is_not_taken_for_ours(void **state)
{
	(void)state;
	struct running r = { .version = 1, .pid = getpid() };
	int fd;

	assert_ok(running_birth(getpid(), &r.birth));
	assert_ok(running_open(&r, &fd));
	fd_clear(&fd);
	r.birth++;
	assert_err_code(running_open(&r, &fd), ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_meets_every_event_as_the_golden_table_says),
		cmocka_unit_test(test_messages_that_break_the_protocol_are_named),
		cmocka_unit_test(test_a_message_arrives_as_it_was_sent_and_a_long_one_is_refused),
		cmocka_unit_test(test_an_exit_record_is_read_as_it_was_written),
		cmocka_unit_test(test_records_of_version_1_are_read),
		cmocka_unit_test(test_another_process_with_the_same_number_is_not_taken_for_ours),
	};

	return cmocka_run_group_tests_name("monitor/state", tests, NULL, NULL);
}
