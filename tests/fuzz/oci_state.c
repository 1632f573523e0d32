/* tests/fuzz/oci_state.c: the state of a container. */
#include "tests/fuzz/oci.h"

#include "oci/state.h"

static err *decode(struct arena *arena, const char *text, size_t len, const void **ret)
{
	return oci_state_decode(arena, "fuzz", text, len, (const struct oci_state **)ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	return fuzz_document(bytes, len, decode, &t_oci_state);
}
