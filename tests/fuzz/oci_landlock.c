/* tests/fuzz/oci_landlock.c: the document in the annotation org.stube.landlock. */
#include "tests/fuzz/oci.h"

#include "oci/landlock.h"

static err *decode(struct arena *arena, const char *text, size_t len, const void **ret)
{
	return oci_landlock_decode(arena, "fuzz", text, len, (const struct oci_landlock **)ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	return fuzz_document(bytes, len, decode, &t_oci_landlock);
}
