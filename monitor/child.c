/* monitor/child.c: the OCI runtime run as a program, and the deaths of all children. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decode.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strv.h"
#include "monitor/memory.h"
#include "monitor/session-internal.h"

#define RUNTIME_LOG "runtime.log"
#define PID_FILE    "pid"
#define CONSOLE     "console.sock"

/* A path that fits into sun_path, for the runtime to connect to. */
void child_console_path(struct session *s, char *out, size_t size)
{
	if (strlen(s->options->dir) + sizeof("/" CONSOLE) <= 100)
		snprintf(out, size, "%s/" CONSOLE, s->options->dir);
	else
		snprintf(out, size, "/proc/%d/fd/%d/" CONSOLE, (int)getpid(), s->dir_fd);
}

/* create --bundle B --pid-file F [--console-socket S] ID, and its like. */
static void command_line(struct session *s, const char *command, struct strv *argv)
{
	const struct monitor_options *o = s->options;
	bool makes = strcmp(command, "create") == 0 || strcmp(command, "exec") == 0;
	char console[PATH_MAX];

	strv_add(argv, o->runtime);
	for (size_t i = 0; i < o->runtime_args.count; i++)
		strv_add(argv, o->runtime_args.items[i]);
	strv_addf(argv, "--log=%s/" RUNTIME_LOG, o->dir);
	strv_add(argv, "--log-format=json");
	strv_add(argv, command);
	if (strcmp(command, "create") == 0)
		strv_addf(argv, "--bundle=%s", o->bundle);
	if (strcmp(command, "exec") == 0) {
		strv_add(argv, "--detach");
		strv_addf(argv, "--process=%s", o->process);
	}
	if (strcmp(command, "delete") == 0)
		strv_add(argv, "--force");
	if (makes)
		strv_addf(argv, "--pid-file=%s/" PID_FILE, o->dir);
	if (makes && o->tty) {
		child_console_path(s, console, sizeof(console));
		strv_addf(argv, "--console-socket=%s", console);
	}
	strv_add(argv, o->id);
}

/* In the child: never returns. Everything but stdio closes on exec. */
static NORETURN void run(const int stdio[3], char **argv)
{
	sigset_t none;

	for (int i = 0; i < 3; i++)
		if (dup2(stdio[i], i) < 0)
			_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execv(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

err *child_spawn(struct session *s, const char *command, const int stdio[3])
{
	auto_strv struct strv argv = STRV_INIT(128);

	command_line(s, command, &argv);
	TRY(strv_check(&argv));
	unlinkat(s->dir_fd, RUNTIME_LOG, 0);
	pid_t pid = fork();
	if (pid < 0)
		return err_errno("fork for the runtime");
	if (pid == 0)
		run(stdio, argv.items);
	s->runtime_pid = pid;
	return NULL;
}

static void died(struct session *s, pid_t pid, int status)
{
	if (pid == s->runtime_pid) {
		bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
		s->runtime_pid = 0;
		if (!ok && WIFSIGNALED(status))
			str_addf(&s->failure, "the runtime was killed by signal %d", WTERMSIG(status));
		else if (!ok && WEXITSTATUS(status) >= 126)
			str_addf(&s->failure, "cannot execute the runtime '%s'", s->options->runtime);
		monitor_loop_post(s, ok ? EV_RUNTIME_OK : EV_RUNTIME_ERROR);
	} else if (pid == s->pid) {
		s->exited = true;
		s->record.finished = clock_real();
		exit_record_status(&s->record, status);
	} else if (s->pid <= 0) {
		/* A process that ended before the runtime told us which one it is. */
		s->orphans[s->orphan_count++ % ORPHANS_MAX] = (struct orphan){ pid, status };
	}
}

void child_reap(struct session *s)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid <= 0)
			return;
		died(s, pid, status);
	}
}

static void memory_ready(struct session *s, struct source *source, uint32_t events UNUSED)
{
	if (!memory_watch_read(&s->memory))
		monitor_loop_change(s, source, 0);
}

/* While it lives: from /proc by its pid. */
void child_watch_memory(struct session *s)
{
	auto_str struct str text = STR_INIT(64 * 1024);
	char path[64];

	if (s->options->process)
		return;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)s->pid);
	IGNORE(file_read(AT_FDCWD, path, &text));
	auto_close int dir = memory_cgroup_open(memory_roots, text.data);
	if (dir < 0)
		return;
	memory_watch_open(&s->memory, dir);
	monitor_loop_watch(s, &s->memory_source, s->memory.own, EPOLLPRI, memory_ready);
}

err *child_find(struct session *s)
{
	auto_str struct str text = STR_INIT(64);
	uint64_t pid;

	TRY(err_wrap(file_read(s->dir_fd, PID_FILE, &text), "the runtime's pid file"));
	text.data[strcspn(text.data, "\n")] = '\0';
	if (!str_to_u64(text.data, &pid) || pid < 1 || pid > INT32_MAX)
		return err_new(EINVAL, "the runtime's pid file says '%s'", text.data);
	s->pid = (pid_t)pid;
	for (size_t i = 0; i < MIN(s->orphan_count, (size_t)ORPHANS_MAX); i++)
		if (s->orphans[i].pid == s->pid) {
			died(s, s->pid, s->orphans[i].status);
			return NULL;
		}
	/* A child that is not reaped cannot lend its pid to another process: no race here. */
	s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	if (s->pidfd < 0)
		return err_errno("open process %d", (int)s->pid);
	child_watch_memory(s);
	return NULL;
}

/* One line of the runtime's log: {"level":"error","msg":"...","time":"..."}. */
static void take_message(const char *line, size_t len, struct str *out)
{
	auto_arena struct arena *arena = NULL;
	json *record;
	err *e = arena_new(1 << 20, &arena);

	if (!e)
		e = json_parse(arena, RUNTIME_LOG, line, len, &record);
	if (e) {
		err_free(e);
		return;
	}
	const char *level = json_get_string(record, "level"), *msg = json_get_string(record, "msg");
	if (msg && level && strcmp(level, "error") == 0) {
		str_clear(out);
		str_add(out, msg);
	}
}

/* A runtime that failed before it had a log: the first line of what an exec has not passed on. */
static void take_unread(struct session *s, struct str *out)
{
	char text[4096];
	int fd = s->state == ST_DELETING && s->options->process ? s->streams[MONITOR_STDERR].fd : -1;
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[MAX(n, 0)] = '\0';
	str_add_bytes(out, text, strcspn(text, "\n"));
}

void child_error(struct session *s, struct str *out)
{
	auto_str struct str text = STR_INIT(1 << 20);

	IGNORE(file_read(s->dir_fd, RUNTIME_LOG, &text));
	for (const char *line = text.data; *line;) {
		size_t len = strcspn(line, "\n");
		take_message(line, len, out);
		line += len + (line[len] == '\n');
	}
	if (out->len == 0 && s->failure.len == 0)
		take_unread(s, out);
	if (out->len == 0)
		str_add(out, s->failure.len ? s->failure.data : "the runtime failed and did not say why");
}
