/* examples/fetch.h: one HTTP request to another service, bounded in size and time.
 * Library: libcurl, seen only in examples/fetch.c. No redirect is followed, no proxy is asked. */
#pragma once
#include <stddef.h>
#include "base/err.h"
#include "base/str.h"

struct fetch {
	const char *method; /* "GET" or "POST" */
	const char *base;   /* "http://127.0.0.1:8081"; several, divided by commas: the first that can be reached */
	const char *path;   /* from its slash on; the caller has escaped it (fetch_escape) */
	const char *bearer; /* token, or NULL */
	const char *body;   /* JSON, or NULL */
	size_t body_len;
	size_t max;	     /* of the answer */
	unsigned timeout_ms; /* of everything; 0: five seconds */
};

/* Once, before the first thread. */
err *fetch_setup(void) MUST_CHECK;

/* Append the answer's body to `out`. Any status is a success; errors are EHOSTUNREACH, ETIMEDOUT, EFBIG. */
err *fetch(const struct fetch *f, unsigned *ret_status, struct str *out) MUST_CHECK;

/* Append `text` percent-encoded, as a component of a path or query. */
void fetch_escape(struct str *out, const char *text);
