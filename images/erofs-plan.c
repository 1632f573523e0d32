/* images/erofs-plan.c: where each inode of an index, its attributes and its data go. */
#include "images/erofs-internal.h"

const char *const erofs_opaque_names[] = { "trusted.overlay.opaque", "user.overlay.opaque", NULL };

#define SPARSE_UNALIGNED "sparse file whose pieces are no multiples of %u bytes"

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) & ~(unit - 1);
}

const char *erofs_xattr_split(const char *name, uint8_t *ret_index)
{
	static const struct {
		const char *prefix;
		uint8_t index;
	} prefixes[] = {
		{ "user.", EROFS_XATTR_USER },
		{ "trusted.", EROFS_XATTR_TRUSTED },
		{ "security.", EROFS_XATTR_SECURITY },
		{ "system.posix_acl_access", EROFS_XATTR_ACL_ACCESS },
		{ "system.posix_acl_default", EROFS_XATTR_ACL_DEFAULT },
	};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (str_starts_with(name, prefixes[i].prefix)) {
			*ret_index = prefixes[i].index;
			return name + strlen(prefixes[i].prefix);
		}
	}
	return NULL; /* tree_keeps_xattr() lets no other name in */
}

static uint64_t xattr_size(const char *name, size_t value_size)
{
	uint8_t index;

	return round_up(sizeof(struct erofs_xattr) + strlen(erofs_xattr_split(name, &index)) + value_size, 4);
}

static err *plan_xattrs(const struct tree_node *n, struct erofs_place *p)
{
	uint64_t size = 0;

	for (const struct tree_xattr *x = n->inode->xattrs; x; x = x->next)
		size += xattr_size(x->name, x->size);
	if (n->opaque)
		for (size_t i = 0; erofs_opaque_names[i]; i++)
			size += xattr_size(erofs_opaque_names[i], 1);
	if (size)
		size += sizeof(struct erofs_xattr_header);
	if ((size - sizeof(struct erofs_xattr_header)) / 4 + 1 > UINT16_MAX && size)
		return err_new(EFBIG, "extended attributes do not fit an index");
	p->xattrs = (uint32_t)size;
	return NULL;
}

bool erofs_next_name(struct erofs_names *it, struct erofs_name *ret)
{
	static const char *const dots[] = { ".", "..", NULL };
	const char *dot = dots[it->dots];
	const struct tree_node *child =
		it->child < it->dir->child_count ? it->dir->children[it->child] : NULL;

	if (!dot && !child)
		return false;
	if (dot && (!child || strcmp(dot, child->name) < 0)) {
		const struct tree_node *node = it->dots ? it->dir->parent : it->dir;
		*ret = (struct erofs_name){ dot, node->inode };
		it->dots++;
	} else {
		*ret = (struct erofs_name){ child->name, child->inode };
		it->child++;
	}
	return true;
}

/* Entries fill block after block; none crosses into the next. */
static uint64_t dir_size(const struct tree_node *dir)
{
	struct erofs_names it = { .dir = dir };
	struct erofs_name name;
	uint64_t blocks = 0, used = 0;

	while (erofs_next_name(&it, &name)) {
		size_t need = sizeof(struct erofs_dirent) + strlen(name.name);
		if (used + need > EROFS_BLOCK) {
			blocks++;
			used = 0;
		}
		used += need;
	}
	return blocks * EROFS_BLOCK + used;
}

/* Blocks per chunk as a power of 2: the largest of which each lies wholly in one extent or in a hole, since
 * a chunk is one piece of the tar. A file without holes is one chunk, whatever its size. */
static err *plan_chunks(struct erofs_plan *plan, const struct tree_inode *i, const struct layer_limits *limits,
			struct erofs_place *p)
{
	uint64_t edges = 0; /* bits of all places where data begins or ends, but for the end of the file */

	for (size_t k = 0; k < i->extent_count; k++) {
		const struct tar_extent *x = &i->extents[k];
		uint64_t end = x->offset + x->length;

		edges |= x->offset | (end == i->size ? 0 : end);
		if (x->data % EROFS_BLOCK)
			return err_new(ENOTSUP, SPARSE_UNALIGNED, EROFS_BLOCK);
		if ((x->data + x->length) / EROFS_BLOCK >= EROFS_HOLE)
			return err_new(EFBIG, "data lies beyond 2 TiB of the tar");
	}
	if (edges % EROFS_BLOCK)
		return err_new(ENOTSUP, SPARSE_UNALIGNED, EROFS_BLOCK);
	unsigned bits = 0;
	while (bits < EROFS_CHUNK_BITS_MAX && ((uint64_t)EROFS_BLOCK << bits) < i->size &&
	       !(edges & ((uint64_t)EROFS_BLOCK << bits)))
		bits++;
	uint64_t chunks = (i->size + ((uint64_t)EROFS_BLOCK << bits) - 1) >> (EROFS_BLOCK_BITS + bits);
	plan->map_entries += chunks > 1 ? chunks : 0;
	if (plan->map_entries > limits->extents)
		return err_new(EFBIG, "sparse files need a map of more than %llu entries",
			       (unsigned long long)limits->extents);
	p->chunk_bits = (uint8_t)bits;
	p->chunks = (uint32_t)chunks;
	return NULL;
}

/* Put an inode with flat data at or after *at: with the last, partial block behind it, if there is a place
 * near by from which that does not cross a block's end; otherwise with all data in blocks. */
static void place_flat(struct erofs_plan *plan, struct erofs_place *p, uint64_t size, uint64_t *at)
{
	uint64_t head = sizeof(struct erofs_inode) + p->xattrs;
	uint64_t tail = size % EROFS_BLOCK, start = *at;

	p->layout = EROFS_FLAT_PLAIN;
	for (unsigned i = 0; tail && i < EROFS_BLOCK / EROFS_SLOT; i++, start += EROFS_SLOT) {
		if ((start + head) % EROFS_BLOCK + tail <= EROFS_BLOCK) {
			p->layout = EROFS_FLAT_INLINE;
			break;
		}
	}
	if (p->layout == EROFS_FLAT_PLAIN)
		start = *at;
	p->at = start;
	p->block = plan->data_blocks;
	plan->data_blocks += (uint32_t)(p->layout == EROFS_FLAT_INLINE ? size / EROFS_BLOCK :
									   round_up(size, EROFS_BLOCK) / EROFS_BLOCK);
	*at = start + head + (p->layout == EROFS_FLAT_INLINE ? tail : 0);
}

static err *place(struct erofs_plan *plan, const struct tree_node *n, const struct layer_limits *limits,
		  uint64_t *at)
{
	struct tree_inode *i = n->inode;
	struct erofs_place *p = erofs_place_of(plan, i);

	TRY(plan_xattrs(n, p));
	if (S_ISREG(i->mode) && i->size > 0) {
		TRY(plan_chunks(plan, i, limits, p));
		p->layout = EROFS_CHUNKED;
		p->at = *at;
		*at = round_up(*at + sizeof(struct erofs_inode) + p->xattrs, sizeof(struct erofs_chunk)) +
		      (uint64_t)p->chunks * sizeof(struct erofs_chunk);
	} else if (S_ISDIR(i->mode)) {
		uint64_t size = dir_size(n);
		if (size > UINT32_MAX)
			return err_new(EFBIG, "directory is too large");
		p->size = (uint32_t)size;
		place_flat(plan, p, size, at);
	} else {
		place_flat(plan, p, S_ISLNK(i->mode) ? i->size : 0, at);
	}
	*at = round_up(*at, EROFS_SLOT);
	return NULL;
}

static err *named(const struct tree_node *n, err *cause)
{
	auto_str struct str path = STR_INIT(8192);

	if (!cause)
		return NULL;
	tree_path(n, &path);
	return err_wrap(cause, "'%s'", path.data);
}

err *erofs_plan(const struct tree *tree, const struct layer_limits *limits, struct erofs_plan *ret_plan)
{
	struct erofs_plan plan = { 0 };
	uint64_t at = EROFS_SUPER_OFFSET + sizeof(struct erofs_super) + sizeof(struct erofs_device);

	TRY_ALLOC(tree->arena, plan.places,
		  arena_array(tree->arena, tree->stats.inodes, sizeof *plan.places));
	for (size_t k = 0; k < tree->count; k++) {
		struct tree_node *n = tree->nodes[k];
		if (n->inode->first == n)
			TRY(named(n, place(&plan, n, limits, &at)));
	}
	plan.inodes_end = round_up(at, EROFS_BLOCK);
	if (plan.inodes_end / EROFS_BLOCK + plan.data_blocks >= EROFS_HOLE)
		return err_new(EFBIG, "index is too large");
	*ret_plan = plan;
	return NULL;
}
