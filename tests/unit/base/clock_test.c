/* tests/unit/base/clock_test.c: time stamps and intervals. */
#include "tests/unit/unit.h"

#include "base/clock.h"

static void test_time_is_written_in_utc(void **state)
{
	(void)state;
	char text[CLOCK_TEXT_MAX];

	assert_string_equal(clock_text(0, false, text), "1970-01-01T00:00:00Z");
	assert_string_equal(clock_text(1795464904000000001, true, text), "2026-11-23T20:15:04.000000001Z");
	assert_string_equal(clock_text(-1, true, text), "1969-12-31T23:59:59.999999999Z");
}

static void test_time_is_read_with_any_offset(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool ok;
		int64_t nsec;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", true, 0 },
		{ "1970-01-01T01:00:00+01:00", true, 0 },
		{ "1969-12-31T19:00:00-05:00", true, 0 },
		{ "1970-01-01T00:00:00.5Z", true, 500000000 },
		{ "1970-01-01T00:00:00.1234567899Z", true, 123456789 },
		{ "2026-11-23T20:15:04.000000001Z", true, 1795464904000000001 },
		{ "2024-02-29T00:00:00Z", true, 1709164800000000000 },
		{ "2026-02-29T00:00:00Z", false, 0 },
		{ "2026-11-31T00:00:00Z", false, 0 },
		{ "2026-13-01T00:00:00Z", false, 0 },
		{ "2026-11-23T24:00:00Z", false, 0 },
		{ "2026-11-23T20:15:04", false, 0 },
		{ "2026-11-23T20:15:04.Z", false, 0 },
		{ "2026-11-23T20:15:04Zx", false, 0 },
		{ "2026-11-23T20:15:04+1:00", false, 0 },
		{ "9999-12-31T23:59:59Z", false, 0 },
		{ "", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t nsec = 0;

		assert_int_equal(clock_parse(rows[i].text, &nsec), rows[i].ok);
		assert_true(nsec == rows[i].nsec);
	}
}

static void test_durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool ok;
		int64_t nsec;
	} rows[] = {
		{ "10", true, 10000000000 },
		{ "0", true, 0 },
		{ "250ms", true, 250000000 },
		{ "1h30m", true, 5400000000000 },
		{ "1.5s", true, 1500000000 },
		{ "1m10s5ms", true, 70005000000 },
		{ "1us2ns", true, 1002 },
		{ "", false, 0 },
		{ "-1s", false, 0 },
		{ "s", false, 0 },
		{ "1 s", false, 0 },
		{ "1d", false, 0 },
		{ "10s5", false, 0 },
		{ "9223372036854775807h", false, 0 },
		{ "99999999999999999999", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t nsec = 0;

		assert_int_equal(clock_parse_duration(rows[i].text, &nsec), rows[i].ok);
		assert_true(nsec == rows[i].nsec);
	}
}

static void test_ages_read_as_people_say_them(void **state)
{
	(void)state;
	char text[CLOCK_TEXT_MAX];

	assert_string_equal(clock_ago(0, text), "0 seconds");
	assert_string_equal(clock_ago(1000000000, text), "1 second");
	assert_string_equal(clock_ago(125000000000, text), "2 minutes");
	assert_string_equal(clock_ago(-5, text), "0 seconds");
	assert_string_equal(clock_ago(3 * 86400000000000, text), "3 days");
}

static void test_clocks_go_forward(void **state)
{
	(void)state;
	int64_t a = clock_monotonic();

	assert_true(clock_monotonic() >= a);
	assert_true(clock_real() > 1700000000000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_is_written_in_utc),
		cmocka_unit_test(test_time_is_read_with_any_offset),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_ages_read_as_people_say_them),
		cmocka_unit_test(test_clocks_go_forward),
	};

	return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
