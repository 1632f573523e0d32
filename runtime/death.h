/* runtime/death.h: what a process that ended in the middle of a start died of, in words. */
#pragma once
#include <sys/types.h>
#include "base/err.h"
#include "base/memory-watch.h"

/* `e` (taken, returned) says that the other side of a walk ended (EPIPE): put what it died of in that place.
 * Anything else, and NULL, stays as it is. pid     the process, our child, not yet waited for pidfd   of it;
 * borrowed memory  of the cgroup that was made for it, whose kills by lack of memory are its own; NULL: not
 * known */
err *death_explain(err *e, pid_t pid, int pidfd, struct memory_watch *memory) MUST_CHECK;

/* The words alone, for a process that this signal ended. ENOMEM when the kernel killed it for its memory, else EPIPE. */
err *death_error(int signal, struct memory_watch *memory) MUST_CHECK;
