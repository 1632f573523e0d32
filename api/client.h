/* api/client.h: the client of the object API: blocking calls for threads, watches that resume.
 * Every error has the errno of its Status (api/status.h) and names kind, object and server. */
#pragma once
#include <stdatomic.h>
#include "api/config.h"
#include "api/kinds.h"

struct api_client;
/* What config says is copied. Errors of addresses and files come with the first request. */
err *api_client_new(const struct api_config *config, const char *user_agent, struct api_client **ret) MUST_CHECK;
void api_client_free(struct api_client *c);
/* For threads that must not hang: a request that is no stream ends after so many ns (0: a minute), and with ECANCELED
 * within a second of *stop becoming true (NULL: never). Before the first request. */
void api_client_limit(struct api_client *c, int64_t timeout, const atomic_bool *stop);
DEFINE_CLEANUP(struct api_client *, api_client_free)
#define auto_api_client CLEANUP(api_client_free)

struct api_query {
	const char *labels, *fields;    /* selectors; NULL: all */
	const char *resource_version;   /* of a watch: events after it; NULL: from now */
	unsigned limit;                 /* a page's; 0: the client's own, api_list() reads all pages */
	int64_t timeout;                /* ns: the server ends a watch after so long (timeoutSeconds); 0: its own */
	bool dry_run;                   /* of writes: check and answer, store nothing */
};

/* namespace: NULL for kinds without one, and in lists and watches for all of them. */
err *api_get(struct api_client *c, struct arena *arena, const struct kind *kind, const char *namespace,
	     const char *name, struct object **ret) MUST_CHECK;

struct object_list {
	struct object **items;
	size_t count;
	const char *resource_version;
};
err *api_list(struct api_client *c, struct arena *arena, const struct kind *kind, const char *namespace,
	      const struct api_query *query, struct object_list *ret) MUST_CHECK;

/* ret may be NULL. The object's namespace (or the config's) decides the path. */
err *api_create(struct api_client *c, struct arena *arena, const struct object *object, bool dry_run,
		struct object **ret) MUST_CHECK;
/* Against its resource_version, where it has one: ESTALE when it has changed. subresource: NULL, "status". */
err *api_replace(struct api_client *c, struct arena *arena, const struct object *object, const char *subresource,
		 bool dry_run, struct object **ret) MUST_CHECK;
/* A JSON merge patch. */
err *api_patch(struct api_client *c, struct arena *arena, const struct kind *kind, const char *namespace,
	       const char *name, const char *subresource, const char *patch, struct object **ret) MUST_CHECK;

struct api_delete {
	int64_t grace;      /* seconds; -1: the object's own */
	const char *uid, *resource_version; /* preconditions; NULL: none */
	bool orphan;        /* leave what it owns */
};
/* how: NULL is as the object says. */
err *api_delete(struct api_client *c, const struct kind *kind, const char *namespace, const char *name,
		const struct api_delete *how) MUST_CHECK;

/* Any path below the server, for /metrics, explain, plan. body may be NULL. Answers that are not 2xx are errors. */
err *api_raw(struct api_client *c, const char *method, const char *path, const char *content_type, const char *body,
	     struct str *out) MUST_CHECK;

/* ---- watches ---- */

enum watch_type { WATCH_ADDED = 1, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK,
		  WATCH_SYNCED /* api_follow only: the list has been told whole */ };
struct watch_event {
	enum watch_type type;
	const struct object *object; /* NULL for BOOKMARK and SYNCED; lives until the callback returns */
	const json *tree;            /* the same as it came, for a strict look (object_decode_tree()) at what is to be run;
	                                NULL where `object` is */
	const char *resource_version;
};
/* An error ends the watch and is what the call returns. */
typedef err *watch_fn(const struct watch_event *event, void *user);

/* One watch until the server ends it (NULL), `cancel`, or a failure. EKEYEXPIRED: list again. */
err *api_watch(struct api_client *c, const struct kind *kind, const char *namespace, const struct api_query *query,
	       watch_fn *fn, void *user, const atomic_bool *cancel) MUST_CHECK;

/* List, tell all as ADDED, then SYNCED, then watch; after a break go on from the last revision, or list again and tell
 * the difference (ADDED, MODIFIED, DELETED), so that the callback always knows the whole. Waits between tries: 0.2 s
 * doubling to 10 s, with jitter. Returns ECANCELED, what fn gave, or an error that no retry will heal (EACCES, EPERM).
 * trouble: told of each break (borrowed error) and, with NULL, of each success after one; may be NULL.
 * A DELETED that was not seen, but found missing by a list, has name, namespace and uid only, and no tree. SYNCED comes
 * once. One key's object with another uid is told as DELETED and ADDED. query->resource_version is not looked at. */
typedef void watch_trouble_fn(const err *e, void *user);
err *api_follow(struct api_client *c, const struct kind *kind, const char *namespace, const struct api_query *query,
		watch_fn *fn, watch_trouble_fn *trouble, void *user, const atomic_bool *cancel) MUST_CHECK;

/* A GET of a plain path of a node's agent ("/metrics", "/pods"), found through the Node's status as the streams below. */
err *api_node_raw(struct api_client *c, const char *node, const char *path, struct str *out) MUST_CHECK;

/* ---- streams of an agent: logs and exec, found through the Pod's node ----
 * Without a client certificate only this machine's agent answers, by its socket (api_config.run_dir): EHOSTUNREACH with
 * a hint otherwise. EAGAIN: the Pod is on no node yet. An agent's own refusals keep their text. */

struct api_log_query {
	const char *container; /* NULL: the Pod's only one, else EINVAL names them */
	bool follow, timestamps, previous;
	int64_t tail;   /* lines; -1: all */
	int64_t since;  /* ns since the epoch; 0: all */
};
typedef err *api_bytes_fn(const void *bytes, size_t len, void *user);
err *api_log(struct api_client *c, const char *namespace, const char *pod, const struct api_log_query *query,
	     api_bytes_fn *fn, void *user, const atomic_bool *cancel) MUST_CHECK;

struct api_exec {
	const char *container; /* as above */
	const struct strings *command;
	bool stdin_open, tty;
};
/* Relay our stdin, stdout, stderr until the command ends; raw terminal meanwhile when tty. *ret_code: its status. */
err *api_exec(struct api_client *c, const char *namespace, const char *pod, const struct api_exec *exec, int *ret_code)
	MUST_CHECK;
