/* net/websocket-client.c: the client's side of a WebSocket, over a connection that libcurl made. Spec: RFC
 * 6455. */
#include "net/websocket.h"

#include <ctype.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "net/http-internal.h"

#define HANDSHAKE_TIME (30 * (int64_t)NSEC_PER_SEC)
#define HANDSHAKE_MAX  (32u << 10) /* bytes of the answer's headers */
#define READ_SIZE      (64u << 10)
#define QUEUE_MAX      (2 * WS_MESSAGE_MAX)

struct ws_client {
	CURL *easy;
	int fd;
	char reason[CURL_ERROR_SIZE];
	struct str in;	    /* bytes that are not yet a whole frame */
	struct str message; /* parts of a message that is not yet whole */
	struct str out;	    /* bytes that did not go yet */
	enum ws_opcode opcode;
	bool in_parts; /* message holds the begin of one */
	bool ready;    /* message holds a whole one, which nobody has received */
	bool closed;   /* the other side closed in good order */
	err *failure;  /* why nothing more comes */
};

/* ---- bytes, without waiting ---- */

static curl_socket_t on_socket(void *user UNUSED, curlsocktype purpose UNUSED, struct curl_sockaddr *a)
{
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* Some of what has arrived, appended; *ret_len 0: nothing now. End of file is ECONNRESET. */
static err *read_some(struct ws_client *w, struct str *to, size_t *ret_len)
{
	char *room = str_room(to, READ_SIZE);

	*ret_len = 0;
	if (!room)
		return str_check(to);
	CURLcode code = curl_easy_recv(w->easy, room, READ_SIZE, ret_len);
	if (code == CURLE_AGAIN)
		return NULL;
	if (code)
		return http_transfer_error(w->easy, code, w->reason);
	if (!*ret_len)
		return err_new(ECONNRESET, "the connection was closed by the other side");
	str_grown(to, *ret_len);
	return NULL;
}

static err *flush(struct ws_client *w)
{
	while (w->out.len) {
		size_t sent = 0;
		CURLcode code = curl_easy_send(w->easy, w->out.data, w->out.len, &sent);
		if (code == CURLE_AGAIN || (!code && !sent))
			return NULL;
		if (code)
			return http_transfer_error(w->easy, code, w->reason);
		str_consume(&w->out, sent);
	}
	return NULL;
}

/* Until the socket is readable (or writable, when something is queued), or the time has come. */
static err *wait_for(const struct ws_client *w, int64_t deadline)
{
	struct pollfd p = { .fd = w->fd, .events = (short)(POLLIN | (w->out.len ? POLLOUT : 0)) };
	int64_t left = deadline ? deadline - clock_monotonic() : -1;

	if (deadline && left <= 0)
		return err_new(ETIMEDOUT, "no answer in the time allowed");
	if (poll(&p, 1, deadline ? (int)(left / (int64_t)NSEC_PER_MSEC) + 1 : -1) < 0 && errno != EINTR)
		return err_errno("wait for the connection");
	return NULL;
}

/* ---- the handshake ---- */

/* "name: value" of the answer's headers, trimmed, into buf; false: there is none. */
static bool find_header(const char *head, const char *name, char *buf, size_t size)
{
	size_t name_len = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
			continue;
		const char *value = line + name_len + 1;
		value += strspn(value, " \t");
		size_t len = strcspn(value, "\r");
		while (len && isblank((unsigned char)value[len - 1]))
			len--;
		snprintf(buf, size, "%.*s", (int)len, value);
		return true;
	}
	return false;
}

static bool header_is(const char *head, const char *name, const char *expected)
{
	char value[256];

	return find_header(head, name, value, sizeof(value)) && strcasecmp(value, expected) == 0;
}

/* One word of a list that commas divide. */
static bool header_has(const char *head, const char *name, const char *word)
{
	char value[256], *rest = value, *item;

	if (!find_header(head, name, value, sizeof(value)))
		return false;
	while ((item = strsep(&rest, ","))) {
		item += strspn(item, " \t");
		item[strcspn(item, " \t")] = '\0';
		if (strcasecmp(item, word) == 0)
			return true;
	}
	return false;
}

static void write_request(struct ws_client *w, const struct http_client *c, const struct url *url,
			  const char *key, const char *subprotocol)
{
	char authority[ORIGIN_TEXT_MAX];
	const char *path = strstr(url->text, "://");

	path = path ? strpbrk(path + 3, "/?") : NULL;
	str_addf(&w->out, "GET %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n",
		 path && *path == '/' ? "" : "/", path ? path : "", origin_authority(&url->origin, authority),
		 c->user_agent);
	str_addf(&w->out,
		 "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
		 "13\r\nSec-WebSocket-Key: %s\r\n",
		 key);
	if (subprotocol)
		str_addf(&w->out, "Sec-WebSocket-Protocol: %s\r\n", subprotocol);
	str_add(&w->out, "\r\n");
}

/* The answer up to its empty line; what came behind it stays in w->in. */
static err *read_head(struct ws_client *w, struct str *head, int64_t deadline)
{
	const char *end;

	while (!(end = strstr(w->in.data, "\r\n\r\n"))) {
		size_t len = 0;
		if (w->in.len > HANDSHAKE_MAX)
			return err_new(EFBIG, "headers of more than %u bytes", HANDSHAKE_MAX);
		TRY(flush(w));
		TRY(read_some(w, &w->in, &len));
		if (!len)
			TRY(wait_for(w, deadline));
	}
	size_t len = (size_t)(end - w->in.data) + 4;
	str_add_bytes(head, w->in.data, len);
	str_consume(&w->in, len);
	return str_check(head);
}

/* The body of a refusal, as far as it comes. */
static void read_refusal(struct ws_client *w, const char *head, int64_t deadline, struct str *out)
{
	char text[32];
	uint64_t length = HTTP_ERROR_BODY_MAX;
	err *e = NULL;

	if (find_header(head, "content-length", text, sizeof(text)) && !str_to_u64(text, &length))
		length = 0;
	length = MIN(length, (uint64_t)HTTP_ERROR_BODY_MAX);
	while (!e && w->in.len < length) {
		size_t len = 0;
		e = read_some(w, &w->in, &len);
		if (!e && !len)
			e = wait_for(w, deadline);
	}
	err_free(e);
	str_add_bytes(out, w->in.data, MIN(w->in.len, (size_t)length));
}

static err *check_answer(const char *head, const char *key, const char *subprotocol)
{
	char accept[29];

	ws_accept(key, accept);
	if (!header_is(head, "upgrade", "websocket") || !header_has(head, "connection", "upgrade"))
		return err_new(EPROTO, "the answer agrees to no WebSocket");
	char value[64];
	if (!find_header(head, "sec-websocket-accept", value, sizeof(value)) || !str_equal(value, accept))
		return err_new(EPROTO, "the answer belongs to another request");
	if (subprotocol && !header_is(head, "sec-websocket-protocol", subprotocol))
		return err_new(EPROTO, "the server does not speak %s", subprotocol);
	if (header_is(head, "sec-websocket-extensions", "") ||
	    !find_header(head, "sec-websocket-extensions", value, sizeof(value)))
		return NULL;
	return err_new(EPROTO, "the server wants an extension that nobody asked for");
}

static err *shake_hands(struct ws_client *w, const struct http_client *c, const struct url *url,
			const char *subprotocol, struct http_response *refusal)
{
	int64_t deadline = clock_monotonic() + HANDSHAKE_TIME;
	auto_str struct str head = STR_INIT(HANDSHAKE_MAX + READ_SIZE), key = STR_INIT(64);
	unsigned char random[16];
	int status = 0;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_errno("get random bytes");
	base64_encode(random, sizeof(random), &key);
	write_request(w, c, url, key.data, subprotocol);
	TRY(str_check(&w->out));
	TRY(read_head(w, &head, deadline));
	if (sscanf(head.data, "HTTP/1.%*1[01] %3d", &status) != 1)
		return err_new(EPROTO, "not an answer of the HTTP protocol");
	if (status == 101)
		return check_answer(head.data, key.data, subprotocol);
	refusal->status = status;
	read_refusal(w, head.data, deadline, &refusal->error_body);
	return err_new(EPROTO, "answered with status %d instead of a WebSocket", status);
}

static err *open_connection(struct ws_client *w, const struct http_client *c, const struct url *url)
{
	w->easy = curl_easy_init();
	if (!w->easy)
		return err_oom();
	curl_easy_setopt(w->easy, CURLOPT_ERRORBUFFER, w->reason);
	curl_easy_setopt(w->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(w->easy, CURLOPT_URL, url->text);
	curl_easy_setopt(w->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(w->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(w->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(w->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(w->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(w->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(w->easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(c->connect_timeout / (int64_t)NSEC_PER_MSEC));
	curl_easy_setopt(w->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	TRY(http_identify(c, w->easy));
	CURLcode code = curl_easy_perform(w->easy);
	if (code)
		return http_transfer_error(w->easy, code, w->reason);
	curl_socket_t fd = CURL_SOCKET_BAD;
	if (curl_easy_getinfo(w->easy, CURLINFO_ACTIVESOCKET, &fd) || fd == CURL_SOCKET_BAD)
		return err_new(ECONNRESET, "the connection was closed at once");
	w->fd = fd;
	return NULL;
}

err *ws_connect(struct http_client *c, const char *text, const char *subprotocol,
		struct http_response *refusal, struct ws_client **ret)
{
	auto_ws_client struct ws_client *w = calloc(1, sizeof(*w));
	auto_url struct url url = { 0 };
	auto_str struct str shown = STR_INIT(URL_MAX * 2);

	if (!w)
		return err_oom();
	w->fd = -1;
	str_init(&w->in, WS_MESSAGE_MAX + 14 + READ_SIZE);
	str_init(&w->message, WS_MESSAGE_MAX);
	str_init(&w->out, QUEUE_MAX + 14);
	TRY(url_parse(text, &url));
	err *e = open_connection(w, c, &url);
	if (!e)
		e = shake_hands(w, c, &url, subprotocol, refusal);
	if (e) {
		url_public(text, &shown);
		return err_wrap(e, "GET '%s'", shown.data);
	}
	*ret = TAKE(w);
	return NULL;
}

void ws_client_free(struct ws_client *w)
{
	if (!w)
		return;
	if (w->easy)
		curl_easy_cleanup(w->easy);
	err_free(w->failure);
	str_done(&w->in);
	str_done(&w->message);
	str_done(&w->out);
	free(w);
}

int ws_fd(const struct ws_client *w)
{
	return w->fd;
}

/* ---- sending ---- */

/* Queued whole, masked in the queue. */
static err *queue(struct ws_client *w, enum ws_opcode opcode, const void *head, size_t head_len,
		  const void *bytes, size_t len)
{
	uint8_t frame[14], mask[4];

	if (head_len + len > WS_MESSAGE_MAX)
		return err_new(EMSGSIZE, "a message of more than %u bytes", WS_MESSAGE_MAX);
	if (w->out.len + head_len + len > QUEUE_MAX)
		return err_new(ENOBUFS, "the other side takes nothing");
	if (getrandom(mask, sizeof(mask), 0) != sizeof(mask))
		return err_errno("get random bytes");
	str_add_bytes(&w->out, frame, ws_head(true, opcode, head_len + len, mask, frame));
	size_t begin = w->out.len;
	str_add_bytes(&w->out, head, head_len);
	str_add_bytes(&w->out, bytes, len);
	TRY(str_check(&w->out));
	ws_mask((uint8_t *)w->out.data + begin, head_len + len, mask, 0);
	return NULL;
}

err *ws_send(struct ws_client *w, enum ws_opcode opcode, const void *head, size_t head_len, const void *bytes,
	     size_t len)
{
	TRY(queue(w, opcode, head, head_len, bytes, len));
	return flush(w);
}

size_t ws_unsent(const struct ws_client *w)
{
	return w->out.len;
}

err *ws_flush(struct ws_client *w)
{
	return flush(w);
}

/* ---- receiving ---- */

static err *on_control(struct ws_client *w, const struct ws_frame *f, const char *payload)
{
	if (f->opcode == WS_PING)
		return ws_send(w, WS_PONG, payload, (size_t)f->length, NULL, 0);
	if (f->opcode != WS_CLOSE)
		return NULL;
	w->closed = true;
	/* The same back, as is polite; whether it arrives is nobody's business. */
	IGNORE(ws_send(w, WS_CLOSE, payload, MIN((size_t)f->length, (size_t)2), NULL, 0));
	return NULL;
}

static err *on_data(struct ws_client *w, const struct ws_frame *f, const char *payload)
{
	if ((f->opcode == WS_CONTINUATION) != w->in_parts)
		return err_new(EPROTO, w->in_parts ? "a new message inside another"
						   : "the end of a message without its begin");
	if (!w->in_parts) {
		str_clear(&w->message);
		w->opcode = f->opcode;
	}
	str_add_bytes(&w->message, payload, (size_t)f->length);
	TRY(str_check(&w->message));
	w->in_parts = !f->fin;
	w->ready = f->fin;
	return NULL;
}

/* The next frame of w->in. *ret_more: one was there. */
static err *take_frame(struct ws_client *w, bool *ret_more)
{
	struct ws_frame f;
	const char *reason = NULL;

	*ret_more = ws_parse((const uint8_t *)w->in.data, w->in.len, false, &f, &reason);
	if (reason)
		return err_new(EPROTO, "not a WebSocket: %s", reason);
	if (!*ret_more)
		return NULL;
	if (f.length > WS_MESSAGE_MAX)
		return err_new(EFBIG, "a message of more than %u bytes", WS_MESSAGE_MAX);
	if (w->in.len < f.head + f.length) {
		*ret_more = false;
		return NULL;
	}
	const char *payload = w->in.data + f.head;
	err *e = f.opcode >= WS_CLOSE ? on_control(w, &f, payload) : on_data(w, &f, payload);
	str_consume(&w->in, f.head + (size_t)f.length);
	return e;
}

/* Until there is something to tell, or nothing more has arrived. */
static err *advance(struct ws_client *w)
{
	TRY(flush(w));
	while (!w->ready && !w->closed) {
		bool more = false;
		size_t len = 0;
		TRY(take_frame(w, &more));
		if (more)
			continue;
		TRY(read_some(w, &w->in, &len));
		if (!len)
			break;
	}
	return NULL;
}

bool ws_pending(struct ws_client *w)
{
	if (!w->ready && !w->closed && !w->failure)
		w->failure = advance(w);
	return w->ready || w->closed || w->failure;
}

err *ws_receive(struct ws_client *w, struct str *out, enum ws_opcode *ret_opcode, bool *ret_closed)
{
	while (!ws_pending(w))
		TRY(wait_for(w, 0));
	*ret_closed = false;
	if (w->ready) {
		w->ready = false;
		*ret_opcode = w->opcode;
		str_clear(out);
		str_add_bytes(out, w->message.data, w->message.len);
		return str_check(out);
	}
	*ret_closed = w->closed;
	return w->closed ? NULL : TAKE(w->failure);
}
