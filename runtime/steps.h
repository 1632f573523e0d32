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
	STEP_JOIN, STEP_UNSHARE_USER, STEP_MAP_IDS, STEP_BECOME_ROOT, STEP_UNSHARE, STEP_TIME_OFFSETS,
	STEP_FORK, STEP_ADOPT, STEP_LIMITS, STEP_CGROUP_NAMESPACE, STEP_ENTER_INIT, STEP_SEND_PLAN,
	STEP_KEYRING, STEP_LOOPBACK, STEP_NAMES, STEP_ROOT, STEP_MOUNTS, STEP_DEVICES, STEP_TERMINAL,
	STEP_SYSCTL, STEP_HOOKS_RUNTIME, STEP_HOOKS_CONTAINER, STEP_PATHS, STEP_ROOT_READONLY,
	STEP_PIVOT, STEP_STDIO, STEP_LABELS, STEP_SCHEDULING, STEP_USER, STEP_CWD, STEP_FIND_PROGRAM,
	STEP_RECORD, STEP_HOOKS_START, STEP_SECCOMP, STEP_SEND_LISTENER, STEP_EXEC,
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
extern const struct step steps_create[], steps_exec[], steps_start[];

/* One side of a walk. */
struct walk {
	enum step_role role;
	int sock;               /* SOCK_SEQPACKET; borrowed */
	uint32_t flags;         /* of the plan */
	bool debug;
	err *(*const *run)(void *data); /* STEP_COUNT functions; NULL for rows of others */
	void *data;
	pid_t *sender;          /* PARENT: set to the sender of each message (SO_PASSCRED), or NULL */
	bool eof_is_success;    /* PARENT: the socket closes when the child's exec succeeds */
	bool *ended;            /* PARENT: set when that happened; may be NULL */
	/* Print a row for --debug. */
	void (*print)(const struct step *row, enum step_role role);
};

/* Walk `table` from row `from` on. An error of the own side is sent to the other and returned; an
 * error of the other side is returned as "NAME: TEXT" with its code. EPIPE: the other side died. */
err *walk_steps(struct walk *w, const struct step *table, size_t from) MUST_CHECK;

/* Index of the row behind the one with `id`. */
size_t steps_after(const struct step *table, enum step_id id);

/* The walk's messages, for the side channels: the plan itself, `start`'s first word. */
#define STEP_TEXT_MAX 8192
err *walk_send_error(int sock, const err *e) MUST_CHECK;

/* Plan and descriptors over the socket, in pieces. */
err *walk_send_plan(int sock, const void *plan, size_t len, const int *fds, size_t fd_count) MUST_CHECK;
/* *ret_plan is malloc'ed and checked (plan_check()), *ret_fds malloc'ed, descriptors close-on-exec. */
err *walk_receive_plan(int sock, struct plan **ret_plan, int **ret_fds, size_t *ret_count) MUST_CHECK;
