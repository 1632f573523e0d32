/* tests/unit/runtime/unit_test.c: names, properties, annotations and messages of a container's systemd unit.
 */
#include "tests/unit/unit.h"

#include "oci/config.h"
#include "runtime/unit-message.h"
#include "runtime/unit.h"

static int setup(void **state)
{
	struct arena *arena = NULL;

	assert_ok(arena_new(8 << 20, &arena));
	*state = arena;
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

/* ---- names ---- */

static void test_paths_become_slice_and_scope(void **state)
{
	static const struct {
		const char *path;
		bool user;
		const char *slice, *name;
	} rows[] = {
		{ NULL, false, "system.slice", "stube-id.scope" },
		{ "", true, "user.slice", "stube-id.scope" },
		{ "machine.slice:libpod:abc", false, "machine.slice", "libpod-abc.scope" },
		{ ":libpod:abc", false, "system.slice", "libpod-abc.scope" },
		{ ":libpod:abc", true, "user.slice", "libpod-abc.scope" },
		{ "a-b-c.slice::web", false, "a-b-c.slice", "web.scope" },
		{ "-.slice:p:web", false, "-.slice", "p-web.scope" },
		{ "s.slice:p:web.scope", false, "s.slice", "p-web.scope" },
		{ "web", false, "system.slice", "web.scope" },
		{ "web.scope", false, "system.slice", "web.scope" },
		{ ":p:a+b c", false, "system.slice", "p-a\\x2bb\\x20c.scope" },
		{ "::.web", false, "system.slice", "\\x2eweb.scope" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *slice = NULL, *name = NULL;

		assert_ok(unit_parse_path(*state, rows[i].path, "id", rows[i].user, &slice, &name));
		assert_string_equal(slice, rows[i].slice);
		assert_string_equal(name, rows[i].name);
	}
}

static void test_paths_that_name_no_scope_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "/machine/web",
		  "linux.cgroupsPath: '/machine/web' is a path, but the systemd cgroup manager is in use" },
		{ "a.slice:b/c:d",
		  "linux.cgroupsPath: 'a.slice:b/c:d' is a path, but the systemd cgroup manager is in use" },
		{ "a.slice:web", "linux.cgroupsPath: 'a.slice:web' is not of the form slice:prefix:name" },
		{ "a.slice:b:c:d",
		  "linux.cgroupsPath: 'a.slice:b:c:d' is not of the form slice:prefix:name" },
		{ "a.slice:b:", "linux.cgroupsPath: no name behind the last colon" },
		{ "a.slice:b:c.slice", "linux.cgroupsPath: 'c.slice' is a slice, which holds no processes" },
		{ "machine:b:c", "linux.cgroupsPath: 'machine' is no name of a slice" },
		{ ".slice:b:c", "linux.cgroupsPath: '.slice' is no name of a slice" },
		{ "a--b.slice:b:c", "linux.cgroupsPath: 'a--b.slice' is no name of a slice" },
		{ "-a.slice:b:c", "linux.cgroupsPath: '-a.slice' is no name of a slice" },
		{ "a-.slice:b:c", "linux.cgroupsPath: 'a-.slice' is no name of a slice" },
		{ "a b.slice:b:c", "linux.cgroupsPath: 'a b.slice' is no name of a slice" },
	};
	const char *slice, *name;
	char longest[300];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_err(unit_parse_path(*state, rows[i][0], "id", false, &slice, &name), rows[i][1]);
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_err_code(unit_parse_path(*state, NULL, longest, false, &slice, &name), ENAMETOOLONG);
}

/* ---- properties ---- */

static void show(struct str *out, const struct unit_properties *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct unit_property *p = &list->items[i];

		str_addf(out, "%s %c", p->name, p->type);
		if (p->type == UNIT_STRING)
			str_addf(out, " %s", p->text);
		else if (p->type == UNIT_BYTES)
			for (size_t k = 0; k < p->count; k++)
				str_addf(out, " %02x", p->bytes[k]);
		else if (p->type == UNIT_STRINGS || p->type == UNIT_PAIRS)
			for (size_t k = 0; k < p->count; k++)
				str_addf(out, " %s=%llu", p->items[k].text,
					 (unsigned long long)p->items[k].number);
		else if (p->number == UINT64_MAX)
			str_add(out, " infinity");
		else
			str_addf(out, " %llu", (unsigned long long)p->number);
		str_add_char(out, '\n');
	}
}

static void test_limits_are_told_to_systemd(void **state)
{
	static const struct {
		const char *resources;
		bool fresh;
		const char *expected;
	} rows[] = {
		{ "{}", true, "" },
		{ "{\"memory\":{\"limit\":1000,\"swap\":1500,\"reservation\":77}}", true,
		  "MemoryMax t 1000\nMemorySwapMax t 500\nMemoryLow t 77\n" },
		{ "{\"memory\":{\"limit\":-1}}", true, "" },
		{ "{\"memory\":{\"limit\":-1}}", false, "MemoryMax t infinity\nMemorySwapMax t infinity\n" },
		{ "{\"cpu\":{\"quota\":50000}}", true, "CPUQuotaPerSecUSec t 500000\n" },
		{ "{\"cpu\":{\"quota\":12345,\"period\":50000}}", true,
		  "CPUQuotaPeriodUSec t 50000\nCPUQuotaPerSecUSec t 250000\n" },
		{ "{\"cpu\":{\"quota\":-1}}", false, "CPUQuotaPerSecUSec t infinity\n" },
		{ "{\"cpu\":{\"shares\":2048}}", true, "CPUWeight t 174\n" },
		{ "{\"cpu\":{\"idle\":1}}", true, "CPUWeight t 0\n" },
		{ "{\"cpu\":{\"cpus\":\"0-3,9\",\"mems\":\"0\"}}", true,
		  "AllowedCPUs Y 0f 02\nAllowedMemoryNodes Y 01\n" },
		{ "{\"pids\":{\"limit\":20}}", true, "TasksMax t 20\n" },
		{ "{\"pids\":{\"limit\":-1}}", false, "TasksMax t infinity\n" },
		{ "{\"blockIO\":{\"weight\":500,\"weightDevice\":[{\"major\":8,\"minor\":16,\"weight\":100}]}"
		  "}",
		  true, "IOWeight t 4950\nIODeviceWeight P /dev/block/8:16=910\n" },
		{ "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":600},{"
		  "\"major\":8,\"minor\":16,\"rate\":1}],"
		  "\"throttleWriteBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":700}],"
		  "\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":800}],"
		  "\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":900}]}}",
		  true,
		  "IOReadBandwidthMax P /dev/block/8:0=600 /dev/block/8:16=1\n"
		  "IOWriteBandwidthMax P /dev/block/8:0=700\nIOReadIOPSMax P /dev/block/8:0=800\n"
		  "IOWriteIOPSMax P /dev/block/8:0=900\n" },
		{ "{\"unified\":{\"memory.high\":\"5000\",\"memory.min\":\"max\",\"cpu.max\":\"max 20000\","
		  "\"io.max\":\"8:0 rbps=1 wiops=max\",\"memory.oom.group\":\"1\",\"pids.max\":\"7\"}}",
		  true,
		  "MemoryHigh t 5000\nMemoryMin t infinity\nCPUQuotaPeriodUSec t 20000\n"
		  "CPUQuotaPerSecUSec t infinity\nIOReadBandwidthMax P /dev/block/8:0=1\n"
		  "IOWriteIOPSMax P /dev/block/8:0=infinity\nTasksMax t 7\n" },
		{ "{\"unified\":{\"memory.high\":\"5 apples\",\"cpu.max\":\"1 2 3\",\"cpuset.cpus\":\"x\"}}",
		  true, "" },
		{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}", true, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct oci_resources *resources = NULL;
		auto_str struct str text = STR_INIT(1 << 16);
		struct unit_properties list = { 0 };
		struct cgroup_limits limits;

		assert_ok(oci_resources_decode(*state, "resources", rows[i].resources,
					       strlen(rows[i].resources), NULL, &resources));
		assert_ok(cgroup_limits(*state, resources, &limits));
		assert_ok(unit_add_limits(*state, &limits, rows[i].fresh, &list));
		show(&text, &list);
		auto_str struct str expected = STR_INIT(1 << 16);
		str_add(&expected, rows[i].expected);
		/* The infinity of a pair is printed as the number it is. */
		char *word = strstr(expected.data, "=infinity");
		if (word) {
			auto_str struct str copy = STR_INIT(1 << 16);
			str_add_bytes(&copy, expected.data, (size_t)(word - expected.data));
			str_addf(&copy, "=%llu%s", (unsigned long long)UINT64_MAX, word + 9);
			assert_string_equal(text.data, copy.data);
		} else {
			assert_string_equal(text.data, expected.data);
		}
	}
}

/* ---- annotations ---- */

static void test_values_of_annotations(void **state)
{
	static const char *const rows[][3] = {
		{ "TimeoutStopUSec", "uint64 5000000", "TimeoutStopUSec t 5000000\n" },
		{ "TimeoutStopSec", "5", "TimeoutStopUSec t 5000000\n" },
		{ "TimeoutStopSec", "uint64 5", "TimeoutStopUSec t 5000000\n" },
		{ "TimeoutStopSec", "1.5", "TimeoutStopUSec t 1500000\n" },
		{ "CollectMode", "'inactive-or-failed'", "CollectMode s inactive-or-failed\n" },
		{ "CollectMode", "  \"it's\" ", "CollectMode s it's\n" },
		{ "Description", "'a \\'b\\' \\\\'", "Description s a 'b' \\\n" },
		{ "SendSIGHUP", "true", "SendSIGHUP b 1\n" },
		{ "SendSIGHUP", "false ", "SendSIGHUP b 0\n" },
		{ "CPUWeight", "uint64 18446744073709551615", "CPUWeight t infinity\n" },
		{ "KillSignal", "15", "KillSignal i 15\n" },
		{ "KillSignal", "int32 -5", "KillSignal i 18446744073709551611\n" },
		{ "Foo", "uint32 4294967295", "Foo u 4294967295\n" },
		{ "Foo", "int64 -9", "Foo x 18446744073709551607\n" },
		{ "After", "['a.service', \"b.service\"]", "After A a.service=0 b.service=0\n" },
		{ "After", "[ ]", "After A\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str text = STR_INIT(1 << 16);
		struct unit_property p;
		struct unit_properties list = { &p, 1, 1 };

		assert_ok(unit_parse_value(*state, rows[i][0], rows[i][1], &p));
		show(&text, &list);
		assert_string_equal(text.data, rows[i][2]);
	}
}

static void test_values_that_are_none_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "Foo", "" },
		{ "Foo", "text" },
		{ "Foo", "'open" },
		{ "Foo", "'a' 'b'" },
		{ "Foo", "uint64 -1" },
		{ "Foo", "uint32 4294967296" },
		{ "Foo", "2147483648" },
		{ "Foo", "uint64" },
		{ "Foo", "uint64 1 2" },
		{ "Foo", "['a'" },
		{ "Foo", "['a' 'b']" },
		{ "Foo", "[1]" },
		{ "Foo", "truex" },
		{ "Foo", "1." },
		{ "Foo", "1.5.5" },
		{ "Foo", "'a\nb'" },
		{ "Foo", "'\\n'" },
		{ "Foo", "{'a': 1}" },
		{ "TimeoutStopSec", "-1" },
		{ "TimeoutStopSec", "''" },
		{ "TimeoutStopSec", "uint64 99999999999999999" },
		{ "PIDs", "uint32 1" },
		{ "Slice", "'a.slice'" },
		{ "Delegate", "false" },
		{ "Fo", "true" },
		{ "Foo.Bar", "true" },
		{ "", "true" },
	};
	struct unit_property p;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_err_code(unit_parse_value(*state, rows[i][0], rows[i][1], &p), EINVAL);
}

static void test_annotations_replace_what_the_runtime_would_say(void **state)
{
	struct string_pair pairs[] = {
		{ "org.example", "x" },
		{ "org.systemd.property.CollectMode", "'inactive'" },
		{ "org.systemd.property.TimeoutStopUSec", "uint64 1" },
	};
	const struct string_map map = { pairs, ARRAY_LEN(pairs) };
	const struct unit_property mode = { .name = "CollectMode", .type = UNIT_STRING, .text = "x" };
	auto_str struct str text = STR_INIT(4096);
	struct unit_properties list = { 0 };

	assert_ok(unit_set_property(*state, &list, &mode));
	assert_ok(unit_add_annotations(*state, &map, &list));
	show(&text, &list);
	assert_string_equal(text.data, "CollectMode s inactive\nTimeoutStopUSec t 1\n");
	pairs[1].value = "inactive";
	assert_err(unit_add_annotations(*state, &map, &list),
		   "annotations.org.systemd.property.CollectMode: expected a number that its type can hold");
}

/* ---- messages ---- */

static const uint8_t two_bytes[] = { 0x0f, 0 };
static const struct unit_item devices[] = { { "/dev/a", 1 }, { "", UINT64_MAX } };
static struct unit_property every_type[] = {
	{ .name = "B", .type = UNIT_BOOL, .number = 1 },
	{ .name = "I", .type = UNIT_INT32, .number = (uint64_t)-5 },
	{ .name = "D", .type = UNIT_DOUBLE, .number = 7 },
	{ .name = "S", .type = UNIT_STRING, .text = "text" },
	{ .name = "A", .type = UNIT_STRINGS, .items = devices, .count = 2 },
	{ .name = "Y", .type = UNIT_BYTES, .bytes = two_bytes, .count = 2 },
	{ .name = "P", .type = UNIT_PAIRS, .items = devices, .count = 2 },
};

static void test_a_request_comes_out_as_it_went_in_and_no_part_of_it_is_one(void **state)
{
	const struct unit_request r = {
		.op = UNIT_OP_START,
		.user = true,
		.timeout_ms = 70000,
		.pid = 9,
		.name = "web.scope",
		.properties = { every_type, ARRAY_LEN(every_type), ARRAY_LEN(every_type) },
	};
	auto_str struct str bytes = STR_INIT(UNIT_MESSAGE_MAX);
	auto_str struct str again = STR_INIT(UNIT_MESSAGE_MAX);
	struct unit_request back;

	unit_request_encode(&bytes, &r);
	assert_ok(unit_request_decode(*state, bytes.data, bytes.len, &back));
	assert_true(back.op == UNIT_OP_START && back.user && back.timeout_ms == 70000 && back.pid == 9);
	assert_string_equal(back.invocation, "");
	unit_request_encode(&again, &back);
	assert_int_equal(bytes.len, again.len);
	assert_memory_equal(bytes.data, again.data, bytes.len);
	for (size_t len = 0; len < bytes.len; len++)
		assert_err_code(unit_request_decode(*state, bytes.data, len, &back), EBADMSG);
	str_add_char(&bytes, 'x');
	assert_err(unit_request_decode(*state, bytes.data, bytes.len, &back),
		   "message of stube-systemd: too long");
}

static void test_messages_that_lie_are_refused(void **state)
{
	const struct unit_request r = { .op = UNIT_OP_STOP, .name = "web.scope", .invocation = "0123" };
	auto_str struct str bytes = STR_INIT(UNIT_MESSAGE_MAX);
	struct unit_request back;
	static const struct {
		size_t at;
		char value;
		int code;
	} rows[] = {
		{ 0, 'x', EBADMSG },			/* magic */
		{ 4, 2, EPROTO },			/* version */
		{ 6, 0, EBADMSG },			/* request */
		{ 6, 9, EBADMSG },   { 7, 2, EBADMSG }, /* whose */
		{ 15, -1, EBADMSG },			/* pid */
		{ 17, 1, EBADMSG },			/* length of the name: beyond the end */
		{ 18, 0, EBADMSG },			/* name */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		str_clear(&bytes);
		unit_request_encode(&bytes, &r);
		bytes.data[rows[i].at] = rows[i].value;
		assert_err_code(unit_request_decode(*state, bytes.data, bytes.len, &back), rows[i].code);
	}
}

static void test_replies(void **state)
{
	static const char id[] = "0123456789abcdef0123456789abcdef";
	struct unit_reply r = { .code = ENOENT, .text = "why", .invocation = id }, back;
	auto_str struct str bytes = STR_INIT(UNIT_MESSAGE_MAX);

	unit_reply_encode(&bytes, &r);
	assert_ok(unit_reply_decode(*state, bytes.data, bytes.len, &back));
	assert_true(back.code == ENOENT && str_equal(back.text, "why") && str_equal(back.invocation, id));
	for (size_t len = 0; len < bytes.len; len++)
		assert_err_code(unit_reply_decode(*state, bytes.data, len, &back), EBADMSG);
	str_clear(&bytes);
	r.invocation = "not hexadecimal";
	unit_reply_encode(&bytes, &r);
	assert_err_code(unit_reply_decode(*state, bytes.data, bytes.len, &back), EBADMSG);
	str_clear(&bytes);
	r.code = 5000;
	r.invocation = "";
	unit_reply_encode(&bytes, &r);
	assert_err_code(unit_reply_decode(*state, bytes.data, bytes.len, &back), EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_paths_become_slice_and_scope, setup, teardown),
		cmocka_unit_test_setup_teardown(test_paths_that_name_no_scope_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits_are_told_to_systemd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values_of_annotations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values_that_are_none_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_annotations_replace_what_the_runtime_would_say, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_a_request_comes_out_as_it_went_in_and_no_part_of_it_is_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_messages_that_lie_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replies, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
