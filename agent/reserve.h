/* agent/reserve.h: what a node keeps for the machine itself, so that Pods together cannot take it.
 * Ref: Kubernetes "Reserve Compute Resources for System Daemons": allocatable = capacity - reserved. */
#pragma once
#include <stdint.h>
#include "agent/slices.h"
#include "base/err.h"

#define RESERVE_BY_SIZE (-1)
struct reserve {
	int64_t cpu;    /* thousandths of a processor */
	int64_t memory; /* bytes */
};

/* What a machine of that size keeps unless somebody says otherwise. */
void reserve_by_size(unsigned cpus, int64_t memory, struct reserve *ret);

/* "cpu=500m,memory=1Gi": as Kubernetes writes it; what is not named stays as it is in *ret. EINVAL. */
err *reserve_parse(const char *text, struct reserve *ret) MUST_CHECK;

/* Put what depends on the size into RESERVE_BY_SIZE. EINVAL: more than the machine has. */
err *reserve_decide(unsigned cpus, int64_t memory, struct reserve *r) MUST_CHECK;

/* What is left, as values of /stube.slice. tasks_max: of the machine. */
void reserve_share(unsigned cpus, int64_t memory, int64_t tasks_max, const struct reserve *r, struct slice_values *ret);
