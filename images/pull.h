/* images/pull.h: images from a source into the store, and from the store to a target.
 *
 * One pass a layer: the bytes of the blob are hashed and written as they come, decompressed, hashed again
 * and written as data.tar, in three threads with bounded rings between them; several layers at a time.
 * Nothing becomes visible before size, digest and diff-id are right. A part of a blob that an earlier,
 * killed pull left is hashed and the rest asked for by Range. Two pulls of one digest: the second waits
 * and finds it done. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"
#include "images/layer.h"
#include "images/store.h"
#include "registry/client.h"

/* Where images come from: a registry (images/remote.h), or a fake in tests. Calls of blob() come from
 * several threads at once. Contracts are those of registry_manifest_get*() and registry_blob_get(). */
struct image_source {
	/* The manifest or index with this digest and size (-1: unknown); digest NULL: what the source's own
	 * reference names. */
	err *(*manifest)(void *arg, const struct digest *digest, int64_t size, struct registry_manifest *ret);
	err *(*blob)(void *arg, const struct blob_want *want);
	void *arg;
};

/* Ceilings for one layer, against bombs. */
struct image_limits {
	uint64_t layer_bytes;		 /* a layer may always unpack to so many bytes ... */
	uint64_t layer_ratio;		 /* ... and beyond that to so many times its compressed size */
	const struct layer_limits *tree; /* NULL: layer_limits_default */
};
extern const struct image_limits image_limits_default;

enum image_blob_state {
	IMAGE_BLOB_PRESENT, /* in the store, or at the target, already */
	IMAGE_BLOB_WAITING, /* another process is fetching it */
	IMAGE_BLOB_RUNNING, /* `done` of `total` bytes */
	IMAGE_BLOB_INDEXING,
	IMAGE_BLOB_DONE,
	IMAGE_BLOB_MOUNTED, /* push: the registry had it in another repository */
};
/* Called under a lock, from any thread; must not call back into images/. */
struct image_progress {
	void (*blob)(void *arg, const struct oci_descriptor *blob, enum image_blob_state state, uint64_t done,
		     uint64_t total);
	void *arg;
};

struct image_pull_options {
	const struct oci_platform *platform;   /* of an index; NULL: this machine's */
	bool all_platforms;		       /* everything that an index lists */
	bool discard_blobs;		       /* keep no compressed layers: less disk, but no push */
	unsigned parallel;		       /* blobs at a time; 0: 3 */
	const struct image_limits *limits;     /* NULL: image_limits_default */
	const struct image_progress *progress; /* NULL: none */
	/* Ends the pull with ECANCELED when somebody sets it. Set here when one blob fails, so that the
	 * others stop at once: give the registry the same one. NULL: one of our own. */
	atomic_bool *cancel;
};
struct image_pull_result {
	struct digest target;	/* what the name stands for: index or manifest */
	struct digest manifest; /* chosen; of all_platforms: the last */
	int64_t fetched;	/* bytes that came from the source for blobs */
};

/* Fetch an image and give it the name `name` (complete, as reference_text() prints it). want: the digest that
 * the name is pinned to, or NULL. Errors name the blob. ENOENT: the platform is not there, with the list. */
err *image_pull(struct image_store *s, const struct image_source *source, const char *name,
		const struct digest *want, const struct image_pull_options *options,
		struct image_pull_result *ret) MUST_CHECK;
