/* scheduler/nodes.h: which nodes are lost, and what becomes of their Pods: the decisions as pure functions. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "api/node.h"
#include "api/pod.h"

/* The mark that the controller puts on a lost node. */
bool nodes_has_loss(const struct object *node);
struct scheduler;
/* By name; NULL and nodes that are not there are not lost. */
bool nodes_is_lost(struct scheduler *s, const char *name);

/* Until when a Pod of a lost node may still run, when its agent lives: its grace period and the margin have
 * passed then. */
int64_t node_loss_time(const struct pod *pod, int64_t lost, int64_t margin);

enum loss_action { LOSS_NOTHING, LOSS_WAIT, LOSS_REPLACE, LOSS_STOP };
/* What is to be done now with a Pod of a lost node (design, decision 14).
 *   lost    when its lease had run out; now: both of clock_boot()
 *   margin  added to the Pod's grace period: how far clocks may be apart
 *   ret_at  LOSS_WAIT: until when */
enum loss_action node_loss_action(const struct pod *pod, int64_t lost, int64_t margin, int64_t now, int64_t *ret_at);

/* When a Pod has to leave its node because of taints NoExecute that it does not tolerate (any longer); wall clock, ns; 0: never.
 * The taints of lost and unready nodes do not count here: what becomes of those Pods is the service's policy. */
int64_t node_taint_deadline(const struct node *node, const struct pod *pod);
