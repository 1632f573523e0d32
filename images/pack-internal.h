/* images/pack-internal.h: what the walk of pack and the reading of single files share. */
#pragma once
#include "base/arena.h"
#include "images/pack.h"
#include "images/tar-write.h"

#define PACK_BUF (1u << 20)

struct packer {
	const struct pack_options *options;
	struct arena *arena; /* paths of hard links */
	int tar_fd;
	void *seen;          /* tree of tsearch(3) */
	struct str path;     /* of the file being packed, below the source */
	bool named;          /* a failure carries its path already */
	int64_t youngest;
	char *buf;           /* PACK_BUF bytes */
	/* Of the file being packed: */
	struct tar_extent *extents;
	struct tar_xattr xattrs[64];
	char xattr_names[64 * 1024];
	char xattr_values[128 * 1024];
};

/* Fill entry->xattrs with what an image keeps. fd may be O_PATH. */
err *pack_read_xattrs(struct packer *p, int fd, struct tar_entry *entry) MUST_CHECK;

/* Header and data of a regular file; fd may be O_PATH, its size is entry->size. */
err *pack_regular(struct packer *p, int fd, struct tar_entry *entry) MUST_CHECK;
