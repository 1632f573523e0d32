/* tests/fuzz/api_pod.c: any bytes as a Pod; what is accepted is written and read again. */
#include <stdint.h>

#include "api/pod.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	const struct pod *pod;
	err *e = arena_new(16 << 20, &arena);

	if (!e)
		e = pod_decode(arena, "fuzz", (const char *)data, size, &pod);
	if (!e) {
		e = pod_check(pod);
		if (e)
			__builtin_trap();
	}
	err_free(e);
	return 0;
}
