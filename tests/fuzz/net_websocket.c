/* tests/fuzz/net_websocket.c: any bytes as frames, of a client and of a server; what is read is written as it
 * was. */
#include <stdint.h>
#include <string.h>

#include "net/websocket.h"

static void walk(const uint8_t *data, size_t size, bool from_client)
{
	struct ws_frame f;
	const char *why;
	uint8_t head[14];

	while (ws_parse(data, size, from_client, &f, &why)) {
		size_t n = ws_head(f.fin, f.opcode, f.length, f.masked ? f.mask : NULL, head);
		if (n != f.head || n > size || memcmp(head, data, n) != 0)
			__builtin_trap();
		if (size - n < f.length)
			return;
		data += n + f.length;
		size -= n + f.length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	walk(data, size, true);
	walk(data, size, false);
	return 0;
}
