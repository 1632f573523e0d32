/* agent/monitor.c: starting a monitor and asking it. */
#include "agent/monitor.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "monitor/protocol.h"

static void add_fd(struct strv *argv, const char *name, int fd)
{
	if (fd >= 0)
		strv_addf(argv, "--%s=%d", name, fd);
}

static void add_text(struct strv *argv, const char *name, const char *value)
{
	if (value)
		strv_addf(argv, "--%s=%s", name, value);
}

static void add_flag(struct strv *argv, const char *name, bool value)
{
	if (value)
		strv_addf(argv, "--%s", name);
}

static void command_line(const char *program, const struct monitor_options *o, int starter, struct strv *argv)
{
	strv_add(argv, program);
	add_text(argv, "id", o->id);
	add_text(argv, "dir", o->dir);
	add_text(argv, "keep", o->keep);
	add_text(argv, "runtime", o->runtime);
	for (size_t i = 0; i < o->runtime_args.count; i++)
		add_text(argv, "runtime-arg", o->runtime_args.items[i]);
	add_text(argv, "bundle", o->bundle);
	add_text(argv, "process", o->process);
	add_flag(argv, "adopt", o->adopt);
	add_flag(argv, "tty", o->tty);
	add_flag(argv, "interactive", o->interactive);
	add_flag(argv, "log", o->log);
	if (o->log) {
		strv_addf(argv, "--log-size=%llu", (unsigned long long)o->limits.size);
		strv_addf(argv, "--log-files=%u", o->limits.files);
	}
	add_fd(argv, "starter-fd", starter);
	add_fd(argv, "root-fd", o->root_fd);
	add_fd(argv, "lock-fd", o->lock_fd);
	add_fd(argv, "lease-fd", o->lease_fd);
}

/* What a service manager says to this program alone. A monitor is nobody's service, and a runtime below it
 * that finds NOTIFY_SOCKET waits until the container has said there that it is ready (runtime/notify.h). */
static bool is_for_us(const char *variable)
{
	static const char *const names[] = { "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=",
					     "LISTEN_FDS=",    "LISTEN_PID=",	 "LISTEN_FDNAMES=" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_starts_with(variable, names[i]))
			return true;
	return false;
}

/* In the child, whose environment is a copy: unsetenv(3) takes a lock. */
static void forget_service_manager(void)
{
	char **to = environ;

	for (char **from = environ; *from; from++)
		if (!is_for_us(*from))
			*to++ = *from;
	*to = NULL;
}

/* The child between fork and exec: other threads may have held locks, so only system calls. Only what the
 * monitor is told of stays open: libraries (curl 7.88: its wakeup sockets) and callers leave descriptors that
 * survive an exec. */
static NORETURN void become_monitor(char **argv, const int *keep, size_t count)
{
	forget_service_manager();
	(void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < count; i++)
		if (keep[i] >= 0)
			fcntl(keep[i], F_SETFD, 0);
	execv(argv[0], argv);
	_exit(127);
}

/* fork(2) into a cgroup: unlike a move of a process, it waits for no grace period of the kernel (10 to 20 ms, and
 * forks all over the machine wait with it). -1 where it cannot be done. */
static pid_t fork_into(const char *cgroup)
{
	auto_close int fd = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)fd };

	return fd < 0 ? -1 : (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Start the program, which leaves a child behind and exits with 0. */
static err *spawn(char **argv, const int *keep, size_t count, pid_t pid, int *ret_status)
{
	if (pid < 0)
		return err_errno("fork for the monitor");
	if (pid == 0)
		become_monitor(argv, keep, count);
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return NULL;
}

/* An ERROR message as an error of ours. */
static err *error_of(const struct monitor_message *m, size_t len)
{
	return err_new(m->head.value > 0 ? m->head.value : EIO, "%.*s", (int)len, m->data);
}

/* Skip output and the like until a message of `kind` (with `value`, unless that is -1) or an error comes. */
static err *wait_for(int sock, enum monitor_kind kind, int32_t value, struct monitor_message *m)
{
	size_t len;

	for (;;) {
		TRY(monitor_recv(sock, MONITOR_SIDE_SERVER, m, &len));
		if (m->head.kind == MONITOR_ERROR)
			return error_of(m, len);
		if (m->head.kind == (uint32_t)kind && (value < 0 || m->head.value == value))
			return NULL;
	}
}

err *monitor_spawn(const char *program, const struct monitor_options *o, int *ret_sock)
{
	auto_strv struct strv argv = STRV_INIT(256);
	struct monitor_message answer;
	int ends[2] = { -1, -1 }, status;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_errno("make a socket for the monitor");
	auto_close int ours = ends[0], theirs = ends[1];
	command_line(program, o, theirs, &argv);
	TRY(strv_check(&argv));
	/* The greeting waits in the socket, so that its answer comes before all that the monitor says. */
	TRY(monitor_send(ours, MONITOR_HELLO, MONITOR_VERSION, 0, 0, NULL, 0));
	const int keep[] = { theirs, o->root_fd, o->lock_fd, o->lease_fd };
	pid_t pid = o->cgroup ? fork_into(o->cgroup) : -1;
	if (pid >= 0)
		TRY(spawn(argv.items, keep, ARRAY_LEN(keep), pid, &status));
	/* Linux 6.14 to (at least) 6.18 kills such a child at once if that cgroup was ever killed as a whole. */
	if (pid < 0 || WIFSIGNALED(status)) {
		add_text(&argv, "cgroup", o->cgroup);
		TRY(strv_check(&argv));
		TRY(spawn(argv.items, keep, ARRAY_LEN(keep), fork(), &status));
	}
	fd_clear(&theirs);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_new(ENOENT, "cannot run the monitor '%s'", program);
	TRY(wait_for(ours, MONITOR_OK, MONITOR_HELLO, &answer));
	*ret_sock = TAKE_FD(ours);
	return NULL;
}

err *monitor_wait_created(int sock, pid_t *ret_pid)
{
	struct monitor_message m;

	TRY(wait_for(sock, MONITOR_CREATED, -1, &m));
	*ret_pid = (pid_t)m.head.a;
	return NULL;
}

err *monitor_request(int sock, enum monitor_kind kind, int32_t value, uint64_t a, uint64_t b)
{
	struct monitor_message m;

	TRY(monitor_send(sock, kind, value, a, b, NULL, 0));
	return wait_for(sock, MONITOR_OK, (int32_t)kind, &m);
}

err *monitor_start_container(int sock)
{
	return monitor_request(sock, MONITOR_START, 0, 0, 0);
}

err *monitor_connect(const char *dir, int *ret_sock)
{
	char path[4096];
	auto_close int sock = -1;

	snprintf(path, sizeof(path), "%s/" MONITOR_SOCKET, dir);
	TRY(fd_unix_connect(path, SOCK_SEQPACKET, &sock));
	TRY(monitor_request(sock, MONITOR_HELLO, MONITOR_VERSION, 0, 0));
	*ret_sock = TAKE_FD(sock);
	return NULL;
}

err *monitor_wait(int sock, int64_t timeout, struct monitor_end *ret)
{
	struct monitor_message m;
	int64_t deadline = clock_monotonic() + timeout;
	size_t len;

	TRY(monitor_send(sock, MONITOR_WAIT, 0, 0, 0, NULL, 0));
	for (;;) {
		struct pollfd p = { .fd = sock, .events = POLLIN };
		int64_t left = timeout < 0 ? -1 : (deadline - clock_monotonic()) / (int64_t)NSEC_PER_MSEC + 1;
		int n = poll(&p, 1, timeout < 0 ? -1 : (int)MAX(left, 0));
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return err_new(ETIMEDOUT, "the process did not end in time");
		TRY(monitor_recv(sock, MONITOR_SIDE_SERVER, &m, &len));
		if (m.head.kind == MONITOR_ERROR)
			return error_of(&m, len);
		if (m.head.kind != MONITOR_EXITED)
			continue;
		*ret = (struct monitor_end){ .code = m.head.value, .signal = (int)m.head.a, .time = (int64_t)m.head.b };
		return NULL;
	}
}

void monitor_wait_gone(int sock)
{
	struct monitor_message m;
	size_t len;
	err *e;

	while (!(e = monitor_recv(sock, MONITOR_SIDE_SERVER, &m, &len)))
		;
	err_free(e);
}

int monitor_signal_number(const char *text)
{
	uint64_t number;

	if (str_to_u64(text, &number))
		return number >= 1 && number <= 64 ? (int)number : 0;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < 32; i++)
		if (sigabbrev_np(i) && strcasecmp(text, sigabbrev_np(i)) == 0)
			return i;
	if (strncasecmp(text, "RTMIN+", 6) == 0 && str_to_u64(text + 6, &number) && number <= 30)
		return 34 + (int)number;
	if (strncasecmp(text, "RTMAX-", 6) == 0 && str_to_u64(text + 6, &number) && number <= 30)
		return 64 - (int)number;
	return 0;
}
