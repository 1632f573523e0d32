/* base/json-internal.h: what the JSON reader and the writer share. */
#pragma once
#include "base/json.h"

/* Length of the valid UTF-8 sequence at `p`, or 0 (RFC 3629: no overlong forms, no surrogates, nothing
 * over U+10FFFF). `left`: bytes that may be read, 1 or more. */
size_t json_utf8_length(const unsigned char *p, size_t left);

/* What yajl lets pass although it can be read in two ways: bytes that are no UTF-8, and escapes of half
 * a surrogate pair. NULL, or the reason with its place in *ret_offset. */
const char *json_check_text(const char *text, size_t len, size_t *ret_offset);
