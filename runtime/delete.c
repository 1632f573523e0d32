/* runtime/delete.c: the end of a container. */
#include "runtime/delete.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/annotations.h"
#include "runtime/cgroup-owner.h"
#include "runtime/cgroup.h"
#include "runtime/hooks.h"
#include "runtime/interrupt.h"
#include "runtime/scope.h"
#include "runtime/state-internal.h"

enum { KILL_TIMEOUT_MS = 10000, HOLDER_PATIENCE_MS = 2000 };

/* ---- hooks ---- */

static err *copy_strings(struct arena *arena, const struct strings *from, const char *const **ret)
{
	const char **copy;

	TRY_ALLOC(arena, copy, arena_array(arena, from->count + 1, sizeof *copy));
	if (from->count)
		memcpy(copy, from->items, from->count * sizeof *copy);
	*ret = copy;
	return NULL;
}

err *container_open_hook_file(const struct string_map *map, const char *name, int *ret_fd)
{
	const char *path = string_map_get(map, name);

	if (!path)
		return NULL;
	*ret_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	return *ret_fd < 0 ? err_errno("annotations.%s: open '%s'", name, path) : NULL;
}

err *container_run_hooks(struct arena *arena, const char *kind, const struct oci_hook_list *list,
			 const struct state_record *record, enum state_status status)
{
	auto_str struct str state = STR_INIT(STATE_RECORD_MAX);
	struct hook *hooks;
	auto_close int out = -1;
	auto_close int errors = -1;

	if (!list->count)
		return NULL;
	TRY(container_open_hook_file(&record->annotations, ANNOTATION_HOOKS_STDOUT, &out));
	TRY(container_open_hook_file(&record->annotations, ANNOTATION_HOOKS_STDERR, &errors));
	const struct hook_files files = { out, errors };
	TRY(state_json(record, status, false, 0, &state));
	TRY_ALLOC(arena, hooks, arena_array(arena, list->count, sizeof *hooks));
	for (size_t i = 0; i < list->count; i++) {
		const struct oci_hook *h = &list->items[i];
		hooks[i].path = h->path;
		hooks[i].files = &files;
		hooks[i].timeout = h->timeout ? *h->timeout : 0;
		TRY(copy_strings(arena, &h->env, &hooks[i].env));
		if (h->args.count)
			TRY(copy_strings(arena, &h->args, &hooks[i].args));
	}
	return hooks_run(kind, hooks, list->count, state.data, state.len, record->bundle);
}

static err *run_poststop(struct container *c)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	const struct oci_config *config = NULL;

	TRY(container_load_config(c, &text));
	TRY(oci_config_decode(c->arena, "config.json", text.data, text.len, NULL, &config));
	return container_run_hooks(c->arena, "poststop", &config->hooks.poststop, &c->record, STATE_STOPPED);
}

/* ---- the end ---- */

static err *end_cgroup(struct container *c)
{
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	if (c->record.unit.name)
		return scope_end(c->arena, &c->record);
	if (!c->record.cgroup)
		return NULL;
	TRY(container_open_cgroup(c, &cg));
	/* With a pid namespace of its own everybody is gone with init, and who is in the cgroup now was never
	 * the container's: it may be another one, of another --root, with the same path. Else those that init
	 * left. */
	if (c->record.own_pid_namespace && cgroup_remove_empty(&cg))
		return NULL;
	if (!c->record.own_pid_namespace && !cgroup_is_taken_over(&cg, c->record.id, c->record.created))
		TRY(cgroup_kill(&cg));
	return cgroup_remove(&cg);
}

err *container_end(struct container *c, struct strv *warnings)
{
	TRY(end_cgroup(c));
	TRY(resctrl_end(&c->record.resctrl, c->record.id));
	err *hooks = c->record.poststop ? run_poststop(c) : NULL;
	if (hooks && warnings) {
		auto_str struct str text = STR_INIT(8192);
		err_format(hooks, &text);
		strv_add(warnings, text.data);
	}
	/* runtime.md, "Lifecycle" 13: a poststop hook that fails is logged, the rest goes on. */
	err_free(hooks);
	return container_remove(c);
}

static err *kill_init(struct container *c, int pidfd)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };

	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_errno("kill container '%s'", c->record.id);
	int n;
	do
		n = poll(&ended, 1, KILL_TIMEOUT_MS);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return err_new(ETIMEDOUT, "container '%s' did not end within %d s of SIGKILL", c->record.id,
			       KILL_TIMEOUT_MS / 1000);
	return NULL;
}

static err *delete_opened(struct container *c, bool force, struct strv *warnings)
{
	enum state_status status;
	auto_close int pidfd = -1;

	TRY(container_status(c, &status, &pidfd));
	if (status != STATE_STOPPED && status != STATE_CREATED && !force)
		return err_new(EBUSY, "cannot delete container %s that is not stopped: %s", c->record.id,
			       enum_name(state_status_names, (int)status));
	if (pidfd >= 0)
		TRY(kill_init(c, pidfd));
	/* Of what is left, systemd and a hook may take longer than the caller wants. */
	TRY(interrupt_open());
	return container_end(c, warnings);
}

/* delete --force: a command that works on the container for longer than a moment hangs, mostly in a hook.
 * Ended is what it waits for, or the create itself; its lock then ends with it. */
static err *end_holder(struct arena *arena, const char *root, const char *id)
{
	auto_container struct container c = CONTAINER_INIT;
	auto_close int root_fd = -1;
	auto_close int dir_fd = -1;
	auto_close int pidfd = -1;
	enum state_status status;

	err *e = state_open_root(root, &root_fd);
	if (!e)
		e = state_open_dir(root_fd, id, &dir_fd);
	if (!e)
		e = state_lock_dir(dir_fd, id, HOLDER_PATIENCE_MS);
	bool held = e && e->code == ETIMEDOUT;
	/* Free, or not there: whoever opens it next says so. */
	err_free(e);
	if (!held)
		return NULL;
	TRY(container_open(arena, root, id, CONTAINER_READ, &c));
	if (c.record.creator)
		e = state_open_process(c.record.creator, c.record.creator_start_time, &pidfd);
	else
		e = container_status(&c, &status, &pidfd);
	if (e && e->code == ESRCH) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	if (pidfd >= 0 && pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_errno("end the command that is at work on container '%s'", id);
	return NULL;
}

err *container_delete(struct arena *arena, const char *root, const char *id, bool force, struct strv *warnings)
{
	auto_container struct container c = CONTAINER_INIT;
	bool cleaned = false;

	TRY(state_check_id(id));
	if (force)
		TRY(end_holder(arena, root, id));
	err *e = container_open(arena, root, id, CONTAINER_LOCK, &c);
	if (!e)
		return delete_opened(&c, force, warnings);
	if (e->code == EINVAL && force) {
		err_free(e);
		return state_discard(root, id);
	}
	if (e->code != ENOENT)
		return e;
	err *clean = state_clean_leftover(arena, root, id, &cleaned);
	if (clean || cleaned || force) {
		err_free(e);
		return clean;
	}
	return e;
}
