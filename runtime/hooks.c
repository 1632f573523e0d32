/* runtime/hooks.c: running the hooks of a container. */
#include "runtime/hooks.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/interrupt.h"

/* The end of what a hook printed; more would not fit into one error message. */
struct capture {
	int fd;
	char bytes[1500];
	size_t len;
};

struct running {
	pid_t pid;
	int pidfd;
	struct capture out, errors;
};

/* A descriptor from which `len` bytes can be read, then end of file. A pipe where they fit, because
 * some hooks wait for stdin with epoll(7), which refuses files; else a memory file. All is written
 * before the hook exists, so a hook that never reads cannot block us or kill us with SIGPIPE. */
static err *make_stdin(const char *state, size_t len, int *ret_fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno("create pipe");
	auto_close int reader = ends[0];
	auto_close int writer = ends[1];
	if (fcntl(writer, F_SETFL, O_NONBLOCK) < 0)
		return err_errno("set pipe to non-blocking");
	if (len == 0 || write(writer, state, len) == (ssize_t)len) {
		*ret_fd = TAKE_FD(reader);
		return NULL;
	}
	return fd_sealed("state", state, len, false, ret_fd);
}

/* Read one chunk: 1, at end of file 0, when nothing is there -1. */
static int capture_read(struct capture *c)
{
	char chunk[sizeof c->bytes];
	ssize_t n = read(c->fd, chunk, sizeof chunk);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -1;
	if (n <= 0)
		return 0;
	size_t keep = MIN(c->len, sizeof c->bytes - (size_t)n);
	memmove(c->bytes, c->bytes + c->len - keep, keep);
	memcpy(c->bytes + keep, chunk, (size_t)n);
	c->len = keep + (size_t)n;
	return 1;
}

/* What a hook that has ended left in its pipe; bounded, because its children may write for ever. */
static void capture_rest(struct capture *c)
{
	for (int i = 0; i < 64 && capture_read(c) > 0; i++)
		;
}

/* dup2(2) onto 0, 1, 2 in the child must not hit a source that is still needed. */
static err *above_standard(int *fd)
{
	if (*fd > 2)
		return NULL;
	int above = fd_dup(*fd);
	if (above < 0)
		return err_errno("duplicate descriptor");
	fd_clear(fd);
	*fd = above;
	return NULL;
}

static err *capture_open(struct capture *c, int *ret_writer)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno("create pipe");
	c->fd = ends[0];
	*ret_writer = ends[1];
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0)
		return err_errno("set pipe to non-blocking");
	return NULL;
}

/* Where one of the hook's outputs goes: to the file that the caller gave, else into a pipe of ours. */
static err *output_open(int file, struct capture *c, int *ret_writer)
{
	if (file < 0)
		return capture_open(c, ret_writer);
	*ret_writer = fd_dup(file);
	return *ret_writer < 0 ? err_errno("duplicate descriptor") : NULL;
}

static int spawn(const struct hook *hook, const int fds[3], const char *cwd, pid_t *ret_pid)
{
	static const char *const none[] = { NULL };
	const char *const only_path[] = { hook->path, NULL };
	char *const *args = (char *const *)(hook->args && hook->args[0] ? hook->args : only_path);
	char *const *env = (char *const *)(hook->env ? hook->env : none);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t empty, all;
	int code;

	sigemptyset(&empty);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &empty);
	posix_spawnattr_setsigdefault(&attr, &all);
	code = 0;
	for (int i = 0; i < 3 && !code; i++)
		code = posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	if (!code)
		code = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	if (!code && cwd)
		code = posix_spawn_file_actions_addchdir_np(&actions, cwd);
	if (!code)
		code = posix_spawn(ret_pid, hook->path, &actions, &attr, args, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return code;
}

static err *start(const struct hook *hook, const char *state, size_t len, const char *cwd,
		  struct running *r)
{
	auto_close int in = -1;
	auto_close int out = -1;
	auto_close int errors = -1;

	TRY(make_stdin(state, len, &in));
	TRY(output_open(hook->files ? hook->files->out : -1, &r->out, &out));
	TRY(output_open(hook->files ? hook->files->errors : -1, &r->errors, &errors));
	TRY(above_standard(&in));
	TRY(above_standard(&out));
	TRY(above_standard(&errors));
	int code = spawn(hook, (const int[]){ in, out, errors }, cwd, &r->pid);
	if (code)
		return err_code(code, "start '%s'", hook->path);
	r->pidfd = pidfd_open(r->pid, 0);
	if (r->pidfd < 0) {
		err *e = err_errno("open '%s' as a pidfd", hook->path);
		kill(-r->pid, SIGKILL);
		waitpid(r->pid, NULL, 0);
		return e;
	}
	return NULL;
}

static int milliseconds_left(int64_t deadline)
{
	if (deadline < 0)
		return -1;
	int64_t left = deadline - clock_monotonic();
	return left <= 0 ? 0 : (int)MIN((left + 999999) / (int64_t)NSEC_PER_MSEC, (int64_t)INT32_MAX);
}

enum end { END_ITSELF, END_LATE, END_INTERRUPTED };

/* Until the hook itself has ended; who it left behind may hold the pipes as long as it likes. */
static enum end wait_for_end(struct running *r, int64_t deadline)
{
	struct pollfd fds[4] = {
		{ .fd = r->pidfd, .events = POLLIN },
		{ .fd = r->out.fd, .events = POLLIN },
		{ .fd = r->errors.fd, .events = POLLIN },
		{ .fd = interrupt_fd(), .events = POLLIN },
	};

	for (;;) {
		int n = poll(fds, ARRAY_LEN(fds), milliseconds_left(deadline));
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return END_LATE;
		if (fds[1].revents && capture_read(&r->out) == 0)
			fds[1].fd = -1;
		if (fds[2].revents && capture_read(&r->errors) == 0)
			fds[2].fd = -1;
		if (fds[0].revents || n < 0)
			return END_ITSELF;
		if (fds[3].revents)
			return END_INTERRUPTED;
	}
}

static void add_capture(struct str *out, const char *name, const struct capture *c)
{
	size_t len = c->len;

	while (len > 0 && c->bytes[len - 1] == '\n')
		len--;
	str_addf(out, ", %s: ", name);
	str_add_bytes(out, c->bytes, len);
}

static err *result(struct running *r, int status, enum end end, const struct hook *hook)
{
	auto_str struct str text = STR_INIT(4096);

	if (end == END_INTERRUPTED)
		return err_wrap(interrupt_error(), "'%s'", hook->path);
	if (end == END_ITSELF && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	if (end == END_LATE)
		str_addf(&text, "'%s' took longer than %d s", hook->path, hook->timeout);
	else if (WIFSIGNALED(status))
		str_addf(&text, "'%s': signal %d (%s)", hook->path, WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		str_addf(&text, "'%s': exit status %d", hook->path, WEXITSTATUS(status));
	add_capture(&text, "stdout", &r->out);
	add_capture(&text, "stderr", &r->errors);
	TRY(str_check(&text));
	return err_new(end == END_LATE ? ETIMEDOUT : ECHILD, "%s", text.data);
}

static err *finish(struct running *r, const struct hook *hook)
{
	int64_t deadline = hook->timeout > 0 ?
				   clock_monotonic() + hook->timeout * (int64_t)NSEC_PER_SEC :
				   -1;
	int status = 0;
	enum end end = wait_for_end(r, deadline);

	if (end != END_ITSELF)
		kill(-r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return err_errno("wait for '%s'", hook->path);
	}
	capture_rest(&r->out);
	capture_rest(&r->errors);
	return result(r, status, end, hook);
}

static err *run_one(const struct hook *hook, const char *state, size_t len, const char *cwd)
{
	struct running r = { .pidfd = -1, .out.fd = -1, .errors.fd = -1 };
	err *e = start(hook, state, len, cwd, &r);

	if (!e)
		e = finish(&r, hook);
	fd_close(r.pidfd);
	fd_close(r.out.fd);
	fd_close(r.errors.fd);
	return e;
}

err *hooks_run(const char *kind, const struct hook *hooks, size_t count, const char *state,
	       size_t state_len, const char *cwd)
{
	for (size_t i = 0; i < count; i++)
		TRY(err_wrap(run_one(&hooks[i], state, state_len, cwd), "error running %s hook #%zu",
			     kind, i + 1));
	return NULL;
}
