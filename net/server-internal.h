/* net/server-internal.h: what the files of the server share: connections, requests, daemons, their ends. */
#pragma once
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <sys/socket.h>

#include "base/str.h"
#include "net/server.h"

#define QUERY_MAX	64 /* names and values in a query */
#define PEER_NAME_MAX	253
#define PEER_GROUPS_MAX 16
#define SOCKET_BATCH	64 /* connections accepted in one turn */
#define HEAD_MEMORY	(16u * 1024)

/* One libmicrohttpd daemon: with new certificates a new one begins, the old one goes on until its last
 * connection ends. */
struct daemon {
	struct server *server;
	struct daemon *next;
	struct MHD_Daemon *mhd;
	struct loop_source *io, *timer, *soon;
	unsigned connections;
};

enum phase {
	PHASE_ARRIVING, /* nothing, or a request in part */
	PHASE_WORKING,	/* whole, with the handler; a stream or a WebSocket */
	PHASE_SENDING,	/* a whole answer on its way */
};

struct peer_names {
	char name[PEER_NAME_MAX + 1];
	char group[PEER_GROUPS_MAX][PEER_NAME_MAX + 1];
	const char *groups[PEER_GROUPS_MAX + 1];
};

struct connection {
	struct server *server;
	struct daemon *daemon;
	struct connection *next, **at;
	struct MHD_Connection *mhd;
	int fd;
	enum phase phase;
	int64_t deadline; /* clock_boot(); 0: none */
	bool watched;	  /* for its client's end */
	struct server_request *request;
	struct sockaddr_storage from;
	bool known; /* peer is filled */
	struct peer peer;
	char address[64];
	struct peer_names *names; /* of a certificate */
};

struct query {
	const char *name, *value;
};

struct server_request {
	struct connection *connection; /* NULL: it has gone, and the handler has not yet answered */
	struct loop *loop;
	bool started; /* head is whole */
	bool handed;  /* to the handler */
	bool answered;
	bool suspended;
	bool gone;	 /* the client hung up */
	bool refused;	 /* answered without the handler; what still arrives is dropped */
	const char *bad; /* why the target is refused, or NULL */
	bool head;	 /* method HEAD */
	char method[24];
	char *target; /* decoded in place: path and queries point into it */
	const char *path;
	struct query *queries;
	size_t query_count;
	struct str body;
	uint64_t dropped;
	int64_t begun;
	struct MHD_Response *response; /* NULL with `answered`: the connection ends */
	int status;
	size_t size; /* of a whole answer */
	loop_fn *on_gone;
	void *on_gone_user;
	struct stream *stream;
	struct websocket *websocket;
};

struct server {
	struct loop *loop;
	int listen_fd;
	bool is_unix, closing;
	char *path; /* of our Unix socket, and what it is */
	dev_t dev;
	ino_t ino;
	uint16_t port;
	struct loop_source *listener, *accept_again, *ticker;
	/* Sockets watched for their client's end, in an epoll of their own: sd-event would call the kernel,
	 * and be told all that are ready, for each one of a thousand that end at once. */
	int hangups_fd;
	struct loop_source *hangups;
	int64_t next_tick;
	struct daemon *daemons; /* the first takes new connections */
	struct connection *connections;
	unsigned connection_count;
	size_t body_bytes; /* of all requests that are there */
	char log[256];	   /* libmicrohttpd's last complaint */
	unsigned max_connections, max_per_address;
	size_t max_body;
	int64_t request_timeout;
	server_handler *handler;
	void *user;
	void (*refusal)(int status, const char *why, struct str *out, const char **content_type);
};

/* net/server-listen.c */
err *server_listen(struct server *s, const struct server_options *o) MUST_CHECK;
void server_unlisten(struct server *s);

/* net/server-tls.c */
struct tls_text {
	const char *cert, *key, *client_ca;
};
err *tls_check(const struct tls_text *t) MUST_CHECK;
void tls_guard(gnutls_session_t session);
/* The verified certificate's names, yours to free; NULL: none was sent. False: it is not to be believed. */
bool tls_peer(gnutls_session_t session, struct peer_names **ret);
/* As recv(2) and send(2) that do not wait. again: zeroed at first, then kept for the session. */
ssize_t tls_receive(gnutls_session_t session, char *room, size_t len);
ssize_t tls_send(gnutls_session_t session, const char *bytes, size_t len, bool *again);

/* net/server-connection.c */
void connection_notify(void *user, struct MHD_Connection *mhd, void **context,
		       enum MHD_ConnectionNotificationCode code);
struct connection *connection_of(struct MHD_Connection *mhd);
bool connection_peer(struct connection *c);
void connection_deadline(struct connection *c, enum phase phase, int64_t at);
void connection_watch(struct connection *c);
void connection_unwatch(struct connection *c);
void connection_cut(struct connection *c);
/* A refusal in plain bytes, past libmicrohttpd, which can answer only between head and body. */
void connection_refuse(struct connection *c, int status, const char *why, bool body);
void refusal_text(struct server *s, int status, const char *why, struct str *out, const char **content_type);
size_t refusal_message(struct server *s, int status, const char *why, bool body, struct str *out);
void server_tick(void *user);
void server_hangups(uint32_t events, void *user);

/* net/server-request.c */
void *request_log_uri(void *user, const char *target, struct MHD_Connection *mhd);
enum MHD_Result request_access(void *user, struct MHD_Connection *mhd, const char *url, const char *method,
			       const char *version, const char *bytes, size_t *len, void **context);
void request_completed(void *user, struct MHD_Connection *mhd, void **context,
		       enum MHD_RequestTerminationCode code);
void request_gone(struct server_request *r);
/* Give the answer: response is taken; NULL ends the connection. size: of the body, when it is whole. */
void request_finish(struct server_request *r, int status, struct MHD_Response *response, size_t size);
void request_resume(struct server_request *r);
void request_orphan(struct server_request *r);

/* net/server-target.c */
const char *target_parse(struct server_request *r, const char *target);

/* net/server-stream.c */
void stream_gone(struct stream *s);   /* the other side has gone: ends as soon as it can */
void stream_closed(struct stream *s); /* its request has ended */

/* net/server-upgrade.c */
bool upgrade_check(struct server_request *r, const char *const *subprotocols, const char **ret_chosen);

/* net/server-websocket.c */
void websocket_end(struct websocket *w); /* now */
