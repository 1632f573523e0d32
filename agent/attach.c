/* agent/attach.c: our stdin, stdout and stderr as those of a process behind a monitor. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "agent/monitor.h"
#include "base/fd.h"
#include "monitor/logread.h"
#include "monitor/protocol.h"

struct attach {
	const struct monitor_attachment *a;
	int signal_fd;
	sigset_t old_mask;
	bool raw;
	struct termios old_terminal;
	uint64_t credit; /* bytes of input we may send */
	bool input_open, behind, ended, starting;
	struct monitor_place place; /* where the gap begins */
	struct monitor_end end;
};

static const int passed_on[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

static err *send_size(struct attach *t)
{
	struct winsize size;

	if (!t->a->tty || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
		return NULL;
	return monitor_send(t->a->sock, MONITOR_RESIZE, 0, size.ws_row, size.ws_col, NULL, 0);
}

static void make_raw(struct attach *t)
{
	struct termios raw;

	if (!t->a->tty || !t->a->input || tcgetattr(STDIN_FILENO, &t->old_terminal) < 0)
		return;
	raw = t->old_terminal;
	cfmakeraw(&raw);
	t->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static err *open_signals(struct attach *t)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	for (size_t i = 0; t->a->signals && i < ARRAY_LEN(passed_on); i++)
		sigaddset(&set, passed_on[i]);
	t->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (t->signal_fd < 0 || sigprocmask(SIG_BLOCK, &set, &t->old_mask) < 0)
		return err_errno("watch for signals");
	return NULL;
}

static err *take_signal(struct attach *t)
{
	struct signalfd_siginfo info;

	if (read(t->signal_fd, &info, sizeof(info)) != sizeof(info))
		return NULL;
	if (info.ssi_signo == SIGWINCH)
		return send_size(t);
	return monitor_send(t->a->sock, MONITOR_SIGNAL, (int32_t)info.ssi_signo, 0, 0, NULL, 0);
}

static err *take_input(struct attach *t)
{
	char bytes[MONITOR_DATA_MAX];
	ssize_t n = read(STDIN_FILENO, bytes, MIN(sizeof(bytes), t->credit));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return NULL;
	if (n <= 0) {
		t->input_open = false;
		return monitor_send(t->a->sock, MONITOR_INPUT_END, 0, 0, 0, NULL, 0);
	}
	t->credit -= (uint64_t)n;
	return monitor_send(t->a->sock, MONITOR_INPUT, 0, 0, 0, bytes, (size_t)n);
}

/* When nobody reads, we leave as SIGPIPE would make us; the process does not notice. */
static err *give(struct attach *t, enum monitor_stream stream, const char *bytes, size_t len)
{
	int fd = stream == MONITOR_STDERR ? STDERR_FILENO : STDOUT_FILENO;

	while (len > 0 && !t->end.deaf) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EAGAIN) { /* somebody made our stdout non-blocking */
			struct pollfd p = { .fd = fd, .events = POLLOUT };
			poll(&p, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EPIPE) {
			t->end.deaf = t->ended = true;
			t->end.code = 128 + SIGPIPE;
			return NULL;
		}
		if (n < 0)
			return err_errno("write the process's output");
		bytes += n;
		len -= (size_t)n;
	}
	return NULL;
}

/* We were too slow: what the monitor could not hold for us is in the log. */
static err *catch_up(struct attach *t)
{
	auto_log_reader struct log_reader *reader = NULL;
	struct log_record record;
	bool have;

	TRY(log_reader_open(t->a->log_dir_fd, MONITOR_LOG, t->place, &reader));
	for (;;) {
		TRY(log_reader_next(reader, &record, &have));
		if (!have)
			break;
		TRY(give(t, record.stream, record.text, record.len));
		if (record.full)
			TRY(give(t, record.stream, "\n", 1));
	}
	t->place = log_reader_place(reader);
	t->end.lost += log_reader_skipped(reader);
	return NULL;
}

static err *on_behind(struct attach *t, const struct monitor_head *h)
{
	if (t->a->log_dir_fd < 0)
		return err_new(EPROTO, "the monitor says that there is a log");
	t->behind = true;
	t->place = (struct monitor_place){ h->a, h->b };
	TRY(catch_up(t));
	return monitor_send(t->a->sock, MONITOR_RESUME, 0, t->place.generation, t->place.offset, NULL, 0);
}

static err *take_message(struct attach *t)
{
	struct monitor_message m;
	size_t len;

	TRY(monitor_recv(t->a->sock, MONITOR_SIDE_SERVER, &m, &len));
	switch (m.head.kind) {
	case MONITOR_OUT:
		return give(t, MONITOR_STDOUT, m.data, len);
	case MONITOR_ERR:
		return give(t, MONITOR_STDERR, m.data, len);
	case MONITOR_BEHIND:
		return on_behind(t, &m.head);
	case MONITOR_ROOM:
		t->credit += m.head.a;
		return NULL;
	case MONITOR_OK:
		if (m.head.value == MONITOR_RESUME)
			t->behind = false;
		if (m.head.value == MONITOR_START)
			t->starting = false;
		return NULL;
	case MONITOR_ERROR:
		/* A signal to a process that has just ended, a size that came too early: not our end. */
		if (m.head.a == MONITOR_ATTACH || (t->starting && (m.head.a == 0 || m.head.a == MONITOR_START)))
			return err_new(m.head.value > 0 ? m.head.value : EIO, "%.*s", (int)len, m.data);
		return NULL;
	case MONITOR_CREATED:
		t->starting = t->starting && !t->a->entering;
		return t->a->entering ? send_size(t) : NULL;
	case MONITOR_EXITED:
		t->end.code = m.head.value;
		t->end.signal = (int)m.head.a;
		t->end.time = (int64_t)m.head.b;
		t->ended = true;
		return t->behind ? catch_up(t) : NULL;
	default:
		return NULL;
	}
}

static err *relay(struct attach *t)
{
	while (!t->ended) {
		bool read_input = t->input_open && t->credit > 0;
		struct pollfd p[] = {
			{ .fd = t->a->sock, .events = POLLIN },
			{ .fd = t->signal_fd, .events = POLLIN },
			{ .fd = read_input ? STDIN_FILENO : -1, .events = POLLIN },
		};
		if (poll(p, ARRAY_LEN(p), -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_errno("wait for the monitor");
		}
		if (p[1].revents)
			TRY(take_signal(t));
		if (p[0].revents)
			TRY(take_message(t));
		else if (p[2].revents)
			TRY(take_input(t));
	}
	return NULL;
}

static err *begin(struct attach *t)
{
	const struct monitor_attachment *a = t->a;
	int what = MONITOR_ATTACH_OUTPUT | (a->input ? MONITOR_ATTACH_INPUT : 0);

	t->starting = a->start || a->entering;
	TRY(open_signals(t));
	TRY(monitor_send(a->sock, MONITOR_ATTACH, what, 0, 0, NULL, 0));
	TRY(monitor_send(a->sock, MONITOR_WAIT, 0, 0, 0, NULL, 0));
	make_raw(t);
	TRY(send_size(t));
	if (a->start)
		TRY(monitor_send(a->sock, MONITOR_START, 0, 0, 0, NULL, 0));
	return relay(t);
}

err *monitor_attach(const struct monitor_attachment *a, struct monitor_end *ret)
{
	struct attach t = {
		.a = a, .signal_fd = -1, .credit = a->input ? MONITOR_INPUT_WINDOW : 0, .input_open = a->input,
	};
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old_pipe;

	sigprocmask(SIG_BLOCK, NULL, &t.old_mask);
	sigaction(SIGPIPE, &ignore, &old_pipe);
	err *e = begin(&t);
	if (t.raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t.old_terminal);
	sigaction(SIGPIPE, &old_pipe, NULL);
	sigprocmask(SIG_SETMASK, &t.old_mask, NULL);
	fd_close(t.signal_fd);
	if (!e)
		*ret = t.end;
	return e;
}
