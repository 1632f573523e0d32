/* examples/antrag/keysource.h: bayernid's public keys, mounted as a file or fetched and remembered. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "examples/token.h"

struct keysource;

/* where: a path, or an http:// address of a JSON Web Key Set. A file is read at once; an address when the
 * first token comes, so that services may start in any order. */
err *keysource_new(const char *where, struct keysource **ret) MUST_CHECK;
void keysource_free(struct keysource *k);
DEFINE_CLEANUP(struct keysource *, keysource_free)
#define auto_keysource CLEANUP(keysource_free)

/* Verify a token with keys that are not older than ten minutes; a token with an unknown key makes them be
 * fetched again, at most every five seconds. Errors: EACCES; EHOSTUNREACH or the like when there are no keys.
 */
err *keysource_verify(struct keysource *k, struct arena *arena, const char *token,
		      struct claims *ret) MUST_CHECK;

/* Whether one of the keys made this signature. */
bool keysource_signed(struct keysource *k, const void *bytes, size_t len,
		      const uint8_t signature[static SIGNATURE_SIZE]) MUST_CHECK;
