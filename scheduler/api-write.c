/* scheduler/api-write.c: requests that change objects. */
#include <stdio.h>
#include <string.h>

#include "api/deployment.h"
#include "base/clock.h"
#include "scheduler/api-internal.h"
#include "scheduler/ration.h"

static void answer_written(const err *error, const struct entry *e, void *user)
{
	struct call *c = user;

	if (error)
		call_answer_error(c, error);
	else
		call_answer_entry(c, c->success, e);
}

/* A dry run's answer looks as the real one. */
static void answer_deleted(const err *error, const struct entry *e, void *user)
{
	struct call *c = user;

	if (error)
		call_answer_error(c, error);
	else if (cache_get_uid(c->s->cache, e->object->metadata.uid) && !c->dry_run)
		call_answer_entry(c, c->success, e);
	else
		call_answer_success(c, c->success, e->object->metadata.uid);
}

static err *check_write(const struct object *now, const struct object *next, void *user)
{
	struct call *c = user;

	return auth_write(&c->who, c->s->cache, &c->access, now, next);
}

struct write call_write(struct call *c)
{
	return (struct write){
		.dry_run = c->dry_run,
		.subresource = str_equal(c->subresource, "status") ? "status" : NULL,
		.done = answer_written,
		.user = c,
		.check = check_write,
	};
}

err *call_create(struct call *c)
{
	const struct write w = call_write(c);
	struct object *object;

	if (c->kind->namespaced && !c->namespace)
		return err_new(EOPNOTSUPP, "%s are made in a namespace: POST to .../namespaces/NAMESPACE/%s",
			       c->kind->plural, c->kind->plural);
	if (c->who.role == ROLE_NODE && c->kind->id == KIND_EVENT)
		TRY(ration_take(c->s->ration, c->who.node, clock_boot()));
	TRY(body_object(c, &object));
	c->success = 201;
	return objects_create(c->s->objects, object, &w);
}

err *call_replace(struct call *c)
{
	const struct write w = call_write(c);
	struct object *object;

	TRY(body_object(c, &object));
	return objects_replace(c->s->objects, object, &w);
}

err *call_patch(struct call *c)
{
	const struct write w = call_write(c);
	enum patch_kind as;
	const char *patch;
	size_t len;

	TRY(body_patch(c, &as, &patch, &len));
	return objects_patch_as(c->s->objects, as, c->kind, c->namespace, c->name, patch, len, &w);
}

err *call_delete(struct call *c)
{
	struct delete_options how;

	TRY(body_delete_options(c, &how));
	struct write w = call_write(c);
	w.done = answer_deleted;
	return objects_delete(c->s->objects, c->kind, c->namespace, c->name, &how, &w);
}

/* As `kubectl drain` asks for it: a deletion that a disruption budget could refuse, had we any. */
err *call_evict(struct call *c)
{
	struct delete_options how;

	TRY(body_delete_options(c, &how));
	struct write w = call_write(c);
	w.done = answer_deleted;
	c->success = 201;
	return objects_delete(c->s->objects, c->kind, c->namespace, c->name, &how, &w);
}

/* ---- many at once ---- */

struct many {
	struct call *call;
	struct delete_options how;
	struct filter filter;
	struct entry **found;
	size_t count, cap, next, waiting;
	bool posted; /* delete_some() is on its way */
	err *error;  /* the first */
};
enum { AT_ONCE = 32 /* so that others have their turn between */ };

static bool collect(const struct entry *e, void *user)
{
	struct many *m = user;

	if (!filter_sees(&m->filter, e->object))
		return true;
	if (m->count == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 64;
		struct entry **found = reallocarray(m->found, cap, sizeof(*found));

		if (!found)
			abort();
		m->found = found;
		m->cap = cap;
	}
	m->found[m->count++] = entry_ref(e);
	return true;
}

static void answer_many(struct many *m)
{
	auto_str struct str body = STR_INIT(API_PAGE_MAX);

	if (--m->waiting > 0 || m->posted || m->next < m->count)
		return;
	if (m->error) {
		call_answer_error(m->call, m->error);
	} else {
		str_addf(&body,
			 "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%llu\"},"
			 "\"items\":[",
			 m->call->kind->list_name, m->call->kind->api_version,
			 (unsigned long long)cache_revision(m->call->s->cache));
		for (size_t i = 0; i < m->count; i++) {
			str_add(&body, i ? "," : "");
			str_add_bytes(&body, m->found[i]->json->bytes, m->found[i]->json->len);
		}
		str_add(&body, "]}");
		call_answer(m->call, 200, API_JSON, &body, 0);
	}
	for (size_t i = 0; i < m->count; i++)
		entry_unref(m->found[i]);
	free(m->found);
	err_free(m->error);
	free(m);
}

static void delete_some(void *user);

static void one_deleted(const err *error, const struct entry *e, void *user)
{
	struct many *m = user;

	(void)e;
	/* Who is gone already is what was wanted. */
	if (error && error->code != ENOENT && !m->error) {
		auto_str struct str text = STR_INIT(4096);

		err_format(error, &text);
		m->error = err_new(error->code, "%s", text.data);
	}
	if (m->next < m->count && !m->posted) {
		m->posted = true;
		loop_post(m->call->s->loop, delete_some, m);
	}
	answer_many(m);
}

static void delete_some(void *user)
{
	struct many *m = user;
	struct call *c = m->call;
	const struct write w = { .dry_run = c->dry_run, .done = one_deleted, .user = m };

	m->posted = false;
	m->waiting++; /* until all of this turn are asked for */
	while (m->next < m->count && m->waiting <= AT_ONCE) {
		const struct meta *meta = &m->found[m->next++]->object->metadata;
		auto_err err *failed = NULL;

		m->waiting++;
		failed = objects_delete(c->s->objects, c->kind, meta->namespace, meta->name, &m->how, &w);
		if (failed)
			one_deleted(failed, NULL, m);
	}
	answer_many(m);
}

err *call_delete_all(struct call *c)
{
	struct many *m = calloc(1, sizeof(*m));

	if (!m)
		return err_oom();
	m->call = c;
	m->filter = (struct filter){ c->namespace, c->labels, c->fields, c->who };
	err *e = body_delete_options(c, &m->how);
	if (e) {
		free(m);
		return e;
	}
	cache_each(c->s->cache, c->kind->id, c->namespace, collect, m);
	m->posted = true;
	loop_post(c->s->loop, delete_some, m);
	return NULL;
}

/* ---- a Pod's node ---- */

static void answer_bound(const err *error, const struct entry *e, void *user)
{
	struct call *c = user;

	if (error)
		call_answer_error(c, error);
	else
		call_answer_success(c, 201, e->object->metadata.uid);
}

err *call_bind(struct call *c)
{
	struct write w = call_write(c);
	const char *kind, *node;
	json *tree;

	TRY(body_tree(c, &tree));
	kind = json_get_string(json_get(tree, "target"), "kind");
	node = json_get_string(json_get(tree, "target"), "name");
	if (!node || (kind && !str_equal(kind, "Node")))
		return err_new(EBADMSG, "body: target: must name a Node");
	w.done = answer_bound;
	return objects_bind_named(c->s->objects, c->namespace, c->name, node, &w);
}

/* ---- scale ---- */

static int32_t *replicas_of(const struct kind *kind, const struct object *object)
{
	if (kind->id == KIND_REPLICASET)
		return &((struct replicaset *)(uintptr_t)object)->spec.replicas;
	return &((struct deployment *)(uintptr_t)object)->spec.replicas;
}

static void write_scale(const struct entry *e, struct str *out)
{
	const struct deployment *d = (const struct deployment *)(const void *)e->object;
	const struct replicaset *r = (const struct replicaset *)(const void *)e->object;
	bool set = e->kind->id == KIND_REPLICASET;
	auto_str struct str selector = STR_INIT(1 << 16);
	struct json_writer w = JSON_WRITER(out, 0);
	char time[CLOCK_TEXT_MAX];

	label_selector_format(set ? &r->spec.selector : &d->spec.selector, &selector);
	json_begin_object(&w);
	json_member_string(&w, "kind", "Scale");
	json_member_string(&w, "apiVersion", "autoscaling/v1");
	json_key(&w, "metadata");
	json_begin_object(&w);
	json_member_string(&w, "name", e->object->metadata.name);
	json_member_string(&w, "namespace", e->object->metadata.namespace);
	json_member_string(&w, "uid", e->object->metadata.uid);
	json_member_string(&w, "resourceVersion", e->object->metadata.resource_version);
	json_member_string(&w, "creationTimestamp",
			   clock_text(e->object->metadata.creation.nsec, false, time));
	json_end_object(&w);
	json_key(&w, "spec");
	json_begin_object(&w);
	json_member_int(&w, "replicas", *replicas_of(e->kind, e->object));
	json_end_object(&w);
	json_key(&w, "status");
	json_begin_object(&w);
	json_member_int(&w, "replicas", set ? r->status.replicas : d->status.replicas);
	json_member_string(&w, "selector", selector.data);
	json_end_object(&w);
	json_end_object(&w);
}

static void answer_scale(const err *error, const struct entry *e, void *user)
{
	struct call *c = user;
	auto_str struct str body = STR_INIT(1 << 18);

	if (error) {
		call_answer_error(c, error);
		return;
	}
	write_scale(e, &body);
	call_answer(c, 200, API_JSON, &body, c->verb == VERB_GET ? 0 : e->revision);
}

err *call_scale_get(struct call *c)
{
	const struct entry *e = cache_get(c->s->cache, c->kind->id, c->namespace, c->name);

	if (!e)
		return err_new(ENOENT, "%s '%s' not found", c->kind->plural, c->name);
	answer_scale(NULL, e, c);
	return NULL;
}

struct wanted_scale {
	const char *resource_version;
	int64_t replicas;
};

static err *set_replicas(struct arena *arena, struct object *draft, void *user)
{
	const struct call *c = user;
	const struct wanted_scale *wanted = c->extra;

	(void)arena;
	if (wanted->resource_version)
		draft->metadata.resource_version = wanted->resource_version;
	*replicas_of(c->kind, draft) = (int32_t)wanted->replicas;
	return NULL;
}

static err *scale(struct call *c, const json *tree)
{
	struct write w = call_write(c);
	const json *replicas = json_get(json_get(tree, "spec"), "replicas");
	struct wanted_scale *wanted;

	TRY_ALLOC(c->arena, wanted, arena_alloc(c->arena, sizeof(*wanted)));
	if (!replicas || !json_to_i64(replicas, &wanted->replicas) || wanted->replicas < 0 ||
	    wanted->replicas > INT32_MAX)
		return err_new(EINVAL, "spec.replicas: must be a number of 0 or more");
	wanted->resource_version = json_get_string(json_get(tree, "metadata"), "resourceVersion");
	c->extra = wanted;
	w.done = answer_scale;
	return objects_change(c->s->objects, c->kind, c->namespace, c->name, set_replicas, c, &w);
}

err *call_scale_put(struct call *c)
{
	const char *name;
	json *tree;

	TRY(body_tree(c, &tree));
	name = json_get_string(json_get(tree, "metadata"), "name");
	if (name && !str_equal(name, c->name))
		return err_new(EBADMSG, "metadata.name: '%s' is not the path's '%s'", name, c->name);
	return scale(c, tree);
}

err *call_scale_patch(struct call *c)
{
	enum patch_kind as;
	const char *patch;
	size_t len;
	json *tree;

	TRY(body_patch(c, &as, &patch, &len));
	if (as == PATCH_JSON)
		return err_new(EPROTOTYPE, "a Scale is changed by a merge patch");
	TRY(err_with_code(json_parse(c->arena, "patch", patch, len, &tree), EBADMSG));
	return scale(c, tree);
}
