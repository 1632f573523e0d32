/* tests/fuzz/oci_config.c: config.json with every rule between its fields. */
#include "tests/fuzz/oci.h"

#include "oci/config.h"

static err *decode(struct arena *arena, const char *text, size_t len, const void **ret)
{
	auto_strv struct strv warnings = STRV_INIT(1000);

	return oci_config_decode(arena, "fuzz", text, len, &warnings, (const struct oci_config **)ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	return fuzz_document(bytes, len, decode, &t_oci_config);
}
