/* tests/unit/base/log_test.c: the record formats that callers of OCI runtimes parse. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"

static char path[64];

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "/tmp/stube-log-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_close();
	return unlink(path);
}

/* The log so far, with every time stamp written as TIME. */
static char *written(void)
{
	auto_str struct str text = STR_INIT(1 << 20);
	struct str out = STR_INIT(1 << 20);

	assert_ok(file_read(AT_FDCWD, path, &text));
	for (const char *p = text.data; *p; p++) {
		if (str_starts_with(p, "20") && strlen(p) > 20 && p[4] == '-' && p[10] == 'T' && p[19] == 'Z') {
			str_add(&out, "TIME");
			p += 19;
		} else {
			str_add_char(&out, *p);
		}
	}
	return str_take(&out);
}

static void test_json_record_has_the_keys_that_callers_parse(void **state)
{
	(void)state;
	assert_ok(log_open(path, LOG_FORMAT_JSON, LOG_LEVEL_INFO));
	log_info("started", "container", "we\"b", "none", NULL, "pid", "42", NULL);
	log_debug("not shown", NULL);
	auto_free char *text = written();
	assert_string_equal(text, "{\"level\":\"info\",\"msg\":\"started\",\"time\":\"TIME\",\"container\":\"we\\\"b\","
				  "\"pid\":\"42\"}\n");
}

static void test_text_record_is_one_clean_line(void **state)
{
	(void)state;
	assert_ok(log_open(path, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG));
	log_warning("two\nlines\x1b", "key", "a b", "other", "", "bare", "x=1", NULL);
	log_debug("shown", NULL);
	auto_free char *text = written();
	assert_string_equal(text, "TIME warning: two?lines? key=\"a b\" other=\"\" bare=\"x=1\"\nTIME debug: shown\n");
}

static void test_error_chain_becomes_one_record_with_its_hint(void **state)
{
	(void)state;
	auto_err err *e = err_hint(err_wrap(err_new(EINVAL, "bad"), "container 'web'"), "try x");

	assert_ok(log_open(path, LOG_FORMAT_JSON, LOG_LEVEL_ERROR));
	log_err(e);
	auto_err err *plain = err_new(EINVAL, "plain");
	log_err(plain);
	auto_free char *text = written();
	assert_string_equal(text, "{\"level\":\"error\",\"msg\":\"container 'web': bad\",\"time\":\"TIME\",\"hint\":\"try x\"}\n"
				  "{\"level\":\"error\",\"msg\":\"plain\",\"time\":\"TIME\"}\n");
}

static void test_label_is_carried_by_every_record(void **state)
{
	(void)state;
	assert_ok(log_open(path, LOG_FORMAT_TEXT, LOG_LEVEL_INFO));
	log_label("role", "parent");
	log_label("role", "child");
	log_info("one", NULL);
	log_info("two", "k", "v", NULL);
	auto_free char *text = written();
	assert_string_equal(text, "TIME info: one role=child\nTIME info: two role=child k=v\n");
}

static void test_log_is_appended_to_and_closed_on_exec(void **state)
{
	(void)state;
	assert_ok(log_open(path, LOG_FORMAT_TEXT, LOG_LEVEL_INFO));
	log_info("one", NULL);
	char target[80];
	snprintf(target, sizeof target, "file:%s", path);
	assert_ok(log_open(target, LOG_FORMAT_TEXT, LOG_LEVEL_INFO));
	log_info("two", NULL);
	assert_int_equal(fcntl(log_fd(), F_GETFD), FD_CLOEXEC);
	auto_free char *text = written();
	assert_string_equal(text, "TIME info: one\nTIME info: two\n");
}

static void test_log_that_cannot_be_opened_is_an_error(void **state)
{
	(void)state;
	assert_err(log_open("/nonexistent/log", LOG_FORMAT_TEXT, LOG_LEVEL_INFO),
		   "open log '/nonexistent/log': No such file or directory");
	assert_int_equal(log_fd(), STDERR_FILENO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_json_record_has_the_keys_that_callers_parse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text_record_is_one_clean_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_error_chain_becomes_one_record_with_its_hint, setup, teardown),
		cmocka_unit_test_setup_teardown(test_label_is_carried_by_every_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_is_appended_to_and_closed_on_exec, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_that_cannot_be_opened_is_an_error, setup, teardown),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
