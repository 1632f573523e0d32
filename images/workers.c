/* images/workers.c: a few threads that work through a list. */
#include "images/workers-internal.h"

#include <pthread.h>

struct workers {
	pthread_mutex_t lock;
	size_t next, count;
	err *failure;
	err *(*run)(size_t i, void *arg);
	void *arg;
	atomic_bool *cancel;
};

static void *work(void *arg)
{
	struct workers *w = arg;

	for (;;) {
		pthread_mutex_lock(&w->lock);
		bool more = !w->failure && w->next < w->count;
		size_t i = more ? w->next++ : 0;
		pthread_mutex_unlock(&w->lock);
		if (!more)
			return NULL;
		err *e = w->run(i, w->arg);
		if (!e)
			continue;
		pthread_mutex_lock(&w->lock);
		if (w->failure)
			err_free(e); /* most likely the cancellation that the first error caused */
		else
			w->failure = e;
		pthread_mutex_unlock(&w->lock);
		atomic_store(w->cancel, true);
	}
}

err *workers_run(size_t count, unsigned parallel, err *(*run)(size_t i, void *arg), void *arg,
		 atomic_bool *cancel)
{
	struct workers w = { .count = count, .run = run, .arg = arg, .cancel = cancel };
	pthread_t threads[WORKERS_MAX];
	size_t wanted = MIN(MIN(parallel ? parallel : WORKERS_DEFAULT, WORKERS_MAX), count);
	size_t started = 0;

	pthread_mutex_init(&w.lock, NULL);
	/* This thread is one of them; a machine without threads to spare works more slowly. */
	while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, &w) == 0)
		started++;
	work(&w);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	pthread_mutex_destroy(&w.lock);
	return w.failure;
}
