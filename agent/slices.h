/* agent/slices.h: the cgroups above a Pod's containers, each with what all below it may have. cgroups(7).
 *
 *	/stube.slice                                    all Pods: the machine less what is reserved for itself
 *	  /stube-TENANT.slice                           a tenant: a namespace of the API
 *	    /stube-TENANT-podUID.slice                  a Pod: the sum of its containers
 *	      /UID-INDEX-ATTEMPT                        a container; the runtime makes it
 *	  /monitors                                     of all Pods' containers
 *
 * Named as the service manager names slices, where each '-' goes one level down. What a controller would hold that this
 * machine's hierarchy lacks is left out: placement alone counts it then. All below a descriptor of the hierarchy, so that
 * tests bring a tree of their own. Several agents may share a hierarchy: changes are made under a lock of /stube.slice. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "api/pod.h"
#include "base/err.h"
#include "base/macro.h"

#define SLICES_ROOT	"/stube.slice"
#define SLICES_MONITORS SLICES_ROOT "/monitors"
#define SLICES_PATH_MAX 512

/* The path of a Pod's slice. Letters, digits and '.' stand for themselves, '-' becomes '_' (neither tenants nor UIDs have
 * one), everything else \xHH: two names never meet, none leaves its place. ENAMETOOLONG. */
err *slices_path(const char *tenant, const char *uid, char out[static SLICES_PATH_MAX]) MUST_CHECK;

/* The name of the same for the service manager: "stube-TENANT-podUID.slice". Points into `path`. */
const char *slices_unit(const char *path);

/* Whether a record names a path that slices_path() may have made. */
bool slices_is_path(const char *path);

/* What a slice is given. -1: no limit. */
struct slice_values {
	int64_t memory_max, memory_low; /* bytes */
	int64_t cpu_quota;              /* microseconds of each SLICES_CPU_PERIOD; of all processors together */
	int64_t cpu_weight;             /* 1 to 10000, a processor is 100; -1: as it is */
	int64_t pids_max;
};
#define SLICES_CPU_PERIOD 100000

/* Of a Pod: limits only where all its containers have them, and room for the sandbox. */
void slices_of_pod(const struct pod *pod, struct slice_values *ret);

/* What all Pods may have together. A limit of memory below what they use now would kill: EBUSY, the old one stays. */
err *slices_share(int root_fd, const struct slice_values *share) MUST_CHECK;

/* Make the slices of `path` that are missing, with controllers and the Pod's values, and weigh the tenant anew. */
err *slices_make(int root_fd, const char *path, const struct slice_values *values) MUST_CHECK;

/* Take the Pod's slice away, and the tenant's with its last Pod. EBUSY: something runs in it. A missing one is fine. */
err *slices_remove(int root_fd, const char *path) MUST_CHECK;

/* Take away what agents left that were killed for good, or lost their records: slices of Pods in which
 * nothing runs and nothing was made since `before` (seconds since the epoch). One of ours that goes is made
 * anew with its sandbox. */
err *slices_sweep(int root_fd, int64_t before) MUST_CHECK;

/* The same where the service manager makes cgroups: slices are its units, with these values as properties, so
 * that it and `systemctl show` know of them. The directories are looked at; nothing in them is written. */
err *slices_units_share(int root_fd, const struct slice_values *share) MUST_CHECK;
err *slices_units_make(int root_fd, const char *path, const struct slice_values *values) MUST_CHECK;
err *slices_units_remove(int root_fd, const char *path) MUST_CHECK;
