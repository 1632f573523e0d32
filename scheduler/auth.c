/* scheduler/auth.c: the tables of roles. */
#include "scheduler/auth.h"

#include <string.h>

#include "api/claim.h"
#include "api/event.h"
#include "api/lease.h"
#include "api/node.h"
#include "api/pod.h"

#define NODE_PREFIX "system:node:"

static bool in_group(const struct peer *peer, const char *group)
{
	for (const char *const *g = peer->groups; g && *g; g++)
		if (str_equal(*g, group))
			return true;
	return false;
}

void identity_of(const struct peer *peer, uid_t own_uid, struct identity *ret)
{
	*ret = (struct identity){ ROLE_ANONYMOUS, "anonymous", NULL };
	if (peer->kind == PEER_UNIX) {
		bool admin = peer->uid == 0 || peer->uid == own_uid;

		ret->role = admin ? ROLE_ADMINISTRATOR : ROLE_STRANGER;
		ret->name = admin ? "local:administrator" : "local:user";
	} else if (peer->kind == PEER_CERTIFICATE) {
		ret->name = peer->name ? peer->name : "";
		ret->role = ROLE_STRANGER;
		if (in_group(peer, "system:masters")) {
			ret->role = ROLE_ADMINISTRATOR;
		} else if (in_group(peer, "system:nodes") && str_starts_with(ret->name, NODE_PREFIX) &&
			   meta_is_subdomain(ret->name + strlen(NODE_PREFIX))) {
			ret->role = ROLE_NODE;
			ret->node = ret->name + strlen(NODE_PREFIX);
		} else if (in_group(peer, "stube:viewers")) {
			ret->role = ROLE_VIEWER;
		}
	}
}

const char *verb_name(enum verb verb)
{
	static const char *const names[] = { "get",    "list",	"watch",  "create",
					     "update", "patch", "delete", "deletecollection" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (verb == 1u << i)
			return names[i];
	return "";
}

/* ---- nodes: conditions on the request ---- */

struct asked {
	const char *node;
	const struct cache *cache;
	const struct access *access;
};
typedef bool node_rule(const struct asked *a);

static bool own_name(const struct asked *a)
{
	return !a->access->name ? a->access->verb == VERB_CREATE : str_equal(a->access->name, a->node);
}

static bool own_lease(const struct asked *a)
{
	return str_equal(a->access->namespace, LEASE_NAMESPACE) && own_name(a);
}

/* A list that is narrowed down to this one value. */
static bool selects(const struct asked *a, const char *path)
{
	const struct field_selector *f = a->access->fields;

	for (size_t i = 0; f && i < f->count; i++)
		if (str_equal(f->items[i].path, path) && !f->items[i].differs &&
		    str_equal(f->items[i].value, a->node))
			return true;
	return false;
}

static bool selects_own_node(const struct asked *a)
{
	return selects(a, "metadata.name");
}

static bool selects_own_pods(const struct asked *a)
{
	return selects(a, "spec.nodeName");
}

/* One that is not there is nobody's secret: an agent must learn that it is gone. */
static bool own_pod(const struct asked *a)
{
	const struct entry *e = cache_get(a->cache, KIND_POD, a->access->namespace, a->access->name);

	return !e || str_equal(((const struct pod *)(const void *)e->object)->spec.node_name, a->node);
}

static bool mounts_here(const struct entry *e, void *user)
{
	struct asked *a = user;
	const struct pod *pod = (const struct pod *)(const void *)e->object;

	if (!str_equal(pod->spec.node_name, a->node))
		return true;
	a->cache = NULL; /* found */
	return false;
}

static bool claim_here(const struct object *object, const char *node)
{
	return str_equal(string_map_get(&object->metadata.annotations, CLAIM_NODE), node);
}

static bool own_claim(const struct asked *a)
{
	const struct entry *e = cache_get(a->cache, KIND_CLAIM, a->access->namespace, a->access->name);
	struct asked search = *a;

	if (!e || claim_here(e->object, a->node))
		return true;
	cache_each_mounting(a->cache, a->access->namespace, a->access->name, mounts_here, &search);
	return !search.cache;
}

/* Narrowed down by auth_sees(), or looked at by auth_write(). */
static bool looked_at_later(const struct asked *a)
{
	(void)a;
	return true;
}

enum { READ_ONE = VERB_GET, CHANGE = VERB_UPDATE | VERB_PATCH, FOLLOW = VERB_LIST | VERB_WATCH };
/* clang-format off */
static const struct {
	enum kind_id kind;
	const char *subresource;
	unsigned verbs;
	node_rule *rule;
} node_rules[] = {
	{ KIND_NODE,  NULL,     READ_ONE | VERB_CREATE | CHANGE, own_name },
	{ KIND_NODE,  NULL,     FOLLOW,                          selects_own_node },
	{ KIND_NODE,  "status", READ_ONE | CHANGE,               own_name },
	{ KIND_POD,   NULL,     FOLLOW,                          selects_own_pods },
	{ KIND_POD,   NULL,     READ_ONE | VERB_DELETE,          own_pod },
	{ KIND_POD,   "status", READ_ONE | CHANGE,               own_pod },
	{ KIND_LEASE, NULL,     READ_ONE | VERB_CREATE | CHANGE, own_lease },
	{ KIND_CLAIM, NULL,     READ_ONE,                        own_claim },
	{ KIND_CLAIM, NULL,     FOLLOW,                          looked_at_later },
	{ KIND_EVENT, NULL,     VERB_CREATE | CHANGE,            looked_at_later },
};
/* clang-format on */

static bool node_may(const struct asked *a)
{
	const struct access *access = a->access;

	for (size_t i = 0; i < ARRAY_LEN(node_rules); i++)
		if (node_rules[i].kind == access->kind->id && (node_rules[i].verbs & access->verb) &&
		    str_equal(node_rules[i].subresource, access->subresource) && node_rules[i].rule(a))
			return true;
	return false;
}

static bool viewer_may(const struct access *access)
{
	return (access->verb & (VERB_GET | VERB_LIST | VERB_WATCH)) &&
	       (!access->subresource || str_equal(access->subresource, "status") ||
		str_equal(access->subresource, "scale"));
}

static err *forbidden(const struct identity *who, const struct access *a, const char *why)
{
	return err_new(EPERM, "'%s' may not %s %s%s%s%s%s%s%s%s%s", who->name, verb_name(a->verb),
		       a->kind->plural, a->subresource ? "/" : "", a->subresource ? a->subresource : "",
		       a->name ? " '" : "", a->name ? a->name : "", a->name ? "'" : "",
		       a->namespace ? " in namespace " : "", a->namespace ? a->namespace : "", why);
}

err *auth_access(const struct identity *who, const struct cache *cache, const struct access *access)
{
	const struct asked asked = { who->node, cache, access };
	bool may = false;

	switch (who->role) {
	case ROLE_ANONYMOUS:
		return err_new(EACCES, "a client certificate is needed");
	case ROLE_STRANGER:
		break;
	case ROLE_ADMINISTRATOR:
		may = true;
		break;
	case ROLE_VIEWER:
		may = viewer_may(access);
		break;
	case ROLE_NODE:
		may = node_may(&asked);
		break;
	}
	return may ? NULL : forbidden(who, access, "");
}

/* ---- nodes: conditions on what is written ---- */

static bool same_taints(const struct node *a, const struct node *b)
{
	const struct node_spec x = a->spec, y = b->spec;

	if (x.unschedulable != y.unschedulable || x.taints.count != y.taints.count)
		return false;
	for (size_t i = 0; i < x.taints.count; i++)
		if (!str_equal(x.taints.items[i].key, y.taints.items[i].key) ||
		    !str_equal(x.taints.items[i].value, y.taints.items[i].value) ||
		    x.taints.items[i].effect != y.taints.items[i].effect)
			return false;
	return true;
}

/* Those that placement or people trust to be true; the rest a node says of itself. */
static bool is_trusted_label(const char *key)
{
	return str_equal(key, STUBE_PROTECTION_CLASS) ||
	       str_starts_with(key, "node-restriction.kubernetes.io/");
}

/* Every trusted label of a that b has not: its key. */
static const char *trusted_label_lost(const struct string_map *a, const struct string_map *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (is_trusted_label(a->items[i].key) &&
		    !str_equal(a->items[i].value, string_map_get(b, a->items[i].key)))
			return a->items[i].key;
	return NULL;
}

static const char *label_changed(struct str *why, const struct string_map *now, const struct string_map *next)
{
	const char *key = trusted_label_lost(now, next);

	key = key ? key : trusted_label_lost(next, now);
	if (!key)
		return NULL;
	str_addf(why, ": the label '%.200s' is an administrator's", key);
	return why->data;
}

/* At its registration a node says of which class it is (docs/decisions/0087), and nothing else that is
 * trusted. */
static const char *registration(struct str *why, const struct string_map *labels)
{
	const struct string_pair class = { STUBE_PROTECTION_CLASS,
					   string_map_get(labels, STUBE_PROTECTION_CLASS) };
	const struct string_map none = { (struct string_pair *)&class, class.value ? 1 : 0 };

	return label_changed(why, &none, labels);
}

/* An owner that is nowhere would have its Node collected, and its agent could register it anew, with another
 * class; Events that a Deployment owned would stand in that one's way. */
static bool same_owners(const struct object *now, const struct object *next)
{
	static const struct meta nobody;
	const struct meta *a = now ? &now->metadata : &nobody, *b = &next->metadata;

	if (a->owners.count != b->owners.count)
		return false;
	for (size_t i = 0; i < a->owners.count; i++)
		if (!str_equal(a->owners.items[i].uid, b->owners.items[i].uid) ||
		    a->owners.items[i].controller != b->owners.items[i].controller)
			return false;
	return true;
}

/* A machine that has been taken over must not raise itself to a higher class, or be taken for another one. */
static const char *node_changed(struct str *why, const char *name, const struct object *now,
				const struct object *next)
{
	const char *host = string_map_get(&next->metadata.labels, LABEL_HOSTNAME);

	if (host && !str_equal(host, name) &&
	    (!now || !str_equal(host, string_map_get(&now->metadata.labels, LABEL_HOSTNAME))))
		return ": another '" LABEL_HOSTNAME "' than its name is an administrator's";
	if (!now)
		return registration(why, &next->metadata.labels);
	if (!same_taints((const struct node *)(const void *)now, (const struct node *)(const void *)next))
		return ": taints and cordon are an administrator's";
	return label_changed(why, &now->metadata.labels, &next->metadata.labels);
}

static bool is_of(const struct entry *e, const char *node)
{
	if (e->kind->id == KIND_POD)
		return str_equal(((const struct pod *)(const void *)e->object)->spec.node_name, node);
	return e->kind->id == KIND_NODE && str_equal(e->object->metadata.name, node);
}

static const char *event_of_own(const struct cache *cache, const char *node, const struct object *object)
{
	const struct object_reference *about = &((const struct event *)(const void *)object)->involved;
	const char *namespace = about->namespace ? about->namespace : object->metadata.namespace;
	const struct entry *by_uid = cache_get_uid(cache, about->uid), *pod;

	if (str_equal(about->kind, "Node"))
		return str_equal(about->name, node) ? NULL : ": it is about another node";
	if (!str_equal(about->kind, "Pod") || !about->name)
		return ": it is about neither its Pods nor itself";
	pod = cache_get(cache, KIND_POD, namespace, about->name);
	/* A Pod's last Event may come after it has gone. Readers look for its uid, too. */
	if ((pod && !is_of(pod, node)) || (by_uid && !is_of(by_uid, node)))
		return ": it is about another node's Pod";
	return NULL;
}

/* Of what a node may make by itself, so that it cannot fill the store: bytes of an object. */
static const char *too_large(struct str *why, const struct object *next)
{
	static const size_t most[KIND_COUNT] = {
		[KIND_NODE] = 512 << 10,
		[KIND_LEASE] = 16 << 10,
		[KIND_EVENT] = 8 << 10,
	};
	size_t max = most[kind_of(next)->id];
	auto_str struct str text = STR_INIT(max);

	if (!max)
		return NULL;
	object_encode(&text, next, 0);
	if (!text.failed)
		return NULL;
	str_addf(why, ": a node's may have %zu bytes", max);
	return why->data;
}

static const char *node_writes(const struct identity *who, const struct cache *cache, const struct access *a,
			       const struct object *now, const struct object *next, struct str *text)
{
	const char *why = next ? too_large(text, next) : NULL;

	if (why)
		return why;
	if (next && !same_owners(now, next))
		return ": owners are an administrator's";
	switch (a->kind->id) {
	case KIND_NODE:
	case KIND_LEASE:
		if (next && !str_equal(next->metadata.name, who->node))
			return ": it is another node's";
		return next && a->kind->id == KIND_NODE ? node_changed(text, who->node, now, next) : NULL;
	case KIND_POD:
		/* What was bound elsewhere meanwhile; and who may end it is not the agent's to decide. */
		if (!str_equal(((const struct pod *)(const void *)now)->spec.node_name, who->node))
			return ": it is another node's";
		return a->verb != VERB_DELETE || now->metadata.deletion.nsec ? NULL
									     : ": nobody has deleted it";
	case KIND_EVENT:
		if (now)
			why = event_of_own(cache, who->node, now);
		return why || !next ? why : event_of_own(cache, who->node, next);
	default:
		return ": it only reads them";
	}
}

err *auth_write(const struct identity *who, const struct cache *cache, const struct access *access,
		const struct object *now, const struct object *next)
{
	auto_str struct str text = STR_INIT(1024);
	const char *why = NULL;

	if (who->role == ROLE_ADMINISTRATOR)
		return NULL;
	if (who->role == ROLE_NODE)
		why = node_writes(who, cache, access, now, next, &text);
	else
		why = "";
	return why ? forbidden(who, access, why) : NULL;
}

bool auth_sees(const struct identity *who, const struct object *object)
{
	const struct kind *kind = kind_of(object);

	return who->role != ROLE_NODE || !kind || kind->id != KIND_CLAIM || claim_here(object, who->node);
}

/* ---- paths ---- */

/* The first row that fits counts. */
/* clang-format off */
static const struct {
	const char *path;
	bool below;         /* and all that begins so */
	unsigned roles;
} paths[] = {
#define ANY (1u << ROLE_ANONYMOUS | 1u << ROLE_STRANGER)
#define KNOWN_ONES (1u << ROLE_VIEWER | 1u << ROLE_NODE)
	{ "/healthz",       true,  ANY | KNOWN_ONES },
	{ "/livez",         true,  ANY | KNOWN_ONES },
	{ "/readyz",        true,  ANY | KNOWN_ONES },
	{ "/version",       false, ANY | KNOWN_ONES },
	{ "/apis/stube/v1/explain/", true, 1u << ROLE_VIEWER },
	{ "/apis/stube/v1/drain/",   true, 1u << ROLE_VIEWER },
	{ "/apis/stube/v1/plan",     false, 1u << ROLE_VIEWER },
	{ "/apis/stube/v1", false, KNOWN_ONES },
	{ "/apis/stube/",   true,  0 },
	{ "/api",           true,  KNOWN_ONES }, /* and /apis */
	{ "/metrics",       false, 1u << ROLE_VIEWER },
};
/* clang-format on */

err *auth_path(const struct identity *who, const char *method, const char *path)
{
	unsigned roles = 0;

	if (who->role == ROLE_ADMINISTRATOR)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (paths[i].below ? str_starts_with(path, paths[i].path) : str_equal(path, paths[i].path)) {
			roles = paths[i].roles;
			break;
		}
	if (roles & 1u << who->role)
		return NULL;
	if (who->role == ROLE_ANONYMOUS)
		return err_new(EACCES, "a client certificate is needed");
	return err_new(EPERM, "'%s' may not %s '%s'", who->name, method, path);
}
