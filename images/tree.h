/* images/tree.h: a layer's files as a tree in memory: what the tar means, settled before anybody acts on it.
 *
 * Rules. A later entry replaces an earlier one of the same name; a directory over a directory keeps its
 * children. Paths are cleaned as text first ("..", absolute, "./"); a directory of the path that is a
 * symbolic link in this layer is followed inside the tree, as in a chroot. Missing directories are made
 * (0755, 0:0, time 0). A hard link must name a file that is already in the tree. Whiteouts (".wh.NAME")
 * say something about lower layers only, whatever their place in the tar: beside an entry NAME of the
 * same layer they make a directory opaque and do nothing to anything else. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "images/layer.h"
#include "images/tar.h"

struct tree_xattr {
	struct tree_xattr *next; /* by name, ascending */
	const char *name;        /* whole: "user.comment" */
	const void *value;
	uint32_t size;
};

struct tree_node;

/* What hard links share. */
struct tree_inode {
	uint32_t mode, uid, gid;
	uint32_t major, minor;
	uint32_t mtime_nsec;
	int64_t mtime;
	uint64_t size;       /* regular files: apparent size; symbolic links: length of the target */
	const char *target;  /* symbolic links */
	struct tar_extent *extents; /* regular files */
	size_t extent_count;
	struct tree_xattr *xattrs;
	struct tree_node *first; /* the name that stands first in tree.nodes */
	uint32_t nlink;
	uint32_t serial;     /* order of the first names in tree.nodes, from 1 */
};

struct tree_node {
	struct tree_node *parent; /* the root's is itself */
	const char *name;         /* "" for the root */
	struct tree_inode *inode;
	const struct tree_inode *dir;            /* while building: the parent's, part of the lookup key */
	struct tree_node *sibling, *sibling_head; /* while building: next, and first child */
	struct tree_node **children;  /* directories, after tree_build(): by name, byte order */
	uint32_t child_count;
	uint16_t depth;
	uint16_t path_len; /* bytes of tree_path() */
	bool opaque;   /* directory: hides what lower layers have in it */
	bool hides;    /* while building: the layer has a whiteout of this name */
	bool whiteout; /* no file: hides what lower layers have under this name; mode is S_IFCHR, 0/0 */
};

struct tree {
	struct arena *arena;
	struct tree_node *root;
	struct tree_node **nodes; /* the root, then directory by directory all children, breadth first */
	size_t count;
	struct layer_stats stats;
	size_t extents; /* map entries of sparse files */
};

/* Read all headers of a tar into *ret_tree. tar_fd: borrowed, may be closed afterwards. limits: NULL for the
 * default. Errors name the entry; see layer_index_build(). */
err *tree_build(int tar_fd, const struct layer_limits *limits, struct tree *ret_tree) MUST_CHECK;
void tree_done(struct tree *t);
DEFINE_CLEANUP_OF(struct tree, tree_done)
#define auto_tree CLEANUP(tree_done)

/* Path of a node below the root, without a leading slash; "" for the root. */
void tree_path(const struct tree_node *node, struct str *out);

/* Whether an attribute of a tar belongs to the file: user., trusted. (both without overlay's own names,
 * which would steer the mount), security.capability, POSIX ACLs. Labels and signatures of the machine
 * that packed the layer do not. */
bool tree_keeps_xattr(const char *name, uint32_t mode);
