/* registry/auth-internal.h: what the files behind registry/auth.h share. */
#pragma once
#include "base/strv.h"
#include "registry/auth.h"

/* Ask `docker-credential-NAME VERB` with `input` on its standard input; its standard output, up to
 * AUTH_SECRET_MAX bytes, is appended to `out`. *ret_status is its exit status. */
err *helper_run(const char *name, const char *verb, const char *input, struct str *out, int *ret_status)
	MUST_CHECK;

/* Credentials from a helper; AUTH_NONE when it has none. */
err *helper_get(const char *name, const char *server, struct auth *ret) MUST_CHECK;

/* What a helper knows a host as. */
const char *helper_server(const char *host);

/* The auth files in the order of the search; the first is where a login is kept. */
err *auth_files(const char *file, struct strv *ret) MUST_CHECK;

/* Whether a key of an auth file, of whatever age, names `key` (HOST or HOST/PATH). */
bool auth_key_equal(const char *in_file, const char *key);

/* Append the name of the helper that the file's text wants for a key; nothing when it wants none. */
err *auth_helper_of(const char *name, const char *text, size_t len, const char *key, struct str *ret) MUST_CHECK;
