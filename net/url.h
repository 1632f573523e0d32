/* net/url.h: absolute http and https URLs, the origin they belong to, and what may be shown of them.
 * Spec: RFC 3986, RFC 6454 (origin). Parsed by libcurl, so that what is checked here is what is
 * connected to later. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"

/* Scheme, host and port: what credentials are bound to. A value; compare with origin_equal(). */
struct origin {
	bool tls;       /* https */
	uint16_t port;  /* always set; the scheme's default when the URL had none */
	char host[256]; /* lower case; an IPv6 address without brackets */
};

struct url {
	char *text; /* normalised: no user information, no fragment */
	struct origin origin;
};

#define URL_MAX 8192 /* bytes of text that are accepted */

/* Parse an absolute URL. Errors: EINVAL for anything but http and https, for user information
 * ("https://name:password@host"), control characters, a missing host; EFBIG over URL_MAX. */
err *url_parse(const char *text, struct url *ret) MUST_CHECK;

/* Resolve a reference (absolute, or relative as in a Location or Link header) against `base`. */
err *url_resolve(const struct url *base, const char *reference, struct url *ret) MUST_CHECK;

void url_done(struct url *u);
DEFINE_CLEANUP_OF(struct url, url_done)
#define auto_url CLEANUP(url_done)

bool origin_equal(const struct origin *a, const struct origin *b);

/* "https://host:port", port left out where it is the scheme's own. */
#define ORIGIN_TEXT_MAX 280
const char *origin_text(const struct origin *o, char buf[static ORIGIN_TEXT_MAX]);

/* "host" or "host:port": how certs.d and auth files name it. */
const char *origin_authority(const struct origin *o, char buf[static ORIGIN_TEXT_MAX]);

/* Append the URL as messages show it: the query's values replaced by "..." because they may be
 * signatures or tokens, and text that is no URL shortened. */
void url_public(const char *url, struct str *out);
