/* tests/fuzz/scheduler_path.c: paths of requests and tokens of pages never break; a token that is read is
 * written alike. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/api-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = strndup((const char *)data, size);
	auto_arena struct arena *arena = NULL;
	struct place_in_list place, again;
	struct call c = { 0 };

	if (!text || arena_new(1 << 20, &arena))
		return 0;
	c.arena = arena;
	if (path_find(&c, text) && (!c.kind || (c.kind->namespaced && c.name && !c.namespace)))
		abort();
	err *e = token_read(arena, text, &place);
	if (!e) {
		auto_str struct str token = STR_INIT(8192);

		token_write(&place, &token);
		e = token_read(arena, token.data, &again);
		if (e || again.revision != place.revision || strcmp(again.name, place.name) != 0)
			abort();
	}
	err_free(e);
	return 0;
}
