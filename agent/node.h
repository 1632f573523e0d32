/* agent/node.h: this node in the cluster: registration, sign of life, its Pods from the API and their status back.
 * What cmd/stube-agent starts. */
#pragma once
#include "api/config.h"
#include "api/node.h"
#include "base/err.h"

/* Annotation of Nodes: our version, and a hash of the Pods' fields that we implement. */
#define NODE_SUPPORTED STUBE_PREFIX "supported"

struct node_options {
	const char *name;           /* NULL: the host name */
	struct api_config api;
	const char *config_path;    /* read again when it changes (renewed certificates) */
	const char *const *labels;  /* "KEY=VALUE"; ends with NULL */
	const char *const *taints;  /* "KEY=VALUE:EFFECT" */
	const char *address;        /* told to the API; NULL: of the interface that leads to the API */
	const char *listen;         /* "HOST:PORT" with TLS, for logs and exec; NULL: "ADDRESS:10250" */
	const char *socket;         /* Unix socket for /healthz, /metrics, /pods; NULL: RUN/agent.sock */
	const char *metrics;        /* plain "HOST:PORT" for /healthz and /metrics only; NULL: none */
	const char *store;          /* image store; NULL: DATA/images */
	const char *programs, *runtime, *cgroup_manager;
	const char *auth_file;
	const char *const *unverified;
	int64_t reserve_cpu;	    /* milli: not for Pods; RESERVE_BY_SIZE (agent/reserve.h) */
	int64_t reserve_memory;     /* bytes */
	unsigned max_pods;          /* 0: 110 */
};

/* Serve until SIGTERM or SIGINT; containers go on. */
err *node_run(const struct node_options *options) MUST_CHECK;

/* What the machine keeps for itself, and what its Pods may have together. */
struct slice_values;
struct reserve;
err *node_reserve(const struct node_options *options, struct reserve *ret) MUST_CHECK;
err *node_share(const struct node_options *options, struct slice_values *ret) MUST_CHECK;

/* What this machine has: capacity, allocatable, info, labels of its own. In the arena. */
err *node_observe(struct arena *arena, const struct node_options *options, struct node *ret) MUST_CHECK;
