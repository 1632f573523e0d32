/* tests/fuzz/base_text.c: times, durations and lexical paths take any text. */
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_free char *text = strndup((const char *)bytes, len);
	auto_str struct str quoted = STR_INIT(1 << 20);
	char clean[256], again[256], stamp[CLOCK_TEXT_MAX];
	int64_t nsec, same;

	if (clock_parse(text, &nsec) &&
	    (!clock_parse(clock_text(nsec, true, stamp), &same) || same != nsec))
		abort();
	if (clock_parse_duration(text, &nsec) && nsec < 0)
		abort();
	/* Cleaning is idempotent, and leaves no dots. */
	if (path_clean(text, clean, sizeof clean) &&
	    (!path_clean(clean, again, sizeof again) || strcmp(clean, again) != 0 || strstr(clean, "/../")))
		abort();
	json_quote(&quoted, text);
	return 0;
}
