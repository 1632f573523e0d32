/* agent/place.h: where containers of the local machine lie.
 *
 *	             root            another user
 *	run    /run/stube            $XDG_RUNTIME_DIR/stube                gone after a reboot; mode 0700
 *	data   /var/lib/stube        $XDG_DATA_HOME/stube (~/.local/share/stube)
 *
 * $STUBE_RUN and $STUBE_DATA replace either. Inside the user namespace of a rootless caller the
 * folders are still that user's. */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"

/* Append the folder's absolute path; nothing is made. EINVAL when none is known. */
err *place_run(struct str *out) MUST_CHECK;
err *place_data(struct str *out) MUST_CHECK;

/* Make a folder (and those above it) with mode 0700 and open it. Refuses one that another user owns or may write:
 * EPERM. */
err *place_open(const char *path, int *ret_fd) MUST_CHECK;

/* The folder of the project's programs: `given`, or where this one lies when that is NULL. */
err *place_programs(const char *given, char out[static PATH_MAX]) MUST_CHECK;

/* Whether the caller is root where it counts: in the initial user namespace. */
bool place_is_root(void);
