/* cmd/stube-init/copy.c: the content of a directory into a fresh tmpfs (tmpcopyup). */
#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/stube-init/init.h"

#define DEPTH_MAX 64

static err *copy_dir(int from, int to, unsigned depth);

/* Owner first: chown(2) drops set-id bits that chmod(2) then sets again. */
static err *set_owner(int fd, const struct stat *st)
{
	if (fchown(fd, st->st_uid, st->st_gid) < 0)
		return err_errno("set owner");
	return fchmod(fd, st->st_mode & 07777) < 0 ? err_errno("set mode") : NULL;
}

static err *copy_file(int from, int to, const char *name, const struct stat *st)
{
	auto_close int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_close int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n;

	if (in < 0 || out < 0)
		return err_errno("open");
	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	if (n < 0)
		return err_errno("copy");
	return set_owner(out, st);
}

static err *copy_link(int from, int to, const char *name, const struct stat *st)
{
	char target[4096];
	ssize_t n = readlinkat(from, name, target, sizeof target - 1);

	if (n < 0)
		return err_errno("read link");
	target[n] = '\0';
	if (symlinkat(target, to, name) < 0)
		return err_errno("make link");
	return fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ?
		       err_errno("set owner") :
		       NULL;
}

static err *copy_subdir(int from, int to, const char *name, const struct stat *st, unsigned depth)
{
	if (mkdirat(to, name, 0700) < 0)
		return err_errno("make directory");
	auto_close int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_close int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0 || out < 0)
		return err_errno("open");
	TRY(copy_dir(in, out, depth + 1));
	return set_owner(out, st);
}

static err *copy_special(int to, const char *name, const struct stat *st)
{
	if (mknodat(to, name, st->st_mode, st->st_rdev) < 0)
		return err_errno("make node");
	return fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ?
		       err_errno("set owner") :
		       NULL;
}

static err *copy_entry(int from, int to, const char *name, unsigned depth)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno("look at");
	switch (st.st_mode & S_IFMT) {
	case S_IFDIR:
		return copy_subdir(from, to, name, &st, depth);
	case S_IFREG:
		return copy_file(from, to, name, &st);
	case S_IFLNK:
		return copy_link(from, to, name, &st);
	case S_IFSOCK:
		return NULL; /* bound by nobody after a copy */
	default:
		return copy_special(to, name, &st);
	}
}

/* By getdents64(2): small enough to do without the libc's directory streams. */
static err *copy_dir(int from, int to, unsigned depth)
{
	_Alignas(8) char buffer[8192];
	long n;

	if (depth > DEPTH_MAX)
		return err_new(ELOOP, "deeper than %d directories", DEPTH_MAX);
	while ((n = syscall(SYS_getdents64, from, buffer, sizeof buffer)) > 0) {
		for (char *p = buffer; p < buffer + n;) {
			struct entry {
				uint64_t ino;
				int64_t off;
				uint16_t size;
				unsigned char type;
				char name[];
			} *d = (void *)p;

			p += d->size;
			if (str_equal(d->name, ".") || str_equal(d->name, ".."))
				continue;
			TRY(err_wrap(copy_entry(from, to, d->name, depth), "'%s'", d->name));
		}
	}
	return n < 0 ? err_errno("read directory") : NULL;
}

err *copy_tree(int from, int to)
{
	return copy_dir(from, to, 0);
}
