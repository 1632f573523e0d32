/* cmd/stube/exec.c: stube exec. */
#include "cmd/stube/local.h"

struct exec_args {
	bool interactive, tty;
	struct strv env, env_files;
	const char *user, *workdir;
};

#define OPT_STRUCT struct exec_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT('i', "interactive", CLI_FLAG,   interactive, NULL,           "pass on standard input"),
	OPT('t', "tty",         CLI_FLAG,   tty,         NULL,           "give it a terminal"),
	OPT('e', "env",         CLI_LIST,   env,         "NAME[=VALUE]", "set a variable; without VALUE the caller's own"),
	OPT(0,   "env-file",    CLI_LIST,   env_files,   "FILE",         "set variables from lines of a file"),
	OPT('u', "user",        CLI_STRING, user,        "USER[:GROUP]", "run as this user, by name or number"),
	OPT('w', "workdir",     CLI_STRING, workdir,     "DIR",          "begin in this directory"),
	{0}
};
/* clang-format on */

static err *exec_run(const struct cli_context *c, int *ret_status)
{
	const struct exec_args *a = c->args;
	auto_local struct local *l = NULL;
	auto_strv struct strv env = STRV_INIT(4096);
	struct strings args = { (const char **)c->operands + 1, c->operand_count - 1 };
	struct monitor_end end;

	TRY(env_collect(&a->env, &a->env_files, &env));
	struct local_exec exec = {
		.process = {
			.args = &args,
			.env = { (const char **)env.items, env.count },
			.cwd = a->workdir,
			.user = a->user,
			.tty = a->tty,
			.root_fd = -1,
		},
		.interactive = a->interactive,
	};
	TRY(local_open(NULL, &l));
	TRY(local_exec(l, c->operands[0], &exec, &end));
	*ret_status = end.code;
	return NULL;
}

const struct cli_command cmd_exec = {
	.name = "exec",
	.operands = "NAME COMMAND [ARGUMENT]...",
	.summary = "Run a command inside a running container",
	.example = "stube exec portal cat /etc/hosts\nstube exec --interactive --tty db /bin/sh",
	.options = options,
	.args_size = sizeof(struct exec_args),
	.min = 2,
	.max = SIZE_MAX,
	.stop_at_operand = true,
	.run = exec_run,
};
