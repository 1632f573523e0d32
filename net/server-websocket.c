/* net/server-websocket.c: the server's side of a WebSocket: handshake, messages, its end. Spec: RFC 6455. */
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
#define CLOSE_WAIT ((int64_t)(5 * NSEC_PER_SEC))
#define LEFT_WAIT  ((int64_t)(100 * NSEC_PER_MSEC))

enum {
	CLOSE_NORMAL = 1000,
	CLOSE_PROTOCOL = 1002,
	CLOSE_NO_CODE = 1005,
	CLOSE_NOT_UTF8 = 1007,
	CLOSE_TOO_LARGE = 1009
};

struct websocket {
	struct loop *loop;
	struct connection *connection;
	struct MHD_UpgradeResponseHandle *urh; /* NULL: not yet */
	int fd;
	char *subprotocol;
	struct loop_source *io, *later;
	struct str in, out;
	struct str message;  /* as far as its frames have come */
	enum ws_opcode kind; /* of the message; 0: none has begun */
	bool paused;
	bool closing;  /* our close frame is out, or in the queue */
	bool answered; /* theirs has come: end when the queue is out */
	bool deaf;     /* what comes after a violation is dropped */
	bool hung_up;  /* below TLS: what is left is read, then it ends */
	bool dead;
	bool handling;
	websocket_fn *on_message;
	loop_fn *closed, *drained;
	void *user, *drained_user;
};

/* ---- ends ---- */

static void finish(struct websocket *w)
{
	loop_source_free(w->io);
	loop_source_free(w->later);
	w->connection->websocket = NULL;
	if (w->connection->request)
		w->connection->request->websocket = NULL;
	if (w->urh) {
		MHD_upgrade_action(w->urh, MHD_UPGRADE_ACTION_CLOSE);
		loop_soon(w->connection->daemon->soon);
	}
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
	IGNORE(loop_timer_set(w->later, 1));
}

void websocket_gone(struct websocket *w)
{
	die(w);
}

void websocket_closed(struct websocket *w)
{
	if (!w->urh)
		finish(w);
}

void websocket_end(struct websocket *w)
{
	finish(w);
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

static void flush(struct websocket *w)
{
	size_t done = 0;

	while (w->urh && !w->dead && done < w->out.len) {
		ssize_t n = send(w->fd, w->out.data + done, w->out.len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				die(w);
			break;
		}
		done += (size_t)n;
	}
	if (w->dead)
		return;
	str_consume(&w->out, done);
	if (!w->out.len && w->answered)
		die(w);
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
	IGNORE(loop_timer_set(w->later, clock_boot() + CLOSE_WAIT));
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

/* False: nothing is there. */
static bool read_more(struct websocket *w)
{
	char *room = str_room(&w->in, READ_SIZE);
	ssize_t n = room ? recv(w->fd, room, READ_SIZE, MSG_DONTWAIT) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		die(w);
		return false;
	}
	if (w->deaf)
		return true;
	str_grown(&w->in, (size_t)n);
	handle_frames(w);
	return true;
}

/* libmicrohttpd does not pass on that a TLS connection ended without its alert; and what it holds of the last
 * bytes comes after the end is seen on its socket. */
void websocket_hung_up(struct websocket *w)
{
	w->hung_up = true;
	IGNORE(loop_timer_set(w->later, clock_boot() + LEFT_WAIT));
}

static void read_rest(struct websocket *w)
{
	bool any = false;

	while (!w->dead && !w->paused && read_more(w))
		any = true;
	if (!w->dead && any)
		IGNORE(loop_timer_set(w->later, clock_boot() + LEFT_WAIT));
	else if (!w->dead)
		die(w);
}

static void on_socket(uint32_t events, void *user)
{
	struct websocket *w = user;
	bool had = w->out.len;

	if (events & EPOLLOUT)
		flush(w);
	if (had && !w->dead && !w->out.len && w->drained)
		w->drained(w->drained_user);
	if (w->dead)
		return;
	if (events & EPOLLIN)
		read_more(w);
	else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		die(w);
}

void websocket_pause(struct websocket *w, bool pause)
{
	w->paused = pause;
	set_events(w);
	/* What is read already is handed over when the caller is done. */
	if (!pause && w->in.len && !w->closing && !w->dead)
		IGNORE(loop_timer_set(w->later, 1));
}

static void on_later(void *user)
{
	struct websocket *w = user;

	if (!w->urh) /* its request's end ends it */
		return;
	if (w->dead || w->closing)
		finish(w);
	else if (w->hung_up)
		read_rest(w);
	else
		handle_frames(w);
}

/* ---- handshake ---- */

static void begin(void *user, struct MHD_Connection *mhd UNUSED, void *context UNUSED, const char *extra,
		  size_t extra_len, MHD_socket fd, struct MHD_UpgradeResponseHandle *urh)
{
	struct websocket *w = user;

	const int on = 1;

	w->urh = urh;
	w->fd = fd;
	/* A key that is pressed does not wait for the next one. */
	setsockopt(w->connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connection_unwatch(w->connection);
	if (fd != w->connection->fd)
		connection_watch(w->connection);
	connection_deadline(w->connection, PHASE_WORKING, 0);
	w->connection->websocket = w;
	str_add_bytes(&w->in, extra, extra_len);
	err *e = w->dead ? NULL : loop_io(w->loop, fd, EPOLLRDHUP, on_socket, w, &w->io);
	if (e)
		die(w);
	err_free(e);
	flush(w);
	set_events(w);
	if (w->in.len || w->dead)
		IGNORE(loop_timer_set(w->later, 1));
}

static struct MHD_Response *response_of(struct websocket *w, const char *key)
{
	struct MHD_Response *response = MHD_create_response_for_upgrade(begin, w);
	char accept[29];

	if (!response)
		return NULL;
	ws_accept(key, accept);
	MHD_add_response_header(response, "Upgrade", "websocket");
	MHD_add_response_header(response, "Sec-WebSocket-Accept", accept);
	if (w->subprotocol)
		MHD_add_response_header(response, "Sec-WebSocket-Protocol", w->subprotocol);
	return response;
}

struct websocket *request_websocket(struct server_request *r, const char *const *subprotocols,
				    websocket_fn *message, loop_fn *closed, void *user)
{
	const char *chosen = NULL;

	if (!upgrade_check(r, subprotocols, &chosen))
		return NULL;
	struct websocket *w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	*w = (struct websocket){ .loop = r->loop,
				 .connection = r->connection,
				 .fd = -1,
				 .on_message = message,
				 .closed = closed,
				 .user = user };
	str_init(&w->in, WS_MESSAGE_MAX + READ_SIZE + 14);
	str_init(&w->out, QUEUE_MAX);
	str_init(&w->message, WS_MESSAGE_MAX);
	w->subprotocol = chosen ? strdup(chosen) : NULL;
	err *e = loop_timer(w->loop, 0, on_later, w, &w->later);
	if (e)
		abort();
	r->websocket = w;
	request_finish(r, 101, response_of(w, request_header(r, "Sec-WebSocket-Key")), 0);
	return w;
}

const char *websocket_subprotocol(const struct websocket *w)
{
	return w->subprotocol;
}
