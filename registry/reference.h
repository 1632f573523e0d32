/* registry/reference.h: names of images, as users and manifests write them.
 *
 *	[HOST[:PORT]/]PATH[:TAG][@DIGEST]      registry.example.org:5000/amt/portal:1.2@sha256:...
 *
 * Grammar: distribution-spec "Pulling manifests" for path and tag. The part before the first slash is a
 * host when it has a dot or a colon, is `localhost`, or an IPv6 address in brackets: docker's rule, but
 * for upper-case letters, which make a host there and an error here. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"
#include "oci/digest.h"

#define REFERENCE_HOST_MAX       255
#define REFERENCE_REPOSITORY_MAX 255
#define REFERENCE_TAG_MAX        128
#define REFERENCE_TEXT_MAX       1024 /* longest canonical text, with NUL */

/* A plain value that owns nothing: copy it freely. */
struct reference {
	char host[REFERENCE_HOST_MAX + 1];             /* with port when there is one; lower case */
	char repository[REFERENCE_REPOSITORY_MAX + 1]; /* "amt/portal" */
	char tag[REFERENCE_TAG_MAX + 1];               /* "" when the name has a digest only */
	bool has_digest;
	struct digest digest;                      /* what counts when both are there */
};

/* Parse a name. A name without tag and digest gets the tag `latest`.
 *   default_host  host of short names ("portal:1.2"), or NULL: they are refused, because a short name
 *                 means something else on every machine. docker.io adds `library/` to a single part.
 * Errors: EINVAL with the part that is wrong. */
err *reference_parse(const char *text, const char *default_host, struct reference *ret) MUST_CHECK;

/* The canonical text: parses to the same value again. */
const char *reference_text(const struct reference *ref, char buf[static REFERENCE_TEXT_MAX]);

/* What the registry is asked for: the digest when there is one, else the tag. */
const char *reference_object(const struct reference *ref, char buf[static DIGEST_TEXT_MAX]);

/* HOST[:PORT] to connect to: docker.io is served by registry-1.docker.io. */
const char *reference_server(const struct reference *ref);

/* Single parts, for options and server answers; each a whole string. */
bool reference_is_host(const char *text);
bool reference_is_repository(const char *text);
bool reference_is_tag(const char *text);
