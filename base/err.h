/* base/err.h: the error object that functions return: NULL is success.
 *
 * An error is a chain, outermost fact first: "container 'web': config.json: process.cwd: ...".
 * Each level says what could not be done and to which object, in lower case, without a full stop
 * and without function names. Library code neither prints nor logs an error that it returns. */
#pragma once
#include <errno.h>
#include "base/macro.h"
#include "base/str.h"

typedef struct err err;
struct err {
	int code;      /* positive errno(3) value; kept while wrapping; programs turn it into a status */
	char *message; /* this level's fact */
	char *hint;    /* what the user may do about it, or NULL; printed on a line of its own */
	err *cause;    /* next level inwards, or NULL */
	err *beside;   /* another failure of the same work, or NULL; told on a line of its own */
};

/* A new error. Never fails: out of memory gives a static object that err_free() ignores. */
err *err_new(int code, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;

/* What was tried, in fmt; the current errno becomes code and cause. */
err *err_errno(const char *fmt, ...) PRINTF(1, 2) MUST_CHECK;

/* The same for a call that returns its error number instead of setting errno. */
err *err_code(int code, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;

/* The static out-of-memory object. */
err *err_oom(void) MUST_CHECK;

#ifdef __clang_analyzer__
/* The analyser sees no other file's functions: tell it that these never give NULL, so that a path ends where
 * an error is returned. */
static inline UNUSED err *err_exists(err *e)
{
	if (!e)
		__builtin_unreachable();
	return e;
}
#define err_new(...)   err_exists(err_new(__VA_ARGS__))
#define err_errno(...) err_exists(err_errno(__VA_ARGS__))
#define err_code(...)  err_exists(err_code(__VA_ARGS__))
#define err_oom()      err_exists(err_oom())
#endif

/* Add the outer object to `cause` (taken). NULL stays NULL, so a call can be wrapped directly. */
err *err_wrap(err *cause, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;

/* Add a hint to `e` (taken, returned). A hint is a sentence for the user. */
err *err_hint(err *e, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;

/* Change the code of `e` (taken, returned), for instance to ENOENT where callers look for it. */
err *err_with_code(err *e, int code) MUST_CHECK;

/* Add `other` (taken) as a further failure of the same work, such as the second wrong line of a file, behind those that
 * `e` (taken, returned) has already. Each may be NULL. */
err *err_beside(err *e, err *other) MUST_CHECK;

/* Append the chain to `out`, joined by ": ", and what stands beside it behind a line break each; control characters are shown as '?', so that text
 * from a file or a registry cannot write to the user's terminal. */
void err_format(const err *e, struct str *out);

/* First hint found from the outside, or NULL. Borrowed. */
const char *err_first_hint(const err *e);

/* Free the chain. NULL is fine. */
void err_free(err *e);
DEFINE_CLEANUP(err *, err_free)
#define auto_err CLEANUP(err_free)

/* Ignore a failure on purpose; the reader sees that it was meant. */
#define IGNORE(call) err_free(call)

/* Return the error of `call`, if any. Safe because cleanup is automatic (base/macro.h). */
#define TRY(call)                                                                                  \
	do {                                                                                       \
		err *try_ = (call);                                                                \
		if (try_)                                                                          \
			return try_;                                                               \
	} while (0)
