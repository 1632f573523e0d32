/* tests/fuzz/net_pki.c: any text as a certificate, and as its key. */
#include <stdint.h>

#include "base/str.h"
#include "net/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str text = STR_INIT(1 << 20);
	struct pki_info info;
	err *e = arena_new(1 << 20, &arena);

	str_add_bytes(&text, data, size);
	if (!e)
		e = pki_read(arena, text.data, &info);
	if (!e && (!*info.name || !info.groups || !info.addresses || !info.serial))
		__builtin_trap();
	err_free(e);
	struct pki_pair pair = { text.data, text.data };
	IGNORE(pki_check(&pair, text.data));
	return 0;
}
