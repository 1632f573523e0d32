/* runtime/join.h: exec: one more process in a container that runs. */
#pragma once
#include "runtime/start.h"

struct join_request {
	struct start_request base; /* root, id, console, pid file, descriptors, init */
	const struct oci_process *process; /* NULL: decided by `adjust` from the container's own */
	/* Options of the command over the container's process; the copy may be changed. */
	err *(*adjust)(struct oci_process *process, void *data);
	void *adjust_data;
	const char *cgroup; /* below the container's cgroup; NULL: the container's */
	bool ignore_paused;
};

/* Enter the namespaces by one pidfd and the cgroup at the clone, with the same attributes as create gives;
 * returns when the program executes. s->pid is our child. Errors: EINVAL not running, paused. */
err *join_container(struct arena *arena, const struct join_request *r, struct start *s) MUST_CHECK;
