/* registry/client.h: manifests, blobs and tags of registries, every byte checked.
 * Spec: OCI distribution-spec 1.1; docker-registry 2.8 as it is.
 *
 * One `struct registry` serves all registries and many threads at once: it holds connections, tokens
 * and credentials. Each call retries what may pass by itself (429 with Retry-After, 5xx, cut or
 * stalled connections) with back-off and jitter, within a bounded number of tries and total time.
 * Plain http is used for loopback hosts that do not speak TLS and for hosts of `insecure`, never
 * else. Errors name the digest or tag, method and URL, status, and the registry's own text. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"
#include "base/strv.h"
#include "oci/digest.h"
#include "registry/reference.h"

struct registry;

/* One line for the user while he waits: "retrying in 3 s (2 of 5): ...". From any thread. */
typedef void registry_notice_fn(const char *text, void *user);

struct registry_options {
	const char *auth_file;         /* NULL: the search of registry/auth.h */
	const char *username;          /* with password: used instead of files; else NULL */
	const char *password;
	const char *const *insecure;   /* HOST[:PORT]: plain http allowed, certificate not checked; ends
	                                  with NULL; "*" is every host; may be NULL */
	const char *const *certs_dirs; /* see net/http.h; NULL: the usual ones */
	unsigned tries;                /* of one step; 0: 5 */
	int64_t stall_timeout;         /* nanoseconds without any byte that end a request; 0: 30 s */
	int64_t time_limit;            /* nanoseconds of one call without any progress; 0: 3 minutes */
	const atomic_bool *cancel;     /* becomes true: calls end with ECANCELED; may be NULL */
	registry_notice_fn *notice;    /* may be NULL */
	void *notice_user;
};

/* Everything in `options` is copied except cancel and notice_user (borrowed). */
err *registry_new(const struct registry_options *options, struct registry **ret) MUST_CHECK;
void registry_free(struct registry *r);
DEFINE_CLEANUP(struct registry *, registry_free)
#define auto_registry CLEANUP(registry_free)

/* ---- manifests ---- */

#define REGISTRY_MANIFEST_MAX (4u << 20)

struct registry_manifest {
	struct str text;          /* the bytes as they came; they have `digest` */
	char *media_type;         /* Content-Type without parameters */
	struct digest digest;
};
#define REGISTRY_MANIFEST_INIT { .text = STR_INIT(REGISTRY_MANIFEST_MAX) }
void registry_manifest_done(struct registry_manifest *m);
DEFINE_CLEANUP_OF(struct registry_manifest, registry_manifest_done)
#define auto_registry_manifest CLEANUP(registry_manifest_done)

/* Get what `ref` names: an OCI or Docker manifest or index. By digest, the bytes are checked against
 * it; by tag, the digest is computed, and a Docker-Content-Digest that differs is an error.
 * Errors: ENOENT no such image; EACCES not authorised; EBADMSG digest; EFBIG; and http_perform()'s. */
err *registry_manifest_get(struct registry *r, const struct reference *ref,
			   struct registry_manifest *ret) MUST_CHECK;

/* A manifest of the same repository by digest and size (-1: unknown), as an index lists it. */
err *registry_manifest_get_digest(struct registry *r, const struct reference *ref,
				  const struct digest *digest, int64_t size,
				  struct registry_manifest *ret) MUST_CHECK;

/* Whether it exists, without its body; digest and size as the registry claims them, unchecked. */
err *registry_manifest_head(struct registry *r, const struct reference *ref, bool *ret_exists,
			    struct digest *ret_digest, uint64_t *ret_size) MUST_CHECK;

/* Put under the reference's tag, or under its digest when it has no tag. *ret_digest (may be NULL) is
 * computed here; a registry that answers another one is EBADMSG. */
err *registry_manifest_put(struct registry *r, const struct reference *ref, const char *media_type,
			   const void *bytes, size_t len, struct digest *ret_digest) MUST_CHECK;

/* Delete by digest, or the tag alone where the registry can do that. */
err *registry_manifest_delete(struct registry *r, const struct reference *ref) MUST_CHECK;

/* ---- blobs ---- */

/* Verified at the end only: what the sink was given counts when registry_blob_get() returned NULL. */
typedef err *registry_sink_fn(const void *bytes, size_t len, void *user);

struct blob_want {
	struct digest digest;
	uint64_t size;            /* from the descriptor; more or fewer bytes are an error */
	uint64_t offset;          /* bytes the caller has already; the sink gets what follows */
	struct hasher *hasher;    /* after hasher_expect(digest, size) and fed with those `offset` bytes;
	                             ended by the call; borrowed. NULL only when offset is 0: an own one */
	registry_sink_fn *sink;
	void *user;
};

/* Stream a blob from want->offset to its end. Goes on by Range after a broken connection; a registry
 * that ignores Range sends everything again, and what was there already is skipped.
 * Errors: EBADMSG wrong digest, EPROTO too short or too long (what the caller keeps of the blob is then
 * of no use), ENOENT, EACCES, the sink's own, and http_perform()'s; after these the bytes
 * the sink got remain good for a later try. */
err *registry_blob_get(struct registry *r, const struct reference *ref, const struct blob_want *want)
	MUST_CHECK;

err *registry_blob_exists(struct registry *r, const struct reference *ref,
			  const struct digest *digest, bool *ret_exists) MUST_CHECK;

/* Bytes of the blob that the registry has taken so far; may go back when a step is repeated. */
typedef void registry_sent_fn(uint64_t sent, void *user);

struct blob_offer {
	struct digest digest;
	uint64_t size;
	int fd;                 /* the bytes, read by pread(2) at `offset` on; borrowed */
	uint64_t offset;
	const void *bytes;      /* or in memory, instead of fd */
	const char *mount_from; /* repository of the same registry that may have it; or NULL */
	uint64_t chunk;         /* send in PATCH requests of so many bytes; 0: one PUT */
	registry_sent_fn *sent; /* may be NULL */
	void *user;
};

enum blob_put_result { BLOB_EXISTED, BLOB_MOUNTED, BLOB_UPLOADED };

/* Make sure that the registry has the blob: asks, tries to mount, uploads. */
err *registry_blob_put(struct registry *r, const struct reference *ref, const struct blob_offer *offer,
		       enum blob_put_result *ret_result) MUST_CHECK;

err *registry_blob_delete(struct registry *r, const struct reference *ref,
			  const struct digest *digest) MUST_CHECK;

/* ---- tags, login ---- */

#define REGISTRY_TAGS_MAX 100000

/* Append all tags of the repository in the registry's order, following Link pages. */
err *registry_tags(struct registry *r, const struct reference *ref, struct strv *tags) MUST_CHECK;

/* Ask the registry whether it accepts the credentials for `host` (HOST[:PORT]): EACCES when not. */
err *registry_check_login(struct registry *r, const char *host) MUST_CHECK;

/* What would be done for `ref`, without secrets: server, scheme, certificates, credential source,
 * authentication, as "name: value" lines. */
err *registry_explain(struct registry *r, const struct reference *ref, struct str *out) MUST_CHECK;
