/* runtime/start.h: the parent's side of a start: state, cgroup, plan, clone, and its rows of the table.
 *
 * create: start_create() leaves a container whose init waits for `start`. run: the same with wait false,
 * then start_go(). Whatever fails takes everything back: the child is killed, its cgroup and its state
 * removed. Afterwards the container lives on its own; start_done() only closes.
 * One process, no threads. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/memory-watch.h"
#include "base/strv.h"
#include "oci/config.h"
#include "runtime/cgroup.h"
#include "runtime/namespaces.h"
#include "runtime/net-devices.h"
#include "runtime/notify.h"
#include "runtime/plan-build.h"
#include "runtime/state.h"
#include "runtime/steps.h"
#include "runtime/unit.h"

/* Borrowed throughout. */
struct start_request {
	const char *root;   /* --root */
	const char *id;
	const char *bundle; /* absolute */
	const struct oci_config *config;
	const char *config_text; /* as it was read: kept with the state */
	size_t config_len;
	const char *console_socket; /* path, or NULL */
	int console_fd;             /* connected already (run with a terminal of its own), or -1 */
	const char *pid_file;
	const char *pidfd_socket; /* Unix socket that receives the pidfd of init, or of the process of an
				     exec; NULL */
	const char *notify_host;  /* the service manager's socket, or NULL (runtime/notify.h) */
	uint32_t preserve_fds;
	bool no_pivot, no_new_keyring;
	bool wait; /* create */
	enum cgroup_manager manager;
	bool rootless;
	const void *init; /* the bytes of stube-init */
	size_t init_len;
	struct strv *warnings;
	void (*print)(const struct step *row); /* --debug; or NULL */
};

/* One start, or one exec. */
struct start {
	struct arena *arena;
	const struct start_request *request;
	struct container container;
	struct cgroup_root hierarchy;
	struct cgroup cgroup;
	struct namespaces namespaces;
	struct net_devices net_devices;
	struct plan_builder plan;
	struct walk walk;
	const struct step *table;
	const struct oci_process *process;
	int proc_fd, image_fd;
	int sock, child_sock; /* the socketpair */
	int lock_fd;
	pid_t pid;     /* the child, later the container's init */
	pid_t sender;  /* of the last message, while a fork is expected */
	int pidfd;
	bool made_cgroup;
	struct memory_watch memory; /* of its cgroup: start_memory() */
	/* The systemd manager's (scope.h): */
	struct unit_id unit;
	const char *slice;
	struct unit_keeper keeper;
	const char *subgroup; /* below the scope, where processes go instead; or NULL */
	int subgroup_fd;      /* the same opened by create; -1 */
	uint64_t tasks_max;   /* to be set once the keeper has left; 0: none */
	struct notify notify; /* run */
};
#define START_INIT                                                                                   \
	{                                                                                            \
		.container = CONTAINER_INIT, .hierarchy = { .fd = -1 }, .cgroup = CGROUP_INIT,       \
		.namespaces = NAMESPACES_INIT, .net_devices = NET_DEVICES_INIT, .proc_fd = -1,       \
		.image_fd = -1, .sock = -1, .child_sock = -1, .lock_fd = -1, .pid = -1, .pidfd = -1, \
		.memory = MEMORY_WATCH_INIT, .keeper = UNIT_KEEPER_INIT, .subgroup_fd = -1,          \
		.notify = NOTIFY_INIT                                                                \
	}
void start_done(struct start *s);
DEFINE_CLEANUP_OF(struct start, start_done)
#define auto_start CLEANUP(start_done)

err *start_create(struct arena *arena, const struct start_request *r, struct start *s) MUST_CHECK;

/* run: load the filter, execute the program, poststart hooks. */
err *start_go(struct start *s) MUST_CHECK;

/* run, after the program ended: what delete would do, poststop hooks included. */
err *start_end(struct start *s) MUST_CHECK;

/* `start` of a container that create left waiting: over its socket, then the same. With `notify_host`,
 * *notify is open and bound afterwards if create was told of one. */
err *start_container(struct arena *arena, const char *root, const char *id, const char *notify_host,
		     struct notify *notify) MUST_CHECK;

/* ---- shared with runtime/restore.c ---- */

/* The container's directory, record in phase "creating", configuration and cgroup with limits and device
 * rules; s->process, namespaces and proc_fd are set before. */
err *start_prepare(struct start *s) MUST_CHECK;

/* The record once s->pid is the container's init. */
err *start_record(struct start *s) MUST_CHECK;

/* The cgroup that the container's processes enter: its own, or the one below; -1: none. */
int start_cgroup_fd(const struct start *s);

/* The kills for lack of memory in the cgroup that was made for it; NULL: there is none, or others use it as
 * well. */
struct memory_watch *start_memory(struct start *s);

/* Take back what start_prepare() made, and end s->pid. */
void start_undo(struct start *s);

/* ---- shared with runtime/join.c (exec) ---- */

/* Sealed image of stube-init, unreadable for other users: nobody inside can open or trace it. */
err *start_image(struct start *s) MUST_CHECK;

/* Clone the child, which walks the EARLY rows and executes stube-init; the parent returns. */
err *start_clone(struct start *s, uint64_t flags, int cgroup_fd) MUST_CHECK;

/* Walk the parent's rows; on failure the child is killed and reaped. */
err *start_walk(struct start *s, err *(*const *rows)(void *)) MUST_CHECK;
err *start_adopt(void *data) MUST_CHECK;
err *start_enter_unit(void *data) MUST_CHECK;
err *start_limits(void *data) MUST_CHECK;
err *start_send_plan(void *data) MUST_CHECK;
/* The child into the container's class of service, if it has one (linux.intelRdt). */
err *start_enter_resctrl(struct start *s) MUST_CHECK;
void start_kill(struct start *s);

/* Wait for the child's exec; a seccomp listener is sent to linux.seccomp.listenerPath. */
err *start_wait_exec(struct walk *w, const struct oci_config *config, const struct state_record *record,
		     pid_t pid) MUST_CHECK;

/* The compiled filter into the plan. */
err *start_plan_seccomp(struct start *s, const struct oci_config *config, const char *root) MUST_CHECK;

/* --pidfd-socket: the pidfd over it, with runc's word for its kind, "standard" or "setns". */
err *start_send_pidfd(const struct start *s, const char *kind) MUST_CHECK;

/* --pid-file, replaced atomically. */
err *start_write_pid_file(const char *path, pid_t pid) MUST_CHECK;
