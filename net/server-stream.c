/* net/server-stream.c: answers that go on, and the bytes that many of them share. */
#include "net/server-internal.h"

#include <string.h>

#include "base/clock.h"

/* ---- blobs ---- */

struct blob *blob_new(const void *bytes, size_t len)
{
	struct blob *b = malloc(sizeof(*b) + len + 1);

	if (!b)
		abort();
	b->refs = 1;
	b->len = len;
	if (len)
		memcpy(b->bytes, bytes, len);
	b->bytes[len] = 0;
	return b;
}

struct blob *blob_ref(struct blob *b)
{
	b->refs++;
	return b;
}

void blob_unref(struct blob *b)
{
	if (b && !--b->refs)
		free(b);
}

/* ---- streams ---- */

struct piece {
	struct piece *next;
	struct blob *blob;
};

struct stream {
	struct server_request *request; /* NULL: it has gone before the stream began */
	struct piece *first, **last;
	size_t offset; /* into the first */
	size_t queued, max_queued;
	bool ended; /* after the queue, in good order */
	bool dead;  /* at once */
	bool fed;   /* something was sent since the queue was last found empty */
	loop_fn *closed, *drained;
	void *closed_user, *drained_user;
};

static void drop_first(struct stream *s)
{
	struct piece *p = s->first;

	s->first = p->next;
	if (!s->first)
		s->last = &s->first;
	s->offset = 0;
	blob_unref(p->blob);
	free(p);
}

static void drop_all(struct stream *s)
{
	while (s->first)
		drop_first(s);
	s->queued = 0;
}

static size_t copy_out(struct stream *s, char *out, size_t max)
{
	size_t done = 0;

	while (s->first && done < max) {
		const struct blob *b = s->first->blob;
		size_t n = MIN(b->len - s->offset, max - done);

		memcpy(out + done, b->bytes + s->offset, n);
		done += n;
		s->offset += n;
		if (s->offset == b->len)
			drop_first(s);
	}
	s->queued -= done;
	return done;
}

static void tell_drained(struct stream *s)
{
	if (!s->fed)
		return;
	s->fed = false;
	if (s->drained)
		s->drained(s->drained_user);
}

/* libmicrohttpd asks for more, and may be answered 0 only when it is made to wait. */
static ssize_t read_stream(void *user, uint64_t at UNUSED, char *out, size_t max)
{
	struct stream *s = user;
	struct server_request *r = s->request;

	if (!s->dead && !s->first)
		tell_drained(s);
	if (s->dead || r->connection->server->closing)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (s->first)
		return (ssize_t)copy_out(s, out, max);
	if (s->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	r->suspended = true;
	MHD_suspend_connection(r->connection->mhd);
	return 0;
}

/* Ends as soon as libmicrohttpd turns; `closed` is called then, not here. */
static void kill_stream(struct stream *s)
{
	s->dead = true;
	drop_all(s);
	if (s->request && s->request->connection) {
		connection_cut(s->request->connection);
		request_resume(s->request);
	}
}

void stream_gone(struct stream *s)
{
	kill_stream(s);
}

void stream_closed(struct stream *s)
{
	drop_all(s);
	s->closed(s->closed_user);
	free(s);
}

static void close_later(void *user)
{
	stream_closed(user);
}

struct stream *request_stream(struct server_request *r, int status, const char *content_type,
			      size_t max_queued, loop_fn *closed, void *user)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct MHD_Response *response = NULL;

	if (!s)
		abort();
	*s = (struct stream){ .request = r, .max_queued = max_queued, .closed = closed, .closed_user = user };
	s->last = &s->first;
	s->dead = r->gone;
	if (!r->connection) {
		s->request = NULL;
		s->dead = true;
		loop_post(r->loop, close_later, s);
		request_finish(r, 0, NULL, 0);
		return s;
	}
	/* libmicrohttpd 0.9.75 would end a HEAD's chunks that never began. */
	response = r->head ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
			   : MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, read_stream, s, NULL);
	if (response && content_type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	r->stream = s;
	connection_watch(r->connection);
	request_finish(r, status, response, 0);
	return s;
}

bool stream_send(struct stream *s, struct blob *b)
{
	struct piece *p;

	if (s->dead || s->ended)
		return false;
	if (!b->len)
		return true;
	/* One that is too large alone may pass: it is shared, and the next must wait for it. */
	if (s->queued && s->queued + b->len > s->max_queued) {
		kill_stream(s);
		return false;
	}
	p = malloc(sizeof(*p));
	if (!p)
		abort();
	*p = (struct piece){ .blob = blob_ref(b) };
	*s->last = p;
	s->last = &p->next;
	s->queued += b->len;
	s->fed = true;
	request_resume(s->request);
	return true;
}

size_t stream_queued(const struct stream *s)
{
	return s->queued;
}

void stream_on_drained(struct stream *s, loop_fn *fn, void *user)
{
	s->drained = fn;
	s->drained_user = user;
}

void stream_end(struct stream *s)
{
	s->ended = true;
	if (!s->dead)
		request_resume(s->request);
}
