/* net/websocket.c: WebSocket frames, read and written. Spec: RFC 6455, section 5. */
#include "net/websocket.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum {
	FIN = 0x80,
	RESERVED = 0x70,
	OPCODE = 0x0f,
	MASKED = 0x80,
	LENGTH = 0x7f,
	LENGTH_16 = 126,
	LENGTH_64 = 127
};
enum { CONTROL = 8, CONTROL_MAX = 125 };

static uint64_t big_endian(const uint8_t *bytes, size_t count)
{
	uint64_t n = 0;

	for (size_t i = 0; i < count; i++)
		n = n << 8 | bytes[i];
	return n;
}

static const char *check_first_bytes(uint8_t first, uint8_t second, bool from_client)
{
	unsigned opcode = first & OPCODE;

	if (first & RESERVED)
		return "reserved bits are set";
	if (opcode > WS_PONG || (opcode > WS_BINARY && opcode < CONTROL))
		return "unknown opcode";
	if (opcode >= CONTROL && !(first & FIN))
		return "control frame in parts";
	if (opcode >= CONTROL && (second & LENGTH) > CONTROL_MAX)
		return "control frame is too long";
	if (!(second & MASKED) == from_client)
		return from_client ? "frame of a client without a mask" : "frame of a server with a mask";
	return NULL;
}

static const char *check_length(unsigned form, uint64_t length)
{
	if ((form == LENGTH_16 && length < LENGTH_16) || (form == LENGTH_64 && length <= UINT16_MAX))
		return "length is not written in its shortest form";
	return length > INT64_MAX ? "length has its highest bit set" : NULL;
}

bool ws_parse(const uint8_t *bytes, size_t len, bool from_client, struct ws_frame *ret,
	      const char **ret_error)
{
	*ret_error = NULL;
	if (len < 2)
		return false;
	*ret_error = check_first_bytes(bytes[0], bytes[1], from_client);
	if (*ret_error)
		return false;
	unsigned form = bytes[1] & LENGTH;
	size_t extra = form == LENGTH_16 ? 2 : form == LENGTH_64 ? 8 : 0;
	size_t head = 2 + extra + (from_client ? 4 : 0);
	if (len < head)
		return false;
	uint64_t length = extra ? big_endian(bytes + 2, extra) : form;
	*ret_error = check_length(form, length);
	if (*ret_error)
		return false;
	*ret = (struct ws_frame){ .fin = bytes[0] & FIN,
				  .masked = from_client,
				  .opcode = (enum ws_opcode)(bytes[0] & OPCODE),
				  .length = length,
				  .head = head };
	if (from_client)
		memcpy(ret->mask, bytes + 2 + extra, 4);
	return true;
}

size_t ws_head(bool fin, enum ws_opcode opcode, uint64_t length, const uint8_t *mask, uint8_t out[static 14])
{
	size_t extra = length > UINT16_MAX ? 8 : length > CONTROL_MAX ? 2 : 0;
	unsigned form = extra == 8 ? LENGTH_64 : extra ? LENGTH_16 : (unsigned)length;

	out[0] = (uint8_t)((fin ? FIN : 0) | (unsigned)opcode);
	out[1] = (uint8_t)((mask ? MASKED : 0) | form);
	for (size_t i = 0; i < extra; i++)
		out[2 + i] = (uint8_t)(length >> 8 * (extra - 1 - i));
	if (mask)
		memcpy(out + 2 + extra, mask, 4);
	return 2 + extra + (mask ? 4 : 0);
}

void ws_mask(uint8_t *bytes, size_t len, const uint8_t mask[static 4], size_t offset)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] ^= mask[(offset + i) % 4];
}

/* The first byte says how many follow, and what the second may be (RFC 3629, section 4). */
static const struct {
	uint8_t first, last, more, second_min, second_max;
} sequences[] = {
	{ 0x00, 0x7f, 0, 0x80, 0xbf }, { 0xc2, 0xdf, 1, 0x80, 0xbf }, { 0xe0, 0xe0, 2, 0xa0, 0xbf },
	{ 0xe1, 0xec, 2, 0x80, 0xbf }, { 0xed, 0xed, 2, 0x80, 0x9f }, { 0xee, 0xef, 2, 0x80, 0xbf },
	{ 0xf0, 0xf0, 3, 0x90, 0xbf }, { 0xf1, 0xf3, 3, 0x80, 0xbf }, { 0xf4, 0xf4, 3, 0x80, 0x8f },
};

/* Bytes of the character at s, or 0. */
static size_t character(const uint8_t *s, size_t len)
{
	size_t row = 0;

	while (row < ARRAY_LEN(sequences) && (*s < sequences[row].first || *s > sequences[row].last))
		row++;
	if (row == ARRAY_LEN(sequences) || len <= sequences[row].more)
		return 0;
	for (size_t i = 1; i <= sequences[row].more; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (sequences[row].more && (s[1] < sequences[row].second_min || s[1] > sequences[row].second_max))
		return 0;
	return sequences[row].more + 1u;
}

bool ws_is_utf8(const void *bytes, size_t len)
{
	const uint8_t *s = bytes;

	for (size_t n; len; s += n, len -= n) {
		n = character(s, len);
		if (!n)
			return false;
	}
	return true;
}

void ws_accept(const char *key, char out[static 29])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[128];
	unsigned len = 0;

	/* A key has 24 characters; a longer one gives an answer that fits no key. */
	int n = snprintf(text, sizeof(text), "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	EVP_Digest(text, MIN((size_t)n, sizeof(text) - 1), digest, &len, EVP_sha1(), NULL);
	EVP_EncodeBlock((unsigned char *)out, digest, (int)len);
}
