/* cmd/stube-runtime/delete.c: the command delete. */
#include "cmd/stube-runtime/runtime.h"
#include "runtime/delete.h"

struct delete_args {
	bool force, regex;
};

static err *delete_one(void *data, const char *root, const char *id)
{
	const struct delete_args *a = data;
	auto_arena struct arena *arena = NULL;
	auto_strv struct strv warnings = STRV_INIT(64);

	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	err *e = container_delete(arena, root, id, a->force, &warnings);
	runtime_log_warnings(&warnings);
	return e;
}

static err *delete_run(const struct cli_context *c, int *ret_status)
{
	const struct delete_args *a = c->args;
	auto_arena struct arena *arena = NULL;

	(void)ret_status;
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	return runtime_each(arena, c, a->regex, delete_one, (void *)a);
}

#define OPT_STRUCT struct delete_args
static const struct cli_option delete_options[] = {
	OPT('f', "force", CLI_FLAG, force, NULL, "kill the container first; a missing one is no error"),
	OPT('r', "regex", CLI_FLAG, regex, NULL, "ID is a regular expression for ids"),
	{ 0 }
};
#undef OPT_STRUCT

const struct cli_command cmd_delete = {
	.name = "delete",
	.operands = "ID",
	.summary = "Delete a container with its cgroup and state",
	.example = "stube-runtime delete web\nstube-runtime delete --force web",
	.options = delete_options,
	.args_size = sizeof(struct delete_args),
	.min = 1,
	.max = 1,
	.run = delete_run,
};
