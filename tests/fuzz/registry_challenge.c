/* tests/fuzz/registry_challenge.c: any bytes as WWW-Authenticate. */
#include <stdint.h>
#include <stdlib.h>

#include "registry/auth.h"

static void check(const char *value)
{
	for (; value && *value; value++)
		if ((unsigned char)*value < ' ' || *value == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_challenge struct challenge c = { 0 };
	err *e = challenge_parse((const char *)bytes, len, &c);
	if (e) {
		err_free(e);
		return 0;
	}
	if (c.scheme == CHALLENGE_BEARER && (!c.realm || !*c.realm))
		abort();
	check(c.realm);
	check(c.service);
	check(c.scope);
	check(c.error);
	return 0;
}
