/* scheduler/objects.c: writes on their way: tried against what is there, told to the store, tried again,
 * answered. */
#include "scheduler/objects-internal.h"

#include <stdio.h>
#include <string.h>

#include "api/lease.h"
#include "api/patch.h"
#include "base/clock.h"
#include "base/log.h"

/* ---- jobs ---- */

err *job_new(struct objects *o, const struct kind *kind, const char *namespace, const char *name,
	     const struct write *w, struct job **ret)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return err_oom();
	j->o = o;
	j->kind = kind;
	str_init(&j->value, STORE_VALUE_MAX);
	if (w)
		j->write = *w;
	j->next = o->jobs;
	j->at = &o->jobs;
	if (j->next)
		j->next->at = &j->next;
	o->jobs = j;
	err *e = arena_new(JOB_ARENA_MAX, &j->arena);
	if (!e) {
		j->namespace =
			kind->namespaced ? arena_strdup(j->arena, namespace ? namespace : "default") : NULL;
		j->name = arena_strdup(j->arena, name);
		j->write.subresource = arena_strdup(j->arena, j->write.subresource);
		if ((kind->namespaced && !j->namespace) || (name && !j->name))
			e = err_oom();
	}
	if (e) {
		job_free(j);
		return e;
	}
	*ret = j;
	return NULL;
}

void job_free(struct job *j)
{
	if (!j)
		return;
	*j->at = j->next;
	if (j->next)
		j->next->at = j->at;
	entry_unref(j->now);
	entry_unref(j->answer);
	str_done(&j->value);
	arena_free(j->arena);
	free(j);
}

static void job_end(struct job *j, const err *error, const struct entry *entry)
{
	bool gone = !error && !j->object && j->lease && j->revision;

	if (gone || (error && j->granted && error->code != ECONNREFUSED))
		store_lease_revoke(j->o->store, j->lease);
	if (j->write.done)
		j->write.done(error, entry, j->write.user);
	job_free(j);
}

static void job_answer(void *user)
{
	struct job *j = user;

	job_end(j, NULL, j->answer);
}

err *job_op(struct job *j, const struct store_op *op)
{
	if (j->op_count == JOB_OPS_MAX)
		return err_new(EINVAL, "more than %d objects would change at once", JOB_OPS_MAX);
	j->ops[j->op_count++] = *op;
	return NULL;
}

static err *key_of(struct job *j, const struct kind *kind, const char *namespace, const char *name,
		   const char **ret)
{
	auto_str struct str key = STR_INIT(STORE_KEY_MAX - 1);

	cache_key(&key, kind, namespace, name);
	TRY(str_check(&key));
	TRY_ALLOC(j->arena, *ret, arena_strdup(j->arena, key.data));
	return NULL;
}

err *job_put_other(struct job *j, const struct entry *now, const struct object *object)
{
	struct store_op op = { .kind = STORE_PUT, .expected = now->revision, .lease = now->lease };
	auto_str struct str text = STR_INIT(STORE_VALUE_MAX);
	struct object *bare;

	TRY(object_shallow(j->arena, now->kind, object, &bare));
	bare->metadata.resource_version = NULL;
	TRY(object_check(bare));
	object_encode(&text, bare, 0);
	TRY(str_check(&text));
	TRY_ALLOC(j->arena, op.value, arena_strndup(j->arena, text.data, text.len));
	op.len = text.len;
	TRY(key_of(j, now->kind, object->metadata.namespace, object->metadata.name, &op.key));
	return job_op(j, &op);
}

err *object_shallow(struct arena *arena, const struct kind *kind, const struct object *object,
		    struct object **ret)
{
	struct object *copy;

	TRY_ALLOC(arena, copy, arena_alloc(arena, kind->type->size));
	memcpy(copy, object, kind->type->size);
	*ret = copy;
	return NULL;
}

/* ---- one try ---- */

static err *not_found(const struct job *j)
{
	return err_new(ENOENT, "%s '%s' not found", j->kind->plural, j->name);
}

/* The object as text, without its revision, which is not known before. *ret_same: it is what is there
 * already. */
static err *encode_object(struct job *j, bool *ret_same)
{
	struct object *bare;

	TRY(object_shallow(j->arena, j->kind, j->object, &bare));
	bare->metadata.resource_version = j->now ? j->now->object->metadata.resource_version : NULL;
	object_encode(&j->value, bare, 0);
	*ret_same = j->now && !j->value.failed && j->value.len == j->now->json->len &&
		    memcmp(j->value.data, j->now->json->bytes, j->value.len) == 0;
	if (*ret_same)
		return NULL;
	bare->metadata.resource_version = NULL;
	TRY(object_check(bare));
	str_clear(&j->value);
	object_encode(&j->value, bare, 0);
	return str_check(&j->value);
}

static void submitted(const struct store_result *result, void *user);

static err *submit(struct job *j)
{
	struct store_op op = { .kind = j->object ? STORE_PUT : STORE_DELETE,
			       .expected = j->now ? j->now->revision : STORE_ABSENT };

	if (j->seen)
		op.expected = j->seen;
	TRY(key_of(j, j->kind, j->namespace, j->name, &op.key));
	if (j->object) {
		op.value = j->value.data;
		op.len = j->value.len;
		op.lease = j->lease;
	}
	j->own_op = j->op_count;
	TRY(job_op(j, &op));
	store_submit(j->o->store, j->ops, j->op_count, submitted, j);
	return NULL;
}

static void granted(err *error, int64_t id, void *user)
{
	struct job *j = user;

	if (error) {
		job_end(j, error, NULL);
		return;
	}
	j->lease = id;
	j->granted = true;
	auto_err err *e = submit(j);
	if (e)
		job_end(j, e, NULL);
}

static err *answer_without_write(struct job *j)
{
	auto_str struct str key = STR_INIT(STORE_KEY_MAX);

	if (!j->answer && j->object) {
		cache_key(&key, j->kind, j->namespace, j->name);
		TRY(cache_decode(key.data, j->value.data, j->value.len, j->now ? j->now->created : 0,
				 j->now ? j->now->revision : 0, &j->answer));
	} else if (!j->answer) {
		j->answer = entry_ref(j->now);
	}
	loop_post(j->o->loop, job_answer, j);
	return NULL;
}

static err *store_object(struct job *j)
{
	bool same = false, renewed = false;

	if (j->object)
		TRY(encode_object(j, &same));
	if (same || j->object == (j->now ? j->now->object : NULL))
		j->answer = j->now ? entry_ref(j->now) : NULL;
	if (j->answer || j->write.dry_run)
		return answer_without_write(j);
	if (lease_of_node(j) && j->object && j->now) {
		TRY(lease_renew(j, j->object, &renewed));
		if (renewed)
			return answer_without_write(j);
	}
	if (lease_of_node(j) && !j->now && !j->granted) {
		store_lease_grant(j->o->store, j->o->lease_ttl, granted, j);
		return NULL;
	}
	return submit(j);
}

static err *job_try(struct job *j)
{
	const struct entry *now;

	str_clear(&j->value);
	j->op_count = 0;
	entry_unref(TAKE(j->now));
	j->tries++;
	/* A name that the server makes up is another one in each try. */
	if (j->create && !j->wanted->metadata.name)
		j->name = NULL;
	if (j->name) {
		now = cache_get(j->o->cache, j->kind->id, j->namespace, j->name);
		j->now = now ? entry_ref(now) : NULL;
		if (j->create && now)
			return err_new(EEXIST, "%s '%s' already exists", j->kind->plural, j->name);
		if (!j->create && !now)
			return not_found(j);
	}
	if (j->now)
		j->lease = j->now->lease;
	j->object = j->now ? j->now->object : NULL;
	TRY(j->make(j, j->now, &j->object));
	if (j->write.check)
		TRY(j->write.check(j->now ? j->now->object : NULL, j->object, j->write.user));
	if (!j->create && j->object == j->now->object) {
		j->answer = entry_ref(j->now);
		return answer_without_write(j);
	}
	return store_object(j);
}

static void job_retry(void *user)
{
	struct job *j = user;
	auto_err err *e = job_try(j);

	if (e)
		job_end(j, e, NULL);
}

err *job_start(struct job *j)
{
	err *e = job_try(j);

	if (e)
		job_free(j);
	return e;
}

/* The entry that the store's event made; decoded anew when another write has come after it already. */
static void answer_committed(struct job *j, uint64_t revision)
{
	const struct entry *e = cache_get(j->o->cache, j->kind->id, j->namespace, j->name);

	j->revision = revision;
	if (!j->object) {
		job_end(j, NULL, j->now);
		return;
	}
	if (e && e->revision == revision) {
		job_end(j, NULL, e);
		return;
	}
	auto_err err *failed = cache_decode(j->ops[j->own_op].key, j->value.data, j->value.len,
					    j->now ? j->now->created : revision, revision, &j->answer);
	job_end(j, failed, failed ? NULL : j->answer);
}

static void submitted(const struct store_result *result, void *user)
{
	struct job *j = user;

	if (!result->error) {
		answer_committed(j, result->revision);
	} else if (result->error->code == ESTALE && !j->seen && j->tries < JOB_TRIES_MAX) {
		loop_post(j->o->loop, job_retry, j);
	} else if (result->error->code == ESTALE) {
		auto_err err *e = err_new(ESTALE, "%s '%s' has been changed meanwhile; read it and try again",
					  j->kind->plural, j->name);
		job_end(j, e, NULL);
	} else {
		job_end(j, result->error, NULL);
	}
}

/* ---- kinds of writes ---- */

static err *make_created(struct job *j, const struct entry *now, const struct object **ret)
{
	struct object *object;

	(void)now;
	TRY(object_shallow(j->arena, j->kind, j->wanted, &object));
	TRY(rules_create(j, object));
	*ret = object;
	return NULL;
}

/* What a client holds must be this object, and of this revision where it says so. */
static err *check_same(const struct job *j, const struct object *now, const struct object *wanted)
{
	const struct meta *m = &wanted->metadata;

	if (m->uid && !str_equal(m->uid, now->metadata.uid))
		return err_new(ESTALE, "%s '%s' is another one by now: its uid is %s, not %s",
			       j->kind->plural, j->name, now->metadata.uid, m->uid);
	if (m->resource_version && m->resource_version[0] &&
	    !str_equal(m->resource_version, now->metadata.resource_version))
		return err_new(ESTALE, "%s '%s' has been changed meanwhile; read it and try again",
			       j->kind->plural, j->name);
	return NULL;
}

static err *make_updated(struct job *j, const struct entry *now, const struct object *wanted,
			 const struct object **ret)
{
	struct object *object;

	TRY(check_same(j, now->object, wanted));
	TRY(object_shallow(j->arena, j->kind, wanted, &object));
	TRY(rules_update(j, now->object, object));
	*ret = object;
	return NULL;
}

static err *make_replaced(struct job *j, const struct entry *now, const struct object **ret)
{
	return make_updated(j, now, j->wanted, ret);
}

static err *make_patched(struct job *j, const struct entry *now, const struct object **ret)
{
	struct object *object;
	json *tree, *merged;

	TRY(json_parse(j->arena, "stored object", now->json->bytes, now->json->len, &tree));
	TRY(patch_merge(j->arena, tree, j->patch, &merged));
	TRY(object_decode_tree(j->arena, "patch", merged, j->kind, 0, &object));
	if (!str_equal(object->metadata.name, j->name) ||
	    !str_equal(object->metadata.namespace, j->namespace))
		return err_new(EINVAL, "patch: metadata: name and namespace may not be changed");
	return make_updated(j, now, object, ret);
}

static err *make_changed(struct job *j, const struct entry *now, const struct object **ret)
{
	struct object *draft;

	TRY(object_copy(j->arena, now->object, &draft));
	TRY(j->change(j->arena, draft, j->change_user));
	return make_updated(j, now, draft, ret);
}

static err *make_deleted(struct job *j, const struct entry *now, const struct object **ret)
{
	const struct meta *m = &now->object->metadata;

	if (j->how.uid && !str_equal(j->how.uid, m->uid))
		return err_new(ESTALE, "%s '%s' is another one by now: its uid is %s, not %s",
			       j->kind->plural, j->name, m->uid, j->how.uid);
	if (j->how.resource_version && !str_equal(j->how.resource_version, m->resource_version))
		return err_new(ESTALE, "%s '%s' has been changed meanwhile; read it and try again",
			       j->kind->plural, j->name);
	return rules_delete(j, now, ret);
}

/* ---- the calls ---- */

static err *check_subresource(const struct kind *kind, const struct write *w)
{
	if (!w || !w->subresource)
		return NULL;
	if (!str_equal(w->subresource, "status") || !kind->status)
		return err_new(ENOENT, "%s have no '%s'", kind->plural, w->subresource);
	return NULL;
}

/* A job for an object that is given whole. */
static err *job_for(struct objects *o, const struct object *object, const struct write *w, job_make_fn *make,
		    struct job **ret)
{
	const struct kind *kind = kind_of(object);
	struct object *copy;
	struct job *j;

	if (!kind)
		return err_new(EINVAL, "kind: '%s' is not known", object->kind ? object->kind : "");
	TRY(check_subresource(kind, w));
	TRY(job_new(o, kind, object->metadata.namespace, object->metadata.name, w, &j));
	err *e = object_copy(j->arena, object, &copy);
	if (e) {
		job_free(j);
		return e;
	}
	j->wanted = copy;
	j->make = make;
	*ret = j;
	return NULL;
}

err *objects_create(struct objects *o, const struct object *object, const struct write *w)
{
	struct job *j;

	TRY(job_for(o, object, w, make_created, &j));
	j->create = true;
	return job_start(j);
}

err *objects_replace(struct objects *o, const struct object *object, const struct write *w)
{
	struct job *j;

	TRY(job_for(o, object, w, make_replaced, &j));
	if (!j->name) {
		job_free(j);
		return err_new(EINVAL, "metadata.name: required but missing");
	}
	return job_start(j);
}

err *objects_patch(struct objects *o, const struct kind *kind, const char *namespace, const char *name,
		   const char *patch, size_t len, const struct write *w)
{
	struct job *j;
	json *tree;

	TRY(check_subresource(kind, w));
	TRY(job_new(o, kind, namespace, name, w, &j));
	err *e = json_parse(j->arena, "patch", patch, len, &tree);
	if (!e && tree->kind != JSON_OBJECT)
		e = err_new(EINVAL, "patch: expected object, got %s", json_kind_name(tree->kind));
	if (e) {
		job_free(j);
		return err_with_code(e, EBADMSG);
	}
	j->patch = tree;
	j->make = make_patched;
	return job_start(j);
}

err *objects_change(struct objects *o, const struct kind *kind, const char *namespace, const char *name,
		    objects_change_fn *fn, void *fn_user, const struct write *w)
{
	struct job *j;

	TRY(check_subresource(kind, w));
	TRY(job_new(o, kind, namespace, name, w, &j));
	j->change = fn;
	j->change_user = fn_user;
	j->make = make_changed;
	return job_start(j);
}

err *objects_delete(struct objects *o, const struct kind *kind, const char *namespace, const char *name,
		    const struct delete_options *how, const struct write *w)
{
	struct job *j;

	TRY(job_new(o, kind, namespace, name, w, &j));
	j->write.subresource = NULL;
	j->make = make_deleted;
	if (how) {
		int64_t *grace = NULL;

		if (how->grace && (grace = arena_alloc(j->arena, sizeof(*grace))))
			*grace = *how->grace;
		j->how = (struct delete_options){
			.uid = arena_strdup(j->arena, how->uid),
			.resource_version = arena_strdup(j->arena, how->resource_version),
			.grace = grace,
			.orphan = how->orphan,
		};
		if ((how->uid && !j->how.uid) || (how->resource_version && !j->how.resource_version) ||
		    (how->grace && !grace)) {
			job_free(j);
			return err_oom();
		}
	}
	return job_start(j);
}

/* ---- the whole ---- */

static void told_namespace(const err *error, const struct entry *entry, void *user)
{
	(void)entry;
	(void)user;
	if (error && error->code != EEXIST)
		log_err(error);
}

static err *make_namespaces(struct objects *o)
{
	static const char *const names[] = { "default", LEASE_NAMESPACE };
	const struct write w = { .done = told_namespace };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		auto_arena struct arena *arena = NULL;
		struct object *object;

		if (cache_get(o->cache, KIND_NAMESPACE, NULL, names[i]))
			continue;
		TRY(arena_new(1 << 20, &arena));
		TRY(object_new(arena, &kinds[KIND_NAMESPACE], &object));
		object->metadata.name = names[i];
		TRY(err_wrap(objects_create(o, object, &w), "namespace '%s'", names[i]));
	}
	return NULL;
}

/* A claim that was deleted while Pods mounted it goes after the last of them. */
static void claims_may_go(const struct entry *before, struct objects *o)
{
	const struct pod *pod = (const struct pod *)(const void *)before->object;

	for (size_t i = 0; i < pod->spec.volumes.count; i++) {
		const struct pod_claim_source *source = pod->spec.volumes.items[i].claim;
		const struct entry *claim =
			source ? cache_get(o->cache, KIND_CLAIM, pod->metadata.namespace, source->claim)
			       : NULL;

		if (claim && claim->object->metadata.deletion.nsec)
			IGNORE(objects_delete(o, claim->kind, pod->metadata.namespace, source->claim, NULL,
					      NULL));
	}
}

static void on_change(const struct entry *before, const struct entry *after, uint64_t revision, void *user)
{
	(void)revision;
	if (before && before->kind->id == KIND_POD &&
	    (!after || pod_is_over((const struct pod *)(const void *)after->object)))
		claims_may_go(before, user);
}

err *objects_new(struct loop *l, struct store *store, struct cache *cache, struct objects **ret)
{
	struct objects *o = calloc(1, sizeof(*o));

	if (!o)
		return err_oom();
	*o = (struct objects){
		.loop = l, .store = store, .cache = cache, .lease_ttl = 40 * (int64_t)NSEC_PER_SEC
	};
	err *e = cache_subscribe(cache, on_change, o);
	if (!e)
		e = make_namespaces(o);
	if (e) {
		objects_free(o);
		return e;
	}
	*ret = o;
	return NULL;
}

void objects_free(struct objects *o)
{
	auto_err err *e = err_new(ECONNREFUSED, "the scheduler is ending");

	if (!o)
		return;
	while (o->jobs)
		job_end(o->jobs, e, NULL);
	free(o);
}

void objects_set_lease(struct objects *o, int64_t ttl)
{
	o->lease_ttl = ttl;
}
