/* cmd/stube/image-pack.c: stube image pack. */
#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "cmd/stube/remote.h"
#include "images/pack.h"
#include "registry/reference.h"

struct pack_args {
	struct strv entrypoint, cmd, env, ports, labels, volumes;
	const char *user, *working_dir, *stop_signal, *author;
	const char *path, *created, *platform, *compression, *output;
	bool keep_owners, quiet;
};

#define OPT_STRUCT struct pack_args
/* clang-format off */
static const struct cli_option pack_options[] = {
	OPT_HEADING("How to run it"),
	OPT('e', "entrypoint",  CLI_LIST,   entrypoint,  "WORD",       "program and its fixed arguments, one word each (default: the binary itself)"),
	OPT('c', "cmd",         CLI_LIST,   cmd,         "WORD",       "arguments that a caller may replace, one word each"),
	OPT('E', "env",         CLI_LIST,   env,         "NAME=VALUE", "set an environment variable"),
	OPT('u', "user",        CLI_STRING, user,        "USER[:GROUP]", "user to run as, by name or number"),
	OPT('w', "workdir",     CLI_STRING, working_dir, "DIR",        "working directory"),
	OPT('p', "port",        CLI_LIST,   ports,       "PORT[/PROTOCOL]", "port on which the service listens"),
	OPT('v', "volume",      CLI_LIST,   volumes,     "DIR",        "directory that keeps data"),
	OPT(0,   "stop-signal", CLI_STRING, stop_signal, "SIGNAL",     "signal that asks it to end"),
	OPT_HEADING("What it is"),
	OPT('l', "label",       CLI_LIST,   labels,      "NAME=VALUE", "add a label"),
	OPT(0,   "author",      CLI_STRING, author,      "TEXT",       "who made it"),
	OPT(0,   "platform",    CLI_STRING, platform,    "OS/ARCH[/VARIANT]", "platform it runs on (default: this machine's)"),
	OPT(0,   "created",     CLI_STRING, created,     "TIME",       "creation time, RFC 3339 or seconds; later file times become this (default: SOURCE_DATE_EPOCH, or the youngest file's)"),
	OPT_HEADING("How to pack it"),
	OPT(0,   "path",        CLI_STRING, path,        "PATH",       "place of a single binary in the image (default: /NAME)"),
	OPT(0,   "keep-owners", CLI_FLAG,   keep_owners, NULL,         "keep numeric owners instead of 0:0"),
	OPT(0,   "compression", CLI_CHOICE, compression, "gzip|zstd|none", "how the layer is compressed for registries (default: gzip)"),
	OPT('q', "quiet",       CLI_FLAG,   quiet,       NULL,         "print the digest alone"),
	OPT('o', "output",      CLI_CHOICE, output,      "text|json",  "how to print the result"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

/* Seconds, as SOURCE_DATE_EPOCH has them, or a date. */
static err *parse_created(const char *option, int64_t *ret)
{
	const char *text = option ? option : getenv("SOURCE_DATE_EPOCH");
	int64_t nsec;

	*ret = PACK_CREATED_YOUNGEST;
	if (!text || (!option && !*text))
		return NULL;
	/* No later than 9999, the last year that RFC 3339 can write. */
	if (str_to_i64(text, ret) && *ret >= 0 && *ret <= 253402300799)
		return NULL;
	if (!clock_parse(text, &nsec))
		return err_new(EINVAL, "%s: '%s' is neither seconds nor a date as 2026-11-23T20:15:04Z",
			       option ? "--created" : "SOURCE_DATE_EPOCH", text);
	*ret = nsec / (int64_t)NSEC_PER_SEC;
	return NULL;
}

static enum oci_compression parse_compression(const char *text)
{
	return str_equal(text, "zstd") ? OCI_ZSTD : str_equal(text, "none") ? OCI_PLAIN : OCI_GZIP;
}

static err *open_source(const char *path, int *ret_fd, bool *ret_directory)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno("open '%s'", path);
	*ret_directory = S_ISDIR(st.st_mode);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return err_new(EINVAL, "'%s' is neither a directory nor a file", path);
	if (S_ISREG(st.st_mode) && !pack_is_static_binary(fd))
		return err_hint(err_new(EINVAL, "'%s' is not a static binary", path),
				"Put it into a directory with all it needs, and pack that.");
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

static err *print_result(const struct pack_args *args, const struct image_ref *ref)
{
	auto_str struct str out = STR_INIT(64 * 1024);
	struct json_writer w = JSON_WRITER(&out, 0);
	char digest[DIGEST_TEXT_MAX];

	digest_text(&ref->digest, digest);
	if (str_equal(args->output, "json")) {
		json_begin_object(&w);
		json_member_string(&w, "name", ref->name);
		json_member_string(&w, "digest", digest);
		json_member_string(&w, "mediaType", ref->media_type);
		json_member_int(&w, "size", ref->size);
		json_end_object(&w);
		str_add_char(&out, '\n');
	} else if (args->quiet) {
		str_addf(&out, "%s\n", digest);
	} else {
		str_addf(&out, "packed %s %s\n", ref->name, digest);
	}
	return print_out(&out);
}

static err *pack(const struct cli_context *c, const struct pack_args *args, const struct pack_config *config,
		 const struct pack_options *options)
{
	auto_close int fd = -1;
	auto_store struct image_store *store = NULL;
	auto_free char *path = strdup(c->operands[0]);
	char name[REFERENCE_TEXT_MAX];
	struct reference reference;
	struct image_ref ref;
	bool directory;

	if (!path)
		return err_oom();
	TRY(reference_parse(c->operands[1], "localhost", &reference));
	if (reference.has_digest)
		return err_new(EINVAL, "'%s': a digest is known after packing only", c->operands[1]);
	TRY(open_source(c->operands[0], &fd, &directory));
	if (directory && args->path)
		return err_new(EINVAL, "--path is for a single binary, '%s' is a directory", c->operands[0]);
	TRY(open_store(c, IMAGE_STORE_SHARED, &store));
	TRY(err_wrap(image_pack(store, fd, directory ? NULL : basename(path), options, config,
				parse_compression(args->compression), reference_text(&reference, name), &ref),
		     "pack '%s'", c->operands[0]));
	return print_result(args, &ref);
}

static err *pack_run(const struct cli_context *c, int *ret_status)
{
	const struct pack_args *args = c->args;
	auto_arena struct arena *arena = NULL;
	struct pack_options options = { .keep_owners = args->keep_owners, .binary_path = args->path };
	struct pack_config config = {
		.user = args->user,
		.working_dir = args->working_dir,
		.stop_signal = args->stop_signal,
		.author = args->author,
		.entrypoint = &args->entrypoint,
		.cmd = &args->cmd,
		.env = &args->env,
		.ports = &args->ports,
		.labels = &args->labels,
		.volumes = &args->volumes,
	};

	(void)ret_status;
	TRY(arena_new(1 << 20, &arena));
	TRY(parse_created(args->created, &options.created));
	TRY(parse_platform(arena, args->platform, &config.platform));
	return pack(c, args, &config, &options);
}

const struct cli_command cmd_image_pack = {
	.name = "pack",
	.operands = "DIRECTORY|BINARY NAME",
	.summary = "Make an image from a directory or a static binary",
	.example = "stube image pack --port 8080 --user 1000 ./portal localhost/dienste/portal:1\n"
		   "stube image pack --entrypoint /usr/bin/python3 --entrypoint /srv/app.py ./rootfs "
		   "localhost/dienste/antrag:1",
	.options = pack_options,
	.args_size = sizeof(struct pack_args),
	.min = 2,
	.max = 2,
	.run = pack_run,
};
