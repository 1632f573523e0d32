/* base/memory-watch.h: whether the kernel killed something in a cgroup for want of memory, asked when the
 * cgroup may be gone already.
 *
 * A cgroup's memory.events goes with its directory: an open descriptor answers ENODEV from then on. systemd
 * removes a scope's as soon as its last process has ended, as a rule before the process's parent has run. So
 * the file is read whenever the kernel says that it changed, and together with the one above it, which counts
 * the same kills and stays. Why so: docs/decisions/0184-memory-kills.md. Kernel: admin-guide/cgroup-v2.rst,
 * memory.events. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct memory_watch {
	int own, above; /* memory.events; -1: there is none */
	uint64_t own_kills, above_kills;
	int64_t read; /* when both were read last */
};
#define MEMORY_WATCH_INIT              \
	{                              \
		.own = -1, .above = -1 \
	}

/* From a cgroup's directory (borrowed; may be O_PATH). Without that controller nothing is ever seen. */
void memory_watch_open(struct memory_watch *w, int dir_fd);
void memory_watch_done(struct memory_watch *w);

/* poll(2) on `own` said POLLPRI. False when the cgroup is gone: poll would say so for ever. */
bool memory_watch_read(struct memory_watch *w);

/* How many processes in it or below, by whichever limit: its own or one above. Once the cgroup is gone: those
 * of the last reading, and one more when `by_kill`, its first process ended (or may have) by SIGKILL, and
 * something below the parent was killed for memory since that reading, a moment ago. */
uint64_t memory_watch_kills(struct memory_watch *w, bool by_kill);
