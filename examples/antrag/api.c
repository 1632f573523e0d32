/* examples/antrag/api.c: the HTTP interface: apply, ask, decide. */
#include <time.h>

#include "base/clock.h"
#include "examples/antrag/service.h"
#include "examples/base64url.h"
#include "examples/filenumber.h"
#include "examples/form.h"
#include "examples/kinds.h"
#include "examples/states.h"

#define NOTE_MAX 2000 /* bytes */
#define LIST_MAX 100u

static int64_t now_seconds(void)
{
	return clock_real() / (int64_t)NSEC_PER_SEC;
}

/* Handlers answer what is wrong with a request themselves and then return early; these helpers tell so by
 * *ret_good, so that an error object stays what it is: something that went wrong here. */
static err *authenticate(const struct http_request *r, struct http_response *out, struct claims *claims,
			 bool *ret_good)
{
	const struct antrag *a = r->service;
	const char *token = http_bearer(r);
	auto_err err *e =
		token ? keysource_verify(a->keys, r->arena, token, claims) : err_new(EACCES, "no token");

	*ret_good = !e;
	if (!e)
		return NULL;
	if (e->code != EACCES) {
		*ret_good = false;
		strv_add(&out->headers, "Retry-After: 5");
		return http_fail(out, 503, "identity_unavailable", "tokens cannot be verified at the moment");
	}
	strv_add(&out->headers, "WWW-Authenticate: Bearer");
	return http_fail(out, 401, "token_invalid", "a valid token is needed");
}

static err *read_body(const struct http_request *r, struct http_response *out, const struct type *type,
		      void *value, bool *ret_good)
{
	struct decoder d = { .arena = r->arena, .name = "body" };
	auto_err err *e = decode_text(&d, type, NULL, r->body, r->body_len, value);
	auto_str struct str text = STR_INIT(1024);

	*ret_good = !e;
	if (!e)
		return NULL;
	err_format(e, &text);
	return http_fail(out, 400, "bad_request", "%s", text.data);
}

static err *not_found(struct http_response *out)
{
	return http_fail(out, 404, "not_found", "there is no application with this number");
}

/* The application of the path, if the caller may see it. Somebody else's does not exist for a citizen. */
static err *find(const struct http_request *r, struct http_response *out, struct claims *claims,
		 const struct application **ret)
{
	const struct antrag *a = r->service;
	char number[FILENUMBER_SIZE];
	bool good;

	*ret = NULL;
	TRY(authenticate(r, out, claims, &good));
	if (!good)
		return NULL;
	if (!filenumber_parse(r->part[0], number))
		return http_fail(out, 404, "number_invalid", "this is not a file number; was it mistyped?");
	TRY(store_get(a->store, r->arena, number, ret));
	if (*ret && (claims->role == ROLE_CLERK || str_equal((*ret)->citizen, claims->subject)))
		return NULL;
	*ret = NULL;
	return not_found(out);
}

static err *show(const struct http_request *r, struct http_response *out, const char *number)
{
	const struct antrag *a = r->service;
	const struct application *application;

	TRY(store_get(a->store, r->arena, number, &application));
	if (!application)
		return not_found(out);
	encode_text(&out->body, &t_application, application, 0);
	return NULL;
}

struct apply {
	const char *kind;
	struct string_map fields;
};
/* clang-format off */
static const struct field apply_fields[] = {
	FIELD(struct apply, "kind",   kind,   t_nonempty,   REQUIRED, NULL),
	FIELD(struct apply, "fields", fields, t_string_map, REQUIRED, NULL),
	{0}
};
/* clang-format on */
static const struct type t_apply = OBJECT_STRICT("application", struct apply, apply_fields);

static err *tell_problems(struct http_response *out, const struct problem *problems, size_t count)
{
	struct json_writer w = JSON_WRITER(&out->body, 0);

	out->status = 422;
	json_begin_object(&w);
	json_key(&w, "error");
	json_begin_object(&w);
	json_member_string(&w, "code", "fields_invalid");
	json_member_string(&w, "message", "some fields need to be corrected");
	json_end_object(&w);
	json_key(&w, "problems");
	json_begin_array(&w);
	for (size_t i = 0; i < count; i++) {
		json_begin_object(&w);
		json_member_string(&w, "field", problems[i].field);
		json_member_string(&w, "code", problem_name(problems[i].code));
		json_member_string(&w, "de", problem_words(problems[i].code)->de);
		json_member_string(&w, "en", problem_words(problems[i].code)->en);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
	return NULL;
}

static err *add_application(const struct antrag *service, const struct kind *kind,
			    const struct claims *claims, const struct string_map *fields,
			    char number[static FILENUMBER_SIZE])
{
	time_t seconds = now_seconds();
	char created[CLOCK_TEXT_MAX], digest[DIGEST_SIZE];
	struct tm tm;
	bool taken = true;

	clock_text(seconds * (int64_t)NSEC_PER_SEC, false, created);
	gmtime_r(&seconds, &tm);
	while (taken) { /* two of 49 random bits meet about never, but then both must live */
		auto_str struct str document = STR_INIT(64 << 10);

		TRY(filenumber_new(kind->prefix, (unsigned)tm.tm_year + 1900, number));
		struct application a = {
			.number = number,
			.citizen = claims->subject,
			.name = claims->name,
			.kind = kind->name,
			.state = STATE_RECEIVED,
			.created = created,
			.changed = created,
			.fields = *fields,
			.digest = digest,
		};
		application_document(&a, &document);
		TRY(str_check(&document));
		TRY(digest_text(document.data, document.len, digest));
		TRY(store_add(service->store, &a, &taken));
	}
	return NULL;
}

static err *post_application(const struct http_request *r, struct http_response *out)
{
	const struct antrag *a = r->service;
	struct problem problems[PROBLEMS_MAX];
	struct string_map fields = { 0 };
	struct claims claims = { 0 };
	struct apply apply = { 0 };
	char number[FILENUMBER_SIZE];
	const struct kind *kind;
	size_t count = 0;
	bool good;

	TRY(authenticate(r, out, &claims, &good));
	if (!good)
		return NULL;
	if (claims.role != ROLE_CITIZEN)
		return http_fail(out, 403, "citizens_only", "only a citizen can apply");
	TRY(read_body(r, out, &t_apply, &apply, &good));
	if (!good)
		return NULL;
	kind = kind_find(apply.kind);
	if (!kind)
		return http_fail(out, 400, "kind_unknown", "there is no such application");
	if (claims.loa < kind->loa)
		return http_fail(out, 403, "assurance_too_low",
				 "this application needs a level of assurance of %s",
				 enum_name(loa_names, kind->loa));
	TRY(kind_check(r->arena, kind, &apply.fields, now_seconds() / 86400, &fields, problems, &count));
	if (count > 0)
		return tell_problems(out, problems, count);
	if (!rate_take(a->writes, claims.subject)) {
		strv_addf(&out->headers, "Retry-After: %u", rate_wait(a->writes, claims.subject));
		return http_fail(out, 429, "too_many_applications",
				 "too many applications; please wait a little");
	}
	TRY(add_application(a, kind, &claims, &fields, number));
	out->status = 201;
	strv_addf(&out->headers, "Location: /applications/%s", number);
	return show(r, out, number);
}

/* A citizen's own; a clerk's choice by ?citizen= and ?state=. */
static err *get_applications(const struct http_request *r, struct http_response *out)
{
	const struct antrag *a = r->service;
	const char *citizen = http_query(r, "citizen"), *state_text = http_query(r, "state");
	int state = state_text ? enum_value(state_names, state_text) : -1;
	struct applications found = { 0 };
	struct claims claims = { 0 };
	bool good;

	TRY(authenticate(r, out, &claims, &good));
	if (!good)
		return NULL;
	if (state_text && state < 0)
		return http_fail(out, 400, "state_unknown", "there is no such state");
	if (claims.role != ROLE_CLERK) {
		if (citizen && !str_equal(citizen, claims.subject))
			return http_fail(out, 403, "not_yours", "citizens see their own applications only");
		citizen = claims.subject;
	}
	TRY(store_list(a->store, r->arena, citizen, state, LIST_MAX, &found));
	encode_text(&out->body, &t_applications, &found, 0);
	return NULL;
}

static err *get_application(const struct http_request *r, struct http_response *out)
{
	const struct application *application;
	struct claims claims = { 0 };

	TRY(find(r, out, &claims, &application));
	if (application)
		encode_text(&out->body, &t_application, application, 0);
	return NULL;
}

static err *get_document(const struct http_request *r, struct http_response *out)
{
	const struct application *application;
	struct claims claims = { 0 };

	TRY(find(r, out, &claims, &application));
	if (application)
		application_document(application, &out->body);
	return NULL;
}

struct change {
	int state;
	const char *note;
};
/* clang-format off */
static const struct type t_note = { .kind = T_STRING, .name = "note", .size = sizeof(char *), .max = NOTE_MAX };
static const struct field change_fields[] = {
	FIELD(struct change, "state", state, t_state, REQUIRED, NULL),
	FIELD(struct change, "note",  note,  t_note,  0,        NULL),
	{0}
};
static const struct type t_change = OBJECT_STRICT("change", struct change, change_fields);
static const struct field answer_fields[] = {
	FIELD(struct change, "note",  note,  t_note,  REQUIRED, NULL),
	{0}
};
/* clang-format on */
static const struct type t_answer = OBJECT_STRICT("answer", struct change, answer_fields);

static bool is_blank(const char *text)
{
	return !text || text[strspn(text, " \t\r\n")] == '\0';
}

/* Both sides move an application by the same table. */
static err *change(const struct http_request *r, struct http_response *out,
		   const struct application *application, int role, struct change change)
{
	const struct antrag *a = r->service;
	const struct transition *transition;
	char at[CLOCK_TEXT_MAX];
	bool moved = false;

	transition = transition_find((enum state)application->state, (enum state)change.state, role);
	if (!transition)
		return http_fail(out, 409, "not_allowed_now",
				 "from '%s' to '%s' is not a step that you can take",
				 enum_name(state_names, application->state),
				 enum_name(state_names, change.state));
	if (is_blank(change.note)) {
		change.note = NULL;
		if (transition->with_note)
			return http_fail(out, 422, "note_missing", "this step needs a note that says why");
	}
	clock_text(now_seconds() * (int64_t)NSEC_PER_SEC, false, at);
	struct event event = { .at = at, .state = change.state, .by = role, .note = change.note };
	TRY(store_move(a->store, application->number, application->state, &event, &moved));
	if (!moved)
		return http_fail(out, 409, "changed_meanwhile", "somebody has changed it in the meantime");
	return show(r, out, application->number);
}

static err *post_state(const struct http_request *r, struct http_response *out)
{
	const struct application *application;
	struct claims claims = { 0 };
	struct change wanted = { 0 };
	bool good;

	TRY(find(r, out, &claims, &application));
	if (!application)
		return NULL;
	if (claims.role != ROLE_CLERK)
		return http_fail(out, 403, "clerks_only", "only a clerk can do this");
	TRY(read_body(r, out, &t_change, &wanted, &good));
	return good ? change(r, out, application, ROLE_CLERK, wanted) : NULL;
}

static err *post_answer(const struct http_request *r, struct http_response *out)
{
	const struct antrag *a = r->service;
	const struct application *application;
	struct claims claims = { 0 };
	struct change wanted = { .state = STATE_REVIEW };
	bool good;

	TRY(find(r, out, &claims, &application));
	if (!application)
		return NULL;
	if (!str_equal(application->citizen, claims.subject))
		return http_fail(out, 403, "not_yours", "only who applied can answer");
	TRY(read_body(r, out, &t_answer, &wanted, &good));
	if (!good)
		return NULL;
	wanted.state = STATE_REVIEW;
	if (!rate_take(a->writes, claims.subject))
		return http_fail(out, 429, "too_many_requests", "too many messages; please wait a little");
	return change(r, out, application, ROLE_CITIZEN, wanted);
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
static const struct type t_proof = OBJECT_STRICT("signature", struct proof, proof_fields);

/* Keep bayernid's signature in the citizen's name; it is verified over this very document first. */
static err *post_signature(const struct http_request *r, struct http_response *out)
{
	const struct antrag *a = r->service;
	const struct application *application;
	auto_str struct str statement = STR_INIT(4096);
	auto_str struct str bytes = STR_INIT(SIGNATURE_SIZE);
	struct claims claims = { 0 };
	struct proof proof = { 0 };
	bool good, kept = false;

	TRY(find(r, out, &claims, &application));
	if (!application)
		return NULL;
	TRY(read_body(r, out, &t_proof, &proof, &good));
	if (!good)
		return NULL;
	statement_text(application->digest, application->citizen, proof.signed_at, &statement);
	TRY(str_check(&statement));
	if (!base64url_decode(proof.signature, strlen(proof.signature), &bytes) ||
	    bytes.len != SIGNATURE_SIZE ||
	    !keysource_signed(a->keys, statement.data, statement.len, (const uint8_t *)bytes.data))
		return http_fail(out, 422, "signature_invalid",
				 "the signature does not belong to this application");
	TRY(store_sign(a->store, application->number, proof.signed_at, proof.signature, &kept));
	if (!kept)
		return http_fail(out, 409, "signed_already", "the application has been signed already");
	return show(r, out, application->number);
}

static err *get_health(const struct http_request *r, struct http_response *out)
{
	const struct antrag *a = r->service;
	struct applications none = { 0 };

	TRY(store_list(a->store, r->arena, "", -1, 1, &none)); /* the database answers */
	str_add(&out->body, "{\"status\":\"ok\"}");
	return NULL;
}

/* clang-format off */
const struct http_route antrag_routes[] = {
	{ "GET",  "/kinds",                     get_kinds },
	{ "POST", "/applications",              post_application },
	{ "GET",  "/applications",              get_applications },
	{ "GET",  "/applications/{}",           get_application },
	{ "GET",  "/applications/{}/document",  get_document },
	{ "POST", "/applications/{}/signature", post_signature },
	{ "POST", "/applications/{}/answer",    post_answer },
	{ "POST", "/applications/{}/state",     post_state },
	{ "GET",  "/healthz",                   get_health },
	{ 0 }
};
/* clang-format on */
