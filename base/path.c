/* base/path.c: path resolution inside a root. */
#include "base/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/fd.h"

/* openat2(2) gives EAGAIN when a rename anywhere made ".." unsafe; a hostile container can keep that
 * up, so the tries are bounded. */
#define EAGAIN_TRIES 128
/* Links without target that are gone along, one frame of PATH_MAX bytes each. */
#define LINKS_MAX    8

static const uint64_t scope_flags[] = {
	[PATH_IN_ROOT] = RESOLVE_IN_ROOT,
	[PATH_BENEATH] = RESOLVE_BENEATH,
	[PATH_NO_LINKS] = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
};

static int openat2_scoped(int root_fd, const char *path, enum path_scope scope, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
		.resolve = scope_flags[scope] | RESOLVE_NO_MAGICLINKS,
	};
	int fd = -1;

	/* As one path that is put together of the root's and this one. */
	if (scope == PATH_IN_ROOT && !DEFENCE("in-root")) {
		path += strspn(path, "/");
		path = *path ? path : ".";
		how.resolve = 0;
	}
	for (int i = 0; i < EAGAIN_TRIES; i++) {
		fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

err *path_open(int root_fd, const char *path, enum path_scope scope, int flags, mode_t mode,
	       int *ret_fd)
{
	/* The root itself, as "/" and "" name it, is "." to RESOLVE_BENEATH. */
	const char *name = scope == PATH_IN_ROOT ? path : path + strspn(path, "/");
	int fd = openat2_scoped(root_fd, *name ? name : ".", scope, flags, mode);

	if (fd < 0)
		return err_errno("open '%s'", path);
	*ret_fd = fd;
	return NULL;
}

bool path_of_link(const char *path, int parent_fd, const char *name, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t at = 0;
	ssize_t n;

	if (slash && (at = (size_t)(slash - path) + 1) >= size)
		return false;
	memcpy(out, path, at);
	n = readlinkat(parent_fd, name, out + at, size - at);
	if (n <= 0 || (size_t)n >= size - at)
		return false;
	out[at + (size_t)n] = '\0';
	/* Not shortened: what ".." means is for the kernel to find out. */
	if (out[at] == '/')
		memmove(out, out + at, (size_t)n + 1);
	return true;
}

static err *make_dirs(int root_fd, const char *path, mode_t mode, unsigned links, int *ret_fd);

/* Open component `name` of `dir_fd` as a directory, making it when it is missing. Between the two
 * calls another process may put a link there: the second open resolves it inside the root again. A link that
 * leads nowhere gets what it leads to. */
static err *enter(int root_fd, const char *sofar, mode_t mode, int parent_fd, const char *name,
		  unsigned links, int *ret_fd)
{
	char target[PATH_MAX];
	int fd = openat2_scoped(root_fd, sofar, PATH_IN_ROOT, O_PATH | O_DIRECTORY, 0);

	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(parent_fd, name, mode) < 0 && errno != EEXIST)
			return err_errno("make directory '%s'", sofar);
		fd = openat2_scoped(root_fd, sofar, PATH_IN_ROOT, O_PATH | O_DIRECTORY, 0);
	}
	if (fd < 0 && errno == ENOENT && links > 0 &&
	    path_of_link(sofar, parent_fd, name, target, sizeof target))
		return make_dirs(root_fd, target, mode, links - 1, ret_fd);
	if (fd < 0)
		return err_errno("open directory '%s'", sofar);
	*ret_fd = fd;
	return NULL;
}

/* Or all but the last: made below its parent, where a link that took its place meanwhile is not followed. */
static bool make_last(int root_fd, const char *path, mode_t mode, int *ret_fd)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char parent_path[PATH_MAX] = "/";
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (!path_is_name(name) || len >= sizeof parent_path)
		return false;
	if (len > 0) {
		memcpy(parent_path, path, len);
		parent_path[len] = '\0';
	}
	auto_close int parent = openat2_scoped(root_fd, parent_path, PATH_IN_ROOT, O_PATH | O_DIRECTORY, 0);
	if (parent < 0 || mkdirat(parent, name, mode) < 0)
		return false;
	*ret_fd = openat2_scoped(parent, name, PATH_NO_LINKS, O_PATH | O_DIRECTORY, 0);
	return *ret_fd >= 0;
}

static err *make_dirs(int root_fd, const char *path, mode_t mode, unsigned links, int *ret_fd)
{
	char sofar[PATH_MAX];
	size_t len = 0;
	/* Often everything is there: one call instead of one per component. */
	int whole = openat2_scoped(root_fd, *path ? path : "/", PATH_IN_ROOT, O_PATH | O_DIRECTORY, 0);
	if (whole >= 0 || (errno == ENOENT && make_last(root_fd, path, mode, &whole))) {
		*ret_fd = whole;
		return NULL;
	}
	auto_close int fd = fd_dup(root_fd);
	if (fd < 0)
		return err_errno("duplicate root descriptor");
	for (const char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
		size_t n = strcspn(p, "/");
		if (len + n + 2 > sizeof sofar)
			return err_new(ENAMETOOLONG, "make directory '%s'", path);
		sofar[len++] = '/';
		memcpy(sofar + len, p, n);
		sofar[len + n] = '\0';
		int next = -1;
		TRY(enter(root_fd, sofar, mode, fd, sofar + len, links, &next));
		len += n;
		p += n;
		fd_close(fd);
		fd = next;
	}
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

err *path_make_dirs(int root_fd, const char *path, mode_t mode, int *ret_fd)
{
	return make_dirs(root_fd, path, mode, LINKS_MAX, ret_fd);
}

err *path_make_parent(int root_fd, const char *path, mode_t mode, int *ret_parent_fd,
		      const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char parent[PATH_MAX];
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (!path_is_name(name))
		return err_new(EINVAL, "'%s' does not end in a file name", path);
	if (len >= sizeof parent)
		return err_new(ENAMETOOLONG, "'%s'", path);
	memcpy(parent, path, len);
	parent[len] = '\0';
	TRY(path_make_dirs(root_fd, parent, mode, ret_parent_fd));
	*ret_name = name;
	return NULL;
}

const char *path_of_fd(int fd, char buf[static PATH_FD_MAX])
{
	snprintf(buf, PATH_FD_MAX, "/proc/self/fd/%d", fd);
	return buf;
}

bool path_is_name(const char *name)
{
	return *name && !strchr(name, '/') && strlen(name) <= NAME_MAX && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

bool path_clean(const char *path, char *out, size_t size)
{
	size_t len = 0;

	for (const char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
		size_t n = strcspn(p, "/");
		const char *component = p;
		p += n;
		if (n == 1 && component[0] == '.')
			continue;
		if (n == 2 && component[0] == '.' && component[1] == '.') {
			while (len > 0 && out[--len] != '/')
				;
			continue;
		}
		if (n > size || len + n + 2 > size)
			return false;
		out[len++] = '/';
		memcpy(out + len, component, n);
		len += n;
	}
	if (len == 0 && size > 1)
		out[len++] = '/';
	if (len >= size)
		return false;
	out[len] = '\0';
	return true;
}

err *path_mkdir_all(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		return NULL;
	auto_free char *copy = strdup(path);
	if (!copy)
		return err_oom();
	for (char *p = copy + 1; *copy && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST && errno != EROFS)
			return err_errno("make directory '%s'", copy);
		*p = '/';
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_errno("make directory '%s'", path);
	if (stat(path, &st) < 0)
		return err_errno("make directory '%s'", path);
	return S_ISDIR(st.st_mode) ? NULL : err_code(ENOTDIR, "make directory '%s'", path);
}

/* Depth first with one open descriptor per level; RESOLVE_NO_XDEV keeps out of other mounts. */
#define REMOVE_DEPTH_MAX 4096

static int open_plain_dir(int dir_fd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof how);
}

static err *remove_tree(int dir_fd, const char *name, int depth)
{
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return NULL;
	if (errno != EISDIR && errno != EPERM)
		return err_errno("remove '%s'", name);
	if (depth >= REMOVE_DEPTH_MAX)
		return err_new(ELOOP, "remove '%s': nested too deeply", name);
	int fd = open_plain_dir(dir_fd, name);
	if (fd < 0)
		return err_errno("remove '%s'", name);
	DIR *dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return err_errno("remove '%s'", name);
	}
	err *failure = NULL;
	struct dirent *entry;
	while (!failure && (errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			failure = remove_tree(dirfd(dir), entry->d_name, depth + 1);
	closedir(dir);
	if (failure)
		return err_wrap(failure, "remove '%s'", name);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_errno("remove '%s'", name);
	return NULL;
}

err *path_remove_all(int dir_fd, const char *name)
{
	if (!path_is_name(name))
		return err_new(EINVAL, "'%s' is not the name of one entry", name);
	return remove_tree(dir_fd, name, 0);
}
