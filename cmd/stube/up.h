/* cmd/stube/up.h: the two programs of a cluster on one machine, as processes: started, found again, asked,
 * ended. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/strv.h"
#include "cmd/stube/cluster.h"

/* Where all of it lies: certificates, logs and the store below DATA, sockets and pids below RUN. */
struct home {
	struct arena *arena;
	const char *run, *data, *pki;
	const char *node;
};
void home_done(struct home *h);
DEFINE_CLEANUP_OF(struct home, home_done)
#define auto_home CLEANUP(home_done)
/* name: of the node; NULL: the host name. EPERM unless root. */
err *home_open(struct home *h, const char *name) MUST_CHECK;

enum { SCHEDULER, AGENT, PROGRAMS };
extern const char *const up_programs[PROGRAMS];

/* One of them as it runs. Ours to reap when we started it: then pid is not 0. */
struct program {
	int which;
	int pidfd; /* -1: it does not run */
	pid_t pid;
};
void program_done(struct program *p); /* what runs goes on */

/* The one that runs, whoever started it; pidfd -1: none does. */
err *program_find(const struct home *h, int which, struct program *ret) MUST_CHECK;
/* args are kept beside its pid, for program_again(). */
err *program_start(const struct home *h, int which, const struct strv *args, struct program *ret) MUST_CHECK;
/* As it was started the last time. ENOENT: it never was. */
err *program_again(const struct home *h, int which, struct program *ret) MUST_CHECK;
/* Until it answers that it is ready, or has died (EIO, with its last words), or the time `end` of
 * clock_monotonic(). */
err *program_wait(const struct home *h, struct program *p, int64_t end) MUST_CHECK;
/* Ask it to end, and wait. */
err *program_stop(const struct home *h, int which, bool *ret_found) MUST_CHECK;

/* The scheduler of this machine by its socket, whatever $STUBE_CONFIG says. */
err *up_cluster(const struct home *h, struct cluster *ret) MUST_CHECK;

/* Append the Pods that run on this machine ("default/web-1, default/web-2"), nothing when none does: by what
 * is on the machine, for the case that nobody else can be asked. */
err *up_services(struct home *h, struct str *out) MUST_CHECK;
/* Until the agent has no Pod left that could run. ETIMEDOUT at the time `end` of clock_monotonic(). */
err *up_wait_ended(const struct home *h, int64_t end) MUST_CHECK;
