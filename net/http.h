/* net/http.h: a blocking HTTP client for many threads, with its own redirects and one gate for URLs.
 * Spec: RFC 9110. Library: libcurl, seen only in net/.
 *
 * One request runs in the calling thread on a handle from a pool; connections stay open in the pool,
 * names and TLS sessions are shared. Nothing follows a redirect but http_perform(), and every URL
 * passes the gate:
 *
 * - https never leads to http;
 * - a request's `authorization` goes to the origin (scheme, host, port) of the URL it was given for,
 *   and to no other, not even when a chain of redirects comes back to it;
 * - a URL that the user did not write may lead to a private, loopback or link-local address only when
 *   the origin that he named has one itself; checked on the address that is really connected to.
 *
 * Proxies: https_proxy, HTTPS_PROXY, http_proxy, all_proxy, ALL_PROXY, no_proxy, NO_PROXY as curl(1)
 * reads them. Behind a proxy only literal addresses can be checked. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"
#include "net/address.h"
#include "net/url.h"

struct http_client;
struct http_response;

struct http_options {
	const char *user_agent;         /* required; borrowed for the call */
	const char *const *certs_dirs;  /* directories that hold HOST[:PORT]/{*.crt,*.cert,*.key} as
	                                   containers-certs.d(5); ends with NULL; NULL: the usual three */
	const char *const *unverified;  /* HOST[:PORT] whose certificate is not checked; ends with NULL */
	int64_t connect_timeout;        /* nanoseconds; 0: 20 s */
	int64_t stall_timeout;          /* no byte moved for so long ends a request; 0: 30 s */
	/* For servers of our own cluster (api/client.h): certs_dirs and proxies are not used and a redirect is an error,
	   so that nobody but whom a URL names is shown who we are. Set by each of the four below, too. */
	bool own;
	const char *ca;                 /* PEM text, borrowed for the client's life: trust this authority only */
	const char *cert, *key;         /* PEM text, the same: who we are; both or none */
	const char *unix_socket;        /* connect here, whatever the URL's host */
};

err *http_client_new(const struct http_options *options, struct http_client **ret) MUST_CHECK;
/* No request may be running. */
void http_client_free(struct http_client *c);
DEFINE_CLEANUP(struct http_client *, http_client_free)
#define auto_http_client CLEANUP(http_client_free)

/* Called once, before the first byte of a successful (2xx) answer's body and also when there is none.
 * An error ends the request and is what http_perform() returns. */
typedef err *http_begin_fn(const struct http_response *response, void *user);
/* Called for each piece of a successful answer's body; same rule. */
typedef err *http_sink_fn(const void *bytes, size_t len, void *user);
/* Called as a request's body goes out: bytes sent so far of this attempt. */
typedef void http_sent_fn(uint64_t sent, void *user);

/* A request's body: bytes in memory, or a range of a file (read by pread(2), the offset of the
 * descriptor is not used), so that it can be sent again. Both unset: no body. */
struct http_body {
	const void *bytes;
	int fd;          /* used when `bytes` is NULL and `length` is not 0; borrowed */
	uint64_t offset; /* in fd */
	uint64_t length;
};

#define HTTP_REDIRECTS_MAX 10

struct http_request {
	const char *method;            /* GET, HEAD, POST, PUT, PATCH, DELETE */
	const char *url;
	const char *const *headers;    /* "Name: value" without secrets; ends with NULL; may be NULL */
	const char *authorization;     /* the header's value, or NULL; see above */
	const struct origin *named;    /* the origin that the user wrote, when `url` came from a server
	                                  (realm, Location, Link); NULL: `url` is what he wrote */
	enum reach named_reach;        /* of `named`, from an earlier response's peer */
	struct http_body body;
	uint64_t max_body;             /* ceiling of the answer's body; over it EFBIG */
	http_begin_fn *begin;          /* may be NULL */
	http_sink_fn *sink;            /* may be NULL: the body is dropped */
	http_sent_fn *sent;            /* may be NULL */
	void *user;
	int64_t stall_timeout;         /* instead of the client's: then any byte counts; -1: none; 0: the client's */
	int64_t deadline;              /* clock_monotonic() at which it ends with ETIMEDOUT; 0: none */
	const atomic_bool *cancel;     /* becomes true: ends with ECANCELED within a second; may be NULL */
};

struct http_header {
	char *name;  /* lower case */
	char *value; /* without space around it, no control characters */
};

#define HTTP_HEADERS_MAX     128
#define HTTP_HEADER_BYTES    (64 * 1024)
#define HTTP_ERROR_BODY_MAX  (16 * 1024)

struct http_response {
	int status;
	struct url url;       /* what answered in the end */
	bool redirected;      /* another URL than the request's answered */
	enum reach peer;      /* of the first hop's address; REACH_UNKNOWN behind a proxy */
	bool authorized;      /* the last hop was sent `authorization` */
	struct http_header *headers; /* of the last hop */
	size_t header_count;
	struct str error_body; /* begin of the body of an answer that is not 2xx */
};

/* Run a request to its end, redirects included. An answer of any status is success here; then
 * response->status tells. Nothing has to be freed after a failure.
 * Errors: ECONNREFUSED, ECONNRESET (cut or broken in the middle), ETIMEDOUT (connect, stall, deadline),
 * EHOSTUNREACH (name, route), EPROTO (not HTTP, TLS failure), EKEYREJECTED (certificate), EPERM (the
 * gate), ELOOP (redirects), EFBIG (ceilings), EINVAL (URL), ECANCELED, and what begin or sink gave.
 * Text: "GET 'https://host/path': what happened". */
err *http_perform(struct http_client *c, const struct http_request *request,
		  struct http_response *ret) MUST_CHECK;

/* Whether the failure may pass by itself: a try later makes sense. */
bool http_error_is_transient(const err *e);

/* Value of the first header of that name (lower case), or NULL. Borrowed. */
const char *http_header(const struct http_response *r, const char *name);

/* All values of that name, joined by ", ", appended to `out`. */
void http_header_all(const struct http_response *r, const char *name, struct str *out);

void http_response_done(struct http_response *r);
DEFINE_CLEANUP_OF(struct http_response, http_response_done)
#define auto_http_response CLEANUP(http_response_done)
#define HTTP_RESPONSE_INIT { .error_body = STR_INIT(HTTP_ERROR_BODY_MAX) }

/* The sink that collects into a `struct str` (user), whose ceiling bounds it. */
err *http_sink_str(const void *bytes, size_t len, void *user) MUST_CHECK;
