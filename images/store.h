/* images/store.h: images on this machine, as files without a database.
 * Layout, version 1 (mode 0700 throughout):
 *
 *	version                 "1"
 *	lock                    flock: shared while in use, exclusive for a sweep
 *	blobs/ALG/HEX           as received: manifests, indexes, configs, compressed layers
 *	layers/ALG/DIFFID/      data.tar, index.erofs, meta; immutable once visible (and tree, where
 *	                        somebody could not mount the index)
 *	ingest/                 what is on its way; the owner of an entry holds its flock
 *	refs/ESCAPED-NAME       one line: digest, size, media type; the last thing written
 *	leases/ID               images in use by name of the user; the holder holds the flock
 *
 * What is visible under its final name is complete, checked and durable: data, fdatasync, rename, fsync
 * of the directory; layers and config before the manifest, the manifest before the ref. kill -9 at any
 * moment leaves at most entries of ingest/ without owner, which the next pull of the same digest goes
 * on with and gc removes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"
#include "oci/digest.h"
#include "oci/image.h"

struct image_store;

/* Append the store's place: `option` when not NULL, else $STUBE_STORE, else /var/lib/stube/images for
 * root, else $XDG_DATA_HOME/stube/images (~/.local/share/stube/images). EINVAL when none is known. */
err *image_store_place(const char *option, struct str *out) MUST_CHECK;

enum image_store_use {
	IMAGE_STORE_SHARED, /* read, pull, add: many at once */
	IMAGE_STORE_SWEEP,  /* gc: alone; waits until the others are done */
};

/* Open the store at `path`, made when it is missing. Holds the store's lock until image_store_free(),
 * so long-lived programs open it for each operation. Errors: EPERM another user's directory, EINVAL a
 * directory with other things in it, ENOTSUP a store of a newer version. */
err *image_store_open(const char *path, enum image_store_use use, struct image_store **ret) MUST_CHECK;
void image_store_free(struct image_store *s);
DEFINE_CLEANUP(struct image_store *, image_store_free)
#define auto_store CLEANUP(image_store_free)

const char *image_store_path(const struct image_store *s);
int image_store_fd(const struct image_store *s); /* the directory; borrowed */

/* ---- blobs ---- */

/* Open a blob for reading; ENOENT. ret_size may be NULL. */
err *image_blob_open(struct image_store *s, const struct digest *digest, int *ret_fd,
		     int64_t *ret_size) MUST_CHECK;
bool image_blob_exists(struct image_store *s, const struct digest *digest);

/* Append a document to `out` (its ceiling applies), checked against its digest again. */
err *image_blob_read(struct image_store *s, const struct digest *digest, struct str *out) MUST_CHECK;

/* Put a document (config, manifest, index) into the store; durable on return. Present already: fine. */
err *image_store_add_blob(struct image_store *s, const void *bytes, size_t len,
			  struct digest *ret_digest) MUST_CHECK;

/* ---- layers ---- */

/* Open the directory of a complete layer, for images/mount.h; ENOENT. */
err *image_layer_open(struct image_store *s, const struct digest *diff_id, int *ret_fd) MUST_CHECK;
bool image_layer_exists(struct image_store *s, const struct digest *diff_id);

/* Bytes of its data.tar and index; ENOENT. */
err *image_layer_size(struct image_store *s, const struct digest *diff_id, int64_t *ret_size) MUST_CHECK;

/* Put the tar of a new layer into the store: as data.tar with its index, and compressed as the blob that
 * will be pushed. The same tar gives the same blob: with zstd on every machine, with gzip on machines with the same
 * vector instructions (ISA-L).
 *   tar_fd          a regular file or a pipe, read from its present offset to its end; borrowed
 *   ret_descriptor  media type, digest and size of the blob; the media type is static */
err *image_store_add_layer(struct image_store *s, int tar_fd, enum oci_compression compression,
			   struct oci_descriptor *ret_descriptor, struct digest *ret_diff_id) MUST_CHECK;

/* ---- names ---- */

struct image_ref {
	const char *name;     /* "registry.example:5000/team/web:1", as reference_text() completes it */
	struct digest digest; /* of a manifest or an index */
	int64_t size;
	const char *media_type;
};
struct image_refs {
	struct image_ref *items; /* sorted by name */
	size_t count;
};

/* Let `ref->name` stand for a manifest or index whose parts are all in the store; replaces atomically. */
err *image_store_tag(struct image_store *s, const struct image_ref *ref) MUST_CHECK;

/* Forget a name; ENOENT. The content stays until gc. */
err *image_store_untag(struct image_store *s, const char *name) MUST_CHECK;

/* All names; a damaged ref file is an error that names it. Texts live in the arena. */
err *image_store_refs(struct image_store *s, struct arena *arena, struct image_refs *ret) MUST_CHECK;
err *image_store_ref(struct image_store *s, struct arena *arena, const char *name,
		     struct image_ref *ret) MUST_CHECK;

/* ---- images ---- */

struct image {
	const char *name;     /* NULL when it was asked for by digest and has no name */
	struct digest target; /* what the name stands for: an index or the manifest itself */
	struct digest digest; /* of the manifest */
	const struct oci_manifest *manifest;
	const struct oci_image *config; /* rootfs.diff_ids is the chain of layers, the lowest first */
	int64_t size;			/* bytes in the store: documents, kept blobs, layers */
};

/* Find an image by what a user typed: a name (completed as reference_parse() does), NAME@DIGEST, a digest
 * of a manifest or index, or at least 6 hexadecimal digits that begin just one. The image config is checked
 * against the manifest, the layers are all there. platform  of an index's manifests; NULL: this machine's
 * ENOENT: not in the store (the message says which part). Everything lives in the arena. */
err *image_resolve(struct image_store *s, struct arena *arena, const char *text,
		   const struct oci_platform *platform, const struct image **ret) MUST_CHECK;

/* ---- leases ---- */

/* Keep a manifest and its layers from gc while *ret_fd, or a copy that a child inherited, is open. `id` is
 * the container's; a lease whose holder is dead is taken over. EBUSY when somebody holds it. */
err *image_lease_take(struct image_store *s, const char *id, const struct digest *manifest,
		      int *ret_fd) MUST_CHECK;

/* Remove a lease whose container is gone; missing is fine, one that is held stays. Without this call gc
 * removes it. */
err *image_lease_drop(struct image_store *s, const char *id) MUST_CHECK;

/* ---- care ---- */

struct image_gc_result {
	uint64_t blobs, layers, ingests, leases; /* removed */
	uint64_t bytes;
};
struct image_gc_options {
	bool dry_run; /* count, remove nothing */
	/* Remove the extracted tree of a layer, where that needs a user namespace; NULL: directly. */
	err *(*remove_tree)(int layer_fd, void *arg);
	void *arg;
};
/* Remove what no name and no held lease reaches. `s` was opened with IMAGE_STORE_SWEEP. */
err *image_gc(struct image_store *s, const struct image_gc_options *options,
	      struct image_gc_result *ret) MUST_CHECK;

struct image_fsck_result {
	uint64_t refs, blobs, layers; /* checked */
	uint64_t bytes;		      /* hashed */
	uint64_t damaged;
};
/* Hash every blob and every data.tar again, build every index again and compare, follow every name. Each
 * problem is one call of report(); the return value is an error only when checking itself failed.
 * repair: move what is damaged out of the way, so that the next pull fetches it again; needs
 * IMAGE_STORE_SWEEP. */
err *image_fsck(struct image_store *s, bool repair, void (*report)(const char *problem, void *arg), void *arg,
		struct image_fsck_result *ret) MUST_CHECK;
