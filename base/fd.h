/* base/fd.h: file descriptors: closing, whole reads and writes, sealed memory files, passing.
 * Everything here makes descriptors close-on-exec. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"

/* Close `fd` unless it is negative; errno is kept. */
void fd_close(int fd);
DEFINE_CLEANUP(int, fd_close)
#define auto_close CLEANUP(fd_close)

/* Close *fd now and mark it unset. */
void fd_clear(int *fd);

/* A second descriptor, 3 or above, for what `fd` is open on; -1 with errno. One system call, unlike musl's
 * fcntl(3), which sets the flag once more. */
int fd_dup(int fd);

/* Write all bytes; goes on after a short write or EINTR. Errors: what write(2) says. */
err *fd_write_all(int fd, const void *bytes, size_t len) MUST_CHECK;

/* Append everything up to end of file to `out`; its ceiling bounds the read (EFBIG). */
err *fd_read_all(int fd, struct str *out) MUST_CHECK;

/* Read exactly `len` bytes; an early end is EPIPE. */
err *fd_read_exact(int fd, void *bytes, size_t len) MUST_CHECK;

/* A memory file with these bytes, sealed against every change (memfd_create(2), fcntl(2) F_ADD_SEALS);
 * `executable` asks for one that execveat(2) accepts where vm.memfd_noexec forbids it by default. */
err *fd_sealed(const char *name, const void *bytes, size_t len, bool executable, int *ret_fd)
	MUST_CHECK;

/* One message with up to FD_PASS_MAX descriptors over a Unix socket (SCM_RIGHTS). */
#define FD_PASS_MAX 32
err *fd_send(int sock, const void *bytes, size_t len, const int *fds, size_t fd_count) MUST_CHECK;

/* Receive one message. *ret_len bytes were read (0: end of file), *ret_count descriptors (yours to
 * close, close-on-exec). A truncated message or more descriptors than `fd_max` is EMSGSIZE, and
 * every descriptor that came is closed. */
err *fd_recv(int sock, void *bytes, size_t max, size_t *ret_len, int *fds, size_t fd_max,
	     size_t *ret_count) MUST_CHECK;

/* Connect to, or listen on, a Unix socket of `type` (SOCK_STREAM, SOCK_SEQPACKET) at `path`.
 * A path longer than sun_path is reached through its directory's descriptor. */
err *fd_unix_connect(const char *path, int type, int *ret_fd) MUST_CHECK;
err *fd_unix_listen(const char *path, int type, mode_t mode, int *ret_fd) MUST_CHECK;
