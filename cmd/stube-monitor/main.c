/* cmd/stube-monitor/main.c: options of the monitor, and its way out of the caller's session. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/fd.h"
#include "base/log.h"
#include "monitor/session.h"

struct monitor_args {
	const char *id, *dir, *keep, *runtime, *bundle, *process, *cgroup;
	struct strv runtime_args;
	bool adopt, tty, interactive, log, debug, foreground;
	uint64_t log_size, log_files;
	int64_t starter_fd, root_fd, lock_fd, lease_fd;
};

#define OPT_STRUCT struct monitor_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT_HEADING("What to watch"),
	OPT(0,   "id",          CLI_STRING, id,           "ID",   "the container, as the runtime knows it"),
	OPT(0,   "dir",         CLI_STRING, dir,          "DIR",  "absolute path for the socket and records of the running process"),
	OPT(0,   "keep",        CLI_STRING, keep,         "DIR",  "absolute path for the log and the exit record"),
	OPT(0,   "bundle",      CLI_STRING, bundle,       "DIR",  "create the container of this OCI bundle"),
	OPT(0,   "process",     CLI_STRING, process,      "FILE", "execute this process in the running container instead"),
	OPT(0,   "adopt",       CLI_FLAG,   adopt,        NULL,   "take over from a monitor that was killed"),
	OPT_HEADING("How"),
	OPT(0,   "runtime",     CLI_STRING, runtime,      "PATH", "any OCI runtime"),
	OPT(0,   "runtime-arg", CLI_LIST,   runtime_args, "ARG",  "argument for the runtime, before its command; may be repeated"),
	OPT('t', "tty",         CLI_FLAG,   tty,          NULL,   "the process has a terminal"),
	OPT('i', "interactive", CLI_FLAG,   interactive,  NULL,   "the process has a stdin that clients write to"),
	OPT(0,   "log",         CLI_FLAG,   log,          NULL,   "keep a log of the output"),
	OPT(0,   "log-size",    CLI_SIZE,   log_size,     "SIZE", "begin a new log file at this size (10M)"),
	OPT(0,   "log-files",   CLI_UINT,   log_files,    "N",    "keep that many log files (5)"),
	OPT(0,   "cgroup",      CLI_STRING, cgroup,       "DIR",  "move the monitor into this cgroup first"),
	OPT_HEADING("Descriptors of the caller"),
	OPT(0,   "starter-fd",  CLI_INT,    starter_fd,   "FD",   "connected socket of the first client"),
	OPT(0,   "root-fd",     CLI_INT,    root_fd,      "FD",   "detached mount to attach at the bundle's rootfs"),
	OPT(0,   "lock-fd",     CLI_INT,    lock_fd,      "FD",   "lock to hold while the monitor lives"),
	OPT(0,   "lease-fd",    CLI_INT,    lease_fd,     "FD",   "lease of the image to hold as well"),
	OPT_HEADING("For debugging"),
	OPT(0,   "debug",       CLI_FLAG,   debug,        NULL,   "log every event, not only changes of state"),
	OPT(0,   "foreground",  CLI_FLAG,   foreground,   NULL,   "stay in the caller's session"),
	{0}
};
/* clang-format on */

static void defaults(void *args)
{
	struct monitor_args *a = args;

	a->log_size = 10 << 20;
	a->log_files = 5;
	a->starter_fd = a->root_fd = a->lock_fd = a->lease_fd = -1;
}

static err *check(const struct monitor_args *a)
{
	const struct {
		const char *name, *value;
	} paths[] = { { "dir", a->dir }, { "keep", a->keep }, { "runtime", a->runtime } };

	if (!a->id)
		return err_new(EINVAL, "--id is missing");
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (!paths[i].value)
			return err_new(EINVAL, "--%s is missing", paths[i].name);
		if (paths[i].value[0] != '/')
			return err_new(EINVAL, "--%s: '%s' is not an absolute path", paths[i].name,
				       paths[i].value);
	}
	if ((a->bundle != NULL) + (a->process != NULL) + a->adopt != 1)
		return err_new(EINVAL, "give one of --bundle, --process, --adopt");
	return NULL;
}

/* A descriptor number of the command line; it closes on exec from now on. */
static err *claim(const char *name, int64_t fd, int *ret)
{
	*ret = (int)fd;
	if (fd >= 0 && (fd > INT_MAX || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0))
		return err_new(EBADF, "--%s: %lld is not an open descriptor", name, (long long)fd);
	return NULL;
}

/* Two forks: no terminal can become ours, and the caller has nobody to wait for. Returns in the
 * grandchild only. */
static err *leave_caller(void)
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		if (pid < 0)
			return err_errno("fork");
		if (pid > 0) {
			if (i == 0)
				waitpid(pid, NULL, 0); /* it forks and ends; nobody else would reap it */
			_exit(0);
		}
		if (i == 0 && setsid() < 0)
			return err_errno("make a session");
	}
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++)
		if (null < 0 || dup2(null, i) < 0)
			return err_errno("open '/dev/null'");
	return NULL;
}

static err *run(const struct cli_context *c, int *ret_status)
{
	const struct monitor_args *a = c->args;
	struct monitor_options o = {
		.id = a->id,
		.dir = a->dir,
		.keep = a->keep,
		.runtime = a->runtime,
		.runtime_args = a->runtime_args,
		.bundle = a->bundle,
		.process = a->process,
		.adopt = a->adopt,
		.tty = a->tty,
		.interactive = a->interactive,
		.log = a->log,
		.limits = { a->log_size, (unsigned)MIN(a->log_files, 1000u) },
		.cgroup = a->cgroup,
	};
	char log_path[4096];
	err *e = check(a);

	if (e) {
		*ret_status = CLI_USAGE;
		return e;
	}
	TRY(claim("starter-fd", a->starter_fd, &o.starter_fd));
	TRY(claim("root-fd", a->root_fd, &o.root_fd));
	TRY(claim("lock-fd", a->lock_fd, &o.lock_fd));
	TRY(claim("lease-fd", a->lease_fd, &o.lease_fd));
	snprintf(log_path, sizeof(log_path), "%s/monitor.log", a->dir);
	TRY(log_open(log_path, LOG_FORMAT_TEXT, a->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO));
	if (!a->foreground)
		TRY(leave_caller());
	e = monitor_session(&o);
	if (e)
		log_err(e);
	return e;
}

static const struct cli_command command = {
	.name = "stube-monitor",
	.summary = "Watch over one container or one exec session",
	.example = "stube-monitor --id web --dir /run/web --keep /var/log/web --log "
		   "--runtime /usr/bin/stube-runtime --bundle /srv/web",
	.options = options,
	.args_size = sizeof(struct monitor_args),
	.defaults = defaults,
	.run = run,
};

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "stube-monitor",
		.summary = "Watch over one container or one exec session",
		.example = "stube-monitor --id web --dir /run/web --keep /var/log/web --log "
			   "--runtime /usr/bin/stube-runtime --bundle /srv/web",
		.main = &command,
	};

	return cli_main(&program, argc, argv);
}
