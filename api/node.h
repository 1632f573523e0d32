/* api/node.h: Node: a machine that runs Pods, as its agent registers it.
 * Ref: Kubernetes core/v1 Node. */
#pragma once
#include "api/meta.h"
#include "api/quantity.h"

/* Quantities by name: "cpu", "memory", "pods", "ephemeral-storage", or an extended "vendor/name". */
struct resource_amount {
	const char *name;
	struct quantity amount;
};
struct resource_list {
	struct resource_amount *items;
	size_t count;
};
extern const struct type t_resource_list;
/* 0 milli and not given when it is not there. */
struct quantity resource_get(const struct resource_list *list, const char *name);

enum taint_effect { TAINT_NO_SCHEDULE = 1, TAINT_PREFER_NO_SCHEDULE, TAINT_NO_EXECUTE };
extern const struct enum_name taint_effect_names[];
struct taint {
	const char *key, *value;
	int effect;
	struct api_time time_added;
};
#define TAINT_UNSCHEDULABLE "node.kubernetes.io/unschedulable" /* NoSchedule while spec.unschedulable */
#define TAINT_NOT_READY     "node.kubernetes.io/not-ready"     /* the agent says so */
#define TAINT_UNREACHABLE   "node.kubernetes.io/unreachable"   /* its lease has run out */

/* Labels that agents set by themselves. */
#define LABEL_HOSTNAME "kubernetes.io/hostname"
#define LABEL_OS       "kubernetes.io/os"
#define LABEL_ARCH     "kubernetes.io/arch"
#define LABEL_ZONE     "topology.kubernetes.io/zone"   /* a data centre */
#define LABEL_REGION   "topology.kubernetes.io/region"

/* Of Nodes, Deployments and Pods; not all have all members. */
enum condition_status { CONDITION_TRUE = 1, CONDITION_FALSE, CONDITION_UNKNOWN };
struct condition {
	const char *type;
	int status;
	struct api_time heartbeat; /* lastHeartbeatTime, of Nodes */
	struct api_time update;    /* lastUpdateTime, of Deployments */
	struct api_time probe;     /* lastProbeTime, of Pods */
	struct api_time transition;
	const char *reason, *message;
};
struct conditions {
	struct condition *items;
	size_t count;
};
extern const struct type t_conditions;
const struct condition *condition_find(const struct conditions *list, const char *type);
/* Set or add one; the transition time changes only with the status. Texts are borrowed; the list grows in the arena. */
err *condition_set(struct arena *arena, struct conditions *list, const struct condition *value) MUST_CHECK;

struct node_spec {
	bool unschedulable; /* cordoned */
	LIST(struct taint) taints;
};
struct node_address {
	const char *type;   /* "InternalIP", "Hostname" */
	const char *address;
};
struct node_info {
	const char *machine_id, *boot_id, *kernel, *os_image, *os, *architecture;
	const char *runtime; /* containerRuntimeVersion: "stube-runtime://0.1.0" */
	const char *agent;   /* kubeletVersion: the agent's */
	const char *kube_proxy, *system_uuid;
};
struct node_image {
	struct strings names;
	int64_t size;
};
struct node_status {
	struct resource_list capacity, allocatable;
	struct conditions conditions; /* "Ready" */
	LIST(struct node_address) addresses;
	uint16_t agent_port; /* daemonEndpoints.kubeletEndpoint.Port */
	struct node_info info;
	LIST(struct node_image) images;
};
struct node {
	const char *api_version, *kind;
	struct meta metadata;
	struct node_spec spec;
	struct node_status status;
};
extern const struct type t_node;

bool node_is_ready(const struct node *node);
