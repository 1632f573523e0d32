/* base/base64.c: base64 as RFC 4648 section 4, for credentials. */
#include "base/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t len, struct str *out)
{
	const unsigned char *p = bytes;
	for (; len > 0; len -= MIN(len, (size_t)3), p += 3) {
		unsigned group = (unsigned)p[0] << 16 | (len > 1 ? (unsigned)p[1] << 8 : 0) | (len > 2 ? p[2] : 0);
		str_add_char(out, alphabet[group >> 18]);
		str_add_char(out, alphabet[group >> 12 & 63]);
		str_add_char(out, len > 1 ? alphabet[group >> 6 & 63] : '=');
		str_add_char(out, len > 2 ? alphabet[group & 63] : '=');
	}
}

bool base64_decode(const char *text, struct str *out)
{
	unsigned group = 0, bits = 0;
	size_t count = 0;
	for (; *text && *text != '='; text++, count++) {
		const char *place = strchr(alphabet, *text);
		if (!place)
			return false;
		group = (group << 6 | (unsigned)(place - alphabet)) & 0xffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			str_add_char(out, (char)(group >> bits & 0xff));
		}
	}
	size_t padding = strspn(text, "=");
	if (text[padding] || count % 4 == 1 || padding > 2 || (padding && (count + padding) % 4 != 0))
		return false;
	return (group & ((1u << bits) - 1)) == 0;
}
