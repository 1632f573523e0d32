/* images/tar.c: tar headers through libarchive, with our own seeking, ceilings and checks. */
#include "images/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define TAR_BLOCK 512u

/* One read(2): a header and, for small files, the data up to the next one. */
#define READ_SIZE 8192u

/* What one entry's headers may take: libarchive bounds a pax header to 1 MiB, but not the number of
 * maps in an old GNU sparse header. */
#define HEADERS_MAX (4u << 20)

/* minor, major and device number as the kernel encodes them in 32 bits. */
#define MAJOR_MAX 0xfffu
#define MINOR_MAX 0xfffffu

struct tar_reader {
	struct archive *archive;
	const struct layer_limits *limits;
	locale_t locale;
	int fd;
	uint64_t size, offset; /* of the file; of the next pread */
	uint64_t budget;       /* bytes that libarchive may still read for this entry's headers */
	struct tar_extent *extents;
	size_t extent_cap;
	struct tar_xattr *xattrs;
	size_t xattr_cap;
	char buf[READ_SIZE];
};

static la_ssize_t on_read(struct archive *a, void *arg, const void **ret_bytes)
{
	struct tar_reader *r = arg;
	ssize_t n;

	if (r->budget < sizeof r->buf) {
		archive_set_error(a, EFBIG, "headers of one entry are larger than %u bytes", HEADERS_MAX);
		return -1;
	}
	do
		n = pread(r->fd, r->buf, sizeof r->buf, (off_t)r->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		archive_set_error(a, errno, "read: %s", strerror(errno));
		return -1;
	}
	r->offset += (uint64_t)n;
	r->budget -= (uint64_t)n;
	*ret_bytes = r->buf;
	return n;
}

static la_int64_t on_skip(struct archive *a, void *arg, la_int64_t request)
{
	struct tar_reader *r = arg;
	uint64_t left = r->size > r->offset ? r->size - r->offset : 0;
	uint64_t step = MIN((uint64_t)request, left);

	(void)a;
	r->offset += step;
	return (la_int64_t)step;
}

/* libarchive converts names from UTF-8 to the locale's charset, which would make names depend on the
 * caller's environment. In the C locale it cannot, says so with a warning, and gives the bytes. */
static err *open_archive(struct tar_reader *r)
{
	r->archive = archive_read_new();
	r->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!r->archive || !r->locale)
		return err_oom();
	r->budget = HEADERS_MAX;
	archive_read_support_format_tar(r->archive);
	archive_read_set_callback_data(r->archive, r);
	archive_read_set_read_callback(r->archive, on_read);
	archive_read_set_skip_callback(r->archive, on_skip);
	locale_t saved = uselocale(r->locale);
	int status = r->size ? archive_read_open1(r->archive) : ARCHIVE_OK;
	uselocale(saved);
	if (status != ARCHIVE_OK)
		return err_new(EINVAL, "no tar archive: %s", archive_error_string(r->archive));
	return NULL;
}

err *tar_open(int fd, const struct layer_limits *limits, struct tar_reader **ret_reader)
{
	struct stat st;
	auto_tar struct tar_reader *r = calloc(1, sizeof *r);

	if (!r)
		return err_oom();
	r->fd = fd;
	r->limits = limits ? limits : &layer_limits_default;
	if (fstat(fd, &st) < 0)
		return err_errno("stat tar file");
	if (!S_ISREG(st.st_mode))
		return err_new(EINVAL, "a tar file must be a regular file");
	r->size = (uint64_t)st.st_size;
	TRY(open_archive(r));
	*ret_reader = TAKE(r);
	return NULL;
}

void tar_close(struct tar_reader *r)
{
	if (!r)
		return;
	archive_read_free(r->archive);
	if (r->locale)
		freelocale(r->locale);
	free(r->extents);
	free(r->xattrs);
	free(r);
}

/* Make room for item number `count` in a growing array. */
static void *grown(void *items, size_t *cap, size_t count, size_t size)
{
	if (count < *cap)
		return items;
	size_t wanted = *cap ? *cap * 2 : 16;
	void *bigger = reallocarray(items, wanted, size);
	if (bigger)
		*cap = wanted;
	return bigger;
}

static err *read_xattrs(struct tar_reader *r, struct archive_entry *ae, struct tar_entry *e)
{
	const char *name;
	const void *value;
	size_t size, total = 0;

	archive_entry_xattr_reset(ae);
	while (archive_entry_xattr_next(ae, &name, &value, &size) == ARCHIVE_OK) {
		void *items = grown(r->xattrs, &r->xattr_cap, e->xattr_count, sizeof *r->xattrs);
		if (!items)
			return err_oom();
		r->xattrs = items;
		r->xattrs[e->xattr_count++] = (struct tar_xattr){ name, value, size };
		total += strlen(name) + size;
		if (total > r->limits->xattrs)
			return err_new(EFBIG, "extended attributes are larger than %zu bytes",
				       r->limits->xattrs);
	}
	e->xattrs = r->xattrs;
	return NULL;
}

/* The extents' places: in a tar they follow each other without gaps from `data` on. */
static err *read_extents(struct tar_reader *r, struct archive_entry *ae, uint64_t data, struct tar_entry *e)
{
	la_int64_t offset, length;
	bool sparse = archive_entry_sparse_reset(ae) > 0;
	uint64_t end = 0;

	for (bool first = true;; first = false) {
		if (sparse && archive_entry_sparse_next(ae, &offset, &length) != ARCHIVE_OK)
			break;
		if (!sparse && !first)
			break;
		if (!sparse) {
			offset = 0;
			length = (la_int64_t)e->size;
		}
		if (offset < 0 || length < 0 || (uint64_t)offset < end)
			return err_new(EINVAL, "sparse map is not in order");
		end = (uint64_t)offset + (uint64_t)length;
		if (end > e->size)
			return err_new(EINVAL, "sparse map goes beyond the end of the file");
		if (length == 0)
			continue;
		void *items = grown(r->extents, &r->extent_cap, e->extent_count, sizeof *r->extents);
		if (!items)
			return err_oom();
		r->extents = items;
		r->extents[e->extent_count++] =
			(struct tar_extent){ (uint64_t)offset, (uint64_t)length, data };
		data += (uint64_t)length;
	}
	e->extents = r->extents;
	return NULL;
}

/* Skip the data and compare where libarchive ends with where our map ends: so a map that it read in
 * another way than we do, or a file cut short, cannot pass. */
static err *check_data(struct tar_reader *r, uint64_t data, const struct tar_entry *e)
{
	uint64_t stored = 0;

	for (size_t i = 0; i < e->extent_count; i++)
		stored += e->extents[i].length;
	stored = (stored + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	if (archive_read_data_skip(r->archive) < ARCHIVE_WARN)
		return err_new(EINVAL, "%s", archive_error_string(r->archive));
	uint64_t end = (uint64_t)archive_filter_bytes(r->archive, 0);
	if (data + stored > r->size)
		return err_new(EINVAL, "archive is cut short: data ends at %llu, the archive at %llu",
			       (unsigned long long)(data + stored), (unsigned long long)r->size);
	if (end != data + stored)
		return err_new(EINVAL, "size of the data does not agree with its map");
	return NULL;
}

static err *take_id(la_int64_t value, const char *what, uint32_t *ret)
{
	/* The last one is "no owner" to the kernel. */
	if (value < 0 || value >= (la_int64_t)UINT32_MAX)
		return err_new(EINVAL, "%s %lld is out of range", what, (long long)value);
	*ret = (uint32_t)value;
	return NULL;
}

/* libarchive 3.6 takes the digits behind the point of "-1.25" for a quarter of a second after -1. */
static void take_time(struct archive_entry *ae, struct tar_entry *e)
{
	long nsec = archive_entry_mtime_nsec(ae);

	e->mtime = archive_entry_mtime(ae);
	if (nsec < 0 || nsec >= (long)NSEC_PER_SEC)
		nsec = 0;
	if (e->mtime < 0 && nsec > 0) {
		e->mtime--;
		nsec = (long)NSEC_PER_SEC - nsec;
	}
	e->mtime_nsec = (uint32_t)nsec;
}

static err *read_inode(struct archive_entry *ae, const struct layer_limits *limits, struct tar_entry *e)
{
	uint64_t major = (uint64_t)archive_entry_rdevmajor(ae), minor = (uint64_t)archive_entry_rdevminor(ae);
	la_int64_t size = archive_entry_size_is_set(ae) ? archive_entry_size(ae) : 0;

	e->mode = archive_entry_filetype(ae) | (archive_entry_mode(ae) & 07777);
	TRY(take_id(archive_entry_uid(ae), "user id", &e->uid));
	TRY(take_id(archive_entry_gid(ae), "group id", &e->gid));
	take_time(ae, e);
	if (S_ISCHR(e->mode) || S_ISBLK(e->mode)) {
		if (major > MAJOR_MAX || minor > MINOR_MAX)
			return err_new(EINVAL, "device number is out of range");
		e->major = (uint32_t)major;
		e->minor = (uint32_t)minor;
	}
	if (S_ISLNK(e->mode))
		e->link = archive_entry_symlink(ae);
	if (S_ISLNK(e->mode) && (!e->link || !*e->link))
		return err_new(EINVAL, "symbolic link without a target");
	if (S_ISREG(e->mode) && (size < 0 || (uint64_t)size > limits->file_size))
		return err_new(EFBIG, "file size %lld is over the limit", (long long)size);
	e->size = S_ISREG(e->mode) ? (uint64_t)size : 0;
	return NULL;
}

static err *read_entry(struct tar_reader *r, struct archive_entry *ae, struct tar_entry *e)
{
	uint64_t data = (uint64_t)archive_filter_bytes(r->archive, 0);

	e->link = archive_entry_hardlink(ae);
	e->hard_link = e->link != NULL;
	if (!e->hard_link)
		TRY(read_inode(ae, r->limits, e));
	if (e->link && strlen(e->link) > r->limits->path)
		return err_new(EFBIG, "link target is longer than %zu bytes", r->limits->path);
	if (e->hard_link) /* data of a link, if any, belongs to its target's entry: pax -o linkdata */
		return archive_read_data_skip(r->archive) < ARCHIVE_WARN ?
			       err_new(EINVAL, "%s", archive_error_string(r->archive)) :
			       NULL;
	TRY(read_xattrs(r, ae, e));
	if (S_ISREG(e->mode))
		TRY(read_extents(r, ae, data, e));
	return S_ISREG(e->mode) ? check_data(r, data, e) : NULL;
}

static err *next(struct tar_reader *r, struct tar_entry *e, bool *ret_more)
{
	struct archive_entry *ae;

	r->budget = HEADERS_MAX;
	int status = r->size ? archive_read_next_header(r->archive, &ae) : ARCHIVE_EOF;
	if (status == ARCHIVE_EOF) {
		*ret_more = false;
		return NULL;
	}
	if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
		int code = archive_errno(r->archive);
		return err_new(code == EFBIG || code == EIO ? code : EINVAL, "at byte %lld: %s",
			       (long long)archive_filter_bytes(r->archive, 0),
			       archive_error_string(r->archive));
	}
	r->budget = UINT64_MAX;
	e->path = archive_entry_pathname(ae);
	if (!e->path)
		return err_new(EINVAL, "entry without a name");
	if (strlen(e->path) > r->limits->path)
		return err_new(EFBIG, "path '%.64s...' is longer than %zu bytes", e->path, r->limits->path);
	*ret_more = true;
	return err_wrap(read_entry(r, ae, e), "'%s'", e->path);
}

err *tar_next(struct tar_reader *r, struct tar_entry *ret_entry, bool *ret_more)
{
	locale_t saved = uselocale(r->locale);

	*ret_entry = (struct tar_entry){ 0 };
	err *e = next(r, ret_entry, ret_more);
	uselocale(saved);
	return e;
}
