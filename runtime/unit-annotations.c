/* runtime/unit-annotations.c: annotations org.systemd.property.NAME as properties of the container's scope.
 * Ref: runc's docs/systemd-properties.md; GVariant's text format, of which the types that systemd's
 * properties have are read and no others. */
#include "runtime/unit.h"

#include <ctype.h>

#include "base/decode.h"

#define PREFIX ANNOTATION_SYSTEMD_PROPERTY

enum { ITEMS_MAX = 256, TEXT_MAX = 8192 };

struct text {
	struct arena *arena;
	const char *at;
};

static void skip_space(struct text *t)
{
	t->at += strspn(t->at, " \t\n");
}

static err *unknown(const char *why)
{
	return err_hint(
		err_new(EINVAL, "%s", why),
		"Values are in GVariant's text form, such as uint64 5000000, true, 'text' or ['a', 'b'].");
}

/* 'text' or "text"; the escapes are those that stand for one printable character. */
static err *parse_string(struct text *t, const char **ret)
{
	auto_str struct str out = STR_INIT(TEXT_MAX);
	char quote = *t->at;

	if (quote != '\'' && quote != '"')
		return unknown("expected a quoted text");
	for (t->at++; *t->at != quote; t->at++) {
		if (*t->at == '\\' && t->at[1] && strchr("'\"\\", t->at[1]))
			t->at++;
		else if (*t->at == '\\' || (unsigned char)*t->at < ' ')
			return unknown("a text that does not end, or an escape that is not known");
		str_add_char(&out, *t->at);
	}
	t->at++;
	TRY(str_check(&out));
	TRY_ALLOC(t->arena, *ret, arena_strdup(t->arena, out.data));
	return NULL;
}

static err *parse_strings(struct text *t, struct unit_property *p)
{
	struct unit_item *items;

	TRY_ALLOC(t->arena, items, arena_array(t->arena, ITEMS_MAX, sizeof *items));
	p->type = UNIT_STRINGS;
	p->items = items;
	for (t->at++, skip_space(t); *t->at != ']'; skip_space(t)) {
		if (p->count == ITEMS_MAX)
			return err_new(E2BIG, "more than %d items", ITEMS_MAX);
		TRY(parse_string(t, &items[p->count++].text));
		skip_space(t);
		if (*t->at != ',')
			break;
		t->at++;
	}
	if (*t->at != ']')
		return unknown("expected ',' or ']'");
	t->at++;
	return NULL;
}

/* A word that ends at a space or at the text's end. */
static bool take_word(struct text *t, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(t->at, word, len) != 0 || isalnum((unsigned char)t->at[len]))
		return false;
	t->at += len;
	skip_space(t);
	return true;
}

static const struct integer {
	const char *word;
	enum unit_type type;
	int64_t min;
	uint64_t max;
} integers[] = {
	{ "int32", UNIT_INT32, INT32_MIN, INT32_MAX },
	{ "uint32", UNIT_UINT32, 0, UINT32_MAX },
	{ "int64", UNIT_INT64, INT64_MIN, INT64_MAX },
	{ "uint64", UNIT_UINT64, 0, UINT64_MAX },
};

static err *parse_integer(struct text *t, const struct integer *kind, struct unit_property *p)
{
	char digits[24];
	size_t len = strcspn(t->at, " \t\n");
	int64_t negative;

	if (len >= sizeof digits)
		return unknown("expected a number");
	memcpy(digits, t->at, len);
	digits[len] = '\0';
	p->type = kind->type;
	if (digits[0] == '-') {
		if (!str_to_i64(digits, &negative) || negative < kind->min)
			return unknown("expected a number that its type can hold");
		p->number = (uint64_t)negative;
	} else if (!str_to_u64(digits, &p->number) || p->number > kind->max) {
		return unknown("expected a number that its type can hold");
	}
	t->at += len;
	return NULL;
}

/* "1.5": digits, one point, digits. */
static bool is_double(const char *at)
{
	size_t sign = *at == '-', whole = strspn(at + sign, "0123456789");
	size_t part = at[sign + whole] == '.' ? strspn(at + sign + whole + 1, "0123456789") : 0;

	return whole && part && whole + part < 18;
}

static void parse_double(struct text *t, struct unit_property *p)
{
	bool negative = *t->at == '-';
	double value = 0, unit = 1;
	bool behind = false;

	for (t->at += negative; isdigit((unsigned char)*t->at) || (*t->at == '.' && !behind); t->at++) {
		if (*t->at == '.') {
			behind = true;
			continue;
		}
		value = value * 10 + (*t->at - '0');
		unit *= behind ? 10 : 1;
	}
	value = (negative ? -value : value) / unit;
	p->type = UNIT_DOUBLE;
	memcpy(&p->number, &value, sizeof value);
}

static err *parse_one(struct text *t, struct unit_property *p)
{
	if (*t->at == '[')
		return parse_strings(t, p);
	if (*t->at == '\'' || *t->at == '"') {
		p->type = UNIT_STRING;
		return parse_string(t, &p->text);
	}
	p->type = UNIT_BOOL;
	p->number = 1;
	if (take_word(t, "true"))
		return NULL;
	p->number = 0;
	if (take_word(t, "false"))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(integers); i++)
		if (take_word(t, integers[i].word))
			return parse_integer(t, &integers[i], p);
	if (is_double(t->at)) {
		parse_double(t, p);
		return NULL;
	}
	/* A number without a type is an int32. */
	return parse_integer(t, &integers[0], p);
}

/* "TimeoutStopSec" as people write it is "TimeoutStopUSec" on the bus. */
static err *from_seconds(struct arena *arena, struct unit_property *p)
{
	size_t len = strlen(p->name);
	double seconds;

	if (len < 4 || !str_equal(p->name + len - 3, "Sec") || p->name[len - 4] == 'U')
		return NULL;
	switch (p->type) {
	case UNIT_DOUBLE:
		memcpy(&seconds, &p->number, sizeof seconds);
		if (!(seconds >= 0) || seconds > 1e12)
			return unknown("expected a time in seconds");
		p->number = (uint64_t)(seconds * 1e6);
		break;
	case UNIT_INT32:
	case UNIT_INT64:
	case UNIT_UINT32:
	case UNIT_UINT64:
		if ((p->type != UNIT_UINT64 && (int64_t)p->number < 0) || p->number > UINT64_MAX / 1000000)
			return unknown("expected a time in seconds");
		p->number *= 1000000;
		break;
	default:
		return unknown("expected a time in seconds");
	}
	p->type = UNIT_UINT64;
	TRY_ALLOC(arena, p->name, arena_printf(arena, "%.*sUSec", (int)(len - 3), p->name));
	return NULL;
}

static err *check_name(const char *name)
{
	/* The first three make the scope the container's; the rest is the work of the runtime's own program.
	 */
	static const char *const ours[] = { "PIDs", "Slice", "Delegate", "DevicePolicy", "DeviceAllow" };
	size_t len = strlen(name);

	if (len < 3 || len > 128 ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != len)
		return err_new(EINVAL, "is no name of a property");
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (str_equal(name, ours[i]))
			return err_new(EINVAL, "is decided by the runtime");
	return NULL;
}

err *unit_parse_value(struct arena *arena, const char *name, const char *text, struct unit_property *ret)
{
	struct text t = { arena, text };
	struct unit_property p = { .name = name };

	TRY(check_name(name));
	skip_space(&t);
	TRY(parse_one(&t, &p));
	skip_space(&t);
	if (*t.at)
		return unknown("something stands behind the value");
	TRY(from_seconds(arena, &p));
	*ret = p;
	return NULL;
}

err *unit_add_annotations(struct arena *arena, const struct string_map *map, struct unit_properties *list)
{
	for (size_t i = 0; i < map->count; i++) {
		const char *key = map->items[i].key;
		struct unit_property p;

		if (!str_starts_with(key, PREFIX))
			continue;
		TRY(err_wrap(unit_parse_value(arena, key + strlen(PREFIX), map->items[i].value, &p),
			     "annotations.%s", key));
		TRY(unit_set_property(arena, list, &p));
	}
	return NULL;
}
