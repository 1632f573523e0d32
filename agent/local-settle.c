/* agent/local-settle.c: what a killed command, a killed monitor or a restart left of a container. */
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ids.h"
#include "agent/local-internal.h"
#include "agent/place.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/strv.h"
#include "images/mount.h"

/* The runtime may know the container or not; both are fine. */
static err *runtime_delete(const struct local_record *r)
{
	auto_strv struct strv argv = STRV_INIT(64);
	posix_spawn_file_actions_t actions;
	pid_t pid;

	strv_add(&argv, r->runtime);
	for (size_t i = 0; i < r->runtime_args.count; i++)
		strv_add(&argv, r->runtime_args.items[i]);
	strv_add(&argv, "delete");
	strv_add(&argv, "--force");
	strv_add(&argv, r->name);
	TRY(strv_check(&argv));
	posix_spawn_file_actions_init(&actions);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	int code = posix_spawn(&pid, r->runtime, &actions, NULL, argv.items, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (code != 0)
		return err_code(code, "run '%s'", r->runtime);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return NULL;
}

/* A folder that cannot be read holds containers as far as we know. */
static bool has_entries(int base, const char *folder)
{
	int fd = openat(base, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool any = false;

	if (!dir) {
		bool missing = errno == ENOENT;
		fd_close(fd);
		return !missing;
	}
	for (struct dirent *d; !any && (d = readdir(dir));)
		any = d->d_name[0] != '.';
	closedir(dir);
	return any;
}

/* Asked under the lock of the pins: a create has its folders before it takes that lock for the first time. */
static bool any_container(const char *layer UNUSED, void *arg)
{
	struct local *l = arg;

	return has_entries(l->base_run_fd, "containers") || has_entries(l->base_fd, "containers") ||
	       has_entries(l->base_run_fd, "agent/containers") || has_entries(l->base_fd, "agent/containers");
}

/* When the last container is gone, its layers need not stay mounted. */
static err *release_layers(struct local *l)
{
	auto_close int pins = -1;

	if (!place_is_root())
		return NULL;
	pins = open(l->pins, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return pins < 0 ? NULL : image_pins_release(pins, any_container, l, NULL);
}

/* A store that is gone, or in other hands, has no say in whether a container can be removed. */
static void drop_lease(const struct local_record *r)
{
	auto_store struct image_store *store = NULL;

	if (!r->store || access(r->store, F_OK) < 0)
		return;
	auto_err err *e = image_store_open(r->store, IMAGE_STORE_SHARED, &store);
	if (!e)
		e = image_lease_drop(store, r->name);
	if (e)
		log_err(e);
}

err *local_erase(struct local *l, const char *name)
{
	auto_dirs struct local_dirs d = LOCAL_DIRS_NONE;
	auto_arena struct arena *arena = NULL;
	struct local_record r;

	TRY(arena_new(16 << 20, &arena));
	TRY(local_dirs_open(l, name, false, &d));
	err *e = d.keep_fd < 0 ? NULL : local_record_read(arena, d.keep_fd, &r);
	if (d.keep_fd >= 0 && !e && r.ids.first != 0)
		TRY(ids_give(l->base_fd, name, r.ids));
	if (d.keep_fd >= 0 && !e)
		drop_lease(&r);
	err_free(e);
	/* The record goes last but one: until then a killed remove is seen and done again. The lock goes with
	 * its folder, last. */
	TRY(path_remove_all(l->data_fd, name));
	TRY(path_remove_all(l->run_fd, name));
	return release_layers(l);
}

static err *record_lost(const struct local_dirs *d, int64_t started, const char *reason)
{
	struct exit_record end = {
		.version = EXIT_RECORD_VERSION, .started = started, .finished = clock_real(),
		.code = EXIT_UNKNOWN, .known = false, .reason = reason,
	};

	return exit_record_write(d->keep_fd, &end);
}

/* The lease died with the monitor; without it the next gc takes the layers away from under the container. */
static err *lease_again(const struct local_record *r, int *ret_fd)
{
	auto_store struct image_store *store = NULL;
	struct digest digest;

	TRY(digest_parse(r->image_digest, &digest));
	TRY(image_store_open(r->store, IMAGE_STORE_SHARED, &store));
	return image_lease_take(store, r->name, &digest, ret_fd);
}

static err *adopt(struct local *l, const struct local_dirs *d, const struct local_record *r,
		  const struct running *running, int lock_fd)
{
	char program[PATH_MAX];
	auto_close int sock = -1, lease = -1;

	/* A container whose image is gone, or whose store is damaged, still needs its monitor. */
	err *e = r->store && r->image_digest ? lease_again(r, &lease) : NULL;
	if (e)
		log_err(e);
	err_free(e);
	struct monitor_options o = {
		.id = r->name, .dir = d->run, .keep = d->keep, .runtime = r->runtime, .adopt = true,
		.tty = running->tty, .log = true, .limits = r->log,
		.starter_fd = -1, .root_fd = -1, .lock_fd = lock_fd, .lease_fd = lease,
	};
	/* strv and strings share their shape of items and count. */
	auto_strv struct strv args = STRV_INIT(64);
	for (size_t i = 0; i < r->runtime_args.count; i++)
		strv_add(&args, r->runtime_args.items[i]);
	TRY(strv_check(&args));
	o.runtime_args = args;
	log_warning("a container had lost its monitor, it has a new one", "container", r->name, NULL);
	return monitor_spawn(local_monitor(l, program), &o, &sock);
}

static bool is_there(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool never_started(struct arena *arena, int keep_fd)
{
	struct exit_record end;
	err *e = exit_record_read(arena, keep_fd, &end);
	bool never = !e && end.started == 0 && end.known;

	err_free(e);
	return never;
}

/* Nobody holds the lock but us: no monitor lives. */
static err *settle_locked(struct local *l, const char *name, const struct local_dirs *d, int lock_fd)
{
	auto_arena struct arena *arena = NULL;
	auto_close int pidfd = -1;
	struct local_record r;
	struct running running = { 0 };

	TRY(arena_new(16 << 20, &arena));
	err *e = local_record_read(arena, d->keep_fd, &r);
	if (e && e->code == ENOENT) {
		err_free(e);
		return local_erase(l, name); /* killed before anything was made */
	}
	TRY(e);
	bool ended = is_there(d->keep_fd, EXIT_RECORD_FILE);
	if (ended && never_started(arena, d->keep_fd))
		return local_erase(l, name); /* its starter was killed before its start */
	bool ran = is_there(d->run_fd, RUNNING_FILE);
	if (ended && !ran && !r.auto_remove)
		return NULL;
	if (!ended && ran)
		TRY(running_read(d->run_fd, &running));
	if (!ended && running.started > 0) {
		e = running_open(&running, &pidfd);
		if (!e)
			return adopt(l, d, &r, &running, lock_fd);
		err_free(e);
	}
	/* Nothing runs, or what runs was never started and never will be. */
	bool rebooted = !ended && !ran && !is_there(d->run_fd, "bundle");
	if (!rebooted)
		TRY(runtime_delete(&r));
	if (!ended && !ran && !rebooted)
		return local_erase(l, name);
	if (!ended && ran && running.started == 0 && !l->counts_starts)
		return local_erase(l, name);
	if (!ended)
		TRY(record_lost(d, running.started, rebooted ? "the machine was restarted" :
							       "its monitor was killed, and it ended unseen"));
	unlinkat(d->run_fd, RUNNING_FILE, 0);
	return r.auto_remove ? local_erase(l, name) : NULL;
}

err *local_settle(struct local *l, const char *name)
{
	auto_dirs struct local_dirs d = LOCAL_DIRS_NONE;
	auto_close int lock = -1;

	TRY(local_dirs_open(l, name, false, &d));
	if (d.keep_fd < 0 && d.run_fd < 0)
		return err_new(ENOENT, "there is no container '%s'", name);
	if (d.keep_fd < 0 || d.run_fd < 0) {
		/* After a restart the run folder is gone: the lock needs one. */
		local_dirs_done(&d);
		TRY(local_dirs_open(l, name, true, &d));
	}
	err *e = local_lock(&d, &lock);
	if (e && e->code == ESTALE) {
		err_free(e);
		return err_new(ENOENT, "there is no container '%s'", name);
	}
	TRY(e);
	if (lock < 0)
		return NULL; /* somebody looks after it */
	return err_wrap(settle_locked(l, name, &d, lock), "container '%s'", name);
}
