/* net/http-hop.c: one HTTP request to one URL on a libcurl handle: limits, deadlines, address check. */
#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/http-internal.h"

#define DROPPED_BODY_MAX (64 * 1024)  /* of an answer nobody reads; then the connection is given up */
#define SLOW_BYTES       1024         /* fewer bytes in one stall time-out count as none */
#define BODY_SENT_FACTOR 10           /* stall time-outs a registry may think about an upload */
#define TRANSFER_BUFFER  (256 * 1024)
#define EXPECT_MIN       (1024 * 1024)

/* What the callbacks of one transfer share. */
struct transfer {
	const struct hop *hop;
	err *failure;          /* from a callback: why the transfer was ended */
	bool enough;           /* ended on purpose: the answer's status and headers suffice */
	bool proxied;
	size_t header_bytes;
	bool headers_complete; /* of the final answer */
	uint64_t received, sent, reported;
	int64_t window_start;  /* the present span of stall_timeout ... */
	uint64_t window_bytes; /* ... and what moved in it; window_start 0: not connected yet */
};

static bool is_success(const struct transfer *t)
{
	return t->hop->response->status / 100 == 2;
}

/* ---- the address ---- */

static bool address_is_refused(struct transfer *t, const struct sockaddr *address)
{
	enum reach reach = address_reach(address);
	if (!t->proxied && t->hop->gated && !reach_allows(t->hop->from, reach)) {
		if (!t->failure) {
			char text[ORIGIN_TEXT_MAX];
			t->failure = err_new(EPERM, "must not lead to the %s address of '%s'",
					     reach_name(reach), origin_text(&t->hop->url->origin, text));
		}
		return true;
	}
	return false;
}

/* Before connect(2): a name may resolve to anything. */
static curl_socket_t on_socket(void *user, curlsocktype purpose UNUSED, struct curl_sockaddr *a)
{
	if (address_is_refused(user, &a->addr))
		return CURL_SOCKET_BAD;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* Before a request goes out on a connection, an old one too. */
static int on_connected(void *user, char *peer, char *local UNUSED, int port UNUSED, int local_port UNUSED)
{
	struct transfer *t = user;
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	const struct sockaddr *address = NULL;
	if (inet_pton(AF_INET, peer, &v4.sin_addr) == 1)
		address = (const struct sockaddr *)&v4;
	else if (inet_pton(AF_INET6, peer, &v6.sin6_addr) == 1)
		address = (const struct sockaddr *)&v6;
	err_free(TAKE(t->failure)); /* another address of the name was refused, this one stands */
	if (address && address_is_refused(t, address))
		return CURL_PREREQFUNC_ABORT;
	if (!t->hop->response->redirected)
		t->hop->response->peer =
			t->proxied || !address ? REACH_UNKNOWN : address_reach(address);
	t->window_start = clock_monotonic();
	return CURL_PREREQFUNC_OK;
}

/* ---- headers ---- */

static err *header_add(struct http_response *r, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	if (!colon || colon == line)
		return NULL;
	if (r->header_count >= HTTP_HEADERS_MAX)
		return err_new(EFBIG, "more than %d headers", HTTP_HEADERS_MAX);
	const char *value = colon + 1, *end = line + len;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && isspace((unsigned char)end[-1]))
		end--;
	struct http_header *more = reallocarray(r->headers, r->header_count + 1, sizeof(*more));
	if (!more)
		return err_oom();
	r->headers = more;
	struct http_header *h = &more[r->header_count];
	h->name = strndup(line, (size_t)(colon - line));
	h->value = strndup(value, (size_t)(end - value));
	if (!h->name || !h->value) {
		free(h->name);
		free(h->value);
		return err_oom();
	}
	r->header_count++;
	for (char *p = h->name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	for (char *p = h->value; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	return NULL;
}

/* A new status line: what an interim answer (100) brought does not count. */
static void headers_forget(struct http_response *r)
{
	for (size_t i = 0; i < r->header_count; i++) {
		free(r->headers[i].name);
		free(r->headers[i].value);
	}
	r->header_count = 0;
}

static err *headers_end(struct transfer *t)
{
	struct http_response *r = t->hop->response;
	if (r->status / 100 == 1)
		return NULL;
	t->headers_complete = true;
	if (!is_success(t))
		return NULL;
	const char *encoding = http_header(r, "content-encoding");
	if (encoding && *encoding && strcasecmp(encoding, "identity") != 0)
		return err_new(EPROTO, "answered with Content-Encoding '%.40s', which was not asked for",
			       encoding);
	const struct http_request *q = t->hop->request;
	return q->begin ? q->begin(r, q->user) : NULL;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
	struct transfer *t = user;
	struct http_response *r = t->hop->response;
	size_t len = size * count, text = len;
	while (text && (line[text - 1] == '\r' || line[text - 1] == '\n'))
		text--;
	if (t->headers_complete) /* trailers */
		return len;
	t->header_bytes += len;
	if (t->header_bytes > HTTP_HEADER_BYTES)
		t->failure = err_new(EFBIG, "headers of more than %d bytes", HTTP_HEADER_BYTES);
	else if (text > 5 && !strncmp(line, "HTTP/", 5)) {
		const char *space = memchr(line, ' ', text);
		headers_forget(r);
		r->status = 0;
		for (int i = 1; space && i <= 3 && space + i < line + text && isdigit((unsigned char)space[i]); i++)
			r->status = r->status * 10 + space[i] - '0';
	} else if (!text) {
		t->failure = headers_end(t);
	} else {
		t->failure = header_add(r, line, text);
	}
	return t->failure ? 0 : len;
}

/* ---- bodies ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
	struct transfer *t = user;
	const struct http_request *q = t->hop->request;
	size_t len = size * count;
	t->received += len;
	t->window_bytes += len;
	if (!is_success(t)) {
		struct str *s = &t->hop->response->error_body;
		str_add_bytes(s, bytes, MIN(len, HTTP_ERROR_BODY_MAX - s->len));
		t->enough = t->received > DROPPED_BODY_MAX;
		return t->enough ? 0 : len;
	}
	if (t->received > q->max_body && q->sink) {
		t->failure = err_new(EFBIG, "the body has more than %llu bytes",
				     (unsigned long long)q->max_body);
		return 0;
	}
	if (!q->sink) {
		t->enough = t->received > DROPPED_BODY_MAX;
		return t->enough ? 0 : len;
	}
	int64_t before = clock_monotonic();
	t->failure = q->sink(bytes, len, q->user);
	t->window_start += clock_monotonic() - before; /* a slow disk is not a slow server */
	return t->failure ? 0 : len;
}

static size_t on_read(char *buf, size_t size, size_t count, void *user)
{
	struct transfer *t = user;
	const struct http_body *b = &t->hop->request->body;
	size_t want = (size_t)MIN((uint64_t)size * count, b->length - t->sent);
	ssize_t n = (ssize_t)want;
	if (b->bytes)
		memcpy(buf, (const char *)b->bytes + t->sent, want);
	else if (want)
		do
			n = pread(b->fd, buf, want, (off_t)(b->offset + t->sent));
		while (n < 0 && errno == EINTR);
	if (n < 0 || (n == 0 && want)) {
		t->failure = n < 0 ? err_errno("reading what is to be sent")
				   : err_new(EIO, "what is to be sent ends after %llu of %llu bytes",
					     (unsigned long long)t->sent, (unsigned long long)b->length);
		return CURL_READFUNC_ABORT;
	}
	t->sent += (uint64_t)n;
	return (size_t)n;
}

/* libcurl goes back to the begin when a kept connection turns out to be dead. */
static int on_seek(void *user, curl_off_t offset, int origin)
{
	struct transfer *t = user;
	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > t->hop->request->body.length)
		return CURL_SEEKFUNC_FAIL;
	t->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* ---- time ---- */

static err *time_check(struct transfer *t, uint64_t uploaded)
{
	const struct http_request *q = t->hop->request;
	int64_t now = clock_monotonic(), stall = q->stall_timeout ? q->stall_timeout : t->hop->client->stall_timeout;
	if (q->cancel && atomic_load(q->cancel))
		return err_new(ECANCELED, "cancelled");
	if (q->deadline && now >= q->deadline)
		return err_new(ETIMEDOUT, "not finished in the time allowed");
	if (!t->window_start || stall < 0)
		return NULL; /* connecting has its own limit */
	if (q->body.length && uploaded >= q->body.length && !t->received)
		stall *= BODY_SENT_FACTOR;
	if (now - t->window_start < stall)
		return NULL;
	if (t->window_bytes < (q->stall_timeout ? 1 : SLOW_BYTES))
		return err_new(ETIMEDOUT, "stalled: %llu bytes in %lld seconds",
			       (unsigned long long)t->window_bytes,
			       (long long)(stall / (int64_t)NSEC_PER_SEC));
	t->window_start = now;
	t->window_bytes = 0;
	return NULL;
}

static int on_progress(void *user, curl_off_t total UNUSED, curl_off_t now UNUSED, curl_off_t up_total UNUSED,
		       curl_off_t up)
{
	struct transfer *t = user;
	const struct http_request *q = t->hop->request;
	uint64_t uploaded = up > 0 ? (uint64_t)up : 0;
	if (uploaded < t->reported) /* sent again from the begin */
		t->reported = 0;
	if (uploaded > t->reported) {
		t->window_bytes += uploaded - t->reported;
		t->reported = uploaded;
		if (q->sent)
			q->sent(uploaded, q->user);
	}
	if (!t->failure)
		t->failure = time_check(t, uploaded);
	return t->failure ? 1 : 0;
}

/* ---- options ---- */

static err *add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *more = strpbrk(line, "\r\n") ? NULL : curl_slist_append(*list, line);
	if (!more)
		return strpbrk(line, "\r\n") ? err_new(EINVAL, "a header with a line break") : err_oom();
	*list = more;
	return NULL;
}

static err *make_headers(const struct hop *hop, struct curl_slist **ret)
{
	const struct http_request *q = hop->request;
	for (const char *const *h = q->headers; h && *h; h++)
		TRY(add_header(ret, *h));
	/* A large body waits up to a second for 100: a refusal then costs nothing. */
	if (q->body.length < EXPECT_MIN)
		TRY(add_header(ret, "Expect:"));
	if (!q->body.length) /* libcurl would invent a type for an empty POST */
		TRY(add_header(ret, "Content-Type:"));
	if (!hop->authorize || !q->authorization)
		return NULL;
	auto_str struct str line = STR_INIT(HTTP_HEADER_BYTES);
	str_addf(&line, "Authorization: %s", q->authorization);
	TRY(str_check(&line));
	err *e = add_header(ret, line.data);
	explicit_bzero(line.data, line.len);
	return e;
}

static void set_method(CURL *easy, const struct http_request *q, struct transfer *t)
{
	/* libcurl repeats a request by itself when a kept connection breaks; a registry's appending twice is no
	 * repeating, merging twice is. */
	if (str_equal(q->method, "PATCH") && !t->hop->client->own)
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	if (str_equal(q->method, "HEAD")) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else if (q->body.length) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body.length);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(easy, CURLOPT_READDATA, t);
		curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(easy, CURLOPT_SEEKDATA, t);
		curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)TRANSFER_BUFFER);
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, q->method);
	} else if (str_equal(q->method, "GET")) {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	} else if (str_equal(q->method, "DELETE")) {
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
	} else { /* Content-Length: 0 */
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, q->method);
	}
}

static bool is_unverified(const struct http_client *c, const struct origin *o)
{
	char authority[ORIGIN_TEXT_MAX];
	return strv_contains(&c->unverified, "*") ||
	       strv_contains(&c->unverified, origin_authority(o, authority));
}

static err *set_tls(CURL *easy, const struct hop *hop, const struct certs *certs)
{
	TRY(http_identify(hop->client, easy));
	if (is_unverified(hop->client, &hop->url->origin)) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (certs->ca.len) {
		/* In addition to the system's, whose hashed directory stays in use. */
		struct curl_blob blob = { certs->ca.data, certs->ca.len, CURL_BLOB_COPY };
		curl_easy_setopt(easy, CURLOPT_CAPATH, "/etc/ssl/certs");
		if (curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob))
			return err_new(EKEYREJECTED, "certificates of '%s' are not usable", certs->dir);
	}
	if (certs->cert) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, certs->cert);
		curl_easy_setopt(easy, CURLOPT_SSLKEY, certs->key);
	}
	return NULL;
}

static void set_options(CURL *easy, const struct hop *hop, struct transfer *t, const char *proxy,
			char *message)
{
	const struct http_client *c = hop->client;
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, message);
	curl_easy_setopt(easy, CURLOPT_SHARE, c->share);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_URL, hop->url->text);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, c->user_agent);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)TRANSFER_BUFFER);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(c->connect_timeout / (int64_t)NSEC_PER_MSEC));
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, t);
}

static err *run(CURL *easy, const struct hop *hop, struct transfer *t)
{
	auto_str struct str proxy = STR_INIT(4096);
	auto_certs struct certs certs = CERTS_INIT;
	char message[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;

	if (!hop->client->own)
		proxy_for(&hop->url->origin, &proxy);
	TRY(str_check(&proxy));
	t->proxied = proxy.len > 0;
	if (hop->url->origin.tls)
		TRY(certs_find(&hop->client->certs_dirs, &hop->url->origin, &certs));
	curl_easy_reset(easy); /* keeps connections */
	set_options(easy, hop, t, proxy.data, message);
	set_method(easy, hop->request, t);
	TRY(set_tls(easy, hop, &certs));
	err *e = make_headers(hop, &headers);
	CURLcode code = CURLE_OK;
	if (!e) {
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
		code = curl_easy_perform(easy);
	}
	curl_slist_free_all(headers);
	if (e)
		return e;
	if (t->failure)
		return TAKE(t->failure);
	/* Enough is known when the final status stands and nobody wants more of the body. A server that
	 * answers before it has read an upload, and closes, has answered too. */
	bool answered = t->headers_complete && !is_success(t);
	e = code && !(t->enough || answered) ? http_transfer_error(easy, code, message) : NULL;
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	if (!e && !t->headers_complete)
		e = err_new(EPROTO, "the answer ended before its headers did");
	return e;
}

err *http_hop(CURL *easy, const struct hop *hop)
{
	struct transfer t = { .hop = hop };
	if (hop->request->cancel && atomic_load(hop->request->cancel))
		return err_new(ECANCELED, "cancelled");
	return run(easy, hop, &t);
}
