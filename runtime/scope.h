/* runtime/scope.h: a container's cgroup where systemd manages it: the scope's life beside the container's.
 * What talks to systemd is unit.h; what lies in the scope's directory is cgroup.h. */
#pragma once
#include "base/err.h"
#include "runtime/start.h"

/* Decide the scope's name and slice; nothing is made. */
err *scope_plan(struct start *s) MUST_CHECK;

/* Make the scope with limits and annotations as its properties, open its directory (s->cgroup), record it,
 * and write the limits into the kernel's files as well: those that systemd has no property for, and what it
 * rounds. s->keeper holds the scope. */
err *scope_make(struct start *s) MUST_CHECK;

/* The annotation's cgroup below a scope, or NULL. EINVAL: no name of a directory. */
err *scope_subgroup(const struct oci_config *config, const char **ret) MUST_CHECK;

/* The container's first process is in: the keeper leaves, and the number of processes is what it is to be. */
err *scope_settle(struct start *s) MUST_CHECK;

/* The end of the record's scope: processes, unit, directory. One that is gone is fine. */
err *scope_end(struct arena *arena, const struct state_record *record) MUST_CHECK;
