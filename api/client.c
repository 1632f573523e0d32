/* api/client.c: requests of the object API: get, create, replace, patch, delete, and any path. */
#include "api/client-internal.h"

#include <ctype.h>

#include "api/status.h"

#define UNIX_SCHEME  "unix://"
#define CONNECT_TIME (10 * SECOND)

/* ---- the client ---- */

static err *copy(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return text && !*to ? err_oom() : NULL;
}

static err *fill(struct api_client *c, const struct api_config *config, const char *user_agent)
{
	c->local = str_starts_with(config->server, UNIX_SCHEME);
	TRY(copy(&c->server, config->server));
	TRY(copy(&c->base, c->local ? "http://localhost" : config->server));
	for (size_t len = strlen(c->base); len && c->base[len - 1] == '/'; len--)
		c->base[len - 1] = '\0';
	TRY(copy(&c->namespace, config->namespace));
	TRY(copy(&c->run_dir, config->run_dir));
	TRY(copy(&c->user_agent, user_agent));
	TRY(copy(&c->ca, config->ca));
	TRY(copy(&c->cert, config->cert));
	return copy(&c->key, config->key);
}

err *api_client_new(const struct api_config *config, const char *user_agent, struct api_client **ret)
{
	auto_api_client struct api_client *c = calloc(1, sizeof(*c));

	if (!c)
		return err_oom();
	TRY(fill(c, config, user_agent));
	struct http_options options = {
		.user_agent = c->user_agent,
		.own = true,
		.ca = c->ca,
		.cert = c->cert,
		.key = c->key,
		.connect_timeout = CONNECT_TIME,
		.unix_socket = c->local ? c->server + strlen(UNIX_SCHEME) : NULL,
	};
	TRY(err_wrap(http_client_new(&options, &c->http), "server '%s'", c->server));
	*ret = TAKE(c);
	return NULL;
}

void api_client_limit(struct api_client *c, int64_t timeout, const atomic_bool *stop)
{
	c->timeout = timeout;
	c->stop = stop;
}

void api_client_free(struct api_client *c)
{
	if (!c)
		return;
	http_client_free(c->http);
	if (c->key)
		explicit_bzero(c->key, strlen(c->key));
	char *texts[] = {
		c->base, c->server, c->namespace, c->run_dir, c->user_agent, c->ca, c->cert, c->key
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(texts[i]);
	free(c);
}

/* ---- URLs ---- */

void client_escape(struct str *out, const char *text)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr("-._~", *text))
			str_add_char(out, *text);
		else
			str_addf(out, "%%%02X", (unsigned char)*text);
	}
}

static err *add_part(struct str *out, const char *what, const char *text)
{
	if (!*text || str_equal(text, ".") || str_equal(text, ".."))
		return err_new(EINVAL, "'%s' is not the name of a %s", text, what);
	str_add_char(out, '/');
	client_escape(out, text);
	return NULL;
}

err *client_path(const struct api_client *c, const struct subject *s, const char *subresource,
		 struct str *out)
{
	const struct kind *kind = s->kind;

	str_add(out, c->base);
	if (*kind->group)
		str_addf(out, "/apis/%s/%s", kind->group, kind->version);
	else
		str_addf(out, "/api/%s", kind->version);
	if (kind->namespaced && s->namespace) {
		str_add(out, "/namespaces");
		TRY(add_part(out, "Namespace", s->namespace));
	}
	str_addf(out, "/%s", kind->plural);
	if (s->name)
		TRY(add_part(out, kind->name, s->name));
	if (subresource)
		str_addf(out, "/%s", subresource);
	return str_check(out);
}

void client_query(struct str *url, const char *key, const char *value)
{
	if (!value)
		return;
	str_addf(url, "%c%s=", strchr(url->data, '?') ? '&' : '?', key);
	client_escape(url, value);
}

void client_query_int(struct str *url, const char *key, int64_t value)
{
	str_addf(url, "%c%s=%lld", strchr(url->data, '?') ? '&' : '?', key, (long long)value);
}

const char *client_namespace(const struct api_client *c, const struct kind *kind, const char *namespace)
{
	if (!kind->namespaced)
		return NULL;
	return namespace && *namespace ? namespace : c->namespace;
}

/* ---- errors ---- */

static void subject_text(const struct subject *s, struct str *out)
{
	if (!s->kind)
		str_addf(out, "'%s'", s->name);
	else if (s->name)
		str_addf(out, "%s '%s'", s->kind->name, s->name);
	else
		str_addf(out, "%ss", s->kind->name);
	if (s->kind && s->namespace)
		str_addf(out, " in namespace '%s'", s->namespace);
}

err *client_error(const struct api_client *c, const struct subject *s, err *e)
{
	auto_str struct str subject = STR_INIT(4096), text = STR_INIT(64 << 10);

	if (!e)
		return NULL;
	auto_err err *failure = e;
	const char *hint = err_first_hint(failure);
	subject_text(s, &subject);
	err_format(failure, &text);
	err *told = err_new(failure->code, "%s: %s (%s)", subject.data, text.data, c->server);
	if (hint)
		return err_hint(told, "%s", hint);
	if (c->local && (failure->code == ENOENT || failure->code == ECONNREFUSED) &&
	    strstr(text.data, "cannot connect"))
		return err_hint(told, "`stube up` starts a scheduler on this machine.");
	return told;
}

err *client_without_url(err *e)
{
	if (!e || !e->cause)
		return e;
	err *cause = TAKE(e->cause);
	err_free(e);
	return cause;
}

/* ---- requests ---- */

static err *answer_error(const struct api_client *c, const struct call *call, const struct http_response *r)
{
	err *e = status_decode(r->status, r->error_body.data, r->error_body.len);

	/* Who is there or not is named already; an agent says what else. */
	bool posted = str_equal(call->method, "POST");
	int usual = posted ? EEXIST : ENOENT;
	if (e && e->code == usual && !call->sink && call->subject.kind && call->subject.name &&
	    strstr(r->error_body.data, "\"Status\"")) {
		err_free(e);
		e = err_new(usual, posted ? "already exists" : "not found");
	}
	return client_error(c, &call->subject, e);
}

err *client_call(struct api_client *c, const struct call *call, struct str *out)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	char type[128], accept[128];
	const char *headers[] = { accept, call->body ? type : NULL, NULL };

	snprintf(accept, sizeof(accept), "Accept: %s", call->accept ? call->accept : "application/json");
	snprintf(type, sizeof(type), "Content-Type: %s",
		 call->content_type ? call->content_type : "application/json");
	struct http_request request = {
		.method = call->method,
		.url = call->url,
		.headers = headers,
		.body = { .bytes = call->body, .fd = -1, .length = call->body ? strlen(call->body) : 0 },
		.max_body = call->sink ? UINT64_MAX : ANSWER_MAX,
		.begin = call->begin,
		.sink = call->sink ? call->sink : http_sink_str,
		.user = call->sink ? call->user : out,
		.deadline = call->endless ? 0 : clock_monotonic() + (c->timeout ? c->timeout : REQUEST_TIME),
		.stall_timeout = call->stall_timeout,
		.cancel = call->cancel || call->endless ? call->cancel : c->stop,
	};
	err *e = http_perform(c->http, &request, &response);
	if (e)
		return client_error(c, &call->subject, client_without_url(e));
	return response.status / 100 == 2 ? NULL : answer_error(c, call, &response);
}

err *client_json(const struct api_client *c, const struct subject *s, struct arena *arena, const char *text,
		 size_t len, json **ret)
{
	return client_error(c, s, err_with_code(json_parse(arena, "answer", text, len, ret), EBADMSG));
}

err *client_object(const struct api_client *c, struct arena *arena, const struct kind *kind, const json *tree,
		   struct object **ret)
{
	struct subject s = { kind, NULL, json_get_string(json_get(tree, "metadata"), "name") };
	err *e = object_decode_tree(arena, "answer", tree, kind, OBJECT_LENIENT, ret);

	return client_error(c, &s, err_with_code(e, EBADMSG));
}

err *client_call_object(struct api_client *c, struct arena *arena, const struct call *call,
			struct object **ret)
{
	auto_str struct str answer = STR_INIT(ANSWER_MAX);
	json *tree = NULL;

	TRY(client_call(c, call, &answer));
	if (!ret)
		return NULL;
	TRY(client_json(c, &call->subject, arena, answer.data, answer.len, &tree));
	return client_object(c, arena, call->subject.kind, tree, ret);
}

err *api_get(struct api_client *c, struct arena *arena, const struct kind *kind, const char *namespace,
	     const char *name, struct object **ret)
{
	auto_str struct str url = STR_INIT(URL_MAX);
	struct call call = { .method = "GET",
			     .subject = { kind, client_namespace(c, kind, namespace), name } };

	TRY(client_path(c, &call.subject, NULL, &url));
	call.url = url.data;
	return client_call_object(c, arena, &call, ret);
}

/* The object of a write: where it goes is what it says. */
static err *write_object(struct api_client *c, struct arena *arena, struct call *call,
			 const struct object *object, const char *subresource, bool dry_run,
			 struct object **ret)
{
	auto_str struct str url = STR_INIT(URL_MAX), body = STR_INIT(JSON_SIZE_MAX);
	const struct kind *kind = kind_of(object);

	if (!kind)
		return err_new(EINVAL, "an object of unknown kind");
	call->subject = (struct subject){ kind, client_namespace(c, kind, object->metadata.namespace),
					  object->metadata.name };
	struct subject place = call->subject;
	if (str_equal(call->method, "POST"))
		place.name = NULL;
	else if (!place.name)
		return err_new(EINVAL, "%s: metadata.name: required but missing", kind->name);
	TRY(client_path(c, &place, subresource, &url));
	client_query(&url, "dryRun", dry_run ? "All" : NULL);
	object_encode(&body, object, 0);
	TRY(client_error(c, &call->subject, str_check(&body)));
	TRY(str_check(&url));
	call->url = url.data;
	call->body = body.data;
	return client_call_object(c, arena, call, ret);
}

err *api_create(struct api_client *c, struct arena *arena, const struct object *object, bool dry_run,
		struct object **ret)
{
	struct call call = { .method = "POST" };

	return write_object(c, arena, &call, object, NULL, dry_run, ret);
}

err *api_replace(struct api_client *c, struct arena *arena, const struct object *object,
		 const char *subresource, bool dry_run, struct object **ret)
{
	struct call call = { .method = "PUT" };

	return write_object(c, arena, &call, object, subresource, dry_run, ret);
}

err *api_patch(struct api_client *c, struct arena *arena, const struct kind *kind, const char *namespace,
	       const char *name, const char *subresource, const char *patch, struct object **ret)
{
	auto_str struct str url = STR_INIT(URL_MAX);
	struct call call = {
		.method = "PATCH",
		.content_type = "application/merge-patch+json",
		.body = patch,
		.subject = { kind, client_namespace(c, kind, namespace), name },
	};

	TRY(client_path(c, &call.subject, subresource, &url));
	call.url = url.data;
	return client_call_object(c, arena, &call, ret);
}

static void delete_options(struct str *out, const struct api_delete *how)
{
	struct json_writer w = JSON_WRITER(out, 0);

	json_begin_object(&w);
	json_member_string(&w, "apiVersion", "v1");
	json_member_string(&w, "kind", "DeleteOptions");
	if (how->grace >= 0)
		json_member_int(&w, "gracePeriodSeconds", how->grace);
	if (how->orphan)
		json_member_string(&w, "propagationPolicy", "Orphan");
	if (how->uid || how->resource_version) {
		json_key(&w, "preconditions");
		json_begin_object(&w);
		if (how->uid)
			json_member_string(&w, "uid", how->uid);
		if (how->resource_version)
			json_member_string(&w, "resourceVersion", how->resource_version);
		json_end_object(&w);
	}
	json_end_object(&w);
}

err *api_delete(struct api_client *c, const struct kind *kind, const char *namespace, const char *name,
		const struct api_delete *how)
{
	static const struct api_delete usual = { .grace = -1 };
	auto_str struct str url = STR_INIT(URL_MAX), body = STR_INIT(4096), answer = STR_INIT(ANSWER_MAX);
	struct call call = { .method = "DELETE",
			     .subject = { kind, client_namespace(c, kind, namespace), name } };

	TRY(client_path(c, &call.subject, NULL, &url));
	delete_options(&body, how ? how : &usual);
	TRY(str_check(&body));
	call.url = url.data;
	call.body = body.data;
	return client_call(c, &call, &answer);
}

err *api_raw(struct api_client *c, const char *method, const char *path, const char *content_type,
	     const char *body, struct str *out)
{
	auto_str struct str url = STR_INIT(URL_MAX);
	struct call call = {
		.method = method,
		.content_type = content_type,
		.body = body,
		.accept = "*/*",
		.subject = { .name = path },
	};

	if (*path != '/')
		return err_new(EINVAL, "'%s' is not a path", path);
	str_addf(&url, "%s%s", c->base, path);
	TRY(str_check(&url));
	call.url = url.data;
	return client_call(c, &call, out);
}
