/* scheduler/ration.c: accounts by the names of nodes; as many as there are certificates of nodes. */
#include "scheduler/ration.h"

#include <stdlib.h>

#include "base/clock.h"
#include "scheduler/index.h"

#define TOKEN_NSEC ((int64_t)NSEC_PER_SEC / RATION_A_SECOND)

/* Empty until then; one that lies RATION_BURST tokens back is full. */
struct bucket {
	int64_t empty_at;
	int64_t paid_at; /* the last long work: in four times what it took */
};
struct ration {
	struct index by_node;
};

err *ration_new(struct ration **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? NULL : err_oom();
}

static bool free_bucket(void *bucket, void *user)
{
	(void)user;
	free(bucket);
	return true;
}

void ration_free(struct ration *r)
{
	if (!r)
		return;
	index_each(&r->by_node, "", NULL, free_bucket, NULL);
	index_done(&r->by_node);
	free(r);
}

static struct bucket *bucket_of(struct ration *r, const char *node, int64_t full)
{
	struct bucket *b = index_get(&r->by_node, node);

	if (b)
		return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->empty_at = full;
	index_put(&r->by_node, node, b);
	return b;
}

err *ration_take(struct ration *r, const char *node, int64_t now)
{
	int64_t full = now - RATION_BURST * TOKEN_NSEC;
	struct bucket *b = bucket_of(r, node, full);

	if (b->empty_at < full)
		b->empty_at = full;
	if (b->empty_at + TOKEN_NSEC > now)
		return err_new(EBUSY, "node '%s' has told %d events at once; it may tell %d a second", node,
			       RATION_BURST, RATION_A_SECOND);
	b->empty_at += TOKEN_NSEC;
	return NULL;
}

int64_t ration_ready_at(const struct ration *r, const char *name, int64_t now)
{
	const struct bucket *b = index_get(&r->by_node, name);

	return b && b->paid_at > now ? b->paid_at : 0;
}

void ration_cost(struct ration *r, const char *name, int64_t now, int64_t nsec)
{
	bucket_of(r, name, now - RATION_BURST * TOKEN_NSEC)->paid_at = now + 4 * nsec;
}
