/* tests/fuzz/runtime_state.c: the record of a container, as a stranger might have written it. */
#include <stddef.h>
#include <stdint.h>

#include "runtime/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str text = STR_INIT(STATE_RECORD_MAX);
	struct state_record record, again;

	if (arena_new(16 << 20, &arena))
		return 0;
	err *e = state_decode(arena, "state.json", (const char *)data, size, &record);
	err_free(e);
	if (e)
		return 0;
	/* What was believed can be written, and reads back as the same. */
	if (state_encode(&record, &text) || state_decode(arena, "again", text.data, text.len, &again))
		__builtin_trap();
	auto_str struct str shown = STR_INIT(STATE_RECORD_MAX);
	IGNORE(state_json(&record, STATE_RUNNING, true, 2, &shown));
	if (again.pid != record.pid || !str_equal(again.id, record.id) || state_check_id(again.id))
		__builtin_trap();
	return 0;
}
