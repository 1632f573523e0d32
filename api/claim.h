/* api/claim.h: PersistentVolumeClaim: data that outlives Pods, on the local disk of one node.
 *
 * Its class is "local" (absent or "" means that). It is bound when the first Pod that mounts it is placed:
 * spec.volumeName becomes "local-UID", and the annotation CLAIM_NODE names the node, which never changes.
 * Later Pods follow the data. Ref: Kubernetes core/v1 PersistentVolumeClaim. */
#pragma once
#include "api/meta.h"
#include "api/node.h"

#define CLAIM_NODE "volume.kubernetes.io/selected-node"

enum claim_phase { CLAIM_PENDING = 1, CLAIM_BOUND, CLAIM_LOST };
struct claim_resources {
	struct resource_list requests, limits; /* "storage" */
};
struct claim_spec {
	struct strings access_modes; /* ReadWriteOnce, ReadWriteOncePod */
	struct claim_resources resources;
	const char *storage_class; /* NULL, "" or "local" */
	const char *volume_name;
};
struct claim_status {
	int phase;
	struct strings access_modes;
	struct resource_list capacity;
};
struct claim {
	const char *api_version, *kind;
	struct meta metadata;
	struct claim_spec spec;
	struct claim_status status;
};
extern const struct type t_claim;
