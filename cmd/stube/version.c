/* cmd/stube/version.c: stube version. */
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "cmd/stube/commands.h"

struct version_args {
	const char *output;
};

#define OPT_STRUCT struct version_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT('o', "output", CLI_CHOICE, output, "text|json", "how to print the result"),
	{0}
};
/* clang-format on */

static err *version_run(const struct cli_context *c, int *ret_status)
{
	const struct version_args *args = c->args;
	auto_str struct str out = STR_INIT(4096);
	struct utsname host;

	(void)ret_status;
	if (uname(&host) < 0)
		return err_errno("ask for the kernel's version");
	if (str_equal(args->output, "json")) {
		struct json_writer w = JSON_WRITER(&out, 2);

		json_begin_object(&w);
		json_member_string(&w, "version", stube_version);
		json_member_string(&w, "kernel", host.release);
		json_member_string(&w, "machine", host.machine);
		json_end_object(&w);
		str_add_char(&out, '\n');
	} else {
		str_addf(&out, "stube version %s\nLinux %s %s\n", stube_version, host.release, host.machine);
	}
	TRY(str_check(&out));
	return fd_write_all(STDOUT_FILENO, out.data, out.len);
}

const struct cli_command cmd_version = {
	.name = "version",
	.summary = "Show the version of Stube and of the kernel",
	.example = "stube version --output json",
	.options = options,
	.args_size = sizeof(struct version_args),
	.run = version_run,
};
