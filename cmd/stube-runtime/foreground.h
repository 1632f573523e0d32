/* cmd/stube-runtime/foreground.h: what run and restore do alike while they wait for their container. */
#pragma once
#include "cmd/stube-runtime/runtime.h"

/* The two ends of the pair over which the container's terminal comes; -1 without one. */
struct foreground {
	int ours, theirs;
};
#define FOREGROUND_INIT { .ours = -1, .theirs = -1 }
void foreground_done(struct foreground *f);
DEFINE_CLEANUP_OF(struct foreground, foreground_done)
#define auto_foreground CLEANUP(foreground_done)

/* Before the container is made, unless --detach: terminal, reaper, signals. r->console_fd is borrowed from f. */
err *foreground_begin(const struct start_args *a, struct start_request *r, struct foreground *f) MUST_CHECK;

/* Relay terminal and signals until the program ends; then delete the container, unless `keep`. */
err *foreground_wait(struct start *s, struct foreground *f, bool keep, int *ret_status) MUST_CHECK;
