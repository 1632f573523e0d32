/* runtime/state.h: what is remembered about each container, below --root.
 *
 *	ROOT/ID/state.json    this file's record, replaced atomically
 *	ROOT/ID/config.json   copy of the bundle's config.json as it was at create
 *	ROOT/ID/mounts.json   mounts that were added while it ran (runtime/hotplug.h)
 *	ROOT/ID/start         locked by the container's init until it executes the user's program
 *
 * The directory of a container is locked (flock(2)) by each command that changes it. A create that was
 * killed leaves an unlocked directory without a record, or with one in phase "creating": a leftover,
 * which delete, create and list clean. Records are versioned: this release reads version 1.
 * Spec: runtime-spec runtime.md, "State". */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/decode.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"
#include "runtime/resctrl.h"
#include "runtime/unit.h"

#define STATE_VERSION    1
#define STATE_ID_MAX     255 /* bytes of an id: it names a directory */
#define STATE_RECORD_MAX JSON_SIZE_MAX

enum state_status {
	STATE_CREATING, /* a create is at work */
	STATE_CREATED,  /* init waits for start */
	STATE_RUNNING,
	STATE_PAUSED,
	STATE_STOPPED,
};
extern const struct enum_name state_status_names[]; /* "creating", ... */

/* The record; strings are in the arena of whoever made it. */
struct state_record {
	uint32_t version;
	const char *id;
	const char *oci_version; /* of the config */
	int pid;                 /* init, as the caller's pid namespace numbers it; 0: creating */
	uint64_t start_time;     /* of init, clock ticks since boot; tells reused pids apart */
	const char *boot_id;	 /* of the boot that numbered it; NULL: a record of before there was one */
	int creator;		 /* while creating: the process that creates */
	uint64_t creator_start_time;
	const char *bundle;      /* absolute */
	const char *rootfs;      /* absolute */
	const char *created;     /* RFC 3339 with nanoseconds */
	const char *owner;       /* user name, or the number where it has none */
	const char *cgroup;      /* path below the v2 hierarchy; NULL: disabled */
	uint32_t cgroup_made;    /* runtime/cgroup.h */
	struct unit_id unit;	 /* systemd's, which made the cgroup; without a name: cgroupfs */
	struct resctrl_group resctrl; /* linux.intelRdt */
	bool own_pid_namespace;  /* its end ends every process of the container */
	bool poststop;           /* config.json has poststop hooks: delete reads it only then */
	struct string_map annotations;
	struct strings descriptors; /* pipes at create: "pipe:[123]" or "" for each of 0, 1, 2; or none */
};

/* An id: letters, digits and _+-. ; a leading dot is reserved for what else lies in ROOT. EINVAL. */
err *state_check_id(const char *id) MUST_CHECK;

/* The default of --root: /run/stube-runtime, or $XDG_RUNTIME_DIR/stube-runtime for a rootless caller. */
err *state_default_root(struct arena *arena, const char **ret) MUST_CHECK;

/* A container's directory, opened. */
struct container {
	struct arena *arena;  /* borrowed; holds the record */
	int root_fd;          /* --root */
	int dir_fd;           /* ROOT/ID */
	bool locked;
	struct state_record record;
};
#define CONTAINER_INIT { .root_fd = -1, .dir_fd = -1 }
void container_done(struct container *c); /* drops the lock */
DEFINE_CLEANUP_OF(struct container, container_done)
#define auto_container CLEANUP(container_done)

enum container_access {
	CONTAINER_READ, /* no lock: state, list, ps */
	CONTAINER_LOCK, /* waits for other commands on this container, but not for ever: ETIMEDOUT */
};

/* Make ROOT (0700) and ROOT/ID, locked; nothing is written yet. A leftover of the same id is cleaned
 * first. ret->record has version, id, created (now) and owner (the caller).
 * Errors: EEXIST "container with given ID already exists". */
err *container_create(struct arena *arena, const char *root, const char *id, struct container *ret)
	MUST_CHECK;

/* Open an existing one and read its record. A directory or record that another user could have written
 * is not believed (EPERM). Errors: ENOENT "container 'ID' does not exist", also for a leftover, which is
 * left for state_clean_leftover(); EINVAL a record that cannot be read, with its place. */
err *container_open(struct arena *arena, const char *root, const char *id, enum container_access access,
		    struct container *ret) MUST_CHECK;

/* Write the record (c->record) and, once, the copy of config.json. The lock must be held. */
err *container_save(struct container *c) MUST_CHECK;
err *container_save_config(struct container *c, const char *text, size_t len) MUST_CHECK;
err *container_load_config(struct container *c, struct str *out) MUST_CHECK;

/* ROOT/ID/start, new and locked, close-on-exec: init inherits it and keeps it open until its exec, the
 * runtime closes its own copy after the clone. While somebody holds it the status is created. */
err *container_hold_start(struct container *c, int *ret_fd) MUST_CHECK;

/* Status of now. *ret_pidfd (may be NULL): init, -1 when stopped or creating; yours to close. */
err *container_status(struct container *c, enum state_status *ret, int *ret_pidfd) MUST_CHECK;

/* The container's cgroup, opened; ENOTSUP when it has none of its own. One that is gone: cgroup.h. */
struct cgroup;
err *container_open_cgroup(const struct container *c, struct cgroup *ret) MUST_CHECK;

/* The id of this boot of the machine, for the record; NULL where the kernel does not tell. */
err *state_boot_id(struct arena *arena, const char **ret) MUST_CHECK;

/* Start time of a process, for the record; ESRCH. */
err *state_start_time(pid_t pid, uint64_t *ret) MUST_CHECK;

/* The same from the text of /proc/PID/stat, which is changed. */
bool state_parse_start_time(char *stat, uint64_t *ret);

/* A pidfd of exactly the process with that start time; ESRCH "no such process". */
err *state_open_process(pid_t pid, uint64_t start_time, int *ret_pidfd) MUST_CHECK;

/* Remove the directory with everything in it, lock held. The container's processes, cgroup and mounts
 * must be gone before. */
err *container_remove(struct container *c) MUST_CHECK;

/* Clean what a killed create left behind: kill and remove its cgroup if the create made it, then the
 * directory. *ret_cleaned: false when ID is no leftover. */
err *state_clean_leftover(struct arena *arena, const char *root, const char *id, bool *ret_cleaned)
	MUST_CHECK;

/* Throw away a directory whose record cannot be read (`delete --force`). The lock is taken. */
err *state_discard(const char *root, const char *id) MUST_CHECK;

/* Ids below ROOT, sorted, leftovers cleaned. A missing ROOT is an empty list. */
err *state_list(struct arena *arena, const char *root, struct strings *ret) MUST_CHECK;

/* Which other container of ROOT has recorded the cgroup `path`: its id in the arena, or NULL. */
err *state_cgroup_owner(struct arena *arena, const char *root, const char *path, const char *except,
			const char **ret) MUST_CHECK;

/* The record as JSON text, and back; `name` for messages. Hostile text gives an error, never more. */
err *state_encode(const struct state_record *record, struct str *out) MUST_CHECK;
err *state_decode(struct arena *arena, const char *name, const char *text, size_t len,
		  struct state_record *ret) MUST_CHECK;

/* The state that users and hooks see: ociVersion, id, status, pid, bundle, annotations; with `extended`
 * also rootfs, created and owner, as runc's state prints; then pid is 0 when stopped, else left out. */
err *state_json(const struct state_record *record, enum state_status status, bool extended,
		unsigned indent, struct str *out) MUST_CHECK;
