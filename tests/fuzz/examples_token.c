/* tests/fuzz/examples_token.c: any text as a token, as a key set, as base64url; nothing unsigned is believed. */
#include <stdint.h>

#include "examples/base64url.h"
#include "examples/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The first public key of RFC 8032, section 7.1: a good point, whose secret no fuzzer guesses by chance. */
	static const struct keyring ring = {
		.keys = { { .id = "k", .bytes = {
			0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
			0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
		} } },
		.count = 1,
	};
	auto_arena struct arena *arena = NULL;
	auto_str struct str text = STR_INIT(65536);
	auto_str struct str bytes = STR_INIT(65536);
	auto_str struct str again = STR_INIT(65536);
	struct keyring parsed;
	struct claims claims;

	str_add_bytes(&text, data, size);
	if (text.failed || !size || memchr(data, 0, size))
		return 0;
	err *e = arena_new(8 << 20, &arena);
	if (e) {
		err_free(e);
		return 0;
	}
	e = token_verify(arena, &ring, 1, text.data, &claims);
	if (!e)
		__builtin_trap(); /* nobody has signed that */
	err_free(e);
	err_free(keyring_parse(text.data, text.len, &parsed));
	if (base64url_decode(text.data, text.len, &bytes)) {
		base64url_add(&again, bytes.data, bytes.len);
		if (strcmp(again.data, text.data) != 0)
			__builtin_trap(); /* each byte string has exactly one text */
	}
	return 0;
}
