/* runtime/cgroup-process.c: what happens to all processes of a container at once. */
#include "runtime/cgroup-internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"

enum { FREEZE_TIMEOUT_MS = 10000, PIDS_MAX = 1 << 20, DEPTH_MAX = 64 };

/* ---- events ---- */

static err *read_event(int events_fd, const char *key, uint64_t *ret)
{
	char text[512], *at = text;
	size_t key_len = strlen(key);
	ssize_t n = pread(events_fd, text, sizeof text - 1, 0);

	if (n < 0)
		return err_errno("read cgroup.events");
	text[n] = '\0';
	while (strncmp(at, key, key_len) != 0 || at[key_len] != ' ') {
		at += strcspn(at, "\n");
		if (!*at++)
			return err_new(ENOTSUP, "cgroup.events has no '%s'", key);
	}
	*ret = (uint64_t)(at[key_len + 1] - '0');
	return NULL;
}

/* Until cgroup.events says `wanted` for `key`. The kernel wakes the poll at each change. */
static err *wait_event(int cgroup_fd, const char *key, uint64_t wanted, int timeout_ms)
{
	int64_t deadline = clock_monotonic() + timeout_ms * (int64_t)NSEC_PER_MSEC;
	auto_close int fd = openat(cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno("open cgroup.events");
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLPRI };
		uint64_t now = 0;
		/* Reading is what arms the next notification, so it comes before every poll. */
		err *e = read_event(fd, key, &now);
		if (e && e->code == ENODEV) { /* removed meanwhile: nobody is left in it */
			err_free(e);
			return NULL;
		}
		TRY(e);
		if (now == wanted)
			return NULL;
		int64_t left = (deadline - clock_monotonic()) / (int64_t)NSEC_PER_MSEC;
		if (timeout_ms >= 0 && left <= 0)
			return err_new(ETIMEDOUT, "cgroup.events: '%s' did not become %d within %d ms", key,
				       (int)wanted, timeout_ms);
		if (poll(&p, 1, timeout_ms < 0 ? -1 : (int)left) < 0 && errno != EINTR)
			return err_errno("poll cgroup.events");
	}
}

err *cgroup_wait_empty(const struct cgroup *cg, int timeout_ms)
{
	return cg->fd < 0 ? NULL : wait_event(cg->fd, "populated", 0, timeout_ms);
}

/* ---- freezer ---- */

err *cgroup_is_frozen(const struct cgroup *cg, bool *ret)
{
	uint64_t frozen = 0;
	bool found = false;

	/* cgroup.freeze, and not the event: a process that has yet to stop belongs to a paused container. */
	if (cg->fd >= 0) {
		auto_str struct str text = STR_INIT(64);
		err *e = file_read(cg->fd, "cgroup.freeze", &text);
		if (e && (e->code == ENOENT || e->code == ENODEV)) {
			err_free(e);
		} else {
			TRY(e);
			found = true;
			frozen = text.data[0] == '1';
		}
	}
	*ret = found && frozen;
	return NULL;
}

err *cgroup_freeze(struct cgroup *cg, bool frozen)
{
	if (cg->fd < 0)
		return err_new(ENOENT, "the container has no cgroup");
	TRY(file_put(cg->fd, "cgroup.freeze", frozen ? "1" : "0"));
	err *e = wait_event(cg->fd, "frozen", frozen, FREEZE_TIMEOUT_MS);
	if (e && frozen)
		IGNORE(file_put(cg->fd, "cgroup.freeze", "0"));
	return err_wrap(e, "%s cgroup '%s'", frozen ? "freeze" : "thaw", cg->path);
}

/* ---- processes ---- */

struct pid_list {
	struct arena *arena;
	pid_t *pids;
	size_t count, cap;
};

static err *add_pid(struct pid_list *list, pid_t pid)
{
	if (list->count == PIDS_MAX)
		return err_new(E2BIG, "more than %d processes", PIDS_MAX);
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 64;
		pid_t *more;

		TRY_ALLOC(list->arena, more, arena_array(list->arena, cap, sizeof *more));
		if (list->count)
			memcpy(more, list->pids, list->count * sizeof *more);
		list->pids = more;
		list->cap = cap;
	}
	list->pids[list->count++] = pid;
	return NULL;
}

/* The processes of one directory. A threaded one lists none (EOPNOTSUPP): its domain's root does. */
static err *add_procs(int fd, struct pid_list *list)
{
	auto_str struct str text = STR_INIT(CGROUP_FILE_MAX);
	err *e = file_read(fd, "cgroup.procs", &text);
	char *save = NULL;

	if (e && (e->code == EOPNOTSUPP || e->code == ENODEV || e->code == ENOENT)) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		uint64_t pid;
		/* "0" stands for a process that this pid namespace cannot see. */
		if (str_to_u64(line, &pid) && pid > 0 && pid <= INT32_MAX)
			TRY(add_pid(list, (pid_t)pid));
	}
	return NULL;
}

static void close_dir(DIR *dir)
{
	if (dir)
		closedir(dir);
}
DEFINE_CLEANUP(DIR *, close_dir)

static err *add_tree(int fd, struct pid_list *list, int depth)
{
	CLEANUP(close_dir) DIR *dir = NULL;
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (own < 0 && (errno == ENODEV || errno == ENOENT))
		return NULL;
	dir = own < 0 ? NULL : fdopendir(own);
	if (!dir) {
		err *e = err_errno("list cgroup");
		fd_close(own);
		return e;
	}
	TRY(add_procs(fd, list));
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		auto_close int child = -1;
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		if (depth == DEPTH_MAX)
			return err_new(ELOOP, "cgroups are nested deeper than %d", DEPTH_MAX);
		child = openat(fd, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (child >= 0)
			TRY(add_tree(child, list, depth + 1));
	}
	return NULL;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

err *cgroup_processes(const struct cgroup *cg, struct arena *arena, pid_t **ret, size_t *ret_count)
{
	struct pid_list list = { .arena = arena };

	if (cg->fd >= 0)
		TRY(err_wrap(add_tree(cg->fd, &list, 0), "cgroup '%s'", cg->path));
	if (list.count)
		qsort(list.pids, list.count, sizeof *list.pids, compare_pids);
	*ret = list.pids;
	*ret_count = list.count;
	return NULL;
}

/* ---- signals ---- */

static err *signal_listed(struct cgroup *cg, int signal)
{
	auto_arena struct arena *arena = NULL;
	pid_t *pids;
	size_t count;

	TRY(arena_new(64 << 20, &arena));
	TRY(cgroup_processes(cg, arena, &pids, &count));
	for (size_t i = 0; i < count; i++) {
		if (kill(pids[i], signal) < 0 && errno != ESRCH)
			return err_errno("send signal %d to process %d", signal, pids[i]);
	}
	return NULL;
}

err *cgroup_signal(struct cgroup *cg, int signal)
{
	bool was_frozen;

	if (cg->fd < 0)
		return NULL;
	TRY(cgroup_is_frozen(cg, &was_frozen));
	/* Frozen processes neither fork nor end, so the list stays true while it is walked. */
	bool frozen = was_frozen;
	if (!frozen) {
		err *e = cgroup_freeze(cg, true);
		frozen = !e;
		err_free(e);
	}
	err *e = signal_listed(cg, signal);
	if (frozen && !was_frozen) {
		err *thaw = cgroup_freeze(cg, false);
		if (!e)
			return thaw;
		err_free(thaw);
	}
	return e;
}

err *cgroup_kill(struct cgroup *cg)
{
	if (cg->fd < 0)
		return NULL;
	err *e = file_put(cg->fd, "cgroup.kill", "1");
	/* ENOENT: before Linux 5.14. EOPNOTSUPP: a threaded cgroup. */
	if (!e || (e->code != ENOENT && e->code != EOPNOTSUPP))
		return err_wrap(e, "kill cgroup '%s'", cg->path);
	err_free(e);
	return cgroup_signal(cg, SIGKILL);
}
