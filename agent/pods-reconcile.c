/* agent/pods-reconcile.c: one turn: what has been done is taken in, what is due is decided and begun. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/pods-internal.h"
#include "agent/volumes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "monitor/protocol.h"

#define RETRY_NS     ((int64_t)NSEC_PER_SEC)
#define KILL_WAIT_NS (10 * (int64_t)NSEC_PER_SEC)
enum { ROUNDS = 4 };

void pods_kick(struct pods *p)
{
	const uint64_t one = 1;

	/* It fails only when it is full of kicks. */
	if (p->wakeup_fd >= 0)
		(void)!write(p->wakeup_fd, &one, sizeof(one));
}

void pods_entry_due(struct entry *e)
{
	e->due = true;
	pods_kick(e->p);
}

void pods_event(struct entry *e, bool warning, const char *reason, const char *fmt, ...)
{
	auto_str struct str text = STR_INIT(8192);
	va_list ap;

	if (!e->object)
		return;
	va_start(ap, fmt);
	str_addv(&text, fmt, ap);
	va_end(ap);
	if (e->p->o.event)
		e->p->o.event(e->object->pod, warning, reason, text.data, e->p->o.user);
}

void pods_watched_problem(struct watched *w, const char *reason, const char *text)
{
	free(w->problem);
	free(w->problem_text);
	w->problem = reason ? strdup(reason) : NULL;
	w->problem_text = text ? strdup(text) : NULL;
}

void pods_watched_unwatch(struct watched *w)
{
	loop_source_free(w->source);
	w->source = NULL;
	fd_clear(&w->now.sock);
}

static const char *container_name(const struct watched *w)
{
	return w->index == PODS_SANDBOX ? "sandbox" : w->entry->object->pod->spec.containers.items[w->index].name;
}

/* ---- what is seen ---- */

/* The monitor has something to tell: the end, or, by hanging up, its own. */
static void monitor_ready(uint32_t events UNUSED, void *user)
{
	struct watched *w = user;
	struct monitor_message m;
	size_t len;
	err *e = monitor_recv(w->now.sock, MONITOR_SIDE_SERVER, &m, &len);

	if (!e && m.head.kind != MONITOR_EXITED)
		return;
	err_free(e);
	pods_watched_unwatch(w);
	w->entry->look = true;
	pods_entry_due(w->entry);
}

static void container_ended(struct watched *w)
{
	const struct decide_end *end = &w->now.end;
	struct pods *p = w->entry->p;
	int64_t ago = MAX(clock_real() - end->finished, 0), delay;

	w->ended_at = clock_boot() - ago;
	/* It ran well for long: what happened before does not count any more. */
	if (w->crashes > 0 && end->started > 0 && end->finished - end->started >= 2 * p->o.backoff_max) {
		w->crashes = 0;
		w->entry->dirty = true;
	}
	if (!w->entry->looked)
		return; /* an old story */
	if (w->interrupted == w->attempt || w->entry->deleted) {
		pods_event(w->entry, false, "Killed", "container '%s' has ended", container_name(w));
		return;
	}
	pods_event(w->entry, end->code != 0, "Exited", "container '%s' ended with %s %u%s%s", container_name(w),
		   end->signal ? "signal" : "status", end->signal ? end->signal : end->code, end->oom ? ": out of memory" : "",
		   end->known ? "" : ": nobody saw it");
	delay = decide_backoff(w->crashes, p->o.backoff_first, p->o.backoff_max);
	if (delay > 0 && w->entry->object->pod->spec.restart != POD_RESTART_NEVER)
		pods_event(w->entry, true, "BackOff", "back-off %lld.%llds restarting failed container '%s'",
			   (long long)(delay / (int64_t)NSEC_PER_SEC),
			   (long long)(delay % (int64_t)NSEC_PER_SEC / (100 * (int64_t)NSEC_PER_MSEC)), container_name(w));
}

static void sandbox_ended(struct watched *w)
{
	if (w->entry->looked && !w->entry->deleted)
		pods_event(w->entry, true, "SandboxChanged",
			   "the sandbox has ended: it and all containers are made anew");
}

/* seen: its content is taken. */
static void take_seen(struct watched *w, struct observed *seen)
{
	enum decide_state before = w->now.state;
	err *e = NULL;

	pods_watched_unwatch(w);
	pods_observed_done(&w->now);
	w->now = *seen;
	*seen = (struct observed)OBSERVED_NONE;
	if (w->now.sock >= 0)
		e = loop_io(w->entry->p->o.loop, w->now.sock, EPOLLIN, monitor_ready, w, &w->source);
	if (e) {
		log_err(e);
		err_free(e);
		fd_clear(&w->now.sock);
		w->entry->look = true;
		w->entry->retry_at = clock_boot() + RETRY_NS;
	}
	if (w->now.state != DECIDE_ENDED || before == DECIDE_ENDED)
		return;
	w->term_at = 0;
	w->killed = false;
	if (w->index == PODS_SANDBOX)
		sandbox_ended(w);
	else
		container_ended(w);
}

/* ---- jobs that are done ---- */

static void trouble(struct entry *e, const struct job *j, const char *what)
{
	auto_str struct str text = STR_INIT(4096);

	err_format(j->error, &text);
	log_warning(what, "uid", e->uid, "reason", text.data, NULL);
	e->p->totals.failures++;
	e->retry_at = clock_boot() + RETRY_NS;
}

static void looked(struct entry *e, struct job *j)
{
	if (j->error) {
		trouble(e, j, "cannot look at a Pod");
		e->look = true;
		return;
	}
	for (size_t i = 0; i < j->seen_count; i++) {
		struct watched *w = i == 0 ? &e->sandbox : &e->containers[i - 1];
		if (i > 0 && j->last[i].there && !w->last.there) {
			w->last = j->last[i];
			j->last[i] = (struct decide_end){ 0 };
		}
		take_seen(w, &j->seen[i]);
		if (!e->looked && i > 0 && w->now.state == DECIDE_RUNNING)
			e->p->totals.adopted++;
	}
	e->looked = true;
}

static void sandbox_made(struct entry *e, struct job *j)
{
	struct watched *w = &e->sandbox;

	if (!j->error) {
		w->failures = 0;
		w->retry_at = 0;
		pods_watched_problem(w, NULL, NULL);
		take_seen(w, &j->seen[0]);
		return;
	}
	auto_str struct str text = STR_INIT(4096);
	err_format(j->error, &text);
	w->retry_at = clock_boot() + decide_backoff(++w->failures, e->p->o.backoff_first, e->p->o.backoff_max);
	pods_watched_problem(w, j->error_reason, text.data);
	e->p->totals.failures++;
	pods_event(e, true, "FailedCreatePodSandBox", "failed to make the Pod's sandbox: %s", text.data);
}

static void container_made(struct entry *e, struct job *j)
{
	struct watched *w = &e->containers[j->index];

	if (!j->error) {
		w->failures = 0;
		w->retry_at = 0;
		pods_watched_problem(w, NULL, NULL);
		e->p->totals.started++;
		pods_event(e, false, "Started", "started container '%s'", container_name(w));
		take_seen(w, &j->seen[0]);
		return;
	}
	if (j->error->code == ESRCH && e->sandbox.now.state == DECIDE_RUNNING)
		e->look = true; /* its sandbox has died just now */
	if (j->error->code == ENOENT && str_equal(j->error_reason, PODS_IMAGE_LOST)) {
		free(TAKE(w->image));
		return; /* to be fetched again */
	}
	auto_str struct str text = STR_INIT(4096);
	err_format(j->error, &text);
	w->retry_at = clock_boot() + decide_backoff(++w->failures, e->p->o.backoff_first, e->p->o.backoff_max);
	pods_watched_problem(w, j->error_reason, text.data);
	e->p->totals.failures++;
	pods_event(e, true, "Failed", "container '%s': %s", container_name(w), text.data);
}

static void finish(struct job *j)
{
	struct entry *e = j->entry;

	if (j->kind == JOB_FETCH) {
		pods_fetch_finished(j);
		return;
	}
	e->job = NULL;
	pods_entry_due(e);
	if (j->error && j->record.len > 0)
		e->dirty = true;
	if (j->ids.size > 0 && e->ids.size == 0) {
		e->ids = j->ids;
		e->dirty = true;
	}
	switch (j->kind) {
	case JOB_LOOK:
		looked(e, j);
		break;
	case JOB_SANDBOX:
		sandbox_made(e, j);
		break;
	case JOB_START:
		container_made(e, j);
		break;
	case JOB_END_SANDBOX:
		if (j->error) {
			trouble(e, j, "cannot end a Pod's sandbox");
		} else {
			pods_watched_unwatch(&e->sandbox);
			e->sandbox.now.state = DECIDE_ENDED;
		}
		break;
	case JOB_REMOVE:
		e->done = !j->error;
		if (j->error)
			trouble(e, j, "cannot remove a Pod");
		break;
	default:
		if (j->error)
			trouble(e, j, "cannot write a Pod's record");
		break;
	}
}

/* ---- beginning ---- */

static void submit(struct entry *e, enum job_kind kind, int index, bool record)
{
	struct job *j;
	err *failed = pods_job_new(e->p, kind, e, &j);

	if (failed) {
		err_free(failed);
		e->retry_at = clock_boot() + RETRY_NS;
		return;
	}
	j->index = index;
	if (record) {
		pods_entry_encode(e, &j->record);
		e->dirty = false;
		e->recorded = true;
	}
	e->job = j;
}

static void begin_sandbox(struct entry *e)
{
	struct watched *w = &e->sandbox;

	if (w->attempt == 0 || w->now.state == DECIDE_ENDED)
		w->attempt++;
	pods_watched_unwatch(w);
	pods_observed_done(&w->now);
	snprintf(e->boot_id, sizeof(e->boot_id), "%s", e->p->boot_id);
	submit(e, JOB_SANDBOX, PODS_SANDBOX, true);
	if (e->job)
		pods_job_submit(e->job);
}

/* Where the claim's data is. False: nobody knows it yet. */
static bool find_claim(struct entry *e, const char *name, const char **ret_uid)
{
	const struct pods *p = e->p;
	const char *namespace = e->object->pod->metadata.namespace;

	for (size_t i = 0; i < e->claim_count; i++)
		if (str_equal(e->claims[i].claim, name)) {
			*ret_uid = e->claims[i].uid;
			return true;
		}
	const struct claim *claim = p->o.claim ? p->o.claim(namespace, name, p->o.user) : NULL;
	if (!claim || !claim->metadata.uid)
		return false;
	struct pods_record_claim *list = realloc(e->claims, (e->claim_count + 1) * sizeof(*list));
	if (!list)
		return false;
	e->claims = list;
	list[e->claim_count] = (struct pods_record_claim){ strdup(name), strdup(claim->metadata.uid) };
	if (!list[e->claim_count].claim || !list[e->claim_count].uid)
		return false;
	*ret_uid = list[e->claim_count++].uid;
	e->dirty = true;
	return true;
}

static err *add_claims(struct entry *e, struct bundle_claim *claims, size_t *count)
{
	const struct pod *pod = e->object->pod;

	for (size_t i = 0; i < pod->spec.volumes.count; i++) {
		const struct pod_volume *v = &pod->spec.volumes.items[i];
		auto_str struct str path = STR_INIT(4096);
		const char *uid;
		if (!v->claim)
			continue;
		if (!find_claim(e, v->claim->claim, &uid))
			return err_new(EAGAIN, "volume '%s': the claim '%s' is not known here yet", v->name,
				       v->claim->claim);
		if (*count == PODS_CONTAINERS_MAX)
			return err_new(E2BIG, "more than %d claims", PODS_CONTAINERS_MAX);
		TRY(volumes_claim_path(e->p->data, pod->metadata.namespace, uid, &path));
		claims[*count] = (struct bundle_claim){ v->name, str_take(&path) };
		if (!claims[*count].path)
			return err_oom();
		(*count)++;
	}
	return NULL;
}

static void drop_claims(struct bundle_claim *claims, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((char *)claims[i].path);
}

/* Its next attempt, whose number is on the disk before anything of it is made. */
static void count_attempt(struct watched *w)
{
	if (w->attempt == 0) {
		w->attempt = 1;
	} else if (w->now.state == DECIDE_ENDED) {
		if (w->interrupted != w->attempt)
			w->crashes++;
		w->attempt++;
		free((char *)w->last.reason);
		free((char *)w->last.id);
		w->last = w->now.end;
		w->now.end = (struct decide_end){ 0 };
		pods_observed_done(&w->now);
	}
}

static void begin_container(struct entry *e, struct watched *w)
{
	struct bundle_claim claims[PODS_CONTAINERS_MAX];
	size_t count = 0;
	err *failed = add_claims(e, claims, &count);

	if (failed) {
		auto_str struct str text = STR_INIT(4096);
		err_format(failed, &text);
		if (!w->problem)
			pods_event(e, true, "FailedMount", "%s", text.data);
		pods_watched_problem(w, "CreateContainerConfigError", text.data);
		w->retry_at = clock_boot() + RETRY_NS;
		err_free(failed);
		drop_claims(claims, count);
		return;
	}
	count_attempt(w);
	submit(e, JOB_START, w->index, true);
	if (!e->job) {
		drop_claims(claims, count);
		return;
	}
	memcpy(e->job->claims, claims, count * sizeof(*claims));
	e->job->claim_count = count;
	e->job->image = strdup(w->image);
	pods_job_submit(e->job);
}

/* Send a signal through its monitor, whose answer nobody waits for. */
static void send_signal(struct watched *w, int signal)
{
	const struct monitor_head head = { .kind = MONITOR_SIGNAL, .value = signal };

	/* A packet is the head alone, and a monitor that does not read must not stop the loop. */
	if (w->now.sock >= 0 && send(w->now.sock, &head, sizeof(head), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(head))
		return;
	w->entry->look = true;
	w->entry->retry_at = clock_boot() + RETRY_NS;
	pods_entry_due(w->entry);
}

static bool begin_end(struct watched *w, const struct decision *d)
{
	struct entry *e = w->entry;

	/* That it was us is on the disk before it ends. */
	if (d->interrupt && w->interrupted != w->attempt) {
		w->interrupted = w->attempt;
		e->dirty = true;
	}
	if (d->interrupt && (e->dirty || e->job))
		return false;
	w->term_at = clock_boot();
	pods_event(e, false, "Killing", "stopping container '%s'", container_name(w));
	send_signal(w, w->now.stop_signal);
	return true;
}

/* KILL cannot be refused, but its monitor may have been killed before it passed it on. */
static void kill_now(struct watched *w)
{
	w->killed = true;
	send_signal(w, SIGKILL);
	if (w->entry->look)
		w->killed = false;
}

/* What needs no worker. Whether something was done that changes the next decision. */
static bool act_at_once(struct entry *e, const struct decision *d)
{
	bool acted = false;

	for (size_t i = 0; i < e->count; i++) {
		struct watched *w = &e->containers[i];
		switch (d->containers[i]) {
		case DO_PULL:
			pods_fetch_want(w);
			acted = true;
			break;
		case DO_TERM:
			acted |= begin_end(w, d);
			break;
		case DO_KILL:
			kill_now(w);
			acted = true;
			break;
		default:
			break;
		}
	}
	return acted;
}

static void act_by_job(struct entry *e, const struct decision *d, int64_t now)
{
	if (e->job)
		return;
	if (now < e->retry_at) {
		e->wake = e->wake ? MIN(e->wake, e->retry_at) : e->retry_at;
		return;
	}
	if (e->look) {
		e->look = false;
		submit(e, JOB_LOOK, 0, false);
	} else if (!e->looked) {
		return;
	} else if (d->pod == DO_SANDBOX) {
		begin_sandbox(e);
		return;
	} else if (d->pod == DO_END_SANDBOX) {
		submit(e, JOB_END_SANDBOX, 0, false);
	} else if (d->pod == DO_REMOVE) {
		for (size_t i = 0; i < e->count; i++)
			pods_fetch_drop(&e->containers[i]);
		submit(e, JOB_REMOVE, 0, false);
	} else {
		for (size_t i = 0; i < e->count && !e->job; i++)
			if (d->containers[i] == DO_START)
				begin_container(e, &e->containers[i]);
		if (e->job)
			return;
		if (e->dirty && e->recorded)
			submit(e, JOB_RECORD, 0, true);
	}
	if (e->job)
		pods_job_submit(e->job);
}

/* ---- deciding ---- */

static void fill_container(const struct watched *w, struct decide_container *c)
{
	*c = (struct decide_container){
		.state = w->now.state,
		.image = pods_fetch_state(w),
		.interrupted = w->attempt > 0 && w->interrupted == w->attempt,
		.attempt = w->attempt,
		.crashes = w->crashes,
		.ended_at = w->ended_at,
		.retry_at = w->retry_at,
		.term_at = w->term_at,
		.killed = w->killed,
		.started = w->now.started,
		.end = w->now.end,
		.last = w->last,
		.problem = w->problem,
		.problem_text = w->problem_text,
		.image_id = w->image_id,
	};
}

static enum decide_loss loss_of(const struct pod *pod)
{
	const char *text = pod_on_node_loss(pod);

	return str_equal(text, "keep") ? DECIDE_KEEP : str_equal(text, "stop") ? DECIDE_STOP : DECIDE_REPLACE;
}

static void fill_input(struct entry *e, struct decide_container *containers, struct decide_input *in)
{
	const struct pods *p = e->p;
	const struct pod *pod = e->object->pod;
	int64_t grace = pod->spec.grace_seconds;

	if (e->deleted && pod->metadata.deletion_grace)
		grace = *pod->metadata.deletion_grace;
	for (size_t i = 0; i < e->count; i++)
		fill_container(&e->containers[i], &containers[i]);
	*in = (struct decide_input){
		.pod = pod,
		.deleted = e->deleted,
		.grace = grace * (int64_t)NSEC_PER_SEC,
		.confirmed = e->confirmed,
		.rebooted = pods_entry_rebooted(e),
		.lost = e->lost,
		.contact = pods_contact_now(p),
		.loss = loss_of(pod),
		.lease_end = p->lease_end,
		.sandbox = e->sandbox.now.state,
		.sandbox_retry_at = e->sandbox.retry_at,
		.sandbox_problem = e->sandbox.problem_text,
		.containers = containers,
		.backoff_first = p->o.backoff_first,
		.backoff_max = p->o.backoff_max,
		.host_ip = p->address,
		.start_time = e->taken,
		.now = clock_boot(),
	};
}

/* A first failure is shown as what it is, and then as what is waited for. */
static void age_problems(struct entry *e)
{
	for (size_t i = 0; i < e->count; i++) {
		struct watched *w = &e->containers[i];
		auto_str struct str text = STR_INIT(8192);
		if (!str_equal(w->problem, "ErrImagePull"))
			continue;
		str_addf(&text, "back-off pulling image '%s': %s", e->object->pod->spec.containers.items[i].image,
			 w->problem_text ? w->problem_text : "");
		pods_watched_problem(w, "ImagePullBackOff", text.data);
		pods_event(e, true, "BackOff", "back-off pulling image '%s'", e->object->pod->spec.containers.items[i].image);
		pods_entry_due(e);
	}
}

static err *tell(struct entry *e, const struct decide_input *in, const struct decision *d)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	struct pod_status status;
	const struct pod_status *before = e->status_arena ? &e->status : &e->object->pod->status;

	TRY(arena_new(4 << 20, &arena));
	TRY(decide_status(arena, in, d, before, clock_real(), &status));
	encode_text(&text, &t_pod_status, &status, 0);
	TRY(str_check(&text));
	bool same = e->told.len == text.len && memcmp(e->told.data, text.data, text.len) == 0;
	arena_free(e->status_arena);
	e->status_arena = TAKE(arena);
	e->status = status;
	if (same)
		return NULL;
	str_clear(&e->told);
	str_add_bytes(&e->told, text.data, text.len);
	if (e->p->o.status && !e->forgotten)
		e->p->o.status(e->object->pod, &e->status, e->p->o.user);
	age_problems(e);
	return NULL;
}

static void reconcile(struct entry *e)
{
	struct decide_container containers[PODS_CONTAINERS_MAX];
	enum decide_do next[PODS_CONTAINERS_MAX];
	struct decide_input in;
	struct decision d = { .containers = next };

	e->due = false;
	e->wake = 0;
	if (e->frozen || e->done)
		return;
	fill_input(e, containers, &in);
	decide(&in, next, &d);
	for (int i = 0; e->looked && !e->look && i < ROUNDS && act_at_once(e, &d); i++) {
		fill_input(e, containers, &in);
		decide(&in, next, &d);
	}
	e->wake = d.wake;
	act_by_job(e, &d, in.now);
	if (!e->looked)
		return;
	fill_input(e, containers, &in); /* an attempt may have been counted */
	err *failed = tell(e, &in, &d);
	if (failed) {
		log_err(failed);
		err_free(failed);
	}
}

/* ---- the turn ---- */

static void free_done(struct pods *p)
{
	struct entry **link = &p->entries;

	while (*link) {
		struct entry *e = *link;
		if (!e->done || e->job) {
			link = &e->next;
			continue;
		}
		*link = e->next;
		if (p->o.gone && !e->forgotten)
			p->o.gone(e->object->pod, p->o.user);
		pods_entry_free(e);
	}
}

static void turn(struct pods *p)
{
	int64_t now = clock_boot(), wake = 0;
	struct job *j;

	while ((j = pods_job_take_done(p))) {
		finish(j);
		pods_job_free(j);
	}
	for (struct entry *e = p->entries; e; e = e->next)
		if (e->due || (e->wake != 0 && e->wake <= now))
			reconcile(e);
	free_done(p);
	for (struct entry *e = p->entries; e; e = e->next)
		if (e->wake != 0 && (wake == 0 || e->wake < wake))
			wake = e->wake;
	err *e = loop_timer_set(p->timer, wake);
	if (e) {
		log_err(e);
		err_free(e);
	}
}

void pods_woken(uint32_t events UNUSED, void *user)
{
	struct pods *p = user;
	uint64_t count;

	(void)!read(p->wakeup_fd, &count, sizeof(count));
	turn(p);
}

void pods_timer(void *user)
{
	turn(user);
}
