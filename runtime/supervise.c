/* runtime/supervise.c: the foreground of run and exec: signals and terminal until the process ends. */
#include "runtime/supervise.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"

struct relay {
	pid_t pid;
	int master;
	struct supervise_watch *watches;
	size_t watch_count;
	bool stdin_open, raw;
	struct termios saved;
	char pending[4096]; /* typed, not yet taken by the container */
	size_t pending_len;
	bool ended;
	int status;
};

err *supervise_block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	return sigprocmask(SIG_SETMASK, &all, NULL) < 0 ? err_errno("block signals") : NULL;
}

err *console_pair(int *ret_ours, int *ret_theirs)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno("create socket pair");
	*ret_ours = pair[0];
	*ret_theirs = pair[1];
	return NULL;
}

err *receive_terminal(int sock, int *ret_master)
{
	char name[64];
	size_t len = 0, count = 0;

	TRY(fd_recv(sock, name, sizeof name, &len, ret_master, 1, &count));
	return count == 1 ? NULL : err_new(EPROTO, "the container sent no terminal");
}

static void copy_size(const struct relay *r)
{
	struct winsize size;

	if (r->master >= 0 && ioctl(0, TIOCGWINSZ, &size) == 0)
		(void)ioctl(r->master, TIOCSWINSZ, &size);
}

static void enter_raw(struct relay *r)
{
	if (r->master < 0 || tcgetattr(0, &r->saved) < 0)
		return;
	struct termios raw = r->saved;
	cfmakeraw(&raw);
	/* The container's terminal sends LF alone: the caller's must return the carriage. */
	raw.c_oflag |= OPOST;
	r->raw = tcsetattr(0, TCSANOW, &raw) == 0;
	copy_size(r);
}

static void reap(struct relay *r)
{
	int status;
	pid_t pid;

	/* Orphans of the container come to us when we are their subreaper. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != r->pid)
			continue;
		r->ended = true;
		r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

static err *take_signal(struct relay *r, int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof info) != sizeof info)
		return err_errno("read signal");
	switch ((int)info.ssi_signo) {
	case SIGCHLD:
		reap(r);
		break;
	case SIGWINCH:
		copy_size(r);
		break;
	default:
		/* A terminal sends its signals to the whole foreground group; forwarding is harmless. */
		(void)kill(r->pid, (int)info.ssi_signo);
	}
	return NULL;
}

/* What the container printed; false at its end (EIO: no process has it open any more). */
static bool copy_output(const struct relay *r)
{
	char bytes[8192];
	ssize_t n = read(r->master, bytes, sizeof bytes);

	if (n > 0)
		IGNORE(fd_write_all(1, bytes, (size_t)n));
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void copy_input(struct relay *r)
{
	ssize_t n = read(0, r->pending, sizeof r->pending);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		r->stdin_open = false;
	if (n > 0)
		r->pending_len = (size_t)n;
}

static void push_input(struct relay *r)
{
	ssize_t n = write(r->master, r->pending, r->pending_len);

	if (n <= 0)
		return;
	r->pending_len -= (size_t)n;
	memmove(r->pending, r->pending + n, r->pending_len);
}

static err *turn(struct relay *r, int signals)
{
	struct pollfd p[3 + SUPERVISE_WATCHES] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = r->master, .events = (short)(POLLIN | (r->pending_len ? POLLOUT : 0)) },
		{ .fd = r->master >= 0 && r->stdin_open && !r->pending_len ? 0 : -1, .events = POLLIN },
	};

	for (size_t i = 0; i < r->watch_count; i++)
		p[3 + i] = (struct pollfd){ .fd = r->watches[i].fd, .events = r->watches[i].events };
	if (poll(p, 3 + r->watch_count, -1) < 0)
		return errno == EINTR ? NULL : err_errno("poll");
	if (p[1].revents & POLLOUT)
		push_input(r);
	if ((p[1].revents & (POLLIN | POLLHUP | POLLERR)) && !copy_output(r))
		r->master = -1;
	if (p[2].revents)
		copy_input(r);
	for (size_t i = 0; i < r->watch_count; i++)
		if (p[3 + i].revents && !r->watches[i].ready(r->watches[i].data))
			r->watches[i].fd = -1;
	return p[0].revents ? take_signal(r, signals) : NULL;
}

err *supervise(pid_t pid, int master, struct supervise_watch *watches, size_t count, int *ret_status)
{
	struct relay r = {
		.pid = pid, .master = master, .watches = watches, .watch_count = count, .stdin_open = true
	};
	sigset_t all;
	err *e = NULL;

	sigfillset(&all);
	auto_close int signals = signalfd(-1, &all, SFD_CLOEXEC);
	if (signals < 0)
		return err_errno("open signals");
	if (master >= 0 && fcntl(master, F_SETFL, O_NONBLOCK) < 0)
		return err_errno("set terminal to non-blocking");
	enter_raw(&r);
	/* It may have ended before the signals were watched. */
	reap(&r);
	while (!r.ended && !e)
		e = turn(&r, signals);
	for (int i = 0; r.master >= 0 && i < 1024; i++) {
		struct pollfd p = { .fd = r.master, .events = POLLIN };
		if (poll(&p, 1, 0) <= 0 || !copy_output(&r))
			break;
	}
	if (r.raw)
		(void)tcsetattr(0, TCSANOW, &r.saved);
	*ret_status = r.status;
	return e;
}
