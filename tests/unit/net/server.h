/* tests/unit/net/server.h: a server in a thread of its own, and a client that sends raw bytes. */
#pragma once
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/server.h"

static struct {
	struct loop *loop;
	struct server *server;
	pthread_t thread;
	bool running;
	char dir[64], path[96], address[128];
	uint16_t port;
} at;

static void *at_run(void *arg)
{
	err *e = loop_run(at.loop);

	(void)arg;
	if (e)
		abort();
	return NULL;
}

/* Runs fn in the loop's thread and waits for it. */
struct at_call {
	loop_fn *fn;
	void *user;
	int done[2];
};

static UNUSED void at_called(void *user)
{
	struct at_call *c = user;

	c->fn(c->user);
	if (write(c->done[1], "x", 1) != 1)
		abort();
}

static UNUSED void at_call(loop_fn *fn, void *user)
{
	struct at_call c = { .fn = fn, .user = user };
	char x;

	assert_int_equal(pipe2(c.done, O_CLOEXEC), 0);
	loop_post(at.loop, at_called, &c);
	assert_int_equal(read(c.done[0], &x, 1), 1);
	close(c.done[0]);
	close(c.done[1]);
}

static UNUSED void at_start(struct server_options o)
{
	if (!o.address && o.listen_fd <= 0)
		o.address = "127.0.0.1:0";
	assert_ok(loop_new(&at.loop));
	assert_ok(server_new(at.loop, &o, &at.server));
	at.port = server_port(at.server);
	assert_int_equal(pthread_create(&at.thread, NULL, at_run, NULL), 0);
	at.running = true;
}

static UNUSED void at_end_loop(void *user)
{
	(void)user;
	server_free(at.server);
	at.server = NULL;
	loop_stop(at.loop, NULL);
}

static UNUSED int at_make(void **state)
{
	(void)state;
	memset(&at, 0, sizeof(at));
	snprintf(at.dir, sizeof(at.dir), "%s", "/tmp/stube-server-XXXXXX");
	assert_non_null(mkdtemp(at.dir));
	snprintf(at.path, sizeof(at.path), "%s/s.sock", at.dir);
	snprintf(at.address, sizeof(at.address), "unix:%s", at.path);
	return 0;
}

static UNUSED void at_stop(void)
{
	if (at.running) {
		loop_post(at.loop, at_end_loop, NULL);
		pthread_join(at.thread, NULL);
	}
	at.running = false;
	loop_free(at.loop);
	at.loop = NULL;
}

static UNUSED int at_unmake(void **state)
{
	(void)state;
	at_stop();
	unlink(at.path);
	return rmdir(at.dir);
}

/* Callbacks of the loop in so many milliseconds of silence, once what came before is done. */
static UNUSED uint64_t at_turns_of_silence(int ms)
{
	uint64_t turns = 0, now = 1;

	while (turns != now) {
		turns = now;
		poll(NULL, 0, 50);
		now = loop_turns(at.loop);
	}
	poll(NULL, 0, ms);
	return loop_turns(at.loop) - turns;
}

/* ---- raw clients; a silent server fails a test after ten seconds ---- */

static UNUSED int raw_connect(void)
{
	const struct timeval limit = { .tv_sec = 10 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(at.port) };
	int fd = -1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!at.port) {
		assert_ok(fd_unix_connect(at.path, SOCK_STREAM, &fd));
	} else {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static UNUSED void raw_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Until the text has come, or the end. */
static UNUSED bool raw_until(int fd, struct str *in, const char *text)
{
	while (!strstr(in->data, text)) {
		char *room = str_room(in, 4096);
		ssize_t n = room ? recv(fd, room, 4096, 0) : -1;
		if (n <= 0)
			return false;
		str_grown(in, (size_t)n);
	}
	return true;
}

/* Until the connection's end. */
static UNUSED void raw_all(int fd, struct str *in)
{
	assert_false(raw_until(fd, in, "\x01never"));
}

/* One request on a connection of its own; the answer until its end. */
static UNUSED void raw_request(const char *request, struct str *out)
{
	auto_close int fd = raw_connect();

	str_clear(out);
	raw_send(fd, request);
	raw_all(fd, out);
}

static UNUSED const char *raw_body(const struct str *answer)
{
	const char *end = strstr(answer->data, "\r\n\r\n");

	return end ? end + 4 : "(no body)";
}

static UNUSED int raw_status(const struct str *answer)
{
	int status = 0;

	return sscanf(answer->data, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

/* Waits until `value` is as wanted; fails after ten seconds. */
#define wait_until(condition)                                                   \
	do {                                                                    \
		int64_t end_ = clock_monotonic() + 10 * (int64_t)NSEC_PER_SEC;  \
		while (!(condition)) {                                          \
			if (clock_monotonic() > end_)                           \
				fail_msg("%s did not become true", #condition); \
			poll(NULL, 0, 2);                                       \
		}                                                               \
	} while (0)
