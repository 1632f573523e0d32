/* tests/vm/life.c: promises about a container's cgroup from create to delete, where all controllers are: pause, kill,
 * figures, notices, and that nothing stays, whoever is killed. */
#include "tests/vm/vm.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLEEP "\"load\",\"memory\",\"1\",\"1000\""
#define SOME "{\"memory\":{\"limit\":67108864,\"swap\":100663296},\"cpu\":{\"quota\":50000,\"period\":100000},\"pids\":{\"limit\":20}}"

static bool is_in_state(const char *state)
{
	VM_RT("state", vm_id);
	return strstr(vm_output, state) != NULL;
}

static void frozen(void)
{
	vm_begin(SOME, "\"load\",\"spin\",\"600000\"");
	SUCCEEDS(VM_RT("pause", vm_id));
	EQUAL(vm_key("cgroup.events", "frozen"), 1);
	EQUAL(is_in_state("\"paused\""), true);
	int64_t used = vm_key("cpu.stat", "usage_usec");
	vm_sleep_ms(200);
	EQUAL(vm_key("cpu.stat", "usage_usec"), used);
	SUCCEEDS(VM_RT("update", "--pids-limit", "30", vm_id));
	IS(vm_value("pids.max"), "30");
	SUCCEEDS(VM_RT("resume", vm_id));
	UNTIL(vm_key("cpu.stat", "usage_usec") > used);
	/* A frozen one is deleted as well. */
	SUCCEEDS(VM_RT("pause", vm_id));
	SUCCEEDS(VM_RT("delete", "--force", vm_id));
}

static void kill_all(void)
{
	vm_begin(SOME, "\"sh\",\"-c\",\"load memory 1 1000 & load memory 1 1000 & wait\"");
	UNTIL(strtol(vm_value("pids.current"), NULL, 10) == 3);
	SUCCEEDS(VM_RT("kill", "--all", vm_id, "KILL"));
	UNTIL(is_in_state("\"stopped\""));
	/* systemd takes away a scope in which nobody is left. */
	EQUAL(access(vm_dir(), F_OK) == 0 ? vm_key("cgroup.events", "populated") > 0 : !vm_systemd, false);
}

/* Each limit and what is used of it, as its callers read them. */
static void figures(void)
{
	static const char *const wanted[] = {
		"{\"type\":\"stats\",\"id\":\"", "\"cpu\":{\"usage\":{\"total\":", "\"kernel\":", "\"user\":",
		"\"throttling\":{\"periods\":", "\"throttledPeriods\":", "\"throttledTime\":",
		"\"usage\":{\"limit\":67108864,\"usage\":", "\"failcnt\":0", "\"cache\":", "\"raw\":{\"anon\":",
		"\"pids\":{\"current\":1,\"limit\":20}", "\"ioServiceBytesRecursive\":[", "\"ioServicedRecursive\":[",
	};

	vm_begin(SOME, SLEEP);
	UNTIL(strtol(vm_value("memory.current"), NULL, 10) > 1 << 20);
	SUCCEEDS(VM_RT("events", "--stats", vm_id));
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		HAS(vm_output, wanted[i]);
	const char *usage = strstr(vm_output, "\"limit\":67108864,\"usage\":");
	EQUAL(usage && strtol(usage + strlen("\"limit\":67108864,\"usage\":"), NULL, 10) > 1 << 20, true);
	const char *total = strstr(vm_output, "\"total\":");
	EQUAL(total && strtoll(total + 8, NULL, 10) > 0, true);
}

static bool said(const char *file, const char *text)
{
	return strstr(vm_said(file), text) != NULL;
}

/* A process that exec brought in is killed: the container lives, and whoever watches is told at once. */
static void oom_notice(void)
{
	char notice[128];

	vm_begin("{\"memory\":{\"limit\":16777216,\"swap\":16777216}}", SLEEP);
	pid_t watcher = vm_spawn("/tmp/vm/events", "events", "--interval", "200ms", vm_id, NULL);
	UNTIL(said("/tmp/vm/events", "\"type\":\"stats\""));
	EQUAL(VM_EXEC("load", "memory", "100"), 137);
	snprintf(notice, sizeof notice, "{\"type\":\"oom\",\"id\":\"%s\"}", vm_id);
	UNTIL(said("/tmp/vm/events", notice));
	EQUAL(is_in_state("\"running\""), true);
	SUCCEEDS(VM_RT("kill", vm_id, "KILL"));
	EQUAL(vm_wait(watcher), 0);
}

/* The kill that ends the container: its cgroup may be gone before anybody looks. */
static void oom_notice_at_end(void)
{
	char notice[128];

	vm_config("{\"memory\":{\"limit\":16777216,\"swap\":16777216}}", "\"load\",\"memory\",\"100\"", "");
	SUCCEEDS(VM_RT("create", "-b", VM_BUNDLE, vm_id));
	pid_t watcher = vm_spawn("/tmp/vm/events", "events", "--interval", "200ms", vm_id, NULL);
	UNTIL(said("/tmp/vm/events", "\"type\":\"stats\""));
	SUCCEEDS(VM_RT("start", vm_id));
	EQUAL(vm_wait(watcher), 0);
	snprintf(notice, sizeof notice, "{\"type\":\"oom\",\"id\":\"%s\"}", vm_id);
	HAS(vm_said("/tmp/vm/events"), notice);
}

/* Is any process left that this test started? Inside the machine nobody else runs these. */
static int strangers(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[300];
	int count = 0;

	while (proc && (entry = readdir(proc))) {
		snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
		const char *name = atoi(entry->d_name) > 0 ? vm_read(path) : "";
		count += strncmp(name, "stube-", 6) == 0 && strcmp(name, "stube-vm") != 0;
		count += strcmp(name, "load") == 0;
	}
	if (proc)
		closedir(proc);
	return count;
}

static int state_entries(void)
{
	DIR *dir = opendir("/tmp/vm/state");
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

/* How long a run takes here, so that the kills spread over all of it. */
static void killed_runtime(void)
{
	enum { TURNS = 24 };
	int64_t start = vm_now_usec(), took;

	vm_begin(SOME, SLEEP);
	took = vm_now_usec() - start;
	SUCCEEDS(VM_RT("delete", "--force", vm_id));
	vm_config(SOME, SLEEP, "");
	for (int i = 0; i < TURNS; i++) {
		pid_t runtime = vm_spawn("/tmp/vm/run", "run", "-d", "-b", VM_BUNDLE, vm_id, NULL);
		usleep((useconds_t)(took * i / (TURNS - 4)));
		kill(runtime, SIGKILL);
		vm_wait(runtime);
		/* Killed before its record: unknown. */
		int status = VM_RT("delete", "--force", vm_id);
		if (status != 0)
			HAS(vm_output, "does not exist");
		if (access(vm_dir(), F_OK) == 0)
			vm_is(__LINE__, "cgroup", vm_dir(), "gone");
		EQUAL(state_entries(), 0);
	}
	UNTIL(strangers() == 0);
	vm_note("%d kills within %lld ms", TURNS, (long long)took / 1000);
}

/* The cgroup's own directory only: its parents are somebody else's when they were there. */
static void parents_stay(void)
{
	char parent[300], *slash;

	snprintf(parent, sizeof parent, "%s", vm_dir());
	vm_begin(SOME, SLEEP);
	slash = strrchr(parent, '/');
	*slash = '\0';
	EQUAL(access(parent, F_OK), 0);
	SUCCEEDS(VM_RT("delete", "--force", vm_id));
	if (!vm_systemd)
		EQUAL(access(parent, F_OK), -1);
}

static const struct vm_test tests[] = {
	{ "pause stops the processes, update reaches them, resume lets them go on, delete takes them", frozen, false },
	{ "kill --all ends every process of the container", kill_all, false },
	{ "events --stats has each limit and what is used of it", figures, false },
	{ "events tells of a kill for lack of memory at once, and ends with the container", oom_notice, false },
	{ "events tells of the kill for lack of memory that ends the container", oom_notice_at_end, false },
	{ "delete takes the container's cgroup with the parents that were made for it", parents_stay, false },
	{ "a runtime that is killed at any moment leaves nothing that delete --force does not take", killed_runtime, false },
};
VM_MAIN(tests)
