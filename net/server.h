/* net/server.h: an HTTP server in a loop's thread: TLS with client certificates, Unix sockets with peer credentials,
 * answers that come later, streams and WebSockets. Library: libmicrohttpd with GnuTLS, seen only in net/server*.c.
 *
 * Bounded whatever comes in: connections (also for each address), bytes of a request's head and body, time for
 * them to arrive, bytes that wait for a slow reader. All callbacks run in the loop's thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/macro.h"
#include "net/loop.h"

struct server;
struct server_request;

enum peer_kind { PEER_ANONYMOUS, PEER_UNIX, PEER_CERTIFICATE };
struct peer {
	enum peer_kind kind;
	uid_t uid;                  /* PEER_UNIX */
	gid_t gid;
	pid_t pid;
	const char *name;           /* PEER_CERTIFICATE: common name, verified against client_ca */
	const char *const *groups;  /* its organisations; ends with NULL */
	const char *address;        /* of the other side, for logs; "unix" */
};

/* Called once a request is whole. Exactly one of the answers below must follow, now or later, also when the client or
 * the server has gone meanwhile. */
typedef void server_handler(struct server_request *r, void *user);

struct server_options {
	const char *address;        /* "127.0.0.1:6443", "[::]:6443", "unix:/run/stube/x.sock"; a stale socket is replaced */
	mode_t socket_mode;         /* of a Unix socket; 0: 0660 */
	int listen_fd;              /* instead of address, when that is NULL: taken */
	const char *cert, *key;     /* PEM text: TLS 1.2 and later; NULL: plain */
	/* PEM: certificates of clients are asked for and verified; one without is PEER_ANONYMOUS. A wrong one (not signed
	 * by it, not for clients, not in force, without one common name, with a name that is no text) ends the handshake. */
	const char *client_ca;
	unsigned max_connections;   /* 0: 1024 */
	unsigned max_per_address;   /* 0: no limit; never for Unix sockets */
	size_t max_body;            /* bytes; over it 413; 0: 1 MiB */
	int64_t request_timeout;    /* ns for a request to arrive whole and for an idle connection; 0: 30 s */
	server_handler *handler;
	void *user;
	/* A refusal before the handler is called (400, 408, 413, 503): its body, in the API's form. NULL: one line of
	 * text. What libmicrohttpd refuses itself (400 not HTTP, 414, 431) has its own few words. */
	void (*refusal)(int status, const char *why, struct str *out, const char **content_type);
};
struct str;

err *server_new(struct loop *l, const struct server_options *options, struct server **ret) MUST_CHECK;
/* Ends all connections; no callback comes after, but each stream's and socket's `closed`. Not from inside a callback of
 * the server. */
void server_free(struct server *s);
DEFINE_CLEANUP(struct server *, server_free)
/* New certificates for new connections (renewed on disk). */
err *server_set_tls(struct server *s, const char *cert, const char *key, const char *client_ca) MUST_CHECK;
uint16_t server_port(const struct server *s); /* chosen by the kernel when the address said 0 */
unsigned server_connections(const struct server *s);

/* ---- a request; valid until its answer ---- */
const char *request_method(const struct server_request *r);             /* "GET" for a HEAD, too */
const char *request_path(const struct server_request *r);               /* decoded, without the query */
const char *request_query(const struct server_request *r, const char *name); /* decoded; NULL: absent; "": no value */
/* All values of a repeated name, in order: ret[] of at most max; returns how many there are. */
size_t request_query_all(const struct server_request *r, const char *name, const char **ret, size_t max);
const char *request_header(const struct server_request *r, const char *name);
const char *request_body(const struct server_request *r, size_t *ret_len); /* NUL-terminated */
const struct peer *request_peer(const struct server_request *r);
int64_t request_begun(const struct server_request *r); /* clock_boot() when its head had arrived */
/* The client hung up before the answer: fn is called once; an answer is then dropped, and must still be given. */
void request_on_gone(struct server_request *r, loop_fn *fn, void *user);

/* ---- answers ---- */

/* Bytes shared between many answers, such as one event for a thousand watchers. */
struct blob {
	unsigned refs;
	size_t len;
	char bytes[];
};
struct blob *blob_new(const void *bytes, size_t len); /* one reference; aborts without memory */
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b);

/* A whole answer; body is copied. headers: "Name: value" lines, ends with NULL; may be NULL. */
void request_answer(struct server_request *r, int status, const char *content_type, const void *body, size_t len,
		    const char *const *headers);
void request_answer_blob(struct server_request *r, int status, const char *content_type, struct blob *body); /* taken */

/* An answer that goes on. `closed` is called once, when the other side has gone, read too slowly, or after
 * stream_end(); the stream is gone afterwards. */
struct stream;
struct stream *request_stream(struct server_request *r, int status, const char *content_type, size_t max_queued,
			      loop_fn *closed, void *user);
/* False: the reader is too slow, its queue would be over max_queued: the stream is being ended. One blob that alone is
 * larger goes into an empty queue. */
bool stream_send(struct stream *s, struct blob *b); /* a reference of its own is taken */
size_t stream_queued(const struct stream *s);
/* Called when the queue has run empty; may be NULL. For producers that can wait. It may send. */
void stream_on_drained(struct stream *s, loop_fn *fn, void *user);
void stream_end(struct stream *s);

/* A WebSocket (RFC 6455), of the first of our subprotocols that the client offers; NULL: it was answered with 400 or 426.
 * Messages of at most 1 MiB; pings are answered here. */
struct websocket;
typedef void websocket_fn(const void *bytes, size_t len, bool binary, void *user);
struct websocket *request_websocket(struct server_request *r, const char *const *subprotocols, websocket_fn *message,
				    loop_fn *closed, void *user);
const char *websocket_subprotocol(const struct websocket *w);
/* One binary message of up to three pieces (a channel's byte and its data). Queued; false: too slow, being ended. */
bool websocket_send(struct websocket *w, const void *head, size_t head_len, const void *bytes, size_t len);
size_t websocket_queued(const struct websocket *w);
void websocket_on_drained(struct websocket *w, loop_fn *fn, void *user);
/* Read no more from the other side for now, or again. */
void websocket_pause(struct websocket *w, bool pause);
void websocket_close(struct websocket *w, unsigned code, const char *reason);
