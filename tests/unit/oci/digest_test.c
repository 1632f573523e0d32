/* tests/unit/oci/digest_test.c: digests are strictly parsed, and streams are held to them. */
#include "tests/unit/unit.h"

#include "oci/digest.h"

#define ZERO64   "0000000000000000000000000000000000000000000000000000000000000000"
#define EMPTY256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC256   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC512                                                                                                \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"    \
	"454d4423643ce80e2a9ac94fa54ca49f"

static void test_both_algorithms_round_trip_in_every_form(void **state)
{
	(void)state;
	static const char *const hex[] = { ABC256, ABC512 };
	static const char *const name[] = { "sha256", "sha512" };
	char text[DIGEST_TEXT_MAX], form[DIGEST_TEXT_MAX], short_form[DIGEST_HEX_MAX];

	for (size_t i = 0; i < 2; i++) {
		struct digest d, again;

		snprintf(text, sizeof text, "%s:%s", name[i], hex[i]);
		assert_ok(digest_parse(text, &d));
		assert_string_equal(digest_text(&d, form), text);
		assert_string_equal(digest_hex(&d, short_form), hex[i]);
		assert_string_equal(digest_algorithm_name(d.algorithm), name[i]);
		assert_int_equal(digest_size(d.algorithm) * 2, strlen(hex[i]));
		text[6] = '/';
		assert_string_equal(digest_blob_path(&d, form), text);
		text[6] = '-';
		assert_string_equal(digest_file_name(&d, form), text);
		assert_ok(digest_parse_file_name(form, &again));
		assert_true(digest_equal(&d, &again));
	}
}

static void test_anything_but_the_exact_form_is_refused(void **state)
{
	(void)state;
	static const struct { const char *text, *error; } rows[] = {
		{ NULL, "digest '': is missing" },
		{ "", "digest '': has no algorithm" },
		{ "sha256", "digest 'sha256': has no algorithm" },
		{ ABC256, "digest '" ABC256 "': has no algorithm" },
		{ "sha256:", "digest 'sha256:': must have 64 lower-case hexadecimal digits" },
		{ "sha256:abc", "digest 'sha256:abc': must have 64 lower-case hexadecimal digits" },
		{ "sha256:" ABC256 "0", "digest 'sha256:" ABC256 "0': must have 64 lower-case hexadecimal digits" },
		{ "sha256:" ABC256 "\n", "digest 'sha256:" ABC256 "?': must have 64 lower-case hexadecimal digits" },
		{ " sha256:" ABC256, "digest ' sha256:" ABC256 "': has an unknown algorithm, not sha256 or sha512" },
		{ "SHA256:" ABC256, "digest 'SHA256:" ABC256 "': has an unknown algorithm, not sha256 or sha512" },
		{ "md5:d41d8cd98f00b204e9800998ecf8427e",
		  "digest 'md5:d41d8cd98f00b204e9800998ecf8427e': has an unknown algorithm, not sha256 or sha512" },
		{ "none:", "digest 'none:': has an unknown algorithm, not sha256 or sha512" },
		{ ":" ABC256, "digest ':" ABC256 "': has an unknown algorithm, not sha256 or sha512" },
		{ "sha256:../../../../../../../../../../../../../../../../../../etc/passwd",
		  "digest 'sha256:../../../../../../../../../../../../../../../../../../etc/passwd': "
		  "must have 64 lower-case hexadecimal digits" },
		{ "../sha256:" ABC256, "digest '../sha256:" ABC256 "': has an unknown algorithm, not sha256 or sha512" },
		{ "sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
		  "digest 'sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD': "
		  "must have 64 lower-case hexadecimal digits" },
		{ "sha512:" ABC256,
		  "digest 'sha512:" ABC256 "': must have 128 lower-case hexadecimal digits" },
		{ "sha256-" ABC256, "digest 'sha256-" ABC256 "': has no algorithm" },
		{ "sha256+b64:" ABC256,
		  "digest 'sha256+b64:" ABC256 "': has an unknown algorithm, not sha256 or sha512" },
	};
	struct digest d;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_err(digest_parse(rows[i].text, &d), rows[i].error);
	assert_err(digest_parse_file_name("sha256:" ABC256, &d), "digest 'sha256:" ABC256 "': has no algorithm");
	assert_err_code(digest_parse_file_name("sha256-" ABC256 "/x", &d), EINVAL);
}

static void test_digests_differ_by_algorithm_and_by_bytes(void **state)
{
	(void)state;
	struct digest a, b, c;

	assert_ok(digest_parse("sha256:" ABC256, &a));
	assert_ok(digest_parse("sha256:" EMPTY256, &b));
	assert_ok(digest_parse("sha512:" ABC512, &c));
	assert_false(digest_equal(&a, &b));
	assert_false(digest_equal(&a, &c));
	assert_true(digest_compare(&a, &b) < 0);
	assert_true(digest_compare(&b, &c) < 0);
	assert_true(digest_compare(&c, &a) > 0);
	assert_true(digest_is_set(&a));
	assert_false(digest_is_set(&(struct digest){ 0 }));
}

static void test_one_hasher_serves_many_streams(void **state)
{
	(void)state;
	auto_hasher struct hasher *h = NULL;
	struct digest d;
	char text[DIGEST_TEXT_MAX];

	assert_ok(hasher_new(&h));
	for (int round = 0; round < 3; round++) {
		assert_ok(hasher_begin(h, DIGEST_SHA256));
		assert_ok(hasher_add(h, "a", 1));
		assert_ok(hasher_add(h, "", 0));
		assert_ok(hasher_add(h, "bc", 2));
		assert_int_equal(hasher_count(h), 3);
		assert_ok(hasher_end(h, &d));
		assert_string_equal(digest_text(&d, text), "sha256:" ABC256);
		assert_ok(hasher_begin(h, DIGEST_SHA512));
		assert_ok(hasher_add(h, "abandoned", 9));
		assert_ok(hasher_begin(h, DIGEST_SHA512));
		assert_ok(hasher_add(h, "abc", 3));
		assert_ok(hasher_end(h, &d));
		assert_string_equal(digest_text(&d, text), "sha512:" ABC512);
	}
	assert_err(hasher_add(h, "x", 1), "no stream to hash is open");
	assert_err(hasher_end(h, &d), "no stream to hash is open");
	assert_err(hasher_begin(h, DIGEST_NONE), "no digest algorithm given");
}

static void test_an_expected_stream_must_have_the_size_and_the_digest(void **state)
{
	(void)state;
	auto_hasher struct hasher *h = NULL;
	struct digest want, got;

	assert_ok(digest_parse("sha256:" ABC256, &want));
	assert_ok(hasher_new(&h));
	assert_ok(hasher_expect(h, &want, 3));
	assert_ok(hasher_add(h, "abc", 3));
	assert_ok(hasher_end(h, &got));
	assert_true(digest_equal(&want, &got));

	assert_ok(hasher_expect(h, &want, -1));
	assert_ok(hasher_add(h, "abc", 3));
	assert_ok(hasher_end(h, NULL));

	assert_ok(hasher_expect(h, &want, 3));
	assert_ok(hasher_add(h, "ab", 2));
	assert_err(hasher_add(h, "cd", 2), "longer than the expected 3 bytes");

	assert_ok(hasher_expect(h, &want, 3));
	assert_ok(hasher_add(h, "ab", 2));
	assert_err(hasher_end(h, NULL), "ended after 2 of 3 bytes");

	assert_ok(hasher_expect(h, &want, 0));
	assert_err(hasher_end(h, NULL), "expected sha256:" ABC256 ", got sha256:" EMPTY256);
	assert_err(hasher_expect(h, &(struct digest){ 0 }, 0), "no digest algorithm given");
}

static void test_bytes_in_memory_are_checked(void **state)
{
	(void)state;
	struct digest d;

	assert_ok(digest_of(DIGEST_SHA256, "abc", 3, &d));
	assert_ok(digest_check(&d, "abc", 3));
	assert_err(digest_check(&d, "", 0), "expected sha256:" ABC256 ", got sha256:" EMPTY256);
	assert_err_code(digest_check(&d, "abd", 3), EBADMSG);
	assert_err_code(digest_check(&(struct digest){ 0 }, "abc", 3), EINVAL);
}

static void test_documents_hold_digests_as_bytes(void **state)
{
	(void)state;
	static const struct type list = ARRAY_OF(t_digest);
	auto_arena struct arena *arena = NULL;
	auto_str struct str out = STR_INIT(4096);
	LIST(struct digest) digests;

	assert_ok(arena_new(1 << 16, &arena));
	struct decoder d = { .arena = arena, .name = "x.json" };
	const char *text = "[\"sha256:" ABC256 "\",\"sha512:" ABC512 "\"]";
	assert_ok(decode_text(&d, &list, NULL, text, strlen(text), &digests));
	assert_int_equal(digests.count, 2);
	assert_int_equal(digests.items[1].bytes[0], 0xdd);
	encode_text(&out, &list, &digests, 0);
	assert_string_equal(out.data, text);

	text = "[\"sha256:" ABC256 "\",\n\"sha256:xyz\"]";
	assert_err(decode_text(&d, &list, NULL, text, strlen(text), &digests),
		   "x.json:2:1: [1]: 'sha256:xyz' must have 64 lower-case hexadecimal digits");
	text = "[\"sha256:" ZERO64 "\\u0000\"]";
	assert_err_code(decode_text(&d, &list, NULL, text, strlen(text), &digests), EINVAL);
	text = "[7]";
	assert_err(decode_text(&d, &list, NULL, text, strlen(text), &digests),
		   "x.json:1:2: [0]: expected string, got number");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_algorithms_round_trip_in_every_form),
		cmocka_unit_test(test_anything_but_the_exact_form_is_refused),
		cmocka_unit_test(test_digests_differ_by_algorithm_and_by_bytes),
		cmocka_unit_test(test_one_hasher_serves_many_streams),
		cmocka_unit_test(test_an_expected_stream_must_have_the_size_and_the_digest),
		cmocka_unit_test(test_bytes_in_memory_are_checked),
		cmocka_unit_test(test_documents_hold_digests_as_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
