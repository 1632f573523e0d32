/* net/http-internal.h: what the files of the HTTP client share; private to net/. */
#pragma once
#include <pthread.h>
#include <curl/curl.h>
#include "base/str.h"
#include "base/strv.h"
#include "net/http.h"

#define HTTP_POOL_MAX 16 /* idle handles that keep their connections */

struct http_client {
	char *user_agent;
	struct strv certs_dirs, unverified;
	int64_t connect_timeout, stall_timeout;
	bool own; /* one cluster's servers: `ca` to unix_socket of struct http_options */
	const char *ca, *cert, *key;
	char *unix_socket;
	CURLSH *share; /* names and TLS sessions */
	pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
	pthread_mutex_t lock; /* of idle */
	CURL *idle[HTTP_POOL_MAX];
	size_t idle_count;
};

/* One request to one URL: no redirect is followed here. */
struct hop {
	struct http_client *client;
	const struct http_request *request;
	const struct url *url;
	bool authorize; /* send request->authorization */
	bool gated;     /* the URL came from a server: the address must be one that `from` may lead to */
	enum reach from;
	struct http_response *response; /* filled */
};
err *http_hop(CURL *easy, const struct hop *hop) MUST_CHECK;

/* The options that say who is trusted, who we are and by what socket, for an origin with TLS or without. */
err *http_identify(const struct http_client *c, CURL *easy) MUST_CHECK;

/* What libcurl says, in our words. message: of CURLOPT_ERRORBUFFER. */
err *http_transfer_error(CURL *easy, CURLcode code, const char *message) MUST_CHECK;

/* The proxy for an origin from the environment; `out` stays empty for none. */
void proxy_for(const struct origin *origin, struct str *out);

/* TLS files for an origin in the directories of certs.d: certificates that are trusted in addition
 * (PEM, concatenated into `ca`) and the client's own. */
struct certs {
	struct str ca;
	char *cert, *key; /* paths; both or none */
	char *dir;        /* where they were found, or NULL */
};
#define CERTS_INIT { .ca = STR_INIT(1u << 20) }
err *certs_find(const struct strv *dirs, const struct origin *origin, struct certs *ret) MUST_CHECK;
void certs_done(struct certs *c);
DEFINE_CLEANUP_OF(struct certs, certs_done)
#define auto_certs CLEANUP(certs_done)
