/* cmd/stube/inspect.c: stube inspect. */
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "cmd/stube/local.h"

static err *inspect_run(const struct cli_context *c, int *ret_status)
{
	auto_arena struct arena *arena = NULL;
	auto_local struct local *l = NULL;
	auto_str struct str out = STR_INIT(64 << 20);
	struct json_writer w = JSON_WRITER(&out, 2);
	struct local_container container;

	(void)ret_status;
	TRY(arena_new(64 << 20, &arena));
	TRY(local_open(NULL, &l));
	json_begin_array(&w);
	for (size_t i = 0; i < c->operand_count; i++) {
		TRY(local_find(l, arena, c->operands[i], &container));
		local_encode(&w, &container);
	}
	json_end_array(&w);
	str_add_char(&out, '\n');
	TRY(str_check(&out));
	return fd_write_all(STDOUT_FILENO, out.data, out.len);
}

const struct cli_command cmd_inspect = {
	.name = "inspect",
	.operands = "NAME...",
	.summary = "Show all that is known of containers, as JSON",
	.example = "stube inspect portal | jq '.[0].status'",
	.min = 1,
	.max = SIZE_MAX,
	.run = inspect_run,
};
