/* agent/node-link-lease.c: the thread that registers the node and keeps its lease. */
#include <sys/stat.h>

#include "agent/node-link-internal.h"
#include "agent/place.h"
#include "base/log.h"

#define LEASE_SECONDS 40
#define RETRY_LONGEST (3 * (int64_t)NSEC_PER_SEC)
#define ARENA_CEILING ((size_t)16 << 20)

/* ---- registration ---- */

static void deliver_registered(struct note *n)
{
	n->link->o.registered(n->error, (const struct node *)n->object, n->link->o.user);
}

/* A Node that is there keeps its taints, labels that others gave it, and its class, which an administrator
 * may have lowered since: what our options say of it counts at the first registration only. */
static err *update(struct api_client *api, struct arena *arena, struct node *node, struct object **ret)
{
	auto_str struct str patch = STR_INIT(JSON_SIZE_MAX);
	struct string_map *labels = &node->metadata.labels;
	struct object *known;
	size_t kept = 0;

	TRY(api_get(api, arena, &kinds[KIND_NODE], NULL, node->metadata.name, &known));
	const char *class = string_map_get(&known->metadata.labels, STUBE_PROTECTION_CLASS);
	for (size_t i = 0; i < labels->count; i++) {
		const struct string_pair *pair = &labels->items[i];
		if (!str_equal(pair->key, STUBE_PROTECTION_CLASS))
			labels->items[kept++] = *pair;
		else if (!str_equal(pair->value, class))
			log_warning("the node keeps its protection class: only an administrator changes it",
				    "node", node->metadata.name, "class", class ? class : "normal", "option",
				    pair->value, NULL);
	}
	labels->count = kept;
	TRY(report_labels(&patch, node));
	return api_patch(api, arena, &kinds[KIND_NODE], NULL, node->metadata.name, NULL, patch.data, ret);
}

static err *register_node(struct link *l, struct api_client *api, struct arena *arena, struct object **ret)
{
	struct node node;

	TRY(node_observe(arena, l->o.node, &node));
	node.metadata.name = l->o.name;
	err *e = api_create(api, arena, (struct object *)&node, false, ret);
	if (!e || e->code != EEXIST)
		return e;
	err_free(e);
	return update(api, arena, &node, ret);
}

static bool try_register(struct link *l)
{
	struct link_client *client = link_client_get(l);
	struct note *n = note_new(l, -1, deliver_registered);
	struct object *node = NULL;

	err *e = arena_new(ARENA_CEILING, &n->arena);
	if (!e)
		e = register_node(l, client->api, n->arena, &node);
	link_client_put(l, client);
	bool ok = !e;
	if (ok)
		atomic_store(&l->tell_node, true);
	if (ok)
		log_info("registered", "node", l->o.name, NULL);
	n->error = err_wrap(e, "register node '%s'", l->o.name);
	n->object = ok ? node : NULL;
	note_send(n);
	return ok;
}

/* ---- lease ---- */

static void deliver_lease(struct note *n)
{
	n->link->o.lease(n->error, n->sent, n->duration, n->created, n->link->o.user);
}

static err *send_lease(struct link *l, struct api_client *api, struct note *n, bool create)
{
	static const int32_t wanted = LEASE_SECONDS;
	struct object *object, *answer;

	TRY(object_new(n->arena, &kinds[KIND_LEASE], &object));
	struct lease *lease = (struct lease *)object;
	if (create || l->acquired == 0)
		l->acquired = clock_real();
	lease->metadata.name = l->o.name;
	lease->metadata.namespace = LEASE_NAMESPACE;
	lease->spec.holder = l->o.name;
	lease->spec.duration = &wanted;
	lease->spec.acquire_time.nsec = l->acquired;
	lease->spec.renew_time.nsec = clock_real();
	n->sent = clock_boot();
	if (create)
		TRY(api_create(api, n->arena, object, false, &answer));
	else
		TRY(api_replace(api, n->arena, object, NULL, false, &answer));
	lease = (struct lease *)answer;
	n->duration = (lease->spec.duration ? *lease->spec.duration : wanted) * (int64_t)NSEC_PER_SEC;
	n->created = create;
	return NULL;
}

static err *renew(struct link *l, struct api_client *api, struct note *n)
{
	TRY(arena_new(ARENA_CEILING, &n->arena));
	err *e = send_lease(l, api, n, false);
	if (!e || e->code != ENOENT)
		return e;
	/* None yet, or it had run out. */
	err_free(e);
	return send_lease(l, api, n, true);
}

static void let_followers_begin(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	l->has_lease = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

/* Returns how long to wait for the next. */
static int64_t try_renew(struct link *l, int64_t *duration)
{
	struct link_client *client = link_client_get(l);
	struct note *n = note_new(l, -1, deliver_lease);

	n->error = err_wrap(renew(l, client->api, n), "renew the lease of node '%s'", l->o.name);
	link_client_put(l, client);
	int64_t sent = n->sent;
	bool ok = !n->error;
	if (ok)
		*duration = n->duration;
	if (ok && n->created && l->has_lease)
		link_register_again(l); /* where leases are forgotten, Nodes may be */
	if (atomic_exchange(&l->reachable, ok) != ok && !ok)
		log_err(n->error);
	note_send(n);
	if (!ok)
		return MIN(*duration / 10, RETRY_LONGEST);
	let_followers_begin(l);
	return MAX(sent + *duration / 3 - clock_boot(), 0);
}

/* ---- renewed certificates ---- */

static void deliver_config(struct note *n)
{
	n->link->o.config(&n->client->config, n->link->o.user);
}

/* Requests under way end with the old client; the followers begin anew with the new one. */
static void swap_client(struct link *l, struct link_client *fresh)
{
	pthread_mutex_lock(&l->lock);
	struct link_client *old = l->client;
	l->client = fresh;
	atomic_store(&l->cancel[LINK_PODS], true);
	atomic_store(&l->cancel[LINK_CLAIMS], true);
	pthread_mutex_unlock(&l->lock);
	link_client_put(l, old);
}

static err *read_config(struct link *l, const char *path)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str run = STR_INIT(4096);
	struct api_config config;
	struct link_client *fresh;

	TRY(arena_new(ARENA_CEILING, &arena));
	TRY(place_run(&run));
	TRY(api_config_load(arena, path, run.data, &config));
	TRY(link_client_new(l, &config, TAKE(arena), &fresh));
	swap_client(l, fresh);
	struct note *n = note_new(l, -1, deliver_config);
	n->client = link_client_get(l);
	note_send(n);
	return NULL;
}

static void look_at_config(struct link *l)
{
	const char *path = l->o.node->config_path;
	struct stat st;

	if (!path || stat(path, &st) < 0 ||
	    (st.st_mtim.tv_sec == l->config_time.tv_sec && st.st_mtim.tv_nsec == l->config_time.tv_nsec))
		return;
	l->config_time = st.st_mtim;
	auto_err err *e = read_config(l, path);
	if (e)
		log_err(e);
	else
		log_info("read the configuration again", "file", path, NULL);
}

static bool take_register_again(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	bool again = l->register_again;
	l->register_again = false;
	pthread_mutex_unlock(&l->lock);
	return again;
}

void *link_lease_thread(void *link)
{
	struct link *l = link;
	int64_t duration = LEASE_SECONDS * (int64_t)NSEC_PER_SEC, wait;
	bool registered = false;

	do {
		atomic_store(&l->busy[LINK_LEASE], clock_boot());
		look_at_config(l);
		if (take_register_again(l) || !registered)
			registered = try_register(l);
		wait = try_renew(l, &duration);
		if (!registered)
			wait = MIN(wait, RETRY_LONGEST);
		atomic_store(&l->busy[LINK_LEASE], 0);
	} while (link_wait(l, wait, &l->register_again));
	return NULL;
}
