/* scheduler/scheduler.h: the control plane as a whole: what cmd/stube-scheduler starts, and what its parts share. */
#pragma once
#include "net/loop.h"
#include "net/pki-terms.h"
#include "net/server.h"
#include "scheduler/cache.h"
#include "scheduler/objects.h"
#include "scheduler/place.h"
#include "scheduler/store.h"

struct scheduler_options {
	const char *store;          /* URL */
	const char *listen;         /* "HOST:PORT" with TLS; NULL: none */
	const char *socket;         /* path of the Unix socket; NULL: none */
	const char *cert, *key, *client_ca; /* file names; read again on SIGHUP and when they change */
	const char *metrics;        /* "HOST:PORT", plain, read-only /metrics and /healthz; NULL: only on the two above */
	int64_t lease;              /* ns: how long a node may be silent (T of decision 14); 40 s */
	int64_t clock_margin;       /* ns: added before a lost node's Pods are replaced; a tenth of the lease */
	int64_t event_ttl;          /* ns: 1 h */
};

struct scheduler {
	const struct scheduler_options *options;
	struct loop *loop;
	struct store *store;
	struct cache *cache;
	struct objects *objects;
	struct place *place;        /* kept current by scheduler/binder.c */
	struct server *servers[3];
	struct watches *watches;
	struct binder *binder;
	struct deployments *deployments;
	struct nodes *nodes;
	struct collector *collector;
	struct metrics *metrics;
	struct ration *ration; /* of the Events that nodes make */
	struct pki_terms terms; /* of the certificates in use: scheduler/tls.c */
};

/* Open everything, serve until SIGTERM or SIGINT, close. */
err *scheduler_run(const struct scheduler_options *options) MUST_CHECK;

/* ---- parts; each has its file and subscribes to the cache itself ---- */

/* scheduler/api.c: requests to objects; the table of paths and verbs. */
void api_handle(struct server_request *r, void *scheduler);
void api_refusal(int status, const char *why, struct str *out, const char **content_type);

/* scheduler/watch.c: who watches what, from which revision on. */
err *watches_new(struct scheduler *s, struct watches **ret) MUST_CHECK;
void watches_free(struct watches *w);

/* scheduler/binder.c: Pods without a node, in the order of their creation; tries again when something changed that may help. */
err *binder_new(struct scheduler *s, struct binder **ret) MUST_CHECK;
void binder_free(struct binder *b);
size_t binder_waiting(const struct binder *b);
/* The node that a Pod's claims are tied to, or NULL. */
const char *binder_claim_node(struct scheduler *s, const struct pod *pod);

/* scheduler/explain.c: why a Pod is where it is or is not placed, as a document; what a manifest would do. */
err *explain_pod(struct scheduler *s, const struct entry *pod, struct str *out) MUST_CHECK;
err *explain_plan(struct scheduler *s, const char *body, size_t len, struct str *out) MUST_CHECK;
err *explain_drain(struct scheduler *s, const char *node, struct str *out) MUST_CHECK;

/* scheduler/deployment.c, scheduler/replicaset.c */
err *deployments_new(struct scheduler *s, struct deployments **ret) MUST_CHECK;
void deployments_free(struct deployments *d);

/* scheduler/nodes.c: leases, lost nodes, what becomes of their Pods, NoExecute taints. */
err *nodes_new(struct scheduler *s, struct nodes **ret) MUST_CHECK;
void nodes_free(struct nodes *n);

/* scheduler/collect.c: what an owner left behind, Namespaces on their way out, old Events, finished Pods beyond a limit. */
err *collector_new(struct scheduler *s, struct collector **ret) MUST_CHECK;
void collector_free(struct collector *c);

/* scheduler/metrics.c: Prometheus' text format. */
err *metrics_new(struct scheduler *s, struct metrics **ret) MUST_CHECK;
void metrics_free(struct metrics *m);
void metrics_write(struct metrics *m, struct str *out);
void metrics_request(struct metrics *m, const char *verb, const char *resource, int code, int64_t nsec);
void metrics_placement(struct metrics *m, bool placed, int64_t nsec);
