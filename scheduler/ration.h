/* scheduler/ration.h: how many Events each node may make: a bucket of tokens that fills again. */
#pragma once
#include "base/err.h"

/* Enough for all Pods of a node to start at once; then as many as a node in trouble tells in good order. */
enum { RATION_BURST = 1000, RATION_A_SECOND = 5 };

struct ration;
err *ration_new(struct ration **ret) MUST_CHECK;
void ration_free(struct ration *r);
DEFINE_CLEANUP(struct ration *, ration_free)

/* now: clock_boot(). EBUSY: all of its own are taken. */
err *ration_take(struct ration *r, const char *node, int64_t now) MUST_CHECK;
