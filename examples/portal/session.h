/* examples/portal/session.h: who is signed in, and what proves that a form came from our own page.
 * A visitor's cookie is 32 random bytes. The table knows its hash only, and only once somebody has signed in:
 * visitors cost no memory. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"

#define SESSION_ID_SIZE 44 /* base64url of 32 bytes, with the NUL */

struct session {
	const char *token; /* of bayernid */
	const char *name;
	int role;
	int64_t issued, expires; /* of the token, seconds */
};

struct sessions;
err *sessions_new(unsigned idle_seconds, struct sessions **ret) MUST_CHECK;
void sessions_free(struct sessions *s);
DEFINE_CLEANUP(struct sessions *, sessions_free)
#define auto_sessions CLEANUP(sessions_free)

/* A new id for a cookie. */
err *session_id_new(char id[static SESSION_ID_SIZE]) MUST_CHECK;
bool session_id_valid(const char *id);

/* The text that a form of this visitor must carry. Computed, not stored. */
void session_csrf(const struct sessions *s, const char *id, char out[static SESSION_ID_SIZE]);
bool session_csrf_valid(const struct sessions *s, const char *id, const char *text) MUST_CHECK;

/* Keep, or replace, what `id` is signed in as; the one that was idle longest makes room. */
err *sessions_put(struct sessions *s, const char *id, const struct session *session) MUST_CHECK;

/* A copy in the arena; *ret_found false when nobody is signed in under it, or no more. */
err *sessions_get(struct sessions *s, struct arena *arena, const char *id, struct session *ret,
		  bool *ret_found) MUST_CHECK;
void sessions_drop(struct sessions *s, const char *id);
