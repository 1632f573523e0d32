/* runtime/unit.c: the program stube-systemd: started for one request, believed as far as its answer is sane.
 */
#include "runtime/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/interrupt.h"
#include "runtime/unit-message.h"

/* systemd's own limit for an answer is 25 s, and under a flood of units it has taken all of that. The helper
 * keeps the first; past the second it must be stuck. */
enum { TIMEOUT_MS = 60000, PATIENCE_MS = 65000, HELPER_SOCKET = 3, HELPER_LOCK = 4 };

/* Beside this program, as `make install` puts it. */
static err *find_helper(char out[static PATH_MAX])
{
	static const char name[] = "stube-systemd";
	ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - sizeof name);

	if (len < 0)
		return err_errno("find this program's folder");
	out[len] = '\0';
	char *slash = strrchr(out, '/');
	if (!slash)
		return err_new(ENOENT, "find this program's folder");
	memcpy(slash + 1, name, sizeof name);
	if (access(out, X_OK) < 0)
		return err_hint(err_errno("the systemd cgroup manager needs the program '%s'", out),
				"make install puts it there; --cgroup-manager=cgroupfs works without it.");
	return NULL;
}

/* Nothing of ours is inherited but standard error, the socket, and the lock if there is one. */
static err *spawn(const char *path, int sock, int lock, pid_t *ret)
{
	char name[] = "stube-systemd", number[] = "3";
	char *argv[] = { name, number, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;

	if (posix_spawn_file_actions_init(&actions) != 0 || posix_spawnattr_init(&attributes) != 0)
		return err_oom();
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, 0, 1);
	posix_spawn_file_actions_adddup2(&actions, sock, HELPER_SOCKET);
	if (lock >= 0)
		posix_spawn_file_actions_adddup2(&actions, lock, HELPER_LOCK);
	int code = posix_spawn(ret, path, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return code ? err_code(code, "execute '%s'", path) : NULL;
}

static err *open_helper(struct unit_keeper *k, int lock_fd)
{
	char path[PATH_MAX];
	int pair[2];

	TRY(find_helper(path));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno("create socket pair");
	k->sock = pair[0];
	auto_close int first = pair[1];
	/* Other numbers than those they get, where dup2(2) would change nothing, not even close-on-exec, or
	 * close the other. */
	auto_close int theirs = fcntl(first, F_DUPFD_CLOEXEC, HELPER_LOCK + 1);
	auto_close int lock = lock_fd < 0 ? -1 : fcntl(lock_fd, F_DUPFD_CLOEXEC, HELPER_LOCK + 1);
	if (theirs < 0 || (lock_fd >= 0 && lock < 0))
		return err_errno("duplicate descriptor");
	return spawn(path, theirs, lock, &k->pid);
}

void unit_keeper_end(struct unit_keeper *k)
{
	if (k->pid > 0) {
		kill(k->pid, SIGKILL);
		while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	fd_clear(&k->sock);
	k->pid = 0;
}

static err *wait_reply(int sock)
{
	struct pollfd p[2] = { { .fd = sock, .events = POLLIN }, { .fd = interrupt_fd(), .events = POLLIN } };
	int64_t deadline = clock_monotonic() + PATIENCE_MS * (int64_t)NSEC_PER_MSEC;

	for (;;) {
		int64_t left = (deadline - clock_monotonic()) / (int64_t)NSEC_PER_MSEC;
		int n = poll(p, 2, left > 0 ? (int)left : 0);

		if (n < 0 && errno != EINTR)
			return err_errno("poll");
		if (n == 0)
			return err_new(ETIMEDOUT, "stube-systemd did not answer within %d s",
				       PATIENCE_MS / 1000);
		if (n > 0 && p[0].revents)
			return NULL;
		if (n > 0)
			return interrupt_error();
	}
}

/* Why there is no answer: it has ended by itself, or its end shows nothing worse. */
static err *died(struct unit_keeper *k)
{
	siginfo_t info = { 0 };

	/* The socket closes a moment before its end can be waited for. */
	while (waitid(P_PID, (id_t)k->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	if (info.si_code == CLD_EXITED)
		return err_new(EPIPE, "stube-systemd ended without an answer, with status %d",
			       info.si_status);
	return err_new(EPIPE, "stube-systemd was killed by signal %d before it answered", info.si_status);
}

static err *exchange(struct arena *arena, struct unit_keeper *k, const struct unit_request *r,
		     struct unit_reply *ret)
{
	auto_str struct str request = STR_INIT(UNIT_MESSAGE_MAX);
	auto_str struct str answer = STR_INIT(UNIT_MESSAGE_MAX);
	size_t len = 0, count = 0;

	unit_request_encode(&request, r);
	TRY(err_wrap(str_check(&request), "request for stube-systemd"));
	err *e = fd_send(k->sock, request.data, request.len, NULL, 0);
	if (e && (e->code == EPIPE || e->code == ECONNRESET)) {
		err_free(e);
		return died(k);
	}
	TRY(e);
	TRY(wait_reply(k->sock));
	char *room = str_room(&answer, UNIT_MESSAGE_MAX - 1);
	if (!room)
		return str_check(&answer);
	e = fd_recv(k->sock, room, UNIT_MESSAGE_MAX - 1, &len, NULL, 0, &count);
	if ((e && e->code == ECONNRESET) || (!e && len == 0)) {
		err_free(e);
		return died(k);
	}
	TRY(e);
	TRY(unit_reply_decode(arena, room, len, ret));
	return ret->code ? err_new((int)ret->code, "%s", ret->text) : NULL;
}

static err *ask(struct arena *arena, struct unit_keeper *k, struct unit_request *r, int lock_fd,
		struct unit_reply *ret)
{
	r->timeout_ms = TIMEOUT_MS;
	err *e = open_helper(k, lock_fd);
	if (!e)
		e = exchange(arena, k, r, ret);
	if (!e)
		return NULL;
	unit_keeper_end(k);
	if (e->code == ENOTCONN)
		e = err_hint(e, "Without systemd, use --cgroup-manager=cgroupfs.");
	return err_wrap(e, "systemd unit '%s'", r->name);
}

err *unit_start(struct arena *arena, const struct unit_id *id, const struct unit_properties *properties,
		int lock_fd, struct unit_keeper *k, const char **ret_invocation)
{
	struct unit_request r = {
		.op = UNIT_OP_START,
		.user = id->user,
		.name = id->name,
		.properties = *properties,
	};
	struct unit_reply reply = { 0 };

	TRY(ask(arena, k, &r, lock_fd, &reply));
	*ret_invocation = reply.invocation;
	return NULL;
}

/* The other three need nobody to stay. */
static err *ask_once(struct arena *arena, struct unit_request *r)
{
	struct unit_keeper k = UNIT_KEEPER_INIT;
	struct unit_reply reply = { 0 };

	TRY(ask(arena, &k, r, -1, &reply));
	unit_keeper_end(&k);
	return NULL;
}

err *unit_update(struct arena *arena, const struct unit_id *id, const struct unit_properties *properties)
{
	struct unit_request r = {
		.op = UNIT_OP_UPDATE,
		.user = id->user,
		.name = id->name,
		.properties = *properties,
	};

	return ask_once(arena, &r);
}

err *unit_stop(struct arena *arena, const struct unit_id *id)
{
	struct unit_request r = {
		.op = UNIT_OP_STOP,
		.user = id->user,
		.name = id->name,
		.invocation = id->invocation,
	};

	return ask_once(arena, &r);
}

err *unit_attach(struct arena *arena, const struct unit_id *id, const char *path, pid_t pid)
{
	struct unit_request r = {
		.op = UNIT_OP_ATTACH,
		.user = id->user,
		.name = id->name,
		.place = path,
		.pid = (uint32_t)pid,
	};

	return ask_once(arena, &r);
}
