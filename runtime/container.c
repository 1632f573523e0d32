/* runtime/container.c: directories of containers: made, locked, read, asked for their status. */
#include "runtime/state-internal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "runtime/cgroup.h"

/* Longer than any command that does not wait for a hook. */
enum { LOCK_TIMEOUT_MS = 15000, PASSWD_MAX = 1 << 20 };

err *state_open_root(const char *root, int *ret_fd)
{
	*ret_fd = openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? err_errno("open state directory '%s'", root) : NULL;
}

/* Written by nobody but this user (or root, who needs no trick). */
static err *check_owner(int fd, const char *id)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno("stat state of container '%s'", id);
	if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & 022))
		return err_new(EPERM, "state of container '%s' could have been written by another user", id);
	return NULL;
}

static err *does_not_exist(const char *id)
{
	return err_new(ENOENT, "container '%s' does not exist", id);
}

err *state_open_dir(int root_fd, const char *id, int *ret_fd)
{
	auto_close int fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT)
		return does_not_exist(id);
	if (fd < 0)
		return err_errno("open state of container '%s'", id);
	TRY(check_owner(fd, id));
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

bool state_is_linked(int root_fd, const char *id, int dir_fd)
{
	struct stat by_name, by_fd;

	return fstatat(root_fd, id, &by_name, AT_SYMLINK_NOFOLLOW) == 0 && fstat(dir_fd, &by_fd) == 0 &&
	       by_name.st_dev == by_fd.st_dev && by_name.st_ino == by_fd.st_ino;
}

err *state_read_record(struct arena *arena, int dir_fd, const char *id, struct state_record *ret)
{
	auto_close int fd = openat(dir_fd, STATE_RECORD_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char space[6 * 1024], name_space[STATE_ID_MAX + 32];
	auto_str struct str text = STR_ON(space, STATE_RECORD_MAX);
	auto_str struct str name = STR_ON(name_space, 512);
	struct stat st;

	if (fd < 0)
		return err_errno("open '%s' of container '%s'", STATE_RECORD_NAME, id);
	TRY(check_owner(fd, id));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_new(EINVAL, "'%s' of container '%s' is no file", STATE_RECORD_NAME, id);
	TRY(err_wrap(fd_read_all(fd, &text), "read '%s' of container '%s'", STATE_RECORD_NAME, id));
	str_addf(&name, "%s/%s", id, STATE_RECORD_NAME);
	TRY(state_decode(arena, name.data, text.data, text.len, ret));
	if (!str_equal(ret->id, id))
		return err_new(EINVAL, "%s: id: is '%s'", name.data, ret->id);
	return NULL;
}

err *state_lock_dir(int dir_fd, const char *id, int timeout_ms)
{
	int64_t deadline = clock_monotonic() + timeout_ms * (int64_t)NSEC_PER_MSEC;
	struct timespec pause = { 0, NSEC_PER_MSEC };

	/* flock(2) knows no timeout. Nearly always the first try succeeds. */
	while (flock(dir_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EINTR && errno != EWOULDBLOCK)
			return err_errno("lock state of container '%s'", id);
		if (clock_monotonic() >= deadline)
			return err_new(ETIMEDOUT,
				       "container '%s': another command has been at work on it for "
				       "more than %d s",
				       id, timeout_ms / 1000);
		(void)nanosleep(&pause, NULL);
		pause.tv_nsec = MIN(2 * pause.tv_nsec, 20 * (long)NSEC_PER_MSEC);
	}
	return NULL;
}

void container_done(struct container *c)
{
	fd_clear(&c->dir_fd); /* drops the lock with it */
	fd_clear(&c->root_fd);
	c->locked = false;
}

/* The visible hand-over: nothing is left that the end of the scope would close. */
static struct container take(struct container *c)
{
	struct container taken = *c;

	*c = (struct container)CONTAINER_INIT;
	return taken;
}

/* ---- create ---- */

/* The name before "NAME:PASSWORD:UID:", when UID is the one. */
static char *name_in_line(struct arena *arena, const char *line, uid_t uid)
{
	size_t len = strcspn(line, ":\n");
	const char *number = line[len] == ':' ? line + len + 1 : "\n";
	char text[16];

	number += strcspn(number, ":\n");
	snprintf(text, sizeof text, ":%u:", uid);
	return len && str_starts_with(number, text) ? arena_strndup(arena, line, len) : NULL;
}

/* Name of the caller; without NSS, which a static program cannot load. */
static err *owner_name(struct arena *arena, const char **ret)
{
	auto_str struct str text = STR_INIT(PASSWD_MAX);
	uid_t uid = geteuid();
	char *name = NULL;

	if (uid == 0) {
		*ret = "root";
		return NULL;
	}
	/* Without the file, or where it is enormous, the number has to do. */
	IGNORE(file_read(AT_FDCWD, "/etc/passwd", &text));
	for (const char *line = text.data; *line && !name; line += line[0] == '\n') {
		name = name_in_line(arena, line, uid);
		line += strcspn(line, "\n");
	}
	TRY_ALLOC(arena, *ret, name ? name : arena_printf(arena, "%u", uid));
	return NULL;
}

static err *new_record(struct arena *arena, const char *id, struct state_record *ret)
{
	char now[CLOCK_TEXT_MAX];
	struct state_record record = { .version = STATE_VERSION };

	TRY_ALLOC(arena, record.id, arena_strdup(arena, id));
	TRY_ALLOC(arena, record.created, arena_strdup(arena, clock_text(clock_real(), true, now)));
	TRY(owner_name(arena, &record.owner));
	*ret = record;
	return NULL;
}

/* Make and lock ROOT/ID. *ret_fd stays -1 when a cleaner was faster than the lock: try again. */
static err *make_locked(int root_fd, const char *id, int *ret_fd)
{
	auto_close int fd = -1;

	if (mkdirat(root_fd, id, 0700) < 0)
		return err_errno("create state of container '%s'", id);
	fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return NULL;
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_errno("lock state of container '%s'", id);
	if (state_is_linked(root_fd, id, fd))
		*ret_fd = TAKE_FD(fd);
	return NULL;
}

err *container_create(struct arena *arena, const char *root, const char *id, struct container *ret)
{
	auto_container struct container c = CONTAINER_INIT;

	TRY(state_check_id(id));
	TRY(path_mkdir_all(root, 0700));
	TRY(state_open_root(root, &c.root_fd));
	for (int attempt = 0; attempt < 20 && c.dir_fd < 0; attempt++) {
		bool cleaned = false;
		err *e = make_locked(c.root_fd, id, &c.dir_fd);
		if (e && e->code == EEXIST) {
			err_free(e);
			TRY(state_clean_leftover(arena, root, id, &cleaned));
			if (!cleaned)
				return err_new(EEXIST, "container with given ID already exists");
			e = NULL;
		}
		TRY(e);
	}
	if (c.dir_fd < 0)
		return err_new(EAGAIN, "state of container '%s' is removed again and again", id);
	c.arena = arena;
	c.locked = true;
	TRY(new_record(arena, id, &c.record));
	*ret = take(&c);
	return NULL;
}

/* ---- open ---- */

/* A record in phase "creating" whose lock is free: the create that wrote it is dead. */
static bool is_abandoned(const struct container *c)
{
	if (c->record.pid)
		return false;
	if (c->locked)
		return true;
	if (flock(c->dir_fd, LOCK_SH | LOCK_NB) < 0)
		return false;
	flock(c->dir_fd, LOCK_UN);
	return true;
}

err *container_open(struct arena *arena, const char *root, const char *id, enum container_access access,
		    struct container *ret)
{
	auto_container struct container c = CONTAINER_INIT;

	TRY(state_check_id(id));
	err *e = state_open_root(root, &c.root_fd);
	if (e && e->code == ENOENT) {
		err_free(e);
		return does_not_exist(id);
	}
	TRY(e);
	TRY(state_open_dir(c.root_fd, id, &c.dir_fd));
	if (access == CONTAINER_LOCK) {
		TRY(state_lock_dir(c.dir_fd, id, LOCK_TIMEOUT_MS));
		c.locked = true;
		if (!state_is_linked(c.root_fd, id, c.dir_fd))
			return does_not_exist(id);
	}
	e = state_read_record(arena, c.dir_fd, id, &c.record);
	if (e && e->code == ENOENT) {
		err_free(e);
		return does_not_exist(id);
	}
	TRY(e);
	if (is_abandoned(&c))
		return does_not_exist(id);
	c.arena = arena;
	*ret = take(&c);
	return NULL;
}

/* ---- write ---- */

err *container_save(struct container *c)
{
	char space[2048];
	auto_str struct str text = STR_ON(space, STATE_RECORD_MAX);

	TRY(err_wrap(state_encode(&c->record, &text), "record of container '%s'", c->record.id));
	return file_replace_volatile(c->dir_fd, STATE_RECORD_NAME, text.data, text.len, 0600);
}

/* Straight into its place: nobody reads it before the record has init's pid, and one that was killed
 * before that is cleaned away. */
err *container_save_config(struct container *c, const char *text, size_t len)
{
	auto_close int fd = openat(c->dir_fd, STATE_CONFIG_NAME,
				   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_errno("create '%s' of container '%s'", STATE_CONFIG_NAME, c->record.id);
	return err_wrap(fd_write_all(fd, text, len), "'%s' of container '%s'", STATE_CONFIG_NAME,
			c->record.id);
}

err *container_load_config(struct container *c, struct str *out)
{
	return err_wrap(file_read(c->dir_fd, STATE_CONFIG_NAME, out), "container '%s'", c->record.id);
}

err *container_hold_start(struct container *c, int *ret_fd)
{
	auto_close int fd = openat(c->dir_fd, STATE_START_NAME,
				   O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_errno("create '%s' of container '%s'", STATE_START_NAME, c->record.id);
	if (flock(fd, LOCK_EX) < 0)
		return err_errno("lock '%s' of container '%s'", STATE_START_NAME, c->record.id);
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

err *container_remove(struct container *c)
{
	return state_remove_dir(c->root_fd, c->record.id);
}

/* ---- status ---- */

err *state_open_process(pid_t pid, uint64_t start_time, int *ret_pidfd)
{
	auto_close int fd = pidfd_open(pid, 0);
	struct pollfd ended = { .fd = fd, .events = POLLIN };
	uint64_t now;

	if (fd < 0 && errno != ESRCH && errno != EINVAL)
		return err_errno("open process %d", pid);
	/* Readable: every thread has ended, although somebody has yet to wait for it. */
	if (fd < 0 || poll(&ended, 1, 0) != 0)
		return err_new(ESRCH, "no such process");
	/* The descriptor is open, so what /proc says of the number now is said of this process. */
	TRY(state_start_time(pid, &now));
	if (now != start_time)
		return err_new(ESRCH, "no such process");
	*ret_pidfd = TAKE_FD(fd);
	return NULL;
}

/* Somebody, init, still holds ROOT/ID/start. */
static bool waits_for_start(const struct container *c)
{
	auto_close int fd = openat(c->dir_fd, STATE_START_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

err *container_open_cgroup(const struct container *c, struct cgroup *ret)
{
	auto_cgroup_root struct cgroup_root root = { .fd = -1 };

	if (!c->record.cgroup)
		return err_new(ENOTSUP, "container '%s' has no cgroup of its own", c->record.id);
	TRY(cgroup_root_open(c->arena, &root));
	TRY(cgroup_open(c->arena, &root, c->record.cgroup, c->record.cgroup_made, ret));
	ret->unit = c->record.unit.name ? &c->record.unit : NULL;
	return NULL;
}

static err *is_paused(const struct container *c, bool *ret)
{
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	*ret = false;
	if (!c->record.cgroup)
		return NULL;
	TRY(container_open_cgroup(c, &cg));
	return cgroup_is_frozen(&cg, ret);
}

/* Numbers of processes mean nothing after a reboot, which a --root on disk survives. */
static err *is_of_this_boot(const struct container *c, bool *ret)
{
	const char *now = NULL;

	*ret = true;
	if (!c->record.boot_id)
		return NULL;
	TRY(state_boot_id(c->arena, &now));
	*ret = !now || str_equal(now, c->record.boot_id);
	return NULL;
}

err *container_status(struct container *c, enum state_status *ret, int *ret_pidfd)
{
	auto_close int pidfd = -1;
	bool paused, this_boot = true;

	if (ret_pidfd)
		*ret_pidfd = -1;
	if (!c->record.pid) {
		*ret = STATE_CREATING;
		return NULL;
	}
	TRY(is_of_this_boot(c, &this_boot));
	err *e = this_boot ? state_open_process(c->record.pid, c->record.start_time, &pidfd)
			   : err_new(ESRCH, "no such process");
	if (e && e->code == ESRCH) {
		err_free(e);
		*ret = STATE_STOPPED;
		return NULL;
	}
	TRY(e);
	TRY(is_paused(c, &paused));
	if (paused)
		*ret = STATE_PAUSED;
	else
		*ret = waits_for_start(c) ? STATE_CREATED : STATE_RUNNING;
	if (ret_pidfd)
		*ret_pidfd = TAKE_FD(pidfd);
	return NULL;
}
