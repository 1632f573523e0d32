/* runtime/join.c: exec: one more process in a container that runs. */
#include "runtime/join.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/cgroup-delegate.h"
#include "runtime/death.h"
#include "runtime/kernel.h"
#include "runtime/plan-config.h"
#include "runtime/scope.h"

struct join {
	struct start *start;
	const struct join_request *request;
	const struct oci_config *config;
	int cgroup_fd;
	int saved_pidfd; /* of the container's init */
};

static err *row_limits(void *data)
{
	struct start *s = data;

	TRY(start_limits(s));
	return start_enter_resctrl(s);
}

static err *row_record(void *data)
{
	const struct start *s = data;

	TRY(start_write_pid_file(s->request->pid_file, s->pid));
	return start_send_pidfd(s, "setns");
}

/* clang-format off */
static err *(*const rows[STEP_COUNT])(void *) = {
	[STEP_ENTER_UNIT] = start_enter_unit,
	[STEP_ADOPT]     = start_adopt,
	[STEP_LIMITS]    = row_limits,
	[STEP_SEND_PLAN] = start_send_plan,
	[STEP_RECORD]    = row_record,
};
/* clang-format on */

static err *check_status(struct join *j)
{
	enum state_status status;

	TRY(container_status(&j->start->container, &status, &j->saved_pidfd));
	if (status == STATE_STOPPED || status == STATE_CREATING)
		return err_new(EINVAL, "cannot exec in a stopped container");
	if (status == STATE_PAUSED && !j->request->ignore_paused)
		return err_hint(err_new(EINVAL, "cannot exec in a paused container"),
				"Use --ignore-paused to have it run once the container is resumed.");
	return NULL;
}

/* What exec enters below the container's cgroup: the place of --cgroup or of the delegated one, within the
 * part of a scope that holds the processes. NULL: the cgroup itself. */
static err *place_below(struct join *j, const char **ret)
{
	const char *below = j->request->cgroup ? j->request->cgroup : cgroup_delegate_name(j->config);
	struct start *s = j->start;
	const char *subgroup = NULL;

	if (s->container.record.unit.name)
		TRY(scope_subgroup(j->config, &subgroup));
	*ret = subgroup ? subgroup : below;
	if (subgroup && below)
		TRY_ALLOC(s->arena, *ret, arena_printf(s->arena, "%s/%s", subgroup, below));
	s->subgroup = *ret;
	return NULL;
}

static err *open_cgroup(struct join *j)
{
	struct start *s = j->start;
	const struct state_record *record = &s->container.record;
	const char *below = NULL;

	if (!record->cgroup)
		return NULL;
	TRY(cgroup_root_open(s->arena, &s->hierarchy));
	TRY(cgroup_open(s->arena, &s->hierarchy, record->cgroup, record->cgroup_made, &s->cgroup));
	TRY(place_below(j, &below));
	if (s->cgroup.fd < 0 || !below) {
		j->cgroup_fd = s->cgroup.fd;
		return NULL;
	}
	/* An own descriptor, closed with the process: exec ends soon. */
	return err_wrap(path_open(s->cgroup.fd, below, PATH_NO_LINKS, O_RDONLY | O_DIRECTORY, 0,
				  &j->cgroup_fd),
			"--cgroup '%s'", below);
}

static err *decide_process(struct join *j)
{
	struct start *s = j->start;
	const struct join_request *r = j->request;
	struct oci_process *copy;

	if (r->process) {
		s->process = r->process;
		return NULL;
	}
	if (!j->config->process)
		return err_new(EINVAL, "the container's config.json has no process");
	TRY_ALLOC(s->arena, copy, arena_alloc(s->arena, sizeof *copy));
	*copy = *j->config->process;
	TRY(r->adjust(copy, r->adjust_data));
	s->process = copy;
	return NULL;
}

static err *connect_console(struct start *s)
{
	int fd;

	if (!s->process->terminal)
		return s->request->console_socket ?
			       err_new(EINVAL, "--console-socket: the process has no terminal") :
			       NULL;
	if (s->request->console_socket)
		TRY(fd_unix_connect(s->request->console_socket, SOCK_STREAM, &fd));
	else
		fd = fd_dup(s->request->console_fd);
	if (fd < 0)
		return err_hint(err_errno("console"), "Use --console-socket with --detach.");
	s->plan.plan.fd_console = plan_add_fd(&s->plan, fd);
	return NULL;
}

static err *build_plan(struct join *j)
{
	struct start *s = j->start;
	struct plan_source source = {
		.arena = s->arena,
		.config = j->config,
		.namespaces = &s->namespaces,
		.bundle_fd = -1,
		.proc_fd = s->proc_fd,
		.cgroup_fd = -1,
		.warnings = s->request->warnings,
	};
	int all = s->namespaces.all;

	s->plan.plan.id = plan_add_text(&s->plan, s->request->id);
	/* Never with the caller's session keyring: stube-init joins the container's by its name. */
	s->plan.plan.flags |=
		PLAN_KEYRING | (all & CLONE_NEWPID ? PLAN_FORK : 0) | (all & CLONE_NEWUSER ? PLAN_USER : 0);
	if (s->container.record.resctrl.name)
		s->plan.plan.flags |= PLAN_LIMITS;
	s->plan.plan.process.preserve_fds = s->request->preserve_fds;
	s->plan.plan.fd_proc = plan_add_fd(&s->plan, fd_dup(s->proc_fd));
	TRY(plan_process(&s->plan, &source, s->process, true));
	TRY(connect_console(s));
	TRY(plan_landlock(&s->plan, &source));
	return start_plan_seccomp(s, j->config, s->request->root);
}

static err *load_config(struct join *j)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);

	TRY(container_load_config(&j->start->container, &text));
	return oci_config_decode(j->start->arena, "config.json", text.data, text.len, NULL, &j->config);
}

/* process.execCPUAffinity.initial: while still in the caller's cgroup; the child inherits it. */
static err *set_initial_affinity(struct start *s)
{
	const struct oci_cpu_affinity *a = s->process->exec_cpu_affinity;
	uint64_t *mask = NULL;
	size_t words = 0;

	if (!a || !a->initial)
		return NULL;
	TRY(err_wrap(plan_parse_list(s->arena, a->initial, &mask, &words),
		     "process.execCPUAffinity.initial"));
	if (syscall(SYS_sched_setaffinity, 0, words * sizeof *mask, mask) < 0)
		return err_errno("process.execCPUAffinity.initial");
	return NULL;
}

/* A container that distributes controllers itself (a service manager inside) has no place for processes in
 * its cgroup's root: then its init's own is right. What --cgroup names is taken as it is. */
static err *clone_into_cgroup(struct join *j)
{
	struct start *s = j->start;
	auto_close int inner = -1;
	err *e = start_clone(s, 0, j->cgroup_fd);

	if (!e || e->code != EBUSY || j->request->cgroup || j->cgroup_fd < 0)
		return e;
	err_free(e);
	fd_clear(&s->sock);
	fd_clear(&s->child_sock);
	TRY(err_wrap(cgroup_open_of_process(&s->cgroup, s->proc_fd, s->container.record.pid, &inner),
		     "cgroup of the container's init"));
	return start_clone(s, 0, inner);
}

static err *join(struct join *j)
{
	struct start *s = j->start;

	s->table = steps_exec;
	plan_builder_init(&s->plan);
	TRY(container_open(s->arena, s->request->root, s->request->id, CONTAINER_READ, &s->container));
	TRY(check_status(j));
	TRY(load_config(j));
	TRY(decide_process(j));
	for (size_t i = 0; i < j->config->linux.namespaces.count; i++)
		s->namespaces.all |= j->config->linux.namespaces.items[i].type;
	s->namespaces.join_flags = s->namespaces.all;
	s->namespaces.pidfd = j->saved_pidfd;
	TRY(plan_open_proc(&s->proc_fd));
	TRY(open_cgroup(j));
	TRY(build_plan(j));
	TRY(set_initial_affinity(s));
	TRY(start_image(s));
	TRY(clone_into_cgroup(j));
	fd_clear(&s->image_fd);
	TRY(start_walk(s, rows));
	plan_builder_done(&s->plan);
	return start_wait_exec(&s->walk, j->config, &s->container.record, s->pid);
}

err *join_container(struct arena *arena, const struct join_request *r, struct start *s)
{
	struct join j = { .start = s, .request = r, .cgroup_fd = -1, .saved_pidfd = -1 };

	s->arena = arena;
	s->request = &r->base;
	err *e = join(&j);
	/* The cgroup has seen other kills than this one. */
	e = death_explain(e, s->pid, s->pidfd, NULL);
	if (e)
		start_kill(s);
	fd_close(j.saved_pidfd);
	return e;
}
