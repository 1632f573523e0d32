/* tests/fuzz/oci.h: what the harnesses of the oci documents share. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What was decoded must encode, decode again, and encode to the same bytes. `decode` is the public
 * function of the document; `type` its table. */
typedef err *fuzz_decode(struct arena *arena, const char *text, size_t len, const void **ret);

static inline int fuzz_document(const uint8_t *bytes, size_t len, fuzz_decode *decode, const struct type *type)
{
	auto_arena struct arena *arena = NULL, *again = NULL;
	auto_str struct str first = STR_INIT(64 << 20), second = STR_INIT(64 << 20);
	const void *document = NULL;

	IGNORE(arena_new(16 << 20, &arena));
	IGNORE(arena_new(64 << 20, &again));
	err *e = decode(arena, (const char *)bytes, len, &document);
	if (e) {
		auto_str struct str text = STR_INIT(1 << 16);

		err_format(e, &text);
		err_free(e);
		return 0;
	}
	encode_text(&first, type, document, 0);
	e = decode(again, first.data, first.len, &document);
	if (e)
		abort();
	encode_text(&second, type, document, 0);
	if (strcmp(first.data, second.data) != 0)
		abort();
	return 0;
}
