/* registry/client.c: one registry object for many servers: schemes, authentication, patience. */
#include "registry/client.h"

#include <string.h>
#include <sys/socket.h>

#include "base/cli.h"
#include "base/clock.h"
#include "registry/client-internal.h"

#define TRIES_DEFAULT 5
#define TIME_DEFAULT  (180 * (int64_t)NSEC_PER_SEC)

/* ---- the object ---- */

static err *copy_text(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? err_oom() : NULL;
}

static err *open_http(const struct registry_options *o, struct registry *r)
{
	auto_str struct str agent = STR_INIT(200);
	str_addf(&agent, "stube/%s", stube_version);
	struct http_options http = {
		.user_agent = agent.data, .certs_dirs = o->certs_dirs, .unverified = o->insecure,
		.stall_timeout = o->stall_timeout,
	};
	return http_client_new(&http, &r->http);
}

err *registry_new(const struct registry_options *o, struct registry **ret)
{
	auto_registry struct registry *r = calloc(1, sizeof(*r));
	if (!r)
		return err_oom();
	pthread_mutex_init(&r->lock, NULL);
	r->insecure.max = 256;
	r->tries = o->tries ? o->tries : TRIES_DEFAULT;
	r->time_limit = o->time_limit ? o->time_limit : TIME_DEFAULT;
	r->cancel = o->cancel;
	r->notice = o->notice;
	r->notice_user = o->notice_user;
	if (!o->username != !o->password)
		return err_new(EINVAL, "a user name and a password belong together");
	TRY(copy_text(o->auth_file, &r->auth_file));
	TRY(copy_text(o->username, &r->username));
	TRY(copy_text(o->password, &r->password));
	for (const char *const *i = o->insecure; i && *i; i++)
		strv_add(&r->insecure, *i);
	TRY(strv_check(&r->insecure));
	TRY(open_http(o, r));
	*ret = TAKE(r);
	return NULL;
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	host_free_all(r->hosts);
	http_client_free(r->http);
	if (r->password)
		explicit_bzero(r->password, strlen(r->password));
	free(r->auth_file);
	free(r->username);
	free(r->password);
	strv_done(&r->insecure);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* ---- calls ---- */

err *call_open(struct registry *r, const struct reference *ref, const char *actions, struct call *ret)
{
	*ret = (struct call){ .r = r, .repository = ref->repository, .actions = actions };
	return host_open(r, ref->host, reference_server(ref), &ret->host);
}

void call_url(const struct call *c, struct str *out, const char *format, ...)
{
	char origin[ORIGIN_TEXT_MAX];
	va_list ap;
	str_addf(out, "%s/v2/%s%s", origin_text(&c->host->origin, origin), c->repository, *c->repository ? "/" : "");
	va_start(ap, format);
	str_addv(out, format, ap);
	va_end(ap);
}

/* ---- one request, authenticated ---- */

static err *learn_challenge(struct host *h, const struct http_response *response)
{
	auto_str struct str text = STR_INIT(HTTP_HEADER_BYTES);
	auto_challenge struct challenge c = { 0 };
	http_header_all(response, "www-authenticate", &text);
	TRY(str_check(&text));
	TRY(challenge_parse(text.data, text.len, &c));
	if (c.scheme == CHALLENGE_NONE)
		return err_new(EACCES, "the registry wants an authentication that is neither Basic nor Bearer: '%.100s'",
			       text.data);
	challenge_done(&h->challenge);
	h->challenge = c;
	c = (struct challenge){ 0 };
	return NULL;
}

static err *refused(const struct call *c, const char *method, const struct http_response *r, const char *why)
{
	err *e = status_error(method, r);
	if (why)
		return err_hint(e, "%s", why);
	auto_str struct str used = STR_INIT(8192);
	host_lock(c->host);
	if (c->host->credentials && !str_equal(c->host->credentials, "none"))
		str_add(&used, c->host->credentials);
	host_unlock(c->host);
	if (used.len)
		return err_hint(e, "Credentials used: %s.", used.data);
	return err_hint(e, "No credentials were found for '%s'; `stube login %s` keeps some.", c->host->name,
			c->host->name);
}

static err *send_once(const struct call *c, struct http_request *q, const struct str *header,
		      struct http_response *ret)
{
	q->authorization = header->len ? header->data : NULL;
	err *e = http_perform(c->r->http, q, ret);
	q->authorization = NULL;
	if (e)
		return e;
	atomic_store(&c->host->answered, true);
	host_lock(c->host);
	if (c->host->reach == REACH_UNKNOWN && !q->named)
		c->host->reach = ret->peer;
	host_unlock(c->host);
	return NULL;
}

/* The header for the next try, under the host's lock, so that many threads ask for one token once. It
 * stays empty when there is nothing else to try. */
static err *next_header(const struct call *c, const struct http_response *denied, const struct str *old,
			struct str *header)
{
	struct host *h = c->host;
	err *e = NULL;
	host_lock(h);
	if (denied)
		e = learn_challenge(h, denied);
	if (!e)
		e = token_header(c, false, denied ? h->challenge.scope : NULL, header);
	/* What is cached was just refused: ask for a new one. */
	if (!e && denied && old->len && str_equal(old->data, header->data)) {
		str_clear(header);
		e = token_header(c, true, h->challenge.scope, header);
		if (h->challenge.scheme == CHALLENGE_BASIC && str_equal(old->data, header->data))
			str_clear(header);
	}
	host_unlock(h);
	return e;
}

err *call_send(const struct call *c, struct http_request *q, struct http_response *ret)
{
	auto_url struct url url = { 0 };
	TRY(url_parse(q->url, &url));
	bool own = origin_equal(&url.origin, &c->host->origin);
	auto_str struct str header = STR_INIT(HTTP_HEADER_BYTES);
	q->cancel = c->r->cancel;
	if (!own) { /* a URL the registry gave; the gate decides, and nothing secret goes there */
		q->named = &c->host->origin;
		host_lock(c->host);
		q->named_reach = c->host->reach;
		host_unlock(c->host);
	} else {
		TRY(next_header(c, NULL, &header, &header));
	}
	for (int round = 0;; round++) {
		auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
		TRY(send_once(c, q, &header, &r));
		if (r.status != 401) {
			*ret = r;
			r = (struct http_response)HTTP_RESPONSE_INIT;
			return NULL;
		}
		if (!origin_equal(&r.url.origin, &c->host->origin))
			return refused(c, q->method, &r,
				       "The registry led to another server, which asks for credentials; those of "
				       "the registry are never sent there.");
		/* Round 0: what we sent without or with an old token; 1: with what the challenge asks for. */
		auto_str struct str next = STR_INIT(HTTP_HEADER_BYTES);
		if (round == 2)
			return refused(c, q->method, &r, NULL);
		TRY(next_header(c, &r, &header, &next));
		if (!next.len)
			return refused(c, q->method, &r, NULL);
		explicit_bzero(header.data, header.len);
		str_clear(&header);
		str_add(&header, next.data);
		explicit_bzero(next.data, next.len);
		TRY(str_check(&header));
	}
}

err *call_send_patiently(const struct call *c, struct http_request *q, struct http_response *ret)
{
	struct retry retry;
	retry_start(&retry, c);
	for (;;) {
		auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
		err *e = call_send(c, q, &r);
		if (e ? !http_error_is_transient(e) : !status_is_transient(r.status)) {
			if (!e) {
				*ret = r;
				r = (struct http_response)HTTP_RESPONSE_INIT;
			}
			return e;
		}
		TRY(retry_wait(&retry, e, q->method, &r));
	}
}

/* ---- login ---- */

err *registry_check_login(struct registry *r, const char *host)
{
	struct reference ref = { 0 };
	struct call c;
	if (!reference_is_host(host))
		return err_new(EINVAL, "'%s' is not a host or HOST:PORT", host);
	snprintf(ref.host, sizeof(ref.host), "%s", host);
	TRY(call_open(r, &ref, ACTIONS_PULL, &c));
	auto_str struct str url = STR_INIT(URL_MAX);
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	call_url(&c, &url, "%s", "");
	TRY(str_check(&url));
	struct http_request q = { .method = "GET", .url = url.data };
	TRY(err_wrap(call_send_patiently(&c, &q, &response), "registry '%s'", host));
	if (response.status != 200)
		return err_wrap(status_error(q.method, &response), "registry '%s'", host);
	return NULL;
}

err *registry_explain(struct registry *r, const struct reference *ref, struct str *out)
{
	struct call c;
	char origin[ORIGIN_TEXT_MAX];
	static const char *const schemes[] = { "none so far", "basic", "bearer" };
	TRY(call_open(r, ref, ACTIONS_PULL, &c));
	auto_auth struct auth a = { 0 };
	host_lock(c.host);
	err *e = credentials_find(r, c.host, ref->repository, &a);
	str_addf(out, "server: %s\n", origin_text(&c.host->origin, origin));
	str_addf(out, "credentials: %s\n", e ? "?" : c.host->credentials);
	str_addf(out, "authentication: %s\n", schemes[c.host->challenge.scheme]);
	if (c.host->challenge.realm)
		str_addf(out, "token server: %s\n", c.host->challenge.realm);
	host_unlock(c.host);
	TRY(e);
	return str_check(out);
}
