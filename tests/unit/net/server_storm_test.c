/* tests/unit/net/server_storm_test.c: clients that do everything at once and leave at any moment; all is
 * given back. */
#include "net/websocket.h"
#include "tests/unit/net/tls.h"

enum { CLIENTS = 8, ROUNDS = 60 };

/* ---- the server's side: what was begun and what ended, all in the loop's thread ---- */

static int begun, ended;
static struct loop_source *tick;
static struct server_request *late[256];
static struct stream *streams[256];
static struct websocket *sockets[256];

static void **place(void **list)
{
	for (int i = 0; i < 256; i++)
		if (!list[i])
			return &list[i];
	return NULL;
}

static void gone(void *user)
{
	*(void **)user = NULL;
	ended++;
}

static void on_message(const void *bytes, size_t len, bool binary, void *user)
{
	(void)binary;
	if (len && *(const char *)bytes == 'q')
		websocket_close(*(struct websocket **)user, 1000, "bye");
	else
		websocket_send(*(struct websocket **)user, "\1", 1, bytes, len);
}

static void handle(struct server_request *r, void *user)
{
	void **at_place;

	(void)user;
	switch (request_path(r)[1]) {
	case 'l':
		at_place = place((void **)late);
		*at_place = r;
		begun++;
		break;
	case 's':
		at_place = place((void **)streams);
		*at_place = request_stream(r, 200, "text/plain", 1 << 16, gone, at_place);
		begun++;
		break;
	case 'w':
		at_place = place((void **)sockets);
		*at_place = request_websocket(r, NULL, on_message, gone, at_place);
		begun += *at_place != NULL;
		break;
	default:
		request_answer(r, 200, "text/plain", "now", 3, NULL);
	}
}

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

/* Every two milliseconds something happens to some of them. */
static void on_tick(void *user)
{
	static unsigned seed = 1;
	static const char bytes[4096];
	struct blob *b = blob_new(bytes, sizeof(bytes));

	(void)user;
	for (int i = 0; i < 256; i++) {
		if (late[i] && next_random(&seed) % 3 == 0) {
			struct server_request *r = late[i];
			late[i] = NULL;
			ended++;
			request_answer(r, 200, NULL, "late", 4, NULL);
		}
		if (streams[i] && next_random(&seed) % 8 == 0)
			stream_end(streams[i]);
		else if (streams[i])
			stream_send(streams[i], b);
		if (sockets[i])
			websocket_send(sockets[i], "\2", 1, bytes, 100);
		if (sockets[i] && next_random(&seed) % 8 == 0)
			websocket_pause(sockets[i], next_random(&seed) % 2);
		if (sockets[i] && next_random(&seed) % 20 == 0)
			websocket_close(sockets[i], 1001, NULL);
	}
	blob_unref(b);
	IGNORE(loop_timer_set(tick, clock_boot() + 2 * (int64_t)NSEC_PER_MSEC));
}

static void begin_ticks(void *user)
{
	(void)user;
	assert_ok(loop_timer(at.loop, 1, on_tick, NULL, &tick));
}

/* ---- the clients ---- */

#define WS                                                                                              \
	"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " \
	"dGhlIHNhbXBsZSBub25jZQ==\r\n"

static const char *const requests[] = {
	"GET /now HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabcdef",
	"POST /now HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nabc",
	"GET /late HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /late HTTP/1.1\r\nHost: x\r\n\r\nGET /now HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n",
	"HEAD /stream HTTP/1.0\r\n\r\n",
	"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /w HTTP/1.1\r\nHost: x\r\n" WS "\r\n\x82\x83\0\0\0\0abc",
	"GET /w HTTP/1.1\r\nHost: x\r\n" WS "\r\n\x82\x81\0\0\0\0q",
	"GET /w HTTP/1.1\r\nHost: x\r\n" WS "\r\n\x88\x80\0\0\0\0",
	"GET /w HTTP/1.1\r\nHost: x\r\n" WS "\r\n\xff\xff",
	"\x16\x03\x01",
};
/* With NULs inside, those of the WebSockets. */
static const size_t extra[ARRAY_LEN(requests)] = { [9] = 9, [10] = 7, [11] = 6, [12] = 2 };

static size_t length_of(size_t i)
{
	const char *end = strstr(requests[i], "\r\n\r\n");

	return extra[i] ? (size_t)(end - requests[i]) + 4 + extra[i] : strlen(requests[i]);
}

static void one_round(int fd, unsigned *seed)
{
	char buf[8192];
	size_t i = next_random(seed) % ARRAY_LEN(requests), len = length_of(i);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	/* The whole, or a part, now or in two pieces. */
	if (next_random(seed) % 6 == 0)
		len = next_random(seed) % len;
	size_t half = next_random(seed) % (len + 1);
	if (send(fd, requests[i], half, MSG_NOSIGNAL) < 0)
		return;
	if (next_random(seed) % 2)
		poll(NULL, 0, 1);
	send(fd, requests[i] + half, len - half, MSG_NOSIGNAL);
	for (unsigned k = next_random(seed) % 6; k; k--)
		if (poll(&p, 1, 3) == 1 && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) == 0)
			return;
}

static void *storm(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	int fd = -1;

	for (int i = 0; i < ROUNDS; i++) {
		if (fd < 0)
			fd = raw_connect();
		one_round(fd, &seed);
		if (next_random(&seed) % 2)
			fd_clear(&fd);
	}
	fd_close(fd);
	return NULL;
}

static void run_storm(void)
{
	pthread_t threads[CLIENTS];

	at_call(begin_ticks, NULL);
	for (uintptr_t i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, storm, (void *)(i + 1)), 0);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
}

static struct server_options options(void)
{
	return (struct server_options){ .listen_fd = -1,
					.handler = handle,
					.max_connections = 20,
					.max_body = 100,
					.request_timeout = 50 * (int64_t)NSEC_PER_MSEC };
}

static int make(void **state)
{
	begun = ended = 0;
	return tls_make(state);
}

static void test_all_that_began_ends_once_and_nothing_is_left(void **state)
{
	(void)state;
	at_start(options());
	run_storm();
	wait_until(server_connections(at.server) == 0);
	wait_until(begun == ended);
	assert_true(begun > 20);
}

static void test_the_server_may_end_in_the_middle(void **state)
{
	(void)state;
	at_start(options());
	run_storm();
	int fds[10];
	for (int i = 0; i < 10; i++) {
		fds[i] = raw_connect();
		send(fds[i], requests[i], length_of((size_t)i), MSG_NOSIGNAL);
	}
	at_stop();
	/* The late ones are the handler's until it answers. */
	for (int i = 0; i < 256; i++) {
		if (late[i]) {
			request_answer(late[i], 200, NULL, NULL, 0, NULL);
			late[i] = NULL;
			ended++;
		}
	}
	assert_int_equal(begun, ended);
	for (int i = 0; i < 10; i++)
		close(fds[i]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, tls_unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_that_began_ends_once_and_nothing_is_left),
		TEST(test_the_server_may_end_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
