/* agent/local-internal.h: what the parts of local containers share. */
#pragma once
#include <limits.h>
#include "agent/local.h"
#include "monitor/exit.h"
#include "monitor/session.h"

struct local {
	char run_base[PATH_MAX];            /* RUN or RUN/FOLDER, absolute: the runtime's folder is in it */
	char pins[PATH_MAX];                /* RUN/layers */
	char run[PATH_MAX], data[PATH_MAX]; /* folders `containers`, absolute */
	int run_fd, data_fd;                /* the same, open */
	int base_run_fd, base_fd;           /* RUN and DATA: what all containers share */
	char programs[PATH_MAX];
	bool counts_starts; /* one that may have been started is never taken for one that was not */
};

/* The folders of one container; -1: not there. */
struct local_dirs {
	int run_fd, keep_fd;
	char run[PATH_MAX], keep[PATH_MAX];
};
#define LOCAL_DIRS_NONE { .run_fd = -1, .keep_fd = -1 }
void local_dirs_done(struct local_dirs *d);
DEFINE_CLEANUP_OF(struct local_dirs, local_dirs_done)
#define auto_dirs CLEANUP(local_dirs_done)

/* Open what is there of container `name`; make: what is missing is made. */
err *local_dirs_open(struct local *l, const char *name, bool make, struct local_dirs *ret) MUST_CHECK;

/* Take the lock of a container's run folder, which must be open. *ret_fd is -1 when somebody holds it:
 * its monitor, or a command that is making it. ESTALE: the folder was removed meanwhile. */
err *local_lock(const struct local_dirs *d, int *ret_fd) MUST_CHECK;

/* agent/local-record.c */
err *local_record_read(struct arena *arena, int keep_fd, struct local_record *ret) MUST_CHECK;
err *local_record_write(int keep_fd, const struct local_record *r) MUST_CHECK;

/* agent/local-settle.c: see agent/local.h. ENOENT: nothing is left of it. */
err *local_settle(struct local *l, const char *name) MUST_CHECK;

/* Remove all of a container that does not run; its lock is held by the caller. */
err *local_erase(struct local *l, const char *name) MUST_CHECK;

/* Path of stube-monitor. */
const char *local_monitor(struct local *l, char out[static PATH_MAX]);
