/* images/erofs.c: writing a layer's EROFS index. */
#include "images/layer.h"

#include <sys/stat.h>

#include "base/fd.h"
#include "images/erofs-internal.h"

/* Bytes go out in order, so that the writer needs no more memory than this buffer. */
struct sink {
	int fd;
	uint64_t at; /* bytes put so far */
	size_t used;
	err *failure; /* the first one; later bytes are dropped */
	char buf[64 * 1024];
};

static void flush(struct sink *s)
{
	if (!s->failure)
		s->failure = fd_write_all(s->fd, s->buf, s->used);
	s->used = 0;
}

static void put(struct sink *s, const void *bytes, size_t len)
{
	const char *p = bytes;

	s->at += len;
	while (len > 0) {
		size_t n = MIN(len, sizeof s->buf - s->used);
		memcpy(s->buf + s->used, p, n);
		s->used += n;
		p += n;
		len -= n;
		if (s->used == sizeof s->buf)
			flush(s);
	}
}

static void pad_to(struct sink *s, uint64_t at)
{
	static const char zeros[EROFS_BLOCK];

	while (s->at < at)
		put(s, zeros, MIN(at - s->at, sizeof zeros));
}

struct index {
	const struct tree *tree;
	const struct erofs_plan *plan;
	struct sink *out;
};

static uint64_t nid(const struct index *x, const struct tree_inode *inode)
{
	return erofs_place_of(x->plan, inode)->at / EROFS_SLOT;
}

static uint8_t dirent_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 1;
	case S_IFDIR:
		return 2;
	case S_IFCHR:
		return 3;
	case S_IFBLK:
		return 4;
	case S_IFIFO:
		return 5;
	default:
		return 7; /* symbolic link */
	}
}

static void put_super(const struct index *x, uint64_t tar_blocks)
{
	struct erofs_super super = {
		.magic = htole32(EROFS_MAGIC),
		.feature_compat = htole32(EROFS_COMPAT_MTIME),
		.block_bits = EROFS_BLOCK_BITS,
		.root_nid = htole16((uint16_t)nid(x, x->tree->root->inode)),
		.inodes = htole64(x->tree->stats.inodes),
		.blocks = htole32((uint32_t)(x->plan->inodes_end / EROFS_BLOCK + x->plan->data_blocks)),
		.feature_incompat = htole32(EROFS_INCOMPAT_CHUNKED | EROFS_INCOMPAT_DEVICES),
		.extra_devices = htole16(1),
		.devices_slot = htole16((EROFS_SUPER_OFFSET + sizeof super) / sizeof(struct erofs_device)),
	};
	struct erofs_device tar = {
		.tag = LAYER_TAR, /* the mount option says where the file is */
		.blocks = htole32((uint32_t)tar_blocks),
	};

	pad_to(x->out, EROFS_SUPER_OFFSET);
	put(x->out, &super, sizeof super);
	put(x->out, &tar, sizeof tar);
}

static void put_xattr(struct sink *s, const char *name, const void *value, size_t size)
{
	struct erofs_xattr head = { .value_size = htole16((uint16_t)size) };
	const char *rest = erofs_xattr_split(name, &head.index);

	head.name_len = (uint8_t)strlen(rest);
	put(s, &head, sizeof head);
	put(s, rest, strlen(rest));
	put(s, value, size);
	pad_to(s, (s->at + 3) & ~3ull);
}

static void put_xattrs(struct sink *s, const struct tree_node *n, const struct erofs_place *p)
{
	static const struct erofs_xattr_header header;

	if (!p->xattrs)
		return;
	put(s, &header, sizeof header);
	for (const struct tree_xattr *a = n->inode->xattrs; a; a = a->next)
		put_xattr(s, a->name, a->value, a->size);
	if (n->opaque)
		for (size_t i = 0; erofs_opaque_names[i]; i++)
			put_xattr(s, erofs_opaque_names[i], "y", 1);
}

static void put_chunks(struct sink *s, const struct tree_inode *i, const struct erofs_place *p)
{
	size_t k = 0;

	pad_to(s, (s->at + sizeof(struct erofs_chunk) - 1) & ~(sizeof(struct erofs_chunk) - 1));
	for (uint64_t c = 0; c < p->chunks; c++) {
		uint64_t offset = c << (EROFS_BLOCK_BITS + p->chunk_bits);
		struct erofs_chunk chunk = { .block = htole32(EROFS_HOLE) };

		while (k < i->extent_count && i->extents[k].offset + i->extents[k].length <= offset)
			k++;
		if (k < i->extent_count && i->extents[k].offset <= offset) {
			uint64_t data = i->extents[k].data + (offset - i->extents[k].offset);
			chunk.block = htole32((uint32_t)(data / EROFS_BLOCK));
			chunk.device = htole16(1);
		}
		put(s, &chunk, sizeof chunk);
	}
}

/* One directory block, from `it` on; `it` moves behind what was put. */
static void put_dir_block(const struct index *x, struct erofs_names *it)
{
	char block[EROFS_BLOCK];
	struct erofs_names ahead = *it;
	struct erofs_name name;
	size_t count = 0, used = 0;

	while (erofs_next_name(&ahead, &name)) {
		size_t need = sizeof(struct erofs_dirent) + strlen(name.name);
		if (used + need > sizeof block)
			break;
		used += need;
		count++;
	}
	size_t name_at = count * sizeof(struct erofs_dirent);
	for (size_t i = 0; i < count && erofs_next_name(it, &name); i++) {
		size_t len = strlen(name.name);
		struct erofs_dirent d = {
			.nid = htole64(nid(x, name.inode)),
			.name_offset = htole16((uint16_t)name_at),
			.type = dirent_type(name.inode->mode),
		};
		memcpy(block + i * sizeof d, &d, sizeof d);
		memcpy(block + name_at, name.name, len);
		name_at += len;
	}
	put(x->out, block, used);
}

/* Flat data from byte `from` to `to`; both are block boundaries or the end. */
static void put_flat(const struct index *x, const struct tree_node *n, uint64_t from, uint64_t to)
{
	if (S_ISLNK(n->inode->mode)) {
		put(x->out, n->inode->target + from, to - from);
		return;
	}
	struct erofs_names it = { .dir = n };
	struct erofs_name name;
	uint64_t at = 0, used = 0;
	/* Skip whole blocks that lie elsewhere. */
	for (struct erofs_names next = it; at < from && erofs_next_name(&next, &name);) {
		size_t need = sizeof(struct erofs_dirent) + strlen(name.name);
		if (used + need > EROFS_BLOCK) {
			at += EROFS_BLOCK;
			used = 0;
			if (at >= from)
				break;
		}
		used += need;
		it = next;
	}
	for (at = from; at < to; at += EROFS_BLOCK) {
		uint64_t start = x->out->at;
		put_dir_block(x, &it);
		if (to - at >= EROFS_BLOCK)
			pad_to(x->out, start + EROFS_BLOCK);
	}
}

static uint64_t flat_size(const struct tree_inode *i, const struct erofs_place *p)
{
	return S_ISDIR(i->mode) ? p->size : S_ISLNK(i->mode) ? i->size : 0;
}

static uint32_t inode_u(const struct index *x, const struct tree_inode *i, const struct erofs_place *p)
{
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		return (i->minor & 0xff) | i->major << 8 | (i->minor & ~0xffu) << 12;
	if (p->layout == EROFS_CHUNKED)
		return p->chunk_bits | EROFS_CHUNK_INDEXES;
	return (uint32_t)(x->plan->inodes_end / EROFS_BLOCK) + p->block;
}

static void put_inode(const struct index *x, const struct tree_node *n)
{
	const struct tree_inode *i = n->inode;
	const struct erofs_place *p = erofs_place_of(x->plan, i);
	uint64_t size = S_ISREG(i->mode) ? i->size : flat_size(i, p);
	uint16_t xattrs = p->xattrs ? (uint16_t)((p->xattrs - sizeof(struct erofs_xattr_header)) / 4 + 1) : 0;
	struct erofs_inode disk = {
		.format = htole16(EROFS_FORMAT(p->layout)),
		.xattr_count = htole16(xattrs),
		.mode = htole16((uint16_t)i->mode),
		.size = htole64(size),
		.u = htole32(inode_u(x, i, p)),
		.ino = htole32(i->serial),
		.uid = htole32(i->uid),
		.gid = htole32(i->gid),
		.mtime = htole64((uint64_t)i->mtime),
		.mtime_nsec = htole32(i->mtime_nsec),
		.nlink = htole32(i->nlink),
	};

	pad_to(x->out, p->at);
	put(x->out, &disk, sizeof disk);
	put_xattrs(x->out, n, p);
	if (p->layout == EROFS_CHUNKED)
		put_chunks(x->out, i, p);
	if (p->layout == EROFS_FLAT_INLINE)
		put_flat(x, n, size - size % EROFS_BLOCK, size);
}

static void put_blocks(const struct index *x, const struct tree_node *n)
{
	const struct erofs_place *p = erofs_place_of(x->plan, n->inode);
	uint64_t size = flat_size(n->inode, p);

	if (p->layout == EROFS_FLAT_INLINE)
		size -= size % EROFS_BLOCK;
	put_flat(x, n, 0, size);
	pad_to(x->out, (x->out->at + EROFS_BLOCK - 1) & ~(uint64_t)(EROFS_BLOCK - 1));
}

static err *write_index(const struct index *x, uint64_t tar_size)
{
	const struct tree *t = x->tree;

	put_super(x, (tar_size + EROFS_BLOCK - 1) / EROFS_BLOCK);
	for (size_t k = 0; k < t->count; k++)
		if (t->nodes[k]->inode->first == t->nodes[k])
			put_inode(x, t->nodes[k]);
	pad_to(x->out, x->plan->inodes_end);
	for (size_t k = 0; k < t->count; k++)
		if (t->nodes[k]->inode->first == t->nodes[k])
			put_blocks(x, t->nodes[k]);
	flush(x->out);
	return err_wrap(TAKE(x->out->failure), "write index");
}

err *layer_index_build(int tar_fd, int index_fd, const struct layer_limits *limits,
		       struct layer_stats *ret_stats)
{
	auto_tree struct tree tree = { 0 };
	struct erofs_plan plan;
	struct stat st;
	auto_free struct sink *out = calloc(1, sizeof *out);

	if (!out)
		return err_oom();
	if (!limits)
		limits = &layer_limits_default;
	if (fstat(tar_fd, &st) < 0)
		return err_errno("stat tar file");
	TRY(tree_build(tar_fd, limits, &tree));
	TRY(err_wrap(erofs_plan(&tree, limits, &plan), "layer"));
	out->fd = index_fd;
	struct index x = { &tree, &plan, out };
	TRY(write_index(&x, (uint64_t)st.st_size));
	if (ret_stats)
		*ret_stats = tree.stats;
	return NULL;
}
