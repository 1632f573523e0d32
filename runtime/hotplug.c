/* runtime/hotplug.c: adding and removing mounts of a container that runs. */
#include "runtime/hotplug.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/idmap.h"
#include "runtime/kernel.h"
#include "runtime/mount-options.h"
#include "runtime/plan-config.h"

/* What a walk can report: ids of 8 bytes in one message. */
#define MOUNTS_MAX (STEP_TEXT_MAX / sizeof(uint64_t))

struct hotplug {
	struct start start;
	const struct hotplug_request *request;
	struct oci_config config; /* the container's, with the mounts of the request */
	struct hotplug_record record;
	uint64_t ids[MOUNTS_MAX]; /* of each row */
	int init_pidfd;		  /* of the container's first process */
};

/* clang-format off */
static err *(*const rows[STEP_COUNT])(void *) = {
	[STEP_ADOPT]     = start_adopt,
	[STEP_SEND_PLAN] = start_send_plan,
};
/* clang-format on */

static err *open_container(struct hotplug *h)
{
	struct start *s = &h->start;
	const struct start_request *r = s->request;
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	const struct oci_config *config = NULL;
	enum state_status status;

	TRY(container_open(s->arena, r->root, r->id, CONTAINER_LOCK, &s->container));
	TRY(container_status(&s->container, &status, &h->init_pidfd));
	if (status == STATE_STOPPED || status == STATE_CREATING)
		return err_new(ESRCH, "container not running");
	TRY(container_load_config(&s->container, &text));
	TRY(oci_config_decode(s->arena, "config.json", text.data, text.len, NULL, &config));
	h->config = *config;
	h->config.mounts = h->request->mounts->mounts;
	if (h->config.mounts.count > MOUNTS_MAX)
		return err_new(E2BIG, "mounts: more than %zu at once", MOUNTS_MAX);
	return hotplug_load(&s->container, &h->record);
}

/* A cgroup mount without cgroup namespace is the container's own directory. */
static err *open_cgroup(struct start *s)
{
	const struct state_record *record = &s->container.record;

	if (!record->cgroup)
		return NULL;
	TRY(cgroup_root_open(s->arena, &s->hierarchy));
	return cgroup_open(s->arena, &s->hierarchy, record->cgroup, record->cgroup_made, &s->cgroup);
}

static bool needs_pid_namespace(const struct oci_config *config)
{
	for (size_t i = 0; i < config->mounts.count; i++)
		if (config->mounts.items[i].type && str_equal(config->mounts.items[i].type, "proc"))
			return true;
	return false;
}

/* The namespaces that file systems belong to. The pid namespace only where it counts: outside of it no
 * process of the container can see the helper. */
static void decide_namespaces(struct hotplug *h, bool pid)
{
	struct namespaces *ns = &h->start.namespaces;
	int wanted = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWCGROUP |
		     (pid ? CLONE_NEWPID : 0);

	for (size_t i = 0; i < h->config.linux.namespaces.count; i++)
		ns->all |= h->config.linux.namespaces.items[i].type;
	ns->join_flags = ns->all & wanted;
	ns->pidfd = h->init_pidfd;
}

static err *begin_plan(struct hotplug *h)
{
	static const char *const args[] = { "mounts" };
	struct start *s = &h->start;
	int joined = s->namespaces.join_flags;

	TRY(plan_open_proc(&s->proc_fd));
	s->plan.plan.id = plan_add_text(&s->plan, s->request->id);
	s->plan.plan.flags |=
		(joined & CLONE_NEWPID ? PLAN_FORK : 0) | (joined & CLONE_NEWUSER ? PLAN_USER : 0);
	s->plan.plan.process.args = plan_add_texts(&s->plan, args, 1);
	s->plan.plan.process.cwd = plan_add_text(&s->plan, "/");
	s->plan.plan.fd_proc = plan_add_fd(&s->plan, fd_dup(s->proc_fd));
	return NULL;
}

/* *ret_failed: an error that came after the child had told what it did. */
static err *walk(struct hotplug *h, err **ret_failed)
{
	struct start *s = &h->start;
	int listener = -1;

	s->table = steps_hotplug;
	TRY(start_image(s));
	/* In the caller's cgroup: the container's limits must not stop its administrator. */
	TRY(start_clone(s, 0, -1));
	fd_clear(&s->image_fd);
	TRY(start_walk(s, rows));
	TRY(walk_take_result(&s->walk, h->ids, h->config.mounts.count * sizeof *h->ids));
	*ret_failed = walk_wait_exec(&s->walk, &listener);
	fd_close(listener);
	return NULL;
}

/* ---- add ---- */

/* What would change, or read, files that the container's processes change at the same time. */
static err *check_options(struct arena *arena, const struct oci_mount *m)
{
	struct mount_spec spec = { 0 };
	struct strings words;

	TRY(mount_words(arena, &m->options, &words));
	TRY(mount_spec_parse(words.items, words.count, &spec));
	if (spec.remount)
		return err_new(ENOTSUP, "options: 'remount' changes a mount instead of adding one");
	if (spec.copy_link)
		return err_new(ENOTSUP, "options: 'copy-symlink' makes a link instead of a mount");
	if (spec.copy_up)
		return err_new(ENOTSUP, "options: 'tmpcopyup' is for containers that do not run yet");
	return NULL;
}

static NORETURN void tree_child(const struct hotplug *h, int sock, const char *path, unsigned flags)
{
	int fd = -1;

	/* Who is root in there must not trace this copy of the runtime. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setns(h->init_pidfd, CLONE_NEWUSER) == 0 &&
	    unshare(CLONE_NEWNS) == 0)
		fd = k_open_tree(AT_FDCWD, path, flags);
	if (fd < 0)
		_exit(errno);
	err *e = fd_send(sock, "t", 1, &fd, 1);
	_exit(e ? e->code : 0);
}

/* A rootless caller owns the container's user namespace and may clone trees in there: of its own mount
 * namespace, in a copy that belongs to that user namespace. */
static int open_in_user_namespace(void *data, const char *path, unsigned flags)
{
	const struct hotplug *h = data;
	int pair[2], fd = -1, status = 0;
	size_t len = 0, count = 0;
	char byte;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid = k_clone3(&args);
	if (pid == 0)
		tree_child(h, pair[1], path, flags);
	fd_close(pair[1]);
	if (pid > 0) {
		IGNORE(fd_recv(pair[0], &byte, 1, &len, &fd, 1, &count));
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		errno = WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EIO;
	}
	fd_close(pair[0]);
	return count == 1 ? fd : -1;
}

static err *plan_additions(struct hotplug *h)
{
	struct start *s = &h->start;
	bool privileged = capability_effective(CAP_SYS_ADMIN);
	struct plan_source source = {
		.arena = s->arena,
		.config = &h->config,
		.namespaces = &s->namespaces,
		.bundle = s->container.record.bundle,
		.bundle_fd = -1,
		.proc_fd = s->proc_fd,
		.cgroup_fd = s->cgroup.fd,
		.can_mount = true,
		.open_tree = privileged ? NULL : open_in_user_namespace,
		.open_data = h,
		.warnings = s->request->warnings,
	};

	for (size_t i = 0; i < h->config.mounts.count; i++)
		TRY(err_wrap(check_options(s->arena, &h->config.mounts.items[i]), "mounts[%zu]", i));
	return plan_mounts(&s->plan, &source);
}

static err *record_additions(struct hotplug *h)
{
	struct hotplug_record *record = &h->record;
	const size_t count = h->config.mounts.count;
	struct arena *arena = h->start.arena;
	struct hotplug_mount *items;

	TRY_ALLOC(arena, items, arena_array(arena, record->mounts.count + count + 1, sizeof *items));
	if (record->mounts.count)
		memcpy(items, record->mounts.items, record->mounts.count * sizeof *items);
	record->mounts.items = items;
	for (size_t i = 0; i < count; i++) {
		char path[PATH_MAX];

		if (!path_clean(h->config.mounts.items[i].destination, path, sizeof path))
			continue;
		struct hotplug_mount *m = &items[record->mounts.count++];
		m->id = h->ids[i];
		TRY_ALLOC(arena, m->destination, arena_strdup(arena, path));
	}
	return hotplug_save(&h->start.container, record);
}

static err *add(struct hotplug *h)
{
	err *failed = NULL;

	TRY(open_container(h));
	decide_namespaces(h, needs_pid_namespace(&h->config));
	TRY(open_cgroup(&h->start));
	TRY(begin_plan(h));
	TRY(plan_additions(h));
	TRY(walk(h, &failed));
	TRY(failed);
	return err_wrap(record_additions(h), "the mounts were added, but not recorded");
}

/* ---- remove ---- */

static err *plan_removal(struct hotplug *h, size_t i, struct plan_mount *row)
{
	struct plan_builder *b = &h->start.plan;
	const size_t after = h->config.mounts.count - i - 1;
	char path[PATH_MAX];

	if (!path_clean(h->config.mounts.items[i].destination, path, sizeof path))
		return err_new(ENAMETOOLONG, "destination: too long");
	const struct hotplug_mount *m = hotplug_find(&h->record, path, &h->ids[i + 1], after);
	if (!m)
		return err_hint(err_new(ENOENT, "destination '%s': nothing was added there", path),
				"Only what 'mounts add' has mounted can be removed.");
	h->ids[i] = m->id;
	*row = (struct plan_mount){
		.kind = PLAN_MOUNT_REMOVE,
		.destination = plan_add_text(b, path),
		.label = plan_add_textf(b, "mounts[%zu]", i),
		.fd = PLAN_NO_FD,
		.set = m->id,
	};
	return NULL;
}

static err *plan_removals(struct hotplug *h)
{
	struct plan_builder *b = &h->start.plan;
	size_t count = h->config.mounts.count;
	struct plan_mount *items;

	TRY_ALLOC(h->start.arena, items, arena_array(h->start.arena, count + 1, sizeof *items));
	for (size_t i = count; i-- > 0;)
		TRY(err_wrap(plan_removal(h, i, &items[i]), "mounts[%zu]", i));
	b->plan.mounts = plan_add_items(b, items, sizeof *items, count);
	return NULL;
}

static err *record_removals(struct hotplug *h)
{
	for (size_t i = 0; i < h->config.mounts.count; i++)
		for (size_t k = 0; h->ids[i] && k < h->record.mounts.count; k++)
			if (h->record.mounts.items[k].id == h->ids[i])
				h->record.mounts.items[k].id = 0;
	return hotplug_save(&h->start.container, &h->record);
}

static err *remove_mounts(struct hotplug *h)
{
	err *failed = NULL;

	TRY(open_container(h));
	decide_namespaces(h, false);
	TRY(begin_plan(h));
	TRY(plan_removals(h));
	TRY(walk(h, &failed));
	/* What is gone is gone, also when another one could not be removed. */
	err *e = record_removals(h);
	if (!failed)
		return e;
	err_free(e);
	return failed;
}

/* ---- both ---- */

static err *change(struct arena *arena, const struct hotplug_request *r, err *(*act)(struct hotplug *))
{
	struct hotplug h = { .start = START_INIT, .request = r, .init_pidfd = -1 };

	h.start.arena = arena;
	h.start.request = &r->base;
	plan_builder_init(&h.start.plan);
	/* An empty list is no work, but no reason to overlook that there is no such container. */
	err *e = r->mounts->mounts.count == 0 ? open_container(&h) : act(&h);
	/* It has ended, or must. */
	start_kill(&h.start);
	start_done(&h.start);
	fd_close(h.init_pidfd);
	return e;
}

err *hotplug_add(struct arena *arena, const struct hotplug_request *r)
{
	return change(arena, r, add);
}

err *hotplug_remove(struct arena *arena, const struct hotplug_request *r)
{
	return change(arena, r, remove_mounts);
}
