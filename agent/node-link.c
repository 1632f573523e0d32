/* agent/node-link.c: the threads that talk to the API: begun, ended, and what they hand to the loop. */
#include "agent/node-link-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cli.h"
#include "base/log.h"

enum { UNDER_WAY_MAX = 256, HANGS_SECONDS = 180 };
#define REQUEST_TIME (10 * (int64_t)NSEC_PER_SEC)

/* ---- clients ---- */

static void client_free(struct link_client *c)
{
	api_client_free(c->api);
	arena_free(c->arena);
	free(c);
}

err *link_client_new(struct link *l, const struct api_config *config, struct arena *arena,
		     struct link_client **ret)
{
	struct link_client *c = calloc(1, sizeof(*c));
	char agent[64];

	if (!c) {
		arena_free(arena);
		return err_oom();
	}
	snprintf(agent, sizeof(agent), "stube-agent/%s", stube_version);
	c->config = *config;
	c->arena = arena;
	c->users = 1;
	err *e = api_client_new(&c->config, agent, &c->api);
	if (e) {
		client_free(c);
		return e;
	}
	api_client_limit(c->api, REQUEST_TIME, &l->stop);
	*ret = c;
	return NULL;
}

struct link_client *link_client_get(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	struct link_client *c = l->client;
	c->users++;
	pthread_mutex_unlock(&l->lock);
	return c;
}

void link_client_put(struct link *l, struct link_client *c)
{
	pthread_mutex_lock(&l->lock);
	bool last = --c->users == 0;
	pthread_mutex_unlock(&l->lock);
	if (last)
		client_free(c);
}

/* ---- waiting ---- */

bool link_stopping(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	bool stopping = l->stopping;
	pthread_mutex_unlock(&l->lock);
	return stopping;
}

bool link_wait(struct link *l, int64_t nsec, const bool *early)
{
	int64_t until = clock_monotonic() + nsec;
	struct timespec ts = { until / (int64_t)NSEC_PER_SEC, until % (int64_t)NSEC_PER_SEC };

	pthread_mutex_lock(&l->lock);
	while (!l->stopping && !(early && *early) && pthread_cond_timedwait(&l->changed, &l->lock, &ts) == 0)
		;
	bool stopping = l->stopping;
	pthread_mutex_unlock(&l->lock);
	return !stopping;
}

/* ---- into the loop ---- */

struct note *note_new(struct link *l, int from, void (*deliver)(struct note *n))
{
	struct note *n = calloc(1, sizeof(*n));

	if (!n)
		abort(); /* as the loop does: a sign of life that cannot be told is as bad as a crash, and
			    later */
	n->link = l;
	n->from = from;
	n->deliver = deliver;
	return n;
}

void note_free(struct note *n)
{
	if (n->client)
		link_client_put(n->link, n->client);
	arena_free(n->arena);
	err_free(n->error);
	free(n);
}

static void unlink_note(struct link *l, struct note *n)
{
	*n->at = n->next;
	if (n->next)
		n->next->at = n->at;
	if (n->from >= 0)
		l->under_way[n->from]--;
}

/* In the loop's thread. */
static void arrive(void *user)
{
	struct note *n = user;
	struct link *l = n->link;

	pthread_mutex_lock(&l->lock);
	unlink_note(l, n);
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	n->deliver(n);
	note_free(n);
}

void note_send(struct note *n)
{
	struct link *l = n->link;

	pthread_mutex_lock(&l->lock);
	while (n->from >= 0 && !l->stopping && l->under_way[n->from] >= UNDER_WAY_MAX)
		pthread_cond_wait(&l->changed, &l->lock);
	bool stopping = l->stopping;
	if (!stopping) {
		n->next = l->notes;
		n->at = &l->notes;
		if (n->next)
			n->next->at = &n->next;
		l->notes = n;
		if (n->from >= 0)
			l->under_way[n->from]++;
		loop_post(l->o.loop, arrive, n);
	}
	pthread_mutex_unlock(&l->lock);
	if (stopping)
		note_free(n);
}

/* ---- begin and end ---- */

static err *start_threads(struct link *l)
{
	static void *(*const bodies[LINK_THREADS])(void *) = {
		[LINK_LEASE] = link_lease_thread,
		[LINK_WRITER] = link_writer_thread,
		[LINK_PODS] = link_pods_thread,
		[LINK_CLAIMS] = link_claims_thread,
	};

	for (; l->thread_count < LINK_THREADS; l->thread_count++) {
		int code = pthread_create(&l->threads[l->thread_count], NULL, bodies[l->thread_count], l);
		if (code != 0)
			return err_code(code, "start a thread");
	}
	return NULL;
}

err *link_start(const struct link_options *options, struct link **ret)
{
	struct link *l = calloc(1, sizeof(*l));
	pthread_condattr_t monotonic;
	struct stat st;

	if (!l)
		return err_oom();
	l->o = *options;
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	l->register_again = true;
	if (options->node->config_path && stat(options->node->config_path, &st) == 0)
		l->config_time = st.st_mtim;
	l->teller = node_teller_new();
	err *e = l->teller ? NULL : err_oom();
	if (!e)
		e = link_client_new(l, &options->node->api, NULL, &l->client);
	if (!e)
		e = start_threads(l);
	if (e) {
		link_stop(l);
		return e;
	}
	*ret = l;
	return NULL;
}

void link_stop(struct link *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	atomic_store(&l->stop, true);
	for (size_t i = 0; i < LINK_THREADS; i++)
		atomic_store(&l->cancel[i], true);
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	outbox_end(l->o.outbox);
	for (unsigned i = 0; i < l->thread_count; i++)
		pthread_join(l->threads[i], NULL);
	for (struct note *n = l->notes, *next; n; n = next) {
		next = n->next;
		note_free(n);
	}
	if (l->client)
		link_client_put(l, l->client);
	node_teller_free(l->teller);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

unsigned link_relist(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	atomic_store(&l->cancel[LINK_PODS], true);
	unsigned round = l->round + 1;
	pthread_mutex_unlock(&l->lock);
	return round;
}

void link_register_again(struct link *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->register_again = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

bool link_alive(const struct link *l)
{
	int64_t now = clock_boot();

	for (size_t i = 0; i < LINK_THREADS; i++) {
		int64_t since = atomic_load(&l->busy[i]);
		if (since > 0 && now - since > HANGS_SECONDS * (int64_t)NSEC_PER_SEC)
			return false;
	}
	return true;
}

bool link_reachable(const struct link *l)
{
	return atomic_load(&l->reachable);
}
