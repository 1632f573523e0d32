/* tests/unit/base/text_test.c: strings, vectors, arenas and their ceilings. */
#include "tests/unit/unit.h"

#include "base/arena.h"
#include "base/strv.h"

static void test_string_is_never_null_and_always_terminated(void **state)
{
	(void)state;
	auto_str struct str s = STR_INIT(100);

	assert_string_equal(s.data, "");
	str_add_bytes(&s, "", 0);
	assert_string_equal(s.data, "");
	str_add(&s, "pid ");
	str_addf(&s, "%d", 42);
	str_add_char(&s, '!');
	assert_string_equal(s.data, "pid 42!");
	assert_int_equal(s.len, 7);
	assert_ok(str_check(&s));
}

static void test_ceiling_sticks_and_is_reported_once(void **state)
{
	(void)state;
	auto_str struct str s = STR_INIT(4);

	str_add(&s, "1234");
	assert_ok(str_check(&s));
	str_add(&s, "5");
	str_add(&s, "");
	assert_string_equal(s.data, "1234");
	assert_err(str_check(&s), "text grows over its limit of 4 bytes");
	str_addf(&s, "%s", "x");
	assert_string_equal(s.data, "1234");
	str_clear(&s);
	str_add(&s, "ok");
	assert_ok(str_check(&s));
	assert_string_equal(s.data, "ok");
}

static void test_huge_addition_does_not_wrap_around(void **state)
{
	(void)state;
	auto_str struct str s = STR_INIT(SIZE_MAX);

	str_add(&s, "abc");
	assert_null(str_room(&s, SIZE_MAX - 2));
	assert_err_code(str_check(&s), EFBIG);
}

static void test_room_and_consume_make_a_reading_buffer(void **state)
{
	(void)state;
	auto_str struct str s = STR_INIT(1000);
	char *room = str_room(&s, 500);

	assert_non_null(room);
	memcpy(room, "hello world", 11);
	str_grown(&s, 11);
	str_consume(&s, 6);
	assert_string_equal(s.data, "world");
	str_consume(&s, 100);
	assert_string_equal(s.data, "");
}

static void test_taken_bytes_belong_to_the_taker(void **state)
{
	(void)state;
	struct str s = STR_INIT(100);

	str_add(&s, "mine");
	auto_free char *text = str_take(&s);
	assert_string_equal(text, "mine");
	assert_int_equal(s.len, 0);
	auto_free char *empty = str_take(&s);
	assert_string_equal(empty, "");
	str_done(&s);
}

static void test_string_begins_in_lent_memory_and_outgrows_it(void **state)
{
	(void)state;
	char space[8] = "garbage";
	auto_str struct str s = STR_ON(space, 64);

	assert_string_equal(s.data, "");
	str_add(&s, "1234567");
	assert_ptr_equal(s.data, space);
	str_add(&s, "8");
	assert_ptr_not_equal(s.data, space);
	assert_string_equal(s.data, "12345678");
	assert_string_equal(space, "1234567");
	for (int i = 0; i < 8; i++)
		str_add(&s, "12345678");
	assert_err_code(str_check(&s), EFBIG);
	str_done(&s);

	s = (struct str)STR_ON(space, 64);
	str_add(&s, "mine");
	auto_free char *taken = str_take(&s);
	assert_ptr_not_equal(taken, space);
	assert_string_equal(taken, "mine");
	assert_string_equal(s.data, "");
}

static void test_string_goes_on_in_what_it_is_lent(void **state)
{
	(void)state;
	char few[8], more[32];
	auto_str struct str on_stack = STR_ON(few, 64), own = STR_INIT(64), none = STR_INIT(64);
	struct str *const all[] = { &on_stack, &own, &none };

	str_add(&on_stack, "123");
	str_add(&own, "123");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct str *s = all[i];

		str_lend(s, more, sizeof more);
		str_add(s, "4567890123456789012345678901");
		assert_ptr_equal(s->data, more);
		assert_string_equal(s->data, i == 2 ? "4567890123456789012345678901"
						    : "1234567890123456789012345678901");
		str_add(s, "2345");
		assert_ptr_not_equal(s->data, more);
	}
}

static void test_numbers_are_whole_and_in_range(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool u64_ok;
		uint64_t u64;
		bool i64_ok;
		int64_t i64;
	} rows[] = {
		{ "0", true, 0, true, 0 },
		{ "18446744073709551615", true, UINT64_MAX, false, 0 },
		{ "18446744073709551616", false, 0, false, 0 },
		{ "9223372036854775807", true, INT64_MAX, true, INT64_MAX },
		{ "-9223372036854775808", false, 0, true, INT64_MIN },
		{ "-9223372036854775809", false, 0, false, 0 },
		{ "-1", false, 0, true, -1 },
		{ "+1", false, 0, false, 0 },
		{ "", false, 0, false, 0 },
		{ "-", false, 0, false, 0 },
		{ " 1", false, 0, false, 0 },
		{ "1 ", false, 0, false, 0 },
		{ "0x10", false, 0, false, 0 },
		{ "1.0", false, 0, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t u = 0;
		int64_t n = 0;

		assert_int_equal(str_to_u64(rows[i].text, &u), rows[i].u64_ok);
		assert_true(u == rows[i].u64);
		assert_int_equal(str_to_i64(rows[i].text, &n), rows[i].i64_ok);
		assert_true(n == rows[i].i64);
	}
	uint64_t u;
	assert_false(str_to_u64(NULL, &u));
}

static void test_prefix_and_suffix(void **state)
{
	(void)state;
	assert_true(str_starts_with("sha256:ab", "sha256:"));
	assert_false(str_starts_with("sha", "sha256:"));
	assert_true(str_ends_with("layer.tar", ".tar"));
	assert_false(str_ends_with("tar", ".tar"));
	assert_true(str_equal(NULL, NULL));
	assert_false(str_equal(NULL, ""));
}

static void test_vector_ends_with_null_and_has_a_ceiling(void **state)
{
	(void)state;
	auto_strv struct strv v = STRV_INIT(20);

	for (int i = 0; i < 20; i++)
		strv_addf(&v, "%d", i);
	assert_ok(strv_check(&v));
	assert_null(v.items[20]);
	assert_string_equal(v.items[19], "19");
	assert_true(strv_contains(&v, "7"));
	assert_false(strv_contains(&v, "20"));
	strv_add(&v, "more");
	assert_err(strv_check(&v), "list grows over its limit of 20 entries");
	assert_int_equal(v.count, 20);
}

static void test_environment_replaces_by_whole_name(void **state)
{
	(void)state;
	auto_strv struct strv v = STRV_INIT(10);

	strv_set(&v, "PATH", "/bin");
	strv_set(&v, "PATHS", "x");
	strv_set(&v, "PATH", "/usr/bin");
	assert_int_equal(v.count, 2);
	assert_string_equal(v.items[0], "PATH=/usr/bin");
	assert_string_equal(v.items[1], "PATHS=x");
}

static void test_arena_gives_zeroed_aligned_memory(void **state)
{
	(void)state;
	auto_arena struct arena *a = NULL;

	assert_ok(arena_new(1 << 20, &a));
	for (size_t size = 0; size < 5000; size += 37) {
		unsigned char *p = arena_alloc(a, size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
	}
	assert_string_equal(arena_printf(a, "%s-%d", "x", 7), "x-7");
	assert_string_equal(arena_strndup(a, "hello", 2), "he");
	assert_null(arena_strdup(a, NULL));
}

static void test_arena_ceiling_is_an_error_that_names_it(void **state)
{
	(void)state;
	auto_arena struct arena *a = NULL;

	assert_ok(arena_new(100, &a));
	assert_non_null(arena_alloc(a, 64));
	assert_null(arena_alloc(a, 64));
	assert_err(arena_error(a), "needs more than its limit of 100 bytes of memory");
	assert_null(arena_array(a, SIZE_MAX / 2, 16));
	assert_err_code(arena_error(a), EFBIG);
	assert_non_null(arena_alloc(a, 16));
}

static void test_text_from_outside_steers_no_terminal(void **state)
{
	static const struct { const char *text, *shown; } rows[] = {
		{ "plain", "plain" },
		{ "Größe \xe2\x82\xac \xf0\x9f\x8f\x9b", "Größe \xe2\x82\xac \xf0\x9f\x8f\x9b" },
		{ "a\nb\tc\rd\x1b[2J\x7f", "a?b?c?d?[2J?" },
		{ "\xc2\x9b" "31m", "?31m" },              /* CSI as one character */
		{ "a\xe2\x80\xae" "b\xe2\x81\xa6" "c", "a?b?c" }, /* from right to left, isolated */
		{ "\xff\xc3", "??" },                      /* no UTF-8, and cut short */
		{ "\xc0\x80\xed\xa0\x80", "?????" },       /* overlong, a surrogate */
		{ "\xf4\x90\x80\x80", "????" },            /* beyond Unicode */
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str out = STR_INIT(1024);
		str_add_shown(&out, rows[i].text);
		assert_string_equal(out.data, rows[i].shown);
	}
}

/* The last one: what is lent stays lent to this process. */
static void test_lent_memory_serves_arenas_again_and_again_zeroed(void **state)
{
	(void)state;
	enum { PIECES = 4096, REST = 8192 };
	static _Alignas(4096) unsigned char lent[PIECES + REST];
	const unsigned char *end = lent + PIECES, *end_of_rest = end + REST;

	arena_lend(lent, sizeof lent, PIECES / 2, 2);
	for (int round = 0; round < 3; round++) {
		struct arena *a = NULL, *b = NULL, *c = NULL;
		unsigned char *in_a, *in_b, *in_c, *large;

		assert_ok(arena_new(1 << 20, &a));
		assert_ok(arena_new(1 << 20, &b));
		assert_ok(arena_new(1 << 20, &c));
		assert_non_null(in_a = arena_alloc(a, 100));
		assert_non_null(in_b = arena_alloc(b, 100));
		assert_non_null(in_c = arena_alloc(c, 100));
		assert_non_null(large = arena_alloc(a, 4000));
		/* Two have a piece each; the third has memory of its own, and what is too large as well when
		 * the rest is used up. */
		assert_true(in_a >= lent && in_a < end && in_b >= lent && in_b < end);
		assert_false(in_c >= lent && in_c < end);
		assert_int_equal(in_c >= end && in_c < end_of_rest, round == 0);
		assert_int_equal(large >= end && large + 4000 <= end_of_rest, round == 0);
		assert_true(in_a + 100 <= in_b || in_b + 100 <= in_a);
		for (int i = 0; i < 100; i++)
			assert_int_equal(in_a[i] | in_b[i] | in_c[i], 0);
		memset(in_a, 0xff, 100);
		memset(in_b, 0xff, 100);
		memset(large, 0xff, 4000);
		arena_free(c);
		arena_free(a);
		arena_free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_from_outside_steers_no_terminal),
		cmocka_unit_test(test_string_is_never_null_and_always_terminated),
		cmocka_unit_test(test_ceiling_sticks_and_is_reported_once),
		cmocka_unit_test(test_huge_addition_does_not_wrap_around),
		cmocka_unit_test(test_room_and_consume_make_a_reading_buffer),
		cmocka_unit_test(test_taken_bytes_belong_to_the_taker),
		cmocka_unit_test(test_string_begins_in_lent_memory_and_outgrows_it),
		cmocka_unit_test(test_string_goes_on_in_what_it_is_lent),
		cmocka_unit_test(test_numbers_are_whole_and_in_range),
		cmocka_unit_test(test_prefix_and_suffix),
		cmocka_unit_test(test_vector_ends_with_null_and_has_a_ceiling),
		cmocka_unit_test(test_environment_replaces_by_whole_name),
		cmocka_unit_test(test_arena_gives_zeroed_aligned_memory),
		cmocka_unit_test(test_arena_ceiling_is_an_error_that_names_it),
		cmocka_unit_test(test_lent_memory_serves_arenas_again_and_again_zeroed),
	};

	return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
