/* api/selector-text.c: selectors as people and URLs write them.
 * Ref: Kubernetes "Labels and Selectors", grammar of labels.Parse; "Field Selectors". */
#include <ctype.h>

#include "api/kinds-internal.h"
#include "api/selector.h"

#define SELECTOR_TEXT_MAX (64u << 10)
#define TERMS_MAX         256u
#define VALUES_MAX        1024u

struct reader {
	struct arena *arena;
	const char *text, *p;
	struct label_selector *selector;
};

static err *fail(const struct reader *r, const char *at, const char *what)
{
	return err_new(EINVAL, "selector '%.200s': character %zu: %s", r->text, (size_t)(at - r->text) + 1, what);
}

static void skip_space(struct reader *r)
{
	while (*r->p == ' ' || *r->p == '\t')
		r->p++;
}

static bool take(struct reader *r, const char *token)
{
	skip_space(r);
	if (!str_starts_with(r->p, token))
		return false;
	r->p += strlen(token);
	return true;
}

/* Bytes of a key or value; which of them are well-formed, its check says. */
static err *take_word(struct reader *r, const char **ret)
{
	skip_space(r);
	size_t len = 0;
	while (isalnum((unsigned char)r->p[len]) || (r->p[len] && strchr("-_./", r->p[len])))
		len++;
	TRY_ALLOC(r->arena, *ret, arena_strndup(r->arena, r->p, len));
	r->p += len;
	return NULL;
}

static err *take_key(struct reader *r, const char **ret)
{
	skip_space(r);
	const char *at = r->p;

	TRY(take_word(r, ret));
	if (!**ret)
		return fail(r, at, "expected a label key");
	return meta_is_label_key(*ret) ? NULL : fail(r, at, "this is no label key");
}

static err *take_value(struct reader *r, const char **ret)
{
	skip_space(r);
	const char *at = r->p;

	TRY(take_word(r, ret));
	return meta_is_label_value(*ret) ? NULL : fail(r, at, "this is no label value");
}

/* "(a, b)"; an item between two commas is the empty value. */
static err *take_values(struct reader *r, struct strings *ret)
{
	if (!take(r, "("))
		return fail(r, r->p, "expected '('");
	TRY_ALLOC(r->arena, ret->items, arena_array(r->arena, VALUES_MAX, sizeof(char *)));
	do {
		if (ret->count == VALUES_MAX)
			return fail(r, r->p, "too many values");
		TRY(take_value(r, &ret->items[ret->count++]));
	} while (take(r, ","));
	return take(r, ")") ? NULL : fail(r, r->p, "expected ',' or ')'");
}

static err *add_equal(struct reader *r, const char *key)
{
	struct string_map *map = &r->selector->match_labels;
	const char *value;

	TRY(take_value(r, &value));
	map->items[map->count++] = (struct string_pair){ .key = key, .value = value };
	return NULL;
}

static err *add_differs(struct reader *r, struct selector_requirement *q)
{
	q->operator = SELECTOR_NOT_IN;
	q->values.count = 1;
	TRY_ALLOC(r->arena, q->values.items, arena_alloc(r->arena, sizeof(char *)));
	return take_value(r, &q->values.items[0]);
}

/* A word such as "in", which ends where a word ends. */
static bool take_keyword(struct reader *r, const char *word)
{
	skip_space(r);
	if (!str_starts_with(r->p, word) || !strchr(" \t(", r->p[strlen(word)]) || !r->p[strlen(word)])
		return false;
	r->p += strlen(word);
	return true;
}

static err *read_requirement(struct reader *r, struct selector_requirement *q)
{
	if (take(r, "!")) {
		q->operator = SELECTOR_DOES_NOT_EXIST;
		return take_key(r, &q->key);
	}
	TRY(take_key(r, &q->key));
	if (take(r, "!="))
		return add_differs(r, q);
	if (take(r, "==") || take(r, "="))
		return add_equal(r, q->key);
	q->operator = take_keyword(r, "in") ? SELECTOR_IN : take_keyword(r, "notin") ? SELECTOR_NOT_IN : 0;
	if (q->operator)
		return take_values(r, &q->values);
	skip_space(r);
	if (*r->p == '<' || *r->p == '>')
		return fail(r, r->p, "'<' and '>' are not supported");
	q->operator = SELECTOR_EXISTS;
	return NULL;
}

static err *read_selector(struct reader *r)
{
	struct label_selector *s = r->selector;

	for (unsigned terms = 0;; terms++) {
		struct selector_requirement q = { 0 };
		if (terms == TERMS_MAX)
			return fail(r, r->p, "too many requirements");
		TRY(read_requirement(r, &q));
		if (q.operator)
			s->match_expressions.items[s->match_expressions.count++] = q;
		skip_space(r);
		if (!*r->p)
			return NULL;
		if (!take(r, ","))
			return fail(r, r->p, "expected ',' or an operator");
	}
}

err *label_selector_parse(struct arena *arena, const char *text, const struct label_selector **ret)
{
	struct reader r = { .arena = arena, .text = text ? text : "", .p = text ? text : "" };

	if (strlen(r.text) > SELECTOR_TEXT_MAX)
		return err_new(EINVAL, "selector: longer than %u bytes", SELECTOR_TEXT_MAX);
	TRY_ALLOC(arena, r.selector, arena_alloc(arena, sizeof(*r.selector)));
	*ret = r.selector;
	skip_space(&r);
	if (!*r.p)
		return NULL;
	TRY_ALLOC(arena, r.selector->match_labels.items, arena_array(arena, TERMS_MAX, sizeof(struct string_pair)));
	TRY_ALLOC(arena, r.selector->match_expressions.items,
		  arena_array(arena, TERMS_MAX, sizeof(struct selector_requirement)));
	return read_selector(&r);
}

static void format_requirement(const struct selector_requirement *q, struct str *out)
{
	bool differs = q->operator == SELECTOR_NOT_IN && q->values.count == 1;

	str_addf(out, "%s%s", q->operator == SELECTOR_DOES_NOT_EXIST ? "!" : "", q->key);
	if (differs)
		str_addf(out, "!=%s", q->values.items[0]);
	if (differs || (q->operator != SELECTOR_IN && q->operator != SELECTOR_NOT_IN))
		return;
	str_add(out, q->operator == SELECTOR_IN ? " in (" : " notin (");
	for (size_t i = 0; i < q->values.count; i++)
		str_addf(out, "%s%s", i ? "," : "", q->values.items[i]);
	str_add_char(out, ')');
}

void label_selector_format(const struct label_selector *s, struct str *out)
{
	for (size_t i = 0; i < s->match_labels.count; i++)
		str_addf(out, "%s%s=%s", i ? "," : "", s->match_labels.items[i].key, s->match_labels.items[i].value);
	for (size_t i = 0; i < s->match_expressions.count; i++) {
		if (i || s->match_labels.count)
			str_add_char(out, ',');
		format_requirement(&s->match_expressions.items[i], out);
	}
}

/* ---- fields ---- */

/* Up to one of `ends`, without the backslashes that Kubernetes' clients put before ',', '=' and '\'. */
static err *take_escaped(struct reader *r, const char *ends, const char **ret)
{
	char *word;
	size_t len = 0;

	TRY_ALLOC(r->arena, word, arena_strdup(r->arena, r->p));
	for (; *r->p && !strchr(ends, *r->p); r->p++) {
		if (*r->p == '\\' && r->p[1])
			r->p++;
		word[len++] = *r->p;
	}
	word[len] = '\0';
	*ret = word;
	return NULL;
}

static err *read_term(struct reader *r, const struct kind *kind, struct field_term *term)
{
	const char *at = r->p;

	TRY(take_escaped(r, "=!,", &term->path));
	term->differs = *r->p == '!';
	if (!take(r, "!=") && !take(r, "==") && !take(r, "="))
		return fail(r, r->p, "expected '=' or '!='");
	if (!kind_has_field(kind, term->path))
		return err_new(EINVAL, "selector '%.200s': character %zu: a %s cannot be selected by its field '%.100s'",
			       r->text, (size_t)(at - r->text) + 1, kind->name, term->path);
	return take_escaped(r, ",", &term->value);
}

err *field_selector_parse(struct arena *arena, const struct kind *kind, const char *text,
			  const struct field_selector **ret)
{
	struct reader r = { .arena = arena, .text = text ? text : "", .p = text ? text : "" };
	struct field_selector *s;

	/* Each term copies the rest of the text. */
	if (strlen(r.text) > 4096)
		return err_new(EINVAL, "selector: longer than 4096 bytes");
	TRY_ALLOC(arena, s, arena_alloc(arena, sizeof(*s)));
	TRY_ALLOC(arena, s->items, arena_array(arena, TERMS_MAX, sizeof(*s->items)));
	*ret = s;
	while (*r.p) {
		if (s->count == TERMS_MAX)
			return fail(&r, r.p, "too many terms");
		TRY(read_term(&r, kind, &s->items[s->count++]));
		if (*r.p == ',' && !*++r.p)
			return fail(&r, r.p, "expected a field");
	}
	return NULL;
}

bool field_selector_matches(const struct field_selector *s, const struct object *object)
{
	for (size_t i = 0; i < s->count; i++) {
		const char *value = object_field(object, s->items[i].path);
		if (!value || str_equal(value, s->items[i].value) == s->items[i].differs)
			return false;
	}
	return true;
}
