/* images/push.h: an image of the store into a registry, every byte as it lies there. */
#pragma once
#include <stdatomic.h>
#include "base/err.h"
#include "base/macro.h"
#include "images/pull.h"
#include "images/store.h"
#include "registry/client.h"
#include "registry/reference.h"

struct image_push_options {
	const struct oci_platform
		*platform; /* of an index, push this one's manifest alone; NULL: all of it */
	unsigned parallel; /* blobs at a time; 0: 3 */
	const struct image_progress *progress; /* NULL: none */
	atomic_bool *cancel;		       /* as for pulls */
};
struct image_push_result {
	struct digest digest; /* what the registry now gives for the name */
	int64_t sent;	      /* bytes of blobs that were uploaded */
};

/* Push the image that `text` finds in the store (as image_resolve()) under the name `to`. Blobs first, of
 * which the registry is asked whether it has them, or can take them from another repository that we know it
 * has them in; manifests when all their blobs are there; the name last. Errors: ENOENT not in the store, or
 * an index of which not every manifest is; what the registry says. */
err *image_push(struct image_store *s, struct registry *registry, const char *text,
		const struct reference *to, const struct image_push_options *options,
		struct image_push_result *ret) MUST_CHECK;
