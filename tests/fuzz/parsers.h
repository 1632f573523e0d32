/* tests/fuzz/parsers.h: a harness of several parsers: the first byte of the input says which. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

typedef void fuzz_text(struct arena *arena, char *text);
typedef void fuzz_bytes(const uint8_t *bytes, size_t len);

/* `texts` get a copy that ends in a NUL and is theirs to change; behind them stands `raw`. */
static inline int fuzz_one_of(const uint8_t *bytes, size_t len, size_t max, fuzz_text *const *texts,
			      size_t count, fuzz_bytes *raw)
{
	auto_arena struct arena *arena = NULL;

	if (len < 1 || len > max)
		return 0;
	unsigned which = bytes[0] % (count + 1);
	if (which == count) {
		raw(bytes + 1, len - 1);
		return 0;
	}
	IGNORE(arena_new(4 << 20, &arena));
	auto_free char *text = strndup((const char *)bytes + 1, len - 1);
	if (text)
		texts[which](arena, text);
	return 0;
}
