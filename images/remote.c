/* images/remote.c: a registry as the source of a pull. */
#include "images/remote.h"

static err *get_manifest(void *arg, const struct digest *digest, int64_t size, struct registry_manifest *ret)
{
	const struct image_remote *r = arg;

	if (!digest)
		return registry_manifest_get(r->registry, &r->reference, ret);
	return registry_manifest_get_digest(r->registry, &r->reference, digest, size, ret);
}

static err *get_blob(void *arg, const struct blob_want *want)
{
	const struct image_remote *r = arg;

	return registry_blob_get(r->registry, &r->reference, want);
}

struct image_source image_source_remote(struct image_remote *remote)
{
	return (struct image_source){ .manifest = get_manifest, .blob = get_blob, .arg = remote };
}

err *image_pull_remote(struct image_store *s, struct registry *registry, const struct reference *reference,
		       const struct image_pull_options *options, struct image_pull_result *ret)
{
	struct image_remote remote = { .registry = registry, .reference = *reference };
	const struct image_source source = image_source_remote(&remote);
	char name[REFERENCE_TEXT_MAX];

	return image_pull(s, &source, reference_text(reference, name),
			  reference->has_digest ? &reference->digest : NULL, options, ret);
}
