/* agent/volumes.h: volumes on the node's disk: those of a Pod, and claims, which outlive Pods.
 *
 *	DATA/agent/pods/UID/volumes/NAME          emptyDir, gone with the Pod
 *	DATA/agent/volumes/NAMESPACE/CLAIM-UID    a claim's, gone when the claim is deleted
 *
 * Containers see them id-mapped: what 1000 owns on disk, their user 1000 owns, whichever host ids the Pod
 * has. The folders above are root's alone, so that nobody else on the node meets files of foreign numbers. */
#pragma once
#include <stdint.h>
#include "api/pod.h"
#include "base/err.h"

/* Make the emptyDir volumes on disk of a Pod in `pod_fd`: DIR/volumes, mode 1777 each. Those that are there stay. */
err *volumes_make(int pod_fd, const struct pod_spec *spec) MUST_CHECK;

/* The claim's path: `data` is DATA, absolute. The namespace and the UID must be names. */
err *volumes_claim_path(const char *data, const char *namespace, const char *uid, struct str *out) MUST_CHECK;

/* Make the folder of a claim, unless it is there: owner uid:gid, those of the container that mounts it first, mode
 * 2770: its group's members may write too. It appears whole or not at all. */
err *volumes_claim_make(const char *path, uint32_t uid, uint32_t gid) MUST_CHECK;

/* Remove a claim's data. A missing one is fine. */
err *volumes_claim_remove(const char *path) MUST_CHECK;
