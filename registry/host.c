/* registry/host.c: the servers that were met: one object each, reached by https or, where that is allowed, http. */
#include <stdio.h>

#include "registry/client-internal.h"

/* Ask /v2/ without credentials. */
static err *probe(struct registry *r, struct host *h, const char *scheme, struct http_response *ret)
{
	auto_str struct str url = STR_INIT(URL_MAX);
	str_addf(&url, "%s://%s/v2/", scheme, h->server);
	TRY(str_check(&url));
	struct http_request q = { .method = "GET", .url = url.data, .cancel = r->cancel };
	err *e = http_perform(r->http, &q, ret);
	if (!e)
		atomic_store(&h->answered, true);
	return e;
}

static err *set_origin(struct host *h, const char *scheme)
{
	auto_str struct str text = STR_INIT(URL_MAX);
	auto_url struct url url = { 0 };
	str_addf(&text, "%s://%s/", scheme, h->server);
	TRY(str_check(&text));
	TRY(url_parse(text.data, &url));
	h->origin = url.origin;
	h->known = true;
	return NULL;
}

/* On this machine plain http is usual, and nobody can listen in between. A TLS server answers it with
 * 400 or cuts the connection. Asking this way round never leaves a plain server waiting for the rest of
 * what looks to it like an endless line. */
static err *decide_loopback(struct registry *r, struct host *h)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_err err *e = probe(r, h, "http", &response);
	if (e && e->code != EPROTO && e->code != ECONNRESET)
		return TAKE(e);
	return set_origin(h, !e && response.status != 400 ? "http" : "https");
}

/* The user allows plain http; TLS is still better where the server has it. */
static err *decide_insecure(struct registry *r, struct host *h)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_err err *e = probe(r, h, "https", &response);
	if (e && e->code != EPROTO && e->code != ECONNRESET && e->code != ECONNREFUSED)
		return TAKE(e);
	return set_origin(h, e ? "http" : "https");
}

static err *decide_scheme(struct registry *r, struct host *h)
{
	struct call c = { .r = r, .host = h, .repository = "" };
	struct retry retry;
	TRY(set_origin(h, "https"));
	h->known = false;
	bool insecure = strv_contains(&r->insecure, h->name) || strv_contains(&r->insecure, "*");
	bool loopback = host_reach(h->origin.host) == REACH_LOOPBACK;
	if (!insecure && !loopback) {
		h->known = true;
		return NULL;
	}
	retry_start(&retry, &c);
	for (;;) {
		err *e = loopback ? decide_loopback(r, h) : decide_insecure(r, h);
		if (!e || !http_error_is_transient(e))
			return e;
		TRY(retry_wait(&retry, e, "GET", NULL));
	}
}

static struct host *host_find(struct registry *r, const char *name, const char *server)
{
	for (struct host *h = r->hosts; h; h = h->next)
		if (str_equal(h->name, name))
			return h;
	struct host *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	pthread_mutex_init(&h->lock, NULL);
	snprintf(h->name, sizeof(h->name), "%s", name);
	snprintf(h->server, sizeof(h->server), "%s", server);
	h->next = r->hosts;
	r->hosts = h;
	return h;
}

err *host_open(struct registry *r, const char *name, const char *server, struct host **ret)
{
	err *e = NULL;
	pthread_mutex_lock(&r->lock);
	struct host *h = host_find(r, name, server);
	pthread_mutex_unlock(&r->lock);
	if (!h)
		return err_oom();
	host_lock(h);
	if (!h->known)
		e = decide_scheme(r, h);
	host_unlock(h);
	if (e)
		return err_wrap(e, "registry '%s'", name);
	*ret = h;
	return NULL;
}

void host_lock(struct host *h)
{
	pthread_mutex_lock(&h->lock);
}

void host_unlock(struct host *h)
{
	pthread_mutex_unlock(&h->lock);
}

static void host_free(struct host *h)
{
	token_free_all(h->tokens);
	challenge_done(&h->challenge);
	pthread_mutex_destroy(&h->lock);
	free(h->credentials);
	free(h);
}

void host_free_all(struct host *h)
{
	while (h) {
		struct host *next = h->next;
		host_free(h);
		h = next;
	}
}
