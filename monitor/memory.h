/* monitor/memory.h: the cgroup of a process, where its kills for want of memory are counted. */
#pragma once

/* The directory of the cgroup that /proc/PID/cgroup (as text) tells, below the first of `roots` (ends with
 * NULL) where it has that controller; -1: none. */
int memory_cgroup_open(const char *const *roots, const char *membership);
extern const char *const memory_roots[]; /* where the v2 hierarchy usually is */
