/* tests/unit/agent/serve_test.c: logs as streams, and commands relayed between a WebSocket and a monitor that we play. */
#include "tests/unit/net/server.h"

#include <sys/epoll.h>

#include "agent/serve-exec.h"
#include "base/file.h"
#include "base/path.h"
#include "monitor/exit.h"
#include "monitor/log.h"
#include "monitor/session.h"
#include "net/http.h"

/* ---- instead of agent/pods.c ---- */

static int log_dir = -1;
static bool log_runs;

err *pods_log_open(struct pods *p UNUSED, const char *namespace, const char *name, const char *container, bool previous,
		   int *ret_keep_fd, bool *ret_running)
{
	if (previous || strcmp(namespace, "ns") != 0 || strcmp(name, "web") != 0 || strcmp(container, "main") != 0)
		return err_new(ENOENT, "no log of '%s/%s/%s'", namespace, name, container);
	*ret_keep_fd = openat(log_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*ret_running = log_runs;
	return NULL;
}

void pods_counts(const struct pods *p UNUSED, struct pods_count *ret)
{
	*ret = (struct pods_count){ 0 };
}

void pods_each(struct pods *p UNUSED, pods_each_fn *fn UNUSED, void *user UNUSED)
{
}

err *pods_exec(struct pods *p UNUSED, const char *namespace UNUSED, const char *name UNUSED, const char *container UNUSED,
	       const struct bundle_exec *exec UNUSED, bool interactive UNUSED, int *ret_sock UNUSED,
	       struct str *ret_session UNUSED)
{
	return err_new(ENOENT, "nothing runs here");
}

void pods_exec_done(struct pods *p UNUSED, const char *session UNUSED)
{
}

/* ---- a server with both ---- */

static struct node_agent agent;
static int monitor_end; /* of the relay, for the next command */
static bool interactive, tty;
static atomic_int relays_done;

static void relay_done(void *user)
{
	(void)user;
	atomic_fetch_add(&relays_done, 1);
}

static void handle(struct server_request *r, void *user)
{
	static char namespace[] = "ns", pod[] = "web", container[] = "main", other[] = "other";
	char *parts[] = { namespace, pod, container }, *wrong[] = { namespace, pod, other };

	(void)user;
	agent.loop = at.loop;
	if (strcmp(request_path(r), "/log") == 0)
		serve_logs(&agent, r, parts);
	else if (strcmp(request_path(r), "/other") == 0)
		serve_logs(&agent, r, wrong);
	else
		relay_start(at.loop, r, &(struct relay_options){ .sock = monitor_end, .interactive = interactive, .tty = tty,
								 .done = relay_done });
}

static int setup(void **state)
{
	char path[160];

	at_make(state);
	snprintf(path, sizeof(path), "%s/log", at.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	log_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	log_runs = false;
	interactive = tty = false;
	relays_done = 0;
	at_start((struct server_options){ .address = at.address, .listen_fd = -1, .handler = handle });
	return 0;
}

static int teardown(void **state)
{
	auto_close int dir = open(at.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	at_stop();
	IGNORE(path_remove_all(dir, "log"));
	fd_clear(&log_dir);
	return at_unmake(state);
}

/* ---- logs ---- */

static struct monitor_log *open_log(uint64_t size)
{
	struct monitor_log *log;

	assert_ok(monitor_log_open(log_dir, MONITOR_LOG, (struct monitor_log_limits){ size, 5 }, &log));
	return log;
}

static void say(struct monitor_log *log, enum monitor_stream stream, int64_t seconds, const char *text)
{
	monitor_log_write(log, stream, seconds * (int64_t)NSEC_PER_SEC, text, strlen(text));
}

static void get(const char *path, struct str *answer)
{
	char request[512];

	snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
	raw_request(request, answer);
}

static void test_a_log_is_shown_as_asked(void **state)
{
	static const struct {
		const char *query, *body;
	} rows[] = {
		{ "", "one\ntwo\nerror\nthree part end\n" },
		{ "?tailLines=2", "error\nthree part end\n" },
		{ "?tailLines=100", "one\ntwo\nerror\nthree part end\n" },
		{ "?tailLines=0", "" },
		{ "?limitBytes=5", "one\nt" },
		{ "?limitBytes=0", "" },
		{ "?sinceTime=1970-01-01T00:00:03Z", "error\nthree part end\n" },
		{ "?sinceTime=1970-01-01T00:00:03Z&tailLines=1", "three part end\n" },
		{ "?sinceSeconds=60", "" },
		{ "?timestamps=true&tailLines=1", "1970-01-01T00:00:04.000000000Z three part end\n" },
		{ "?timestamps&limitBytes=35", "1970-01-01T00:00:01.000000000Z one\n" },
		/* It has ended: there is nothing to follow. */
		{ "?follow=true&tailLines=1", "three part end\n" },
	};
	struct monitor_log *log = open_log(1 << 20);

	(void)state;
	say(log, MONITOR_STDOUT, 1, "one\n");
	say(log, MONITOR_STDOUT, 2, "two\n");
	say(log, MONITOR_STDERR, 3, "error\n");
	say(log, MONITOR_STDOUT, 4, "three ");
	say(log, MONITOR_STDOUT, 5, "part ");
	say(log, MONITOR_STDOUT, 6, "end\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str answer = STR_INIT(1 << 16);
		char path[256];
		snprintf(path, sizeof(path), "/log%s", rows[i].query);
		get(path, &answer);
		assert_int_equal(raw_status(&answer), 200);
		assert_string_equal(raw_body(&answer), rows[i].body);
	}
	monitor_log_free(log);
}

static void test_wrong_questions_name_what_is_wrong(void **state)
{
	static const struct {
		const char *path, *message;
		int status;
	} rows[] = {
		{ "/log?tailLines=-1", "tailLines: '-1' is no whole number", 400 },
		{ "/log?sinceTime=yesterday", "sinceTime: 'yesterday' is no time (RFC 3339)", 400 },
		{ "/log?follow=perhaps", "follow: 'perhaps' is neither true nor false", 400 },
		{ "/other", "no log of 'ns/web/other'", 404 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str answer = STR_INIT(1 << 16);
		get(rows[i].path, &answer);
		assert_int_equal(raw_status(&answer), rows[i].status);
		assert_non_null(strstr(raw_body(&answer), rows[i].message));
	}
}

static void write_end(void)
{
	struct exit_record r = { .version = EXIT_RECORD_VERSION, .known = true };

	assert_ok(exit_record_write(log_dir, &r));
}

static void test_a_follower_goes_along_over_rotations_until_the_end(void **state)
{
	auto_str struct str answer = STR_INIT(1 << 20);
	struct monitor_log *log = open_log(256);
	auto_close int fd = raw_connect();
	char line[64];

	(void)state;
	log_runs = true;
	say(log, MONITOR_STDOUT, 1, "before\n");
	raw_send(fd, "GET /log?follow=true HTTP/1.0\r\n\r\n");
	assert_true(raw_until(fd, &answer, "before\n"));
	for (int i = 0; i < 40; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		say(log, MONITOR_STDOUT, 2 + i, line);
		assert_true(raw_until(fd, &answer, line));
	}
	/* What is written before the record of the end is read before the stream ends. */
	say(log, MONITOR_STDOUT, 99, "last words\n");
	write_end();
	raw_all(fd, &answer);
	assert_true(str_ends_with(answer.data, "line 39\nlast words\n"));
	monitor_log_free(log);
}

static void test_a_follower_ends_with_the_folder(void **state)
{
	auto_str struct str answer = STR_INIT(1 << 16);
	auto_close int fd = raw_connect(), dir = open(at.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct monitor_log *log = open_log(1 << 20);

	(void)state;
	log_runs = true;
	say(log, MONITOR_STDOUT, 1, "hello\n");
	raw_send(fd, "GET /log?follow=true HTTP/1.0\r\n\r\n");
	assert_true(raw_until(fd, &answer, "hello\n"));
	monitor_log_free(log);
	assert_ok(path_remove_all(dir, "log"));
	raw_all(fd, &answer);
}

static void test_a_slow_reader_gets_every_byte_of_a_large_log(void **state)
{
	enum { LINES = 200000 };
	auto_str struct str answer = STR_INIT(64 << 20);
	auto_close int fd = raw_connect();
	struct monitor_log *log = open_log(64 << 20);
	int small = 4096, number = 0;
	char line[64];

	(void)state;
	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof(line), "this is line number %d\n", i);
		say(log, MONITOR_STDOUT, 1, line);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	raw_send(fd, "GET /log HTTP/1.0\r\n\r\n");
	assert_true(raw_until(fd, &answer, "\r\n\r\n"));
	poll(NULL, 0, 50); /* everything that may be queued is */
	raw_all(fd, &answer);
	for (const char *at_line = raw_body(&answer); *at_line; at_line = strchr(at_line, '\n') + 1, number++) {
		snprintf(line, sizeof(line), "this is line number %d\n", number);
		if (strncmp(at_line, line, strlen(line)) != 0)
			fail_msg("line %d is not there", number);
	}
	assert_int_equal(number, LINES);
	monitor_log_free(log);
}

static void test_a_reader_that_leaves_takes_nothing_with_it(void **state)
{
	auto_str struct str answer = STR_INIT(1 << 16);
	struct monitor_log *log = open_log(1 << 20);
	int fd = raw_connect();

	(void)state;
	log_runs = true;
	say(log, MONITOR_STDOUT, 1, "hello\n");
	raw_send(fd, "GET /log?follow=true HTTP/1.0\r\n\r\n");
	assert_true(raw_until(fd, &answer, "hello\n"));
	close(fd);
	wait_until(server_connections(at.server) == 0);
	say(log, MONITOR_STDOUT, 1, "nobody listens\n");
	str_clear(&answer);
	log_runs = false;
	get("/log?tailLines=1", &answer);
	assert_string_equal(raw_body(&answer), "nobody listens\n");
	monitor_log_free(log);
}

/* ---- commands ---- */

struct session {
	struct http_client *http;
	struct ws_client *ws;
	int monitor; /* our end, as the monitor */
};

static void begin(struct session *s)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	s->monitor = ends[0];
	monitor_end = ends[1];
	assert_ok(http_client_new(&(struct http_options){ .user_agent = "test", .unix_socket = at.path }, &s->http));
	assert_ok(ws_connect(s->http, "http://localhost/exec", "v5.channel.k8s.io", NULL, &s->ws));
}

static void finish(struct session *s)
{
	ws_client_free(s->ws);
	http_client_free(s->http);
	fd_close(s->monitor);
}

static void expect(struct session *s, uint32_t kind, int32_t value, uint64_t a, uint64_t b)
{
	struct monitor_message m;
	size_t len;

	assert_ok(monitor_recv(s->monitor, MONITOR_SIDE_CLIENT, &m, &len));
	assert_string_equal(monitor_kind_name(m.head.kind), monitor_kind_name(kind));
	assert_int_equal(m.head.value, value);
	assert_int_equal(m.head.a, a);
	assert_int_equal(m.head.b, b);
}

static void say_monitor(struct session *s, uint32_t kind, int32_t value, uint64_t a, const char *text)
{
	assert_ok(monitor_send(s->monitor, kind, value, a, 0, text, text ? strlen(text) : 0));
}

static void hear(struct session *s, enum ws_channel channel, const char *text)
{
	auto_str struct str message = STR_INIT(WS_MESSAGE_MAX);
	enum ws_opcode opcode;
	bool closed;

	assert_ok(ws_receive(s->ws, &message, &opcode, &closed));
	assert_false(closed);
	assert_int_equal((uint8_t)message.data[0], channel);
	if (channel == CHANNEL_STATUS)
		assert_non_null(strstr(message.data + 1, text));
	else
		assert_string_equal(message.data + 1, text);
}

static void hear_close(struct session *s)
{
	auto_str struct str message = STR_INIT(WS_MESSAGE_MAX);
	enum ws_opcode opcode;
	bool closed;

	assert_ok(ws_receive(s->ws, &message, &opcode, &closed));
	assert_true(closed);
}

static void send_channel(struct session *s, enum ws_channel channel, const void *bytes, size_t len)
{
	uint8_t head = (uint8_t)channel;

	assert_ok(ws_send(s->ws, WS_BINARY, &head, 1, bytes, len));
	while (ws_unsent(s->ws) > 0) {
		struct pollfd p = { .fd = ws_fd(s->ws), .events = POLLOUT };
		poll(&p, 1, 1000);
		assert_ok(ws_flush(s->ws));
	}
}

static void test_output_and_exit_code_reach_the_caller(void **state)
{
	struct session s;

	(void)state;
	begin(&s);
	expect(&s, MONITOR_ATTACH, MONITOR_ATTACH_OUTPUT, 0, 0);
	expect(&s, MONITOR_WAIT, 0, 0, 0);
	say_monitor(&s, MONITOR_OK, MONITOR_ATTACH, 0, NULL);
	say_monitor(&s, MONITOR_CREATED, 0, 42, NULL);
	say_monitor(&s, MONITOR_OUT, 0, 0, "out");
	say_monitor(&s, MONITOR_ERR, 0, 0, "err");
	hear(&s, CHANNEL_STDOUT, "out");
	hear(&s, CHANNEL_STDERR, "err");
	say_monitor(&s, MONITOR_EXITED, 3, 0, NULL);
	hear(&s, CHANNEL_STATUS, "\"reason\":\"ExitCode\",\"message\":\"3\"");
	hear_close(&s);
	finish(&s);
	wait_until(atomic_load(&relays_done) == 1);
}

static void test_a_command_that_cannot_be_run_says_why(void **state)
{
	struct session s;

	(void)state;
	begin(&s);
	say_monitor(&s, MONITOR_ERROR, ENOENT, 0, "exec: \"/nope\": no such file");
	hear(&s, CHANNEL_STATUS, "exec: \\\"/nope\\\": no such file");
	finish(&s);
	wait_until(atomic_load(&relays_done) == 1);
}

static void test_a_monitor_that_dies_is_an_error_not_a_success(void **state)
{
	struct session s;

	(void)state;
	begin(&s);
	say_monitor(&s, MONITOR_CREATED, 0, 42, NULL);
	fd_clear(&s.monitor);
	hear(&s, CHANNEL_STATUS, "the command's monitor has gone");
	finish(&s);
	wait_until(atomic_load(&relays_done) == 1);
}

/* Take INPUT until nothing more comes; returns how many bytes. */
static size_t take_input(struct session *s, bool until_end, uint8_t *ret_last)
{
	struct monitor_message m;
	size_t len, sum = 0;

	for (;;) {
		struct pollfd p = { .fd = s->monitor, .events = POLLIN };
		if (poll(&p, 1, until_end ? 10000 : 100) == 0)
			return sum;
		assert_ok(monitor_recv(s->monitor, MONITOR_SIDE_CLIENT, &m, &len));
		if (m.head.kind == MONITOR_INPUT_END)
			return sum;
		assert_int_equal(m.head.kind, MONITOR_INPUT);
		for (size_t i = 0; i < len; i++)
			assert_int_equal((uint8_t)m.data[i], (uint8_t)(*ret_last + 1 + i));
		*ret_last = (uint8_t)(*ret_last + len);
		sum += len;
		if (until_end)
			assert_ok(monitor_send(s->monitor, MONITOR_ROOM, 0, len, 0, NULL, 0));
	}
}

static void test_input_waits_for_room_and_ends(void **state)
{
	static uint8_t bytes[200000];
	const uint8_t stdin_ends = CHANNEL_STDIN;
	struct session s;
	uint8_t last = 255;

	(void)state;
	interactive = true;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	begin(&s);
	expect(&s, MONITOR_ATTACH, MONITOR_ATTACH_OUTPUT | MONITOR_ATTACH_INPUT, 0, 0);
	expect(&s, MONITOR_WAIT, 0, 0, 0);
	send_channel(&s, CHANNEL_STDIN, bytes, sizeof(bytes));
	send_channel(&s, CHANNEL_CLOSE, &stdin_ends, 1);
	/* The monitor hangs up on whoever sends more than its window. */
	assert_int_equal(take_input(&s, false, &last), MONITOR_INPUT_WINDOW);
	assert_ok(monitor_send(s.monitor, MONITOR_ROOM, 0, MONITOR_INPUT_WINDOW, 0, NULL, 0));
	assert_int_equal(take_input(&s, true, &last), sizeof(bytes) - MONITOR_INPUT_WINDOW);
	say_monitor(&s, MONITOR_EXITED, 0, 0, NULL);
	hear(&s, CHANNEL_STATUS, "\"status\":\"Success\"");
	finish(&s);
	wait_until(atomic_load(&relays_done) == 1);
}

static void test_the_newest_size_is_sent_once_there_is_a_terminal(void **state)
{
	struct session s;

	(void)state;
	interactive = tty = true;
	begin(&s);
	expect(&s, MONITOR_ATTACH, MONITOR_ATTACH_OUTPUT | MONITOR_ATTACH_INPUT, 0, 0);
	expect(&s, MONITOR_WAIT, 0, 0, 0);
	static const char *const sizes[] = { "{\"Width\":80,\"Height\":24}", "not a size", "{\"Width\":70000,\"Height\":1}",
					     "{\"Width\":91,\"Height\":33}" };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		send_channel(&s, CHANNEL_RESIZE, sizes[i], strlen(sizes[i]));
	send_channel(&s, CHANNEL_STDIN, "x", 1);
	expect(&s, MONITOR_INPUT, 0, 0, 0); /* the sizes have been looked at */
	say_monitor(&s, MONITOR_CREATED, 0, 42, NULL);
	expect(&s, MONITOR_RESIZE, 0, 33, 91);
	say_monitor(&s, MONITOR_EXITED, 0, 0, NULL);
	hear(&s, CHANNEL_STATUS, "Success");
	finish(&s);
	wait_until(atomic_load(&relays_done) == 1);
}

static void test_a_caller_that_hangs_up_hangs_up_the_command(void **state)
{
	struct session s;

	(void)state;
	begin(&s);
	expect(&s, MONITOR_ATTACH, MONITOR_ATTACH_OUTPUT, 0, 0);
	expect(&s, MONITOR_WAIT, 0, 0, 0);
	say_monitor(&s, MONITOR_CREATED, 0, 42, NULL);
	ws_client_free(TAKE(s.ws));
	expect(&s, MONITOR_SIGNAL, SIGHUP, 0, 0);
	assert_int_equal(relays_done, 0);
	say_monitor(&s, MONITOR_OUT, 0, 0, "nobody reads this");
	say_monitor(&s, MONITOR_EXITED, 129, SIGHUP, NULL);
	wait_until(atomic_load(&relays_done) == 1);
	finish(&s);
}

static void test_a_caller_that_does_not_read_stops_the_command_not_the_agent(void **state)
{
	static char chunk[MONITOR_DATA_MAX];
	auto_str struct str answer = STR_INIT(1 << 16), message = STR_INIT(WS_MESSAGE_MAX);
	struct session s;
	size_t sent = 0, got = 0;

	(void)state;
	memset(chunk, 'x', sizeof(chunk));
	begin(&s);
	fcntl(s.monitor, F_SETFL, O_NONBLOCK);
	struct monitor_head head = { .kind = MONITOR_OUT };
	struct iovec parts[] = { { &head, sizeof(head) }, { chunk, sizeof(chunk) } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2 };
	/* Until nothing is taken from us for a while. */
	for (int idle = 0; idle < 20;) {
		if (sendmsg(s.monitor, &msg, MSG_NOSIGNAL) > 0) {
			sent += sizeof(chunk);
			idle = 0;
			assert_true(sent < 8 << 20);
		} else {
			poll(NULL, 0, 5);
			idle++;
		}
	}
	get("/log", &answer);
	assert_int_equal(raw_status(&answer), 200);
	while (got < sent) {
		enum ws_opcode opcode;
		bool closed;
		assert_ok(ws_receive(s.ws, &message, &opcode, &closed));
		got += message.len - 1;
	}
	assert_int_equal(got, sent);
	fcntl(s.monitor, F_SETFL, 0);
	say_monitor(&s, MONITOR_EXITED, 0, 0, NULL);
	hear(&s, CHANNEL_STATUS, "Success");
	finish(&s);
	wait_until(atomic_load(&relays_done) == 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_log_is_shown_as_asked),
		TEST(test_wrong_questions_name_what_is_wrong),
		TEST(test_a_follower_goes_along_over_rotations_until_the_end),
		TEST(test_a_follower_ends_with_the_folder),
		TEST(test_a_slow_reader_gets_every_byte_of_a_large_log),
		TEST(test_a_reader_that_leaves_takes_nothing_with_it),
		TEST(test_output_and_exit_code_reach_the_caller),
		TEST(test_a_command_that_cannot_be_run_says_why),
		TEST(test_a_monitor_that_dies_is_an_error_not_a_success),
		TEST(test_input_waits_for_room_and_ends),
		TEST(test_the_newest_size_is_sent_once_there_is_a_terminal),
		TEST(test_a_caller_that_hangs_up_hangs_up_the_command),
		TEST(test_a_caller_that_does_not_read_stops_the_command_not_the_agent),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
