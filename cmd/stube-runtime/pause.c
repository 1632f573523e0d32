/* cmd/stube-runtime/pause.c: the commands pause and resume. */
#include "cmd/stube-runtime/runtime.h"

static err *freeze(const struct cli_context *c, bool frozen)
{
	auto_arena struct arena *arena = NULL;
	auto_container struct container container = CONTAINER_INIT;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	enum state_status status;

	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(runtime_open(arena, c, CONTAINER_LOCK, &container));
	TRY(container_status(&container, &status, NULL));
	if (frozen && status != STATE_RUNNING && status != STATE_CREATED)
		return err_new(EINVAL, "container not running");
	if (!frozen && status != STATE_PAUSED)
		return err_new(EINVAL, "container not paused");
	TRY(container_open_cgroup(&container, &cg));
	return cgroup_freeze(&cg, frozen);
}

static err *pause_run(const struct cli_context *c, int *ret_status)
{
	(void)ret_status;
	return runtime_named(freeze(c, true), c->operands[0]);
}

static err *resume_run(const struct cli_context *c, int *ret_status)
{
	(void)ret_status;
	return runtime_named(freeze(c, false), c->operands[0]);
}

const struct cli_command cmd_pause = {
	.name = "pause",
	.operands = "ID",
	.summary = "Stop every process of a container where it stands",
	.example = "stube-runtime pause web",
	.min = 1,
	.max = 1,
	.run = pause_run,
};

const struct cli_command cmd_resume = {
	.name = "resume",
	.operands = "ID",
	.summary = "Let the processes of a paused container go on",
	.example = "stube-runtime resume web",
	.min = 1,
	.max = 1,
	.run = resume_run,
};
