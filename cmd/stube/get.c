/* cmd/stube/get.c: stube get, and its shorter forms nodes and events. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/event.h"
#include "api/manifest.h"
#include "base/fd.h"
#include "cmd/stube/cluster.h"
#include "cmd/stube/commands.h"

struct get_args {
	struct cluster_args cluster;
	bool all_namespaces, watch, former, no_headers, show_labels;
	const char *output, *selector, *fields, *about;
	struct strv files;
};

#define OPT_STRUCT struct get_args
/* clang-format off */
#define GET_OPTIONS \
	OPT('o', "output",   CLI_CHOICE, output,   OUTPUT_CHOICES, "how to print them"), \
	OPT('w', "watch",    CLI_FLAG,   watch,    NULL,           "go on and print every change"), \
	OPT('l', "selector", CLI_STRING, selector, "SELECTOR",     "only those with these labels: app=web,tier in (a,b)"), \
	OPT(0,   "show-labels", CLI_FLAG, show_labels, NULL,       "a table with the labels, too"), \
	OPT(0,   "no-headers", CLI_FLAG, no_headers, NULL,         "a table without the columns' names")
#define GET_NAMESPACES \
	OPT('A', "all-namespaces", CLI_FLAG, all_namespaces, NULL, "of all namespaces")
static const struct cli_option get_options[] = {
	GET_OPTIONS,
	OPT('f', "file",     CLI_LIST,   files,    "FILE",         "those that these manifests name; may be repeated"),
	OPT(0,   "field-selector", CLI_STRING, fields, "SELECTOR", "only those with these fields: spec.nodeName=a"),
	GET_NAMESPACES,
	CLUSTER_OPTIONS,
	{0}
};
static const struct cli_option nodes_options[] = {
	GET_OPTIONS,
	CLUSTER_OPTIONS,
	{0}
};
static const struct cli_option events_options[] = {
	OPT(0,   "for",      CLI_STRING, about,    "TYPE/NAME",    "only of this object"),
	OPT(0,   "former",   CLI_FLAG,   former,   NULL,           "with --for: also of earlier objects of that name"),
	GET_OPTIONS,
	GET_NAMESPACES,
	CLUSTER_OPTIONS,
	{0}
};
/* clang-format on */

struct getting {
	struct cluster *c;
	const struct get_args *args;
	const char *namespace;
	enum output output;
	bool single; /* one named object: no List around it */
};

static bool is_table(const struct getting *g)
{
	return g->output == OUTPUT_TABLE || g->output == OUTPUT_WIDE;
}

/* All objects that a target means: one by name, or a list. */
static err *fetch(const struct getting *g, const struct target *t, struct object_list *ret)
{
	const char *namespace = t->kind->namespaced ? g->namespace : NULL;
	struct api_query query = { .labels = g->args->selector, .fields = g->args->fields };

	if (!t->name) {
		TRY(api_list(g->c->client, g->c->arena, t->kind, namespace, &query, ret));
		if (t->kind->id == KIND_EVENT)
			events_sort(ret);
		return NULL;
	}
	TRY_ALLOC(g->c->arena, ret->items, arena_array(g->c->arena, 1, sizeof(*ret->items)));
	ret->count = 1;
	TRY(api_get(g->c->client, g->c->arena, t->kind, namespace, t->name, &ret->items[0]));
	ret->resource_version = ret->items[0]->metadata.resource_version;
	return NULL;
}

static err *open_rows(const struct getting *g, const struct kind *kind, struct rows **ret)
{
	TRY(rows_new(kind, g->output == OUTPUT_WIDE, !g->namespace, ret));
	if (g->args->no_headers)
		rows_no_headers(*ret);
	if (g->args->show_labels)
		rows_show_labels(*ret);
	return NULL;
}

static err *print_table(const struct getting *g, const struct kind *kind, const struct object_list *list)
{
	auto_rows struct rows *rows = NULL;

	TRY(open_rows(g, kind, &rows));
	for (size_t i = 0; i < list->count; i++)
		rows_add(rows, list->items[i]);
	return rows_print(rows);
}

/* Types one after the other: a table each, or one List of all. */
static err *get_all(const struct getting *g, const struct targets *targets)
{
	struct object_list all = { 0 }, list;
	struct object **grown;
	bool printed = false;

	for (size_t i = 0; i < targets->count; i++) {
		const struct kind *kind = targets->items[i].kind;
		TRY(fetch(g, &targets->items[i], &list));
		TRY_ALLOC(g->c->arena, grown, arena_array(g->c->arena, all.count + list.count, sizeof(*grown)));
		if (all.count)
			memcpy(grown, all.items, all.count * sizeof(*grown));
		if (list.count)
			memcpy(grown + all.count, list.items, list.count * sizeof(*grown));
		all = (struct object_list){ grown, all.count + list.count, NULL };
		/* Objects of one type named one by one make one table. */
		if (!is_table(g) || (i + 1 < targets->count && targets->items[i + 1].kind == kind))
			continue;
		if (all.count == 0)
			continue;
		if (printed)
			printf("\n");
		fflush(stdout);
		TRY(print_table(g, kind, &all));
		printed = true;
		all = (struct object_list){ 0 };
	}
	if (!is_table(g))
		return output_objects(all.items, all.count, !g->single, g->output);
	if (!printed)
		fprintf(stderr, g->namespace && targets->items[0].kind->namespaced ? "nothing found in namespace '%s'\n" :
										     "nothing found\n",
			g->namespace);
	return NULL;
}

/* ---- --watch ---- */

struct watching {
	const struct getting *g;
	struct rows *rows;
	bool synced;
};

static atomic_bool interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = true;
}

/* A line each, as the API's own watches have them: readers need not find where a document ends. */
static err *print_event(const struct watch_event *event)
{
	static const char *const types[] = {
		[WATCH_ADDED] = "ADDED", [WATCH_MODIFIED] = "MODIFIED", [WATCH_DELETED] = "DELETED"
	};
	auto_str struct str out = STR_INIT(64 << 20);

	str_addf(&out, "{\"type\":\"%s\",\"object\":", types[event->type]);
	object_encode(&out, event->object, 0);
	str_add(&out, "}\n");
	TRY(str_check(&out));
	return fd_write_all(STDOUT_FILENO, out.data, out.len);
}

static err *on_event(const struct watch_event *event, void *user)
{
	struct watching *w = user;

	if (event->type == WATCH_SYNCED)
		w->synced = true;
	if (is_table(w->g)) {
		if (event->object)
			rows_add(w->rows, event->object);
		/* The first table is printed whole, for its columns' widths. */
		return w->synced && (event->object || event->type == WATCH_SYNCED) ? rows_print(w->rows) : NULL;
	}
	if (!event->object)
		return NULL;
	if (w->g->output == OUTPUT_JSON)
		return print_event(event);
	if (w->g->output == OUTPUT_YAML)
		printf("---\n");
	fflush(stdout);
	return output_object(event->object, w->g->output);
}

static err *watch_all(const struct getting *g, const struct targets *targets)
{
	const struct target *t = &targets->items[0];
	struct watching w = { .g = g };
	struct api_query query = { .labels = g->args->selector, .fields = g->args->fields };
	struct sigaction action = { .sa_handler = on_signal };

	if (targets->count != 1)
		return err_new(EINVAL, "--watch: one type at a time");
	if (t->name)
		TRY_ALLOC(g->c->arena, query.fields,
			  arena_printf(g->c->arena, "%s%smetadata.name=%s", query.fields ? query.fields : "",
				       query.fields ? "," : "", t->name));
	auto_rows struct rows *rows = NULL;
	TRY(open_rows(g, t->kind, &rows));
	rows_wide_enough(rows);
	w.rows = rows;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	err *e = api_follow(g->c->client, t->kind, t->kind->namespaced ? g->namespace : NULL, &query, on_event, NULL, &w,
			    &interrupted);
	if (e && e->code == ECANCELED) {
		err_free(e);
		return NULL;
	}
	return e;
}

static err *targets_of_manifests(struct cluster *c, const struct strv *files, struct targets *ret)
{
	struct manifest m;

	TRY(manifest_read(c->arena, files, &m));
	*ret = (struct targets){ .count = m.count };
	TRY_ALLOC(c->arena, ret->items, arena_array(c->arena, m.count, sizeof(*ret->items)));
	for (size_t i = 0; i < m.count; i++) {
		const struct meta *meta = &m.items[i].object->metadata;
		if (!meta->name)
			return err_new(EINVAL, "%s: metadata.name: required to find it", m.items[i].source);
		if (meta->namespace && !str_equal(meta->namespace, c->namespace))
			return err_hint(err_new(EINVAL, "%s: is of namespace '%s', not '%s'",
						m.items[i].source, meta->namespace, c->namespace),
					"Ask for one namespace at a time, with --namespace.");
		ret->items[i] = (struct target){ kind_of(m.items[i].object), meta->name };
	}
	return NULL;
}

static err *get(const struct get_args *a, char **operands, size_t count, int *ret_status)
{
	auto_cluster struct cluster c = { 0 };
	struct targets targets;

	TRY(cluster_open(&a->cluster, &c));
	if (a->files.count > 0)
		TRY(targets_of_manifests(&c, &a->files, &targets));
	else
		TRY_USAGE(ret_status, targets_parse(c.arena, operands, count, &targets));
	struct getting g = {
		.c = &c, .args = a, .namespace = a->all_namespaces ? NULL : c.namespace,
		.output = output_parse(a->output), .single = targets.count == 1 && targets.items[0].name,
	};
	for (size_t i = 0; i < targets.count; i++)
		if (targets.items[i].name && a->all_namespaces && targets.items[i].kind->namespaced)
			return err_new(EINVAL, "--all-namespaces: a NAME is of one namespace only");
	return a->watch ? watch_all(&g, &targets) : get_all(&g, &targets);
}

static err *get_run(const struct cli_context *c, int *ret_status)
{
	const struct get_args *a = c->args;

	if ((a->files.count > 0) == (c->operand_count > 0)) {
		*ret_status = CLI_USAGE;
		return err_new(EINVAL, "say what: TYPE, TYPE/NAME, or --file FILE");
	}
	return get(a, c->operands, c->operand_count, ret_status);
}

static err *nodes_run(const struct cli_context *c, int *ret_status)
{
	char *operands[] = { (char[]){ "nodes" } };

	return get(c->args, operands, 1, ret_status);
}

/* Only those of the object that is there now; when it has gone, of all that had its name. */
static err *about_fields(const struct get_args *a, const struct target *about, struct str *fields)
{
	auto_cluster struct cluster c = { 0 };
	struct object *object;

	str_addf(fields, "involvedObject.kind=%s,involvedObject.name=%s", about->kind->name, about->name);
	if (!a->former && !a->all_namespaces) {
		TRY(cluster_open(&a->cluster, &c));
		err *e = api_get(c.client, c.arena, about->kind, target_namespace(&c, about->kind),
				 about->name, &object);
		if (!e)
			str_addf(fields, ",involvedObject.uid=%s", object->metadata.uid);
		else if (e->code != ENOENT)
			return e;
		err_free(e);
	}
	return str_check(fields);
}

static err *events_run(const struct cli_context *c, int *ret_status)
{
	struct get_args a = *(const struct get_args *)c->args;
	char *operands[] = { (char[]){ "events" } };
	auto_str struct str fields = STR_INIT(4096);
	static const enum kind_id any[] = { KIND_POD, KIND_NODE, KIND_DEPLOYMENT, KIND_REPLICASET, KIND_CLAIM,
					    KIND_NAMESPACE, KIND_COUNT };
	struct target about;

	if (a.about) {
		auto_free char *copy = strdup(a.about);
		if (!copy)
			return err_oom();
		TRY_USAGE(ret_status, err_wrap(target_parse(copy, any, &about), "--for"));
		if (!about.kind->namespaced && !a.all_namespaces)
			a.cluster.namespace = "default"; /* where events of what has no namespace lie */
		TRY(about_fields(&a, &about, &fields));
		a.fields = fields.data;
	}
	return get(&a, operands, 1, ret_status);
}

const struct cli_command cmd_get = {
	.name = "get",
	.operands = "TYPE[,TYPE]... | TYPE NAME... | TYPE/NAME...",
	.summary = "List objects of the cluster, or show some",
	.example = "stube get pods\n"
		   "stube get deployments,pods --selector app=portal --output wide\n"
		   "stube get deployment/portal --output yaml\n"
		   "stube get pods --watch --output json",
	.notes = "TYPEs and their short names: namespaces (ns), nodes (no), pods (po),\n"
		 "persistentvolumeclaims (pvc), events (ev), deployments (deploy), replicasets (rs),\n"
		 "leases; \"all\" is pods, replicasets, deployments and persistentvolumeclaims.\n"
		 "--watch --output json prints a line for each change: "
		 "{\"type\":\"MODIFIED\",\"object\":{...}}.\n\n" CLUSTER_NOTES,
	.options = get_options,
	.args_size = sizeof(struct get_args),
	.max = SIZE_MAX,
	.run = get_run,
};

const struct cli_command cmd_nodes = {
	.name = "nodes",
	.summary = "List the nodes of the cluster",
	.example = "stube nodes --output wide",
	.notes = CLUSTER_NOTES,
	.options = nodes_options,
	.args_size = sizeof(struct get_args),
	.run = nodes_run,
};

const struct cli_command cmd_events = {
	.name = "events",
	.summary = "List what happened, the newest last",
	.example = "stube events --for pod/portal-7d5b8c-x2x9k\nstube events --watch",
	.notes = CLUSTER_NOTES,
	.options = events_options,
	.args_size = sizeof(struct get_args),
	.run = events_run,
};
