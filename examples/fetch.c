/* examples/fetch.c: the HTTP client. */
#include "examples/fetch.h"

#include <curl/curl.h>
#include <ctype.h>
#include <string.h>

DEFINE_CLEANUP(CURL *, curl_easy_cleanup)
DEFINE_CLEANUP(struct curl_slist *, curl_slist_free_all)

err *fetch_setup(void)
{
	CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);

	return code ? err_new(EIO, "libcurl: %s", curl_easy_strerror(code)) : NULL;
}

static size_t take_bytes(char *bytes, size_t size, size_t count, void *out)
{
	struct str *body = out;

	str_add_bytes(body, bytes, size * count);
	return body->failed ? 0 : size * count;
}

static err *add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		return err_oom();
	*list = longer;
	return NULL;
}

static err *set_headers(CURL *curl, const struct fetch *f, struct curl_slist **list)
{
	if (f->bearer) {
		auto_str struct str line = STR_INIT(8192);

		str_addf(&line, "Authorization: Bearer %s", f->bearer);
		TRY(str_check(&line));
		TRY(add_header(list, line.data));
	}
	if (f->body)
		TRY(add_header(list, "Content-Type: application/json"));
	TRY(add_header(list, "Expect:"));
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *list);
	return NULL;
}

static int code_of(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return ETIMEDOUT;
	case CURLE_WRITE_ERROR:
		return EFBIG;
	default:
		return EHOSTUNREACH;
	}
}

static void set_options(CURL *curl, const struct fetch *f, bool others)
{
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(f->timeout_ms ? f->timeout_ms : 5000));
	/* A node that has gone does not answer at all: with others to ask, it is not waited for long. */
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, others ? 500L : 2000L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, f->method);
	if (f->body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body_len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, f->body);
	}
}

/* *ret_unheard: no connection came about, so that nobody can have acted on the request. */
static err *fetch_from(const struct fetch *f, const char *base, size_t base_len, bool others, unsigned *ret_status,
		       struct str *out, bool *ret_unheard)
{
	CLEANUP(curl_easy_cleanup) CURL *curl = curl_easy_init();
	CLEANUP(curl_slist_free_all) struct curl_slist *headers = NULL;
	auto_str struct str url = STR_INIT(8192);
	auto_str struct str body = STR_INIT(f->max);
	char reason[CURL_ERROR_SIZE] = "";
	curl_off_t connected = 0;
	long status = 0;
	CURLcode code;

	str_add_bytes(&url, base, base_len);
	str_add(&url, f->path);
	TRY(str_check(&url));
	if (!curl)
		return err_oom();
	TRY(set_headers(curl, f, &headers));
	set_options(curl, f, others);
	curl_easy_setopt(curl, CURLOPT_URL, url.data);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &connected);
	*ret_unheard = code && connected == 0;
	if (code)
		return err_new(code_of(code), "%s %.*s: %s", f->method, (int)base_len, base,
			       *reason ? reason : curl_easy_strerror(code));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	str_add_bytes(out, body.data, body.len);
	TRY(str_check(out));
	*ret_status = (unsigned)status;
	return NULL;
}

err *fetch(const struct fetch *f, unsigned *ret_status, struct str *out)
{
	const char *base = f->base;

	for (;;) {
		size_t len = strcspn(base, ",");
		bool unheard, last = !base[len];
		err *e = fetch_from(f, base, len, base != f->base || !last, ret_status, out, &unheard);
		if (!e || !unheard || last)
			return e;
		err_free(e);
		base += len + 1;
	}
}

void fetch_escape(struct str *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~", c))
			str_add_char(out, (char)c);
		else
			str_addf(out, "%%%02X", c);
	}
}
