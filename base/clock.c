/* base/clock.c: time stamps and intervals. */
#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>

static int64_t now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * (int64_t)NSEC_PER_SEC + ts.tv_nsec;
}

int64_t clock_real(void)
{
	return now(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
	return now(CLOCK_MONOTONIC);
}

const char *clock_text(int64_t nsec, bool fraction, char buf[static CLOCK_TEXT_MAX])
{
	int64_t part = nsec % (int64_t)NSEC_PER_SEC;
	time_t seconds = (time_t)(nsec / (int64_t)NSEC_PER_SEC - (part < 0));
	struct tm tm;

	if (part < 0)
		part += (int64_t)NSEC_PER_SEC;
	gmtime_r(&seconds, &tm);
	size_t len = strftime(buf, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	if (fraction)
		len += (size_t)snprintf(buf + len, CLOCK_TEXT_MAX - len, ".%09lld", (long long)part);
	snprintf(buf + len, CLOCK_TEXT_MAX - len, "Z");
	return buf;
}

/* Exactly `digits` decimal digits. */
static bool take_number(const char **p, int digits, int *ret)
{
	*ret = 0;
	for (int i = 0; i < digits; i++, (*p)++) {
		if (!isdigit((unsigned char)**p))
			return false;
		*ret = *ret * 10 + (**p - '0');
	}
	return true;
}

static bool take_char(const char **p, const char *any)
{
	if (!**p || !strchr(any, **p))
		return false;
	(*p)++;
	return true;
}

/* Digits of a fraction, in nanoseconds; more than nine are cut. */
static bool take_fraction(const char **p, int64_t *ret)
{
	int64_t unit = (int64_t)NSEC_PER_SEC / 10;

	*ret = 0;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++, unit /= 10)
		*ret += (**p - '0') * unit;
	return true;
}

static bool take_offset(const char **p, int64_t *ret_seconds)
{
	int hours, minutes;

	*ret_seconds = 0;
	if (take_char(p, "Zz"))
		return true;
	int sign = **p == '-' ? -1 : 1;
	if (!take_char(p, "+-") || !take_number(p, 2, &hours) || !take_char(p, ":") ||
	    !take_number(p, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool take_date(const char **p, struct tm *tm)
{
	if (!take_number(p, 4, &tm->tm_year) || !take_char(p, "-") || !take_number(p, 2, &tm->tm_mon) ||
	    !take_char(p, "-") || !take_number(p, 2, &tm->tm_mday) || !take_char(p, "Tt ") ||
	    !take_number(p, 2, &tm->tm_hour) || !take_char(p, ":") || !take_number(p, 2, &tm->tm_min) ||
	    !take_char(p, ":") || !take_number(p, 2, &tm->tm_sec))
		return false;
	if (tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1 || tm->tm_mday > 31 ||
	    tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60)
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return true;
}

bool clock_parse(const char *text, int64_t *ret_nsec)
{
	const char *p = text;
	struct tm tm = { 0 };
	int64_t fraction = 0, offset, result;

	if (!take_date(&p, &tm) || (take_char(&p, ".") && !take_fraction(&p, &fraction)) ||
	    !take_offset(&p, &offset) || *p)
		return false;
	int month = tm.tm_mon;
	bool leap_second = tm.tm_sec == 60;
	int64_t seconds = timegm(&tm) - offset;
	/* timegm turns the 30th of February into a day of March. */
	if (tm.tm_mon != month && !leap_second)
		return false;
	if (__builtin_mul_overflow(seconds, (int64_t)NSEC_PER_SEC, &result) ||
	    __builtin_add_overflow(result, fraction, &result))
		return false;
	*ret_nsec = result;
	return true;
}

static const struct {
	const char *suffix;
	int64_t nsec;
} units[] = {
	/* "ms" stands before "m", so that the longer one is found first. */
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", (int64_t)NSEC_PER_MSEC },
	{ "s", (int64_t)NSEC_PER_SEC },
	{ "m", 60 * (int64_t)NSEC_PER_SEC },
	{ "h", 3600 * (int64_t)NSEC_PER_SEC },
};

static bool take_unit(const char **p, bool first, int64_t *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t len = strlen(units[i].suffix);

		if (strncmp(*p, units[i].suffix, len) != 0)
			continue;
		*p += len;
		*ret = units[i].nsec;
		return true;
	}
	/* A bare number is seconds, and then it stands alone. */
	*ret = (int64_t)NSEC_PER_SEC;
	return first && **p == '\0';
}

bool clock_parse_duration(const char *text, int64_t *ret_nsec)
{
	const char *p = text;
	int64_t total = 0;

	if (!*p)
		return false;
	while (*p) {
		int64_t whole = 0, fraction = 0, unit, part;
		bool first = p == text, digits = isdigit((unsigned char)*p);

		for (; isdigit((unsigned char)*p); p++)
			if (__builtin_mul_overflow(whole, 10, &whole) ||
			    __builtin_add_overflow(whole, *p - '0', &whole))
				return false;
		if (!digits || (take_char(&p, ".") && !take_fraction(&p, &fraction)) || !take_unit(&p, first, &unit))
			return false;
		if (__builtin_mul_overflow(whole, unit, &part) ||
		    __builtin_add_overflow(total, part, &total) ||
		    __builtin_add_overflow(total, (int64_t)((double)fraction / 1e9 * (double)unit), &total))
			return false;
	}
	*ret_nsec = total;
	return true;
}

const char *clock_ago(int64_t nsec, char buf[static CLOCK_TEXT_MAX])
{
	static const struct {
		const char *name;
		int64_t seconds;
	} steps[] = {
		{ "year", 365 * 86400 }, { "month", 30 * 86400 }, { "week", 7 * 86400 }, { "day", 86400 },
		{ "hour", 3600 },        { "minute", 60 },        { "second", 1 },
	};
	int64_t seconds = MAX(nsec / (int64_t)NSEC_PER_SEC, (int64_t)0);

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		int64_t count = seconds / steps[i].seconds;

		if (count == 0 && i + 1 < ARRAY_LEN(steps))
			continue;
		snprintf(buf, CLOCK_TEXT_MAX, "%lld %s%s", (long long)count, steps[i].name,
			 count == 1 ? "" : "s");
		break;
	}
	return buf;
}
