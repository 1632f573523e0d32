/* examples/portal/backend.h: what the portal asks of bayernid and antrag.
 * Errors are EHOSTUNREACH or ETIMEDOUT when one of them does not answer, EPROTO when it answers nonsense. */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/decode.h"
#include "base/err.h"
#include "examples/application.h"
#include "examples/kinds.h"
#include "examples/portal/session.h"

struct backend {
	const char *bayernid, *antrag; /* "http://127.0.0.1:8081" */
};

/* An answer that was no success, in the other service's words. */
struct refusal {
	unsigned status; /* 0: there was none */
	const char *code;
};

err *backend_sign_in(const struct backend *b, struct arena *arena, const char *user, const char *password,
		     struct session *ret, struct refusal *refusal) MUST_CHECK;
err *backend_renew(const struct backend *b, struct arena *arena, const char *token, struct session *ret,
		   struct refusal *refusal) MUST_CHECK;

/* The catalogue, with the structs of examples/kinds.h: ends with a row without a name. */
struct form_field {
	const char *name;
	int type;
	bool required;
	struct words label, hint;
	uint32_t max;
	const char *autocomplete;
	LIST(struct choice) choices;
};
struct form {
	const char *name;
	int assurance;
	struct words title, summary;
	LIST(struct form_field) fields;
};
struct forms {
	LIST(struct form) list;
};
err *backend_forms(const struct backend *b, struct arena *arena, struct forms *ret) MUST_CHECK;
const struct form *forms_find(const struct forms *forms, const char *name);

/* What is wrong with a field, as antrag says it. */
struct field_problem {
	const char *field, *code;
	struct words words;
};
struct field_problems {
	LIST(struct field_problem) list;
};

err *backend_apply(const struct backend *b, struct arena *arena, const char *token, const char *kind,
		   const struct string_map *fields, struct application *ret, struct field_problems *problems,
		   struct refusal *refusal) MUST_CHECK;
err *backend_list(const struct backend *b, struct arena *arena, const char *token, const char *state,
		  struct applications *ret, struct refusal *refusal) MUST_CHECK;
err *backend_get(const struct backend *b, struct arena *arena, const char *token, const char *number,
		 struct application *ret, struct refusal *refusal) MUST_CHECK;

/* Sign the document of `application` in the token's name, by bayernid, and leave the proof with antrag. */
err *backend_sign(const struct backend *b, struct arena *arena, const char *token,
		  const struct application *application, struct refusal *refusal) MUST_CHECK;
err *backend_answer(const struct backend *b, struct arena *arena, const char *token, const char *number,
		    const char *note, struct refusal *refusal) MUST_CHECK;
err *backend_move(const struct backend *b, struct arena *arena, const char *token, const char *number,
		  const char *state, const char *note, struct refusal *refusal) MUST_CHECK;
