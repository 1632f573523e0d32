/* examples/base64url.h: base64url without padding, as JSON Web Signatures write bytes.
 * Spec: RFC 4648 section 5, RFC 7515 appendix C. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/macro.h"
#include "base/str.h"

void base64url_add(struct str *out, const void *bytes, size_t len);

/* Append the bytes of `len` characters to `out`. False, with nothing promised about `out`, when a
 * character is foreign, the length is impossible or unused bits are set: each byte string has
 * exactly one text, so that a signed text cannot be rewritten. */
bool base64url_decode(const char *text, size_t len, struct str *out) MUST_CHECK;
