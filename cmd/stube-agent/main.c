/* cmd/stube-agent/main.c: the node agent: options, and the check of a machine. */
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/node-check.h"
#include "agent/node.h"
#include "agent/place.h"
#include "agent/reserve.h"
#include "agent/userns.h"
#include "base/cli.h"
#include "base/log.h"

#define CONFIG_DEFAULT "/etc/stube/agent.conf"

struct agent_args {
	const char *config, *name, *address, *listen, *socket, *metrics, *store, *programs, *runtime, *cgroups, *auth_file;
	struct strv labels, taints, unverified;
	const char *reserve_cpu, *reserve_memory, *system_reserved;
	uint64_t max_pods;
	const char *log, *log_format;
	bool debug, quiet;
};

#define OPT_STRUCT struct agent_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT_HEADING("The cluster"),
	OPT('c', "config",         CLI_STRING, config,         "FILE",      "how to reach the scheduler, and as whom (default: " CONFIG_DEFAULT ")"),
	OPT('n', "name",           CLI_STRING, name,           "NAME",      "of this node (default: the host's name)"),
	OPT('l', "label",          CLI_LIST,   labels,         "KEY=VALUE", "label the node; may be repeated"),
	OPT(0,   "taint",          CLI_LIST,   taints,         "KEY=VALUE:EFFECT", "taint the node when it is first registered; may be repeated"),
	OPT(0,   "address",        CLI_STRING, address,        "ADDRESS",   "of this machine, for others (default: that of the way to the scheduler)"),
	OPT_HEADING("Servers"),
	OPT(0,   "listen",         CLI_STRING, listen,         "HOST:PORT", "serve logs and commands here, with TLS (default: the address, port 10250)"),
	OPT(0,   "socket",         CLI_STRING, socket,         "PATH",      "Unix socket for root (default: /run/stube/agent.sock)"),
	OPT(0,   "metrics",        CLI_STRING, metrics,        "HOST:PORT", "serve /metrics and /healthz here without TLS"),
	OPT_HEADING("Containers"),
	OPT(0,   "store",          CLI_STRING, store,          "DIR",       "image store (default: /var/lib/stube/images, or below XDG_DATA_HOME)"),
	OPT(0,   "programs",       CLI_STRING, programs,       "DIR",       "where stube-monitor and stube-runtime are (default: beside this program)"),
	OPT(0,   "runtime",        CLI_STRING, runtime,        "PATH",      "OCI runtime (default: stube-runtime)"),
	OPT(0,   "cgroups",        CLI_CHOICE, cgroups,        "cgroupfs|systemd|disabled", "who makes cgroups"),
	OPT(0,   "max-pods",       CLI_UINT,   max_pods,       "N",         "so many Pods at most (110)"),
	OPT(0,   "reserve-cpu",    CLI_STRING, reserve_cpu,    "AMOUNT",    "keep processors for the machine itself, such as 500m (default: by its size)"),
	OPT(0,   "reserve-memory", CLI_STRING, reserve_memory, "SIZE",      "keep memory for the machine itself (default: by its size)"),
	OPT(0,   "system-reserved", CLI_STRING, system_reserved, "cpu=AMOUNT,memory=SIZE", "both, as Kubernetes writes it"),
	OPT(0,   "auth-file",      CLI_STRING, auth_file,      "FILE",      "credentials of registries"),
	OPT(0,   "insecure",       CLI_LIST,   unverified,     "HOST[:PORT]", "allow plain http, or an unknown certificate, for this registry; may be repeated"),
	OPT_HEADING("Log"),
	OPT(0,   "log",            CLI_STRING, log,            "FILE",      "write the log there instead of standard error; journald:ID for the journal"),
	OPT(0,   "log-format",     CLI_CHOICE, log_format,     "text|json", "how to write the log"),
	OPT('q', "quiet",          CLI_FLAG,   quiet,          NULL,        "log warnings and errors only"),
	OPT(0,   "debug",          CLI_FLAG,   debug,          NULL,        "log what is done, step by step"),
	{0}
};
/* clang-format on */

/* Each may be said once. */
static err *read_reserve(const struct agent_args *a, struct reserve *ret)
{
	struct quantity cpu = { 0 }, memory = { 0 };
	struct reserve r = { RESERVE_BY_SIZE, RESERVE_BY_SIZE };

	if (a->system_reserved && (a->reserve_cpu || a->reserve_memory))
		return err_new(EINVAL, "--system-reserved says what --reserve-cpu and --reserve-memory say: "
				       "one of them is enough");
	if (a->system_reserved)
		TRY(err_wrap(reserve_parse(a->system_reserved, &r), "--system-reserved"));
	if (a->reserve_cpu && !quantity_parse(a->reserve_cpu, &cpu))
		return err_new(EINVAL, "--reserve-cpu: '%s' is no amount such as 500m or 2", a->reserve_cpu);
	if (a->reserve_memory && !quantity_parse(a->reserve_memory, &memory))
		return err_new(EINVAL, "--reserve-memory: '%s' is no size such as 512Mi", a->reserve_memory);
	if (a->reserve_cpu)
		r.cpu = cpu.milli;
	if (a->reserve_memory)
		r.memory = quantity_units(&memory);
	*ret = r;
	return NULL;
}

/* ---- check ---- */

static err *check(const struct agent_args *a, int *ret_status)
{
	static const char *const headings[] = { "CHECK", "RESULT", "FOUND", "MEANS", NULL };
	static const char *const results[] = { "ok", "limited", "missing" };
	auto_arena struct arena *arena = NULL;
	auto_cli_table struct cli_table *table = NULL;
	struct node_check *checks;
	struct reserve reserve;
	size_t count;

	TRY(arena_new(1 << 20, &arena));
	TRY(read_reserve(a, &reserve));
	TRY(node_check(arena, &(struct node_check_options){ a->programs, a->cgroups, reserve }, &checks,
		       &count));
	TRY(cli_table_new(headings, &table));
	for (size_t i = 0; i < count; i++) {
		const struct node_check *c = &checks[i];
		const char *cells[] = { c->name, results[c->result], c->found, c->means ? c->means : "" };
		cli_table_row(table, cells);
		if (c->result == CHECK_MISSING)
			*ret_status = CLI_FAILURE;
	}
	return cli_table_print(table, STDOUT_FILENO);
}

/* ---- serve ---- */

static err *open_log(const struct agent_args *a)
{
	bool as_json = str_equal(a->log_format, "json");

	return log_open(a->log, as_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
			a->debug ? LOG_LEVEL_DEBUG : a->quiet ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO);
}

/* --config, $STUBE_CONFIG, the default file; without any the scheduler of this machine, which may start after us. */
static err *load_config(struct arena *arena, const struct agent_args *a, const char *run, struct node_options *o)
{
	const char *path = a->config ? a->config : getenv("STUBE_CONFIG");
	struct stat st;
	char *server;

	if (!path && stat(CONFIG_DEFAULT, &st) == 0)
		path = CONFIG_DEFAULT;
	if (path) {
		o->config_path = path;
		return api_config_load(arena, path, run, &o->api);
	}
	TRY_ALLOC(arena, server, arena_printf(arena, "unix://%s/scheduler.sock", run));
	if (stat(server + strlen("unix://"), &st) < 0)
		log_warning("neither " CONFIG_DEFAULT " nor a scheduler of this machine is there yet", "socket",
			    server + strlen("unix://"), NULL);
	o->api = (struct api_config){ .name = "local", .server = server, .namespace = "default" };
	return NULL;
}

static err *fill(struct arena *arena, const struct agent_args *a, struct node_options *o)
{
	auto_str struct str run = STR_INIT(4096);
	struct reserve reserve;

	TRY(read_reserve(a, &reserve));
	if (a->max_pods > 10000)
		return err_new(EINVAL, "--max-pods: at most 10000");
	*o = (struct node_options){
		.name = a->name,
		.labels = (const char *const *)a->labels.items,
		.taints = (const char *const *)a->taints.items,
		.address = a->address,
		.listen = a->listen,
		.socket = a->socket,
		.metrics = a->metrics,
		.store = a->store,
		.programs = a->programs,
		.runtime = a->runtime,
		.cgroup_manager = a->cgroups,
		.auth_file = a->auth_file,
		.unverified = (const char *const *)a->unverified.items,
		.reserve_cpu = reserve.cpu,
		.reserve_memory = reserve.memory,
		.max_pods = (unsigned)a->max_pods,
	};
	TRY(place_run(&run));
	return load_config(arena, a, run.data, o);
}

/* An ordinary user's containers live in a user namespace, which is entered before there are threads. */
static err *enter(void)
{
	auto_str struct str run = STR_INIT(4096);

	TRY(place_run(&run));
	str_add(&run, "/agent/containers");
	TRY(str_check(&run));
	return userns_enter(run.data);
}

static err *agent_run(const struct cli_context *c, int *ret_status)
{
	const struct agent_args *a = c->args;
	auto_arena struct arena *arena = NULL;
	struct node_options o;

	if (c->operand_count > 0 && !str_equal(c->operands[0], "check")) {
		*ret_status = CLI_USAGE;
		return err_hint(err_new(EINVAL, "unknown command '%s'", c->operands[0]), "see 'stube-agent --help'");
	}
	if (c->operand_count > 0)
		return check(a, ret_status);
	TRY(open_log(a));
	TRY(arena_new(16 << 20, &arena));
	TRY(fill(arena, a, &o));
	TRY(enter());
	signal(SIGPIPE, SIG_IGN);
	return node_run(&o);
}

static const struct cli_command agent_main = {
	.name = "stube-agent",
	.operands = "[check]",
	.options = options,
	.args_size = sizeof(struct agent_args),
	.notes = "Without an operand the agent serves until it is asked to end by SIGTERM or SIGINT;\n"
		 "its containers go on, and the next agent takes them over without touching them.\n"
		 "\n"
		 "With `check` it changes nothing and prints what the machine lacks: a table with\n"
		 "one line for each requirement.\n"
		 "\n"
		 "Taints are given at the first registration only: later they are the cluster's.\n"
		 "Labels given here are set at each start.\n"
		 "\n"
		 "A configuration that changes on the disk (renewed certificates) is read again\n"
		 "within a third of the lease's duration, or at once after SIGHUP.\n"
		 "\n"
		 "Exit status:\n"
		 "  0  it was asked to end; check: services can run here\n"
		 "  1  it could not begin; check: something that is needed is missing\n"
		 "  2  wrong usage",
	.max = 1,
	.run = agent_run,
};

static const struct cli_entry environment[] = {
	{ "STUBE_CONFIG", "how to reach the scheduler, like --config" },
	{ "STUBE_STORE", "the image store, like --store" },
	{ "STUBE_RUN", "what is gone after a reboot, instead of /run/stube" },
	{ "STUBE_DATA", "records, logs and volumes, instead of /var/lib/stube" },
	{ "REGISTRY_AUTH_FILE", "the file of credentials, like --auth-file" },
	{ "https_proxy, http_proxy, all_proxy, no_proxy", "as curl(1) reads them, for registries" },
	{ "NOTIFY_SOCKET, WATCHDOG_USEC", "of the service manager, as sd_notify(3) says" },
	{ 0 },
};

static const struct cli_entry files[] = {
	{ CONFIG_DEFAULT, "the scheduler's address, its authority, this node's certificate and key; mode 0600" },
	{ "/run/stube/agent.sock", "health, metrics, Pods, logs and commands, for root" },
	{ "/var/lib/stube/agent/pods/UID", "the record of a Pod" },
	{ "/var/lib/stube/agent/containers", "records, logs and exit records of containers" },
	{ "/var/lib/stube/agent/volumes/NAMESPACE/UID", "data of claims, which outlives Pods" },
	{ 0 },
};

static const struct cli_program program = {
	.name = "stube-agent",
	.summary = "Run the services that a cluster places on this machine",
	.example = "stube-agent --label topology.kubernetes.io/zone=dc-1 --label stube/protection-class=high\n"
		   "stube-agent check",
	.environment = environment,
	.files = files,
	.main = &agent_main,
};

int main(int argc, char **argv)
{
	return cli_main(&program, argc, argv);
}
