/* api/yaml-scalar.c: which type a plain scalar of YAML has. Ref: YAML 1.1 types as go-yaml v2 reads them. */
#include "api/yaml-internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* clang-format off */
static const struct word { const char *text; enum yaml_scalar type; bool value; } words[] = {
	{ "true",  YAML_BOOL, true },  { "True",  YAML_BOOL, true },  { "TRUE",  YAML_BOOL, true },
	{ "yes",   YAML_BOOL, true },  { "Yes",   YAML_BOOL, true },  { "YES",   YAML_BOOL, true },
	{ "on",    YAML_BOOL, true },  { "On",    YAML_BOOL, true },  { "ON",    YAML_BOOL, true },
	{ "y",     YAML_BOOL, true },  { "Y",     YAML_BOOL, true },
	{ "false", YAML_BOOL, false }, { "False", YAML_BOOL, false }, { "FALSE", YAML_BOOL, false },
	{ "no",    YAML_BOOL, false }, { "No",    YAML_BOOL, false }, { "NO",    YAML_BOOL, false },
	{ "off",   YAML_BOOL, false }, { "Off",   YAML_BOOL, false }, { "OFF",   YAML_BOOL, false },
	{ "n",     YAML_BOOL, false }, { "N",     YAML_BOOL, false },
	{ "",      YAML_NULL, false }, { "~",     YAML_NULL, false },
	{ "null",  YAML_NULL, false }, { "Null",  YAML_NULL, false }, { "NULL",  YAML_NULL, false },
	{ ".inf",  YAML_NOT_A_NUMBER, false }, { ".Inf",  YAML_NOT_A_NUMBER, false }, { ".INF",  YAML_NOT_A_NUMBER, false },
	{ "+.inf", YAML_NOT_A_NUMBER, false }, { "+.Inf", YAML_NOT_A_NUMBER, false }, { "+.INF", YAML_NOT_A_NUMBER, false },
	{ "-.inf", YAML_NOT_A_NUMBER, false }, { "-.Inf", YAML_NOT_A_NUMBER, false }, { "-.INF", YAML_NOT_A_NUMBER, false },
	{ ".nan",  YAML_NOT_A_NUMBER, false }, { ".NaN",  YAML_NOT_A_NUMBER, false }, { ".NAN",  YAML_NOT_A_NUMBER, false },
};
static const struct base { const char *prefix; unsigned radix; } bases[] = {
	{ "0x", 16 }, { "0o", 8 }, { "0b", 2 }, { "0", 8 },
};
/* clang-format on */

static unsigned digit_value(char c)
{
	if (isdigit((unsigned char)c))
		return (unsigned)(c - '0');
	return isxdigit((unsigned char)c) ? (unsigned)(tolower((unsigned char)c) - 'a') + 10 : 99;
}

/* Whole digits of that base that 64 bits hold. */
static bool read_digits(const char *text, unsigned radix, uint64_t *ret)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = digit_value(*text);
		if (digit >= radix || __builtin_mul_overflow(value, radix, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	*ret = value;
	return true;
}

/* 0x1f, 0o17, 0b101, 017; text has no sign. */
static bool read_based(const char *text, bool negative, uint64_t *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
		size_t len = strlen(bases[i].prefix);
		if (strncasecmp(text, bases[i].prefix, len) == 0 &&
		    read_digits(text + len, bases[i].radix, ret))
			return !negative || *ret <= (uint64_t)INT64_MAX + 1;
	}
	return false;
}

static size_t span_digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* Digits with at most one point among them and an exponent; written as JSON wants them. */
static bool write_decimal(const char *text, const char *sign, char number[static YAML_NUMBER_MAX + 2])
{
	size_t whole = span_digits(text);
	const char *rest = text + whole;
	size_t fraction = *rest == '.' ? span_digits(rest + 1) : 0;
	const char *point = *rest == '.' ? rest + 1 : NULL;

	if (!whole && !fraction)
		return false;
	if (point)
		rest = point + fraction;
	const char *exponent = rest;
	if (*rest == 'e' || *rest == 'E') {
		rest++;
		rest += *rest == '+' || *rest == '-';
		if (!span_digits(rest))
			return false;
		rest += span_digits(rest);
	}
	if (*rest)
		return false;
	while (whole > 1 && *text == '0')
		text++, whole--;
	snprintf(number, YAML_NUMBER_MAX + 2, "%s%s%.*s%s%.*s%s", sign, whole ? "" : "0", (int)whole, text,
		 fraction ? "." : "", (int)fraction, fraction ? point : "", exponent);
	return true;
}

static enum yaml_scalar read_number(const char *text, char number[static YAML_NUMBER_MAX + 2])
{
	char plain[YAML_NUMBER_MAX + 1];
	size_t len = 0;
	uint64_t value;

	/* A number that starts with a point has no underscores. */
	for (const char *p = text; *p; p++) {
		if (*p == '_' && *text != '.')
			continue;
		if (len == YAML_NUMBER_MAX) /* a string of digits, such as a key, or a string after all? */
			return text[strspn(text, "+-.eE_0123456789")] ? YAML_STRING : YAML_TOO_LONG;
		plain[len++] = *p;
	}
	plain[len] = '\0';
	const char *sign = *plain == '-' ? "-" : "", *digits = plain + (*plain == '-' || *plain == '+');
	if (read_based(digits, *sign, &value)) {
		/* "0" and "-0" are decimal: no digit follows their prefix. */
		snprintf(number, YAML_NUMBER_MAX + 2, "%s%" PRIu64, value ? sign : "", value);
		return YAML_NUMBER;
	}
	return write_decimal(digits, sign, number) ? YAML_NUMBER : YAML_STRING;
}

enum yaml_scalar yaml_scalar_type(const char *text, bool *boolean, char number[static YAML_NUMBER_MAX + 2])
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].text, text) == 0) {
			*boolean = words[i].value;
			return words[i].type;
		}
	return strchr("+-.0123456789", *text) ? read_number(text, number) : YAML_STRING;
}
