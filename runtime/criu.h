/* runtime/criu.h: the program criu, found and spoken to: one request over `criu swrk`, its notifications, its
 * answer.
 *
 * CRIU is found and started only when checkpoint or restore ask for it. Ref: criu.org/RPC, CRIU's
 * images/rpc.proto. Why this way of speaking: docs/decisions/0140-criu.md. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum criu_type { /* criu_req_type of rpc.proto */
		 CRIU_DUMP = 1,
		 CRIU_RESTORE = 2,
		 CRIU_PRE_DUMP = 4,
		 CRIU_NOTIFY = 6,
};

/* The program: `asked` (--criu), or "criu" of PATH and of the usual places. ENOENT: not installed, with a
 * hint. */
err *criu_find(struct arena *arena, const char *asked, const char **ret) MUST_CHECK;

/* Borrowed throughout. */
struct criu_job {
	const char *program;
	enum criu_type type;
	const struct str *options; /* criu_opts of rpc.proto, encoded */
	const char *log_name;	   /* below work_fd: its last errors become part of ours */
	int image_fd, work_fd;	   /* directories; criu gets the same ones in its own mount namespace */
	int cgroup_fd;		   /* criu, and so what it restores, runs there; -1: where we are */
	const int *pass;	   /* descriptors that it inherits under the same numbers */
	size_t pass_count;
	/* In the new process before criu: its own mounts; or NULL. */
	err *(*prepare)(void *data);
	/* A moment of the work: "setup-namespaces", "post-restore", ... A failure ends the work with that
	 * error. pid  of the container's init where it is known; 0 fd   sent with it, or -1; borrowed */
	err *(*notify)(void *data, const char *moment, pid_t pid, int fd);
	void *data;
};

/* Returns when criu is done and gone. The error has what its log says last. */
err *criu_run(const struct criu_job *job) MUST_CHECK;
