/* cmd/stube-runtime/state.c: the command state. */
#include "base/fd.h"
#include "cmd/stube-runtime/runtime.h"

static err *state_run(const struct cli_context *c, int *ret_status)
{
	auto_arena struct arena *arena = NULL;
	auto_container struct container container = CONTAINER_INIT;
	auto_str struct str text = STR_INIT(2 * STATE_RECORD_MAX);
	enum state_status status;

	(void)ret_status;
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(runtime_open(arena, c, CONTAINER_READ, &container));
	TRY(container_status(&container, &status, NULL));
	TRY(state_json(&container.record, status, true, 2, &text));
	str_add_char(&text, '\n');
	TRY(str_check(&text));
	return fd_write_all(1, text.data, text.len);
}

const struct cli_command cmd_state = {
	.name = "state",
	.operands = "ID",
	.summary = "Print the state of a container as JSON",
	.example = "stube-runtime state web",
	.min = 1,
	.max = 1,
	.run = state_run,
};
