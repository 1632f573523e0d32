/* images/tar.h: the headers of a tar file, one entry after the other, with the places of their data.
 * Formats: ustar, pax, GNU (long names, base-256 numbers, sparse old, 0.0, 0.1 and 1.0), as libarchive
 * reads them; <archive.h> is seen only in tar.c. File data is never read here. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"
#include "images/layer.h"

/* `length` bytes at `offset` of the file lie at `data` of the tar; between extents there are holes. */
struct tar_extent {
	uint64_t offset, length, data;
};

struct tar_xattr {
	const char *name;
	const void *value;
	size_t size;
};

/* Everything is borrowed from the reader until the next tar_next(). Names are raw bytes, of any charset. */
struct tar_entry {
	const char *path;
	const char *link;  /* target of a hard or symbolic link, else NULL */
	bool hard_link;    /* mode, owner, size and the rest are then without meaning */
	uint32_t mode;     /* S_IFMT and permission bits */
	uint32_t uid, gid;
	uint32_t major, minor;
	int64_t mtime;
	uint32_t mtime_nsec;
	uint64_t size;
	const struct tar_extent *extents; /* ascending, not overlapping; none for a file of holes */
	size_t extent_count;
	const struct tar_xattr *xattrs;
	size_t xattr_count;
};

struct tar_reader;

/* fd: a regular file (read with pread; its offset is left alone); borrowed until tar_close(). */
err *tar_open(int fd, const struct layer_limits *limits, struct tar_reader **ret_reader) MUST_CHECK;
void tar_close(struct tar_reader *r);
DEFINE_CLEANUP(struct tar_reader *, tar_close)
#define auto_tar CLEANUP(tar_close)

/* The next entry; *ret_more is false at the end. Errors: EINVAL, with the path where it is known: no tar,
 * a file cut short, an impossible value; EFBIG: a limit. */
err *tar_next(struct tar_reader *r, struct tar_entry *ret_entry, bool *ret_more) MUST_CHECK;
