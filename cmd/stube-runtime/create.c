/* cmd/stube-runtime/create.c: the commands create and start. */
#include "base/log.h"
#include "cmd/stube-runtime/options.h"
#include "cmd/stube-runtime/runtime.h"
#include "runtime/interrupt.h"

static err *create_run(const struct cli_context *c, int *ret_status)
{
	auto_arena struct arena *arena = NULL;
	auto_strv struct strv warnings = STRV_INIT(256);
	auto_start struct start s = START_INIT;
	struct start_request request;

	(void)ret_status;
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(runtime_start_request(arena, c, c->args, &warnings, &request));
	TRY(interrupt_open());
	request.wait = true;
	err *e = start_create(arena, &request, &s);
	runtime_log_warnings(&warnings);
	return runtime_named(e, request.id);
}

#define OPT_STRUCT struct start_args
/* clang-format off */
static const struct cli_option create_options[] = {
	BUNDLE_OPTIONS()
	PROCESS_OPTIONS()
	OPT_HIDDEN(0, "no-subreaper", CLI_FLAG, no_subreaper, NULL, "accepted: create ends before there is anything to reap"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

const struct cli_command cmd_create = {
	.name = "create",
	.operands = "ID",
	.summary = "Make a container whose program waits for start",
	.example = "stube-runtime create --bundle /srv/bundle web",
	.options = create_options,
	.args_size = sizeof(struct start_args),
	.min = 1,
	.max = 1,
	.run = create_run,
};

static err *start_run(const struct cli_context *c, int *ret_status)
{
	auto_arena struct arena *arena = NULL;
	auto_notify struct notify notify = NOTIFY_INIT;
	const char *root = NULL, *host = NULL;

	(void)ret_status;
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(runtime_root(arena, c, &root));
	TRY(notify_host(&host));
	err *e = start_container(arena, root, c->operands[0], host, &notify);
	/* The container runs whether or not anybody hears of it. */
	if (!e)
		e = notify_wait_ready(&notify);
	return runtime_named(e, c->operands[0]);
}

static const struct cli_option no_options[] = { { 0 } };

const struct cli_command cmd_start = {
	.name = "start",
	.operands = "ID",
	.summary = "Execute the program of a container that was created",
	.example = "stube-runtime start web",
	.options = no_options,
	.min = 1,
	.max = 1,
	.run = start_run,
};
