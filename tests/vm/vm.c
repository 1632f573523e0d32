/* tests/vm/vm.c: a bundle, the runtime, a container's cgroup and TAP for the test programs of the machines. */
#include "tests/vm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROOT "/tmp/vm/state"
#define OUT "/tmp/vm/out"

char vm_id[64], vm_output[1 << 20];
bool vm_systemd, vm_smp;
static const char *runtime_path, *manager;
static int failures; /* of the test that runs */

/* ---- files ---- */

static void read_into(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	while (fd >= 0 && len < size - 1 && (n = read(fd, buffer + len, size - 1 - len)) > 0)
		len += (size_t)n;
	buffer[len] = '\0';
	if (fd >= 0)
		close(fd);
	while (len && buffer[len - 1] == '\n')
		buffer[--len] = '\0';
}

const char *vm_read(const char *path)
{
	static char buffer[1 << 16];

	read_into(path, buffer, sizeof buffer);
	return buffer;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		exit(1);
	}
}

/* ---- processes ---- */

enum { WORDS_MAX = 32 };

/* Errors have a file of their own beside it: two writers of one would mix their lines. */
static const char *errors_of(const char *file)
{
	static char path[64];

	snprintf(path, sizeof path, "%s.err", file);
	return path;
}

static void redirect(const char *file, int to)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

	dup2(fd, to);
	close(fd);
}

static pid_t spawn(const char *file, const char **words)
{
	fflush(stdout);
	/* A container in the background may still write to the one before. */
	unlink(file);
	unlink(errors_of(file));
	pid_t pid = fork();
	if (pid)
		return pid;
	redirect(file, 1);
	redirect(errors_of(file), 2);
	execv(words[0], (char **)words);
	_exit(127);
}

static void gather(const char **words, const char *word, va_list rest)
{
	static char option[64];
	int n = 0;

	snprintf(option, sizeof option, "--cgroup-manager=%s", manager);
	words[n++] = runtime_path;
	words[n++] = "--root=" ROOT;
	words[n++] = option;
	for (; word && n < WORDS_MAX - 1; word = va_arg(rest, const char *))
		words[n++] = word;
	words[n] = NULL;
}

int vm_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t vm_spawn(const char *file, const char *word, ...)
{
	const char *words[WORDS_MAX];
	va_list rest;

	va_start(rest, word);
	gather(words, word, rest);
	va_end(rest);
	return spawn(file, words);
}

int vm_rt(const char *word, ...)
{
	const char *words[WORDS_MAX];
	va_list rest;

	va_start(rest, word);
	gather(words, word, rest);
	va_end(rest);
	int status = vm_wait(spawn(OUT, words));
	vm_said(OUT);
	return status;
}

const char *vm_said(const char *file)
{
	read_into(file, vm_output, sizeof vm_output);
	size_t len = strlen(vm_output);
	read_into(errors_of(file), vm_output + len + 1, sizeof vm_output - len - 1);
	if (len && vm_output[len + 1])
		vm_output[len] = '\n';
	else if (!len)
		memmove(vm_output, vm_output + 1, strlen(vm_output + 1) + 1);
	return vm_output;
}

/* ---- the container ---- */

void vm_config(const char *resources, const char *args, const char *more)
{
	static const char format[] =
		"{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[%s],\"cwd\":\"/\","
		"\"env\":[\"PATH=/bin\"],\"capabilities\":{\"bounding\":[%s],\"effective\":[%s],\"permitted\":[%s]}},"
		"\"root\":{\"path\":\"rootfs\"},\"mounts\":["
		"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
		"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"mode=755\"]},"
		"{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"ro\"]}],"
		"\"linux\":{\"cgroupsPath\":\"%s%s\",\"resources\":%s%s,\"namespaces\":[{\"type\":\"pid\"},"
		"{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"network\"},{\"type\":\"cgroup\"}]}}";
	static const char caps[] = "\"CAP_MKNOD\",\"CAP_KILL\",\"CAP_SYSLOG\"";
	static char text[1 << 16];

	snprintf(text, sizeof text, format, args, caps, caps, caps,
		 vm_systemd ? "vmtest.slice:stube:" : "/vmtest/", vm_id, resources, more);
	write_file(VM_BUNDLE "/config.json", text);
}

const char *vm_dir(void)
{
	static char dir[256];

	snprintf(dir, sizeof dir, vm_systemd ? "/sys/fs/cgroup/vmtest.slice/stube-%s.scope" :
		 "/sys/fs/cgroup/vmtest/%s", vm_id);
	return dir;
}

const char *vm_value(const char *file)
{
	static char buffers[4][1 << 14];
	static unsigned next;
	char *buffer = buffers[next++ % 4], path[512];

	snprintf(path, sizeof path, "%s/%s", vm_dir(), file);
	read_into(path, buffer, sizeof buffers[0]);
	for (char *c = buffer; *c; c++)
		if (*c == '\n')
			*c = ' ';
	return buffer;
}

int64_t vm_key(const char *file, const char *key)
{
	const char *text = vm_value(file);
	size_t len = strlen(key);

	for (const char *at = text; (at = strstr(at, key)); at += len)
		if ((at == text || at[-1] == ' ') && at[len] == ' ')
			return strtoll(at + len, NULL, 10);
	return -1;
}

pid_t vm_pid(void)
{
	char path[256];

	snprintf(path, sizeof path, ROOT "/%s/state.json", vm_id);
	const char *at = strstr(vm_read(path), "\"pid\":");
	return at ? atoi(at + 6) : -1;
}

int vm_run(const char *resources, const char *args)
{
	vm_config(resources, args, "");
	return VM_RT("run", "-b", VM_BUNDLE, vm_id);
}

void vm_begin(const char *resources, const char *args)
{
	vm_config(resources, args, "");
	SUCCEEDS(VM_RT("run", "-d", "-b", VM_BUNDLE, vm_id));
	if (access(vm_dir(), F_OK) < 0)
		vm_is(__LINE__, "cgroup", "missing", vm_dir());
}

int vm_update(const char *json)
{
	write_file("/tmp/vm/resources.json", json);
	return VM_RT("update", "-r", "/tmp/vm/resources.json", vm_id);
}

int64_t vm_now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void vm_sleep_ms(int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

/* ---- TAP ---- */

static char notes[1 << 16];

void vm_note(const char *format, ...)
{
	size_t len = strlen(notes);
	va_list args;

	va_start(args, format);
	int n = vsnprintf(notes + len, sizeof notes - len, format, args);
	va_end(args);
	if (n > 0 && len + (size_t)n + 2 < sizeof notes)
		strcat(notes, "\n");
}

static void fail(int line, const char *what, const char *got, const char *how, const char *want)
{
	failures++;
	vm_note("line %d: %s: got '%s', %s '%s'", line, what, got, how, want);
	if (got != vm_output)
		vm_note("last output: %s", vm_output);
}

void vm_is(int line, const char *what, const char *got, const char *want)
{
	if (strcmp(got, want) != 0)
		fail(line, what, got, "want", want);
}

void vm_has(int line, const char *what, const char *got, const char *want)
{
	if (!strstr(got, want))
		fail(line, what, got, "lacks", want);
}

void vm_between(int line, const char *what, int64_t got, int64_t low, int64_t high)
{
	char have[32], wanted[64];

	if (got >= low && got <= high)
		return;
	snprintf(have, sizeof have, "%lld", (long long)got);
	snprintf(wanted, sizeof wanted, low == high ? "%lld" : "%lld to %lld", (long long)low, (long long)high);
	fail(line, what, have, "want", wanted);
}

static void say_notes(void)
{
	char *save = NULL;

	for (char *line = strtok_r(notes, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		printf("# %s\n", line);
	notes[0] = '\0';
}

/* The promise of every test: delete leaves neither container nor cgroup. */
static void clean_up(void)
{
	char path[256];

	snprintf(path, sizeof path, ROOT "/%s", vm_id);
	if (access(path, F_OK) == 0)
		SUCCEEDS(VM_RT("delete", "--force", vm_id));
	vm_is(__LINE__, "state after delete", access(path, F_OK) == 0 ? path : "gone", "gone");
	vm_is(__LINE__, "cgroup after delete", access(vm_dir(), F_OK) == 0 ? vm_dir() : "gone", "gone");
}

static void make_bundle(const char *helpers)
{
	char command[1024];

	snprintf(command, sizeof command,
		 "rm -rf /tmp/vm && mkdir -p %1$s/rootfs/bin %1$s/rootfs/tmp %1$s/rootfs/proc %1$s/rootfs/dev %1$s/rootfs/sys " ROOT
		 " && cp %2$s/load /bin/busybox %1$s/rootfs/bin/ && ln -s busybox %1$s/rootfs/bin/sh",
		 VM_BUNDLE, helpers);
	if (vm_wait(spawn("/tmp/vm-bundle", (const char *[]){ "/bin/sh", "-c", command, NULL })) != 0) {
		printf("Bail out! the bundle cannot be made: %s\n", vm_read("/tmp/vm-bundle"));
		exit(1);
	}
}

int vm_main(int argc, char **argv, const struct vm_test *tests, size_t count)
{
	int bad = 0, n = 0;

	if (argc < 5) {
		fprintf(stderr, "usage: %s RUNTIME HELPERS MACHINE MANAGER\n", argv[0]);
		return 2;
	}
	runtime_path = argv[1];
	manager = argv[4];
	vm_systemd = strcmp(manager, "systemd") == 0;
	vm_smp = strcmp(argv[3], "qemu") == 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_bundle(argv[2]);
	for (size_t i = 0; i < count; i++) {
		if (tests[i].needs_smp && !vm_smp)
			continue;
		int64_t start = vm_now_usec();
		failures = 0;
		snprintf(vm_id, sizeof vm_id, "c%zu", i + 1);
		tests[i].run();
		clean_up();
		bad += failures != 0;
		printf("%s %d - %s\n", failures ? "not ok" : "ok", ++n, tests[i].name);
		say_notes();
		printf("# %lld ms\n", (long long)(vm_now_usec() - start) / 1000);
	}
	printf("1..%d\n", n);
	return bad > 0;
}
