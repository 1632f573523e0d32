/* registry/manifest.c: manifests of a registry: got with their digest checked, put, deleted. */
#include <string.h>

#include "registry/client-internal.h"

static const char *const accept_headers[] = {
	"Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
	"application/vnd.docker.distribution.manifest.list.v2+json, "
	"application/vnd.docker.distribution.manifest.v2+json",
	NULL,
};

void registry_manifest_done(struct registry_manifest *m)
{
	if (!m)
		return;
	str_done(&m->text);
	free(m->media_type);
	m->media_type = NULL;
	m->digest = (struct digest){ 0 };
}

static err *restart(const struct http_response *response UNUSED, void *user)
{
	str_clear(user);
	return NULL;
}

static err *take_media_type(const struct http_response *r, struct registry_manifest *m)
{
	const char *type = http_header(r, "content-type");
	size_t len = type ? strcspn(type, "; \t") : 0;
	if (!len || len > 255)
		return err_new(EPROTO, "the answer has no Content-Type");
	m->media_type = strndup(type, len);
	return m->media_type ? NULL : err_oom();
}

/* What the header claims must be so; a registry that claims nothing is fine. */
static err *check_claim(const struct http_response *r, const struct registry_manifest *m)
{
	const char *claim = http_header(r, "docker-content-digest");
	struct digest claimed, real;
	if (!claim)
		return NULL;
	TRY(err_wrap(digest_parse(claim, &claimed), "Docker-Content-Digest"));
	TRY(digest_of(claimed.algorithm, m->text.data, m->text.len, &real));
	if (digest_equal(&claimed, &real))
		return NULL;
	char a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX];
	return err_new(EBADMSG, "the registry names digest %s for content that has %s", digest_text(&claimed, a),
		       digest_text(&real, b));
}

static err *check(const struct http_response *r, const struct digest *want, int64_t size,
		  struct registry_manifest *m)
{
	if (size >= 0 && (uint64_t)size != m->text.len)
		return err_new(EBADMSG, "has %zu bytes instead of %lld", m->text.len, (long long)size);
	if (want) {
		TRY(digest_check(want, m->text.data, m->text.len));
		m->digest = *want;
	} else {
		TRY(check_claim(r, m));
		TRY(digest_of(DIGEST_SHA256, m->text.data, m->text.len, &m->digest));
	}
	return take_media_type(r, m);
}

static err *get(const struct call *c, const char *object, const struct digest *want, int64_t size,
		struct registry_manifest *ret)
{
	auto_str struct str url = STR_INIT(URL_MAX);
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
	call_url(c, &url, "manifests/%s", object);
	TRY(str_check(&url));
	struct http_request q = {
		.method = "GET", .url = url.data, .headers = accept_headers, .max_body = REGISTRY_MANIFEST_MAX,
		.begin = restart, .sink = http_sink_str, .user = &m.text,
	};
	TRY(call_send_patiently(c, &q, &r));
	if (r.status != 200)
		return status_error(q.method, &r);
	auto_str struct str shown = STR_INIT(2 * URL_MAX);
	url_public(r.url.text, &shown);
	TRY(err_wrap(check(&r, want, size, &m), "GET '%s'", shown.data));
	*ret = m;
	m = (struct registry_manifest)REGISTRY_MANIFEST_INIT;
	return NULL;
}

err *registry_manifest_get(struct registry *r, const struct reference *ref, struct registry_manifest *ret)
{
	char object[DIGEST_TEXT_MAX], name[REFERENCE_TEXT_MAX];
	struct call c;
	TRY(call_open(r, ref, ACTIONS_PULL, &c));
	err *e = get(&c, reference_object(ref, object), ref->has_digest ? &ref->digest : NULL, -1, ret);
	return err_wrap(e, "manifest '%s'", reference_text(ref, name));
}

err *registry_manifest_get_digest(struct registry *r, const struct reference *ref, const struct digest *digest,
				  int64_t size, struct registry_manifest *ret)
{
	char object[DIGEST_TEXT_MAX];
	struct call c;
	TRY(call_open(r, ref, ACTIONS_PULL, &c));
	err *e = get(&c, digest_text(digest, object), digest, size, ret);
	return err_wrap(e, "manifest '%s/%s@%s'", ref->host, ref->repository, object);
}

static err *head(const struct call *c, const char *object, bool *ret_exists, struct digest *ret_digest,
		 uint64_t *ret_size)
{
	auto_str struct str url = STR_INIT(URL_MAX);
	auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
	call_url(c, &url, "manifests/%s", object);
	TRY(str_check(&url));
	struct http_request q = { .method = "HEAD", .url = url.data, .headers = accept_headers };
	TRY(call_send_patiently(c, &q, &r));
	if (r.status != 200 && r.status != 404)
		return status_error(q.method, &r);
	struct digest digest = { 0 };
	uint64_t size = 0;
	const char *claim = http_header(&r, "docker-content-digest"), *length = http_header(&r, "content-length");
	if (r.status == 200 && claim)
		TRY(err_wrap(digest_parse(claim, &digest), "HEAD '%s': Docker-Content-Digest", url.data));
	if (r.status == 200 && length && !str_to_u64(length, &size))
		return err_new(EPROTO, "HEAD '%s': Content-Length '%.40s'", url.data, length);
	*ret_exists = r.status == 200;
	*ret_digest = digest;
	*ret_size = size;
	return NULL;
}

err *registry_manifest_head(struct registry *r, const struct reference *ref, bool *ret_exists,
			    struct digest *ret_digest, uint64_t *ret_size)
{
	char object[DIGEST_TEXT_MAX], name[REFERENCE_TEXT_MAX];
	struct call c;
	TRY(call_open(r, ref, ACTIONS_PULL, &c));
	err *e = head(&c, reference_object(ref, object), ret_exists, ret_digest, ret_size);
	return err_wrap(e, "manifest '%s'", reference_text(ref, name));
}

static err *put(const struct call *c, const char *object, const char *media_type, const void *bytes, size_t len,
		const struct digest *digest)
{
	auto_str struct str url = STR_INIT(URL_MAX), type = STR_INIT(512);
	auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
	struct digest claimed;
	call_url(c, &url, "manifests/%s", object);
	str_addf(&type, "Content-Type: %s", media_type);
	TRY(str_check(&url));
	TRY(str_check(&type));
	const char *const headers[] = { type.data, NULL };
	struct http_request q = {
		.method = "PUT", .url = url.data, .headers = headers,
		.body = { .bytes = bytes, .fd = -1, .length = len },
	};
	TRY(call_send_patiently(c, &q, &r));
	if (r.status / 100 != 2)
		return status_error(q.method, &r);
	const char *claim = http_header(&r, "docker-content-digest");
	if (!claim)
		return NULL;
	TRY(err_wrap(digest_parse(claim, &claimed), "PUT '%s': Docker-Content-Digest", url.data));
	char a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX];
	if (claimed.algorithm == digest->algorithm && !digest_equal(&claimed, digest))
		return err_new(EBADMSG, "PUT '%s': the registry keeps it as %s instead of %s", url.data,
			       digest_text(&claimed, a), digest_text(digest, b));
	return NULL;
}

err *registry_manifest_put(struct registry *r, const struct reference *ref, const char *media_type,
			   const void *bytes, size_t len, struct digest *ret_digest)
{
	char object[DIGEST_TEXT_MAX], name[REFERENCE_TEXT_MAX];
	struct call c;
	struct digest digest;
	if (len == 0 || len > REGISTRY_MANIFEST_MAX)
		return err_new(EFBIG, "a manifest of %zu bytes", len);
	TRY(digest_of(ref->has_digest ? ref->digest.algorithm : DIGEST_SHA256, bytes, len, &digest));
	if (ref->has_digest)
		TRY(digest_check(&ref->digest, bytes, len));
	TRY(call_open(r, ref, ACTIONS_PUSH, &c));
	const char *where = *ref->tag ? ref->tag : digest_text(&digest, object);
	TRY(err_wrap(put(&c, where, media_type, bytes, len, &digest), "manifest '%s'", reference_text(ref, name)));
	if (ret_digest)
		*ret_digest = digest;
	return NULL;
}

err *registry_manifest_delete(struct registry *r, const struct reference *ref)
{
	char object[DIGEST_TEXT_MAX], name[REFERENCE_TEXT_MAX];
	auto_str struct str url = STR_INIT(URL_MAX);
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct call c;
	TRY(call_open(r, ref, ACTIONS_DELETE, &c));
	reference_text(ref, name);
	call_url(&c, &url, "manifests/%s", reference_object(ref, object));
	TRY(str_check(&url));
	struct http_request q = { .method = "DELETE", .url = url.data };
	TRY(err_wrap(call_send_patiently(&c, &q, &response), "manifest '%s'", name));
	if (response.status / 100 == 2)
		return NULL;
	return err_wrap(status_error(q.method, &response), "manifest '%s'", name);
}
