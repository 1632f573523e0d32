/* tests/fuzz/oci_image.c: an image config. */
#include "tests/fuzz/oci.h"

#include "oci/image.h"

static err *decode(struct arena *arena, const char *text, size_t len, const void **ret)
{
	return oci_image_decode(arena, "fuzz", text, len, (const struct oci_image **)ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	return fuzz_document(bytes, len, decode, &t_oci_image);
}
