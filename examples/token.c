/* examples/token.c: tokens written and verified. */
#include "examples/token.h"

#include "examples/base64url.h"

/* clang-format off */
const struct enum_name role_names[] = { { "citizen", ROLE_CITIZEN }, { "clerk", ROLE_CLERK }, { 0 } };
const struct enum_name loa_names[] = {
	{ "low", LOA_LOW }, { "substantial", LOA_SUBSTANTIAL }, { "high", LOA_HIGH }, { 0 }
};
const struct type t_role = ENUM("role", role_names);
const struct type t_loa = ENUM("level of assurance", loa_names);

static const struct field claims_fields[] = {
	FIELD(struct claims, "iss",       issuer,        t_nonempty, REQUIRED, NULL),
	FIELD(struct claims, "aud",       audience,      t_nonempty, REQUIRED, NULL),
	FIELD(struct claims, "sub",       subject,       t_nonempty, REQUIRED, NULL),
	FIELD(struct claims, "name",      name,          t_nonempty, REQUIRED, NULL),
	FIELD(struct claims, "role",      role,          t_role,     REQUIRED, NULL),
	FIELD(struct claims, "acr",       loa,           t_loa,      REQUIRED, NULL),
	FIELD(struct claims, "iat",       issued,        t_i64,      REQUIRED, NULL),
	FIELD(struct claims, "exp",       expires,       t_i64,      REQUIRED, NULL),
	FIELD(struct claims, "auth_time", authenticated, t_i64,      REQUIRED, NULL),
	FIELD(struct claims, "jti",       id,            t_nonempty, REQUIRED, NULL),
	{0}
};
const struct type t_claims = OBJECT("claims", struct claims, claims_fields);

struct header {
	const char *algorithm, *type, *key_id;
	const json *critical;
};
static const struct field header_fields[] = {
	FIELD(struct header, "alg",  algorithm, t_nonempty, REQUIRED,    NULL),
	FIELD(struct header, "typ",  type,      t_string,   0,           NULL),
	FIELD(struct header, "kid",  key_id,    t_nonempty, REQUIRED,    NULL),
	FIELD(struct header, "crit", critical,  t_raw,      UNSUPPORTED, NULL),
	{0}
};
/* clang-format on */
static const struct type t_header = OBJECT("header", struct header, header_fields);

static err *add_part(struct str *out, const struct type *type, const void *value)
{
	auto_str struct str text = STR_INIT(TOKEN_MAX);

	encode_text(&text, type, value, 0);
	TRY(str_check(&text));
	base64url_add(out, text.data, text.len);
	return NULL;
}

err *token_sign(const struct signing_key *key, const struct claims *claims, struct str *out)
{
	struct header header = { .algorithm = "EdDSA", .type = "JWT", .key_id = signing_key_public(key)->id };
	uint8_t signature[SIGNATURE_SIZE];
	auto_str struct str text = STR_INIT(TOKEN_MAX);

	TRY(add_part(&text, &t_header, &header));
	str_add_char(&text, '.');
	TRY(add_part(&text, &t_claims, claims));
	TRY(err_wrap(str_check(&text), "token"));
	TRY(signing_sign(key, text.data, text.len, signature));
	str_add_char(&text, '.');
	base64url_add(&text, signature, sizeof(signature));
	TRY(err_wrap(str_check(&text), "token"));
	str_add_bytes(out, text.data, text.len);
	return str_check(out);
}

/* The reason stays inside: a caller is told that the token is not valid, the log may say why. */
static err *refused(err *why)
{
	return why ? err_with_code(err_wrap(why, "token"), EACCES) : NULL;
}

static err *decode_part(struct arena *arena, const char *name, const char *text, size_t len,
			const struct type *type, void *value)
{
	struct decoder d = { .arena = arena, .name = name };
	auto_str struct str bytes = STR_INIT(TOKEN_MAX);

	if (!base64url_decode(text, len, &bytes))
		return err_new(EACCES, "%s: not base64url", name);
	return decode_text(&d, type, NULL, bytes.data, bytes.len, value);
}

static err *check_claims(const struct claims *c, int64_t now)
{
	if (!str_equal(c->issuer, TOKEN_ISSUER))
		return err_new(EACCES, "issued by somebody else");
	if (!str_equal(c->audience, TOKEN_AUDIENCE))
		return err_new(EACCES, "meant for somebody else");
	if (c->expires <= now)
		return err_new(EACCES, "expired");
	if (c->issued > now + TOKEN_LEEWAY)
		return err_new(EACCES, "issued in the future");
	return NULL;
}

err *token_verify(struct arena *arena, const struct keyring *ring, int64_t now, const char *token,
		  struct claims *ret)
{
	const char *first = strchr(token, '.');
	const char *second = first ? strchr(first + 1, '.') : NULL;
	const struct public_key *key;
	struct header header = { 0 };
	struct claims claims = { 0 };
	auto_str struct str signature = STR_INIT(SIGNATURE_SIZE);

	if (strlen(token) > TOKEN_MAX || !second)
		return refused(err_new(EACCES, "not three parts, or too long"));
	TRY(refused(decode_part(arena, "header", token, (size_t)(first - token), &t_header, &header)));
	if (!str_equal(header.algorithm, "EdDSA"))
		return refused(err_new(EACCES, "algorithm is not EdDSA"));
	key = keyring_find(ring, header.key_id);
	if (!key)
		return err_new(ENOKEY, "token: signed with an unknown key");
	if (!base64url_decode(second + 1, strlen(second + 1), &signature) ||
	    signature.len != SIGNATURE_SIZE ||
	    !signing_verify(key, token, (size_t)(second - token), (const uint8_t *)signature.data))
		return refused(err_new(EACCES, "the signature is wrong"));
	TRY(refused(
		decode_part(arena, "claims", first + 1, (size_t)(second - first - 1), &t_claims, &claims)));
	TRY(refused(check_claims(&claims, now)));
	*ret = claims;
	return NULL;
}
