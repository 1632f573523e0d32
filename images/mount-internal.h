/* images/mount-internal.h: file system contexts and pinned indexes, between mount*.c. */
#pragma once
#include "base/err.h"
#include "base/fd.h"

/* What was tried and errno, with what the kernel wrote into the context's log. */
err *fs_failure(int fs_fd, const char *what) MUST_CHECK;

err *fs_open(const char *type, int *ret_fs_fd) MUST_CHECK;
err *fs_set(int fs_fd, const char *key, const char *value) MUST_CHECK; /* value NULL: a flag */

/* fsconfig(2) CMD_CREATE and fsmount(2). attributes: MOUNT_ATTR_*. */
err *fs_mount(int fs_fd, unsigned attributes, int *ret_mount_fd) MUST_CHECK;

/* A clone of the mount or directory behind `fd`, detached; with the ids of a user namespace unless -1. */
err *mount_clone(int fd, int userns_fd, int *ret_mount_fd) MUST_CHECK;

/* A layer's index as a mount: an attached one (a pin) when pins_fd is not -1, else a detached one. The
 * descriptor is for reading directories, not to be changed. */
err *index_mount(int layer_fd, const char *layer_name, int pins_fd, int *ret_mount_fd) MUST_CHECK;

/* Hold the pins' lock until *ret_fd is closed. */
err *pins_lock(int pins_fd, int *ret_fd) MUST_CHECK;
