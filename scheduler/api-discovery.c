/* scheduler/api-discovery.c: paths that are no objects: what there is, how we are, and the reports for
 * people. */
#include <stdio.h>
#include <string.h>

#include "base/cli.h"
#include "scheduler/api-internal.h"

/* The Kubernetes release whose API the tables follow. */
#define KUBERNETES_MINOR "33"

static void answer_json(struct call *c, const struct str *body)
{
	call_answer(c, 200, API_JSON, body, 0);
}

/* ---- groups ---- */

/* With resources in them: kubectl takes an empty one for a failure. */
/* clang-format off */
static const struct {
	const char *group, *version;
} groups[] = {
	{ "apps", "v1" },
	{ "coordination.k8s.io", "v1" },
};
/* clang-format on */

static void write_version(struct json_writer *w, const char *group, const char *version)
{
	char both[128];

	snprintf(both, sizeof(both), "%s/%s", group, version);
	json_begin_object(w);
	json_member_string(w, "groupVersion", both);
	json_member_string(w, "version", version);
	json_end_object(w);
}

static void write_group(struct json_writer *w, size_t i, bool whole)
{
	json_begin_object(w);
	if (whole) {
		json_member_string(w, "kind", "APIGroup");
		json_member_string(w, "apiVersion", "v1");
	}
	json_member_string(w, "name", groups[i].group);
	json_key(w, "versions");
	json_begin_array(w);
	write_version(w, groups[i].group, groups[i].version);
	json_end_array(w);
	json_key(w, "preferredVersion");
	write_version(w, groups[i].group, groups[i].version);
	json_end_object(w);
}

static err *versions(struct call *c, const char *rest)
{
	auto_str struct str body = STR_INIT(4096);

	(void)rest;
	str_add(&body,
		"{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],\"serverAddressByClientCIDRs\":[]}\n");
	answer_json(c, &body);
	return NULL;
}

static err *group_list(struct call *c, const char *rest)
{
	auto_str struct str body = STR_INIT(1 << 16);
	struct json_writer w = JSON_WRITER(&body, 0);

	(void)rest;
	json_begin_object(&w);
	json_member_string(&w, "kind", "APIGroupList");
	json_member_string(&w, "apiVersion", "v1");
	json_key(&w, "groups");
	json_begin_array(&w);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		write_group(&w, i, false);
	json_end_array(&w);
	json_end_object(&w);
	answer_json(c, &body);
	return NULL;
}

/* ---- resources ---- */

static void write_strings(struct json_writer *w, const char *key, const char *const *texts)
{
	json_key(w, key);
	json_begin_array(w);
	for (; *texts; texts++)
		json_string(w, *texts);
	json_end_array(w);
}

static void write_short_names(struct json_writer *w, const struct kind *kind)
{
	const char *at = kind->short_names;
	char name[32];

	if (!*at)
		return;
	json_key(w, "shortNames");
	json_begin_array(w);
	while (*at) {
		size_t len = strcspn(at, ",");

		snprintf(name, sizeof(name), "%.*s", (int)len, at);
		json_string(w, name);
		at += len + (at[len] == ',');
	}
	json_end_array(w);
}

struct resource {
	const char *sub;		    /* "/status"; "" the object itself */
	const char *group, *version, *kind; /* of the subresource's document; NULL: the object's */
	const char *verbs[10];
};

static void write_resource(struct json_writer *w, const struct kind *kind, const struct resource *r)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s", kind->plural, r->sub);
	json_begin_object(w);
	json_member_string(w, "name", name);
	json_member_string(w, "singularName", r->sub[0] ? "" : kind->singular);
	json_member_bool(w, "namespaced", kind->namespaced);
	if (r->group) {
		json_member_string(w, "group", r->group);
		json_member_string(w, "version", r->version);
	}
	json_member_string(w, "kind", r->kind ? r->kind : kind->name);
	write_strings(w, "verbs", r->verbs);
	if (!r->sub[0])
		write_short_names(w, kind);
	json_end_object(w);
}

/* clang-format off */
static const struct resource whole = {
	"", NULL, NULL, NULL, { "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch" }
};
static const struct resource status = { "/status", NULL, NULL, NULL, { "get", "patch", "update" } };
static const struct resource scaling = { "/scale", "autoscaling", "v1", "Scale", { "get", "patch", "update" } };
static const struct resource of_pods[] = {
	{ "/binding",  NULL,     NULL, "Binding",  { "create" } },
	{ "/eviction", "policy", "v1", "Eviction", { "create" } },
	{ "/exec",     NULL,     NULL, "PodExecOptions", { "create", "get" } },
	{ "/log",      NULL,     NULL, NULL,       { "get" } },
};
/* clang-format on */

static void write_kind(struct json_writer *w, const struct kind *kind)
{
	write_resource(w, kind, &whole);
	if (kind->status)
		write_resource(w, kind, &status);
	if (kind->scale)
		write_resource(w, kind, &scaling);
	for (size_t i = 0; kind->id == KIND_POD && i < ARRAY_LEN(of_pods); i++)
		write_resource(w, kind, &of_pods[i]);
}

static void resources_of(struct call *c, const char *group, const char *version)
{
	auto_str struct str body = STR_INIT(1 << 16);
	struct json_writer w = JSON_WRITER(&body, 0);
	char both[128];

	snprintf(both, sizeof(both), "%s%s%s", group, group[0] ? "/" : "", version);
	json_begin_object(&w);
	json_member_string(&w, "kind", "APIResourceList");
	json_member_string(&w, "apiVersion", "v1");
	json_member_string(&w, "groupVersion", both);
	json_key(&w, "resources");
	json_begin_array(&w);
	for (int i = 0; i < KIND_COUNT; i++)
		if (str_equal(kinds[i].group, group))
			write_kind(&w, &kinds[i]);
	json_end_array(&w);
	json_end_object(&w);
	answer_json(c, &body);
}

static err *core_resources(struct call *c, const char *rest)
{
	(void)rest;
	resources_of(c, "", "v1");
	return NULL;
}

/* "/apis/apps" and "/apis/apps/v1" */
static err *group_or_resources(struct call *c, const char *rest)
{
	auto_str struct str body = STR_INIT(1 << 16);
	struct json_writer w = JSON_WRITER(&body, 0);

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		size_t len = strlen(groups[i].group);

		if (str_equal(rest, groups[i].group)) {
			write_group(&w, i, true);
			answer_json(c, &body);
			return NULL;
		}
		if (strncmp(rest, groups[i].group, len) == 0 && rest[len] == '/' &&
		    str_equal(rest + len + 1, groups[i].version)) {
			resources_of(c, groups[i].group, groups[i].version);
			return NULL;
		}
	}
	return err_new(ENOENT, "there is nothing at '/apis/%s'", rest);
}

/* ---- how we are ---- */

static err *version(struct call *c, const char *rest)
{
	auto_str struct str body = STR_INIT(4096);
	struct json_writer w = JSON_WRITER(&body, 0);
	char text[128];

	(void)rest;
	snprintf(text, sizeof(text), "v1." KUBERNETES_MINOR ".0+stube-%s", stube_version);
	json_begin_object(&w);
	json_member_string(&w, "major", "1");
	json_member_string(&w, "minor", KUBERNETES_MINOR);
	json_member_string(&w, "gitVersion", text);
	json_member_string(&w, "platform", "linux");
	json_end_object(&w);
	answer_json(c, &body);
	return NULL;
}

static err *alive(struct call *c, const char *rest)
{
	auto_str struct str body = STR_INIT(64);

	(void)rest;
	str_add(&body, "ok\n");
	call_answer(c, 200, "text/plain", &body, 0);
	return NULL;
}

/* Ready: writes are taken. */
static err *ready(struct call *c, const char *rest)
{
	auto_str struct str body = STR_INIT(256);
	struct store_stats stats;

	(void)rest;
	store_stats(c->s->store, &stats);
	str_add(&body, stats.full ? "store: the disk is full, writes are refused\n" : "ok\n");
	call_answer(c, stats.full ? 503 : 200, "text/plain", &body, 0);
	return NULL;
}

static err *figures(struct call *c, const char *rest)
{
	auto_str struct str body = STR_INIT(4 << 20);

	(void)rest;
	metrics_write(c->s->metrics, &body);
	call_answer(c, 200, "text/plain; version=0.0.4; charset=utf-8", &body, 0);
	return NULL;
}

/* clang-format off */
static const struct {
	const char *path;
	bool below;          /* the rest of the path is given to the handler */
	const char *method;
	err *(*handler)(struct call *c, const char *rest);
} plain_paths[] = {
	{ "/api",            false, "GET",  versions },
	{ "/api/v1",         false, "GET",  core_resources },
	{ "/apis",           false, "GET",  group_list },
	{ "/version",        false, "GET",  version },
	{ "/healthz",        false, "GET",  alive },
	{ "/livez",          false, "GET",  alive },
	{ "/readyz",         false, "GET",  ready },
	{ "/metrics",        false, "GET",  figures },
	{ "/apis/stube/v1/explain/namespaces/", true, "GET", report_explain },
	{ "/apis/stube/v1/drain/", true, "GET", report_drain },
	{ "/apis/stube/v1/plan", false, "POST", report_plan },
	{ "/apis/",          true,  "GET",  group_or_resources },
};
/* clang-format on */

/* "/api/" is "/api". */
static bool same_path(const char *path, const char *row)
{
	size_t len = strlen(row);

	return strncmp(path, row, len) == 0 && (path[len] == '\0' || str_equal(path + len, "/"));
}

bool discovery_answer(struct call *c, const char *method, const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(plain_paths); i++) {
		const char *row = plain_paths[i].path;
		auto_err err *e = NULL;

		if (plain_paths[i].below ? !str_starts_with(path, row) : !same_path(path, row))
			continue;
		if (str_equal(method, plain_paths[i].method))
			e = plain_paths[i].handler(c, path + strlen(row));
		else
			e = err_new(EOPNOTSUPP, "%s is not possible at '%s'", method, path);
		if (e)
			call_answer_error(c, e);
		return true;
	}
	return false;
}
