/* tests/fuzz/base_json.c: the JSON parser takes any bytes; what it accepts, the writer writes back. */
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_arena struct arena *arena = NULL, *again = NULL;
	auto_str struct str first = STR_INIT(1 << 24), second = STR_INIT(1 << 24);
	struct json_writer w1 = JSON_WRITER(&first, 0), w2 = JSON_WRITER(&second, 0);
	json *tree = NULL;

	IGNORE(arena_new(1 << 24, &arena));
	IGNORE(arena_new(1 << 24, &again));
	err *e = json_parse(arena, "fuzz", (const char *)bytes, len, &tree);
	if (e) {
		err_free(e);
		return 0;
	}
	json_tree(&w1, tree);
	e = json_parse(again, "again", first.data, first.len, &tree);
	if (e)
		abort();
	json_tree(&w2, tree);
	if (strcmp(first.data, second.data) != 0)
		abort();
	return 0;
}
