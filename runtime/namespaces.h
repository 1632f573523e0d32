/* runtime/namespaces.h: which namespaces are new, which are joined, and the child's first steps.
 * Spec: runtime-spec config-linux.md, "Namespaces". Kernel: namespaces(7), setns(2). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "oci/config.h"

#define NAMESPACES_MAX 8

/* A namespace to join, open and verified. */
struct namespace_join {
	int type; /* CLONE_NEW* */
	int fd;
	char path[32]; /* for messages: its type's name */
};

struct namespaces {
	uint32_t plan_flags;   /* enum plan_flag that follow */
	uint64_t clone_flags;  /* for clone3(2) */
	int unshare_flags;     /* for unshare(2) by the child, after the joins */
	int all;               /* CLONE_NEW* of every namespace of the container, new or joined */
	struct namespace_join joins[NAMESPACES_MAX];
	unsigned join_count;
	const struct oci_time_offsets *offsets; /* borrowed */
	uint32_t uid, gid;     /* whom to become in the new user namespace: 0, else the first that is mapped */
	int join_flags;        /* exec: types to join through pidfd; else 0 */
	int pidfd;             /* exec: of the container's init; borrowed */
};
#define NAMESPACES_INIT { .pidfd = -1 }
void namespaces_done(struct namespaces *ns);
DEFINE_CLEANUP_OF(struct namespaces, namespaces_done)
#define auto_namespaces CLEANUP(namespaces_done)

/* Whether the caller's user namespace is the machine's first one, whose user 0 has rights over the host. */
bool namespaces_user_is_initial(void);

/* Decide from the config; open what is joined by path and check that each is a namespace of its type.
 * A new user namespace together with joined ones is made after the joins; namespaces that shall be
 * owned by a joined user namespace are made after that. Errors name "linux.namespaces[2].path". */
err *namespaces_plan(const struct oci_config *config, struct namespaces *ret) MUST_CHECK;

/* Rows of role EARLY; `ns` as planned. proc_fd: the runtime's /proc, borrowed. */
err *namespaces_join(struct namespaces *ns) MUST_CHECK;
err *namespaces_unshare_user(void) MUST_CHECK;
err *namespaces_become_root(const struct namespaces *ns) MUST_CHECK;
err *namespaces_unshare(const struct namespaces *ns) MUST_CHECK;
err *namespaces_time_offsets(const struct namespaces *ns, int proc_fd) MUST_CHECK;
err *namespaces_new_cgroup(void) MUST_CHECK;

/* Fork into the pid namespace; only the new process returns, as a child of the runtime. */
err *namespaces_fork(void) MUST_CHECK;
