/* cmd/stube/up.c: stube up and stube down: a cluster on this machine, of one scheduler and one agent. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/place.h"
#include "api/node.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "cmd/stube/cluster.h"
#include "cmd/stube/commands.h"
#include "cmd/stube/pki.h"
#include "monitor/session.h"

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

enum { SCHEDULER, AGENT, PROGRAMS, LOG_TAIL = 600, STOP_SECONDS = 30 };
static const char *const programs[PROGRAMS] = { "stube-scheduler", "stube-agent" };

static void defaults(void *args)
{
	struct up_args *a = args;

	a->listen = "127.0.0.1:6443";
	a->agent_listen = "127.0.0.1:10250";
	a->class = "very-high";
	a->timeout = 60 * (int64_t)NSEC_PER_SEC;
}

/* Where all of it lies: certificates, logs and the store below DATA, sockets and pids below RUN. */
struct home {
	struct arena *arena;
	const char *run, *data, *pki;
	const char *node;
};

static void home_done(struct home *h)
{
	arena_free(h->arena);
}
DEFINE_CLEANUP_OF(struct home, home_done)
#define auto_home CLEANUP(home_done)

static err *home_open(struct home *h, const char *name)
{
	auto_str struct str run = STR_INIT(PATH_MAX), data = STR_INIT(PATH_MAX);
	char host[256];

	if (!place_is_root())
		return err_new(EPERM, "a cluster's node needs root: it makes sandboxes for others");
	if (gethostname(host, sizeof(host)) < 0)
		return err_errno("ask for the host name");
	host[sizeof(host) - 1] = '\0';
	TRY(arena_new(16 << 20, &h->arena));
	TRY(place_run(&run));
	TRY(place_data(&data));
	TRY_ALLOC(h->arena, h->run, arena_strdup(h->arena, run.data));
	TRY_ALLOC(h->arena, h->data, arena_strdup(h->arena, data.data));
	TRY_ALLOC(h->arena, h->pki, arena_printf(h->arena, "%s/pki", h->data));
	TRY_ALLOC(h->arena, h->node, arena_strdup(h->arena, name ? name : host));
	return NULL;
}

/* ---- certificates ---- */

static err *issue_missing(struct home *h, int dir_fd, const char *file, const struct pki_order *order)
{
	struct stat st;
	const char *made;

	if (fstatat(dir_fd, file, &st, 0) == 0)
		return NULL;
	return pki_dir_issue(h->arena, dir_fd, order, &made);
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
	TRY(issue_missing(h, dir, "scheduler.crt",
			  &(struct pki_order){ .role = PKI_SCHEDULER, .name = "scheduler", .addresses = api_names }));
	const char *file;
	TRY_ALLOC(h->arena, file, arena_printf(h->arena, "node-%s.conf", h->node));
	TRY(issue_missing(h, dir, file,
			  &(struct pki_order){ .role = PKI_NODE, .name = h->node, .addresses = node_names, .server = server }));
	return issue_missing(h, dir, "admin-admin.conf",
			     &(struct pki_order){ .role = PKI_ADMIN, .name = "admin", .server = server });
}

/* ---- processes ---- */

static err *pid_dir(const struct home *h, int program, int *ret_fd)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.3000s/up/%s", h->run, programs[program]);
	return place_open(path, ret_fd);
}

static void log_path(const struct home *h, int program, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%.3000s/log/%s.log", h->data, programs[program]);
}

/* A descriptor of the running program, or -1. */
static err *find_running(const struct home *h, int program, int *ret_pidfd)
{
	auto_close int dir = -1;
	struct running running;

	*ret_pidfd = -1;
	TRY(pid_dir(h, program, &dir));
	err *e = running_read(dir, &running);
	if (!e)
		e = running_open(&running, ret_pidfd);
	if (e && e->code != ENOENT && e->code != ESRCH)
		return e;
	err_free(e);
	return NULL;
}

static err *spawn(const struct home *h, int program, const struct strv *args, pid_t *ret)
{
	char path[PATH_MAX], own[PATH_MAX];
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (len < 0)
		return err_errno("find this program");
	own[len] = '\0';
	*strrchr(own, '/') = '\0';
	TRY(strv_check(args));
	log_path(h, program, path);
	*strrchr(path, '/') = '\0';
	TRY(path_mkdir_all(path, 0700));
	log_path(h, program, path);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	posix_spawn_file_actions_addchdir_np(&files, "/");
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	snprintf(path, sizeof(path), "%.3000s/%s", own, programs[program]);
	int code = posix_spawn(ret, path, &files, &attr, args->items, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return code ? err_code(code, "start '%s'", path) : NULL;
}

static err *start(const struct home *h, int program, const struct strv *args, pid_t *ret_pid)
{
	struct running running = { .version = RUNNING_VERSION };
	auto_close int dir = -1;

	TRY(pid_dir(h, program, &dir));
	TRY(spawn(h, program, args, ret_pid));
	running.pid = *ret_pid;
	running.monitor = *ret_pid;
	running.started = clock_real();
	err *e = running_birth(*ret_pid, &running.birth);
	return e ? e : running_write(dir, &running);
}

/* Its last words, for the case that it did not live. */
static err *died(const struct home *h, int program, int status)
{
	auto_str struct str text = STR_INIT(64 << 20);
	char path[PATH_MAX];

	log_path(h, program, path);
	IGNORE(file_read(AT_FDCWD, path, &text));
	const char *tail = text.len > LOG_TAIL ? text.data + text.len - LOG_TAIL : text.data;
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	const char *last = strrchr(tail, '\n');
	return err_hint(err_new(EIO, "%s ended at once (status %d): %s", programs[program],
				WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), last ? last + 1 : tail),
			"All it said is in %s", path);
}

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
	pid_t pids[PROGRAMS]; /* of those that we started; 0: it ran already */
	int64_t end;
};

static err *open_cluster(const struct home *h, struct cluster *ret)
{
	struct api_config config = { .name = "local", .namespace = "default", .run_dir = h->run };

	/* By its socket: whatever $STUBE_CONFIG says, this is about the scheduler of this machine. */
	TRY_ALLOC(h->arena, config.server, arena_printf(h->arena, "unix://%s/scheduler.sock", h->run));
	return cluster_open_config(&config, ret);
}

static err *is_ready(struct cluster *c, int program, const char *node)
{
	auto_str struct str answer = STR_INIT(1 << 20);
	auto_arena struct arena *arena = NULL;
	struct object *object;

	if (program == SCHEDULER)
		return api_raw(c->client, "GET", "/readyz", NULL, NULL, &answer);
	TRY(arena_new(16 << 20, &arena));
	TRY(api_get(c->client, arena, &kinds[KIND_NODE], NULL, node, &object));
	return node_is_ready((const struct node *)object) ? NULL : err_new(EAGAIN, "node '%s' is not ready yet", node);
}

static err *wait_ready(struct upping *u, int program)
{
	for (;;) {
		auto_cluster struct cluster c = { 0 };
		int status;
		err *e = open_cluster(&u->home, &c);
		if (!e)
			e = is_ready(&c, program, u->home.node);
		if (!e)
			return NULL;
		if (u->pids[program] && waitpid(u->pids[program], &status, WNOHANG) > 0) {
			err_free(e);
			return died(&u->home, program, status);
		}
		if (clock_monotonic() > u->end)
			return err_wrap(e, "%s is not ready", programs[program]);
		err_free(e);
		nanosleep(&(struct timespec){ .tv_nsec = 50 * (long)NSEC_PER_MSEC }, NULL);
	}
}

static err *bring_up(struct upping *u, int program)
{
	auto_strv struct strv args = STRV_INIT(4096);
	auto_close int pidfd = -1;

	TRY(find_running(&u->home, program, &pidfd));
	if (pidfd < 0) {
		TRY(program == SCHEDULER ? scheduler_args(&u->home, u->args, &args) : agent_args(&u->home, u->args, &args));
		TRY(start(&u->home, program, &args, &u->pids[program]));
	}
	return wait_ready(u, program);
}

static err *up_run(const struct cli_context *c, int *ret_status)
{
	struct upping u = { .args = c->args };
	auto_cluster struct cluster cluster = { 0 };
	err *e = NULL;

	(void)ret_status;
	u.end = clock_monotonic() + u.args->timeout;
	e = home_open(&u.home, u.args->name);
	if (!e)
		e = err_wrap(make_pki(&u.home, u.args), "'%s'", u.home.pki);
	for (int i = 0; i < PROGRAMS && !e; i++)
		e = bring_up(&u, i);
	if (!e)
		e = open_cluster(&u.home, &cluster);
	if (!e) /* after a down, or when somebody had cordoned it */
		e = node_cordon(&cluster, u.home.node, false);
	for (int i = PROGRAMS - 1; e && i >= 0; i--) /* nothing half-made */
		if (u.pids[i] > 0)
			kill(u.pids[i], SIGTERM);
	if (!e)
		printf("node/%s is ready; the API is at https://%s, as whom: %s/admin-admin.conf\n", u.home.node,
		       u.args->listen, u.home.pki);
	home_done(&u.home);
	return e;
}

/* ---- down ---- */

static err *stop(const struct home *h, int program, bool *ret_found)
{
	auto_close int pidfd = -1, dir = -1;

	TRY(find_running(h, program, &pidfd));
	*ret_found = pidfd >= 0;
	if (pidfd < 0)
		return NULL;
	if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return err_errno("end %s", programs[program]);
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	if (poll(&ended, 1, STOP_SECONDS * 1000) == 0)
		return err_new(ETIMEDOUT, "%s did not end within %d seconds", programs[program], STOP_SECONDS);
	TRY(pid_dir(h, program, &dir));
	if (unlinkat(dir, RUNNING_FILE, 0) < 0 && errno != ENOENT)
		return err_errno("remove the record of %s", programs[program]);
	return NULL;
}

static err *end_services(const struct home *h, int64_t timeout)
{
	auto_cluster struct cluster cluster = { 0 };
	auto_close int pidfd = -1;

	TRY(find_running(h, AGENT, &pidfd));
	if (pidfd < 0)
		return NULL;
	TRY(open_cluster(h, &cluster));
	return node_empty(&cluster, h->node, timeout);
}

static err *down_run(const struct cli_context *c, int *ret_status)
{
	const struct up_args *a = c->args;
	auto_home struct home h = { 0 };
	bool found[PROGRAMS];

	(void)ret_status;
	TRY(home_open(&h, a->name));
	if (!a->keep_services)
		TRY(err_hint(err_wrap(end_services(&h, a->timeout), "end the services"),
			     "With --keep-services they go on without scheduler and agent."));
	/* The agent first: it tells its last while there is somebody to tell. */
	for (int i = PROGRAMS - 1; i >= 0; i--)
		TRY(stop(&h, i, &found[i]));
	printf(found[AGENT] || found[SCHEDULER] ? "node/%s is down\n" : "node/%s was not up\n", h.node);
	return NULL;
}

const struct cli_command cmd_up = {
	.name = "up",
	.group = "Commands for a cluster",
	.summary = "Start a cluster on this machine: one scheduler, one agent",
	.example = "stube up\nstube apply --file portal.yaml --wait",
	.notes = "Certificates are made at the first start; what runs already stays as it is. All of it lies below\n"
		 "/var/lib/stube and /run/stube. Machines with systemd have units for the same two programs, for\n"
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
	.notes = "Objects, certificates and volumes stay: the next `stube up` brings the services back.",
	.options = down_options,
	.args_size = sizeof(struct up_args),
	.defaults = defaults,
	.run = down_run,
};
