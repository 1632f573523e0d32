/* images/extract.c: making the files of a layer's tree in an empty directory. */
#include "images/extract.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "images/tree.h"

struct extraction {
	const struct tree *tree;
	const struct extract_options *options;
	int tar_fd, root_fd;
	const struct tree_node *dir; /* whose children are being made */
	int dir_fd;                  /* its descriptor; root_fd for the root */
	char *buf;
};

#define BUF_SIZE (128 * 1024)

static void leave_dir(struct extraction *x)
{
	if (x->dir_fd != x->root_fd)
		fd_close(x->dir_fd);
	x->dir_fd = -1;
	x->dir = NULL;
}

static err *open_dir(const struct extraction *x, const struct tree_node *dir, int *ret_fd)
{
	auto_str struct str path = STR_INIT(PATH_MAX);

	tree_path(dir, &path);
	TRY(str_check(&path));
	return path_open(x->root_fd, path.data, PATH_NO_LINKS, O_RDONLY | O_DIRECTORY, 0, ret_fd);
}

/* Data may come from the page cache to the page cache without passing through us; not on every pair of
 * file systems. */
static err *copy_piece(struct extraction *x, int fd, struct tar_extent piece)
{
	bool in_kernel = true;

	while (piece.length > 0) {
		off_t from = (off_t)piece.data, to = (off_t)piece.offset;
		ssize_t n;

		if (in_kernel) {
			n = copy_file_range(x->tar_fd, &from, fd, &to, MIN(piece.length, 1ull << 30), 0);
			if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
				in_kernel = false;
				continue;
			}
		} else {
			n = pread(x->tar_fd, x->buf, MIN(piece.length, (uint64_t)BUF_SIZE), from);
			if (n > 0)
				n = pwrite(fd, x->buf, (size_t)n, to);
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("copy data");
		if (n == 0)
			return err_new(EINVAL, "archive is cut short");
		piece.data += (uint64_t)n;
		piece.offset += (uint64_t)n;
		piece.length -= (uint64_t)n;
	}
	return NULL;
}

static err *set_owner(const struct tree_inode *i, int fd)
{
	if (fchownat(fd, "", i->uid, i->gid, AT_EMPTY_PATH) == 0)
		return NULL;
	if (errno == EINVAL)
		return err_hint(err_new(EPERM, "owner %u:%u is not mapped here", i->uid, i->gid),
				"Give the user subordinate ids in /etc/subuid and /etc/subgid.");
	return err_errno("set owner %u:%u", i->uid, i->gid);
}

static void left_out(const struct extraction *x, const char *what, const struct tree_node *n)
{
	auto_str struct str path = STR_INIT(PATH_MAX);

	if (!x->options->left_out)
		return;
	tree_path(n, &path);
	strv_addf(x->options->left_out, "%s '%s'", what, path.data);
}

/* Through /proc, because the descriptor may be one that only names the file (O_PATH): a link, a device. */
static err *set_xattrs(const struct extraction *x, const struct tree_node *n, const char *proc_path)
{
	bool mapped = x->options->user_namespace;

	for (const struct tree_xattr *a = n->inode->xattrs; a; a = a->next) {
		if (mapped && str_starts_with(a->name, "trusted.")) {
			left_out(x, "trusted attribute of", n);
			continue;
		}
		if (setxattr(proc_path, a->name, a->value, a->size, 0) < 0)
			return err_errno("set attribute '%s'", a->name);
	}
	const char *opaque = mapped ? "user.overlay.opaque" : "trusted.overlay.opaque";
	if (n->opaque && setxattr(proc_path, opaque, "y", 1, 0) < 0)
		return err_errno("mark as opaque");
	return NULL;
}

/* Owner first: changing it clears set-id bits and capabilities. Times last. */
static err *set_metadata(const struct extraction *x, const struct tree_node *n, int fd)
{
	const struct tree_inode *i = n->inode;
	const struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = i->mtime, .tv_nsec = i->mtime_nsec },
	};
	char proc_path[PATH_FD_MAX];

	path_of_fd(fd, proc_path);
	TRY(set_owner(i, fd));
	if (!S_ISLNK(i->mode) && chmod(proc_path, i->mode & 07777) < 0)
		return err_errno("set mode");
	TRY(set_xattrs(x, n, proc_path));
	if (utimensat(fd, "", times, AT_EMPTY_PATH) < 0)
		return err_errno("set time");
	return NULL;
}

/* The descriptor of a file that was just made and has none yet. */
static err *finish(const struct extraction *x, const struct tree_node *n)
{
	auto_close int fd = openat(x->dir_fd, n->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_errno("open");
	return set_metadata(x, n, fd);
}

static err *make_regular(struct extraction *x, const struct tree_node *n)
{
	const struct tree_inode *i = n->inode;
	auto_close int fd = openat(x->dir_fd, n->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				   0600);

	if (fd < 0)
		return err_errno("create");
	for (size_t k = 0; k < i->extent_count; k++)
		TRY(copy_piece(x, fd, i->extents[k]));
	const struct tar_extent *last = i->extent_count ? &i->extents[i->extent_count - 1] : NULL;
	uint64_t end = last ? last->offset + last->length : 0;
	if (end < i->size && ftruncate(fd, (off_t)i->size) < 0)
		return err_errno("set size");
	return set_metadata(x, n, fd);
}

static err *make_dir(struct extraction *x, const struct tree_node *n)
{
	if (mkdirat(x->dir_fd, n->name, 0700) < 0)
		return err_errno("make directory");
	/* One with children gets its metadata when they are there: their making changes its time. */
	return n->child_count == 0 ? finish(x, n) : NULL;
}

static err *make_symlink(struct extraction *x, const struct tree_node *n)
{
	if (symlinkat(n->inode->target, x->dir_fd, n->name) < 0)
		return err_errno("make symbolic link");
	return finish(x, n);
}

static bool is_device(const struct tree_node *n)
{
	return !n->whiteout && (S_ISCHR(n->inode->mode) || S_ISBLK(n->inode->mode));
}

static err *make_special(struct extraction *x, const struct tree_node *n)
{
	const struct tree_inode *i = n->inode;
	dev_t device = makedev(i->major, i->minor);

	if (is_device(n) && x->options->user_namespace) {
		left_out(x, "device node", n);
		return NULL;
	}
	if (mknodat(x->dir_fd, n->name, (i->mode & S_IFMT) | 0600, device) < 0)
		return err_errno("make special file");
	return n->whiteout ? NULL : finish(x, n);
}

static err *make_link(struct extraction *x, const struct tree_node *n)
{
	const struct tree_node *first = n->inode->first;
	auto_close int fd = -1;

	if (is_device(n) && x->options->user_namespace)
		return NULL;
	if (first->parent != n->parent)
		TRY(open_dir(x, first->parent, &fd));
	if (linkat(fd >= 0 ? fd : x->dir_fd, first->name, x->dir_fd, n->name, 0) < 0)
		return err_errno("make hard link");
	return NULL;
}

static err *make(struct extraction *x, const struct tree_node *n)
{
	if (n->inode->first != n)
		return make_link(x, n);
	if (S_ISREG(n->inode->mode))
		return make_regular(x, n);
	if (S_ISDIR(n->inode->mode))
		return make_dir(x, n);
	if (S_ISLNK(n->inode->mode))
		return make_symlink(x, n);
	return make_special(x, n);
}

static err *named(const struct tree_node *n, err *cause)
{
	auto_str struct str path = STR_INIT(PATH_MAX);

	if (!cause)
		return NULL;
	tree_path(n, &path);
	return err_wrap(cause, "extract '%s'", path.data);
}

/* All children of one directory; tree.nodes has them side by side. */
static err *make_children(struct extraction *x, const struct tree_node *dir)
{
	x->dir = dir;
	x->dir_fd = x->root_fd;
	if (dir != x->tree->root)
		TRY(named(dir, open_dir(x, dir, &x->dir_fd)));
	for (uint32_t k = 0; k < dir->child_count; k++)
		TRY(named(dir->children[k], make(x, dir->children[k])));
	TRY(named(dir, set_metadata(x, dir, x->dir_fd)));
	leave_dir(x);
	return NULL;
}

static err *check_empty(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool empty = true;

	if (!dir) {
		err *e = err_errno("open directory to extract into");
		fd_close(fd);
		return e;
	}
	while (empty && (entry = readdir(dir)))
		empty = str_equal(entry->d_name, ".") || str_equal(entry->d_name, "..");
	closedir(dir);
	return empty ? NULL : err_code(ENOTEMPTY, "extract layer");
}

err *layer_extract(int tar_fd, int dir_fd, const struct extract_options *options,
		   struct layer_stats *ret_stats)
{
	static const struct extract_options none;
	auto_tree struct tree tree = { 0 };
	auto_free char *buf = malloc(BUF_SIZE);
	struct extraction x = {
		.tree = &tree,
		.options = options ? options : &none,
		.tar_fd = tar_fd,
		.root_fd = dir_fd,
		.dir_fd = -1,
		.buf = buf,
	};

	if (!buf)
		return err_oom();
	TRY(check_empty(dir_fd));
	TRY(tree_build(tar_fd, x.options->limits, &tree));
	for (size_t k = 0; k < tree.count; k++) {
		const struct tree_node *n = tree.nodes[k];
		if (!S_ISDIR(n->inode->mode) || (n->child_count == 0 && n != tree.root))
			continue;
		err *e = make_children(&x, n);
		if (e) {
			leave_dir(&x);
			return e;
		}
	}
	if (ret_stats)
		*ret_stats = tree.stats;
	return NULL;
}
