/* agent/local.c: finding local containers and their state. */
#include "agent/local.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/local-internal.h"
#include "agent/place.h"
#include "agent/userns.h"
#include "base/fd.h"

enum { CONTAINERS_MAX = 100000 };

void local_free(struct local *l)
{
	if (!l)
		return;
	fd_close(l->run_fd);
	fd_close(l->data_fd);
	fd_close(l->base_run_fd);
	fd_close(l->base_fd);
	free(l);
}

/* RUN or DATA, their folder in it, and the containers in that. */
struct opened {
	int base_fd, containers_fd;
	char base[PATH_MAX], folder[PATH_MAX], containers[PATH_MAX];
};

static err *open_place(err *(*place)(struct str *), const char *folder, struct opened *ret)
{
	auto_str struct str path = STR_INIT(PATH_MAX - 16);

	TRY(place(&path));
	TRY(place_open(path.data, &ret->base_fd));
	snprintf(ret->base, PATH_MAX, "%s", path.data);
	if (folder)
		str_addf(&path, "/%s", folder);
	snprintf(ret->folder, PATH_MAX, "%s", path.data);
	str_add(&path, "/containers");
	TRY(str_check(&path));
	snprintf(ret->containers, PATH_MAX, "%s", path.data);
	return place_open(path.data, &ret->containers_fd);
}

static err *open_places(struct local *l, const char *folder)
{
	struct opened run = { .base_fd = -1, .containers_fd = -1 }, data = run;
	err *e = open_place(place_run, folder, &run);

	if (!e)
		e = open_place(place_data, folder, &data);
	l->base_run_fd = run.base_fd;
	l->run_fd = run.containers_fd;
	l->base_fd = data.base_fd;
	l->data_fd = data.containers_fd;
	snprintf(l->run_base, PATH_MAX, "%s", run.folder);
	snprintf(l->pins, PATH_MAX, "%.*s/layers", PATH_MAX - 16, run.base);
	snprintf(l->run, PATH_MAX, "%s", run.containers);
	snprintf(l->data, PATH_MAX, "%s", data.containers);
	return e;
}

static err *enter_userns(const char *folder)
{
	auto_str struct str run = STR_INIT(PATH_MAX);

	TRY(place_run(&run));
	if (folder)
		str_addf(&run, "/%s", folder);
	str_add(&run, "/containers");
	TRY(str_check(&run));
	return userns_enter(run.data);
}

err *local_open(const char *programs, struct local **ret)
{
	return local_open_folder(programs, NULL, ret);
}

err *local_open_folder(const char *programs, const char *folder, struct local **ret)
{
	auto_local struct local *l = calloc(1, sizeof(*l));

	if (!l)
		return err_oom();
	l->run_fd = l->data_fd = l->base_run_fd = l->base_fd = -1;
	TRY(enter_userns(folder));
	TRY(place_programs(programs, l->programs));
	TRY(open_places(l, folder));
	l->counts_starts = folder != NULL;
	*ret = TAKE(l);
	return NULL;
}

int local_base_fd(const struct local *l)
{
	return l->base_fd;
}

bool local_owner_exists(struct local *l, const char *owner)
{
	static const char *const folders[] = { "containers", "agent/pods" };
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		snprintf(path, sizeof(path), "%s/%.255s", folders[i], owner);
		if (fstatat(l->base_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

const char *local_monitor(struct local *l, char out[static PATH_MAX])
{
	snprintf(out, PATH_MAX, "%.*s/stube-monitor", PATH_MAX - 16, l->programs);
	return out;
}

err *local_runtime(struct local *l, const char *wanted, struct str *out)
{
	const char *name = wanted ? wanted : "stube-runtime", *path = getenv("PATH");
	char full[PATH_MAX];

	if (strchr(name, '/')) {
		if (!realpath(name, full))
			return err_errno("runtime '%s'", name);
		str_add(out, full);
		return str_check(out);
	}
	snprintf(full, sizeof(full), "%.*s/%.200s", PATH_MAX - 256, l->programs, name);
	for (const char *p = path ? path : "/usr/local/bin:/usr/bin:/bin"; access(full, X_OK) < 0; p++) {
		size_t len = strcspn(p, ":");
		if (len == 0 && !*p)
			return err_new(ENOENT, "there is no runtime '%s' beside this program or in PATH", name);
		snprintf(full, sizeof(full), "%.*s/%.200s", (int)len, p, name);
		p += len;
		if (!*p && access(full, X_OK) < 0)
			return err_new(ENOENT, "there is no runtime '%s' beside this program or in PATH", name);
		if (!*p)
			break;
	}
	str_add(out, full);
	return str_check(out);
}

void local_dirs_done(struct local_dirs *d)
{
	fd_clear(&d->run_fd);
	fd_clear(&d->keep_fd);
}

static err *open_one(int parent, const char *name, bool make, int *ret_fd)
{
	if (make && mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return err_errno("make the folder of container '%s'", name);
	*ret_fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0 && errno != ENOENT)
		return err_errno("open the folder of container '%s'", name);
	return NULL;
}

err *local_dirs_open(struct local *l, const char *name, bool make, struct local_dirs *ret)
{
	if (!pod_is_label(name))
		return err_new(EINVAL, "'%s' is not a name of at most 63 lower-case letters, digits and '-'", name);
	if ((size_t)snprintf(ret->run, PATH_MAX, "%s/%s", l->run, name) >= PATH_MAX ||
	    (size_t)snprintf(ret->keep, PATH_MAX, "%s/%s", l->data, name) >= PATH_MAX)
		return err_new(ENAMETOOLONG, "path of container '%s'", name);
	TRY(open_one(l->run_fd, name, make, &ret->run_fd));
	return open_one(l->data_fd, name, make, &ret->keep_fd);
}

err *local_lock(const struct local_dirs *d, int *ret_fd)
{
	struct stat held, now;

	*ret_fd = -1;
	/* Another command may remove the folder between its making and its opening. */
	if (d->run_fd < 0 || d->keep_fd < 0)
		return err_new(ESTALE, "the container was removed meanwhile");
	auto_close int fd = openat(d->run_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == ENOENT ? err_new(ESTALE, "the container was removed meanwhile") :
					 err_errno("open '%s/lock'", d->run);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? NULL : err_errno("lock '%s/lock'", d->run);
	/* A lock of a folder that is no longer there guards nothing. */
	if (fstat(fd, &held) < 0 || stat(d->run, &now) < 0 || held.st_nlink == 0)
		return err_new(ESTALE, "the container was removed meanwhile");
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

/* ---- state ---- */

static err *fill(struct arena *arena, const struct local_dirs *d, struct local_container *c)
{
	struct exit_record end = { 0 };
	struct running running;
	err *e = exit_record_read(arena, d->keep_fd, &end);

	if (!e) {
		c->status = LOCAL_EXITED;
		c->started = end.started;
		c->finished = end.finished;
		c->code = end.code;
		c->signal = end.signal;
		c->known = end.known;
		c->oom = end.oom;
		c->reason = end.reason;
		return NULL;
	}
	if (e->code != ENOENT)
		return e;
	err_free(e);
	c->status = LOCAL_CREATED;
	e = d->run_fd < 0 ? NULL : running_read(d->run_fd, &running);
	if (!e && d->run_fd >= 0) {
		c->pid = running.pid;
		c->started = running.started;
		c->status = running.started > 0 ? LOCAL_RUNNING : LOCAL_CREATED;
	}
	err_free(e); /* not there yet, or just gone */
	return NULL;
}

err *local_find(struct local *l, struct arena *arena, const char *name, struct local_container *ret)
{
	auto_dirs struct local_dirs d = LOCAL_DIRS_NONE;

	TRY(local_settle(l, name));
	TRY(local_dirs_open(l, name, false, &d));
	*ret = (struct local_container){ 0 };
	err *e = d.keep_fd < 0 ? err_new(ENOENT, "not there") : local_record_read(arena, d.keep_fd, &ret->record);
	if (e && e->code == ENOENT) {
		err_free(e);
		return err_new(ENOENT, "there is no container '%s'", name);
	}
	TRY(err_wrap(e, "container '%s'", name));
	return err_wrap(fill(arena, &d, ret), "container '%s'", name);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static err *list_folder(struct arena *arena, int parent, const char **names, size_t *count)
{
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	err *e = NULL;

	if (!dir) {
		e = err_errno("list the containers");
		fd_close(fd);
		return e;
	}
	for (struct dirent *entry; !e && (entry = readdir(dir));) {
		if (!pod_is_label(entry->d_name) || *count == CONTAINERS_MAX)
			continue;
		names[*count] = arena_strdup(arena, entry->d_name);
		if (!names[(*count)++])
			e = arena_error(arena);
	}
	closedir(dir);
	return e;
}

err *local_list(struct local *l, struct arena *arena, struct local_container **ret, size_t *ret_count)
{
	const char **names;
	struct local_container *list;
	size_t count = 0, found = 0;

	TRY_ALLOC(arena, names, arena_array(arena, CONTAINERS_MAX, sizeof(char *)));
	TRY(list_folder(arena, l->data_fd, names, &count));
	TRY(list_folder(arena, l->run_fd, names, &count));
	qsort(names, count, sizeof(*names), compare);
	TRY_ALLOC(arena, list, arena_array(arena, count, sizeof(*list)));
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && strcmp(names[i], names[i - 1]) == 0)
			continue;
		err *e = local_find(l, arena, names[i], &list[found]);
		if (e && e->code != ENOENT)
			return e;
		found += !e;
		err_free(e); /* half-made, and gone now */
	}
	*ret = list;
	*ret_count = found;
	return NULL;
}

err *local_keep_open(struct local *l, const char *name, int *ret_fd)
{
	auto_dirs struct local_dirs d = LOCAL_DIRS_NONE;

	TRY(local_dirs_open(l, name, false, &d));
	if (d.keep_fd < 0)
		return err_new(ENOENT, "there is no container '%s'", name);
	*ret_fd = TAKE_FD(d.keep_fd);
	return NULL;
}

err *local_connect(struct local *l, const char *name, int *ret_sock)
{
	auto_dirs struct local_dirs d = LOCAL_DIRS_NONE;

	TRY(local_settle(l, name));
	TRY(local_dirs_open(l, name, false, &d));
	err *e = monitor_connect(d.run, ret_sock);
	if (e && (e->code == ENOENT || e->code == ECONNREFUSED)) {
		err_free(e);
		return err_new(ESRCH, "container '%s' does not run", name);
	}
	return err_wrap(e, "container '%s'", name);
}

err *local_netns(struct local *l, const char *name, struct str *out)
{
	auto_arena struct arena *arena = NULL;
	struct local_container c;

	TRY(arena_new(16 << 20, &arena));
	TRY(local_find(l, arena, name, &c));
	if (c.pid == 0)
		return err_new(ESRCH, "container '%s' does not run", name);
	str_addf(out, "/proc/%d/ns/net", c.pid);
	return str_check(out);
}

err *local_new_name(struct local *l, char out[static 64])
{
	unsigned char bits[4];
	struct stat st;

	for (int attempt = 0; attempt < 100; attempt++) {
		if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
			return err_errno("draw a name");
		snprintf(out, 64, "s%02x%02x%02x%02x", bits[0], bits[1], bits[2], bits[3]);
		if (fstatat(l->data_fd, out, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			return NULL;
	}
	return err_new(EEXIST, "found no free name");
}
