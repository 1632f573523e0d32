/* tests/unit/api/status_test.c: failures and reports as the API says them. */
#include "tests/unit/api/api.h"

#include "api/report.h"
#include "api/status.h"

static void test_every_error_has_a_code_and_comes_back(void **state)
{
	(void)state;
	static const struct { int error, code; const char *reason; } rows[] = {
		{ EBADMSG, 400, "BadRequest" }, { EACCES, 401, "Unauthorized" }, { EPERM, 403, "Forbidden" },
		{ ENOENT, 404, "NotFound" }, { EOPNOTSUPP, 405, "MethodNotAllowed" }, { EEXIST, 409, "AlreadyExists" },
		{ ESTALE, 409, "Conflict" }, { EKEYEXPIRED, 410, "Expired" }, { EFBIG, 413, "RequestEntityTooLarge" },
		{ EPROTOTYPE, 415, "UnsupportedMediaType" }, { EINVAL, 422, "Invalid" }, { EBUSY, 429, "TooManyRequests" },
		{ ECONNREFUSED, 503, "ServiceUnavailable" }, { ETIMEDOUT, 504, "Timeout" },
		{ ENOSPC, 507, "InsufficientStorage" }, { EIO, 500, "InternalError" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str text = STR_INIT(4096);
		auto_err err *e = err_wrap(err_new(rows[i].error, "inner"), "outer");
		assert_int_equal(status_code(rows[i].error), rows[i].code);
		assert_string_equal(status_reason(rows[i].error), rows[i].reason);
		assert_int_equal(status_errno(rows[i].code, rows[i].reason), rows[i].error);
		status_encode_err(&text, e, "Pod", "web");
		auto_err err *back = status_decode(rows[i].code, text.data, text.len);
		assert_non_null(back);
		assert_int_equal(back->code, rows[i].error);
		assert_string_equal(back->message, "outer: inner");
	}
	assert_int_equal(status_code(ENOMEM), 500);
	assert_string_equal(status_reason(EINTR), "InternalError");
}

static void test_codes_without_a_reason(void **state)
{
	(void)state;
	static const struct { int code; const char *reason; int error; } rows[] = {
		{ 404, NULL, ENOENT }, { 409, NULL, ESTALE }, { 409, "Unheard", ESTALE }, { 418, NULL, EBADMSG },
		{ 502, NULL, EIO }, { 500, NULL, EIO }, { 410, "Gone", EKEYEXPIRED }, { 500, "ServerTimeout", ETIMEDOUT },
		{ 302, NULL, EIO },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(status_errno(rows[i].code, rows[i].reason), rows[i].error);
}

static void test_the_documents(void **state)
{
	(void)state;
	auto_str struct str failure = STR_INIT(4096), busy = STR_INIT(4096), success = STR_INIT(4096);
	auto_err err *e = err_new(ENOENT, "pods \"web\" not found");
	auto_err err *b = err_new(EBUSY, "too many");

	status_encode_err(&failure, e, "Pod", "web");
	assert_string_equal(failure.data,
			    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"pods \\\"web\\\" not "
			    "found\",\"reason\":\"NotFound\",\"details\":{\"name\":\"web\",\"kind\":\"Pod\"},\"code\":404}");
	status_encode_err(&busy, b, NULL, NULL);
	assert_string_equal(busy.data, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"too many\","
				       "\"reason\":\"TooManyRequests\",\"details\":{\"retryAfterSeconds\":1},\"code\":429}");
	auto_str struct str early = STR_INIT(4096);
	auto_err err *o = err_new(EOVERFLOW, "too early");
	status_encode_err(&early, o, NULL, NULL);
	assert_string_equal(
		early.data,
		"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"too early\","
		"\"reason\":\"Timeout\",\"details\":{\"retryAfterSeconds\":1,\"causes\":[{\"reason\":"
		"\"ResourceVersionTooLarge\",\"message\":\"Too large resource version\"}]},\"code\":504}");
	status_encode_success(&success, "Pod", "web", "u");
	assert_string_equal(success.data, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Success\",\"details\":{\"name\":"
					  "\"web\",\"kind\":\"Pod\",\"uid\":\"u\"},\"code\":200}");
	assert_null(status_decode(200, success.data, success.len));
}

static void test_what_is_no_status_is_shown_in_part(void **state)
{
	(void)state;
	auto_str struct str giant = STR_INIT(8 << 20);
	static const struct { int code; const char *text, *error; } rows[] = {
		{ 502, "<html>\n<body>", "HTTP 502: <html>" },
		{ 502, "", "HTTP 502" },
		{ 503, "  \r\n busy\r\n", "HTTP 503: busy" },
		{ 404, "{\"kind\":\"Pod\"}", "HTTP 404: {\"kind\":\"Pod\"}" },
		{ 404, "{\"kind\":\"Status\",\"status\":\"Failure\",\"novel\":[{}],\"details\":{\"causes\":[{\"field\":\"x\"}],"
		       "\"group\":\"apps\"}}", "HTTP 404: no message" },
		{ 409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"there\"}", "there" },
		{ 404, "{\"kind\":\"Status\",\"status\":\"Success\"}", "HTTP 404: no message" },
		{ 400, "{\"kind\":\"Status\",\"message\":7}", "HTTP 400: {\"kind\":\"Status\",\"message\":7}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_err(status_decode(rows[i].code, rows[i].text, strlen(rows[i].text)), rows[i].error);
	while (giant.len < 6 << 20)
		str_add(&giant, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
	auto_err err *e = status_decode(500, giant.data, giant.len);
	assert_int_equal(strlen(e->message), strlen("HTTP 500: ") + 200);
	/* The code of a failure within a stream that began with 200. */
	static const char expired[] = "{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":410,\"message\":\"old\"}";
	auto_err err *late = status_decode(200, expired, strlen(expired));
	assert_int_equal(late->code, EKEYEXPIRED);
}

static void check_report(const struct type *type, const char *text)
{
	auto_str struct str out = STR_INIT(1 << 16);
	struct decoder d = { .arena = arena, .name = "report" };
	void *value = arena_alloc(arena, type->size);

	assert_non_null(value);
	text = quoted(text);
	assert_ok(decode_text(&d, type, NULL, text, strlen(text), value));
	encode_text(&out, type, value, 0);
	assert_string_equal(out.data, text);
}

static void test_reports_are_written_as_they_were_read(void **state)
{
	(void)state;
	check_report(&t_explanation,
		     "{'namespace':'amt','name':'web','phase':'Pending','node':'a','summary':'0 of 1 nodes fit',"
		     "'since':'2026-11-23T20:15:04Z','nodes':[{'node':'a','fits':false,'reason':'protection class too low',"
		     "'detail':'normal < high'}],'help':'cordon lifted on a'}");
	check_report(&t_plan, "{'items':[{'kind':'Deployment','namespace':'amt','name':'web','action':'change',"
			      "'replacesPods':true,'changed':['spec.replicas'],'placements':[{'node':'a','instances':2},"
			      "{'summary':'no room','instances':1}]}],'fits':false}");
	check_report(&t_drain_forecast, "{'node':'a','pods':[{'namespace':'amt','name':'web','node':'b'},"
					"{'namespace':'amt','name':'db','summary':'its data is on a'}],'fits':false}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_error_has_a_code_and_comes_back),
		TEST(test_codes_without_a_reason),
		TEST(test_the_documents),
		TEST(test_what_is_no_status_is_shown_in_part),
		TEST(test_reports_are_written_as_they_were_read),
	};

	return cmocka_run_group_tests_name("api/status", tests, NULL, NULL);
}
