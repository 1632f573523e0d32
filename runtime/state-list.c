/* runtime/state-list.c: all containers of a root; what killed commands left there. */
#include "runtime/state-internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "runtime/cgroup.h"
#include "runtime/scope.h"

enum { CONTAINERS_MAX = 1 << 20 };

/* The record goes first: a removal that is killed half-way leaves a directory without record, which
 * every command knows as a leftover. */
err *state_remove_dir(int root_fd, const char *id)
{
	static const char *const usual[] = { STATE_CONFIG_NAME, STATE_START_NAME };
	auto_close int fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && unlinkat(fd, STATE_RECORD_NAME, 0) < 0 && errno != ENOENT)
		return err_errno("remove '%s' of container '%s'", STATE_RECORD_NAME, id);
	/* What is there nearly always, by name; whatever else there may be is looked for. */
	for (size_t i = 0; fd >= 0 && i < ARRAY_LEN(usual); i++)
		(void)unlinkat(fd, usual[i], 0);
	if (unlinkat(root_fd, id, AT_REMOVEDIR) == 0)
		return NULL;
	return err_wrap(path_remove_all(root_fd, id), "remove state of container '%s'", id);
}

/* Its own processes end by themselves when the create that cloned them is gone; what they started is
 * killed. A directory that the create did not make is left to its owner. */
static err *clean_cgroup(struct arena *arena, const struct state_record *record)
{
	auto_cgroup_root struct cgroup_root root = { .fd = -1 };
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	if (record->unit.name)
		return scope_end(arena, record);
	if (!record->cgroup || record->cgroup_made == 0)
		return NULL;
	TRY(cgroup_root_open(arena, &root));
	TRY(cgroup_open(arena, &root, record->cgroup, record->cgroup_made, &cg));
	TRY(cgroup_kill(&cg));
	return cgroup_remove(&cg);
}

/* With the lock held: is this the rest of a create (or delete) that was killed? */
static err *clean_locked(struct arena *arena, int root_fd, int dir_fd, const char *id, bool *ret_cleaned)
{
	struct state_record record = { 0 };
	err *e = state_read_record(arena, dir_fd, id, &record);

	*ret_cleaned = false;
	if (e && e->code != ENOENT)
		return e;
	bool without_record = e != NULL;
	err_free(e);
	if (!without_record) {
		if (record.pid)
			return NULL;
		TRY(err_wrap(clean_cgroup(arena, &record), "leftover of container '%s'", id));
		TRY(err_wrap(resctrl_end(&record.resctrl, id), "leftover of container '%s'", id));
	}
	TRY(state_remove_dir(root_fd, id));
	*ret_cleaned = true;
	return NULL;
}

err *state_clean_leftover(struct arena *arena, const char *root, const char *id, bool *ret_cleaned)
{
	auto_close int root_fd = -1;
	auto_close int dir_fd = -1;

	*ret_cleaned = false;
	TRY(state_check_id(id));
	err *e = state_open_root(root, &root_fd);
	if (!e)
		e = state_open_dir(root_fd, id, &dir_fd);
	if (e && e->code == ENOENT) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	if (flock(dir_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return NULL; /* somebody is at work on it */
		return err_errno("lock state of container '%s'", id);
	}
	/* Removed by another command meanwhile: as good as cleaned by us. */
	if (!state_is_linked(root_fd, id, dir_fd)) {
		*ret_cleaned = true;
		return NULL;
	}
	return clean_locked(arena, root_fd, dir_fd, id, ret_cleaned);
}

err *state_discard(const char *root, const char *id)
{
	auto_close int root_fd = -1;
	auto_close int dir_fd = -1;

	TRY(state_check_id(id));
	TRY(state_open_root(root, &root_fd));
	TRY(state_open_dir(root_fd, id, &dir_fd));
	TRY(state_lock_dir(dir_fd, id, 2000));
	return state_is_linked(root_fd, id, dir_fd) ? state_remove_dir(root_fd, id) : NULL;
}

/* ---- list ---- */

static void close_dir(DIR *dir)
{
	if (dir)
		closedir(dir);
}
DEFINE_CLEANUP(DIR *, close_dir)

/* A leftover is no container. Only what looks like one is locked and cleaned. */
static err *is_container(struct arena *arena, const char *root, int root_fd, const char *id, bool *ret)
{
	auto_close int dir_fd = -1;
	struct state_record record = { 0 };
	bool cleaned = false;

	*ret = true;
	err *e = state_open_dir(root_fd, id, &dir_fd);
	if (e) { /* not a directory, or not ours */
		*ret = e->code != ENOENT && e->code != ENOTDIR && e->code != ELOOP && e->code != EPERM;
		err_free(e);
		return NULL;
	}
	e = state_read_record(arena, dir_fd, id, &record);
	bool suspicious = e ? e->code == ENOENT : record.pid == 0;
	bool without_record = e && e->code == ENOENT;
	err_free(e); /* a record that cannot be read is shown by whoever opens it */
	if (!suspicious)
		return NULL;
	TRY(state_clean_leftover(arena, root, id, &cleaned));
	*ret = !cleaned && !without_record;
	return NULL;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static err *take_names(struct arena *arena, const struct strv *names, struct strings *ret)
{
	TRY(strv_check(names));
	ret->count = names->count;
	TRY_ALLOC(arena, ret->items, arena_array(arena, names->count + 1, sizeof *ret->items));
	for (size_t i = 0; i < names->count; i++)
		TRY_ALLOC(arena, ret->items[i], arena_strdup(arena, names->items[i]));
	qsort(ret->items, ret->count, sizeof *ret->items, compare_names);
	return NULL;
}

err *state_list(struct arena *arena, const char *root, struct strings *ret)
{
	auto_strv struct strv names = STRV_INIT(CONTAINERS_MAX);
	CLEANUP(close_dir) DIR *dir = opendir(root);

	*ret = (struct strings){ 0 };
	if (!dir && errno == ENOENT)
		return NULL;
	if (!dir)
		return err_errno("list state directory '%s'", root);
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		bool container;
		err *e = state_check_id(d->d_name);
		err_free(e);
		if (e)
			continue;
		TRY(is_container(arena, root, dirfd(dir), d->d_name, &container));
		if (container)
			strv_add(&names, d->d_name);
	}
	return take_names(arena, &names, ret);
}

err *state_cgroup_owner(struct arena *arena, const char *root, const char *path, const char *except,
			const char **ret)
{
	struct strings ids;

	*ret = NULL;
	TRY(state_list(arena, root, &ids));
	for (size_t i = 0; i < ids.count && !*ret; i++) {
		auto_container struct container c = CONTAINER_INIT;

		if (str_equal(ids.items[i], except))
			continue;
		err *e = container_open(arena, root, ids.items[i], CONTAINER_READ, &c);
		/* One that cannot be read, or that ends at this moment, claims nothing that could be known.
		 */
		if (!e && str_equal(c.record.cgroup, path))
			*ret = ids.items[i];
		err_free(e);
	}
	return NULL;
}
