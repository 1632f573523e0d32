/* agent/pods-finish.c: what was seen and what was done is taken in. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/pods-internal.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "monitor/exit.h"
#include "monitor/protocol.h"

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

const char *pods_container_name(const struct watched *w)
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

/* Who reads only that a limit was too small needs to know which one. */
static void tell_end(struct watched *w, const struct decide_end *end)
{
	const struct quantity *limit =
		&w->entry->object->pod->spec.containers.items[w->index].resources.limits.memory;
	auto_str struct str text = STR_INIT(64);

	if (end->oom && end->code != 0) {
		if (limit->given)
			str_add(&text, ": its limit is ");
		if (limit->given)
			quantity_format(limit, &text);
		pods_event(w->entry, true, "OOMKilled", "container '%s' was out of memory%s",
			   pods_container_name(w), text.data);
		return;
	}
	pods_event(w->entry, end->code != 0, "Exited", "container '%s' ended with %s %u%s",
		   pods_container_name(w), end->signal ? "signal" : "status",
		   end->signal ? end->signal : end->code, end->known ? "" : ": nobody saw it");
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
		pods_event(w->entry, false, "Killed", "container '%s' has ended", pods_container_name(w));
		return;
	}
	tell_end(w, end);
	delay = decide_backoff(w->crashes, p->o.backoff_first, p->o.backoff_max);
	if (delay > 0 && w->entry->object->pod->spec.restart != POD_RESTART_NEVER)
		pods_event(w->entry, true, "BackOff", "back-off %lld.%llds restarting failed container '%s'",
			   (long long)(delay / (int64_t)NSEC_PER_SEC),
			   (long long)(delay % (int64_t)NSEC_PER_SEC / (100 * (int64_t)NSEC_PER_MSEC)), pods_container_name(w));
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

	/* Somebody else has removed it: it ran, and how it ended is not known. */
	if (before == DECIDE_RUNNING && seen->state == DECIDE_NONE) {
		seen->state = DECIDE_ENDED;
		seen->end = (struct decide_end){
			.there = true, .code = EXIT_UNKNOWN, .started = w->now.started, .finished = clock_real(),
		};
	}

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
		w->entry->retry_at = clock_boot() + PODS_RETRY_NS;
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
	e->retry_at = clock_boot() + PODS_RETRY_NS;
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
		if (!e->looked && i > 0 && w->now.state == DECIDE_RUNNING) {
			e->p->totals.adopted++;
			log_info("adopted", "uid", e->uid, "container", pods_container_name(w), NULL);
		}
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
		e->p->totals.restarted += w->attempt > 1;
		pods_event(e, false, "Started", "started container '%s'", pods_container_name(w));
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
	e->p->totals.start_failures++;
	pods_event(e, true, "Failed", "container '%s': %s", pods_container_name(w), text.data);
}

void pods_finish(struct job *j)
{
	struct entry *e = j->entry;

	if (j->kind == JOB_FETCH) {
		pods_fetch_finished(j);
		return;
	}
	if (j->kind == JOB_CLAIM) {
		if (j->error)
			log_err(j->error);
		return;
	}
	e->job = NULL;
	pods_entry_due(e);
	if (j->record.len > 0) {
		e->unwritable = j->error && j->error_reason == pods_record_unwritten;
		e->dirty |= j->error != NULL;
	}
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
