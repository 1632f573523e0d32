/* net/server-connection.c: connections: who is there, how long he may take, whether he is still there. */
#include "net/server-internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

/* ---- refusals ---- */

void refusal_text(struct server *s, int status, const char *why, struct str *out, const char **content_type)
{
	*content_type = "text/plain; charset=utf-8";
	if (s->refusal)
		s->refusal(status, why, out, content_type);
	else
		str_addf(out, "%s\n", why);
}

/* A whole answer as bytes; out is empty when there is no memory for it. */
size_t refusal_message(struct server *s, int status, const char *why, bool body, struct str *out)
{
	auto_str struct str text = STR_INIT(16 * 1024);
	const char *type;

	refusal_text(s, status, why, &text, &type);
	str_addf(out,
		 "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
		 status, MHD_get_reason_phrase_for((unsigned)status), type, text.len);
	if (body)
		str_add_bytes(out, text.data, text.len);
	err *e = str_check(out);
	if (e)
		str_clear(out);
	err_free(e);
	return out->len;
}

void connection_refuse(struct connection *c, int status, const char *why, bool body)
{
	auto_str struct str out = STR_INIT(32 * 1024);
	const union MHD_ConnectionInfo *tls =
		MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	if (!refusal_message(c->server, status, why, body, &out))
		return;
	/* It fits into an empty send buffer, or the other side has earned to miss it. */
	if (tls)
		gnutls_record_send(tls->tls_session, out.data, out.len);
	else if (send(c->fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
	/* The reading side stays open for a while: closed with bytes unread, the kernel would take the answer
	 * back. */
	shutdown(c->fd, SHUT_WR);
}

/* ---- deadlines: few timer settings for many connections; an end comes up to a sixteenth late ---- */

static void tick_at(struct server *s, int64_t at)
{
	if (s->next_tick && s->next_tick <= at)
		return;
	s->next_tick = at;
	IGNORE(loop_timer_set(s->ticker, at));
}

void connection_deadline(struct connection *c, enum phase phase, int64_t at)
{
	c->phase = phase;
	c->deadline = at;
	if (at)
		tick_at(c->server, at);
}

void connection_cut(struct connection *c)
{
	c->deadline = 0;
	shutdown(c->fd, SHUT_RDWR);
}

static void expire(struct connection *c)
{
	const struct server_request *r = c->request;

	if (c->phase == PHASE_ARRIVING && r && !r->refused)
		connection_refuse(c, 408, "the request took too long to arrive", !r->head);
	connection_cut(c);
}

void server_tick(void *user)
{
	struct server *s = user;
	int64_t now = clock_boot(), next = 0;

	s->next_tick = 0;
	for (struct connection *c = s->connections; c; c = c->next) {
		if (c->deadline && c->deadline <= now)
			expire(c);
		if (c->deadline && (!next || c->deadline < next))
			next = c->deadline;
	}
	if (next)
		tick_at(s, MAX(next, now + s->request_timeout / 16));
}

/* ---- a client that hangs up while libmicrohttpd does not look ---- */

static void hung_up(struct connection *c)
{
	connection_unwatch(c);
	connection_cut(c);
	if (c->request)
		request_gone(c->request);
}

/* No connection is freed before libmicrohttpd turns again, so that all events of a batch stay good. */
void server_hangups(uint32_t events UNUSED, void *user)
{
	struct server *s = user;
	struct epoll_event ready[256];
	int n = epoll_wait(s->hangups_fd, ready, ARRAY_LEN(ready), 0);

	for (int i = 0; i < n; i++) {
		struct connection *c = ready[i].data.ptr;
		if (c->watched)
			hung_up(c);
	}
}

void connection_watch(struct connection *c)
{
	struct epoll_event e = { .events = EPOLLRDHUP, .data.ptr = c };

	/* Without memory for it the client's end is found when something is sent. */
	if (!c->watched)
		c->watched = epoll_ctl(c->server->hangups_fd, EPOLL_CTL_ADD, c->fd, &e) == 0;
}

void connection_unwatch(struct connection *c)
{
	if (c->watched)
		epoll_ctl(c->server->hangups_fd, EPOLL_CTL_DEL, c->fd, NULL);
	c->watched = false;
}

/* ---- who ---- */

static void write_address(struct connection *c)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&c->from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&c->from;
	char text[INET6_ADDRSTRLEN] = "?";

	if (c->from.ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
		snprintf(c->address, sizeof(c->address), "%s:%u", text, ntohs(v4->sin_port));
	} else if (c->from.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, sizeof(text));
		snprintf(c->address, sizeof(c->address), "%s:%u", text, ntohs(v6->sin6_port));
	} else if (c->from.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
		snprintf(c->address, sizeof(c->address), "[%s]:%u", text, ntohs(v6->sin6_port));
	} else {
		snprintf(c->address, sizeof(c->address), "unix");
	}
	c->peer.address = c->address;
}

static bool unix_peer(struct connection *c)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	c->peer.kind = PEER_UNIX;
	c->peer.uid = cred.uid;
	c->peer.gid = cred.gid;
	c->peer.pid = cred.pid;
	return true;
}

static bool certificate_peer(struct connection *c)
{
	const union MHD_ConnectionInfo *tls =
		MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	if (!tls)
		return true;
	if (!tls_peer(tls->tls_session, &c->names))
		return false;
	if (c->names) {
		c->peer.kind = PEER_CERTIFICATE;
		c->peer.name = c->names->name;
		c->peer.groups = c->names->groups;
	}
	return true;
}

/* Once for each connection, at its first request. */
bool connection_peer(struct connection *c)
{
	if (!c->known)
		c->known = c->server->is_unix ? unix_peer(c) : certificate_peer(c);
	return c->known;
}

/* ---- coming and going ---- */

static void begin(struct daemon *d, struct MHD_Connection *mhd, void **context)
{
	struct connection *c = calloc(1, sizeof(*c));
	struct server *s = d->server;
	const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *tls =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	socklen_t len = sizeof(c->from);

	*context = c;
	d->connections++;
	if (!c) {
		shutdown(fd->connect_fd, SHUT_RDWR);
		return;
	}
	c->server = s;
	c->daemon = d;
	c->mhd = mhd;
	c->fd = fd->connect_fd;
	getpeername(c->fd, (struct sockaddr *)&c->from, &len);
	write_address(c);
	if (tls)
		tls_guard(tls->tls_session);
	c->next = s->connections;
	c->at = &s->connections;
	if (c->next)
		c->next->at = &c->next;
	s->connections = c;
	s->connection_count++;
	connection_deadline(c, PHASE_ARRIVING, clock_boot() + s->request_timeout);
}

static void end(struct connection *c)
{
	connection_unwatch(c);
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	c->server->connection_count--;
	free(c->names);
	free(c);
}

void connection_notify(void *user, struct MHD_Connection *mhd, void **context,
		       enum MHD_ConnectionNotificationCode code)
{
	struct daemon *d = user;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		begin(d, mhd, context);
		return;
	}
	d->connections--;
	if (*context)
		end(*context);
}

struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return i ? i->socket_context : NULL;
}

const struct peer *request_peer(const struct server_request *r)
{
	static const struct peer nobody = { .kind = PEER_ANONYMOUS, .address = "?" };

	return r->connection ? &r->connection->peer : &nobody;
}
