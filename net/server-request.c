/* net/server-request.c: a request from its first line to its answer. */
#include "net/server-internal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* What a refused request may still send before it is cut, and all bodies together, in bodies. */
#define DROPPED_MAX (4u << 20)
#define BODIES_MAX  64
/* A whole answer must go out at this rate at least, after request_timeout. */
#define BYTES_A_SEC (16 * 1024)

static void request_free(struct server_request *r)
{
	if (!r)
		return;
	if (r->connection) {
		r->connection->server->body_bytes -= r->body.cap;
		r->connection->request = NULL;
	}
	if (r->response)
		MHD_destroy_response(r->response);
	str_done(&r->body);
	free(r->queries);
	free(r->target);
	free(r);
}

/* ---- arriving ---- */

/* The first line has come: the request gets its own time. */
void *request_log_uri(void *user, const char *target, struct MHD_Connection *mhd)
{
	struct server *s = user;
	struct connection *c = connection_of(mhd);
	struct server_request *r = c && !c->request ? calloc(1, sizeof(*r)) : NULL;

	if (!r)
		return NULL;
	r->connection = c;
	r->loop = s->loop;
	str_init(&r->body, s->max_body);
	r->bad = target_parse(r, target);
	c->request = r;
	connection_deadline(c, PHASE_ARRIVING, clock_boot() + s->request_timeout);
	return r;
}

/* After it, what comes is read and dropped, so that the answer is not lost. */
static enum MHD_Result refuse(struct server_request *r, int status, const char *why)
{
	if (!r->refused)
		connection_refuse(r->connection, status, why, !r->head);
	r->refused = true;
	return MHD_YES;
}

static enum MHD_Result head_arrived(struct server_request *r, const char *method)
{
	struct connection *c = r->connection;
	const char *declared =
		MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t length = 0;

	r->started = true;
	r->begun = clock_boot();
	r->head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	snprintf(r->method, sizeof(r->method), "%s", r->head ? MHD_HTTP_METHOD_GET : method);
	if (!connection_peer(c))
		return MHD_NO;
	if (r->bad)
		return refuse(r, 400, r->bad);
	if (strlen(method) >= sizeof(r->method))
		return refuse(r, 400, "unknown method");
	if (declared && (!str_to_u64(declared, &length) || length > c->server->max_body))
		return refuse(r, 413, "the request's body is too large");
	return MHD_YES;
}

static enum MHD_Result body_arrived(struct server_request *r, const char *bytes, size_t *len)
{
	struct server *s = r->connection->server;
	size_t had = r->body.cap, n = *len;

	*len = 0;
	if (r->refused) {
		r->dropped += n;
		return r->dropped > DROPPED_MAX ? MHD_NO : MHD_YES;
	}
	if (n > s->max_body - r->body.len)
		return refuse(r, 413, "the request's body is too large");
	if (s->body_bytes + n > BODIES_MAX * s->max_body)
		return refuse(r, 503, "too many large requests at once");
	str_add_bytes(&r->body, bytes, n);
	s->body_bytes += r->body.cap - had;
	return r->body.failed ? refuse(r, 503, "out of memory") : MHD_YES;
}

static enum MHD_Result send_answer(struct server_request *r)
{
	struct connection *c = r->connection;
	struct server *s = c->server;

	if (!r->response || r->gone)
		return MHD_NO;
	enum MHD_Result good = MHD_queue_response(c->mhd, (unsigned)r->status, r->response);
	MHD_destroy_response(r->response);
	r->response = NULL;
	if (!r->stream)
		connection_deadline(c, PHASE_SENDING,
				    clock_boot() + s->request_timeout +
					    (int64_t)(r->size * NSEC_PER_SEC / BYTES_A_SEC));
	return good;
}

static enum MHD_Result arrived(struct server_request *r)
{
	struct connection *c = r->connection;

	if (r->refused || c->server->closing)
		return MHD_NO;
	if (!r->handed) {
		r->handed = true;
		connection_deadline(c, PHASE_WORKING, 0);
		c->server->handler(r, c->server->user);
	}
	if (r->answered && !r->websocket)
		return send_answer(r);
	r->suspended = true;
	if (!r->websocket)
		connection_watch(c);
	MHD_suspend_connection(c->mhd);
	return MHD_YES;
}

enum MHD_Result request_access(void *user UNUSED, struct MHD_Connection *mhd UNUSED, const char *url UNUSED,
			       const char *method, const char *version UNUSED, const char *bytes, size_t *len,
			       void **context)
{
	struct server_request *r = *context;

	if (!r)
		return MHD_NO;
	if (!r->started)
		return head_arrived(r, method);
	if (*len)
		return body_arrived(r, bytes, len);
	return arrived(r);
}

/* ---- ends ---- */

void request_completed(void *user UNUSED, struct MHD_Connection *mhd UNUSED, void **context,
		       enum MHD_RequestTerminationCode code UNUSED)
{
	struct server_request *r = *context;

	*context = NULL;
	if (!r)
		return;
	struct connection *c = r->connection;
	r->suspended = false;
	if (c) {
		connection_unwatch(c);
		connection_deadline(c, PHASE_ARRIVING, clock_boot() + c->server->request_timeout);
	}
	if (r->stream)
		stream_closed(r->stream);
	if (r->websocket)
		websocket_end(r->websocket);
	/* With the handler still: it must answer, and its answer frees the request. */
	if (r->handed && !r->answered) {
		if (c) {
			c->server->body_bytes -= r->body.cap;
			c->request = NULL;
		}
		r->connection = NULL;
		return;
	}
	request_free(r);
}

void request_resume(struct server_request *r)
{
	if (!r->suspended)
		return;
	r->suspended = false;
	MHD_resume_connection(r->connection->mhd);
	/* Without a thread of its own, libmicrohttpd does not wake itself. */
	loop_soon(r->connection->daemon->soon);
}

/* The client hung up. The handler's answer is awaited all the same: the request is his until then. */
void request_gone(struct server_request *r)
{
	loop_fn *fn = r->on_gone;

	r->gone = true;
	r->on_gone = NULL;
	if (r->stream)
		stream_gone(r->stream);
	else if (r->handed && !r->answered && fn)
		fn(r->on_gone_user);
}

/* The server goes: whatever waits must be let go before libmicrohttpd can stop. */
void request_orphan(struct server_request *r)
{
	r->gone = true;
	r->on_gone = NULL;
	if (r->stream)
		stream_gone(r->stream);
	request_resume(r);
}

void request_on_gone(struct server_request *r, loop_fn *fn, void *user)
{
	r->on_gone = fn;
	r->on_gone_user = user;
}

/* ---- what a handler asks ---- */

const char *request_method(const struct server_request *r)
{
	return r->method;
}

const char *request_header(const struct server_request *r, const char *name)
{
	return r->connection ? MHD_lookup_connection_value(r->connection->mhd, MHD_HEADER_KIND, name) : NULL;
}

const char *request_body(const struct server_request *r, size_t *ret_len)
{
	*ret_len = r->body.len;
	return r->body.data;
}

int64_t request_begun(const struct server_request *r)
{
	return r->begun;
}

/* ---- answers ---- */

void request_finish(struct server_request *r, int status, struct MHD_Response *response, size_t size)
{
	r->answered = true;
	r->on_gone = NULL;
	r->status = status;
	r->response = response;
	r->size = size;
	if (r->connection)
		request_resume(r);
	else
		request_free(r);
}

/* "Name: value" */
static void add_header(struct MHD_Response *response, const char *line)
{
	char name[128];
	const char *colon = strchr(line, ':');

	if (!colon || (size_t)(colon - line) >= sizeof(name))
		return;
	memcpy(name, line, (size_t)(colon - line));
	name[colon - line] = 0;
	MHD_add_response_header(response, name, colon + 1 + strspn(colon + 1, " "));
}

static void unref(void *blob)
{
	blob_unref(blob);
}

/* body: taken. */
static void answer(struct server_request *r, int status, const char *content_type, struct blob *body,
		   const char *const *headers)
{
	size_t len = body->len;
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback_cls(len, body->bytes, unref, body);

	if (!response) {
		blob_unref(body);
		request_finish(r, status, NULL, 0);
		return;
	}
	if (content_type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	for (; headers && *headers; headers++)
		add_header(response, *headers);
	request_finish(r, status, response, len);
}

void request_answer(struct server_request *r, int status, const char *content_type, const void *body,
		    size_t len, const char *const *headers)
{
	answer(r, status, content_type, blob_new(body, len), headers);
}

void request_answer_blob(struct server_request *r, int status, const char *content_type, struct blob *body)
{
	answer(r, status, content_type, body, NULL);
}
