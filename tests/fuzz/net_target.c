/* tests/fuzz/net_target.c: any text as a request's target; what is accepted is asked for. */
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "net/server-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_str struct str text = STR_INIT(1 << 20);
	struct server_request r = { 0 };

	str_add_bytes(&text, data, size);
	if (!target_parse(&r, text.data)) {
		if (*request_path(&r) != '/' || strlen(request_path(&r)) > size)
			__builtin_trap();
		for (size_t i = 0; i < r.query_count; i++)
			if (!request_query(&r, r.queries[i].name))
				__builtin_trap();
	}
	free(r.queries);
	free(r.target);
	return 0;
}
