/* base/fd.c: file descriptors. */
#include "base/fd.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3; Debian 12's headers are older */
#endif

void fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}

void fd_clear(int *fd)
{
	fd_close(TAKE_FD(*fd));
}

int fd_dup(int fd)
{
	return (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
}

err *fd_write_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("write");
		p += n;
		len -= (size_t)n;
	}
	return NULL;
}

/* Through a buffer on the stack: what is read is mostly small, and so is the memory it is then given. */
err *fd_read_all(int fd, struct str *out)
{
	char chunk[4096];

	for (;;) {
		/* Large ones straight into what is free already. */
		size_t room = out->cap > out->len + 1 ? out->cap - out->len - 1 : 0;
		bool direct = room > sizeof chunk;
		ssize_t n = read(fd, direct ? str_room(out, room) : chunk, direct ? room : sizeof chunk);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("read");
		if (n == 0)
			return str_check(out);
		if (direct)
			str_grown(out, (size_t)n);
		else
			str_add_bytes(out, chunk, (size_t)n);
		TRY(str_check(out));
	}
}

err *fd_read_exact(int fd, void *bytes, size_t len)
{
	char *p = bytes;

	while (len > 0) {
		ssize_t n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("read");
		if (n == 0)
			return err_new(EPIPE, "ended %zu bytes early", len);
		p += n;
		len -= (size_t)n;
	}
	return NULL;
}

static int memfd(const char *name, bool executable)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | (executable ? MFD_EXEC : 0));

	/* Kernels before 6.3 refuse the flag and make every memory file executable. */
	return fd < 0 && errno == EINVAL && executable ? memfd_create(name, flags) : fd;
}

err *fd_sealed(const char *name, const void *bytes, size_t len, bool executable, int *ret_fd)
{
	auto_close int fd = memfd(name, executable);

	if (fd < 0)
		return err_errno("create memory file '%s'", name);
	TRY(err_wrap(fd_write_all(fd, bytes, len), "memory file '%s'", name));
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_errno("rewind memory file '%s'", name);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return err_errno("seal memory file '%s'", name);
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(FD_PASS_MAX * sizeof(int))];
};

err *fd_send(int sock, const void *bytes, size_t len, const int *fds, size_t fd_count)
{
	union control control = { 0 };
	struct iovec iov = { (void *)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd_count > FD_PASS_MAX)
		return err_new(EINVAL, "cannot send more than %d descriptors", FD_PASS_MAX);
	if (fd_count > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	ssize_t n;
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno("send");
	/* A stream socket may take a part; the descriptors went with the first byte. */
	if ((size_t)n < len)
		return fd_write_all(sock, (const char *)bytes + n, len - (size_t)n);
	return NULL;
}

/* Copy the descriptors out of the control data; close those that do not fit. */
static size_t take_fds(struct msghdr *msg, int *fds, size_t fd_max, bool *ret_excess)
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (count < fd_max) {
				fds[count++] = fd;
			} else {
				fd_close(fd);
				*ret_excess = true;
			}
		}
	}
	return count;
}

err *fd_recv(int sock, void *bytes, size_t max, size_t *ret_len, int *fds, size_t fd_max,
	     size_t *ret_count)
{
	union control control = { 0 };
	struct iovec iov = { bytes, max };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	ssize_t n;
	bool excess = false;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno("receive");
	size_t count = take_fds(&msg, fds, fd_max, &excess);
	if (excess || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		for (size_t i = 0; i < count; i++)
			fd_close(fds[i]);
		return err_new(EMSGSIZE, "message is larger than expected");
	}
	*ret_len = (size_t)n;
	if (ret_count)
		*ret_count = count;
	return NULL;
}

/* Fill `addr` for `path`; a path that does not fit goes through *dir_fd, which stays open meanwhile. */
static err *unix_address(const char *path, struct sockaddr_un *addr, int *dir_fd)
{
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) < sizeof addr->sun_path) {
		memcpy(addr->sun_path, path, strlen(path) + 1);
		return NULL;
	}
	auto_free char *dir = strdup(path);
	auto_free char *base = strdup(path);
	if (!dir || !base)
		return err_oom();
	*dir_fd = open(dirname(dir), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir_fd < 0)
		return err_errno("open directory of socket '%s'", path);
	int n = snprintf(addr->sun_path, sizeof addr->sun_path, "/proc/self/fd/%d/%s", *dir_fd,
			 basename(base));
	if (n < 0 || (size_t)n >= sizeof addr->sun_path)
		return err_new(ENAMETOOLONG, "socket '%s': name is too long", path);
	return NULL;
}

err *fd_unix_connect(const char *path, int type, int *ret_fd)
{
	struct sockaddr_un addr;
	auto_close int dir_fd = -1;
	auto_close int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_errno("create socket");
	TRY(unix_address(path, &addr, &dir_fd));
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		return err_errno("connect to socket '%s'", path);
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

err *fd_unix_listen(const char *path, int type, mode_t mode, int *ret_fd)
{
	struct sockaddr_un addr;
	auto_close int dir_fd = -1;
	auto_close int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_errno("create socket");
	TRY(unix_address(path, &addr, &dir_fd));
	/* The mode of the socket file comes from the descriptor: no moment with a wider one. */
	if (fchmod(fd, mode) < 0)
		return err_errno("set mode of socket '%s'", path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		return err_errno("bind socket '%s'", path);
	if (listen(fd, SOMAXCONN) < 0)
		return err_errno("listen on socket '%s'", path);
	*ret_fd = TAKE_FD(fd);
	return NULL;
}
