/* net/http.c: the HTTP client: its pool of handles, redirects and the gate they pass. */
#include "net/http.h"

#include <string.h>

#include "base/clock.h"
#include "net/http-internal.h"

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static CURLcode library_state;

static void library_start(void)
{
	library_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void share_lock(CURL *easy UNUSED, curl_lock_data data, curl_lock_access access UNUSED, void *user)
{
	struct http_client *c = user;
	pthread_mutex_lock(&c->share_locks[data]);
}

static void share_unlock(CURL *easy UNUSED, curl_lock_data data, void *user)
{
	struct http_client *c = user;
	pthread_mutex_unlock(&c->share_locks[data]);
}

/* Connections are not shared between handles: libcurl cannot do that from several threads. */
static err *share_open(struct http_client *c)
{
	c->share = curl_share_init();
	if (!c->share)
		return err_oom();
	curl_share_setopt(c->share, CURLSHOPT_LOCKFUNC, share_lock);
	curl_share_setopt(c->share, CURLSHOPT_UNLOCKFUNC, share_unlock);
	curl_share_setopt(c->share, CURLSHOPT_USERDATA, c);
	if (curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) ||
	    curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION))
		return err_new(ENOTSUP, "this libcurl cannot share names and TLS sessions");
	return NULL;
}

static void add_all(struct strv *v, const char *const *items)
{
	for (; items && *items; items++)
		strv_add(v, *items);
}

static void usual_certs_dirs(struct strv *dirs)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	if (config && *config)
		strv_addf(dirs, "%s/containers/certs.d", config);
	else if (home && *home)
		strv_addf(dirs, "%s/.config/containers/certs.d", home);
	strv_add(dirs, "/etc/containers/certs.d");
	strv_add(dirs, "/etc/docker/certs.d");
}

err *http_client_new(const struct http_options *options, struct http_client **ret)
{
	pthread_once(&library_once, library_start);
	if (library_state)
		return err_new(ENOTSUP, "libcurl does not start: %s", curl_easy_strerror(library_state));
	auto_http_client struct http_client *c = calloc(1, sizeof(*c));
	if (!c)
		return err_oom();
	pthread_mutex_init(&c->lock, NULL);
	for (size_t i = 0; i < ARRAY_LEN(c->share_locks); i++)
		pthread_mutex_init(&c->share_locks[i], NULL);
	c->certs_dirs.max = c->unverified.max = 256;
	c->own = options->own || options->ca || options->cert || options->key || options->unix_socket;
	c->ca = options->ca;
	c->cert = options->cert;
	c->key = options->key;
	if (!c->cert != !c->key)
		return err_new(EINVAL, c->cert ? "a certificate without its key" : "a key without its certificate");
	c->connect_timeout = options->connect_timeout ? options->connect_timeout : 20 * (int64_t)NSEC_PER_SEC;
	c->stall_timeout = options->stall_timeout ? options->stall_timeout : 30 * (int64_t)NSEC_PER_SEC;
	c->user_agent = strdup(options->user_agent);
	if (!c->user_agent)
		return err_oom();
	if (options->unix_socket && !(c->unix_socket = strdup(options->unix_socket)))
		return err_oom();
	if (c->own)
		;
	else if (options->certs_dirs)
		add_all(&c->certs_dirs, options->certs_dirs);
	else
		usual_certs_dirs(&c->certs_dirs);
	add_all(&c->unverified, options->unverified);
	TRY(strv_check(&c->certs_dirs));
	TRY(strv_check(&c->unverified));
	TRY(share_open(c));
	*ret = TAKE(c);
	return NULL;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->idle_count; i++)
		curl_easy_cleanup(c->idle[i]);
	if (c->share)
		curl_share_cleanup(c->share);
	pthread_mutex_destroy(&c->lock);
	for (size_t i = 0; i < ARRAY_LEN(c->share_locks); i++)
		pthread_mutex_destroy(&c->share_locks[i]);
	strv_done(&c->certs_dirs);
	strv_done(&c->unverified);
	free(c->user_agent);
	free(c->unix_socket);
	free(c);
}

/* The handle used last: its connections are the warmest. */
static CURL *pool_take(struct http_client *c)
{
	pthread_mutex_lock(&c->lock);
	CURL *easy = c->idle_count ? c->idle[--c->idle_count] : NULL;
	pthread_mutex_unlock(&c->lock);
	return easy ? easy : curl_easy_init();
}

static void pool_give(struct http_client *c, CURL *easy)
{
	pthread_mutex_lock(&c->lock);
	bool room = c->idle_count < HTTP_POOL_MAX;
	if (room)
		c->idle[c->idle_count++] = easy;
	pthread_mutex_unlock(&c->lock);
	if (!room)
		curl_easy_cleanup(easy);
}

/* ---- the gate ---- */

/* Whether a server at `named` may send this client to `to`. What a name leads to is checked again when
 * it is connected (net/http-hop.c); here the cheap part, before anything is resolved. */
static err *gate(const struct origin *named, enum reach named_reach, const struct url *to)
{
	char named_text[ORIGIN_TEXT_MAX], to_text[ORIGIN_TEXT_MAX];
	if (origin_equal(named, &to->origin))
		return NULL;
	origin_text(named, named_text);
	origin_text(&to->origin, to_text);
	if (named->tls && !to->origin.tls)
		return err_new(EPERM, "'%s' must not lead to '%s': it would leave TLS", named_text, to_text);
	enum reach reach = host_reach(to->origin.host);
	if (!reach_allows(named_reach, reach))
		return err_new(EPERM, "'%s' must not lead to the %s address of '%s'", named_text,
			       reach_name(reach), to_text);
	return NULL;
}

/* ---- redirects ---- */

static bool is_redirect(const struct http_response *r)
{
	switch (r->status) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		return http_header(r, "location") != NULL;
	}
	return false;
}

/* 301, 302 and 303 turn other methods than these two into GET, which no registry means. */
static bool may_follow(const struct http_request *q, int status)
{
	return str_equal(q->method, "GET") || str_equal(q->method, "HEAD") || status == 307 || status == 308;
}

struct chain {
	struct url url;        /* of the present hop */
	struct origin named;   /* what the user wrote */
	enum reach reach;      /* and how far its address reaches */
	bool gated;            /* the present URL came from a server */
	bool authorize;        /* `authorization` may still be sent */
	unsigned hops;
};

static err *follow(struct chain *c, const struct http_request *q, const struct http_response *r)
{
	auto_url struct url next = { 0 };
	if (!may_follow(q, r->status))
		return err_new(EPROTO, "answered with a redirect (%d), which this method does not follow",
			       r->status);
	if (++c->hops > HTTP_REDIRECTS_MAX)
		return err_new(ELOOP, "more than %d redirects", HTTP_REDIRECTS_MAX);
	TRY(err_wrap(url_resolve(&c->url, http_header(r, "location"), &next), "redirect"));
	if (c->url.origin.tls && !next.origin.tls)
		TRY(err_wrap(gate(&c->url.origin, c->reach, &next), "redirect"));
	TRY(err_wrap(gate(&c->named, c->reach, &next), "redirect"));
	if (!origin_equal(&c->url.origin, &next.origin))
		c->authorize = false; /* for good: a chain that comes back here proves nothing */
	c->gated = !origin_equal(&c->named, &next.origin);
	url_done(&c->url);
	c->url = next;
	next = (struct url){ 0 };
	return NULL;
}

static err *walk(struct http_client *c, CURL *easy, const struct http_request *q, struct chain *chain,
		 struct http_response *r)
{
	for (;;) {
		struct hop hop = {
			.client = c, .request = q, .url = &chain->url, .authorize = chain->authorize,
			.gated = chain->gated, .from = chain->reach, .response = r,
		};
		TRY(http_hop(easy, &hop));
		if (!chain->hops && !q->named)
			chain->reach = r->peer;
		if (!is_redirect(r))
			break;
		if (c->own)
			return err_new(EPERM, "answered with a redirect (%d), which a server of the cluster must not", r->status);
		TRY(follow(chain, q, r));
		enum reach first_peer = r->peer;
		http_response_done(r);
		r->peer = first_peer;
		r->redirected = true;
	}
	r->authorized = chain->authorize && q->authorization;
	r->url = chain->url;
	chain->url = (struct url){ 0 };
	return NULL;
}

static err *perform(struct http_client *c, const struct http_request *q, struct http_response *ret)
{
	struct chain chain = { .authorize = true };
	auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
	TRY(url_parse(q->url, &chain.url));
	chain.named = q->named ? *q->named : chain.url.origin;
	chain.reach = q->named ? q->named_reach : REACH_UNKNOWN;
	chain.gated = !origin_equal(&chain.named, &chain.url.origin);
	err *e = gate(&chain.named, chain.reach, &chain.url);
	CURL *easy = e ? NULL : pool_take(c);
	if (!e && !easy)
		e = err_oom();
	if (!e)
		e = walk(c, easy, q, &chain, &r);
	if (easy)
		pool_give(c, easy);
	url_done(&chain.url);
	if (e)
		return e;
	*ret = r;
	r = (struct http_response)HTTP_RESPONSE_INIT;
	return NULL;
}

err *http_perform(struct http_client *c, const struct http_request *q, struct http_response *ret)
{
	err *e = perform(c, q, ret);
	if (!e)
		return NULL;
	auto_str struct str shown = STR_INIT(URL_MAX * 2);
	url_public(q->url ? q->url : "", &shown);
	return err_wrap(e, "%s '%s'", q->method, shown.data);
}

bool http_error_is_transient(const err *e)
{
	switch (e->code) {
	case ECONNREFUSED:
	case ECONNRESET:
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EPIPE:
		return true;
	}
	return false;
}

/* ---- responses ---- */

const char *http_header(const struct http_response *r, const char *name)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (!strcmp(r->headers[i].name, name))
			return r->headers[i].value;
	return NULL;
}

void http_header_all(const struct http_response *r, const char *name, struct str *out)
{
	const char *separator = "";
	for (size_t i = 0; i < r->header_count; i++)
		if (!strcmp(r->headers[i].name, name)) {
			str_addf(out, "%s%s", separator, r->headers[i].value);
			separator = ", ";
		}
}

void http_response_done(struct http_response *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->header_count; i++) {
		free(r->headers[i].name);
		free(r->headers[i].value);
	}
	free(r->headers);
	url_done(&r->url);
	str_done(&r->error_body);
	*r = (struct http_response)HTTP_RESPONSE_INIT;
}

err *http_sink_str(const void *bytes, size_t len, void *user)
{
	struct str *s = user;
	str_add_bytes(s, bytes, len);
	return str_check(s);
}
