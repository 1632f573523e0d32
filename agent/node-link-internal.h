/* agent/node-link-internal.h: what the threads that talk to the API share. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "agent/node-internal.h"
#include "api/lease.h"
#include "base/clock.h"

enum link_thread { LINK_LEASE, LINK_WRITER, LINK_PODS, LINK_CLAIMS, LINK_THREADS };

/* A client, which the last of its users frees: certificates are renewed while requests run. */
struct link_client {
	struct api_client *api;
	struct arena *arena; /* of config */
	struct api_config config;
	unsigned users;
};

/* On its way into the loop. Whoever is stopped frees those that never arrived. */
struct note {
	struct link *link;
	struct note *next, **at;
	void (*deliver)(struct note *n);
	int from; /* enum link_thread of a follower, which waits when too many are under way; -1 */
	enum watch_type type;
	unsigned round;
	struct arena *arena;
	const struct object *object;
	const char *refused;
	struct link_client *client; /* NULL, or in use until the note is freed */
	err *error;
	int64_t sent, duration;
	bool created;
};

struct link {
	struct link_options o;
	pthread_t threads[LINK_THREADS];
	unsigned thread_count;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping, has_lease, register_again;
	struct link_client *client;
	struct note *notes;
	unsigned under_way[LINK_THREADS];
	unsigned round; /* of the follower of Pods */
	atomic_bool cancel[LINK_THREADS];
	atomic_bool stop;		    /* ends every request */
	_Atomic int64_t busy[LINK_THREADS]; /* clock_boot() when it began what it does; 0: it waits */
	_Atomic bool reachable;
	_Atomic bool tell_node;	     /* the server may have lost our status */
	struct node_teller *teller;  /* the writer's */
	int64_t acquired;	     /* when the lease was made; the lease thread's */
	struct timespec config_time; /* of the config's file; the lease thread's */
};

/* arena: of the config's texts, taken; NULL: they outlive everything. */
err *link_client_new(struct link *l, const struct api_config *config, struct arena *arena,
		     struct link_client **ret) MUST_CHECK;
struct link_client *link_client_get(struct link *l);
void link_client_put(struct link *l, struct link_client *c);

bool link_stopping(struct link *l);
/* Wait, unless *early (under the lock; may be NULL) becomes true; false: we are stopping. */
bool link_wait(struct link *l, int64_t nsec, const bool *early);

struct note *note_new(struct link *l, int from, void (*deliver)(struct note *n));
/* Hand it to the loop; waits while a follower has too many under way. */
void note_send(struct note *n);
void note_free(struct note *n);

/* agent/report-node.c: used by the writer alone. */
struct node_teller;
struct node_teller *node_teller_new(void); /* NULL: no memory */
void node_teller_free(struct node_teller *t);
/* The patch to send now; nothing when the server knows it all. */
err *node_teller_next(struct node_teller *t, struct link *l, struct api_client *api,
		      struct str *out) MUST_CHECK;
void node_teller_again(struct node_teller *t);

void *link_lease_thread(void *link);
void *link_writer_thread(void *link);
void *link_pods_thread(void *link);
void *link_claims_thread(void *link);
