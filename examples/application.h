/* examples/application.h: an application as antrag keeps it and as others read it. */
#pragma once
#include <stdint.h>
#include "base/arena.h"
#include "base/decode.h"
#include "base/str.h"

#define HISTORY_MAX 200

struct event {
	const char *at; /* RFC 3339 */
	int state;	/* after it */
	int by;		/* role: nobody's name is shown to the other side */
	const char *note;
};
struct application {
	const char *number;
	const char *citizen; /* subject of the token */
	const char *name;    /* of the citizen, as it was shown when they applied */
	const char *kind;
	int state;
	const char *created, *changed; /* RFC 3339 */
	struct string_map fields;
	const char *digest;    /* of the document (see application_document) */
	int64_t signed_at;     /* seconds; 0: not signed */
	const char *signature; /* base64url, or NULL */
	LIST(struct event) history;
};
extern const struct type t_application;
struct applications {
	LIST(struct application) list;
};
extern const struct type t_applications; /* {"applications":[...]}, without fields and history */

/* What is signed: the bytes that GET /applications/{}/document gives. They never change. */
void application_document(const struct application *a, struct str *out);
