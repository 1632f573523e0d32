/* runtime/spec.h: the config.json that a new bundle begins with.
 * Spec: runtime-spec config.md; the values are those that runc and crun write for `spec`, without
 * ambient capabilities, and with a cgroup namespace. */
#pragma once
#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"

/* Append the document and a line end. rootless: for the caller's own user: a user namespace in which its
 * user and group are root, the host's network (nobody could set up another), /sys by bind mount, no
 * limits. */
err *spec_write(bool rootless, struct str *out) MUST_CHECK;
