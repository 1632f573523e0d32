/* runtime/hotplug.h: mounts that are added to, and removed from, a container that runs.
 *
 * Sources are opened and cloned in the caller's mount namespace; a stube-init that has entered the
 * container's user and mount namespace resolves each destination once and moves the clone there. What
 * was added is remembered in ROOT/ID/mounts.json by its mount id: nothing else is ever removed. */
#pragma once
#include "runtime/start.h"

struct hotplug_request {
	struct start_request base;	 /* root, id, init, rootless, warnings, print */
	const struct oci_config *mounts; /* oci_mounts_decode() */
};

/* All of them, in order, or none. Errors name "mounts[2]", source, destination and type; ESRCH "container
 * not running"; ENOTSUP options that change what is there (remount, tmpcopyup). */
err *hotplug_add(struct arena *arena, const struct hotplug_request *r) MUST_CHECK;

/* By destination alone; of several on one destination the one that was added last. Lazily: who uses a
 * file keeps it. ENOENT a destination where nothing was added; ESTALE something else is there now. */
err *hotplug_remove(struct arena *arena, const struct hotplug_request *r) MUST_CHECK;

/* ---- ROOT/ID/mounts.json ---- */

struct hotplug_mount {
	const char *destination; /* absolute, normalised */
	uint64_t id;		 /* of the mount; 0: gone */
};
struct hotplug_record {
	uint32_t version;
	struct {
		struct hotplug_mount *items; /* in the order they were added */
		size_t count;
	} mounts;
};

/* A missing file is an empty record. The container's lock is held. */
err *hotplug_load(struct container *c, struct hotplug_record *ret) MUST_CHECK;
err *hotplug_save(struct container *c, const struct hotplug_record *record) MUST_CHECK;

/* The last mount at `destination` whose id is not in `taken`; NULL. Pure. */
const struct hotplug_mount *hotplug_find(const struct hotplug_record *record, const char *destination,
					 const uint64_t *taken, size_t taken_count);
