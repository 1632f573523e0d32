/* tests/unit/net/websocket_test.c: WebSocket frames: the examples of RFC 6455 and what it forbids. */
#include "tests/unit/unit.h"

#include <string.h>

#include "net/websocket.h"

/* RFC 6455, section 5.7, and the borders of the three forms of a length. */
static void test_heads_are_read_and_written(void **state)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	static const struct {
		bool fin, masked;
		enum ws_opcode opcode;
		uint64_t length;
		uint8_t head[14];
		size_t head_len;
	} rows[] = {
		{ true, false, WS_TEXT, 5, { 0x81, 0x05 }, 2 },
		{ true, true, WS_TEXT, 5, { 0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d }, 6 },
		{ false, false, WS_TEXT, 3, { 0x01, 0x03 }, 2 },
		{ true, false, WS_CONTINUATION, 2, { 0x80, 0x02 }, 2 },
		{ true, false, WS_PING, 5, { 0x89, 0x05 }, 2 },
		{ true, true, WS_PONG, 5, { 0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d }, 6 },
		{ true, false, WS_BINARY, 256, { 0x82, 0x7e, 0x01, 0x00 }, 4 },
		{ true, false, WS_BINARY, 65536, { 0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0 }, 10 },
		{ true, false, WS_BINARY, 0, { 0x82, 0x00 }, 2 },
		{ true, false, WS_BINARY, 125, { 0x82, 0x7d }, 2 },
		{ true, false, WS_BINARY, 126, { 0x82, 0x7e, 0x00, 0x7e }, 4 },
		{ true, false, WS_BINARY, 65535, { 0x82, 0x7e, 0xff, 0xff }, 4 },
		{ true,
		  true,
		  WS_BINARY,
		  INT64_MAX,
		  { 0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x37, 0xfa, 0x21, 0x3d },
		  14 },
		{ true, false, WS_CLOSE, 2, { 0x88, 0x02 }, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t out[14];
		struct ws_frame f;
		const char *why = "unset";

		assert_int_equal(ws_head(rows[i].fin, rows[i].opcode, rows[i].length,
					 rows[i].masked ? mask : NULL, out),
				 rows[i].head_len);
		assert_memory_equal(out, rows[i].head, rows[i].head_len);
		/* Each byte less is a head in part. */
		for (size_t len = 0; len < rows[i].head_len; len++) {
			assert_false(ws_parse(rows[i].head, len, rows[i].masked, &f, &why));
			assert_null(why);
		}
		assert_true(ws_parse(rows[i].head, rows[i].head_len, rows[i].masked, &f, &why));
		assert_null(why);
		assert_int_equal(f.fin, rows[i].fin);
		assert_int_equal(f.masked, rows[i].masked);
		assert_int_equal(f.opcode, rows[i].opcode);
		assert_true(f.length == rows[i].length);
		assert_int_equal(f.head, rows[i].head_len);
		if (f.masked)
			assert_memory_equal(f.mask, mask, 4);
	}
}

static void test_what_the_rfc_forbids_is_refused(void **state)
{
	static const struct {
		uint8_t bytes[14];
		size_t len;
		bool from_client;
		const char *why;
	} rows[] = {
		{ { 0xc1, 0x05 }, 2, false, "reserved bits are set" },
		{ { 0x91, 0x85 }, 2, true, "reserved bits are set" },
		{ { 0x83, 0x05 }, 2, false, "unknown opcode" },
		{ { 0x87, 0x05 }, 2, false, "unknown opcode" },
		{ { 0x8b, 0x05 }, 2, false, "unknown opcode" },
		{ { 0x8f, 0x05 }, 2, false, "unknown opcode" },
		{ { 0x09, 0x05 }, 2, false, "control frame in parts" },
		{ { 0x89, 0x7e }, 2, false, "control frame is too long" },
		{ { 0x88, 0xff }, 2, true, "control frame is too long" },
		{ { 0x81, 0x05 }, 2, true, "frame of a client without a mask" },
		{ { 0x81, 0x85 }, 2, false, "frame of a server with a mask" },
		{ { 0x82, 0x7e, 0x00, 0x7d }, 4, false, "length is not written in its shortest form" },
		{ { 0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff },
		  10,
		  false,
		  "length is not written in its shortest form" },
		{ { 0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0 }, 10, false, "length has its highest bit set" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ws_frame f;
		const char *why = NULL;

		assert_false(ws_parse(rows[i].bytes, rows[i].len, rows[i].from_client, &f, &why));
		assert_non_null(why);
		assert_string_equal(why, rows[i].why);
	}
}

static void test_a_mask_hides_and_shows(void **state)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	uint8_t hello[] = { 0x7f, 0x9f, 0x4d, 0x51, 0x58 }; /* RFC 6455, section 5.7 */

	(void)state;
	ws_mask(hello, 2, mask, 0);
	ws_mask(hello + 2, 3, mask, 2);
	assert_memory_equal(hello, "Hello", 5);
}

static void test_text_is_utf_8(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "", true },
		{ "plain", true },
		{ "\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80", true },
		{ "\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
		  true },
		{ "\x80", false }, /* begins in the middle */
		{ "\xc3", false }, /* ends in the middle */
		{ "\xe2\x82", false },
		{ "\xf0\x9f\x98", false },
		{ "\xc3x", false },
		{ "\xe2\x82x", false },
		{ "\xc0\x80", false }, /* overlong */
		{ "\xc1\xbf", false },
		{ "\xe0\x9f\xbf", false },
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xed\xa0\x80", false },     /* surrogate */
		{ "\xf4\x90\x80\x80", false }, /* beyond U+10FFFF */
		{ "\xf5\x80\x80\x80", false },
		{ "\xff", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(ws_is_utf8(rows[i].text, strlen(rows[i].text)), rows[i].good);
	assert_true(ws_is_utf8("a\0b", 3));
}

static void test_the_accepting_key_is_the_one_of_the_rfc(void **state)
{
	char out[29];

	(void)state;
	ws_accept("dGhlIHNhbXBsZSBub25jZQ==", out);
	assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads_are_read_and_written),
		cmocka_unit_test(test_what_the_rfc_forbids_is_refused),
		cmocka_unit_test(test_a_mask_hides_and_shows),
		cmocka_unit_test(test_text_is_utf_8),
		cmocka_unit_test(test_the_accepting_key_is_the_one_of_the_rfc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
