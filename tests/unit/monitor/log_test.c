/* tests/unit/monitor/log_test.c: the log as it lies on disk, its rotation, and reading it back. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "monitor/log.h"
#include "monitor/logread.h"

#define T0 1795464904000000001ll /* 2026-11-23T20:15:04.000000001Z */

static char path[64];
static int dir_fd = -1;
static struct monitor_log *open_log;

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/stube-log.XXXXXX");
	assert_non_null(mkdtemp(path));
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	monitor_log_free(TAKE(open_log));
	fd_clear(&dir_fd);
	assert_ok(path_remove_all(tmp, path + strlen("/tmp/")));
	return 0;
}

static struct monitor_log *new_log(uint64_t size, unsigned files)
{
	monitor_log_free(TAKE(open_log));
	assert_ok(monitor_log_open(dir_fd, "log", (struct monitor_log_limits){ size, files }, &open_log));
	return open_log;
}

static void write_text(struct monitor_log *log, enum monitor_stream stream, const char *text)
{
	monitor_log_write(log, stream, T0, text, strlen(text));
}

static void assert_file(const char *name, const char *expected)
{
	auto_str struct str text = STR_INIT(1 << 20);

	assert_ok(file_read(dir_fd, name, &text));
	assert_string_equal(text.data, expected);
}

static bool exists(const char *name)
{
	return faccessat(dir_fd, name, F_OK, 0) == 0;
}

static void test_records_have_the_cri_format(void **state)
{
	(void)state;
	struct monitor_log *log = new_log(1 << 20, 2);

	write_text(log, MONITOR_STDOUT, "one\ntwo\n\n");
	write_text(log, MONITOR_STDERR, "part");
	write_text(log, MONITOR_STDERR, "ial\n");
	assert_file("log", "2026-11-23T20:15:04.000000001Z stdout F one\n"
			   "2026-11-23T20:15:04.000000001Z stdout F two\n"
			   "2026-11-23T20:15:04.000000001Z stdout F \n"
			   "2026-11-23T20:15:04.000000001Z stderr P part\n"
			   "2026-11-23T20:15:04.000000001Z stderr F ial\n");
	assert_int_equal(monitor_log_place(log).offset, 5 * 41 + 3 + 3 + 0 + 4 + 3);
}

static void test_a_full_file_gets_a_number_and_the_oldest_goes(void **state)
{
	(void)state;
	struct monitor_log *log = new_log(110, 3);

	for (int i = 0; i < 10; i++)
		write_text(log, MONITOR_STDOUT, "0123456789\n"); /* 51 bytes each: two a file */
	assert_true(exists("log"));
	assert_true(exists("log.3"));
	assert_true(exists("log.2"));
	assert_false(exists("log.1"));
	assert_int_equal(monitor_log_place(log).generation, 4);
	assert_int_equal(monitor_log_place(log).offset, 102);
}

static void test_a_log_goes_on_where_an_earlier_one_ended(void **state)
{
	(void)state;
	struct monitor_log *log = new_log(110, 3);

	for (int i = 0; i < 5; i++)
		write_text(log, MONITOR_STDOUT, "0123456789\n");
	struct monitor_place before = monitor_log_place(log);
	log = new_log(110, 3);
	assert_int_equal(monitor_log_place(log).generation, before.generation);
	assert_int_equal(monitor_log_place(log).offset, before.offset);
}

static void test_a_reader_gives_back_every_byte(void **state)
{
	(void)state;
	struct monitor_log *log = new_log(4096, 1000);
	auto_log_reader struct log_reader *reader = NULL;
	auto_str struct str in = STR_INIT(1 << 20), out = STR_INIT(1 << 20);
	struct log_record r;
	bool have;

	srand(1);
	assert_ok(log_reader_open(dir_fd, "log", (struct monitor_place){ 0 }, &reader));
	for (int i = 0; i < 300; i++) {
		char chunk[700];
		size_t len = 1 + (size_t)rand() % sizeof(chunk);
		for (size_t j = 0; j < len; j++)
			chunk[j] = (char)(rand() % 12 == 0 ? '\n' : rand() % 256);
		str_add_bytes(&in, chunk, len);
		monitor_log_write(log, MONITOR_STDOUT, T0 + i, chunk, len);
		/* Now and then the reader takes what is there, over rotations. */
		if (i % 7 != 0 && i != 299)
			continue;
		for (;;) {
			assert_ok(log_reader_next(reader, &r, &have));
			if (!have)
				break;
			str_add_bytes(&out, r.text, r.len);
			if (r.full)
				str_add_char(&out, '\n');
		}
	}
	assert_int_equal(out.len, in.len);
	assert_memory_equal(out.data, in.data, in.len);
	assert_int_equal(log_reader_skipped(reader), 0);
	assert_int_equal(log_reader_place(reader).generation, monitor_log_place(log).generation);
	assert_int_equal(log_reader_place(reader).offset, monitor_log_place(log).offset);
}

static void test_a_reader_that_comes_too_late_is_told(void **state)
{
	(void)state;
	struct monitor_log *log = new_log(110, 2);
	auto_log_reader struct log_reader *reader = NULL;
	struct log_record r;
	bool have;

	for (int i = 0; i < 8; i++)
		write_text(log, MONITOR_STDOUT, "0123456789\n");
	assert_ok(log_reader_open(dir_fd, "log", (struct monitor_place){ 0 }, &reader));
	assert_int_equal(log_reader_skipped(reader), 2);
	int count = 0;
	for (assert_ok(log_reader_next(reader, &r, &have)); have; assert_ok(log_reader_next(reader, &r, &have)))
		count++;
	assert_int_equal(count, 4);
}

static void test_lines_that_are_no_records_are_passed_over(void **state)
{
	(void)state;
	static const char text[] = "garbage\n2026-11-23T20:15:04Z stdin F x\n2026-11-23T20:15:04Z stdout X x\n"
				   "2026-13-23T20:15:04Z stdout F x\n2026-11-23T20:15:04Z stdout F\n"
				   "2026-11-23T20:15:04Z stderr F good one\n2026-11-23T20:15:04Z stdout F cut";
	auto_log_reader struct log_reader *reader = NULL;
	struct log_record r;
	bool have;

	assert_ok(file_replace_volatile(dir_fd, "log", text, strlen(text), 0600));
	assert_ok(log_reader_open(dir_fd, "log", (struct monitor_place){ 0 }, &reader));
	assert_ok(log_reader_next(reader, &r, &have));
	assert_true(have);
	assert_int_equal(r.stream, MONITOR_STDERR);
	assert_int_equal(r.len, 8);
	assert_memory_equal(r.text, "good one", 8);
	assert_ok(log_reader_next(reader, &r, &have));
	assert_false(have); /* a record that is still being written */
}

static void test_what_cannot_be_a_log_is_refused(void **state)
{
	(void)state;
	struct monitor_log *log;

	assert_err_code(monitor_log_open(dir_fd, "log", (struct monitor_log_limits){ 100, 1 }, &log), EINVAL);
	assert_err_code(monitor_log_open(dir_fd, "log", (struct monitor_log_limits){ 0, 2 }, &log), EINVAL);
	assert_int_equal(symlinkat("/etc/passwd", dir_fd, "link"), 0);
	assert_err_code(monitor_log_open(dir_fd, "link", (struct monitor_log_limits){ 100, 2 }, &log), ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_records_have_the_cri_format, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_full_file_gets_a_number_and_the_oldest_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_log_goes_on_where_an_earlier_one_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_reader_gives_back_every_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_reader_that_comes_too_late_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lines_that_are_no_records_are_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_a_log_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests_name("monitor/log", tests, NULL, NULL);
}
