/* cmd/stube-runtime/run.c: the command run: create, start, and in the foreground wait and delete. */
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/log.h"
#include "cmd/stube-runtime/runtime.h"
#include "runtime/interrupt.h"
#include "runtime/supervise.h"

static void relay_notify(void *data)
{
	err *e = notify_relay(data);

	if (e)
		log_err(e);
	err_free(e);
}

static err *foreground(struct start *s, int console, int *ret_status)
{
	auto_close int master = -1;

	if (console >= 0)
		TRY(receive_terminal(console, &master));
	/* Others may want to look at, signal or enter the container now. */
	container_done(&s->container);
	s->container = (struct container)CONTAINER_INIT;
	struct supervise_watch watch = { .fd = s->notify.sock, .readable = relay_notify, .data = &s->notify };
	return supervise(s->pid, master, &watch, ret_status);
}

static err *run(struct start *s, struct arena *arena, struct start_request *r,
		const struct start_args *a, int *ret_status)
{
	auto_close int ours = -1;
	auto_close int theirs = -1;
	bool terminal = r->config->process && r->config->process->terminal;

	if (terminal && !r->console_socket && !a->detach) {
		TRY(console_pair(&ours, &theirs));
		r->console_fd = theirs;
	}
	/* Processes that the container leaves behind come to us and are reaped. */
	if (!a->detach && !a->no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_errno("become subreaper");
	if (!a->detach)
		TRY(supervise_block_signals());
	TRY(interrupt_open());
	TRY(start_create(arena, r, s));
	fd_clear(&theirs);
	TRY(start_go(s));
	s->notify.pid = s->pid;
	if (a->detach) {
		s->notify.pidfd = TAKE_FD(s->pidfd);
		return notify_wait_ready(&s->notify);
	}
	/* From here on they are the container's. */
	interrupt_close();
	err *e = foreground(s, ours, ret_status);
	if (a->keep)
		return e;
	/* A poststop hook that hangs. */
	if (!e)
		e = interrupt_open();
	err *end = start_end(s);
	if (!e)
		return end;
	err_free(end);
	return e;
}

static err *run_run(const struct cli_context *c, int *ret_status)
{
	auto_arena struct arena *arena = NULL;
	auto_strv struct strv warnings = STRV_INIT(256);
	auto_start struct start s = START_INIT;
	struct start_request request;

	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(runtime_start_request(arena, c, c->args, &warnings, &request));
	err *e = run(&s, arena, &request, c->args, ret_status);
	runtime_log_warnings(&warnings);
	return runtime_named(e, request.id);
}

#define OPT_STRUCT struct start_args
/* clang-format off */
static const struct cli_option run_options[] = {
	OPT('b', "bundle",         CLI_STRING, bundle,         "DIR",  "directory with config.json (default: the current one)"),
	OPT('f', "config",         CLI_STRING, config,         "FILE", "another name for config.json"),
	OPT('d', "detach",         CLI_FLAG,   detach,         NULL,   "return once the program runs"),
	OPT(0,   "keep",           CLI_FLAG,   keep,           NULL,   "do not delete the container when it ended"),
	OPT(0,   "console-socket", CLI_STRING, console_socket, "PATH", "Unix socket that receives the terminal"),
	OPT(0,   "pid-file",       CLI_STRING, pid_file,       "FILE", "write the process id of the container there"),
	OPT(0,   "pidfd-socket",   CLI_STRING, pidfd_socket,   "PATH", "Unix socket that receives a pidfd of the container"),
	OPT(0,   "preserve-fds",   CLI_UINT,   preserve_fds,   "N",    "pass on N descriptors from 3 on"),
	OPT(0,   "no-pivot",       CLI_FLAG,   no_pivot,       NULL,   "do not use pivot_root (the host runs from an initramfs)"),
	OPT(0,   "no-new-keyring", CLI_FLAG,   no_new_keyring, NULL,   "keep the caller's session keyring"),
	OPT(0,   "no-subreaper",   CLI_FLAG,   no_subreaper,   NULL,   "leave orphans of the container to the caller's reaper"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

const struct cli_command cmd_run = {
	.name = "run",
	.operands = "ID",
	.summary = "Create and start a container; in the foreground wait and delete it",
	.example = "stube-runtime run --bundle /srv/bundle web",
	.options = run_options,
	.args_size = sizeof(struct start_args),
	.min = 1,
	.max = 1,
	.run = run_run,
};
