/* tests/unit/images/tar-make.h: small tars written row by row, and trees listed as text to compare them.
 * The writer is the tests' own, so that it can write what no packer would. */
#pragma once
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

/* Rows say what matters and leave out the rest. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct row {
	char type;        /* as in ustar: '0' file, '1' hard link, '2' symbolic link, '5' directory, ... */
	const char *path; /* NULL ends the rows */
	const char *text; /* content, or a link's target */
	unsigned mode;    /* 0: 0644, directories 0755 */
	unsigned uid, gid, major, minor;
	long mtime;
	const char *pax;  /* "key=value" lines for this entry; values may not have line ends */
	const void *bytes; /* content that is no text */
	size_t size;
};

static UNUSED void put_octal(char *field, size_t size, unsigned long value)
{
	snprintf(field, size, "%0*lo", (int)size - 1, value);
}

static UNUSED void put_padded(int fd, const void *bytes, size_t len)
{
	static const char zeros[512];

	assert_ok(fd_write_all(fd, bytes, len));
	assert_ok(fd_write_all(fd, zeros, (512 - len % 512) % 512));
}

static UNUSED void put_header(int fd, const struct row *r, size_t size)
{
	char h[512] = { 0 };
	const char *link = (r->type == '1' || r->type == '2') && r->text ? r->text : "";
	unsigned sum = 0;

	memcpy(h, r->path, MIN(strlen(r->path), 100u));
	put_octal(h + 100, 8, r->mode ? r->mode : r->type == '5' ? 0755u : 0644u);
	put_octal(h + 108, 8, r->uid);
	put_octal(h + 116, 8, r->gid);
	put_octal(h + 124, 12, size);
	put_octal(h + 136, 12, (unsigned long)r->mtime);
	h[156] = r->type;
	memcpy(h + 157, link, MIN(strlen(link), 100u));
	memcpy(h + 257, "ustar\00000", 8);
	put_octal(h + 329, 8, r->major);
	put_octal(h + 337, 8, r->minor);
	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < sizeof h; i++)
		sum += (unsigned char)h[i];
	put_octal(h + 148, 7, sum);
	assert_ok(fd_write_all(fd, h, sizeof h));
}

/* "LENGTH key=value\n", where LENGTH counts itself. */
static UNUSED void add_pax(struct str *out, const char *record, size_t len)
{
	size_t total = len + 2;

	for (size_t last = 0; last != total;) {
		last = total;
		total = len + 2 + (size_t)snprintf(NULL, 0, "%zu", last);
	}
	str_addf(out, "%zu ", total);
	str_add_bytes(out, record, len);
	str_add_char(out, '\n');
}

static UNUSED void put_row(int fd, const struct row *r)
{
	auto_str struct str pax = STR_INIT(4 << 20);
	const char *text = r->bytes ? r->bytes : r->text ? r->text : "";
	bool data = r->type == '0' || r->type == '7' || r->type == 'S' || r->bytes;
	size_t size = !data ? 0 : r->size ? r->size : strlen(text);

	for (const char *p = r->pax; p && *p;) {
		size_t len = strcspn(p, "\n");
		add_pax(&pax, p, len);
		p += len + (p[len] == '\n');
	}
	if (pax.len) {
		put_header(fd, &(struct row){ .type = 'x', .path = "PaxHeader" }, pax.len);
		put_padded(fd, pax.data, pax.len);
	}
	put_header(fd, r, size);
	if (data)
		put_padded(fd, text, size);
}

/* A tar in a memory file; yours to close. */
static UNUSED int make_tar(const struct row *rows)
{
	static const char end[1024];
	int fd = memfd_create("tar", MFD_CLOEXEC);

	assert_true(fd >= 0);
	for (const struct row *r = rows; r->path; r++)
		put_row(fd, r);
	assert_ok(fd_write_all(fd, end, sizeof end));
	return fd;
}

/* ---- listing a directory, however it is mounted ---- */

static UNUSED void list_xattrs(struct str *out, const char *proc_path)
{
	char names[4096], value[65536];
	ssize_t len = listxattr(proc_path, names, sizeof names);
	const char *sorted[64];
	size_t count = 0;

	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1)
		if (count < ARRAY_LEN(sorted) && !strstr(names + at, ".overlay.") &&
		    !str_equal(names + at, "security.selinux"))
			sorted[count++] = names + at;
	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++)
			if (strcmp(sorted[k], sorted[i]) < 0) {
				const char *swap = sorted[i];
				sorted[i] = sorted[k];
				sorted[k] = swap;
			}
	for (size_t i = 0; i < count; i++) {
		ssize_t n = getxattr(proc_path, sorted[i], value, sizeof value);
		str_addf(out, " %s=", sorted[i]);
		for (ssize_t k = 0; k < n; k++)
			str_addf(out, "%02x", (unsigned char)value[k]);
	}
	if (getxattr(proc_path, "trusted.overlay.opaque", value, sizeof value) == 1 ||
	    getxattr(proc_path, "user.overlay.opaque", value, sizeof value) == 1)
		str_add(out, " OPAQUE");
}

static UNUSED void list_data(struct str *out, int fd, off_t size)
{
	char buf[65536];
	uint64_t sum = 14695981039346656037u;
	off_t at = 0;
	ssize_t n;

	/* Large ones are mostly holes: only what SEEK_DATA or the head and tail show. */
	while (at < size && (n = pread(fd, buf, sizeof buf, at)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum = (sum ^ (unsigned char)buf[i]) * 1099511628211u;
		at += n;
		if (at >= 1 << 20 && size - at > 1 << 20)
			at = size - (1 << 20);
	}
	str_addf(out, " data=%016llx", (unsigned long long)sum);
}

static UNUSED void list_one(struct str *out, int dir_fd, const char *name, const char *path)
{
	char proc_path[PATH_FD_MAX], target[4096];
	struct stat st;
	auto_close int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	path_of_fd(fd, proc_path);
	bool whiteout = S_ISCHR(st.st_mode) && st.st_rdev == 0;
	str_addf(out, "%s", path);
	if (whiteout) {
		str_add(out, " WHITEOUT\n");
		return;
	}
	str_addf(out, " %o %u:%u n%u %lld.%09ld", st.st_mode, st.st_uid, st.st_gid,
		 S_ISDIR(st.st_mode) ? 0 : (unsigned)st.st_nlink, (long long)st.st_mtim.tv_sec,
		 st.st_mtim.tv_nsec);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		str_addf(out, " %u,%u", major(st.st_rdev), minor(st.st_rdev));
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlinkat(fd, "", target, sizeof target);
		str_addf(out, " -> %.*s", (int)n, target);
	}
	if (S_ISREG(st.st_mode)) {
		auto_close int data = open(proc_path, O_RDONLY | O_CLOEXEC);
		assert_true(data >= 0);
		str_addf(out, " %lld", (long long)st.st_size);
		list_data(out, data, st.st_size);
	}
	list_xattrs(out, proc_path);
	str_add_char(out, '\n');
}

static UNUSED int name_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static UNUSED int no_dots(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

/* Every file below `dir_fd`, one line each: all that a layer says of it. */
static UNUSED void list_tree(struct str *out, int dir_fd, const char *path)
{
	struct dirent **entries;

	list_one(out, dir_fd, ".", *path ? path : "/");
	int count = scandirat(dir_fd, ".", &entries, no_dots, name_order);
	assert_true(count >= 0);
	for (int i = 0; i < count; i++) {
		auto_str struct str below = STR_INIT(8192);
		struct stat st;
		str_addf(&below, "%s/%s", path, entries[i]->d_name);
		assert_int_equal(fstatat(dir_fd, entries[i]->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
		if (S_ISDIR(st.st_mode)) {
			auto_close int fd = openat(dir_fd, entries[i]->d_name,
						   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			assert_true(fd >= 0);
			list_tree(out, fd, below.data);
		} else {
			list_one(out, dir_fd, entries[i]->d_name, below.data);
		}
		free(entries[i]);
	}
	free(entries);
}
