/* scheduler/objects-job.c: writes on their way: tried against what is there, told to the store, tried again, answered. */
#include "scheduler/objects-internal.h"

#include <string.h>

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

void job_end(struct job *j, const err *error, const struct entry *entry)
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
	if (j->op_count == j->op_cap) {
		size_t cap = j->op_cap ? 4 * j->op_cap : 2;
		struct store_op *ops;

		TRY_ALLOC(j->arena, ops, arena_array(j->arena, cap, sizeof(*ops)));
		if (j->op_count)
			memcpy(ops, j->ops, j->op_count * sizeof(*ops));
		j->ops = ops;
		j->op_cap = cap;
	}
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
	/* The last: its revision is the transaction's. */
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
