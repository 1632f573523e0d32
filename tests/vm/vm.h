/* tests/vm/vm.h: what test programs inside the machines share. Starting a process costs 10 ms and more there, a shell's
 * test of some lines a second; so these tests are C and start nothing but the runtime. Plain TAP, static. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct vm_test {
	const char *name;
	void (*run)(void);
	bool needs_smp; /* only where there are two processors, cpuset and pressure figures */
};

/* Run them all: each with a container id of its own, vm_id, which must be gone afterwards with its cgroup. */
int vm_main(int argc, char **argv, const struct vm_test *tests, size_t count);
#define VM_MAIN(tests) \
	int main(int argc, char **argv) { return vm_main(argc, argv, tests, sizeof tests / sizeof *tests); }

extern char vm_id[64];
extern bool vm_systemd; /* the manager is systemd, not cgroupfs */
extern bool vm_smp;     /* the machine has two processors */
#define VM_BUNDLE "/tmp/vm/b"

/* config.json: process.args as JSON strings, linux.resources as JSON, more members of "linux" (", "devices": [...]"). */
void vm_config(const char *resources, const char *args, const char *more);

/* Run the runtime to its end: exit status. What it and the container print is vm_output: all of stdout, then all of stderr. */
int vm_rt(const char *word, ...) __attribute__((sentinel));
#define VM_RT(...) vm_rt(__VA_ARGS__, NULL)
extern char vm_output[1 << 20];
/* The same, not waited for; its output goes to the file. */
pid_t vm_spawn(const char *file, const char *word, ...) __attribute__((sentinel));
int vm_wait(pid_t pid);
/* What is in a file now, in a buffer of this function's. */
const char *vm_read(const char *path);
/* vm_output from a file that vm_spawn() writes. */
const char *vm_said(const char *file);

/* In the foreground; in the background, with success. */
int vm_run(const char *resources, const char *args);
void vm_begin(const char *resources, const char *args);
/* `update` with a document. */
int vm_update(const char *json);
/* `exec` of a command in the running container: exit status; prints to vm_output. */
#define VM_EXEC(...) VM_RT("exec", vm_id, __VA_ARGS__)

/* A file of the container's cgroup: its lines as one; a number behind a key, -1 without. */
const char *vm_value(const char *file);
int64_t vm_key(const char *file, const char *key);
const char *vm_dir(void);
pid_t vm_pid(void);
int64_t vm_now_usec(void);
void vm_sleep_ms(int ms);

/* Expectations; a failure is told with line, got and wanted, and the test goes on. */
void vm_is(int line, const char *what, const char *got, const char *want);
void vm_has(int line, const char *what, const char *got, const char *want);
void vm_between(int line, const char *what, int64_t got, int64_t low, int64_t high);
#define IS(got, want) vm_is(__LINE__, #got, got, want)
#define HAS(got, want) vm_has(__LINE__, #got, got, want)
#define BETWEEN(got, low, high) vm_between(__LINE__, #got, got, low, high)
#define EQUAL(got, want) BETWEEN(got, want, want)
#define SUCCEEDS(call) EQUAL(call, 0)
void vm_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Until the condition holds, at most a minute; false then, and the test has failed. */
#define UNTIL(condition)                                                     \
	do {                                                                 \
		int turns_ = 0;                                              \
		while (!(condition) && turns_++ < 3000)                      \
			vm_sleep_ms(20);                                     \
		vm_is(__LINE__, "until " #condition, turns_ > 3000 ? "no" : "yes", "yes"); \
	} while (0)
