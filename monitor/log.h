/* monitor/log.h: the log file of one container: written, rotated.
 * Format: CRI logging, one record a line: "2026-11-23T20:15:04.000000001Z stdout F text". A chunk that
 * does not end in a newline is written at once with P in place of F; its rest follows in the next
 * record of that stream, so that a monitor that dies has nothing left to write.
 *
 * Files: NAME is written; NAME.0, NAME.1, ... are full, numbered by generation since the first. */
#pragma once
#include <sys/types.h>
#include "base/err.h"
#include "base/macro.h"
#include "monitor/protocol.h"

struct monitor_log;

enum monitor_stream { MONITOR_STDOUT, MONITOR_STDERR };

struct monitor_log_limits {
	uint64_t size;  /* bytes of a file before the next is begun; a record is never split for it */
	unsigned files; /* kept, with the one being written; 2 or more */
};

/* Open or create `name` in `dir_fd` (borrowed; must outlive the log) with mode 0600, going on behind
 * what is there. */
err *monitor_log_open(int dir_fd, const char *name, struct monitor_log_limits limits,
		      struct monitor_log **ret) MUST_CHECK;
void monitor_log_free(struct monitor_log *log);
DEFINE_CLEANUP(struct monitor_log *, monitor_log_free)
#define auto_monitor_log CLEANUP(monitor_log_free)

/* Write a chunk of output with the time stamp `nsec`. Cannot fail for the caller, who must go on
 * whatever the disk says: what could not be written is counted, and a record tells so as soon as
 * writing works again. */
void monitor_log_write(struct monitor_log *log, enum monitor_stream stream, int64_t nsec,
		       const char *bytes, size_t len);

/* Open the file anew, after an outside program has moved it away: begins a generation. */
err *monitor_log_reopen(struct monitor_log *log) MUST_CHECK;

/* Where the next record will begin. */
struct monitor_place monitor_log_place(const struct monitor_log *log);

/* Bytes of output that never reached the file. */
uint64_t monitor_log_lost(const struct monitor_log *log);

/* Generation of the file now called `name`: one more than the newest numbered file. */
err *monitor_log_generation(int dir_fd, const char *name, uint64_t *ret_oldest, uint64_t *ret_current)
	MUST_CHECK;
