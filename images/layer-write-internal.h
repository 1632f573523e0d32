/* images/layer-write-internal.h: a layer's directory while it is made: data.tar, then index and meta. */
#pragma once
#include "images/layer.h"
#include "images/store-internal.h"

struct layer_write {
	struct image_store *store; /* borrowed */
	char path[STORE_PATH_MAX]; /* of the directory, below the store */
	int dir_fd, tar_fd;
	struct hasher *hasher;
	uint64_t size;	 /* of data.tar so far */
	uint64_t synced; /* bytes whose write-back was asked for */
};
#define LAYER_WRITE_INIT                   \
	{                                  \
		.dir_fd = -1, .tar_fd = -1 \
	}

/* Begin in the directory `path` (below the store; what a dead owner left there is removed). want: the
 * diff-id it must have, or NULL. */
err *layer_write_begin(struct image_store *s, const char *path, const struct digest *want,
		       struct layer_write *ret) MUST_CHECK;
err *layer_write_add(struct layer_write *w, const void *bytes, size_t len) MUST_CHECK;

/* All bytes are there: check the diff-id, build the index, write meta, sync. */
err *layer_write_finish(struct layer_write *w, const struct layer_limits *limits,
			struct digest *ret_diff_id) MUST_CHECK;

/* Make it visible; a layer that somebody else made meanwhile is as good. */
err *layer_write_publish(struct layer_write *w, const struct digest *diff_id) MUST_CHECK;

/* Remove what is not published. */
void layer_write_done(struct layer_write *w);
DEFINE_CLEANUP_OF(struct layer_write, layer_write_done)
#define auto_layer_write CLEANUP(layer_write_done)

/* The text of a layer's `meta`, a function of its tar alone. */
void layer_meta(const struct digest *diff_id, uint64_t size, const struct layer_stats *stats,
		struct str *out);
#define LAYER_META "meta"
