/* tests/fuzz/monitor_message.c: any bytes as a message, a log line, an exit record. */
#include <stdint.h>
#include <string.h>

#include "monitor/exit.h"
#include "monitor/logread.h"
#include "monitor/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	struct monitor_message m = { 0 };
	struct log_record record;
	struct exit_record end;

	memcpy(&m, data, MIN(size, sizeof(m)));
	err *e = monitor_check(MONITOR_SIDE_CLIENT, &m, size);
	if (!e && size > sizeof(m))
		__builtin_trap();
	err_free(e);
	err_free(monitor_check(MONITOR_SIDE_SERVER, &m, size));
	if (log_record_parse((const char *)data, size, &record) &&
	    (record.text < (const char *)data || record.text + record.len != (const char *)data + size))
		__builtin_trap();
	e = arena_new(1 << 20, &arena);
	if (!e)
		e = exit_record_parse(arena, (const char *)data, size, &end);
	if (!e && end.code > 255)
		__builtin_trap();
	err_free(e);
	return 0;
}
