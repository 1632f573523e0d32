/* api/exec.c: a command in a Pod's container, with our stdin, stdout, stderr and terminal. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "api/client-internal.h"
#include "api/status.h"
#include "base/fd.h"
#include "net/websocket.h"

#define SUBPROTOCOL  "v5.channel.k8s.io"
#define EXEC_URL_MAX URL_MAX
#define INPUT_SIZE   (32u << 10)
#define LOOKUP_ARENA (32u << 20)

/* ---- the terminal ---- */

/* Ours while the command has it: raw, and given back also when we are asked to end. */
struct terminal {
	bool raw;
	struct termios before;
	int signal_fd;
	sigset_t old_mask;
	int ended_by; /* signal */
};

static err *terminal_open(struct terminal *t, bool tty)
{
	static const int watched[] = { SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t set;
	struct termios raw;

	*t = (struct terminal){ .signal_fd = -1 };
	if (!tty || tcgetattr(STDIN_FILENO, &t->before) < 0)
		return NULL;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		sigaddset(&set, watched[i]);
	t->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (t->signal_fd < 0)
		return err_errno("watch for signals");
	pthread_sigmask(SIG_BLOCK, &set, &t->old_mask);
	raw = t->before;
	cfmakeraw(&raw);
	t->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
	return NULL;
}

static void terminal_close(struct terminal *t)
{
	if (t->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
	if (t->signal_fd < 0)
		return;
	fd_clear(&t->signal_fd);
	pthread_sigmask(SIG_SETMASK, &t->old_mask, NULL);
	if (t->ended_by)
		raise(t->ended_by); /* what would have happened without us */
}

/* ---- the relay ---- */

struct relay {
	struct ws_client *socket;
	const struct api_exec *exec;
	struct terminal terminal;
	bool input_open, deaf, over;
	int code;
};

static err *send_channel(struct relay *r, uint8_t channel, const void *bytes, size_t len)
{
	return ws_send(r->socket, WS_BINARY, &channel, 1, bytes, len);
}

static err *send_size(struct relay *r)
{
	struct winsize size;
	char text[64];

	if (!r->exec->tty || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row)
		return NULL;
	int len = snprintf(text, sizeof(text), "{\"Width\":%u,\"Height\":%u}", size.ws_col, size.ws_row);
	return send_channel(r, CHANNEL_RESIZE, text, (size_t)len);
}

static err *take_signal(struct relay *r)
{
	struct signalfd_siginfo info;

	if (read(r->terminal.signal_fd, &info, sizeof(info)) != sizeof(info))
		return NULL;
	if (info.ssi_signo == SIGWINCH)
		return send_size(r);
	r->terminal.ended_by = (int)info.ssi_signo;
	r->over = true;
	r->code = 128 + (int)info.ssi_signo;
	return NULL;
}

static err *take_input(struct relay *r)
{
	char bytes[INPUT_SIZE];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
	uint8_t ended = CHANNEL_STDIN;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return NULL;
	if (n > 0)
		return send_channel(r, CHANNEL_STDIN, bytes, (size_t)n);
	r->input_open = false;
	return send_channel(r, CHANNEL_CLOSE, &ended, 1);
}

/* When nobody reads, we leave as SIGPIPE would make us. */
static err *give(struct relay *r, int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EAGAIN) { /* somebody made our stdout non-blocking */
			struct pollfd p = { .fd = fd, .events = POLLOUT };
			poll(&p, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EPIPE) {
			r->over = true;
			r->code = 128 + SIGPIPE;
			return NULL;
		}
		if (n < 0)
			return err_errno("write the command's output");
		bytes += n;
		len -= (size_t)n;
	}
	return NULL;
}

/* The exit code among a Status' causes; -1: there is none. */
static int exit_code(const json *status)
{
	const json *causes = json_get(json_get(status, "details"), "causes");
	uint64_t code;

	for (size_t i = 0; causes && causes->kind == JSON_ARRAY && i < causes->array.count; i++) {
		const char *text = json_get_string(causes->array.items[i], "message");
		if (str_equal(json_get_string(causes->array.items[i], "reason"), "ExitCode") && text &&
		    str_to_u64(text, &code) && code <= 255)
			return (int)code;
	}
	return -1;
}

static err *on_status(struct relay *r, const char *text, size_t len)
{
	auto_arena struct arena *arena = NULL;
	json *status = NULL;
	int64_t http_code = 0;

	r->over = true;
	TRY(arena_new(16 << 20, &arena));
	TRY(json_parse(arena, "status", text, len, &status));
	if (str_equal(json_get_string(status, "status"), "Success"))
		return NULL;
	if (str_equal(json_get_string(status, "reason"), "NonZeroExitCode")) {
		r->code = exit_code(status);
		return r->code >= 0 ? NULL
				    : err_new(EPROTO, "the command failed, but with which code is not told");
	}
	const json *code = json_get(status, "code");
	if (!code || !json_to_i64(code, &http_code) || http_code < 400 || http_code > 599)
		http_code = 500;
	return status_decode((int)http_code, text, len);
}

static err *on_message(struct relay *r, const struct str *message)
{
	const char *bytes = message->data + 1;
	size_t len = message->len - 1;

	if (!message->len)
		return NULL;
	switch ((uint8_t)message->data[0]) {
	case CHANNEL_STDOUT:
		return give(r, STDOUT_FILENO, bytes, len);
	case CHANNEL_STDERR:
		return give(r, STDERR_FILENO, bytes, len);
	case CHANNEL_STATUS:
		return len ? on_status(r, bytes, len) : NULL;
	default:
		return NULL;
	}
}

static err *take_messages(struct relay *r)
{
	auto_str struct str message = STR_INIT(WS_MESSAGE_MAX);

	while (!r->over && ws_pending(r->socket)) {
		enum ws_opcode opcode;
		bool closed = false;
		TRY(ws_receive(r->socket, &message, &opcode, &closed));
		if (closed)
			return err_new(ECONNRESET,
				       "the connection was closed before the command's end was told");
		TRY(on_message(r, &message));
	}
	return NULL;
}

/* Input is read only when what was read before has gone: so a command that does not read holds up nothing
 * else. */
static err *turn(struct relay *r)
{
	bool idle = !ws_unsent(r->socket);
	struct pollfd p[] = {
		{ .fd = ws_fd(r->socket), .events = (short)(POLLIN | (idle ? 0 : POLLOUT)) },
		{ .fd = r->input_open && idle ? STDIN_FILENO : -1, .events = POLLIN },
		{ .fd = r->terminal.signal_fd, .events = POLLIN },
	};

	if (poll(p, ARRAY_LEN(p), -1) < 0)
		return errno == EINTR ? NULL : err_errno("wait for the command");
	if (p[2].revents)
		TRY(take_signal(r));
	if (p[0].revents)
		TRY(ws_flush(r->socket));
	if (p[1].revents && !r->over)
		TRY(take_input(r));
	return NULL;
}

static err *run(struct relay *r)
{
	TRY(send_size(r));
	TRY(take_messages(r));
	while (!r->over) {
		TRY(turn(r));
		TRY(take_messages(r));
	}
	IGNORE(ws_send(r->socket, WS_CLOSE, "\x03\xe8", 2, NULL, 0)); /* 1000: done */
	return NULL;
}

static err *relay(struct ws_client *socket, const struct api_exec *exec, int *ret_code)
{
	struct relay r = { .socket = socket, .exec = exec, .input_open = exec->stdin_open };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;

	sigaction(SIGPIPE, &ignore, &before);
	err *e = terminal_open(&r.terminal, exec->tty && exec->stdin_open);
	if (!e)
		e = run(&r);
	terminal_close(&r.terminal);
	sigaction(SIGPIPE, &before, NULL);
	if (!e)
		*ret_code = r.code;
	return e;
}

/* ---- to the agent ---- */

static err *exec_url(const struct agent *a, const struct subject *s, const char *container,
		     const struct api_exec *exec, struct str *out)
{
	agent_path(a, "exec", s, container, out);
	for (size_t i = 0; i < exec->command->count; i++)
		client_query(out, "command", exec->command->items[i]);
	client_query(out, "stdin", exec->stdin_open ? "true" : NULL);
	client_query(out, "stdout", "true");
	client_query(out, "stderr", exec->tty ? NULL : "true");
	client_query(out, "tty", exec->tty ? "true" : NULL);
	return err_wrap(str_check(out), "the command is too long");
}

static err *connect_to(struct agent *a, const char *url, struct ws_client **ret)
{
	auto_http_response struct http_response refusal = HTTP_RESPONSE_INIT;
	err *e = ws_connect(a->client.http, url, SUBPROTOCOL, &refusal, ret);

	if (e && refusal.status >= 400) {
		err_free(e);
		return status_decode(refusal.status, refusal.error_body.data, refusal.error_body.len);
	}
	return client_without_url(e);
}

static err *exec_at(struct agent *a, const struct subject *s, const char *container,
		    const struct api_exec *exec, int *ret_code)
{
	auto_str struct str url = STR_INIT(EXEC_URL_MAX);
	auto_ws_client struct ws_client *socket = NULL;

	TRY(exec_url(a, s, container, exec, &url));
	TRY(connect_to(a, url.data, &socket));
	return relay(socket, exec, ret_code);
}

err *api_exec(struct api_client *c, const char *namespace, const char *pod, const struct api_exec *exec,
	      int *ret_code)
{
	auto_arena struct arena *arena = NULL;
	auto_agent struct agent a = { 0 };
	struct subject s = { &kinds[KIND_POD], client_namespace(c, &kinds[KIND_POD], namespace), pod };
	const char *container = NULL;

	TRY(arena_new(LOOKUP_ARENA, &arena));
	TRY(agent_of_pod(c, arena, &s, exec->container, &a, &container));
	return client_error(&a.client, &s, exec_at(&a, &s, container, exec, ret_code));
}
