/* cmd/stube-scheduler/main.c: options of the control plane. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/path.h"
#include "scheduler/scheduler.h"

struct args {
	const char *store, *listen, *socket, *cert, *key, *client_ca, *metrics;
	const char *log, *log_format, *log_level;
	int64_t lease;
	bool no_socket;
};

#define OPT_STRUCT struct args
/* clang-format off */
static const struct cli_option options[] = {
	OPT_HEADING("State"),
	OPT(0, "store",      CLI_STRING,  store,     "PATH",      "the database; sqlite:PATH means the same (DATA/scheduler/store.db)"),
	OPT_HEADING("Who is served"),
	OPT(0, "socket",     CLI_STRING,  socket,    "PATH",      "Unix socket for root and for the user who runs this (RUN/scheduler.sock)"),
	OPT(0, "no-socket",  CLI_FLAG,    no_socket, NULL,        "make no Unix socket"),
	OPT(0, "listen",     CLI_STRING,  listen,    "ADDR:PORT", "serve TLS here as well; needs the three files below"),
	OPT(0, "cert",       CLI_STRING,  cert,      "FILE",      "the server's certificate and those between it and its authority"),
	OPT(0, "key",        CLI_STRING,  key,       "FILE",      "the certificate's private key"),
	OPT(0, "client-ca",  CLI_STRING,  client_ca, "FILE",      "authorities that sign clients' certificates"),
	OPT(0, "metrics",    CLI_STRING,  metrics,   "ADDR:PORT", "serve /metrics and /healthz here, without TLS, to anybody"),
	OPT_HEADING("Nodes"),
	OPT(0, "lease",      CLI_SECONDS, lease,     "SECONDS",   "a node that is silent for so long is lost (40)"),
	OPT_HEADING("Log"),
	OPT(0, "log",        CLI_STRING,  log,       "FILE",      "write the log there instead of stderr; journald:ID for the journal"),
	OPT(0, "log-format", CLI_CHOICE,  log_format, "text|json", "how log lines look"),
	OPT(0, "log-level",  CLI_CHOICE,  log_level, "error|warning|info|debug", "from which level on to log (info)"),
	{0}
};
static const struct cli_entry environment[] = {
	{ "STUBE_DATA", "folder for what must survive: DATA; /var/lib/stube, or ~/.local/share/stube for another user than root" },
	{ "STUBE_RUN",  "folder for the socket: RUN; /run/stube, or $XDG_RUNTIME_DIR/stube" },
	{ "NOTIFY_SOCKET", "set by systemd(1): told when the scheduler is ready, is ending, and that it lives (WATCHDOG_USEC)" },
	{0}
};
static const struct cli_entry files[] = {
	{ "/var/lib/stube/scheduler/store.db", "all objects; with -wal, -shm and -lock beside it" },
	{ "/run/stube/scheduler.sock", "the object API for root" },
	{0}
};
/* clang-format on */

static void defaults(void *args)
{
	struct args *a = args;

	a->lease = 40 * (int64_t)NSEC_PER_SEC;
}

/* The same folders as the agent and `stube` use: $variable, root's folder, else the user's below $xdg or his
 * home. */
static err *folder(const char *variable, const char *roots, const char *xdg, const char *home,
		   struct str *out)
{
	const char *value = getenv(variable);

	if (value && *value)
		str_add(out, value);
	else if (geteuid() == 0)
		str_add(out, roots);
	else if ((value = getenv(xdg)) && *value)
		str_addf(out, "%s/stube", value);
	else if (home && (value = getenv("HOME")) && *value)
		str_addf(out, "%s/%s/stube", value, home);
	else
		return err_new(EINVAL, "neither %s nor %s is set", variable, xdg);
	return str_check(out);
}

/* Folders of ours, which nobody else may enter. */
static err *make_parent(const char *path)
{
	auto_free char *copy = strdup(path);
	char *slash = copy ? strrchr(copy, '/') : NULL;

	if (!copy)
		return err_oom();
	if (!slash || slash == copy)
		return NULL;
	*slash = '\0';
	return err_wrap(path_mkdir_all(copy, 0700), "folder '%s'", copy);
}

static err *find_store(const struct args *a, struct str *out)
{
	const char *path = a->store;

	str_add(out, "sqlite:");
	if (path)
		str_add(out, str_starts_with(path, "sqlite:") ? path + strlen("sqlite:") : path);
	else
		TRY(folder("STUBE_DATA", "/var/lib/stube", "XDG_DATA_HOME", ".local/share", out));
	if (!path)
		str_add(out, "/scheduler/store.db");
	TRY(str_check(out));
	return path ? NULL : make_parent(out->data + strlen("sqlite:"));
}

static err *find_socket(const struct args *a, struct str *out)
{
	if (a->socket) {
		str_add(out, a->socket);
		return str_check(out);
	}
	TRY(folder("STUBE_RUN", "/run/stube", "XDG_RUNTIME_DIR", NULL, out));
	str_add(out, "/scheduler.sock");
	TRY(str_check(out));
	return make_parent(out->data);
}

static err *check(const struct args *a)
{
	if (a->no_socket && a->socket)
		return err_new(EINVAL, "give one of --socket, --no-socket");
	if (a->no_socket && !a->listen)
		return err_new(EINVAL, "--no-socket needs --listen: nobody could reach the scheduler");
	if (a->listen && (!a->cert || !a->key || !a->client_ca))
		return err_new(EINVAL, "--listen needs --cert, --key and --client-ca");
	if (!a->listen && (a->cert || a->key || a->client_ca))
		return err_new(EINVAL, "--cert, --key and --client-ca need --listen");
	if (a->lease < (int64_t)NSEC_PER_SEC || a->lease > 3600 * (int64_t)NSEC_PER_SEC)
		return err_new(EINVAL, "--lease: must be 1 second to 1 hour");
	return NULL;
}

static err *open_log(const struct args *a)
{
	static const char *const levels[] = { "error", "warning", "info", "debug" };
	enum log_level level = LOG_LEVEL_INFO;

	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (str_equal(a->log_level, levels[i]))
			level = (enum log_level)i;
	return log_open(a->log, str_equal(a->log_format, "json") ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT, level);
}

static err *run(const struct cli_context *c, int *ret_status)
{
	const struct args *a = c->args;
	auto_str struct str store = STR_INIT(PATH_MAX), socket = STR_INIT(PATH_MAX);
	struct scheduler_options o = {
		.listen = a->listen,
		.cert = a->cert,
		.key = a->key,
		.client_ca = a->client_ca,
		.metrics = a->metrics,
		.lease = a->lease,
		.clock_margin = a->lease / 10,
		.event_ttl = 3600 * (int64_t)NSEC_PER_SEC,
	};
	err *e = check(a);

	if (e) {
		*ret_status = CLI_USAGE;
		return e;
	}
	TRY(open_log(a));
	TRY(find_store(a, &store));
	if (!a->no_socket)
		TRY(find_socket(a, &socket));
	o.store = store.data;
	o.socket = a->no_socket ? NULL : socket.data;
	return scheduler_run(&o);
}

#define SUMMARY "Keep the objects of a cluster and place its Pods on nodes"
#define EXAMPLE                                                                            \
	"stube-scheduler --store /srv/stube/store.db --socket /run/stube/scheduler.sock\n" \
	"stube-scheduler --listen 192.0.2.1:6443 --cert server.crt --key server.key --client-ca ca.crt"

static const struct cli_command command = {
	.name = "stube-scheduler",
	.summary = SUMMARY,
	.example = EXAMPLE,
	.notes = "The object API has the paths, verbs and errors of Kubernetes: kubectl and\n"
		 "client libraries talk to it. Who may do what:\n"
		 "\n"
		 "  Unix socket, root or the user who runs this   everything\n"
		 "  certificate, O = system:masters               everything\n"
		 "  certificate, O = stube:viewers                read all objects\n"
		 "  certificate, O = system:nodes,\n"
		 "               CN = system:node:NAME            its own Node, Pods, Lease, Events\n"
		 "  nobody                                        /healthz /livez /readyz /version\n"
		 "\n"
		 "TERM and INT end it, with status 0, after what was accepted is on the disk. HUP, and a change\n"
		 "of the three files, has it read its certificates again; connections stay.\n"
		 "\n"
		 "A full disk refuses writes with HTTP status 507 and /readyz with 503; reads and\n"
		 "watches go on, and writes are taken again when there is room.\n",
	.options = options,
	.args_size = sizeof(struct args),
	.defaults = defaults,
	.run = run,
};

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "stube-scheduler",
		.summary = SUMMARY,
		.example = EXAMPLE,
		.environment = environment,
		.files = files,
		.main = &command,
	};

	return cli_main(&program, argc, argv);
}
