/* tests/unit/scheduler/cluster.h: store, cache, objects and binder in a loop, without a server. */
#pragma once
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/claim.h"
#include "api/event.h"
#include "scheduler/scheduler.h"
#include "tests/unit/unit.h"

struct cluster {
	char dir[64], url[128];
	struct scheduler s;
	struct arena *a;
	bool (*done)(struct cluster *c);
	size_t answers;
	const char *pod; /* what `done` asks for */
};

static int cluster_remove(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *ftw UNUSED)
{
	return remove(path);
}

static void cluster_after(void *user)
{
	struct cluster *c = user;

	if (c->done && c->done(c)) {
		c->done = NULL;
		loop_stop(c->s.loop, NULL);
	}
}

/* Turn the loop until it is so. Whoever waits in vain is ended by the alarm. */
static UNUSED void cluster_until(struct cluster *c, bool (*done)(struct cluster *c))
{
	if (done(c))
		return;
	c->done = done;
	alarm(60);
	assert_ok(loop_run(c->s.loop));
	alarm(0);
}

static bool cluster_has_namespaces(struct cluster *c)
{
	return cache_get(c->s.cache, KIND_NAMESPACE, NULL, "default");
}

static UNUSED void cluster_open(struct cluster *c)
{
	const struct store_options o = { .url = c->url };

	assert_ok(loop_new(&c->s.loop));
	assert_ok(store_open(c->s.loop, &o, &c->s.store));
	assert_ok(cache_open(c->s.store, &c->s.cache));
	assert_ok(objects_new(c->s.loop, c->s.store, c->s.cache, &c->s.objects));
	assert_ok(loop_after(c->s.loop, cluster_after, c));
	cluster_until(c, cluster_has_namespaces);
}

static UNUSED void cluster_close(struct cluster *c)
{
	store_close(c->s.store);
	objects_free(c->s.objects);
	binder_free(c->s.binder);
	cache_free(c->s.cache);
	loop_free(c->s.loop);
	c->s = (struct scheduler){ 0 };
}

static UNUSED int cluster_set_up(void **state)
{
	struct cluster *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	snprintf(c->dir, sizeof(c->dir), "/tmp/stube-binder.XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	snprintf(c->url, sizeof(c->url), "sqlite:%s/store.db", c->dir);
	assert_ok(arena_new(64 << 20, &c->a));
	cluster_open(c);
	*state = c;
	return 0;
}

static UNUSED int cluster_tear_down(void **state)
{
	struct cluster *c = *state;

	cluster_close(c);
	nftw(c->dir, cluster_remove, 16, FTW_DEPTH | FTW_PHYS);
	arena_free(c->a);
	free(c);
	return 0;
}

static UNUSED void cluster_answer(const err *error, const struct entry *entry UNUSED, void *user)
{
	struct cluster *c = user;
	auto_str struct str text = STR_INIT(4096);

	if (error) {
		err_format(error, &text);
		fail_msg("%s", text.data);
	}
	c->answers++;
}

static size_t cluster_wanted;
static bool cluster_answered(struct cluster *c)
{
	return c->answers >= cluster_wanted;
}

static UNUSED void cluster_wait(struct cluster *c)
{
	cluster_wanted = c->answers + 1;
	cluster_until(c, cluster_answered);
}

static UNUSED struct object *cluster_decode(struct cluster *c, const char *text)
{
	struct object *object;

	assert_ok(object_decode(c->a, "test", text, strlen(text), NULL, 0, &object));
	return object;
}

/* Submitted, not awaited. */
static UNUSED void cluster_submit(struct cluster *c, const char *text)
{
	const struct write w = { .done = cluster_answer, .user = c };

	assert_ok(objects_create(c->s.objects, cluster_decode(c, text), &w));
}

static UNUSED void cluster_create(struct cluster *c, const char *text)
{
	cluster_submit(c, text);
	cluster_wait(c);
}

static UNUSED void cluster_patch(struct cluster *c, enum kind_id kind, const char *name, const char *subresource,
				 const char *patch)
{
	const struct write w = { .subresource = subresource, .done = cluster_answer, .user = c };

	assert_ok(objects_patch(c->s.objects, &kinds[kind], kinds[kind].namespaced ? "default" : NULL, name, patch,
				strlen(patch), &w));
	cluster_wait(c);
}

static UNUSED void cluster_delete(struct cluster *c, enum kind_id kind, const char *name)
{
	const struct write w = { .done = cluster_answer, .user = c };
	const int64_t now = 0;
	const struct delete_options how = { .grace = &now };

	assert_ok(objects_delete(c->s.objects, &kinds[kind], kinds[kind].namespaced ? "default" : NULL, name, &how, &w));
	cluster_wait(c);
}

/* A node that is ready, with more members of its metadata and spec. */
static UNUSED void cluster_node(struct cluster *c, const char *name, const char *cpu, const char *memory,
				const char *labels)
{
	cluster_create(c, arena_printf(c->a, "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"%s\","
					     "\"labels\":{%s}}}", name, labels));
	cluster_patch(c, KIND_NODE, name, "status",
		      arena_printf(c->a, "{\"status\":{\"allocatable\":{\"cpu\":\"%s\",\"memory\":\"%s\",\"pods\":\"110\"},"
					 "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}", cpu, memory));
}

/* more: further members of its spec, each with a comma before it. */
static UNUSED const char *cluster_pod_text(struct cluster *c, const char *name, const char *cpu, const char *memory,
					   const char *labels, const char *more)
{
	return arena_printf(c->a,
			    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"labels\":{%s}},"
			    "\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"web:1\",\"resources\":{"
			    "\"requests\":{\"cpu\":\"%s\",\"memory\":\"%s\"}}}]%s}}",
			    name, labels, cpu, memory, more);
}

static UNUSED void cluster_pod(struct cluster *c, const char *name, const char *cpu, const char *memory)
{
	cluster_create(c, cluster_pod_text(c, name, cpu, memory, "", ""));
}

static UNUSED const struct pod *cluster_get_pod(struct cluster *c, const char *name)
{
	const struct entry *e = cache_get(c->s.cache, KIND_POD, "default", name);

	return e ? (const struct pod *)(const void *)e->object : NULL;
}

static UNUSED const char *cluster_node_of(struct cluster *c, const char *name)
{
	const struct pod *pod = cluster_get_pod(c, name);

	return pod && pod->spec.node_name && *pod->spec.node_name ? pod->spec.node_name : NULL;
}

static bool cluster_is_bound(struct cluster *c)
{
	return cluster_node_of(c, c->pod);
}

/* Wait until it has a node, and say which. */
static UNUSED const char *cluster_bound(struct cluster *c, const char *pod)
{
	c->pod = pod;
	cluster_until(c, cluster_is_bound);
	return cluster_node_of(c, pod);
}

static const struct condition *cluster_refusal(struct cluster *c, const char *pod)
{
	const struct pod *p = cluster_get_pod(c, pod);
	const struct condition *placed = p ? condition_find(&p->status.conditions, "PodScheduled") : NULL;

	return placed && placed->status == CONDITION_FALSE ? placed : NULL;
}

static bool cluster_is_refused(struct cluster *c)
{
	return cluster_refusal(c, c->pod);
}

/* Wait until it is refused, and say why. */
static UNUSED const char *cluster_refused(struct cluster *c, const char *pod)
{
	c->pod = pod;
	cluster_until(c, cluster_is_refused);
	assert_string_equal(cluster_refusal(c, pod)->reason, "Unschedulable");
	return cluster_refusal(c, pod)->message;
}

struct cluster_events {
	const char *pod;
	struct str *out;
};
static UNUSED bool cluster_add_event(const struct entry *e, void *user)
{
	const struct event *event = (const struct event *)(const void *)e->object;
	struct cluster_events *events = user;

	if (str_equal(event->involved.name, events->pod))
		str_addf(events->out, "%s %s: %s x%d\n", event->type, event->reason, event->message, event->count);
	return true;
}

/* What has been told of a Pod, in the order of its events' names. */
static UNUSED const char *cluster_events(struct cluster *c, const char *pod)
{
	auto_str struct str out = STR_INIT(65536);
	struct cluster_events events = { pod, &out };

	cache_each(c->s.cache, KIND_EVENT, "default", cluster_add_event, &events);
	return arena_strdup(c->a, out.data);
}
