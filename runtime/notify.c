/* runtime/notify.c: readiness of a container's service, told to the service manager that started the runtime. */
#include "runtime/notify.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strv.h"
#include "runtime/interrupt.h"

#define DIRECTORY "notify"
#define NAME	  "notify.sock"
#define INSIDE	  "/run/notify"

enum { DATAGRAM_MAX = 4096, BARRIER_TIMEOUT_MS = 5000, SEND_TIMEOUT_S = 5 };

void notify_done(struct notify *n)
{
	fd_clear(&n->sock);
	fd_clear(&n->host);
	fd_clear(&n->pidfd);
}

err *notify_host(const char **ret)
{
	const char *host = getenv("NOTIFY_SOCKET");

	*ret = host && *host ? host : NULL;
	if (*ret && **ret != '/' && **ret != '@')
		return err_new(EINVAL, "NOTIFY_SOCKET: '%s' is neither a path nor an abstract name", host);
	return NULL;
}

/* ---- what the container sees ---- */

static err *add_mount(struct arena *arena, int dir_fd, struct oci_config *c)
{
	static const char *options[] = { "bind", "ro", "nosuid", "nodev", "noexec" };
	char link[64], path[PATH_MAX];
	struct oci_mount *items;

	/* Absolute: a rootless runtime's child opens it by path. */
	snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd);
	ssize_t len = readlink(link, path, sizeof path - 1);
	if (len < 0)
		return err_errno("name of the state directory");
	path[len] = '\0';
	TRY_ALLOC(arena, items, arena_array(arena, c->mounts.count + 1, sizeof *items));
	if (c->mounts.count)
		memcpy(items, c->mounts.items, c->mounts.count * sizeof *items);
	struct oci_mount *m = &items[c->mounts.count];
	m->destination = INSIDE;
	m->type = "bind";
	TRY_ALLOC(arena, m->source, arena_printf(arena, "%s/" DIRECTORY, path));
	m->options.items = options;
	m->options.count = ARRAY_LEN(options);
	c->mounts.items = items;
	c->mounts.count++;
	return NULL;
}

static err *add_env(struct arena *arena, struct oci_config *c)
{
	auto_strv struct strv env = STRV_INIT(1 << 20);
	struct oci_process *process;
	const char **items;

	for (size_t i = 0; i < c->process->env.count; i++)
		strv_add(&env, c->process->env.items[i]);
	strv_set(&env, "NOTIFY_SOCKET", INSIDE "/" NAME);
	TRY(strv_check(&env));
	TRY_ALLOC(arena, items, arena_array(arena, env.count, sizeof *items));
	for (size_t i = 0; i < env.count; i++)
		TRY_ALLOC(arena, items[i], arena_strdup(arena, env.items[i]));
	TRY_ALLOC(arena, process, arena_alloc(arena, sizeof *process));
	*process = *c->process;
	process->env.items = items;
	process->env.count = env.count;
	c->process = process;
	return NULL;
}

err *notify_prepare(struct arena *arena, int dir_fd, const struct oci_config *config, const struct oci_config **ret)
{
	struct oci_config *copy;

	/* Anybody inside may enter; the way there leads through ROOT/ID, which is closed, or the mount. */
	if (mkdirat(dir_fd, DIRECTORY, 0755) < 0 || fchmodat(dir_fd, DIRECTORY, 0755, 0) < 0)
		return err_errno("create directory for NOTIFY_SOCKET");
	TRY_ALLOC(arena, copy, arena_alloc(arena, sizeof *copy));
	*copy = *config;
	TRY(add_mount(arena, dir_fd, copy));
	TRY(add_env(arena, copy));
	*ret = copy;
	return NULL;
}

/* ---- the sockets ---- */

static err *bind_socket(int dir_fd, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" DIRECTORY "/" NAME, dir_fd);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return err_errno("bind the container's NOTIFY_SOCKET");
	/* Every user inside may tell. */
	if (fchmodat(dir_fd, DIRECTORY "/" NAME, 0777, 0) < 0)
		return err_errno("set mode of the container's NOTIFY_SOCKET");
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

static err *connect_abstract(const char *name, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (len > sizeof address.sun_path)
		return err_new(ENAMETOOLONG, "NOTIFY_SOCKET: '%s'", name);
	memcpy(address.sun_path, name, len);
	address.sun_path[0] = '\0';
	if (fd < 0 || connect(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return err_errno("connect to socket '%s'", name);
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

err *notify_open(int dir_fd, const char *host, struct notify *n)
{
	const struct timeval limit = { .tv_sec = SEND_TIMEOUT_S };

	if (!host || faccessat(dir_fd, DIRECTORY, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	TRY(err_wrap(*host == '@' ? connect_abstract(host, &n->host) : fd_unix_connect(host, SOCK_DGRAM, &n->host),
		     "NOTIFY_SOCKET"));
	/* A manager that does not read must not hold up the container's signals for ever. */
	(void)setsockopt(n->host, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	return bind_socket(dir_fd, &n->sock);
}

/* ---- messages ---- */

/* Those about the service itself. MAINPID is ours to say; FDSTORE and BARRIER come with descriptors. */
static bool passes(const char *line, size_t len)
{
	static const char *const keys[] = {
		"READY",    "RELOADING",	  "STOPPING",	   "STATUS",	     "ERRNO",	     "BUSERROR",
		"WATCHDOG", "EXTEND_TIMEOUT_USEC", "MONOTONIC_USEC", "WATCHDOG_USEC", "EXIT_STATUS",
	};
	const char *equals = memchr(line, '=', len);
	size_t key_len = equals ? (size_t)(equals - line) : 0;

	for (size_t i = 0; i < ARRAY_LEN(keys) && key_len; i++)
		if (strlen(keys[i]) == key_len && memcmp(line, keys[i], key_len) == 0)
			return true;
	return false;
}

void notify_filter(const char *bytes, size_t len, pid_t pid, struct str *out, bool *ret_ready)
{
	static const char ready[] = "READY=1";
	size_t before = out->len;

	*ret_ready = false;
	for (size_t at = 0; at < len;) {
		const char *line = bytes + at;
		const char *end = memchr(line, '\n', len - at);
		size_t n = end ? (size_t)(end - line) : len - at;

		at += n + 1;
		/* A NUL would end the manager's view of the message early. */
		if (!passes(line, n) || memchr(line, '\0', n))
			continue;
		if (out->len == before)
			str_addf(out, "MAINPID=%d\n", pid);
		str_add_bytes(out, line, n);
		str_add_char(out, '\n');
		if (n == sizeof ready - 1 && memcmp(line, ready, n) == 0)
			*ret_ready = true;
	}
}

err *notify_relay(struct notify *n)
{
	auto_str struct str text = STR_INIT(2 * DATAGRAM_MAX);
	char bytes[DATAGRAM_MAX];
	bool ready = false;
	/* Descriptors that come along are closed by the kernel, which answers a barrier of the container. */
	ssize_t len = recv(n->sock, bytes, sizeof bytes, MSG_TRUNC);

	if (len < 0)
		return errno == EAGAIN || errno == EINTR ? NULL : err_errno("receive from the container's NOTIFY_SOCKET");
	/* Longer than any manager takes. */
	if ((size_t)len > sizeof bytes)
		return NULL;
	notify_filter(bytes, (size_t)len, n->pid, &text, &ready);
	TRY(str_check(&text));
	if (!text.len)
		return NULL;
	if (send(n->host, text.data, text.len, MSG_NOSIGNAL) < 0)
		return err_errno("NOTIFY_SOCKET: send");
	n->ready = n->ready || ready;
	return NULL;
}

/* The manager closes the descriptor once it has handled what came before (sd_notify_barrier(3)). */
static err *barrier(const struct notify *n)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno("create pipe");
	auto_close int reader = ends[0];
	auto_close int writer = ends[1];
	TRY(fd_send(n->host, "BARRIER=1", 9, &writer, 1));
	fd_clear(&writer);
	struct pollfd p = { .fd = reader, .events = 0 };
	while (poll(&p, 1, BARRIER_TIMEOUT_MS) < 0 && errno == EINTR)
		;
	return NULL;
}

err *notify_wait_ready(struct notify *n)
{
	while (n->sock >= 0 && !n->ready) {
		struct pollfd p[3] = {
			{ .fd = n->sock, .events = POLLIN },
			{ .fd = n->pidfd, .events = POLLIN },
			{ .fd = interrupt_fd(), .events = POLLIN },
		};

		if (poll(p, 3, -1) < 0 && errno != EINTR)
			return err_errno("poll");
		if (p[0].revents)
			TRY(notify_relay(n));
		else if (p[1].revents || p[2].revents)
			return NULL;
	}
	return n->ready ? barrier(n) : NULL;
}
