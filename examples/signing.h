/* examples/signing.h: Ed25519 keys, signatures and their public form as a JSON Web Key Set.
 * Spec: RFC 8032 (Ed25519), RFC 8037 (its JSON Web Key), RFC 7638 (key id as thumbprint). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define PUBLIC_SIZE    32
#define SIGNATURE_SIZE 64
#define KEY_ID_SIZE    44 /* base64url of a SHA-256, with the NUL */
#define DIGEST_SIZE    72 /* "sha256:", 64 hex digits, NUL */

struct public_key {
	uint8_t bytes[PUBLIC_SIZE];
	char id[KEY_ID_SIZE];
};
#define KEYRING_MAX 8
struct keyring {
	struct public_key keys[KEYRING_MAX];
	size_t count;
};

struct signing_key;

/* Open the private key `name` (PEM, PKCS#8) in `dir_fd`; a missing one is made first, mode 0600, if `create`.
 * *ret_created tells so. Errors: EPERM when group or others may read it; EINVAL when it is no Ed25519 key. */
err *signing_key_open(int dir_fd, const char *name, bool create, bool *ret_created,
		      struct signing_key **ret) MUST_CHECK;
void signing_key_free(struct signing_key *key);
DEFINE_CLEANUP(struct signing_key *, signing_key_free)
#define auto_signing_key CLEANUP(signing_key_free)

/* Borrowed from the key. */
const struct public_key *signing_key_public(const struct signing_key *key);

err *signing_sign(const struct signing_key *key, const void *bytes, size_t len,
		  uint8_t signature[static SIGNATURE_SIZE]) MUST_CHECK;

/* Whether `signature` is this key's for these bytes. */
bool signing_verify(const struct public_key *key, const void *bytes, size_t len,
		    const uint8_t signature[static SIGNATURE_SIZE]) MUST_CHECK;

/* {"keys":[...]}; and back, where keys of another kind are passed over and the id is computed, not
 * believed. Errors: EINVAL when nothing usable is in it. */
void keyring_encode(const struct keyring *ring, struct str *out);
err *keyring_parse(const char *text, size_t len, struct keyring *ret) MUST_CHECK;
const struct public_key *keyring_find(const struct keyring *ring, const char *id);

/* "sha256:..." of some bytes. */
err *digest_text(const void *bytes, size_t len, char out[static DIGEST_SIZE]) MUST_CHECK;
/* Whether `text` has that form: then any other program's digest of the same bytes has the same text. */
bool digest_is_valid(const char *text);

/* What a person signs when they sign a document. Not the digest alone: the first line makes it impossible
 * that a signed statement is also a token (which begins with base64url characters), or the reverse. */
void statement_text(const char *digest, const char *subject, int64_t signed_at, struct str *out);
