/* cmd/stube-systemd/main.c: one request of stube-runtime, one reply, over the socket that it was given.
 *
 * `stube-systemd check system|user` prints who answers on the bus instead, in one line; status 1: nobody.
 *
 * Executed by stube-runtime when the systemd cgroup manager is asked for, and by nobody else, so that what
 * libsystemd brings is loaded by whoever needs it. After a start this process is what keeps the new scope
 * alive: it stays until its socket ends. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/stube-systemd/manager.h"

enum { USAGE = 2, ARENA_MAX = 1 << 20, CHECK_MS = 5000 };

static err *act(struct manager *m, const struct unit_request *r, char *invocation)
{
	TRY(manager_open(m, r->user, r->timeout_ms));
	switch (r->op) {
	case UNIT_OP_START:
		return manager_start(m, r, invocation);
	case UNIT_OP_STOP:
		return manager_stop(m, r);
	case UNIT_OP_UPDATE:
		return manager_update(m, r);
	case UNIT_OP_ATTACH:
		return manager_attach(m, r);
	}
	return err_new(EINVAL, "unknown request");
}

static err *answer(int sock, const err *e, const char *invocation)
{
	auto_str struct str text = STR_INIT(8192);
	auto_str struct str reply = STR_INIT(UNIT_MESSAGE_MAX);
	struct unit_reply r = { .invocation = invocation };

	if (e) {
		err_format(e, &text);
		r.code = (uint32_t)e->code;
		r.text = text.data;
	}
	unit_reply_encode(&reply, &r);
	TRY(str_check(&reply));
	return fd_send(sock, reply.data, reply.len, NULL, 0);
}

static err *take_request(struct arena *arena, int sock, struct unit_request *ret)
{
	auto_str struct str bytes = STR_INIT(UNIT_MESSAGE_MAX + 1);
	size_t len = 0, count = 0;
	char *room = str_room(&bytes, UNIT_MESSAGE_MAX);

	if (!room)
		return str_check(&bytes);
	TRY(fd_recv(sock, room, UNIT_MESSAGE_MAX, &len, NULL, 0, &count));
	return unit_request_decode(arena, room, len, ret);
}

/* One request. *ret_stay: the scope needs this process. */
static err *serve(int sock, bool *ret_stay)
{
	auto_arena struct arena *arena = NULL;
	struct manager m = { .bus = NULL };
	struct unit_request request = { 0 };
	char invocation[UNIT_INVOCATION_LEN + 1] = "";

	TRY(arena_new(ARENA_MAX, &arena));
	err *e = take_request(arena, sock, &request);
	if (!e)
		e = act(&m, &request, invocation);
	*ret_stay = !e && request.op == UNIT_OP_START;
	manager_close(&m);
	err *sent = answer(sock, e, invocation);
	err_free(e);
	return sent;
}

static void wait_end(int sock)
{
	char byte;
	ssize_t n;

	do
		n = recv(sock, &byte, 1, 0);
	while (n > 0 || (n < 0 && errno == EINTR));
}

/* For people and for `stube-agent check`: who is there, or why nobody. */
static int check(bool user)
{
	auto_str struct str text = STR_INIT(8192);
	struct manager m = { .bus = NULL };
	auto_free char *version = NULL;

	err *e = manager_open(&m, user, CHECK_MS);
	if (!e)
		e = manager_version(&m, &version);
	if (e)
		err_format(e, &text);
	else
		str_addf(&text, "systemd %s answers on the %s bus", version, m.whose);
	manager_close(&m);
	puts(text.data);
	bool failed = e != NULL;
	err_free(e);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	uint64_t number = 0;
	bool stay = false;

	if (argc == 3 && str_equal(argv[1], "check") &&
	    (str_equal(argv[2], "system") || str_equal(argv[2], "user")))
		return check(str_equal(argv[2], "user"));
	if (argc != 2 || !str_to_u64(argv[1], &number) || number < 3 || number > 1023 ||
	    getsockopt((int)number, SOL_SOCKET, SO_TYPE, &(int){ 0 }, &(socklen_t){ sizeof(int) }) < 0) {
		fputs("stube-systemd: is started by stube-runtime, which speaks to it over a socket\n",
		      stderr);
		return USAGE;
	}
	/* The one behind the socket is a lock that the caller wants held as long as this process lives; what
	 * else was let through is not ours. */
	(void)close_range((unsigned)number + 2, ~0U, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	err *e = serve((int)number, &stay);
	if (!e && stay)
		wait_end((int)number);
	bool failed = e != NULL;
	err_free(e);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
