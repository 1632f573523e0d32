/* tests/unit/unit.h: what unit tests share: cmocka, and asserting on whole error texts. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"

/* The call succeeds; else the error's text is printed. Frees the error. */
#define assert_ok(call) unit_assert_ok((call), __FILE__, __LINE__)
/* The call fails with exactly this text. */
#define assert_err(call, text) unit_assert_err((call), (text), __FILE__, __LINE__)
/* The call fails with this code. */
#define assert_err_code(call, code) unit_assert_err_code((call), (code), __FILE__, __LINE__)
/* Both. */
#define assert_failure(call, code, text) unit_assert_failure((call), (code), (text), __FILE__, __LINE__)

static inline UNUSED void unit_assert_ok(err *e, const char *file, int line)
{
	auto_str struct str text = STR_INIT(1 << 16);

	if (!e)
		return;
	err_format(e, &text);
	print_error("unexpected error: %s\n", text.data);
	err_free(e);
	_fail(file, line);
}

static inline UNUSED void unit_assert_err(err *e, const char *expected, const char *file, int line)
{
	auto_str struct str text = STR_INIT(1 << 16);

	if (!e) {
		print_error("no error, expected: %s\n", expected);
		_fail(file, line);
	}
	err_format(e, &text);
	err_free(e);
	_assert_string_equal(text.data, expected, file, line);
}

static inline UNUSED void unit_assert_err_code(err *e, int code, const char *file, int line)
{
	int actual = e ? e->code : 0;

	err_free(e);
	_assert_int_equal((LargestIntegralType)actual, (LargestIntegralType)code, file, line);
}

static inline UNUSED void unit_assert_failure(err *e, int code, const char *expected, const char *file,
					      int line)
{
	int actual = e ? e->code : 0;

	unit_assert_err(e, expected, file, line);
	_assert_int_equal((LargestIntegralType)actual, (LargestIntegralType)code, file, line);
}
