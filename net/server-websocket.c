/* net/server-websocket.c: the server's side of a WebSocket: handshake, messages, its end. Spec: RFC 6455.
 *
 * libmicrohttpd's own upgrade is not used: below TLS it passes all bytes through a pair of sockets, and its
 * relay stands still when much comes at once (0.9.75, in a loop of ours). Its connection stays suspended
 * instead, so that it leaves the socket alone, and we speak on it. A client may send frames only after our
 * answer (RFC 6455, section 4.1), so that libmicrohttpd cannot have read any. */
#include "net/server-internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/websocket.h"

#define QUEUE_MAX  (4u << 20)
#define READ_SIZE  (64u * 1024)
#define READS_A_TURN 8
#define CLOSE_WAIT   ((int64_t)(5 * NSEC_PER_SEC))

enum {
	CLOSE_NORMAL = 1000,
	CLOSE_PROTOCOL = 1002,
	CLOSE_NO_CODE = 1005,
	CLOSE_NOT_UTF8 = 1007,
	CLOSE_TOO_LARGE = 1009
};

struct websocket {
	struct server_request *request;
	gnutls_session_t tls; /* NULL: plain */
	bool tls_again;	      /* a record is half out */
	int fd;
	char *subprotocol;
	struct loop_source *io, *soon, *timer;
	struct str in, out;
	struct str message;  /* as far as its frames have come */
	enum ws_opcode kind; /* of the message; 0: none has begun */
	bool behind;	     /* something had to wait in the queue */
	bool caught_up;
	bool paused;
	bool closing;  /* our close frame is out, or in the queue */
	bool answered; /* theirs has come: end when the queue is out */
	bool deaf;     /* what comes after a violation is dropped */
	bool dead;
	bool handling;
	websocket_fn *on_message;
	loop_fn *closed, *drained;
	void *user, *drained_user;
};

/* ---- ends ---- */

/* The request is let go: libmicrohttpd gets its connection back, and ends it. */
void websocket_end(struct websocket *w)
{
	struct server_request *r = w->request;

	loop_source_free(w->io);
	loop_source_free(w->soon);
	loop_source_free(w->timer);
	if (w->tls)
		gnutls_bye(w->tls, GNUTLS_SHUT_WR);
	connection_cut(r->connection);
	r->websocket = NULL;
	r->gone = true;
	request_resume(r);
	w->closed(w->user);
	str_done(&w->in);
	str_done(&w->out);
	str_done(&w->message);
	free(w->subprotocol);
	free(w);
}

/* Not at once: whoever calls us may still hold the WebSocket. */
static void die(struct websocket *w)
{
	w->dead = true;
	str_done(&w->out);
	if (w->io)
		IGNORE(loop_io_events(w->io, 0));
	loop_soon(w->soon);
}

/* ---- out ---- */

static void set_events(struct websocket *w)
{
	uint32_t events = EPOLLRDHUP;

	if (!w->io || w->dead)
		return;
	if (!w->paused || w->closing)
		events |= EPOLLIN;
	if (w->out.len)
		events |= EPOLLOUT;
	IGNORE(loop_io_events(w->io, events));
}

static ssize_t send_some(struct websocket *w, const char *bytes, size_t len)
{
	return w->tls ? tls_send(w->tls, bytes, len, &w->tls_again)
		      : send(w->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void flush(struct websocket *w)
{
	size_t done = 0;

	while (w->io && !w->dead && done < w->out.len) {
		ssize_t n = send_some(w, w->out.data + done, w->out.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			die(w);
		if (n < 0)
			break;
		done += (size_t)n;
	}
	if (w->dead)
		return;
	str_consume(&w->out, done);
	if (!w->out.len && w->answered)
		die(w);
	/* Whoever has sent hears it from the loop: he may be in the middle of something. */
	if (w->behind && !w->out.len) {
		w->caught_up = true;
		loop_soon(w->soon);
	}
	w->behind = w->out.len;
	set_events(w);
}

static bool send_frame(struct websocket *w, enum ws_opcode opcode, const void *head, size_t head_len,
		       const void *bytes, size_t len)
{
	uint8_t frame[14];
	size_t n = ws_head(true, opcode, head_len + len, NULL, frame);

	if (w->dead || w->closing)
		return false;
	str_add_bytes(&w->out, frame, n);
	str_add_bytes(&w->out, head, head_len);
	str_add_bytes(&w->out, bytes, len);
	if (w->out.failed) {
		die(w);
		return false;
	}
	flush(w);
	return !w->dead;
}

bool websocket_send(struct websocket *w, const void *head, size_t head_len, const void *bytes, size_t len)
{
	return send_frame(w, WS_BINARY, head, head_len, bytes, len);
}

size_t websocket_queued(const struct websocket *w)
{
	return w->out.len;
}

void websocket_on_drained(struct websocket *w, loop_fn *fn, void *user)
{
	w->drained = fn;
	w->drained_user = user;
}

void websocket_close(struct websocket *w, unsigned code, const char *reason)
{
	uint8_t head[2] = { (uint8_t)(code >> 8), (uint8_t)code };
	size_t len = strnlen(reason ? reason : "", 123);

	if (!send_frame(w, WS_CLOSE, head, code == CLOSE_NO_CODE ? 0 : 2, reason, len))
		return;
	w->closing = true;
	IGNORE(loop_timer_set(w->timer, clock_boot() + CLOSE_WAIT));
	flush(w);
}

/* ---- in ---- */

static void violation(struct websocket *w, unsigned code, const char *why)
{
	w->deaf = true;
	websocket_close(w, code, why);
}

static void take_close(struct websocket *w, const uint8_t *bytes, size_t len)
{
	unsigned code = len >= 2 ? (unsigned)bytes[0] << 8 | bytes[1] : CLOSE_NO_CODE;

	w->answered = true;
	if (w->closing)
		flush(w);
	else
		websocket_close(w, len == 1 ? CLOSE_PROTOCOL : code, NULL);
}

static void take_data(struct websocket *w, const struct ws_frame *f, const uint8_t *bytes)
{
	if ((f->opcode == WS_CONTINUATION) != (w->kind != 0)) {
		violation(w, CLOSE_PROTOCOL, "a message in parts is out of order");
		return;
	}
	if (f->opcode != WS_CONTINUATION)
		w->kind = f->opcode;
	str_add_bytes(&w->message, bytes, (size_t)f->length);
	if (w->message.failed) {
		violation(w, CLOSE_TOO_LARGE, "message is too large");
		return;
	}
	if (!f->fin)
		return;
	bool binary = w->kind == WS_BINARY;
	w->kind = WS_CONTINUATION;
	if (!binary && !ws_is_utf8(w->message.data, w->message.len)) {
		violation(w, CLOSE_NOT_UTF8, "text is not UTF-8");
		return;
	}
	w->on_message(w->message.data, w->message.len, binary, w->user);
	str_clear(&w->message);
}

static void take_frame(struct websocket *w, const struct ws_frame *f, uint8_t *bytes)
{
	ws_mask(bytes, (size_t)f->length, f->mask, 0);
	if (f->opcode == WS_CLOSE)
		take_close(w, bytes, (size_t)f->length);
	else if (f->opcode == WS_PING)
		send_frame(w, WS_PONG, NULL, 0, bytes, (size_t)f->length);
	else if (f->opcode != WS_PONG && !w->closing)
		take_data(w, f, bytes);
}

/* One whole frame at `at`. False: none is there, or none is wanted. */
static bool next_frame(struct websocket *w, size_t *at)
{
	struct ws_frame f;
	const char *why;
	uint8_t *bytes = (uint8_t *)w->in.data + *at;
	size_t len = w->in.len - *at;

	if (w->dead || w->deaf || w->answered || (w->paused && !w->closing))
		return false;
	if (!ws_parse(bytes, len, true, &f, &why)) {
		if (why)
			violation(w, CLOSE_PROTOCOL, why);
		return false;
	}
	if (f.length > WS_MESSAGE_MAX) {
		violation(w, CLOSE_TOO_LARGE, "message is too large");
		return false;
	}
	if (len - f.head < f.length)
		return false;
	*at += f.head + (size_t)f.length;
	take_frame(w, &f, bytes + f.head);
	return true;
}

static void handle_frames(struct websocket *w)
{
	size_t at = 0;

	if (w->handling)
		return;
	w->handling = true;
	while (next_frame(w, &at))
		;
	w->handling = false;
	if (!w->dead)
		str_consume(&w->in, at);
}

static ssize_t receive_some(struct websocket *w, char *room)
{
	return w->tls ? tls_receive(w->tls, room, READ_SIZE) : recv(w->fd, room, READ_SIZE, MSG_DONTWAIT);
}

/* False: nothing is there. */
static bool read_some(struct websocket *w)
{
	char *room = str_room(&w->in, READ_SIZE);
	ssize_t n = room ? receive_some(w, room) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		die(w);
		return false;
	}
	if (!w->deaf) {
		str_grown(&w->in, (size_t)n);
		handle_frames(w);
	}
	return !w->dead && (!w->paused || w->closing);
}

/* A few, so that others get their turn; what GnuTLS has read ahead makes no descriptor readable. */
static void read_more(struct websocket *w)
{
	int left = READS_A_TURN;

	while (left && read_some(w))
		left--;
	if (!left && !w->dead && w->tls)
		loop_soon(w->soon);
}

static void on_socket(uint32_t events, void *user)
{
	struct websocket *w = user;

	if (events & EPOLLOUT)
		flush(w);
	if (w->dead)
		return;
	if (events & EPOLLIN && (!w->paused || w->closing))
		read_more(w);
	else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		die(w);
}

void websocket_pause(struct websocket *w, bool pause)
{
	w->paused = pause;
	set_events(w);
	/* What is read already is handed over when the caller is done. */
	if (!pause)
		loop_soon(w->soon);
}

static void on_timer(void *user)
{
	websocket_end(user);
}

/* ---- the begin ---- */

static void begin(struct websocket *w)
{
	const int on = 1;

	/* A key that is pressed does not wait for the next one. */
	setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	err *e = loop_io(w->request->loop, w->fd, EPOLLRDHUP, on_socket, w, &w->io);
	if (e)
		die(w);
	err_free(e);
	flush(w);
}

static void tell_drained(struct websocket *w)
{
	bool tell = w->caught_up && !w->out.len && !w->dead && !w->closing;

	w->caught_up = false;
	if (tell && w->drained)
		w->drained(w->drained_user);
}

static void on_soon(void *user)
{
	struct websocket *w = user;

	tell_drained(w);
	if (!w->dead && !w->io)
		begin(w);
	else if (!w->dead)
		handle_frames(w);
	if (!w->dead && (!w->paused || w->closing))
		read_more(w);
	if (w->dead)
		websocket_end(w);
}

static void add_answer(struct websocket *w)
{
	char accept[29];

	ws_accept(request_header(w->request, "Sec-WebSocket-Key"), accept);
	str_addf(&w->out,
		 "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		 "Sec-WebSocket-Accept: %s\r\n",
		 accept);
	if (w->subprotocol)
		str_addf(&w->out, "Sec-WebSocket-Protocol: %s\r\n", w->subprotocol);
	str_add(&w->out, "\r\n");
}

static struct websocket *new_socket(struct server_request *r, const char *subprotocol)
{
	const union MHD_ConnectionInfo *tls =
		MHD_get_connection_info(r->connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	struct websocket *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->request = r;
	w->fd = r->connection->fd;
	w->tls = tls ? tls->tls_session : NULL;
	w->subprotocol = subprotocol ? strdup(subprotocol) : NULL;
	str_init(&w->in, WS_MESSAGE_MAX + READ_SIZE + 14);
	str_init(&w->out, QUEUE_MAX);
	str_init(&w->message, WS_MESSAGE_MAX);
	err *e = loop_defer(r->loop, on_soon, w, &w->soon);
	if (!e)
		e = loop_timer(r->loop, 0, on_timer, w, &w->timer);
	if (e)
		abort();
	return w;
}

struct websocket *request_websocket(struct server_request *r, const char *const *subprotocols,
				    websocket_fn *message, loop_fn *closed, void *user)
{
	const char *chosen = NULL;

	if (!upgrade_check(r, subprotocols, &chosen))
		return NULL;
	struct websocket *w = new_socket(r, chosen);
	w->on_message = message;
	w->closed = closed;
	w->user = user;
	w->dead = r->gone;
	add_answer(w);
	/* The request stays suspended, as one that is not yet answered, for as long as the WebSocket lives.
	 */
	r->websocket = w;
	r->answered = true;
	r->on_gone = NULL;
	connection_unwatch(r->connection);
	loop_soon(w->soon); /* after the handler, when the socket is ours */
	return w;
}

const char *websocket_subprotocol(const struct websocket *w)
{
	return w->subprotocol;
}
