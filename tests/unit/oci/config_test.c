/* tests/unit/oci/config_test.c: config.json is decoded as a whole, and what is wrong names its place. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "oci/config.h"

/* Every field there is, in the order and the form of the encoder. */
#define FULL_CONFIG "tests/data/oci/full-config.json"

static struct arena *arena;
static struct strv warnings;
static struct str full_config = STR_INIT(1 << 20);

static int setup(void **state)
{
	(void)state;
	warnings = (struct strv)STRV_INIT(100);
	assert_ok(arena_new(16 << 20, &arena));
	return 0;
}

static int read_full_config(void **state)
{
	(void)state;
	assert_ok(file_read(AT_FDCWD, FULL_CONFIG, &full_config));
	return 0;
}

static int drop_full_config(void **state)
{
	(void)state;
	str_done(&full_config);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strv_done(&warnings);
	arena_free(arena);
	return 0;
}

static err *decode(const char *text, const struct oci_config **ret)
{
	return oci_config_decode(arena, "config.json", text, strlen(text), &warnings, ret);
}

/* A valid document around `members`. */
static err *decode_with(const char *members, const struct oci_config **ret)
{
	auto_str struct str text = STR_INIT(1 << 20);

	str_addf(&text, "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"rootfs\"}%s%s}", *members ? "," : "", members);
	return decode(text.data, ret);
}

static void test_every_field_of_the_specification_reads_back_as_written(void **state)
{
	(void)state;
	const struct oci_config *config;
	auto_str struct str out = STR_INIT(1 << 20);

	assert_ok(decode(full_config.data, &config));
	oci_config_encode(&out, config, 2);
	str_add_char(&out, '\n');
	assert_string_equal(out.data, full_config.data);
	assert_int_equal(warnings.count, 0);
	/* Once more from our own bytes: the encoder is stable. */
	auto_str struct str again = STR_INIT(1 << 20);
	assert_ok(decode(out.data, &config));
	oci_config_encode(&again, config, 2);
	str_add_char(&again, '\n');
	assert_string_equal(again.data, out.data);
}

static void test_values_arrive_in_the_kernels_numbers(void **state)
{
	(void)state;
	const struct oci_config *c;

	assert_ok(decode(full_config.data, &c));
	assert_int_equal(c->process->user.uid, 1);
	assert_int_equal(*c->process->user.umask, 022);
	assert_int_equal(c->process->rlimits.items[0].type, RLIMIT_CORE);
	assert_true(c->process->rlimits.items[1].hard == UINT64_MAX);
	assert_int_equal(*c->process->oom_score_adj, -500);
	assert_true(oci_capability_mask(&c->process->capabilities->bounding) ==
		    (1ull << 29 | 1ull << 5 | 1ull << 10 | 1ull << 40));
	assert_int_equal(c->linux.namespaces.items[0].type, CLONE_NEWPID);
	assert_string_equal(oci_namespace_find(c, CLONE_NEWNET)->path, "/run/netns/a");
	assert_null(oci_namespace_find(c, CLONE_NEWUTS)->path);
	assert_int_equal(c->linux.rootfs_propagation, MS_SLAVE);
	assert_int_equal(c->linux.devices.items[0].type, 'c');
	assert_int_equal(c->linux.devices.items[1].major, -1);
	assert_int_equal(c->linux.resources.devices.items[0].type, 'a');
	assert_null(c->linux.resources.devices.items[0].major);
	assert_int_equal(*c->linux.resources.devices.items[1].minor, 229);
	assert_int_equal(c->linux.seccomp->default_action, OCI_ACT_ERRNO);
	assert_int_equal(c->linux.seccomp->syscalls.items[0].args.items[0].op, OCI_CMP_MASKED_EQ);
	assert_string_equal(c->linux.resources.rdma.items[0].device, "mlx5_1");
	assert_string_equal(c->linux.net_devices.items[1].name, "ens4");
	assert_null(c->linux.net_devices.items[1].target_name);
	assert_int_equal(c->linux.time_offsets->boottime->secs, -7);
}

static void test_a_minimal_document_says_nothing_more(void **state)
{
	(void)state;
	const struct oci_config *c;
	auto_str struct str out = STR_INIT(1 << 20);

	assert_ok(decode_with("", &c));
	assert_null(c->process);
	assert_false(c->root->readonly);
	assert_int_equal(c->mounts.count, 0);
	assert_null(c->linux.cgroups_path);
	assert_null(c->linux.seccomp);
	assert_int_equal(c->linux.rootfs_propagation, 0);
	assert_null(oci_namespace_find(c, CLONE_NEWPID));
	oci_config_encode(&out, c, 0);
	assert_string_equal(out.data, "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"rootfs\"}}");
	assert_err(oci_config_check_start(c), "process: required but missing");
}

static void test_empty_lists_say_as_little_as_absent_ones(void **state)
{
	(void)state;
	const struct oci_config *c;
	auto_str struct str out = STR_INIT(1 << 20);

	assert_ok(decode_with("\"linux\":{\"namespaces\":[],\"sysctl\":{},\"resources\":{\"devices\":[]}},\"hooks\":{\"prestart\":[]}", &c));
	assert_null(c->linux.namespaces.items);
	oci_config_encode(&out, c, 0);
	assert_string_equal(out.data, "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"rootfs\"}}");
	assert_ok(decode_with("\"linux\":{\"timeOffsets\":{}}", &c));
}

static void test_starting_needs_a_program(void **state)
{
	(void)state;
	const struct oci_config *c;

	assert_ok(decode_with("\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}}", &c));
	assert_err(oci_config_check_start(c), "process.args: must name a program to start");
	assert_ok(decode_with("\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"\"]}", &c));
	assert_err(oci_config_check_start(c), "process.args: must name a program to start");
	assert_ok(decode_with("\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"]}", &c));
	assert_ok(oci_config_check_start(c));
}

struct row {
	const char *members, *error;
};

/* Every row is refused with its text after "config.json:1:COLUMN: ". */
static void refuse_rows(const struct row *rows, size_t count)
{
	const struct oci_config *c;

	for (size_t i = 0; i < count; i++) {
		auto_str struct str text = STR_INIT(1 << 16);
		auto_err err *e = decode_with(rows[i].members, &c);

		err_format(e, &text);
		size_t place = strspn(text.data, "config.json:0123456789");
		if (!e || place < strlen("config.json:1:1") || strcmp(text.data + place + 1, rows[i].error) != 0)
			print_error("%s\n", rows[i].members);
		assert_true(place >= strlen("config.json:1:1"));
		assert_string_equal(text.data + place + 1, rows[i].error);
		assert_int_equal(e->code, EINVAL);
	}
}

#define PROCESS(members) "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}," members "}"

static void test_a_wrong_process_is_refused(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "\"process\":[]", "process: expected object, got array" },
		{ "\"process\":{\"user\":{\"uid\":0,\"gid\":0}}", "process.cwd: required but missing" },
		{ "\"process\":{\"cwd\":\"/\"}", "process.user: required but missing" },
		{ "\"process\":{\"cwd\":\"/\",\"user\":{\"gid\":0}}", "process.user.uid: required but missing" },
		{ "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":0}}", "process.user.gid: required but missing" },
		{ "\"process\":{\"cwd\":\"srv\",\"user\":{\"uid\":0,\"gid\":0}}",
		  "process.cwd: 'srv' is not an absolute path" },
		{ "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":-1,\"gid\":0}}",
		  "process.user.uid: -1 is not a whole number from 0 to 4294967294" },
		/* What setresuid(2) takes for "leave it", which is root. */
		{ "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":4294967295,\"gid\":0}}",
		  "process.user.uid: 4294967295 is not a whole number from 0 to 4294967294" },
		{ "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":1,\"gid\":4294967295}}",
		  "process.user.gid: 4294967295 is not a whole number from 0 to 4294967294" },
		{ "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":1,\"gid\":1,\"additionalGids\":[4294967295]}}",
		  "process.user.additionalGids[0]: 4294967295 is not a whole number from 0 to 4294967294" },
		{ "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0,\"umask\":512}}",
		  "process.user.umask: 512 is not a whole number from 0 to 511" },
		{ "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0,\"additionalGids\":[1,\"2\"]}}",
		  "process.user.additionalGids[1]: expected number, got string" },
		{ PROCESS("\"args\":[\"a\",null]"), "process.args[1]: expected string, got null" },
		{ PROCESS("\"terminal\":\"yes\""), "process.terminal: expected boolean, got string" },
		{ PROCESS("\"env\":[\"A=1\",\"B\"]"), "process.env[1]: 'B' is not of the form NAME=value" },
		{ PROCESS("\"env\":[\"=x\"]"), "process.env[0]: '=x' is not of the form NAME=value" },
		{ PROCESS("\"consoleSize\":{\"height\":70000,\"width\":1}"),
		  "process.consoleSize.height: 70000 is not a whole number from 0 to 65535" },
		{ PROCESS("\"consoleSize\":{\"height\":7}"), "process.consoleSize.width: required but missing" },
		{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_FOO\",\"hard\":1,\"soft\":1}]"),
		  "process.rlimits[0].type: unknown resource limit 'RLIMIT_FOO'" },
		{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"hard\":1}]"),
		  "process.rlimits[0].soft: required but missing" },
		{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"hard\":1,\"soft\":2}]"),
		  "process.rlimits[0].soft: RLIMIT_CPU: 2 is over the hard limit 1" },
		{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"hard\":1,\"soft\":1},"
			  "{\"type\":\"RLIMIT_CPU\",\"hard\":2,\"soft\":1}]"),
		  "process.rlimits[1].type: 'RLIMIT_CPU' is given twice" },
		{ PROCESS("\"oomScoreAdj\":1001"),
		  "process.oomScoreAdj: 1001 is not a whole number from -1000 to 1000" },
		{ PROCESS("\"scheduler\":{}"), "process.scheduler.policy: required but missing" },
		{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_FAST\"}"),
		  "process.scheduler.policy: unknown scheduling policy 'SCHED_FAST'" },
		{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":20}"),
		  "process.scheduler.nice: 20 is not a whole number from -20 to 19" },
		{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_FIFO\"}"),
		  "process.scheduler.priority: SCHED_FIFO needs a priority from 1 to 99" },
		{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_BATCH\",\"priority\":1}"),
		  "process.scheduler.priority: SCHED_BATCH has no priority" },
		{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_RR\",\"priority\":1,\"runtime\":5}"),
		  "process.scheduler: runtime, deadline and period belong to SCHED_DEADLINE, not to SCHED_RR" },
		{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":5,\"deadline\":4}"),
		  "process.scheduler: SCHED_DEADLINE needs 0 < runtime <= deadline <= period" },
		{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"flags\":[\"X\"]}"),
		  "process.scheduler.flags[0]: unknown scheduling flag 'X'" },
		{ PROCESS("\"ioPriority\":{\"class\":\"IOPRIO_CLASS_NONE\"}"),
		  "process.ioPriority.class: unknown I/O priority class 'IOPRIO_CLASS_NONE'" },
		{ PROCESS("\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}"),
		  "process.ioPriority.priority: 8 is not a whole number from 0 to 7" },
		{ PROCESS("\"execCPUAffinity\":{\"initial\":\"0-\"}"),
		  "process.execCPUAffinity.initial: '0-' is not a list such as 0-3,7" },
		{ PROCESS("\"execCPUAffinity\":{\"final\":\"3-1\"}"),
		  "process.execCPUAffinity.final: '3-1' is not a list such as 0-3,7" },
		{ PROCESS("\"execCPUAffinity\":{\"final\":\"1;2\"}"),
		  "process.execCPUAffinity.final: '1;2' is not a list such as 0-3,7" },
		{ PROCESS("\"capabilities\":[\"CAP_KILL\"]"), "process.capabilities: expected object, got array" },
	};

	refuse_rows(rows, ARRAY_LEN(rows));
}

static void test_wrong_mounts_and_hooks_are_refused(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "\"mounts\":{}", "mounts: expected array, got object" },
		{ "\"mounts\":[{\"source\":\"x\"}]", "mounts[0].destination: required but missing" },
		{ "\"mounts\":[{\"destination\":\"\"}]", "mounts[0].destination: must not be empty" },
		{ "\"mounts\":[{\"destination\":\"/a\",\"options\":[1]}]",
		  "mounts[0].options[0]: expected string, got number" },
		{ "\"mounts\":[{\"destination\":\"/a\",\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}]}]",
		  "mounts[0]: uidMappings and gidMappings must be given together" },
		{ "\"mounts\":[{\"destination\":\"/a\","
		  "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":2},{\"containerID\":1,\"hostID\":9,\"size\":1}],"
		  "\"gidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}]}]",
		  "mounts[0].uidMappings[1]: overlaps entry 0 in the container's ids" },
		{ "\"hooks\":{\"prestart\":[{}]}", "hooks.prestart[0].path: required but missing" },
		{ "\"hooks\":{\"poststop\":[{\"path\":\"bin/x\"}]}",
		  "hooks.poststop[0].path: 'bin/x' is not an absolute path" },
		{ "\"hooks\":{\"createRuntime\":[{\"path\":\"/x\",\"timeout\":0}]}",
		  "hooks.createRuntime[0].timeout: 0 is not a whole number from 1 to 2147483647" },
		{ "\"annotations\":{\"\":\"x\"}", "annotations: a key must not be empty" },
		{ "\"annotations\":{\"a\":1}", "annotations.a: expected string, got number" },
	};

	refuse_rows(rows, ARRAY_LEN(rows));
}

#define LINUX(members) "\"linux\":{" members "}"
#define USERNS         "\"namespaces\":[{\"type\":\"user\"}],"
#define MAP(c, h, s)   "{\"containerID\":" #c ",\"hostID\":" #h ",\"size\":" #s "}"
#define GIDS           "\"gidMappings\":[" MAP(0, 0, 1) "]"

static void test_wrong_namespaces_and_mappings_are_refused(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ LINUX("\"namespaces\":[{\"type\":\"net\"}]"), "linux.namespaces[0].type: unknown namespace 'net'" },
		{ LINUX("\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\",\"path\":\"/x\"}]"),
		  "linux.namespaces[1].type: 'pid' is given twice" },
		{ LINUX("\"namespaces\":[{\"type\":\"pid\",\"path\":\"proc/1/ns/pid\"}]"),
		  "linux.namespaces[0].path: 'proc/1/ns/pid' is not an absolute path" },
		{ LINUX("\"uidMappings\":[" MAP(0, 0, 1) "]"), "linux.uidMappings: needs a user namespace" },
		{ LINUX("\"gidMappings\":[" MAP(0, 0, 1) "]"), "linux.gidMappings: needs a user namespace" },
		{ LINUX(USERNS GIDS), "linux.uidMappings: a new user namespace needs at least one mapping" },
		{ LINUX(USERNS "\"uidMappings\":[" MAP(0, 0, 0) "]," GIDS),
		  "linux.uidMappings[0].size: 0 is not a whole number from 1 to 4294967295" },
		{ LINUX(USERNS "\"uidMappings\":[" MAP(0, 100, 10) "," MAP(10, 109, 1) "]," GIDS),
		  "linux.uidMappings[1]: overlaps entry 0 in the host's ids" },
		{ LINUX(USERNS "\"uidMappings\":[" MAP(5, 100, 10) "," MAP(0, 200, 6) "]," GIDS),
		  "linux.uidMappings[1]: overlaps entry 0 in the container's ids" },
		{ LINUX(USERNS "\"uidMappings\":[" MAP(1, 4294967295, 1) "]," GIDS),
		  "linux.uidMappings[0]: reaches beyond id 4294967294" },
		{ LINUX(USERNS "\"uidMappings\":[" MAP(0, 1, 4294967295) "]," GIDS),
		  "linux.uidMappings[0]: reaches beyond id 4294967294" },
		{ LINUX("\"timeOffsets\":{\"monotonic\":{\"secs\":1}}"), "linux.timeOffsets: needs a time namespace" },
		{ LINUX("\"namespaces\":[{\"type\":\"time\",\"path\":\"/x\"}],\"timeOffsets\":{\"boottime\":{\"secs\":1}}"),
		  "linux.timeOffsets: cannot be set in a time namespace that is joined" },
		{ LINUX("\"namespaces\":[{\"type\":\"time\"}],\"timeOffsets\":{\"realtime\":{}}"),
		  "linux.timeOffsets.realtime: unknown field" },
		{ LINUX("\"namespaces\":[{\"type\":\"time\"}],\"timeOffsets\":{\"boottime\":{\"nanosecs\":1000000000}}"),
		  "linux.timeOffsets.boottime.nanosecs: 1000000000 is not a whole number from 0 to 999999999" },
		{ "\"hostname\":\"a\"", "hostname: needs a uts namespace" },
		{ "\"domainname\":\"a\"", "domainname: needs a uts namespace" },
		{ LINUX("\"netDevices\":{\"eth0\":{}}"), "linux.netDevices: needs a network namespace" },
		{ LINUX("\"namespaces\":[{\"type\":\"network\"}],\"netDevices\":{\"eth0\":{\"name\":23}}"),
		  "linux.netDevices.eth0.name: expected string, got number" },
		{ LINUX("\"namespaces\":[{\"type\":\"network\"}],\"netDevices\":{\"eth0\":{\"name\":\"a/b\"}}"),
		  "linux.netDevices.eth0.name: 'a/b' is not the name of a network interface" },
		{ LINUX("\"namespaces\":[{\"type\":\"network\"}],\"netDevices\":{\"0123456789abcdef\":{}}"),
		  "linux.netDevices.0123456789abcdef: is not the name of a network interface" },
		{ LINUX("\"namespaces\":[{\"type\":\"network\"}],\"netDevices\":{\"a\":{\"name\":\"b\"},\"b\":{}}"),
		  "linux.netDevices.b: gets the name 'b', as another does" },
	};

	refuse_rows(rows, ARRAY_LEN(rows));
}

#define SYSCTL(ns, key) LINUX("\"namespaces\":[{\"type\":\"" ns "\"}],\"sysctl\":{\"" key "\":\"1\"}")

static void test_wrong_parts_of_linux_are_refused(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "\"linux\":7", "linux: expected object, got number" },
		{ SYSCTL("ipc", "net.ipv4.ip_forward"), "linux.sysctl.net.ipv4.ip_forward: needs a namespace of type network" },
		{ SYSCTL("network", "kernel.shmmax"), "linux.sysctl.kernel.shmmax: needs a namespace of type ipc" },
		{ SYSCTL("network", "fs/mqueue/msg_max"), "linux.sysctl.fs/mqueue/msg_max: needs a namespace of type ipc" },
		{ SYSCTL("network", "vm.swappiness"),
		  "linux.sysctl.vm.swappiness: belongs to the host, not to a namespace" },
		{ SYSCTL("network", "kernel.core_pattern"),
		  "linux.sysctl.kernel.core_pattern: belongs to the host, not to a namespace" },
		{ SYSCTL("ipc", "kernel.shmmaxx"),
		  "linux.sysctl.kernel.shmmaxx: belongs to the host, not to a namespace" },
		{ SYSCTL("network", "net/../kernel/core_pattern"),
		  "linux.sysctl.net/../kernel/core_pattern: is not the name of a sysctl" },
		{ SYSCTL("network", "net..x"), "linux.sysctl.net..x: is not the name of a sysctl" },
		{ SYSCTL("network", ""), "linux.sysctl.: is not the name of a sysctl" },
		{ SYSCTL("uts", "kernel.hostname"), "linux.sysctl.kernel.hostname: is set by the field 'hostname'" },
		{ LINUX("\"devices\":[{\"path\":\"/dev/x\",\"type\":\"z\"}]"),
		  "linux.devices[0].type: unknown device type 'z'" },
		{ LINUX("\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\",\"minor\":1}]"),
		  "linux.devices[0]: a device of type 'c' needs major and minor" },
		{ LINUX("\"devices\":[{\"path\":\"x\",\"type\":\"p\"}]"),
		  "linux.devices[0].path: 'x' is not an absolute path" },
		{ LINUX("\"devices\":[{\"path\":\"/x\",\"type\":\"p\"},{\"path\":\"/x\",\"type\":\"c\",\"major\":1,\"minor\":3}]"),
		  "linux.devices[1].path: '/x' is given twice, as different devices" },
		{ LINUX("\"devices\":[{\"path\":\"/x\",\"type\":\"p\",\"fileMode\":65536}]"),
		  "linux.devices[0].fileMode: 65536 is not a whole number from 0 to 65535" },
		{ LINUX("\"rootfsPropagation\":\"hidden\""),
		  "linux.rootfsPropagation: unknown mount propagation 'hidden'" },
		{ LINUX("\"maskedPaths\":[\"proc/kcore\"]"),
		  "linux.maskedPaths[0]: 'proc/kcore' is not an absolute path" },
		{ LINUX("\"readonlyPaths\":[\"\"]"), "linux.readonlyPaths[0]: '' is not an absolute path" },
		{ LINUX("\"cgroupsPath\":\"/a/../b\""), "linux.cgroupsPath: '/a/../b' has a component '..'" },
		{ LINUX("\"intelRdt\":{\"closID\":\"..\"}"), "linux.intelRdt.closID: '..' is not the name of a directory" },
		{ LINUX("\"intelRdt\":{\"memBwSchema\":\"L3:0=f\"}"),
		  "linux.intelRdt.memBwSchema: 'L3:0=f' does not begin with MB:" },
		{ LINUX("\"intelRdt\":{\"memBwSchema\":\"MB:0=1\\nL3:0=f\"}"),
		  "linux.intelRdt.memBwSchema: 'MB:0=1?L3:0=f' must be one line" },
		{ LINUX("\"memoryPolicy\":{\"mode\":\"MPOL_FAST\"}"),
		  "linux.memoryPolicy.mode: unknown memory policy 'MPOL_FAST'" },
		{ LINUX("\"memoryPolicy\":{\"mode\":\"MPOL_BIND\"}"), "linux.memoryPolicy.nodes: MPOL_BIND needs nodes" },
		{ LINUX("\"memoryPolicy\":{\"mode\":\"MPOL_LOCAL\",\"nodes\":\"0\"}"),
		  "linux.memoryPolicy.nodes: MPOL_LOCAL takes no nodes" },
		{ LINUX("\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\","
			"\"flags\":[\"MPOL_F_STATIC_NODES\",\"MPOL_F_RELATIVE_NODES\"]}"),
		  "linux.memoryPolicy.flags: nodes cannot be static and relative at once" },
		{ LINUX("\"personality\":{}"), "linux.personality.domain: required but missing" },
		{ LINUX("\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"ADDR_NO_RANDOMIZE\"]}"),
		  "linux.personality.flags[0]: unknown personality flag 'ADDR_NO_RANDOMIZE'" },
	};

	refuse_rows(rows, ARRAY_LEN(rows));
}

#define RESOURCES(members) LINUX("\"resources\":{" members "}")

static void test_wrong_resources_are_refused(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ RESOURCES("\"devices\":[{\"access\":\"rwm\"}]"),
		  "linux.resources.devices[0].allow: required but missing" },
		{ RESOURCES("\"devices\":[{\"allow\":true,\"access\":\"rwx\"}]"),
		  "linux.resources.devices[0].access: 'rwx' is not made of the letters r, w and m" },
		{ RESOURCES("\"devices\":[{\"allow\":true,\"type\":\"p\"}]"),
		  "linux.resources.devices[0].type: unknown device type 'p'" },
		{ RESOURCES("\"memory\":{\"limit\":1.5}"),
		  "linux.resources.memory.limit: 1.5 is not a whole number from -9223372036854775808 to "
		  "9223372036854775807" },
		{ RESOURCES("\"memory\":{\"swappiness\":101}"),
		  "linux.resources.memory.swappiness: 101 is not a whole number from 0 to 100" },
		{ RESOURCES("\"memory\":{\"limit\":100,\"swap\":99}"),
		  "linux.resources.memory.swap: 99 (memory and swap together) is under the limit 100" },
		{ RESOURCES("\"cpu\":{\"quota\":100,\"burst\":101}"),
		  "linux.resources.cpu.burst: 101 is over the quota 100" },
		{ RESOURCES("\"cpu\":{\"idle\":2}"), "linux.resources.cpu.idle: 2 is not 0 or 1" },
		{ RESOURCES("\"cpu\":{\"cpus\":\"all\"}"), "linux.resources.cpu.cpus: 'all' is not a list such as 0-3,7" },
		{ RESOURCES("\"pids\":{}"), "linux.resources.pids.limit: required but missing" },
		{ RESOURCES("\"blockIO\":{\"weight\":65536}"),
		  "linux.resources.blockIO.weight: 65536 is not a whole number from 0 to 65535" },
		{ RESOURCES("\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0}]}"),
		  "linux.resources.blockIO.weightDevice[0]: needs weight or leafWeight" },
		{ RESOURCES("\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0}]}"),
		  "linux.resources.blockIO.throttleReadBpsDevice[0].rate: required but missing" },
		{ RESOURCES("\"hugepageLimits\":[{\"pageSize\":\"64kB\",\"limit\":1}]"),
		  "linux.resources.hugepageLimits[0].pageSize: '64kB' is not a page size such as 64KB, 2MB or 1GB" },
		{ RESOURCES("\"hugepageLimits\":[{\"pageSize\":\"2\",\"limit\":1}]"),
		  "linux.resources.hugepageLimits[0].pageSize: '2' is not a page size such as 64KB, 2MB or 1GB" },
		{ RESOURCES("\"hugepageLimits\":[{\"pageSize\":\"02MB\",\"limit\":1}]"),
		  "linux.resources.hugepageLimits[0].pageSize: '02MB' is not a page size such as 64KB, 2MB or 1GB" },
		{ RESOURCES("\"network\":{\"priorities\":[{\"name\":\"\",\"priority\":1}]}"),
		  "linux.resources.network.priorities[0].name: must not be empty" },
		{ RESOURCES("\"rdma\":{\"mlx5\":{}}"), "linux.resources.rdma.mlx5: needs hcaHandles or hcaObjects" },
		{ RESOURCES("\"unified\":{\"../x.max\":\"1\"}"),
		  "linux.resources.unified.../x.max: is not the name of a cgroup file" },
		{ RESOURCES("\"unified\":{\"memory\":\"1\"}"),
		  "linux.resources.unified.memory: is not the name of a cgroup file" },
		{ RESOURCES("\"unified\":{\"cgroup.procs\":\"1\"}"),
		  "linux.resources.unified.cgroup.procs: is written by the runtime only" },
	};

	refuse_rows(rows, ARRAY_LEN(rows));
}

#define SECCOMP(members) LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\"," members "}")

static void test_a_wrong_filter_is_refused(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ LINUX("\"seccomp\":{}"), "linux.seccomp.defaultAction: required but missing" },
		{ LINUX("\"seccomp\":{\"defaultAction\":\"ALLOW\"}"),
		  "linux.seccomp.defaultAction: unknown seccomp action 'ALLOW'" },
		{ LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"listenerPath\":\"/x\"}"),
		  "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default action" },
		{ LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}"),
		  "linux.seccomp.defaultErrnoRet: SCMP_ACT_ALLOW takes no errno" },
		{ SECCOMP("\"architectures\":[\"SCMP_ARCH_VAX\"]"),
		  "linux.seccomp.architectures[0]: unknown seccomp architecture 'SCMP_ARCH_VAX'" },
		{ SECCOMP("\"flags\":[\"SECCOMP_FILTER_FLAG_NEW\"]"),
		  "linux.seccomp.flags[0]: unknown seccomp flag 'SECCOMP_FILTER_FLAG_NEW'" },
		{ SECCOMP("\"listenerMetadata\":\"x\""), "linux.seccomp.listenerMetadata: needs listenerPath" },
		{ SECCOMP("\"syscalls\":[{\"names\":[],\"action\":\"SCMP_ACT_ALLOW\"}]"),
		  "linux.seccomp.syscalls[0].names: must not be empty" },
		{ SECCOMP("\"syscalls\":[{\"names\":[\"\"],\"action\":\"SCMP_ACT_ALLOW\"}]"),
		  "linux.seccomp.syscalls[0].names[0]: must not be empty" },
		{ SECCOMP("\"syscalls\":[{\"names\":[\"read\"]}]"),
		  "linux.seccomp.syscalls[0].action: required but missing" },
		{ SECCOMP("\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"errnoRet\":1}]"),
		  "linux.seccomp.syscalls[0].errnoRet: SCMP_ACT_ALLOW takes no errno" },
		{ SECCOMP("\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_NOTIFY\"}]"),
		  "linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY needs linux.seccomp.listenerPath" },
		{ SECCOMP("\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
			  "\"args\":[{\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}]}]"),
		  "linux.seccomp.syscalls[0].args[0].index: 6 is not a whole number from 0 to 5" },
		{ SECCOMP("\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
			  "\"args\":[{\"index\":0,\"value\":0,\"op\":\"==\"}]}]"),
		  "linux.seccomp.syscalls[0].args[0].op: unknown seccomp operator '=='" },
	};

	refuse_rows(rows, ARRAY_LEN(rows));
}

static void test_versions_are_semantic_and_of_major_one(void **state)
{
	(void)state;
	static const struct { const char *version, *error; } rows[] = {
		{ "1.0.0", NULL }, { "1.3.0", NULL }, { "1.0.2-dev", NULL }, { "1.99.0-rc.1+build.7", NULL },
		{ "0.5.0-dev", "is not supported; this runtime knows 1.0.0 to 1.3.0" },
		{ "2.0.0", "is not supported; this runtime knows 1.0.0 to 1.3.0" },
		{ "10.0.0", "is not supported; this runtime knows 1.0.0 to 1.3.0" },
		{ "1.0", "is not a version such as 1.3.0" }, { "1.0.0.0", "is not a version such as 1.3.0" },
		{ "1.00.0", "is not a version such as 1.3.0" }, { "v1.0.0", "is not a version such as 1.3.0" },
		{ "1.0.0-", "is not a version such as 1.3.0" }, { "", "is not a version such as 1.3.0" },
		{ "1.0.0+a_b", "is not a version such as 1.3.0" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct oci_config *c;
		auto_str struct str text = STR_INIT(4096), error = STR_INIT(4096);

		str_addf(&text, "{\"ociVersion\":\"%s\",\"root\":{\"path\":\"x\"}}", rows[i].version);
		if (!rows[i].error) {
			assert_ok(decode(text.data, &c));
			continue;
		}
		str_addf(&error, "config.json:1:15: ociVersion: '%s' %s", rows[i].version, rows[i].error);
		assert_err(decode(text.data, &c), error.data);
	}
}

static void test_sections_of_other_systems_are_passed_over_beside_linux_else_refused(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "\"vm\":{\"kernel\":{\"path\":\"/k\"}}", "vm: is not supported" },
		{ "\"windows\":{}", "windows: is for another system, and linux.namespaces says nothing for this one" },
		{ "\"solaris\":{}", "solaris: is for another system, and linux.namespaces says nothing for this one" },
		{ "\"zos\":{}", "zos: is for another system, and linux.namespaces says nothing for this one" },
		{ "\"freebsd\":{}", "freebsd: is for another system, and linux.namespaces says nothing for this one" },
	};
	const struct oci_config *c;

	refuse_rows(rows, ARRAY_LEN(rows));
	assert_ok(decode_with("\"windows\":null,\"vm\":null", &c));
	assert_ok(decode_with("\"windows\":{\"layerFolders\":[]},\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}", &c));
}

static void test_what_the_specification_lets_pass_is_a_warning(void **state)
{
	(void)state;
	const struct oci_config *c;

	assert_ok(decode_with(PROCESS("\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_NET_ADMI\",\"CAP_CHOWN\"]}") ","
			      "\"mounts\":[{\"destination\":\"data\"}],\"unknownKey\":1", &c));
	assert_int_equal(c->process->capabilities->bounding.count, 2);
	assert_int_equal(c->process->capabilities->bounding.items[1], 0);
	assert_int_equal(warnings.count, 2);
	assert_string_equal(warnings.items[0], "config.json:1:133: process.capabilities.bounding[1]: unknown capability "
					       "'CAP_NET_ADMI', ignored");
	assert_string_equal(warnings.items[1], "config.json:1:188: mounts[0].destination: 'data' is not an absolute "
					       "path, read as '/data'");
}

static void test_mounts_alone_are_a_document_too(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "[{\"destination\":\"/a\",\"options\":[1]}]",
		  "doc:1:33: mounts[0].options[0]: expected string, got number" },
		{ "[{\"source\":\"x\"}]", "mounts[0].destination: required but missing" },
		{ "[{\"destination\":\"/a\",\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]}]",
		  "mounts[0]: uidMappings and gidMappings must be given together" },
		{ "{}", "mounts: required but missing" },
		{ "\"/a\"", "expected object, got string" },
	};
	static const char *const good[] = { "[{\"destination\":\"/a\"}]",
					    "{\"mounts\":[{\"destination\":\"/a\"}]}" };
	const struct oci_config *c;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_ok(oci_mounts_decode(arena, "doc", good[i], strlen(good[i]), &warnings, &c));
		assert_int_equal(c->mounts.count, 1);
		assert_string_equal(c->mounts.items[0].destination, "/a");
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_err err *e = oci_mounts_decode(arena, "doc", rows[i].members, strlen(rows[i].members),
						    &warnings, &c);
		auto_str struct str text = STR_INIT(1024);

		assert_non_null(e);
		err_format(e, &text);
		if (!strstr(text.data, rows[i].error))
			fail_msg("%s: %s", rows[i].members, text.data);
	}
}

static void test_engines_write_the_recursive_propagations_too(void **state)
{
	(void)state;
	const struct oci_config *c;

	assert_ok(decode_with(LINUX("\"rootfsPropagation\":\"rprivate\""), &c));
	assert_int_equal(c->linux.rootfs_propagation, MS_REC | MS_PRIVATE);
}

/* Encoders that are not Go's write them out; runc and crun read them so. */
static void test_empty_texts_say_as_little_as_absent_ones(void **state)
{
	(void)state;
	const struct oci_config *c;

	assert_ok(decode_with(
		"\"mounts\":[{\"destination\":\"/a\",\"type\":\"\",\"source\":\"/b\"}]," LINUX(
			"\"rootfsPropagation\":\"\",\"namespaces\":[{\"type\":\"pid\",\"path\":\"\"}],"
			"\"intelRdt\":{\"closID\":\"\"},\"resources\":{\"devices\":[{\"allow\":false,"
			"\"type\":\"\"}]}"),
		&c));
	assert_null(c->mounts.items[0].type);
	assert_null(c->linux.namespaces.items[0].path);
	assert_null(c->linux.intel_rdt->clos_id);
	assert_int_equal(c->linux.rootfs_propagation, 0);
	assert_int_equal(c->linux.resources.devices.items[0].type, 'a');
}

static void test_a_joined_user_namespace_may_repeat_its_mappings(void **state)
{
	(void)state;
	const struct oci_config *c;

	assert_ok(decode_with(LINUX("\"namespaces\":[{\"type\":\"user\",\"path\":\"/proc/1/ns/user\"}]"), &c));
	assert_ok(decode_with(LINUX("\"namespaces\":[{\"type\":\"user\",\"path\":\"/proc/1/ns/user\"}],"
				    "\"uidMappings\":[" MAP(0, 0, 4294967294) "]"), &c));
}

static void test_errors_of_rules_name_line_and_column_too(void **state)
{
	(void)state;
	const struct oci_config *c;

	assert_err(decode("{\n \"ociVersion\": \"1.0.0\",\n \"root\": {\"path\": \"r\"},\n \"linux\": {\n  \"sysctl\": {\n"
			  "   \"vm.x\": \"1\"\n  }\n }\n}", &c),
		   "config.json:6:12: linux.sysctl.vm.x: belongs to the host, not to a namespace");
	assert_err(decode("{\n \"ociVersion\": \"1.0.0\",\n \"hostname\":\n  \"x\",\n \"root\": {\"path\": \"r\"}}", &c),
		   "config.json:4:3: hostname: needs a uts namespace");
	assert_err(decode("{\"ociVersion\":\"1.0.0\"}", &c), "config.json:1:1: root: required but missing");
	assert_err(decode("[]", &c), "config.json:1:1: expected object, got array");
	assert_err(decode("{\"root\":{\"path\":\"x\"},\"root\":{}}", &c), "config.json:1:29: duplicate key 'root'");
}

static void test_a_process_document_stands_alone(void **state)
{
	(void)state;
	const struct oci_process *p;
	const char *text = "{\"user\":{\"uid\":5,\"gid\":6},\"args\":[\"sh\"],\"cwd\":\"/\"}";
	auto_str struct str out = STR_INIT(4096);

	assert_ok(oci_process_decode(arena, "process.json", text, strlen(text), NULL, &p));
	oci_process_encode(&out, p, 0);
	assert_string_equal(out.data, text);
	text = "{\"user\":{\"uid\":5,\"gid\":6},\"cwd\":\"/\"}";
	assert_err(oci_process_decode(arena, "process.json", text, strlen(text), NULL, &p),
		   "process.json: args: must name a program to start");
	text = "{\"user\":{\"uid\":5,\"gid\":6},\"args\":[\"sh\"],\"cwd\":\"/\","
	       "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]}";
	assert_err(oci_process_decode(arena, "process.json", text, strlen(text), NULL, &p),
		   "process.json:1:90: rlimits[0].soft: RLIMIT_CPU: 2 is over the hard limit 1");
}

static void test_a_resources_document_stands_alone(void **state)
{
	(void)state;
	const struct oci_resources *r;
	const char *text = "{\"memory\":{\"limit\":-1},\"pids\":{\"limit\":10}}";

	assert_ok(oci_resources_decode(arena, "-", text, strlen(text), NULL, &r));
	assert_int_equal(*r->memory->limit, -1);
	assert_int_equal(r->pids->limit, 10);
	text = "{\"cpu\":{\"quota\":5,\"burst\":6}}";
	assert_err(oci_resources_decode(arena, "-", text, strlen(text), NULL, &r),
		   "-:1:27: cpu.burst: 6 is over the quota 5");
}

static void test_a_bundle_is_loaded_from_its_directory(void **state)
{
	(void)state;
	char dir[] = "/tmp/stube-oci-XXXXXX";
	const struct oci_config *c;

	assert_non_null(mkdtemp(dir));
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_err_code(oci_config_load(fd, "config.json", arena, NULL, &c), ENOENT);
	int file = openat(fd, "config.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(file, full_config.data, full_config.len), full_config.len);
	close(file);
	assert_ok(oci_config_load(fd, "config.json", arena, NULL, &c));
	assert_string_equal(c->hostname, "stube");
	unlinkat(fd, "config.json", 0);
	close(fd);
	rmdir(dir);
}

static void test_sysctls_know_their_namespace_and_their_file(void **state)
{
	(void)state;
	static const struct { const char *key, *path; int namespace; } rows[] = {
		{ "net.ipv4.ip_forward", "net/ipv4/ip_forward", CLONE_NEWNET },
		{ "net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding", CLONE_NEWNET },
		{ "net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding", CLONE_NEWNET },
		{ "kernel.sem", "kernel/sem", CLONE_NEWIPC },
		{ "fs.mqueue.msg_max", "fs/mqueue/msg_max", CLONE_NEWIPC },
		{ "kernel.domainname", "kernel/domainname", CLONE_NEWUTS },
		{ "user.max_user_namespaces", "user/max_user_namespaces", CLONE_NEWUSER },
		{ "kernel.panic", "kernel/panic", 0 },
		{ "network.x", "network/x", 0 },
		{ "net", "net", 0 },
		{ "net/./x", NULL, 0 },
		{ "/net/x", NULL, 0 },
		{ "net.", NULL, 0 },
	};
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool good = oci_sysctl_path(rows[i].key, path, sizeof path);
		assert_int_equal(good, rows[i].path != NULL);
		if (good)
			assert_string_equal(path, rows[i].path);
		assert_int_equal(oci_sysctl_namespace(rows[i].key), rows[i].namespace);
	}
	assert_false(oci_sysctl_path("net.ipv4.ip_forward", path, 19));
	assert_true(oci_sysctl_path("net.ipv4.ip_forward", path, 20));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_every_field_of_the_specification_reads_back_as_written),
		TEST(test_values_arrive_in_the_kernels_numbers),
		TEST(test_a_minimal_document_says_nothing_more),
		TEST(test_empty_lists_say_as_little_as_absent_ones),
		TEST(test_starting_needs_a_program),
		TEST(test_a_wrong_process_is_refused),
		TEST(test_wrong_mounts_and_hooks_are_refused),
		TEST(test_wrong_namespaces_and_mappings_are_refused),
		TEST(test_wrong_parts_of_linux_are_refused),
		TEST(test_wrong_resources_are_refused),
		TEST(test_a_wrong_filter_is_refused),
		TEST(test_versions_are_semantic_and_of_major_one),
		TEST(test_sections_of_other_systems_are_passed_over_beside_linux_else_refused),
		TEST(test_what_the_specification_lets_pass_is_a_warning),
		TEST(test_mounts_alone_are_a_document_too),
		TEST(test_engines_write_the_recursive_propagations_too),
		TEST(test_empty_texts_say_as_little_as_absent_ones),
		TEST(test_a_joined_user_namespace_may_repeat_its_mappings),
		TEST(test_errors_of_rules_name_line_and_column_too),
		TEST(test_a_process_document_stands_alone),
		TEST(test_a_resources_document_stands_alone),
		TEST(test_a_bundle_is_loaded_from_its_directory),
		TEST(test_sysctls_know_their_namespace_and_their_file),
	};

	return cmocka_run_group_tests(tests, read_full_config, drop_full_config);
}
