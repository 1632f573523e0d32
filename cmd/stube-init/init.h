/* cmd/stube-init/init.h: what the rows of the child share. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"
#include "runtime/plan.h"

struct init {
	const struct plan *plan;
	int *fds; /* that came with the plan; -1 once used */
	size_t fd_count;
	int sock;    /* to the runtime, later to `start` */
	int root;    /* the container's root, O_PATH */
	int landlock; /* the ruleset, until it is put on */
	int proc, sys; /* what was mounted on /proc and /sys, or -1 */
	int terminal; /* the slave side; -1: plain stdio */
	bool joined; /* exec: the container is there already */
	bool in_cwd;
	char **argv, **env;
	char *program;  /* what will be executed */
	uint64_t final_permitted, final_effective; /* once the filter is loaded */
};

/* Descriptor number `index` of the plan; stays owned by init->fds. -1 for PLAN_NO_FD. */
int init_fd(const struct init *init, uint32_t index);

/* The runtime's own /proc, which nothing in the container can cover; borrowed. */
int init_proc(const struct init *init);

/* Give it away: the caller closes it. */
int init_take_fd(struct init *init, uint32_t index);

/* Rows, in the order of the tables (runtime/steps.c); data is a struct init. */
err *init_keyring(void *data) MUST_CHECK;
err *init_loopback(void *data) MUST_CHECK;
err *init_names(void *data) MUST_CHECK;
err *init_root(void *data) MUST_CHECK;
err *init_mounts(void *data) MUST_CHECK;
err *init_devices(void *data) MUST_CHECK;
err *init_terminal(void *data) MUST_CHECK;
err *init_sysctl(void *data) MUST_CHECK;
err *init_hooks_container(void *data) MUST_CHECK;
err *init_paths(void *data) MUST_CHECK;
err *init_root_readonly(void *data) MUST_CHECK;
err *init_pivot(void *data) MUST_CHECK;
err *init_stdio(void *data) MUST_CHECK;
err *init_labels(void *data) MUST_CHECK;
err *init_scheduling(void *data) MUST_CHECK;
err *init_user(void *data) MUST_CHECK;
err *init_cwd(void *data) MUST_CHECK;
err *init_find_program(void *data) MUST_CHECK;
err *init_landlock_rules(void *data) MUST_CHECK;
err *init_hooks_start(void *data) MUST_CHECK;
err *init_landlock(void *data) MUST_CHECK;
err *init_seccomp(void *data) MUST_CHECK;
err *init_exec(void *data) MUST_CHECK;
err *init_hotplug(void *data) MUST_CHECK;

/* CAP_SYS_ADMIN, kept without no_new_privs to restrict ourselves, goes. */
err *drop_kept_capability(const struct init *init) MUST_CHECK;

/* Descriptors as the program inherits them. Called before the filter, which need not allow it. */
err *release_fds(const struct init *init) MUST_CHECK;

/* Shared between files: open the destination of a mount, a directory or a file, made when missing. */
err *destination_open(int root, const char *path, bool directory, int *ret_fd) MUST_CHECK;

/* Mount one row; *ret_tree is what is mounted now. */
err *mount_row(struct init *init, const struct plan_mount *m, int *ret_tree) MUST_CHECK;
/* "mounts[3]: bind '/srv' on '/data': ..." */
err *mount_error(err *e, const struct plan *p, const struct plan_mount *m) MUST_CHECK;

/* Try to enter process.cwd inside the root. */
err *cwd_enter(struct init *init) MUST_CHECK;

/* Add HOME to the environment unless it is there. */
err *home_add(struct init *init) MUST_CHECK;

/* Append why execve(2) of `path` failed with `code`: another machine, a missing interpreter. */
void why_not_executed(const char *path, int code, struct str *out);

/* Copy the content of a directory into another: tmpcopyup. The directories themselves stay as they are. */
err *copy_tree(int from, int to) MUST_CHECK;

/* The pause process of a Pod: reaps, ends on SIGTERM. Never returns. */
NORETURN void pause_process(void);
