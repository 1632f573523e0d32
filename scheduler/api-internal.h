/* scheduler/api-internal.h: one request on its way through the API, and the files that it goes through. */
#pragma once
#include "api/selector.h"
#include "scheduler/auth.h"
#include "scheduler/objects.h"
#include "scheduler/scheduler.h"

#define API_JSON "application/json"
enum {
	API_BODY_MAX = 3 << 19, /* 1.5 MiB, as etcd's requests */
	API_ARENA_MAX = 64 << 20,
	API_PAGE_MAX = 1 << 30,	   /* bytes of one answer that is put together at once */
	API_WATCH_QUEUE = 4 << 20, /* a reader that is further behind is ended */
};

struct call {
	struct scheduler *s;
	struct server_request *r;
	struct arena *arena;
	struct identity who;
	struct access access;
	enum verb verb;
	bool dry_run;
	const char *reported; /* resource in metrics and audit: "pods", "pods/status" */
	struct label_selector const *labels;
	struct field_selector const *fields;
	int64_t begun;
	const struct kind *kind; /* as access */
	const char *namespace, *name, *subresource;
	int success; /* status of a write that is done */
	void *extra; /* of the handler */
};

/* ---- scheduler/api.c: answers; each ends the call ---- */
void call_answer(struct call *c, int status, const char *content_type, const struct str *body,
		 uint64_t revision);
void call_answer_entry(struct call *c, int status, const struct entry *e);
void call_answer_error(struct call *c, const err *e);
void call_answer_success(struct call *c, int status, const char *uid);
/* It becomes a stream: the call is over for the log and the figures. The identity's texts are gone
 * afterwards. */
struct stream *call_stream(struct call *c, const char *content_type, size_t max_queued, loop_fn *closed,
			   void *user);
/* Query parameters: EBADMSG names the one that is wrong. */
err *call_number(const struct call *c, const char *name, uint64_t max, uint64_t *ret,
		 bool *ret_given) MUST_CHECK;
err *call_flag(const struct call *c, const char *name, bool *ret) MUST_CHECK;
err *call_revision_match(const struct call *c) MUST_CHECK; /* scheduler/api-read.c */
/* A write that ends this call. */
struct write call_write(struct call *c);

/* An error: answered by the caller. None: answered, or will be. */
typedef err *call_handler(struct call *c);
call_handler call_get, call_list, call_watch, call_create, call_replace, call_patch, call_delete,
	call_delete_all, call_scale_get, call_scale_put, call_scale_patch, call_bind, call_evict, call_log,
	call_exec;

/* ---- scheduler/api-body.c: what clients send ---- */
/* The body as a tree: JSON or YAML by its content type; EPROTOTYPE, EBADMSG. *ret NULL: it is empty. */
err *body_tree(struct call *c, json **ret) MUST_CHECK;
err *body_object(struct call *c, struct object **ret) MUST_CHECK;
/* The patch's bytes, after its kind was looked at. */
err *body_patch(struct call *c, enum patch_kind *ret_as, const char **ret, size_t *ret_len) MUST_CHECK;
err *body_delete_options(struct call *c, struct delete_options *ret) MUST_CHECK;

/* ---- scheduler/api-discovery.c: paths that are no objects. False: there is no such path ---- */
bool discovery_answer(struct call *c, const char *method, const char *path);

/* ---- scheduler/api-report.c: `rest` is what follows the row's path ---- */
err *report_explain(struct call *c, const char *rest) MUST_CHECK;
err *report_drain(struct call *c, const char *rest) MUST_CHECK;
err *report_plan(struct call *c, const char *rest) MUST_CHECK;

/* ---- scheduler/watch.c ---- */
err *watches_begin(struct watches *w, struct call *c) MUST_CHECK;
size_t watches_count(const struct watches *w);

struct filter {
	const char *namespace; /* NULL: all */
	const struct label_selector *labels;
	const struct field_selector *fields;
	struct identity who;
};
bool filter_sees(const struct filter *f, const struct object *object);
/* The node of spec.nodeName=NODE, or NULL. */
const char *filter_node(const struct filter *f);
/* Those that it may see, and perhaps others; in order. */
void filter_each(const struct filter *f, const struct cache *c, const struct kind *kind, cache_each_fn *fn,
		 void *user);

/* ---- scheduler/api-path.c ---- */
/* Kind, namespace, name, subresource of a path; false: it is none of an object. */
bool path_find(struct call *c, const char *path);
/* Where the next page of a list begins: the first page's revision, and the last object that was told. */
struct place_in_list {
	uint64_t revision;
	const char *namespace, *name;
};
void token_write(const struct place_in_list *place, struct str *out);
err *token_read(struct arena *arena, const char *token, struct place_in_list *ret) MUST_CHECK;
