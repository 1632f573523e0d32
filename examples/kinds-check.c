/* examples/kinds-check.c: checks of what was typed into a form. */
#include <ctype.h>

#include "examples/form.h"
#include "examples/kinds.h"

static bool all_digits(const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return true;
}

static unsigned number(const char *text, size_t count)
{
	unsigned value = 0;

	for (size_t i = 0; i < count; i++)
		value = value * 10 + (unsigned)(text[i] - '0');
	return value;
}

/* Days from the civil calendar, as in Howard Hinnant's description: years begin in March, so that the day
 * that comes and goes is the last one. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = year / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

bool date_parse(const char *text, int64_t *ret_days)
{
	static const unsigned lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned year, month, day, length;

	if (strlen(text) != 10 || !all_digits(text, 4) || text[4] != '-' || !all_digits(text + 5, 2) ||
	    text[7] != '-' || !all_digits(text + 8, 2))
		return false;
	year = number(text, 4);
	month = number(text + 5, 2);
	day = number(text + 8, 2);
	if (year < 1800 || month < 1 || month > 12)
		return false;
	length = lengths[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
	if (day < 1 || day > length)
		return false;
	*ret_days = days_of(year, month, day);
	return true;
}

/* ISO 13616: country and check digits go to the end, letters count 10 to 35, the remainder modulo 97 is 1. */
bool iban_valid(const char *text)
{
	size_t len = strlen(text);
	unsigned rest = 0;

	if (len < 15 || len > 34 || !isupper((unsigned char)text[0]) || !isupper((unsigned char)text[1]) ||
	    !all_digits(text + 2, 2) || (str_starts_with(text, "DE") && len != 22))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[(i + 4) % len];

		if (isdigit(c))
			rest = (rest * 10 + (unsigned)(c - '0')) % 97;
		else if (isupper(c))
			rest = (rest * 100 + (unsigned)(c - 'A' + 10)) % 97;
		else
			return false;
	}
	return rest == 1;
}

/* ISO/IEC 7064, MOD 11,10. */
bool tax_id_valid(const char *text)
{
	unsigned product = 10;

	if (strlen(text) != 11 || !all_digits(text, 11) || text[0] == '0')
		return false;
	for (unsigned i = 0; i < 10; i++) {
		unsigned sum = ((unsigned)(text[i] - '0') + product) % 10;

		product = (sum ? sum : 10) * 2 % 11;
	}
	return (11 - product) % 10 == (unsigned)(text[10] - '0');
}

/* The letter counts as two digits; weights 1 and 2 alternate; sums of digits, modulo 10. */
bool insurance_number_valid(const char *text)
{
	unsigned digits[10], sum = 0;

	if (strlen(text) != 10 || !isupper((unsigned char)text[0]) || !all_digits(text + 1, 9))
		return false;
	digits[0] = (unsigned)(text[0] - 'A' + 1) / 10;
	digits[1] = (unsigned)(text[0] - 'A' + 1) % 10;
	for (unsigned i = 1; i < 9; i++)
		digits[i + 1] = (unsigned)(text[i] - '0');
	for (unsigned i = 0; i < 10; i++) {
		unsigned product = digits[i] * (1 + i % 2);

		sum += product / 10 + product % 10;
	}
	return sum % 10 == (unsigned)(text[9] - '0');
}

/* One @ between a name and a domain with a dot; the real check is the message that arrives. */
static bool email_valid(const char *text)
{
	const char *at = strchr(text, '@');
	const char *dot = at ? strrchr(at, '.') : NULL;

	return at && at > text && !strchr(at + 1, '@') && dot && dot > at + 1 && dot[1] &&
	       !strpbrk(text, " ,;<>\"");
}

static bool is_compact(enum field_kind kind)
{
	return kind == FIELD_IBAN || kind == FIELD_TAX || kind == FIELD_INSURANCE;
}

/* The form in which a value is kept. */
static char *normal(struct arena *arena, const struct kind_field *field, const char *typed)
{
	size_t len, at = 0;
	char *copy;

	typed += strspn(typed, " \t\r\n");
	len = strlen(typed);
	while (len > 0 && strchr(" \t\r\n", typed[len - 1]))
		len--;
	copy = arena_strndup(arena, typed, len);
	if (!copy || !is_compact(field->kind))
		return copy;
	for (size_t i = 0; i < len; i++)
		if (!strchr(" -/", copy[i]))
			copy[at++] = (char)toupper((unsigned char)copy[i]);
	copy[at] = '\0';
	return copy;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

static int date_problem(const struct kind_field *field, const char *value, int64_t today)
{
	int64_t days;

	if (!date_parse(value, &days))
		return PROBLEM_DATE;
	if (field->day_min != field->day_max &&
	    (days < today + field->day_min || days > today + field->day_max))
		return PROBLEM_DATE_RANGE;
	return -1;
}

static bool is_choice(const struct kind_field *field, const char *value)
{
	for (const struct choice *choice = field->choices; choice->value; choice++)
		if (str_equal(choice->value, value))
			return true;
	return false;
}

/* A problem_code, or -1. */
static int value_problem(const struct kind_field *field, const char *value, int64_t today)
{
	if (!*value)
		return field->optional ? -1 : PROBLEM_MISSING;
	if (strlen(value) > (field->max ? field->max : 254))
		return PROBLEM_TOO_LONG;
	if (has_control(value))
		return PROBLEM_CONTROL;
	switch (field->kind) {
	case FIELD_TEXT:
		return -1;
	case FIELD_DATE:
		return date_problem(field, value, today);
	case FIELD_IBAN:
		return iban_valid(value) ? -1 : PROBLEM_IBAN;
	case FIELD_TAX:
		return tax_id_valid(value) ? -1 : PROBLEM_TAX;
	case FIELD_INSURANCE:
		return insurance_number_valid(value) ? -1 : PROBLEM_INSURANCE;
	case FIELD_EMAIL:
		return email_valid(value) ? -1 : PROBLEM_EMAIL;
	case FIELD_CHOICE:
		return is_choice(field, value) ? -1 : PROBLEM_CHOICE;
	}
	return PROBLEM_UNKNOWN;
}

static void note(struct problem *problems, size_t *count, const char *field, int code)
{
	if (code >= 0 && *count < PROBLEMS_MAX)
		problems[(*count)++] = (struct problem){ field, (enum problem_code)code };
}

static bool is_field(const struct kind *kind, const char *name)
{
	for (const struct kind_field *field = kind->fields; field->name; field++)
		if (str_equal(field->name, name))
			return true;
	return false;
}

err *kind_check(struct arena *arena, const struct kind *kind, const struct string_map *typed, int64_t today,
		struct string_map *ret_fields, struct problem problems[static PROBLEMS_MAX],
		size_t *ret_count)
{
	size_t fields = 0, count = 0;
	struct string_map kept = { 0 };

	while (kind->fields[fields].name)
		fields++;
	TRY_ALLOC(arena, kept.items, arena_array(arena, fields, sizeof(*kept.items)));
	for (const struct kind_field *field = kind->fields; field->name; field++) {
		const char *value = string_map_get(typed, field->name);
		char *text;

		TRY_ALLOC(arena, text, normal(arena, field, value ? value : ""));
		note(problems, &count, field->name, value_problem(field, text, today));
		if (*text)
			kept.items[kept.count++] = (struct string_pair){ field->name, text };
	}
	for (size_t i = 0; i < typed->count; i++)
		if (!is_field(kind, typed->items[i].key))
			note(problems, &count, typed->items[i].key, PROBLEM_UNKNOWN);
	*ret_fields = kept;
	*ret_count = count;
	return NULL;
}
