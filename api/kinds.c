/* api/kinds.c: the table of kinds, and objects by it. */
#include "api/kinds.h"

#include <strings.h>

#include "api/claim.h"
#include "api/deployment.h"
#include "api/event.h"
#include "api/kinds-internal.h"
#include "api/lease.h"
#include "api/namespace.h"
#include "api/node.h"
#include "api/pod.h"
#include "oci/digest.h"

#define OBJECT_ARENA_MAX (64u << 20)
#define OBJECT_TEXT_MAX  (16u << 20)

/* clang-format off */
#define SPEC(S, type)   .spec_offset = offsetof(struct S, spec), .spec_type = &(type)
#define STATUS(S, type) .status = true, .status_offset = offsetof(struct S, status), .status_type = &(type)
const struct kind kinds[KIND_COUNT] = {
	[KIND_NAMESPACE] = {
		KIND_NAMESPACE, "", "v1", "v1", "Namespace", "NamespaceList", "namespaces", "namespace", "ns",
		.label_name = true, .type = &t_namespace, .rules = namespace_rules,
		SPEC(namespace, t_namespace_spec), STATUS(namespace, t_namespace_status),
	},
	[KIND_NODE] = {
		KIND_NODE, "", "v1", "v1", "Node", "NodeList", "nodes", "node", "no",
		.type = &t_node, .rules = node_rules,
		SPEC(node, t_node_spec), STATUS(node, t_node_status),
	},
	[KIND_POD] = {
		KIND_POD, "", "v1", "v1", "Pod", "PodList", "pods", "pod", "po",
		.namespaced = true, .type = &t_pod, .rules = pod_rules,
		SPEC(pod, t_pod_spec), STATUS(pod, t_pod_status),
	},
	[KIND_CLAIM] = {
		KIND_CLAIM, "", "v1", "v1", "PersistentVolumeClaim", "PersistentVolumeClaimList", "persistentvolumeclaims",
		"persistentvolumeclaim", "pvc",
		.namespaced = true, .type = &t_claim, .rules = claim_rules,
		SPEC(claim, t_claim_spec), STATUS(claim, t_claim_status),
	},
	[KIND_EVENT] = {
		KIND_EVENT, "", "v1", "v1", "Event", "EventList", "events", "event", "ev",
		.namespaced = true, .type = &t_event, .rules = event_rules,
	},
	[KIND_DEPLOYMENT] = {
		KIND_DEPLOYMENT, "apps", "v1", "apps/v1", "Deployment", "DeploymentList", "deployments", "deployment", "deploy",
		.namespaced = true, .scale = true, .type = &t_deployment, .rules = deployment_rules,
		SPEC(deployment, t_deployment_spec), STATUS(deployment, t_deployment_status),
	},
	[KIND_REPLICASET] = {
		KIND_REPLICASET, "apps", "v1", "apps/v1", "ReplicaSet", "ReplicaSetList", "replicasets", "replicaset", "rs",
		.namespaced = true, .scale = true, .type = &t_replicaset, .rules = replicaset_rules,
		SPEC(replicaset, t_replicaset_spec), STATUS(replicaset, t_replicaset_status),
	},
	[KIND_LEASE] = {
		KIND_LEASE, "coordination.k8s.io", "v1", "coordination.k8s.io/v1", "Lease", "LeaseList", "leases", "lease", "",
		.namespaced = true, .type = &t_lease, .rules = lease_rules,
		SPEC(lease, t_lease_spec),
	},
};
/* clang-format on */

/* ---- finding a kind ---- */

const struct kind *kind_find(const char *api_version, const char *name)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (str_equal(kinds[i].name, name) && str_equal(kinds[i].api_version, api_version))
			return &kinds[i];
	return NULL;
}

const struct kind *kind_of(const struct object *object)
{
	return kind_find(object->api_version, object->kind);
}

const struct kind *kind_by_path(const char *group, const char *version, const char *plural)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (str_equal(kinds[i].group, group) && str_equal(kinds[i].version, version) &&
		    str_equal(kinds[i].plural, plural))
			return &kinds[i];
	return NULL;
}

static bool is_word(const char *name, const char *word, size_t len)
{
	return len > 0 && strlen(name) == len && strncasecmp(name, word, len) == 0;
}

const struct kind *kind_by_word(const char *word)
{
	size_t len = strcspn(word, ".");
	const char *group = word[len] ? word + len + 1 : NULL;

	for (size_t i = 0; i < KIND_COUNT; i++) {
		const struct kind *k = &kinds[i];
		if (group && !is_word(k->group, group, strlen(group)))
			continue;
		if (is_word(k->plural, word, len) || is_word(k->singular, word, len) ||
		    is_word(k->short_names, word, len))
			return k;
	}
	return NULL;
}

/* ---- reading ---- */

static const struct kind *kind_named(const char *name)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (str_equal(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

/* Which kind a document says it is. */
static err *identify(struct decoder *d, const json *tree, const struct kind *expected, const struct kind **ret)
{
	const char *version = json_get_string(tree, "apiVersion"), *name = json_get_string(tree, "kind");
	const struct kind *kind = NULL;

	if (tree->kind != JSON_OBJECT)
		return decoder_fail(d, "", "expected object, got %s", json_kind_name(tree->kind));
	/* The items of a typed list do not repeat what they are. */
	if (d->lenient && expected && !json_get(tree, "apiVersion") && !json_get(tree, "kind")) {
		*ret = expected;
		return NULL;
	}
	if (!version || !name)
		return decoder_fail(d, version ? "kind" : "apiVersion",
				    json_get(tree, version ? "kind" : "apiVersion") ? "must be a string" :
										      "required but missing");
	kind = kind_find(version, name);
	if (!kind && kind_named(name))
		return decoder_fail(d, "apiVersion", "'%.100s' is not '%s', the version of %s that Stube has", version,
				    kind_named(name)->api_version, name);
	if (!kind)
		return decoder_fail(d, "kind", "'%.100s' of '%.100s' is not a kind that Stube has", name, version);
	if (expected && kind != expected)
		return decoder_fail(d, "kind", "expected %s, got %s", expected->name, kind->name);
	*ret = kind;
	return NULL;
}

static err *decode_object(struct decoder *d, const json *tree, const struct kind *expected, bool admit,
			  struct object **ret)
{
	const struct kind *kind = NULL;
	struct object *object;

	d->tree = tree;
	TRY(identify(d, tree, expected, &kind));
	TRY_ALLOC(d->arena, object, arena_alloc(d->arena, kind->type->size));
	TRY(decode_tree(d, kind->type, NULL, tree, object));
	object->api_version = kind->api_version;
	object->kind = kind->name;
	d->tree = tree;
	for (const struct rule *rule = kind->rules; rule->name && !d->lenient; rule++)
		TRY(rule->check(object, d));
	if (admit)
		TRY(kind_admit(d, kind, object));
	*ret = object;
	return NULL;
}

err *object_decode_tree(struct arena *arena, const char *name, const json *tree,
			const struct kind *expected, unsigned flags, struct object **ret)
{
	struct decoder d = { .arena = arena, .name = name, .lenient = flags & OBJECT_LENIENT };

	return decode_object(&d, tree, expected, flags & OBJECT_ADMIT, ret);
}

err *object_decode(struct arena *arena, const char *name, const char *text, size_t len,
		   const struct kind *expected, unsigned flags, struct object **ret)
{
	json *tree = NULL;

	TRY(json_parse(arena, name, text, len, &tree));
	return object_decode_tree(arena, name, tree, expected, flags, ret);
}

/* ---- writing ---- */

void object_encode(struct str *out, const struct object *object, unsigned indent)
{
	const struct kind *kind = kind_of(object);

	if (kind)
		encode_text(out, kind->type, object, indent);
	else
		str_add(out, "null");
	if (indent)
		str_add_char(out, '\n');
}

/* A document that nobody wrote has no lines. */
static void forget_places(json *node)
{
	node->line = 0;
	for (size_t i = 0; node->kind == JSON_ARRAY && i < node->array.count; i++)
		forget_places(node->array.items[i]);
	for (size_t i = 0; node->kind == JSON_OBJECT && i < node->object.count; i++)
		forget_places(node->object.members[i].value);
}

static err *check(const struct object *object, unsigned flags)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str text = STR_INIT(OBJECT_TEXT_MAX);
	struct object *copy;
	char name[320];
	json *tree = NULL;

	if (!kind_of(object))
		return err_new(EINVAL, "an object without a kind");
	/* The same tables and rules that a file meets, so that nothing passes here only. */
	TRY(arena_new(OBJECT_ARENA_MAX, &arena));
	object_encode(&text, object, 0);
	TRY(str_check(&text));
	snprintf(name, sizeof(name), "%s '%s'", object->kind, object->metadata.name ? object->metadata.name : "");
	TRY(json_parse(arena, name, text.data, text.len, &tree));
	forget_places(tree);
	return object_decode_tree(arena, name, tree, kind_of(object), flags, &copy);
}

err *object_check(const struct object *object)
{
	return check(object, 0);
}

err *object_admit(const struct object *object)
{
	return check(object, OBJECT_ADMIT);
}

err *object_new(struct arena *arena, const struct kind *kind, struct object **ret)
{
	struct object *object;

	TRY_ALLOC(arena, object, arena_alloc(arena, kind->type->size));
	TRY(decode_defaults(arena, kind->type, object));
	object->api_version = kind->api_version;
	object->kind = kind->name;
	*ret = object;
	return NULL;
}

/* ---- comparing ---- */

bool object_same_spec(const struct object *a, const struct object *b)
{
	const struct kind *kind = kind_of(a);
	auto_str struct str first = STR_INIT(OBJECT_TEXT_MAX), second = STR_INIT(OBJECT_TEXT_MAX);

	if (kind != kind_of(b))
		return false;
	if (!kind->spec_type)
		return true;
	auto_err err *e = canonical_text(kind->spec_type, (const char *)a + kind->spec_offset, &first);
	if (!e)
		e = canonical_text(kind->spec_type, (const char *)b + kind->spec_offset, &second);
	return !e && str_equal(first.data, second.data);
}

void object_hash(const struct type *type, const void *value, char out[static 17])
{
	auto_str struct str text = STR_INIT(OBJECT_TEXT_MAX);
	char hex[DIGEST_HEX_MAX];
	struct digest digest = { 0 };

	err *e = canonical_text(type, value, &text);
	if (!e)
		e = digest_of(DIGEST_SHA256, text.data, text.len, &digest);
	/* Out of memory. A wrong name would replace all instances of a service; a restart replaces none. */
	if (e)
		abort();
	memcpy(out, digest_hex(&digest, hex), 16);
	out[16] = '\0';
}
