/* examples/kinds.h: what can be applied for: one table gives checks, forms and titles. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/decode.h"
#include "base/err.h"
#include "base/str.h"

struct words {
	const char *de, *en;
};

enum field_kind {
	FIELD_TEXT,
	FIELD_DATE,	 /* 2026-11-23 */
	FIELD_IBAN,	 /* ISO 13616, check digits included */
	FIELD_TAX,	 /* Steuer-Identifikationsnummer, section 139b AO, check digit included */
	FIELD_INSURANCE, /* Krankenversichertennummer, section 290 SGB V, check digit included */
	FIELD_EMAIL,
	FIELD_CHOICE,
};
extern const struct enum_name field_kind_names[];

struct choice {
	const char *value; /* the last row's is NULL */
	struct words label;
};
struct kind_field {
	const char *name; /* the last row's is NULL */
	enum field_kind kind;
	bool optional;
	size_t max;		  /* bytes; 0: what the kind of field allows */
	int day_min, day_max;	  /* FIELD_DATE: days from today; equal: any */
	const char *autocomplete; /* HTML's name for it, or NULL */
	struct words label, hint;
	const struct choice *choices;
};
struct kind {
	const char *name;   /* "kindergeld"; the last row's is NULL */
	const char *prefix; /* of file numbers */
	int loa;	    /* the level of assurance it needs (examples/token.h) */
	struct words title, summary;
	const struct kind_field *fields;
};
extern const struct kind kinds[];
const struct kind *kind_find(const char *name);

enum problem_code {
	PROBLEM_UNKNOWN,
	PROBLEM_MISSING,
	PROBLEM_TOO_LONG,
	PROBLEM_CONTROL,
	PROBLEM_DATE,
	PROBLEM_DATE_RANGE,
	PROBLEM_IBAN,
	PROBLEM_TAX,
	PROBLEM_INSURANCE,
	PROBLEM_EMAIL,
	PROBLEM_CHOICE,
};
struct problem {
	const char *field;
	enum problem_code code;
};
#define PROBLEMS_MAX 32
const char *problem_name(enum problem_code code);
const struct words *problem_words(enum problem_code code);

/* Put what was typed into the order and form in which it is kept: only known fields, outer spaces gone,
 * numbers without inner spaces and in upper case; then check it. today: days since the epoch. *ret_count
 * problems, at most PROBLEMS_MAX, in the order of the form; 0: *ret_fields may be kept. */
err *kind_check(struct arena *arena, const struct kind *kind, const struct string_map *typed, int64_t today,
		struct string_map *ret_fields, struct problem problems[static PROBLEMS_MAX],
		size_t *ret_count) MUST_CHECK;

/* Days since the epoch of "2026-11-23"; false for a day that does not exist. */
bool date_parse(const char *text, int64_t *ret_days) MUST_CHECK;
bool iban_valid(const char *text);
bool tax_id_valid(const char *text);
bool insurance_number_valid(const char *text);
