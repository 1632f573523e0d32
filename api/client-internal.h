/* api/client-internal.h: what the files of the API's client share: requests, answers, errors. */
#pragma once
#include "api/client.h"
#include "base/clock.h"
#include "net/http.h"

#define ANSWER_MAX     JSON_SIZE_MAX /* bytes of one answer; a list comes in pages that fit */
#define LIST_PAGE      500           /* objects; fewer where they are large */
#define SECOND         ((int64_t)NSEC_PER_SEC)
#define REQUEST_TIME   (60 * SECOND) /* of one request that is no watch */

struct api_client {
	struct http_client *http;
	char *base;      /* what paths are appended to: "https://10.0.0.1:6443", "http://localhost" */
	char *server;    /* as the configuration names it, for messages */
	char *namespace, *run_dir, *user_agent;
	char *ca, *cert, *key;
	bool local;      /* by a Unix socket */
	int64_t timeout; /* of requests that are no stream; 0: REQUEST_TIME */
	const atomic_bool *stop; /* ends them; NULL */
};

/* What a request is about, for its errors: "Deployment 'web' in namespace 'default'". */
struct subject {
	const struct kind *kind; /* NULL: a path */
	const char *namespace;   /* NULL: none, or all */
	const char *name;        /* NULL: a list; the path where there is no kind */
};

/* ---- URLs: appended to a string whose ceiling catches what is too long ---- */

/* The base and the path of a kind, of an object below it (name), and its subresource; each may be NULL from name on.
 * EINVAL for a name that is no part of a path. */
err *client_path(const struct api_client *c, const struct subject *s, const char *subresource, struct str *out) MUST_CHECK;
/* "?key=value" or "&key=value", escaped; nothing when value is NULL. */
void client_query(struct str *url, const char *key, const char *value);
void client_query_int(struct str *url, const char *key, int64_t value);
void client_escape(struct str *out, const char *text);

/* The namespace that a request goes to: given, the configuration's; NULL where the kind has none. */
const char *client_namespace(const struct api_client *c, const struct kind *kind, const char *namespace);

/* ---- requests ---- */

struct call {
	const char *method;
	const char *url;
	const char *content_type; /* of body; NULL: application/json */
	const char *body;         /* NULL: none */
	const char *accept;       /* NULL: application/json */
	struct subject subject;
	/* Streams only: */
	http_begin_fn *begin;
	http_sink_fn *sink;       /* NULL: the answer is collected in `out` */
	void *user;
	const atomic_bool *cancel;
	int64_t stall_timeout;    /* as struct http_request has it */
	bool endless;             /* no time limit for the whole */
};
/* The answer's body of a 2xx; any other is its Status as an error. out may be NULL where there is a sink. */
err *client_call(struct api_client *c, const struct call *call, struct str *out) MUST_CHECK;

/* The same answer as an object of the kind; ret may be NULL: only checked to be no error. */
err *client_call_object(struct api_client *c, struct arena *arena, const struct call *call, struct object **ret) MUST_CHECK;

/* Wrap what went wrong (taken) by subject and server. */
err *client_error(const struct api_client *c, const struct subject *s, err *e) MUST_CHECK;

/* The same error (taken) without its first words, the HTTP client's "GET 'https://...'". NULL stays NULL. */
err *client_without_url(err *e) MUST_CHECK;

/* ---- lists ---- */

/* Called for each page; `items` is the JSON array of it. */
typedef err *page_fn(const json *items, void *user);

/* All pages in turn, each in the arena that the caller gives, or (NULL) in one that ends with it.
 * ret_version: yours to free. */
err *client_pages(struct api_client *c, struct arena *arena, const struct kind *kind, const char *namespace,
		  const struct api_query *query, page_fn *fn, void *user, const atomic_bool *cancel, char **ret_version) MUST_CHECK;

/* A server's answer as JSON; an object in it. EBADMSG when it is not what was asked for. */
err *client_json(const struct api_client *c, const struct subject *s, struct arena *arena, const char *text, size_t len,
		 json **ret) MUST_CHECK;
err *client_object(const struct api_client *c, struct arena *arena, const struct kind *kind, const json *tree,
		   struct object **ret) MUST_CHECK;

/* ---- watches ---- */

/* api_watch(), which tells `begun` (may be NULL) that the server has agreed. */
typedef void watch_begun_fn(void *user);
err *client_watch(struct api_client *c, const struct kind *kind, const char *namespace, const struct api_query *query,
		  watch_fn *fn, watch_begun_fn *begun, void *user, const atomic_bool *cancel) MUST_CHECK;

/* ---- agents ---- */

/* The agent of a node, as a client like any: by TLS with the same certificates, or by this machine's socket. */
struct agent {
	struct api_client client; /* base, server and http are of the agent; the rest is borrowed */
	struct http_client *http; /* its own, when the caller's does not fit; NULL */
	char *base, *server;
};
void agent_done(struct agent *a);
DEFINE_CLEANUP_OF(struct agent, agent_done)
#define auto_agent CLEANUP(agent_done)

/* The node whose agent is meant; a Pod's container: the Pod is there, on a node, and has that container. ret_container:
 * in the arena. */
err *agent_of_node(struct api_client *c, struct arena *arena, const char *node, struct agent *ret) MUST_CHECK;
err *agent_of_pod(struct api_client *c, struct arena *arena, const struct subject *pod, const char *container,
		  struct agent *ret, const char **ret_container) MUST_CHECK;

/* BASE/WHAT/NAMESPACE/POD/CONTAINER */
void agent_path(const struct agent *a, const char *what, const struct subject *pod, const char *container, struct str *out);
