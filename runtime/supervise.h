/* runtime/supervise.h: the foreground of run and exec: signals and terminal until the process ends. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/err.h"

/* Block every signal, so that none is lost between clone and supervise(); the child unblocks its own. */
err *supervise_block_signals(void) MUST_CHECK;

/* A further descriptor to look after; -1: none. */
struct supervise_watch {
	int fd;
	short events;		   /* of poll(2) */
	bool (*ready)(void *data); /* false: no longer */
	void *data;
};
#define SUPERVISE_WATCHES 2 /* at most */

/* Forward signals to `pid`, a child of ours; copy between the caller's stdio and the terminal's
 * master (-1: plain stdio); reap. Returns when `pid` ended: its exit status, or 128 +
 * signal. */
err *supervise(pid_t pid, int master, struct supervise_watch *watches, size_t count,
	       int *ret_status) MUST_CHECK;

/* A connected pair: what a container is given as console, and where receive_terminal() gets the master. */
err *console_pair(int *ret_ours, int *ret_theirs) MUST_CHECK;
err *receive_terminal(int sock, int *ret_master) MUST_CHECK;
