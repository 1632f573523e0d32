/* tests/unit/net/server_stream_test.c: answers that go on: shared bytes, slow readers, readers that leave,
 * silence. */
#include "tests/unit/net/tls.h"

enum { WATCHERS = 200 };

struct watcher {
	struct stream *stream;
	bool lost; /* a send said that it is being ended */
};

static struct watcher watchers[WATCHERS];
static atomic_int count, closed, drained;
static size_t max_queued;
static struct blob *shared;

static void on_closed(void *user)
{
	struct watcher *w = user;

	w->stream = NULL;
	atomic_fetch_add(&closed, 1);
}

static void on_drained(void *user)
{
	(void)user;
	atomic_fetch_add(&drained, 1);
}

static void handle(struct server_request *r, void *user)
{
	struct watcher *w = &watchers[count];

	(void)user;
	w->stream = request_stream(r, 200, "application/json", max_queued, on_closed, w);
	stream_on_drained(w->stream, on_drained, w);
	atomic_fetch_add(&count, 1);
}

static int make(void **state)
{
	memset(watchers, 0, sizeof(watchers));
	count = closed = drained = 0;
	max_queued = 1 << 20;
	return tls_make(state);
}

#define WATCH "GET /watch HTTP/1.1\r\nHost: x\r\n\r\n"

static void send_text(void *user)
{
	struct blob *b = blob_new(user, strlen(user));

	for (int i = 0; i < count; i++)
		if (watchers[i].stream)
			watchers[i].lost = !stream_send(watchers[i].stream, b);
	assert_true(b->refs >= 1);
	shared = b;
	blob_unref(b);
}

static void end_all(void *user)
{
	(void)user;
	for (int i = 0; i < count; i++)
		if (watchers[i].stream)
			stream_end(watchers[i].stream);
}

static char first[] = "{\"type\":\"ADDED\"}\n", second[] = "{\"type\":\"DELETED\"}\n";

static void test_a_stream_goes_on_until_it_is_ended(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);
	auto_close int fd = -1;

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	fd = raw_connect();
	raw_send(fd, WATCH);
	assert_true(raw_until(fd, &in, "\r\n\r\n")); /* before anything has happened */
	assert_non_null(strstr(in.data, "Transfer-Encoding: chunked\r\n"));
	at_call(send_text, first);
	assert_true(raw_until(fd, &in, "ADDED"));
	wait_until(drained == 1);
	at_call(send_text, first);
	at_call(send_text, second);
	assert_true(raw_until(fd, &in, "DELETED"));
	at_call(end_all, NULL);
	assert_true(raw_until(fd, &in, "\r\n0\r\n\r\n"));
	wait_until(closed == 1);
	/* The connection is good for another. */
	str_clear(&in);
	raw_send(fd, WATCH);
	assert_true(raw_until(fd, &in, "\r\n\r\n"));
	assert_int_equal(count, 2);
}

static void test_http_1_0_reads_until_the_end(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);
	auto_close int fd = -1;

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	fd = raw_connect();
	raw_send(fd, "GET / HTTP/1.0\r\n\r\n");
	wait_until(count == 1);
	at_call(send_text, first);
	at_call(end_all, NULL);
	raw_all(fd, &in);
	assert_string_equal(raw_body(&in), first);
}

static void test_head_of_a_stream_ends_at_once(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	raw_request("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &in);
	assert_int_equal(raw_status(&in), 200);
	assert_string_equal(raw_body(&in), "");
	wait_until(closed == 1);
}

static int open_watchers(int *fds, int number)
{
	for (int i = 0; i < number; i++) {
		fds[i] = raw_connect();
		raw_send(fds[i], WATCH);
	}
	wait_until(count == number);
	return number;
}

static void hold_blob(void *user)
{
	int *refs = user;

	shared = blob_new(first, strlen(first));
	for (int i = 0; i < count; i++)
		assert_true(stream_send(watchers[i].stream, shared));
	*refs = (int)shared->refs;
}

static void blob_refs(void *user)
{
	*(int *)user = (int)shared->refs;
}

static void drop_blob(void *user)
{
	(void)user;
	blob_unref(shared);
}

static void test_many_watchers_share_one_blob(void **state)
{
	int fds[WATCHERS], refs;

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	open_watchers(fds, WATCHERS);
	at_call(hold_blob, &refs);
	assert_int_equal(refs, WATCHERS + 1);
	for (int i = 0; i < WATCHERS; i++) {
		auto_str struct str in = STR_INIT(1 << 16);
		assert_true(raw_until(fds[i], &in, "ADDED"));
	}
	at_call(blob_refs, &refs);
	assert_int_equal(refs, 1);
	at_call(drop_blob, NULL);
	for (int i = 0; i < WATCHERS; i++)
		close(fds[i]);
	wait_until(closed == WATCHERS);
	wait_until(server_connections(at.server) == 0);
}

static void send_much(void *user)
{
	struct watcher *w = &watchers[0];
	auto_free char *bytes = calloc(1, 1 << 16);
	struct blob *b = blob_new(bytes, 1 << 16);

	*(bool *)user = w->stream && stream_send(w->stream, b);
	assert_true(b->refs <= 2 + (1 << 10));
	blob_unref(b);
}

static void test_a_slow_reader_is_ended_and_others_are_not(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);
	int fds[2];
	bool more = true;

	(void)state;
	max_queued = 1 << 18;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	open_watchers(fds, 2);
	for (int i = 0; more; i++) {
		assert_in_range(i, 0, 1000);
		at_call(send_much, &more);
	}
	wait_until(closed == 1);
	assert_null(watchers[0].stream);
	at_call(send_text, first);
	assert_true(raw_until(fds[1], &in, "ADDED"));
	close(fds[0]);
	close(fds[1]);
}

/* A reader that stands still with little in its queue is not in anybody's way for ever either. */
static void test_a_reader_that_stands_still_is_ended(void **state)
{
	bool more = true;
	int fd;

	(void)state;
	max_queued = 64 << 20;
	at_start((struct server_options){
		.listen_fd = -1, .handler = handle, .request_timeout = 100 * (int64_t)NSEC_PER_MSEC });
	open_watchers(&fd, 1);
	for (int i = 0; i < 200; i++)
		at_call(send_much, &more);
	assert_true(more);
	wait_until(closed == 1);
	close(fd);
}

static void test_a_watcher_that_leaves_in_silence_is_noticed(void **state)
{
	int fds[WATCHERS];

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	open_watchers(fds, WATCHERS);
	for (int i = 0; i < WATCHERS; i++)
		close(fds[i]);
	wait_until(closed == WATCHERS);
	wait_until(server_connections(at.server) == 0);
}

/* A stream is open, its deadline far: no callback at all may come. */
static void test_open_streams_cost_nothing_in_silence(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);
	int fds[10];

	(void)state;
	at_start(tls_options(handle));
	struct tls_client c = tls_connect("ca", NULL, NULL);
	raw_send(c.fd, WATCH);
	assert_true(raw_until(c.fd, &in, "\r\n\r\n"));
	at_call(send_text, first);
	assert_true(raw_until(c.fd, &in, "ADDED"));
	assert_in_range(at_turns_of_silence(400), 0, 1);
	tls_close(&c);
	wait_until(closed == 1);
	at_stop();
	count = 0;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	open_watchers(fds, 10);
	assert_in_range(at_turns_of_silence(400), 0, 1);
	for (int i = 0; i < 10; i++)
		close(fds[i]);
}

static void test_the_end_of_the_server_closes_all_streams(void **state)
{
	auto_str struct str in = STR_INIT(8 << 20);
	int fds[20];
	bool more;

	(void)state;
	max_queued = 4 << 20;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	open_watchers(fds, 20);
	for (int i = 0; i < 40; i++)
		at_call(send_much, &more); /* one with a full queue, the others suspended */
	at_stop();
	assert_int_equal(closed, 20);
	for (int i = 0; i < 20; i++) {
		str_clear(&in);
		raw_all(fds[i], &in);
		assert_null(strstr(in.data, "\r\n0\r\n"));
		close(fds[i]);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, tls_unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_stream_goes_on_until_it_is_ended),
		TEST(test_http_1_0_reads_until_the_end),
		TEST(test_head_of_a_stream_ends_at_once),
		TEST(test_many_watchers_share_one_blob),
		TEST(test_a_slow_reader_is_ended_and_others_are_not),
		TEST(test_a_reader_that_stands_still_is_ended),
		TEST(test_a_watcher_that_leaves_in_silence_is_noticed),
		TEST(test_open_streams_cost_nothing_in_silence),
		TEST(test_the_end_of_the_server_closes_all_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
