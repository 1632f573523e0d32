/* registry/client-internal.h: what the files of the registry client share; private to registry/. */
#pragma once
#include <pthread.h>
#include "net/http.h"
#include "registry/auth.h"
#include "registry/client.h"

#define ACTIONS_PULL   "pull"
#define ACTIONS_PUSH   "pull,push"
#define ACTIONS_DELETE "delete,pull,push"

/* An Authorization header that worked, or a token that was given. */
struct token {
	struct token *next;
	char *key;       /* scopes, or the repository with basic authentication */
	char *header;    /* wiped when freed */
	int64_t expires; /* clock_monotonic(); INT64_MAX: never */
};

/* One server and what was learned about it. */
struct host {
	struct host *next;
	char name[REFERENCE_HOST_MAX + 1];  /* as in the reference: credentials are looked up for it */
	char server[REFERENCE_HOST_MAX + 1];
	pthread_mutex_t lock;               /* of everything below; held while a token is fetched */
	bool known;                         /* scheme decided */
	struct origin origin;
	enum reach reach;
	atomic_bool answered;               /* some request got an answer: it is up */
	struct challenge challenge;
	struct token *tokens;
	char *credentials;                  /* where they came from, for explanations */
};

struct registry {
	struct http_client *http;
	char *auth_file, *username, *password;
	struct strv insecure;
	unsigned tries;
	int64_t time_limit;
	const atomic_bool *cancel;
	registry_notice_fn *notice;
	void *notice_user;
	pthread_mutex_t lock; /* of hosts; a host stays until the end */
	struct host *hosts;
};

/* One piece of work at one repository. */
struct call {
	struct registry *r;
	struct host *host;
	const char *repository;
	const char *actions;    /* of the scope */
	const char *mount_from; /* a second repository to pull from, or NULL */
};

/* ---- registry/host.c ---- */

/* Find or make a host; its scheme is decided at the first call. name: as in the reference; server: what
 * is connected to. It stays until registry_free(). */
err *host_open(struct registry *r, const char *name, const char *server, struct host **ret) MUST_CHECK;
void host_lock(struct host *h);
void host_unlock(struct host *h);
void host_free_all(struct host *hosts);

/* ---- registry/client.c ---- */

/* A call at a reference's repository. */
err *call_open(struct registry *r, const struct reference *ref, const char *actions, struct call *ret) MUST_CHECK;

/* "https://host:port/v2/REPOSITORY/..." into out. */
void call_url(const struct call *c, struct str *out, const char *format, ...) PRINTF(3, 4);

/* Send a request with the right authorization, which is added for the registry's own origin only.
 * Authenticates after a 401, once with what is known and once afresh. An answer of any other status is
 * success. */
err *call_send(const struct call *c, struct http_request *q, struct http_response *ret) MUST_CHECK;

/* The same, tried again after what may pass by itself. q->sink must be able to start again: q->begin is
 * called for each try. */
err *call_send_patiently(const struct call *c, struct http_request *q, struct http_response *ret) MUST_CHECK;

/* registry/token.c: the header for a call in `ret` (stays empty: none). `fresh` throws away what is
 * cached; `wider` (may be NULL) is a scope that the server asked for in addition. host->lock is held. */
err *token_header(const struct call *c, bool fresh, const char *wider, struct str *ret) MUST_CHECK;
void token_free_all(struct token *t);
/* Credentials of the user for a host; its source is remembered for explanations. */
err *credentials_find(const struct registry *r, struct host *h, const char *repository, struct auth *ret) MUST_CHECK;

/* ---- registry/retry.c ---- */

struct retry {
	const struct call *call;
	unsigned tried;
	int64_t since; /* clock_monotonic() of the last progress */
};
void retry_start(struct retry *t, const struct call *c);
/* Something was gained: counting starts anew. */
void retry_progress(struct retry *t);
/* After a failure (taken), or an answer (e NULL): wait, return NULL and try again, or return the error to
 * give up with. Only for failures that status_is_transient() or http_error_is_transient() name. */
err *retry_wait(struct retry *t, err *e, const char *method, const struct http_response *response) MUST_CHECK;
bool status_is_transient(int status);
/* Value of Retry-After in nanoseconds from `now_real`; 0 when absent or malformed. */
int64_t retry_after(const char *value, int64_t now_real);

/* ---- registry/status.c ---- */

/* What an answer that is not what we wanted means, in words, with the registry's own text. */
err *status_error(const char *method, const struct http_response *response) MUST_CHECK;
/* The registry's error text from a body: "CODE: message", bounded, one line; nothing when there is none. */
void status_text(const char *body, size_t len, struct str *out);
