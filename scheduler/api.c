/* scheduler/api.c: requests to objects: the table of paths and verbs, and the answers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/lease.h"
#include "api/status.h"
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/api-internal.h"

/* ---- answers ---- */

/* Renewals are many and change nothing. */
static bool is_renewal(const struct call *c)
{
	return c->kind && c->kind->id == KIND_LEASE && str_equal(c->namespace, LEASE_NAMESPACE) &&
	       c->verb != VERB_DELETE;
}

/* Who changed what: one line for each write, refused ones too. */
static void audit(const struct call *c, int status, uint64_t revision)
{
	const struct peer *peer = request_peer(c->r);
	char code[16], text[24] = "", uid[16] = "", took[32];

	if (!c->kind || (c->verb & (VERB_GET | VERB_LIST | VERB_WATCH)) || (is_renewal(c) && status < 300))
		return;
	snprintf(code, sizeof(code), "%d", status);
	snprintf(took, sizeof(took), "%.6f", (double)(clock_boot() - c->begun) / (double)NSEC_PER_SEC);
	if (revision)
		snprintf(text, sizeof(text), "%" PRIu64, revision);
	if (peer->kind == PEER_UNIX)
		snprintf(uid, sizeof(uid), "%u", (unsigned)peer->uid);
	log_info("audit", "who", c->who.name, "uid", uid[0] ? uid : NULL, "from", peer->address, "verb",
		 verb_name(c->verb), "resource", c->reported, "namespace", c->namespace, "name", c->name,
		 "code", code, "resourceVersion", text[0] ? text : NULL, "dryRun", c->dry_run ? "All" : NULL,
		 "seconds", took, NULL);
}

static void call_over(struct call *c, int status, uint64_t revision)
{
	audit(c, status, revision);
	if (c->s->metrics)
		metrics_request(c->s->metrics, c->verb ? verb_name(c->verb) : "get", c->reported, status,
				clock_boot() - c->begun);
}

static void call_free(struct call *c)
{
	arena_free(c->arena);
	free(c);
}

void call_answer(struct call *c, int status, const char *content_type, const struct str *body,
		 uint64_t revision)
{
	auto_str struct str location = STR_INIT(80 << 10);
	const char *headers[2] = { NULL, NULL };
	auto_err err *e = str_check(body);

	if (e) {
		call_answer_error(c, e);
		return;
	}
	call_over(c, status, revision);
	if (status == 307) {
		str_addf(&location, "Location: %s", (const char *)c->extra);
		headers[0] = location.data;
	}
	request_answer(c->r, status, content_type, body->data, body->len, headers);
	call_free(c);
}

void call_answer_entry(struct call *c, int status, const struct entry *e)
{
	/* The name may have been made up here. */
	if (!c->name)
		c->name = e->object->metadata.name;
	call_over(c, status, e->revision);
	request_answer_blob(c->r, status, API_JSON, blob_ref(e->json));
	call_free(c);
}

void call_answer_error(struct call *c, const err *e)
{
	auto_str struct str body = STR_INIT(256 << 10);
	static const char *const later[] = { "Retry-After: 1", NULL };
	int status = status_code(e->code);

	if (status == 500)
		log_err(e);
	status_encode_err(&body, e, c->kind ? c->kind->plural : NULL, c->name);
	call_over(c, status, 0);
	request_answer(c->r, status, API_JSON, body.data, body.len,
		       status == 503 || status == 429 ? later : NULL);
	call_free(c);
}

void call_answer_success(struct call *c, int status, const char *uid)
{
	auto_str struct str body = STR_INIT(16 << 10);

	status_encode_success(&body, c->kind->plural, c->name, uid);
	call_answer(c, status, API_JSON, &body, 0);
}

struct stream *call_stream(struct call *c, const char *content_type, size_t max_queued, loop_fn *closed,
			   void *user)
{
	struct stream *stream;

	call_over(c, 200, 0);
	stream = request_stream(c->r, 200, content_type, max_queued, closed, user);
	call_free(c);
	return stream;
}

void api_refusal(int status, const char *why, struct str *out, const char **content_type)
{
	auto_err err *e = err_new(status_errno(status, NULL), "%s", why);

	*content_type = API_JSON;
	status_encode_err(out, e, NULL, NULL);
}

/* ---- query parameters ---- */

err *call_number(const struct call *c, const char *name, uint64_t max, uint64_t *ret, bool *ret_given)
{
	const char *text = request_query(c->r, name);

	*ret_given = text && *text;
	*ret = 0;
	if (*ret_given && (!str_to_u64(text, ret) || *ret > max))
		return err_new(EBADMSG, "%s: '%s' is not a number of 0 to %" PRIu64, name, text, max);
	return NULL;
}

err *call_flag(const struct call *c, const char *name, bool *ret)
{
	const char *text = request_query(c->r, name);

	*ret = text && (str_equal(text, "true") || str_equal(text, "1") || !*text);
	if (text && !*ret && !str_equal(text, "false") && !str_equal(text, "0"))
		return err_new(EBADMSG, "%s: '%s' is not one of true, false", name, text);
	return NULL;
}

/* Understood by name; what else is sent is not for us, as Kubernetes has it. */
static err *read_query(struct call *c)
{
	const char *dry = request_query(c->r, "dryRun");
	err *e;

	if (dry && *dry && !str_equal(dry, "All"))
		return err_new(EBADMSG, "dryRun: '%s' is not 'All'", dry);
	c->dry_run = dry && *dry;
	e = label_selector_parse(c->arena, request_query(c->r, "labelSelector"), &c->labels);
	if (e)
		return err_wrap(err_with_code(e, EBADMSG), "labelSelector");
	if (!c->name) {
		e = field_selector_parse(c->arena, c->kind, request_query(c->r, "fieldSelector"), &c->fields);
		if (e)
			return err_wrap(err_with_code(e, EBADMSG), "fieldSelector");
	}
	c->access.fields = c->fields;
	return NULL;
}

/* ---- routes ---- */

/* clang-format off */
struct route {
	const char *method;
	bool named;               /* the path names one object */
	const char *subresource;  /* NULL: the object */
	enum verb verb;
	call_handler *handler;
	bool (*has)(const struct kind *kind); /* NULL: all kinds */
};
static bool has_status(const struct kind *k) { return k->status; }
static bool has_scale(const struct kind *k) { return k->scale; }
static bool is_pod(const struct kind *k) { return k->id == KIND_POD; }

static const struct route routes[] = {
	/* method    named  sub         verb             handler          kinds */
	{ "GET",     false, NULL,       VERB_LIST,       call_list,       NULL },
	{ "POST",    false, NULL,       VERB_CREATE,     call_create,     NULL },
	{ "DELETE",  false, NULL,       VERB_DELETE_ALL, call_delete_all, NULL },
	{ "GET",     true,  NULL,       VERB_GET,        call_get,        NULL },
	{ "PUT",     true,  NULL,       VERB_UPDATE,     call_replace,    NULL },
	{ "PATCH",   true,  NULL,       VERB_PATCH,      call_patch,      NULL },
	{ "DELETE",  true,  NULL,       VERB_DELETE,     call_delete,     NULL },
	{ "GET",     true,  "status",   VERB_GET,        call_get,        has_status },
	{ "PUT",     true,  "status",   VERB_UPDATE,     call_replace,    has_status },
	{ "PATCH",   true,  "status",   VERB_PATCH,      call_patch,      has_status },
	{ "GET",     true,  "scale",    VERB_GET,        call_scale_get,  has_scale },
	{ "PUT",     true,  "scale",    VERB_UPDATE,     call_scale_put,  has_scale },
	{ "PATCH",   true,  "scale",    VERB_PATCH,      call_scale_patch, has_scale },
	{ "POST",    true,  "binding",  VERB_CREATE,     call_bind,       is_pod },
	{ "POST",    true,  "eviction", VERB_CREATE,     call_evict,      is_pod },
	{ "GET",     true,  "log",      VERB_GET,        call_log,        is_pod },
	{ "GET",     true,  "exec",     VERB_GET,        call_exec,       is_pod },
	{ "POST",    true,  "exec",     VERB_CREATE,     call_exec,       is_pod },
};
/* clang-format on */

/* NULL: *ret_known tells whether the path exists, with other methods. */
static const struct route *find_route(const struct call *c, const char *method, bool *ret_known)
{
	*ret_known = false;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		const struct route *r = &routes[i];

		if (r->named != (c->name != NULL) || !str_equal(r->subresource, c->subresource) ||
		    (r->has && !r->has(c->kind)))
			continue;
		*ret_known = true;
		if (str_equal(r->method, method))
			return r;
	}
	return NULL;
}

static err *describe(struct call *c, const struct route *route)
{
	bool watch;

	c->verb = route->verb;
	TRY(call_flag(c, "watch", &watch));
	if (watch && c->verb == VERB_LIST)
		c->verb = VERB_WATCH;
	c->reported = c->kind->plural;
	if (c->subresource)
		TRY_ALLOC(c->arena, c->reported,
			  arena_printf(c->arena, "%s/%s", c->kind->plural, route->subresource));
	TRY(read_query(c));
	c->access = (struct access){ c->verb, c->kind, c->namespace, c->name, c->subresource, c->fields };
	return auth_access(&c->who, c->s->cache, &c->access);
}

/* Names are checked before they become keys. */
static err *check_names(const struct call *c)
{
	if (c->namespace && !meta_is_label(c->namespace))
		return err_new(ENOENT, "namespaces '%s' not found", c->namespace);
	if (c->name && !meta_is_subdomain(c->name))
		return err_new(ENOENT, "%s '%s' not found", c->kind->plural, c->name);
	return NULL;
}

static err *handle_object(struct call *c, const char *method)
{
	bool known;
	const struct route *route = find_route(c, method, &known);

	/* Who is nobody learns nothing, not even what there is. */
	if (c->who.role == ROLE_ANONYMOUS)
		return err_new(EACCES, "a client certificate is needed");
	if (!route && known)
		return err_new(EOPNOTSUPP, "%s is not possible here", method);
	if (!route)
		return err_new(ENOENT, "there is nothing at '%s'", request_path(c->r));
	TRY(describe(c, route));
	TRY(check_names(c));
	c->success = 200;
	return c->verb == VERB_WATCH ? call_watch(c) : route->handler(c);
}

static err *handle_path(struct call *c, const char *method, const char *path)
{
	TRY(auth_path(&c->who, method, path));
	c->reported = "";
	if (discovery_answer(c, method, path))
		return NULL;
	return err_new(ENOENT, "there is nothing at '%s'", path);
}

static err *handle(struct call *c)
{
	const char *method = request_method(c->r), *path = request_path(c->r);
	identity_of(request_peer(c->r), geteuid(), &c->who);
	if (path_find(c, path))
		return handle_object(c, method);
	c->kind = NULL;
	c->name = c->namespace = c->subresource = NULL;
	return handle_path(c, method, path);
}

void api_handle(struct server_request *r, void *scheduler)
{
	struct call *c = calloc(1, sizeof(*c));
	auto_err err *e = NULL;

	if (!c)
		abort();
	c->s = scheduler;
	c->r = r;
	c->begun = request_begun(r);
	c->reported = "";
	e = arena_new(API_ARENA_MAX, &c->arena);
	if (!e)
		e = handle(c);
	if (e)
		call_answer_error(c, e);
}
