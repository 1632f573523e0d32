/* cmd/stube/stop.c: stube stop, stube rm. */
#include <stdio.h>

#include "base/log.h"
#include "cmd/stube/local.h"

struct stop_args {
	int64_t timeout;
};

#define OPT_STRUCT struct stop_args
/* clang-format off */
static const struct cli_option stop_options[] = {
	OPT('t', "timeout", CLI_SECONDS, timeout, "SECONDS", "wait so long before KILL (default: as it was run with)"),
	{0}
};
/* clang-format on */

static void stop_defaults(void *args)
{
	((struct stop_args *)args)->timeout = -1;
}

/* Every name gets its turn; the last error is the command's. */
static err *each(const struct cli_context *c, struct local *l,
		 err *(*act)(struct local *l, const char *name, const void *args))
{
	err *last = NULL;

	for (size_t i = 0; i < c->operand_count; i++) {
		err *e = act(l, c->operands[i], c->args);
		if (!e) {
			printf("%s\n", c->operands[i]);
			continue;
		}
		if (last) {
			log_err(last);
			err_free(last);
		}
		last = e;
	}
	return last;
}

static err *stop_one(struct local *l, const char *name, const void *args)
{
	return local_stop(l, name, ((const struct stop_args *)args)->timeout);
}

static err *stop_run(const struct cli_context *c, int *ret_status)
{
	auto_local struct local *l = NULL;

	(void)ret_status;
	TRY(local_open(NULL, &l));
	return each(c, l, stop_one);
}

const struct cli_command cmd_stop = {
	.name = "stop",
	.operands = "NAME...",
	.summary = "Ask containers to end, and end them",
	.example = "stube stop --timeout 30 db",
	.options = stop_options,
	.args_size = sizeof(struct stop_args),
	.defaults = stop_defaults,
	.min = 1,
	.max = SIZE_MAX,
	.run = stop_run,
};

struct rm_args {
	bool force;
};

#undef OPT_STRUCT
#define OPT_STRUCT struct rm_args
/* clang-format off */
static const struct cli_option rm_options[] = {
	OPT('f', "force", CLI_FLAG, force, NULL, "kill those that run first"),
	{0}
};
/* clang-format on */

static err *rm_one(struct local *l, const char *name, const void *args)
{
	return local_remove(l, name, ((const struct rm_args *)args)->force);
}

static err *rm_run(const struct cli_context *c, int *ret_status)
{
	auto_local struct local *l = NULL;

	(void)ret_status;
	TRY(local_open(NULL, &l));
	return each(c, l, rm_one);
}

const struct cli_command cmd_rm = {
	.name = "rm",
	.operands = "NAME...",
	.summary = "Remove containers with all they wrote",
	.example = "stube rm portal\nstube rm --force $(stube ps --all --output name)",
	.options = rm_options,
	.args_size = sizeof(struct rm_args),
	.min = 1,
	.max = SIZE_MAX,
	.run = rm_run,
};
