/* base/path.h: paths that somebody else wrote, resolved inside a root by openat2(2).
 *
 * A path is used once: open it here, check the descriptor with fstat(2), act on the descriptor. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/macro.h"

/* How a path may leave its root. */
enum path_scope {
	PATH_IN_ROOT,  /* as chroot(2): absolute links and .. stay inside (RESOLVE_IN_ROOT) */
	PATH_BENEATH,  /* any attempt to leave is EXDEV (RESOLVE_BENEATH) */
	PATH_NO_LINKS, /* beneath, and no symbolic link in any component (ELOOP) */
};

/* Open `path` below `root_fd`. flags and mode as open(2); O_CLOEXEC is added. Magic links of proc(5)
 * are never followed. Retries EAGAIN, which a rename race on the host may cause, a bounded number of
 * times. Errors carry openat2's code. */
err *path_open(int root_fd, const char *path, enum path_scope scope, int flags, mode_t mode,
	       int *ret_fd) MUST_CHECK;

/* Make the directories of `path` below `root_fd` that are missing, component by component from
 * descriptors, and open the last one (O_PATH | O_DIRECTORY). Symbolic links that lead to a directory
 * inside the root are followed, as PATH_IN_ROOT; where they lead to nothing, that is made, inside the root.
 */
err *path_make_dirs(int root_fd, const char *path, mode_t mode, int *ret_fd) MUST_CHECK;

/* Split into the parent, opened as path_make_dirs() does, and the last component. "/" and paths that
 * end in ".." are EINVAL. *ret_name points into `path`. Trailing slashes must be removed before. */
err *path_make_parent(int root_fd, const char *path, mode_t mode, int *ret_parent_fd,
		      const char **ret_name) MUST_CHECK;

/* Where the link `path` leads, from the same root: `name` in `parent_fd` is its last component. The result
 * may hold "..". False when it is no link, or does not fit. */
bool path_of_link(const char *path, int parent_fd, const char *name, char *out, size_t size);

/* "/proc/self/fd/N", for calls that know no descriptor. */
#define PATH_FD_MAX 32
const char *path_of_fd(int fd, char buf[static PATH_FD_MAX]);

/* One component that is safe as a file name: not empty, not "." or "..", no slash, at most 255 bytes. */
bool path_is_name(const char *name);

/* Normalise lexically into `out` (PATH_MAX bytes): one leading slash, no empty, "." or ".."
 * component; ".." at the root stays there. False when it does not fit. */
bool path_clean(const char *path, char *out, size_t size);

/* mkdir -p with `mode` for what is missing; for paths of the caller, never of a container. */
err *path_mkdir_all(const char *path, mode_t mode) MUST_CHECK;

/* Remove a tree below `dir_fd` without following a link or crossing into another mount. A missing
 * name is fine. */
err *path_remove_all(int dir_fd, const char *name) MUST_CHECK;
