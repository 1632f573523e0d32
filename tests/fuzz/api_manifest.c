/* tests/fuzz/api_manifest.c: any bytes as a manifest; its objects are written, read again and sorted. */
#include <stdint.h>

#include "api/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	struct manifest m = { 0 };
	err *e = arena_new(64 << 20, &arena);

	if (!e)
		e = manifest_parse(arena, "fuzz", (const char *)data, size, &m);
	if (!e)
		manifest_sort(&m);
	for (size_t i = 0; !e && i < m.count; i++) {
		struct object *copy = NULL;
		e = object_copy(arena, m.items[i].object, &copy);
		if (e && e->code != EFBIG)
			__builtin_trap();
	}
	err_free(e);
	return 0;
}
