/* oci/digest.h: content digests as a parsed type, and the streaming hash behind them.
 * Spec: image-spec descriptor.md, "Digests". Library: libcrypto (EVP), seen only in oci/digest.c.
 *
 * A struct digest is made by digest_parse() or by hashing bytes, by nothing else. Names of files and
 * URLs are built from its bytes, never from the text that a registry or a file sent. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/decode.h"
#include "base/err.h"
#include "base/macro.h"

enum digest_algorithm {
	DIGEST_NONE, /* a zeroed digest: absent */
	DIGEST_SHA256,
	DIGEST_SHA512,
};

#define DIGEST_BYTES_MAX 64
#define DIGEST_HEX_MAX   (2 * DIGEST_BYTES_MAX + 1)
#define DIGEST_TEXT_MAX  (7 + DIGEST_HEX_MAX)

struct digest {
	enum digest_algorithm algorithm;
	uint8_t bytes[DIGEST_BYTES_MAX]; /* those after the algorithm's length are zero */
};

/* Parse "sha256:" or "sha512:" and exactly 64 or 128 lower-case hexadecimal digits. Anything else,
 * NULL included, is EINVAL: "digest 'sha256:AB': must have 64 lower-case hexadecimal digits". */
err *digest_parse(const char *text, struct digest *ret) MUST_CHECK;

/* "sha256", "sha512"; "none" for an absent digest. */
const char *digest_algorithm_name(enum digest_algorithm algorithm);
/* Length of the algorithm's result in bytes; 0 for DIGEST_NONE. */
size_t digest_size(enum digest_algorithm algorithm);

/* The forms of a digest that is not absent; all return `buf`.
 *   digest_text       "sha256:0123..."  as documents and registries write it
 *   digest_hex        "0123..."
 *   digest_file_name  "sha256-0123..."  one component of a path
 *   digest_blob_path  "sha256/0123..."  below `blobs/` of an image layout */
const char *digest_text(const struct digest *d, char buf[static DIGEST_TEXT_MAX]);
const char *digest_hex(const struct digest *d, char buf[static DIGEST_HEX_MAX]);
const char *digest_file_name(const struct digest *d, char buf[static DIGEST_TEXT_MAX]);
const char *digest_blob_path(const struct digest *d, char buf[static DIGEST_TEXT_MAX]);

/* The inverse of digest_file_name(), as strict as digest_parse(). */
err *digest_parse_file_name(const char *name, struct digest *ret) MUST_CHECK;

bool digest_is_set(const struct digest *d);
bool digest_equal(const struct digest *a, const struct digest *b);
/* A total order for sorting: algorithm, then bytes. <0, 0, >0. */
int digest_compare(const struct digest *a, const struct digest *b);

/* JSON form for decoding tables: a string; C form struct digest. Absent: DIGEST_NONE, not encoded. */
extern const struct type t_digest;

/* A hash that is fed piece by piece. One object serves any number of streams, one after the other, so
 * the library's algorithm lookup and allocation are paid once. Not for several threads at a time. */
struct hasher;
err *hasher_new(struct hasher **ret) MUST_CHECK;
void hasher_free(struct hasher *h);
DEFINE_CLEANUP(struct hasher *, hasher_free)
#define auto_hasher CLEANUP(hasher_free)

/* Begin a stream; whatever the object did before is forgotten. EINVAL for DIGEST_NONE. */
err *hasher_begin(struct hasher *h, enum digest_algorithm algorithm) MUST_CHECK;

/* Begin a stream that must become `want`. size: the bytes it must have, or -1 where nobody knows.
 * hasher_add() then fails with EFBIG at the first byte too many, before it is hashed. */
err *hasher_expect(struct hasher *h, const struct digest *want, int64_t size) MUST_CHECK;

err *hasher_add(struct hasher *h, const void *bytes, size_t len) MUST_CHECK;
uint64_t hasher_count(const struct hasher *h); /* bytes so far */

/* End the stream. After hasher_expect() a difference is EBADMSG ("expected sha256:..., got
 * sha256:...") and too few bytes are EPIPE ("ended after 10 of 20 bytes"). ret may be NULL. */
err *hasher_end(struct hasher *h, struct digest *ret) MUST_CHECK;

/* The digest of bytes in memory. */
err *digest_of(enum digest_algorithm algorithm, const void *bytes, size_t len, struct digest *ret)
	MUST_CHECK;

/* Whether bytes in memory are what `want` names; EBADMSG as hasher_end(). */
err *digest_check(const struct digest *want, const void *bytes, size_t len) MUST_CHECK;
