/* agent/standing.h: how a Pod's process stands towards the rest of its machine: who goes first when memory runs out, and how
 * many files it may open. Without this it would have what the agent has, which the service manager protects.
 * Ref: proc(5) oom_score_adj; Kubernetes "Node-pressure Eviction", "Node out of memory behavior". */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "api/pod.h"

struct standing {
	int32_t oom_score;
	uint64_t files_soft, files_hard; /* RLIMIT_NOFILE */
};

/* What this process may give to others. */
struct standing_limits {
	uint64_t memory;     /* bytes of the machine */
	int32_t oom_least;   /* no lower score is permitted */
	uint64_t files_most; /* no higher limit is permitted */
};
void standing_limits(struct standing_limits *ret);

/* Guaranteed -997, best effort 1000, in between by the share of memory that it asks for: the more, the safer, but never as safe as
 * what the machine itself runs. */
#define STANDING_SANDBOX SIZE_MAX /* as container: what holds the Pod's namespaces, -998 */
void standing_of(const struct pod *pod, size_t container, const struct standing_limits *limits, struct standing *ret);
