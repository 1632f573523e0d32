/* registry/blob-put.c: blobs brought to a registry: asked for, mounted from elsewhere, or uploaded. */
#include <stdio.h>
#include <string.h>

#include "registry/client-internal.h"

#define CHUNK_TYPE "Content-Type: application/octet-stream"

/* A blob on its way. */
struct upload {
	const struct call *call;
	const struct blob_offer *offer;
	const char *digest;
	struct url location; /* of the upload session */
	uint64_t done;       /* bytes that earlier chunks brought */
};

static void upload_done(struct upload *u)
{
	url_done(&u->location);
}
DEFINE_CLEANUP_OF(struct upload, upload_done)

static void on_sent(uint64_t sent, void *user)
{
	const struct upload *u = user;
	if (u->offer->sent)
		u->offer->sent(u->done + sent, u->offer->user);
}

/* ---- is it there ---- */

static err *exists(const struct call *c, const char *digest, bool *ret)
{
	auto_str struct str url = STR_INIT(URL_MAX);
	auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
	call_url(c, &url, "blobs/%s", digest);
	TRY(str_check(&url));
	struct http_request q = { .method = "HEAD", .url = url.data };
	TRY(call_send_patiently(c, &q, &r));
	if (r.status != 200 && r.status != 404)
		return status_error(q.method, &r);
	*ret = r.status == 200;
	return NULL;
}

err *registry_blob_exists(struct registry *r, const struct reference *ref, const struct digest *digest,
			  bool *ret_exists)
{
	char text[DIGEST_TEXT_MAX];
	struct call c;
	TRY(call_open(r, ref, ACTIONS_PULL, &c));
	return err_wrap(exists(&c, digest_text(digest, text), ret_exists), "blob %s", text);
}

err *registry_blob_delete(struct registry *r, const struct reference *ref, const struct digest *digest)
{
	char text[DIGEST_TEXT_MAX];
	auto_str struct str url = STR_INIT(URL_MAX);
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct call c;
	TRY(call_open(r, ref, ACTIONS_DELETE, &c));
	call_url(&c, &url, "blobs/%s", digest_text(digest, text));
	TRY(str_check(&url));
	struct http_request q = { .method = "DELETE", .url = url.data };
	TRY(err_wrap(call_send_patiently(&c, &q, &response), "blob %s", text));
	return response.status / 100 == 2 ? NULL : err_wrap(status_error(q.method, &response), "blob %s", text);
}

/* ---- an upload session ---- */

static err *take_location(struct upload *u, const struct http_response *r)
{
	const char *location = http_header(r, "location");
	struct url next;
	if (!location)
		return err_new(EPROTO, "the registry gave no Location for the upload");
	TRY(err_wrap(url_resolve(&r->url, location, &next), "Location"));
	url_done(&u->location);
	u->location = next;
	return NULL;
}

/* Open a session; a registry that has the blob in mount_from may spare it. */
static err *begin(struct upload *u, const char *mount_from, bool *ret_mounted)
{
	auto_str struct str url = STR_INIT(URL_MAX);
	auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
	struct call c = *u->call;
	c.mount_from = mount_from;
	call_url(&c, &url, "blobs/uploads/");
	if (mount_from)
		str_addf(&url, "?mount=%s&from=%s", u->digest, mount_from);
	TRY(str_check(&url));
	struct http_request q = { .method = "POST", .url = url.data };
	TRY(call_send_patiently(&c, &q, &r));
	*ret_mounted = mount_from && r.status == 201;
	if (*ret_mounted)
		return NULL;
	if (r.status != 202)
		return status_error(q.method, &r);
	u->done = 0;
	return take_location(u, &r);
}

/* PUT LOCATION?digest=... with the bytes from `done` on; an answer other than 201 is an error. */
static err *finish(struct upload *u, struct http_response *r)
{
	const struct blob_offer *o = u->offer;
	auto_str struct str url = STR_INIT(URL_MAX + 256);
	static const char *const headers[] = { CHUNK_TYPE, NULL };
	str_add(&url, u->location.text);
	str_addf(&url, "%cdigest=%s", strchr(url.data, '?') ? '&' : '?', u->digest);
	TRY(str_check(&url));
	uint64_t length = o->size - u->done;
	struct http_request q = {
		.method = "PUT", .url = url.data, .headers = length ? headers : NULL,
		.body = { .bytes = o->bytes ? (const char *)o->bytes + u->done : NULL, .fd = o->fd,
			  .offset = o->offset + u->done, .length = length },
		.sent = on_sent, .user = u,
	};
	return call_send(u->call, &q, r);
}

/* ---- in chunks ---- */

static err *patch(struct upload *u, struct http_response *r)
{
	const struct blob_offer *o = u->offer;
	uint64_t length = MIN(o->chunk, o->size - u->done);
	char range[80];
	snprintf(range, sizeof(range), "Content-Range: %llu-%llu", (unsigned long long)u->done,
		 (unsigned long long)(u->done + length - 1));
	const char *const headers[] = { CHUNK_TYPE, range, NULL };
	struct http_request q = {
		.method = "PATCH", .url = u->location.text, .headers = headers,
		.body = { .bytes = o->bytes ? (const char *)o->bytes + u->done : NULL, .fd = o->fd,
			  .offset = o->offset + u->done, .length = length },
		.sent = on_sent, .user = u,
	};
	TRY(call_send(u->call, &q, r));
	if (r->status / 100 != 2)
		return NULL;
	TRY(take_location(u, r));
	u->done += length;
	return NULL;
}

/* After a break, or 416: ask how much has arrived. */
static err *ask_progress(struct upload *u)
{
	auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
	unsigned long long first, last;
	struct http_request q = { .method = "GET", .url = u->location.text };
	TRY(call_send_patiently(u->call, &q, &r));
	if (r.status / 100 != 2)
		return status_error(q.method, &r);
	const char *range = http_header(&r, "range");
	u->done = 0;
	if (range && sscanf(range, "%20llu-%20llu", &first, &last) == 2 && first == 0 && last > 0)
		u->done = last + 1;
	if (u->done > u->offer->size)
		return err_new(EPROTO, "the registry has %llu bytes of %llu", (unsigned long long)u->done,
			       (unsigned long long)u->offer->size);
	return http_header(&r, "location") ? take_location(u, &r) : NULL;
}

static err *send_chunks(struct upload *u)
{
	struct retry retry;
	retry_start(&retry, u->call);
	while (u->done < u->offer->size) {
		auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
		uint64_t before = u->done;
		err *e = patch(u, &r);
		if (!e && r.status / 100 == 2) {
			retry_progress(&retry);
			continue;
		}
		bool moved = !e && r.status == 416;
		if (!moved && (e ? !http_error_is_transient(e) : !status_is_transient(r.status)))
			return e ? e : status_error("PATCH", &r);
		TRY(retry_wait(&retry, e, "PATCH", &r));
		TRY(ask_progress(u));
		if (u->done > before)
			retry_progress(&retry);
	}
	return NULL;
}

/* ---- all of it ---- */

static err *expect_created(struct upload *u, const struct http_response *r)
{
	const char *claim = http_header(r, "docker-content-digest");
	if (r->status != 201 && r->status != 204)
		return status_error("PUT", r);
	if (claim && !str_equal(claim, u->digest))
		return err_new(EBADMSG, "the registry keeps it as '%.150s'", claim);
	return NULL;
}

/* A session that broke is left behind (the registry clears it away) and a new one begun: no registry
 * promises more for a single PUT. */
static err *send_all(struct upload *u)
{
	struct retry retry;
	retry_start(&retry, u->call);
	for (;;) {
		auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
		if (u->offer->chunk)
			TRY(send_chunks(u));
		err *e = finish(u, &r);
		if (e ? !http_error_is_transient(e) : !status_is_transient(r.status))
			return e ? e : expect_created(u, &r);
		TRY(retry_wait(&retry, e, "PUT", &r));
		bool mounted;
		TRY(begin(u, NULL, &mounted));
	}
}

static err *put(struct upload *u, enum blob_put_result *ret_result)
{
	bool there = false, mounted = false;
	TRY(exists(u->call, u->digest, &there));
	*ret_result = BLOB_EXISTED;
	if (there)
		return NULL;
	TRY(begin(u, u->offer->mount_from, &mounted));
	*ret_result = BLOB_MOUNTED;
	if (mounted)
		return NULL;
	*ret_result = BLOB_UPLOADED;
	return send_all(u);
}

err *registry_blob_put(struct registry *r, const struct reference *ref, const struct blob_offer *offer,
		       enum blob_put_result *ret_result)
{
	char digest[DIGEST_TEXT_MAX];
	struct call c;
	TRY(call_open(r, ref, ACTIONS_PUSH, &c));
	CLEANUP(upload_done) struct upload u = { .call = &c, .offer = offer, .digest = digest };
	digest_text(&offer->digest, digest);
	return err_wrap(put(&u, ret_result), "blob %s", digest);
}
