/* scheduler/ration.h: what each node may take of what all share: Events in the store, the scheduler's time.
 */
#pragma once
#include "base/err.h"

/* Enough for all Pods of a node to start at once; then as many as a node in trouble tells in good order. */
enum { RATION_BURST = 1000, RATION_A_SECOND = 5 };

struct ration;
err *ration_new(struct ration **ret) MUST_CHECK;
void ration_free(struct ration *r);
DEFINE_CLEANUP(struct ration *, ration_free)

/* One more Event. now: clock_boot(). EBUSY: all of its own are taken. */
err *ration_take(struct ration *r, const char *node, int64_t now) MUST_CHECK;

/* Work that holds up everybody else: at most a fifth of the time for one name. When it may be done: 0: now,
 * else a time when what it had is paid for. Told afterwards what it cost, in ns. */
int64_t ration_ready_at(const struct ration *r, const char *name, int64_t now);
void ration_cost(struct ration *r, const char *name, int64_t now, int64_t nsec);
