/* agent/cgroup.h: what the machine's cgroup v2 hierarchy offers. cgroups(7). */
#pragma once
#include <stdbool.h>
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"

/* Append the names of the controllers at its root, divided by spaces. *ret_where: where it is mounted, NULL: there is none;
 * *ret_hybrid: beside version 1, where most controllers may be. */
err *cgroup_find(struct str *controllers, const char **ret_where, bool *ret_hybrid) MUST_CHECK;

/* Whether that controller is there. */
bool cgroup_has(const char *controller);
