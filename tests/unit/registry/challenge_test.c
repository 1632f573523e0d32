/* tests/unit/registry/challenge_test.c: WWW-Authenticate, Retry-After and the error texts of registries. */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "registry/auth.h"
#include "registry/client-internal.h"

static void test_the_strongest_challenge_that_we_can_answer_is_chosen(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum challenge_scheme scheme;
		const char *realm, *service, *scope, *error;
	} rows[] = {
		{ "Basic realm=\"x\"", CHALLENGE_BASIC, "x", NULL, NULL, NULL },
		{ "basic", CHALLENGE_BASIC, NULL, NULL, NULL, NULL },
		{ "Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:a/b:pull,push\"", CHALLENGE_BEARER,
		  "https://a/t", "s", "repository:a/b:pull,push", NULL },
		{ "BEARER Realm = \"r\" , Service = s", CHALLENGE_BEARER, "r", "s", NULL, NULL },
		{ "Bearer realm=https://a/t,service=s", CHALLENGE_BEARER, "https://a/t", "s", NULL, NULL },
		{ "Bearer realm=\"a\\\"b\\\\c\"", CHALLENGE_BEARER, "a\"b\\c", NULL, NULL, NULL },
		{ "Bearer realm=\"r\",error=\"insufficient_scope\"", CHALLENGE_BEARER, "r", NULL, NULL, "insufficient_scope" },
		{ "Bearer realm=\"r\",unknown=\"x\",a=b", CHALLENGE_BEARER, "r", NULL, NULL, NULL },
		{ "Basic realm=\"b\", Bearer realm=\"r\"", CHALLENGE_BEARER, "r", NULL, NULL, NULL },
		{ "Bearer realm=\"r\", Basic realm=\"b\"", CHALLENGE_BEARER, "r", NULL, NULL, NULL },
		{ "Bearer service=\"s\", Basic realm=\"b\"", CHALLENGE_BASIC, "b", NULL, NULL, NULL }, /* without realm */
		{ "Bearer realm=\"\", Basic", CHALLENGE_BASIC, NULL, NULL, NULL, NULL },
		{ "Negotiate", CHALLENGE_NONE, NULL, NULL, NULL, NULL },
		{ "Negotiate abc/+def==, Basic realm=\"b\"", CHALLENGE_BASIC, "b", NULL, NULL, NULL },
		{ "Digest realm=\"d\",nonce=\"n\", Basic realm=\"b\"", CHALLENGE_BASIC, "b", NULL, NULL, NULL },
		{ "", CHALLENGE_NONE, NULL, NULL, NULL, NULL },
		{ " , ,", CHALLENGE_NONE, NULL, NULL, NULL, NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_challenge struct challenge c = { 0 };
		assert_ok(challenge_parse(rows[i].text, strlen(rows[i].text), &c));
		if (c.scheme != rows[i].scheme || !str_equal(c.realm, rows[i].realm) || !str_equal(c.service, rows[i].service) ||
		    !str_equal(c.scope, rows[i].scope) || !str_equal(c.error, rows[i].error))
			fail_msg("%s: scheme %d realm %s", rows[i].text, c.scheme, c.realm);
	}
}

static void test_malformed_challenges_are_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"Bearer realm=\"open", "Bearer realm=\"open\\", "Bearer realm=\"a\nb\"", "Bearer realm=\"a\x7f\"",
		"\"quoted\"", "=x", "Bearer realm=\"a\" \"b\"", "Bearer realm=\"a\",realm=\"b\"", "Bea\x01rer",
		"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s",
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_challenge struct challenge c = { 0 };
		auto_err err *e = challenge_parse(rows[i], strlen(rows[i]), &c);
		if (!e)
			fail_msg("'%s' was accepted", rows[i]);
	}
	static char huge[20000];
	struct challenge c;
	memset(huge, 'a', sizeof(huge));
	assert_err_code(challenge_parse(huge, sizeof(huge), &c), EFBIG);
}

static void test_retry_after_is_seconds_or_a_date(void **state)
{
	(void)state;
	const int64_t s = (int64_t)NSEC_PER_SEC, now = 1000000000 * s; /* Sun, 09 Sep 2001 01:46:40 GMT */
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{ NULL, 0 }, { "", 0 }, { "5", 5 }, { "0", 0 }, { "-5", 0 }, { "5 s", 0 }, { "1.5", 0 },
		{ "99999999999999999999", 0 }, { "18446744073709551615", 365 * 86400 },
		{ "Sun, 09 Sep 2001 01:46:50 GMT", 10 }, { "Sun, 09 Sep 2001 01:46:30 GMT", 0 },
		{ "Sun, 09 Sep 2101 01:46:50 GMT", 365 * 86400 }, { "Sun, 09 Sep 2001 01:46:50 CET", 0 },
		{ "tomorrow", 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (retry_after(rows[i].text, now) != rows[i].seconds * s)
			fail_msg("'%s': %lld", rows[i].text, (long long)retry_after(rows[i].text, now));
}

static void test_a_registrys_words_are_shown_bounded_and_on_one_line(void **state)
{
	(void)state;
	static const struct {
		const char *body, *text;
	} rows[] = {
		{ "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}", "DENIED: no" },
		{ "{\"errors\":[{\"code\":\"A\",\"message\":\"x\"},{\"code\":\"B\"},{\"message\":\"y\"},{\"code\":\"D\"}]}", "A: x; B; y" },
		{ "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"a\\nb\\u001b[31mc\\u0007\"}]}", "DENIED: a b [31mc" },
		{ "{\"errors\":[1,null,\"x\"]}", "; ; " },
		{ "{\"errors\":{}}", "" },
		{ "{\"details\":\"incorrect username or password\"}", "incorrect username or password" },
		{ "{\"error\":\"invalid_grant\",\"error_description\":\"expired\"}", "expired" },
		{ "upstream is down\nsecond line", "upstream is down" },
		{ "<html>x</html>", "" }, { "{broken", "" }, { "", "" }, { "[]", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str out = STR_INIT(4096);
		status_text(rows[i].body, strlen(rows[i].body), &out);
		assert_string_equal(out.data, rows[i].text);
	}
	auto_str struct str body = STR_INIT(20000), out = STR_INIT(4096);
	str_add(&body, "{\"errors\":[{\"code\":\"X\",\"message\":\"");
	for (int i = 0; i < 10000; i++)
		str_add_char(&body, 'y');
	str_add(&body, "\"}]}");
	status_text(body.data, body.len, &out);
	assert_int_equal(out.len, 303);
}

static void test_only_what_may_pass_by_itself_is_tried_again(void **state)
{
	(void)state;
	static const int transient[] = { 408, 429, 500, 502, 503, 504 };
	static const int final[] = { 200, 201, 202, 206, 301, 400, 401, 403, 404, 405, 409, 413, 416, 501, 507 };
	for (size_t i = 0; i < ARRAY_LEN(transient); i++)
		assert_true(status_is_transient(transient[i]));
	for (size_t i = 0; i < ARRAY_LEN(final); i++)
		assert_false(status_is_transient(final[i]));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_strongest_challenge_that_we_can_answer_is_chosen),
		cmocka_unit_test(test_malformed_challenges_are_refused),
		cmocka_unit_test(test_retry_after_is_seconds_or_a_date),
		cmocka_unit_test(test_a_registrys_words_are_shown_bounded_and_on_one_line),
		cmocka_unit_test(test_only_what_may_pass_by_itself_is_tried_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
