/* cmd/stube/exec.c: stube exec. */
#include "cmd/stube/cluster-streams.h"
#include "cmd/stube/local.h"

struct exec_args {
	struct cluster_args cluster;
	bool interactive, tty;
	const char *container;
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
	OPT_HEADING("Pods of the cluster"),
	OPT('c', "container",   CLI_STRING, container,   "NAME",         "which container of the Pod"),
	CLUSTER_OPTIONS,
	{0}
};
/* clang-format on */

/* What follows the name; "--" before it may be written, as kubectl wants it. */
static struct strings command_of(const struct cli_context *c)
{
	size_t first = c->operand_count > 2 && str_equal(c->operands[1], "--") ? 2 : 1;

	return (struct strings){ (const char **)c->operands + first, c->operand_count - first };
}

static err *exec_in_pod(const struct cli_context *c, int *ret_status)
{
	const struct exec_args *a = c->args;
	struct strings command = command_of(c);
	struct api_exec exec = {
		.container = a->container, .command = &command, .stdin_open = a->interactive, .tty = a->tty,
	};

	if (a->env.count || a->env_files.count || a->user || a->workdir)
		return err_hint(err_new(EINVAL, "--env, --env-file, --user and --workdir are for containers of this machine"),
				"In a Pod: stube exec %s env NAME=VALUE COMMAND", c->operands[0]);
	return cluster_exec(&a->cluster, c->operands[0], &exec, ret_status);
}

static err *exec_in_container(const struct cli_context *c, int *ret_status)
{
	const struct exec_args *a = c->args;
	auto_local struct local *l = NULL;
	auto_strv struct strv env = STRV_INIT(4096);
	struct strings args = command_of(c);
	struct monitor_end end;

	if (a->container)
		return err_new(EINVAL, "--container: for Pods only, named as pod/%s", c->operands[0]);
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
	err *e =
		local_or_pod(local_exec(l, c->operands[0], &exec, &end), &a->cluster, "exec", c->operands[0]);
	TRY(exec_status(e, ret_status));
	*ret_status = end.code;
	return NULL;
}

static err *exec_run(const struct cli_context *c, int *ret_status)
{
	const struct exec_args *a = c->args;

	return cluster_is_meant(&a->cluster, c->operands[0]) ? exec_in_pod(c, ret_status) : exec_in_container(c, ret_status);
}

const struct cli_command cmd_exec = {
	.name = "exec",
	.operands = "NAME|TYPE/NAME COMMAND [ARGUMENT]...",
	.summary = "Run a command inside a running container, of this machine or of a Pod",
	.example = "stube exec portal cat /etc/hosts\nstube exec --interactive --tty db /bin/sh\n"
		   "stube exec pod/antrag-6f7c-2xk4p -- /usr/bin/antrag --version",
	.notes = "A bare NAME is a container of this machine; pod/NAME and deployment/NAME (its first "
		 "running Pod)\n"
		 "are the cluster's, and so is a bare NAME with --namespace. The exit status is the "
		 "command's own; 127 when\n"
		 "it is not there, 126 when it may not be executed.\n\n" CLUSTER_NOTES,
	.options = options,
	.args_size = sizeof(struct exec_args),
	.min = 2,
	.max = SIZE_MAX,
	.stop_at_operand = true,
	.run = exec_run,
};
