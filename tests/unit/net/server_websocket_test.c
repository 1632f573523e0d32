/* tests/unit/net/server_websocket_test.c: WebSockets of the server, spoken to in raw frames, plain and below
 * TLS. */
#include "net/websocket.h"
#include "tests/unit/net/tls.h"

static struct websocket *socket_open;
static atomic_int opened, closed, messages, drained;
static char last[256];

static const char *const protocols[] = { "v5.channel.k8s.io", "v4.channel.k8s.io", NULL };

static void on_message(const void *bytes, size_t len, bool binary, void *user)
{
	(void)user;
	snprintf(last, sizeof(last), "%s:%zu:%.*s", binary ? "binary" : "text", len, (int)MIN(len, 100u),
		 (const char *)bytes);
	atomic_fetch_add(&messages, 1);
	if (len >= 4 && memcmp(bytes, "stop", 4) == 0)
		websocket_close(socket_open, 1000, "as you wish");
	else if (len >= 5 && memcmp(bytes, "pause", 5) == 0)
		websocket_pause(socket_open, true);
	else
		websocket_send(socket_open, "\1", 1, bytes, len);
}

static void on_closed(void *user)
{
	(void)user;
	socket_open = NULL;
	atomic_fetch_add(&closed, 1);
}

static void on_drained(void *user)
{
	(void)user;
	atomic_fetch_add(&drained, 1);
}

static void handle(struct server_request *r, void *user)
{
	bool any = request_query(r, "any");

	(void)user;
	socket_open = request_websocket(r, any ? NULL : protocols, on_message, on_closed, NULL);
	if (!socket_open)
		return;
	websocket_on_drained(socket_open, on_drained, NULL);
	if (request_query(r, "greet"))
		websocket_send(socket_open, "hi", 2, NULL, 0);
	atomic_fetch_add(&opened, 1);
}

static int make(void **state)
{
	opened = closed = messages = drained = 0;
	socket_open = NULL;
	*last = 0;
	return tls_make(state);
}

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define UPGRADE \
	"Host: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n"
#define OPEN "GET /?any HTTP/1.1\r\n" UPGRADE KEY "\r\n"

/* A masked frame. */
static void put_frame(int fd, bool fin, enum ws_opcode opcode, const void *bytes, size_t len)
{
	static const uint8_t mask[4] = { 1, 2, 3, 4 };
	auto_str struct str out = STR_INIT(2 << 20);
	uint8_t head[14];
	size_t n = ws_head(fin, opcode, len, mask, head);

	str_add_bytes(&out, head, n);
	str_add_bytes(&out, bytes, len);
	ws_mask((uint8_t *)out.data + n, len, mask, 0);
	IGNORE(fd_write_all(fd, out.data, out.len));
}

static void put_text(int fd, const char *text)
{
	put_frame(fd, true, WS_BINARY, text, strlen(text));
}

/* The next frame's payload as text; "(end)" when the connection ends. */
static enum ws_opcode next_frame(int fd, struct str *in)
{
	uint8_t head[10];
	struct ws_frame f;
	const char *why = NULL;
	size_t n = 0;

	str_clear(in);
	while (!ws_parse(head, n, false, &f, &why)) {
		assert_null(why);
		assert_true(n < sizeof(head));
		if (recv(fd, head + n, 1, 0) != 1) {
			str_add(in, "(end)");
			return WS_CLOSE;
		}
		n++;
	}
	char *room = str_room(in, (size_t)f.length);
	assert_non_null(room);
	assert_ok(fd_read_exact(fd, room, (size_t)f.length));
	str_grown(in, (size_t)f.length);
	return f.opcode;
}

static void assert_frame(int fd, enum ws_opcode opcode, const char *text)
{
	auto_str struct str in = STR_INIT(2 << 20);

	assert_int_equal(next_frame(fd, &in), opcode);
	assert_int_equal(in.len, strlen(text));
	assert_string_equal(in.data, text);
}

static void assert_closed(int fd, unsigned code, const char *reason)
{
	auto_str struct str in = STR_INIT(2 << 20);

	assert_int_equal(next_frame(fd, &in), WS_CLOSE);
	assert_true(in.len >= 2);
	assert_int_equal((unsigned)(uint8_t)in.data[0] << 8 | (uint8_t)in.data[1], code);
	assert_string_equal(in.data + 2, reason);
}

/* The head of the answer, byte by byte: frames may follow it at once. */
static void open_socket(int fd, const char *request, struct str *answer)
{
	char c;

	raw_send(fd, request);
	while (!strstr(answer->data, "\r\n\r\n") && recv(fd, &c, 1, 0) == 1)
		str_add_char(answer, c);
}

static int open_plain(void)
{
	auto_str struct str answer = STR_INIT(1 << 16);
	int fd = raw_connect();

	open_socket(fd, OPEN, &answer);
	assert_int_equal(raw_status(&answer), 101);
	return fd;
}

static void start_plain(void)
{
	at_start((struct server_options){
		.listen_fd = -1, .handler = handle, .request_timeout = 200 * (int64_t)NSEC_PER_MSEC });
}

static void test_the_handshake_chooses_the_first_of_our_protocols(void **state)
{
	auto_str struct str answer = STR_INIT(1 << 16);
	auto_close int fd = -1;

	(void)state;
	start_plain();
	fd = raw_connect();
	open_socket(fd,
		    "GET / HTTP/1.1\r\n" UPGRADE KEY
		    "Sec-WebSocket-Protocol: x, v4.channel.k8s.io,v5.channel.k8s.io\r\n\r\n",
		    &answer);
	assert_int_equal(raw_status(&answer), 101);
	assert_non_null(strstr(answer.data, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	assert_non_null(strstr(answer.data, "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n"));
	assert_non_null(strstr(answer.data, "Upgrade: websocket\r\n"));
	assert_string_equal(websocket_subprotocol(socket_open), "v5.channel.k8s.io");
}

static void test_other_handshakes_are_refused(void **state)
{
	static const struct {
		const char *request;
		int status;
		const char *body;
	} rows[] = {
		{ "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 426,
		  "a WebSocket is wanted here\n" },
		{ "GET /?any HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n", 426,
		  "a WebSocket is wanted here\n" },
		{ "GET /?any HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n"
		  "Sec-WebSocket-Version: 8\r\n" KEY "\r\n",
		  426, "version 13 of WebSocket is wanted here\n" },
		{ "GET /?any HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n"
		  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short==\r\n\r\n",
		  400, "Sec-WebSocket-Key is not 16 bytes in base64\n" },
		{ "POST /?any HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n"
		  "Sec-WebSocket-Version: 13\r\n" KEY "\r\n",
		  400, "Sec-WebSocket-Key is not 16 bytes in base64\n" },
		{ "GET / HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n"
		  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v3.channel.k8s.io\r\n" KEY "\r\n",
		  400, "none of the subprotocols is known here\n" },
	};
	auto_str struct str answer = STR_INIT(1 << 16);

	(void)state;
	start_plain();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		raw_request(rows[i].request, &answer);
		assert_int_equal(raw_status(&answer), rows[i].status);
		assert_string_equal(raw_body(&answer), rows[i].body);
		assert_int_equal(strstr(answer.data, "Sec-WebSocket-Version: 13\r\n") != NULL,
				 rows[i].status == 426);
	}
	assert_int_equal(opened, 0);
}

static void test_messages_are_answered_in_one_frame(void **state)
{
	auto_close int fd = -1;

	(void)state;
	start_plain();
	fd = open_plain();
	put_text(fd, "hello");
	assert_frame(fd, WS_BINARY, "\1hello");
	assert_string_equal(last, "binary:5:hello");
	poll(NULL, 0, 500); /* longer than a request may take */
	put_frame(fd, true, WS_TEXT, "\xc3\xbc\xf0\x9f\x98\x80", 6);
	assert_frame(fd, WS_BINARY, "\1\xc3\xbc\xf0\x9f\x98\x80");
	assert_string_equal(last, "text:6:\xc3\xbc\xf0\x9f\x98\x80");
	put_frame(fd, true, WS_BINARY, "", 0);
	assert_frame(fd, WS_BINARY, "\1");
}

static void test_parts_and_pings_between_them(void **state)
{
	auto_close int fd = -1;

	(void)state;
	start_plain();
	fd = open_plain();
	put_frame(fd, false, WS_TEXT, "one ", 4);
	put_frame(fd, true, WS_PING, "are you there", 13);
	put_frame(fd, false, WS_CONTINUATION, "", 0);
	put_frame(fd, true, WS_PONG, "unasked", 7);
	put_frame(fd, true, WS_CONTINUATION, "two", 3);
	assert_frame(fd, WS_PONG, "are you there");
	assert_frame(fd, WS_BINARY, "\1one two");
	assert_string_equal(last, "text:7:one two");
}

/* All at once, and one byte after another. */
static void test_bytes_may_come_in_any_pieces(void **state)
{
	static const char frames[] = "\x82\x82\0\0\0\0ab\x82\x81\0\0\0\0c\x89\x80\0\0\0\0";
	auto_str struct str answer = STR_INIT(1 << 16);
	auto_close int fd = -1;

	(void)state;
	start_plain();
	fd = raw_connect();
	open_socket(fd, OPEN, &answer);
	assert_int_equal(send(fd, frames, sizeof(frames) - 1, MSG_NOSIGNAL), (ssize_t)sizeof(frames) - 1);
	assert_frame(fd, WS_BINARY, "\1ab");
	assert_frame(fd, WS_BINARY, "\1c");
	assert_frame(fd, WS_PONG, "");
	for (size_t i = 0; i < sizeof(frames) - 1; i++) {
		assert_int_equal(send(fd, frames + i, 1, MSG_NOSIGNAL), 1);
		poll(NULL, 0, 1);
	}
	assert_frame(fd, WS_BINARY, "\1ab");
	assert_frame(fd, WS_BINARY, "\1c");
	assert_frame(fd, WS_PONG, "");
}

static void test_what_is_sent_before_the_handshake_follows_it(void **state)
{
	auto_str struct str answer = STR_INIT(1 << 16);
	auto_close int fd = -1;

	(void)state;
	start_plain();
	fd = raw_connect();
	open_socket(fd, "GET /?any&greet HTTP/1.1\r\n" UPGRADE KEY "\r\n", &answer);
	assert_frame(fd, WS_BINARY, "hi");
}

static void test_violations_end_it_with_their_code(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		unsigned code;
		const char *reason;
	} rows[] = {
		{ "\x82\x01x", 3, 1002, "frame of a client without a mask" },
		{ "\x83\x80\0\0\0\0", 6, 1002, "unknown opcode" },
		{ "\xc2\x80\0\0\0\0", 6, 1002, "reserved bits are set" },
		{ "\x80\x80\0\0\0\0", 6, 1002, "a message in parts is out of order" },
		{ "\x02\x80\0\0\0\0\x82\x80\0\0\0\0", 12, 1002, "a message in parts is out of order" },
		{ "\x81\x81\0\0\0\0\xff", 7, 1007, "text is not UTF-8" },
		{ "\x81\x83\0\0\0\0\xed\xa0\x80", 9, 1007, "text is not UTF-8" },
		{ "\x81\x82\0\0\0\0\xc0\x80", 8, 1007, "text is not UTF-8" },
		{ "\x82\xff\0\0\0\0\0\x10\0\1\0\0\0\0", 14, 1009, "message is too large" },
	};

	(void)state;
	start_plain();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = open_plain();

		assert_int_equal(send(fd, rows[i].bytes, rows[i].len, MSG_NOSIGNAL), (ssize_t)rows[i].len);
		assert_closed(fd, rows[i].code, rows[i].reason);
		put_text(fd, "too late");
		close(fd);
		wait_until(closed == (int)i + 1);
	}
	assert_int_equal(messages, 0);
}

static void test_a_message_may_have_a_mebibyte_and_no_more(void **state)
{
	auto_free char *bytes = calloc(1, WS_MESSAGE_MAX);
	auto_str struct str in = STR_INIT(2 << 20);
	auto_close int fd = -1;

	(void)state;
	start_plain();
	fd = open_plain();
	put_frame(fd, true, WS_BINARY, bytes, WS_MESSAGE_MAX);
	assert_int_equal(next_frame(fd, &in), WS_BINARY);
	assert_int_equal(in.len, WS_MESSAGE_MAX + 1);
	put_frame(fd, false, WS_BINARY, bytes, WS_MESSAGE_MAX);
	put_frame(fd, true, WS_CONTINUATION, "x", 1);
	assert_closed(fd, 1009, "message is too large");
	assert_int_equal(messages, 1);
}

static void test_either_side_closes_in_good_order(void **state)
{
	int fd;

	(void)state;
	start_plain();
	fd = open_plain();
	put_frame(fd, true, WS_CLOSE,
		  "\x03\xe9"
		  "bye",
		  5);
	assert_closed(fd, 1001, "");
	assert_frame(fd, WS_CLOSE, "(end)");
	wait_until(closed == 1);
	close(fd);

	fd = open_plain();
	put_text(fd, "stop");
	assert_closed(fd, 1000, "as you wish");
	put_text(fd, "not read any more");
	put_frame(fd, true, WS_CLOSE, "\x03\xe8", 2);
	assert_frame(fd, WS_CLOSE, "(end)");
	wait_until(closed == 2);
	close(fd);
	assert_int_equal(messages, 1);

	fd = open_plain();
	close(fd);
	wait_until(closed == 3);
	wait_until(server_connections(at.server) == 0);
}

static void unpause(void *user)
{
	(void)user;
	websocket_pause(socket_open, false);
}

static void test_a_paused_socket_reads_no_more(void **state)
{
	auto_free char *bytes = calloc(1, WS_MESSAGE_MAX);
	auto_close int fd = -1;

	(void)state;
	start_plain();
	fd = open_plain();
	static const char both[] = "\x82\x85\0\0\0\0pause\x82\x83\0\0\0\0abc";
	assert_int_equal(send(fd, both, sizeof(both) - 1, MSG_NOSIGNAL), (ssize_t)sizeof(both) - 1);
	wait_until(messages == 1);
	/* What is sent now stays in the kernel until that is full. */
	size_t sent = 0;
	for (ssize_t n; sent < (64u << 20) && (n = send(fd, bytes, 65536, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0;)
		sent += (size_t)n;
	assert_true(sent < (64u << 20));
	assert_int_equal(messages, 1);
	at_call(unpause, NULL);
	assert_frame(fd, WS_BINARY, "\1abc");
}

static void fill(void *user)
{
	auto_free char *bytes = calloc(1, 1 << 16);

	*(bool *)user = socket_open && websocket_send(socket_open, "\2", 1, bytes, 1 << 16);
}

static void queued(void *user)
{
	*(size_t *)user = socket_open ? websocket_queued(socket_open) : 0;
}

static void test_a_slow_reader_is_told_and_then_ended(void **state)
{
	auto_str struct str in = STR_INIT(2 << 20);
	bool more = true;
	size_t waiting = 0;
	int fd;

	(void)state;
	start_plain();
	fd = open_plain();
	int frames = 0;
	for (; !waiting; frames++) {
		at_call(fill, &more);
		at_call(queued, &waiting);
	}
	for (; frames; frames--)
		assert_int_equal(next_frame(fd, &in), WS_BINARY);
	wait_until(drained == 1);
	for (int i = 0; more; i++) {
		assert_in_range(i, 0, 2000);
		at_call(fill, &more);
	}
	wait_until(closed == 1);
	close(fd);
}

/* Also when another message takes the rest of the queue along. */
static void greet(void *user)
{
	(void)user;
	websocket_send(socket_open, "x", 1, NULL, 0);
}

static void test_a_queue_that_another_message_empties_is_told_too(void **state)
{
	auto_str struct str in = STR_INIT(2 << 20);
	auto_close int fd = -1;
	size_t waiting = 0;
	bool more = true;

	(void)state;
	start_plain();
	fd = open_plain();
	while (!waiting) {
		at_call(fill, &more);
		at_call(queued, &waiting);
	}
	while (!drained) { /* one more is always on its way */
		assert_int_equal(next_frame(fd, &in), WS_BINARY);
		at_call(greet, NULL);
	}
}

/* ---- below TLS ---- */

static void test_all_that_works_below_tls(void **state)
{
	auto_free char *bytes = calloc(1, WS_MESSAGE_MAX);
	auto_str struct str in = STR_INIT(2 << 20);

	(void)state;
	at_start(tls_options(handle));
	struct tls_client c = tls_connect("ca", NULL, NULL);
	open_socket(c.fd, OPEN, &in);
	assert_int_equal(raw_status(&in), 101);
	for (int i = 0; i < 100; i++) {
		put_text(c.fd, "hello");
		assert_frame(c.fd, WS_BINARY, "\1hello");
	}
	memset(bytes, 'x', WS_MESSAGE_MAX);
	for (int i = 0; i < 3; i++) {
		put_frame(c.fd, true, WS_BINARY, bytes, WS_MESSAGE_MAX);
		assert_int_equal(next_frame(c.fd, &in), WS_BINARY);
		assert_int_equal(in.len, WS_MESSAGE_MAX + 1);
		assert_memory_equal(in.data + 1, bytes, WS_MESSAGE_MAX);
	}
	assert_in_range(at_turns_of_silence(300), 0, 1);
	put_text(c.fd, "stop");
	assert_closed(c.fd, 1000, "as you wish");
	put_frame(c.fd, true, WS_CLOSE, "\x03\xe8", 2);
	assert_frame(c.fd, WS_CLOSE, "(end)");
	tls_close(&c);
	wait_until(closed == 1);
	wait_until(server_connections(at.server) == 0);
}

static void test_their_close_is_answered_below_tls(void **state)
{
	auto_str struct str in = STR_INIT(2 << 20);

	(void)state;
	at_start(tls_options(handle));
	struct tls_client c = tls_connect("ca", NULL, NULL);
	open_socket(c.fd, OPEN, &in);
	put_text(c.fd, "hello");
	put_frame(c.fd, true, WS_CLOSE, "\x03\xe9", 2);
	assert_frame(c.fd, WS_BINARY, "\1hello");
	assert_closed(c.fd, 1001, "");
	assert_frame(c.fd, WS_CLOSE, "(end)");
	tls_close(&c);
	wait_until(closed == 1);

	c = tls_connect("ca", NULL, NULL);
	str_clear(&in);
	open_socket(c.fd, OPEN, &in);
	tls_close(&c); /* without a word */
	wait_until(closed == 2);
	wait_until(server_connections(at.server) == 0);
}

static void test_the_end_of_the_server_ends_them(void **state)
{
	auto_str struct str in = STR_INIT(2 << 20);
	auto_close int fd = -1;

	(void)state;
	start_plain();
	fd = open_plain();
	at_stop();
	assert_int_equal(closed, 1);
	assert_frame(fd, WS_CLOSE, "(end)");
	at_start(tls_options(handle));
	struct tls_client c = tls_connect("ca", NULL, NULL);
	open_socket(c.fd, OPEN, &in);
	at_stop();
	assert_int_equal(closed, 2);
	assert_frame(c.fd, WS_CLOSE, "(end)");
	tls_close(&c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, tls_unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_handshake_chooses_the_first_of_our_protocols),
		TEST(test_other_handshakes_are_refused),
		TEST(test_messages_are_answered_in_one_frame),
		TEST(test_parts_and_pings_between_them),
		TEST(test_bytes_may_come_in_any_pieces),
		TEST(test_what_is_sent_before_the_handshake_follows_it),
		TEST(test_violations_end_it_with_their_code),
		TEST(test_a_message_may_have_a_mebibyte_and_no_more),
		TEST(test_either_side_closes_in_good_order),
		TEST(test_a_paused_socket_reads_no_more),
		TEST(test_a_slow_reader_is_told_and_then_ended),
		TEST(test_a_queue_that_another_message_empties_is_told_too),
		TEST(test_all_that_works_below_tls),
		TEST(test_their_close_is_answered_below_tls),
		TEST(test_the_end_of_the_server_ends_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
