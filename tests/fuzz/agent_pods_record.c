/* tests/fuzz/agent_pods_record.c: the record of a Pod, as another release or a damaged disk might have left
 * it. */
#include <stddef.h>
#include <stdint.h>

#include "agent/pods-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str text = STR_INIT(16 << 20);
	struct pods_record record, again;

	if (arena_new(16 << 20, &arena))
		return 0;
	err *e = pods_record_parse(arena, (const char *)data, size, &record);
	err_free(e);
	if (e)
		return 0;
	/* What was believed can be written, and reads back as the same. */
	pods_record_encode(&text, &record);
	if (str_check(&text) || pods_record_parse(arena, text.data, text.len, &again))
		__builtin_trap();
	if (again.sandbox != record.sandbox || again.containers.count != record.containers.count)
		__builtin_trap();
	return 0;
}
