/* agent/serve-exec.c: a command in a container: a WebSocket's channels relayed to and from its monitor.
 * Channels: net/websocket.h. Messages of the monitor: monitor/protocol.h. */
#include "agent/serve-exec.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/bundle.h"
#include "api/status.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

enum {
	INPUT_MAX = 2 * WS_MESSAGE_MAX, /* waits for the process; the client is asked to pause long before */
	INPUT_HIGH = MONITOR_INPUT_WINDOW,
	OUTPUT_HIGH = 256 * 1024,
	MESSAGES_A_TURN = 32,
	CONTROLS_MAX = 8, /* attach, wait, two signals */
};
/* A command whose caller has gone gets SIGHUP, and after this SIGKILL. */
#define GONE_GRACE (10 * (int64_t)NSEC_PER_SEC)

struct control {
	uint32_t kind;
	int32_t value;
	uint64_t a, b;
};

struct relay {
	struct loop *loop;
	struct relay_options o;
	struct websocket *socket; /* NULL: the caller has gone */
	int sock;
	struct loop_source *io, *kill;
	struct str input;	      /* bytes for stdin */
	bool input_ended, input_told; /* no more will come; the monitor knows */
	bool paused;		      /* the caller was asked to send no more */
	bool created, over;
	uint64_t credit;
	struct control controls[CONTROLS_MAX];
	size_t control_count;
	struct control size; /* of the terminal, the newest; kind 0: none to send */
};

static void look(struct relay *t);

static void relay_free(struct relay *t)
{
	loop_source_free(t->io);
	loop_source_free(t->kill);
	fd_close(t->sock);
	str_done(&t->input);
	if (t->o.done)
		t->o.done(t->o.user);
	free(t);
}

/* ---- to the monitor ---- */

/* False: the socket is full. A broken one shows at reading. */
static bool send_message(struct relay *t, const struct control *c, const void *data, size_t len)
{
	struct monitor_head head = { c->kind, c->value, c->a, c->b };
	struct iovec parts[] = { { &head, sizeof(head) }, { (void *)data, len } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = len > 0 ? 2 : 1 };
	ssize_t n;

	do
		n = sendmsg(t->sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

static void control(struct relay *t, uint32_t kind, int32_t value)
{
	if (t->control_count < CONTROLS_MAX)
		t->controls[t->control_count++] = (struct control){ .kind = kind, .value = value };
}

/* What waits goes out as far as the socket and the process take it. True: the socket is full. */
static bool flush(struct relay *t)
{
	static const struct control input = { .kind = MONITOR_INPUT },
				    input_end = { .kind = MONITOR_INPUT_END };

	while (t->control_count > 0) {
		if (!send_message(t, &t->controls[0], NULL, 0))
			return true;
		memmove(t->controls, t->controls + 1, --t->control_count * sizeof(t->controls[0]));
	}
	/* There is no terminal before the process. */
	if (t->created && t->size.kind != 0) {
		if (!send_message(t, &t->size, NULL, 0))
			return true;
		t->size.kind = 0;
	}
	while (t->input.len > 0 && t->credit > 0) {
		size_t len = MIN(MIN(t->input.len, (size_t)t->credit), (size_t)MONITOR_DATA_MAX);
		if (!send_message(t, &input, t->input.data, len))
			return true;
		t->credit -= len;
		str_consume(&t->input, len);
	}
	if (t->input_ended && t->input.len == 0 && !t->input_told) {
		t->input_told = send_message(t, &input_end, NULL, 0);
		return !t->input_told;
	}
	return false;
}

/* ---- to the caller ---- */

static void send_channel(struct relay *t, enum ws_channel channel, const void *bytes, size_t len)
{
	uint8_t head = (uint8_t)channel;

	if (t->socket && !t->over && len > 0)
		websocket_send(t->socket, &head, 1, bytes, len);
}

static void finish(struct relay *t, const struct str *status)
{
	uint8_t head = CHANNEL_STATUS;

	if (t->over)
		return;
	t->over = true;
	if (!t->socket)
		return;
	websocket_send(t->socket, &head, 1, status->data, status->len);
	websocket_close(t->socket, 1000, NULL);
}

static void finish_exit(struct relay *t, int code)
{
	auto_str struct str text = STR_INIT(4096);

	report_exit(&text, code);
	finish(t, &text);
}

static void finish_error(struct relay *t, err *e)
{
	auto_str struct str text = STR_INIT(64 * 1024);

	status_encode_err(&text, e, NULL, NULL);
	err_free(e);
	finish(t, &text);
}

/* ---- from the monitor ---- */

static void take_message(struct relay *t, const struct monitor_message *m, size_t len)
{
	switch (m->head.kind) {
	case MONITOR_OUT:
		send_channel(t, CHANNEL_STDOUT, m->data, len);
		break;
	case MONITOR_ERR:
		send_channel(t, CHANNEL_STDERR, m->data, len);
		break;
	case MONITOR_ROOM:
		t->credit += m->head.a;
		break;
	case MONITOR_CREATED:
		t->created = true;
		break;
	case MONITOR_ERROR:
		/* Not of a signal to a process that has just ended, or a size that came too early. */
		if (m->head.a == MONITOR_ATTACH || (!t->created && m->head.a == 0))
			finish_error(t, err_new(m->head.value > 0 ? m->head.value : EIO, "%.*s", (int)len,
						m->data));
		break;
	case MONITOR_EXITED:
		finish_exit(t, m->head.value);
		break;
	default:
		break;
	}
}

/* False: nothing there now, or no more ever (then it is over). */
static bool receive(struct relay *t)
{
	struct monitor_message m;
	ssize_t n;

	do
		n = recv(t->sock, &m, sizeof(m), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	err *e = n > 0 ? monitor_check(MONITOR_SIDE_SERVER, &m, (size_t)n)
		       : err_new(EPIPE, "the command's monitor has gone");
	if (e) {
		finish_error(t, e);
		return false;
	}
	take_message(t, &m, (size_t)n - sizeof(m.head));
	return !t->over;
}

static bool reader_is_slow(const struct relay *t)
{
	return t->socket && websocket_queued(t->socket) > OUTPUT_HIGH;
}

static void on_io(uint32_t events, void *user)
{
	struct relay *t = user;

	if (events & ~(uint32_t)EPOLLOUT)
		for (int i = 0; i < MESSAGES_A_TURN && !reader_is_slow(t) && receive(t); i++)
			;
	look(t);
}

/* Whatever happened: send what can be sent, wait for what can come; free when both sides are done. */
static void look(struct relay *t)
{
	uint32_t events = 0;

	if (t->over) {
		loop_source_free(TAKE(t->io));
		fd_clear(&t->sock);
		if (!t->socket)
			relay_free(t);
		return;
	}
	if (flush(t))
		events |= EPOLLOUT;
	if (!reader_is_slow(t))
		events |= EPOLLIN;
	IGNORE(loop_io_events(t->io, events));
	bool pause = t->input.len > INPUT_HIGH;
	if (t->socket && pause != t->paused)
		websocket_pause(t->socket, pause);
	t->paused = pause;
}

/* ---- from the caller ---- */

static void take_resize(struct relay *t, const char *text, size_t len)
{
	auto_arena struct arena *arena = NULL;
	json *size;
	uint64_t rows, columns;

	err *e = arena_new(1 << 16, &arena);
	if (!e)
		e = json_parse(arena, "size", text, len, &size);
	if (!e && json_get(size, "Width") && json_get(size, "Height") &&
	    json_to_u64(json_get(size, "Height"), &rows) && json_to_u64(json_get(size, "Width"), &columns) &&
	    rows <= UINT16_MAX && columns <= UINT16_MAX)
		t->size = (struct control){ MONITOR_RESIZE, 0, rows, columns };
	err_free(e);
}

static void on_message(const void *bytes, size_t len, bool binary, void *user)
{
	struct relay *t = user;
	const uint8_t *b = bytes;

	(void)binary;
	if (len == 0 || t->over)
		return;
	switch (b[0]) {
	case CHANNEL_STDIN:
		if (t->o.interactive && !t->input_ended)
			str_add_bytes(&t->input, b + 1, len - 1);
		if (t->input.failed) /* a caller that does not pause when asked */
			finish_error(t, err_new(EFBIG, "more input than the command takes"));
		break;
	case CHANNEL_RESIZE:
		if (t->o.tty)
			take_resize(t, (const char *)b + 1, len - 1);
		break;
	case CHANNEL_CLOSE:
		if (len == 2 && b[1] == CHANNEL_STDIN)
			t->input_ended = true;
		break;
	default:
		break;
	}
	look(t);
}

static void kill_due(void *user)
{
	struct relay *t = user;

	control(t, MONITOR_SIGNAL, SIGKILL);
	look(t);
}

/* The caller has gone. Its command is hung up, and what it still writes is dropped. */
static void on_closed(void *user)
{
	struct relay *t = user;

	t->socket = NULL;
	if (!t->over) {
		t->input_ended = true;
		str_clear(&t->input);
		control(t, MONITOR_SIGNAL, SIGHUP);
		IGNORE(loop_timer(t->loop, clock_boot() + GONE_GRACE, kill_due, t, &t->kill));
	}
	look(t);
}

static void on_drained(void *user)
{
	look(user);
}

/* ---- begin ---- */

static const char *const subprotocols[] = { "v5.channel.k8s.io", "v4.channel.k8s.io", NULL };

void relay_start(struct loop *loop, struct server_request *r, const struct relay_options *options)
{
	struct relay *t = calloc(1, sizeof(*t));

	if (!t) {
		fd_close(options->sock);
		if (options->done)
			options->done(options->user);
		serve_error(r, err_oom());
		return;
	}
	t->loop = loop;
	t->o = *options;
	t->sock = options->sock;
	t->input_ended = t->input_told = !options->interactive;
	t->credit = MONITOR_INPUT_WINDOW;
	str_init(&t->input, INPUT_MAX);
	control(t, MONITOR_ATTACH, MONITOR_ATTACH_OUTPUT | (options->interactive ? MONITOR_ATTACH_INPUT : 0));
	control(t, MONITOR_WAIT, 0);
	err *e = loop_io(loop, t->sock, EPOLLIN, on_io, t, &t->io);
	if (e) {
		serve_error(r, e);
		relay_free(t);
		return;
	}
	t->socket = request_websocket(r, subprotocols, on_message, on_closed, t);
	if (!t->socket) { /* it was answered */
		on_closed(t);
		return;
	}
	websocket_on_drained(t->socket, on_drained, t);
	look(t);
}

/* ---- the request ---- */

enum { COMMAND_MAX = 1024 };

struct exec_session {
	struct node_agent *agent;
	struct str session;
};

static void session_done(void *user)
{
	struct exec_session *s = user;

	pods_exec_done(s->agent->pods, s->session.data);
	str_done(&s->session);
	free(s);
}

static bool is_set(struct server_request *r, const char *name)
{
	const char *text = request_query(r, name);

	return text && (str_equal(text, "") || str_equal(text, "true") || str_equal(text, "1"));
}

static err *begin(struct node_agent *agent, struct server_request *r, char *const parts[3],
		  struct exec_session *s, struct relay_options *o)
{
	const char *words[COMMAND_MAX];
	size_t count = request_query_all(r, "command", words, COMMAND_MAX);
	struct strings args = { words, count };

	if (count == 0 || count > COMMAND_MAX)
		return err_new(EBADMSG,
			       count == 0 ? "command: required but missing" : "command: more than %d words",
			       COMMAND_MAX);
	if (!request_header(r, "Upgrade"))
		return err_new(EBADMSG, "commands are run over a WebSocket");
	o->interactive = is_set(r, "stdin");
	o->tty = is_set(r, "tty");
	const struct bundle_exec exec = { .args = &args, .tty = o->tty, .root_fd = -1 };
	return pods_exec(agent->pods, parts[0], parts[1], parts[2], &exec, o->interactive, &o->sock,
			 &s->session);
}

void serve_exec(struct node_agent *agent, struct server_request *r, char *const parts[3])
{
	struct exec_session *s = calloc(1, sizeof(*s));
	struct relay_options o = { .done = session_done, .user = s, .sock = -1 };

	if (!s) {
		serve_error(r, err_oom());
		return;
	}
	s->agent = agent;
	str_init(&s->session, 4096);
	err *e = begin(agent, r, parts, s, &o);
	metrics_operation(agent->metrics, e);
	if (e) {
		str_done(&s->session);
		free(s);
		serve_error(r, e);
		return;
	}
	log_info("command", "node", agent->name, "namespace", parts[0], "pod", parts[1], "container",
		 parts[2], "program", request_query(r, "command"), "user",
		 request_peer(r)->name ? request_peer(r)->name : request_peer(r)->address, NULL);
	relay_start(agent->loop, r, &o);
}
