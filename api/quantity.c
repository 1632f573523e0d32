/* api/quantity.c: amounts in thousandths. */
#include "api/quantity.h"

#include <ctype.h>
#include <inttypes.h>

/* The factor of a suffix as mantissa * 10^exponent or a power of 1024. */
static const struct suffix {
	const char *name;
	uint64_t factor; /* in thousandths of a unit */
} suffixes[] = {
	{ "", 1000 },
	{ "m", 1 },
	{ "k", 1000ull * 1000 },
	{ "M", 1000ull * 1000 * 1000 },
	{ "G", 1000ull * 1000 * 1000 * 1000 },
	{ "T", 1000ull * 1000 * 1000 * 1000 * 1000 },
	{ "P", 1000ull * 1000 * 1000 * 1000 * 1000 * 1000 },
	{ "Ki", 1000ull << 10 },
	{ "Mi", 1000ull << 20 },
	{ "Gi", 1000ull << 30 },
	{ "Ti", 1000ull << 40 },
	{ "Pi", 1000ull << 50 },
};

/* Multiply and add with a ceiling of INT64_MAX. */
static bool scale(uint64_t *value, uint64_t factor, uint64_t add)
{
	uint64_t product;

	if (__builtin_mul_overflow(*value, factor, &product) || __builtin_add_overflow(product, add, &product) ||
	    product > INT64_MAX)
		return false;
	*value = product;
	return true;
}

/* "e3", "E-2": a power of ten in the place of a suffix. */
static bool parse_exponent(const char *text, uint64_t *factor)
{
	int64_t exponent;

	if (*text != 'e' && *text != 'E')
		return false;
	text += text[1] == '+' ? 2 : 1;
	if (!str_to_i64(text, &exponent) || exponent < -3 || exponent > 15)
		return false;
	*factor = 1;
	for (int64_t i = -3; i < exponent; i++)
		*factor *= 10;
	return true;
}

static bool find_factor(const char *text, uint64_t *factor)
{
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (strcmp(text, suffixes[i].name) == 0) {
			*factor = suffixes[i].factor;
			return true;
		}
	return parse_exponent(text, factor);
}

bool quantity_parse(const char *text, struct quantity *ret)
{
	uint64_t whole = 0, fraction = 0, unit = 1, factor;
	bool digits = false;

	if (*text == '+')
		text++;
	for (; isdigit((unsigned char)*text); text++, digits = true)
		if (!scale(&whole, 10, (uint64_t)(*text - '0')))
			return false;
	if (*text == '.')
		for (text++; isdigit((unsigned char)*text); text++, digits = true) {
			if (unit == 1000000000) { /* finer than counts: only whether to round up */
				fraction |= *text != '0';
				continue;
			}
			fraction = fraction * 10 + (uint64_t)(*text - '0');
			unit *= 10;
		}
	if (!digits || !find_factor(text, &factor) || !scale(&whole, factor, 0))
		return false;
	__extension__ unsigned __int128 part = (unsigned __int128)fraction * factor;
	part = (part + unit - 1) / unit;
	if (part > INT64_MAX || !scale(&whole, 1, (uint64_t)part))
		return false;
	*ret = (struct quantity){ .milli = (int64_t)whole, .given = true };
	return true;
}

void quantity_format(const struct quantity *q, struct str *out)
{
	uint64_t milli = (uint64_t)q->milli;

	/* Powers of 1024 first, the largest first: bytes are what grows large. */
	for (size_t i = ARRAY_LEN(suffixes); i-- > 0 && milli > 0;)
		if (strlen(suffixes[i].name) == 2 && milli % suffixes[i].factor == 0) {
			str_addf(out, "%" PRIu64 "%s", milli / suffixes[i].factor, suffixes[i].name);
			return;
		}
	str_addf(out, milli % 1000 ? "%" PRIu64 "m" : "%" PRIu64, milli % 1000 ? milli : milli / 1000);
}

int64_t quantity_units(const struct quantity *q)
{
	return q->milli / 1000 + (q->milli % 1000 != 0);
}

static const char *parse(const char *text, void *value)
{
	return quantity_parse(text, value) ? NULL : "is not a quantity such as 500m, 2 or 128Mi";
}

static void format(const void *value, struct str *out)
{
	quantity_format(value, out);
}

const struct type t_quantity = {
	.kind = T_TEXT, .name = "quantity", .size = sizeof(struct quantity), .flags = OR_NUMBER,
	.parse = parse, .format = format,
};
