/* agent/pods-internal.h: what the parts of agent/pods share. Everything belongs to the loop's thread, but for jobs while
 * a worker has them. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "agent/decide.h"
#include "agent/local.h"
#include "agent/pods.h"
#include "base/clock.h"
#include "base/str.h"
#include "images/pull.h"

#define PODS_UID_MAX   40
#define PODS_CONTAINERS_MAX 64

/* ---- the record: agent/pods-record.c ---- */

#define PODS_RECORD_VERSION 1
#define PODS_RECORD_FILE    "pod.json"
struct pods_record_container {
	uint32_t attempt;     /* the newest that was ever made; written before it is */
	uint32_t crashes;
	uint32_t interrupted; /* the attempt that we ended ourselves; 0: none */
	const char *image;    /* digest of the manifest that its attempts run; NULL: not decided yet */
	const char *image_id; /* NAME@DIGEST, for people */
};
struct pods_record_claim {
	const char *claim, *uid; /* name and UID of the claim that the Pod mounted */
};
struct pods_record {
	uint32_t version;
	struct pod pod;       /* without its status */
	int64_t taken;        /* when this node took it: ns since the epoch */
	const char *boot_id;  /* of the machine when the sandbox was made */
	uint32_t sandbox;     /* attempts */
	struct id_range ids;
	LIST(struct pods_record_container) containers;
	LIST(struct pods_record_claim) claims;
	const char *slice; /* its cgroup (agent/slices.h); NULL: none, or made by an older release */
	bool ending; /* it was to be ended: out of contact, too, and also when the API has forgotten it */
};
/* Errors: ENOENT; EINVAL damaged or of a newer version. A record whose lists do not fit its Pod is damaged. */
err *pods_record_parse(struct arena *arena, const char *text, size_t len, struct pods_record *ret) MUST_CHECK;
err *pods_record_read(struct arena *arena, int pod_fd, struct pods_record *ret) MUST_CHECK;
void pods_record_encode(struct str *out, const struct pods_record *r);

/* DATA/agent/lease.json: when our lease ends. */
struct pods_lease_record {
	uint32_t version;
	const char *boot_id;
	int64_t boottime_end, wall_end;
};
err *pods_lease_read(int agent_fd, const char *boot_id, int64_t *ret_boottime_end) MUST_CHECK;
err *pods_lease_write(int agent_fd, const char *boot_id, int64_t boottime_end) MUST_CHECK;

/* Names of the local containers. index: PODS_SANDBOX for the sandbox. */
#define PODS_SANDBOX (-1)
const char *pods_local_name(const char *uid, int index, uint32_t attempt, char out[static 64]);

/* ---- objects ---- */

/* A Pod as it was told, shared by its entry and a job under way. Counted in the loop's thread alone. */
struct pod_object {
	unsigned refs;
	struct arena *arena;
	const struct pod *pod;
};
err *pod_object_new(const struct pod *pod, struct pod_object **ret) MUST_CHECK;
struct pod_object *pod_object_ref(struct pod_object *o);
void pod_object_unref(struct pod_object *o);
DEFINE_CLEANUP(struct pod_object *, pod_object_unref)
#define auto_pod_object CLEANUP(pod_object_unref)

/* What is known of a local container: the sandbox's or a container's present attempt. */
struct observed {
	enum decide_state state;
	int32_t pid;
	int64_t started;
	struct decide_end end;   /* its texts are owned */
	int stop_signal;
	int sock;                /* of its monitor, waiting for EXITED; -1: none */
	char cgroup[512];
};
#define OBSERVED_NONE { .sock = -1 }
void pods_observed_done(struct observed *o);

/* An image on its way, or whose fetching failed: one for all containers that want it. */
struct fetch {
	struct fetch *next;
	struct pods *p;
	char *image;
	int policy;
	unsigned users;
	struct job *job;
	uint32_t failures;
	int64_t retry_at;
};

/* Problem of a container whose image has gone from the store since it was resolved. */
#define PODS_IMAGE_LOST "ImageInspectError"

struct watched {
	struct entry *entry;
	int index;               /* PODS_SANDBOX, or of the container */
	struct observed now;
	struct loop_source *source;
	struct decide_end last;  /* of the attempt before; owned texts */
	int64_t ended_at, retry_at, term_at;
	bool killed;
	uint32_t failures;       /* in a row, of making it */
	char *problem, *problem_text;
	struct fetch *fetch;     /* its image is on the way, or failed */
	char *image;             /* digest of the manifest; NULL: not known */
	char *image_id;          /* NAME@DIGEST */
	uint32_t attempt, crashes, interrupted; /* as the record says, or will say */
};

enum job_kind {
	JOB_LOOK,
	JOB_SANDBOX,
	JOB_START,
	JOB_END_SANDBOX,
	JOB_REMOVE,
	JOB_RECORD,
	JOB_FETCH,
	JOB_CLAIM
};

struct entry {
	struct entry *next;
	struct pods *p;
	char uid[PODS_UID_MAX + 1];
	struct pod_object *object;
	struct watched sandbox, *containers;
	size_t count;
	/* Of the record. */
	int64_t taken;
	char boot_id[40];
	struct id_range ids;
	char slice[SLICES_PATH_MAX];	  /* "": none yet */
	struct pods_record_claim *claims; /* owned texts */
	size_t claim_count;
	bool frozen;     /* its record cannot be read: leave everything as it is */
	char *frozen_text;
	bool lost;       /* it ran here, the API says, but there is no record */
	bool confirmed, deleted, forgotten;
	bool recorded;   /* its folder is on the disk */
	bool unwritable; /* the last try to write it failed: what must be done is done without */
	bool dirty;      /* the record on the disk is older than this */
	bool look;       /* something ended, or lost its monitor */
	bool due;        /* to be decided */
	bool done;       /* removed: free it */
	struct job *job; /* under way */
	bool looked;     /* what is there is known */
	int64_t wake, retry_at;
	struct arena *status_arena; /* of `status` */
	struct pod_status status;
	struct str told;         /* the status as it was told last */
};

/* ---- jobs: agent/pods-jobs.c ---- */

struct job {
	struct job *next;
	enum job_kind kind;
	struct pods *p;
	struct entry *entry;        /* NULL: of a fetch, or its Pod is gone meanwhile */
	struct fetch *fetch;
	struct pod_object *object;
	char uid[PODS_UID_MAX + 1];
	int index;
	uint32_t attempts[PODS_CONTAINERS_MAX], sandbox_attempt; /* of all containers */
	size_t count;
	struct str record;          /* text to write first; empty: none */
	struct id_range ids;
	char slice[SLICES_PATH_MAX];
	char *image; /* digest to run */
	char *path;  /* of JOB_CLAIM: what goes */
	struct bundle_claim claims[PODS_CONTAINERS_MAX];
	size_t claim_count;
	char boot_id[40];
	atomic_bool cancel;
	/* Results. */
	err *error;
	const char *error_reason;   /* "CreateContainerError"; static */
	struct observed *seen;      /* sandbox first; of JOB_START and JOB_SANDBOX just one */
	struct decide_end *last;    /* of JOB_LOOK at the start: the attempts before */
	size_t seen_count;
	char *digest, *image_id;    /* of JOB_FETCH */
	int64_t bytes, nsec;
	bool pull;                  /* of JOB_FETCH: ask the registry; else look in the store alone */
	bool absent;                /* it is not in the store */
};
err *pods_job_new(struct pods *p, enum job_kind kind, struct entry *entry, struct job **ret) MUST_CHECK;
void pods_job_free(struct job *j);
/* Hand over to the workers, or to the threads that fetch. */
void pods_job_submit(struct job *j);
/* The oldest that is done, or NULL. */
struct job *pods_job_take_done(struct pods *p);
err *pods_jobs_start(struct pods *p) MUST_CHECK;
void pods_jobs_stop(struct pods *p);

/* agent/pods-work.c: the body of each kind, in a worker. */
extern const char pods_record_unwritten[]; /* error_reason of a job that could not write its record */
void pods_job_run(struct job *j);
/* Look at one local container. Waits a moment for one that is just being started, or undone. */
err *pods_work_observe(struct pods *p, const char *name, bool watch, struct observed *ret) MUST_CHECK;

/* ---- images: agent/pods-fetch.c ---- */
/* Have the container's image looked for, or fetched. */
void pods_fetch_want(struct watched *w);
void pods_fetch_drop(struct watched *w);
void pods_fetch_finished(struct job *j);
enum decide_image pods_fetch_state(const struct watched *w);
void pods_fetch_run(struct job *j);
void pods_fetch_free_all(struct pods *p);

/* A failure of what may succeed a moment later. */
#define PODS_RETRY_NS ((int64_t)NSEC_PER_SEC)

/* ---- agent/pods-claims.c ---- */

/* Places of the Pod's claims; paths are yours to free. EAGAIN: the API has not told of one yet. */
err *pods_claims_add(struct entry *e, struct bundle_claim *claims, size_t *count) MUST_CHECK;
void pods_claims_turn(struct pods *p);
/* A claim that was deleted while a Pod here mounts it. */
struct dead_claim {
	struct dead_claim *next;
	char *path, *uid;
};
void pods_dead_claim_free(struct dead_claim *d);

/* ---- agent/pods-finish.c ---- */
void pods_finish(struct job *j);
const char *pods_container_name(const struct watched *w);
void pods_kick(struct pods *p);

/* ---- agent/pods-reconcile.c ---- */
void pods_woken(uint32_t events, void *user); /* of the loop: jobs are done, or something is due */
void pods_timer(void *user);
void pods_event(struct entry *e, bool warning, const char *reason, const char *fmt, ...) PRINTF(4, 5);
void pods_watched_problem(struct watched *w, const char *reason, const char *text);
void pods_watched_unwatch(struct watched *w);
void pods_entry_due(struct entry *e);

/* ---- agent/pods-entry.c ---- */
struct entry *pods_entry_find(struct pods *p, const char *uid);
struct entry *pods_entry_named(struct pods *p, const char *namespace, const char *name);
void pods_entry_free(struct entry *e);
err *pods_entry_new(struct pods *p, const char *uid, struct pod_object *object,
		    struct entry **ret) MUST_CHECK;
/* Its record as it is now. */
void pods_entry_encode(const struct entry *e, struct str *out);
/* Decide where its cgroups are, unless that is decided. */
void pods_entry_place(struct entry *e);
bool pods_entry_rebooted(const struct entry *e);
/* With the lease that we know to be over. */
enum pods_contact pods_contact_now(const struct pods *p);
int64_t pods_fence_at(const struct pods *p); /* when that will be; 0: never */

struct queue {
	struct job *first, *last;
	pthread_cond_t filled;
};

struct pods {
	struct pods_options o;
	char *programs, *store, *node, *address, *runtime, *cgroup_manager, *auth_file;
	char **unverified;
	struct local *local;
	char data[4096], pause[4096];    /* DATA; the sandboxes' root */
	int agent_fd, pods_fd;           /* DATA/agent, DATA/agent/pods */
	int cgroup_fd;			 /* of the hierarchy; -1: Pods have no slices */
	bool systemd; /* slices are units, which the service manager makes by their names */
	char boot_id[40];
	struct entry *entries;
	struct fetch *fetches;
	struct dead_claim *dead_claims;
	enum pods_contact contact;
	int64_t lease_end, lease_written, opened;
	struct loop_source *timer, *wakeup;
	int wakeup_fd;
	struct pods_count totals;
	/* Shared with the threads, under the lock. */
	pthread_mutex_t lock;
	struct queue work, pulls, done;
	pthread_t *threads;
	size_t thread_count;
	bool stopping;
};
