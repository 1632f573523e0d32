/* runtime/checkpoint.c: a running container into files. */
#include "runtime/checkpoint.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/delete.h"
#include "runtime/plan-config.h"

struct dump {
	struct container *container;
	const struct oci_config *config;
	struct criu_work *work;
	struct cgroup *cgroup;
	int proc_fd;
};

static err *load_config(struct container *c, const struct oci_config **ret)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);

	TRY(container_load_config(c, &text));
	return oci_config_decode(c->arena, "config.json", text.data, text.len, NULL, ret);
}

/* Namespaces that others share: CRIU must find them at the restore, not make them. */
static err *add_namespaces(const struct dump *d)
{
	static const struct {
		int type;
		const char *name, *key;
	} shared[] = {
		{ CLONE_NEWNET, "net", CHECKPOINT_NET_KEY },
		{ CLONE_NEWPID, "pid", CHECKPOINT_PID_KEY },
	};

	for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
		const struct oci_namespace *n = oci_namespace_find(d->config, shared[i].type);
		char path[64], text[128];
		struct stat st;

		if (!n || !n->path)
			continue;
		/* The container's own view: what the path led to may be gone. */
		snprintf(path, sizeof path, "%d/ns/%s", d->container->record.pid, shared[i].name);
		if (fstatat(d->proc_fd, path, &st, 0) < 0)
			return err_errno("open '/proc/%s'", path);
		snprintf(text, sizeof text, "%s[%llu]:%s", shared[i].name, (unsigned long long)st.st_ino,
			 shared[i].key);
		criu_add_external(d->work, text);
	}
	return NULL;
}

static err *add_cgroup(const struct dump *d)
{
	auto_cgroup_root struct cgroup_root root = { .fd = -1 };
	char path[PATH_MAX];

	if (d->cgroup->fd < 0)
		return criu_add_cgroups(d->work, true);
	TRY(cgroup_root_open(d->container->arena, &root));
	snprintf(path, sizeof path, "%s%s", d->cgroup->mount, d->cgroup->path);
	criu_add_text(d->work, CRIU_FREEZE_CGROUP, path);
	/* Beside v1 hierarchies: those are the caller's, and CRIU would make them anew. */
	return criu_add_cgroups(d->work, root.hybrid);
}

static err *build_request(const struct dump *d, bool pre_dump)
{
	pid_t pid = d->container->record.pid;
	auto_close int root = -1;
	char path[64];

	criu_add_int(d->work, CRIU_PID, pid);
	criu_add_config(d->work, &d->config->annotations);
	TRY(add_namespaces(d));
	TRY(add_cgroup(d));
	if (pre_dump)
		return NULL;
	snprintf(path, sizeof path, "%d/root", pid);
	root = openat(d->proc_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno("open root of the container");
	TRY(criu_dump_mounts(d->work, d->config, root));
	return criu_dump_descriptors(d->work, d->proc_fd, pid, &d->container->record.descriptors);
}

/* CRIU thaws what it froze; one that was killed on the way does not. */
static err *thaw(struct cgroup *cg, bool was_frozen)
{
	bool frozen = false;

	if (cg->fd < 0 || was_frozen)
		return NULL;
	TRY(cgroup_is_frozen(cg, &frozen));
	return frozen ? cgroup_freeze(cg, false) : NULL;
}

static err *dump(const struct dump *d, enum criu_type type)
{
	int status_fd = (int)d->work->options->status_fd;
	struct criu_job job = {
		.program = d->work->program,
		.type = type,
		.options = &d->work->request,
		.log_name = "dump.log",
		.image_fd = d->work->image_fd,
		.work_fd = d->work->work_fd,
		.cgroup_fd = -1,
		.pass = &status_fd,
		.pass_count = status_fd >= 3,
	};
	bool was_frozen = false;

	TRY(cgroup_is_frozen(d->cgroup, &was_frozen));
	err *e = criu_run(&job);
	err *left = thaw(d->cgroup, was_frozen);
	if (!e)
		return left;
	err_free(left);
	return e;
}

err *checkpoint_container(struct arena *arena, const char *root, const char *id, const struct criu_options *o,
			  struct strv *warnings)
{
	auto_container struct container c = CONTAINER_INIT;
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	auto_criu_work struct criu_work work = CRIU_WORK_INIT;
	auto_close int proc_fd = -1;
	struct dump d = { .container = &c, .work = &work, .cgroup = &cg };
	enum criu_type type = o->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP;
	enum state_status status;

	TRY(container_open(arena, root, id, CONTAINER_LOCK, &c));
	TRY(container_status(&c, &status, NULL));
	if (status != STATE_RUNNING && status != STATE_PAUSED)
		return err_new(EINVAL, "cannot checkpoint a container in the state '%s'",
			       enum_name(state_status_names, (int)status));
	TRY(load_config(&c, &d.config));
	TRY(criu_refuse(d.config));
	TRY(plan_open_proc(&proc_fd));
	d.proc_fd = proc_fd;
	if (c.record.cgroup)
		TRY(container_open_cgroup(&c, &cg));
	TRY(criu_work_begin(arena, o, type, true, &work));
	TRY(build_request(&d, o->pre_dump));
	TRY(dump(&d, type));
	if (o->leave_running || o->pre_dump)
		return NULL;
	return container_end(&c, warnings);
}
