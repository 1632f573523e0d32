/* scheduler/replicaset.h: ReplicaSets make and delete their Pods. */
#pragma once
#include "scheduler/scheduler.h"

struct replicasets;
err *replicasets_new(struct scheduler *s, struct replicasets **ret) MUST_CHECK;
/* After store_close(), as all controllers. */
void replicasets_free(struct replicasets *r);

/* The Pods of one, as they are now; the view lives in the arena, the Pods in the cache. */
struct replicas;
struct arena;
err *replicasets_pods(struct scheduler *s, struct arena *arena, const char *uid, struct replicas *ret) MUST_CHECK;
