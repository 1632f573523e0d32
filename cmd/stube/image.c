/* cmd/stube/image.c: stube image rm, tag, inspect, gc, fsck. */
#include "agent/local.h"
#include "agent/place.h"
#include "base/json.h"
#include "cmd/stube/remote.h"
#include "images/mount.h"
#include "registry/reference.h"

#define IMAGE_MEMORY (256u << 20)

static bool is_json(const char *output)
{
	return str_equal(output, "json");
}

/* ---- gc ---- */

struct gc_args {
	bool dry_run;
	const char *output;
};

#define OPT_STRUCT struct gc_args
/* clang-format off */
static const struct cli_option gc_options[] = {
	OPT(0,   "dry-run", CLI_FLAG,   dry_run, NULL,        "say what would be removed, remove nothing"),
	OPT('o', "output",  CLI_CHOICE, output,  "text|json", "how to print the result"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

static err *print_gc(const struct image_gc_result *r, bool dry_run, const char *output)
{
	auto_str struct str out = STR_INIT(4096);
	struct json_writer w = JSON_WRITER(&out, 0);
	char size[16];

	if (is_json(output)) {
		json_begin_object(&w);
		json_member_uint(&w, "layers", r->layers);
		json_member_uint(&w, "blobs", r->blobs);
		json_member_uint(&w, "ingests", r->ingests);
		json_member_uint(&w, "leases", r->leases);
		json_member_uint(&w, "bytes", r->bytes);
		json_member_bool(&w, "dryRun", dry_run);
		json_end_object(&w);
		str_add_char(&out, '\n');
	} else {
		str_addf(&out, "%s%llu layers, %llu blobs, %llu unfinished transfers, %s\n",
			 dry_run ? "would remove " : "removed ", (unsigned long long)r->layers,
			 (unsigned long long)r->blobs, (unsigned long long)r->ingests,
			 cli_size_text(r->bytes, size));
	}
	return print_out(&out);
}

static err *collect(const struct cli_context *c, bool dry_run, const char *output)
{
	auto_local struct local *local = NULL;
	auto_store struct image_store *store = NULL;
	const struct image_gc_options options = { .dry_run = dry_run };
	struct image_gc_result result;

	/* Trees of a rootless user's containers belong to his subordinate ids: only in his user namespace can
	 * they be removed. Who cannot have one has no such trees. */
	if (!dry_run && !place_is_root())
		IGNORE(local_open(NULL, &local));
	TRY(open_store(c, IMAGE_STORE_SWEEP, &store));
	TRY(image_gc(store, &options, &result));
	return output ? print_gc(&result, dry_run, output) : NULL;
}

static err *gc_run(const struct cli_context *c, int *ret_status)
{
	const struct gc_args *args = c->args;

	(void)ret_status;
	return collect(c, args->dry_run, args->output ? args->output : "text");
}

static const struct cli_command cmd_gc = {
	.name = "gc",
	.summary = "Remove layers and blobs that no name and no container needs",
	.example = "stube image gc --dry-run",
	.options = gc_options,
	.args_size = sizeof(struct gc_args),
	.run = gc_run,
};

/* ---- rm ---- */

struct rm_args {
	bool keep;
};

#define OPT_STRUCT struct rm_args
/* clang-format off */
static const struct cli_option rm_options[] = {
	OPT(0, "keep-content", CLI_FLAG, keep, NULL, "remove the name alone; `image gc` frees the space later"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

/* Names that stand for `digest` or have it as their manifest. */
static err *remove_by_digest(struct image_store *s, struct arena *arena, const struct digest *digest,
			     struct str *out)
{
	const struct image *image;
	struct image_refs refs;
	size_t count = 0;

	TRY(image_store_refs(s, arena, &refs));
	for (size_t i = 0; i < refs.count; i++) {
		bool match = digest_equal(&refs.items[i].digest, digest);
		err *e = match ? NULL : image_resolve(s, arena, refs.items[i].name, NULL, &image);

		if (!match && !e)
			match = digest_equal(&image->digest, digest);
		err_free(e);
		if (!match)
			continue;
		TRY(image_store_untag(s, refs.items[i].name));
		str_addf(out, "removed %s\n", refs.items[i].name);
		count++;
	}
	return count ? NULL : err_new(ENOENT, "no name stands for it");
}

static err *remove_one(struct image_store *s, struct arena *arena, const char *text, struct str *out)
{
	char name[REFERENCE_TEXT_MAX];
	struct reference reference;
	const struct image *image;
	err *e = reference_parse(text, "localhost", &reference);

	if (!e)
		e = image_store_untag(s, reference_text(&reference, name));
	if (!e) {
		str_addf(out, "removed %s\n", name);
		return NULL;
	}
	/* No name: a digest, or its beginning. */
	err *e_resolve = image_resolve(s, arena, text, NULL, &image);
	if (!e_resolve) {
		err_free(e);
		return err_wrap(remove_by_digest(s, arena, image->name ? &image->target : &image->digest,
						 out),
				"image '%s'", text);
	}
	err_free(e_resolve);
	return e;
}

static err *rm_run(const struct cli_context *c, int *ret_status)
{
	const struct rm_args *args = c->args;
	auto_arena struct arena *arena = NULL;
	struct image_store *store = NULL;
	auto_str struct str out = STR_INIT(1 << 20);
	err *e = NULL;

	(void)ret_status;
	TRY(arena_new(IMAGE_MEMORY, &arena));
	TRY(open_store(c, IMAGE_STORE_SHARED, &store));
	for (size_t i = 0; !e && i < c->operand_count; i++)
		e = remove_one(store, arena, c->operands[i], &out);
	/* The sweep needs the store alone. */
	image_store_free(store);
	if (e) {
		IGNORE(print_out(&out));
		return e;
	}
	TRY(print_out(&out));
	return args->keep ? NULL : collect(c, false, NULL);
}

static const struct cli_command cmd_image_rm = {
	.name = "rm",
	.operands = "IMAGE...",
	.summary = "Remove images by name or digest, with what only they needed",
	.example = "stube image rm registry.example.org/dienste/portal:1",
	.options = rm_options,
	.args_size = sizeof(struct rm_args),
	.min = 1,
	.max = SIZE_MAX,
	.run = rm_run,
};

/* ---- tag ---- */

static err *tag_run(const struct cli_context *c, int *ret_status)
{
	auto_arena struct arena *arena = NULL;
	auto_store struct image_store *store = NULL;
	char name[REFERENCE_TEXT_MAX];
	struct reference reference;
	const struct image *image;
	auto_str struct str text = STR_INIT(OCI_MANIFEST_SIZE_MAX);
	enum oci_media_kind kind;

	(void)ret_status;
	TRY(reference_parse(c->operands[1], "localhost", &reference));
	TRY(arena_new(IMAGE_MEMORY, &arena));
	TRY(open_store(c, IMAGE_STORE_SHARED, &store));
	TRY(image_resolve(store, arena, c->operands[0], NULL, &image));
	TRY(image_blob_read(store, &image->target, &text));
	TRY(oci_document_kind(c->operands[0], NULL, text.data, text.len, &kind));
	const struct image_ref ref = {
		.name = reference_text(&reference, name),
		.digest = image->target,
		.size = (int64_t)text.len,
		.media_type = kind == OCI_KIND_INDEX ? OCI_MEDIA_INDEX : OCI_MEDIA_MANIFEST,
	};
	if (reference.has_digest && !digest_equal(&reference.digest, &image->target))
		return err_new(EINVAL, "'%s' names another digest than the image has", name);
	return image_store_tag(store, &ref);
}

static const struct cli_command cmd_tag = {
	.name = "tag",
	.operands = "IMAGE NAME",
	.summary = "Give an image one more name",
	.example = "stube image tag localhost/portal:1 registry.example.org/dienste/portal:1",
	.min = 2,
	.max = 2,
	.run = tag_run,
};

/* ---- inspect ---- */

struct inspect_args {
	const char *platform;
};

#define OPT_STRUCT struct inspect_args
/* clang-format off */
static const struct cli_option inspect_options[] = {
	OPT(0, "platform", CLI_STRING, platform, "OS/ARCH[/VARIANT]", "of an index, show this platform's image (default: this machine's)"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

/* A document of the store as it stands, every member of it. */
static err *add_document(struct image_store *s, struct arena *arena, struct json_writer *w, const char *key,
			 const struct digest *digest)
{
	auto_str struct str text = STR_INIT(OCI_MANIFEST_SIZE_MAX);
	json *tree;

	TRY(image_blob_read(s, digest, &text));
	TRY(json_parse(arena, key, text.data, text.len, &tree));
	json_key(w, key);
	json_tree(w, tree);
	return NULL;
}

static err *inspect_run(const struct cli_context *c, int *ret_status)
{
	const struct inspect_args *args = c->args;
	auto_arena struct arena *arena = NULL;
	auto_store struct image_store *store = NULL;
	auto_str struct str out = STR_INIT(16u << 20);
	struct json_writer w = JSON_WRITER(&out, 2);
	const struct oci_platform *platform;
	const struct image *image;
	char text[DIGEST_TEXT_MAX];

	(void)ret_status;
	TRY(arena_new(IMAGE_MEMORY, &arena));
	TRY(parse_platform(arena, args->platform, &platform));
	TRY(open_store(c, IMAGE_STORE_SHARED, &store));
	TRY(image_resolve(store, arena, c->operands[0], platform, &image));
	json_begin_object(&w);
	json_member_string(&w, "name", image->name);
	json_member_string(&w, "digest", digest_text(&image->target, text));
	json_member_string(&w, "manifestDigest", digest_text(&image->digest, text));
	json_member_int(&w, "size", image->size);
	TRY(add_document(store, arena, &w, "manifest", &image->digest));
	TRY(add_document(store, arena, &w, "config", &image->manifest->config.digest));
	json_end_object(&w);
	str_add_char(&out, '\n');
	return print_out(&out);
}

static const struct cli_command cmd_image_inspect = {
	.name = "inspect",
	.operands = "IMAGE",
	.summary = "Show manifest and config of an image as JSON",
	.example = "stube image inspect registry.example.org/dienste/portal:1",
	.options = inspect_options,
	.args_size = sizeof(struct inspect_args),
	.min = 1,
	.max = 1,
	.run = inspect_run,
};

/* ---- fsck ---- */

struct fsck_args {
	bool repair;
	const char *output;
};

#define OPT_STRUCT struct fsck_args
/* clang-format off */
static const struct cli_option fsck_options[] = {
	OPT(0,   "repair", CLI_FLAG,   repair, NULL,        "remove what is damaged, so that the next pull fetches it again"),
	OPT('o', "output", CLI_CHOICE, output, "text|json", "how to print the result"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

static void add_problem(const char *problem, void *arg)
{
	strv_add(arg, problem);
}

static void add_fsck_json(struct str *out, const struct image_fsck_result *r, const struct strv *problems)
{
	struct json_writer w = JSON_WRITER(out, 0);

	json_begin_object(&w);
	json_member_uint(&w, "names", r->refs);
	json_member_uint(&w, "blobs", r->blobs);
	json_member_uint(&w, "layers", r->layers);
	json_member_uint(&w, "bytes", r->bytes);
	json_key(&w, "problems");
	json_begin_array(&w);
	for (size_t i = 0; i < problems->count; i++)
		json_string(&w, problems->items[i]);
	json_end_array(&w);
	json_end_object(&w);
	str_add_char(out, '\n');
}

static err *fsck_run(const struct cli_context *c, int *ret_status)
{
	const struct fsck_args *args = c->args;
	auto_store struct image_store *store = NULL;
	auto_strv struct strv problems = STRV_INIT(100000);
	auto_str struct str out = STR_INIT(64u << 20);
	struct image_fsck_result r;
	char size[16];

	TRY(open_store(c, args->repair ? IMAGE_STORE_SWEEP : IMAGE_STORE_SHARED, &store));
	TRY(image_fsck(store, args->repair, add_problem, &problems, &r));
	TRY(strv_check(&problems));
	if (is_json(args->output)) {
		add_fsck_json(&out, &r, &problems);
	} else {
		for (size_t i = 0; i < problems.count; i++)
			str_addf(&out, "%s\n", problems.items[i]);
		str_addf(&out, "checked %llu names, %llu blobs, %llu layers, %s: %llu damaged\n",
			 (unsigned long long)r.refs, (unsigned long long)r.blobs,
			 (unsigned long long)r.layers, cli_size_text(r.bytes, size),
			 (unsigned long long)r.damaged);
	}
	/* Repaired is not undamaged: somebody should look at that disk. */
	*ret_status = r.damaged ? CLI_FAILURE : CLI_OK;
	return print_out(&out);
}

static const struct cli_command cmd_fsck = {
	.name = "fsck",
	.summary = "Check every byte of the image store again",
	.example = "stube image fsck",
	.options = fsck_options,
	.args_size = sizeof(struct fsck_args),
	.run = fsck_run,
};

static const struct cli_command *const subcommands[] = {
	&cmd_image_pack, &cmd_image_rm, &cmd_tag, &cmd_image_inspect, &cmd_gc, &cmd_fsck, NULL,
};

const struct cli_command cmd_image = {
	.name = "image",
	.operands = "COMMAND",
	.summary = "Make images and care for the image store",
	.example = "stube image pack ./portal localhost/portal:1\n"
		   "stube image gc",
	.subcommands = subcommands,
};
