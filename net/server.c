/* net/server.c: an HTTP server's life: its daemons in the loop, its listening socket, its end. */
#include "net/server-internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define MAX_CONNECTIONS 1024u
#define MAX_BODY	(1u << 20)
#define ACCEPT_PAUSE	((int64_t)(100 * NSEC_PER_MSEC))
/* Forward secrecy and authenticated encryption only. */
#define PRIORITIES                                                                       \
	"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:" \
	"-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:%SERVER_PRECEDENCE"

/* ---- daemons ---- */

static void daemon_free(struct daemon *d)
{
	struct daemon **at = &d->server->daemons;

	while (*at && *at != d)
		at = &(*at)->next;
	if (*at)
		*at = d->next;
	loop_source_free(d->io);
	loop_source_free(d->timer);
	loop_source_free(d->soon);
	if (d->mhd)
		MHD_stop_daemon(d->mhd);
	free(d);
}

/* Let libmicrohttpd do what is due, and ask when it wants to be called again. */
static void daemon_turn(struct daemon *d)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;
	int64_t at = 0;

	MHD_run(d->mhd);
	if (d != d->server->daemons && !d->connections) {
		daemon_free(d);
		return;
	}
	bool wanted = MHD_get_timeout(d->mhd, &ms) == MHD_YES;
	if (wanted && ms)
		at = clock_boot() + (int64_t)(ms * NSEC_PER_MSEC);
	else if (wanted)
		loop_soon(d->soon);
	IGNORE(loop_timer_set(d->timer, at));
}

static void on_ready(uint32_t events UNUSED, void *user)
{
	daemon_turn(user);
}

static void on_timer(void *user)
{
	daemon_turn(user);
}

PRINTF(2, 0) static void take_log(void *user, const char *fmt, va_list ap)
{
	struct server *s = user;

	vsnprintf(s->log, sizeof(s->log), fmt, ap);
	for (char *c = s->log; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	log_debug("HTTP server", "message", s->log, NULL);
}

static struct MHD_Daemon *start(struct daemon *d, const struct tls_text *tls)
{
	struct server *s = d->server;
	unsigned flags =
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	/* Later than our own deadlines, by libmicrohttpd's whole seconds: for streams whose reader stands still. */
	unsigned idle = (unsigned)(s->request_timeout / (int64_t)NSEC_PER_SEC) + 2;
	struct MHD_OptionItem options[8] = { { 0 } };
	size_t n = 0;

	if (tls && tls->cert) {
		flags |= MHD_USE_TLS;
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, (char *)tls->cert };
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, (char *)tls->key };
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, (char *)PRIORITIES };
		if (tls->client_ca)
			options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_TRUST, 0,
								(char *)tls->client_ca };
	}
	options[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	/* clang-format off */
	return MHD_start_daemon(flags, 0, NULL, NULL, request_access, s,
				MHD_OPTION_EXTERNAL_LOGGER, take_log, s,
				MHD_OPTION_NOTIFY_CONNECTION, connection_notify, d,
				MHD_OPTION_NOTIFY_COMPLETED, request_completed, s,
				MHD_OPTION_URI_LOG_CALLBACK, request_log_uri, s,
				MHD_OPTION_CONNECTION_LIMIT, s->max_connections + SOCKET_BATCH, /* ours is lower */
				MHD_OPTION_CONNECTION_TIMEOUT, idle,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MEMORY,
				MHD_OPTION_STRICT_FOR_CLIENT, 1,
				MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	/* clang-format on */
}

static err *daemon_start(struct daemon *d, const struct tls_text *tls)
{
	d->mhd = start(d, tls);
	if (!d->mhd)
		return err_new(EIO, "start HTTP server: %s",
			       *d->server->log ? d->server->log : "no reason given");
	const union MHD_DaemonInfo *i = MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	TRY(loop_timer(d->server->loop, 0, on_timer, d, &d->timer));
	TRY(loop_defer(d->server->loop, on_timer, d, &d->soon));
	return loop_io(d->server->loop, i->epoll_fd, EPOLLIN, on_ready, d, &d->io);
}

static err *daemon_new(struct server *s, const struct tls_text *tls)
{
	struct daemon *d = calloc(1, sizeof(*d));

	if (!d)
		return err_oom();
	d->server = s;
	err *e = daemon_start(d, tls);
	if (e) {
		daemon_free(d);
		return e;
	}
	d->next = s->daemons;
	s->daemons = d;
	return NULL;
}

err *server_set_tls(struct server *s, const char *cert, const char *key, const char *client_ca)
{
	const struct tls_text tls = { cert, key, client_ca };
	struct daemon *old = s->daemons;

	TRY(tls_check(&tls));
	TRY(daemon_new(s, &tls));
	if (!old->connections)
		daemon_free(old);
	return NULL;
}

/* ---- new connections ---- */

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	/* One customer has a whole /64 of IPv6; an IPv4 address in IPv6 counts in full. */
	const struct in6_addr *x = &((const struct sockaddr_in6 *)a)->sin6_addr;
	const struct in6_addr *y = &((const struct sockaddr_in6 *)b)->sin6_addr;
	return memcmp(x, y, IN6_IS_ADDR_V4MAPPED(x) ? 16 : 8) == 0;
}

static unsigned from_host(const struct server *s, const struct sockaddr_storage *a)
{
	unsigned n = 0;

	for (const struct connection *c = s->connections; c; c = c->next)
		n += same_host(a, &c->from);
	return n;
}

static const char *why_not(const struct server *s, const struct sockaddr_storage *from)
{
	if (s->connection_count >= s->max_connections)
		return "too many connections";
	if (s->max_per_address && !s->is_unix && from_host(s, from) >= s->max_per_address)
		return "too many connections from this address";
	return NULL;
}

/* TLS: the bytes would be no part of its handshake; there the connection ends without a word. */
static void turn_away(struct server *s, int fd, const char *why)
{
	auto_str struct str out = STR_INIT(32 * 1024);
	const union MHD_DaemonInfo *i = MHD_get_daemon_info(s->daemons->mhd, MHD_DAEMON_INFO_FLAGS);

	if (!(i->flags & MHD_USE_TLS) && refusal_message(s, 503, why, true, &out) &&
	    send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		shutdown(fd, SHUT_WR);
	fd_close(fd);
}

/* A watcher whose machine has gone is found after two minutes. */
static void keep_alive(int fd)
{
	const int on = 1, idle = 60, interval = 15, count = 4;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static bool accept_one(struct server *s)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	int fd = accept4(s->listen_fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		/* Out of descriptors or memory: the socket stays readable, and would keep the loop turning.
		 */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			IGNORE(loop_io_events(s->listener, 0));
			IGNORE(loop_timer_set(s->accept_again, clock_boot() + ACCEPT_PAUSE));
		}
		return errno == ECONNABORTED || errno == EINTR;
	}
	const char *why = why_not(s, &from);
	if (why) {
		turn_away(s, fd, why);
		return true;
	}
	if (!s->is_unix)
		keep_alive(fd);
	MHD_add_connection(s->daemons->mhd, fd, (struct sockaddr *)&from, len);
	return true;
}

static void on_connection(uint32_t events UNUSED, void *user)
{
	for (int i = 0; i < SOCKET_BATCH && accept_one(user); i++)
		;
	daemon_turn(((struct server *)user)->daemons);
}

static void accept_again(void *user)
{
	struct server *s = user;

	IGNORE(loop_io_events(s->listener, EPOLLIN));
}

/* ---- a server's life ---- */

static void take_options(struct server *s, const struct server_options *o)
{
	s->max_connections = o->max_connections ? o->max_connections : MAX_CONNECTIONS;
	s->max_per_address = o->max_per_address;
	s->max_body = o->max_body ? o->max_body : MAX_BODY;
	s->request_timeout = o->request_timeout ? o->request_timeout : (int64_t)(30 * NSEC_PER_SEC);
	s->handler = o->handler;
	s->user = o->user;
	s->refusal = o->refusal;
}

static err *set_up(struct server *s, const struct server_options *o)
{
	const struct tls_text tls = { o->cert, o->key, o->client_ca };

	TRY(server_listen(s, o));
	if (o->cert || o->key)
		TRY(tls_check(&tls));
	TRY(loop_timer(s->loop, 0, server_tick, s, &s->ticker));
	TRY(loop_timer(s->loop, 0, accept_again, s, &s->accept_again));
	s->hangups_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->hangups_fd < 0)
		return err_errno("make an epoll descriptor");
	TRY(loop_io(s->loop, s->hangups_fd, EPOLLIN, server_hangups, s, &s->hangups));
	TRY(daemon_new(s, &tls));
	return loop_io(s->loop, s->listen_fd, EPOLLIN, on_connection, s, &s->listener);
}

err *server_new(struct loop *l, const struct server_options *options, struct server **ret)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return err_oom();
	s->loop = l;
	s->listen_fd = s->hangups_fd = -1;
	take_options(s, options);
	err *e = set_up(s, options);
	if (e) {
		server_free(s);
		return e;
	}
	*ret = s;
	return NULL;
}

/* libmicrohttpd may be stopped only when nothing is suspended and no upgraded socket is open. */
static void end_connections(struct server *s)
{
	for (struct connection *c = s->connections, *next; c; c = next) {
		next = c->next;
		connection_unwatch(c);
		connection_cut(c);
		if (c->request && c->request->websocket)
			websocket_end(c->request->websocket);
		if (c->request)
			request_orphan(c->request);
	}
}

void server_free(struct server *s)
{
	if (!s)
		return;
	s->closing = true;
	loop_source_free(s->listener);
	loop_source_free(s->accept_again);
	server_unlisten(s);
	end_connections(s);
	while (s->daemons)
		daemon_free(s->daemons);
	loop_source_free(s->ticker);
	loop_source_free(s->hangups);
	fd_close(s->hangups_fd);
	free(s);
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}

unsigned server_connections(const struct server *s)
{
	return s->connection_count;
}
