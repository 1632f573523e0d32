/* cmd/stube/remote.h: what the commands that talk to the store and to registries share. */
#pragma once
#include "cmd/stube/commands.h"
#include "cmd/stube/progress.h"
#include "images/store.h"
#include "oci/image.h"
#include "registry/client.h"

/* Options of every command that asks a registry: a member `remote` of the command's arguments. */
struct remote_args {
	const char *auth_file;
	struct strv insecure;
	struct strv certs_dirs;
	const char *progress;
	bool quiet;
};
/* clang-format off */
#define REMOTE_OPTIONS(quiet_help) \
	OPT('q', "quiet",     CLI_FLAG,   remote.quiet,      NULL,          quiet_help), \
	OPT(0,   "progress",  CLI_CHOICE, remote.progress,   "auto|bars|plain|json|none", "how to show progress on standard error"), \
	OPT(0,   "auth-file", CLI_STRING, remote.auth_file,  "FILE",        "credentials, as containers-auth.json(5) describes"), \
	OPT(0,   "insecure",  CLI_LIST,   remote.insecure,   "HOST[:PORT]", "allow plain http, or an unknown certificate, for this registry"), \
	OPT(0,   "certs-dir", CLI_LIST,   remote.certs_dirs, "DIR",         "look for HOST:PORT/ca.crt, client.cert, client.key here")
/* clang-format on */

/* The store that --store, STUBE_STORE or the user's own place names. */
err *open_store(const struct cli_context *c, enum image_store_use use, struct image_store **ret) MUST_CHECK;

/* A registry client. cancel may be NULL; notices go to `progress`, which may be NULL too. */
err *open_registry(const struct remote_args *args, const atomic_bool *cancel, struct progress *progress,
		   struct registry **ret) MUST_CHECK;

/* --platform; *ret stays NULL when `text` is. */
err *parse_platform(struct arena *arena, const char *text, const struct oci_platform **ret) MUST_CHECK;

/* Print what `out` holds on standard output. */
err *print_out(const struct str *out) MUST_CHECK;
