/* cmd/stube/up-programs.c: scheduler and agent as processes that outlive the command. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/local.h"
#include "agent/place.h"
#include "api/node.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "cmd/stube/up.h"
#include "monitor/session.h"

enum { LOG_TAIL = 600, STOP_SECONDS = 30, ARGS_MAX = 64 << 10, ARGS_COUNT = 4096 };
#define ARGS_FILE "args" /* each ends with a NUL */

const char *const up_programs[PROGRAMS] = { "stube-scheduler", "stube-agent" };

/* ---- places ---- */

void home_done(struct home *h)
{
	arena_free(h->arena);
}

err *home_open(struct home *h, const char *name)
{
	auto_str struct str run = STR_INIT(PATH_MAX), data = STR_INIT(PATH_MAX);
	char host[256];

	if (!place_is_root())
		return err_new(EPERM, "a cluster's node needs root: it makes sandboxes for others");
	if (gethostname(host, sizeof(host)) < 0)
		return err_errno("ask for the host name");
	host[sizeof(host) - 1] = '\0';
	TRY(arena_new(64 << 20, &h->arena));
	TRY(place_run(&run));
	TRY(place_data(&data));
	TRY_ALLOC(h->arena, h->run, arena_strdup(h->arena, run.data));
	TRY_ALLOC(h->arena, h->data, arena_strdup(h->arena, data.data));
	TRY_ALLOC(h->arena, h->pki, arena_printf(h->arena, "%s/pki", h->data));
	TRY_ALLOC(h->arena, h->node, arena_strdup(h->arena, name ? name : host));
	return NULL;
}

static err *pid_dir(const struct home *h, int which, int *ret_fd)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.3000s/up/%s", h->run, up_programs[which]);
	return place_open(path, ret_fd);
}

static void log_path(const struct home *h, int which, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%.3000s/log/%s.log", h->data, up_programs[which]);
}

/* ---- found ---- */

void program_done(struct program *p)
{
	fd_close(p->pidfd);
	p->pidfd = -1;
}

static bool has_ended(int pidfd)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };

	return poll(&ended, 1, 0) > 0;
}

err *program_find(const struct home *h, int which, struct program *ret)
{
	auto_close int dir = -1;
	struct running running;

	*ret = (struct program){ .which = which, .pidfd = -1 };
	TRY(pid_dir(h, which, &dir));
	err *e = running_read(dir, &running);
	if (!e)
		e = running_open(&running, &ret->pidfd);
	if (e && e->code != ENOENT && e->code != ESRCH)
		return e;
	err_free(e);
	if (ret->pidfd >= 0 && has_ended(ret->pidfd)) /* and waits for a parent that does not come */
		program_done(ret);
	return NULL;
}

/* ---- started ---- */

static err *spawn(const struct home *h, int which, const struct strv *args, pid_t *ret)
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
	log_path(h, which, path);
	*strrchr(path, '/') = '\0';
	TRY(path_mkdir_all(path, 0700));
	log_path(h, which, path);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	posix_spawn_file_actions_addchdir_np(&files, "/");
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	snprintf(path, sizeof(path), "%.3000s/%s", own, up_programs[which]);
	int code = posix_spawn(ret, path, &files, &attr, args->items, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return code ? err_code(code, "start '%s'", path) : NULL;
}

static err *record(int dir_fd, pid_t pid, const struct strv *args)
{
	struct running running = {
		.version = RUNNING_VERSION, .pid = pid, .monitor = pid, .started = clock_real()
	};
	auto_str struct str text = STR_INIT(ARGS_MAX);

	for (size_t i = 0; i < args->count; i++)
		str_add_bytes(&text, args->items[i], strlen(args->items[i]) + 1);
	TRY(str_check(&text));
	TRY(file_replace_volatile(dir_fd, ARGS_FILE, text.data, text.len, 0600));
	TRY(running_birth(pid, &running.birth));
	return running_write(dir_fd, &running);
}

err *program_start(const struct home *h, int which, const struct strv *args, struct program *ret)
{
	auto_close int dir = -1;
	pid_t pid;

	*ret = (struct program){ .which = which, .pidfd = -1 };
	TRY(pid_dir(h, which, &dir));
	TRY(spawn(h, which, args, &pid));
	ret->pid = pid;
	ret->pidfd = pidfd_open(pid, 0);
	err *e = ret->pidfd < 0 ? err_errno("watch %s", up_programs[which]) : record(dir, pid, args);
	if (e)
		kill(pid, SIGTERM);
	return e;
}

err *program_again(const struct home *h, int which, struct program *ret)
{
	auto_str struct str text = STR_INIT(ARGS_MAX);
	auto_strv struct strv args = STRV_INIT(ARGS_COUNT);
	auto_close int dir = -1;

	*ret = (struct program){ .which = which, .pidfd = -1 };
	TRY(pid_dir(h, which, &dir));
	TRY(file_read(dir, ARGS_FILE, &text));
	for (size_t i = 0; i < text.len; i += strlen(text.data + i) + 1)
		strv_add(&args, text.data + i);
	TRY(strv_check(&args));
	return program_start(h, which, &args, ret);
}

/* ---- asked ---- */

/* Its last words, for the case that it did not live. status: of wait(2), -1 for one that is not our child. */
static err *died(const struct home *h, int which, int status)
{
	auto_str struct str text = STR_INIT(64 << 20);
	char path[PATH_MAX], how[64] = "";

	log_path(h, which, path);
	IGNORE(file_read(AT_FDCWD, path, &text));
	const char *tail = text.len > LOG_TAIL ? text.data + text.len - LOG_TAIL : text.data;
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	const char *last = strrchr(tail, '\n');
	if (status >= 0)
		snprintf(how, sizeof(how), " at once (status %d)",
			 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return err_hint(err_new(EIO, "%s ended%s: %s", up_programs[which], how, last ? last + 1 : tail),
			"All it said is in %s", path);
}

static err *check_alive(const struct home *h, struct program *p)
{
	int status = -1;

	if (!has_ended(p->pidfd))
		return NULL;
	if (p->pid && waitpid(p->pid, &status, WNOHANG) == p->pid)
		p->pid = 0;
	return died(h, p->which, status);
}

static err *open_socket(const struct home *h, const char *socket, struct cluster *ret)
{
	struct api_config config = { .name = "local", .namespace = "default", .run_dir = h->run };

	TRY_ALLOC(h->arena, config.server, arena_printf(h->arena, "unix://%s/%s", h->run, socket));
	return cluster_open_config(&config, ret);
}

err *up_cluster(const struct home *h, struct cluster *ret)
{
	return open_socket(h, "scheduler.sock", ret);
}

static err *ask_node(const struct home *h)
{
	auto_cluster struct cluster c = { 0 };
	struct object *object;

	TRY(up_cluster(h, &c));
	TRY(api_get(c.client, c.arena, &kinds[KIND_NODE], NULL, h->node, &object));
	return node_is_ready((const struct node *)object)
		       ? NULL
		       : err_new(EAGAIN, "node '%s' is not ready yet", h->node);
}

/* The program itself: what the scheduler believes of a node may be what an agent said that has died since. */
static err *ask(const struct home *h, int which)
{
	static const char *const sockets[PROGRAMS] = { "scheduler.sock", "agent.sock" };
	auto_cluster struct cluster c = { 0 };
	auto_str struct str answer = STR_INIT(1 << 20);

	TRY(open_socket(h, sockets[which], &c));
	api_client_limit(c.client, 5 * (int64_t)NSEC_PER_SEC, NULL);
	TRY(api_raw(c.client, "GET", "/readyz", NULL, NULL, &answer));
	return which == AGENT ? ask_node(h) : NULL;
}

err *program_wait(const struct home *h, struct program *p, int64_t end)
{
	for (;;) {
		err *e = ask(h, p->which);
		err *dead = check_alive(h, p);
		if (dead) {
			err_free(e);
			return dead;
		}
		if (!e)
			return NULL;
		if (clock_monotonic() > end) {
			char path[PATH_MAX];
			log_path(h, p->which, path);
			return err_hint(err_wrap(e, "%s is not ready", up_programs[p->which]),
					"What it says is in %s", path);
		}
		err_free(e);
		nanosleep(&(struct timespec){ .tv_nsec = 50 * (long)NSEC_PER_MSEC }, NULL);
	}
}

/* ---- ended ---- */

err *program_stop(const struct home *h, int which, bool *ret_found)
{
	struct program p;
	auto_close int pidfd = -1, dir = -1;

	TRY(program_find(h, which, &p));
	pidfd = p.pidfd;
	*ret_found = pidfd >= 0;
	if (pidfd < 0)
		return NULL;
	if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return err_errno("end %s", up_programs[which]);
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	if (poll(&ended, 1, STOP_SECONDS * 1000) == 0)
		return err_new(ETIMEDOUT, "%s did not end within %d seconds", up_programs[which],
			       STOP_SECONDS);
	TRY(pid_dir(h, which, &dir));
	if (unlinkat(dir, RUNNING_FILE, 0) < 0 && errno != ENOENT)
		return err_errno("remove the record of %s", up_programs[which]);
	return NULL;
}

/* ---- what they run ---- */

static bool same_pod(const struct local_container *a, const struct local_container *b)
{
	return str_equal(a->record.pod.metadata.uid, b->record.pod.metadata.uid);
}

/* How many Pods the agent still has that could run, also those that the scheduler has forgotten. */
static err *count_running(const struct home *h, size_t *ret)
{
	auto_cluster struct cluster c = { 0 };
	auto_str struct str answer = STR_INIT(64 << 20);
	json *tree;

	*ret = 0;
	TRY(open_socket(h, "agent.sock", &c));
	TRY(api_raw(c.client, "GET", "/pods", NULL, NULL, &answer));
	TRY(json_parse(c.arena, "Pods", answer.data, answer.len, &tree));
	const json *items = json_get(tree, "items");
	for (size_t i = 0; items && items->kind == JSON_ARRAY && i < items->array.count; i++) {
		const char *phase = json_get_string(json_get(items->array.items[i], "status"), "phase");
		*ret += !str_equal(phase, "Succeeded") && !str_equal(phase, "Failed");
	}
	return NULL;
}

err *up_wait_ended(const struct home *h, int64_t end)
{
	for (;;) {
		size_t left;
		TRY(count_running(h, &left));
		if (left == 0)
			return NULL;
		if (clock_monotonic() > end)
			return err_new(ETIMEDOUT, "%zu Pods have not ended yet", left);
		nanosleep(&(struct timespec){ .tv_nsec = 50 * (long)NSEC_PER_MSEC }, NULL);
	}
}

err *up_services(struct home *h, struct str *out)
{
	auto_local struct local *local = NULL;
	struct local_container *list;
	size_t count;

	TRY(local_open_folder(NULL, "agent", &local));
	TRY(local_list(local, h->arena, &list, &count));
	for (size_t i = 0; i < count; i++) {
		const struct meta *meta = &list[i].record.pod.metadata;
		bool told = list[i].status == LOCAL_EXITED;
		for (size_t j = 0; j < i && !told; j++)
			told = list[j].status != LOCAL_EXITED && same_pod(&list[i], &list[j]);
		if (!told)
			str_addf(out, "%s%s/%s", out->len ? ", " : "",
				 meta->namespace ? meta->namespace : "default",
				 meta->name ? meta->name : list[i].record.name);
	}
	return str_check(out);
}
