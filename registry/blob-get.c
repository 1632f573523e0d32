/* registry/blob-get.c: blobs streamed from a registry, hashed as they pass, continued where they broke. */
#include <stdio.h>
#include <string.h>

#include "registry/client-internal.h"

#define PROGRESS_MIN (64 * 1024) /* fewer bytes in one connection count as none */

/* A blob on its way. */
struct download {
	const struct blob_want *want;
	struct hasher *hasher;
	uint64_t have;      /* bytes of the blob that are hashed and given away */
	uint64_t skip;      /* of this answer, because the registry sent everything again */
	bool ours;          /* the failure is the sink's or a broken promise: no other try */
};

static err *broken_promise(struct download *d, err *e)
{
	d->ours = true;
	return e;
}

/* "bytes FIRST-LAST/SIZE" must be exactly what was asked for. */
static err *check_range(struct download *d, const char *range)
{
	unsigned long long first, last, size;
	int end = 0;
	if (!range)
		return broken_promise(d, err_new(EPROTO, "a part without Content-Range"));
	int n = sscanf(range, "bytes %20llu-%20llu/%n", &first, &last, &end);
	bool open_end = n == 2 && end && str_equal(range + end, "*");
	uint64_t total = 0;
	bool known = n == 2 && end && str_to_u64(range + end, &total);
	size = open_end ? d->want->size : total;
	if ((!open_end && !known) || first != d->have || last >= size || size != d->want->size)
		return broken_promise(d, err_new(EPROTO, "Content-Range '%.80s' where bytes %llu to the end of %llu "
						 "were asked for", range, (unsigned long long)d->have,
						 (unsigned long long)d->want->size));
	return NULL;
}

static err *begin(const struct http_response *r, void *user)
{
	struct download *d = user;
	uint64_t length;
	const char *text = http_header(r, "content-length");
	d->skip = 0;
	if (r->status == 206 && d->have)
		return check_range(d, http_header(r, "content-range"));
	if (r->status != 200)
		return broken_promise(d, err_new(EPROTO, "status %d where 200 was expected", r->status));
	d->skip = d->have;
	if (text && str_to_u64(text, &length) && length != d->want->size)
		return broken_promise(d, err_new(EPROTO, "has %llu bytes instead of %llu",
						 (unsigned long long)length, (unsigned long long)d->want->size));
	return NULL;
}

static err *sink(const void *bytes, size_t len, void *user)
{
	struct download *d = user;
	size_t again = (size_t)MIN((uint64_t)len, d->skip);
	d->skip -= again;
	bytes = (const char *)bytes + again;
	len -= again;
	if (!len)
		return NULL;
	if (len > d->want->size - d->have)
		return broken_promise(d, err_new(EPROTO, "has more than its %llu bytes",
						 (unsigned long long)d->want->size));
	err *e = hasher_add(d->hasher, bytes, len);
	if (!e)
		e = d->want->sink(bytes, len, d->want->user);
	if (e)
		return broken_promise(d, e);
	d->have += len;
	return NULL;
}

/* One request for what is missing. NULL: go on looking at d->have. */
static err *fetch(const struct call *c, struct download *d, const char *url, struct http_response *r)
{
	char range[64];
	const char *headers[] = { NULL, NULL };
	if (d->have) {
		snprintf(range, sizeof(range), "Range: bytes=%llu-", (unsigned long long)d->have);
		headers[0] = range;
	}
	struct http_request q = {
		.method = "GET", .url = url, .headers = headers, .max_body = UINT64_MAX, .begin = begin,
		.sink = sink, .user = d,
	};
	TRY(call_send(c, &q, r));
	if (r->status / 100 != 2)
		return NULL;
	if (d->have < d->want->size) /* the end of a body without length */
		return err_new(ECONNRESET, "GET '%s': the body ended after %llu of %llu bytes", url,
			       (unsigned long long)d->have, (unsigned long long)d->want->size);
	return NULL;
}

static err *fetch_all(const struct call *c, struct download *d, const char *url)
{
	struct retry retry;
	retry_start(&retry, c);
	while (d->have < d->want->size) {
		auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
		uint64_t before = d->have;
		err *e = fetch(c, d, url, &r);
		if (e && (d->ours || !http_error_is_transient(e)))
			return e;
		if (!e && r.status / 100 == 2)
			break;
		if (!e && !status_is_transient(r.status))
			return status_error("GET", &r);
		if (d->have - before >= PROGRESS_MIN)
			retry_progress(&retry);
		TRY(retry_wait(&retry, e, "GET", &r));
	}
	return NULL;
}

static err *get(const struct call *c, const struct blob_want *want, const char *digest)
{
	auto_hasher struct hasher *own = NULL;
	auto_str struct str url = STR_INIT(URL_MAX);
	struct download d = { .want = want, .hasher = want->hasher, .have = want->offset };
	if (want->offset > want->size || (want->offset && !want->hasher))
		return err_new(EINVAL, "begin at byte %llu of %llu", (unsigned long long)want->offset,
			       (unsigned long long)want->size);
	if (!d.hasher) {
		TRY(hasher_new(&own));
		TRY(hasher_expect(own, &want->digest, (int64_t)want->size));
		d.hasher = own;
	}
	call_url(c, &url, "blobs/%s", digest);
	TRY(str_check(&url));
	TRY(fetch_all(c, &d, url.data));
	return err_wrap(hasher_end(d.hasher, NULL), "GET '%s'", url.data);
}

err *registry_blob_get(struct registry *r, const struct reference *ref, const struct blob_want *want)
{
	char digest[DIGEST_TEXT_MAX];
	struct call c;
	TRY(call_open(r, ref, ACTIONS_PULL, &c));
	return err_wrap(get(&c, want, digest_text(&want->digest, digest)), "blob %s", digest);
}
