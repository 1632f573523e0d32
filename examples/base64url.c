/* examples/base64url.c: bytes to the alphabet of RFC 4648 section 5 and back. */
#include "examples/base64url.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_add(struct str *out, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint32_t bits = 0;
	unsigned count = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | p[i];
		for (count += 8; count >= 6; count -= 6)
			str_add_char(out, alphabet[bits >> (count - 6) & 63]);
	}
	if (count > 0)
		str_add_char(out, alphabet[bits << (6 - count) & 63]);
}

bool base64url_decode(const char *text, size_t len, struct str *out)
{
	uint32_t bits = 0;
	unsigned count = 0;

	if (len % 4 == 1)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;

		if (!at)
			return false;
		bits = bits << 6 | (uint32_t)(at - alphabet);
		count += 6;
		if (count >= 8) {
			count -= 8;
			str_add_char(out, (char)(bits >> count & 255));
		}
	}
	return (bits & ((1u << count) - 1)) == 0 && !out->failed;
}
