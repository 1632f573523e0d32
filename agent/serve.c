/* agent/serve.c: the node's servers: what they listen on, who may ask for what, health, Pods. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/node-internal.h"
#include "agent/place.h"
#include "api/status.h"
#include "base/fd.h"
#include "base/log.h"

#define AGENT_PORT 10250
#define ANSWER_MAX ((size_t)64 << 20)

enum door { DOOR_TLS, DOOR_SOCKET, DOOR_METRICS, DOORS };

struct listener {
	struct serve *serve;
	enum door door;
	struct server *server;
};

struct serve {
	struct node_agent *agent;
	struct listener listeners[DOORS];
};

/* Who may ask. */
enum right { RIGHT_NONE, RIGHT_HEALTH /* the plain metrics door */, RIGHT_READ, RIGHT_ALL };

void serve_error(struct server_request *r, err *e)
{
	auto_str struct str out = STR_INIT(64 * 1024);

	status_encode_err(&out, e, NULL, NULL);
	request_answer(r, status_code(e->code), "application/json", out.data, out.len, NULL);
	err_free(e);
}

static void refusal(int status, const char *why, struct str *out, const char **content_type)
{
	auto_err err *e = err_new(status_errno(status, NULL), "%s", why);

	status_encode_err(out, e, NULL, NULL);
	*content_type = "application/json";
}

static void answer_text(struct server_request *r, int status, struct str *text)
{
	err *e = str_check(text);

	if (e)
		serve_error(r, e);
	else
		request_answer(r, status, "text/plain; version=0.0.4; charset=utf-8", text->data, text->len,
			       NULL);
}

/* ---- health ---- */

static bool check_api(const struct node_agent *a)
{
	return a->contact.held && !a->contact.failing;
}

static bool check_threads(const struct node_agent *a)
{
	return link_alive(a->link);
}

static bool check_registered(const struct node_agent *a)
{
	return a->registered;
}

static bool check_synced(const struct node_agent *a)
{
	return a->synced;
}

static bool check_lease(const struct node_agent *a)
{
	return a->now != PODS_FENCED;
}

/* clang-format off */
/* That an answer comes at all says that the loop turns. */
static const struct {
	const char *name;
	bool (*check)(const struct node_agent *a);
	bool of_life; /* also asked by /healthz and /livez: a restart of the agent may heal it */
} checks[] = {
	{ "threads",    check_threads,    true },
	{ "registered", check_registered, false },
	{ "api",        check_api,        false },
	{ "pods-known", check_synced,     false },
	{ "lease",      check_lease,      false },
};
/* clang-format on */

static void answer_health(struct node_agent *a, struct server_request *r, bool only_life)
{
	auto_str struct str out = STR_INIT(4096);
	bool verbose = request_query(r, "verbose"), healthy = true;

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		if (only_life && !checks[i].of_life)
			continue;
		bool good = checks[i].check(a);
		healthy = healthy && good;
		if (verbose || !good)
			str_addf(&out, "[%c]%s %s\n", good ? '+' : '-', checks[i].name,
				 good ? "ok" : "failed");
	}
	str_add(&out, healthy ? "ok" : "failed\n");
	answer_text(r, healthy ? 200 : 503, &out);
}

static void handle_health(struct node_agent *a, struct server_request *r, char *const parts[3])
{
	(void)parts;
	answer_health(a, r, true);
}

static void handle_ready(struct node_agent *a, struct server_request *r, char *const parts[3])
{
	(void)parts;
	answer_health(a, r, false);
}

static void handle_metrics(struct node_agent *a, struct server_request *r, char *const parts[3])
{
	auto_str struct str out = STR_INIT(ANSWER_MAX);

	(void)parts;
	metrics_write(a->metrics, &out);
	answer_text(r, 200, &out);
}

/* ---- Pods ---- */

struct listing {
	struct str *out;
	bool more;
};

static bool list_pod(const struct pod *pod, const struct pod_status *status,
		     const struct pods_container *containers, size_t count, void *user)
{
	struct listing *l = user;
	struct pod now = *pod;

	(void)containers;
	(void)count;
	now.status = *status;
	if (l->more)
		str_add_char(l->out, ',');
	l->more = true;
	pod_encode(l->out, &now, 0);
	return true;
}

static void handle_pods(struct node_agent *a, struct server_request *r, char *const parts[3])
{
	auto_str struct str out = STR_INIT(ANSWER_MAX);
	struct listing l = { .out = &out };

	(void)parts;
	str_add(&out, "{\"apiVersion\":\"v1\",\"kind\":\"PodList\",\"metadata\":{},\"items\":[");
	pods_each(a->pods, list_pod, &l);
	str_add(&out, "]}\n");
	err *e = str_check(&out);
	if (e)
		serve_error(r, e);
	else
		request_answer(r, 200, "application/json", out.data, out.len, NULL);
}

/* ---- paths ---- */

static const struct route {
	const char *path;
	bool parts; /* /NAMESPACE/POD/CONTAINER follows */
	enum right right;
	void (*handle)(struct node_agent *a, struct server_request *r, char *const parts[3]);
} routes[] = {
	{ "/healthz", false, RIGHT_HEALTH, handle_health },
	{ "/livez", false, RIGHT_HEALTH, handle_health },
	{ "/readyz", false, RIGHT_HEALTH, handle_ready },
	{ "/metrics", false, RIGHT_HEALTH, handle_metrics },
	{ "/pods", false, RIGHT_READ, handle_pods },
	{ "/containerLogs", true, RIGHT_READ, serve_logs },
	{ "/exec", true, RIGHT_ALL, serve_exec },
};

static bool has_group(const struct peer *p, const char *group)
{
	for (const char *const *g = p->groups; g && *g; g++)
		if (str_equal(*g, group))
			return true;
	return false;
}

static enum right right_of(enum door door, const struct peer *p)
{
	if (door == DOOR_METRICS)
		return RIGHT_HEALTH;
	switch (p->kind) {
	case PEER_UNIX:
		return p->uid == 0 || p->uid == geteuid() ? RIGHT_ALL : RIGHT_NONE;
	case PEER_CERTIFICATE:
		return has_group(p, "system:masters")  ? RIGHT_ALL
		       : has_group(p, "stube:viewers") ? RIGHT_READ
						       : RIGHT_NONE;
	case PEER_ANONYMOUS:
		break;
	}
	return RIGHT_NONE;
}

/* "/NAMESPACE/POD/CONTAINER" in `rest`, which is cut up. */
static bool split(char *rest, char *parts[3])
{
	size_t count = 0;
	char *save = NULL;

	if (*rest != '/' || strstr(rest, "//"))
		return false;
	for (char *part = strtok_r(rest, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		if (count == 3)
			return false;
		parts[count++] = part;
	}
	return count == 3;
}

static const struct route *find_route(char *path, char *parts[3])
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		size_t len = strlen(routes[i].path);
		if (!routes[i].parts && str_equal(path, routes[i].path))
			return &routes[i];
		if (routes[i].parts && strncmp(path, routes[i].path, len) == 0 && split(path + len, parts))
			return &routes[i];
	}
	return NULL;
}

static void refuse_peer(struct server_request *r, const struct peer *p)
{
	if (p->kind == PEER_ANONYMOUS)
		serve_error(r, err_new(EACCES, "who are you? a client certificate is needed"));
	else
		serve_error(r, err_new(EPERM, "'%s' may not ask this node for that",
				       p->kind == PEER_CERTIFICATE ? p->name : "this user"));
}

static void handle(struct server_request *r, void *user)
{
	struct listener *l = user;
	const struct peer *peer = request_peer(r);
	const char *method = request_method(r);
	auto_free char *path = strdup(request_path(r));
	char *parts[3] = { 0 };
	enum right right = right_of(l->door, peer);

	const struct route *route = path ? find_route(path, parts) : NULL;
	if (right == RIGHT_NONE || (route && right < route->right && l->door != DOOR_METRICS))
		refuse_peer(r, peer);
	else if (!route || right < route->right)
		serve_error(r, err_new(ENOENT, "there is no path '%s'", request_path(r)));
	else if (!str_equal(method, "GET") && !(route->handle == serve_exec && str_equal(method, "POST")))
		serve_error(r, err_new(EOPNOTSUPP, "%s is not understood here", method));
	else
		route->handle(l->serve->agent, r, parts);
}

/* ---- begin and end ---- */

static err *open_door(struct serve *s, enum door door, struct server_options *o)
{
	static const char *const names[] = {
		[DOOR_TLS] = "logs and commands", [DOOR_SOCKET] = "local", [DOOR_METRICS] = "metrics"
	};
	struct listener *l = &s->listeners[door];
	char port[16];

	*l = (struct listener){ .serve = s, .door = door };
	o->handler = handle;
	o->refusal = refusal;
	o->user = l;
	/* One that the service manager made takes connections while we are restarted. */
	o->listen_fd = door == DOOR_SOCKET ? loop_listen_fd("local") : -1;
	if (o->listen_fd >= 0)
		o->address = NULL;
	TRY(server_new(s->agent->loop, o, &l->server));
	snprintf(port, sizeof(port), "%u", server_port(l->server));
	log_info("listening", "what", names[door], "address",
		 o->address ? o->address : "of the service manager", "port",
		 door == DOOR_SOCKET ? NULL : port, NULL);
	return NULL;
}

static err *open_tls(struct serve *s)
{
	const struct node_options *n = s->agent->options;
	const struct api_config *c = &n->api;
	char address[512];

	if (!c->cert || !c->key || !c->ca) {
		if (n->listen)
			return err_new(EINVAL, "--listen: the configuration has no certificate to show");
		log_info("no certificate: logs and commands are served on the Unix socket only", NULL);
		return NULL;
	}
	if (!n->listen && !s->agent->address)
		return err_hint(err_new(EADDRNOTAVAIL, "this machine has no address that others could reach"),
				"Give one with --address or --listen.");
	if (n->listen)
		snprintf(address, sizeof(address), "%s", n->listen);
	else
		snprintf(address, sizeof(address), strchr(s->agent->address, ':') ? "[%s]:%d" : "%s:%d",
			 s->agent->address, AGENT_PORT);
	struct server_options o = {
		.address = address,
		.cert = c->cert,
		.key = c->key,
		.client_ca = c->ca,
		.max_connections = 256,
		.max_per_address = 128,
	};
	return open_door(s, DOOR_TLS, &o);
}

static err *open_socket(struct serve *s)
{
	auto_str struct str address = STR_INIT(4096), run = STR_INIT(4096);
	auto_close int dir = -1;

	TRY(place_run(&run));
	TRY(place_open(run.data, &dir));
	if (s->agent->options->socket)
		str_addf(&address, "unix:%s", s->agent->options->socket);
	else
		str_addf(&address, "unix:%s/agent.sock", run.data);
	TRY(str_check(&address));
	struct server_options o = { .address = address.data, .socket_mode = 0600, .max_connections = 256 };
	return open_door(s, DOOR_SOCKET, &o);
}

static err *open_doors(struct serve *s)
{
	const char *metrics = s->agent->options->metrics;

	TRY(open_socket(s));
	TRY(open_tls(s));
	if (!metrics)
		return NULL;
	struct server_options o = { .address = metrics, .max_connections = 64, .max_per_address = 32 };
	return open_door(s, DOOR_METRICS, &o);
}

err *serve_new(struct node_agent *agent, struct serve **ret)
{
	struct serve *s = calloc(1, sizeof(*s));

	if (!s)
		return err_oom();
	s->agent = agent;
	err *e = open_doors(s);
	if (e) {
		serve_free(s);
		return e;
	}
	*ret = s;
	return NULL;
}

void serve_free(struct serve *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < DOORS; i++)
		server_free(s->listeners[i].server);
	free(s);
}

uint16_t serve_port(const struct serve *s)
{
	return s->listeners[DOOR_TLS].server ? server_port(s->listeners[DOOR_TLS].server) : 0;
}

void serve_config(struct serve *s, const struct api_config *c)
{
	metrics_certificates(s->agent->metrics, c);
	if (!s->listeners[DOOR_TLS].server || !c->cert || !c->key || !c->ca)
		return;
	auto_err err *e = server_set_tls(s->listeners[DOOR_TLS].server, c->cert, c->key, c->ca);
	if (e)
		log_err(e);
}
