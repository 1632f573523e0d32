/* tests/unit/base/err_test.c: error chains. */
#include "tests/unit/unit.h"

static void test_chain_reads_from_the_outside_in(void **state)
{
	(void)state;
	err *e = err_new(EINVAL, "expected string, got %s", "number");

	e = err_wrap(e, "process.cwd");
	e = err_wrap(e, "container '%s'", "web");
	assert_err(e, "container 'web': process.cwd: expected string, got number");
}

static void test_success_stays_success_when_wrapped(void **state)
{
	(void)state;
	assert_null(err_wrap(NULL, "container 'web'"));
	assert_null(err_hint(NULL, "try again"));
}

static void test_code_is_kept_while_wrapping(void **state)
{
	(void)state;
	assert_err_code(err_wrap(err_new(ENOSPC, "write"), "layer"), ENOSPC);
	assert_err_code(err_with_code(err_new(EIO, "read"), ENOENT), ENOENT);
}

static void test_errno_becomes_code_and_cause(void **state)
{
	(void)state;
	errno = ENOENT;
	assert_err(err_errno("open '%s'", "/x"), "open '/x': No such file or directory");
	assert_err(err_code(EACCES, "open '/y'"), "open '/y': Permission denied");
}

static void test_control_characters_do_not_reach_the_terminal(void **state)
{
	(void)state;
	assert_err(err_new(EINVAL, "name '%s'", "a\x1b[31m\nb\x7f"), "name 'a?[31m?b?'");
}

static void test_failures_beside_each_other_are_told_line_by_line(void **state)
{
	(void)state;
	err *e = err_beside(NULL, err_wrap(err_new(EINVAL, "first"), "a.yaml"));

	e = err_beside(e, NULL);
	e = err_beside(e, err_wrap(err_new(ENOENT, "sec\nond"), "b.yaml"));
	e = err_beside(e, err_new(EIO, "third"));
	e = err_beside(e, err_oom());
	assert_int_equal(e->code, EINVAL);
	assert_err(err_wrap(e, "apply"), "apply: a.yaml: first\nb.yaml: sec?ond\nthird");
	assert_ptr_equal(err_beside(err_oom(), err_new(EIO, "lost")), err_oom());
	assert_null(err_beside(NULL, NULL));
}

static void test_hint_is_found_from_the_outside(void **state)
{
	(void)state;
	auto_err err *e = err_wrap(err_hint(err_new(EINVAL, "inner"), "say %s", "please"), "outer");

	assert_string_equal(err_first_hint(e), "say please");
	e = err_hint(e, "outer hint");
	assert_string_equal(err_first_hint(e), "outer hint");
}

static void test_out_of_memory_needs_no_memory(void **state)
{
	(void)state;
	err *e = err_oom();

	assert_ptr_equal(e, err_oom());
	assert_int_equal(e->code, ENOMEM);
	/* Freeing, changing and hinting the static object do nothing. */
	e = err_hint(err_with_code(e, EIO), "hint");
	assert_int_equal(e->code, ENOMEM);
	assert_null(e->hint);
	err_free(e);
	assert_err(err_oom(), "out of memory");
}

static void test_long_message_is_cut_not_overflown(void **state)
{
	(void)state;
	char name[10000];

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	auto_err err *e = err_new(EINVAL, "%s", name);
	assert_int_equal(strlen(e->message), 4095);
}

static err *fails(void)
{
	TRY(err_new(EBUSY, "busy"));
	return NULL;
}

static void test_try_returns_the_first_error(void **state)
{
	(void)state;
	assert_err(fails(), "busy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain_reads_from_the_outside_in),
		cmocka_unit_test(test_success_stays_success_when_wrapped),
		cmocka_unit_test(test_code_is_kept_while_wrapping),
		cmocka_unit_test(test_errno_becomes_code_and_cause),
		cmocka_unit_test(test_control_characters_do_not_reach_the_terminal),
		cmocka_unit_test(test_failures_beside_each_other_are_told_line_by_line),
		cmocka_unit_test(test_hint_is_found_from_the_outside),
		cmocka_unit_test(test_out_of_memory_needs_no_memory),
		cmocka_unit_test(test_long_message_is_cut_not_overflown),
		cmocka_unit_test(test_try_returns_the_first_error),
	};

	return cmocka_run_group_tests_name("base/err", tests, NULL, NULL);
}
