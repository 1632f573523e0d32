/* tests/unit/images/decompress_test.c: layer streams come out whole, or not at all. */
#include "tests/unit/unit.h"

#include "images/compress-internal.h"
#include "images/decompress.h"

#define PLENTY (1ull << 40)

static err *collect(const void *bytes, size_t len, void *out)
{
	str_add_bytes(out, bytes, len);
	return str_check(out);
}

/* Text that compresses somewhat, never the same at two places. */
static void fill(struct str *out, size_t len)
{
	uint32_t state = 12345;

	while (out->len < len) {
		state = state * 1664525 + 1013904223;
		str_addf(out, "line %u of the application\n", state >> 12);
	}
}

static void pack(enum oci_compression compression, const char *bytes, size_t len, struct str *out)
{
	auto_compressor struct compressor *c = NULL;

	assert_ok(compressor_new(compression, collect, out, &c));
	assert_ok(compressor_add(c, bytes, len / 3));
	assert_ok(compressor_add(c, bytes + len / 3, len - len / 3));
	assert_ok(compressor_finish(c));
}

/* Feed `in` in pieces of `piece` bytes, take output in buffers of `out_size`. */
static err *unpack(struct decompressor *d, const char *bytes, size_t len, size_t piece, size_t out_size, struct str *out)
{
	auto_free unsigned char *buffer = malloc(out_size);

	for (size_t at = 0; at < len; at += piece) {
		const unsigned char *in = (const unsigned char *)bytes + at;
		size_t in_len = MIN(piece, len - at);
		size_t n;

		do {
			TRY(decompressor_run(d, &in, &in_len, buffer, out_size, &n));
			str_add_bytes(out, buffer, n);
		} while (in_len > 0 || n == out_size);
	}
	return decompressor_finish(d);
}

static err *unpack_limited(enum oci_compression compression, const struct str *in, size_t piece, size_t out_size,
			   uint64_t always, uint64_t ratio, struct str *out)
{
	auto_decompressor struct decompressor *d = NULL;

	TRY(decompressor_new(compression, always, ratio, &d));
	return unpack(d, in->data, in->len, piece, out_size, out);
}

static const enum oci_compression all[] = { OCI_PLAIN, OCI_GZIP, OCI_ZSTD };

static void test_every_encoding_comes_back_whatever_the_pieces(void **state)
{
	(void)state;
	static const size_t pieces[] = { 1, 7, 4096, 1 << 20 };
	static const size_t outs[] = { 1, 333, 65536 };
	auto_str struct str plain = STR_INIT(1 << 22);

	fill(&plain, 100000);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		auto_str struct str packed = STR_INIT(1 << 22);

		pack(all[i], plain.data, plain.len, &packed);
		assert_true(all[i] == OCI_PLAIN || packed.len < plain.len / 2);
		for (size_t p = 0; p < ARRAY_LEN(pieces); p++) {
			for (size_t o = 0; o < ARRAY_LEN(outs); o++) {
				auto_str struct str out = STR_INIT(1 << 22);

				assert_ok(unpack_limited(all[i], &packed, pieces[p], outs[o], PLENTY, 1, &out));
				assert_int_equal(out.len, plain.len);
				assert_memory_equal(out.data, plain.data, plain.len);
			}
		}
	}
}

static void test_several_members_are_one_stream_at_every_split(void **state)
{
	(void)state;
	for (size_t i = 1; i < ARRAY_LEN(all); i++) {
		auto_str struct str packed = STR_INIT(1 << 20);

		pack(all[i], "first,", 6, &packed);
		pack(all[i], "", 0, &packed);
		pack(all[i], "second", 6, &packed);
		for (size_t piece = 1; piece <= packed.len; piece++) {
			auto_str struct str out = STR_INIT(100);

			assert_ok(unpack_limited(all[i], &packed, piece, 5, PLENTY, 1, &out));
			assert_string_equal(out.data, "first,second");
		}
	}
}

static void test_a_stream_cut_anywhere_is_an_error(void **state)
{
	(void)state;
	for (size_t i = 1; i < ARRAY_LEN(all); i++) {
		auto_str struct str packed = STR_INIT(1 << 20);

		pack(all[i], "antrag antrag antrag", 20, &packed);
		for (size_t len = 0; len < packed.len; len++) {
			auto_decompressor struct decompressor *d = NULL;
			auto_str struct str out = STR_INIT(100);

			assert_ok(decompressor_new(all[i], PLENTY, 1, &d));
			assert_err(unpack(d, packed.data, len, 4, 16, &out),
				   all[i] == OCI_GZIP ? "gzip stream ends too early" : "zstd stream ends too early");
		}
	}
}

static void test_no_byte_can_be_changed_without_notice(void **state)
{
	(void)state;
	const char *text = "antrag antrag antrag antrag 1234567890";

	for (size_t i = 1; i < ARRAY_LEN(all); i++) {
		auto_str struct str packed = STR_INIT(1 << 20);

		pack(all[i], text, strlen(text), &packed);
		for (size_t at = 0; at < packed.len; at++) {
			auto_str struct str out = STR_INIT(1 << 20);

			packed.data[at] ^= 0x55;
			err *e = unpack_limited(all[i], &packed, 9, 64, PLENTY, 1, &out);
			/* A gzip header has fields that mean nothing (time, system); zstd's magic may become a
			 * skippable frame's. Then nothing else may differ. */
			if (!e)
				assert_true(str_equal(out.data, text) || out.len == 0);
			else
				assert_int_equal(e->code, EBADMSG);
			err_free(e);
			packed.data[at] ^= 0x55;
		}
	}
}

static void test_what_is_no_such_stream_is_said(void **state)
{
	(void)state;
	static const struct {
		enum oci_compression compression;
		const char *bytes;
		size_t len;
		const char *error;
	} rows[] = {
		{ OCI_GZIP, "not gzip at all, really", 23, "gzip stream is not gzip" },
		{ OCI_GZIP, "\x1f\x8b\x07\0\0\0\0\0\0\0", 10, "gzip stream uses an unknown compression method" },
		{ OCI_ZSTD, "not zstd at all, really", 23, "zstd stream: Unknown frame descriptor" },
		/* A frame header that asks for a window of 2^28 bytes. */
		{ OCI_ZSTD, "\x28\xb5\x2f\xfd\0\x90\x01\0\0", 9,
		  "zstd stream: Frame requires too much memory for decoding" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str in = STR_INIT(100);
		auto_str struct str out = STR_INIT(100);

		str_add_bytes(&in, rows[i].bytes, rows[i].len);
		assert_err(unpack_limited(rows[i].compression, &in, 100, 64, PLENTY, 1, &out), rows[i].error);
	}
}

static void test_zero_padding_behind_gzip_is_taken_and_nothing_else(void **state)
{
	(void)state;
	auto_str struct str packed = STR_INIT(1000);
	auto_str struct str out = STR_INIT(100);

	pack(OCI_GZIP, "x", 1, &packed);
	str_add_bytes(&packed, "\0\0\0\0", 4);
	assert_ok(unpack_limited(OCI_GZIP, &packed, 3, 64, PLENTY, 1, &out));
	assert_string_equal(out.data, "x");
	str_add(&packed, "\x1f\x8b");
	assert_err(unpack_limited(OCI_GZIP, &packed, 100, 64, PLENTY, 1, &out),
		   "gzip stream has other bytes behind its end");
}

static void test_a_bomb_ends_at_the_limit(void **state)
{
	(void)state;
	auto_free char *zeros = calloc(1, 20 << 20);

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		auto_str struct str packed = STR_INIT(32 << 20);
		auto_str struct str out = STR_INIT(64 << 20);

		pack(all[i], zeros, 20 << 20, &packed);
		assert_err_code(unpack_limited(all[i], &packed, 65536, 65536, 1 << 20, 0, &out), EFBIG);
		assert_in_range(out.len, 1 << 20, 1 << 20);
		str_clear(&out);
		/* The ratio counts bytes that came, not bytes that somebody promised. */
		if (all[i] != OCI_PLAIN)
			assert_err(unpack_limited(all[i], &packed, 512, 4096, 1 << 20, 2, &out),
				   "layer unpacks to more than 1048576 bytes and 2 times its compressed size");
		str_clear(&out);
		assert_ok(unpack_limited(all[i], &packed, 65536, 65536, 20 << 20, 0, &out));
		assert_int_equal(out.len, 20 << 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_encoding_comes_back_whatever_the_pieces),
		cmocka_unit_test(test_several_members_are_one_stream_at_every_split),
		cmocka_unit_test(test_a_stream_cut_anywhere_is_an_error),
		cmocka_unit_test(test_no_byte_can_be_changed_without_notice),
		cmocka_unit_test(test_what_is_no_such_stream_is_said),
		cmocka_unit_test(test_zero_padding_behind_gzip_is_taken_and_nothing_else),
		cmocka_unit_test(test_a_bomb_ends_at_the_limit),
	};

	return cmocka_run_group_tests_name("decompress", tests, NULL, NULL);
}
