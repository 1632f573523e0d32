/* scheduler/objects.c: writes on their way: tried against what is there, told to the store, tried again,
 * answered. */
#include "scheduler/objects-internal.h"

#include "api/lease.h"
#include "api/patch.h"
#include "base/clock.h"
#include "base/log.h"

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

/* A change by somebody outside is held to the rules for what is new; of what stays as it was, nothing is
 * asked. */
static err *admit_change(const struct job *j, const struct entry *now, const struct object *wanted)
{
	return j->write.subresource || object_same_spec(now->object, wanted) ? NULL : object_admit(wanted);
}

static err *make_replaced(struct job *j, const struct entry *now, const struct object **ret)
{
	TRY(admit_change(j, now, j->wanted));
	return make_updated(j, now, j->wanted, ret);
}

static err *make_patched(struct job *j, const struct entry *now, const struct object **ret)
{
	static err *(*const apply[])(struct arena * arena, const json *target, const json *patch,
				     json **ret) = {
		[PATCH_MERGE] = patch_merge, [PATCH_JSON] = patch_json, [PATCH_STRATEGIC] = patch_strategic
	};
	struct object *object;
	json *tree, *merged;

	TRY(json_parse(j->arena, "stored object", now->json->bytes, now->json->len, &tree));
	TRY(err_wrap(apply[j->patch_as](j->arena, tree, j->patch, &merged), "patch"));
	TRY(object_decode_tree(j->arena, "patch", merged, j->kind, 0, &object));
	if (!str_equal(object->metadata.name, j->name) ||
	    !str_equal(object->metadata.namespace, j->namespace))
		return err_new(EINVAL, "patch: metadata: name and namespace may not be changed");
	TRY(admit_change(j, now, object));
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
	return objects_patch_as(o, PATCH_MERGE, kind, namespace, name, patch, len, w);
}

err *objects_patch_as(struct objects *o, enum patch_kind as, const struct kind *kind, const char *namespace,
		      const char *name, const char *patch, size_t len, const struct write *w)
{
	struct job *j;
	json *tree;

	TRY(check_subresource(kind, w));
	TRY(job_new(o, kind, namespace, name, w, &j));
	err *e = json_parse(j->arena, "patch", patch, len, &tree);
	enum json_kind expected = as == PATCH_JSON ? JSON_ARRAY : JSON_OBJECT;
	if (!e && tree->kind != expected)
		e = err_new(EINVAL, "patch: expected %s, got %s", json_kind_name(expected),
			    json_kind_name(tree->kind));
	if (e) {
		job_free(j);
		return err_with_code(e, EBADMSG);
	}
	j->patch = tree;
	j->patch_as = as;
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
