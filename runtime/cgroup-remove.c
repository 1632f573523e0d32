/* runtime/cgroup-remove.c: taking away the directories of a container's cgroup. */
#include "runtime/cgroup-internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"

enum { REMOVE_TIMEOUT_MS = 5000, DEPTH_MAX = 64 };

static void close_dir(DIR *dir)
{
	if (dir)
		closedir(dir);
}
DEFINE_CLEANUP(DIR *, close_dir)

/* Children first. What is busy stays and shows when its parent is removed. */
static void remove_children(int fd, int depth)
{
	CLEANUP(close_dir) DIR *dir = NULL;
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = own < 0 ? NULL : fdopendir(own);
	if (!dir)
		fd_close(own);
	for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir)) {
		auto_close int child = -1;
		if (d->d_type != DT_DIR || d->d_name[0] == '.' || depth == DEPTH_MAX)
			continue;
		child = openat(fd, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (child >= 0)
			remove_children(child, depth + 1);
		unlinkat(fd, d->d_name, AT_REMOVEDIR);
	}
}

/* The parent of the last component of `path`, opened; the component's name. */
static err *open_parent(int root_fd, char *path, int *ret_fd, const char **ret_name)
{
	char *slash = strrchr(path, '/');

	*slash = '\0';
	*ret_name = slash + 1;
	if (!path[0])
		return cgroup_open_dir(root_fd, ".", ret_fd);
	return path_open(root_fd, path + 1, PATH_NO_LINKS, O_RDONLY | O_DIRECTORY, 0, ret_fd);
}

/* Processes that are ending keep the directory busy a moment longer than their own ends. */
static err *remove_leaf(struct cgroup *cg, int parent_fd, const char *name)
{
	int64_t deadline = clock_monotonic() + REMOVE_TIMEOUT_MS * (int64_t)NSEC_PER_MSEC;

	while (unlinkat(parent_fd, name, AT_REMOVEDIR) < 0) {
		if (errno == ENOENT)
			return NULL;
		if (errno != EBUSY && errno != ENOTEMPTY)
			return err_errno("remove cgroup '%s'", cg->path);
		int64_t left = (deadline - clock_monotonic()) / (int64_t)NSEC_PER_MSEC;
		err *e = left > 0 && cg->fd >= 0 ? cgroup_wait_empty(cg, (int)left) :
						   err_new(ETIMEDOUT, "time is over");
		if (e) {
			err_free(e);
			return err_new(EBUSY, "remove cgroup '%s': it still has processes", cg->path);
		}
		remove_children(cg->fd, 0);
	}
	return NULL;
}

/* Parents that were made for this container and that nobody else uses now. */
static void remove_parents(int root_fd, char *path, unsigned count)
{
	for (; count > 0 && path[0]; count--) {
		auto_close int parent = -1;
		const char *name;
		err *e = open_parent(root_fd, path, &parent, &name);
		bool gone = !e && (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT);

		if (e && e->code == ENOENT)
			gone = true;
		err_free(e);
		if (!gone)
			return;
	}
}

bool cgroup_remove_empty(struct cgroup *cg)
{
	const char *slash = strrchr(cg->path, '/');
	char path[PATH_MAX];

	/* There are no links in a hierarchy, and nobody moves directories: the whole path will do. */
	if (cg->made == 0 || !slash || unlinkat(cg->root_fd, cg->path + 1, AT_REMOVEDIR) < 0)
		return false;
	fd_clear(&cg->fd);
	snprintf(path, sizeof path, "%.*s", (int)(slash - cg->path), cg->path);
	remove_parents(cg->root_fd, path, cg->made - 1);
	return true;
}

err *cgroup_remove(struct cgroup *cg)
{
	auto_free char *path = strdup(cg->path);
	auto_close int parent = -1;
	const char *name;

	if (!path)
		return err_oom();
	if (cg->fd >= 0 && cg->made == 0) {
		TRY(cgroup_wait_empty(cg, REMOVE_TIMEOUT_MS));
		remove_children(cg->fd, 0);
	}
	if (cg->made == 0) {
		fd_clear(&cg->fd);
		return NULL;
	}
	err *e = open_parent(cg->root_fd, path, &parent, &name);
	if (!e)
		e = remove_leaf(cg, parent, name);
	if (e && e->code != ENOENT)
		return e;
	err_free(e);
	fd_clear(&cg->fd);
	remove_parents(cg->root_fd, path, cg->made - 1);
	return NULL;
}
