/* runtime/cgroup-delegate.h: the annotation run.oci.delegate-cgroup: a cgroup of the container's own to
 * manage.
 *
 * The limits stay on the container's cgroup, which its root cannot write; below lies one that it owns, where
 * it may make children and enable controllers. Processes live there, as cgroup v2 wants leaves only. */
#pragma once
#include <sys/types.h>
#include "base/err.h"

struct oci_config;

/* The name from the annotation, or NULL. */
const char *cgroup_delegate_name(const struct oci_config *config);

/* Make it below the container's cgroup, once, and move process `pid` into it: after its cgroup namespace was
 * made, whose root is the container's cgroup, as crun has it. Nothing without the annotation or cgroup. */
err *cgroup_delegate(int cgroup_fd, const struct oci_config *config, pid_t pid) MUST_CHECK;
