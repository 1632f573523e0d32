/* monitor/logread.h: records read back from a container's log, across its rotations.
 * The log may be written, and rotated, meanwhile. Format: monitor/log.h. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"
#include "monitor/log.h"

struct log_reader;

struct log_record {
	int64_t time; /* ns since the epoch */
	enum monitor_stream stream;
	bool full;            /* the line ends here: a newline follows the text */
	const char *text;     /* borrowed until the next call */
	size_t len;
};

/* Read log `name` in `dir_fd` (borrowed; must outlive the reader) from `place` on; a place that
 * rotation has removed means the oldest record that is left, and log_reader_skipped() says so. */
err *log_reader_open(int dir_fd, const char *name, struct monitor_place place, struct log_reader **ret)
	MUST_CHECK;
void log_reader_free(struct log_reader *r);
DEFINE_CLEANUP(struct log_reader *, log_reader_free)
#define auto_log_reader CLEANUP(log_reader_free)

/* The next record. *ret_have is false when all that is written now was read; later calls go on from
 * there. Lines that are no records are passed over. */
err *log_reader_next(struct log_reader *r, struct log_record *record, bool *ret_have) MUST_CHECK;

/* Behind the last record that was returned. */
struct monitor_place log_reader_place(const struct log_reader *r);

/* Whole files that rotation removed before they were read. */
uint64_t log_reader_skipped(const struct log_reader *r);

/* Parse one line without its newline; for log_reader_next() and the fuzzer. */
bool log_record_parse(const char *line, size_t len, struct log_record *record) MUST_CHECK;
