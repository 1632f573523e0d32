/* base/base64.h: base64 as RFC 4648 section 4, for credentials. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/macro.h"
#include "base/str.h"

void base64_encode(const void *bytes, size_t len, struct str *out);

/* Append the bytes; false for characters outside the alphabet, wrong padding or bits that are not zero.
 * Padding may be missing, as some tools write it. */
bool base64_decode(const char *text, struct str *out) MUST_CHECK;
