/* agent/pods.c: the Pods of a node: opened from their records, wanted, forgotten. */
#include "agent/pods.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cgroup.h"
#include "agent/local-internal.h"
#include "agent/place.h"
#include "agent/pods-internal.h"
#include "agent/sandbox.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"

#define BACKOFF_FIRST (10 * (int64_t)NSEC_PER_SEC)
#define BACKOFF_MAX   (300 * (int64_t)NSEC_PER_SEC)
/* Empty slices in which nothing was made for so long, in seconds, are nobody's. */
#define LEFT_AFTER     600
/* So long a program that was just started may be without contact before an old lease counts: it may have been
 * the agent alone that was away. */
#define START_PATIENCE (10 * (int64_t)NSEC_PER_SEC)

/* ---- from the records ---- */

static err *copy_text(const char *from, char **ret)
{
	*ret = from ? strdup(from) : NULL;
	return from && !*ret ? err_oom() : NULL;
}

static err *take_record(struct entry *e, const struct pods_record *r)
{
	char *name, *uid;

	e->recorded = true;
	e->taken = r->taken;
	e->ids = r->ids;
	snprintf(e->slice, sizeof(e->slice), "%s", r->slice ? r->slice : "");
	e->sandbox.attempt = r->sandbox;
	e->deleted = r->ending;
	e->forgotten = r->ending && r->pod.metadata.deletion.nsec == 0;
	snprintf(e->boot_id, sizeof(e->boot_id), "%s", r->boot_id ? r->boot_id : "");
	for (size_t i = 0; i < e->count; i++) {
		struct watched *w = &e->containers[i];
		w->attempt = r->containers.items[i].attempt;
		w->crashes = r->containers.items[i].crashes;
		w->interrupted = r->containers.items[i].interrupted;
		TRY(copy_text(r->containers.items[i].image, &w->image));
		TRY(copy_text(r->containers.items[i].image_id, &w->image_id));
	}
	e->claims = calloc(r->claims.count + 1, sizeof(*e->claims));
	if (!e->claims)
		return err_oom();
	for (size_t i = 0; i < r->claims.count; i++) {
		TRY(copy_text(r->claims.items[i].claim, &name));
		e->claims[i].claim = name;
		e->claim_count = i + 1;
		TRY(copy_text(r->claims.items[i].uid, &uid));
		e->claims[i].uid = uid;
	}
	return NULL;
}

/* A record that this release cannot read belongs to a Pod that runs: nothing of it is touched. */
static err *freeze(struct pods *p, const char *uid, err *why)
{
	auto_str struct str text = STR_INIT(4096);
	struct entry *e;

	err_format(why, &text);
	log_error("a Pod's record cannot be read: it is left as it is", "uid", uid, "reason", text.data, NULL);
	err_free(why);
	TRY(pods_entry_new(p, uid, NULL, &e));
	e->frozen = true;
	return copy_text(text.data, &e->frozen_text);
}

static err *open_entry(struct pods *p, const char *uid)
{
	auto_arena struct arena *arena = NULL;
	auto_pod_object struct pod_object *object = NULL;
	struct pods_record record;
	struct entry *e;

	TRY(arena_new(32 << 20, &arena));
	auto_close int fd = openat(p->pods_fd, uid, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno("open the folder of Pod '%s'", uid);
	err *bad = pods_record_read(arena, fd, &record);
	if (bad && bad->code == ENOENT) {
		/* Killed before its first record: nothing of it was made. */
		err_free(bad);
		return path_remove_all(p->pods_fd, uid);
	}
	if (!bad && !str_equal(record.pod.metadata.uid, uid))
		bad = err_new(EINVAL, PODS_RECORD_FILE ": is of another Pod");
	if (!bad)
		bad = pod_object_new(&record.pod, &object);
	if (bad)
		return freeze(p, uid, bad);
	TRY(pods_entry_new(p, uid, object, &e));
	e->look = e->due = true;
	return take_record(e, &record);
}

static err *open_records(struct pods *p)
{
	int fd = openat(p->pods_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	err *e = NULL;

	if (!dir) {
		e = err_errno("list the Pods");
		fd_close(fd);
		return e;
	}
	for (struct dirent *d; !e && (d = readdir(dir));)
		if (d->d_name[0] == '.' && pod_is_label(d->d_name + 1)) /* a remove that was killed on its last step */
			e = path_remove_all(p->pods_fd, d->d_name);
		else if (pod_is_label(d->d_name) && strlen(d->d_name) <= PODS_UID_MAX)
			e = open_entry(p, d->d_name);
	closedir(dir);
	return e;
}

/* ---- opening and closing ---- */

static err *copy_options(struct pods *p, const struct pods_options *o)
{
	auto_str struct str store = STR_INIT(4096);
	size_t count = 0;

	p->o = *o;
	if (p->o.backoff_first <= 0)
		p->o.backoff_first = BACKOFF_FIRST;
	if (p->o.backoff_max <= 0)
		p->o.backoff_max = BACKOFF_MAX;
	TRY(image_store_place(o->store, &store));
	TRY(copy_text(store.data, &p->store));
	TRY(copy_text(o->programs, &p->programs));
	TRY(copy_text(o->address, &p->address));
	TRY(copy_text(o->runtime, &p->runtime));
	TRY(copy_text(o->cgroup_manager, &p->cgroup_manager));
	TRY(copy_text(o->auth_file, &p->auth_file));
	while (o->unverified && o->unverified[count])
		count++;
	p->unverified = calloc(count + 1, sizeof(char *));
	if (!p->unverified)
		return err_oom();
	for (size_t i = 0; i < count; i++)
		TRY(copy_text(o->unverified[i], &p->unverified[i]));
	return NULL;
}

static err *open_folders(struct pods *p)
{
	auto_str struct str data = STR_INIT(PATH_MAX - 64), path = STR_INIT(PATH_MAX);
	char programs[PATH_MAX], monitor[PATH_MAX];

	TRY(local_open_folder(p->programs, "agent", &p->local));
	TRY(place_data(&data));
	snprintf(p->data, sizeof(p->data), "%s", data.data);
	snprintf(p->pause, sizeof(p->pause), "%s/agent/pause", data.data);
	str_addf(&path, "%s/agent", data.data);
	TRY(place_open(path.data, &p->agent_fd));
	str_add(&path, "/pods");
	TRY(place_open(path.data, &p->pods_fd));
	snprintf(programs, sizeof(programs), "%s", local_monitor(p->local, monitor));
	*strrchr(programs, '/') = '\0';
	return sandbox_prepare(programs, p->pause);
}

static err *open_boot(struct pods *p)
{
	auto_str struct str id = STR_INIT(64);

	TRY(file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &id));
	snprintf(p->boot_id, sizeof(p->boot_id), "%.*s", (int)strcspn(id.data, "\n"), id.data);
	err *e = pods_lease_read(p->agent_fd, p->boot_id, &p->lease_end);
	if (e) { /* without it only `keep` Pods begin again after a reboot: the safe side */
		log_err(e);
		err_free(e);
	}
	return NULL;
}

/* Where Pods have slices, what they may take together. A machine that does not let us limits by placement
 * alone. */
static err *open_cgroups(struct pods *p)
{
	auto_str struct str controllers = STR_INIT(4096);
	const char *where;
	bool hybrid;

	if (!place_is_root() || str_equal(p->cgroup_manager, "disabled"))
		return NULL;
	TRY(cgroup_find(&controllers, &where, &hybrid));
	if (!where)
		return NULL;
	p->systemd = str_equal(p->cgroup_manager, "systemd");
	p->cgroup_fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->cgroup_fd < 0)
		return err_errno("open '%s'", where);
	err *e = p->systemd ? NULL
			    : slices_sweep(p->cgroup_fd, clock_real() / (int64_t)NSEC_PER_SEC - LEFT_AFTER);
	if (!e && p->o.share.cpu_weight > 0)
		e = p->systemd ? slices_units_share(p->cgroup_fd, &p->o.share)
			       : slices_share(p->cgroup_fd, &p->o.share);
	if (e)
		log_err(e);
	err_free(e);
	return NULL;
}

err *pods_open(const struct pods_options *options, struct pods **ret)
{
	struct pods *p = calloc(1, sizeof(*p));

	if (!p)
		return err_oom();
	p->agent_fd = p->pods_fd = p->wakeup_fd = p->cgroup_fd = -1;
	p->contact = PODS_ALONE;
	p->opened = clock_boot();
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work.filled, NULL);
	pthread_cond_init(&p->pulls.filled, NULL);
	pthread_cond_init(&p->done.filled, NULL);
	err *e = copy_options(p, options);
	if (!e)
		e = open_folders(p);
	if (!e)
		e = open_cgroups(p);
	if (!e)
		e = open_boot(p);
	if (!e)
		e = open_records(p);
	if (!e && (p->wakeup_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		e = err_errno("make a descriptor to wake the loop");
	if (!e)
		e = loop_io(p->o.loop, p->wakeup_fd, EPOLLIN, pods_woken, p, &p->wakeup);
	if (!e)
		e = loop_timer(p->o.loop, 0, pods_timer, p, &p->timer);
	if (!e)
		e = pods_jobs_start(p);
	if (e) {
		pods_close(p);
		return e;
	}
	pods_kick(p);
	*ret = p;
	return NULL;
}

void pods_close(struct pods *p)
{
	if (!p)
		return;
	for (struct fetch *f = p->fetches; f; f = f->next)
		if (f->job)
			atomic_store(&f->job->cancel, true);
	pods_jobs_stop(p);
	for (struct fetch *f = p->fetches; f; f = f->next)
		f->job = NULL;
	while (p->entries) {
		struct entry *e = p->entries;
		p->entries = e->next;
		pods_entry_free(e);
	}
	pods_fetch_free_all(p);
	while (p->dead_claims) {
		struct dead_claim *d = p->dead_claims;
		p->dead_claims = d->next;
		pods_dead_claim_free(d);
	}
	loop_source_free(p->wakeup);
	loop_source_free(p->timer);
	fd_close(p->wakeup_fd);
	fd_close(p->agent_fd);
	fd_close(p->pods_fd);
	fd_close(p->cgroup_fd);
	local_free(p->local);
	for (size_t i = 0; p->unverified && p->unverified[i]; i++)
		free(p->unverified[i]);
	free(p->unverified);
	free(p->programs);
	free(p->store);
	free(p->address);
	free(p->runtime);
	free(p->cgroup_manager);
	free(p->auth_file);
	free(p->threads);
	free(p);
}

/* ---- what is wanted ---- */

/* Whether the API has seen it run. */
static bool has_run(const struct pod *pod)
{
	if (pod_is_over(pod))
		return true;
	for (size_t i = 0; i < pod->status.containers.count; i++) {
		const struct container_status *c = &pod->status.containers.items[i];
		if (c->state.running || c->state.terminated || c->last_state.terminated || c->restarts > 0)
			return true;
	}
	return false;
}

static err *want_new(struct pods *p, const struct pod *pod)
{
	const char *uid = pod->metadata.uid;
	auto_pod_object struct pod_object *object = NULL;
	struct entry *e;

	if (!uid || !pod_is_label(uid) || strlen(uid) > PODS_UID_MAX)
		return err_new(EINVAL, "the UID '%s' is not at most %d lower-case letters, digits and '-'",
			       uid ? uid : "", PODS_UID_MAX);
	if (pod->spec.containers.count == 0 || pod->spec.containers.count > PODS_CONTAINERS_MAX)
		return err_new(EINVAL, "a Pod of %zu containers", pod->spec.containers.count);
	TRY(pod_object_new(pod, &object));
	TRY(pods_entry_new(p, uid, object, &e));
	e->taken = clock_real();
	e->looked = e->confirmed = true;
	e->lost = has_run(pod);
	pods_entry_due(e);
	return NULL;
}

/* The API may have forgotten what it was told, or another has written its part. */
static bool told_differs(const struct entry *e, const struct pod *pod)
{
	struct pod ours = { .status = e->status };

	return e->status_arena &&
	       (pod->status.phase != e->status.phase || pod_is_ready(pod) != pod_is_ready(&ours) ||
		pod->status.containers.count != e->status.containers.count);
}

static err *want_known(struct entry *e, const struct pod *pod)
{
	auto_pod_object struct pod_object *object = NULL;
	bool deleted = pod->metadata.deletion.nsec != 0;

	TRY(pod_object_new(pod, &object));
	if (e->frozen) {
		bool first = !e->object;
		pod_object_unref(e->object);
		e->object = TAKE(object);
		if (first)
			pods_event(e, true, "RecordUnreadable", "the Pod is left as it is: %s", e->frozen_text);
		return NULL;
	}
	if (pod->spec.containers.count != e->count)
		return err_new(EINVAL, "the number of its containers has changed");
	pod_object_unref(e->object);
	e->object = TAKE(object);
	/* Out of contact, an end that was ordered stays ordered. */
	e->dirty |= e->recorded && deleted && !e->deleted;
	e->deleted |= deleted;
	/* Since when its conditions are as they are is known to the API alone, after a restart of the agent.
	 */
	if (!e->confirmed) {
		arena_free(TAKE(e->status_arena));
		e->status = (struct pod_status){ 0 };
	}
	if (!e->confirmed || told_differs(e, pod))
		str_clear(&e->told);
	e->confirmed = true;
	pods_entry_due(e);
	return NULL;
}

void pods_want(struct pods *p, const struct pod *pod)
{
	struct entry *e = pod->metadata.uid ? pods_entry_find(p, pod->metadata.uid) : NULL;
	err *failed = e ? want_known(e, pod) : want_new(p, pod);

	if (!failed)
		return;
	auto_str struct str text = STR_INIT(4096);
	err_format(failed, &text);
	log_error("a Pod cannot be taken", "pod", pod->metadata.name, "reason", text.data, NULL);
	if (p->o.event)
		p->o.event(pod, true, "FailedSync", text.data, p->o.user);
	err_free(failed);
}

void pods_forget(struct pods *p, const char *uid)
{
	struct entry *e = pods_entry_find(p, uid);

	if (!e || e->frozen)
		return;
	/* The next agent must not begin again what this one may have ended. */
	e->dirty |= e->recorded && !e->deleted;
	e->forgotten = e->deleted = true;
	pods_entry_due(e);
}

void pods_synced(struct pods *p)
{
	for (struct entry *e = p->entries; e; e = e->next)
		if (!e->confirmed)
			pods_forget(p, e->uid);
}

/* ---- contact ---- */

static void all_due(struct pods *p)
{
	for (struct entry *e = p->entries; e; e = e->next)
		pods_entry_due(e);
}

void pods_contact(struct pods *p, enum pods_contact contact)
{
	if (contact == p->contact)
		return;
	p->contact = contact;
	all_due(p);
}

int64_t pods_fence_at(const struct pods *p)
{
	if (p->contact != PODS_ALONE || p->lease_end == 0)
		return 0;
	return MAX(p->lease_end, p->opened + START_PATIENCE);
}

enum pods_contact pods_contact_now(const struct pods *p)
{
	int64_t fence = pods_fence_at(p);

	return fence != 0 && clock_boot() >= fence ? PODS_FENCED : p->contact;
}

void pods_lease(struct pods *p, int64_t boottime_end)
{
	int64_t now = clock_boot();

	p->lease_end = boottime_end;
	if (p->lease_written != 0 && now < p->lease_written + (int64_t)NSEC_PER_SEC)
		return;
	p->lease_written = now;
	err *e = pods_lease_write(p->agent_fd, p->boot_id, boottime_end);
	if (e) {
		log_err(e);
		err_free(e);
	}
}

int64_t pods_lease_end(const struct pods *p)
{
	return p->lease_end;
}

void pods_address(struct pods *p, const char *address)
{
	char *copy = address ? strdup(address) : NULL;

	if (str_equal(copy, p->address)) {
		free(copy);
		return;
	}
	free(p->address);
	p->address = copy;
	all_due(p);
}
