/* api/lease.h: Lease: a sign of life with a time limit; a node's is LEASE_NAMESPACE/NODE.
 * Ref: Kubernetes coordination.k8s.io/v1 Lease. */
#pragma once
#include "api/meta.h"

#define LEASE_NAMESPACE "kube-node-lease"

struct lease_spec {
	const char *holder;
	const int32_t *duration; /* seconds */
	struct api_micro_time acquire_time, renew_time;
	const int32_t *transitions;
};
struct lease {
	const char *api_version, *kind;
	struct meta metadata;
	struct lease_spec spec;
};
extern const struct type t_lease;
