/* agent/pods-reconcile.c: one turn: what has been done is taken in, what is due is decided and begun. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/pods-internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "monitor/protocol.h"

/* What is done at once may change what is next, so often at most. */
enum { ROUNDS = 4 };

/* ---- beginning ---- */

static void submit(struct entry *e, enum job_kind kind, int index, bool record)
{
	struct job *j;
	err *failed = pods_job_new(e->p, kind, e, &j);

	if (failed) {
		err_free(failed);
		e->retry_at = clock_boot() + PODS_RETRY_NS;
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
	pods_entry_place(e);
	submit(e, JOB_SANDBOX, PODS_SANDBOX, true);
	if (e->job)
		pods_job_submit(e->job);
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
	err *failed = pods_claims_add(e, claims, &count);

	if (failed) {
		auto_str struct str text = STR_INIT(4096);
		err_format(failed, &text);
		if (!w->problem)
			pods_event(e, true, "FailedMount", "%s", text.data);
		pods_watched_problem(w, "CreateContainerConfigError", text.data);
		w->retry_at = clock_boot() + PODS_RETRY_NS;
		err_free(failed);
		drop_claims(claims, count);
		return;
	}
	count_attempt(w);
	pods_entry_place(e);
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
	w->entry->retry_at = clock_boot() + PODS_RETRY_NS;
	pods_entry_due(w->entry);
}

static bool begin_end(struct watched *w, const struct decision *d)
{
	struct entry *e = w->entry;

	/* That it was us, or that it is to be gone, is on the disk before it ends; unless the disk is full.
	 */
	if (d->interrupt && w->interrupted != w->attempt) {
		w->interrupted = w->attempt;
		e->dirty = true;
	}
	if (e->recorded && (e->dirty || e->job) && !e->unwritable)
		return false;
	w->term_at = clock_boot();
	pods_event(e, false, "Killing", "stopping container '%s'", pods_container_name(w));
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
	int64_t fence = pods_fence_at(e->p);
	e->wake = fence > in.now && (d.wake == 0 || fence < d.wake) ? fence : d.wake;
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
		pods_finish(j);
		pods_job_free(j);
	}
	for (struct entry *e = p->entries; e; e = e->next)
		if (e->due || (e->wake != 0 && e->wake <= now))
			reconcile(e);
	free_done(p);
	pods_claims_turn(p);
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
