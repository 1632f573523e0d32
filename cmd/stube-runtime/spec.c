/* cmd/stube-runtime/spec.c: the commands spec and features: documents on their way out. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/stube-runtime/runtime.h"
#include "runtime/features.h"
#include "runtime/spec.h"

#define DOCUMENT_MAX (1u << 20)

struct spec_args {
	const char *bundle, *config;
	bool rootless;
};

/* Never over a file that is there: it may be somebody's work. */
static err *write_new(const char *dir, const char *name, const struct str *text)
{
	auto_close int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir_fd < 0)
		return err_errno("bundle '%s'", dir);
	auto_close int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno("make '%s'", name);
	return err_wrap(fd_write_all(fd, text->data, text->len), "'%s'", name);
}

static err *spec_run(const struct cli_context *c, int *ret_status)
{
	const struct spec_args *a = c->args;
	auto_str struct str text = STR_INIT(DOCUMENT_MAX);

	(void)ret_status;
	TRY(spec_write(a->rootless, &text));
	TRY(str_check(&text));
	return write_new(a->bundle ? a->bundle : ".", a->config ? a->config : "config.json", &text);
}

#define OPT_STRUCT struct spec_args
/* clang-format off */
static const struct cli_option spec_options[] = {
	OPT('b', "bundle",   CLI_STRING, bundle,   "DIR",  "where to write it (default: the current directory)"),
	OPT('f', "config",   CLI_STRING, config,   "FILE", "another name for config.json"),
	OPT_HIDDEN(0, "file", CLI_STRING, config,  "FILE", "the same, as crun calls it"),
	OPT(0,   "rootless", CLI_FLAG,   rootless, NULL,   "for a container of the calling user"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

const struct cli_command cmd_spec = {
	.name = "spec",
	.operands = "",
	.summary = "Write a config.json to begin with",
	.example = "stube-runtime spec --bundle /srv/bundle",
	.options = spec_options,
	.args_size = sizeof(struct spec_args),
	.run = spec_run,
};

static err *features_run(const struct cli_context *c, int *ret_status)
{
	auto_str struct str text = STR_INIT(DOCUMENT_MAX);

	(void)c;
	(void)ret_status;
	TRY(features_write(&text));
	TRY(str_check(&text));
	return fd_write_all(STDOUT_FILENO, text.data, text.len);
}

static const struct cli_option no_options[] = { { 0 } };

const struct cli_command cmd_features = {
	.name = "features",
	.operands = "",
	.summary = "Print what this runtime supports, as the specification's features document",
	.example = "stube-runtime features",
	.options = no_options,
	.run = features_run,
};
