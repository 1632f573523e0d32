/* agent/pods.h: the Pods of this node: made true, kept true, ended, adopted after a restart.
 *
 *	RUN/agent/                       gone after a reboot, as RUN (agent/place.h)
 *	DATA/agent/pods/UID/pod.json     the record (versioned): the Pod as wanted, what was decided once (ids, sandbox)
 *	DATA/agent/pods/UID/volumes/     its emptyDir volumes on disk
 *	DATA/agent/containers/NAME/      what its sandbox and containers keep, as agent/local.h draws it; NAME is UID-s-ATTEMPT
 *	                                 and UID-INDEX-ATTEMPT, so that no attempt is ever made twice
 *	DATA/agent/volumes/NAMESPACE/CLAIM-UID/   local persistent volumes, which outlive Pods
 *
 * All calls and callbacks are in the loop's thread; pulls, starts and stops run in a few threads of their own, at
 * most one action a Pod at a time. The decision what to do next is a pure function (agent/decide.h) of what is wanted and
 * what is there. A Pod (UID) whose containers have been started once is never started anew as if it were unknown: its
 * record was on the disk before. */
#pragma once
#include "agent/slices.h"
#include "api/claim.h"
#include "api/pod.h"
#include "base/err.h"
#include "net/loop.h"

struct pods;

struct pods_options {
	struct loop *loop;
	const char *programs;      /* folder of stube-monitor and stube-runtime; NULL: this program's */
	const char *store;         /* path of the image store, opened for each operation so that gc can run; NULL: the
	                              usual place (image_store_place()) */
	const char *node;          /* our name, for logs */
	const char *address;       /* of this machine: status.hostIP, and podIP with hostNetwork; NULL: not known yet */
	const char *runtime;       /* NULL: stube-runtime */
	const char *cgroup_manager;/* NULL: as the runtime does */
	struct slice_values
		share; /* what all Pods may have together (agent/reserve.h); cpu_weight 0: nobody says */
	unsigned workers;          /* threads; 0: 4 */
	unsigned pulls;            /* at once; 0: 2 */
	int64_t backoff_first;     /* ns until the second restart or try in a row, doubled each time ...; 0: 10 s */
	int64_t backoff_max;       /* ... up to this; counting begins anew after running for twice this; 0: 5 min */
	const char *auth_file;     /* of the registry; NULL: the usual ones */
	const char *const *unverified; /* registries, as http_options */
	/* A Pod's status is new: to be told to the API. The Pod's texts live until the call returns. */
	void (*status)(const struct pod *pod, const struct pod_status *status, void *user);
	/* Something happened: "Pulled", "Started", "BackOff". */
	void (*event)(const struct pod *pod, bool warning, const char *reason, const char *message, void *user);
	/* All of it has ended and is removed from this machine: its object may go. */
	void (*gone)(const struct pod *pod, void *user);
	/* Which node directory a claim of this Pod has; the claim's object, or NULL while it is not known. */
	const struct claim *(*claim)(const char *namespace, const char *name, void *user);
	void *user;
};

/* Read the records, settle and adopt what runs, without touching it. For a caller that is not root it enters
 * a user namespace (agent/userns.h): before any thread is made. */
err *pods_open(const struct pods_options *options, struct pods **ret) MUST_CHECK;
/* Waits for actions under way (pulls are cut off); containers go on. */
void pods_close(struct pods *p);

/* The API has this Pod bound to us: new, or changed (deletion time, grace). Never blocks. */
void pods_want(struct pods *p, const struct pod *pod);
/* The API does not know this UID any more: end it, remove it. */
void pods_forget(struct pods *p, const char *uid);
/* After the API's list has been told whole: what is recorded here and was not wanted since pods_open() is forgotten. */
void pods_synced(struct pods *p);

/* This claim was deleted: its data goes as soon as no Pod here has it. After a restart tell it again. */
void pods_claim_gone(struct pods *p, const char *namespace, const char *uid);

/* What is allowed to run while the control plane is out of reach (design, decision 14):
 * FREE     in contact: everything wanted
 * ALONE    out of contact since the start or for less than T: what runs goes on; after a reboot of the machine `keep` Pods
 *          are started again, and `replace` Pods whose record says that their time has not run out
 * FENCED   the lease is lost for longer than T: `replace` and `stop` Pods are ended, `keep` Pods go on */
enum pods_contact { PODS_FREE, PODS_ALONE, PODS_FENCED };
void pods_contact(struct pods *p, enum pods_contact contact);
/* When the lease that we hold runs out, CLOCK_BOOTTIME and wall clock, written beside the records at most once a
 * second, so that a restart knows. */
void pods_lease(struct pods *p, int64_t boottime_end);
/* The same as it was last told, also to the program before us; after a reboot counted on by the wall clock. 0: never. */
int64_t pods_lease_end(const struct pods *p);
/* The node's address has become known, or another one. */
void pods_address(struct pods *p, const char *address);

struct pods_count {
	unsigned pods, running, containers;
	/* Since the agent's start. failures: of everything on the way to a running container, those of pulls
	 * and starts among them. */
	uint64_t adopted, started, restarted, pulls, pull_bytes, failures, pull_failures, start_failures;
};
void pods_counts(const struct pods *p, struct pods_count *ret);

/* For each Pod: object, status now, and its running containers' cgroups, for metrics and /pods. */
struct pods_container {
	const char *name;      /* in the Pod */
	int32_t pid;           /* 0: does not run */
	const char *cgroup;    /* directory in the v2 hierarchy; NULL: none */
	const char *keep_dir;  /* where its log is */
	const char *local_name; /* of the container as agent/local.h knows it */
};
typedef bool pods_each_fn(const struct pod *pod, const struct pod_status *status, const struct pods_container *containers,
			  size_t count, void *user);
void pods_each(struct pods *p, pods_each_fn *fn, void *user);

/* For logs and exec: where a container's log is (a descriptor of its kept folder), and a monitor's socket for a command in
 * it. previous: of the run before. ENOENT, ESRCH name Pod and container. */
err *pods_log_open(struct pods *p, const char *namespace, const char *name, const char *container, bool previous,
		   int *ret_keep_fd, bool *ret_running) MUST_CHECK;
struct bundle_exec;
err *pods_exec(struct pods *p, const char *namespace, const char *name, const char *container,
	       const struct bundle_exec *exec, bool interactive, int *ret_sock, struct str *ret_session) MUST_CHECK;
/* The session's folder goes, once its socket is done. */
void pods_exec_done(struct pods *p, const char *session);
