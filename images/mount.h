/* images/mount.h: a container's root made of layers: overlay over EROFS indexes or extracted trees.
 * Kernel: Documentation/filesystems/overlayfs.rst; fsopen(2), open_tree(2), mount_setattr(2).
 *
 * With indexes (root in the initial user namespace): each layer's index is mounted once per node, pinned
 * in a directory of its own below `pins_fd`, and cloned, detached and id-mapped, for every root; so all
 * containers share one page cache. Pins are found again by any later process. With trees (rootless, or
 * an old kernel): the extracted directories are the lower layers.
 *
 * Descriptors must have been opened in the caller's present mount namespace: the kernel takes no layer from
 * another one (EINVAL). Callers are single-threaded where a user namespace is involved; nothing here changes the caller's mount
 * namespace except the pins. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/macro.h"
#include "images/extract.h"

struct image_root_options {
	/* Directories of the store's layers, lowest first, open for reading; borrowed. None: an empty root. */
	const int *layer_fds;
	/* What pins are called, one a layer: "sha256-HEX" (path_is_name()); borrowed. Only used for indexes. */
	const char *const *layer_names;
	size_t layer_count;

	/* Where pins live, such as /run/stube/layers, mode 0700; -1: indexes are mounted for this root alone. */
	int pins_fd;

	/* Use extracted trees instead of indexes; layer_tree_ensure() is called on each layer. */
	bool trees;
	struct extract_options extract;

	/* User namespace whose ids the layers shall have, or -1: as stored. Not with extract.user_namespace,
	 * where the trees carry the mapped ids already. */
	int userns_fd;

	/* The container's directory: `upper` and `work` are made in it unless they are there (a restart goes on
	 * with what was written). On a file system that can be an upper layer: not overlay itself. -1: no upper
	 * layer, the root cannot be written. */
	int state_fd;

	/* Never sync the upper layer: faster. After a crash of the machine it must be removed, not mounted again. */
	bool volatile_upper;

	/* Device nodes of the image can be opened. Off: nodev. */
	bool devices;

	/* Attach detached layers to a place below pins_fd while overlay opens them, as kernels before 6.15 need.
	 * Done without asking when the kernel refuses them; tests set it. */
	bool attach_layers;

	/* Name all layers in one option, as kernels before 6.8 need (some 60 at most). The calling thread's working
	 * directory is no longer that of others afterwards. Done without asking on such a kernel; tests set it. */
	bool join_layers;
};

/* Begin with this: 0 is a descriptor. */
#define IMAGE_ROOT_OPTIONS { .pins_fd = -1, .userns_fd = -1, .state_fd = -1 }

/* Make the root. *ret_mount_fd is a detached mount of overlay (O_PATH, close-on-exec, yours to close), for
 * move_mount(2) into the container's mount namespace; when the last reference goes, the kernel unmounts it.
 * The root directory has the owner, mode and attributes that the uppermost layer gives it.
 * Needs CAP_SYS_ADMIN in the user namespace that owns the caller's mount namespace; for indexes, in the
 * initial one.
 * Errors: name the layer; EPERM or ENOTSUP from the mount of an index mean: use trees
 * (image_index_supported() tells beforehand). */
err *image_root_mount(const struct image_root_options *options, int *ret_mount_fd) MUST_CHECK;

/* Remove `upper` and `work` of a container's directory; the root must be unmounted. Missing is fine. For
 * rootless containers call it inside the user namespace, whose ids the files have. */
err *image_root_remove(int state_fd) MUST_CHECK;

/* Whether this process can mount indexes of layers on the file system of `dir_fd` (a directory that it may
 * write, such as the store's): a kernel with file-backed EROFS, a file system that allows it (not tmpfs),
 * CAP_SYS_ADMIN in the initial user namespace. Found out by trying a small one. */
bool image_index_supported(int dir_fd);

/* Unmount pins. keep(name, arg) says true for a layer that roots still use or soon will; a pin that goes
 * while a root uses it costs that root nothing, the next root only the sharing. Call it after gc and when
 * containers have been removed; keep NULL unpins everything.
 * *ret_count (may be NULL): how many were unmounted. */
err *image_pins_release(int pins_fd, bool (*keep)(const char *layer_name, void *arg), void *arg,
			size_t *ret_count) MUST_CHECK;
