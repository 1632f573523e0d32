/* examples/httpd.h: a bounded HTTP/1.1 server: routes in a table, one handler a route.
 * Library: libmicrohttpd, seen only in examples/httpd.c.
 *
 * Bounds: size of headers and body, connections in all and per address, seconds of silence, seconds of a
 * whole body, requests per address. On SIGTERM or SIGINT it takes no new connection, answers what it has
 * begun and returns. Handlers run on several threads at once. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

#define HTTP_PARTS_MAX 2

struct http_request {
	struct arena *arena; /* of this request */
	const char *method;  /* "GET" also for HEAD */
	const char *path;
	const char *part[HTTP_PARTS_MAX]; /* what stood for each {} of the route */
	const char *body;		  /* ends with a NUL that does not count */
	size_t body_len;
	const char *peer;		   /* address as text */
	void *service;			   /* from the server's declaration */
	struct MHD_Connection *connection; /* for the functions below */
};

/* NULL when absent. Header names in any case. Borrowed from the request. */
const char *http_header(const struct http_request *r, const char *name);
const char *http_query(const struct http_request *r, const char *name);
const char *http_bearer(const struct http_request *r); /* token of an Authorization header */
const char *http_cookie(const struct http_request *r, const char *name);

struct http_response {
	unsigned status;  /* 200 unless set */
	const char *type; /* Content-Type; "application/json" unless set */
	struct str body;
	struct strv headers; /* "Name: value" */
};

/* An error as JSON: {"error":{"code":"not_found","message":"..."}}. Returns NULL, to end a handler with. */
err *http_fail(struct http_response *out, unsigned status, const char *code, const char *fmt, ...)
	PRINTF(4, 5) MUST_CHECK;

/* What a handler returns is logged and answered with 500 (503 for EHOSTUNREACH, ETIMEDOUT) and no details. */
typedef err *http_handler(const struct http_request *r, struct http_response *out);

struct http_route {
	const char *method;  /* "GET" answers HEAD too */
	const char *pattern; /* "/applications/{}/state" */
	http_handler *handler;
};

struct http_server {
	const char *name;		 /* of the service, in the log */
	const struct http_route *routes; /* ends with {0} */
	const char *const *headers;	 /* added to every response; ends with NULL; may be NULL */
	/* May replace what a client sees for an error (404 of an unknown path, 500, 413 ...): a page. */
	void (*error_page)(const struct http_request *r, struct http_response *out);
	void *service;
	const char *listen; /* "127.0.0.1:8080", "[::1]:8080"; port 0: any, see the log */
	size_t body_max;    /* bytes */
	unsigned threads;
	unsigned requests_per_second; /* of one address; bursts of four seconds; 0: no bound */
};

/* Serve until a signal ends it. Blocks SIGTERM, SIGINT and SIGPIPE in the calling process. Logs
 * "listening" with the address, so that a starter can wait for it. Errors: what bind(2) says. */
err *http_serve(const struct http_server *server) MUST_CHECK;
