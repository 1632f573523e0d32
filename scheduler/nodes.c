/* scheduler/nodes.c: the node controller: lost nodes by their leases, their Pods by policy, taints NoExecute.
 */
#include "scheduler/nodes.h"

#include <string.h>

#include "api/kinds.h"
#include "api/lease.h"
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/control.h"
#include "scheduler/index.h"
#include "scheduler/replicas.h"
#include "scheduler/scheduler.h"

#define LEASE_USUAL (40 * (int64_t)NSEC_PER_SEC)

/* Of a node without Lease: when it had run out, or will have, by clock_boot(). */
struct silence {
	int64_t lost;
};

struct nodes {
	struct controller controller;
	struct scheduler *s;
	struct index silences; /* by node's name */
	int64_t lease, margin;
};

static const struct node *node_of(const struct entry *e)
{
	return (const struct node *)(const void *)e->object;
}

static const struct pod *pod_of(const struct entry *e)
{
	return (const struct pod *)(const void *)e->object;
}

bool nodes_is_lost(struct scheduler *s, const char *name)
{
	const struct entry *node = name && *name ? cache_get(s->cache, KIND_NODE, NULL, name) : NULL;

	return node && nodes_has_loss(node->object);
}

/* ---- silence ---- */

static struct silence *silence_begin(struct nodes *c, const char *name, int64_t lost)
{
	struct silence *s = index_get(&c->silences, name);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->lost = lost;
	index_put(&c->silences, name, s);
	return s;
}

static void silence_end(struct nodes *c, const char *name)
{
	free(index_remove(&c->silences, name));
}

/* A Lease that is gone has run out, unless somebody deleted it: then its node has the rest of its time. */
static void lease_gone(struct nodes *c, const struct entry *lease)
{
	const struct lease *l = (const struct lease *)(const void *)lease->object;
	int64_t since = clock_real() - l->spec.renew_time.nsec;
	int64_t rest = l->spec.renew_time.nsec ? MIN(MAX(c->lease - since, 0), c->lease) : c->lease;

	silence_begin(c, l->metadata.name, clock_boot() + rest);
	run_look(&c->controller, NULL, l->metadata.name);
}

/* ---- the node itself ---- */

static bool is_mark(const struct taint *t)
{
	return str_equal(t->key, TAINT_UNREACHABLE);
}

/* Every taint but ours, then ours when it is lost; NoExecute taints get the time when they were seen first.
 */
static err *change_taints(struct arena *arena, struct object *draft, const void *value)
{
	static const int effects[] = { TAINT_NO_SCHEDULE, TAINT_NO_EXECUTE };
	struct node *node = (struct node *)(void *)draft;
	bool lost = *(const bool *)value;
	struct taint *items;
	size_t count = 0;

	TRY_ALLOC(arena, items,
		  arena_array(arena, node->spec.taints.count + ARRAY_LEN(effects), sizeof(*items)));
	for (size_t i = 0; i < node->spec.taints.count; i++) {
		const struct taint *t = &node->spec.taints.items[i];
		if (is_mark(t))
			continue;
		items[count] = *t;
		if (t->effect == TAINT_NO_EXECUTE && !t->time_added.nsec)
			items[count].time_added.nsec = clock_real();
		count++;
	}
	for (size_t i = 0; lost && i < ARRAY_LEN(effects); i++)
		items[count++] = (struct taint){ .key = TAINT_UNREACHABLE,
						 .effect = effects[i],
						 .time_added.nsec = clock_real() };
	node->spec.taints.items = items;
	node->spec.taints.count = count;
	return NULL;
}

static err *change_ready(struct arena *arena, struct object *draft, const void *value UNUSED)
{
	struct node *node = (struct node *)(void *)draft;
	const struct condition *was = condition_find(&node->status.conditions, "Ready");
	const struct condition c = {
		.type = "Ready",
		.status = CONDITION_UNKNOWN,
		.reason = "NodeStatusUnknown",
		.message = "The node's agent has not been heard of for longer than its lease.",
		.heartbeat = was ? was->heartbeat : (struct api_time){ 0 },
		.transition.nsec = clock_real(),
	};

	return condition_set(arena, &node->status.conditions, &c);
}

static void node_told_lost(struct run *r, const struct entry *node)
{
	log_warning("node lost", "node", node->object->metadata.name, NULL);
	objects_event(r->controller->objects, node->object, true, "NodeNotReady",
		      "Node %s is lost: its lease has run out", node->object->metadata.name);
}

static void node_told_back(struct run *r, const struct entry *node)
{
	log_info("node is back", "node", node->object->metadata.name, NULL);
	objects_event(r->controller->objects, node->object, false, "NodeReady", "Node %s is back",
		      node->object->metadata.name);
}

static bool needs_times(const struct node *node)
{
	for (size_t i = 0; i < node->spec.taints.count; i++)
		if (node->spec.taints.items[i].effect == TAINT_NO_EXECUTE &&
		    !node->spec.taints.items[i].time_added.nsec)
			return true;
	return false;
}

static void write_node(struct run *r, bool lost)
{
	static const bool yes = true, no = false;
	static const struct run_told told_lost = { node_told_lost, NULL },
				     told_back = { node_told_back, NULL };
	const struct node *node = node_of(r->subject);
	const struct condition *ready = condition_find(&node->status.conditions, "Ready");
	bool marked = nodes_has_loss(r->subject->object);

	if (marked != lost || needs_times(node))
		run_change(r, r->subject->object, NULL, change_taints, lost ? &yes : &no,
			   marked == lost ? NULL
			   : lost	  ? &told_lost
					  : &told_back);
	if (lost && (!ready || ready->status != CONDITION_UNKNOWN))
		run_change(r, r->subject->object, "status", change_ready, NULL, NULL);
}

/* ---- its Pods ---- */

struct visit {
	struct nodes *c;
	struct run *run;
	bool lost;
	int64_t since, now, again; /* clock_boot() */
};

static void look_again(struct visit *v, int64_t at)
{
	if (!v->again || at < v->again)
		v->again = at;
}

static err *change_pod_ready(struct arena *arena, struct object *draft, const void *value UNUSED)
{
	const struct condition c = {
		.type = "Ready",
		.status = CONDITION_FALSE,
		.reason = REASON_NODE_LOST,
		.message = "The node is lost; what the Pod does is not known.",
		.transition.nsec = clock_real(),
	};

	return condition_set(arena, &((struct pod *)(void *)draft)->status.conditions, &c);
}

static err *change_pod_failed(struct arena *arena, struct object *draft, const void *value)
{
	struct pod *pod = (struct pod *)(void *)draft;

	TRY(change_pod_ready(arena, draft, value));
	pod->status.phase = POD_FAILED;
	pod->status.reason = REASON_NODE_LOST;
	pod->status.message =
		"The node is lost and the policy says stop: the agent has ended the Pod by now. It is not "
		"replaced until the node is back or the Pod is deleted.";
	return NULL;
}

static void pod_told_replaced(struct run *r, const struct entry *pod)
{
	objects_event(r->controller->objects, pod->object, true, REASON_NODE_LOST,
		      "Node %s is lost: the Pod is given up", pod_of(pod)->spec.node_name);
}

static void pod_told_stopped(struct run *r, const struct entry *pod)
{
	objects_event(r->controller->objects, pod->object, true, REASON_NODE_LOST,
		      "Node %s is lost: the Pod is stopped", pod_of(pod)->spec.node_name);
}

static void pod_told_tainted(struct run *r, const struct entry *pod)
{
	objects_event(r->controller->objects, pod->object, false, "TaintEviction",
		      "Deleted: does not tolerate a taint NoExecute of node %s", pod_of(pod)->spec.node_name);
}

static void lost_pod(struct visit *v, const struct entry *e)
{
	static const struct run_told replaced = { pod_told_replaced, NULL },
				     stopped = { pod_told_stopped, NULL };
	static const int64_t at_once = 0;
	const struct condition *ready = condition_find(&pod_of(e)->status.conditions, "Ready");
	int64_t at = 0;

	switch (node_loss_action(pod_of(e), v->since, v->c->margin, v->now, &at)) {
	case LOSS_REPLACE:
		run_delete(v->run, e->object, &at_once, &replaced);
		return;
	case LOSS_STOP:
		run_change(v->run, e->object, "status", change_pod_failed, NULL, &stopped);
		return;
	case LOSS_WAIT:
		look_again(v, at);
		break;
	case LOSS_NOTHING:
		break;
	}
	if (ready && ready->status == CONDITION_TRUE && !pod_is_over(pod_of(e)))
		run_change(v->run, e->object, "status", change_pod_ready, NULL, NULL);
}

static void tainted_pod(struct visit *v, const struct entry *e)
{
	static const struct run_told told = { pod_told_tainted, NULL };
	int64_t at = node_taint_deadline(node_of(v->run->subject), pod_of(e)), now = clock_real();

	if (!at || pod_of(e)->metadata.deletion.nsec || pod_is_over(pod_of(e)))
		return;
	if (at <= now)
		run_delete(v->run, e->object, NULL, &told);
	else
		look_again(v, v->now + at - now);
}

static bool visit_pod(const struct entry *e, void *user)
{
	struct visit *v = user;

	if (v->lost)
		lost_pod(v, e);
	else
		tainted_pod(v, e);
	return true;
}

/* ---- one node ---- */

static void look(struct nodes *c, struct run *r)
{
	const char *name = r->subject->object->metadata.name;
	struct visit v = { .c = c, .run = r, .now = clock_boot() };

	if (cache_get(c->s->cache, KIND_LEASE, LEASE_NAMESPACE, name)) {
		silence_end(c, name);
	} else {
		/* Nobody saw it run out: it was before us, or the node is new. It has a whole time from now
		 * on. */
		v.since = silence_begin(c, name, v.now + c->lease)->lost;
		v.lost = v.since <= v.now;
		if (!v.lost) {
			worklist_add_at(c->controller.list, r->key, v.since);
			return;
		}
	}
	write_node(r, v.lost);
	cache_each_on_node(c->s->cache, name, visit_pod, &v);
	if (v.again)
		worklist_add_at(c->controller.list, r->key, v.again);
}

/* ---- a Node that was deleted, with Pods that are bound to it ---- */

static bool found_pod(const struct entry *e UNUSED, void *user)
{
	*(bool *)user = true;
	return false;
}

static void pod_told_gone(struct run *r, const struct entry *pod)
{
	objects_event(r->controller->objects, pod->object, true, "NodeGone",
		      "Node %s has been deleted: the Pod is given up", pod_of(pod)->spec.node_name);
}

static bool gone_pod(const struct entry *e, void *user)
{
	static const struct run_told told = { pod_told_gone, NULL };
	static const int64_t at_once = 0;
	struct visit *v = user;
	int64_t at = pod_is_over(pod_of(e)) ? v->now : node_loss_time(pod_of(e), v->since, v->c->margin);

	if (at > v->now)
		look_again(v, at);
	else
		run_delete(v->run, e->object, &at_once, &told);
	return true;
}

/* Its agent may live: it holds its Lease, and makes the Node anew. Once the Lease has run out the time of a
 * lost node passes, and then the Pods go, whatever their policy says: a machine that is not coming back keeps
 * nothing. */
static void look_gone(struct nodes *c, struct run *r, const char *name)
{
	struct visit v = { .c = c, .run = r, .now = clock_boot() };

	if (cache_get(c->s->cache, KIND_LEASE, LEASE_NAMESPACE, name)) {
		silence_end(c, name);
		return;
	}
	v.since = silence_begin(c, name, v.now + c->lease)->lost;
	if (v.since > v.now)
		v.again = v.since;
	else
		cache_each_on_node(c->s->cache, name, gone_pod, &v);
	if (v.again)
		worklist_add_at(c->controller.list, r->key, v.again);
}

static void on_key(const char *key, void *user)
{
	struct nodes *c = user;
	char namespace[RUN_NAMESPACE_MAX];
	const char *name = run_name(key, namespace);
	const struct entry *e = cache_get(c->s->cache, KIND_NODE, NULL, name);
	struct run *r = NULL;
	bool pods = false;

	if (!e)
		cache_each_on_node(c->s->cache, name, found_pod, &pods);
	if (!e && !pods) {
		silence_end(c, name);
		worklist_forget(c->controller.list, key);
		return;
	}
	err *failed = run_begin(&c->controller, key, e, &r);
	if (failed) {
		err_free(failed);
		worklist_failed(c->controller.list, key);
		return;
	}
	if (e)
		look(c, r);
	else
		look_gone(c, r, name);
	run_end(r, NULL);
}

static void on_change(const struct entry *before, const struct entry *after, uint64_t revision UNUSED,
		      void *user)
{
	struct nodes *c = user;
	const struct entry *e = after ? after : before;
	const struct meta *m = &e->object->metadata;

	if (e->kind->id == KIND_LEASE && str_equal(m->namespace, LEASE_NAMESPACE)) {
		if (after)
			run_look(&c->controller, NULL, m->name);
		else
			lease_gone(c, before);
	} else if (e->kind->id == KIND_NODE) {
		run_look(&c->controller, NULL, m->name);
	} else if (e->kind->id == KIND_POD && after && pod_of(e)->spec.node_name &&
		   pod_of(e)->spec.node_name[0]) {
		run_look(&c->controller, NULL, pod_of(e)->spec.node_name);
	}
}

static bool look_at(const struct entry *e, void *user)
{
	run_look(&((struct nodes *)user)->controller, NULL, e->object->metadata.name);
	return true;
}

static bool look_at_its_node(const struct entry *pod, void *user)
{
	const char *name = pod_of(pod)->spec.node_name;

	if (name && *name)
		run_look(&((struct nodes *)user)->controller, NULL, name);
	return true;
}

DEFINE_CLEANUP(struct nodes *, nodes_free)

err *nodes_new(struct scheduler *s, struct nodes **ret)
{
	CLEANUP(nodes_free) struct nodes *c = calloc(1, sizeof(*c));

	if (!c)
		return err_oom();
	c->s = s;
	c->lease = s->options->lease ? s->options->lease : LEASE_USUAL;
	c->margin = s->options->clock_margin ? s->options->clock_margin : c->lease / 10;
	TRY(controller_begin(&c->controller, "nodes", s, on_key, on_change, c));
	cache_each(s->cache, KIND_NODE, NULL, look_at, c);
	/* Of Nodes that are gone, too. */
	cache_each(s->cache, KIND_POD, NULL, look_at_its_node, c);
	*ret = TAKE(c);
	return NULL;
}

static bool free_silence(void *value, void *user UNUSED)
{
	free(value);
	return true;
}

void nodes_free(struct nodes *c)
{
	if (!c)
		return;
	worklist_free(c->controller.list);
	index_each(&c->silences, "", NULL, free_silence, NULL);
	index_done(&c->silences);
	free(c);
}
