/* tests/vm/limits.c: promises about limits, on a kernel that has them: each is enforced, none is a number in a file
 * alone. */
#include "tests/vm/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SLEEP "\"load\",\"memory\",\"1\",\"1000\""

static void memory_kill(void)
{
	EQUAL(vm_run("{\"memory\":{\"limit\":16777216,\"swap\":16777216}}", "\"load\",\"memory\",\"100\""), 137);
	HAS(vm_output, "was killed: out of memory (linux.resources.memory.limit)");
	HAS(vm_output, vm_id);
}

static void memory_below(void)
{
	EQUAL(vm_run("{\"memory\":{\"limit\":16777216,\"swap\":16777216}}", "\"load\",\"memory\",\"4\""), 0);
	IS(vm_output, "touched 4 MiB");
}

static bool is_in_state(const char *state)
{
	VM_RT("state", vm_id);
	return strstr(vm_output, state) != NULL;
}

/* A signal is not taken for a lack of memory. */
static void killed_by_signal(void)
{
	vm_config("{\"memory\":{\"limit\":67108864}}", SLEEP, "");
	pid_t runtime = vm_spawn("/tmp/vm/run", "run", "-b", VM_BUNDLE, vm_id, NULL);
	UNTIL(is_in_state("\"running\""));
	SUCCEEDS(VM_RT("kill", vm_id, "KILL"));
	EQUAL(vm_wait(runtime), 137);
	EQUAL(strstr(vm_said("/tmp/vm/run"), "out of memory") != NULL, false);
}

static void memory_values(void)
{
	vm_begin("{\"memory\":{\"limit\":67108864,\"reservation\":33554432,\"swap\":100663296},"
		 "\"unified\":{\"memory.high\":\"50331648\",\"memory.min\":\"1048576\"}}", SLEEP);
	IS(vm_value("memory.max"), "67108864");
	IS(vm_value("memory.low"), "33554432");
	IS(vm_value("memory.high"), "50331648");
	IS(vm_value("memory.min"), "1048576");
	IS(vm_value("memory.swap.max"), "33554432");
}

/* Pages beyond memory.high are reclaimed and the process is slowed down, not killed. */
static void memory_high(void)
{
	vm_begin("{\"unified\":{\"memory.high\":\"2097152\"}}", "\"load\",\"memory\",\"3\",\"1000\"");
	UNTIL(vm_key("memory.events", "high") > 0);
	EQUAL(vm_key("memory.events", "oom_kill"), 0);
}

static void memory_tiny(void)
{
	EQUAL(vm_run("{\"memory\":{\"limit\":262144}}", "\"load\",\"open\",\"/bin/sh\",\"r\""), 0);
	IS(vm_output, "ok");
}

static void fork_bomb(void)
{
	EQUAL(vm_run("{\"pids\":{\"limit\":20}}", "\"load\",\"fork\",\"100\""), 0);
	IS(vm_output, "19 EAGAIN");
}

/* The share of a processor that the container got over `ms`, in thousandths. */
static int64_t share(int ms)
{
	int64_t used = vm_key("cpu.stat", "usage_usec"), start = vm_now_usec();

	vm_sleep_ms(ms);
	used = vm_key("cpu.stat", "usage_usec") - used;
	return used * 1000 / (vm_now_usec() - start);
}

static void cpu_quota(void)
{
	vm_begin("{\"cpu\":{\"quota\":20000,\"period\":100000}}", "\"load\",\"spin\",\"600000\"");
	IS(vm_value("cpu.max"), "20000 100000");
	vm_sleep_ms(300);
	int64_t got = share(3000);
	vm_note("20 percent: %lld thousandths", (long long)got);
	BETWEEN(got, 180, 220);
	SUCCEEDS(VM_RT("update", "--cpu-quota", "50000", vm_id));
	IS(vm_value("cpu.max"), "50000 100000");
	vm_sleep_ms(300);
	got = share(3000);
	vm_note("50 percent: %lld thousandths", (long long)got);
	BETWEEN(got, 450, 550);
	EQUAL(vm_key("cpu.stat", "nr_throttled") > 0, true);
}

static void cpu_weights(void)
{
	vm_begin("{\"cpu\":{\"shares\":1024}}", SLEEP);
	IS(vm_value("cpu.weight"), "100");
	SUCCEEDS(VM_RT("update", "--cpu-share", "2048", vm_id));
	IS(vm_value("cpu.weight"), "174");
	SUCCEEDS(VM_RT("update", "--cpu-share", "2", vm_id));
	IS(vm_value("cpu.weight"), "1");
	SUCCEEDS(VM_RT("update", "--cpu-idle", "1", vm_id));
	IS(vm_value("cpu.idle"), "1");
}

#define HEAVY "{\"unified\":{\"cpu.weight\":\"400\"}}"
#define LIGHT "{\"unified\":{\"cpu.weight\":\"100\"}}"
#define HEAVY_SMP "{\"cpu\":{\"cpus\":\"0\"},\"unified\":{\"cpu.weight\":\"400\"}}"
#define LIGHT_SMP "{\"cpu\":{\"cpus\":\"0\"},\"unified\":{\"cpu.weight\":\"100\"}}"

/* Two that spin on the same processor. */
static void cpu_fight(void)
{
	char first[64];
	int64_t heavy, light, start;

	vm_begin(vm_smp ? HEAVY_SMP : HEAVY, "\"load\",\"spin\",\"600000\"");
	strcpy(first, vm_id);
	strcat(vm_id, "-light");
	vm_begin(vm_smp ? LIGHT_SMP : LIGHT, "\"load\",\"spin\",\"600000\"");
	vm_sleep_ms(300);
	light = vm_key("cpu.stat", "usage_usec");
	strcpy(vm_id, first);
	heavy = vm_key("cpu.stat", "usage_usec");
	start = vm_now_usec();
	vm_sleep_ms(4000);
	heavy = vm_key("cpu.stat", "usage_usec") - heavy;
	strcat(vm_id, "-light");
	light = vm_key("cpu.stat", "usage_usec") - light;
	vm_note("weights 400 and 100: %lld and %lld us of %lld", (long long)heavy, (long long)light,
		(long long)(vm_now_usec() - start));
	SUCCEEDS(VM_RT("delete", "--force", vm_id));
	strcpy(vm_id, first);
	BETWEEN(light ? heavy * 100 / light : 0, 300, 500);
}

static void io_max(void)
{
	char resources[256], want[128];
	struct stat st;

	stat("/tmp", &st);
	snprintf(resources, sizeof resources, "{\"blockIO\":{\"throttleWriteBpsDevice\":[{\"major\":%u,\"minor\":%u,"
		 "\"rate\":1048576}]}}", major(st.st_dev), minor(st.st_dev));
	EQUAL(vm_run(resources, "\"load\",\"write\",\"/tmp/data\",\"3072\""), 0);
	unlink(VM_BUNDLE "/rootfs/tmp/data");
	vm_note("3 MiB at 1 MiB a second: %s ms", vm_output);
	BETWEEN(strtol(vm_output, NULL, 10), 2500, 60000);
	snprintf(resources, sizeof resources, "{\"blockIO\":{\"throttleReadIOPSDevice\":[{\"major\":%u,\"minor\":%u,"
		 "\"rate\":500}]}}", major(st.st_dev), minor(st.st_dev));
	vm_begin(resources, SLEEP);
	snprintf(want, sizeof want, "%u:%u rbps=max wbps=max riops=500 wiops=max", major(st.st_dev), minor(st.st_dev));
	IS(vm_value("io.max"), want);
	snprintf(resources, sizeof resources, "{\"blockIO\":{\"throttleWriteBpsDevice\":[{\"major\":%u,\"minor\":%u,"
		 "\"rate\":7000000}]}}", major(st.st_dev), minor(st.st_dev));
	SUCCEEDS(vm_update(resources));
	snprintf(want, sizeof want, "%u:%u rbps=max wbps=7000000 riops=500 wiops=max", major(st.st_dev),
		 minor(st.st_dev));
	IS(vm_value("io.max"), want);
}

#define KMSG ",\"devices\":[{\"path\":\"/dev/kmsg\",\"type\":\"c\",\"major\":1,\"minor\":11}]"
#define THREE_MODES "\"sh\",\"-c\",\"for m in r w rw; do load open /dev/kmsg $m; done\""
#define ALL "{\"allow\":true,\"access\":\"rwm\"}"
#define NO_WRITE "{\"allow\":false,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"w\"}"

static void devices_order(void)
{
	vm_config("{\"devices\":[" ALL "," NO_WRITE "]}", THREE_MODES, KMSG);
	EQUAL(VM_RT("run", "-b", VM_BUNDLE, vm_id), 0);
	IS(vm_output, "ok\nEPERM\nEPERM");
	vm_config("{\"devices\":[" NO_WRITE "," ALL "]}", THREE_MODES, KMSG);
	EQUAL(VM_RT("run", "-b", VM_BUNDLE, vm_id), 0);
	IS(vm_output, "ok\nok\nok");
}

#define NONE "{\"allow\":false,\"access\":\"rwm\"}"

static void devices_update(void)
{
	vm_begin("{\"devices\":[" NONE "]}", SLEEP);
	unlink(VM_BUNDLE "/rootfs/tmp/log");
	VM_EXEC("load", "mknod", "/tmp/log", "c", "1", "11");
	IS(vm_output, "ok");
	VM_EXEC("load", "open", "/tmp/log", "r");
	IS(vm_output, "EPERM");
	VM_EXEC("load", "open", "/dev/null", "rw");
	IS(vm_output, "ok");
	SUCCEEDS(vm_update("{\"devices\":[" NONE ",{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"r\"}]}"));
	VM_EXEC("load", "open", "/tmp/log", "r");
	IS(vm_output, "ok");
	VM_EXEC("load", "open", "/tmp/log", "w");
	IS(vm_output, "EPERM");
	/* What says nothing of devices leaves them as they are. */
	SUCCEEDS(VM_RT("update", "--pids-limit", "100", vm_id));
	VM_EXEC("load", "open", "/tmp/log", "w");
	IS(vm_output, "EPERM");
	unlink(VM_BUNDLE "/rootfs/tmp/log");
}

static void update(void)
{
	vm_begin("{\"memory\":{\"limit\":67108864},\"cpu\":{\"quota\":20000,\"period\":100000},\"pids\":{\"limit\":20}}", SLEEP);
	SUCCEEDS(VM_RT("update", "--memory", "32m", "--memory-reservation", "16m", "--pids-limit", "30", vm_id));
	IS(vm_value("memory.max"), "33554432");
	IS(vm_value("memory.low"), "16777216");
	IS(vm_value("pids.max"), "30");
	/* One half of a pair. */
	SUCCEEDS(VM_RT("update", "--cpu-period", "50000", vm_id));
	IS(vm_value("cpu.max"), "20000 50000");
	SUCCEEDS(VM_RT("update", "--memory-swap", "48m", vm_id));
	IS(vm_value("memory.swap.max"), "16777216");
	SUCCEEDS(VM_RT("update", "--memory", "-1", "--pids-limit", "-1", "--cpu-quota", "-1", vm_id));
	IS(vm_value("memory.max"), "max");
	IS(vm_value("memory.swap.max"), "max");
	IS(vm_value("pids.max"), "max");
	IS(vm_value("cpu.max"), "max 50000");
	SUCCEEDS(vm_update("{\"unified\":{\"memory.high\":\"20000768\"}}"));
	IS(vm_value("memory.high"), "20000768");
}

static void check_before_update(void)
{
	vm_begin("{\"memory\":{\"limit\":67108864,\"swap\":67108864}}", "\"load\",\"memory\",\"12\",\"1000\"");
	UNTIL(strtoll(vm_value("memory.current"), NULL, 10) > 12 << 20);
	EQUAL(vm_update("{\"memory\":{\"limit\":4194304,\"swap\":4194304,\"checkBeforeUpdate\":true}}"), 1);
	HAS(vm_output, "linux.resources.memory.limit: 4194304 is less than the ");
	HAS(vm_output, " bytes in use");
	IS(vm_value("memory.max"), "67108864");
	SUCCEEDS(vm_update("{\"memory\":{\"limit\":4194304,\"swap\":4194304}}"));
	UNTIL(is_in_state("\"stopped\""));
}

/* What the tests above see is the doing of the limits, not of the machine. */
static void without_limits(void)
{
	int64_t fastest = INT64_MAX;

	EQUAL(vm_run("{}", "\"load\",\"memory\",\"100\""), 0);
	IS(vm_output, "touched 100 MiB");
	EQUAL(vm_run("{}", "\"load\",\"fork\",\"100\""), 0);
	IS(vm_output, "100 ok");
	for (int i = 0; i < 5 && fastest > 1500; i++) {
		EQUAL(vm_run("{}", "\"load\",\"write\",\"/tmp/data\",\"3072\""), 0);
		unlink(VM_BUNDLE "/rootfs/tmp/data");
		int64_t took = strtoll(vm_output, NULL, 10);
		fastest = took < fastest ? took : fastest;
	}
	vm_note("3 MiB: %lld ms", (long long)fastest);
	BETWEEN(fastest, 0, 1500);
	vm_config("{\"devices\":[" ALL "]}", THREE_MODES, KMSG);
	EQUAL(VM_RT("run", "-b", VM_BUNDLE, vm_id), 0);
	IS(vm_output, "ok\nok\nok");
	vm_begin("{}", "\"load\",\"spin\",\"600000\"");
	vm_sleep_ms(300);
	int64_t got = share(1000);
	vm_note("%lld thousandths", (long long)got);
	EQUAL(got > 600, true);
}

static void missing_controller(void)
{
	EQUAL(vm_run("{\"rdma\":{\"none\":{\"hcaHandles\":1}},\"unified\":{\"nothing.max\":\"1\"}}", SLEEP), 1);
	HAS(vm_output, ": the controller '");
	HAS(vm_output, "' is not available in the cgroup v2 hierarchy at '/sys/fs/cgroup'");
	HAS(vm_output, "linux.resources.");
}

/* ---- on two processors ---- */

static void cpuset(void)
{
	char path[64];

	vm_begin("{\"cpu\":{\"cpus\":\"1\",\"mems\":\"0\"}}", "\"load\",\"spin\",\"600000\"");
	IS(vm_value("cpuset.cpus.effective"), "1");
	IS(vm_value("cpuset.mems.effective"), "0");
	snprintf(path, sizeof path, "/proc/%d/status", vm_pid());
	HAS(vm_read(path), "Cpus_allowed_list:\t1\n");
	SUCCEEDS(VM_RT("update", "--cpuset-cpus", "0", vm_id));
	HAS(vm_read(path), "Cpus_allowed_list:\t0\n");
	EQUAL(VM_RT("update", "--cpuset-cpus", "7", vm_id), 1);
	HAS(vm_output, "linux.resources.cpu.cpus");
}

static void pressure(void)
{
	vm_begin("{\"cpu\":{\"quota\":10000,\"period\":100000}}", "\"load\",\"spin\",\"600000\"");
	UNTIL(vm_key("cpu.stat", "nr_throttled") > 5);
	SUCCEEDS(VM_RT("events", "--stats", vm_id));
	HAS(vm_output, "\"psi\":{\"some\":{\"avg10\":");
	HAS(vm_output, "\"full\":{\"avg10\":");
	const char *total = strstr(vm_output, "\"total\":");
	total = strstr(vm_output, "\"psi\"");
	total = total ? strstr(total, "\"total\":") : NULL;
	EQUAL(total && strtoll(total + 8, NULL, 10) > 0, true);
}

static void io_weight(void)
{
	vm_begin("{\"blockIO\":{\"weight\":500}}", SLEEP);
	HAS(vm_value("io.weight"), "default 4950");
	SUCCEEDS(VM_RT("update", "--blkio-weight", "10", vm_id));
	HAS(vm_value("io.weight"), "default 1");
}

static void huge_pages(void)
{
	vm_begin("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}", SLEEP);
	IS(vm_value("hugetlb.2MB.max"), "4194304");
	IS(vm_value("hugetlb.2MB.rsvd.max"), "4194304");
}

static const struct vm_test tests[] = {
	{ "a process that takes more memory than its limit is killed, and run says why", memory_kill, false },
	{ "one that stays below its limit lives", memory_below, false },
	{ "one that a signal ends did not lack memory", killed_by_signal, false },
	{ "each limit of memory is the kernel's", memory_values, false },
	{ "beyond memory.high a process is held back, not killed", memory_high, false },
	{ "a container starts with a memory limit of 256 KiB", memory_tiny, false },
	{ "a fork bomb stops at pids.max", fork_bomb, false },
	{ "a spinner gets its quota of a processor within 10 percent, before and after update", cpu_quota, false },
	{ "shares become weights; the default of one is the default of the other", cpu_weights, false },
	{ "of two that spin on one processor, four times the weight gives four times as much", cpu_fight, false },
	{ "a writer keeps io.max, and update changes a line of it", io_max, false },
	{ "devices: what a later rule says wins, whichever way", devices_order, false },
	{ "devices: a node can be made but not opened, until update allows it", devices_update, false },
	{ "update changes what is in force, one half of a pair included", update, false },
	{ "checkBeforeUpdate refuses a limit below what is in use; without it the process is killed",
	  check_before_update, false },
	{ "without limits nothing of this is refused, slowed or killed", without_limits, false },
	{ "a controller that is missing is named with its field", missing_controller, false },
	{ "processors and memory nodes are those of cpu.cpus and cpu.mems", cpuset, true },
	{ "figures of pressure are in events --stats", pressure, true },
	{ "the weight of input and output is the kernel's", io_weight, true },
	{ "huge pages are limited, reserved ones too", huge_pages, true },
};
VM_MAIN(tests)
