/* base/clock.h: time stamps and intervals. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include "base/macro.h"

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull

/* Nanoseconds of CLOCK_REALTIME since the epoch, and of CLOCK_MONOTONIC. */
int64_t clock_real(void);
int64_t clock_monotonic(void);

/* RFC 3339 in UTC: "2026-11-23T20:15:04Z", or with nine digits of a second ("...04.000000001Z"). */
#define CLOCK_TEXT_MAX 40
const char *clock_text(int64_t nsec, bool fraction, char buf[static CLOCK_TEXT_MAX]);

/* Parse RFC 3339 with any offset and up to nine digits. */
bool clock_parse(const char *text, int64_t *ret_nsec) MUST_CHECK;

/* "1h30m", "10s", "250ms", or plain seconds "10"; as Go writes durations. Nanoseconds, 0 or more. */
bool clock_parse_duration(const char *text, int64_t *ret_nsec) MUST_CHECK;

/* "3 minutes", "2 days": for tables. */
const char *clock_ago(int64_t nsec, char buf[static CLOCK_TEXT_MAX]);
