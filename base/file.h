/* base/file.h: whole files: read under a ceiling, replaced atomically. */
#pragma once
#include <stddef.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Append the content of `name` in `dir_fd` (AT_FDCWD: a path of the caller) to `out`; a file larger
 * than its ceiling is EFBIG; anything but a regular file is EINVAL, and a FIFO does not block. */
err *file_read(int dir_fd, const char *name, struct str *out) MUST_CHECK;

/* The same as a text in the arena, ended by NUL, without a copy of it elsewhere; larger than `max` bytes:
 * EFBIG. */
err *file_read_text(struct arena *arena, int dir_fd, const char *name, size_t max, char **ret,
		    size_t *ret_len) MUST_CHECK;

/* A file of the kernel with one record (/proc/PID/stat, a setting): read at once, into `buf` of `size` bytes,
 * ended by NUL. EFBIG when it does not fit. */
err *file_read_record(int dir_fd, const char *name, char *buf, size_t size) MUST_CHECK;

/* Write `name` in `dir_fd` so that a reader, and a crash, sees the old content or the new, never a
 * part: temporary file in the same directory, fsync, rename, fsync of the directory. */
err *file_replace(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode) MUST_CHECK;

/* The same without both fsync, for files on tmpfs or that a crash may lose (state under /run). */
err *file_replace_volatile(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode)
	MUST_CHECK;

/* Write a short value into an existing file of a kernel interface (proc, sysfs, cgroup): one write(2). */
err *file_put(int dir_fd, const char *name, const char *value) MUST_CHECK;
