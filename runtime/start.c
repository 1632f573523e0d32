/* runtime/start.c: create, run and start: state, cgroup, plan, and the parent's rows. */
#include "runtime/start.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "oci/state.h"
#include "runtime/cgroup-delegate.h"
#include "runtime/cgroup-owner.h"
#include "runtime/death.h"
#include "runtime/delete.h"
#include "runtime/devices-bpf.h"
#include "runtime/idmap.h"
#include "runtime/kernel.h"
#include "runtime/plan-config.h"
#include "runtime/scope.h"
#include "runtime/seccomp.h"

#define START_SOCKET   "start.sock"
#define STATE_TEXT_MAX (256 * 1024)

void start_done(struct start *s)
{
	plan_builder_done(&s->plan);
	namespaces_done(&s->namespaces);
	net_devices_done(&s->net_devices);
	memory_watch_done(&s->memory);
	cgroup_done(&s->cgroup);
	cgroup_root_done(&s->hierarchy);
	container_done(&s->container);
	fd_clear(&s->proc_fd);
	fd_clear(&s->image_fd);
	fd_clear(&s->sock);
	fd_clear(&s->child_sock);
	fd_clear(&s->lock_fd);
	fd_clear(&s->pidfd);
	notify_done(&s->notify);
	unit_keeper_end(&s->keeper);
	fd_clear(&s->subgroup_fd);
}

/* ---- the parent's rows ---- */

static err *row_map_ids(void *data)
{
	struct start *s = data;
	const struct oci_linux *l = &s->request->config->linux;
	bool no_groups = false;

	TRY(idmap_write(s->proc_fd, s->pid, &l->uid_mappings, &l->gid_mappings, &no_groups));
	if (no_groups)
		s->plan.plan.process.keep_groups = 1;
	return NULL;
}

static err *add_state(struct start *s, enum state_status status, plan_text *ret)
{
	auto_str struct str text = STR_INIT(STATE_TEXT_MAX);

	TRY(state_json(&s->container.record, status, false, 0, &text));
	*ret = plan_add_text(&s->plan, text.data);
	return NULL;
}

/* Only now is the pid known that hooks are told. */
static err *row_send_plan(void *data)
{
	struct start *s = data;

	s->container.record.pid = s->pid;
	if (s->plan.plan.flags & PLAN_HOOKS_CONTAINER) {
		s->plan.plan.bundle = plan_add_text(&s->plan, s->container.record.bundle);
		TRY(add_state(s, STATE_CREATING, &s->plan.plan.state_creating));
	}
	if (s->plan.plan.flags & PLAN_HOOKS_START)
		TRY(add_state(s, STATE_CREATED, &s->plan.plan.state_created));
	return start_send_plan(s);
}

static err *row_limits(void *data)
{
	struct start *s = data;

	TRY(start_limits(s));
	TRY(start_enter_resctrl(s));
	if (s->cgroup.made > 0 || s->cgroup.unit)
		TRY(err_wrap(cgroup_give_to_user(start_cgroup_fd(s), s->request->config, s->proc_fd, s->pid,
						 s->request->rootless),
			     "cgroup '%s'", s->cgroup.path));
	return cgroup_delegate(start_cgroup_fd(s), s->request->config, s->pid);
}

static err *row_net_devices(void *data)
{
	struct start *s = data;

	return net_devices_move(s->arena, s->request->config, s->proc_fd, s->pid, &s->net_devices);
}

static err *row_hooks_runtime(void *data)
{
	struct start *s = data;
	const struct oci_hooks *h = &s->request->config->hooks;

	TRY(container_run_hooks(s->arena, "prestart", &h->prestart, &s->container.record,
				STATE_CREATING));
	return container_run_hooks(s->arena, "createRuntime", &h->create_runtime, &s->container.record,
				   STATE_CREATING);
}

err *start_record(struct start *s)
{
	s->container.record.pid = s->pid;
	TRY(state_start_time(s->pid, &s->container.record.start_time));
	TRY(state_boot_id(s->arena, &s->container.record.boot_id));
	s->container.record.creator = 0;
	s->container.record.creator_start_time = 0;
	return container_save(&s->container);
}

static err *row_record(void *data)
{
	struct start *s = data;

	TRY(start_record(s));
	TRY(start_write_pid_file(s->request->pid_file, s->pid));
	return start_send_pidfd(s, "standard");
}

/* clang-format off */
static err *(*const rows[STEP_COUNT])(void *) = {
	[STEP_ENTER_UNIT]    = start_enter_unit,
	[STEP_MAP_IDS]       = row_map_ids,
	[STEP_ADOPT]         = start_adopt,
	[STEP_LIMITS]        = row_limits,
	[STEP_NET_DEVICES]   = row_net_devices,
	[STEP_SEND_PLAN]     = row_send_plan,
	[STEP_HOOKS_RUNTIME] = row_hooks_runtime,
	[STEP_RECORD]        = row_record,
};
/* clang-format on */

/* ---- create ---- */

/* The runtime's own standard descriptors, which become the container's: a checkpoint must know its pipes
 * later. */
static err *name_descriptors(struct start *s, struct strings *ret)
{
	TRY_ALLOC(s->arena, ret->items, arena_array(s->arena, 3, sizeof *ret->items));
	for (int fd = 0; fd < 3; fd++) {
		char path[32], link[64] = "";

		snprintf(path, sizeof path, "self/fd/%d", fd);
		ssize_t n = readlinkat(s->proc_fd, path, link, sizeof link - 1);
		bool pipe = n > 0 && str_starts_with(link, "pipe:");
		TRY_ALLOC(s->arena, ret->items[fd], arena_strdup(s->arena, pipe ? link : ""));
		if (pipe)
			ret->count = 3;
	}
	return NULL;
}

static err *fill_record(struct start *s)
{
	const struct start_request *r = s->request;
	struct state_record *record = &s->container.record;
	const char *root = r->config->root->path;
	char *created, *rootfs;

	TRY_ALLOC(s->arena, rootfs,
		  *root == '/' ? arena_strdup(s->arena, root) :
				 arena_printf(s->arena, "%s/%s", r->bundle, root));
	TRY_ALLOC(s->arena, created, arena_alloc(s->arena, CLOCK_TEXT_MAX));
	clock_text(clock_real(), true, created);
	int creator = getpid();
	uint64_t creator_start_time = 0;
	TRY(state_start_time(creator, &creator_start_time));
	struct strings descriptors = { 0 };
	if (!s->process->terminal)
		TRY(name_descriptors(s, &descriptors));
	*record = (struct state_record){
		.version = STATE_VERSION,
		.id = r->id,
		.oci_version = r->config->version,
		.creator = creator,
		.creator_start_time = creator_start_time,
		.bundle = r->bundle,
		.rootfs = rootfs,
		.created = created,
		.owner = record->owner,
		.cgroup = r->manager == CGROUP_CGROUPFS ? s->cgroup.path : NULL,
		.unit = s->unit,
		.cgroup_made = s->cgroup.made,
		.own_pid_namespace =
			(s->namespaces.clone_flags | (uint64_t)s->namespaces.unshare_flags) & CLONE_NEWPID,
		.poststop = r->config->hooks.poststop.count > 0,
		.annotations = r->config->annotations,
		.descriptors = descriptors,
	};
	return NULL;
}

/* A directory that is there already may be another container's that has stopped: whoever deletes that one
 * would take the new one with it. */
static err *refuse_claimed(struct start *s)
{
	const char *owner = NULL;

	TRY(state_cgroup_owner(s->arena, s->request->root, s->cgroup.path, s->request->id, &owner));
	if (!owner)
		return NULL;
	return err_hint(err_new(EBUSY, "cgroup '%s' belongs to container '%s'", s->cgroup.path, owner),
			"Delete that container first, or use another linux.cgroupsPath.");
}

/* Decided, recorded so that a killed create can be cleaned, and only then made. */
static err *plan_cgroup(struct start *s)
{
	const struct start_request *r = s->request;
	struct cgroup_request q = {
		.cgroups_path = r->config->linux.cgroups_path,
		.id = r->id,
		.rootless = r->rootless,
	};

	if (r->manager == CGROUP_DISABLED)
		return cgroup_refuse_limits(&r->config->linux.resources, "cgroups are disabled");
	if (r->manager == CGROUP_SYSTEMD)
		return scope_plan(s);
	TRY(cgroup_root_open(s->arena, &s->hierarchy));
	TRY(cgroup_plan(s->arena, &s->hierarchy, &q, &s->cgroup));
	return s->cgroup.made ? NULL : refuse_claimed(s);
}

static err *make_cgroup(struct start *s)
{
	const struct start_request *r = s->request;
	const struct oci_resources *resources = &r->config->linux.resources;

	if (r->manager == CGROUP_DISABLED)
		return NULL;
	if (r->manager == CGROUP_SYSTEMD) {
		TRY(scope_make(s));
		return devices_apply(s->cgroup.fd, resources, true, r->rootless);
	}
	TRY(cgroup_create(&s->cgroup, resources));
	s->made_cgroup = true;
	/* What is recorded from now on is what there is: without permission there may be no cgroup. */
	s->container.record.cgroup_made = s->cgroup.made;
	if (s->cgroup.fd < 0) {
		s->container.record.cgroup = NULL;
		return NULL;
	}
	cgroup_take_over(&s->cgroup, s->container.record.id, s->container.record.created);
	return devices_apply(s->cgroup.fd, resources, s->cgroup.made > 0, r->rootless);
}

/* A class of service for caches and memory bandwidth; recorded as soon as it is there. */
static err *make_resctrl(struct start *s)
{
	const struct oci_intel_rdt *rdt = s->request->config->linux.intel_rdt;
	struct state_record *record = &s->container.record;
	auto_close int root = -1;

	if (!rdt)
		return NULL;
	TRY(err_wrap(resctrl_open(&root), "linux.intelRdt"));
	TRY(resctrl_make(s->arena, root, rdt, record->id, &record->resctrl));
	TRY(container_save(&s->container));
	return resctrl_fill(root, rdt, &record->resctrl);
}

static err *connect_console(struct start *s)
{
	const struct start_request *r = s->request;
	int fd = -1;

	if (!s->process->terminal) {
		if (r->console_socket)
			return err_new(EINVAL, "--console-socket: process.terminal is not set");
		return NULL;
	}
	if (r->console_socket)
		TRY(fd_unix_connect(r->console_socket, SOCK_STREAM, &fd));
	else if (r->console_fd >= 0)
		fd = fd_dup(r->console_fd);
	else
		return err_new(EINVAL, "process.terminal: needs --console-socket");
	if (fd < 0)
		return err_errno("console");
	s->plan.plan.fd_console = plan_add_fd(&s->plan, fd);
	return NULL;
}

/* `start` connects here; the lock says "created" until the exec. */
static err *plan_waiting(struct start *s)
{
	const struct start_request *r = s->request;
	char path[PATH_MAX];
	int fd;

	TRY(container_hold_start(&s->container, &s->lock_fd));
	s->plan.plan.fd_lock = plan_add_fd(&s->plan, TAKE_FD(s->lock_fd));
	if (!r->wait)
		return NULL;
	snprintf(path, sizeof path, "/proc/self/fd/%d/" START_SOCKET, s->container.dir_fd);
	TRY(fd_unix_listen(path, SOCK_SEQPACKET, 0600, &fd));
	s->plan.plan.fd_listen = plan_add_fd(&s->plan, fd);
	s->plan.plan.flags |= PLAN_WAIT;
	return NULL;
}

static err *build_plan(struct start *s)
{
	const struct start_request *r = s->request;
	auto_close int bundle = openat(AT_FDCWD, r->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct plan_source source = {
		.arena = s->arena,
		.config = r->config,
		.namespaces = &s->namespaces,
		.bundle = r->bundle,
		.bundle_fd = bundle,
		.proc_fd = s->proc_fd,
		.cgroup_fd = start_cgroup_fd(s),
		.can_mount = capability_effective(CAP_SYS_ADMIN),
		.warnings = r->warnings,
	};

	if (bundle < 0)
		return err_errno("bundle '%s'", r->bundle);
	s->plan.plan.id = plan_add_text(&s->plan, r->id);
	s->plan.plan.flags |= s->namespaces.plan_flags | PLAN_MAKE_CWD |
			      (r->no_pivot ? PLAN_NO_PIVOT : 0) |
			      (r->no_new_keyring ? 0 : PLAN_KEYRING);
	s->plan.plan.process.preserve_fds = r->preserve_fds;
	s->plan.plan.fd_proc = plan_add_fd(&s->plan, fd_dup(s->proc_fd));
	TRY(plan_process(&s->plan, &source, s->process, false));
	TRY(connect_console(s));
	TRY(plan_root(&s->plan, &source));
	TRY(plan_mounts(&s->plan, &source));
	TRY(plan_linux(&s->plan, &source));
	TRY(plan_landlock(&s->plan, &source));
	return start_plan_seccomp(s, r->config, r->root);
}

/* The container's own socket for what NOTIFY_SOCKET is outside: from here on the config has its mount. */
static err *plan_notify(struct start *s)
{
	struct start_request *copy;

	if (!s->request->notify_host)
		return NULL;
	TRY_ALLOC(s->arena, copy, arena_alloc(s->arena, sizeof *copy));
	*copy = *s->request;
	TRY(notify_prepare(s->arena, s->container.dir_fd, copy->config, &copy->config));
	s->request = copy;
	s->process = copy->config->process;
	/* `start` binds it, with a manager's socket of its own. */
	return copy->wait ? NULL : notify_open(s->container.dir_fd, copy->notify_host, &s->notify);
}

err *start_prepare(struct start *s)
{
	const struct start_request *r = s->request;

	TRY(container_create(s->arena, r->root, r->id, &s->container));
	TRY(plan_notify(s));
	TRY(plan_cgroup(s));
	TRY(fill_record(s));
	TRY(container_save(&s->container));
	TRY(container_save_config(&s->container, r->config_text, r->config_len));
	TRY(make_cgroup(s));
	return make_resctrl(s);
}

static err *create(struct start *s)
{
	const struct start_request *r = s->request;

	TRY(plan_refuse_unsupported(r->config));
	TRY(oci_config_check_start(r->config));
	s->process = r->config->process;
	s->table = steps_create;
	plan_builder_init(&s->plan);
	TRY(namespaces_plan(r->config, &s->namespaces));
	TRY(plan_open_proc(&s->proc_fd));
	TRY(start_prepare(s));
	TRY(build_plan(s));
	TRY(plan_waiting(s));
	TRY(start_image(s));
	TRY(start_clone(s, s->namespaces.clone_flags, start_cgroup_fd(s)));
	if (!(s->plan.plan.flags & PLAN_ENTER_UNIT))
		TRY(scope_settle(s));
	fd_clear(&s->image_fd);
	TRY(start_walk(s, rows));
	/* The last descriptors that keep the container's things alive from outside. */
	net_devices_done(&s->net_devices);
	plan_builder_done(&s->plan);
	return walk_give_turn(s->sock, STEP_COUNT);
}

int start_cgroup_fd(const struct start *s)
{
	return s->subgroup_fd >= 0 ? s->subgroup_fd : s->cgroup.fd;
}

/* Backwards through what was made; a failure on the way changes nothing about the first error. */
void start_undo(struct start *s)
{
	net_devices_return(&s->net_devices);
	start_kill(s);
	plan_builder_done(&s->plan);
	unit_keeper_end(&s->keeper);
	if (s->made_cgroup) {
		if (s->cgroup.made > 0 || s->cgroup.unit)
			IGNORE(cgroup_kill(&s->cgroup));
		IGNORE(s->unit.name ? scope_end(s->arena, &s->container.record) : cgroup_remove(&s->cgroup));
		s->made_cgroup = false;
	}
	if (s->container.record.id)
		IGNORE(resctrl_end(&s->container.record.resctrl, s->container.record.id));
	if (s->container.dir_fd >= 0)
		IGNORE(container_remove(&s->container));
}

struct memory_watch *start_memory(struct start *s)
{
	if (s->cgroup.made == 0 && !s->cgroup.unit)
		return NULL;
	if (s->memory.own < 0)
		memory_watch_open(&s->memory, s->cgroup.fd);
	return &s->memory;
}

static err *explain(struct start *s, err *e)
{
	return e ? death_explain(e, s->pid, s->pidfd, start_memory(s)) : NULL;
}

err *start_create(struct arena *arena, const struct start_request *r, struct start *s)
{
	s->arena = arena;
	s->request = r;
	err *e = create(s);

	e = explain(s, e);
	if (e)
		start_undo(s);
	return e;
}

/* ---- start ---- */

/* The listener of the container's filter to the agent that decides (config-linux.md, "Seccomp"). */
static err *send_listener(const struct oci_config *config, const struct state_record *record, pid_t pid,
			  int listener)
{
	auto_str struct str text = STR_INIT(STATE_TEXT_MAX);
	static const char *const names[] = { "seccompFd" };
	struct oci_process_state state = {
		.version = record->oci_version,
		.fds = { (const char **)names, 1 },
		.pid = pid,
		.metadata = config->linux.seccomp->listener_metadata,
		.state = {
			.version = record->oci_version,
			.id = record->id,
			.status = OCI_CREATED,
			.pid = record->pid,
			.bundle = record->bundle,
			.annotations = record->annotations,
		},
	};
	auto_close int sock = -1;

	oci_process_state_encode(&text, &state);
	TRY(str_check(&text));
	TRY(fd_unix_connect(oci_seccomp_listener(config), SOCK_STREAM, &sock));
	return fd_send(sock, text.data, text.len, &listener, 1);
}

/* The socket is closed: by the exec, or because the process ended before it? The program's file is set
 * before descriptors are closed, and a process that ends loses it before them (begin_new_exec(), do_exit()):
 * where there is one, it is the program's. Else the process has ended or may not be looked at: then
 * its name tells, which the exec sets last. */
static err *check_executed(pid_t pid)
{
	char path[32], link[16], name[32];
	siginfo_t info = { 0 };

	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	if (readlink(path, link, sizeof link) > 0)
		return NULL;
	auto_close int pidfd = k_pidfd_open(pid);
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	for (bool ended = false;; ended = pidfd < 0 || poll(&end, 1, 1) != 0) {
		auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof name - 1);

		/* Gone already, so it cannot be known: its caller has the status. */
		if (n <= 0)
			return NULL;
		name[n] = '\0';
		if (!str_equal(name, STEP_INIT_NAME "\n"))
			return NULL;
		if (ended)
			break;
	}
	/* Only of a child of ours, which `start` does not have. */
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != pid ||
	    info.si_code == CLD_EXITED)
		return err_new(ECHILD, "execute program: the process ended before it");
	return err_new(ECHILD, "execute program: the process was killed before it by signal %d",
		       info.si_status);
}

static err *executed(pid_t pid, const struct oci_config *config)
{
	err *e = check_executed(pid);

	return e && config->linux.seccomp ? err_hint(e, "linux.seccomp has to allow execve(2).") : e;
}

err *start_wait_exec(struct walk *w, const struct oci_config *config, const struct state_record *record,
		     pid_t pid)
{
	auto_close int listener = -1;
	int second = -1;

	TRY(walk_wait_exec(w, &listener));
	if (listener < 0)
		return executed(pid, config);
	TRY(err_wrap(send_listener(config, record, pid, listener),
		     config->linux.seccomp->listener_path ? "linux.seccomp.listenerPath"
							  : "annotations." OCI_SECCOMP_RECEIVER));
	err *e = walk_wait_exec(w, &second);
	fd_close(second);
	return e ? e : executed(pid, config);
}

static err *finish(struct arena *arena, struct walk *w, const struct oci_config *config,
		   const struct state_record *record)
{
	TRY(start_wait_exec(w, config, record, record->pid));
	/* runtime.md: a failing poststart hook stops the container's start, but it runs already. */
	return container_run_hooks(arena, "poststart", &config->hooks.poststart, record, STATE_RUNNING);
}

/* Another command may have deleted it meanwhile. */
err *start_end(struct start *s)
{
	const struct start_request *r = s->request;
	auto_container struct container c = CONTAINER_INIT;

	container_done(&s->container);
	err *e = container_open(s->arena, r->root, r->id, CONTAINER_LOCK, &c);
	if (e && e->code == ENOENT) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	return container_end(&c, r->warnings);
}

err *start_go(struct start *s)
{
	err *e = finish(s->arena, &s->walk, s->request->config, &s->container.record);

	e = explain(s, e);
	if (e)
		start_undo(s);
	return e;
}

static err *connect_waiting(struct container *c, int *ret_sock)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "/proc/self/fd/%d/" START_SOCKET, c->dir_fd);
	return fd_unix_connect(path, SOCK_SEQPACKET, ret_sock);
}

static err *load_config(struct container *c, const struct oci_config **ret)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);

	TRY(container_load_config(c, &text));
	return oci_config_decode(c->arena, "config.json", text.data, text.len, NULL, ret);
}

/* runc's words, which its callers know. */
static err *not_created(enum state_status status)
{
	if (status == STATE_RUNNING)
		return err_new(EINVAL, "cannot start an already running container");
	if (status == STATE_STOPPED)
		return err_new(EINVAL, "cannot start a container that has stopped");
	return err_new(EINVAL, "cannot start a container in the %s state",
		       enum_name(state_status_names, (int)status));
}

err *start_container(struct arena *arena, const char *root, const char *id, const char *notify_host,
		     struct notify *notify)
{
	auto_container struct container c = CONTAINER_INIT;
	const struct oci_config *config = NULL;
	enum state_status status;
	auto_close int sock = -1;
	auto_close int pidfd = -1;

	TRY(container_open(arena, root, id, CONTAINER_LOCK, &c));
	TRY(container_status(&c, &status, &pidfd));
	if (status != STATE_CREATED)
		return not_created(status);
	TRY(load_config(&c, &config));
	TRY(notify_open(c.dir_fd, notify_host, notify));
	TRY(connect_waiting(&c, &sock));
	TRY(walk_give_turn(sock, 0));
	struct walk w = { .role = STEP_PARENT, .sock = sock };
	TRY(start_wait_exec(&w, config, &c.record, c.record.pid));
	/* runtime.md, "Lifecycle": a poststart hook that fails stops the container. */
	err *e = container_run_hooks(arena, "poststart", &config->hooks.poststart, &c.record, STATE_RUNNING);
	if (e)
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	TRY(e);
	notify->pid = c.record.pid;
	notify->pidfd = TAKE_FD(pidfd);
	IGNORE(err_code(unlinkat(c.dir_fd, START_SOCKET, 0) < 0 ? errno : 0, "remove socket"));
	return NULL;
}
