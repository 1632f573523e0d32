/* scheduler/scheduler.c: the control plane's parts put together, served, and ended in order. */
#include "scheduler/scheduler-internal.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "scheduler/api-internal.h"
#include "scheduler/ration.h"

/* More connections than descriptors would only be refused later. */
static unsigned connections_max(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 0;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	return l.rlim_max < 512 ? 256 : (unsigned)MIN(l.rlim_max - 256, (rlim_t)65536);
}

/* So that one host alone, which needs no certificate for it, cannot take them all. */
static unsigned per_address(unsigned connections)
{
	return MIN(4096u, MAX(connections / 4, 64u));
}

/* ---- servers ---- */

/* Only figures and signs of life, for a network that is not trusted with more. */
static void handle_metrics(struct server_request *r, void *user)
{
	struct scheduler *s = user;
	const char *path = request_path(r);
	auto_str struct str body = STR_INIT(4 << 20);
	int status = 200;

	if (!str_equal(request_method(r), "GET"))
		status = 405;
	else if (str_equal(path, "/metrics"))
		metrics_write(s->metrics, &body);
	else if (str_equal(path, "/healthz"))
		str_add(&body, "ok\n");
	else
		status = 404;
	if (status != 200)
		str_addf(&body, "%s\n", status == 404 ? "not found" : "method not allowed");
	request_answer(r, status, "text/plain; version=0.0.4; charset=utf-8", body.data, body.len, NULL);
}

static err *serve_socket(struct scheduler *s, unsigned connections)
{
	auto_str struct str address = STR_INIT(4096);
	struct server_options o = { .listen_fd = -1,
				    .max_connections = connections,
				    .max_body = API_BODY_MAX,
				    .handler = api_handle,
				    .user = s,
				    .refusal = api_refusal };

	if (!s->options->socket)
		return NULL;
	str_addf(&address, "unix:%s", s->options->socket);
	/* One that the service manager made takes connections while we are restarted. */
	o.listen_fd = loop_listen_fd("api");
	if (o.listen_fd < 0)
		o.address = address.data;
	TRY(server_new(s->loop, &o, &s->servers[SERVER_SOCKET]));
	log_info("listening", "address", o.address ? o.address : "of the service manager", NULL);
	return NULL;
}

static void log_port(const struct server *server, const char *address)
{
	char port[8];

	snprintf(port, sizeof(port), "%u", server_port(server));
	log_info("listening", "address", address, "port", port, NULL);
}

static err *serve_tls(struct scheduler *s, unsigned connections)
{
	const struct scheduler_options *options = s->options;
	auto_pem struct pem pem = { 0 };
	struct server_options o = { .address = options->listen,
				    .listen_fd = -1,
				    .max_connections = connections,
				    .max_per_address = per_address(connections),
				    .max_body = API_BODY_MAX,
				    .handler = api_handle,
				    .user = s,
				    .refusal = api_refusal };

	if (!options->listen)
		return NULL;
	TRY(pem_read(options, &pem));
	o.cert = pem.cert.data;
	o.key = pem.key.data;
	o.client_ca = options->client_ca ? pem.client_ca.data : NULL;
	pki_terms_set(&s->terms, o.cert, o.client_ca);
	TRY(server_new(s->loop, &o, &s->servers[SERVER_TLS]));
	log_port(s->servers[SERVER_TLS], options->listen);
	return NULL;
}

static err *serve_metrics(struct scheduler *s)
{
	const struct server_options o = { .address = s->options->metrics,
					  .listen_fd = -1,
					  .max_connections = 64,
					  .max_body = 1024,
					  .handler = handle_metrics,
					  .user = s };

	if (!s->options->metrics)
		return NULL;
	TRY(server_new(s->loop, &o, &s->servers[SERVER_METRICS]));
	log_port(s->servers[SERVER_METRICS], s->options->metrics);
	return NULL;
}

/* ---- parts: in this order they come, and hear of changes ---- */

/* clang-format off */
#define PART(member, type) \
	static err *begin_##member(struct scheduler *s) { return type##_new(s, &s->member); } \
	static void end_##member(struct scheduler *s) { type##_free(s->member); }
PART(metrics, metrics)
PART(watches, watches)
PART(binder, binder)
PART(deployments, deployments)
PART(nodes, nodes)
PART(collector, collector)

static const struct {
	const char *name;
	err *(*begin)(struct scheduler *s);
	void (*end)(struct scheduler *s);
} parts[] = {
	{ "metrics", begin_metrics, end_metrics },
	{ "watches", begin_watches, end_watches },
	{ "binder", begin_binder, end_binder },
	{ "deployments", begin_deployments, end_deployments },
	{ "nodes", begin_nodes, end_nodes },
	{ "collector", begin_collector, end_collector },
};
/* clang-format on */

static err *begin_parts(struct scheduler *s)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		TRY(err_wrap(parts[i].begin(s), "%s", parts[i].name));
	return NULL;
}

static err *open_store(struct scheduler *s)
{
	const struct store_options o = { .url = s->options->store };

	TRY(store_open(s->loop, &o, &s->store));
	TRY(err_wrap(cache_open(s->store, &s->cache), "store '%s'", o.url));
	TRY(objects_new(s->loop, s->store, s->cache, &s->objects));
	objects_set_lease(s->objects, s->options->lease);
	return ration_new(&s->ration);
}

/* What was submitted is committed and answered before the connections end. */
static void close_all(struct scheduler *s, struct tls *tls)
{
	tls_free(tls);
	store_close(s->store);
	objects_free(s->objects);
	for (size_t i = 0; i < ARRAY_LEN(s->servers); i++)
		server_free(s->servers[i]);
	for (size_t i = ARRAY_LEN(parts); i-- > 0;)
		parts[i].end(s);
	cache_free(s->cache);
	ration_free(s->ration);
	loop_free(s->loop);
}

static void on_end(int signal, void *user)
{
	struct scheduler *s = user;

	log_info("ending", "signal", signal == SIGTERM ? "TERM" : "INT", NULL);
	loop_stopping(s->loop);
	loop_stop(s->loop, NULL);
}

static void on_hangup(int signal, void *user)
{
	struct scheduler *s = user;

	(void)signal;
	if (s->servers[SERVER_TLS])
		tls_reload(s);
}

static err *open_all(struct scheduler *s, struct tls **ret_tls)
{
	unsigned connections = connections_max();

	TRY(loop_new(&s->loop));
	TRY(loop_signal(s->loop, SIGTERM, on_end, s));
	TRY(loop_signal(s->loop, SIGINT, on_end, s));
	TRY(loop_signal(s->loop, SIGHUP, on_hangup, s));
	TRY(open_store(s));
	TRY(begin_parts(s));
	TRY(serve_socket(s, connections));
	TRY(serve_tls(s, connections));
	TRY(serve_metrics(s));
	return s->options->listen ? tls_new(s, ret_tls) : NULL;
}

err *scheduler_run(const struct scheduler_options *options)
{
	struct scheduler s = { .options = options };
	struct tls *tls = NULL;
	char count[24], revision[24];
	err *e = open_all(&s, &tls);

	if (!e) {
		snprintf(count, sizeof(count), "%zu", cache_count(s.cache, KIND_POD));
		snprintf(revision, sizeof(revision), "%llu", (unsigned long long)cache_revision(s.cache));
		log_info("ready", "store", options->store, "pods", count, "revision", revision, NULL);
		loop_ready(s.loop);
		e = loop_run(s.loop);
	}
	close_all(&s, tls);
	return e;
}
