/* images/fetch-internal.h: one blob of a pull: from the source, or from what is here of it, into the store.
 */
#pragma once
#include "images/pull.h"

struct fetch {
	struct image_store *store;
	const struct image_source *source;
	const struct image_limits *limits;
	const struct oci_descriptor *blob;
	const struct digest *diff_id; /* of the layer that the blob is; NULL: a blob and nothing else */
	enum oci_compression compression;
	bool discard_blob; /* keep the layer only */
	atomic_bool *cancel;
	/* Under a lock of the caller's, from any thread. */
	void (*progress)(const struct fetch *f, enum image_blob_state state, uint64_t done);
	void *arg;
	int64_t fetched; /* result: bytes that came from the source */
};

/* Make blob and layer visible. ECANCELED when *cancel became true. */
err *fetch_run(struct fetch *f) MUST_CHECK;
