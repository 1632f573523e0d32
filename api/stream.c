/* api/stream.c: a node's agent, found through the API; logs from it. */
#include <sys/stat.h>
#include <unistd.h>

#include "api/client-internal.h"
#include "api/node.h"
#include "api/pod.h"

#define LOOKUP_ARENA (32u << 20)

void agent_done(struct agent *a)
{
	http_client_free(a->http);
	free(a->base);
	free(a->server);
}

/* ---- where it is ---- */

static const char *node_address(const struct node *node)
{
	static const char *const types[] = { "InternalIP", "Hostname" };

	for (size_t t = 0; t < ARRAY_LEN(types); t++)
		for (size_t i = 0; i < node->status.addresses.count; i++)
			if (str_equal(node->status.addresses.items[i].type, types[t]))
				return node->status.addresses.items[i].address;
	return NULL;
}

static err *set_text(char **place, struct str *text)
{
	TRY(str_check(text));
	*place = str_take(text);
	return *place ? NULL : err_oom();
}

static err *by_tls(struct api_client *c, const struct node *node, struct agent *ret)
{
	auto_str struct str base = STR_INIT(URL_MAX), server = STR_INIT(URL_MAX);
	const char *address = node_address(node), *name = node->metadata.name;

	if (!address || !node->status.agent_port)
		return err_new(EHOSTUNREACH, "the agent of node '%s' has not told yet where it listens",
			       name);
	bool v6 = strchr(address, ':') != NULL;
	str_addf(&base, "https://%s%s%s:%u", v6 ? "[" : "", address, v6 ? "]" : "", node->status.agent_port);
	str_addf(&server, "agent of node '%s', %s", name, base.data);
	TRY(set_text(&ret->base, &base));
	TRY(set_text(&ret->server, &server));
	ret->client.http = c->http;
	return NULL;
}

/* Without a certificate, only this machine's agent can be asked, by its socket. */
static err *by_socket(struct api_client *c, const char *name, struct agent *ret)
{
	auto_str struct str path = STR_INIT(4096), base = STR_INIT(64), server = STR_INIT(8192);
	struct stat st;

	str_addf(&path, "%s/agent.sock", c->run_dir ? c->run_dir : "");
	if (!c->run_dir || stat(path.data, &st) < 0 || !S_ISSOCK(st.st_mode))
		return err_hint(
			err_new(EHOSTUNREACH,
				"the agent of node '%s' wants a certificate, which this configuration lacks,"
				" and there is no agent on this machine",
				name),
			"`stube pki issue admin` makes a configuration with one; name it by --config.");
	struct http_options options = {
		.user_agent = c->user_agent,
		.unix_socket = path.data,
		.connect_timeout = 5 * SECOND,
	};
	str_add(&base, "http://localhost");
	str_addf(&server, "agent of this machine, unix://%s", path.data);
	TRY(set_text(&ret->base, &base));
	TRY(set_text(&ret->server, &server));
	TRY(http_client_new(&options, &ret->http));
	ret->client.http = ret->http;
	return NULL;
}

static err *find_agent(struct api_client *c, const struct node *node, struct agent *ret)
{
	ret->client = *c;
	ret->client.local = false;
	TRY(c->cert ? by_tls(c, node, ret) : by_socket(c, node->metadata.name, ret));
	ret->client.base = ret->base;
	ret->client.server = ret->server;
	return NULL;
}

/* ---- of a node ---- */

err *agent_of_node(struct api_client *c, struct arena *arena, const char *name, struct agent *ret)
{
	struct object *node = NULL;

	TRY(api_get(c, arena, &kinds[KIND_NODE], NULL, name, &node));
	struct subject s = { &kinds[KIND_NODE], NULL, name };
	return client_error(c, &s, find_agent(c, (const struct node *)(const void *)node, ret));
}

/* The socket leads to this machine's agent, whichever node was asked for. */
static err *check_this_machine(const struct agent *a, const char *node)
{
	char host[256] = "";

	if (!a->http || (gethostname(host, sizeof(host) - 1) == 0 && str_equal(host, node)))
		return NULL;
	return err_hint(err_new(EHOSTUNREACH,
				"Node '%s': is another machine, whose agent wants a certificate, which this"
				" configuration lacks",
				node),
			"`stube pki issue admin` makes a configuration with one; name it by --config.");
}

err *api_node_raw(struct api_client *c, const char *node, const char *path, struct str *out)
{
	auto_arena struct arena *arena = NULL;
	auto_agent struct agent a = { 0 };

	TRY(arena_new(LOOKUP_ARENA, &arena));
	TRY(agent_of_node(c, arena, node, &a));
	TRY(check_this_machine(&a, node));
	return api_raw(&a.client, "GET", path, NULL, NULL, out);
}

/* ---- of a Pod ---- */

static err *choose_container(const struct pod *pod, const char *wanted, const char **ret)
{
	auto_str struct str names = STR_INIT(16 << 10);

	for (size_t i = 0; i < pod->spec.containers.count; i++) {
		const char *name = pod->spec.containers.items[i].name;
		if (wanted ? str_equal(name, wanted) : pod->spec.containers.count == 1) {
			*ret = name;
			return NULL;
		}
		str_addf(&names, "%s'%s'", i ? ", " : "", name);
	}
	if (wanted)
		return err_new(ENOENT, "has no container '%s', only %s", wanted, names.data);
	return err_new(EINVAL, "has several containers: say which of %s", names.data);
}

static err *check_pod(const struct pod *pod, const char *container, const char **ret_container)
{
	TRY(choose_container(pod, container, ret_container));
	if (!pod->spec.node_name || !*pod->spec.node_name)
		return err_new(EAGAIN, "is on no node yet");
	return NULL;
}

err *agent_of_pod(struct api_client *c, struct arena *arena, const struct subject *s, const char *container,
		  struct agent *ret, const char **ret_container)
{
	struct object *object = NULL, *node = NULL;

	TRY(api_get(c, arena, s->kind, s->namespace, s->name, &object));
	const struct pod *pod = (const struct pod *)(const void *)object;
	TRY(client_error(c, s, check_pod(pod, container, ret_container)));
	TRY(api_get(c, arena, &kinds[KIND_NODE], NULL, pod->spec.node_name, &node));
	return client_error(c, s, find_agent(c, (const struct node *)(const void *)node, ret));
}

/* The parts are names that the API has given: nothing in them needs to be escaped, but who knows. */
void agent_path(const struct agent *a, const char *what, const struct subject *pod, const char *container,
		struct str *out)
{
	const char *parts[] = { what, pod->namespace, pod->name, container };

	str_add(out, a->base);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		str_add_char(out, '/');
		client_escape(out, parts[i]);
	}
}

/* ---- logs ---- */

struct log_reading {
	api_bytes_fn *fn;
	void *user;
	err *failure;
};

static err *on_bytes(const void *bytes, size_t len, void *user)
{
	struct log_reading *r = user;

	r->failure = r->fn(bytes, len, r->user);
	return r->failure ? err_new(ECANCELED, "ended by us") : NULL;
}

static void log_url(const struct agent *a, const struct subject *s, const char *container,
		    const struct api_log_query *q, struct str *out)
{
	char time[CLOCK_TEXT_MAX];

	agent_path(a, "containerLogs", s, container, out);
	client_query(out, "follow", q->follow ? "true" : NULL);
	client_query(out, "timestamps", q->timestamps ? "true" : NULL);
	client_query(out, "previous", q->previous ? "true" : NULL);
	client_query(out, "sinceTime", q->since ? clock_text(q->since, true, time) : NULL);
	if (q->tail >= 0)
		client_query_int(out, "tailLines", q->tail);
}

/* A log may be silent for days: its end is told by the connection, which TCP keeps alive. */
static err *read_log(const struct subject *s, const char *container, struct agent *a,
		     const struct api_log_query *q, struct log_reading *r, const atomic_bool *cancel)
{
	auto_str struct str url = STR_INIT(URL_MAX);

	log_url(a, s, container, q, &url);
	TRY(str_check(&url));
	struct call call = {
		.method = "GET",
		.url = url.data,
		.accept = "*/*",
		.subject = *s,
		.sink = on_bytes,
		.user = r,
		.cancel = cancel,
		.endless = true,
		.stall_timeout = q->follow ? -1 : 60 * SECOND,
	};
	err *e = client_call(&a->client, &call, NULL);
	if (!r->failure)
		return e;
	err_free(e);
	return TAKE(r->failure);
}

err *api_log(struct api_client *c, const char *namespace, const char *pod, const struct api_log_query *query,
	     api_bytes_fn *fn, void *user, const atomic_bool *cancel)
{
	auto_arena struct arena *arena = NULL;
	auto_agent struct agent a = { 0 };
	struct subject s = { &kinds[KIND_POD], client_namespace(c, &kinds[KIND_POD], namespace), pod };
	struct log_reading reading = { .fn = fn, .user = user };
	const char *container = NULL;

	TRY(arena_new(LOOKUP_ARENA, &arena));
	TRY(agent_of_pod(c, arena, &s, query->container, &a, &container));
	return read_log(&s, container, &a, query, &reading, cancel);
}
