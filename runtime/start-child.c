/* runtime/start-child.c: cloning the child, and the parent's part that start and exec share. */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "runtime/annotations.h"
#include "runtime/interrupt.h"
#include "runtime/kernel.h"
#include "runtime/scope.h"
#include "runtime/seccomp.h"
#include "runtime/start.h"

err *start_image(struct start *s)
{
	if (!DEFENCE("sealed-image")) {
		s->image_fd = defence_plain_image();
		return s->image_fd < 0 ? err_errno("open the plain stube-init") : NULL;
	}
	TRY(fd_sealed("stube-init", s->request->init, s->request->init_len, true, &s->image_fd));
	/* Not readable for others: a process that executes it in a foreign user namespace is not
	 * dumpable from its first instruction, so nothing inside can trace it. */
	if (fchmod(s->image_fd, 0711) < 0)
		return err_errno("set mode of stube-init");
	return NULL;
}

/* ---- the child, still an image of the runtime ---- */

static err *early_join(void *data)
{
	return namespaces_join(&((struct start *)data)->namespaces);
}

static err *early_unshare_user(void *data)
{
	(void)data;
	return namespaces_unshare_user();
}

static err *early_become_root(void *data)
{
	return namespaces_become_root(&((struct start *)data)->namespaces);
}

static err *early_unshare(void *data)
{
	return namespaces_unshare(&((struct start *)data)->namespaces);
}

static err *early_time_offsets(void *data)
{
	struct start *s = data;

	return namespaces_time_offsets(&s->namespaces, s->proc_fd);
}

static err *early_fork(void *data)
{
	(void)data;
	return namespaces_fork();
}

static err *early_cgroup_namespace(void *data)
{
	(void)data;
	return namespaces_new_cgroup();
}

static err *early_enter_init(void *data)
{
	struct start *s = data;
	char name[] = "stube-init", create[] = "create", exec[] = "exec", mounts[] = "mounts", number[16];
	char *walk = s->table == steps_exec ? exec : s->table == steps_hotplug ? mounts : create;
	char *argv[] = { name, walk, number, NULL };
	char *env[] = { defence_environment(), NULL };

	/* The socket above the descriptors that the program inherits. */
	int sock = fcntl(s->child_sock, F_DUPFD, 3 + (int)s->request->preserve_fds);
	if (sock < 0)
		return err_errno("duplicate socket");
	for (uint32_t i = 0; i < s->request->preserve_fds; i++)
		if (fcntl((int)(3 + i), F_SETFD, 0) < 0)
			return err_errno("pass on descriptor %u", 3 + i);
	snprintf(number, sizeof number, "%d", sock);
	k_execveat(s->image_fd, argv, env);
	return err_errno("execute");
}

/* clang-format off */
static err *(*const early_rows[STEP_COUNT])(void *) = {
	[STEP_JOIN]             = early_join,
	[STEP_UNSHARE_USER]     = early_unshare_user,
	[STEP_BECOME_ROOT]      = early_become_root,
	[STEP_UNSHARE]          = early_unshare,
	[STEP_TIME_OFFSETS]     = early_time_offsets,
	[STEP_FORK]             = early_fork,
	[STEP_CGROUP_NAMESPACE] = early_cgroup_namespace,
	[STEP_ENTER_INIT]       = early_enter_init,
};
/* clang-format on */

static err *enter_cgroup(int cgroup_fd)
{
	return cgroup_fd < 0 ? NULL : err_wrap(file_put(cgroup_fd, "cgroup.procs", "0"), "enter cgroup");
}

/* cgroup_fd: to be entered by the child itself, or -1. May share the parent's memory: changes none of it. */
static NORETURN void child(struct start *s, int cgroup_fd)
{
	struct walk w = {
		.role = STEP_EARLY,
		.sock = s->child_sock,
		.flags = s->plan.plan.flags,
		.run = early_rows,
		.data = s,
		.owner = WALK_NOBODY,
	};

	/* The other end must be closed here, or the child would never see the runtime die. */
	fd_close(s->sock);
	err *e = enter_cgroup(cgroup_fd);
	if (e)
		IGNORE(walk_send_error(s->child_sock, e));
	else if (!(e = walk_give_turn(s->child_sock, STEP_COUNT)))
		e = walk_steps(&w, s->table, 0);
	IGNORE(e);
	_exit(1);
}

/* Whether the child may share the runtime's memory until it executes stube-init, while the runtime waits:
 * no page table is copied and no page twice. Not if a row of the parent comes before, nor when anything but new
 * namespaces is entered, where somebody else could already see the child: of the rows up to then only that of
 * the cgroup namespace may be wanted. Not for exec either: whoever may freeze the container's cgroup, its own
 * root perhaps, would stop the runtime with the child, deaf to signals. */
static bool may_share_memory(const struct start *s)
{
#ifdef __SANITIZE_ADDRESS__
	return false; /* it keeps books of each stack */
#endif
	if (s->table != steps_create)
		return false;
	for (const struct step *row = s->table; row->id != STEP_ENTER_INIT; row++)
		if (step_is_wanted(row, s->plan.plan.flags) && row->id != STEP_CGROUP_NAMESPACE)
			return false;
	return true;
}

static void run_child(void *data)
{
	child(data, -1);
}

/* vfork(2) with namespaces. The stack is as deep as the longest error text and its copies. */
static pid_t clone_sharing(struct start *s, struct clone_args args)
{
	static char stack[64 * 1024] __attribute__((aligned(64)));

	args.flags |= CLONE_VM | CLONE_VFORK;
	args.stack = (uint64_t)(uintptr_t)stack;
	args.stack_size = sizeof stack;
	return k_clone3_run(&args, run_child, s);
}

/* One try; returns when the child has said that it lives. */
static err *clone_child(struct start *s, uint64_t flags, int cgroup_fd, bool at_clone)
{
	int pair[2], yes = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno("create socket pair");
	s->sock = pair[0];
	s->child_sock = pair[1];
	if (s->plan.plan.flags & PLAN_FORK) {
		if (setsockopt(s->sock, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0)
			return err_errno("ask for credentials");
	}
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD | (at_clone ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)&s->pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = at_clone ? (uint64_t)cgroup_fd : 0,
	};
	bool own_cgroup = at_clone || cgroup_fd < 0;
	pid_t pid = -1;
	if (own_cgroup && may_share_memory(s))
		pid = clone_sharing(s, args);
	else
		errno = ENOSYS;
	if (pid < 0 && errno == ENOSYS)
		pid = k_clone3(&args);
	if (pid == 0)
		child(s, at_clone ? -1 : cgroup_fd);
	if (pid < 0) {
		s->pidfd = -1;
		return err_errno("clone");
	}
	s->pid = pid;
	fd_clear(&s->child_sock);
	struct walk hello = { .role = STEP_PARENT, .sock = s->sock, .wait = interrupt_wait };
	return walk_take_turn(&hello, "clone", STEP_COUNT);
}

/* CLONE_INTO_CGROUP with Linux 6.14 to (at least) 6.18 kills the child at once when cgroup.kill was ever
 * written in the target but not in the caller's cgroup, or the other way round: the kernel compares the
 * two counts (kill_seq). Such a child has run nothing; the next one enters by itself. */
err *start_clone(struct start *s, uint64_t flags, int cgroup_fd)
{
	err *e = clone_child(s, flags, cgroup_fd, cgroup_fd >= 0);

	/* A user's own unit, but the caller is outside of what is the user's: in a login session, whose
	 * cgroups are root's. Their common parent decides (cgroup-v2.rst, "Delegation Containment"). */
	if (e && e->code == EACCES && s->container.record.unit.name) {
		err_free(e);
		fd_clear(&s->sock);
		fd_clear(&s->child_sock);
		s->plan.plan.flags |= PLAN_ENTER_UNIT;
		return clone_child(s, flags, -1, false);
	}
	if (!e || e->code != EPIPE || cgroup_fd < 0 || s->pid <= 0)
		return e;
	err_free(e);
	start_kill(s);
	fd_clear(&s->sock);
	return clone_child(s, flags, cgroup_fd, false);
}

/* ---- the parent ---- */

void start_kill(struct start *s)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->pid = -1;
	fd_clear(&s->pidfd);
}

err *start_walk(struct start *s, err *(*const *rows)(void *))
{
	s->walk = (struct walk){
		.role = STEP_PARENT,
		.sock = s->sock,
		.flags = s->plan.plan.flags,
		.run = rows,
		.data = s,
		.sender = s->plan.plan.flags & PLAN_FORK ? &s->sender : NULL,
		.owner = WALK_NOBODY,
		.wait = interrupt_wait,
		.print = s->request->print,
	};
	return walk_steps(&s->walk, s->table, 0);
}

/* The process that forked is gone; the one that goes on spoke last, and is our child as well. */
err *start_adopt(void *data)
{
	struct start *s = data;

	if (s->sender <= 0 || s->sender == s->pid)
		return err_new(EPROTO, "the child did not say who it is");
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->pid = s->sender;
	fd_clear(&s->pidfd);
	s->pidfd = k_pidfd_open(s->pid);
	return s->pidfd < 0 ? err_errno("open child") : NULL;
}

err *start_enter_unit(void *data)
{
	struct start *s = data;
	const char *below = s->subgroup ? s->subgroup : "";
	char path[NAME_MAX + 2];

	snprintf(path, sizeof path, "%s%s", *below ? "/" : "", below);
	TRY(unit_attach(s->arena, &s->container.record.unit, path, s->pid));
	return scope_settle(s);
}

static err *write_oom_score(const struct start *s, int32_t value)
{
	char path[64], text[16];
	auto_close int fd = -1;

	snprintf(path, sizeof path, "%d/oom_score_adj", s->pid);
	int len = snprintf(text, sizeof text, "%d", value);
	fd = openat(s->proc_fd, path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, text, (size_t)len) == len)
		return NULL;
	/* Without CAP_SYS_RESOURCE a value can only be raised; rootless engines ask for what they had. */
	if (s->request->rootless && (errno == EACCES || errno == EPERM))
		return NULL;
	return err_errno("process.oomScoreAdj: %d", value);
}

err *start_limits(void *data)
{
	const struct start *s = data;

	for (size_t i = 0; i < s->process->rlimits.count; i++) {
		const struct oci_rlimit *r = &s->process->rlimits.items[i];
		struct rlimit now;

		if (prlimit(s->pid, r->type, NULL, &now) < 0)
			return err_errno("process.rlimits[%zu]", i);
		if (r->hard <= now.rlim_max)
			continue;
		now.rlim_max = r->hard;
		if (prlimit(s->pid, r->type, &now, NULL) < 0)
			return err_errno("process.rlimits[%zu]: raise %s", i,
					 enum_name(oci_rlimit_names, r->type));
	}
	return s->process->oom_score_adj ? write_oom_score(s, *s->process->oom_score_adj) : NULL;
}

err *start_enter_resctrl(struct start *s)
{
	const struct state_record *record = &s->container.record;
	auto_close int root = -1;

	if (!record->resctrl.name)
		return NULL;
	TRY(err_wrap(resctrl_open(&root), "linux.intelRdt"));
	return resctrl_enter(root, &record->resctrl, record->id, s->pid);
}

err *start_send_plan(void *data)
{
	struct start *s = data;
	const struct plan *plan;

	TRY(plan_finish(&s->plan, &plan));
	return walk_send_plan(s->sock, plan, plan->size, s->plan.fds, s->plan.fd_count);
}

err *start_write_pid_file(const char *path, pid_t pid)
{
	struct stat st;
	char text[16];

	if (!path)
		return NULL;
	int len = snprintf(text, sizeof text, "%d", pid);
	/* A pipe or a device is written to, never replaced by a file. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		auto_close int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

		return err_wrap(fd < 0 ? err_errno("open") : fd_write_all(fd, text, (size_t)len),
				"pid file '%s'", path);
	}
	return err_wrap(file_replace_volatile(AT_FDCWD, path, text, (size_t)len, 0644), "pid file '%s'",
			path);
}

err *start_send_pidfd(const struct start *s, const char *kind)
{
	const char *path = s->request->pidfd_socket;
	auto_close int sock = -1;

	if (!path)
		return NULL;
	TRY(err_wrap(fd_unix_connect(path, SOCK_STREAM, &sock), "pidfd socket"));
	return err_wrap(fd_send(sock, kind, strlen(kind), &s->pidfd, 1), "pidfd socket '%s'", path);
}

err *start_plan_seccomp(struct start *s, const struct oci_config *config, const char *root)
{
	struct seccomp_program program = { 0 };
	auto_close int cache = -1;

	if (!config->linux.seccomp)
		return NULL;
	if (str_equal(string_map_get(&config->annotations, ANNOTATION_FAIL_UNKNOWN), "1"))
		TRY(seccomp_check_names(config->linux.seccomp));
	seccomp_cache_open(root, &cache);
	TRY(seccomp_get(s->arena, config->linux.seccomp, cache, s->request->warnings, &program));
	if (program.notify && !oci_seccomp_listener(config))
		return err_new(EINVAL, "linux.seccomp.listenerPath: required by SCMP_ACT_NOTIFY");
	plan_builder_room(&s->plan, s->arena, program.len);
	s->plan.plan.seccomp = plan_add_items(&s->plan, program.bytes, 8, program.len / 8);
	s->plan.plan.seccomp_flags = program.flags;
	s->plan.plan.flags |= PLAN_SECCOMP | (program.notify ? PLAN_SECCOMP_NOTIFY : 0);
	return NULL;
}
