/* api/config.h: how to reach a cluster, and as whom: the subset of kubeconfig files that we need.
 * Ref: Kubernetes v1 Config. Certificates and keys by path (relative to the file) or as base64 data. */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct api_config {
	const char *name;      /* of the context */
	const char *server;    /* "https://HOST:PORT" or "unix:///run/stube/scheduler.sock" */
	const char *namespace; /* "default" unless the context says otherwise */
	const char *ca, *cert, *key; /* PEM text; NULL: none. Never logged */
	const char *run_dir;   /* where this machine's agent may have its socket; NULL: not known */
};

/* Where from, the first that is there: `path`; $STUBE_CONFIG; ~/.config/stube/config; the local scheduler's socket
 * (RUN/scheduler.sock, or /run/stube-scheduler/scheduler.sock of its unit); /etc/stube/admin.conf. ENOENT: nothing is there, with a hint of `stube up`. EPERM: the file's key
 * may be read by others. A file that `path` or the variable names must be there.
 *   run_dir  RUN of agent/place.h, or NULL */
err *api_config_load(struct arena *arena, const char *path, const char *run_dir, struct api_config *ret) MUST_CHECK;

/* From bytes; relative names lie below dir_fd. */
err *api_config_parse(struct arena *arena, const char *name, const char *text, size_t len, int dir_fd,
		      struct api_config *ret) MUST_CHECK;

/* One cluster, one user, one context, all embedded: what `stube pki` writes. YAML. */
void api_config_write(struct str *out, const struct api_config *config);
