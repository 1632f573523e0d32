/* registry/token.c: bearer tokens: fetched for a scope, kept until they expire.
 * Spec: distribution "Token Authentication Specification", "OAuth 2 Token Authentication". */
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "registry/client-internal.h"

#define TOKEN_ANSWER_MAX (256 * 1024)
#define LIFETIME_DEFAULT 60   /* seconds, as the specification says */
#define LIFETIME_MAX     3600
#define TOKENS_MAX       256  /* of one host */
#define CLIENT_ID        "stube"

static void token_free(struct token *t)
{
	if (t->header)
		explicit_bzero(t->header, strlen(t->header));
	free(t->header);
	free(t->key);
	free(t);
}

void token_free_all(struct token *t)
{
	while (t) {
		struct token *next = t->next;
		token_free(t);
		t = next;
	}
}

static const char *token_cached(const struct host *h, const char *key)
{
	for (struct token *t = h->tokens; t; t = t->next)
		if (str_equal(t->key, key) && clock_monotonic() < t->expires)
			return t->header;
	return NULL;
}

/* Drop those of this key, those that expired, and the oldest of too many. */
static void token_drop(struct host *h, const char *key)
{
	size_t kept = 0;
	for (struct token **place = &h->tokens; *place;) {
		struct token *t = *place;
		if (str_equal(t->key, key) || t->expires <= clock_monotonic() || ++kept >= TOKENS_MAX) {
			*place = t->next;
			token_free(t);
		} else {
			place = &t->next;
		}
	}
}

static err *token_keep(struct host *h, const char *key, const char *header, int64_t expires)
{
	struct token *t = calloc(1, sizeof(*t));
	if (!t)
		return err_oom();
	t->key = strdup(key);
	t->header = strdup(header);
	t->expires = expires;
	if (!t->key || !t->header) {
		token_free(t);
		return err_oom();
	}
	token_drop(h, key);
	t->next = h->tokens;
	h->tokens = t;
	return NULL;
}

/* ---- the request ---- */

static void add_encoded(struct str *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~/:,";
	for (; *text; text++)
		if (strchr(plain, *text))
			str_add_char(out, *text);
		else
			str_addf(out, "%%%02X", (unsigned char)*text);
}

static void add_pair(struct str *out, const char *name, const char *value)
{
	str_addf(out, "%s%s=", out->len && !strchr("?&", out->data[out->len - 1]) ? "&" : "", name);
	add_encoded(out, value);
}

static void add_scopes(const struct strv *scopes, bool joined, struct str *out)
{
	auto_str struct str all = STR_INIT(16384);
	for (size_t i = 0; i < scopes->count; i++) {
		if (!joined)
			add_pair(out, "scope", scopes->items[i]);
		str_addf(&all, "%s%s", i ? " " : "", scopes->items[i]);
	}
	if (joined && scopes->count)
		add_pair(out, "scope", all.data);
}

static void basic_header(const struct auth *a, struct str *out)
{
	auto_str struct str plain = STR_INIT(2 * AUTH_SECRET_MAX);
	str_addf(&plain, "%s:%s", a->username, a->secret);
	str_add(out, "Basic ");
	base64_encode(plain.data, plain.len, out);
	explicit_bzero(plain.data, plain.len);
}

static err *restart_str(const struct http_response *response UNUSED, void *user)
{
	str_clear(user);
	return NULL;
}

/* GET with basic authentication, or none; a refresh token goes by POST. */
static err *ask(const struct call *c, const struct auth *a, const struct strv *scopes, struct str *answer)
{
	const struct challenge *ch = &c->host->challenge;
	auto_str struct str url = STR_INIT(URL_MAX), form = STR_INIT(2 * AUTH_SECRET_MAX), header = STR_INIT(HTTP_HEADER_BYTES);
	bool post = a->kind == AUTH_IDENTITY;
	struct str *where = post ? &form : &url;
	static const char *const form_type[] = { "Content-Type: application/x-www-form-urlencoded", NULL };

	str_add(&url, ch->realm);
	if (!post)
		str_add(&url, strchr(ch->realm, '?') ? "&" : "?");
	if (post)
		add_pair(where, "grant_type", "refresh_token");
	if (ch->service)
		add_pair(where, "service", ch->service);
	add_scopes(scopes, post, where);
	add_pair(where, "client_id", CLIENT_ID);
	if (post)
		add_pair(where, "refresh_token", a->secret);
	if (a->kind == AUTH_BASIC)
		basic_header(a, &header);
	TRY(str_check(&url));
	TRY(str_check(&form));
	TRY(str_check(&header));

	struct http_request q = {
		.method = post ? "POST" : "GET", .url = url.data, .headers = post ? form_type : NULL,
		.authorization = header.len ? header.data : NULL,
		.named = &c->host->origin, .named_reach = c->host->reach,
		.body = { .bytes = form.data, .fd = -1, .length = form.len },
		.max_body = TOKEN_ANSWER_MAX, .begin = restart_str, .sink = http_sink_str, .user = answer,
		.cancel = c->r->cancel,
	};
	struct retry retry;
	retry_start(&retry, c);
	err *e;
	for (;;) {
		auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
		e = http_perform(c->r->http, &q, &r);
		if (!e && r.status == 200)
			break;
		if (e ? !http_error_is_transient(e) : !status_is_transient(r.status)) {
			e = e ? e : status_error(q.method, &r);
			break;
		}
		e = retry_wait(&retry, e, q.method, &r);
		if (e)
			break;
	}
	explicit_bzero(form.data, form.len);
	explicit_bzero(header.data, header.len);
	return e;
}

/* ---- the answer ---- */

static int64_t lifetime(const json *tree)
{
	const json *n = json_get(tree, "expires_in");
	int64_t seconds;
	if (!n || n->kind != JSON_NUMBER || !json_to_i64(n, &seconds) || seconds <= 0)
		seconds = LIFETIME_DEFAULT;
	seconds = MIN(seconds, LIFETIME_MAX);
	return seconds * (int64_t)NSEC_PER_SEC * 9 / 10;
}

static bool is_token(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p >= 0x7f)
			return false;
	return *text != 0;
}

static err *take_answer(const struct str *answer, struct str *header, int64_t *ret_lifetime)
{
	auto_arena struct arena *arena = NULL;
	json *tree;
	TRY(arena_new(16 * TOKEN_ANSWER_MAX, &arena));
	auto_err err *e = json_parse(arena, "token answer", answer->data, answer->len, &tree);
	if (e) /* whose text could show parts of a token */
		return err_new(EPROTO, "the token server's answer is not JSON");
	const char *token = json_get_string(tree, "token");
	if (!token || !*token)
		token = json_get_string(tree, "access_token");
	if (!token || !is_token(token))
		return err_new(EPROTO, "the token server's answer has no token");
	str_addf(header, "Bearer %s", token);
	*ret_lifetime = lifetime(tree);
	return str_check(header);
}

/* ---- scopes ---- */

static err *wanted_scopes(const struct call *c, struct strv *scopes)
{
	if (*c->repository)
		strv_addf(scopes, "repository:%s:%s", c->repository, c->actions);
	if (c->mount_from)
		strv_addf(scopes, "repository:%s:pull", c->mount_from);
	return strv_check(scopes);
}

/* Whether every action of "TYPE:NAME:ACTIONS" is among those of `have`. */
static bool scope_covers(const char *have, const char *want)
{
	const char *end = strrchr(want, ':');
	size_t len = end ? (size_t)(end - want) + 1 : 0;
	if (!len || strncmp(have, want, len) != 0 || strchr(have + len, ':'))
		return str_equal(have, want);
	for (const char *action = want + len; *action;) {
		size_t n = strcspn(action, ","), m;
		bool found = false;
		for (const char *h = have + len; *h && !found; h += m + (h[m] == ',')) {
			m = strcspn(h, ",");
			found = m == n && !strncmp(h, action, n);
		}
		if (!found)
			return false;
		action += n + (action[n] == ',');
	}
	return true;
}

static bool is_covered(const struct strv *scopes, const char *want)
{
	for (size_t i = 0; i < scopes->count; i++)
		if (scope_covers(scopes->items[i], want))
			return true;
	return false;
}

/* What a server asked for in addition, words separated by spaces. */
static err *wider_scopes(const char *wider, struct strv *scopes)
{
	for (const char *p = wider; p && *p;) {
		size_t len = strcspn(p, " ");
		auto_str struct str one = STR_INIT(2048);
		str_add_bytes(&one, p, len);
		if (len && !is_covered(scopes, one.data))
			strv_add(scopes, one.data);
		p += len + strspn(p + len, " ");
	}
	return strv_check(scopes);
}

err *credentials_find(const struct registry *r, struct host *h, const char *repository, struct auth *ret)
{
	if (r->username) {
		*ret = (struct auth){
			.kind = AUTH_BASIC, .username = strdup(r->username), .secret = strdup(r->password),
			.source = strdup("name and password given"),
		};
		if (!ret->username || !ret->secret || !ret->source) {
			auth_done(ret);
			return err_oom();
		}
	} else {
		TRY(auth_find(r->auth_file, h->name, repository, ret));
	}
	free(h->credentials);
	h->credentials = strdup(ret->source ? ret->source : "none");
	return h->credentials ? NULL : err_oom();
}

static err *make_header(const struct call *c, const struct strv *scopes, struct str *header, int64_t *expires)
{
	auto_auth struct auth a = { 0 };
	auto_str struct str answer = STR_INIT(TOKEN_ANSWER_MAX);
	int64_t for_so_long = 0;
	TRY(credentials_find(c->r, c->host, c->repository, &a));
	*expires = INT64_MAX;
	if (a.kind == AUTH_BEARER) {
		str_addf(header, "Bearer %s", a.secret);
		return str_check(header);
	}
	if (c->host->challenge.scheme == CHALLENGE_BASIC) {
		if (a.kind == AUTH_BASIC)
			basic_header(&a, header);
		return str_check(header);
	}
	err *e = ask(c, &a, scopes, &answer);
	if (!e)
		e = take_answer(&answer, header, &for_so_long);
	explicit_bzero(answer.data, answer.len);
	*expires = clock_monotonic() + for_so_long;
	return err_wrap(e, "asking for a token");
}

err *token_header(const struct call *c, bool fresh, const char *wider, struct str *ret)
{
	struct host *h = c->host;
	auto_strv struct strv scopes = STRV_INIT(16);
	auto_str struct str key = STR_INIT(16384);
	if (h->challenge.scheme == CHALLENGE_NONE)
		return NULL;
	TRY(wanted_scopes(c, &scopes));
	str_addf(&key, "%s", c->repository);
	for (size_t i = 0; i < scopes.count && h->challenge.scheme == CHALLENGE_BEARER; i++)
		str_addf(&key, " %s", scopes.items[i]);
	TRY(str_check(&key));
	const char *cached = fresh ? NULL : token_cached(h, key.data);
	if (cached) {
		str_add(ret, cached);
		return str_check(ret);
	}
	int64_t expires;
	TRY(wider_scopes(wider, &scopes));
	TRY(make_header(c, &scopes, ret, &expires));
	if (!ret->len)
		return NULL;
	return token_keep(h, key.data, ret->data, expires);
}
