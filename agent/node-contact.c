/* agent/node-contact.c: what may run while the control plane is out of reach, decided from times alone. */
#include "agent/node-internal.h"

enum pods_contact contact_decide(struct contact *c, int64_t now, int64_t *ret_next)
{
	*ret_next = 0;
	if (c->lease_end == 0)
		return PODS_ALONE;
	if (now > c->lease_end)
		c->fenced = c->stale = true;
	else
		*ret_next = c->lease_end + 1;
	if (c->fenced)
		return PODS_FENCED;
	return c->failing || c->stale ? PODS_ALONE : PODS_FREE;
}

/* The scheduler counts from when it received what we sent at `sent`, or later; so the lease that we believe
 * in never outlasts the one that it believes in. */
bool contact_renewed(struct contact *c, int64_t now, int64_t sent, int64_t duration, bool created)
{
	bool first = !c->held, was_lost = c->lease_end != 0 && now > c->lease_end;

	c->held = true;
	c->lease_end = MAX(c->lease_end, sent + duration);
	c->failing = false;
	if (was_lost)
		c->fenced = true;
	if (created || was_lost)
		c->stale = true;
	/* The first list is asked for once there is a lease. */
	return !first && (created || was_lost);
}

void contact_failed(struct contact *c)
{
	c->failing = true;
}

void contact_synced(struct contact *c)
{
	c->stale = c->fenced = false;
}
