/* tests/fuzz/registry_status.c: any bytes as the error body of a registry, any text as a URL it names. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/client-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_free char *text = strndup((const char *)bytes, len);
	auto_str struct str said = STR_INIT(8192), shown = STR_INIT(4 * URL_MAX);
	auto_url struct url base = { 0 }, url = { 0 }, again = { 0 };
	status_text(text, strlen(text), &said);
	for (const char *p = said.data; *p; p++)
		if ((unsigned char)*p < ' ')
			abort();
	if (said.len > 2000 || retry_after(text, 0) < 0)
		abort();
	if (strlen(text) <= URL_MAX)
		url_public(text, &shown);
	err *e = url_parse("https://registry.example:5000/v2/a/", &base);
	if (e)
		abort();
	e = url_resolve(&base, text, &url);
	if (e) {
		err_free(e);
		return 0;
	}
	/* What was accepted means the same when it is read again. */
	e = url_parse(url.text, &again);
	if (e && e->code != EFBIG)
		abort();
	if (!e && !origin_equal(&url.origin, &again.origin))
		abort();
	err_free(e);
	return 0;
}
