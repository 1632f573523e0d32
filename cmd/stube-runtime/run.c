/* cmd/stube-runtime/run.c: the command run: create, start, and in the foreground wait and delete. */
#include "base/fd.h"
#include "cmd/stube-runtime/foreground.h"
#include "cmd/stube-runtime/options.h"
#include "runtime/interrupt.h"

static err *run(struct start *s, struct arena *arena, struct start_request *r,
		const struct start_args *a, int *ret_status)
{
	auto_foreground struct foreground f = FOREGROUND_INIT;

	TRY(foreground_begin(a, r, &f));
	TRY(interrupt_open());
	TRY(start_create(arena, r, s));
	TRY(start_go(s));
	s->notify.pid = s->pid;
	if (!a->detach)
		return foreground_wait(s, &f, a->keep, ret_status);
	s->notify.pidfd = TAKE_FD(s->pidfd);
	return notify_wait_ready(&s->notify);
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
	BUNDLE_OPTIONS()
	PROCESS_OPTIONS()
	OPT('d', "detach",         CLI_FLAG,   detach,         NULL,   "return once the program runs"),
	OPT(0,   "keep",           CLI_FLAG,   keep,           NULL,   "do not delete the container when it ended"),
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
