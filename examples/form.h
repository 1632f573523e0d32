/* examples/form.h: what a browser sends for a form, application/x-www-form-urlencoded.
 * Spec: https://url.spec.whatwg.org/#application/x-www-form-urlencoded */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"
#include "base/decode.h"
#include "base/err.h"

#define FORM_FIELDS_MAX 64

/* Pairs of a body, in its order, in the arena. Errors: EINVAL for a broken escape, a NUL, bytes that are no
 * UTF-8 or a name that comes twice; E2BIG for more than FORM_FIELDS_MAX pairs. */
err *form_parse(struct arena *arena, const char *body, size_t len, struct string_map *ret) MUST_CHECK;

/* Whether the bytes are well-formed UTF-8 (RFC 3629: shortest form, no surrogates). */
bool utf8_valid(const char *text, size_t len);
