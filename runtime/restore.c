/* runtime/restore.c: a container from the files of a checkpoint. */
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/checkpoint.h"
#include "runtime/delete.h"
#include "runtime/kernel.h"
#include "runtime/plan-config.h"
#include "runtime/scope.h"

#define ROOT_POINT \
	"criu-root" /* below the container's state: CRIU wants the root on a mount point of its own */

enum { PASS_MAX = 3 + NAMESPACES_MAX };

struct restore {
	struct start *start;
	struct criu_work *work;
	char point[PATH_MAX]; /* ROOT_POINT, absolute */
	bool restored;	      /* the container is recorded */
};

/* ---- moments of the work ---- */

/* Nobody configures a network namespace that has nothing but the loopback; CRIU leaves it down (empty_ns). */
static err *loopback_up(const struct start *s, pid_t pid)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	auto_close int own = openat(s->proc_fd, "self/ns/net", O_RDONLY | O_CLOEXEC);
	auto_close int sock = -1;
	auto_close int theirs = -1;
	char path[64];

	snprintf(path, sizeof path, "%d/ns/net", pid);
	theirs = openat(s->proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || theirs < 0)
		return err_errno("open network namespace");
	if (setns(theirs, CLONE_NEWNET) < 0)
		return err_errno("enter network namespace");
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int code = sock < 0 ? errno : 0;
	/* The socket stays in that namespace, we do not. */
	if (setns(own, CLONE_NEWNET) < 0)
		return err_errno("leave network namespace");
	if (code)
		return err_code(code, "create socket");
	return ioctl(sock, SIOCSIFFLAGS, &request) < 0 ? err_errno("set 'lo' up") : NULL;
}

/* The namespaces exist, nothing is in them: who gives the container a network does it now, as at a start. */
static err *at_namespaces(struct restore *r, pid_t pid, int fd)
{
	struct start *s = r->start;
	const struct oci_hooks *h = &s->request->config->hooks;
	struct state_record *record = &s->container.record;

	(void)fd;
	if (s->namespaces.plan_flags & PLAN_NEW_NET)
		TRY(loopback_up(s, pid));
	record->pid = pid;
	err *e = container_run_hooks(s->arena, "prestart", &h->prestart, record, STATE_CREATING);
	if (!e)
		e = container_run_hooks(s->arena, "createRuntime", &h->create_runtime, record,
					STATE_CREATING);
	record->pid = 0;
	return e;
}

/* The other end of the container's terminal, to whoever has it from now on. */
static err *at_terminal(struct restore *r, pid_t pid, int fd)
{
	const struct start_request *q = r->start->request;
	static const char name[] = "/dev/console";
	auto_close int sock = -1;

	(void)pid;
	if (fd < 0)
		return err_new(EPROTO, "criu sent no terminal");
	if (q->console_socket)
		TRY(fd_unix_connect(q->console_socket, SOCK_STREAM, &sock));
	if (sock < 0 && q->console_fd < 0)
		return NULL;
	return fd_send(sock >= 0 ? sock : q->console_fd, name, sizeof name - 1, &fd, 1);
}

/* All is there and still stopped: from here on it is a container. */
static err *at_restored(struct restore *r, pid_t pid, int fd)
{
	struct start *s = r->start;

	(void)fd;
	if (pid <= 1)
		return err_new(EPROTO, "criu did not say which process it restored");
	s->pid = pid;
	TRY(start_record(s));
	r->restored = true;
	return NULL;
}

static err *notify(void *data, const char *moment, pid_t pid, int fd)
{
	static const struct {
		const char *moment;
		err *(*act)(struct restore *r, pid_t pid, int fd);
	} acts[] = {
		{ "setup-namespaces", at_namespaces },
		{ "orphan-pts-master", at_terminal },
		{ "post-restore", at_restored },
	};

	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		if (str_equal(acts[i].moment, moment))
			return acts[i].act(data, pid, fd);
	return NULL;
}

/* ---- the request ---- */

static err *set_propagation(uint64_t propagation)
{
	struct mount_attr attr = { .propagation = propagation };

	return k_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr) < 0 ? err_errno("set propagation") : NULL;
}

/* In the process that becomes criu: a mount namespace in which the root is a mount of its own, gone with it.
 */
static err *prepare(void *data)
{
	const struct restore *r = data;
	const char *path = r->start->container.record.rootfs;

	/* CRIU 3.17 does not restore it. Who restores is the parent of all, and they inherit it from there. */
	if (r->start->process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno("process.noNewPrivileges");
	if (unshare(CLONE_NEWNS) < 0)
		return err_errno("new mount namespace");
	/* Nothing gets out to the host, but each mount belongs to a group: CRIU makes mounts that had a
	 * master outside members of the group of their source (MOVE_MOUNT_SET_GROUP), which a private one
	 * does not have. Once this namespace is gone they have the host's as master again. */
	TRY(set_propagation(MS_SLAVE));
	TRY(set_propagation(MS_SHARED));
	auto_close int tree = k_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0)
		return err_errno("root.path: open '%s'", path);
	/* By its name: the descriptor is of the namespace that was left. */
	auto_close int here = open(r->point, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (here < 0 || k_move_mount(tree, here) < 0)
		return err_errno("mount root '%s'", path);
	return NULL;
}

static err *add_root(struct restore *r)
{
	struct start *s = r->start;
	auto_close int point = -1;
	auto_close int root = -1;
	char link[PATH_FD_MAX];

	if (mkdirat(s->container.dir_fd, ROOT_POINT, 0755) < 0)
		return err_errno("make '" ROOT_POINT "'");
	point = openat(s->container.dir_fd, ROOT_POINT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ssize_t n = point < 0 ? -1 : readlink(path_of_fd(point, link), r->point, sizeof r->point - 1);
	if (n < 0)
		return err_errno("open '" ROOT_POINT "'");
	r->point[n] = '\0';
	criu_add_text(r->work, CRIU_ROOT, r->point);
	root = open(s->container.record.rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno("root.path: '%s'", s->container.record.rootfs);
	return criu_make_points(s->request->config, s->request->bundle, root);
}

/* Joined ones: network and pid by a descriptor under the key of the dump, others by path. */
static err *add_namespaces(struct restore *r, int *pass, size_t *count)
{
	struct start *s = r->start;

	for (unsigned i = 0; i < s->namespaces.join_count; i++) {
		const struct namespace_join *j = &s->namespaces.joins[i];
		const struct oci_namespace *n = oci_namespace_find(s->request->config, j->type);

		if (j->type == CLONE_NEWNET || j->type == CLONE_NEWPID) {
			criu_add_inherited(r->work,
					   j->type == CLONE_NEWNET ? CHECKPOINT_NET_KEY : CHECKPOINT_PID_KEY,
					   j->fd);
			pass[(*count)++] = j->fd;
		} else {
			criu_add_join(r->work, enum_name(oci_namespace_names, j->type), n->path);
		}
	}
	return NULL;
}

static err *add_cgroup(const struct restore *r, const char **ret_path)
{
	const struct start *s = r->start;

	if (s->cgroup.fd < 0)
		return criu_add_cgroups(r->work, true);
	TRY_ALLOC(s->arena, *ret_path, arena_printf(s->arena, "%s%s", s->cgroup.mount, s->cgroup.path));
	criu_add_cgroup_root(r->work, s->cgroup.path);
	return criu_add_cgroups(r->work, s->hierarchy.hybrid);
}

static err *run_criu(struct restore *r)
{
	struct start *s = r->start;
	const struct start_request *q = s->request;
	int pass[PASS_MAX], stdio[3] = { -1, -1, -1 };
	size_t count = 0, stdio_count = 0;
	const char *cgroup = NULL;

	criu_add_config(r->work, &q->config->annotations);
	TRY(add_root(r));
	TRY(add_namespaces(r, pass, &count));
	TRY(add_cgroup(r, &cgroup));
	TRY(criu_restore_mounts(r->work, q->config, q->bundle, cgroup));
	err *e = criu_restore_descriptors(s->arena, r->work, stdio, &stdio_count);
	for (size_t i = 0; i < stdio_count; i++)
		pass[count++] = stdio[i];
	struct criu_job job = {
		.program = r->work->program,
		.type = CRIU_RESTORE,
		.options = &r->work->request,
		.log_name = "restore.log",
		.image_fd = r->work->image_fd,
		.work_fd = r->work->work_fd,
		.cgroup_fd = start_cgroup_fd(s),
		.pass = pass,
		.pass_count = count,
		.prepare = prepare,
		.notify = notify,
		.data = r,
	};
	if (!e)
		e = criu_run(&job);
	for (size_t i = 0; i < stdio_count; i++)
		fd_close(stdio[i]);
	TRY(e);
	return r->restored ? NULL : err_new(EPROTO, "criu did not say which process it restored");
}

/* CRIU opens some images as root of the new user namespace: its group must get into the directory, nobody
 * else. */
static err *let_in(const struct start *s, int image_fd)
{
	const struct oci_id_mappings *gids = &s->request->config->linux.gid_mappings;
	struct stat st;

	if (!(s->namespaces.plan_flags & PLAN_NEW_USER))
		return NULL;
	if (fstat(image_fd, &st) < 0)
		return err_errno("--image-path");
	for (size_t i = 0; i < gids->count && !(st.st_mode & S_IXOTH); i++) {
		if (gids->items[i].container_id != 0)
			continue;
		if (fchown(image_fd, (uid_t)-1, gids->items[i].host_id) < 0 ||
		    fchmod(image_fd, (st.st_mode & 0700) | S_IXGRP) < 0)
			return err_errno("--image-path: let the container's root in");
	}
	return NULL;
}

/* ---- the container ---- */

static err *check_terminal(const struct start_request *r)
{
	if (!r->config->process->terminal && r->console_socket)
		return err_new(EINVAL, "--console-socket: process.terminal is not set");
	if (r->config->process->terminal && !r->console_socket && r->console_fd < 0)
		return err_new(EINVAL, "process.terminal: needs --console-socket");
	return NULL;
}

static err *restore(struct start *s, const struct criu_options *o)
{
	const struct start_request *r = s->request;
	auto_criu_work struct criu_work work = CRIU_WORK_INIT;
	struct restore job = { .start = s, .work = &work };

	TRY(plan_refuse_unsupported(r->config));
	TRY(oci_config_check_start(r->config));
	TRY(criu_refuse(r->config));
	TRY(check_terminal(r));
	TRY(criu_work_begin(s->arena, o, CRIU_RESTORE, false, &work));
	s->process = r->config->process;
	TRY(namespaces_plan(r->config, &s->namespaces));
	TRY(plan_open_proc(&s->proc_fd));
	TRY(let_in(s, work.image_fd));
	TRY(start_prepare(s));
	TRY(run_criu(&job));
	TRY(scope_settle(s));
	/* The mount on it was in criu's namespace. */
	IGNORE(err_code(unlinkat(s->container.dir_fd, ROOT_POINT, AT_REMOVEDIR) < 0 ? errno : 0,
			"remove '" ROOT_POINT "'"));
	return start_write_pid_file(r->pid_file, s->pid);
}

err *restore_container(struct arena *arena, const struct start_request *r, const struct criu_options *o,
		       struct start *s)
{
	s->arena = arena;
	s->request = r;
	err *e = restore(s, o);
	if (e)
		start_undo(s);
	return e;
}
