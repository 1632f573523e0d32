/* api/deployment.h: Deployment and ReplicaSet: so many Pods of one template.
 * Ref: Kubernetes apps/v1. */
#pragma once
#include "api/node.h"
#include "api/pod.h"
#include "api/selector.h"

#define LABEL_TEMPLATE_HASH    "pod-template-hash"
#define ANNOTATION_REVISION    "deployment.kubernetes.io/revision"
#define ANNOTATION_CAUSE       "kubernetes.io/change-cause"
#define ANNOTATION_RESTARTED   "kubectl.kubernetes.io/restartedAt" /* in a template: changes it, so that Pods are new */

struct pod_template {
	struct meta metadata; /* labels, annotations */
	struct pod_spec spec;
};
extern const struct type t_pod_template;

/* A number or a share, "25%". */
struct count_or_share {
	int64_t value;
	bool percent;
	bool given;
};
/* Of `total`; round_up: as maxSurge, else as maxUnavailable. */
int64_t count_or_share(const struct count_or_share *v, int64_t total, bool round_up);

enum strategy_type { STRATEGY_ROLLING_UPDATE = 1, STRATEGY_RECREATE };
struct rolling_update {
	struct count_or_share max_surge, max_unavailable; /* 25 % each unless given */
};
struct deployment_strategy {
	int type;
	struct rolling_update rolling_update;
};
struct deployment_spec {
	int32_t replicas; /* 1 */
	struct label_selector selector;
	struct pod_template template;
	struct deployment_strategy strategy;
	int32_t min_ready_seconds;
	int32_t revision_history_limit;    /* 10 */
	int32_t progress_deadline_seconds; /* 600 */
	bool paused;
};
struct deployment_status {
	int64_t observed_generation;
	int32_t replicas, updated, ready, available, unavailable, terminating;
	struct conditions conditions; /* "Available", "Progressing" */
};
struct deployment {
	const char *api_version, *kind;
	struct meta metadata;
	struct deployment_spec spec;
	struct deployment_status status;
};
extern const struct type t_deployment;

struct replicaset_spec {
	int32_t replicas;
	int32_t min_ready_seconds;
	struct label_selector selector;
	struct pod_template template;
};
struct replicaset_status {
	int64_t observed_generation;
	int32_t replicas, fully_labeled, ready, available, terminating;
	struct conditions conditions;
};
struct replicaset {
	const char *api_version, *kind;
	struct meta metadata;
	struct replicaset_spec spec;
	struct replicaset_status status;
};
extern const struct type t_replicaset;
