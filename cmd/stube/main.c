/* cmd/stube/main.c: the command line for people and CI. */
#include "base/log.h"
#include "cmd/stube/commands.h"

#define OPT_STRUCT struct stube_globals
/* clang-format off */
static const struct cli_option options[] = {
	OPT(0,   "store",      CLI_STRING, store,      "DIR",       "image store to use (default: /var/lib/stube/images, or below XDG_DATA_HOME)"),
	OPT(0,   "log",        CLI_STRING, log,        "FILE",      "write the log to a file instead of standard error"),
	OPT(0,   "log-format", CLI_CHOICE, log_format, "text|json", "how to write the log"),
	OPT(0,   "debug",      CLI_FLAG,   debug,      NULL,        "log what is done, step by step"),
	{0}
};
/* clang-format on */

static err *setup(const void *args)
{
	const struct stube_globals *globals = args;
	bool json = str_equal(globals->log_format, "json");

	return log_open(globals->log, json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
			globals->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
}

static const struct cli_command *const commands[] = {
	&cmd_run,
	&cmd_ps,
	&cmd_logs,
	&cmd_exec,
	&cmd_stop,
	&cmd_rm,
	&cmd_inspect,
	&cmd_pull,
	&cmd_push,
	&cmd_images,
	&cmd_image,
	&cmd_login,
	&cmd_logout,
	&cmd_up,
	&cmd_down,
	&cmd_apply,
	&cmd_get,
	&cmd_describe,
	&cmd_delete,
	&cmd_rollout,
	&cmd_scale,
	&cmd_explain,
	&cmd_plan,
	&cmd_nodes,
	&cmd_drain,
	&cmd_cordon,
	&cmd_uncordon,
	&cmd_label,
	&cmd_taint,
	&cmd_events,
	&cmd_top,
	&cmd_pki,
	&cmd_info,
	&cmd_version,
	NULL,
};

static const struct cli_entry environment[] = {
	{ "STUBE_STORE", "the image store, like --store" },
	{ "STUBE_RUN", "what is gone after a reboot, instead of /run/stube" },
	{ "STUBE_DATA", "records and logs of containers, instead of /var/lib/stube" },
	{ "STUBE_CONFIG", "how to reach the cluster, like --config: a kubeconfig file" },
	{ "REGISTRY_AUTH_FILE", "the file of credentials, like --auth-file" },
	{ "https_proxy, http_proxy, all_proxy, no_proxy", "as curl(1) reads them" },
	{ "SOURCE_DATE_EPOCH", "the time that image pack writes, like --created" },
	{ "NO_COLOR", "no colour and no progress bars" },
	{ 0 },
};

static const struct cli_entry files[] = {
	{ "/var/lib/stube/images", "the image store" },
	{ "/var/lib/stube/containers/NAME", "record, log and exit record of a container" },
	{ "~/.config/stube/config, /etc/stube/admin.conf", "how to reach the cluster" },
	{ "/etc/stube/pki", "the authority of a cluster, and what it issued" },
	{ "/run/stube", "bundles, sockets and mounts of containers that run" },
	{ "$XDG_DATA_HOME/stube, $XDG_RUNTIME_DIR/stube", "the same for users who are not root" },
	{ "/run/containers/0/auth.json, $XDG_RUNTIME_DIR/containers/auth.json", "credentials that login keeps" },
	{ "/etc/containers/certs.d/HOST:PORT", "authorities and client certificates of a registry" },
	{ 0 },
};

static const struct cli_program program = {
	.environment = environment,
	.files = files,
	.name = "stube",
	.summary = "Run administrative microservices in sandboxes of their own",
	.example = "stube pull registry.example.org/dienste/portal:1\n"
		   "stube run --name portal registry.example.org/dienste/portal:1",
	.options = options,
	.globals_size = sizeof(struct stube_globals),
	.commands = commands,
	.setup = setup,
};

int main(int argc, char **argv)
{
	return cli_main(&program, argc, argv);
}
