/* tests/unit/runtime/criu_wire_test.c: bytes that CRIU understands, and bytes that nobody can mean. */
#include "tests/unit/unit.h"

#include "runtime/criu-wire.h"

static void expect_bytes(struct str *s, const char *bytes, size_t len)
{
	assert_null(str_check(s));
	assert_int_equal(s->len, len);
	assert_memory_equal(s->data, bytes, len);
}

#define EXPECT(s, text) expect_bytes(s, text, sizeof(text) - 1)

/* The examples of protobuf.dev, "Encoding". */
static void test_numbers_text_and_messages_have_their_documented_bytes(void **state)
{
	auto_str struct str s = STR_INIT(256);
	auto_str struct str outer = STR_INIT(256);

	(void)state;
	wire_add_int(&s, 1, 150);
	EXPECT(&s, "\x08\x96\x01");
	wire_add_message(&outer, 3, &s);
	EXPECT(&outer, "\x1a\x03\x08\x96\x01");
	str_clear(&s);
	wire_add_text(&s, 2, "testing");
	EXPECT(&s, "\x12\x07testing");
	str_clear(&s);
	wire_add_int(&s, 64, 0);
	EXPECT(&s, "\x80\x04\x00");
	str_clear(&s);
	wire_add_int(&s, 1, -1);
	EXPECT(&s, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

static void test_a_message_that_did_not_fit_spoils_what_holds_it(void **state)
{
	auto_str struct str small = STR_INIT(4);
	auto_str struct str outer = STR_INIT(256);

	(void)state;
	wire_add_text(&small, 1, "too long");
	wire_add_message(&outer, 2, &small);
	auto_err err *e = str_check(&outer);
	assert_non_null(e);
}

static void test_answers_are_read(void **state)
{
	struct criu_reply r;
	/* type RESTORE, success, restore { pid 300 }, an unknown fixed32 and fixed64 field */
	static const char restored[] = "\x08\x02\x10\x01\x22\x03\x08\xac\x02\x7d\x01\x02\x03\x04\x79\x01\x02"
				       "\x03\x04\x05\x06\x07\x08";
	static const char notified[] = "\x08\x06\x10\x01\x2a\x10\x0a\x0cpost-restore\x10\x07";
	static const char failed[] = "\x08\x01\x10\x00\x38\x16\x4a\x03why";

	(void)state;
	assert_null(criu_reply_decode(restored, sizeof restored - 1, &r));
	assert_int_equal(r.type, 2);
	assert_true(r.success);
	assert_int_equal(r.pid, 300);
	assert_null(criu_reply_decode(notified, sizeof notified - 1, &r));
	assert_string_equal(r.script, "post-restore");
	assert_int_equal(r.pid, 7);
	assert_null(criu_reply_decode(failed, sizeof failed - 1, &r));
	assert_false(r.success);
	assert_int_equal(r.code, 22);
	assert_string_equal(r.message, "why");
	assert_null(criu_reply_decode("", 0, &r));
	assert_int_equal(r.type, 0);
}

static void test_what_is_no_message_is_an_error(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "\x08", 1 },						/* no value */
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11 }, /* a number without end */
		{ "\x22\x05\x08", 3 },					/* longer than what came */
		{ "\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 }, /* much longer */
		{ "\x00\x01", 2 },					/* field 0 */
		{ "\x0b", 1 },						/* a group */
		{ "\x7d\x01\x02", 3 },					/* half a fixed32 */
		{ "\x2a\x02\x0a\x09", 4 },				/* a script beyond its message */
	};
	struct criu_reply r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_err err *e = criu_reply_decode(bad[i].bytes, bad[i].len, &r);
		assert_non_null(e);
		assert_int_equal(e->code, EBADMSG);
	}
}

/* Whatever comes: an error or a reply, never a read beyond it (MODE=asan) nor a text without end. */
static void test_any_bytes_are_survived(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char *bytes = malloc(24);
		size_t len = (size_t)round % 24 + 1;
		struct criu_reply r = { 0 };

		assert_non_null(bytes);
		char *exact = realloc(bytes, len);
		for (size_t i = 0; exact && i < len; i++)
			exact[i] = (char)((seed = seed * 1103515245u + 12345u) >> 16);
		if (exact && round % 2)
			exact[0] = "\x08\x10\x22\x2a\x38\x4a"[round / 2 % 6];
		IGNORE(criu_reply_decode(exact, len, &r));
		assert_true(strnlen(r.script, sizeof r.script) < sizeof r.script);
		assert_true(strnlen(r.message, sizeof r.message) < sizeof r.message);
		free(exact);
	}
}

static void test_a_long_text_is_cut(void **state)
{
	auto_str struct str inner = STR_INIT(4096);
	auto_str struct str s = STR_INIT(8192);
	char text[1000];
	struct criu_reply r;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	wire_add_text(&inner, 1, text);
	wire_add_message(&s, 5, &inner);
	wire_add_text(&s, 9, text);
	assert_null(criu_reply_decode(s.data, s.len, &r));
	assert_int_equal(strlen(r.script), sizeof r.script - 1);
	assert_int_equal(strlen(r.message), sizeof r.message - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_text_and_messages_have_their_documented_bytes),
		cmocka_unit_test(test_a_message_that_did_not_fit_spoils_what_holds_it),
		cmocka_unit_test(test_answers_are_read),
		cmocka_unit_test(test_what_is_no_message_is_an_error),
		cmocka_unit_test(test_any_bytes_are_survived),
		cmocka_unit_test(test_a_long_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
