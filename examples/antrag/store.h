/* examples/antrag/store.h: applications and their history in SQLite.
 * Every statement is prepared; what comes from outside is only ever bound. Safe between threads. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/decode.h"
#include "base/err.h"
#include "examples/application.h"

struct store;

/* Open or make the database. Errors: EINVAL for one of a newer release; EIO with SQLite's words. */
err *store_open(const char *path, struct store **ret) MUST_CHECK;
void store_close(struct store *s);
DEFINE_CLEANUP(struct store *, store_close)
#define auto_store CLEANUP(store_close)

/* Keep a new one with its first event. *ret_taken: its number exists already, nothing was kept. */
err *store_add(struct store *s, const struct application *application, bool *ret_taken) MUST_CHECK;

/* With history. NULL when there is none. */
err *store_get(struct store *s, struct arena *arena, const char *number,
	       const struct application **ret) MUST_CHECK;

/* Newest change first. citizen NULL: of all; state -1: in any. */
err *store_list(struct store *s, struct arena *arena, const char *citizen, int state, unsigned limit,
		struct applications *ret) MUST_CHECK;

/* From `from` to `event->state`, in one transaction with the event. *ret_moved false: it is not (any more) in
 * `from`, somebody was faster. */
err *store_move(struct store *s, const char *number, int from, const struct event *event,
		bool *ret_moved) MUST_CHECK;

/* Keep a signature; the first one stays. *ret_kept tells whether this was it. */
err *store_sign(struct store *s, const char *number, int64_t signed_at, const char *signature,
		bool *ret_kept) MUST_CHECK;
