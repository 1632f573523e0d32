/* runtime/cgroup-owner.h: whom a container's cgroup belongs to: a user, a container.
 * Spec: runtime-spec config-linux.md, "Cgroup ownership". Kernel: cgroups(7), "Cgroup delegation". */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"

struct cgroup;
struct oci_config;

/* Give a cgroup: its directory and, in it, the files that /sys/kernel/cgroup/delegate lists, as far as they are
 * there. No others, or the container could raise its own limits. gid -1: stays. */
err *cgroup_give(int cgroup_fd, uid_t uid, gid_t gid) MUST_CHECK;

/* Whether the configuration asks for it: a cgroup namespace of its own, and cgroup mounted read-write on
 * /sys/fs/cgroup. Not with the annotation run.oci.delegate-cgroup, which gives one below. */
bool cgroup_owner_wanted(const struct oci_config *config);

/* If so, give the container's cgroup to who process.user.uid is on the host. For one that was made for the
 * container: what was there before stays whose it was. cgroup_fd     where its processes are; -1: none
 *   proc_fd, pid  the container's first process, in its user namespace: its map decides, not config.json's
 *   rootless      what the caller may not give stays: the spec only allows it */
err *cgroup_give_to_user(int cgroup_fd, const struct oci_config *config, int proc_fd, pid_t pid,
			 bool rootless) MUST_CHECK;

/* A container that enters a cgroup which was there before says so in an extended attribute of the directory
 * that nobody inside can write: whoever made it, under another --root, has nothing there any more. Best
 * effort: not for rootless callers. created  its record's; with the id it tells one from another */
void cgroup_take_over(const struct cgroup *cg, const char *id, const char *created);
bool cgroup_is_taken_over(const struct cgroup *cg, const char *id, const char *created);
