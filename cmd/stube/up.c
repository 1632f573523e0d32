/* cmd/stube/up.c: stube up and stube down: a cluster on this machine, of one scheduler and one agent. */
#include "cmd/stube/up.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "api/node.h"
#include "base/clock.h"
#include "base/fd.h"
#include "cmd/stube/commands.h"
#include "cmd/stube/pki.h"

struct up_args {
	const char *name, *listen, *agent_listen, *class;
	struct strv labels, insecure;
	bool keep_services;
	int64_t timeout;
};

#define OPT_STRUCT struct up_args
/* clang-format off */
static const struct cli_option up_options[] = {
	OPT(0,   "name",       CLI_STRING,  name,         "NAME",      "name of this machine's node (default: the host name)"),
	OPT(0,   "label",      CLI_LIST,    labels,       "KEY=VALUE", "label of the node; may be repeated"),
	OPT(0,   "protection-class", CLI_CHOICE, class,   "normal|high|very-high", "up to which protection need it is admitted (default: very-high)"),
	OPT(0,   "listen",     CLI_STRING,  listen,       "HOST:PORT", "address of the API (default: 127.0.0.1:6443)"),
	OPT(0,   "agent-listen", CLI_STRING, agent_listen, "HOST:PORT", "address of the agent's logs and exec (default: 127.0.0.1:10250)"),
	OPT(0,   "insecure", CLI_LIST,    insecure,   "HOST[:PORT]", "a registry that is used without checking its certificate, or by http"),
	OPT(0,   "timeout",    CLI_SECONDS, timeout,      "SECONDS",   "give up when it is not ready then (default: 60)"),
	{0}
};
static const struct cli_option down_options[] = {
	OPT(0,   "name",       CLI_STRING,  name,         "NAME",      "name of this machine's node (default: the host name)"),
	OPT(0,   "keep-services", CLI_FLAG, keep_services, NULL,       "let what runs go on; the next up finds it again"),
	OPT(0,   "timeout",    CLI_SECONDS, timeout,      "SECONDS",   "wait no longer for the services' end (default: 60)"),
	{0}
};
/* clang-format on */

static void defaults(void *args)
{
	struct up_args *a = args;

	a->listen = "127.0.0.1:6443";
	a->agent_listen = "127.0.0.1:10250";
	a->class = "very-high";
	a->timeout = 60 * (int64_t)NSEC_PER_SEC;
}

/* ---- certificates ---- */

/* Made when it is missing, and renewed in time: who runs `stube up` now and then has nothing else to do. */
static err *keep(struct home *h, int dir_fd, const char *file, const struct pki_order *order)
{
	struct stat st;
	const char *made;
	bool renewed;

	if (fstatat(dir_fd, file, &st, 0) < 0)
		return pki_dir_issue(h->arena, dir_fd, order, &made);
	TRY(pki_held_keep(h->arena, dir_fd, file, &renewed));
	if (renewed)
		fprintf(stderr, "'%s/%s' is renewed\n", h->pki, file);
	return NULL;
}

/* "HOST:PORT" without the port and brackets. */
static err *host_of(struct arena *arena, const char *listen, const char **ret)
{
	const char *colon = strrchr(listen, ':');
	size_t len = colon ? (size_t)(colon - listen) : 0;

	if (len == 0)
		return err_new(EINVAL, "'%s' is not HOST:PORT", listen);
	if (listen[0] == '[' && listen[len - 1] == ']') {
		listen++;
		len -= 2;
	}
	TRY_ALLOC(arena, *ret, arena_strndup(arena, listen, len));
	return NULL;
}

static err *make_pki(struct home *h, const struct up_args *a)
{
	const char *api_host, *agent_host, *server;
	auto_close int dir = -1;
	struct stat st;

	TRY(host_of(h->arena, a->listen, &api_host));
	TRY(host_of(h->arena, a->agent_listen, &agent_host));
	TRY_ALLOC(h->arena, server, arena_printf(h->arena, "https://%s", a->listen));
	TRY(pki_dir_open(h->pki, true, &dir));
	if (fstatat(dir, "ca.crt", &st, 0) < 0)
		TRY(pki_dir_init(h->arena, dir, PKI_AUTHORITY_LIFETIME));
	const char *const api_names[] = { api_host, "localhost", h->node, "127.0.0.1", NULL };
	const char *const node_names[] = { agent_host, "localhost", h->node, "127.0.0.1", NULL };
	TRY(keep(h, dir, "scheduler.crt",
		 &(struct pki_order){ .role = PKI_SCHEDULER, .name = "scheduler", .addresses = api_names }));
	const char *file;
	TRY_ALLOC(h->arena, file, arena_printf(h->arena, "node-%s.conf", h->node));
	TRY(keep(h, dir, file,
		 &(struct pki_order){
			 .role = PKI_NODE, .name = h->node, .addresses = node_names, .server = server }));
	return keep(h, dir, "admin-admin.conf",
		    &(struct pki_order){ .role = PKI_ADMIN, .name = "admin", .server = server });
}

/* ---- command lines ---- */

static err *scheduler_args(const struct home *h, const struct up_args *a, struct strv *args)
{
	strv_add(args, "stube-scheduler");
	strv_addf(args, "--store=sqlite:%s/scheduler/store.db", h->data);
	strv_addf(args, "--socket=%s/scheduler.sock", h->run);
	strv_addf(args, "--listen=%s", a->listen);
	strv_addf(args, "--cert=%s/scheduler.crt", h->pki);
	strv_addf(args, "--key=%s/scheduler.key", h->pki);
	strv_addf(args, "--client-ca=%s/ca.crt", h->pki);
	return strv_check(args);
}

static err *agent_args(const struct home *h, const struct up_args *a, struct strv *args)
{
	const char *host;

	TRY(host_of(h->arena, a->agent_listen, &host));
	strv_add(args, "stube-agent");
	strv_addf(args, "--config=%s/node-%s.conf", h->pki, h->node);
	strv_addf(args, "--name=%s", h->node);
	strv_addf(args, "--listen=%s", a->agent_listen);
	strv_addf(args, "--address=%s", host);
	strv_addf(args, "--label=%s=%s", STUBE_PROTECTION_CLASS, a->class);
	for (size_t i = 0; i < a->labels.count; i++)
		strv_addf(args, "--label=%s", a->labels.items[i]);
	for (size_t i = 0; i < a->insecure.count; i++)
		strv_addf(args, "--insecure=%s", a->insecure.items[i]);
	return strv_check(args);
}

/* ---- up ---- */

struct upping {
	struct home home;
	const struct up_args *args;
	struct program programs[PROGRAMS];
	int64_t end;
};

static err *bring_up(struct upping *u, int which)
{
	auto_strv struct strv args = STRV_INIT(4096);
	struct program *p = &u->programs[which];

	TRY(program_find(&u->home, which, p));
	if (p->pidfd < 0) {
		TRY(which == SCHEDULER ? scheduler_args(&u->home, u->args, &args)
				       : agent_args(&u->home, u->args, &args));
		TRY(program_start(&u->home, which, &args, p));
	}
	return program_wait(&u->home, p, u->end);
}

static err *up(struct upping *u)
{
	auto_cluster struct cluster cluster = { 0 };

	TRY(home_open(&u->home, u->args->name));
	TRY(err_wrap(make_pki(&u->home, u->args), "'%s'", u->home.pki));
	for (int i = 0; i < PROGRAMS; i++)
		TRY(bring_up(u, i));
	TRY(up_cluster(&u->home, &cluster));
	/* after a down, or when somebody had cordoned it */
	return node_cordon(&cluster, u->home.node, false);
}

static err *up_run(const struct cli_context *c, int *ret_status)
{
	struct upping u = { .args = c->args, .programs = { { .pidfd = -1 }, { .pidfd = -1 } } };

	(void)ret_status;
	u.end = clock_monotonic() + u.args->timeout;
	err *e = up(&u);
	for (int i = PROGRAMS - 1; i >= 0; i--) {
		if (e && u.programs[i].pid > 0) /* nothing half-made */
			kill(u.programs[i].pid, SIGTERM);
		program_done(&u.programs[i]);
	}
	if (!e)
		printf("node/%s is ready; the API is at https://%s, as whom: %s/admin-admin.conf\n", u.home.node,
		       u.args->listen, u.home.pki);
	home_done(&u.home);
	return e;
}

/* ---- down ---- */

static err *revive(struct home *h, int64_t end)
{
	for (int i = 0; i < PROGRAMS; i++) {
		struct program p;
		err *e = program_find(h, i, &p);
		if (!e && p.pidfd < 0)
			e = program_again(h, i, &p);
		if (!e)
			e = program_wait(h, &p, end);
		program_done(&p);
		TRY(e);
	}
	return NULL;
}

/* Services outlive scheduler and agent, and only these two can end them. */
static err *end_services(struct home *h, int64_t timeout)
{
	auto_cluster struct cluster cluster = { 0 };
	auto_str struct str services = STR_INIT(64 << 10);
	int64_t end = clock_monotonic() + timeout;
	struct program agent;

	TRY(program_find(h, AGENT, &agent));
	bool alone = agent.pidfd < 0;
	program_done(&agent);
	if (alone)
		TRY(up_services(h, &services));
	if (alone && services.len == 0)
		return NULL;
	err *e = revive(h, end);
	if (e && alone)
		return err_hint(
			err_wrap(e, "services still run: %s", services.data),
			"Only scheduler and agent end them: once `stube up` succeeds, `stube down` does.");
	TRY(e);
	TRY(up_cluster(h, &cluster));
	end = MAX(end, clock_monotonic() + (int64_t)NSEC_PER_SEC);
	TRY(node_empty(&cluster, h->node, end - clock_monotonic()));
	return up_wait_ended(h, end);
}

static err *down_run(const struct cli_context *c, int *ret_status)
{
	const struct up_args *a = c->args;
	auto_home struct home h = { 0 };
	bool found[PROGRAMS];
	err *e = NULL;

	(void)ret_status;
	TRY(home_open(&h, a->name));
	if (!a->keep_services)
		e = end_services(&h, a->timeout);
	if (e && !err_first_hint(e))
		e = err_hint(e, "With --keep-services they go on without scheduler and agent.");
	TRY(err_wrap(e, "end the services"));
	/* The agent first: it tells its last while there is somebody to tell. */
	for (int i = PROGRAMS - 1; i >= 0; i--)
		TRY(program_stop(&h, i, &found[i]));
	printf(found[AGENT] || found[SCHEDULER] ? "node/%s is down\n" : "node/%s was not up\n", h.node);
	return NULL;
}

const struct cli_command cmd_up = {
	.name = "up",
	.group = "Commands for a cluster",
	.summary = "Start a cluster on this machine: one scheduler, one agent",
	.example = "stube up\nstube apply --file portal.yaml --wait",
	.notes = "Certificates are made at the first start, and renewed when they end within thirty days;\n"
		 "what runs already stays as it is. All of it lies below /var/lib/stube and /run/stube. "
		 "Machines with systemd have units for the same two programs, for\n"
		 "clusters of many machines: stube-scheduler.service and stube-agent.service.",
	.options = up_options,
	.args_size = sizeof(struct up_args),
	.defaults = defaults,
	.run = up_run,
};

const struct cli_command cmd_down = {
	.name = "down",
	.summary = "End the cluster that `stube up` started, with its services",
	.example = "stube down\nstube down --keep-services",
	.notes = "Objects, certificates and volumes stay: the next `stube up` brings the services back. When "
		 "the\n"
		 "scheduler or the agent has died, it is started once more, since only the two can end "
		 "services.",
	.options = down_options,
	.args_size = sizeof(struct up_args),
	.defaults = defaults,
	.run = down_run,
};
