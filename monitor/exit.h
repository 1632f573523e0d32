/* monitor/exit.h: the record of how a container or an exec session ended, kept on disk. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/macro.h"

#define EXIT_RECORD_VERSION 1
#define EXIT_RECORD_FILE    "exit.json"

/* A container whose end nobody saw: its monitor was killed and the kernel could not tell later. */
#define EXIT_UNKNOWN 255

struct exit_record {
	uint32_t version;
	int64_t started, finished; /* ns since the epoch; started 0: never */
	uint32_t code;             /* 0 to 255; 128 + signal when a signal ended it */
	uint32_t signal;           /* 0: none */
	bool known;                /* false: code is EXIT_UNKNOWN, `reason` says why */
	bool oom;                  /* the kernel killed something in its cgroup for want of memory */
	const char *reason;        /* NULL, or why it never ran or is not known */
	uint64_t log_lost;         /* bytes of output that never reached the log */
};

/* Fill code and signal from a wait(2) status. */
void exit_record_status(struct exit_record *r, int wait_status);

/* Write atomically as EXIT_RECORD_FILE in `dir_fd`. */
err *exit_record_write(int dir_fd, const struct exit_record *r) MUST_CHECK;

/* Read it into `arena`. Errors: ENOENT there is none; EINVAL it is damaged or newer than known. */
err *exit_record_read(struct arena *arena, int dir_fd, struct exit_record *ret) MUST_CHECK;

/* The same from bytes, for the fuzzer. */
err *exit_record_parse(struct arena *arena, const char *text, size_t len, struct exit_record *ret)
	MUST_CHECK;
