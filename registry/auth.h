/* registry/auth.h: where credentials come from and where a login is kept.
 * Files: containers-auth.json(5), docker's config.json. Helpers: docker-credential-helpers protocol.
 *
 * Searched in this order, the first file that has an entry wins: the file given, or REGISTRY_AUTH_FILE;
 * else XDG_RUNTIME_DIR/containers/auth.json (root: /run/containers/UID/auth.json), XDG_CONFIG_HOME or
 * ~/.config/containers/auth.json, DOCKER_CONFIG or ~/.docker/config.json. In a file a per-repository
 * key (HOST/a/b) beats a shorter one, and a credential helper named for a key beats `auth`. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"

#define AUTH_FILE_MAX   (1u << 20) /* bytes of an auth file */
#define AUTH_SECRET_MAX 65536      /* bytes of one name, password or token */

enum auth_kind {
	AUTH_NONE,     /* ask without credentials */
	AUTH_BASIC,    /* username and secret */
	AUTH_IDENTITY, /* secret is an OAuth2 refresh token ("identitytoken") */
	AUTH_BEARER,   /* secret is a token to be sent as it is ("registrytoken") */
};

struct auth {
	enum auth_kind kind;
	char *username; /* NULL unless AUTH_BASIC */
	char *secret;   /* NULL for AUTH_NONE; wiped by auth_done() */
	char *source;   /* for explanations: "FILE, key 'host/a'"; never a secret */
};
void auth_done(struct auth *a);
DEFINE_CLEANUP_OF(struct auth, auth_done)
#define auto_auth CLEANUP(auth_done)

/* Credentials for `repository` (may be "") at `host` as the user's reference names them; AUTH_NONE
 * when nobody has any. `file` NULL: the search above. Runs a credential helper (posix_spawn, no shell,
 * environment of the caller, 30 s) only when a file names one for this host.
 * Errors: a file that is not what it should be, a helper that failed; never "not found". */
err *auth_find(const char *file, const char *host, const char *repository, struct auth *ret) MUST_CHECK;

/* Keep a login: write `auth` for `key` (HOST or HOST/PATH) into the file that auth_find() would look
 * into first, mode 0600, atomically, keeping every other member of the file; a credential helper that
 * the file names for the key is given it instead.
 * *ret_where (yours to free) says where. */
err *auth_store(const char *file, const char *key, const char *username, const char *password,
		char **ret_where) MUST_CHECK;

/* Forget it; ENOENT when there was none. */
err *auth_erase(const char *file, const char *key, char **ret_where) MUST_CHECK;

/* For fuzzing and tests: what the text of an auth file says. `helper` (may be NULL) receives the name
 * of the credential helper to ask instead, or stays empty. */
err *auth_parse(const char *name, const char *text, size_t len, const char *host, const char *repository,
		struct auth *ret, struct str *helper) MUST_CHECK;

/* A challenge of WWW-Authenticate. Spec: RFC 9110 11.6.1, distribution "Token Authentication". */
enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };
struct challenge {
	enum challenge_scheme scheme;
	char *realm, *service, *scope, *error; /* NULL when absent */
};
/* The strongest challenge we can answer (bearer before basic) among those in one or more header
 * values joined by ", ". CHALLENGE_NONE when there is none. Errors: EINVAL malformed, EFBIG. */
err *challenge_parse(const char *text, size_t len, struct challenge *ret) MUST_CHECK;
void challenge_done(struct challenge *c);
DEFINE_CLEANUP_OF(struct challenge, challenge_done)
#define auto_challenge CLEANUP(challenge_done)
