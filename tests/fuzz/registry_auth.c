/* tests/fuzz/registry_auth.c: any bytes as an auth file. */
#include <stdint.h>
#include <stdlib.h>

#include "registry/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_auth struct auth a = { 0 };
	auto_str struct str helper = STR_INIT(256);
	err *e = auth_parse("fuzz", (const char *)bytes, len, "h.x", "a/b", &a, &helper);
	if (e) {
		err_free(e);
		return 0;
	}
	if ((a.kind == AUTH_BASIC && (!a.username || !a.secret)) || (a.kind == AUTH_NONE && a.secret))
		abort();
	return 0;
}
