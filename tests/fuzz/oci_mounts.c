/* tests/fuzz/oci_mounts.c: the document of `mounts add`, in both of its forms. */
#include <stddef.h>
#include <stdint.h>

#include "oci/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	auto_strv struct strv warnings = STRV_INIT(1000);
	const struct oci_config *config = NULL;

	if (arena_new(16 << 20, &arena))
		return 0;
	err *e = oci_mounts_decode(arena, "fuzz", (const char *)data, size, &warnings, &config);
	err_free(e);
	for (size_t i = 0; !e && i < config->mounts.count; i++)
		if (!*config->mounts.items[i].destination)
			__builtin_trap();
	return 0;
}
