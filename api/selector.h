/* api/selector.h: which objects are meant, by their labels or fields.
 * Ref: Kubernetes "Labels and Selectors", "Field Selectors". */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/decode.h"
#include "base/err.h"
#include "base/str.h"

enum selector_operator { SELECTOR_IN = 1, SELECTOR_NOT_IN, SELECTOR_EXISTS, SELECTOR_DOES_NOT_EXIST };
struct selector_requirement {
	const char *key;
	int operator;
	struct strings values;
};
/* In manifests: matchLabels and matchExpressions, all must hold. Empty: everything. */
struct label_selector {
	struct string_map match_labels;
	LIST(struct selector_requirement) match_expressions;
};
extern const struct type t_label_selector;

bool label_selector_matches(const struct label_selector *s, const struct string_map *labels);
bool label_selector_is_empty(const struct label_selector *s);

/* One requirement, as node affinity uses them too. */
bool selector_requirement_matches(const struct selector_requirement *r, const struct string_map *labels);

/* "app=web,tier in (a, b),stage!=test,!legacy". NULL or "": everything. EINVAL names the place. */
err *label_selector_parse(struct arena *arena, const char *text, const struct label_selector **ret) MUST_CHECK;
void label_selector_format(const struct label_selector *s, struct str *out);

/* "spec.nodeName=a,status.phase!=Running": pairs of paths that object_field() (api/kinds.h) knows. */
struct field_term {
	const char *path, *value;
	bool differs; /* != */
};
struct field_selector {
	struct field_term *items;
	size_t count;
};
struct object;
struct kind;
/* EINVAL names a field that the kind does not have. */
err *field_selector_parse(struct arena *arena, const struct kind *kind, const char *text,
			  const struct field_selector **ret) MUST_CHECK;
bool field_selector_matches(const struct field_selector *s, const struct object *object);
