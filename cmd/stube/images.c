/* cmd/stube/images.c: stube images. */
#include "base/clock.h"
#include "base/json.h"
#include "cmd/stube/remote.h"

#define LIST_MEMORY (1u << 30)

struct images_args {
	const char *platform;
	bool quiet;
	const char *output;
};

#define OPT_STRUCT struct images_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT('q', "quiet",    CLI_FLAG,   quiet,    NULL,                "print the names alone"),
	OPT(0,   "platform", CLI_STRING, platform, "OS/ARCH[/VARIANT]", "of an index, show this platform's image (default: this machine's)"),
	OPT('o', "output",   CLI_CHOICE, output,   "text|json",         "how to print the result"),
	{0}
};
/* clang-format on */

struct row {
	const char *name;
	struct digest digest;	   /* what the name stands for */
	const struct image *image; /* NULL: this platform's image is not here, or damaged */
	const char *problem;
};

static void add_json(struct json_writer *w, const struct row *r)
{
	char text[DIGEST_TEXT_MAX];

	json_begin_object(w);
	json_member_string(w, "name", r->name);
	json_member_string(w, "digest", digest_text(&r->digest, text));
	if (r->image) {
		json_member_string(w, "manifest", digest_text(&r->image->digest, text));
		json_member_string(w, "created", r->image->config->created);
		json_member_int(w, "size", r->image->size);
	} else {
		json_member_string(w, "problem", r->problem);
	}
	json_end_object(w);
}

static void add_row(struct cli_table *t, const struct row *r)
{
	char hex[DIGEST_HEX_MAX], size[16], ago[CLOCK_TEXT_MAX];
	int64_t created;
	const char *when = "-";

	digest_hex(&r->digest, hex);
	hex[12] = '\0';
	/* Reproducible images are made in 1970: their age says nothing. */
	if (r->image && r->image->config->created && clock_parse(r->image->config->created, &created) &&
	    created > 0)
		when = clock_ago(clock_real() - created, ago);
	const char *cells[] = { r->name, hex, r->image ? when : r->problem,
				r->image ? cli_size_text((uint64_t)r->image->size, size) : "-" };
	cli_table_row(t, cells);
}

static err *load_row(struct image_store *s, struct arena *arena, const struct image_ref *ref,
		     const struct oci_platform *platform, struct row *r)
{
	auto_str struct str text = STR_INIT(1 << 16);
	err *e = image_resolve(s, arena, ref->name, platform, &r->image);

	r->name = ref->name;
	r->digest = ref->digest;
	if (!e)
		return NULL;
	/* One bad image must not hide the others. */
	r->image = NULL;
	err_format(e, &text);
	r->problem = e->code == ENOENT ? "incomplete" : "damaged";
	err_free(e);
	if (str_equal(r->problem, "damaged"))
		TRY_ALLOC(arena, r->problem, arena_strdup(arena, text.data));
	return NULL;
}

static err *load_rows(struct image_store *s, struct arena *arena, const struct images_args *args,
		      struct row **ret, size_t *ret_count)
{
	const struct oci_platform *platform;
	struct image_refs refs;

	TRY(parse_platform(arena, args->platform, &platform));
	TRY(image_store_refs(s, arena, &refs));
	TRY_ALLOC(arena, *ret, arena_array(arena, refs.count + 1, sizeof **ret));
	for (size_t i = 0; i < refs.count; i++)
		TRY(load_row(s, arena, &refs.items[i], platform, &(*ret)[i]));
	*ret_count = refs.count;
	return NULL;
}

static err *print_json(const struct row *rows, size_t count)
{
	auto_str struct str out = STR_INIT(64u << 20);
	struct json_writer w = JSON_WRITER(&out, 2);

	json_begin_array(&w);
	for (size_t i = 0; i < count; i++)
		add_json(&w, &rows[i]);
	json_end_array(&w);
	str_add_char(&out, '\n');
	return print_out(&out);
}

static err *print_names(const struct row *rows, size_t count)
{
	auto_str struct str out = STR_INIT(64u << 20);

	for (size_t i = 0; i < count; i++)
		str_addf(&out, "%s\n", rows[i].name);
	return print_out(&out);
}

static err *print_table(const struct row *rows, size_t count)
{
	static const char *const headings[] = { "NAME", "DIGEST", "AGE", "SIZE", NULL };
	auto_cli_table struct cli_table *table = NULL;

	TRY(cli_table_new(headings, &table));
	for (size_t i = 0; i < count; i++)
		add_row(table, &rows[i]);
	return cli_table_print(table, 1);
}

static err *images_run(const struct cli_context *c, int *ret_status)
{
	const struct images_args *args = c->args;
	auto_arena struct arena *arena = NULL;
	auto_store struct image_store *store = NULL;
	struct row *rows = NULL;
	size_t count = 0;

	(void)ret_status;
	TRY(arena_new(LIST_MEMORY, &arena));
	TRY(open_store(c, IMAGE_STORE_SHARED, &store));
	TRY(load_rows(store, arena, args, &rows, &count));
	if (str_equal(args->output, "json"))
		return print_json(rows, count);
	return args->quiet ? print_names(rows, count) : print_table(rows, count);
}

const struct cli_command cmd_images = {
	.name = "images",
	.operands = NULL,
	.summary = "List the images of the store",
	.example = "stube images --output json",
	.options = options,
	.args_size = sizeof(struct images_args),
	.run = images_run,
};
