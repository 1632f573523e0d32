/* monitor/memory.h: whether the kernel killed something in a container's cgroup for want of memory.
 *
 * Opened while the container lives, asked once its process has ended, before the runtime deletes it: with the cgroup
 * the count is gone. Kernel: admin-guide/cgroup-v2.rst, memory.events. */
#pragma once
#include <stdbool.h>

/* memory.events of the cgroup that /proc/PID/cgroup (as text) tells, below the first of `roots` (ends with NULL) that has
 * it; -1: that controller is not on. */
int memory_events_open(const char *const *roots, const char *membership);
extern const char *const memory_roots[]; /* where the v2 hierarchy usually is */

/* Any process in it, also one that was not its first, by whichever limit: its own, its Pod's, or the machine's. */
bool memory_events_killed(int fd);
