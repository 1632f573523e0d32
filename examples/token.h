/* examples/token.h: who somebody is, signed by bayernid: a compact JSON Web Signature with EdDSA.
 * Spec: RFC 7515 (JWS), RFC 7519 (claims), RFC 8037 (EdDSA), RFC 8725 (what went wrong elsewhere).
 *
 * Nothing in a token chooses how it is verified: the algorithm is EdDSA or the token is refused, and the
 * key comes from the verifier's own ring. The signature is checked before the claims are parsed. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/decode.h"
#include "base/err.h"
#include "base/str.h"
#include "examples/signing.h"

#define TOKEN_MAX      4096 /* characters */
#define TOKEN_ISSUER   "bayernid"
#define TOKEN_AUDIENCE "verwaltung"
#define TOKEN_LEEWAY   30 /* seconds by which two clocks may differ */

enum role { ROLE_CITIZEN, ROLE_CLERK };
/* Level of assurance of an identity: Regulation (EU) 910/2014, article 8. */
enum loa { LOA_LOW, LOA_SUBSTANTIAL, LOA_HIGH };
extern const struct enum_name role_names[]; /* "citizen", "clerk" */
extern const struct enum_name loa_names[];  /* "low", "substantial", "high" */
extern const struct type t_role, t_loa;

struct claims {
	const char *issuer, *audience;
	const char *subject; /* stands for the person everywhere: says nothing about them */
	const char *name;    /* as it is shown */
	int role, loa;
	int64_t issued, expires; /* seconds since the epoch */
	int64_t authenticated;	 /* when the password was shown; renewing does not move it */
	const char *id;		 /* of this token, random */
};
extern const struct type t_claims;

/* Append the token. */
err *token_sign(const struct signing_key *key, const struct claims *claims, struct str *out) MUST_CHECK;

/* Verify `token` against `ring` at the time `now` (seconds); claims live in the arena.
 * Errors: EACCES whatever is wrong with the token, and ENOKEY when only its key is unknown, so that the
 * caller may fetch the ring again. */
err *token_verify(struct arena *arena, const struct keyring *ring, int64_t now, const char *token,
		  struct claims *ret) MUST_CHECK;
