/* tests/unit/agent/observe_test.c: a machine as its files describe it, and the Node that is made of it. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/node-check.h"
#include "agent/node-internal.h"
#include "base/cli.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

static char root_path[] = "/tmp/stube-observe.XXXXXX";
static int root_fd = -1;
static struct arena *arena;

static void write_file(const char *path, const char *text)
{
	const char *name;
	auto_close int parent = -1, file = -1;

	assert_ok(path_make_parent(root_fd, path, 0755, &parent, &name));
	file = openat(parent, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(file >= 0);
	assert_ok(fd_write_all(file, text, strlen(text)));
}

static int setup(void **state)
{
	(void)state;
	assert_ok(arena_new(32 << 20, &arena));
	assert_non_null(mkdtemp(root_path));
	root_fd = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	write_file("proc/meminfo", "MemTotal:        8000000 kB\nMemFree:          100 kB\nMemAvailable:    4000000 kB\n");
	write_file("proc/loadavg", "0.20 0.18 0.12 1/302 4711\n");
	write_file("proc/sys/kernel/pid_max", "32768\n");
	write_file("proc/sys/kernel/threads-max", "62000\n");
	write_file("proc/sys/kernel/random/boot_id", "0d1e7c1a-6f0d-4bb8-9d6c-3c6a4a5f0001\n");
	write_file("etc/machine-id", "4d1e7c1a6f0d4bb89d6c3c6a4a5f0001\n");
	write_file("etc/os-release", "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (\\\"bookworm\\\")\"\n");
	write_file("sys/devices/system/cpu/online", "0-3,8\n");
	return 0;
}

static int teardown(void **state)
{
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	fd_clear(&root_fd);
	IGNORE(path_remove_all(tmp, root_path + strlen("/tmp/")));
	memcpy(root_path + strlen(root_path) - 6, "XXXXXX", 6);
	arena_free(arena);
	return 0;
}

static void test_lists_of_processors_are_counted(void **state)
{
	static const struct {
		const char *list;
		unsigned count;
	} rows[] = {
		{ "0", 1 }, { "0-3", 4 }, { "0-3,8", 5 }, { "0,2,4-5", 4 }, { "", 0 }, { "x", 0 }, { "3-1", 0 },
		{ "0-4000000000", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(observe_count_cpus(rows[i].list), rows[i].count);
}

static void test_meminfo_and_os_release_are_read_line_by_line(void **state)
{
	int64_t bytes = 0;
	char text[64];

	(void)state;
	assert_true(observe_meminfo("MemTotal:  16 kB\nMemAvailable: 8 kB\n", "MemAvailable", &bytes));
	assert_int_equal(bytes, 8192);
	assert_false(observe_meminfo("NotMemTotal: 16 kB\n", "MemTotal", &bytes));
	assert_false(observe_meminfo("MemTotal: many\n", "MemTotal", &bytes));
	assert_true(observe_assignment("ID=debian\nPRETTY_NAME='a b'\n", "PRETTY_NAME", text, sizeof(text)));
	assert_string_equal(text, "a b");
	assert_true(observe_assignment("PRETTY_NAME=plain\nX=1", "PRETTY_NAME", text, sizeof(text)));
	assert_string_equal(text, "plain");
	assert_true(observe_assignment("A=\"never ends", "A", text, 6));
	assert_string_equal(text, "never");
	assert_false(observe_assignment("XPRETTY_NAME=no\n", "PRETTY_NAME", text, sizeof(text)));
}

static void test_a_machine_is_read_from_its_files(void **state)
{
	struct machine m;

	(void)state;
	assert_ok(machine_read(arena, root_fd, "/tmp/not/there/yet", &m));
	assert_int_equal(m.cpus, 5);
	assert_int_equal(m.memory, 8000000ll * 1024);
	assert_int_equal(m.memory_free, 4000000ll * 1024);
	assert_int_equal(m.tasks, 302);
	assert_int_equal(m.tasks_max, 32768);
	assert_string_equal(m.boot_id, "0d1e7c1a-6f0d-4bb8-9d6c-3c6a4a5f0001");
	assert_string_equal(m.os_image, "Debian GNU/Linux 12 (\"bookworm\")");
	assert_true(m.storage > 0 && m.storage_free > 0);
}

static void test_a_machine_without_meminfo_is_an_error(void **state)
{
	struct machine m;

	(void)state;
	write_file("proc/meminfo", "nothing\n");
	assert_err(machine_read(arena, root_fd, "/tmp", &m), "/proc/meminfo has no MemTotal");
}

static void test_pretty_name_falls_back_to_usr_lib(void **state)
{
	struct machine m;

	(void)state;
	write_file("etc/os-release", "NAME=x\n");
	write_file("usr/lib/os-release", "PRETTY_NAME=\"Other\"\n");
	assert_ok(machine_read(arena, root_fd, "/tmp", &m));
	assert_string_equal(m.os_image, "Other");
}

static const struct machine small = {
	.cpus = 4, .memory = 8ll << 30, .memory_free = 4ll << 30, .storage = 100ll << 30, .storage_free = 50ll << 30,
	.tasks = 100, .tasks_max = 32768, .hostname = "host", .kernel = "6.1.0", .architecture = "amd64",
	.os_image = "Debian", .boot_id = "b", .machine_id = "m",
};

static void assert_amount(const struct resource_list *list, const char *name, const char *text)
{
	auto_str struct str found = STR_INIT(64);
	struct quantity q = resource_get(list, name);

	quantity_format(&q, &found);
	assert_string_equal(found.data, text);
}

static void test_what_is_reserved_is_not_allocatable(void **state)
{
	const struct node_options o = { .name = "one", .reserve_cpu = 500, .reserve_memory = 1ll << 30, .max_pods = 20 };
	struct node n;

	(void)state;
	assert_ok(machine_node(arena, &small, &o, "192.0.2.7", &n));
	assert_amount(&n.status.capacity, "cpu", "4");
	assert_amount(&n.status.capacity, "memory", "8Gi");
	assert_amount(&n.status.allocatable, "cpu", "3500m");
	assert_amount(&n.status.allocatable, "memory", "7Gi");
	assert_amount(&n.status.allocatable, "pods", "20");
	assert_amount(&n.status.allocatable, "ephemeral-storage", "100Gi");
	assert_string_equal(n.status.addresses.items[0].type, "InternalIP");
	assert_string_equal(n.status.addresses.items[0].address, "192.0.2.7");
	assert_string_equal(n.status.addresses.items[1].address, "one");
	assert_true(node_is_ready(&n));
	/* What we would tell is what the API takes. */
	assert_ok(object_check((struct object *)&n));
}

static void test_labels_and_taints_come_with_the_registration(void **state)
{
	static const char *const labels[] = { "topology.kubernetes.io/zone=dc-1", "stube/protection-class=high", NULL };
	static const char *const taints[] = { "gpu=yes:NoSchedule", "maintenance:NoExecute", NULL };
	const struct node_options o = { .name = "one", .labels = labels, .taints = taints };
	struct node n;

	(void)state;
	assert_ok(machine_node(arena, &small, &o, NULL, &n));
	assert_string_equal(string_map_get(&n.metadata.labels, LABEL_HOSTNAME), "one");
	assert_string_equal(string_map_get(&n.metadata.labels, LABEL_ARCH), "amd64");
	assert_string_equal(string_map_get(&n.metadata.labels, LABEL_ZONE), "dc-1");
	assert_string_equal(string_map_get(&n.metadata.labels, STUBE_PROTECTION_CLASS), "high");
	assert_true(str_starts_with(string_map_get(&n.metadata.annotations, NODE_SUPPORTED), stube_version));
	assert_int_equal(n.spec.taints.count, 2);
	assert_string_equal(n.spec.taints.items[0].value, "yes");
	assert_int_equal(n.spec.taints.items[1].effect, TAINT_NO_EXECUTE);
	assert_ok(object_check((struct object *)&n));
}

static void test_wrong_labels_and_taints_are_named(void **state)
{
	static const struct {
		const char *label, *taint, *error;
	} rows[] = {
		{ "zone", NULL, "label 'zone': expected KEY=VALUE" },
		{ "a b=c", NULL, "label 'a b=c' is not one that objects may have" },
		{ NULL, "gpu", "taint 'gpu': expected KEY=VALUE:EFFECT with the effect NoSchedule, PreferNoSchedule or NoExecute" },
		{ NULL, "gpu:Never",
		  "taint 'gpu:Never': expected KEY=VALUE:EFFECT with the effect NoSchedule, PreferNoSchedule or NoExecute" },
		{ NULL, "g pu:NoExecute", "taint 'g pu:NoExecute': key and value are written as those of labels" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *labels[] = { rows[i].label, NULL }, *taints[] = { rows[i].taint, NULL };
		const struct node_options o = { .name = "one", .labels = labels, .taints = taints };
		struct node n;
		assert_err(machine_node(arena, &small, &o, NULL, &n), rows[i].error);
	}
}

static void test_pressure_is_told_as_conditions(void **state)
{
	static const struct {
		const char *type;
		struct machine m;
	} rows[] = {
		{ "MemoryPressure", { .memory = 1ll << 30, .memory_free = 50ll << 20, .storage = 1, .storage_free = 1 } },
		{ "DiskPressure", { .memory_free = 1ll << 30, .storage = 100ll << 30, .storage_free = 4ll << 30 } },
		{ "PIDPressure", { .memory_free = 1ll << 30, .storage = 1, .storage_free = 1, .tasks = 950, .tasks_max = 1000 } },
	};
	const struct node_options o = { .name = "one" };
	struct node n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct machine m = rows[i].m;
		m.hostname = m.kernel = m.architecture = m.os_image = m.boot_id = m.machine_id = "x";
		assert_ok(machine_node(arena, &m, &o, NULL, &n));
		for (size_t c = 0; c < n.status.conditions.count; c++) {
			const struct condition *k = &n.status.conditions.items[c];
			bool expected = str_equal(k->type, rows[i].type) || str_equal(k->type, "Ready");
			assert_int_equal(k->status, expected ? CONDITION_TRUE : CONDITION_FALSE);
		}
	}
}

static void test_transitions_keep_their_time_while_the_status_stays(void **state)
{
	struct condition old[] = { { .type = "Ready", .status = CONDITION_TRUE, .transition = { 5 } },
				   { .type = "DiskPressure", .status = CONDITION_FALSE, .transition = { 6 } } };
	struct condition now[] = { { .type = "Ready", .status = CONDITION_TRUE, .transition = { 9 } },
				   { .type = "DiskPressure", .status = CONDITION_TRUE, .transition = { 9 } } };
	const struct conditions before = { old, 2 };
	struct conditions after = { now, 2 };

	(void)state;
	report_transitions(&before, &after);
	assert_int_equal(now[0].transition.nsec, 5);
	assert_int_equal(now[1].transition.nsec, 9);
}

static void test_a_status_says_null_for_what_it_does_not_have(void **state)
{
	auto_str struct str out = STR_INIT(1 << 16);
	const struct pod_status status = { .phase = POD_RUNNING, .host_ip = "192.0.2.1" };
	json *tree;

	(void)state;
	assert_ok(report_status(&out, &kinds[KIND_POD], "u-1", &status));
	assert_ok(json_parse(arena, "patch", out.data, out.len, &tree));
	assert_string_equal(json_get_string(json_get(tree, "metadata"), "uid"), "u-1");
	const json *s = json_get(tree, "status");
	assert_string_equal(json_get_string(s, "phase"), "Running");
	assert_string_equal(json_get_string(s, "hostIP"), "192.0.2.1");
	assert_int_equal(json_get(s, "reason")->kind, JSON_NULL);
	assert_int_equal(json_get(s, "message")->kind, JSON_NULL);
	assert_int_equal(json_get(s, "containerStatuses")->kind, JSON_NULL);
}

static void test_an_event_is_one_that_the_api_takes(void **state)
{
	struct out_item i = {
		.kind = OUT_EVENT, .about = "Pod", .namespace = (char *)"default", .name = (char *)"web", .uid = (char *)"u",
		.reason = (char *)"Pulled", .body = (char *)"text", .first = 1700000000000000000, .last = 1700000001000000000,
		.count = 2, .number = 7,
	};
	struct event e;

	(void)state;
	assert_ok(report_event(arena, "one", &i, &e));
	assert_ok(object_check((struct object *)&e));
	assert_string_equal(e.metadata.namespace, "default");
	assert_string_equal(e.metadata.name, "web.17979cfe362a00000007");
	assert_int_equal(e.count, 2);
	i.about = "Node";
	assert_ok(report_event(arena, "one", &i, &e));
	assert_string_equal(e.metadata.namespace, "default");
	assert_null(e.involved.namespace);
	assert_ok(object_check((struct object *)&e));
}

static void test_the_end_of_a_command_is_told_as_kubernetes_does(void **state)
{
	auto_str struct str zero = STR_INIT(4096), three = STR_INIT(4096);

	(void)state;
	report_exit(&zero, 0);
	report_exit(&three, 3);
	assert_string_equal(zero.data, "{\"apiVersion\":\"v1\",\"kind\":\"Status\",\"metadata\":{},\"status\":\"Success\"}");
	assert_string_equal(three.data,
			    "{\"apiVersion\":\"v1\",\"kind\":\"Status\",\"metadata\":{},\"status\":\"Failure\","
			    "\"message\":\"command terminated with non-zero exit code: 3\",\"reason\":\"NonZeroExitCode\","
			    "\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"3\"}]},\"code\":500}");
}

static void test_kernels_are_compared_by_number(void **state)
{
	(void)state;
	assert_int_equal(node_check_kernel("6.12.3-generic"), 6012);
	assert_int_equal(node_check_kernel("6.1.0-13-amd64"), 6001);
	assert_int_equal(node_check_kernel("10"), 10000);
}

static void test_the_way_to_the_scheduler_gives_the_address(void **state)
{
	char text[64];

	(void)state;
	assert_true(observe_address("https://127.0.0.1:6443", text, sizeof(text)));
	assert_string_equal(text, "127.0.0.1");
	assert_false(observe_address("https://[not-an-address", text, sizeof(text)));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lists_of_processors_are_counted),
		TEST(test_meminfo_and_os_release_are_read_line_by_line),
		TEST(test_a_machine_is_read_from_its_files),
		TEST(test_a_machine_without_meminfo_is_an_error),
		TEST(test_pretty_name_falls_back_to_usr_lib),
		TEST(test_what_is_reserved_is_not_allocatable),
		TEST(test_labels_and_taints_come_with_the_registration),
		TEST(test_wrong_labels_and_taints_are_named),
		TEST(test_pressure_is_told_as_conditions),
		TEST(test_transitions_keep_their_time_while_the_status_stays),
		TEST(test_a_status_says_null_for_what_it_does_not_have),
		TEST(test_an_event_is_one_that_the_api_takes),
		TEST(test_the_end_of_a_command_is_told_as_kubernetes_does),
		TEST(test_kernels_are_compared_by_number),
		TEST(test_the_way_to_the_scheduler_gives_the_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
