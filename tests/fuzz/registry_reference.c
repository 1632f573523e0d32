/* tests/fuzz/registry_reference.c: any text as an image name; what is accepted has one canonical text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_free char *text = strndup((const char *)bytes, len);
	struct reference r, again;
	char canonical[REFERENCE_TEXT_MAX];
	err *e = reference_parse(text, len % 2 ? "docker.io" : NULL, &r);
	if (e) {
		err_free(e);
		return 0;
	}
	reference_text(&r, canonical);
	if (strstr(r.repository, "..") || strchr(canonical, ' ') || strchr(canonical, '?') || strchr(canonical, '%'))
		abort();
	e = reference_parse(canonical, NULL, &again);
	if (e || memcmp(&r, &again, sizeof(r)) != 0)
		abort();
	return 0;
}
