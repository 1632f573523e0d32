/* cmd/stube-runtime/mounts.c: the commands mounts add and mounts remove. */
#include "cmd/stube-runtime/init-image.h"
#include "cmd/stube-runtime/runtime.h"
#include "oci/config.h"
#include "runtime/hotplug.h"

struct mounts_args {
	const char *file;
};

/* From a file, standard input, or the operand itself when it is the document. */
static err *read_document(struct arena *arena, const struct cli_context *c, struct strv *warnings,
			  const struct oci_config **ret)
{
	const struct mounts_args *a = c->args;
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	const char *from = a->file ? a->file : c->operands[1];

	if (a->file && c->operand_count > 1)
		return err_new(EINVAL, "--file cannot be combined with a second operand");
	if (!from)
		return err_hint(err_new(EINVAL, "mounts: no document is given"),
				"Give a file, '-' for standard input, or the JSON text itself.");
	if (!a->file && strchr("[{", *from) && *from)
		return oci_mounts_decode(arena, "mounts", from, strlen(from), warnings, ret);
	TRY(runtime_read_document(from, &text));
	return oci_mounts_decode(arena, from, text.data, text.len, warnings, ret);
}

static err *change(const struct cli_context *c,
		   err *(*act)(struct arena *arena, const struct hotplug_request *r))
{
	auto_arena struct arena *arena = NULL;
	auto_strv struct strv warnings = STRV_INIT(256);
	struct hotplug_request r = {
		.base = {
			.id = c->operands[0],
			.console_fd = -1,
			.init = init_image,
			.init_len = init_image_size,
			.warnings = &warnings,
			.print = runtime_step_printer(c),
		},
	};

	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(state_check_id(r.base.id));
	TRY(runtime_root(arena, c, &r.base.root));
	r.base.rootless = runtime_is_rootless(c);
	TRY(read_document(arena, c, &warnings, &r.mounts));
	err *e = act(arena, &r);
	runtime_log_warnings(&warnings);
	return runtime_named(e, c->operands[0]);
}

static err *add_run(const struct cli_context *c, int *ret_status)
{
	(void)ret_status;
	return change(c, hotplug_add);
}

static err *remove_run(const struct cli_context *c, int *ret_status)
{
	(void)ret_status;
	return change(c, hotplug_remove);
}

#define OPT_STRUCT struct mounts_args
/* clang-format off */
static const struct cli_option mounts_options[] = {
	OPT('f', "file", CLI_STRING, file, "FILE", "the document, - for standard input; instead of the second operand"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

static const struct cli_command cmd_add = {
	.name = "add",
	.operands = "ID [FILE|JSON]",
	.summary = "Mount more into a container that runs",
	.example = "stube-runtime mounts add web mounts.json\n"
		   "stube-runtime mounts add web '[{\"destination\": \"/data\", \"source\": \"/srv/data\", "
		   "\"options\": [\"rbind\", \"ro\"]}]'",
	.notes = "The document is an object with \"mounts\" as in config.json, or that list alone.\n"
		 "Either all of it is mounted, or nothing. remount and tmpcopyup are refused.",
	.options = mounts_options,
	.args_size = sizeof(struct mounts_args),
	.min = 1,
	.max = 2,
	.run = add_run,
};

static const struct cli_command cmd_remove = {
	.name = "remove",
	.operands = "ID [FILE|JSON]",
	.summary = "Unmount what was added to a container that runs",
	.example = "stube-runtime mounts remove web mounts.json\n"
		   "stube-runtime mounts remove web '[{\"destination\": \"/data\"}]'",
	.notes = "The document is the one of add; only its destinations count. Nothing but what add has\n"
		 "mounted is unmounted. Processes that use it keep what they have open.",
	.options = mounts_options,
	.args_size = sizeof(struct mounts_args),
	.min = 1,
	.max = 2,
	.run = remove_run,
};

static const struct cli_command *const subcommands[] = { &cmd_add, &cmd_remove, NULL };

const struct cli_command cmd_mounts = {
	.name = "mounts",
	.summary = "Add and remove mounts of a container that runs",
	.example = "stube-runtime mounts add web mounts.json\n"
		   "stube-runtime mounts remove web mounts.json",
	.subcommands = subcommands,
};
