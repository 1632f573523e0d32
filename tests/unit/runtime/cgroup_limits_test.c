/* tests/unit/runtime/cgroup_limits_test.c: linux.resources as files of cgroup v2, row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "oci/config.h"
#include "runtime/cgroup.h"

/* What config.json says, and what would be written: one line a row, "controller file value" with
 * " (default)" where it is no limit, " (optional)" where the file may be missing. */
static const struct row {
	const char *name, *resources, *expected;
} rows[] = {
	{ "nothing", "{}", "" },
	{ "memory limit", "{\"memory\":{\"limit\":1048576}}", "memory memory.max 1048576\n" },
	{ "memory limit 0 says nothing", "{\"memory\":{\"limit\":0}}", "" },
	{ "memory limit -1 lifts swap, too", "{\"memory\":{\"limit\":-1}}",
	  "memory memory.max max (default) \nmemory memory.swap.max max (default) (optional)\n" },
	{ "swap counts both", "{\"memory\":{\"limit\":100,\"swap\":150}}",
	  "memory memory.max 100\nmemory memory.swap.max 50\n" },
	{ "no swap at all", "{\"memory\":{\"limit\":100,\"swap\":100}}",
	  "memory memory.max 100\nmemory memory.swap.max 0 (optional)\n" },
	{ "unlimited swap", "{\"memory\":{\"limit\":100,\"swap\":-1}}",
	  "memory memory.max 100\nmemory memory.swap.max max (default) (optional)\n" },
	{ "reservation", "{\"memory\":{\"reservation\":77}}", "memory memory.low 77\n" },
	{ "shares of the default", "{\"cpu\":{\"shares\":1024}}", "cpu cpu.weight 100 (default)\n" },
	{ "shares 0 say nothing", "{\"cpu\":{\"shares\":0}}", "" },
	{ "quota and period", "{\"cpu\":{\"quota\":50000,\"period\":20000}}", "cpu cpu.max 50000 20000\n" },
	{ "quota alone", "{\"cpu\":{\"quota\":50000}}", "cpu cpu.max 50000\n" },
	{ "period alone limits nothing", "{\"cpu\":{\"period\":20000}}", "cpu cpu.max max 20000 (default)\n" },
	{ "quota -1", "{\"cpu\":{\"quota\":-1}}", "cpu cpu.max max (default)\n" },
	{ "burst", "{\"cpu\":{\"quota\":5000,\"burst\":2000}}",
	  "cpu cpu.max 5000\ncpu cpu.max.burst 2000\n" },
	{ "idle leaves the weight alone", "{\"cpu\":{\"idle\":1,\"shares\":2048}}", "cpu cpu.idle 1\n" },
	{ "not idle", "{\"cpu\":{\"idle\":0,\"shares\":2048}}",
	  "cpu cpu.idle 0 (default)\ncpu cpu.weight 174\n" },
	{ "cpuset", "{\"cpu\":{\"cpus\":\"0-1\",\"mems\":\"0\"}}",
	  "cpuset cpuset.cpus 0-1\ncpuset cpuset.mems 0\n" },
	{ "empty cpuset says nothing", "{\"cpu\":{\"cpus\":\"\",\"mems\":\"\"}}", "" },
	{ "pids", "{\"pids\":{\"limit\":20}}", "pids pids.max 20\n" },
	{ "pids 0", "{\"pids\":{\"limit\":0}}", "pids pids.max max (default)\n" },
	{ "pids -1", "{\"pids\":{\"limit\":-1}}", "pids pids.max max (default)\n" },
	{ "io weight", "{\"blockIO\":{\"weight\":500}}", "io io.bfq.weight 500 | io.weight default 4950\n" },
	{ "least io weight", "{\"blockIO\":{\"weight\":10}}", "io io.bfq.weight 10 | io.weight default 1\n" },
	{ "most io weight", "{\"blockIO\":{\"weight\":1000}}",
	  "io io.bfq.weight 1000 | io.weight default 10000\n" },
	{ "io weight of a device", "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":16,\"weight\":100}]}}",
	  "io io.bfq.weight 8:16 100 | io.weight 8:16 910\n" },
	{ "throttling",
	  "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":600}],"
	  "\"throttleWriteBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":700}],"
	  "\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":800}],"
	  "\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":0}]}}",
	  "io io.max 8:0 rbps=600\nio io.max 8:0 wbps=700\nio io.max 8:0 riops=800\n"
	  "io io.max 8:0 wiops=max (default)\n" },
	{ "huge pages", "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}",
	  "hugetlb hugetlb.2MB.max 4194304\nhugetlb hugetlb.2MB.rsvd.max 4194304 (optional)\n" },
	{ "rdma", "{\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":10000}}}",
	  "rdma rdma.max mlx5_1 hca_handle=3 hca_object=10000\n" },
	{ "unified is verbatim", "{\"unified\":{\"memory.high\":\"1M\",\"cgroup.max.depth\":\"3\"}}",
	  "memory memory.high 1M\n- cgroup.max.depth 3\n" },
	{ "what v1 had and engines still send", "{\"memory\":{\"kernel\":-1,\"kernelTCP\":0,"
	  "\"disableOOMKiller\":false,\"useHierarchy\":true},\"network\":{}}", "" },
};

/* What v2 cannot give, or cannot mean. */
static const struct row refused[] = {
	{ "swap without memory", "{\"memory\":{\"swap\":100}}",
	  "linux.resources.memory.swap: needs memory.limit beside it" },
	{ "kernel memory", "{\"memory\":{\"kernel\":100}}",
	  "linux.resources.memory.kernel: cgroup v2 counts kernel memory within memory.limit" },
	{ "swappiness", "{\"memory\":{\"swappiness\":10}}",
	  "linux.resources.memory.swappiness: cgroup v2 has no such setting" },
	{ "oom killer", "{\"memory\":{\"disableOOMKiller\":true}}",
	  "linux.resources.memory.disableOOMKiller: cgroup v2 has no such setting" },
	{ "realtime", "{\"cpu\":{\"realtimeRuntime\":950000,\"realtimePeriod\":1000000}}",
	  "linux.resources.cpu.realtimeRuntime: cgroup v2 has no such setting" },
	{ "leaf weight", "{\"blockIO\":{\"leafWeight\":20}}",
	  "linux.resources.blockIO.leafWeight: cgroup v2 has no such setting" },
	{ "net_cls", "{\"network\":{\"classID\":5}}",
	  "linux.resources.network.classID: cgroup v2 has no such setting" },
};

static const struct oci_resources *decode(struct arena *arena, const char *text)
{
	const struct oci_resources *resources = NULL;
	auto_str struct str why = STR_INIT(4096);
	auto_err err *e = oci_resources_decode(arena, "resources", text, strlen(text), NULL, &resources);

	if (e) {
		err_format(e, &why);
		fail_msg("%s: %s", text, why.data);
	}
	return resources;
}

static void print_limits(const struct cgroup_limits *limits, struct str *out)
{
	for (size_t i = 0; i < limits->count; i++) {
		const struct cgroup_limit *l = &limits->items[i];
		str_addf(out, "%s %s %s", l->controller ? l->controller : "-", l->file, l->value);
		if (l->other_file)
			str_addf(out, " | %s %s", l->other_file, l->other_value);
		str_add(out, l->no_limit ? " (default)" : "");
		str_add(out, l->optional ? " (optional)\n" : "\n");
	}
}

static void test_each_field_becomes_its_file_and_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		auto_str struct str text = STR_INIT(64 * 1024);
		auto_str struct str expected = STR_INIT(64 * 1024);
		struct cgroup_limits limits;

		assert_null(arena_new(1 << 20, &arena));
		assert_null(cgroup_limits(arena, decode(arena, rows[i].resources), &limits));
		print_limits(&limits, &text);
		/* A blank before the newline in the table only keeps two marks apart. */
		for (const char *p = rows[i].expected; *p; p++) {
			if (!(p[0] == ' ' && p[1] == '\n'))
				str_add_char(&expected, *p);
		}
		if (!str_equal(text.data, expected.data))
			fail_msg("%s: got\n%sexpected\n%s", rows[i].name, text.data, expected.data);
	}
}

static void test_what_v2_cannot_give_is_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		auto_arena struct arena *arena = NULL;
		auto_str struct str text = STR_INIT(4096);
		struct cgroup_limits limits;

		assert_null(arena_new(1 << 20, &arena));
		auto_err err *e = cgroup_limits(arena, decode(arena, refused[i].resources), &limits);
		if (!e)
			fail_msg("%s: accepted", refused[i].name);
		err_format(e, &text);
		assert_string_equal(text.data, refused[i].expected);
	}
}

static void test_unified_names_no_file_elsewhere_whoever_made_the_struct(void **state)
{
	(void)state;
	static const char *const names[] = { "../memory.max", "tasks", ".max", "a/b.c", "" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		auto_arena struct arena *arena = NULL;
		struct string_pair pair = { names[i], "1" };
		struct oci_resources resources = { .unified = { &pair, 1 } };
		struct cgroup_limits limits;

		assert_null(arena_new(1 << 20, &arena));
		auto_err err *e = cgroup_limits(arena, &resources, &limits);
		if (!e)
			fail_msg("'%s' was accepted", names[i]);
	}
}

static void test_shares_follow_the_quadratic_curve(void **state)
{
	(void)state;
	/* ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34)) with l = log2(shares), by Python. */
	static const struct { uint64_t shares, weight; } curve[] = {
		{ 1, 1 }, { 2, 1 }, { 3, 2 }, { 10, 4 }, { 100, 17 }, { 256, 35 }, { 512, 59 },
		{ 1000, 99 }, { 1023, 100 }, { 1024, 100 }, { 1025, 101 }, { 2048, 174 }, { 4096, 303 },
		{ 10240, 639 }, { 100000, 4340 }, { 262143, 10000 }, { 262144, 10000 }, { 300000, 10000 },
	};

	for (size_t i = 0; i < ARRAY_LEN(curve); i++) {
		auto_arena struct arena *arena = NULL;
		struct oci_cpu cpu = { .shares = &curve[i].shares };
		struct oci_resources resources = { .cpu = &cpu };
		struct cgroup_limits limits;
		uint64_t weight;

		assert_null(arena_new(1 << 20, &arena));
		assert_null(cgroup_limits(arena, &resources, &limits));
		assert_int_equal(limits.count, 1);
		assert_true(str_to_u64(limits.items[0].value, &weight));
		if (weight != curve[i].weight)
			fail_msg("shares %d: weight %d, not %d", (int)curve[i].shares, (int)weight,
				 (int)curve[i].weight);
		assert_int_equal(limits.items[0].no_limit, weight == 100);
	}
}

static void test_without_cgroups_a_real_limit_is_refused_a_default_is_not(void **state)
{
	(void)state;
	auto_arena struct arena *arena = NULL;
	auto_str struct str text = STR_INIT(4096);

	assert_null(arena_new(1 << 20, &arena));
	assert_null(cgroup_refuse_limits(NULL, "no"));
	assert_null(cgroup_refuse_limits(decode(arena, "{\"pids\":{\"limit\":0},\"cpu\":{\"shares\":1024}}"), "no"));
	auto_err err *e = cgroup_refuse_limits(decode(arena, "{\"pids\":{\"limit\":9}}"), "cgroups are disabled");
	assert_non_null(e);
	err_format(e, &text);
	assert_string_equal(text.data, "linux.resources.pids.limit: cgroups are disabled");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_field_becomes_its_file_and_value),
		cmocka_unit_test(test_what_v2_cannot_give_is_refused_by_name),
		cmocka_unit_test(test_unified_names_no_file_elsewhere_whoever_made_the_struct),
		cmocka_unit_test(test_shares_follow_the_quadratic_curve),
		cmocka_unit_test(test_without_cgroups_a_real_limit_is_refused_a_default_is_not),
	};

	return cmocka_run_group_tests_name("cgroup limits", tests, NULL, NULL);
}
