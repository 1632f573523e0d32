/* base/json-text.c: the bytes of a JSON text, before the parser sees them. */
#include "base/json-internal.h"

size_t json_utf8_length(const unsigned char *p, size_t left)
{
	static const struct {
		unsigned char first_low, first_high, second_low, second_high;
		size_t length;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	if (p[0] < 0x80)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (p[0] < forms[i].first_low || p[0] > forms[i].first_high)
			continue;
		if (left < forms[i].length || p[1] < forms[i].second_low || p[1] > forms[i].second_high)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20; /* lower case */
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of an escape "\uXXXX" at `p`, or -1 where there is none. */
static int escaped_unit(const char *p, size_t left)
{
	int unit = 0;

	if (left < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(p[i]);
		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* Bytes of the escape at `p`; 0 when it is half a pair. What is no escape at all is the parser's. */
static size_t escape_length(const char *p, size_t left)
{
	int unit = escaped_unit(p, left);

	if (unit < 0xd800 || unit > 0xdfff)
		return 2;
	if (unit >= 0xdc00)
		return 0;
	int low = escaped_unit(p + 6, left - 6);
	return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

/* Bytes at `p` that are plain: neither of several bytes nor an escape. Eight at a time, as nearly all are. */
static size_t plain_length(const char *p, size_t left)
{
	const uint64_t ones = 0x0101010101010101, tops = ones << 7;
	size_t at = 0;

	for (uint64_t word; at + sizeof word <= left; at += sizeof word) {
		memcpy(&word, p + at, sizeof word);
		uint64_t escape = word ^ ones * '\\';
		/* The top bit of a byte, or one that borrows because the byte is zero. */
		if ((word | (escape - ones)) & tops)
			break;
	}
	while (at < left && (unsigned char)p[at] < 0x80 && p[at] != '\\')
		at++;
	return at;
}

const char *json_check_text(const char *text, size_t len, size_t *ret_offset)
{
	for (size_t i = plain_length(text, len), step; i < len;
	     i += step, i += plain_length(text + i, len - i)) {
		bool escape = text[i] == '\\';

		step = escape ? escape_length(text + i, len - i) :
				json_utf8_length((const unsigned char *)text + i, len - i);
		if (step > 0)
			continue;
		*ret_offset = i;
		return escape ? "half of a surrogate pair" : "bytes that are no UTF-8";
	}
	return NULL;
}
