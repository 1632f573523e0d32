/* images/remote.h: a registry as the source of a pull. */
#pragma once
#include "images/pull.h"
#include "registry/client.h"
#include "registry/reference.h"

struct image_remote {
	struct registry *registry;
	struct reference reference;
};

/* `remote` is borrowed and must live as long as the source. */
struct image_source image_source_remote(struct image_remote *remote);

/* Pull `reference` from a registry, under its canonical name. */
err *image_pull_remote(struct image_store *s, struct registry *registry, const struct reference *reference,
		       const struct image_pull_options *options, struct image_pull_result *ret) MUST_CHECK;
