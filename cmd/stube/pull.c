/* cmd/stube/pull.c: stube pull. */
#include "base/clock.h"
#include "base/json.h"
#include "cmd/stube/remote.h"
#include "images/remote.h"

struct pull_args {
	struct remote_args remote;
	const char *platform;
	bool all_platforms, discard_blobs;
	uint64_t parallel, max_layer_size;
	const char *output;
};

#define OPT_STRUCT struct pull_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT(0,   "platform",       CLI_STRING, platform,       "OS/ARCH[/VARIANT]", "take this platform's image (default: this machine's)"),
	OPT(0,   "all-platforms",  CLI_FLAG,   all_platforms,  NULL,   "take the images of all platforms, so that all can be pushed on"),
	OPT(0,   "discard-blobs",  CLI_FLAG,   discard_blobs,  NULL,   "do not keep compressed layers: less disk, but the image cannot be pushed on"),
	OPT(0,   "max-layer-size", CLI_SIZE,   max_layer_size, "SIZE", "let a small layer unpack to so much (default: 512M, or 60 times its size)"),
	OPT(0,   "parallel",       CLI_UINT,   parallel,       "N",    "layers at a time, 1 to 16 (default: 3)"),
	OPT('o', "output",         CLI_CHOICE, output,         "text|json", "how to print the result"),
	REMOTE_OPTIONS("print the digest alone, no progress"),
	{0}
};
/* clang-format on */

static void add_json(struct json_writer *w, const char *name, const struct image_pull_result *r, int64_t nsec)
{
	char text[DIGEST_TEXT_MAX];

	json_begin_object(w);
	json_member_string(w, "name", name);
	json_member_string(w, "digest", digest_text(&r->target, text));
	json_member_string(w, "manifest", digest_text(&r->manifest, text));
	json_member_int(w, "fetched", r->fetched);
	json_member_int(w, "milliseconds", nsec / (int64_t)NSEC_PER_MSEC);
	json_end_object(w);
}

static void add_text(struct str *out, const char *name, const struct image_pull_result *r, int64_t nsec,
		     bool quiet)
{
	char text[DIGEST_TEXT_MAX], size[16];

	if (quiet)
		str_addf(out, "%s\n", digest_text(&r->target, text));
	else
		str_addf(out, "%s\n%s\n%s fetched in %.1f s\n", name, digest_text(&r->target, text),
			 cli_size_text((uint64_t)r->fetched, size), (double)nsec / NSEC_PER_SEC);
}

static err *pull_one(struct image_store *s, struct registry *registry, const struct reference *reference,
		     const struct image_pull_options *pull, const struct pull_args *args, struct str *out,
		     struct json_writer *w)
{
	char name[REFERENCE_TEXT_MAX];
	struct image_pull_result result;
	int64_t begin = clock_monotonic();
	err *e = image_pull_remote(s, registry, reference, pull, &result);

	if (e && e->code == EFBIG && !args->max_layer_size)
		return err_hint(e, "If you trust the image, allow more with --max-layer-size.");
	TRY(e);
	int64_t nsec = clock_monotonic() - begin;
	if (str_equal(args->output, "json"))
		add_json(w, reference_text(reference, name), &result, nsec);
	else
		add_text(out, reference_text(reference, name), &result, nsec, args->remote.quiet);
	return NULL;
}

/* All names are understood before the first is asked for. */
static err *parse_names(struct arena *arena, const struct cli_context *c, struct reference **ret)
{
	TRY_ALLOC(arena, *ret, arena_array(arena, c->operand_count, sizeof **ret));
	for (size_t i = 0; i < c->operand_count; i++)
		TRY(reference_parse(c->operands[i], NULL, &(*ret)[i]));
	return NULL;
}

static err *pull_run(const struct cli_context *c, int *ret_status)
{
	const struct pull_args *args = c->args;
	auto_arena struct arena *arena = NULL;
	auto_progress struct progress *progress = NULL;
	auto_registry struct registry *registry = NULL;
	auto_store struct image_store *store = NULL;
	auto_str struct str out = STR_INIT(1 << 20);
	struct json_writer w = JSON_WRITER(&out, 0);
	struct image_limits limits = image_limits_default;
	atomic_bool cancel = false;
	struct reference *names;
	struct image_pull_options pull = {
		.all_platforms = args->all_platforms,
		.discard_blobs = args->discard_blobs,
		.parallel = (unsigned)MIN(args->parallel, 16),
		.limits = &limits,
		.cancel = &cancel,
	};

	(void)ret_status;
	if (args->all_platforms && args->platform)
		return err_new(EINVAL, "--platform and --all-platforms exclude each other");
	if (args->max_layer_size)
		limits.layer_bytes = args->max_layer_size;
	TRY(arena_new(1 << 20, &arena));
	TRY(parse_names(arena, c, &names));
	TRY(parse_platform(arena, args->platform, &pull.platform));
	TRY(progress_new(args->remote.progress, args->remote.quiet, &progress));
	pull.progress = progress_callbacks(progress);
	TRY(open_registry(&args->remote, &cancel, progress, &registry));
	TRY(open_store(c, IMAGE_STORE_SHARED, &store));
	for (size_t i = 0; i < c->operand_count; i++) {
		TRY(pull_one(store, registry, &names[i], &pull, args, &out, &w));
		progress_end(progress);
		if (str_equal(args->output, "json"))
			str_add_char(&out, '\n');
		TRY(print_out(&out));
		str_clear(&out);
		w = (struct json_writer)JSON_WRITER(&out, 0);
	}
	return NULL;
}

const struct cli_command cmd_pull = {
	.name = "pull",
	.group = "Commands for images",
	.operands = "IMAGE...",
	.summary = "Fetch images from a registry into the image store",
	.example = "stube pull registry.example.org/dienste/portal:1\n"
		   "stube pull --quiet --platform linux/arm64 registry.example.org/dienste/portal:1",
	.options = options,
	.args_size = sizeof(struct pull_args),
	.min = 1,
	.max = SIZE_MAX,
	.run = pull_run,
};
