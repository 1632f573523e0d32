/* scheduler/explain-plan.c: what a manifest would change, with the places its instances would find. */
#include <stdio.h>
#include <string.h>

#include "api/apply.h"
#include "api/claim.h"
#include "api/deployment.h"
#include "api/manifest.h"
#include "api/patch.h"
#include "api/report.h"
#include "scheduler/explain-internal.h"
#include "scheduler/index.h"

enum { CHANGES_MAX = 1000, INSTANCES_MAX = 100000 };

struct planning {
	struct scheduler *s;
	struct arena *arena;
	struct place *place;   /* a copy */
	struct index claims;   /* "NAMESPACE/CLAIM": the node that an instance took it to */
	struct index promised; /* "NAMESPACE/CLAIM": the manifest has it */
	unsigned instances;    /* tried so far: names them */
};

/* ---- what is different ---- */

struct changes {
	struct arena *arena;
	struct strings list; /* room for CHANGES_MAX */
};

static err *add_change(struct changes *c, const struct str *path)
{
	if (c->list.count == CHANGES_MAX)
		return NULL;
	return report_keep(c->arena, path, &c->list.items[c->list.count++]);
}

static err *compare(struct changes *c, struct str *path, const json *now, const json *wanted);

/* Put one more step on the path, compare there, and take it off. */
static err *compare_member(struct changes *c, struct str *path, const char *key, const json *now, const json *wanted)
{
	size_t len = path->len;

	str_addf(path, "%s%s", len ? "." : "", key);
	err *e = compare(c, path, now, wanted);
	path->len = MIN(path->len, len);
	path->data[path->len] = '\0';
	return e;
}

static err *compare_objects(struct changes *c, struct str *path, const json *now, const json *wanted)
{
	for (size_t i = 0; i < wanted->object.count; i++) {
		const struct json_member *m = &wanted->object.members[i];
		TRY(compare_member(c, path, m->key, json_get(now, m->key), m->value));
	}
	for (size_t i = 0; i < now->object.count; i++)
		if (!json_get(wanted, now->object.members[i].key))
			TRY(compare_member(c, path, now->object.members[i].key, now->object.members[i].value, NULL));
	return NULL;
}

static err *compare_lists(struct changes *c, struct str *path, const json *now, const json *wanted)
{
	for (size_t i = 0; i < MAX(now->array.count, wanted->array.count); i++) {
		size_t len = path->len;
		str_addf(path, "[%zu]", i);
		err *e = compare(c, path, i < now->array.count ? now->array.items[i] : NULL,
				 i < wanted->array.count ? wanted->array.items[i] : NULL);
		path->len = MIN(path->len, len);
		path->data[path->len] = '\0';
		TRY(e);
	}
	return NULL;
}

static err *compare(struct changes *c, struct str *path, const json *now, const json *wanted)
{
	if (now && wanted && now->kind == JSON_OBJECT && wanted->kind == JSON_OBJECT)
		return compare_objects(c, path, now, wanted);
	if (now && wanted && now->kind == JSON_ARRAY && wanted->kind == JSON_ARRAY)
		return compare_lists(c, path, now, wanted);
	return now && wanted && json_equal(now, wanted) ? NULL : add_change(c, path);
}

static err *as_tree(struct arena *arena, const struct object *object, json **ret)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);

	object_encode(&text, object, 0);
	TRY(str_check(&text));
	return json_parse(arena, "object", text.data, text.len, ret);
}

/* What users write of the metadata; apply's own note is no change. */
static err *compare_notes(struct changes *c, const char *key, const json *from, const json *to)
{
	static json none = { .kind = JSON_OBJECT };
	auto_str struct str path = STR_INIT(SENTENCE_MAX);
	const json *now = json_get(json_get(from, "metadata"), key),
		   *wanted = json_get(json_get(to, "metadata"), key);
	size_t before = c->list.count;

	str_addf(&path, "metadata.%s", key);
	TRY(compare(c, &path, now ? now : &none, wanted ? wanted : &none));
	for (size_t i = before; i < c->list.count; i++)
		if (str_ends_with(c->list.items[i], "." APPLY_LAST))
			c->list.items[i--] = c->list.items[--c->list.count];
	return NULL;
}

static bool is_spec(const char *key)
{
	return !str_equal(key, "apiVersion") && !str_equal(key, "kind") && !str_equal(key, "metadata") &&
	       !str_equal(key, "status");
}

static err *find_changes(struct arena *arena, const json *from, const struct object *wanted,
			 struct strings *ret)
{
	struct changes c = { .arena = arena };
	auto_str struct str path = STR_INIT(SENTENCE_MAX);
	json *to;

	TRY_ALLOC(arena, c.list.items, arena_array(arena, CHANGES_MAX, sizeof(char *)));
	TRY(as_tree(arena, wanted, &to));
	TRY(compare_notes(&c, "labels", from, to));
	TRY(compare_notes(&c, "annotations", from, to));
	for (size_t i = 0; i < to->object.count; i++) {
		const char *key = to->object.members[i].key;
		if (is_spec(key))
			TRY(compare_member(&c, &path, key, json_get(from, key), to->object.members[i].value));
	}
	*ret = c.list;
	return NULL;
}

/* The object as `apply` would leave it: what others set, and what the manifest leaves open, stays. */
static err *applied(struct arena *arena, const struct manifest_item *m, const json *live, struct object **ret)
{
	json *patch, *merged;

	TRY(apply_patch(arena, apply_last(arena, live), m->tree, live, &patch));
	TRY(patch_merge(arena, live, patch, &merged));
	return object_decode_tree(arena, m->source, merged, kind_of(m->object), 0, ret);
}

/* ---- where instances would go ---- */

struct instances {
	const struct meta *meta;    /* labels, annotations */
	const struct pod_spec *spec;
	const char *namespace;
	const char *owner;          /* uid that they share; NULL */
	int32_t count;
};

/* The claim of the i-th volume as a key; "" where it has none. */
static void claim_key(const struct pod *pod, size_t i, struct str *key)
{
	str_clear(key);
	if (pod->spec.volumes.items[i].claim)
		str_addf(key, "%s/%s", pod->metadata.namespace, pod->spec.volumes.items[i].claim->claim);
}

static const char *claim_node(struct planning *p, const struct pod *pod)
{
	const char *node = binder_claim_node(p->s, pod);
	auto_str struct str key = STR_INIT(SENTENCE_MAX);

	for (size_t i = 0; !node && i < pod->spec.volumes.count; i++) {
		claim_key(pod, i, &key);
		node = index_get(&p->claims, key.data);
	}
	return node;
}

static void take_claims(struct planning *p, const struct pod *pod, const char *node)
{
	auto_str struct str key = STR_INIT(SENTENCE_MAX);

	for (size_t i = 0; i < pod->spec.volumes.count; i++) {
		claim_key(pod, i, &key);
		if (key.len && !index_get(&p->claims, key.data))
			index_put(&p->claims, key.data, (void *)(uintptr_t)node);
	}
}

static const char *missing_claim(struct planning *p, const struct pod *pod)
{
	auto_str struct str key = STR_INIT(SENTENCE_MAX);

	for (size_t i = 0; i < pod->spec.volumes.count; i++) {
		const struct pod_claim_source *source = pod->spec.volumes.items[i].claim;
		claim_key(pod, i, &key);
		if (source && !index_get(&p->promised, key.data) &&
		    !cache_get(p->s->cache, KIND_CLAIM, pod->metadata.namespace, source->claim))
			return source->claim;
	}
	return NULL;
}

/* One more instance of a place that has some already. */
static err *count_placement(struct planning *p, struct plan_item *item, const char *node, const char *summary)
{
	size_t at = 0;

	while (at < item->placements.count && (!str_equal(item->placements.items[at].node, node) ||
					       !str_equal(item->placements.items[at].summary, summary)))
		at++;
	if (at == item->placements.count) {
		__typeof__(item->placements.items) items;
		TRY_ALLOC(p->arena, items, arena_array(p->arena, at + 1, sizeof(*items)));
		if (at)
			memcpy(items, item->placements.items, at * sizeof(*items));
		items[at].node = node;
		items[at].summary = summary;
		item->placements.items = items;
		item->placements.count++;
	}
	item->placements.items[at].instances++;
	return NULL;
}

static err *place_one(struct planning *p, const struct pod *pod, struct plan_item *item, bool *fits)
{
	auto_str struct str summary = STR_INIT(SENTENCE_MAX);
	const char *node = NULL, *why = NULL, *missing = missing_claim(p, pod);
	struct place_answer answer = { 0 };

	if (missing)
		str_addf(&summary, "claim '%s' is not there", missing);
	else
		TRY(place_choose(p->place, pod, claim_node(p, pod), true, &answer));
	if (answer.node) {
		TRY_ALLOC(p->arena, node, arena_strdup(p->arena, answer.node));
		take_claims(p, pod, node);
	} else {
		if (!missing)
			place_summary(&answer, &summary);
		TRY(report_keep(p->arena, &summary, &why));
		*fits = false;
	}
	return count_placement(p, item, node, why);
}

static err *place_instances(struct planning *p, const struct instances *in, struct plan_item *item, bool *fits)
{
	struct owner_reference owner = { "apps/v1", "ReplicaSet", "plan", in->owner, true, true };

	for (int32_t i = 0; i < in->count; i++) {
		char name[32];
		if (++p->instances > INSTANCES_MAX)
			return err_new(EFBIG, "more than %d instances in one plan", INSTANCES_MAX);
		snprintf(name, sizeof(name), "plan-%u", p->instances);
		struct pod pod = { .metadata = *in->meta, .spec = *in->spec };
		pod.metadata.name = pod.metadata.uid = name;
		pod.metadata.namespace = in->namespace;
		pod.metadata.owners.items = &owner;
		pod.metadata.owners.count = in->owner != NULL;
		TRY(place_one(p, &pod, item, fits));
	}
	return NULL;
}

/* ---- a Deployment's instances ---- */

static bool forget_pod(const struct entry *e, void *user)
{
	struct planning *p = user;

	if (e->kind->id == KIND_POD)
		place_remove(p->place, e->object->metadata.uid);
	return true;
}

static bool forget_owned(const struct entry *e, void *user)
{
	struct planning *p = user;

	if (e->kind->id == KIND_REPLICASET)
		cache_each_owned(p->s->cache, e->object->metadata.uid, forget_pod, user);
	return true;
}

struct replicas {
	const char *uid;
	int32_t most;
};
static bool find_largest(const struct entry *e, void *user)
{
	const struct replicaset *r = (const struct replicaset *)(const void *)e->object;
	struct replicas *found = user;

	if (e->kind->id == KIND_REPLICASET && r->spec.replicas > found->most)
		*found = (struct replicas){ r->metadata.uid, r->spec.replicas };
	return true;
}

static bool template_changes(const struct strings *changed)
{
	for (size_t i = 0; i < changed->count; i++)
		if (str_starts_with(changed->items[i], "spec.template."))
			return true;
	return false;
}

/* New instances where there are more of them, or all anew where the template is another. */
static err *plan_deployment(struct planning *p, const struct object *now, const struct object *wanted,
			    struct plan_item *item, bool *fits)
{
	const struct deployment *to = (const struct deployment *)(const void *)wanted;
	const struct deployment *from = (const struct deployment *)(const void *)now;
	char owner[48];
	struct instances in = {
		.meta = &to->spec.template.metadata,
		.spec = &to->spec.template.spec,
		.namespace = wanted->metadata.namespace,
		.owner = owner,
		.count = to->spec.replicas,
	};

	struct replicas largest = { .uid = owner };

	snprintf(owner, sizeof(owner), "plan-of-%u", p->instances);
	item->replaces_pods = now && template_changes(&item->changed);
	if (item->replaces_pods) {
		cache_each_owned(p->s->cache, now->metadata.uid, forget_owned, p);
	} else if (now) {
		/* Beside those that are there. */
		cache_each_owned(p->s->cache, now->metadata.uid, find_largest, &largest);
		in.owner = largest.uid;
		in.count -= from->spec.replicas;
	}
	return place_instances(p, &in, item, fits);
}

static err *plan_pod(struct planning *p, const struct object *now, const struct object *wanted,
		     struct plan_item *item, bool *fits)
{
	const struct pod *pod = (const struct pod *)(const void *)wanted;
	const struct instances in = {
		.meta = &wanted->metadata,
		.spec = &pod->spec,
		.namespace = wanted->metadata.namespace,
		.count = 1,
	};

	return now ? NULL : place_instances(p, &in, item, fits);
}

/* ---- items ---- */

static err *plan_item(struct planning *p, const struct manifest_item *m, struct plan_item *item, bool *fits)
{
	struct object *wanted = m->object;
	const struct kind *kind = kind_of(wanted);

	const struct entry *e = cache_get(p->s->cache, kind->id, wanted->metadata.namespace, wanted->metadata.name);
	const struct object *now = e ? e->object : NULL;
	*item = (struct plan_item){
		.kind = kind->name,
		.namespace = kind->namespaced ? wanted->metadata.namespace : NULL,
		.name = wanted->metadata.name,
		.action = PLAN_CREATE,
	};
	if (now) {
		json *live;
		TRY(as_tree(p->arena, now, &live));
		TRY(applied(p->arena, m, live, &wanted));
		TRY(find_changes(p->arena, live, wanted, &item->changed));
		item->action = item->changed.count ? PLAN_CHANGE : PLAN_NOTHING;
	}
	if (item->action == PLAN_NOTHING)
		return NULL;
	if (kind->id == KIND_DEPLOYMENT)
		return plan_deployment(p, now, wanted, item, fits);
	return kind->id == KIND_POD ? plan_pod(p, now, wanted, item, fits) : NULL;
}

static err *prepare(struct planning *p, const struct manifest_item *m)
{
	struct meta *meta = &m->object->metadata;
	const struct kind *kind = kind_of(m->object);
	auto_str struct str key = STR_INIT(SENTENCE_MAX);

	if (kind->namespaced && !meta->namespace)
		meta->namespace = "default";
	if (!meta->name)
		return err_new(EINVAL, "%s: metadata.name: required but missing", m->source);
	if (kind->id == KIND_CLAIM) {
		str_addf(&key, "%s/%s", meta->namespace, meta->name);
		index_put(&p->promised, key.data, m->object);
	}
	return NULL;
}

static err *plan_all(struct planning *p, const char *body, size_t len, struct str *out)
{
	struct manifest m;
	struct plan plan = { .fits = true };

	TRY(manifest_parse(p->arena, "plan", body, len, &m));
	TRY_ALLOC(p->arena, plan.items.items, arena_array(p->arena, m.count, sizeof(*plan.items.items)));
	plan.items.count = m.count;
	for (size_t i = 0; i < m.count; i++)
		TRY(prepare(p, &m.items[i]));
	for (size_t i = 0; i < m.count; i++)
		TRY(plan_item(p, &m.items[i], &plan.items.items[i], &plan.fits));
	return report_write(out, &t_plan, &plan);
}

err *explain_plan(struct scheduler *s, const char *body, size_t len, struct str *out)
{
	auto_arena struct arena *arena = NULL;
	struct planning p = { .s = s };

	TRY(arena_new(REPORT_ARENA_MAX, &arena));
	p.arena = arena;
	TRY(place_copy(s->place, &p.place));
	err *e = plan_all(&p, body, len, out);
	place_free(p.place);
	index_done(&p.claims);
	index_done(&p.promised);
	return e;
}
