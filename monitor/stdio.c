/* monitor/stdio.c: the process's stdin, stdout, stderr or terminal. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "monitor/session-internal.h"

static const char *const fifo_names[] = { [MONITOR_STDOUT] = "stdout", [MONITOR_STDERR] = "stderr" };

/* The process's end can also be read, so that the FIFO outlives its reader: when a monitor is killed,
 * the process waits in write(2), instead of dying of SIGPIPE, until the next monitor reads on. */
static err *open_fifo(struct session *s, enum monitor_stream stream, int *ret_write)
{
	const char *name = fifo_names[stream];

	unlinkat(s->dir_fd, name, 0);
	if (mkfifoat(s->dir_fd, name, 0600) < 0)
		return err_errno("make FIFO '%s'", name);
	int fd = openat(s->dir_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_errno("open FIFO '%s'", name);
	monitor_loop_watch(s, &s->streams[stream], fd, EPOLLIN, stdio_output_ready);
	*ret_write = openat(s->dir_fd, name, O_RDWR | O_CLOEXEC);
	if (*ret_write < 0)
		return err_errno("open FIFO '%s'", name);
	return NULL;
}

static err *open_input(struct session *s, int *ret_read)
{
	int ends[2];

	if (!s->options->interactive)
		return NULL;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno("make a pipe for stdin");
	fd_clear(ret_read);
	*ret_read = ends[0];
	if (fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0)
		return err_errno("set up the pipe for stdin");
	monitor_loop_watch(s, &s->input, ends[1], 0, stdio_input_ready);
	monitor_loop_change(s, &s->input, EPOLLERR);
	return NULL;
}

static err *listen_console(struct session *s)
{
	char path[4096];
	int fd;

	child_console_path(s, path, sizeof(path));
	unlink(path);
	TRY(fd_unix_listen(path, SOCK_STREAM, 0600, &fd));
	monitor_loop_watch(s, &s->console_listener, fd, EPOLLIN, stdio_console_ready);
	return NULL;
}

err *stdio_open(struct session *s, int ret_stdio[3])
{
	for (int i = 0; i < 3; i++) {
		ret_stdio[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (ret_stdio[i] < 0)
			return err_errno("open '/dev/null'");
	}
	if (s->options->tty)
		return listen_console(s);
	fd_clear(&ret_stdio[1]);
	fd_clear(&ret_stdio[2]);
	TRY(open_fifo(s, MONITOR_STDOUT, &ret_stdio[1]));
	TRY(open_fifo(s, MONITOR_STDERR, &ret_stdio[2]));
	return open_input(s, &ret_stdio[0]);
}

err *stdio_reopen(struct session *s)
{
	if (s->options->tty)
		return NULL; /* the terminal went with its master; the kernel has hung up */
	for (int i = 0; i < 2; i++) {
		int fd = openat(s->dir_fd, fifo_names[i], O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_errno("open FIFO '%s'", fifo_names[i]);
		monitor_loop_watch(s, &s->streams[i], fd, EPOLLIN, stdio_output_ready);
	}
	return NULL;
}

void stdio_console_ready(struct session *s, struct source *source, uint32_t events UNUSED)
{
	auto_close int conn = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
	char name[256];
	size_t len, count;
	int master;

	if (conn < 0 || s->streams[0].fd >= 0)
		return;
	err *e = fd_recv(conn, name, sizeof(name), &len, &master, 1, &count);
	if (e || count != 1) {
		log_error("the runtime sent no terminal", NULL);
		err_free(e);
		return;
	}
	fcntl(master, F_SETFL, O_NONBLOCK);
	int again = fcntl(master, F_DUPFD_CLOEXEC, 3);
	monitor_loop_watch(s, &s->streams[0], master, EPOLLIN, stdio_output_ready);
	if (again >= 0) {
		monitor_loop_watch(s, &s->input, again, 0, stdio_input_ready);
		monitor_loop_change(s, &s->input, EPOLLERR);
	}
	monitor_loop_forget(s, &s->console_listener);
}

void stdio_output_ready(struct session *s, struct source *source, uint32_t events UNUSED)
{
	enum monitor_stream stream = source == &s->streams[MONITOR_STDERR] ? MONITOR_STDERR : MONITOR_STDOUT;
	char bytes[MONITOR_DATA_MAX];
	struct monitor_place before = { 0 };
	ssize_t n = read(source->fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* a terminal whose last user went says EIO */
		monitor_loop_forget(s, source);
		return;
	}
	if (s->log) {
		before = monitor_log_place(s->log);
		monitor_log_write(s->log, stream, clock_real(), bytes, (size_t)n);
	}
	peer_output(s, stream, before, bytes, (size_t)n);
	stdio_pace(s);
}

/* Without a log, output waits while a reader has not taken what came before, for the first client to attach,
 * and for the runtime: what that says of a failed exec is the error, which the client gets once. */
void stdio_pace(struct session *s)
{
	bool entering = s->state == ST_ENTERING && !s->options->tty;

	s->paced = !s->log && (entering || peer_pending(s, true) || (!s->ever_attached && peer_first_here(s)));
	for (int i = 0; i < 2; i++)
		monitor_loop_change(s, &s->streams[i], s->paced ? 0 : EPOLLIN);
}

bool stdio_drained(const struct session *s)
{
	return s->streams[0].fd < 0 && s->streams[1].fd < 0;
}

void stdio_input_ready(struct session *s, struct source *source, uint32_t events)
{
	struct str *buffer = &s->input_buffer;

	if (buffer->len > 0) {
		ssize_t n = write(source->fd, buffer->data, buffer->len);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		/* Nobody reads: what clients still send is thrown away, as a shell does. */
		size_t taken = n < 0 ? buffer->len : (size_t)n;
		str_consume(buffer, taken);
		peer_input_taken(s, taken);
		if (n < 0)
			events |= EPOLLERR;
	}
	if (events & (EPOLLERR | EPOLLHUP))
		monitor_loop_forget(s, source);
	stdio_input_changed(s);
}

void stdio_input_changed(struct session *s)
{
	if (s->input.fd < 0 && s->input_buffer.len > 0) {
		size_t len = s->input_buffer.len;
		str_clear(&s->input_buffer);
		peer_input_taken(s, len);
	}
	if (s->input.fd >= 0 && s->input_ended && s->input_buffer.len == 0) {
		if (s->options->tty) { /* a terminal does not end: its user types Ctrl-D */
			str_add_char(&s->input_buffer, 4);
			s->input_ended = false;
		} else {
			monitor_loop_forget(s, &s->input);
		}
	}
	monitor_loop_change(s, &s->input, s->input_buffer.len > 0 ? EPOLLOUT | EPOLLERR : EPOLLERR);
}

int stdio_resize(struct session *s, unsigned rows, unsigned columns)
{
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };

	if (!s->options->tty || s->streams[0].fd < 0)
		return ENOTTY;
	return ioctl(s->streams[0].fd, TIOCSWINSZ, &size) < 0 ? errno : 0;
}
