/* examples/portal/backend.c: requests to bayernid and antrag. */
#include "examples/portal/backend.h"

#include "base/json.h"
#include "examples/fetch.h"
#include "examples/token.h"

#define ANSWER_MAX (1u << 20)
#define BODY_MAX   (64u << 10)

struct call {
	const char *base, *token;
	const struct type *type; /* of the answer */
	void *value;
	struct refusal *refusal;
};

struct failure {
	const char *code, *message;
};
struct failure_body {
	struct failure error;
};
/* clang-format off */
static const struct field failure_fields[] = {
	FIELD(struct failure, "code",    code,    t_string, REQUIRED, NULL),
	FIELD(struct failure, "message", message, t_string, 0,        NULL),
	{0}
};
static const struct type t_failure = OBJECT("error", struct failure, failure_fields);
static const struct field failure_body_fields[] = {
	FIELD(struct failure_body, "error", error, t_failure, REQUIRED, NULL),
	{0}
};
static const struct type t_failure_body = OBJECT("error", struct failure_body, failure_body_fields);
/* clang-format on */

static err *decode(struct arena *arena, const struct str *text, const struct type *type, void *value)
{
	struct decoder d = { .arena = arena, .name = "answer" };
	err *e = decode_text(&d, type, NULL, text->data, text->len, value);

	return e ? err_with_code(e, EPROTO) : NULL;
}

static err *refused(struct arena *arena, unsigned status, const struct str *answer, struct refusal *refusal)
{
	struct failure_body failure = { 0 };
	auto_err err *e = decode(arena, answer, &t_failure_body, &failure);

	*refusal = (struct refusal){ .status = status, .code = e ? "unknown" : failure.error.code };
	return NULL;
}

/* One request; 2xx fills the value, else the refusal. 503 of the other side is like no answer. */
static err *ask(const struct call *c, struct arena *arena, const char *method, const char *path,
		const struct str *body, struct str *answer)
{
	struct fetch f = {
		.method = method,
		.base = c->base,
		.path = path,
		.bearer = c->token,
		.body = body ? body->data : NULL,
		.body_len = body ? body->len : 0,
		.max = ANSWER_MAX,
	};
	unsigned status = 0;

	*c->refusal = (struct refusal){ 0 };
	if (body)
		TRY(str_check(body));
	TRY(fetch(&f, &status, answer));
	if (status == 503)
		return err_new(EHOSTUNREACH, "%s%s answers 503", c->base, path);
	if (status / 100 != 2)
		return refused(arena, status, answer, c->refusal);
	return c->type ? err_wrap(decode(arena, answer, c->type, c->value), "%s%s", c->base, path) : NULL;
}

struct issued {
	const char *token;
	struct claims claims;
};
/* clang-format off */
static const struct field issued_fields[] = {
	FIELD(struct issued, "token",  token,  t_nonempty, REQUIRED, NULL),
	FIELD(struct issued, "claims", claims, t_claims,   REQUIRED, NULL),
	{0}
};
/* clang-format on */
static const struct type t_issued = OBJECT("token", struct issued, issued_fields);

static err *get_token(const struct backend *b, struct arena *arena, const char *path, const char *token,
		      const struct str *body, struct session *ret, struct refusal *refusal)
{
	auto_str struct str answer = STR_INIT(ANSWER_MAX);
	struct issued issued = { 0 };
	struct call c = { b->bayernid, token, &t_issued, &issued, refusal };

	TRY(ask(&c, arena, "POST", path, body, &answer));
	*ret = (struct session){
		.token = issued.token,
		.name = issued.claims.name,
		.role = issued.claims.role,
		.issued = issued.claims.issued,
		.expires = issued.claims.expires,
	};
	return NULL;
}

err *backend_sign_in(const struct backend *b, struct arena *arena, const char *user, const char *password,
		     struct session *ret, struct refusal *refusal)
{
	auto_str struct str body = STR_INIT(BODY_MAX);
	struct json_writer w = JSON_WRITER(&body, 0);

	json_begin_object(&w);
	json_member_string(&w, "user", user);
	json_member_string(&w, "password", password);
	json_end_object(&w);
	return get_token(b, arena, "/login", NULL, &body, ret, refusal);
}

err *backend_renew(const struct backend *b, struct arena *arena, const char *token, struct session *ret,
		   struct refusal *refusal)
{
	auto_str struct str empty = STR_INIT(1);

	return get_token(b, arena, "/renew", token, &empty, ret, refusal);
}

/* clang-format off */
static const struct field words_fields[] = {
	FIELD(struct words, "de", de, t_string, REQUIRED, NULL),
	FIELD(struct words, "en", en, t_string, REQUIRED, NULL),
	{0}
};
static const struct type t_words = OBJECT("words", struct words, words_fields);
static const struct field choice_fields[] = {
	FIELD(struct choice, "value", value, t_nonempty, REQUIRED, NULL),
	FIELD(struct choice, "label", label, t_words,    REQUIRED, NULL),
	{0}
};
static const struct type t_choice = OBJECT("choice", struct choice, choice_fields);
static const struct type t_choices = ARRAY_OF_MAX(t_choice, 50);
static const struct type t_field_kind = ENUM("type of field", field_kind_names);
static const struct field form_field_fields[] = {
	FIELD(struct form_field, "name",         name,         t_nonempty,   REQUIRED, NULL),
	FIELD(struct form_field, "type",         type,         t_field_kind, REQUIRED, NULL),
	FIELD(struct form_field, "required",     required,     t_bool,       REQUIRED, NULL),
	FIELD(struct form_field, "label",        label,        t_words,      REQUIRED, NULL),
	FIELD(struct form_field, "hint",         hint,         t_words,      0,        NULL),
	FIELD(struct form_field, "max",          max,          t_u32,        0,        NULL),
	FIELD(struct form_field, "autocomplete", autocomplete, t_string,     0,        NULL),
	FIELD(struct form_field, "choices",      choices,      t_choices,    0,        NULL),
	{0}
};
static const struct type t_form_field = OBJECT("field", struct form_field, form_field_fields);
static const struct type t_form_fields = ARRAY_OF_MAX(t_form_field, 50);
static const struct field form_fields[] = {
	FIELD(struct form, "name",      name,      t_nonempty,    REQUIRED, NULL),
	FIELD(struct form, "assurance", assurance, t_loa,         REQUIRED, NULL),
	FIELD(struct form, "title",     title,     t_words,       REQUIRED, NULL),
	FIELD(struct form, "summary",   summary,   t_words,       REQUIRED, NULL),
	FIELD(struct form, "fields",    fields,    t_form_fields, REQUIRED, NULL),
	{0}
};
static const struct type t_form = OBJECT("form", struct form, form_fields);
static const struct type t_form_list = ARRAY_OF_MAX(t_form, 50);
static const struct field forms_fields[] = {
	FIELD(struct forms, "kinds", list, t_form_list, REQUIRED, NULL),
	{0}
};
static const struct type t_forms = OBJECT("forms", struct forms, forms_fields);
static const struct field field_problem_fields[] = {
	FIELD(struct field_problem, "field", field,    t_string, REQUIRED, NULL),
	FIELD(struct field_problem, "code",  code,     t_string, REQUIRED, NULL),
	FIELD(struct field_problem, "de",    words.de, t_string, REQUIRED, NULL),
	FIELD(struct field_problem, "en",    words.en, t_string, REQUIRED, NULL),
	{0}
};
static const struct type t_field_problem = OBJECT("problem", struct field_problem, field_problem_fields);
static const struct type t_field_problem_list = ARRAY_OF_MAX(t_field_problem, 100);
static const struct field field_problems_fields[] = {
	FIELD(struct field_problems, "problems", list, t_field_problem_list, 0, NULL),
	{0}
};
static const struct type t_field_problems = OBJECT("problems", struct field_problems, field_problems_fields);
/* clang-format on */

err *backend_forms(const struct backend *b, struct arena *arena, struct forms *ret)
{
	auto_str struct str answer = STR_INIT(ANSWER_MAX);
	struct refusal refusal;
	struct call c = { b->antrag, NULL, &t_forms, ret, &refusal };

	TRY(ask(&c, arena, "GET", "/kinds", NULL, &answer));
	return refusal.status ? err_new(EPROTO, "%s/kinds answers %u", b->antrag, refusal.status) : NULL;
}

const struct form *forms_find(const struct forms *forms, const char *name)
{
	for (size_t i = 0; i < forms->list.count; i++)
		if (str_equal(forms->list.items[i].name, name))
			return &forms->list.items[i];
	return NULL;
}

err *backend_apply(const struct backend *b, struct arena *arena, const char *token, const char *kind,
		   const struct string_map *fields, struct application *ret, struct field_problems *problems,
		   struct refusal *refusal)
{
	auto_str struct str body = STR_INIT(BODY_MAX);
	auto_str struct str answer = STR_INIT(ANSWER_MAX);
	struct json_writer w = JSON_WRITER(&body, 0);
	struct call c = { b->antrag, token, &t_application, ret, refusal };

	json_begin_object(&w);
	json_member_string(&w, "kind", kind);
	json_key(&w, "fields");
	json_begin_object(&w);
	for (size_t i = 0; i < fields->count; i++)
		json_member_string(&w, fields->items[i].key, fields->items[i].value);
	json_end_object(&w);
	json_end_object(&w);
	*problems = (struct field_problems){ 0 };
	TRY(ask(&c, arena, "POST", "/applications", &body, &answer));
	return refusal->status == 422 ? decode(arena, &answer, &t_field_problems, problems) : NULL;
}

err *backend_list(const struct backend *b, struct arena *arena, const char *token, const char *state,
		  struct applications *ret, struct refusal *refusal)
{
	auto_str struct str path = STR_INIT(1024);
	auto_str struct str answer = STR_INIT(ANSWER_MAX);
	struct call c = { b->antrag, token, &t_applications, ret, refusal };

	str_add(&path, "/applications");
	if (state) {
		str_add(&path, "?state=");
		fetch_escape(&path, state);
	}
	TRY(str_check(&path));
	return ask(&c, arena, "GET", path.data, NULL, &answer);
}

/* "/applications/NUMBER" and what follows. */
static err *path_of(struct str *path, const char *number, const char *rest)
{
	str_add(path, "/applications/");
	fetch_escape(path, number);
	str_add(path, rest);
	return str_check(path);
}

err *backend_get(const struct backend *b, struct arena *arena, const char *token, const char *number,
		 struct application *ret, struct refusal *refusal)
{
	auto_str struct str path = STR_INIT(1024);
	auto_str struct str answer = STR_INIT(ANSWER_MAX);
	struct call c = { b->antrag, token, &t_application, ret, refusal };

	TRY(path_of(&path, number, ""));
	return ask(&c, arena, "GET", path.data, NULL, &answer);
}

static err *post(const struct backend *b, struct arena *arena, const char *token, const char *number,
		 const char *rest, const struct str *body, struct refusal *refusal)
{
	auto_str struct str path = STR_INIT(1024);
	auto_str struct str answer = STR_INIT(ANSWER_MAX);
	struct call c = { b->antrag, token, NULL, NULL, refusal };

	TRY(path_of(&path, number, rest));
	return ask(&c, arena, "POST", path.data, body, &answer);
}

struct proof {
	const char *signature;
	int64_t signed_at;
};
/* clang-format off */
static const struct field proof_fields[] = {
	FIELD(struct proof, "signature", signature, t_nonempty, REQUIRED, NULL),
	FIELD(struct proof, "signed_at", signed_at, t_i64,      REQUIRED, NULL),
	{0}
};
/* clang-format on */
static const struct type t_proof = OBJECT("signature", struct proof, proof_fields);

err *backend_sign(const struct backend *b, struct arena *arena, const char *token,
		  const struct application *application, struct refusal *refusal)
{
	auto_str struct str body = STR_INIT(BODY_MAX);
	auto_str struct str answer = STR_INIT(ANSWER_MAX);
	struct json_writer w = JSON_WRITER(&body, 0);
	struct proof proof = { 0 };
	struct call c = { b->bayernid, token, &t_proof, &proof, refusal };

	json_begin_object(&w);
	json_member_string(&w, "digest", application->digest);
	json_end_object(&w);
	TRY(ask(&c, arena, "POST", "/sign", &body, &answer));
	if (refusal->status)
		return NULL;
	str_clear(&body);
	encode_text(&body, &t_proof, &proof, 0);
	return post(b, arena, token, application->number, "/signature", &body, refusal);
}

err *backend_answer(const struct backend *b, struct arena *arena, const char *token, const char *number,
		    const char *note, struct refusal *refusal)
{
	auto_str struct str body = STR_INIT(BODY_MAX);
	struct json_writer w = JSON_WRITER(&body, 0);

	json_begin_object(&w);
	json_member_string(&w, "note", note);
	json_end_object(&w);
	return post(b, arena, token, number, "/answer", &body, refusal);
}

err *backend_move(const struct backend *b, struct arena *arena, const char *token, const char *number,
		  const char *state, const char *note, struct refusal *refusal)
{
	auto_str struct str body = STR_INIT(BODY_MAX);
	struct json_writer w = JSON_WRITER(&body, 0);

	json_begin_object(&w);
	json_member_string(&w, "state", state);
	json_member_string(&w, "note", note);
	json_end_object(&w);
	return post(b, arena, token, number, "/state", &body, refusal);
}
