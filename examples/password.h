/* examples/password.h: passwords kept as scrypt hashes: "scrypt:16384:8:1:SALT:HASH", base64url.
 * Spec: RFC 7914. */
#pragma once
#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"

#define PASSWORD_MAX 256 /* bytes; longer ones are wrong without being hashed */

/* Append the hash of `password` with a new salt; 16 MiB and some tens of milliseconds. */
err *password_hash(const char *password, struct str *out) MUST_CHECK;

/* Whether `password` has this hash, in a time that depends on neither. hash NULL: does the work for a user
 * who does not exist, says false. Errors: EINVAL for a text that is no hash, or asks for too much work. */
err *password_verify(const char *password, const char *hash, bool *ret) MUST_CHECK;
