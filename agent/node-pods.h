/* agent/node-pods.h: between the API's Pods and claims and this node's: who is known, who is refused, what is
 * told. */
#pragma once
#include "agent/node-internal.h"

struct node_pods;
/* Fills the callbacks of `options`. */
err *node_pods_new(struct node_agent *agent, struct pods_options *options, struct node_pods **ret) MUST_CHECK;
void node_pods_free(struct node_pods *n);

/* As link_options.pod and .claim. */
void node_pods_event(struct node_pods *n, enum watch_type type, struct arena *arena, const struct pod *pod,
		     const char *refused, unsigned round);
void node_pods_claim(struct node_pods *n, enum watch_type type, struct arena *arena,
		     const struct claim *claim);
/* Ask again for claims that are still not known. */
void node_pods_retry(struct node_pods *n);
