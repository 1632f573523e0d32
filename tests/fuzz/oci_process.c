/* tests/fuzz/oci_process.c: the process document of `exec --process`. */
#include "tests/fuzz/oci.h"

#include "oci/config.h"

static err *decode(struct arena *arena, const char *text, size_t len, const void **ret)
{
	auto_strv struct strv warnings = STRV_INIT(1000);

	return oci_process_decode(arena, "fuzz", text, len, &warnings, (const struct oci_process **)ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	return fuzz_document(bytes, len, decode, &t_oci_process);
}
