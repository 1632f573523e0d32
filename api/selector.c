/* api/selector.c: label selectors of manifests, and what they match. */
#include "api/selector.h"

#include "api/kinds-internal.h"

static bool needs_values(int operator)
{
	return operator == SELECTOR_IN || operator == SELECTOR_NOT_IN;
}

static const char *check_requirement(const void *value)
{
	const struct selector_requirement *r = value;

	if (needs_values(r->operator) && r->values.count == 0)
		return "In and NotIn need values";
	if (!needs_values(r->operator) && r->values.count > 0)
		return "Exists and DoesNotExist take no values";
	return NULL;
}

/* clang-format off */
static const struct enum_name operator_names[] = {
	{ "In", SELECTOR_IN }, { "NotIn", SELECTOR_NOT_IN }, { "Exists", SELECTOR_EXISTS },
	{ "DoesNotExist", SELECTOR_DOES_NOT_EXIST }, {0}
};
static const struct type t_operator = ENUM("operator", operator_names);
static const struct field requirement_fields[] = {
	FIELD(struct selector_requirement, "key",      key,      t_label_key,    REQUIRED, NULL),
	FIELD(struct selector_requirement, "operator", operator, t_operator,     REQUIRED, NULL),
	FIELD(struct selector_requirement, "values",   values,   t_label_values, 0, NULL),
	{0}
};
static const struct type t_requirement = {
	.kind = T_OBJECT, .name = "requirement", .size = sizeof(struct selector_requirement),
	.fields = requirement_fields, .flags = STRICT, .check = check_requirement,
};
const struct type t_selector_requirements = ARRAY_OF_MAX(t_requirement, 256);
static const struct field selector_fields[] = {
	FIELD(struct label_selector, "matchLabels",      match_labels,      t_string_map,            0, NULL),
	FIELD(struct label_selector, "matchExpressions", match_expressions, t_selector_requirements, 0, NULL),
	{0}
};
const struct type t_label_selector = OBJECT_STRICT("selector", struct label_selector, selector_fields);
/* clang-format on */

err *label_selector_check(struct decoder *d, const char *path, const struct label_selector *s)
{
	char labels[256];

	snprintf(labels, sizeof(labels), "%s.matchLabels", path);
	return meta_check_labels(d, labels, &s->match_labels);
}

static bool has_value(const struct selector_requirement *r, const char *value)
{
	for (size_t i = 0; i < r->values.count; i++)
		if (str_equal(r->values.items[i], value))
			return true;
	return false;
}

bool selector_requirement_matches(const struct selector_requirement *r, const struct string_map *labels)
{
	const char *value = string_map_get(labels, r->key);

	switch (r->operator) {
	case SELECTOR_IN:
		return value && has_value(r, value);
	case SELECTOR_NOT_IN:
		return !value || !has_value(r, value);
	case SELECTOR_EXISTS:
		return value;
	case SELECTOR_DOES_NOT_EXIST:
		return !value;
	default:
		return false;
	}
}

bool label_selector_matches(const struct label_selector *s, const struct string_map *labels)
{
	for (size_t i = 0; i < s->match_labels.count; i++) {
		const char *value = string_map_get(labels, s->match_labels.items[i].key);
		if (!value || !str_equal(value, s->match_labels.items[i].value))
			return false;
	}
	for (size_t i = 0; i < s->match_expressions.count; i++)
		if (!selector_requirement_matches(&s->match_expressions.items[i], labels))
			return false;
	return true;
}

bool label_selector_is_empty(const struct label_selector *s)
{
	return s->match_labels.count == 0 && s->match_expressions.count == 0;
}
