/* runtime/signals.h: signals by name and number, as kill(1) and engines write them. */
#pragma once
#include <stdbool.h>
#include "base/err.h"

/* "TERM", "SIGTERM", "term", "15", "RTMIN+3", "SIGRTMAX-1". Numbers: 0 to 64; 0 only asks whether the
 * process is there. EINVAL "unknown signal 'X'". */
err *signal_parse(const char *text, int *ret) MUST_CHECK;
