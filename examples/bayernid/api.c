/* examples/bayernid/api.c: the HTTP interface: sign in, renew, verify, sign documents. */
#include <openssl/rand.h>

#include "base/clock.h"
#include "base/log.h"
#include "examples/base64url.h"
#include "examples/bayernid/service.h"
#include "examples/password.h"
#include "examples/token.h"

static int64_t now_seconds(void)
{
	return clock_real() / (int64_t)NSEC_PER_SEC;
}

/* The body as `type`; a wrong one is answered here, and *ret_good is false. */
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

static err *random_id(struct str *out)
{
	uint8_t bytes[16];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return err_new(EIO, "no randomness");
	base64url_add(out, bytes, sizeof(bytes));
	return str_check(out);
}

static err *issue(const struct bayernid *b, const struct user *user, int64_t authenticated,
		  struct http_response *out)
{
	auto_str struct str id = STR_INIT(64);
	auto_str struct str token = STR_INIT(TOKEN_MAX);
	struct json_writer w = JSON_WRITER(&out->body, 0);
	int64_t now = now_seconds();
	struct claims claims = {
		.issuer = TOKEN_ISSUER,
		.audience = TOKEN_AUDIENCE,
		.subject = user->subject,
		.name = user->name,
		.role = user->role,
		.loa = user->loa,
		.issued = now,
		.expires = MIN(now + b->token_seconds, authenticated + b->session_seconds),
		.authenticated = authenticated,
	};

	TRY(random_id(&id));
	claims.id = id.data;
	TRY(token_sign(b->key, &claims, &token));
	json_begin_object(&w);
	json_member_string(&w, "token", token.data);
	json_key(&w, "claims");
	encode(&w, &t_claims, &claims);
	json_end_object(&w);
	return NULL;
}

struct login {
	const char *user, *password;
};
/* clang-format off */
static const struct field login_fields[] = {
	FIELD(struct login, "user",     user,     t_nonempty, REQUIRED, NULL),
	FIELD(struct login, "password", password, t_string,   REQUIRED, NULL),
	{0}
};
/* clang-format on */
static const struct type t_login = OBJECT_STRICT("login", struct login, login_fields);

static err *throttled(struct http_response *out, unsigned seconds)
{
	strv_addf(&out->headers, "Retry-After: %u", seconds);
	return http_fail(out, 429, "too_many_attempts", "too many wrong passwords; try again in %u seconds",
			 seconds);
}

/* An unknown user and a wrong password cannot be told apart: same answer, same work, same throttle. */
static err *post_login(const struct http_request *r, struct http_response *out)
{
	const struct bayernid *b = r->service;
	const struct user *user;
	struct login login = { 0 };
	bool good;

	TRY(read_body(r, out, &t_login, &login, &good));
	if (!good)
		return NULL;
	if (!rate_take(b->logins, login.user))
		return throttled(out, MAX(rate_wait(b->logins, login.user), 1u));
	user = users_find(&b->users, login.user);
	TRY(password_verify(login.password, user ? user->password : NULL, &good));
	if (!good) {
		log_warning("sign-in refused", "peer", r->peer, NULL);
		return http_fail(out, 401, "wrong_credentials", "user or password is wrong");
	}
	rate_return(b->logins, login.user);
	return issue(b, user, now_seconds(), out);
}

/* Claims of the caller's token; without a good one it is answered here, and *ret_good is false. */
static err *authenticate(const struct http_request *r, struct http_response *out, struct claims *claims,
			 bool *ret_good)
{
	const struct bayernid *b = r->service;
	const char *token = http_bearer(r);

	*ret_good = false;
	if (token) {
		auto_err err *e = token_verify(r->arena, &b->ring, now_seconds(), token, claims);

		*ret_good = !e;
		if (!e)
			return NULL;
	}
	strv_add(&out->headers, "WWW-Authenticate: Bearer");
	return http_fail(out, 401, "token_invalid", "a valid token is needed");
}

/* A new token for one that still holds; the person, as the file has them today, and no password. */
static err *post_renew(const struct http_request *r, struct http_response *out)
{
	const struct bayernid *b = r->service;
	struct claims claims = { 0 };
	const struct user *user;
	bool good;

	TRY(authenticate(r, out, &claims, &good));
	if (!good)
		return NULL;
	user = users_find_subject(&b->users, claims.subject);
	if (!user || claims.authenticated + b->session_seconds <= now_seconds())
		return http_fail(out, 401, "sign_in_again", "the session has ended; sign in again");
	return issue(b, user, claims.authenticated, out);
}

struct verify {
	const char *token;
};
/* clang-format off */
static const struct field verify_fields[] = {
	FIELD(struct verify, "token", token, t_nonempty, REQUIRED, NULL),
	{0}
};
/* clang-format on */
static const struct type t_verify = OBJECT_STRICT("verify", struct verify, verify_fields);

static err *post_verify(const struct http_request *r, struct http_response *out)
{
	const struct bayernid *b = r->service;
	struct json_writer w = JSON_WRITER(&out->body, 0);
	struct verify verify = { 0 };
	struct claims claims = { 0 };
	bool good;

	TRY(read_body(r, out, &t_verify, &verify, &good));
	if (!good)
		return NULL;
	auto_err err *e = token_verify(r->arena, &b->ring, now_seconds(), verify.token, &claims);
	json_begin_object(&w);
	json_member_bool(&w, "active", !e);
	if (!e) {
		json_key(&w, "claims");
		encode(&w, &t_claims, &claims);
	}
	json_end_object(&w);
	return NULL;
}

struct document {
	const char *digest, *subject, *signature;
	int64_t signed_at;
};
/* clang-format off */
static const struct field sign_fields[] = {
	FIELD(struct document, "digest", digest, t_nonempty, REQUIRED, NULL),
	{0}
};
static const struct type t_sign = OBJECT_STRICT("document", struct document, sign_fields);
static const struct field document_fields[] = {
	FIELD(struct document, "digest",    digest,    t_nonempty, REQUIRED, NULL),
	FIELD(struct document, "subject",   subject,   t_nonempty, REQUIRED, NULL),
	FIELD(struct document, "signed_at", signed_at, t_i64,      REQUIRED, NULL),
	FIELD(struct document, "signature", signature, t_nonempty, REQUIRED, NULL),
	{0}
};
static const struct type t_document = OBJECT_STRICT("signed document", struct document, document_fields);
/* clang-format on */

static err *sign_document(const struct bayernid *b, struct document *document, struct http_response *out)
{
	auto_str struct str statement = STR_INIT(1024);
	auto_str struct str text = STR_INIT(128);
	uint8_t signature[SIGNATURE_SIZE];

	statement_text(document->digest, document->subject, document->signed_at, &statement);
	TRY(str_check(&statement));
	TRY(signing_sign(b->key, statement.data, statement.len, signature));
	base64url_add(&text, signature, sizeof(signature));
	document->signature = text.data;
	encode_text(&out->body, &t_document, document, 0);
	return NULL;
}

/* In place of a signature on paper: the person must be known well enough, and only their own name is signed.
 */
static err *post_sign(const struct http_request *r, struct http_response *out)
{
	struct document document = { 0 };
	struct claims claims = { 0 };
	bool good;

	TRY(authenticate(r, out, &claims, &good));
	if (!good)
		return NULL;
	TRY(read_body(r, out, &t_sign, &document, &good));
	if (!good)
		return NULL;
	if (claims.loa < LOA_SUBSTANTIAL)
		return http_fail(out, 403, "assurance_too_low",
				 "signing needs a level of assurance of substantial");
	if (!digest_is_valid(document.digest))
		return http_fail(out, 400, "bad_request", "body: digest: is not sha256:HEX");
	document.subject = claims.subject;
	document.signed_at = now_seconds();
	return sign_document(r->service, &document, out);
}

static err *post_verify_signature(const struct http_request *r, struct http_response *out)
{
	const struct bayernid *b = r->service;
	struct json_writer w = JSON_WRITER(&out->body, 0);
	struct document d = { 0 };
	auto_str struct str statement = STR_INIT(16384);
	auto_str struct str signature = STR_INIT(SIGNATURE_SIZE);
	bool good;

	TRY(read_body(r, out, &t_document, &d, &good));
	if (!good)
		return NULL;
	statement_text(d.digest, d.subject, d.signed_at, &statement);
	good = digest_is_valid(d.digest) && !statement.failed && !strchr(d.subject, '\n') &&
	       base64url_decode(d.signature, strlen(d.signature), &signature) &&
	       signature.len == SIGNATURE_SIZE &&
	       signing_verify(&b->ring.keys[0], statement.data, statement.len,
			      (const uint8_t *)signature.data);
	json_begin_object(&w);
	json_member_bool(&w, "valid", good);
	json_end_object(&w);
	return NULL;
}

static err *get_keys(const struct http_request *r, struct http_response *out)
{
	const struct bayernid *b = r->service;

	keyring_encode(&b->ring, &out->body);
	strv_add(&out->headers, "Cache-Control: public, max-age=300");
	return NULL;
}

static err *get_health(const struct http_request *r UNUSED, struct http_response *out)
{
	str_add(&out->body, "{\"status\":\"ok\"}");
	return NULL;
}

/* clang-format off */
const struct http_route bayernid_routes[] = {
	{ "POST", "/login",                 post_login },
	{ "POST", "/renew",                 post_renew },
	{ "POST", "/verify",                post_verify },
	{ "POST", "/sign",                  post_sign },
	{ "POST", "/verify-signature",      post_verify_signature },
	{ "GET",  "/.well-known/jwks.json", get_keys },
	{ "GET",  "/healthz",               get_health },
	{ 0 }
};
/* clang-format on */
