/* agent/pods-work.c: what workers do for a Pod: look, make, end, remove. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/ids.h"
#include "agent/place.h"
#include "agent/pods-internal.h"
#include "agent/sandbox.h"
#include "agent/volumes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "monitor/protocol.h"

enum { LOOK_TRIES = 200, LOG_SIZE = 10 << 20, LOG_FILES = 5 };
#define LOOK_PAUSE_NS (50 * (int64_t)NSEC_PER_MSEC)

static bool is_gone(const err *e)
{
	return e && (e->code == ENOENT || e->code == ESRCH);
}

/* ---- looking ---- */

/* Its directory in the v2 hierarchy, by the process itself: whoever made the cgroup. */
static void find_cgroup(int32_t pid, char *out, size_t size)
{
	static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	auto_str struct str text = STR_INIT(64 * 1024);
	char path[64];

	out[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	err *e = file_read(AT_FDCWD, path, &text);
	const char *line = e ? NULL : strncmp(text.data, "0::", 3) == 0 ? text.data : strstr(text.data, "\n0::");
	err_free(e);
	if (!line)
		return;
	line += line[0] == '\n' ? 4 : 3;
	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		snprintf(out, size, "%s%.*s", roots[i], (int)strcspn(line, "\n"), line);
		char *procs = NULL;
		if (asprintf(&procs, "%s/cgroup.procs", out) < 0)
			break;
		bool there = access(procs, F_OK) == 0;
		free(procs);
		if (there)
			return;
	}
	out[0] = '\0';
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static char *local_id(const char *name)
{
	char *id = NULL;

	return asprintf(&id, "stube://%s", name) < 0 ? NULL : id;
}

static void fill(const struct local_container *c, struct observed *o)
{
	int signal = monitor_signal_number(c->record.stop_signal ? c->record.stop_signal : "TERM");

	o->state = c->status == LOCAL_EXITED ? DECIDE_ENDED : DECIDE_RUNNING;
	o->started = c->started;
	o->stop_signal = signal ? signal : SIGTERM;
	if (c->status == LOCAL_EXITED) {
		o->end = (struct decide_end){
			.there = true, .code = c->code, .signal = c->signal, .known = c->known, .oom = c->oom,
			.started = c->started, .finished = c->finished, .reason = copy(c->reason),
			.id = local_id(c->record.name),
		};
		return;
	}
	o->pid = c->pid;
	find_cgroup(c->pid, o->cgroup, sizeof(o->cgroup));
}

/* A connection on which the monitor tells the end. */
static err *watch(struct pods *p, const char *name, int *ret_sock)
{
	auto_close int sock = -1;

	TRY(local_connect(p->local, name, &sock));
	TRY(monitor_send(sock, MONITOR_WAIT, 0, 0, 0, NULL, 0));
	*ret_sock = TAKE_FD(sock);
	return NULL;
}

/* *ret_settled is false while somebody is at work on it. */
static err *look_once(struct pods *p, const char *name, bool want_sock, struct observed *ret, bool *ret_settled)
{
	auto_arena struct arena *arena = NULL;
	struct local_container c;

	*ret_settled = true;
	TRY(arena_new(16 << 20, &arena));
	err *e = local_find(p->local, arena, name, &c);
	if (is_gone(e)) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	if (c.status == LOCAL_CREATED) {
		*ret_settled = false;
		return NULL;
	}
	if (c.status == LOCAL_RUNNING && want_sock) {
		e = watch(p, name, &ret->sock);
		if (is_gone(e) || (e && (e->code == EPIPE || e->code == ECONNRESET))) {
			/* It has ended just now, or its monitor is about to be replaced. */
			err_free(e);
			*ret_settled = false;
			return NULL;
		}
		TRY(e);
	}
	fill(&c, ret);
	return NULL;
}

err *pods_work_observe(struct pods *p, const char *name, bool want_sock, struct observed *ret)
{
	bool settled = false;

	*ret = (struct observed)OBSERVED_NONE;
	for (int i = 0; i < LOOK_TRIES; i++) {
		TRY(look_once(p, name, want_sock, ret, &settled));
		if (settled)
			return NULL;
		nanosleep(&(struct timespec){ .tv_nsec = LOOK_PAUSE_NS }, NULL);
	}
	/* Made, but never started, and its maker is gone: it is nobody's. */
	err *e = local_remove(p->local, name, true);
	if (is_gone(e)) {
		err_free(e);
		return NULL;
	}
	return e;
}

static err *look_last(struct pods *p, const char *name, struct decide_end *ret)
{
	struct observed o;

	TRY(pods_work_observe(p, name, false, &o));
	if (o.end.there) {
		*ret = o.end;
		o.end = (struct decide_end){ 0 };
	}
	pods_observed_done(&o);
	return NULL;
}

static err *look(struct job *j)
{
	char name[64];

	j->seen = calloc(j->count + 1, sizeof(*j->seen));
	j->last = calloc(j->count + 1, sizeof(*j->last));
	if (!j->seen || !j->last)
		return err_oom();
	j->seen_count = j->count + 1;
	for (size_t i = 0; i <= j->count; i++)
		j->seen[i] = (struct observed)OBSERVED_NONE;
	for (size_t i = 0; i <= j->count; i++) {
		int index = (int)i - 1;
		uint32_t attempt = i == 0 ? j->sandbox_attempt : j->attempts[i - 1];
		if (attempt > 0)
			TRY(pods_work_observe(j->p, pods_local_name(j->uid, index, attempt, name), true,
					      &j->seen[i]));
		if (attempt > 1 && i > 0)
			TRY(look_last(j->p, pods_local_name(j->uid, index, attempt - 1, name), &j->last[i]));
	}
	return NULL;
}

/* ---- records and folders ---- */

const char pods_record_unwritten[] = "RecordUnwritten";

static err *open_pod(struct job *j, int *ret_fd)
{
	if (mkdirat(j->p->pods_fd, j->uid, 0700) < 0 && errno != EEXIST)
		return err_errno("make the folder of the Pod");
	*ret_fd = openat(j->p->pods_fd, j->uid, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? err_errno("open the folder of the Pod") : NULL;
}

static err *write_record(struct job *j)
{
	const char *reason = j->error_reason;
	auto_close int fd = -1;

	if (j->record.len == 0)
		return NULL;
	j->error_reason = pods_record_unwritten;
	TRY(str_check(&j->record));
	TRY(open_pod(j, &fd));
	TRY(err_wrap(file_replace(fd, PODS_RECORD_FILE, j->record.data, j->record.len, 0600),
		     "record of the Pod"));
	j->error_reason = reason;
	return NULL;
}

static err *remove_local(struct pods *p, const char *name)
{
	err *e = local_remove(p->local, name, true);

	if (is_gone(e)) {
		err_free(e);
		return NULL;
	}
	return e;
}

static err *keep_result(struct job *j, const char *name, int *sock)
{
	j->seen = calloc(1, sizeof(*j->seen));
	if (!j->seen)
		return err_oom();
	j->seen_count = 1;
	TRY(pods_work_observe(j->p, name, true, &j->seen[0]));
	fd_clear(sock);
	return NULL;
}

/* ---- the sandbox ---- */

static bool owner_exists(const char *owner, void *arg)
{
	return local_owner_exists(arg, owner);
}

/* The range that the Pod has, or a new one. The record may not know it yet: an agent was killed in between. */
static err *take_ids(struct job *j)
{
	if (j->object->pod->spec.host_users || j->ids.size > 0)
		return NULL;
	/* An ordinary user's Pods have all of the user's ids, as its containers do. */
	if (!place_is_root())
		return ids_own(&j->ids.size);
	return ids_take(local_base_fd(j->p->local), j->uid, owner_exists, j->p->local, &j->ids);
}

/* NULL where there is no hierarchy, or no more. */
static const char *slice_of(const struct job *j)
{
	return j->slice[0] && j->p->cgroup_fd >= 0 ? j->slice : NULL;
}

/* Where containers are about to be made. It may have gone with an older sandbox. */
static err *make_slice(const struct job *j)
{
	struct slice_values values;

	if (!slice_of(j))
		return NULL;
	slices_of_pod(j->object->pod, &values);
	return (j->p->systemd ? slices_units_make : slices_make)(j->p->cgroup_fd, j->slice, &values);
}

static err *remove_slice(const struct job *j)
{
	if (!slice_of(j))
		return NULL;
	return (j->p->systemd ? slices_units_remove : slices_remove)(j->p->cgroup_fd, j->slice);
}

static err *make_sandbox(struct job *j)
{
	struct pods *p = j->p;
	const struct pod *pod = j->object->pod;
	auto_arena struct arena *arena = NULL;
	auto_close int fd = -1, sock = -1;
	char name[64];

	j->error_reason = "CreatePodSandboxError";
	TRY(write_record(j));
	TRY(open_pod(j, &fd));
	TRY(take_ids(j));
	TRY(volumes_make(fd, &pod->spec));
	if (j->sandbox_attempt > 1)
		TRY(remove_local(p, pods_local_name(j->uid, PODS_SANDBOX, j->sandbox_attempt - 1, name)));
	TRY(make_slice(j));
	TRY(arena_new(16 << 20, &arena));
	pods_local_name(j->uid, PODS_SANDBOX, j->sandbox_attempt, name);
	const struct sandbox_request request = {
		.pod = pod,
		.name = name,
		.root = p->pause,
		.ids = j->ids,
		.runtime = p->runtime,
		.cgroup_manager = p->cgroup_manager,
		.slice = slice_of(j),
	};
	TRY(sandbox_start(p->local, arena, &request, &sock));
	return keep_result(j, name, &sock);
}

static err *end_sandbox(struct job *j)
{
	char name[64];

	TRY(remove_local(j->p, pods_local_name(j->uid, PODS_SANDBOX, j->sandbox_attempt, name)));
	/* One that is still in use goes with the Pod. */
	IGNORE(remove_slice(j));
	return NULL;
}

/* ---- containers ---- */

static err *create_container(struct job *j, struct arena *arena, const char *name, const struct sandbox *sandbox,
			     int *ret_sock)
{
	struct pods *p = j->p;
	auto_store struct image_store *store = NULL;
	const struct image *image;
	const struct pod *pod = j->object->pod;
	struct pod without_status = *pod;
	struct standing_limits limits;
	struct standing standing;
	const char *volumes;

	without_status.status = (struct pod_status){ 0 };
	TRY_ALLOC(arena, volumes, arena_printf(arena, "%s/agent/pods/%s/volumes", p->data, j->uid));
	TRY(image_store_open(p->store, IMAGE_STORE_SHARED, &store));
	j->error_reason = PODS_IMAGE_LOST;
	TRY(image_resolve(store, arena, j->image, NULL, &image));
	j->error_reason = "CreateContainerError";
	standing_limits(&limits);
	standing_of(pod, (size_t)j->index, &limits, &standing);
	const struct local_request request = {
		.pod = &without_status,
		.container = (size_t)j->index,
		.name = name,
		.store = store,
		.image = image,
		.image_text = pod->spec.containers.items[j->index].image,
		.network = pod->spec.host_network ? BUNDLE_NET_HOST : BUNDLE_NET_JOIN,
		.join = &sandbox->join,
		.ids = j->ids,
		.volumes_dir = volumes,
		.claims = j->claims,
		.claim_count = j->claim_count,
		.runtime = p->runtime,
		.cgroup_manager = p->cgroup_manager,
		.slice = slice_of(j),
		.standing = &standing,
		.log = { LOG_SIZE, LOG_FILES },
	};
	return local_create(p->local, &request, ret_sock);
}

static err *start_container(struct job *j)
{
	struct pods *p = j->p;
	uint32_t attempt = j->attempts[j->index];
	auto_arena struct arena *arena = NULL;
	auto_sandbox struct sandbox sandbox = SANDBOX_NONE;
	auto_close int sock = -1;
	char name[64];

	j->error_reason = "CreateContainerError";
	TRY(write_record(j));
	TRY(take_ids(j));
	TRY(arena_new(64 << 20, &arena));
	/* The attempt before stays, for its log and its end. */
	if (attempt > 2)
		TRY(remove_local(p, pods_local_name(j->uid, j->index, attempt - 2, name)));
	TRY(sandbox_open(p->local, pods_local_name(j->uid, PODS_SANDBOX, j->sandbox_attempt, name), j->object->pod,
			 &sandbox));
	pods_local_name(j->uid, j->index, attempt, name);
	TRY(make_slice(j));
	TRY(create_container(j, arena, name, &sandbox, &sock));
	err *e = sandbox_check(&sandbox);
	if (!e) {
		j->error_reason = "RunContainerError";
		e = monitor_start_container(sock);
	}
	if (e && (e->code == EPIPE || e->code == ECONNRESET)) {
		/* Its monitor was killed before it could answer: it may have run. */
		fd_clear(&sock);
		err *unseen = keep_result(j, name, &sock);
		if (!unseen && j->seen[0].state != DECIDE_NONE) {
			err_free(e);
			return NULL;
		}
		err_free(unseen);
		return e;
	}
	if (e) {
		fd_clear(&sock);
		IGNORE(remove_local(p, name));
		return e;
	}
	return keep_result(j, name, &sock);
}

/* ---- the end ---- */

static err *remove_all(struct job *j)
{
	struct pods *p = j->p;
	char name[64], gone[64];

	for (size_t i = 0; i < j->count; i++)
		for (uint32_t a = j->attempts[i] > 3 ? j->attempts[i] - 3 : 1; a <= j->attempts[i]; a++)
			TRY(remove_local(p, pods_local_name(j->uid, (int)i, a, name)));
	for (uint32_t a = j->sandbox_attempt > 2 ? j->sandbox_attempt - 2 : 1; a <= j->sandbox_attempt; a++)
		TRY(remove_local(p, pods_local_name(j->uid, PODS_SANDBOX, a, name)));
	TRY(remove_slice(j));
	if (local_owner_exists(p->local, j->uid))
		TRY(take_ids(j));
	if (j->ids.first > 0)
		TRY(ids_give(local_base_fd(p->local), j->uid, j->ids));
	/* The record goes last, and with one stroke: until then a killed remove is seen and done again. */
	snprintf(gone, sizeof(gone), ".%s", j->uid);
	TRY(path_remove_all(p->pods_fd, gone));
	if (renameat(p->pods_fd, j->uid, p->pods_fd, gone) < 0 && errno != ENOENT)
		return err_errno("remove the folder of the Pod");
	return path_remove_all(p->pods_fd, gone);
}

static err *remove_claim(struct job *j)
{
	return volumes_claim_remove(j->path);
}

void pods_job_run(struct job *j)
{
	static err *(*const bodies[])(struct job *) = {
		[JOB_LOOK] = look,
		[JOB_SANDBOX] = make_sandbox,
		[JOB_START] = start_container,
		[JOB_END_SANDBOX] = end_sandbox,
		[JOB_REMOVE] = remove_all,
		[JOB_RECORD] = write_record,
		[JOB_CLAIM] = remove_claim,
	};

	if (j->kind == JOB_FETCH)
		pods_fetch_run(j);
	else
		j->error = bodies[j->kind](j);
}
