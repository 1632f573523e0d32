/* images/layer.h: what a layer's tar may hold, and the EROFS index that lets the kernel mount it as it is.
 * Spec: image-spec layer.md. Kernel: Documentation/filesystems/erofs.rst (file-backed mounts with an
 * external device, Linux 6.12). The tar comes from a registry: nobody here trusts it. No path of it is
 * ever resolved on the host; names live and are resolved in a tree in memory only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"

/* Ceilings against archives made to exhaust memory, disk or the kernel. */
struct layer_limits {
	uint64_t entries;     /* headers in the tar, and names in the tree */
	uint64_t memory;      /* bytes for the tree */
	size_t path;          /* bytes of an entry's path, or of a link's target */
	unsigned depth;       /* directories above a name */
	size_t xattrs;        /* bytes of all extended attributes of one file, names and values */
	uint64_t file_size;   /* apparent bytes of one file, holes included */
	uint64_t extents;     /* map entries of sparse files in all */
};
extern const struct layer_limits layer_limits_default;

struct layer_stats {
	uint64_t entries; /* headers in the tar */
	uint64_t inodes;  /* in the finished tree, the root included */
	uint64_t files;   /* regular ones */
	uint64_t bytes;   /* their apparent sizes in all */
};

/* Write the EROFS index of a finished, uncompressed layer.
 *   tar_fd    data.tar, a regular file open for reading; only headers are read, data is seeked over; the
 *             descriptor's own offset is neither used nor moved; borrowed
 *   index_fd  an empty regular file open for writing; borrowed; the caller syncs and renames it
 *   limits    NULL: layer_limits_default
 *   ret_stats may be NULL
 * The same tar gives the same bytes, so fsck may build it again and compare.
 * Whiteouts become character devices 0/0; opaque directories carry trusted.overlay.opaque and
 * user.overlay.opaque; overlay attributes that the tar itself brings are dropped.
 * Needs no privilege. May run in any thread.
 * Errors: EINVAL no tar, or an entry that breaks the rules (a name below a file, a root that is no
 * directory, a hard link to nothing ...); the message names the entry; EFBIG a limit; ENOTSUP a sparse
 * file that the kernel cannot map; else what read and write say. */
err *layer_index_build(int tar_fd, int index_fd, const struct layer_limits *limits,
		       struct layer_stats *ret_stats) MUST_CHECK;

/* Files inside a layer's directory of the store. The first two are the store's; tree is made by
 * layer_tree_ensure() for callers that cannot mount an index. */
#define LAYER_TAR   "data.tar"
#define LAYER_INDEX "index.erofs"
#define LAYER_TREE  "tree"
