/* base/cli-values.c: the argument of an option, by its kind, into the arguments struct. */
#include "base/cli-internal.h"

#include <math.h>

#include "base/clock.h"

#define LIST_MAX 4096 /* values of one CLI_LIST option */

static bool parse_size(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "kmgtpe";
	char *end = NULL;

	if (*text < '0' || *text > '9')
		return false;
	if (str_to_u64(text, ret))
		return true;
	double number = strtod(text, &end);
	const char *suffix = *end ? strchr(suffixes, *end | 0x20) : NULL;
	if (!suffix)
		return false;
	end++;
	if (*end == 'i' && (end[1] | 0x20) == 'b')
		end += 2;
	else if ((*end | 0x20) == 'b')
		end++;
	number = ldexp(number, 10 * (int)(suffix - suffixes + 1));
	if (*end || !isfinite(number) || number >= 18446744073709551616.0)
		return false;
	*ret = (uint64_t)number;
	return true;
}

static bool is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (const char *p = choices; len > 0 && *p; p += *p == '|') {
		size_t n = strcspn(p, "|");

		if (n == len && strncmp(p, value, n) == 0)
			return true;
		p += n;
	}
	return false;
}

static err *bad(const struct cli_option *o, const char *value, const char *reason)
{
	if (o->long_name)
		return err_new(EINVAL, "--%s: '%s' %s", o->long_name, value, reason);
	return err_new(EINVAL, "-%c: '%s' %s", o->short_name, value, reason);
}

static err *store_list(const struct cli_option *o, const char *value, struct strv *list)
{
	if (list->max == 0)
		list->max = LIST_MAX;
	strv_add(list, value);
	return err_wrap(strv_check(list), "--%s", o->long_name);
}

/* "true", "1", "F": what Go's strconv.ParseBool takes. */
static bool parse_bool(const char *value, bool *ret)
{
	static const char *const words[] = { "false", "False", "FALSE", "f", "F", "0",
					     "true",  "True",  "TRUE",	"t", "T", "1" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(value, words[i]) != 0)
			continue;
		*ret = i >= ARRAY_LEN(words) / 2;
		return true;
	}
	return false;
}

err *cli_store_flag(const struct cli_option *o, const char *value, void *args)
{
	bool *member = (bool *)(void *)((char *)args + o->offset);

	return parse_bool(value, member) ? NULL : bad(o, value, "is not one of true|false");
}

/* A choice between true, false and more takes the other words for these two as well. */
static const char *choose(const char *choices, const char *value)
{
	bool truth;

	if (is_choice(choices, value))
		return value;
	if (!parse_bool(value, &truth))
		return NULL;
	const char *word = truth ? "true" : "false";
	return is_choice(choices, word) ? word : NULL;
}

err *cli_store(const struct cli_option *o, const char *value, void *args)
{
	void *member = (char *)args + o->offset;
	const char *given = value;
	char reason[256];

	switch (o->kind) {
	case CLI_FLAG:
		*(bool *)member = true;
		return NULL;
	case CLI_STRING:
	case CLI_OPTIONAL:
		*(const char **)member = value;
		return NULL;
	case CLI_CHOICE:
		snprintf(reason, sizeof reason, "is not one of %s", o->argument);
		value = choose(o->argument, value);
		if (!value)
			return bad(o, given, reason);
		*(const char **)member = value;
		return NULL;
	case CLI_UINT:
		return str_to_u64(value, member) ? NULL : bad(o, value, "is not a whole number");
	case CLI_INT:
		return str_to_i64(value, member) ? NULL : bad(o, value, "is not a whole number");
	case CLI_SECONDS:
		return clock_parse_duration(value, member) ? NULL :
			bad(o, value, "is not a time such as 10, 1m30s or 250ms");
	case CLI_SIZE:
		return parse_size(value, member) ? NULL : bad(o, value, "is not a size such as 512, 64k or 1.5G");
	case CLI_LIST:
		return store_list(o, value, member);
	case CLI_HEADING:
		break;
	}
	return err_new(EINVAL, "option without a kind");
}
