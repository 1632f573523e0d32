/* tests/fuzz/oci_index.c: an image index, and the choice of a platform from it. */
#include "tests/fuzz/oci.h"

#include "oci/image.h"

static err *decode(struct arena *arena, const char *text, size_t len, const void **ret)
{
	static const struct oci_platform want = { .os = "linux", .architecture = "arm", .variant = "v7" };
	const struct oci_descriptor *chosen = NULL;
	const struct oci_index *index = NULL;

	TRY(oci_index_decode(arena, "fuzz", NULL, text, len, &index));
	IGNORE(oci_index_choose(index, &want, &chosen));
	if (chosen && (chosen < index->manifests.items || chosen >= index->manifests.items + index->manifests.count))
		abort();
	*ret = index;
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	enum oci_media_kind kind;

	IGNORE(oci_document_kind("fuzz", NULL, (const char *)bytes, len, &kind));
	return fuzz_document(bytes, len, decode, &t_oci_index);
}
