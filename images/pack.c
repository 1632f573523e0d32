/* images/pack.c: walking a source directory in a fixed order and writing its tar. */
#include "images/pack.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <search.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "images/pack-internal.h"

/* A descriptor is open for each level. */
#define DEPTH_MAX 512

/* The path by which a file with several names was packed first. */
struct seen {
	dev_t dev;
	ino_t ino;
	const char *path;
};

static int compare_seen(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void cleanup_packer(struct packer *p)
{
	tdestroy(p->seen, free);
	arena_free(p->arena);
	str_done(&p->path);
	free(p->buf);
}

static err *packer_init(struct packer *p, const struct pack_options *options, int tar_fd)
{
	p->options = options;
	p->tar_fd = tar_fd;
	p->youngest = INT64_MIN;
	str_init(&p->path, PATH_MAX - 1);
	p->buf = malloc(PACK_BUF);
	if (!p->buf)
		return err_oom();
	return arena_new(256u << 20, &p->arena);
}

/* Whether this file was packed before; *ret_path is NULL when not, and it is remembered now. */
static err *find_link(struct packer *p, const struct stat *st, const char **ret_path)
{
	struct seen *key;

	*ret_path = NULL;
	if (st->st_nlink < 2)
		return NULL;
	key = malloc(sizeof *key);
	if (!key)
		return err_oom();
	*key = (struct seen){ st->st_dev, st->st_ino, NULL };
	void *found = tsearch(key, &p->seen, compare_seen);
	if (!found) {
		free(key);
		return err_oom();
	}
	struct seen *s = *(struct seen **)found;
	if (s != key) {
		free(key);
		*ret_path = s->path;
		return NULL;
	}
	TRY_ALLOC(p->arena, s->path, arena_strdup(p->arena, p->path.data));
	return NULL;
}

static void take_time(struct packer *p, struct tar_entry *e, const struct stat *st)
{
	p->youngest = MAX(p->youngest, (int64_t)st->st_mtim.tv_sec);
	e->mtime = st->st_mtim.tv_sec;
	if (p->options->created != PACK_CREATED_YOUNGEST)
		e->mtime = MIN(e->mtime, p->options->created);
}

static void take_stat(struct packer *p, struct tar_entry *e, const struct stat *st)
{
	e->mode = st->st_mode;
	e->uid = p->options->keep_owners ? st->st_uid : 0;
	e->gid = p->options->keep_owners ? st->st_gid : 0;
	e->size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
	e->major = major(st->st_rdev);
	e->minor = minor(st->st_rdev);
	take_time(p, e, st);
}

static err *check_name(const char *name, const struct stat *st)
{
	if (str_starts_with(name, ".wh."))
		return err_new(EINVAL, "a name that begins with '.wh.' would remove a file of a lower layer");
	if (S_ISCHR(st->st_mode) && st->st_rdev == 0)
		return err_new(EINVAL, "a character device 0/0 would remove a file of a lower layer");
	return NULL;
}

/* A child directory of the same mount; *ret_fd is -1 when another file system begins there. */
static err *open_child_dir(int dir_fd, const char *name, int *ret_fd)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	*ret_fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof how);
	return *ret_fd < 0 && errno != EXDEV ? err_errno("open directory") : NULL;
}

static err *pack_symlink(struct packer *p, struct tar_entry *e, int fd)
{
	ssize_t n = readlinkat(fd, "", p->buf, PATH_MAX - 1);

	if (n < 0)
		return err_errno("read link");
	p->buf[n] = '\0';
	e->link = p->buf;
	return tar_write_header(p->tar_fd, e, false);
}

static err *pack_children(struct packer *p, int dir_fd, unsigned depth);

static err *pack_dir(struct packer *p, struct tar_entry *e, int dir_fd, const char *name, unsigned depth)
{
	auto_close int fd = -1;

	if (depth >= DEPTH_MAX)
		return err_new(EFBIG, "more than %u directories deep", DEPTH_MAX);
	TRY(open_child_dir(dir_fd, name, &fd));
	TRY(tar_write_header(p->tar_fd, e, false));
	return fd < 0 ? NULL : pack_children(p, fd, depth + 1);
}

/* What the descriptor names is what is packed, even if somebody renames things meanwhile. */
static err *pack_one(struct packer *p, int dir_fd, const char *name, unsigned depth)
{
	auto_close int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct tar_entry e = { .path = p->path.data };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno("open");
	TRY(check_name(name, &st));
	if (S_ISSOCK(st.st_mode))
		return NULL;
	take_stat(p, &e, &st);
	if (!S_ISDIR(st.st_mode)) {
		TRY(find_link(p, &st, &e.link));
		e.hard_link = e.link != NULL;
	}
	if (e.hard_link)
		return tar_write_header(p->tar_fd, &e, false);
	TRY(pack_read_xattrs(p, fd, &e));
	if (S_ISREG(st.st_mode))
		return pack_regular(p, fd, &e);
	if (S_ISDIR(st.st_mode))
		return pack_dir(p, &e, dir_fd, name, depth);
	if (S_ISLNK(st.st_mode))
		return pack_symlink(p, &e, fd);
	return tar_write_header(p->tar_fd, &e, false);
}

static int is_child(const struct dirent *d)
{
	return !str_equal(d->d_name, ".") && !str_equal(d->d_name, "..");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static err *pack_children(struct packer *p, int dir_fd, unsigned depth)
{
	struct dirent **names;
	int count = scandirat(dir_fd, ".", &names, is_child, by_name);
	size_t len = p->path.len;
	err *failure = NULL;

	if (count < 0)
		return err_errno("read directory");
	for (int i = 0; i < count; i++) {
		if (!failure) {
			str_addf(&p->path, "%s%s", len ? "/" : "", names[i]->d_name);
			failure = str_check(&p->path);
			if (!failure)
				failure = pack_one(p, dir_fd, names[i]->d_name, depth);
			/* Only the innermost level knows the whole path. */
			if (failure && !p->named)
				failure = err_wrap(failure, "'%s'", p->path.data);
			p->named = p->named || failure;
			p->path.len = len;
			p->path.data[len] = '\0';
		}
		free(names[i]);
	}
	free(names);
	return failure;
}

/* A single file: its directories, as image and tar tools make them, then itself. */
static err *pack_binary(struct packer *p, int fd, const char *name)
{
	char path[PATH_MAX];
	const char *wanted = p->options->binary_path ? p->options->binary_path : name;
	struct stat st;
	struct tar_entry e = { .path = path + 1 };

	if (!path_clean(wanted, path, sizeof path) || !path[1])
		return err_new(EINVAL, "'%s' is no place for a file", wanted);
	if (strstr(path, "/.wh."))
		return err_new(EINVAL, "'%s': a name that begins with '.wh.' means a whiteout", wanted);
	if (fstat(fd, &st) < 0)
		return err_errno("stat '%s'", name);
	take_stat(p, &e, &st);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		struct tar_entry dir = { .path = path + 1, .mode = S_IFDIR | 0755, .mtime = e.mtime };
		*slash = '\0';
		TRY(tar_write_header(p->tar_fd, &dir, false));
		*slash = '/';
	}
	e.mode = S_IFREG | 0755;
	e.uid = e.gid = 0;
	return err_wrap(pack_regular(p, fd, &e), "'%s'", name);
}

err *pack_layer(int source_fd, const char *name, const struct pack_options *options, int tar_fd,
		int64_t *ret_created)
{
	__attribute__((cleanup(cleanup_packer))) struct packer p = { 0 };
	struct stat st;

	TRY(packer_init(&p, options, tar_fd));
	if (fstat(source_fd, &st) < 0)
		return err_errno("stat source");
	if (S_ISDIR(st.st_mode))
		TRY(pack_children(&p, source_fd, 0));
	else if (S_ISREG(st.st_mode))
		TRY(pack_binary(&p, source_fd, name));
	else
		return err_new(EINVAL, "neither a directory nor a regular file");
	TRY(tar_write_end(tar_fd));
	*ret_created = options->created != PACK_CREATED_YOUNGEST ? options->created :
		       p.youngest != INT64_MIN			 ? p.youngest :
								   0;
	return NULL;
}

bool pack_is_static_binary(int fd)
{
	Elf64_Ehdr h;
	Elf64_Phdr segment;

	if (pread(fd, &h, sizeof h, 0) != sizeof h || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
	    (h.e_type != ET_EXEC && h.e_type != ET_DYN) || h.e_phentsize != sizeof segment)
		return false;
	for (unsigned i = 0; i < h.e_phnum; i++) {
		off_t at = (off_t)(h.e_phoff + (uint64_t)i * sizeof segment);
		if (pread(fd, &segment, sizeof segment, at) != sizeof segment || segment.p_type == PT_INTERP)
			return false;
	}
	return h.e_phnum > 0;
}
