/* scheduler/objects-lease.c: nodes' Leases: they live as long as the store's lease that they hang on;
 * renewals stay in memory. */
#include "scheduler/objects-internal.h"

#include <string.h>

#include "api/lease.h"
#include "base/clock.h"

bool lease_of_node(const struct job *j)
{
	return j->kind->id == KIND_LEASE && str_equal(j->namespace, LEASE_NAMESPACE);
}

err *lease_prepare(struct job *j, struct object *object)
{
	struct lease *lease = (struct lease *)(void *)object;
	int32_t *seconds;

	if (!lease_of_node(j))
		return NULL;
	TRY_ALLOC(j->arena, seconds, arena_alloc(j->arena, sizeof(*seconds)));
	*seconds = (int32_t)MAX(j->o->lease_ttl / (int64_t)NSEC_PER_SEC, 1);
	lease->spec.duration = seconds;
	return NULL;
}

err *lease_renew(struct job *j, const struct object *object, bool *ret_renewed)
{
	const struct lease *was = (const struct lease *)(const void *)j->now->object;
	struct object *other;

	if (!store_lease_keep(j->o->store, j->lease))
		return err_new(ENOENT, "%s '%s' not found: it has ended", j->kind->plural, j->name);
	TRY(object_shallow(j->arena, j->kind, object, &other));
	struct lease *lease = (struct lease *)(void *)other;
	lease->spec.renew_time = was->spec.renew_time;
	lease->metadata.resource_version = was->metadata.resource_version;

	auto_str struct str text = STR_INIT(STORE_VALUE_MAX);
	object_encode(&text, other, 0);
	TRY(str_check(&text));
	*ret_renewed = text.len == j->now->json->len && memcmp(text.data, j->now->json->bytes, text.len) == 0;
	if (!*ret_renewed)
		return NULL;
	TRY(cache_refresh(j->o->cache, j->now, object));
	j->answer = entry_ref(cache_get(j->o->cache, KIND_LEASE, j->namespace, j->name));
	return NULL;
}
