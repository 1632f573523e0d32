/* base/file.c: whole files. */
#include "base/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

enum { READ_AT_ONCE = 4096 };

static err *open_regular(int dir_fd, const char *name, struct stat *ret, int *ret_fd)
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_errno("open '%s'", name);
	if (fstat(fd, ret) < 0)
		return err_errno("stat '%s'", name);
	if (!S_ISREG(ret->st_mode))
		return err_new(EINVAL, "'%s' is not a regular file", name);
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

err *file_read(int dir_fd, const char *name, struct str *out)
{
	auto_close int fd = -1;
	struct stat st;

	TRY(open_regular(dir_fd, name, &st, &fd));
	/* One byte more than it has, for the end. */
	if (st.st_size > READ_AT_ONCE && (uint64_t)st.st_size < out->max - MIN(out->len, out->max))
		(void)str_room(out, (size_t)st.st_size + 1);
	return err_wrap(fd_read_all(fd, out), "read '%s'", name);
}

err *file_read_text(struct arena *arena, int dir_fd, const char *name, size_t max, char **ret,
		    size_t *ret_len)
{
	auto_close int fd = -1;
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	TRY(open_regular(dir_fd, name, &st, &fd));
	if ((uint64_t)st.st_size > max)
		return err_new(EFBIG, "'%s' is larger than %zu bytes", name, max);
	size_t size = (size_t)st.st_size;
	TRY_ALLOC(arena, *ret, arena_alloc(arena, size + 1));
	/* What is appended while we read belongs to the next one who reads. */
	while (len < size && n != 0) {
		n = read(fd, *ret + len, size - len);
		if (n < 0 && errno != EINTR)
			return err_errno("read '%s'", name);
		len += n > 0 ? (size_t)n : 0;
	}
	*ret_len = len;
	return NULL;
}

err *file_read_record(int dir_fd, const char *name, char *buf, size_t size)
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return err_errno("open '%s'", name);
	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno("read '%s'", name);
	if ((size_t)n == size)
		return err_new(EFBIG, "'%s' is longer than %zu bytes", name, size - 1);
	buf[n] = '\0';
	return NULL;
}

/* A temporary name that nobody can guess or collide with; removed unless renamed. */
static err *make_temporary(int dir_fd, const char *name, mode_t mode, char temporary[static PATH_MAX],
			   int *ret_fd)
{
	const char *slash = strrchr(name, '/');
	int dir_len = slash ? (int)(slash - name) + 1 : 0;
	const char *base = slash ? slash + 1 : name;
	unsigned long long random;

	if (!path_is_name(base))
		return err_new(EINVAL, "'%s' does not end in a file name", name);
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return err_errno("get random bytes");
	int n = snprintf(temporary, PATH_MAX, "%.*s.%.200s.%016llx", dir_len, name, base, random);
	if (n < 0 || n >= PATH_MAX)
		return err_new(ENAMETOOLONG, "'%s'", name);
	int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno("create '%s'", temporary);
	/* fchmod and not the mode of open: the umask must not decide. */
	if (fchmod(fd, mode) < 0) {
		err *e = err_errno("set mode of '%s'", temporary);
		fd_close(fd);
		unlinkat(dir_fd, temporary, 0);
		return e;
	}
	*ret_fd = fd;
	return NULL;
}

static err *sync_directory(int dir_fd, const char *name)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(name, '/');
	int len = slash ? (int)(slash - name) + 1 : 0;

	snprintf(dir, sizeof dir, "%.*s.", len, name);
	auto_close int fd = openat(dir_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_errno("sync directory of '%s'", name);
	return NULL;
}

static err *fill_and_rename(int dir_fd, int fd, const char *temporary, const char *name,
			    const void *bytes, size_t len, bool durable)
{
	TRY(fd_write_all(fd, bytes, len));
	if (durable && fdatasync(fd) < 0)
		return err_errno("sync");
	if (renameat(dir_fd, temporary, dir_fd, name) < 0)
		return err_errno("rename '%s'", temporary);
	return NULL;
}

static err *replace(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode,
		    bool durable)
{
	char temporary[PATH_MAX];
	auto_close int fd = -1;

	TRY(err_wrap(make_temporary(dir_fd, name, mode, temporary, &fd), "write '%s'", name));
	err *e = fill_and_rename(dir_fd, fd, temporary, name, bytes, len, durable);
	if (e) {
		unlinkat(dir_fd, temporary, 0);
		return err_wrap(e, "write '%s'", name);
	}
	return durable ? sync_directory(dir_fd, name) : NULL;
}

err *file_replace(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode)
{
	return replace(dir_fd, name, bytes, len, mode, true);
}

err *file_replace_volatile(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode)
{
	return replace(dir_fd, name, bytes, len, mode, false);
}

err *file_put(int dir_fd, const char *name, const char *value)
{
	auto_close int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t len = strlen(value);

	if (fd < 0)
		return err_errno("open '%s'", name);
	ssize_t n = write(fd, value, len);
	if (n < 0)
		return err_errno("write '%s' to '%s'", value, name);
	return (size_t)n == len ? NULL : err_new(EIO, "write '%s' to '%s': short write", value, name);
}
