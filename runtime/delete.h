/* runtime/delete.h: the end of a container: its processes, cgroup, hooks, state.
 * Spec: runtime-spec runtime.md, "Delete" and "Lifecycle". */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/strv.h"
#include "oci/config.h"
#include "runtime/state.h"

/* Delete a container. One that is created or stopped goes; one that runs or is paused only with `force`,
 * which kills it first. What a killed create left behind is cleaned; with `force` a container that does
 * not exist, and a record that cannot be read, are no error either.
 *   warnings  collects what the specification wants logged: failing poststop hooks; may be NULL
 * Errors: ENOENT "container 'ID' does not exist"; EBUSY "cannot delete container ID that is not stopped:
 * running". */
err *container_delete(struct arena *arena, const char *root, const char *id, bool force,
		      struct strv *warnings) MUST_CHECK;

/* What is left when init has ended: other processes, the cgroup, poststop hooks, the directory. The lock is
 * held; c->record is the only thing used. */
err *container_end(struct container *c, struct strv *warnings) MUST_CHECK;

/* Open the file that an annotation (runtime/annotations.h) names for what hooks print; -1 without one. */
err *container_open_hook_file(const struct string_map *annotations, const char *name, int *ret_fd) MUST_CHECK;

/* Run hooks of config.json on the host, in the bundle, with the container's state on stdin. */
err *container_run_hooks(struct arena *arena, const char *kind, const struct oci_hook_list *list,
			 const struct state_record *record, enum state_status status) MUST_CHECK;
