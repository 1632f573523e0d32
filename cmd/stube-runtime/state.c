/* cmd/stube-runtime/state.c: the command state. */
#include "base/fd.h"
#include "cmd/stube-runtime/runtime.h"

struct state_args {
	bool all, regex;
};

static err *print_state(void *data, const char *root, const char *id)
{
	auto_arena struct arena *arena = NULL;
	auto_container struct container container = CONTAINER_INIT;
	auto_str struct str text = STR_INIT(2 * STATE_RECORD_MAX);
	enum state_status status;

	(void)data;
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(container_open(arena, root, id, CONTAINER_READ, &container));
	TRY(container_status(&container, &status, NULL));
	TRY(state_json(&container.record, status, true, 2, &text));
	str_add_char(&text, '\n');
	TRY(str_check(&text));
	return fd_write_all(1, text.data, text.len);
}

static err *state_run(const struct cli_context *c, int *ret_status)
{
	static char every[] = "", *all[] = { every, NULL };
	const struct state_args *a = c->args;
	struct cli_context of_all = *c;
	auto_arena struct arena *arena = NULL;

	(void)ret_status;
	if (!a->all && c->operand_count == 0)
		return err_new(EINVAL, "state: needs ID, or --all");
	of_all.operands = a->all ? all : c->operands;
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	return runtime_each(arena, &of_all, a->all || a->regex, print_state, NULL);
}

#define OPT_STRUCT struct state_args
static const struct cli_option state_options[] = {
	OPT('a', "all", CLI_FLAG, all, NULL, "of every container of --root"),
	OPT('r', "regex", CLI_FLAG, regex, NULL, "ID is a regular expression for ids"),
	{ 0 }
};
#undef OPT_STRUCT

const struct cli_command cmd_state = {
	.name = "state",
	.operands = "[ID]",
	.summary = "Print the state of a container as JSON",
	.example = "stube-runtime state web\nstube-runtime state --all",
	.options = state_options,
	.args_size = sizeof(struct state_args),
	.max = 1,
	.run = state_run,
};
