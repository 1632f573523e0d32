/* images/extract-store.c: extracted trees beside the tar in a layer's directory of the store. */
#include "images/extract.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

#define PARTIAL LAYER_TREE ".partial"

/* A descriptor of our own for the directory: flock(2) belongs to the open file, and the caller may hold
 * one through `layer_fd`. Closing it unlocks. */
static err *lock(int layer_fd, int *ret_fd)
{
	auto_close int fd = openat(layer_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int status;

	if (fd < 0)
		return err_errno("open layer");
	do
		status = flock(fd, LOCK_EX);
	while (status < 0 && errno == EINTR);
	if (status < 0)
		return err_errno("lock layer");
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

static int open_tree_dir(int layer_fd, const char *name)
{
	return openat(layer_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static err *extract(int layer_fd, const struct extract_options *options)
{
	auto_close int tar_fd = openat(layer_fd, LAYER_TAR, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (tar_fd < 0)
		return err_errno("open '%s'", LAYER_TAR);
	TRY(path_remove_all(layer_fd, PARTIAL));
	if (mkdirat(layer_fd, PARTIAL, 0700) < 0)
		return err_errno("make directory '%s'", PARTIAL);
	auto_close int tree_fd = open_tree_dir(layer_fd, PARTIAL);
	if (tree_fd < 0)
		return err_errno("open '%s'", PARTIAL);
	TRY(layer_extract(tar_fd, tree_fd, options, NULL));
	/* One call for all files; a rename that outlives a power cut must not show half of them. */
	if (syncfs(tree_fd) < 0)
		return err_errno("sync");
	if (renameat(layer_fd, PARTIAL, layer_fd, LAYER_TREE) < 0)
		return err_errno("rename '%s'", PARTIAL);
	return fsync(layer_fd) < 0 ? err_errno("sync") : NULL;
}

err *layer_tree_ensure(int layer_fd, const struct extract_options *options, int *ret_tree_fd)
{
	auto_close int lock_fd = -1;
	auto_close int fd = open_tree_dir(layer_fd, LAYER_TREE);

	if (fd < 0 && errno == ENOENT) {
		TRY(lock(layer_fd, &lock_fd));
		fd = open_tree_dir(layer_fd, LAYER_TREE);
	}
	if (fd < 0 && errno == ENOENT) {
		err *e = extract(lock_fd, options);
		if (e) {
			IGNORE(path_remove_all(lock_fd, PARTIAL));
			return e;
		}
		fd = open_tree_dir(layer_fd, LAYER_TREE);
	}
	if (fd < 0)
		return err_errno("open '%s'", LAYER_TREE);
	*ret_tree_fd = TAKE_FD(fd);
	return NULL;
}

err *layer_tree_remove(int layer_fd)
{
	auto_close int lock_fd = -1;

	TRY(lock(layer_fd, &lock_fd));
	TRY(path_remove_all(layer_fd, PARTIAL));
	return path_remove_all(layer_fd, LAYER_TREE);
}
