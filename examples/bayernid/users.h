/* examples/bayernid/users.h: the people bayernid knows, from a file. */
#pragma once
#include "base/arena.h"
#include "base/decode.h"
#include "base/err.h"

struct user {
	const char *user;     /* what is typed */
	const char *subject;  /* what stands in tokens: stays the same, says nothing */
	const char *name;     /* as it is shown */
	int role, loa;	      /* examples/token.h */
	const char *password; /* examples/password.h */
};
struct users {
	LIST(struct user) list;
};

/* Read the file; names, subjects and hashes are checked, so that a mistake shows at the start. */
err *users_load(struct arena *arena, const char *path, struct users *ret) MUST_CHECK;
const struct user *users_find(const struct users *users, const char *name);
const struct user *users_find_subject(const struct users *users, const char *subject);
