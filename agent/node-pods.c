/* agent/node-pods.c: the API's Pods and claims handed to this node's, and their status handed back. */
#include "agent/node-pods.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

struct known {
	struct arena *arena;
	const struct pod *pod; /* as the API told it last; in the arena */
	unsigned round;	       /* of the list or watch that told it */
	bool refused;
};

struct known_claim {
	struct arena *arena;
	const struct claim *claim;
};

struct node_pods {
	struct node_agent *agent;
	struct known *known;
	size_t count, room;
	struct known_claim *claims;
	size_t claim_count, claim_room;
};

/* ---- claims ---- */

static struct known_claim *find_claim(struct node_pods *n, const char *namespace, const char *name)
{
	for (size_t i = 0; i < n->claim_count; i++) {
		const struct meta *m = &n->claims[i].claim->metadata;
		if (str_equal(m->name, name) && str_equal(m->namespace, namespace))
			return &n->claims[i];
	}
	return NULL;
}

static void ask_claim(struct node_pods *n, const char *namespace, const char *name)
{
	outbox_put(n->agent->outbox, (struct out_item){ .kind = OUT_CLAIM,
							.namespace = strdup(namespace),
							.name = strdup(name) });
}

static bool mounts(const struct pod *pod, const char *claim)
{
	for (size_t i = 0; i < pod->spec.volumes.count; i++) {
		const struct pod_claim_source *source = pod->spec.volumes.items[i].claim;
		if (source && (!claim || str_equal(source->claim, claim)))
			return true;
	}
	return false;
}

static const struct claim *claim_of(const char *namespace, const char *name, void *user)
{
	struct node_pods *n = user;
	struct known_claim *c = find_claim(n, namespace, name);

	if (!c)
		ask_claim(n, namespace, name);
	return c ? c->claim : NULL;
}

/* A Pod that waits for its claim looks again. */
static void wake_mounting(struct node_pods *n, const struct claim *claim)
{
	for (size_t i = 0; i < n->count; i++)
		if (!n->known[i].refused &&
		    str_equal(n->known[i].pod->metadata.namespace, claim->metadata.namespace) &&
		    mounts(n->known[i].pod, claim->metadata.name))
			pods_want(n->agent->pods, n->known[i].pod);
}

void node_pods_claim(struct node_pods *n, enum watch_type type, struct arena *arena,
		     const struct claim *claim)
{
	struct known_claim *c = claim ? find_claim(n, claim->metadata.namespace, claim->metadata.name) : NULL;

	if (!claim || (type == WATCH_DELETED && !c)) {
		arena_free(arena);
		return;
	}
	if (!c && n->claim_count == n->claim_room) {
		size_t room = n->claim_room ? n->claim_room * 2 : 16;
		struct known_claim *more = reallocarray(n->claims, room, sizeof(*more));
		if (!more) {
			arena_free(arena); /* it is asked for again */
			return;
		}
		n->claims = more;
		n->claim_room = room;
	}
	if (!c) {
		c = &n->claims[n->claim_count++];
		c->arena = NULL;
	}
	arena_free(c->arena);
	*c = (struct known_claim){ arena, claim };
	if (type != WATCH_DELETED) {
		wake_mounting(n, claim);
		return;
	}
	arena_free(arena);
	*c = n->claims[--n->claim_count];
}

void node_pods_retry(struct node_pods *n)
{
	for (size_t i = 0; i < n->count; i++) {
		const struct pod *pod = n->known[i].pod;
		for (size_t v = 0; v < pod->spec.volumes.count; v++) {
			const struct pod_claim_source *source = pod->spec.volumes.items[v].claim;
			if (source && !find_claim(n, pod->metadata.namespace, source->claim))
				ask_claim(n, pod->metadata.namespace, source->claim);
		}
	}
}

/* ---- Pods, from the API ---- */

static struct known *find_known(struct node_pods *n, const char *uid)
{
	for (size_t i = 0; i < n->count; i++)
		if (str_equal(n->known[i].pod->metadata.uid, uid))
			return &n->known[i];
	return NULL;
}

static void drop_known(struct node_pods *n, struct known *k)
{
	arena_free(k->arena);
	*k = n->known[--n->count];
}

static struct known *make_room(struct node_pods *n)
{
	if (n->count == n->room) {
		size_t room = n->room ? n->room * 2 : 64;
		struct known *more = reallocarray(n->known, room, sizeof(*more));
		if (!more)
			return NULL;
		n->known = more;
		n->room = room;
	}
	n->known[n->count] = (struct known){ 0 };
	return &n->known[n->count++];
}

struct recorded {
	const char *uid;
	bool found;
};

static bool look_for(const struct pod *pod, const struct pod_status *status,
		     const struct pods_container *containers, size_t count, void *user)
{
	struct recorded *r = user;

	(void)status;
	(void)containers;
	(void)count;
	r->found = str_equal(pod->metadata.uid, r->uid);
	return !r->found;
}

/* Whether this node has, or had, it in its care: also from before a restart. */
static bool is_recorded(struct node_pods *n, const char *uid)
{
	struct recorded r = { uid, false };

	pods_each(n->agent->pods, look_for, &r);
	return r.found;
}

static struct out_item about_pod(enum out_kind kind, const struct pod *pod)
{
	return (struct out_item){
		.kind = kind,
		.about = "Pod",
		.namespace = strdup(pod->metadata.namespace),
		.name = strdup(pod->metadata.name),
		.uid = strdup(pod->metadata.uid),
		.count = 1,
	};
}

static void tell_event(const struct pod *pod, bool warning, const char *reason, const char *message,
		       void *user)
{
	struct node_pods *n = user;
	struct out_item item = about_pod(OUT_EVENT, pod);

	/* Events are the API's for an hour; the log has the story for longer. */
	(warning ? log_warning : log_info)("pod", "namespace", pod->metadata.namespace, "pod",
					   pod->metadata.name, "uid", pod->metadata.uid, "reason", reason,
					   "message", message ? message : "", NULL);
	item.warning = warning;
	item.reason = strdup(reason);
	item.body = strdup(message ? message : "");
	item.first = item.last = clock_real();
	outbox_put(n->agent->outbox, item);
}

static void tell_gone(const struct pod *pod, void *user)
{
	struct node_pods *n = user;

	metrics_gone(n->agent->metrics, pod->metadata.uid);
	outbox_put(n->agent->outbox, about_pod(OUT_POD_DELETE, pod));
}

static void refuse(struct node_pods *n, const struct pod *pod, const char *why)
{
	auto_str struct str body = STR_INIT(JSON_SIZE_MAX);
	struct out_item item = about_pod(OUT_POD_STATUS, pod);

	if (pod->metadata.deletion.nsec != 0) {
		tell_gone(pod, n);
	} else if (!pod_is_over(pod)) {
		err *e = report_refused(&body, pod, why);
		if (e)
			log_err(e);
		err_free(e);
		item.body = str_take(&body);
		outbox_put(n->agent->outbox, item);
		tell_event(pod, true, "UnsupportedField", why, n);
		return;
	}
	free(item.namespace);
	free(item.name);
	free(item.uid);
}

static void take_pod(struct node_pods *n, struct arena *arena, const struct pod *pod, const char *refused,
		     unsigned round)
{
	struct known *k = find_known(n, pod->metadata.uid);
	bool recorded = (k && !k->refused) || is_recorded(n, pod->metadata.uid);

	if (!k)
		k = make_room(n);
	if (!k) {
		log_error("no memory for a Pod", "pod", pod->metadata.name, NULL);
		arena_free(arena);
		return;
	}
	arena_free(k->arena);
	/* What runs already was understood when it was started. */
	*k = (struct known){ .arena = arena, .pod = pod, .round = round, .refused = refused && !recorded };
	if (k->refused) {
		refuse(n, pod, refused);
		return;
	}
	if (!recorded)
		metrics_seen(n->agent->metrics, pod->metadata.uid);
	pods_want(n->agent->pods, pod);
}

static void forget(struct node_pods *n, struct known *k)
{
	if (!k->refused)
		pods_forget(n->agent->pods, k->pod->metadata.uid);
	drop_known(n, k);
}

/* The list of this round is told: what it did not have is not there any more. */
static void take_synced(struct node_pods *n, unsigned round)
{
	for (size_t i = 0; i < n->count;) {
		if (n->known[i].round != round)
			forget(n, &n->known[i]);
		else
			i++;
	}
	pods_synced(n->agent->pods);
}

void node_pods_event(struct node_pods *n, enum watch_type type, struct arena *arena, const struct pod *pod,
		     const char *refused, unsigned round)
{
	struct known *k = pod ? find_known(n, pod->metadata.uid) : NULL;

	switch (type) {
	case WATCH_ADDED:
	case WATCH_MODIFIED:
		take_pod(n, arena, pod, refused, round);
		return; /* the arena is kept */
	case WATCH_DELETED:
		if (k)
			forget(n, k);
		break;
	case WATCH_SYNCED:
		take_synced(n, round);
		break;
	case WATCH_BOOKMARK:
		break;
	}
	arena_free(arena);
}

/* ---- Pods, to the API ---- */

static void tell_status(const struct pod *pod, const struct pod_status *status, void *user)
{
	struct node_pods *n = user;
	auto_str struct str body = STR_INIT(JSON_SIZE_MAX);

	if (status->phase == POD_RUNNING)
		metrics_running(n->agent->metrics, pod->metadata.uid);
	/* Found in the records, and the API has not told us of it yet: since when it has been ready we learn
	 * only then. */
	if (!find_known(n, pod->metadata.uid))
		return;
	auto_err err *e = report_status(&body, &kinds[KIND_POD], pod->metadata.uid, status);
	if (e) {
		log_err(e);
		return;
	}
	struct out_item item = about_pod(OUT_POD_STATUS, pod);
	item.body = str_take(&body);
	outbox_put(n->agent->outbox, item);
}

err *node_pods_new(struct node_agent *agent, struct pods_options *options, struct node_pods **ret)
{
	struct node_pods *n = calloc(1, sizeof(*n));

	if (!n)
		return err_oom();
	n->agent = agent;
	options->status = tell_status;
	options->event = tell_event;
	options->gone = tell_gone;
	options->claim = claim_of;
	options->user = n;
	*ret = n;
	return NULL;
}

void node_pods_free(struct node_pods *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->count; i++)
		arena_free(n->known[i].arena);
	for (size_t i = 0; i < n->claim_count; i++)
		arena_free(n->claims[i].arena);
	free(n->known);
	free(n->claims);
	free(n);
}
