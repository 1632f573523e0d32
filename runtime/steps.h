/* runtime/steps.h: starting a container: one table, walked by the runtime and by its child.
 *
 * Each row belongs to one role. Both sides walk the same rows in the same order; the owner of a row runs
 * it, the other waits. Where ownership changes one message goes over the socket: the number of the row
 * to go on with, or the error that stopped its sender. Which rows run depends on the plan's flags alone,
 * so both agree. The child begins as a copy of the runtime (role EARLY: namespaces), then executes
 * stube-init (role CHILD).
 *
 * STEPS_START goes on over a new connection when `start` comes, or over the same one for `run`. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/macro.h"

struct plan;

enum step_role { STEP_PARENT, STEP_EARLY, STEP_CHILD };

enum step_id {
	STEP_JOIN,
	STEP_UNSHARE_USER,
	STEP_MAP_IDS,
	STEP_BECOME_ROOT,
	STEP_UNSHARE,
	STEP_TIME_OFFSETS,
	STEP_FORK,
	STEP_ADOPT,
	STEP_LIMITS,
	STEP_CGROUP_NAMESPACE,
	STEP_ENTER_INIT,
	STEP_SEND_PLAN,
	STEP_KEYRING,
	STEP_LOOPBACK,
	STEP_NAMES,
	STEP_ROOT,
	STEP_MOUNTS,
	STEP_DEVICES,
	STEP_TERMINAL,
	STEP_SYSCTL,
	STEP_HOOKS_RUNTIME,
	STEP_HOOKS_CONTAINER,
	STEP_PATHS,
	STEP_ROOT_READONLY,
	STEP_PIVOT,
	STEP_STDIO,
	STEP_LABELS,
	STEP_SCHEDULING,
	STEP_USER,
	STEP_CWD,
	STEP_FIND_PROGRAM,
	STEP_RECORD,
	STEP_HOOKS_START,
	STEP_SECCOMP,
	STEP_EXEC,
	STEP_HOTPLUG,
	STEP_NET_DEVICES,
	STEP_LANDLOCK_RULES,
	STEP_LANDLOCK,
	STEP_ENTER_UNIT,
	STEP_COUNT
};

struct step {
	enum step_id id;
	enum step_role role;
	uint32_t when;    /* enum plan_flag bits: any of them; 0: always */
	const char *name; /* what error messages and --debug call it */
	const char *why;  /* why here: specification or kernel reference */
};

/* Ended by a row without name. */
extern const struct step steps_create[], steps_exec[], steps_start[], steps_hotplug[];

/* flags: enum plan_flag of the plan. */
bool step_is_wanted(const struct step *row, uint32_t flags);

/* One side of a walk. */
struct walk {
	enum step_role role;
	int sock;               /* SOCK_SEQPACKET; borrowed */
	uint32_t flags;         /* of the plan */
	err *(*const *run)(void *data); /* STEP_COUNT functions; NULL for rows of others */
	void *data;
	pid_t *sender;          /* PARENT: set to the sender of each message (SO_PASSCRED), or NULL */
	int owner;              /* whose row was the last: -1 nobody's yet, 0 the parent's, 1 the child's */
	err *(*wait)(int sock); /* PARENT: before each receive, so that it can be given up; may be NULL */
	void (*print)(const struct step *row); /* each row, of both sides, for --debug; may be NULL */
};

#define WALK_NOBODY (-1)
#define WALK_PARENT 0
#define WALK_CHILD  1

/* Walk `table` from row `from` on; w->owner is kept up to date, so a second table can follow. An error of the own side is sent to the other and returned; an
 * error of the other side is returned as "NAME: TEXT" with its code. EPIPE: the other side died. */
err *walk_steps(struct walk *w, const struct step *table, size_t from) MUST_CHECK;

/* Hand the turn over outside of a table: the parent's last word after steps_create (without it the child
 * ends, so a killed `create` leaves no container behind), and the child's first one in stube-init. */
err *walk_give_turn(int sock, size_t next) MUST_CHECK;
err *walk_take_turn(struct walk *w, const char *what, size_t next) MUST_CHECK;

/* What stube-init calls itself (prctl(2), PR_SET_NAME): until its exec, and when it ends without one. */
#define STEP_INIT_NAME "stube-init:exec"

/* PARENT: wait until the child's socket closes, which its successful exec does, and its end as well
 * (start_wait_exec() tells them apart); or its error. When the
 * seccomp filter has a listener it comes first, once: *ret_listener is set, wait again. */
err *walk_wait_exec(struct walk *w, int *ret_listener) MUST_CHECK;
err *walk_send_listener(int sock, int listener_fd) MUST_CHECK;

/* What a child's last row found out: bytes, at most STEP_TEXT_MAX; its error may still follow
 * (walk_wait_exec()). EPROTO when it is not `len` bytes. */
err *walk_send_result(int sock, const void *bytes, size_t len) MUST_CHECK;
err *walk_take_result(struct walk *w, void *bytes, size_t len) MUST_CHECK;

/* Index of the row behind the one with `id`. */
size_t steps_after(const struct step *table, enum step_id id);

/* The walk's messages, for the side channels: the plan itself, `start`'s first word. */
#define STEP_TEXT_MAX 8192
err *walk_send_error(int sock, const err *e) MUST_CHECK;

/* Plan and descriptors over the socket, in pieces. */
err *walk_send_plan(int sock, const void *plan, size_t len, const int *fds, size_t fd_count) MUST_CHECK;
/* *ret_plan is malloc'ed and checked (plan_check()), *ret_fds malloc'ed, descriptors close-on-exec. */
err *walk_receive_plan(int sock, struct plan **ret_plan, int **ret_fds, size_t *ret_count) MUST_CHECK;
