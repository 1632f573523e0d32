/* cmd/stube/delete.c: stube delete. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/manifest.h"
#include "base/clock.h"
#include "cmd/stube/cluster.h"
#include "cmd/stube/commands.h"

struct delete_args {
	struct cluster_args cluster;
	struct strv files;
	const char *selector, *output;
	int64_t grace, timeout;
	bool all, no_wait, orphan, ignore_missing;
};

#define OPT_STRUCT struct delete_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT('f', "file",     CLI_LIST,    files,    "FILE",     "what these manifests name; may be repeated"),
	OPT('l', "selector", CLI_STRING,  selector, "SELECTOR", "all of TYPE with these labels"),
	OPT(0,   "all",      CLI_FLAG,    all,      NULL,       "all of TYPE in the namespace"),
	OPT(0,   "grace",    CLI_SECONDS, grace,    "SECONDS",  "time for Pods to end by themselves (default: their own)"),
	OPT(0,   "orphan",   CLI_FLAG,    orphan,   NULL,       "leave what it owns, such as a Deployment's Pods"),
	OPT(0,   "ignore-missing", CLI_FLAG, ignore_missing, NULL, "what is not there is fine"),
	OPT(0,   "no-wait",  CLI_FLAG,    no_wait,  NULL,       "do not wait until it has gone"),
	OPT(0,   "timeout",  CLI_SECONDS, timeout,  "SECONDS",  "wait no longer than this (default: 5 minutes)"),
	CLUSTER_OPTIONS,
	{0}
};
/* clang-format on */

static void defaults(void *args)
{
	struct delete_args *a = args;

	a->grace = -1;
	a->timeout = 300 * (int64_t)NSEC_PER_SEC;
}

struct doomed {
	const struct kind *kind;
	const char *namespace, *name, *uid;
};
struct deleting {
	struct cluster *c;
	const struct delete_args *args;
	struct doomed *items;
	size_t count, cap;
};

static err *add(struct deleting *d, const struct kind *kind, const char *namespace, const char *name, const char *uid)
{
	struct doomed *grown;

	if (d->count == d->cap) {
		size_t cap = d->cap ? 2 * d->cap : 16;
		TRY_ALLOC(d->c->arena, grown, arena_array(d->c->arena, cap, sizeof(*grown)));
		if (d->count)
			memcpy(grown, d->items, d->count * sizeof(*grown));
		d->items = grown;
		d->cap = cap;
	}
	d->items[d->count++] = (struct doomed){ kind, namespace, name, uid };
	return NULL;
}

/* The last applied goes first: Pods before the Namespace that they are in. */
static err *from_manifests(struct deleting *d)
{
	struct manifest m;

	TRY(manifest_read(d->c->arena, &d->args->files, &m));
	manifest_sort(&m);
	for (size_t i = m.count; i-- > 0;) {
		const struct object *o = m.items[i].object;
		const struct kind *kind = kind_of(o);
		const char *namespace = o->metadata.namespace ? o->metadata.namespace : d->c->namespace;
		TRY(add(d, kind, kind->namespaced ? namespace : NULL, o->metadata.name, NULL));
	}
	return NULL;
}

static err *from_list(struct deleting *d, const struct kind *kind)
{
	struct api_query query = { .labels = d->args->selector };
	struct object_list list;

	TRY(api_list(d->c->client, d->c->arena, kind, target_namespace(d->c, kind), &query, &list));
	for (size_t i = 0; i < list.count; i++) {
		const struct meta *meta = &list.items[i]->metadata;
		TRY(add(d, kind, meta->namespace, meta->name, meta->uid));
	}
	return NULL;
}

static err *check_choice(const struct delete_args *a, const struct kind *kind)
{
	return a->selector || a->all ? NULL
				     : err_new(EINVAL, "all %s: say so with --all, or choose with --selector",
					       kind->plural);
}

static err *from_operands(struct deleting *d, char **operands, size_t count, int *ret_status)
{
	struct targets targets;

	TRY_USAGE(ret_status, targets_parse(d->c->arena, operands, count, &targets));
	for (size_t i = 0; i < targets.count; i++)
		if (!targets.items[i].name)
			TRY_USAGE(ret_status, check_choice(d->args, targets.items[i].kind));
	for (size_t i = 0; i < targets.count; i++) {
		const struct target *t = &targets.items[i];
		if (t->name)
			TRY(add(d, t->kind, target_namespace(d->c, t->kind), t->name, NULL));
		else
			TRY(from_list(d, t->kind));
	}
	return NULL;
}

static bool is_missing(err *e)
{
	if (!e || e->code != ENOENT)
		return false;
	err_free(e);
	return true;
}

/* Its uid first, so that nobody's new object of that name is waited for, or deleted in its place. */
static err *delete_one(struct deleting *d, struct doomed *o, bool *ret_missing)
{
	struct api_delete how = { .grace = d->args->grace < 0 ? -1 : d->args->grace / (int64_t)NSEC_PER_SEC,
				  .orphan = d->args->orphan };
	struct object *live;

	*ret_missing = false;
	if (!o->uid) {
		err *e = api_get(d->c->client, d->c->arena, o->kind, o->namespace, o->name, &live);
		if (d->args->ignore_missing && is_missing(e)) {
			*ret_missing = true;
			return NULL;
		}
		TRY(e);
		o->uid = live->metadata.uid;
	}
	how.uid = o->uid;
	return api_delete(d->c->client, o->kind, o->namespace, o->name, &how);
}

struct gone {
	const char *uid;
	bool gone;
};

static err *on_event(const struct watch_event *event, void *user)
{
	struct gone *g = user;

	if (event->type == WATCH_DELETED && str_equal(event->object->metadata.uid, g->uid))
		g->gone = true;
	return g->gone ? err_new(ECANCELED, "gone") : NULL;
}

/* Look, then watch from there on. */
static err *wait_gone(struct deleting *d, const struct doomed *o, int64_t end)
{
	auto_str struct str fields = STR_INIT(512);
	struct gone gone = { .uid = o->uid };

	str_addf(&fields, "metadata.name=%s", o->name);
	TRY(str_check(&fields));
	while (clock_monotonic() < end) {
		struct object_list list;
		struct api_query query = { .fields = fields.data };
		auto_arena struct arena *arena = NULL;
		TRY(arena_new(64 << 20, &arena));
		TRY(api_list(d->c->client, arena, o->kind, o->namespace, &query, &list));
		if (list.count == 0 || !str_equal(list.items[0]->metadata.uid, o->uid))
			return NULL;
		query.resource_version = list.resource_version;
		query.timeout = MIN(end - clock_monotonic(), 30 * (int64_t)NSEC_PER_SEC);
		err *e = api_watch(d->c->client, o->kind, o->namespace, &query, on_event, &gone, NULL);
		if (gone.gone) {
			err_free(e);
			return NULL;
		}
		if (e && e->code != EKEYEXPIRED && e->code != ETIMEDOUT)
			return e;
		err_free(e);
	}
	return err_new(ETIMEDOUT, "%s '%s' is still there", o->kind->name, o->name);
}

static err *delete_all(struct deleting *d)
{
	int64_t end = clock_monotonic() + d->args->timeout;
	bool missing;

	for (size_t i = 0; i < d->count; i++) {
		struct doomed *o = &d->items[i];
		TRY(delete_one(d, o, &missing));
		if (missing)
			o->uid = NULL;
		else
			printf("%s/%s %s\n", o->kind->singular, o->name, d->args->no_wait ? "is being deleted" : "deleted");
		fflush(stdout);
	}
	for (size_t i = 0; i < d->count && !d->args->no_wait; i++)
		if (d->items[i].uid)
			TRY(wait_gone(d, &d->items[i], end));
	return NULL;
}

static err *delete_run(const struct cli_context *c, int *ret_status)
{
	const struct delete_args *args = c->args;
	auto_cluster struct cluster cluster = { 0 };

	if ((args->files.count > 0) == (c->operand_count > 0)) {
		*ret_status = CLI_USAGE;
		return err_new(EINVAL, "say what: TYPE NAME, or --file FILE");
	}
	TRY(cluster_open(&args->cluster, &cluster));
	struct deleting d = { .c = &cluster, .args = args };
	if (args->files.count > 0)
		TRY(from_manifests(&d));
	else
		TRY(from_operands(&d, c->operands, c->operand_count, ret_status));
	return delete_all(&d);
}

const struct cli_command cmd_delete = {
	.name = "delete",
	.operands = "TYPE NAME... | TYPE/NAME... | TYPE",
	.summary = "Delete objects of the cluster, and wait until they have gone",
	.example = "stube delete deployment portal\n"
		   "stube delete pods --selector app=portal\n"
		   "stube delete --file portal.yaml",
	.notes = CLUSTER_NOTES,
	.options = options,
	.args_size = sizeof(struct delete_args),
	.defaults = defaults,
	.max = SIZE_MAX,
	.run = delete_run,
};
