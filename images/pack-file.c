/* images/pack-file.c: one file's attributes and data on their way into a tar. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "images/pack-internal.h"
#include "images/tree.h"

/* Holes are whole units of zeros, found by content: what the file system allocated differs from machine to
 * machine. A file is stored sparse when that saves at least HOLES_MIN. */
#define HOLE_UNIT  (64u << 10)
#define HOLES_MIN  (1u << 20)

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

/* trusted. can be read by root only: leaving it out gives everybody the same image. */
static bool keeps(const char *name, uint32_t mode)
{
	return tree_keeps_xattr(name, mode) && !str_starts_with(name, "trusted.");
}

err *pack_read_xattrs(struct packer *p, int fd, struct tar_entry *e)
{
	char path[PATH_FD_MAX];
	size_t used = 0;
	ssize_t len = listxattr(path_of_fd(fd, path), p->xattr_names, sizeof p->xattr_names);

	if (len < 0 && errno == ENOTSUP)
		return NULL;
	if (len < 0)
		return err_errno("list attributes");
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(p->xattr_names + at) + 1) {
		const char *name = p->xattr_names + at;
		if (!keeps(name, e->mode))
			continue;
		if (e->xattr_count == ARRAY_LEN(p->xattrs))
			return err_new(EFBIG, "more than %zu attributes", ARRAY_LEN(p->xattrs));
		ssize_t n = getxattr(path, name, p->xattr_values + used, sizeof p->xattr_values - used);
		if (n < 0)
			return err_errno("read attribute '%s'", name);
		p->xattrs[e->xattr_count++] = (struct tar_xattr){ name, p->xattr_values + used, (size_t)n };
		used += (size_t)n;
	}
	qsort(p->xattrs, e->xattr_count, sizeof p->xattrs[0], by_name);
	e->xattrs = p->xattrs;
	return NULL;
}

static err *read_at(int fd, char *buf, size_t len, uint64_t at)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, buf + done, len - done, (off_t)(at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("read");
		if (n == 0)
			return err_new(EBUSY, "became shorter while it was read");
		done += (size_t)n;
	}
	return NULL;
}

static bool is_zero(const char *bytes, size_t len)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

/* Where the next byte that is not known to be a hole lies. */
static uint64_t next_data(int fd, uint64_t at, uint64_t size)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? size : at;
	return MAX(at, (uint64_t)data / HOLE_UNIT * HOLE_UNIT);
}

static err *add_unit(struct packer *p, struct tar_entry *e, size_t *cap, uint64_t at, uint64_t len)
{
	struct tar_extent *last = e->extent_count ? &p->extents[e->extent_count - 1] : NULL;

	if (last && last->offset + last->length == at) {
		last->length += len;
		return NULL;
	}
	if (!p->extents || e->extent_count == *cap) {
		size_t bigger = *cap ? *cap * 2 : 64;
		void *items = reallocarray(p->extents, bigger, sizeof *p->extents);
		if (!items)
			return err_oom();
		p->extents = items;
		*cap = bigger;
	}
	p->extents[e->extent_count++] = (struct tar_extent){ at, len, 0 };
	return NULL;
}

static err *find_holes(struct packer *p, int fd, struct tar_entry *e, bool *ret_sparse)
{
	uint64_t data = 0;
	size_t cap = 0;

	for (uint64_t at = 0; at < e->size;) {
		at = next_data(fd, at, e->size);
		if (at >= e->size)
			break;
		uint64_t len = MIN(e->size - at, (uint64_t)PACK_BUF);
		TRY(read_at(fd, p->buf, len, at));
		for (uint64_t k = 0; k < len; k += HOLE_UNIT) {
			uint64_t unit = MIN(len - k, (uint64_t)HOLE_UNIT);
			if (is_zero(p->buf + k, unit))
				continue;
			TRY(add_unit(p, e, &cap, at + k, unit));
			data += unit;
		}
		at += len;
	}
	e->extents = p->extents;
	*ret_sparse = e->size - data >= HOLES_MIN;
	return NULL;
}

static err *copy(struct packer *p, int fd, uint64_t at, uint64_t len)
{
	while (len > 0) {
		size_t n = MIN(len, (uint64_t)PACK_BUF);
		TRY(read_at(fd, p->buf, n, at));
		TRY(fd_write_all(p->tar_fd, p->buf, n));
		at += n;
		len -= n;
	}
	return NULL;
}

static err *copy_data(struct packer *p, int fd, const struct tar_entry *e, bool sparse)
{
	uint64_t written = e->size;

	if (!sparse) {
		TRY(copy(p, fd, 0, e->size));
	} else {
		written = 0;
		for (size_t i = 0; e->extents && i < e->extent_count; i++) {
			TRY(copy(p, fd, e->extents[i].offset, e->extents[i].length));
			written += e->extents[i].length;
		}
	}
	return tar_write_padding(p->tar_fd, written);
}

static err *check_unchanged(int fd, const struct stat *before)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno("stat");
	if (st.st_size != before->st_size || st.st_mtim.tv_sec != before->st_mtim.tv_sec ||
	    st.st_mtim.tv_nsec != before->st_mtim.tv_nsec)
		return err_new(EBUSY, "changed while it was read");
	return NULL;
}

static err *pack_open_file(struct packer *p, int fd, struct tar_entry *e)
{
	bool sparse = false;
	struct stat before;

	if (fstat(fd, &before) < 0)
		return err_errno("stat");
	if ((uint64_t)before.st_size != e->size)
		return err_new(EBUSY, "changed while it was read");
	if (e->size >= HOLES_MIN)
		TRY(find_holes(p, fd, e, &sparse));
	TRY(tar_write_header(p->tar_fd, e, sparse));
	TRY(copy_data(p, fd, e, sparse));
	return check_unchanged(fd, &before);
}

err *pack_regular(struct packer *p, int fd, struct tar_entry *e)
{
	char path[PATH_FD_MAX];
	auto_close int file_fd = open(path_of_fd(fd, path), O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (file_fd < 0)
		return err_errno("open");
	p->extents = NULL;
	err *failure = pack_open_file(p, file_fd, e);
	free(p->extents);
	p->extents = NULL;
	return failure;
}
