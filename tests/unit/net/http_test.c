/* tests/unit/net/http_test.c: the HTTP client against a server that answers what a row says. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/http.h"

/* ---- the server: one thread, keeps connections open, answers every request with the same bytes ---- */

static struct {
	pthread_t thread;
	int fd;
	int port;
	_Atomic(const char *) answer; /* NULL: silence */
	atomic_int connections, requests;
	char last[8192];          /* head of the last request */
} server;

/* The head at once, the body byte by byte. */
static bool dribble(int fd, const char *answer)
{
	size_t head = (size_t)(strstr(answer, "\r\n\r\n") - answer) + 4;

	for (const char *p = answer + head; *p; p++) {
		if (send(fd, p == answer + head ? answer : p, p == answer + head ? head + 1 : 1, MSG_NOSIGNAL) < 0)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
	}
	return true;
}

static void serve(int fd)
{
	char buf[8192];
	size_t len = 0;
	for (;;) {
		ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);
		if (n <= 0)
			return;
		len += (size_t)n;
		buf[len] = 0;
		if (!strstr(buf, "\r\n\r\n"))
			continue;
		memcpy(server.last, buf, len + 1);
		atomic_fetch_add(&server.requests, 1);
		/* Read once: the next test may set another while this connection still runs. */
		const char *answer = server.answer;
		if (!answer) {
			while (read(fd, buf, sizeof(buf)) > 0)
				;
			return;
		}
		if (strstr(answer, "X-Dribble") ? !dribble(fd, answer) : write(fd, answer, strlen(answer)) < 0)
			return;
		if (strstr(answer, "close"))
			return;
		len = 0;
	}
}

static void *serve_one(void *arg)
{
	int fd = (int)(intptr_t)arg;
	serve(fd);
	close(fd);
	return NULL;
}

static void *serve_all(void *arg)
{
	(void)arg;
	for (;;) {
		pthread_t t;
		int fd = accept4(server.fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return NULL;
		atomic_fetch_add(&server.connections, 1);
		if (!pthread_create(&t, NULL, serve_one, (void *)(intptr_t)fd))
			pthread_detach(t);
	}
}

static int start(void **state)
{
	(void)state;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server.fd, (struct sockaddr *)&a, len) || listen(server.fd, 16) ||
	    getsockname(server.fd, (struct sockaddr *)&a, &len))
		return -1;
	server.port = ntohs(a.sin_port);
	return pthread_create(&server.thread, NULL, serve_all, NULL);
}

static int finish(void **state)
{
	(void)state;
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.fd);
	return 0;
}

static const char *at(const char *host, const char *path)
{
	static char url[512];
	snprintf(url, sizeof(url), "http://%s:%d%s", host, server.port, path);
	return url;
}

static struct http_client *client(void)
{
	struct http_client *c = NULL;
	const struct http_options o = { .user_agent = "test", .stall_timeout = 1000000000 };
	assert_ok(http_client_new(&o, &c));
	return c;
}

/* ---- answers ---- */

static void test_answers_are_read_as_the_protocol_says(void **state)
{
	(void)state;
	static const struct {
		const char *answer;
		int status;
		const char *body;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", 200, "ab" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", 200, "ab" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx-Kind: trailer\r\n\r\n", 200, "ab" },
		{ "HTTP/1.1 103 Early\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", 200, "ab" },
		{ "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab", 200, "ab" },
		{ "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nab", 404, "" },
		{ "HTTP/1.1 204 No\r\n\r\n", 204, "" },
	};
	auto_http_client struct http_client *c = client();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str body = STR_INIT(100);
		auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
		struct http_request q = { .method = "GET", .url = at("127.0.0.1", "/"), .max_body = 100,
					  .sink = http_sink_str, .user = &body };
		server.answer = rows[i].answer;
		assert_ok(http_perform(c, &q, &r));
		assert_int_equal(r.status, rows[i].status);
		assert_string_equal(body.data, rows[i].body);
		assert_null(http_header(&r, "x-kind"));
		assert_null(http_header(&r, "x-early"));
		assert_int_equal(r.peer, REACH_LOOPBACK);
		if (r.status == 404)
			assert_string_equal(r.error_body.data, "ab");
	}
}

static void test_headers_have_lower_case_names_and_no_control_characters(void **state)
{
	(void)state;
	auto_http_client struct http_client *c = client();
	auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
	auto_str struct str all = STR_INIT(100);
	struct http_request q = { .method = "GET", .url = at("127.0.0.1", "/") };
	server.answer = "HTTP/1.1 200 OK\r\nWWW-Authenticate: Basic\r\nX-A:  \t a\x1b[31mb \t\r\nwww-authenticate: Bearer\r\n"
			"Content-Length: 0\r\n\r\n";
	assert_ok(http_perform(c, &q, &r));
	assert_string_equal(http_header(&r, "x-a"), "a?[31mb");
	http_header_all(&r, "www-authenticate", &all);
	assert_string_equal(all.data, "Basic, Bearer");
}

static void test_a_body_over_its_ceiling_ends_the_request(void **state)
{
	(void)state;
	auto_http_client struct http_client *c = client();
	auto_str struct str body = STR_INIT(100), text = STR_INIT(1000);
	struct http_response r;
	struct http_request q = { .method = "GET", .url = at("127.0.0.1", "/?token=geheim"), .max_body = 1,
				  .sink = http_sink_str, .user = &body };
	server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
	auto_err err *e = http_perform(c, &q, &r);
	assert_int_equal(e->code, EFBIG);
	err_format(e, &text);
	assert_non_null(strstr(text.data, "/?token=...': the body has more than 1 bytes"));
}

/* ---- requests ---- */

static void test_connections_are_used_again(void **state)
{
	(void)state;
	auto_http_client struct http_client *c = client();
	server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	int before = atomic_load(&server.connections);
	for (int i = 0; i < 5; i++) {
		auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
		struct http_request q = { .method = i % 2 ? "HEAD" : "GET", .url = at("127.0.0.1", "/") };
		assert_ok(http_perform(c, &q, &r));
	}
	assert_int_equal(atomic_load(&server.connections) - before, 1);
}

static void test_a_request_says_who_it_is_and_asks_for_no_encoding(void **state)
{
	(void)state;
	static const char *const headers[] = { "Accept: a/b", NULL };
	auto_http_client struct http_client *c = client();
	auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
	struct http_request q = { .method = "POST", .url = at("127.0.0.1", "/a/../b?c"), .headers = headers, .authorization = "Basic x" };
	char expected[500];
	server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	assert_ok(http_perform(c, &q, &r));
	assert_true(r.authorized);
	snprintf(expected, sizeof(expected), "POST /b?c HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: test\r\nAccept: a/b\r\n"
		 "Authorization: Basic x\r\nContent-Length: 0\r\n\r\n", server.port);
	assert_string_equal(server.last, expected);
}

static void test_headers_with_line_breaks_are_never_sent(void **state)
{
	(void)state;
	static const char *const headers[] = { "A: b\r\nEvil: 1", NULL };
	auto_http_client struct http_client *c = client();
	struct http_response r;
	struct http_request q = { .method = "GET", .url = at("127.0.0.1", "/"), .headers = headers };
	int before = atomic_load(&server.requests);
	assert_err_code(http_perform(c, &q, &r), EINVAL);
	q = (struct http_request){ .method = "GET", .url = at("127.0.0.1", "/"), .authorization = "Bearer x\nEvil: 1" };
	assert_err_code(http_perform(c, &q, &r), EINVAL);
	assert_int_equal(atomic_load(&server.requests), before);
}

static void test_a_file_that_is_shorter_than_promised_is_an_error(void **state)
{
	(void)state;
	auto_http_client struct http_client *c = client();
	auto_close int fd = -1;
	struct http_response r;
	assert_ok(fd_sealed("body", "12345", 5, false, &fd));
	struct http_request q = { .method = "PUT", .url = at("127.0.0.1", "/"), .body = { .fd = fd, .offset = 2, .length = 10 } };
	server.answer = NULL;
	auto_str struct str text = STR_INIT(1000);
	auto_err err *e = http_perform(c, &q, &r);
	assert_int_equal(e->code, EIO);
	err_format(e, &text);
	assert_non_null(strstr(text.data, "what is to be sent ends after 3 of 10 bytes"));
}

/* ---- time ---- */

static void test_a_deadline_a_stall_and_a_cancellation_end_a_request(void **state)
{
	(void)state;
	atomic_bool cancel = true;
	auto_http_client struct http_client *c = client();
	struct http_response r;
	struct http_request q = { .method = "GET", .url = at("127.0.0.1", "/") };
	server.answer = NULL;
	int64_t before = clock_monotonic();
	assert_err_code(http_perform(c, &q, &r), ETIMEDOUT); /* the stall of one second */
	q.deadline = clock_monotonic() + 300000000;
	assert_err_code(http_perform(c, &q, &r), ETIMEDOUT);
	q.deadline = 0;
	q.cancel = &cancel;
	assert_err_code(http_perform(c, &q, &r), ECANCELED);
	assert_true(clock_monotonic() - before < 8 * (int64_t)NSEC_PER_SEC);
}

static void test_a_request_may_be_patient_with_a_slow_server(void **state)
{
	(void)state;
	auto_http_client struct http_client *c = client();
	auto_str struct str body = STR_INIT(100);
	struct http_response r;
	struct http_request q = { .method = "GET", .url = at("127.0.0.1", "/"), .max_body = 100, .sink = http_sink_str, .user = &body };
	server.answer = "HTTP/1.1 200 OK\r\nX-Dribble: 1\r\nContent-Length: 13\r\n\r\nbyte by byte.";
	assert_err_code(http_perform(c, &q, &r), ETIMEDOUT); /* the stall of one second: too few */
	static const int64_t patient[] = { NSEC_PER_SEC, -1 };
	for (size_t i = 0; i < ARRAY_LEN(patient); i++) {
		q.stall_timeout = patient[i];
		str_clear(&body);
		assert_ok(http_perform(c, &q, &r));
		assert_string_equal(body.data, "byte by byte.");
		http_response_done(&r);
	}
	server.answer = NULL;
	q.stall_timeout = NSEC_PER_SEC / 2;
	assert_err_code(http_perform(c, &q, &r), ETIMEDOUT);
}

static void test_a_cluster_s_client_follows_no_redirect(void **state)
{
	(void)state;
	const struct http_options options = { .user_agent = "test/1", .own = true };
	auto_http_client struct http_client *c = NULL;
	struct http_response r;
	struct http_request q = { .method = "GET", .url = at("127.0.0.1", "/") };
	assert_ok(http_client_new(&options, &c));
	server.answer = "HTTP/1.1 307 Away\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n";
	int before = atomic_load(&server.requests);
	assert_err_code(http_perform(c, &q, &r), EPERM);
	assert_int_equal(atomic_load(&server.requests) - before, 1);
}

static void test_a_certificate_and_its_key_come_together(void **state)
{
	(void)state;
	const struct http_options cert = { .user_agent = "test/1", .cert = "x" }, key = { .user_agent = "test/1", .key = "x" };
	struct http_client *c = NULL;
	assert_err(http_client_new(&cert, &c), "a certificate without its key");
	assert_err(http_client_new(&key, &c), "a key without its certificate");
}

/* ---- the gate, on addresses that a name turns out to have ---- */

static bool hosts_replaced(void)
{
	static int done = -1;
	if (done >= 0)
		return done;
	char path[] = "/tmp/stube-hosts-XXXXXX";
	static const char hosts[] = "127.0.0.1 localhost\n127.0.0.1 rebound.example\n";
	done = 0;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	auto_close int fd = mkostemp(path, O_CLOEXEC);
	done = fd >= 0 && write(fd, hosts, sizeof(hosts) - 1) > 0 && fchmod(fd, 0644) == 0 &&
	       mount(path, "/etc/hosts", NULL, MS_BIND, NULL) == 0;
	unlink(path);
	return done;
}

static void test_a_name_that_turns_out_to_be_this_machine_is_refused_before_anything_is_sent(void **state)
{
	(void)state;
	if (!hosts_replaced())
		skip(); /* needs CAP_SYS_ADMIN to replace /etc/hosts in a mount namespace of its own */
	static const struct origin public = { .tls = false, .port = 80, .host = "registry.example" };
	auto_http_client struct http_client *c = client();
	struct http_response r;
	auto_http_response struct http_response first = HTTP_RESPONSE_INIT;
	struct http_request q = { .method = "GET", .url = at("rebound.example", "/"), .named = &public, .named_reach = REACH_PUBLIC };
	server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	int before = atomic_load(&server.connections);
	auto_str struct str text = STR_INIT(1000);
	auto_err err *e = http_perform(c, &q, &r);
	assert_non_null(e);
	err_format(e, &text);
	assert_int_equal(e->code, EPERM);
	assert_non_null(strstr(text.data, "must not lead to the loopback address of 'http://rebound.example"));
	assert_int_equal(atomic_load(&server.connections), before);

	/* The user's own word for it is fine; the connection that is kept from then is no way round. */
	struct http_request own = { .method = "GET", .url = at("rebound.example", "/") };
	assert_ok(http_perform(c, &own, &first));
	int requests = atomic_load(&server.requests);
	assert_err_code(http_perform(c, &q, &r), EPERM);
	assert_int_equal(atomic_load(&server.requests), requests);
}

static void test_the_gate_holds_for_urls_that_servers_name(void **state)
{
	(void)state;
	static const struct {
		const char *named; /* origin */
		enum reach reach;
		const char *url;
	} refused[] = {
		{ "https://a.example", REACH_PUBLIC, "http://a.example/" },
		{ "https://a.example", REACH_PUBLIC, "http://a.example:443/" },
		{ "https://a.example", REACH_PUBLIC, "https://127.0.0.1/" },
		{ "https://a.example", REACH_PUBLIC, "https://localhost/" },
		{ "https://a.example", REACH_PUBLIC, "https://10.0.0.1/" },
		{ "https://a.example", REACH_PUBLIC, "https://[::1]/" },
		{ "https://a.example", REACH_UNKNOWN, "https://192.168.1.1/" },
		{ "https://a.example", REACH_PRIVATE, "https://127.0.0.1/" },
		{ "https://a.example", REACH_PRIVATE, "https://169.254.169.254/" },
		{ "https://a.example", REACH_LOOPBACK, "https://169.254.169.254/" },
		{ "https://a.example", REACH_LOOPBACK, "https://0xa9fea9fe/" },
		{ "https://a.example", REACH_LOOPBACK, "https://255.255.255.255/" },
	};
	auto_http_client struct http_client *c = client();
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		auto_url struct url named = { 0 };
		struct http_response r;
		assert_ok(url_parse(refused[i].named, &named));
		struct http_request q = { .method = "GET", .url = refused[i].url, .named = &named.origin,
					  .named_reach = refused[i].reach };
		auto_err err *e = http_perform(c, &q, &r);
		if (!e || e->code != EPERM)
			fail_msg("%s from %s: %s", refused[i].url, refused[i].named, e ? e->message : "allowed");
	}
}

/* ---- threads ---- */

struct many {
	struct http_client *client;
	const char *url; /* written before the threads start: at() has one buffer */
};

static void *many(void *arg)
{
	const struct many *m = arg;
	for (int i = 0; i < 20; i++) {
		auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
		struct http_request q = { .method = "GET", .url = m->url };
		err *e = http_perform(m->client, &q, &r);
		if (e || r.status != 200)
			return e ? e : err_new(EIO, "status");
	}
	return NULL;
}

static void test_one_client_serves_many_threads(void **state)
{
	(void)state;
	auto_http_client struct http_client *c = client();
	pthread_t threads[8];
	struct many m = { .client = c, .url = at("127.0.0.1", "/") };
	server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many, &m), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *e;
		pthread_join(threads[i], &e);
		assert_ok(e);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_are_read_as_the_protocol_says),
		cmocka_unit_test(test_headers_have_lower_case_names_and_no_control_characters),
		cmocka_unit_test(test_a_body_over_its_ceiling_ends_the_request),
		cmocka_unit_test(test_connections_are_used_again),
		cmocka_unit_test(test_a_request_says_who_it_is_and_asks_for_no_encoding),
		cmocka_unit_test(test_headers_with_line_breaks_are_never_sent),
		cmocka_unit_test(test_a_file_that_is_shorter_than_promised_is_an_error),
		cmocka_unit_test(test_a_deadline_a_stall_and_a_cancellation_end_a_request),
		cmocka_unit_test(test_a_request_may_be_patient_with_a_slow_server),
		cmocka_unit_test(test_a_cluster_s_client_follows_no_redirect),
		cmocka_unit_test(test_a_certificate_and_its_key_come_together),
		cmocka_unit_test(test_the_gate_holds_for_urls_that_servers_name),
		cmocka_unit_test(test_one_client_serves_many_threads),
		cmocka_unit_test(test_a_name_that_turns_out_to_be_this_machine_is_refused_before_anything_is_sent),
	};
	setenv("no_proxy", "*", 1);
	return cmocka_run_group_tests(tests, start, finish);
}
