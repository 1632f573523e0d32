/* base/log.h: a fixed message plus fields, printed as text or JSON.
 *
 *	log_info("started", "container", id, "pid", pid_text, NULL);
 *
 * text   2026-11-23T20:15:04Z info: started container=web pid=42          (file, pipe)
 *        warning: ...                                                     (terminal: no time)
 * json   {"level":"info","msg":"started","time":"2026-11-23T20:15:04Z","container":"web","pid":"42"}
 *
 * The keys level, msg and time are what callers of OCI runtimes parse (runc(8), --log-format). One
 * record is one write(2), so that lines of several processes do not mix. */
#pragma once
#include "base/err.h"
#include "base/macro.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Before this call the log goes to stderr as text, from level warning on. target: a path, "-" or NULL
 * for stderr, "journald:ID" for the journal with that identifier (the socket of systemd-journald(8)),
 * "syslog:ID" for syslog(3)'s, "file:PATH" for a path. */
err *log_open(const char *target, enum log_format format, enum log_level level) MUST_CHECK;
void log_close(void);

/* A field that every further record of this process carries, such as "role", "child". Borrowed. */
void log_label(const char *key, const char *value);

/* Descriptor in use, to pass on to another program; -1 for the journal and syslog. Borrowed. */
int log_fd(void);
enum log_level log_level(void);
enum log_format log_format(void);

/* Pairs of key and value (NULL values are left out), ended by NULL. */
void log_error(const char *message, ...) SENTINEL;
void log_warning(const char *message, ...) SENTINEL;
void log_info(const char *message, ...) SENTINEL;
void log_debug(const char *message, ...) SENTINEL;

/* The chain of an error as the message of one error record. `e` is borrowed. */
void log_err(const err *e);
