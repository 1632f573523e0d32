/* runtime/cgroup.h: a container's cgroup in the v2 hierarchy, through cgroupfs.
 *
 * Spec: runtime-spec config-linux.md, "Control groups". Kernel: admin-guide/cgroup-v2.rst.
 * On a hybrid host the v2 hierarchy has few controllers or none; the container still gets its
 * directory there: entered at clone, frozen, killed, its devices ruled by eBPF (devices-bpf.h).
 * Everything happens below descriptors, so a plain directory tree can stand in for a kernel in tests.
 *
 * The order of a start:
 *	cgroup_root_open   -> where the hierarchy is mounted
 *	cgroup_plan        -> path decided, existing directories checked, nothing changed yet
 *	(record it: state.h; so a killed create can be cleaned)
 *	cgroup_create      -> directories made, controllers enabled, limits set, cg->fd open
 *	devices_apply      -> device rules
 *	clone3 with CLONE_INTO_CGROUP and cg->fd */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/macro.h"

struct oci_resources;
struct unit_id;

enum cgroup_manager {
	CGROUP_CGROUPFS,
	CGROUP_SYSTEMD,	 /* a scope of systemd: runtime/scope.h */
	CGROUP_DISABLED, /* the container stays in the caller's cgroup; any real limit is an error */
};

/* The mounted v2 hierarchy. */
struct cgroup_root {
	int fd;            /* its mount point, O_RDONLY | O_DIRECTORY */
	const char *mount; /* "/sys/fs/cgroup" or "/sys/fs/cgroup/unified"; in the arena */
	bool hybrid;       /* controllers may be bound to v1 hierarchies beside it */
};

/* Find and open the hierarchy: the two usual places by statfs(2), else /proc/self/mountinfo.
 * Errors: ENOENT when none is mounted, with a hint. */
err *cgroup_root_open(struct arena *arena, struct cgroup_root *ret) MUST_CHECK;
void cgroup_root_done(struct cgroup_root *root);
DEFINE_CLEANUP_OF(struct cgroup_root, cgroup_root_done)
#define auto_cgroup_root CLEANUP(cgroup_root_done)

/* The same from the text of a mountinfo file: "PATH" of the first cgroup2 mount, in the arena, and
 * whether a v1 hierarchy is mounted as well. *ret_path is NULL when there is none. */
err *cgroup_parse_mountinfo(struct arena *arena, const char *text, const char **ret_path,
			    bool *ret_hybrid) MUST_CHECK;

/* A container's cgroup. */
struct cgroup {
	int fd;           /* its directory, for CLONE_INTO_CGROUP and bpf(2); -1: not there (yet) */
	int root_fd;      /* an own descriptor of the hierarchy's mount point */
	const char *path; /* below the root, as proc(5) shows it: "/libpod_parent/libpod-1"; in the arena */
	unsigned made;    /* so many of its last components are ours: made by us, removed by us */
	const char *mount;/* the root's mount point, for messages; in the arena */
	const struct unit_id *unit; /* systemd's, whose directory it is; NULL: cgroupfs; borrowed */
	bool optional;    /* may be left out where the caller lacks permission */
};
void cgroup_done(struct cgroup *cg);
DEFINE_CLEANUP_OF(struct cgroup, cgroup_done)
#define auto_cgroup CLEANUP(cgroup_done)
#define CGROUP_INIT { .fd = -1, .root_fd = -1 }

struct cgroup_request {
	const char *cgroups_path; /* linux.cgroupsPath; NULL or "": the container's id */
	const char *id;
	const char *own_cgroup;   /* text of /proc/self/cgroup, or NULL: read when needed */
	bool rootless;            /* what this caller may not do is no error while nobody asked for it */
};

/* Decide the path without changing anything. An absolute cgroupsPath begins at the hierarchy's root,
 * a relative one (and the id) beside the caller's own cgroup, because a cgroup with processes can
 * have no children with controllers. ".." is EINVAL; "slice:prefix:name" is the systemd manager's form
 * and refused as such. A directory that exists already must be empty (EBUSY) and thawed (EBUSY).
 * ret->made counts the components that cgroup_create() will make. */
err *cgroup_plan(struct arena *arena, const struct cgroup_root *root, const struct cgroup_request *r,
		 struct cgroup *ret) MUST_CHECK;

/* Make the directories, enable controllers along the path, write the limits, open cg->fd.
 *   resources  linux.resources, or NULL; borrowed
 * A limit whose controller is missing is ENOTSUP and names controller and field
 * ("linux.resources.memory.limit: the controller 'memory' is not available in ..."). A value that
 * equals the kernel's default is no limit (cgroup-limits.c has the table).
 * On failure the directories that this call made are removed. With r->rootless in cgroup_plan() and
 * no permission: cg->fd stays -1, no error, if there is neither a limit nor a cgroupsPath. */
err *cgroup_create(struct cgroup *cg, const struct oci_resources *resources) MUST_CHECK;

/* The cgroup of a container that exists: path and made as recorded. A missing directory gives
 * cg->fd -1: no processes, nothing to freeze, removed already. */
err *cgroup_open(struct arena *arena, const struct cgroup_root *root, const char *path, unsigned made,
		 struct cgroup *ret) MUST_CHECK;

/* The path in the text of /proc/PID/cgroup, from its line "0::PATH"; "/" where there is none that this
 * namespace could name. */
err *cgroup_parse_membership(const char *text, struct str *out) MUST_CHECK;

/* The cgroup that a process of `cg` is in, which may lie below it: a service manager inside moves into a
 * child cgroup before it distributes controllers, and then the kernel takes no process into `cg` itself
 * (EBUSY). proc_fd  /proc; pid as numbered there Errors: ESRCH when the process is elsewhere by now. */
err *cgroup_open_of_process(const struct cgroup *cg, int proc_fd, pid_t pid, int *ret_fd) MUST_CHECK;

/* Write limits into the open cgroup of a running container (update); controllers are enabled as far as
 * they are needed now. With memory.checkBeforeUpdate a limit below what is in use is EBUSY. */
err *cgroup_set_limits(struct cgroup *cg, const struct oci_resources *resources) MUST_CHECK;

/* An error if `resources` holds a real limit: for CGROUP_DISABLED. */
err *cgroup_refuse_limits(const struct oci_resources *resources, const char *why) MUST_CHECK;

/* Freeze or thaw, and wait until cgroup.events says so. Errors: ETIMEDOUT after 10 s (then it is thawed
 * again). */
err *cgroup_freeze(struct cgroup *cg, bool frozen) MUST_CHECK;
err *cgroup_is_frozen(const struct cgroup *cg, bool *ret) MUST_CHECK;

/* Send SIGKILL to every process, children cgroups included: cgroup.kill (Linux 5.14), else the listed
 * processes while frozen. A frozen cgroup is thawed by the kernel for the kill. */
err *cgroup_kill(struct cgroup *cg) MUST_CHECK;

/* Send `signal` to every process once, while frozen, so that none is missed. */
err *cgroup_signal(struct cgroup *cg, int signal) MUST_CHECK;

/* Processes of the cgroup and its children, as the caller's pid namespace numbers them; those it
 * cannot see are left out. The list is in the arena, sorted. */
err *cgroup_processes(const struct cgroup *cg, struct arena *arena, pid_t **ret, size_t *ret_count)
	MUST_CHECK;

/* Wait until no process is left. timeout_ms -1: for ever. ETIMEDOUT. Wakes by poll(2) on
 * cgroup.events, not by sleeping. */
err *cgroup_wait_empty(const struct cgroup *cg, int timeout_ms) MUST_CHECK;

/* The short way, with one system call, where nothing is left: false when it is busy, has children, is not
 * ours, or whatever else needs the two below. */
bool cgroup_remove_empty(struct cgroup *cg) MUST_CHECK;

/* Remove the directory with its children cgroups, and those parents that are ours and empty. Waits up to
 * 5 s for processes that are ending; EBUSY when some stay. A missing directory is fine; a directory that
 * was there before the container (made 0) stays. cg->fd is closed. */
err *cgroup_remove(struct cgroup *cg) MUST_CHECK;

/* What the kernel counts, for `events --stats`. A figure whose controller is missing is CGROUP_NO_FIGURE. */
#define CGROUP_NO_FIGURE UINT64_MAX
/* Pressure: how long some or all tasks waited. Averages in hundredths of a percent over 10, 60 and 300 s. */
struct cgroup_pressure {
	uint64_t avg10, avg60, avg300, total_usec;
};
enum cgroup_pressure_of { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, PRESSURE_COUNT };
struct cgroup_stats {
	uint64_t cpu_usage_usec, cpu_user_usec, cpu_system_usec;
	uint64_t cpu_periods, cpu_throttled, cpu_throttled_usec;
	uint64_t memory_current, memory_peak, memory_limit; /* limit: no limit is UINT64_MAX too */
	uint64_t swap_current, swap_limit;
	uint64_t memory_anon, memory_file, memory_kernel;
	uint64_t oom_events, oom_kills;
	uint64_t pids_current, pids_limit;
	uint64_t io_read_bytes, io_written_bytes, io_reads, io_writes; /* all devices */
	struct cgroup_pressure some[PRESSURE_COUNT], full[PRESSURE_COUNT];
};
err *cgroup_read_stats(const struct cgroup *cg, struct cgroup_stats *ret) MUST_CHECK;

/* The conversion alone: what would be written. Pure; the unit test's table is its specification. */
struct cgroup_limit {
	const char *controller; /* "memory"; NULL: a file of the core, which is always there */
	const char *field;      /* "memory.limit", below linux.resources */
	const char *file;       /* "memory.max" */
	const char *value;
	const char *other_file; /* written with other_value where `file` is missing; or NULL */
	const char *other_value;
	bool no_limit;          /* the kernel's default: written only by update, where the file exists */
	bool optional;          /* the file may be missing: the kernel lacks it, and the value asks for little */
};
struct cgroup_limits {
	struct cgroup_limit *items;
	size_t count;
};
err *cgroup_limits(struct arena *arena, const struct oci_resources *resources,
		   struct cgroup_limits *ret) MUST_CHECK;
