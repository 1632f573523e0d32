/* cmd/stube/push.c: stube push. */
#include "base/json.h"
#include "cmd/stube/remote.h"
#include "images/push.h"

struct push_args {
	struct remote_args remote;
	const char *platform;
	uint64_t parallel;
	const char *output;
};

#define OPT_STRUCT struct push_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT(0,   "platform", CLI_STRING, platform, "OS/ARCH[/VARIANT]", "push this platform's image alone, not the whole index"),
	OPT(0,   "parallel", CLI_UINT,   parallel, "N",    "layers at a time, 1 to 16 (default: 3)"),
	OPT('o', "output",   CLI_CHOICE, output,   "text|json", "how to print the result"),
	REMOTE_OPTIONS("print the digest alone, no progress"),
	{0}
};
/* clang-format on */

static err *print_result(const struct push_args *args, const struct reference *to,
			 const struct image_push_result *r)
{
	auto_str struct str out = STR_INIT(1 << 16);
	struct json_writer w = JSON_WRITER(&out, 0);
	char name[REFERENCE_TEXT_MAX], digest[DIGEST_TEXT_MAX], size[16];

	reference_text(to, name);
	digest_text(&r->digest, digest);
	if (str_equal(args->output, "json")) {
		json_begin_object(&w);
		json_member_string(&w, "name", name);
		json_member_string(&w, "digest", digest);
		json_member_int(&w, "sent", r->sent);
		json_end_object(&w);
		str_add_char(&out, '\n');
	} else if (args->remote.quiet) {
		str_addf(&out, "%s\n", digest);
	} else {
		str_addf(&out, "%s\n%s\n%s sent\n", name, digest, cli_size_text((uint64_t)r->sent, size));
	}
	return print_out(&out);
}

static err *push_run(const struct cli_context *c, int *ret_status)
{
	const struct push_args *args = c->args;
	auto_arena struct arena *arena = NULL;
	auto_progress struct progress *progress = NULL;
	auto_registry struct registry *registry = NULL;
	auto_store struct image_store *store = NULL;
	atomic_bool cancel = false;
	struct reference to;
	struct image_push_result result;
	struct image_push_options push = { .parallel = (unsigned)MIN(args->parallel, 16), .cancel = &cancel };

	(void)ret_status;
	/* Where to is the last operand: the image's own name, unless another one is given. */
	TRY(reference_parse(c->operands[c->operand_count - 1], NULL, &to));
	TRY(arena_new(1 << 20, &arena));
	TRY(parse_platform(arena, args->platform, &push.platform));
	TRY(progress_new(args->remote.progress, args->remote.quiet, &progress));
	push.progress = progress_callbacks(progress);
	TRY(open_store(c, IMAGE_STORE_SHARED, &store));
	TRY(open_registry(&args->remote, &cancel, progress, &registry));
	TRY(image_push(store, registry, c->operands[0], &to, &push, &result));
	progress_end(progress);
	return print_result(args, &to, &result);
}

const struct cli_command cmd_push = {
	.name = "push",
	.operands = "IMAGE [DESTINATION]",
	.summary = "Send an image from the image store to a registry",
	.example = "stube push registry.example.org/dienste/portal:1\n"
		   "stube push localhost/portal:1 registry.example.org/dienste/portal:1",
	.options = options,
	.args_size = sizeof(struct push_args),
	.min = 1,
	.max = 2,
	.run = push_run,
};
