/* agent/sandbox.c: a Pod's namespaces, held by stube-init. */
#include "agent/sandbox.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/local-internal.h"
#include "agent/place.h"
#include "base/fd.h"
#include "base/path.h"

#define INIT "stube-init"

/* Nobody: it needs no right, not even over the sandbox's own ids. */
enum { SANDBOX_USER = 65534, PROGRAM_MAX = 16 << 20 };

/* clang-format off */
static const struct { const char *path; mode_t mode; } folders[] = {
	{ "dev", 0755 }, { "etc", 0755 }, { "proc", 0755 }, { "run", 0755 }, { "sys", 0755 }, { "tmp", 01777 },
};
static const char *const files[] = { "etc/hosts", "etc/hostname", "etc/resolv.conf" };
/* clang-format on */

static err *copy_program(const char *programs, int root)
{
	auto_str struct str bytes = STR_INIT(PROGRAM_MAX);
	char path[PATH_MAX];
	auto_close int from = -1, to = -1;

	snprintf(path, sizeof(path), "%.*s/" INIT, PATH_MAX - 32, programs);
	from = open(path, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return err_hint(err_errno("open '%s'", path), "stube-init lies beside stube-agent, as `make install` puts it.");
	TRY(fd_read_all(from, &bytes));
	TRY(path_remove_all(root, ".new"));
	to = openat(root, ".new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0555);
	if (to < 0)
		return err_errno("copy '%s'", path);
	TRY(err_wrap(fd_write_all(to, bytes.data, bytes.len), "copy '%s'", path));
	if (fchmod(to, 0555) < 0 || renameat(root, ".new", root, INIT) < 0)
		return err_errno("copy '%s'", path);
	return NULL;
}

err *sandbox_prepare(const char *programs, const char *root)
{
	auto_close int fd = -1;

	TRY(place_open(root, &fd));
	/* It becomes a root in which everybody may look around. */
	if (fchmod(fd, 0755) < 0)
		return err_errno("open '%s' for all", root);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if ((mkdirat(fd, folders[i].path, 0755) < 0 && errno != EEXIST) ||
		    fchmodat(fd, folders[i].path, folders[i].mode, 0) < 0)
			return err_errno("make '%s/%s'", root, folders[i].path);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		auto_close int file = openat(fd, files[i], O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (file < 0)
			return err_errno("make '%s/%s'", root, files[i]);
	}
	return err_wrap(copy_program(programs, fd), "root of the sandboxes");
}

/* The sandbox as a Pod of one container: of the Pod's own settings only those count that are the namespaces'. */
static err *sandbox_pod(struct arena *arena, const struct sandbox_request *r, struct pod *pod)
{
	static const char *command[] = { "/" INIT, "pause" };
	static const int64_t user = SANDBOX_USER;
	struct pod_container *c;

	TRY(pod_defaults(arena, pod));
	TRY_ALLOC(arena, c, arena_alloc(arena, sizeof(*c)));
	TRY(pod_container_defaults(arena, c));
	c->name = "sandbox";
	c->image = INIT;
	c->command = (struct strings){ command, ARRAY_LEN(command) };
	c->security.run_as_user = c->security.run_as_group = &user;
	pod->metadata.name = r->pod->metadata.name;
	pod->metadata.namespace = r->pod->metadata.namespace;
	pod->metadata.uid = r->pod->metadata.uid;
	pod->spec.hostname = r->pod->spec.hostname;
	pod->spec.host_network = r->pod->spec.host_network;
	pod->spec.host_users = r->pod->spec.host_users;
	pod->spec.restart = POD_RESTART_NEVER;
	pod->spec.grace_seconds = 0;
	pod->spec.containers.items = c;
	pod->spec.containers.count = 1;
	return NULL;
}

err *sandbox_start(struct local *l, struct arena *arena, const struct sandbox_request *r, int *ret_sock)
{
	struct pod pod = { 0 };
	auto_close int sock = -1;
	struct standing_limits limits;
	struct standing standing;

	TRY(sandbox_pod(arena, r, &pod));
	standing_limits(&limits);
	standing_of(r->pod, STANDING_SANDBOX, &limits, &standing);
	struct local_request request = {
		.pod = &pod,
		.name = r->name,
		.rootfs = r->root,
		.rootfs_exec = true,
		.ids = r->ids,
		.network = r->pod->spec.host_network ? BUNDLE_NET_HOST : BUNDLE_NET_NEW,
		.runtime = r->runtime,
		.cgroup_manager = r->cgroup_manager,
		.slice = r->slice,
		.standing = &standing,
		.log = { 1 << 20, 2 },
	};
	TRY(local_create(l, &request, &sock));
	err *e = monitor_start_container(sock);
	if (e) {
		fd_clear(&sock);
		IGNORE(local_remove(l, r->name, true));
		return e;
	}
	*ret_sock = TAKE_FD(sock);
	return NULL;
}

void sandbox_done(struct sandbox *s)
{
	fd_clear(&s->pidfd);
}

err *sandbox_open(struct local *l, const char *name, const struct pod *pod, struct sandbox *ret)
{
	auto_dirs struct local_dirs d = LOCAL_DIRS_NONE;
	struct running running;

	TRY(local_dirs_open(l, name, false, &d));
	err *e = d.run_fd < 0 ? err_new(ENOENT, "not there") : running_read(d.run_fd, &running);
	if (!e)
		e = running_open(&running, &ret->pidfd);
	if (e)
		return err_wrap(err_with_code(e, ESRCH), "sandbox '%s'", name);
	snprintf(ret->user, sizeof(ret->user), "/proc/%d/ns/user", running.pid);
	snprintf(ret->net, sizeof(ret->net), "/proc/%d/ns/net", running.pid);
	snprintf(ret->ipc, sizeof(ret->ipc), "/proc/%d/ns/ipc", running.pid);
	snprintf(ret->uts, sizeof(ret->uts), "/proc/%d/ns/uts", running.pid);
	ret->join = (struct bundle_join){
		.user = pod->spec.host_users ? NULL : ret->user,
		.net = pod->spec.host_network ? NULL : ret->net,
		.ipc = ret->ipc,
		.uts = ret->uts,
	};
	return NULL;
}

err *sandbox_check(const struct sandbox *s)
{
	struct pollfd p = { .fd = s->pidfd, .events = POLLIN };

	/* A process that has not ended has kept its pid. */
	return poll(&p, 1, 0) == 0 ? NULL : err_new(ESRCH, "the sandbox has ended");
}
