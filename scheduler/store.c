/* scheduler/store.c: from a store's URL to its back end; what holds for all of them. */
#include "scheduler/store-internal.h"

#include <string.h>

static const struct store_backend *const backends[] = { &store_sqlite };

enum { KEEP_REVISIONS = 100000, KEEP_BYTES = 64 << 20 };

static const struct store_backend *find_backend(const char *url, const char **ret_place)
{
	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		size_t len = strlen(backends[i]->scheme);
		if (strncmp(url, backends[i]->scheme, len) == 0 && url[len] == ':') {
			*ret_place = url + len + 1;
			return backends[i];
		}
	}
	return NULL;
}

static err *unknown_scheme(void)
{
	auto_str struct str known = STR_INIT(256);

	for (size_t i = 0; i < ARRAY_LEN(backends); i++)
		str_addf(&known, "%s%s:", i ? ", " : "", backends[i]->scheme);
	return err_new(EINVAL, "begins with none of %s", known.data);
}

err *store_open(struct loop *l, const struct store_options *options, struct store **ret)
{
	struct store_options o = *options;
	const char *place = "";
	const struct store_backend *backend = find_backend(o.url, &place);

	if (!backend)
		return unknown_scheme();
	if (!o.keep_revisions)
		o.keep_revisions = KEEP_REVISIONS;
	if (!o.keep_bytes)
		o.keep_bytes = KEEP_BYTES;
	return backend->open(l, place, &o, ret);
}

void store_close(struct store *s)
{
	if (s)
		s->backend->close(s);
}

err *store_get(struct store *s, struct arena *arena, const char *key, bool *ret_found,
	       struct store_entry *ret)
{
	return s->backend->get(s, arena, key, ret_found, ret);
}

err *store_list(struct store *s, const char *prefix, const char *after, size_t limit, store_each_fn *fn,
		void *user, uint64_t *ret_revision)
{
	return s->backend->list(s, prefix, after, limit, fn, user, ret_revision);
}

uint64_t store_revision(struct store *s)
{
	return s->backend->revision(s);
}

/* ---- writes ---- */

static err *check_op(const struct store_op *op)
{
	size_t key = op->key ? strlen(op->key) : 0;

	if (key == 0 || key > STORE_KEY_MAX)
		return err_new(EINVAL, "key of %zu bytes, 1 to %d are allowed", key, STORE_KEY_MAX);
	if (op->kind == STORE_PUT && op->len > STORE_VALUE_MAX)
		return err_new(EFBIG, "'%s': value of %zu bytes, at most %u are allowed", op->key, op->len,
			       STORE_VALUE_MAX);
	return NULL;
}

static err *check_once(const struct store_op *ops, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (str_equal(ops[k].key, ops[i].key))
			return err_new(EINVAL, "'%s': twice in one transaction", ops[i].key);
	return NULL;
}

void store_submit(struct store *s, const struct store_op *ops, size_t count, store_done_fn *done, void *user)
{
	err *refused = NULL;
	size_t i = 0;

	if (count == 0 || count > STORE_OPS_MAX)
		refused = err_new(EINVAL, "transaction of %zu operations, 1 to %d are allowed", count,
				  STORE_OPS_MAX);
	for (; !refused && i < count; i++) {
		refused = check_op(&ops[i]);
		if (!refused)
			refused = check_once(ops, i);
		if (refused)
			break;
	}
	s->backend->submit(s, refused, refused && i < count ? i : 0, ops, count, done, user);
}

void store_subscribe(struct store *s, store_event_fn *fn, void *user)
{
	s->backend->subscribe(s, fn, user);
}

err *store_history(struct store *s, uint64_t after, size_t limit, store_history_fn *fn, void *user)
{
	return s->backend->history(s, after, limit, fn, user);
}

err *store_past(struct store *s, struct store_past *past, store_past_fn *fn, void *user)
{
	return s->backend->past(s, past, fn, user);
}

err *store_before(struct store *s, const char *key, uint64_t revision, store_past_fn *fn, void *user)
{
	return s->backend->before(s, key, revision, fn, user);
}

/* ---- leases, figures, copies ---- */

void store_lease_grant(struct store *s, int64_t ttl, store_lease_fn *done, void *user)
{
	s->backend->lease_grant(s, ttl, done, user);
}

bool store_lease_keep(struct store *s, int64_t id)
{
	return s->backend->lease_keep(s, id);
}

void store_lease_revoke(struct store *s, int64_t id)
{
	s->backend->lease_revoke(s, id);
}

void store_stats(struct store *s, struct store_stats *ret)
{
	s->backend->stats(s, ret);
}

err *store_snapshot(struct store *s, const char *path)
{
	return err_wrap(s->backend->snapshot(s, path), "snapshot '%s'", path);
}
