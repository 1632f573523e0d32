/* tests/unit/runtime/notify_test.c: what of a container's datagrams reaches the service manager. */
#include "tests/unit/unit.h"

#include "runtime/notify.h"

#define BYTES(text) text, sizeof(text) - 1

static void test_only_known_keys_pass_and_never_a_pid(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool ready;
		const char *out;
	} rows[] = {
		{ BYTES("READY=1"), true, "MAINPID=42\nREADY=1\n" },
		{ BYTES("READY=1\n"), true, "MAINPID=42\nREADY=1\n" },
		{ BYTES("STATUS=a b\nREADY=1"), true, "MAINPID=42\nSTATUS=a b\nREADY=1\n" },
		{ BYTES("READY=0"), false, "MAINPID=42\nREADY=0\n" },
		{ BYTES("READY=11"), false, "MAINPID=42\nREADY=11\n" },
		{ BYTES("MAINPID=1\nFDSTORE=1\nBARRIER=1"), false, "" },
		{ BYTES("MAINPID=1\nREADY=1"), true, "MAINPID=42\nREADY=1\n" },
		{ BYTES("READY=1\0\nMAINPID=1"), false, "" },
		{ BYTES("XREADY=1\nREADY\n=1\n\n"), false, "" },
		{ BYTES(""), false, "" },
		{ BYTES("\n\n\n"), false, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str out = STR_INIT(1024);
		bool ready = !rows[i].ready;

		notify_filter(rows[i].bytes, rows[i].len, 42, &out, &ready);
		assert_string_equal(out.len ? out.data : "", rows[i].out);
		assert_int_equal(ready, rows[i].ready);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_only_known_keys_pass_and_never_a_pid) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
