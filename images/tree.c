/* images/tree.c: building a layer's tree from the entries of its tar. */
#include "images/tree.h"

#include <limits.h>
#include <sys/random.h>

#include "base/path.h"

#define WHITEOUT_PREFIX ".wh."
#define OPAQUE_NAME     ".wh..wh..opq"
#define AUFS_PREFIX     ".wh..wh." /* bookkeeping that aufs left in images; means nothing elsewhere */

/* As the kernel's limit for one path resolution. */
#define LINK_HOPS_MAX 40

/* Path components that may be walked, for each entry that is allowed: an honest layer needs about ten, a
 * hostile one could ask for a hundred thousand by links to long paths. */
#define STEPS_PER_ENTRY 100

const struct layer_limits layer_limits_default = {
	.entries = 1000 * 1000,
	.memory = 512u << 20,
	.path = PATH_MAX - 1,
	.depth = 512,
	.xattrs = 64u << 10,
	.file_size = 8ull << 40,
	.extents = 4u << 20,
};

struct builder {
	struct tree *tree;
	struct arena *arena; /* the tree's */
	const struct layer_limits *limits;
	struct tree_node **table; /* open addressing; a power of 2 */
	size_t table_size, table_used;
	uint64_t seed;
	uint64_t steps; /* path components walked */
};

static void cleanup_builder(struct builder *b)
{
	free(b->table);
}

/* Names are the attacker's: the seed keeps them from choosing collisions. A directory that is replaced
 * gets a new inode, so its children's keys die with it. */
static size_t hash(const struct builder *b, const struct tree_inode *dir, const char *name, size_t len)
{
	uint64_t h = b->seed ^ (uintptr_t)dir;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 0x9e3779b97f4a7c15u + (h >> 29);
	h ^= h >> 32;
	return (size_t)h & (b->table_size - 1);
}

static struct tree_node **slot(const struct builder *b, const struct tree_inode *dir, const char *name,
			       size_t len)
{
	for (size_t i = hash(b, dir, name, len);; i = (i + 1) & (b->table_size - 1)) {
		struct tree_node *n = b->table[i];
		if (!n || (n->dir == dir && strncmp(n->name, name, len) == 0 && !n->name[len]))
			return &b->table[i];
	}
}

static err *table_grow(struct builder *b)
{
	struct builder bigger = *b;

	if ((b->table_used + 1) * 3 < b->table_size * 2)
		return NULL;
	bigger.table_size = b->table_size ? b->table_size * 2 : 1024;
	bigger.table = calloc(bigger.table_size, sizeof *bigger.table);
	if (!bigger.table)
		return err_oom();
	for (size_t i = 0; i < b->table_size; i++) {
		struct tree_node *n = b->table[i];
		if (n)
			*slot(&bigger, n->dir, n->name, strlen(n->name)) = n;
	}
	free(b->table);
	*b = bigger;
	return NULL;
}

static struct tree_node *find(const struct builder *b, const struct tree_node *dir, const char *name,
			      size_t len)
{
	return b->table_size ? *slot(b, dir->inode, name, len) : NULL;
}

static err *add_node(struct builder *b, struct tree_node *dir, const char *name, size_t len,
		     struct tree_node **ret_node)
{
	struct tree_node *n;

	if (len > NAME_MAX)
		return err_new(ENAMETOOLONG, "a name is longer than %d bytes", NAME_MAX);
	if (dir->depth + 1u > b->limits->depth)
		return err_new(EFBIG, "more than %u directories deep", b->limits->depth);
	size_t path_len = dir->path_len + (dir->path_len ? 1 : 0) + len;
	if (path_len > MIN(b->limits->path, (size_t)PATH_MAX - 1))
		return err_new(ENAMETOOLONG, "path is longer than %zu bytes", b->limits->path);
	if (b->table_used >= b->limits->entries)
		return err_new(EFBIG, "more than %llu names", (unsigned long long)b->limits->entries);
	TRY(table_grow(b));
	TRY_ALLOC(b->arena, n, arena_alloc(b->arena, sizeof *n));
	TRY_ALLOC(b->arena, n->name, arena_strndup(b->arena, name, len));
	n->parent = dir;
	n->dir = dir->inode;
	n->depth = (uint16_t)(dir->depth + 1);
	n->path_len = (uint16_t)path_len;
	n->sibling = dir->sibling_head;
	dir->sibling_head = n;
	*slot(b, n->dir, name, len) = n;
	b->table_used++;
	*ret_node = n;
	return NULL;
}

/* Give the name another file. What was below it, if it was a directory, is gone. */
static void set_inode(struct tree_node *n, struct tree_inode *inode)
{
	n->inode = inode;
	n->sibling_head = NULL;
	n->whiteout = false;
	n->opaque = n->hides && S_ISDIR(inode->mode);
}

static err *new_inode(struct builder *b, uint32_t mode, struct tree_inode **ret_inode)
{
	TRY_ALLOC(b->arena, *ret_inode, arena_alloc(b->arena, sizeof **ret_inode));
	(*ret_inode)->mode = mode;
	return NULL;
}

static err *implied_dir(struct builder *b, struct tree_node *n)
{
	struct tree_inode *inode;

	TRY(new_inode(b, S_IFDIR | 0755, &inode));
	set_inode(n, inode);
	return NULL;
}

/* Follow `path` from directory `from` inside the tree; hops is shared by all links on the way. Missing
 * directories are made if `create`, else they are ENOENT. */
static err *walk(struct builder *b, struct tree_node *from, const char *path, bool create, unsigned *hops,
		 struct tree_node **ret_dir)
{
	struct tree_node *dir = *path == '/' ? b->tree->root : from;

	for (const char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
		const char *name = p;
		size_t len = strcspn(p, "/");

		p += len;
		if (++b->steps > b->limits->entries * STEPS_PER_ENTRY)
			return err_new(EFBIG, "paths take too many steps");
		if (len == 1 && name[0] == '.')
			continue;
		if (len == 2 && name[0] == '.' && name[1] == '.') {
			dir = dir->parent;
			continue;
		}
		struct tree_node *n = find(b, dir, name, len);
		if ((!n || n->whiteout) && !create)
			return err_new(ENOENT, "'%.*s' is not in the layer", (int)len, name);
		if (!n)
			TRY(add_node(b, dir, name, len, &n));
		if (!n->inode || n->whiteout)
			TRY(implied_dir(b, n));
		if (S_ISLNK(n->inode->mode)) {
			if (++*hops > LINK_HOPS_MAX)
				return err_new(ELOOP, "too many symbolic links");
			TRY(walk(b, dir, n->inode->target, create, hops, &n));
		}
		if (!S_ISDIR(n->inode->mode))
			return err_new(EINVAL, "'%.*s' is not a directory", (int)len, name);
		dir = n;
	}
	*ret_dir = dir;
	return NULL;
}

/* Split a cleaned path ("/a/b", "/") and enter its parent; *ret_name is NULL for the root. */
static err *enter_parent(struct builder *b, char *path, bool create, struct tree_node **ret_dir,
			 const char **ret_name)
{
	char *slash = strrchr(path, '/');
	unsigned hops = 0;

	*ret_dir = b->tree->root;
	*ret_name = NULL;
	if (!slash[1])
		return NULL;
	*slash = '\0';
	*ret_name = slash + 1;
	return walk(b, b->tree->root, path, create, &hops, ret_dir);
}

bool tree_keeps_xattr(const char *name, uint32_t mode)
{
	if (str_starts_with(name, "user."))
		return name[5] && (S_ISREG(mode) || S_ISDIR(mode)) && !str_starts_with(name, "user.overlay.");
	if (str_starts_with(name, "trusted."))
		return name[8] && !str_starts_with(name, "trusted.overlay.");
	if (str_equal(name, "security.capability"))
		return S_ISREG(mode);
	if (str_equal(name, "system.posix_acl_access"))
		return !S_ISLNK(mode);
	return str_equal(name, "system.posix_acl_default") && S_ISDIR(mode);
}

static err *add_xattr(struct builder *b, struct tree_inode *inode, const struct tar_xattr *from)
{
	struct tree_xattr **at = &inode->xattrs, *x;

	if (from->size > UINT16_MAX || strlen(from->name) > UINT8_MAX)
		return err_new(EFBIG, "extended attribute '%.64s' is too large", from->name);
	while (*at && strcmp((*at)->name, from->name) < 0)
		at = &(*at)->next;
	TRY_ALLOC(b->arena, x, arena_alloc(b->arena, sizeof *x));
	TRY_ALLOC(b->arena, x->name, arena_strdup(b->arena, from->name));
	void *value;
	TRY_ALLOC(b->arena, value, arena_alloc(b->arena, from->size));
	memcpy(value, from->value, from->size);
	x->value = value;
	x->size = (uint32_t)from->size;
	x->next = *at && strcmp((*at)->name, x->name) == 0 ? (*at)->next : *at;
	*at = x;
	return NULL;
}

static err *copy_extents(struct builder *b, struct tree_inode *inode, const struct tar_entry *e)
{
	if (e->extent_count == 0)
		return NULL;
	if (e->extent_count > 1)
		b->tree->extents += e->extent_count;
	if (b->tree->extents > b->limits->extents)
		return err_new(EFBIG, "more than %llu pieces of sparse files",
			       (unsigned long long)b->limits->extents);
	TRY_ALLOC(b->arena, inode->extents,
		  arena_array(b->arena, e->extent_count, sizeof *inode->extents));
	memcpy(inode->extents, e->extents, e->extent_count * sizeof *inode->extents);
	inode->extent_count = e->extent_count;
	return NULL;
}

static err *inode_of_entry(struct builder *b, const struct tar_entry *e, struct tree_inode **ret_inode)
{
	struct tree_inode *i;

	TRY(new_inode(b, e->mode, &i));
	i->uid = e->uid;
	i->gid = e->gid;
	i->major = e->major;
	i->minor = e->minor;
	i->mtime = e->mtime;
	i->mtime_nsec = e->mtime_nsec;
	i->size = e->size;
	if (S_ISLNK(e->mode)) {
		TRY_ALLOC(b->arena, i->target, arena_strdup(b->arena, e->link));
		i->size = strlen(e->link);
		i->mode |= 0777; /* as the kernel shows every link */
	}
	for (size_t k = 0; k < e->xattr_count; k++)
		if (tree_keeps_xattr(e->xattrs[k].name, e->mode))
			TRY(add_xattr(b, i, &e->xattrs[k]));
	TRY(copy_extents(b, i, e));
	*ret_inode = i;
	return NULL;
}

static err *add_whiteout(struct builder *b, struct tree_node *dir, const char *name)
{
	struct tree_node *n = find(b, dir, name, strlen(name));

	if (!path_is_name(name))
		return err_new(EINVAL, "whiteout of '%s', which is no name", name);
	if (!n)
		TRY(add_node(b, dir, name, strlen(name), &n));
	n->hides = true;
	if (n->inode) {
		n->opaque = S_ISDIR(n->inode->mode);
		return NULL;
	}
	struct tree_inode *inode;
	TRY(new_inode(b, S_IFCHR, &inode));
	set_inode(n, inode);
	n->whiteout = true;
	return NULL;
}

/* A hard link: the same inode under a second name. */
static err *add_link(struct builder *b, struct tree_node *dir, const char *name, const char *target)
{
	char path[PATH_MAX];
	struct tree_node *target_dir, *from, *n;
	const char *target_name;

	if (!path_clean(target, path, sizeof path))
		return err_new(ENAMETOOLONG, "link to '%.64s...'", target);
	TRY(err_wrap(enter_parent(b, path, false, &target_dir, &target_name), "hard link to '%s'", target));
	from = target_name ? find(b, target_dir, target_name, strlen(target_name)) : NULL;
	if (!from || !from->inode || from->whiteout)
		return err_new(EINVAL, "hard link to '%s', which is not in the layer", target);
	if (S_ISDIR(from->inode->mode))
		return err_new(EINVAL, "hard link to '%s', which is a directory", target);
	n = find(b, dir, name, strlen(name));
	if (!n)
		TRY(add_node(b, dir, name, strlen(name), &n));
	set_inode(n, from->inode);
	return NULL;
}

/* Metadata of a directory that exists already; its children stay. */
static void update_dir(struct tree_node *n, const struct tree_inode *from)
{
	struct tree_inode *i = n->inode;

	i->mode = from->mode;
	i->uid = from->uid;
	i->gid = from->gid;
	i->mtime = from->mtime;
	i->mtime_nsec = from->mtime_nsec;
	i->xattrs = from->xattrs;
}

static err *add_file(struct builder *b, struct tree_node *dir, const char *name, const struct tar_entry *e)
{
	struct tree_node *n = find(b, dir, name, strlen(name));
	struct tree_inode *inode;

	/* What overlay itself writes for "nothing here". */
	if (S_ISCHR(e->mode) && e->major == 0 && e->minor == 0)
		return add_whiteout(b, dir, name);
	TRY(inode_of_entry(b, e, &inode));
	if (!n)
		TRY(add_node(b, dir, name, strlen(name), &n));
	if (n->inode && S_ISDIR(n->inode->mode) && S_ISDIR(inode->mode))
		update_dir(n, inode);
	else
		set_inode(n, inode);
	return NULL;
}

static err *add_root(struct builder *b, const struct tar_entry *e)
{
	struct tree_inode *inode;

	if (e->hard_link || !S_ISDIR(e->mode))
		return err_new(EINVAL, "the root of a layer must be a directory");
	TRY(inode_of_entry(b, e, &inode));
	update_dir(b->tree->root, inode);
	return NULL;
}

/* Whether a directory of the path has a whiteout's name. aufs' own directories are passed over. */
static err *check_parents(const char *path, bool *ret_skip)
{
	for (const char *p = path; (p = strstr(p, "/" WHITEOUT_PREFIX)); p++) {
		bool last = !strchr(p + 1, '/');
		bool aufs = str_starts_with(p + 1, AUFS_PREFIX);
		if (aufs && !(last && str_equal(p + 1, OPAQUE_NAME)))
			*ret_skip = true;
		else if (!last)
			return err_new(EINVAL, "a whiteout cannot have files below it");
	}
	return NULL;
}

static err *add_entry(struct builder *b, const struct tar_entry *e)
{
	static const uint32_t kinds[] = { S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO };
	char path[PATH_MAX];
	struct tree_node *dir;
	const char *name;
	bool skip = false, known = e->hard_link;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		known = known || (e->mode & S_IFMT) == kinds[i];
	if (!known)
		return err_new(EINVAL, "unknown type of file");
	if (!path_clean(e->path, path, sizeof path))
		return err_new(ENAMETOOLONG, "path is longer than %d bytes", PATH_MAX - 1);
	TRY(check_parents(path, &skip));
	if (skip)
		return NULL;
	TRY(enter_parent(b, path, true, &dir, &name));
	if (!name)
		return add_root(b, e);
	if (str_equal(name, OPAQUE_NAME)) {
		dir->opaque = true;
		return NULL;
	}
	if (str_starts_with(name, WHITEOUT_PREFIX))
		return add_whiteout(b, dir, name + strlen(WHITEOUT_PREFIX));
	return e->hard_link ? add_link(b, dir, name, e->link) : add_file(b, dir, name, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct tree_node *const *)a)->name, (*(struct tree_node *const *)b)->name);
}

static err *sort_children(struct tree *t, struct tree_node *dir)
{
	size_t count = 0;

	for (struct tree_node *n = dir->sibling_head; n; n = n->sibling)
		count++;
	TRY_ALLOC(t->arena, dir->children, arena_array(t->arena, count, sizeof(struct tree_node *)));
	for (struct tree_node *n = dir->sibling_head; n; n = n->sibling)
		dir->children[dir->child_count++] = n;
	if (count > 1)
		qsort(dir->children, count, sizeof *dir->children, by_name);
	return NULL;
}

/* Count a name: the first one of an inode numbers it; a directory counts "." and its subdirectories. */
static void count_name(struct tree *t, struct tree_node *n)
{
	struct tree_inode *i = n->inode;

	if (S_ISDIR(i->mode)) {
		i->nlink = 2;
		if (n != t->root)
			n->parent->inode->nlink++;
	} else {
		i->nlink++;
	}
	if (i->first)
		return;
	i->first = n;
	i->serial = (uint32_t)++t->stats.inodes;
	if (S_ISREG(i->mode)) {
		t->stats.files++;
		t->stats.bytes += i->size;
	}
}

static err *finish(struct builder *b)
{
	struct tree *t = b->tree;

	TRY_ALLOC(b->arena, t->nodes, arena_array(b->arena, b->table_used + 1, sizeof *t->nodes));
	t->nodes[t->count++] = t->root;
	for (size_t i = 0; i < t->count; i++) {
		struct tree_node *n = t->nodes[i];
		count_name(t, n);
		if (!S_ISDIR(n->inode->mode))
			continue;
		TRY(sort_children(t, n));
		for (uint32_t k = 0; k < n->child_count; k++)
			t->nodes[t->count++] = n->children[k];
	}
	return NULL;
}

static err *make_root(struct builder *b)
{
	struct tree_node *root;

	TRY_ALLOC(b->arena, root, arena_alloc(b->arena, sizeof *root));
	root->name = "";
	root->parent = root;
	b->tree->root = root;
	return implied_dir(b, root);
}

static err *build(struct builder *b, int tar_fd)
{
	auto_tar struct tar_reader *reader = NULL;
	struct tar_entry entry;
	bool more = true;

	TRY(arena_new(b->limits->memory, &b->tree->arena));
	b->arena = b->tree->arena;
	if (getrandom(&b->seed, sizeof b->seed, 0) != sizeof b->seed)
		return err_errno("get random bytes");
	TRY(make_root(b));
	TRY(tar_open(tar_fd, b->limits, &reader));
	for (;;) {
		TRY(tar_next(reader, &entry, &more));
		if (!more)
			return finish(b);
		if (++b->tree->stats.entries > b->limits->entries)
			return err_new(EFBIG, "more than %llu entries",
				       (unsigned long long)b->limits->entries);
		TRY(err_wrap(add_entry(b, &entry), "'%s'", entry.path));
	}
}

err *tree_build(int tar_fd, const struct layer_limits *limits, struct tree *ret_tree)
{
	struct tree tree = { 0 };
	__attribute__((cleanup(cleanup_builder))) struct builder b = {
		.tree = &tree,
		.limits = limits ? limits : &layer_limits_default,
	};
	err *e = build(&b, tar_fd);

	if (e) {
		tree_done(&tree);
		return err_wrap(e, "layer");
	}
	*ret_tree = tree;
	return NULL;
}

void tree_done(struct tree *t)
{
	arena_free(t->arena);
	*t = (struct tree){ 0 };
}

void tree_path(const struct tree_node *node, struct str *out)
{
	if (node->parent == node)
		return;
	if (node->parent->parent != node->parent) {
		tree_path(node->parent, out);
		str_add_char(out, '/');
	}
	str_add(out, node->name);
}
