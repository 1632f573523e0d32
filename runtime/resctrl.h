/* runtime/resctrl.h: linux.intelRdt: which share of the processor's caches and memory bandwidth a container
 * gets. Spec: runtime-spec 1.3, config-linux.md, "IntelRdt". Kernel: Documentation/filesystems/resctrl.rst.
 *
 * A class of service is a directory of the resctrl file system: tasks listed there get the schemata written
 * there. Monitoring groups lie below it. Only what this runtime made is removed again. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/err.h"
#include "oci/config.h"

/* What a container has there, as its record keeps it. */
struct resctrl_group {
	const char *name;  /* of the class's directory; "/": the default class; NULL: none at all */
	bool made;	   /* the directory is this container's */
	bool monitor_made; /* so is mon_groups/ID in it */
};

/* The mounted file system, checked. ENOENT: none is mounted. */
err *resctrl_open(int *ret_fd) MUST_CHECK;

/* Find or make the directory of linux.intelRdt for container `id`; ret->name is set first, the rest as it is
 * made, so that resctrl_remove() after a failure leaves nothing. Errors name "linux.intelRdt.closID":
 * ENOENT a class without schema that is not there, EEXIST the id's directory is there already, ENOSPC. */
err *resctrl_make(struct arena *arena, int root_fd, const struct oci_intel_rdt *rdt, const char *id,
		  struct resctrl_group *ret) MUST_CHECK;

/* Write the schemata of a class that was made, or compare them with those of one that was there: EINVAL. */
err *resctrl_fill(int root_fd, const struct oci_intel_rdt *rdt, const struct resctrl_group *group) MUST_CHECK;

/* Put a process in; its children follow. */
err *resctrl_enter(int root_fd, const struct resctrl_group *group, const char *id, pid_t pid) MUST_CHECK;

/* Take away what was made; missing directories are fine. */
err *resctrl_remove(int root_fd, const struct resctrl_group *group, const char *id) MUST_CHECK;

/* The same for a record; opens the file system only if there is something to remove. */
err *resctrl_end(const struct resctrl_group *group, const char *id) MUST_CHECK;

/* Whether the text of a schemata file says what the line `wanted` asks for ("L3:0=7f0;1=1f"). */
bool resctrl_has_line(const char *schemata, const char *wanted);
