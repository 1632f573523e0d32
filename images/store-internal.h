/* images/store-internal.h: what the files of the store share. */
#pragma once
#include <dirent.h>
#include "images/store.h"

#define STORE_VERSION 1

struct image_store {
	char *path;
	int fd;	     /* the directory */
	int lock_fd; /* holds the flock of `lock` */
	enum image_store_use use;
};

/* Names below the store, built from bytes of a digest only. */
#define STORE_PATH_MAX 256
const char *blob_path(const struct digest *d, char buf[static STORE_PATH_MAX]);
const char *layer_path(const struct digest *d, char buf[static STORE_PATH_MAX]);

/* fsync of the directory `name` of the store. */
err *store_sync_dir(struct image_store *s, const char *name) MUST_CHECK;

/* Call visit() with the name of each entry of a directory of the store but "." and "..". */
err *store_each(struct image_store *s, const char *dir,
		err *(*visit)(struct image_store *s, int dir_fd, const char *name, void *arg),
		void *arg) MUST_CHECK;

/* flock(2) that goes on after EINTR. EWOULDBLOCK with LOCK_NB is *ret_held = true. */
err *store_flock(int fd, int operation, bool *ret_held) MUST_CHECK;

/* Write a document whose digest the caller has checked. */
err *blob_write(struct image_store *s, const struct digest *d, const void *bytes, size_t len) MUST_CHECK;

/* Make a verified file visible as a blob: sync, rename from `from`, sync of the directory. */
err *blob_publish(struct image_store *s, const char *from, int fd, const struct digest *d) MUST_CHECK;

/* ENOSPC, with the numbers, when fewer than `bytes` are free. */
err *store_check_space(struct image_store *s, uint64_t bytes) MUST_CHECK;

/* Escape a complete name as one file name, and back; false when it does not fit or is not canonical. */
bool ref_escape(const char *name, char out[static 256]);
bool ref_unescape(const char *file_name, char out[static 256]);

/* One line of a ref file. `name` is for messages. media_type lives in the arena. */
err *ref_parse(struct arena *arena, const char *name, const char *text, size_t len,
	       struct image_ref *ret) MUST_CHECK;

/* Manifest of a lease file that a living holder has locked. */
err *lease_read(int fd, const char *id, struct digest *ret_manifest) MUST_CHECK;

/* Room for one more item in a list that lives in the arena. */
err *store_grow(struct arena *arena, void **items, size_t size, size_t count, size_t *cap) MUST_CHECK;

/* What image_resolve() finds for a text, before a platform is chosen. *ret_name is left alone when the image
 * was asked for by its digest. */
err *store_find_target(struct image_store *s, struct arena *arena, const char *text, const char **ret_name,
		       struct digest *ret) MUST_CHECK;

/* Everything that a manifest or index needs, as far as it is in the store. */
struct reach {
	struct arena *arena;
	void *arg;
	err *(*blob)(const struct oci_descriptor *d, bool required, void *arg);
	err *(*layer)(const struct digest *diff_id, void *arg);
};
err *store_reach(struct image_store *s, const struct digest *target, const char *media_type,
		 const struct reach *reach) MUST_CHECK;
