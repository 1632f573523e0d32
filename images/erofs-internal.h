/* images/erofs-internal.h: the two halves of the index writer: where things go, and writing them there. */
#pragma once
#include "base/str.h"
#include "images/erofs-format.h"
#include "images/tree.h"

/* Where one inode and what belongs to it lies in the index. */
struct erofs_place {
	uint64_t at;        /* byte offset of the inode: number times EROFS_SLOT */
	uint32_t size;      /* directories: bytes of their entries */
	uint32_t xattrs;    /* bytes of attributes behind the inode, header included; a multiple of 4 */
	uint32_t block;     /* flat data: first block, counted from the end of the inodes */
	uint8_t layout;     /* EROFS_FLAT_PLAIN, ... */
	uint8_t chunk_bits; /* regular files: blocks in a chunk, as a power of 2 */
	uint32_t chunks;
};

struct erofs_plan {
	struct erofs_place *places; /* by serial - 1; in the tree's arena */
	uint64_t inodes_end;        /* bytes; a multiple of EROFS_BLOCK */
	uint64_t map_entries;       /* chunks of sparse files */
	uint32_t data_blocks;       /* of directories and links, behind the inodes */
};

/* Place everything. Errors: EFBIG, ENOTSUP; they name the file. */
err *erofs_plan(const struct tree *tree, const struct layer_limits *limits, struct erofs_plan *ret_plan)
	MUST_CHECK;

static inline struct erofs_place *erofs_place_of(const struct erofs_plan *plan,
						 const struct tree_inode *inode)
{
	return &plan->places[inode->serial - 1];
}

/* One entry of a directory: a child, "." or "..". */
struct erofs_name {
	const char *name;
	const struct tree_inode *inode;
};

/* The names of a directory in byte order, "." and ".." among them: call with *at = 0 and go on until NULL. */
struct erofs_names {
	const struct tree_node *dir;
	uint32_t child, dots;
};
bool erofs_next_name(struct erofs_names *it, struct erofs_name *ret);

/* Attributes that an inode gets beside its own: an opaque directory's. Ends with NULL. */
extern const char *const erofs_opaque_names[];

/* Split "user.comment" into the format's prefix number and the rest. */
const char *erofs_xattr_split(const char *name, uint8_t *ret_index);
