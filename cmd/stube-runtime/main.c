/* cmd/stube-runtime/main.c: the OCI runtime's command line, a drop-in for runc and crun. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/stube-runtime/runtime.h"
#include "oci/config.h"
#include "runtime/kernel.h"

#define OPT_STRUCT struct runtime_globals
/* clang-format off */
static const struct cli_option global_options[] = {
	OPT(0,   "root",           CLI_STRING, root,           "DIR",                          "where the state of containers is kept"),
	OPT(0,   "log",            CLI_STRING, log,            "FILE",                         "write the log there instead of stderr; journald:ID or syslog:ID"),
	OPT(0,   "log-format",     CLI_CHOICE, log_format,     "text|json",                    "how log lines look"),
	OPT(0,   "log-level",      CLI_CHOICE, log_level,      "error|warning|info|debug",     "from which level on to log"),
	OPT(0,   "debug",          CLI_FLAG,   debug,          NULL,                           "log each step of a start"),
	OPT(0,   "cgroup-manager", CLI_CHOICE, cgroup_manager, "cgroupfs|systemd|disabled",    "who makes the container's cgroup"),
	OPT(0,   "systemd-cgroup", CLI_FLAG,   systemd_cgroup, NULL,                           "the same as --cgroup-manager=systemd"),
	OPT(0,   "rootless",       CLI_CHOICE, rootless,       "true|false|auto",              "whether to expect the rights of an ordinary user"),
	OPT(0,   "criu",           CLI_STRING, criu,           "PATH",                         "the program of checkpoint and restore (default: criu in PATH)"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

static const struct cli_command *const commands[] = {
	&cmd_create, &cmd_start, &cmd_run, &cmd_exec, &cmd_state, &cmd_list, &cmd_kill, &cmd_delete,
	&cmd_ps, &cmd_pause, &cmd_resume, &cmd_update, &cmd_events, &cmd_mounts, &cmd_spec,
	&cmd_features, &cmd_checkpoint, &cmd_restore, NULL,
};

/* Set by rules.mk. */
extern const char stube_commit[];

/* "NAME version X", "commit: X" and "spec: X", as Docker and others parse them. */
static void print_version(void)
{
	printf("stube-runtime version %s\ncommit: %s\nspec: %s\n", stube_version, stube_commit, OCI_VERSION);
}

/* A closed stdin, stdout or stderr must not become the number of something that we open. */
static err *open_standard(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return err_errno("open '/dev/null'");
	return NULL;
}

static err *setup(const void *globals)
{
	const struct runtime_globals *g = globals;
	static const char *const levels[] = { "error", "warning", "info", "debug", NULL };
	enum log_level level = g->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING;

	for (int i = 0; !g->debug && levels[i]; i++)
		if (str_equal(g->log_level, levels[i]))
			level = (enum log_level)i;
	TRY(open_standard());
	/* What a caller leaked must reach neither hooks nor the container; --preserve-fds opens again. */
	(void)k_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	return log_open(g->log, str_equal(g->log_format, "json") ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
			level);
}

/* Callers read the log's last error (--log), people read stderr: both get it. */
static void report(const err *e)
{
	log_err(e);
	if (log_fd() != 2) {
		auto_str struct str text = STR_INIT(64 * 1024);

		err_format(e, &text);
		fprintf(stderr, "%s\n", text.data);
		if (err_first_hint(e))
			fprintf(stderr, "%s\n", err_first_hint(e));
	}
}

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "stube-runtime",
		.summary = "Start and manage containers as the OCI runtime specification says",
		.example = "stube-runtime run --bundle /srv/bundle web\n"
			   "stube-runtime --root /run/test create -b /srv/bundle --pid-file /run/web.pid web",
		.options = global_options,
		.globals_size = sizeof(struct runtime_globals),
		.commands = commands,
		.setup = setup,
		.peers_words = true, /* runc is of Go, crun of argp */
		.version = print_version,
		.report = report,
	};

	warm();
	return cli_main(&program, argc, argv);
}
