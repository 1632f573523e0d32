/* scheduler/collect.h: what the collector decides, without I/O. */
#pragma once
#include "api/event.h"
#include "scheduler/cache.h"

/* Pods that are over and kept for people to look at. Those that were stopped with a lost node are not among them. */
#define COLLECT_OVER_MAX 1000u

/* It has owners, and none of them is there any more (by UID). */
bool collect_is_orphaned(const struct cache *cache, const struct object *object);
/* When it was last told. */
int64_t collect_event_time(const struct event *e);
