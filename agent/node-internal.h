/* agent/node-internal.h: what the parts of the node share; who calls what in which thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "agent/node.h"
#include "agent/pods.h"
#include "api/client.h"
#include "api/event.h"
#include "base/macro.h"
#include "base/str.h"
#include "net/loop.h"
#include "net/server.h"

/* ---- agent/observe.c: this machine, read below a root that tests can make ---- */

struct machine {
	unsigned cpus;
	int64_t memory, memory_free;   /* bytes */
	int64_t storage, storage_free; /* bytes, of the file system that holds DATA */
	int64_t tasks, tasks_max;      /* processes and threads */
	const char *hostname, *kernel, *architecture, *os_image, *boot_id, *machine_id;
};
err *machine_read(struct arena *arena, int root_fd, const char *data, struct machine *ret) MUST_CHECK;
/* What the API is told of it. address: NULL: none known. */
err *machine_node(struct arena *arena, const struct machine *m, const struct node_options *options,
		  const char *address, struct node *ret) MUST_CHECK;
/* Pieces of it. Counts of lists such as "0-3,8"; values of "MemTotal:  123 kB", in bytes, and of NAME="text".
 */
unsigned observe_count_cpus(const char *list);
bool observe_meminfo(const char *text, const char *key, int64_t *ret);
bool observe_assignment(const char *text, const char *key, char *out, size_t size);
/* The address that this machine has towards `server` ("https://HOST:PORT"); false: none but loopback. */
bool observe_address(const char *server, char *out, size_t size);
/* A hash of the fields that we implement, with our version. */
const char *observe_supported(char out[static 64]);

/* ---- agent/node-contact.c: what may run while the control plane is out of reach ---- */

struct contact {
	int64_t lease_end; /* CLOCK_BOOTTIME; begins as the program before us left it; 0: there never was one
			    */
	bool held;	   /* renewed since the start */
	bool failing;	   /* the last renewal failed */
	bool stale;  /* begins true. The list of Pods is older than the lease: something may have been decided
			without us */
	bool fenced; /* the lease ran out, and we have not been told all since */
};
/* Pure: bring `fenced` up to date and say what may run now. *ret_next: when to ask again, 0: nothing will
 * change by time. */
enum pods_contact contact_decide(struct contact *c, int64_t now, int64_t *ret_next);
/* A renewal sent at `sent` was answered. created: the lease had to be made. True: list the Pods anew. */
bool contact_renewed(struct contact *c, int64_t now, int64_t sent, int64_t duration, bool created);
void contact_failed(struct contact *c);
void contact_synced(struct contact *c);

/* ---- agent/node-outbox.c: what is to be told to the API, newest state only; any thread ---- */

enum out_kind { OUT_POD_STATUS, OUT_POD_DELETE, OUT_NODE_STATUS, OUT_EVENT, OUT_CLAIM };
struct out_item {
	enum out_kind kind;
	char *namespace, *name, *uid;
	char *body;	   /* of a Pod's status: a patch; of an event: its message */
	const char *about; /* of an event: "Pod" or "Node"; static */
	char *reason;
	bool warning;
	int64_t first, last; /* of an event, ns since the epoch */
	int32_t count;
	unsigned tries;
	uint64_t number; /* grows: names events */
	struct out_item *next;
};
struct outbox;
#define OUTBOX_EVENTS_MAX 1000
struct outbox *outbox_new(void); /* NULL: no memory */
void outbox_free(struct outbox *o);
/* Taken: what the item holds. One of the same kind and UID that waits gets the newer body; an equal event
 * counts up. */
void outbox_put(struct outbox *o, struct out_item item);
/* The oldest, yours; waits until there is one. NULL: outbox_end() was called. */
struct out_item *outbox_take(struct outbox *o);
/* Back to the front after a failure, unless a newer one of its kind waits. */
void outbox_return(struct outbox *o, struct out_item *item);
void outbox_item_free(struct out_item *item);
void outbox_end(struct outbox *o);
size_t outbox_length(struct outbox *o);
uint64_t outbox_dropped(struct outbox *o); /* events */

/* ---- agent/report.c: bodies of requests ---- */

/* {"metadata":{"uid":...},"status":{...}}: what the status does not have is null, so that nothing old stays.
 */
err *report_status(struct str *out, const struct kind *kind, const char *uid, const void *status) MUST_CHECK;
/* {"metadata":{"labels","annotations"}} of our own. */
err *report_labels(struct str *out, const struct node *node) MUST_CHECK;
err *report_event(struct arena *arena, const char *node, const struct out_item *item,
		  struct event *ret) MUST_CHECK;
/* A Pod that we cannot run as it is meant. */
err *report_refused(struct str *out, const struct pod *pod, const char *why) MUST_CHECK;
/* The Status at the end of a command, for channel 3. */
void report_exit(struct str *out, int code);
/* Keep the time of conditions whose status did not change; `before` may be empty. */
void report_transitions(const struct conditions *before, struct conditions *now);

/* ---- agent/node-link.c: the threads that talk to the API; all callbacks in the loop's thread ---- */

struct link;
struct link_options {
	const struct node_options *node;
	const char *name;
	struct loop *loop;
	struct outbox *outbox;
	uint16_t port; /* of our server with TLS; 0: none */
	/* A try to register has been made: e says how it failed (borrowed), else node is as the server has
	 * it. */
	void (*registered)(const err *e, const struct node *node, void *user);
	/* sent, duration: ns. created: the lease was new. e: the renewal failed; the rest is 0. */
	void (*lease)(const err *e, int64_t sent, int64_t duration, bool created, void *user);
	/* type as api_follow(). refused: why the Pod cannot be run by us, or NULL. round grows with each new
	 * list. arena holds the object, and is taken. */
	void (*pod)(enum watch_type type, struct arena *arena, const struct pod *pod, const char *refused,
		    unsigned round, void *user);
	void (*claim)(enum watch_type type, struct arena *arena, const struct claim *claim, void *user);
	/* New certificates were read. */
	void (*config)(const struct api_config *config, void *user);
	void *user;
};
err *link_start(const struct link_options *options, struct link **ret) MUST_CHECK;
/* Ends the threads within about a second. The lease stays: it runs out by itself. */
void link_stop(struct link *l);
/* List the Pods anew; returns the number of the round that will tell them. */
unsigned link_relist(struct link *l);
/* The server does not know our Node any more. Any thread. */
void link_register_again(struct link *l);
/* Whether each thread has come around within its time. */
bool link_alive(const struct link *l);
bool link_reachable(const struct link *l);

/* ---- agent/node.c: the node as the servers see it ---- */

struct node_agent {
	const struct node_options *options;
	const char *name, *address; /* address: NULL: none known */
	struct loop *loop;
	struct pods *pods;
	struct node_pods *node_pods;
	struct outbox *outbox;
	struct link *link;
	struct serve *serve;
	struct metrics *metrics;
	struct contact contact;
	enum pods_contact now;
	int64_t started; /* ns since the epoch */
	bool told_ready, registered, synced;
};

/* ---- agent/serve.c, serve-logs.c, serve-exec.c ---- */

struct serve;
err *serve_new(struct node_agent *agent, struct serve **ret) MUST_CHECK;
void serve_free(struct serve *s);
uint16_t serve_port(const struct serve *s); /* with TLS; 0: none */
void serve_config(struct serve *s, const struct api_config *config);
/* An API-like failure. */
void serve_error(struct server_request *r, err *e); /* taken */
/* parts: namespace, Pod, container. */
void serve_logs(struct node_agent *agent, struct server_request *r, char *const parts[3]);
void serve_exec(struct node_agent *agent, struct server_request *r, char *const parts[3]);

/* ---- agent/metrics.c ---- */

struct metrics;
err *metrics_new(struct node_agent *agent, struct metrics **ret) MUST_CHECK;
void metrics_free(struct metrics *m);
void metrics_write(struct metrics *m, struct str *out);
/* New ones were read. */
void metrics_certificates(struct metrics *m, const struct api_config *c);
/* A Pod was seen for the first time, runs, is gone. */
void metrics_seen(struct metrics *m, const char *uid);
void metrics_running(struct metrics *m, const char *uid);
void metrics_gone(struct metrics *m, const char *uid);
void metrics_operation(struct metrics *m, bool failed); /* a command was started in a container */
