/* agent/local-run.c: what is done with a local container that runs: stop, exec, remove. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/local-internal.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

enum { KILL_WAIT_SECONDS = 30 };

/* Send the signal and wait for the end. *ret_ended is false when the time was up. */
static err *end_by(struct local *l, const char *name, int signal, int64_t timeout, bool *ret_ended)
{
	auto_close int sock = -1;
	struct monitor_end end;

	*ret_ended = true;
	err *e = local_connect(l, name, &sock);
	if (!e)
		e = monitor_request(sock, MONITOR_SIGNAL, signal, 0, 0);
	/* It ended between the question and now. */
	if (e && (e->code == ESRCH || e->code == EPIPE)) {
		err_free(e);
		e = NULL;
		if (sock < 0)
			return NULL;
	}
	if (!e)
		e = monitor_wait(sock, timeout, &end);
	if (e && e->code == ETIMEDOUT) {
		*ret_ended = false;
		err_free(e);
		return NULL;
	}
	if (e && (e->code == EPIPE || e->code == ECONNRESET)) {
		err_free(e);
		return NULL;
	}
	return e;
}

err *local_stop(struct local *l, const char *name, int64_t grace)
{
	auto_arena struct arena *arena = NULL;
	struct local_container c;
	bool ended;

	TRY(arena_new(16 << 20, &arena));
	TRY(local_find(l, arena, name, &c));
	if (c.status == LOCAL_EXITED)
		return NULL;
	if (grace < 0)
		grace = c.record.pod.spec.grace_seconds * (int64_t)NSEC_PER_SEC;
	int signal = monitor_signal_number(c.record.stop_signal);
	TRY(end_by(l, name, signal ? signal : SIGTERM, grace, &ended));
	if (!ended)
		TRY(end_by(l, name, SIGKILL, KILL_WAIT_SECONDS * (int64_t)NSEC_PER_SEC, &ended));
	return ended ? NULL : err_new(ETIMEDOUT, "container '%s' did not end within %d seconds of KILL", name,
				      KILL_WAIT_SECONDS);
}

err *local_remove(struct local *l, const char *name, bool force)
{
	auto_arena struct arena *arena = NULL;
	auto_dirs struct local_dirs d = LOCAL_DIRS_NONE;
	auto_close int lock = -1;
	struct local_container c;
	bool ended;

	TRY(arena_new(16 << 20, &arena));
	TRY(local_find(l, arena, name, &c));
	if (c.status != LOCAL_EXITED) {
		if (!force)
			return err_hint(err_new(EBUSY, "container '%s' is running", name),
					"Stop it first, or add --force.");
		TRY(end_by(l, name, SIGKILL, KILL_WAIT_SECONDS * (int64_t)NSEC_PER_SEC, &ended));
	}
	TRY(local_dirs_open(l, name, true, &d));
	/* Its monitor may be on its last steps. */
	for (int i = 0; i < 500 && lock < 0; i++) {
		err *e = local_lock(&d, &lock);
		if (e && e->code == ESTALE) {
			err_free(e);
			return NULL; /* it removed itself */
		}
		TRY(e);
		if (lock < 0)
			nanosleep(&(struct timespec){ .tv_nsec = 10 * NSEC_PER_MSEC }, NULL);
	}
	if (lock < 0)
		return err_new(EBUSY, "container '%s' is in use", name);
	return err_wrap(local_erase(l, name), "remove container '%s'", name);
}

/* ---- exec ---- */

/* A folder for the session: RUN/containers/NAME/exec/PID-N, which goes with us or with the container. */
/* Sessions that ended when their clients had been killed, or had left: nobody else takes their folders away. */
static void sweep_sessions(const struct local_dirs *d)
{
	int fd = openat(d->run_fd, "exec", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char record[NAME_MAX + sizeof("/" EXIT_RECORD_FILE)];

	if (!dir) {
		fd_close(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(record, sizeof(record), "%s/" EXIT_RECORD_FILE, entry->d_name);
		if (faccessat(fd, record, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			IGNORE(path_remove_all(fd, entry->d_name));
	}
	closedir(dir);
}

static err *make_session(const struct local_dirs *d, char path[static PATH_MAX], char name[static LOCAL_SESSION_MAX])
{
	if (mkdirat(d->run_fd, "exec", 0700) < 0 && errno != EEXIST)
		return err_errno("make a folder for the session");
	sweep_sessions(d);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, LOCAL_SESSION_MAX, "exec/%d-%d", (int)getpid(), i);
		if (mkdirat(d->run_fd, name, 0700) == 0) {
			snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - 80, d->run, name);
			return NULL;
		}
		if (errno != EEXIST)
			return err_errno("make a folder for the session");
	}
	return err_new(EEXIST, "make a folder for the session");
}

static void remove_session(const struct local_dirs *d, const char *name)
{
	auto_close int parent = openat(d->run_fd, "exec", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (parent >= 0)
		IGNORE(path_remove_all(parent, name + strlen("exec/")));
}

static err *write_process(struct arena *arena, const struct local_dirs *d, const char *session,
			  const struct local_container *c, const struct bundle_exec *exec)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	auto_close int root = -1, dir = -1;
	const struct oci_config *config;
	const struct oci_process *process;
	struct bundle_exec with_root = *exec;
	char path[64];

	TRY(oci_config_load(d->run_fd, "bundle/config.json", arena, NULL, &config));
	snprintf(path, sizeof(path), "/proc/%d/root", c->pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno("open the root of process %d", c->pid);
	with_root.root_fd = root;
	TRY(bundle_exec_process(arena, config, &with_root, &process));
	oci_process_encode(&text, process, 0);
	TRY(str_check(&text));
	dir = openat(d->run_fd, session, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno("open the session's folder");
	return file_replace_volatile(dir, "process.json", text.data, text.len, 0600);
}

static err *spawn_session(struct local *l, const struct local_container *c, const char *path,
			  const struct local_exec *exec, int *ret_sock)
{
	char program[PATH_MAX], process[PATH_MAX];
	auto_strv struct strv args = STRV_INIT(64);

	snprintf(process, sizeof(process), "%.*s/process.json", PATH_MAX - 16, path);
	for (size_t i = 0; i < c->record.runtime_args.count; i++)
		strv_add(&args, c->record.runtime_args.items[i]);
	TRY(strv_check(&args));
	struct monitor_options o = {
		.id = c->record.name, .dir = path, .keep = path, .runtime = c->record.runtime,
		.runtime_args = args, .process = process, .tty = exec->process.tty,
		.interactive = exec->interactive, .starter_fd = -1, .root_fd = -1, .lock_fd = -1, .lease_fd = -1,
	};
	return monitor_spawn(local_monitor(l, program), &o, ret_sock);
}

err *local_exec_open(struct local *l, const char *name, const struct local_exec *exec, int *ret_sock,
		     char session[static LOCAL_SESSION_MAX])
{
	auto_arena struct arena *arena = NULL;
	auto_dirs struct local_dirs d = LOCAL_DIRS_NONE;
	struct local_container c;
	char path[PATH_MAX];

	TRY(arena_new(32 << 20, &arena));
	TRY(local_find(l, arena, name, &c));
	if (c.status != LOCAL_RUNNING)
		return err_new(ESRCH, "container '%s' does not run", name);
	TRY(local_dirs_open(l, name, false, &d));
	TRY(make_session(&d, path, session));
	err *e = write_process(arena, &d, session, &c, &exec->process);
	if (!e)
		e = spawn_session(l, &c, path, exec, ret_sock);
	if (e)
		remove_session(&d, session);
	return err_wrap(e, "container '%s'", name);
}

void local_exec_done(struct local *l, const char *name, const char *session)
{
	auto_dirs struct local_dirs d = LOCAL_DIRS_NONE;
	err *e = local_dirs_open(l, name, false, &d);

	if (!e && d.run_fd >= 0 && str_starts_with(session, "exec/") && path_is_name(session + strlen("exec/")))
		remove_session(&d, session);
	err_free(e); /* the container is gone, and the session with it */
}

err *local_exec(struct local *l, const char *name, const struct local_exec *exec, struct monitor_end *ret)
{
	char session[LOCAL_SESSION_MAX];
	auto_close int sock = -1;

	TRY(local_exec_open(l, name, exec, &sock, session));
	struct monitor_attachment a = {
		.sock = sock, .input = exec->interactive, .tty = exec->process.tty, .entering = true,
		.signals = true, .log_dir_fd = -1,
	};
	err *e = monitor_attach(&a, ret);
	if (e) /* it still writes into the folder that goes now */
		monitor_wait_gone(sock);
	if (e || !ret->deaf) /* else the session goes on, and a later one takes its folder away */
		local_exec_done(l, name, session);
	return err_wrap(e, "container '%s'", name);
}
