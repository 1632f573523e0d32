/* tests/fuzz/examples_form.c: any bytes as a form, and as what somebody typed for a file number. */
#include <stdint.h>

#include "examples/filenumber.h"
#include "examples/form.h"
#include "examples/html.h"
#include "examples/kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	struct string_map map = { 0 }, kept;
	struct problem problems[PROBLEMS_MAX];
	size_t count;

	if (size > 65536)
		return 0;
	err *e = arena_new(8 << 20, &arena);
	if (!e)
		e = form_parse(arena, (const char *)data, size, &map);
	for (const struct kind *kind = kinds; !e && kind->name; kind++)
		e = kind_check(arena, kind, &map, 20780, &kept, problems, &count);
	for (size_t i = 0; !e && i < map.count; i++) {
		char number[FILENUMBER_SIZE], again[FILENUMBER_SIZE];
		auto_str struct str html = STR_INIT(1 << 20);

		html_text(&html, map.items[i].value);
		if (!utf8_valid(map.items[i].value, strlen(map.items[i].value)) || strpbrk(html.data, "<>\"'"))
			__builtin_trap();
		if (filenumber_parse(map.items[i].value, number) &&
		    (!filenumber_parse(number, again) || strcmp(number, again) != 0))
			__builtin_trap();
	}
	err_free(e);
	return 0;
}
