/* net/server-listen.c: the socket that a server listens on. */
#include "net/server-internal.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

/* A socket without a server behind it may be replaced; a server's, or another file, never. */
static err *check_stale(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? NULL : err_errno("socket '%s'", path);
	if (!S_ISSOCK(st.st_mode))
		return err_new(EEXIST, "socket '%s': another file has that name", path);
	auto_close int fd = -1;
	err *e = fd_unix_connect(path, SOCK_STREAM, &fd);
	int code = e ? e->code : 0;
	err_free(e);
	if (code == ECONNREFUSED || code == ENOENT)
		return NULL;
	return err_new(EADDRINUSE, "socket '%s': another server listens there", path);
}

/* NAME.PID.TID of a process that is gone: it was killed before it gave its socket the name. */
static bool is_half_made(const char *entry, const char *name)
{
	size_t len = strlen(name);
	int pid, tid, end = 0;

	return strncmp(entry, name, len) == 0 && sscanf(entry + len, ".%d.%d%n", &pid, &tid, &end) == 2 &&
	       end > 0 && entry[len + (size_t)end] == '\0' && pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

/* What cannot be looked at or removed is left: it is in nobody's way. */
static void remove_half_made(const char *path)
{
	const char *slash = strrchr(path, '/');
	auto_free char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	DIR *dir = folder ? opendir(folder) : NULL;
	struct stat st;

	if (!dir)
		return;
	for (struct dirent *d; (d = readdir(dir));)
		if (is_half_made(d->d_name, slash ? slash + 1 : path) &&
		    fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
			(void)unlinkat(dirfd(dir), d->d_name, 0);
	closedir(dir);
}

/* Made under another name, so that it has its mode before anybody can reach it. */
static err *listen_unix(struct server *s, const char *path, mode_t mode)
{
	auto_str struct str name = STR_INIT(4096);
	struct stat st;

	TRY(check_stale(path));
	remove_half_made(path);
	str_addf(&name, "%s.%d.%d", path, (int)getpid(), (int)gettid());
	TRY(str_check(&name));
	s->path = strdup(path);
	if (!s->path)
		return err_oom();
	if (unlink(name.data) < 0 && errno != ENOENT)
		return err_errno("remove socket '%s'", name.data);
	TRY(fd_unix_listen(name.data, SOCK_STREAM | SOCK_NONBLOCK, mode, &s->listen_fd));
	/* bind(2) took the umask away from it. */
	if (chmod(name.data, mode) < 0 || stat(name.data, &st) < 0 || rename(name.data, path) < 0) {
		err *e = err_errno("make socket '%s'", path);
		unlink(name.data);
		return e;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->is_unix = true;
	return NULL;
}

static err *resolve(const char *text, struct addrinfo **ret)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	const char *colon = strrchr(text, ':');
	auto_free char *host = NULL;

	if (!colon || colon == text)
		return err_new(EINVAL, "listen address '%s': not ADDRESS:PORT", text);
	bool bracket = *text == '[' && colon[-1] == ']';
	host = bracket ? strndup(text + 1, (size_t)(colon - text) - 2)
		       : strndup(text, (size_t)(colon - text));
	if (!host)
		return err_oom();
	if (!bracket && strchr(host, ':'))
		return err_new(EINVAL, "listen address '%s': an IPv6 address stands in brackets", text);
	int r = getaddrinfo(host, colon + 1, &hints, ret);
	return r ? err_new(EINVAL, "listen address '%s': %s", text, gai_strerror(r)) : NULL;
}

static err *listen_inet(struct server *s, const char *text)
{
	struct addrinfo *a = NULL;
	const int on = 1, off = 0;
	err *e = NULL;

	TRY(resolve(text, &a));
	s->listen_fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0 || setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (a->ai_family == AF_INET6 &&
	     setsockopt(s->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0) ||
	    bind(s->listen_fd, a->ai_addr, a->ai_addrlen) < 0 || listen(s->listen_fd, SOMAXCONN) < 0)
		e = err_errno("listen on '%s'", text);
	freeaddrinfo(a);
	return e;
}

/* What the socket is, also when it was handed over. */
static err *inspect(struct server *s)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (getsockname(s->listen_fd, (struct sockaddr *)&a, &len) < 0)
		return err_errno("listening socket");
	s->is_unix = a.ss_family == AF_UNIX;
	if (a.ss_family == AF_INET)
		s->port = ntohs(((struct sockaddr_in *)&a)->sin_port);
	if (a.ss_family == AF_INET6)
		s->port = ntohs(((struct sockaddr_in6 *)&a)->sin6_port);
	return NULL;
}

static err *take_over(struct server *s, int fd)
{
	s->listen_fd = fd;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return err_errno("listening socket");
	return NULL;
}

err *server_listen(struct server *s, const struct server_options *o)
{
	if (!o->address)
		TRY(take_over(s, o->listen_fd));
	else if (str_starts_with(o->address, "unix:"))
		TRY(listen_unix(s, o->address + 5, o->socket_mode ? o->socket_mode : 0660));
	else
		TRY(listen_inet(s, o->address));
	return inspect(s);
}

void server_unlisten(struct server *s)
{
	struct stat st;

	/* Only our own: a successor may have put his in its place. */
	if (s->path && s->ino && lstat(s->path, &st) == 0 && st.st_ino == s->ino && st.st_dev == s->dev)
		unlink(s->path);
	free(s->path);
	fd_clear(&s->listen_fd);
}
