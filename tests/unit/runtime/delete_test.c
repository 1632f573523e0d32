/* tests/unit/runtime/delete_test.c: how containers end; how signals are named. */
#include "tests/unit/place.h"

#include <sys/stat.h>

#include "base/file.h"
#include "runtime/delete.h"
#include "runtime/signals.h"

/* A container "web" whose init is a sleeping child; hooks: the poststop array. */
static void make(struct place *p, const char *poststop)
{
	auto_container struct container c = CONTAINER_INIT;
	auto_str struct str config = STR_INIT(4096);

	p->child = fork();
	if (p->child == 0)
		_exit((int)sleep(60));
	assert_null(container_create(p->arena, p->root, "web", &c));
	c.record.oci_version = "1.3.0";
	c.record.bundle = p->root;
	c.record.rootfs = p->root;
	c.record.pid = p->child;
	c.record.poststop = poststop != NULL;
	assert_null(state_start_time(p->child, &c.record.start_time));
	assert_null(container_save(&c));
	str_addf(&config, "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"r\"},\"hooks\":{\"poststop\":[%s]}}",
		 poststop ? poststop : "");
	assert_null(container_save_config(&c, config.data, config.len));
}

static void end_child(struct place *p)
{
	kill(p->child, SIGKILL);
	waitpid(p->child, NULL, 0);
	p->child = 0;
}

static void test_a_running_container_is_deleted_only_by_force(void **state)
{
	struct place *p = *state;

	make(p, NULL);
	assert_failure(container_delete(p->arena, p->root, "web", false, NULL), EBUSY,
		       "cannot delete container web that is not stopped: running");
	assert_true(place_has(p, "web"));
	assert_int_equal(waitpid(p->child, NULL, WNOHANG), 0);
	assert_null(container_delete(p->arena, p->root, "web", true, NULL));
	assert_false(place_has(p, "web"));
	int status;
	assert_int_equal(waitpid(p->child, &status, 0), p->child);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	p->child = 0;
}

static void test_a_stopped_container_is_deleted_with_its_poststop_hooks(void **state)
{
	struct place *p = *state;
	auto_str struct str text = STR_INIT(4096);
	char path[128];

	make(p, "{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"cat > state\"]}");
	end_child(p);
	assert_null(container_delete(p->arena, p->root, "web", false, NULL));
	assert_false(place_has(p, "web"));
	snprintf(path, sizeof path, "%s/state", p->root);
	assert_null(file_read(AT_FDCWD, path, &text));
	assert_non_null(strstr(text.data, "\"id\":\"web\",\"status\":\"stopped\""));
}

static void test_a_failing_poststop_hook_is_a_warning_and_stops_nothing(void **state)
{
	struct place *p = *state;
	auto_strv struct strv warnings = STRV_INIT(8);

	make(p, "{\"path\":\"/bin/false\"}");
	end_child(p);
	assert_null(container_delete(p->arena, p->root, "web", false, &warnings));
	assert_false(place_has(p, "web"));
	assert_int_equal(warnings.count, 1);
	assert_string_equal(warnings.items[0], "error running poststop hook #1: '/bin/false': exit status 1, "
			    "stdout: , stderr: ");
}

static void test_what_does_not_exist_is_an_error_unless_forced(void **state)
{
	struct place *p = *state;

	assert_failure(container_delete(p->arena, p->root, "web", false, NULL), ENOENT,
		       "container 'web' does not exist");
	assert_null(container_delete(p->arena, p->root, "web", true, NULL));
	auto_err err *e = container_delete(p->arena, p->root, "../x", true, NULL);
	assert_non_null(e);
}

static void test_a_leftover_is_cleaned_without_a_word(void **state)
{
	struct place *p = *state;
	char path[128];

	snprintf(path, sizeof path, "%s/web", p->root);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(container_delete(p->arena, p->root, "web", false, NULL));
	assert_false(place_has(p, "web"));
}

static void test_a_record_that_cannot_be_read_goes_by_force(void **state)
{
	struct place *p = *state;
	char path[128];

	make(p, NULL);
	snprintf(path, sizeof path, "%s/web/state.json", p->root);
	assert_null(file_replace_volatile(AT_FDCWD, path, "{", 1, 0600));
	auto_err err *e = container_delete(p->arena, p->root, "web", false, NULL);
	assert_non_null(e);
	assert_true(place_has(p, "web"));
	assert_null(container_delete(p->arena, p->root, "web", true, NULL));
	assert_false(place_has(p, "web"));
	end_child(p);
}

static void test_signals_have_names_and_numbers(void **state)
{
	(void)state;
	static const struct { const char *text; int expected; } rows[] = {
		{ "TERM", 15 }, { "SIGTERM", 15 }, { "term", 15 }, { "sigKill", 9 }, { "9", 9 }, { "0", 0 },
		{ "CHLD", 17 }, { "CLD", 17 }, { "POLL", 29 }, { "IO", 29 }, { "IOT", 6 }, { "PWR", 30 },
		{ "RTMIN", 34 }, { "RTMIN+3", 37 }, { "SIGRTMAX-1", 63 }, { "RTMAX", 64 }, { "64", 64 },
	};
	static const char *const bad[] = { "", "SIG", "TERMX", "65", "-1", "RTMIN-1", "RTMIN+31", "RTMAX+1",
					   "1 ", "0x9", "RTMIN+" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int got = -1;
		assert_null(signal_parse(rows[i].text, &got));
		if (got != rows[i].expected)
			fail_msg("'%s' is %d", rows[i].text, got);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int got;
		auto_err err *e = signal_parse(bad[i], &got);
		if (!e)
			fail_msg("'%s' was accepted", bad[i]);
	}
}

#define DELETE_TEST(f) cmocka_unit_test_setup_teardown(f, place_make, place_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DELETE_TEST(test_a_running_container_is_deleted_only_by_force),
		DELETE_TEST(test_a_stopped_container_is_deleted_with_its_poststop_hooks),
		DELETE_TEST(test_a_failing_poststop_hook_is_a_warning_and_stops_nothing),
		DELETE_TEST(test_what_does_not_exist_is_an_error_unless_forced),
		DELETE_TEST(test_a_leftover_is_cleaned_without_a_word),
		DELETE_TEST(test_a_record_that_cannot_be_read_goes_by_force),
		cmocka_unit_test(test_signals_have_names_and_numbers),
	};

	return cmocka_run_group_tests_name("delete", tests, NULL, NULL);
}
