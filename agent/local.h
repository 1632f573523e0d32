/* agent/local.h: containers of this machine: made, run, listed, ended, removed. Those of a node's Pods (agent/pods.h)
 * live the same way in folders of their own, where `stube ps` does not look.
 *
 *	RUN/containers/NAME/    lock (held while a monitor lives), monitor.sock, running.json, bundle/, exec/N/
 *	DATA/containers/NAME/   container.json, log, exit.json, upper/ and work/ of the root, volumes/
 *
 * Every call settles first what a killed command, monitor or machine left of the container it looks
 * at: a process without its monitor gets a new one, what is half-made goes. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "agent/bundle.h"
#include "agent/monitor.h"
#include "api/pod.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macro.h"
#include "images/store.h"

#define LOCAL_VERSION 1

/* container.json: what was asked for, and what was decided once. */
struct local_record {
	uint32_t version;
	const char *name;
	int64_t created;          /* ns since the epoch */
	const char *image;        /* as the user named it; NULL: a plain directory */
	const char *image_digest; /* of the manifest */
	const char *store;        /* where the image is; NULL in records of older releases */
	const char *rootfs;       /* the plain directory */
	struct pod pod;
	uint32_t container;       /* which of its containers */
	const char *user;         /* as struct bundle_input */
	int network;              /* enum bundle_network */
	const char *netns_path;
	struct id_range ids;
	const char *runtime;
	struct strings runtime_args;
	const char *cgroups_path; /* NULL: none */
	const char *stop_signal;
	struct monitor_log_limits log;
	bool auto_remove;
};

enum local_status {
	LOCAL_CREATED = 1,
	LOCAL_RUNNING,
	LOCAL_EXITED,
};
extern const struct enum_name local_status_names[];

struct local_container {
	struct local_record record;
	enum local_status status;
	int32_t pid;      /* of its first process, while it runs; 0 otherwise */
	int64_t started;  /* 0: never */
	int64_t finished; /* 0: not yet */
	uint32_t code;
	uint32_t signal;
	bool known, oom;
	const char *reason;
};

struct local;

/* Open the folders of place.h, making them where needed. A caller that is not root enters its user
 * namespace first (agent/userns.h): before any thread is made. programs: the folder where stube-monitor and
 * stube-runtime lie, NULL: that of this program. */
err *local_open(const char *programs, struct local **ret) MUST_CHECK;
/* The same for the containers of RUN/FOLDER/containers and DATA/FOLDER/containers; they share pinned layers and id
 * ranges with all others. There, a container whose monitor was killed while it was being started has ended, in a way
 * that nobody knows; it does not vanish as if it had never run. */
err *local_open_folder(const char *programs, const char *folder, struct local **ret) MUST_CHECK;
void local_free(struct local *l);
DEFINE_CLEANUP(struct local *, local_free)
#define auto_local CLEANUP(local_free)

/* All containers, by name. Texts live in the arena. */
err *local_list(struct local *l, struct arena *arena, struct local_container **ret, size_t *ret_count) MUST_CHECK;

/* One. ENOENT: there is none of that name. */
err *local_find(struct local *l, struct arena *arena, const char *name, struct local_container *ret) MUST_CHECK;

struct local_request {
	const struct pod *pod;
	size_t container;             /* which of its containers */
	const char *name;             /* NULL: the Pod's name */
	struct image_store *store;    /* and */
	const struct image *image;    /* what to run; or NULL, and */
	const char *image_text;
	const char *rootfs;           /* a directory, used in place */
	bool rootfs_exec; /* its programs may be executed, whatever its file system's mount says */
	const char *user;
	enum bundle_network network;
	const char *netns_path;
	const struct bundle_join *join; /* namespaces of a sandbox; with `ids` */
	struct id_range ids;          /* of the caller, who takes and gives them back; size 0: an own range where the Pod
	                                 wants one */
	const char *volumes_dir;      /* where emptyDir volumes on disk are already; NULL: in the container's folder */
	const struct bundle_claim *claims; /* made where they are missing, for the container's user */
	size_t claim_count;
	const char *runtime;          /* NULL: stube-runtime beside this program, then in $PATH */
	const char *cgroup_manager;   /* "cgroupfs", "systemd", "disabled"; NULL: as the runtime does */
	const char *slice; /* its cgroup is made in this one (agent/slices.h); NULL: beside all others */
	const struct standing *standing; /* NULL: as the caller's own */
	struct monitor_log_limits log;
	bool auto_remove;
};

/* Make the container and its monitor; its process waits to be started through *ret_sock. Whatever fails or
 * is killed before that leaves nothing. EEXIST: the name is taken. */
err *local_create(struct local *l, const struct local_request *request, int *ret_sock) MUST_CHECK;

/* Connect to a container's monitor. ESRCH: it does not run. */
err *local_connect(struct local *l, const char *name, int *ret_sock) MUST_CHECK;

/* Open the kept folder, for the log. */
err *local_keep_open(struct local *l, const char *name, int *ret_fd) MUST_CHECK;

/* Ask it to end, wait, KILL. grace in ns, -1: the Pod's. One that has ended already is fine. */
err *local_stop(struct local *l, const char *name, int64_t grace) MUST_CHECK;

/* Remove an ended container with all it wrote. force: end it first, at once. EBUSY: it runs. */
err *local_remove(struct local *l, const char *name, bool force) MUST_CHECK;

/* Run a command in a running container: relay our stdio, wait. */
struct local_exec {
	struct bundle_exec process;
	bool interactive;
};
err *local_exec(struct local *l, const char *name, const struct local_exec *exec, struct monitor_end *ret)
	MUST_CHECK;

/* The same for a caller that relays by itself: a socket of the session's monitor, and what names the session for
 * local_exec_done(), which takes its folder away. ESRCH: the container does not run. */
#define LOCAL_SESSION_MAX 64
err *local_exec_open(struct local *l, const char *name, const struct local_exec *exec, int *ret_sock,
		     char ret_session[static LOCAL_SESSION_MAX]) MUST_CHECK;
void local_exec_done(struct local *l, const char *name, const char *session);

/* DATA/pods/UID or DATA/containers/NAME: whether the owner of an id range is still there. */
bool local_owner_exists(struct local *l, const char *owner);
int local_base_fd(const struct local *l); /* DATA, for agent/ids.h; borrowed */

/* /proc/PID/ns/net of a running container, for another one to join. Append it to `out`. */
err *local_netns(struct local *l, const char *name, struct str *out) MUST_CHECK;

/* Path of a runtime by name or path; NULL: ours. ENOENT. */
err *local_runtime(struct local *l, const char *wanted, struct str *out) MUST_CHECK;

/* A name that nobody has. */
err *local_new_name(struct local *l, char out[static 64]) MUST_CHECK;

/* As JSON, for inspect and ps --output json. */
void local_encode(struct json_writer *w, const struct local_container *c);
