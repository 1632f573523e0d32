/* cmd/stube-runtime/kill.c: the command kill. */
#include <signal.h>
#include <sys/pidfd.h>

#include "base/fd.h"
#include "cmd/stube-runtime/runtime.h"
#include "runtime/cgroup-owner.h"
#include "runtime/signals.h"

struct kill_args {
	bool all, regex;
};

struct kill_request {
	const struct kill_args *args;
	int signal;
};

/* In these words engines recognise that nothing is left to be killed. */
static err *not_running(void)
{
	return err_new(ESRCH, "container not running");
}

static err *kill_init(struct container *c, int signal)
{
	auto_close int pidfd = -1;
	enum state_status status;

	TRY(container_status(c, &status, &pidfd));
	if (pidfd < 0)
		return not_running();
	if (pidfd_send_signal(pidfd, signal, NULL, 0) == 0)
		return NULL;
	return errno == ESRCH ? not_running() : err_errno("send signal %d", signal);
}

static bool is_stopped(struct container *c)
{
	enum state_status status = STATE_STOPPED;
	err *e = container_status(c, &status, NULL);
	bool stopped = !e && status == STATE_STOPPED;

	err_free(e);
	return stopped;
}

/* Processes outlive init where the pid namespace is shared; without a cgroup only init is known. */
static err *kill_all(struct container *c, int signal)
{
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	/* With an own pid namespace all end with init: who is in the cgroup now is not the container. */
	if (!c->record.cgroup || (c->record.own_pid_namespace && is_stopped(c)))
		return kill_init(c, signal);
	TRY(container_open_cgroup(c, &cg));
	if (cg.fd < 0 || cgroup_is_taken_over(&cg, c->record.id, c->record.created))
		return kill_init(c, signal);
	return signal == SIGKILL ? cgroup_kill(&cg) : cgroup_signal(&cg, signal);
}

/* Nobody left to signal is what "all" asked for: runc and crun succeed, and their callers end stopped
 * containers so. */
static err *kill_any(struct container *c, int signal)
{
	err *e = kill_all(c, signal);

	if (!e || e->code != ESRCH)
		return e;
	err_free(e);
	return NULL;
}

static err *kill_one(void *data, const char *root, const char *id)
{
	const struct kill_request *r = data;
	auto_arena struct arena *arena = NULL;
	auto_container struct container c = CONTAINER_INIT;

	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	/* Without the lock: what hangs must be killable while another command waits for it. */
	TRY(container_open(arena, root, id, CONTAINER_READ, &c));
	return runtime_named(r->args->all ? kill_any(&c, r->signal) : kill_init(&c, r->signal), id);
}

static err *kill_run(const struct cli_context *c, int *ret_status)
{
	struct kill_request r = { .args = c->args, .signal = SIGTERM };
	auto_arena struct arena *arena = NULL;

	(void)ret_status;
	if (c->operand_count > 1)
		TRY(signal_parse(c->operands[1], &r.signal));
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	return runtime_each(arena, c, r.args->regex, kill_one, &r);
}

#define OPT_STRUCT struct kill_args
static const struct cli_option kill_options[] = {
	OPT('a', "all", CLI_FLAG, all, NULL, "signal every process in the container"),
	OPT('r', "regex", CLI_FLAG, regex, NULL, "ID is a regular expression for ids"),
	{ 0 }
};
#undef OPT_STRUCT

const struct cli_command cmd_kill = {
	.name = "kill",
	.operands = "ID [SIGNAL]",
	.summary = "Send a signal (default TERM) to a container",
	.example = "stube-runtime kill web TERM\nstube-runtime kill --all web KILL",
	.options = kill_options,
	.args_size = sizeof(struct kill_args),
	.min = 1,
	.max = 2,
	.run = kill_run,
};
