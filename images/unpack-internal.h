/* images/unpack-internal.h: a compressed blob to a layer's directory, while its bytes arrive.
 *
 *	caller -> ring -> decompress -> ring -> hash (diff-id), data.tar
 *
 * Two threads of its own; the caller's is the network's. */
#pragma once
#include "images/layer-write-internal.h"
#include "images/pull.h"

struct unpack;

/* path: of the directory to make, below the store. diff_id: what the tar must hash to. */
err *unpack_start(struct image_store *s, const char *path, enum oci_compression compression,
		  const struct digest *diff_id, const struct image_limits *limits,
		  struct unpack **ret) MUST_CHECK;

/* Room for the next bytes of the blob (RING_SLOT of them; waits), and hand them on. Errors: what stopped one
 * of the threads. */
err *unpack_space(struct unpack *u, unsigned char **ret_space) MUST_CHECK;
void unpack_commit(struct unpack *u, size_t len);

/* The blob is complete and verified: wait for the threads, check the diff-id, build the index, sync. */
err *unpack_finish(struct unpack *u) MUST_CHECK;

/* Make the layer visible. */
err *unpack_publish(struct unpack *u) MUST_CHECK;

/* Stop the threads; remove what is not published. */
void unpack_free(struct unpack *u);
DEFINE_CLEANUP(struct unpack *, unpack_free)
#define auto_unpack CLEANUP(unpack_free)
