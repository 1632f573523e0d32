/* api/report.h: answers of the scheduler that are no objects: why a Pod is where it is, what a manifest would do,
 * what a drain would do.
 *
 *	GET  /apis/stube/v1/explain/namespaces/NAMESPACE/pods/NAME    struct explanation
 *	POST /apis/stube/v1/plan?namespace=NAMESPACE                  a `kind: List` of objects -> struct plan
 *	GET  /apis/stube/v1/drain/NODE                                struct drain_forecast */
#pragma once
#include "api/meta.h"

struct report_node {
	const char *node;
	bool fits;
	const char *reason; /* "protection class too low" */
	const char *detail;
};
struct report_nodes {
	struct report_node *items;
	size_t count;
};
struct explanation {
	const char *namespace, *name;
	const char *phase;   /* as kubectl's STATUS column */
	const char *node;    /* where it is bound; NULL */
	const char *summary; /* one sentence: "runs on state-1", "waits for node state-1, lost since ..., where its data is",
	                        "0 of 3 nodes fit: ..." */
	struct api_time since;
	struct report_nodes nodes; /* each as placement sees it now, with the Pod itself left out of the count */
	const char *help;    /* the smallest change that would make it fit: "cordon lifted on a", "512Mi more memory on b"; or NULL */
};
extern const struct type t_explanation;

enum plan_action { PLAN_CREATE = 1, PLAN_CHANGE, PLAN_NOTHING };
struct plan_placement {
	const char *node;    /* NULL: it would wait */
	const char *summary; /* why, when it would wait */
	int32_t instances;   /* so many of them there */
};
struct plan_item {
	const char *kind, *namespace, *name;
	int action;
	bool replaces_pods;  /* the template changes: all instances are made anew */
	struct strings changed; /* field paths: "spec.template.spec.containers[0].image" */
	LIST(struct plan_placement) placements;
};
struct plan {
	LIST(struct plan_item) items;
	bool fits;           /* all instances would find a place */
};
extern const struct type t_plan;

struct drain_pod {
	const char *namespace, *name;
	const char *node;    /* where it would go; NULL */
	const char *summary; /* why not */
};
struct drain_forecast {
	const char *node;
	LIST(struct drain_pod) pods;
	bool fits;
};
extern const struct type t_drain_forecast;
