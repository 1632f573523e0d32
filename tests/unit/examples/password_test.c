/* tests/unit/examples/password_test.c: passwords match their hash and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "examples/password.h"

static void test_only_the_right_password_matches(void **state UNUSED)
{
	auto_str struct str hash = STR_INIT(256);
	bool good = false;

	assert_null(password_hash("correct horse", &hash));
	assert_null(password_verify("correct horse", hash.data, &good));
	assert_true(good);
	assert_null(password_verify("correct horsf", hash.data, &good));
	assert_false(good);
	assert_null(password_verify("", hash.data, &good));
	assert_false(good);
}

static void test_the_same_password_hashes_differently(void **state UNUSED)
{
	auto_str struct str one = STR_INIT(256);
	auto_str struct str two = STR_INIT(256);

	assert_null(password_hash("x", &one));
	assert_null(password_hash("x", &two));
	assert_string_not_equal(one.data, two.data);
}

static void test_nobody_has_no_password(void **state UNUSED)
{
	bool good = true;

	assert_null(password_verify("", NULL, &good));
	assert_false(good);
}

static void test_an_endless_password_is_wrong_without_work(void **state UNUSED)
{
	char longest[PASSWORD_MAX + 2];
	bool good = true;

	memset(longest, 'a', sizeof(longest));
	longest[PASSWORD_MAX + 1] = '\0';
	assert_null(password_verify(longest, NULL, &good));
	assert_false(good);
}

static void test_texts_that_are_no_hashes_are_refused(void **state UNUSED)
{
	static const char *const rows[] = {
		"",
		"scrypt",
		"plain:secret",
		"scrypt:16384:8:1:AAAAAAAAAAAAAAAAAAAAAA:AAAA",
		"scrypt:16384:8:1:AA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"scrypt:1073741824:8:1:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"scrypt:0:8:1:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"scrypt:3:8:1:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"scrypt:16384:8:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool good = true;
		auto_err err *e = password_verify("x", rows[i], &good);

		assert_non_null(e);
		assert_int_equal(e->code, EINVAL);
		assert_false(good);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_right_password_matches),
		cmocka_unit_test(test_the_same_password_hashes_differently),
		cmocka_unit_test(test_nobody_has_no_password),
		cmocka_unit_test(test_an_endless_password_is_wrong_without_work),
		cmocka_unit_test(test_texts_that_are_no_hashes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
