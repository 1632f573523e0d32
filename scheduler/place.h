/* scheduler/place.h: which node a Pod goes to: a pure library. No I/O, no clock, no chance: the same input
 * gives the same choice on every machine. All nodes are looked at for every Pod, exactly.
 *
 * Score, in this order:
 * - fewest Pods in the domains that the Pod's topologySpreadConstraints name, the first constraint first;
 * where there are none, fewest Pods of the same owner on the node, then in its zone;
 * - fewest PreferNoSchedule taints that are not tolerated;
 * - protection class nearest above the need, so that strong places stay free for those who need them;
 * - best fit: least left over, as shares of the node's processors and memory; for a Pod that asks for
 * nothing, the node with the fewest Pods;
 * - the node's name. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "api/node.h"
#include "api/pod.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct place;

err *place_new(struct place **ret) MUST_CHECK;
void place_free(struct place *p);

/* Add a node, or say how it is now. Texts are copied. */
err *place_node(struct place *p, const struct node *node) MUST_CHECK;
void place_node_gone(struct place *p, const char *name);

/* Grows with each call that changed something: a node that only said again what is known does not count. */
uint64_t place_changes(const struct place *p);

/* Count a bound Pod in, or out again. uid tells them apart; twice the same is once. */
err *place_add(struct place *p, const struct pod *pod) MUST_CHECK;
void place_remove(struct place *p, const char *uid);

/* Why a node is refused, or what a Pod waits for. The table of texts is place_reason_text. */
enum place_reason {
	PLACE_FITS,
	PLACE_UNSCHEDULABLE, /* cordoned */
	PLACE_NOT_READY,     /* lost, or its agent says so */
	PLACE_SELECTOR,	     /* nodeSelector or node affinity */
	PLACE_PROTECTION,    /* its class is below the need */
	PLACE_TAINT,
	PLACE_CLAIM, /* the volume's data is on another node */
	PLACE_CPU,
	PLACE_MEMORY,
	PLACE_PODS,
	PLACE_PORT,   /* a host port is taken */
	PLACE_SPREAD, /* DoNotSchedule and the skew would be too large */
	PLACE_ANTI_AFFINITY,
	PLACE_REASON_COUNT,
};
const char *place_reason_text(enum place_reason reason); /* "not enough memory" */

struct place_refusal {
	const char *node;
	enum place_reason reason;
	const char *detail; /* "needs 2Gi, 512Mi of 4Gi are free"; may be "" */
	unsigned reasons;   /* bits of enum place_reason: all of them; 0: it fits */
	int64_t lacks_cpu,
		lacks_memory; /* of CPU, of MEMORY: so much more would do; milli-processors, bytes */
};
struct place_answer {
	const char *node;	 /* NULL: none fits; valid until nodes change */
	size_t nodes;            /* looked at */
	size_t counts[PLACE_REASON_COUNT]; /* when none fits: nodes by their first reason */
};
/* Choose a node, and count the Pod in there at once when `commit`.
 *   claim_node  where the data of the Pod's claims is; NULL: anywhere
 * EINVAL: more than 16 topologies. */
err *place_choose(struct place *p, const struct pod *pod, const char *claim_node, bool commit, struct place_answer *ret)
	MUST_CHECK;

/* Every node with the first reason that refuses it, and its detail: the whole truth, for people. In the
 * arena, in the order of names. The Pod itself is left out of the count, where it is counted in. */
err *place_explain(struct place *p, struct arena *arena, const struct pod *pod, const char *claim_node,
		   struct place_refusal **ret, size_t *ret_count) MUST_CHECK;

/* One line for an event: "0 of 3 nodes fit: 2 not enough memory, 1 protection class too low". */
void place_summary(const struct place_answer *answer, struct str *out);

/* A copy to try things in (plan, drain's forecast): changes there are not seen here. */
err *place_copy(const struct place *p, struct place **ret) MUST_CHECK;

/* What a Pod asks for, as placement counts it: the sum of its containers' requests (limits where there is no
 * request). Milli-processors, bytes. */
void pod_requests(const struct pod *pod, int64_t *ret_cpu, int64_t *ret_memory);
