/* tests/fuzz/oci_manifest.c: an image manifest, of a type that nobody announced. */
#include "tests/fuzz/oci.h"

#include "oci/image.h"

static err *decode(struct arena *arena, const char *text, size_t len, const void **ret)
{
	return oci_manifest_decode(arena, "fuzz", NULL, text, len, (const struct oci_manifest **)ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	return fuzz_document(bytes, len, decode, &t_oci_manifest);
}
