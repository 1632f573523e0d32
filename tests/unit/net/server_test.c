/* tests/unit/net/server_test.c: requests, their limits, late answers and their ends, over plain sockets. */
#include "tests/unit/net/server.h"

#include <sys/resource.h>
#include <sys/wait.h>

/* ---- a handler that shows what it sees ---- */

static struct server_request *waiting[8];
static atomic_int waiting_count, gone_count, handled;

static void on_gone(void *user)
{
	(void)user;
	atomic_fetch_add(&gone_count, 1);
}

static void show(struct server_request *r)
{
	static const char *const headers[] = { "X-One: 1", "X-Two: two: 2", NULL };
	auto_str struct str out = STR_INIT(1 << 16);
	const struct peer *p = request_peer(r);
	const char *q = request_query(r, "q"), *all[4] = { 0 }, *header = request_header(r, "x-in");
	size_t len, count = request_query_all(r, "l", all, 4);
	const char *body = request_body(r, &len);

	str_addf(&out, "%s %s q=%s l=%zu:%s header=%s body=%zu:%s peer=%d:%u:%s", request_method(r),
		 request_path(r), q ? q : "(none)", count, count ? all[count - 1] : "",
		 header ? header : "(none)", len, body, p->kind, p->kind == PEER_UNIX ? p->uid : 0,
		 strchr(p->address, ':') ? "ip" : p->address);
	request_answer(r, 200, "text/plain", out.data, out.len, headers);
}

static void handle(struct server_request *r, void *user)
{
	(void)user;
	atomic_fetch_add(&handled, 1);
	if (strcmp(request_path(r), "/late") == 0) {
		request_on_gone(r, on_gone, r);
		waiting[atomic_load(&waiting_count)] = r;
		atomic_fetch_add(&waiting_count, 1);
	} else {
		show(r);
	}
}

static int make(void **state)
{
	waiting_count = gone_count = handled = 0;
	return at_make(state);
}

static void refusal(int status, const char *why, struct str *out, const char **content_type)
{
	*content_type = "application/json";
	str_addf(out, "{\"code\":%d,\"message\":\"%s\"}", status, why);
}

#define HOST "Host: x\r\nConnection: close\r\n\r\n"

static void test_a_handler_sees_the_whole_request(void **state)
{
	static const struct {
		const char *request, *body;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n" HOST, "GET / q=(none) l=0: header=(none) body=0: peer=0:0:ip" },
		{ "GET /a%20b/c?q=x%26y+z&l=1&l=2&l HTTP/1.1\r\nX-In: yes\r\n" HOST,
		  "GET /a b/c q=x&y z l=3: header=yes body=0: peer=0:0:ip" },
		{ "GET /a+b?q HTTP/1.1\r\n" HOST, "GET /a+b q= l=0: header=(none) body=0: peer=0:0:ip" },
		{ "GET /?q=a=b&q=c HTTP/1.1\r\n" HOST, "GET / q=a=b l=0: header=(none) body=0: peer=0:0:ip" },
		{ "POST /p HTTP/1.1\r\nContent-Length: 5\r\n" HOST "hello",
		  "POST /p q=(none) l=0: header=(none) body=5:hello peer=0:0:ip" },
		{ "PATCH /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST
		  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
		  "PATCH /p q=(none) l=0: header=(none) body=5:abcde peer=0:0:ip" },
		{ "GET http://x:80/p HTTP/1.1\r\n" HOST,
		  "GET /p q=(none) l=0: header=(none) body=0: peer=0:0:ip" },
		{ "GET HTTPS://x HTTP/1.1\r\n" HOST,
		  "GET / q=(none) l=0: header=(none) body=0: peer=0:0:ip" },
		{ "DELETE /p HTTP/1.1\r\n" HOST,
		  "DELETE /p q=(none) l=0: header=(none) body=0: peer=0:0:ip" },
	};
	auto_str struct str answer = STR_INIT(1 << 16);

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		raw_request(rows[i].request, &answer);
		assert_string_equal(raw_body(&answer), rows[i].body);
		assert_int_equal(raw_status(&answer), 200);
		assert_non_null(strstr(answer.data, "X-One: 1\r\n"));
		assert_non_null(strstr(answer.data, "X-Two: two: 2\r\n"));
		assert_non_null(strstr(answer.data, "Content-Type: text/plain\r\n"));
	}
}

static void test_head_is_get_without_a_body(void **state)
{
	auto_str struct str answer = STR_INIT(1 << 16);

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	raw_request("HEAD / HTTP/1.1\r\n" HOST, &answer);
	assert_int_equal(raw_status(&answer), 200);
	assert_string_equal(raw_body(&answer), "");
	assert_non_null(strstr(answer.data, "Content-Length: 53\r\n"));
}

static void test_a_connection_serves_many_requests(void **state)
{
	auto_str struct str in = STR_INIT(1 << 20);
	auto_close int fd = -1;

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	fd = raw_connect();
	for (int i = 0; i < 50; i++) {
		str_clear(&in);
		raw_send(fd, "POST /n HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
		assert_true(raw_until(fd, &in, "peer=0:0:ip"));
	}
	/* Pipelined. */
	str_clear(&in);
	raw_send(fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 "
		     "HTTP/1.1\r\n" HOST);
	raw_all(fd, &in);
	const char *one = strstr(in.data, "GET /1 "), *two = strstr(in.data, "GET /2 "),
		   *three = strstr(in.data, "GET /3 ");
	assert_true(one && two && three && one < two && two < three);
	assert_int_equal(handled, 53);
}

static void test_a_body_waits_for_100_continue(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);
	auto_close int fd = -1;

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	fd = raw_connect();
	raw_send(fd, "PUT /c HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n" HOST);
	assert_true(raw_until(fd, &in, "\r\n\r\n"));
	assert_string_equal(in.data, "HTTP/1.1 100 Continue\r\n\r\n");
	raw_send(fd, "body");
	raw_all(fd, &in);
	assert_non_null(strstr(in.data, "body=4:body"));
}

/* ---- refusals ---- */

static void test_what_is_wrong_is_refused_before_the_handler(void **state)
{
	static const struct {
		const char *request;
		int status;
		const char *body;
	} rows[] = {
		{ "POST / HTTP/1.1\r\nContent-Length: 101\r\n" HOST, 413,
		  "{\"code\":413,\"message\":\"the request's body is too large\"}" },
		{ "POST / HTTP/1.1\r\nContent-Length: 101\r\nExpect: 100-continue\r\n" HOST, 413,
		  "{\"code\":413,\"message\":\"the request's body is too large\"}" },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST
		  "32\r\n01234567890123456789012345678901234567890123456789\r\n"
		  "33\r\n012345678901234567890123456789012345678901234567890\r\n0\r\n\r\n",
		  413, "{\"code\":413,\"message\":\"the request's body is too large\"}" },
		{ "GET /a%00b HTTP/1.1\r\n" HOST, 400,
		  "{\"code\":400,\"message\":\"broken escape in the path\"}" },
		{ "GET /a%2 HTTP/1.1\r\n" HOST, 400,
		  "{\"code\":400,\"message\":\"broken escape in the path\"}" },
		{ "GET /a?b=%zz HTTP/1.1\r\n" HOST, 400,
		  "{\"code\":400,\"message\":\"broken escape in the query\"}" },
		{ "GET x/ HTTP/1.1\r\n" HOST, 400,
		  "{\"code\":400,\"message\":\"the target is not a path\"}" },
		{ "HEAD /%00 HTTP/1.1\r\n" HOST, 400, "" },
		{ "AVERYVERYVERYLONGMETHODNAME / HTTP/1.1\r\n" HOST, 400,
		  "{\"code\":400,\"message\":\"unknown method\"}" },
	};
	auto_str struct str answer = STR_INIT(1 << 16);

	(void)state;
	at_start((struct server_options){
		.listen_fd = -1, .handler = handle, .max_body = 100, .refusal = refusal });
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		raw_request(rows[i].request, &answer);
		assert_int_equal(raw_status(&answer), rows[i].status);
		assert_string_equal(raw_body(&answer), rows[i].body);
	}
	assert_int_equal(handled, 0);
	raw_request("POST / HTTP/1.1\r\nContent-Length: 100\r\n" HOST
		    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
		    "890123456789",
		    &answer);
	assert_int_equal(raw_status(&answer), 200);
}

static void test_too_large_heads_are_refused(void **state)
{
	auto_str struct str request = STR_INIT(1 << 20), answer = STR_INIT(1 << 16);

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	str_add(&request, "GET / HTTP/1.1\r\nX: ");
	for (int i = 0; i < 40000; i++)
		str_add_char(&request, 'x');
	str_add(&request, "\r\n" HOST);
	raw_request(request.data, &answer);
	assert_int_equal(raw_status(&answer), 431);
	str_clear(&request);
	str_add(&request, "GET /");
	for (int i = 0; i < 40000; i++)
		str_add_char(&request, 'x');
	str_add(&request, " HTTP/1.1\r\n" HOST);
	raw_request(request.data, &answer);
	assert_int_equal(raw_status(&answer), 414);
	str_clear(&request);
	str_add(&request, "GET /?a");
	for (int i = 0; i < 64; i++)
		str_add(&request, "&a=b");
	str_add(&request, " HTTP/1.1\r\n" HOST);
	raw_request(request.data, &answer);
	assert_string_equal(raw_body(&answer), "too many parameters in the query\n");
	assert_int_equal(handled, 0);
}

/* Bytes that drip in keep no connection open. */
static void test_a_slow_request_ends(void **state)
{
	static const struct {
		const char *begin, *drip;
		int status;
	} rows[] = {
		{ "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n", "y", 408 },
		{ "GET / HTTP/1.1\r\nHost: x\r\n", "x: y\r\n", 408 },
		{ "GE", "T", 0 },
		{ "", "", 0 },
	};
	auto_str struct str in = STR_INIT(1 << 16);

	(void)state;
	at_start((struct server_options){
		.listen_fd = -1, .handler = handle, .request_timeout = 150 * (int64_t)NSEC_PER_MSEC });
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_close int fd = raw_connect();
		int64_t begin = clock_monotonic();
		struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };

		str_clear(&in);
		raw_send(fd, rows[i].begin);
		while (poll(&p, 1, 20) == 0)
			send(fd, rows[i].drip, strlen(rows[i].drip), MSG_NOSIGNAL);
		raw_all(fd, &in);
		assert_int_equal(raw_status(&in), rows[i].status);
		assert_true(clock_monotonic() - begin >= 140 * (int64_t)NSEC_PER_MSEC);
		wait_until(server_connections(at.server) == 0);
	}
	assert_int_equal(handled, 0);
}

static void test_too_many_connections_are_turned_away(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);
	auto_close int one = -1, two = -1, three = -1;

	(void)state;
	at_start((struct server_options){
		.listen_fd = -1, .handler = handle, .max_connections = 2, .refusal = refusal });
	one = raw_connect();
	two = raw_connect();
	wait_until(server_connections(at.server) == 2);
	three = raw_connect();
	raw_all(three, &in);
	assert_int_equal(raw_status(&in), 503);
	assert_string_equal(raw_body(&in), "{\"code\":503,\"message\":\"too many connections\"}");
	fd_clear(&one);
	wait_until(server_connections(at.server) == 1);
	raw_request("GET / HTTP/1.1\r\n" HOST, &in);
	assert_int_equal(raw_status(&in), 200);
}

static void test_an_address_has_its_share_of_connections(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);
	auto_close int one = -1, two = -1;

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle, .max_per_address = 1 });
	one = raw_connect();
	wait_until(server_connections(at.server) == 1);
	two = raw_connect();
	raw_all(two, &in);
	assert_int_equal(raw_status(&in), 503);
	assert_string_equal(raw_body(&in), "too many connections from this address\n");
}

/* The listening socket stays readable, and may keep nobody busy. */
static void test_without_descriptors_connections_wait_and_the_loop_rests(void **state)
{
	struct rlimit limit, low;
	struct sockaddr_in a = { .sin_family = AF_INET };
	auto_str struct str in = STR_INIT(1 << 16);
	int fds[256], count = 0;
	auto_close int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){ .rlim_cur = 200, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while ((fds[count] = dup(client)) >= 0)
		count++;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons(at.port);
	int r = connect(client, (struct sockaddr *)&a, sizeof(a));
	uint64_t before = loop_turns(at.loop);
	poll(NULL, 0, 300);
	uint64_t turns = loop_turns(at.loop) - before;
	for (int i = 0; i < count; i++)
		close(fds[i]);
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(r, 0);
	assert_in_range(turns, 0, 10);
	raw_send(client, "GET / HTTP/1.1\r\n" HOST);
	raw_all(client, &in);
	assert_int_equal(raw_status(&in), 200);
}

/* ---- late answers ---- */

static void answer_first(void *user)
{
	struct blob *b = blob_new("late", 4);

	(void)user;
	request_answer_blob(waiting[0], 201, "text/plain", b);
}

static void test_an_answer_may_come_later(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);
	auto_close int fd = -1;

	(void)state;
	at_start((struct server_options){
		.listen_fd = -1, .handler = handle, .request_timeout = 50 * (int64_t)NSEC_PER_MSEC });
	fd = raw_connect();
	raw_send(fd, "GET /late HTTP/1.1\r\n" HOST);
	wait_until(waiting_count == 1);
	poll(NULL, 0, 120); /* the time to arrive is not the time to answer */
	at_call(answer_first, NULL);
	raw_all(fd, &in);
	assert_int_equal(raw_status(&in), 201);
	assert_string_equal(raw_body(&in), "late");
	assert_int_equal(gone_count, 0);
}

static void test_a_client_that_hangs_up_is_noticed(void **state)
{
	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	int fd = raw_connect();
	raw_send(fd, "GET /late HTTP/1.1\r\n" HOST);
	wait_until(waiting_count == 1);
	close(fd);
	wait_until(gone_count == 1);
	at_call(answer_first, NULL);
	wait_until(server_connections(at.server) == 0);
}

static void test_a_server_may_end_while_answers_are_awaited(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);
	auto_close int late = -1, part = -1;

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	late = raw_connect();
	part = raw_connect();
	raw_send(late, "POST /late HTTP/1.1\r\nContent-Length: 3\r\n" HOST "abc");
	raw_send(part, "POST /late HTTP/1.1\r\nContent-Length: 3\r\n" HOST "a");
	wait_until(waiting_count == 1);
	at_stop();
	raw_all(late, &in);
	raw_all(part, &in);
	assert_string_equal(in.data, "");
	/* The handler's promise stands: what it still asks and answers is harmless. */
	size_t len;
	assert_string_equal(request_body(waiting[0], &len), "abc");
	assert_null(request_header(waiting[0], "host"));
	assert_int_equal(request_peer(waiting[0])->kind, PEER_ANONYMOUS);
	request_answer(waiting[0], 200, NULL, NULL, 0, NULL);
	assert_int_equal(gone_count, 0);
}

static void test_a_waiting_request_costs_nothing(void **state)
{
	auto_close int fd = -1;

	(void)state;
	at_start((struct server_options){ .listen_fd = -1, .handler = handle });
	fd = raw_connect();
	raw_send(fd, "GET /late HTTP/1.1\r\n" HOST);
	wait_until(waiting_count == 1);
	assert_in_range(at_turns_of_silence(300), 0, 1);
	at_call(answer_first, NULL);
}

/* ---- Unix sockets ---- */

static void test_a_unix_socket_knows_its_peer(void **state)
{
	char expected[128];
	struct stat st;
	auto_str struct str in = STR_INIT(1 << 16);

	(void)state;
	mode_t mask = umask(077);
	at_start((struct server_options){ .address = at.address, .handler = handle, .socket_mode = 0666 });
	umask(mask);
	assert_int_equal(stat(at.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	raw_request("GET / HTTP/1.1\r\n" HOST, &in);
	snprintf(expected, sizeof(expected), "GET / q=(none) l=0: header=(none) body=0: peer=1:%u:unix",
		 getuid());
	assert_string_equal(raw_body(&in), expected);
	at_stop();
	assert_int_equal(stat(at.path, &st), -1);
}

static void test_a_stale_socket_is_replaced_and_a_living_one_is_not(void **state)
{
	struct server *other;
	struct server_options o = { .address = at.address, .handler = handle };
	auto_str struct str text = STR_INIT(1 << 16);
	auto_loop struct loop *l = NULL;
	int fd = -1;

	(void)state;
	assert_ok(fd_unix_listen(at.path, SOCK_STREAM, 0600, &fd));
	close(fd);
	at_start(o);
	raw_request("GET / HTTP/1.1\r\n" HOST, &text);
	assert_int_equal(raw_status(&text), 200);
	assert_ok(loop_new(&l));
	str_clear(&text);
	str_addf(&text, "socket '%s': another server listens there", at.path);
	assert_err(server_new(l, &o, &other), text.data);
	at_stop();
	fd = open(at.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	str_clear(&text);
	str_addf(&text, "socket '%s': another file has that name", at.path);
	assert_err(server_new(l, &o, &other), text.data);
}

static void half_made(pid_t pid, char *name, size_t size)
{
	int fd = -1;

	snprintf(name, size, "%s.%d.%d", at.path, (int)pid, (int)pid);
	assert_ok(fd_unix_listen(name, SOCK_STREAM, 0600, &fd));
	close(fd);
}

static void test_what_a_killed_start_left_half_made_goes_with_the_next_start(void **state)
{
	char of_dead[128], of_living[128];
	struct stat st;

	(void)state;
	pid_t dead = fork();
	assert_true(dead >= 0);
	if (dead == 0)
		_exit(0);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	half_made(dead, of_dead, sizeof(of_dead));
	half_made(getppid(), of_living, sizeof(of_living));
	at_start((struct server_options){ .address = at.address, .handler = handle });
	assert_int_equal(lstat(of_dead, &st), -1);
	assert_int_equal(lstat(of_living, &st), 0);
	at_stop();
	assert_int_equal(unlink(of_living), 0);
}

static void test_a_socket_may_be_handed_over(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);
	struct server_options o = { .handler = handle };

	(void)state;
	assert_ok(fd_unix_listen(at.path, SOCK_STREAM, 0600, &o.listen_fd));
	at_start(o);
	raw_request("GET / HTTP/1.1\r\n" HOST, &in);
	assert_int_equal(raw_status(&in), 200);
}

static void test_wrong_addresses_are_refused(void **state)
{
	static const struct {
		const char *address, *error;
	} rows[] = {
		{ "localhost:1", "listen address 'localhost:1': Name or service not known" },
		{ "127.0.0.1", "listen address '127.0.0.1': not ADDRESS:PORT" },
		{ "::1:80", "listen address '::1:80': an IPv6 address stands in brackets" },
		{ "127.0.0.1:x", "listen address '127.0.0.1:x': Name or service not known" },
	};
	auto_loop struct loop *l = NULL;
	struct server *s;

	(void)state;
	assert_ok(loop_new(&l));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct server_options o = { .address = rows[i].address, .handler = handle };
		assert_err(server_new(l, &o, &s), rows[i].error);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, at_unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_handler_sees_the_whole_request),
		TEST(test_head_is_get_without_a_body),
		TEST(test_a_connection_serves_many_requests),
		TEST(test_a_body_waits_for_100_continue),
		TEST(test_what_is_wrong_is_refused_before_the_handler),
		TEST(test_too_large_heads_are_refused),
		TEST(test_a_slow_request_ends),
		TEST(test_too_many_connections_are_turned_away),
		TEST(test_an_address_has_its_share_of_connections),
		TEST(test_without_descriptors_connections_wait_and_the_loop_rests),
		TEST(test_an_answer_may_come_later),
		TEST(test_a_client_that_hangs_up_is_noticed),
		TEST(test_a_server_may_end_while_answers_are_awaited),
		TEST(test_a_waiting_request_costs_nothing),
		TEST(test_a_unix_socket_knows_its_peer),
		TEST(test_a_stale_socket_is_replaced_and_a_living_one_is_not),
		TEST(test_what_a_killed_start_left_half_made_goes_with_the_next_start),
		TEST(test_a_socket_may_be_handed_over),
		TEST(test_wrong_addresses_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
