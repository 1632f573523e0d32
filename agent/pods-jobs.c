/* agent/pods-jobs.c: the threads that do what blocks, and their queues. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/pods-internal.h"
#include "base/fd.h"

enum { WORKERS = 4, PULLS = 2, THREADS_MAX = 64 };

void pods_observed_done(struct observed *o)
{
	fd_clear(&o->sock);
	free((char *)o->end.reason);
	free((char *)o->end.id);
	*o = (struct observed)OBSERVED_NONE;
}

err *pods_job_new(struct pods *p, enum job_kind kind, struct entry *entry, struct job **ret)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return err_oom();
	j->kind = kind;
	j->p = p;
	str_init(&j->record, JSON_SIZE_MAX);
	if (entry) {
		j->entry = entry;
		j->object = pod_object_ref(entry->object);
		memcpy(j->uid, entry->uid, sizeof(j->uid));
		memcpy(j->boot_id, entry->boot_id, sizeof(j->boot_id));
		j->ids = entry->ids;
		memcpy(j->slice, entry->slice, sizeof(j->slice));
		j->count = entry->count;
		j->sandbox_attempt = entry->sandbox.attempt;
		for (size_t i = 0; i < entry->count; i++)
			j->attempts[i] = entry->containers[i].attempt;
	}
	*ret = j;
	return NULL;
}

void pods_job_free(struct job *j)
{
	if (!j)
		return;
	pod_object_unref(j->object);
	str_done(&j->record);
	for (size_t i = 0; i < j->seen_count; i++) {
		if (j->seen)
			pods_observed_done(&j->seen[i]);
		if (j->last) {
			free((char *)j->last[i].reason);
			free((char *)j->last[i].id);
		}
	}
	for (size_t i = 0; i < j->claim_count; i++)
		free((char *)j->claims[i].path);
	free(j->seen);
	free(j->last);
	free(j->image);
	free(j->path);
	free(j->digest);
	free(j->image_id);
	err_free(j->error);
	free(j);
}

static void push(struct queue *q, struct job *j)
{
	j->next = NULL;
	if (q->last)
		q->last->next = j;
	else
		q->first = j;
	q->last = j;
	pthread_cond_signal(&q->filled);
}

static struct job *pop(struct queue *q)
{
	struct job *j = q->first;

	if (!j)
		return NULL;
	q->first = j->next;
	if (!q->first)
		q->last = NULL;
	return j;
}

void pods_job_submit(struct job *j)
{
	struct pods *p = j->p;

	pthread_mutex_lock(&p->lock);
	push(j->kind == JOB_FETCH && j->pull ? &p->pulls : &p->work, j);
	pthread_mutex_unlock(&p->lock);
}

struct job *pods_job_take_done(struct pods *p)
{
	pthread_mutex_lock(&p->lock);
	struct job *j = pop(&p->done);
	pthread_mutex_unlock(&p->lock);
	return j;
}

static void serve(struct pods *p, struct queue *q)
{
	for (;;) {
		pthread_mutex_lock(&p->lock);
		while (!q->first && !p->stopping)
			pthread_cond_wait(&q->filled, &p->lock);
		struct job *j = p->stopping ? NULL : pop(q);
		pthread_mutex_unlock(&p->lock);
		if (!j)
			return;
		pods_job_run(j);
		pthread_mutex_lock(&p->lock);
		push(&p->done, j);
		pthread_mutex_unlock(&p->lock);
		pods_kick(p);
	}
}

static void *worker(void *arg)
{
	struct pods *p = arg;

	serve(p, &p->work);
	return NULL;
}

static void *puller(void *arg)
{
	struct pods *p = arg;

	serve(p, &p->pulls);
	return NULL;
}

err *pods_jobs_start(struct pods *p)
{
	size_t workers = p->o.workers ? MIN(p->o.workers, THREADS_MAX) : WORKERS;
	size_t pulls = p->o.pulls ? MIN(p->o.pulls, THREADS_MAX) : PULLS;
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP };
	sigset_t all, old;
	int code = 0;

	p->threads = calloc(workers + pulls, sizeof(*p->threads));
	if (!p->threads)
		return err_oom();
	/* Signals are the loop's, but for those that a thread brings on itself. */
	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		sigdelset(&all, own[i]);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (code == 0 && p->thread_count < workers + pulls) {
		code = pthread_create(&p->threads[p->thread_count], NULL, p->thread_count < workers ? worker : puller, p);
		p->thread_count += code == 0;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return code == 0 ? NULL : err_code(code, "start a thread");
}

static void drop_all(struct queue *q)
{
	for (struct job *j; (j = pop(q));)
		pods_job_free(j);
}

void pods_jobs_stop(struct pods *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->work.filled);
	pthread_cond_broadcast(&p->pulls.filled);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->thread_count; i++)
		pthread_join(p->threads[i], NULL);
	p->thread_count = 0;
	drop_all(&p->work);
	drop_all(&p->pulls);
	drop_all(&p->done);
}
