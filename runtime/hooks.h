/* runtime/hooks.h: running the hooks of a container.
 *
 * Spec: runtime-spec config.md, "POSIX-platform Hooks". No JSON is needed here, so that stube-init,
 * which runs createContainer and startContainer hooks from its plan, can link this file. */
#pragma once
#include <stddef.h>
#include "base/err.h"

/* Files that get what hooks print, instead of the error message; -1: captured for it. */
struct hook_files {
	int out, errors;
};

struct hook {
	const char *path;        /* absolute */
	const char *const *args; /* ends with NULL; NULL: only the path */
	const char *const *env;  /* ends with NULL; NULL: an empty environment */
	int timeout;             /* seconds; 0 or less: none */
	const struct hook_files *files; /* NULL: both captured */
};

/* Run `count` hooks one after the other, each with the container's state on stdin.
 *   kind   "createRuntime": for messages, "error running createRuntime hook #1: ..."
 *   state  state JSON (runtime-spec runtime.md, "State"), state_len bytes; borrowed
 *   cwd    directory that they start in, or NULL: the caller's
 * stdout and stderr are captured, the last 1500 bytes of each appear in the error. Nothing but descriptors
 * 0, 1 and 2 is passed on; signals have their defaults. Each hook leads a process group of its own,
 * which is killed as a whole when the time is over. The first failure ends the run.
 * A signal that interrupts (runtime/interrupt.h) ends it as well.
 * Errors: EINTR, ECHILD it failed ("exit status 1, stdout: , stderr: ..."), ETIMEDOUT, or why it did not
 * start. */
err *hooks_run(const char *kind, const struct hook *hooks, size_t count, const char *state,
	       size_t state_len, const char *cwd) MUST_CHECK;
