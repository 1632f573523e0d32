/* cmd/stube/get.c: stube get, and its shorter forms nodes and events. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/event.h"
#include "cmd/stube/cluster.h"
#include "cmd/stube/commands.h"

struct get_args {
	struct cluster_args cluster;
	bool all_namespaces, watch, no_heading;
	const char *output, *selector, *fields, *about;
};

#define OPT_STRUCT struct get_args
/* clang-format off */
#define GET_OPTIONS \
	OPT('o', "output",   CLI_CHOICE, output,   OUTPUT_CHOICES, "how to print them"), \
	OPT('w', "watch",    CLI_FLAG,   watch,    NULL,           "go on and print every change"), \
	OPT('l', "selector", CLI_STRING, selector, "SELECTOR",     "only those with these labels: app=web,tier in (a,b)")
#define GET_NAMESPACES \
	OPT('A', "all-namespaces", CLI_FLAG, all_namespaces, NULL, "of all namespaces")
static const struct cli_option get_options[] = {
	GET_OPTIONS,
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

static err *print_table(const struct getting *g, const struct kind *kind, const struct object_list *list)
{
	auto_rows struct rows *rows = NULL;

	TRY(rows_new(kind, g->output == OUTPUT_WIDE, !g->namespace, &rows));
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
	TRY(rows_new(t->kind, g->output == OUTPUT_WIDE, !g->namespace, &rows));
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

static err *get(const struct get_args *a, char **operands, size_t count)
{
	auto_cluster struct cluster c = { 0 };
	struct targets targets;

	TRY(cluster_open(&a->cluster, &c));
	TRY(targets_parse(c.arena, operands, count, &targets));
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
	(void)ret_status;
	return get(c->args, c->operands, c->operand_count);
}

static err *nodes_run(const struct cli_context *c, int *ret_status)
{
	char *operands[] = { (char[]){ "nodes" } };

	(void)ret_status;
	return get(c->args, operands, 1);
}

static err *events_run(const struct cli_context *c, int *ret_status)
{
	struct get_args a = *(const struct get_args *)c->args;
	char *operands[] = { (char[]){ "events" } };
	auto_str struct str fields = STR_INIT(4096);
	static const enum kind_id any[] = { KIND_POD, KIND_NODE, KIND_DEPLOYMENT, KIND_REPLICASET, KIND_CLAIM,
					    KIND_NAMESPACE, KIND_COUNT };
	struct target about;

	(void)ret_status;
	if (a.about) {
		auto_free char *copy = strdup(a.about);
		if (!copy)
			return err_oom();
		TRY(err_wrap(target_parse(copy, any, &about), "--for"));
		str_addf(&fields, "involvedObject.kind=%s,involvedObject.name=%s", about.kind->name, about.name);
		TRY(str_check(&fields));
		a.fields = fields.data;
	}
	return get(&a, operands, 1);
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
		 "leases; \"all\" is pods, replicasets, deployments and persistentvolumeclaims.\n\n"
		 CLUSTER_NOTES,
	.options = get_options,
	.args_size = sizeof(struct get_args),
	.min = 1,
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
