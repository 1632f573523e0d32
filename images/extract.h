/* images/extract.h: a layer's tar as a directory tree, for callers that cannot mount its index.
 * Hostile-proof by order: the tar becomes a tree in memory first (images/tree.h), where replaced entries,
 * "..", hard links and whiteouts are settled; then every name is made once, from the top down, relative
 * to a descriptor of the directory that was just made, never through a link. */
#pragma once
#include <stdbool.h>
#include "base/err.h"
#include "base/macro.h"
#include "base/strv.h"
#include "images/layer.h"

struct extract_options {
	const struct layer_limits *limits; /* NULL: layer_limits_default */

	/* In a user namespace: mark opaque directories with user.overlay.opaque (mount with userxattr), leave
	 * out trusted. attributes, and leave out device nodes, which such a mount could not use. */
	bool user_namespace;

	/* May be NULL; one line for each thing left out: "device node 'dev/null'". */
	struct strv *left_out;
};

/* Extract into an empty directory.
 *   tar_fd  data.tar, open for reading; borrowed
 *   dir_fd  the directory, open for reading (not O_PATH); becomes the layer's root: owner, mode, times; borrowed
 * Keeps owners, modes with set-id bits, times in nanoseconds, extended attributes, hard links, holes,
 * FIFOs and devices; sockets do not occur in tar. The umask does not matter.
 * Runs as root, or as root mapped into a user namespace.
 * Errors: as layer_index_build(); EPERM with the path for an owner that the user namespace does not map;
 * ENOTEMPTY; ENOSPC and the like from the file system. What was made before an error stays; the caller
 * removes it. */
err *layer_extract(int tar_fd, int dir_fd, const struct extract_options *options,
		   struct layer_stats *ret_stats) MUST_CHECK;

/* Open `tree` of a layer's directory, extracting it from data.tar when it is not there yet. Under a lock
 * on the directory, so that of several callers one extracts and the others wait; visible only when whole
 * and synced; what a killed caller left is removed first.
 *   layer_fd    the layer's directory, open for reading; borrowed
 *   ret_tree_fd yours to close */
err *layer_tree_ensure(int layer_fd, const struct extract_options *options, int *ret_tree_fd) MUST_CHECK;

/* Remove `tree` and what a killed extraction left. For gc, before the store unlinks the rest; in a user
 * namespace, where the owners are mapped, for rootless callers. */
err *layer_tree_remove(int layer_fd) MUST_CHECK;
