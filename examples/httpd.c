/* examples/httpd.c: the HTTP server. */
#include "examples/httpd.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "examples/form.h"
#include "examples/rate.h"

#define REQUEST_ARENA	(4u << 20)
#define RESPONSE_MAX	(2u << 20)
#define HEADERS_MAX	(32u << 10)
#define CONNECTIONS	256u
#define PER_ADDRESS	128u
#define SILENCE_SECONDS 15u
#define BODY_SECONDS	20
#define DRAIN_SECONDS	5

struct running {
	const struct http_server *server;
	struct rate *rate;
	atomic_int busy; /* requests begun and not answered */
};

/* One request from its first header to its answer. */
struct exchange {
	struct running *running;
	struct http_request request;
	const struct http_route *route;
	struct str body;
	struct http_response response;
	int64_t started;
	size_t received;
	char peer[INET6_ADDRSTRLEN];
};

const char *http_header(const struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const char *http_bearer(const struct http_request *r)
{
	const char *value = http_header(r, "Authorization");

	return value && strncasecmp(value, "Bearer ", 7) == 0 ? value + 7 : NULL;
}

const char *http_query(const struct http_request *r, const char *name)
{
	const char *value = MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);

	return value && utf8_valid(value, strlen(value)) ? value : NULL;
}

const char *http_cookie(const struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_COOKIE_KIND, name);
}

err *http_fail(struct http_response *out, unsigned status, const char *code, const char *fmt, ...)
{
	auto_str struct str text = STR_INIT(4096);
	struct json_writer w = JSON_WRITER(&out->body, 0);
	va_list ap;

	va_start(ap, fmt);
	str_addv(&text, fmt, ap);
	va_end(ap);
	str_clear(&out->body);
	out->status = status;
	out->type = "application/json";
	json_begin_object(&w);
	json_key(&w, "error");
	json_begin_object(&w);
	json_member_string(&w, "code", code);
	json_member_string(&w, "message", text.data);
	json_end_object(&w);
	json_end_object(&w);
	return NULL;
}

/* A failure of the frame rather than of a handler: the service may make a page of it. */
static void fail_with_page(struct exchange *x, unsigned status, const char *code, const char *text)
{
	const struct http_server *server = x->running->server;

	IGNORE(http_fail(&x->response, status, code, "%s", text));
	if (server->error_page)
		server->error_page(&x->request, &x->response);
}

/* Whether `path` has the form of `pattern`; the pieces that stand for {} are copied. */
static bool match(const char *pattern, const char *path, struct http_request *r)
{
	unsigned count = 0;
	const char *part[HTTP_PARTS_MAX] = { NULL };

	while (*pattern) {
		if (pattern[0] == '{' && pattern[1] == '}') {
			size_t len = strcspn(path, "/");

			if (len == 0 || len > 128 || count == HTTP_PARTS_MAX || !utf8_valid(path, len))
				return false;
			part[count] = arena_strndup(r->arena, path, len);
			if (!part[count++])
				return false;
			path += len;
			pattern += 2;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	if (*path)
		return false;
	memcpy(r->part, part, sizeof(part));
	return true;
}

static void find_route(struct exchange *x)
{
	auto_str struct str allowed = STR_INIT(256);

	for (const struct http_route *route = x->running->server->routes; route->method; route++) {
		if (!match(route->pattern, x->request.path, &x->request))
			continue;
		if (str_equal(route->method, x->request.method)) {
			x->route = route;
			return;
		}
		str_addf(&allowed, "%s%s", allowed.len ? ", " : "Allow: ", route->method);
	}
	if (allowed.len == 0) {
		fail_with_page(x, 404, "not_found", "there is nothing at this address");
		return;
	}
	fail_with_page(x, 405, "method_not_allowed", "this address does not take this method");
	strv_add(&x->response.headers, allowed.data);
}

static void run_handler(struct exchange *x)
{
	x->request.body = x->body.data;
	x->request.body_len = x->body.len;
	auto_err err *e = x->route->handler(&x->request, &x->response);

	if (!e)
		e = str_check(&x->response.body);
	if (!e)
		e = strv_check(&x->response.headers);
	if (e) {
		log_err(e);
		str_clear(&x->response.body);
		strv_done(&x->response.headers);
		if (e->code == EHOSTUNREACH || e->code == ETIMEDOUT)
			fail_with_page(x, 503, "unavailable", "a service that is needed does not answer");
		else
			fail_with_page(x, 500, "internal", "something went wrong here; it has been noted");
	}
}

static void add_header(struct MHD_Response *response, const char *line)
{
	const char *colon = strchr(line, ':');
	char name[64];

	if (!colon || (size_t)(colon - line) >= sizeof(name))
		return;
	snprintf(name, sizeof(name), "%.*s", (int)(colon - line), line);
	/* libmicrohttpd refuses a value with a line break: no header can be smuggled in. */
	MHD_add_response_header(response, name, colon + 1 + strspn(colon + 1, " "));
}

static void log_request(const struct exchange *x)
{
	char status[16], ms[32];

	snprintf(status, sizeof(status), "%u", x->response.status);
	snprintf(ms, sizeof(ms), "%.1f", (double)(clock_monotonic() - x->started) / 1e6);
	/* The route, not the path: a file number says who asked for what. */
	log_info("request", "method", x->request.method, "route", x->route ? x->route->pattern : "-",
		 "status", status, "ms", ms, NULL);
}

static enum MHD_Result answer(struct exchange *x)
{
	struct http_response *out = &x->response;
	struct MHD_Response *response;
	enum MHD_Result result;
	bool cached = false;

	out->status = out->status ? out->status : 200;
	response = MHD_create_response_from_buffer(out->body.len, out->body.data, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", out->type ? out->type : "application/json");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	for (const char *const *h = x->running->server->headers; h && *h; h++)
		add_header(response, *h);
	for (size_t i = 0; i < out->headers.count; i++) {
		cached = cached || str_starts_with(out->headers.items[i], "Cache-Control:");
		add_header(response, out->headers.items[i]);
	}
	if (!cached)
		MHD_add_response_header(response, "Cache-Control", "no-store");
	result = MHD_queue_response(x->request.connection, out->status, response);
	MHD_destroy_response(response);
	log_request(x);
	return result;
}

static void peer_text(struct MHD_Connection *connection, char out[static INET6_ADDRSTRLEN])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info ? info->client_addr : NULL;

	snprintf(out, INET6_ADDRSTRLEN, "unknown");
	if (address && address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, out,
			  INET6_ADDRSTRLEN);
	else if (address && address->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, out,
			  INET6_ADDRSTRLEN);
}

static void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	atomic_fetch_sub(&x->running->busy, 1);
	str_done(&x->body);
	str_done(&x->response.body);
	strv_done(&x->response.headers);
	arena_free(x->request.arena);
	free(x);
}

static struct exchange *exchange_new(struct running *running, struct MHD_Connection *connection,
				     const char *method, const char *path)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->running = running;
	atomic_fetch_add(&running->busy, 1);
	x->started = clock_monotonic();
	str_init(&x->body, running->server->body_max);
	str_init(&x->response.body, RESPONSE_MAX);
	x->response.headers = (struct strv)STRV_INIT(32);
	peer_text(connection, x->peer);
	x->request = (struct http_request){
		.method = str_equal(method, "HEAD") ? "GET" : method,
		.path = path,
		.peer = x->peer,
		.service = running->server->service,
		.connection = connection,
		.body = "",
	};
	auto_err err *e = arena_new(REQUEST_ARENA, &x->request.arena);

	if (e) {
		exchange_free(x);
		return NULL;
	}
	return x;
}

/* The headers are here, the body is not: refuse what can be refused without reading it. */
static enum MHD_Result begin(struct exchange *x)
{
	const struct http_server *server = x->running->server;
	const char *length = http_header(&x->request, "Content-Length");
	uint64_t announced = 0;

	if (x->running->rate && !rate_take(x->running->rate, x->peer)) {
		strv_add(&x->response.headers, "Retry-After: 1");
		fail_with_page(x, 429, "too_many_requests", "too many requests; please wait a moment");
	} else if (length && (!str_to_u64(length, &announced) || announced > server->body_max)) {
		fail_with_page(x, 413, "too_large", "the body is too large");
	} else {
		find_route(x);
	}
	return x->response.status ? answer(x) : MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version UNUSED, const char *bytes,
				  size_t *count, void **state)
{
	struct exchange *x = *state;

	if (!x) {
		x = exchange_new(cls, connection, method, path);
		*state = x;
		return x ? begin(x) : MHD_NO;
	}
	if (*count > 0) {
		if (clock_monotonic() - x->started > BODY_SECONDS * (int64_t)NSEC_PER_SEC)
			return MHD_NO;
		/* A body of unknown length may turn out too large: read a little on, so that the client sees
		 * the answer, then hang up. */
		x->received += *count;
		str_add_bytes(&x->body, bytes, *count);
		*count = 0;
		return x->received > 4 * x->body.max ? MHD_NO : MHD_YES;
	}
	if (x->body.failed)
		fail_with_page(x, 413, "too_large", "the body is too large");
	else
		run_handler(x);
	return answer(x);
}

static void on_completed(void *cls UNUSED, struct MHD_Connection *connection UNUSED, void **state,
			 enum MHD_RequestTerminationCode why UNUSED)
{
	exchange_free(*state);
	*state = NULL;
}

static void on_library_message(void *cls UNUSED, const char *fmt, va_list ap) PRINTF(2, 0);
static void on_library_message(void *cls UNUSED, const char *fmt, va_list ap)
{
	auto_str struct str text = STR_INIT(1024);

	str_addv(&text, fmt, ap);
	log_debug("libmicrohttpd", "text", text.data, NULL);
}

/* "127.0.0.1:80", "[::1]:80" */
static err *parse_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	const char *colon = strrchr(text, ':');
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	char host[64];
	uint64_t port;

	memset(ret, 0, sizeof(*ret));
	if (!colon || !str_to_u64(colon + 1, &port) || port > 65535 || (size_t)(colon - text) >= sizeof(host))
		return err_new(EINVAL, "'%s' is not ADDRESS:PORT", text);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*ret_len = sizeof(*v6);
		if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1)
			return NULL;
	} else {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*ret_len = sizeof(*v4);
		if (inet_pton(AF_INET, host, &v4->sin_addr) == 1)
			return NULL;
	}
	return err_new(EINVAL, "'%s' is not ADDRESS:PORT", text);
}

static err *open_listener(const char *address, int *ret_fd, uint16_t *ret_port)
{
	struct sockaddr_storage where;
	socklen_t len = 0;
	int one = 1;

	TRY(parse_address(address, &where, &len));
	auto_close int fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno("listen on %s", address);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&where, len) < 0 || listen(fd, 128) < 0 ||
	    getsockname(fd, (struct sockaddr *)&where, &len) < 0)
		return err_errno("listen on %s", address);
	*ret_port = ntohs(where.ss_family == AF_INET ? ((struct sockaddr_in *)&where)->sin_port
						     : ((struct sockaddr_in6 *)&where)->sin6_port);
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

/* Take no new connection, wait for the answers that are being made, close what is left. */
static void drain(struct MHD_Daemon *daemon, struct running *running)
{
	int listener = MHD_quiesce_daemon(daemon);
	int64_t end = clock_monotonic() + DRAIN_SECONDS * (int64_t)NSEC_PER_SEC;

	fd_close(listener);
	while (atomic_load(&running->busy) > 0 && clock_monotonic() < end)
		nanosleep(&(struct timespec){ .tv_nsec = 10 * (long)NSEC_PER_MSEC }, NULL);
	MHD_stop_daemon(daemon);
}

static void block_signals(sigset_t *stop)
{
	sigemptyset(stop);
	sigaddset(stop, SIGTERM);
	sigaddset(stop, SIGINT);
	pthread_sigmask(SIG_BLOCK, stop, NULL);
	signal(SIGPIPE, SIG_IGN);
}

err *http_serve(const struct http_server *server)
{
	struct running running = { .server = server };
	struct MHD_Daemon *daemon;
	auto_close int fd = -1;
	uint16_t port = 0;
	char port_text[8];
	sigset_t stop;
	int number = 0;

	block_signals(&stop);
	TRY(open_listener(server->listen, &fd, &port));
	auto_rate struct rate *rate = NULL;
	if (server->requests_per_second > 0) {
		rate = rate_new(server->requests_per_second * 4,
				(int64_t)NSEC_PER_SEC / (int64_t)server->requests_per_second);
		if (!rate)
			return err_oom();
	}
	running.rate = rate;
	daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ITC |
					  MHD_USE_ERROR_LOG,
				  0, NULL, NULL, on_request, &running, MHD_OPTION_EXTERNAL_LOGGER,
				  on_library_message, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
				  MHD_OPTION_THREAD_POOL_SIZE, server->threads, MHD_OPTION_CONNECTION_LIMIT,
				  CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT, PER_ADDRESS,
				  MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_SECONDS,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX,
				  MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
				  NULL, MHD_OPTION_END);
	if (!daemon)
		return err_errno("start the HTTP server on %s", server->listen);
	(void)TAKE_FD(fd); /* the server's now; MHD_quiesce_daemon gives it back */
	snprintf(port_text, sizeof(port_text), "%u", port);
	log_info("listening", "service", server->name, "address", server->listen, "port", port_text, NULL);
	while (sigwait(&stop, &number) != 0)
		;
	log_info("stopping", "service", server->name, "signal", number == SIGTERM ? "TERM" : "INT", NULL);
	drain(daemon, &running);
	return NULL;
}
