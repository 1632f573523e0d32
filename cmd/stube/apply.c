/* cmd/stube/apply.c: stube apply: make the cluster hold what manifests say. */
#include <stdio.h>
#include <string.h>

#include "api/apply.h"
#include "api/deployment.h"
#include "api/manifest.h"
#include "base/clock.h"
#include "cmd/stube/cluster.h"
#include "cmd/stube/commands.h"

struct apply_args {
	struct cluster_args cluster;
	struct strv files;
	bool dry_run, wait;
	int64_t timeout;
	const char *output;
};

#define OPT_STRUCT struct apply_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT('f', "file",    CLI_LIST,    files,   "FILE",    "a manifest, a directory of manifests, or - for standard input; may be repeated"),
	OPT(0,   "dry-run", CLI_FLAG,    dry_run, NULL,      "let the server check, change nothing"),
	OPT(0,   "wait",    CLI_FLAG,    wait,    NULL,      "wait until the Deployments are complete"),
	OPT(0,   "timeout", CLI_SECONDS, timeout, "SECONDS", "with --wait: give up then (default: 10 minutes)"),
	OPT('o', "output",  CLI_CHOICE,  output,  "table|json|yaml|name", "print the objects as they are then"),
	CLUSTER_OPTIONS,
	{0}
};
/* clang-format on */

static void defaults(void *args)
{
	((struct apply_args *)args)->timeout = 600 * (int64_t)NSEC_PER_SEC;
}

struct applying {
	struct cluster *c;
	const struct apply_args *args;
	struct object_list results;
};

static err *to_text(struct str *out, const json *tree)
{
	struct json_writer w = JSON_WRITER(out, 0);

	json_tree(&w, tree);
	return str_check(out);
}

static err *create(struct applying *a, const struct manifest_item *item, struct object **ret)
{
	struct object *object;
	json *annotated;

	TRY(apply_annotate(a->c->arena, item->tree, &annotated));
	TRY(object_decode_tree(a->c->arena, item->source, annotated, kind_of(item->object), 0, &object));
	object->metadata.namespace = item->object->metadata.namespace;
	return api_create(a->c->client, a->c->arena, object, a->args->dry_run, ret);
}

/* The annotation in the patch is the manifest's own text: next time we know what was ours. */
static err *make_patch(struct arena *arena, const struct manifest_item *item, const struct object *live, struct str *out)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	json *annotated, *tree, *patch;

	object_encode(&text, live, 0);
	TRY(str_check(&text));
	TRY(json_parse(arena, "object", text.data, text.len, &tree));
	TRY(apply_annotate(arena, item->tree, &annotated));
	TRY(apply_patch(arena, apply_last(arena, tree), annotated, tree, &patch));
	if (patch->object.count == 0)
		return NULL;
	return to_text(out, patch);
}

/* A dry run has no way of its own for patches: the server checks the merged object as a replacement. */
static err *dry_replace(struct applying *a, const struct manifest_item *item, struct object *live, struct object **ret)
{
	struct object *wanted = item->object;

	wanted->metadata.uid = live->metadata.uid;
	wanted->metadata.resource_version = live->metadata.resource_version;
	return api_replace(a->c->client, a->c->arena, wanted, NULL, true, ret);
}

/* *ret_word: what became of it, for people. */
static err *apply_one(struct applying *a, const struct manifest_item *item, struct object **ret, const char **ret_word)
{
	const struct kind *kind = kind_of(item->object);
	const struct meta *meta = &item->object->metadata;
	const char *namespace = kind->namespaced ? meta->namespace : NULL;
	auto_str struct str patch = STR_INIT(JSON_SIZE_MAX);
	struct object *live;

	*ret_word = "created";
	err *e = api_get(a->c->client, a->c->arena, kind, namespace, meta->name, &live);
	if (e && e->code == ENOENT) {
		err_free(e);
		return create(a, item, ret);
	}
	TRY(e);
	TRY(make_patch(a->c->arena, item, live, &patch));
	*ret = live;
	*ret_word = "unchanged";
	if (patch.len == 0)
		return NULL;
	if (a->args->dry_run)
		TRY(dry_replace(a, item, live, ret));
	else
		TRY(api_patch(a->c->client, a->c->arena, kind, namespace, meta->name, NULL, patch.data, ret));
	if (!str_equal(live->metadata.resource_version, (*ret)->metadata.resource_version) || a->args->dry_run)
		*ret_word = "configured";
	return NULL;
}

static err *apply_all(struct applying *a, struct manifest *m)
{
	enum output output = output_parse(a->args->output);
	auto_str struct str label = STR_INIT(1024);
	const char *word;

	TRY_ALLOC(a->c->arena, a->results.items, arena_array(a->c->arena, m->count, sizeof(*a->results.items)));
	for (size_t i = 0; i < m->count; i++) {
		struct meta *meta = &m->items[i].object->metadata;
		if (!meta->name)
			return err_new(EINVAL, "%s: metadata.name: required to apply it again later", m->items[i].source);
		if (kind_of(m->items[i].object)->namespaced && !meta->namespace)
			meta->namespace = a->c->namespace;
		TRY(err_wrap(apply_one(a, &m->items[i], &a->results.items[i], &word), "%s", m->items[i].source));
		a->results.count++;
		if (output != OUTPUT_TABLE)
			continue;
		str_clear(&label);
		object_label(a->results.items[i], &label);
		printf("%s %s%s\n", label.data, word, a->args->dry_run ? " (dry run)" : "");
		fflush(stdout);
	}
	return output == OUTPUT_TABLE ? NULL : output_objects(a->results.items, a->results.count, a->results.count > 1, output);
}

static err *wait_all(struct applying *a, int *ret_status)
{
	int64_t end = clock_monotonic() + a->args->timeout;

	for (size_t i = 0; i < a->results.count; i++) {
		const struct object *o = a->results.items[i];
		if (kind_of(o)->id != KIND_DEPLOYMENT)
			continue;
		int64_t left = end - clock_monotonic();
		TRY(rollout_wait(a->c, o->metadata.namespace, o->metadata.name, MAX(left, 1),
				 output_parse(a->args->output) != OUTPUT_TABLE, ret_status));
	}
	return NULL;
}

static err *apply_run(const struct cli_context *c, int *ret_status)
{
	const struct apply_args *args = c->args;
	auto_cluster struct cluster cluster = { 0 };
	auto_arena struct arena *arena = NULL;
	struct manifest manifest;

	if (args->files.count == 0 || c->operand_count > 0) {
		*ret_status = CLI_USAGE;
		return c->operand_count ? err_new(EINVAL, "say which manifests: --file %s", c->operands[0])
					: err_new(EINVAL, "say which manifests: --file FILE");
	}
	/* Before the cluster is asked for: a wrong manifest is told without one. */
	TRY(arena_new(512 << 20, &arena));
	TRY(manifest_read(arena, &args->files, &manifest));
	manifest_sort(&manifest);
	TRY(cluster_open(&args->cluster, &cluster));
	struct applying a = { .c = &cluster, .args = args };
	TRY(apply_all(&a, &manifest));
	return args->wait && !args->dry_run ? wait_all(&a, ret_status) : NULL;
}

const struct cli_command cmd_apply = {
	.name = "apply",
	.summary = "Make the cluster hold what manifests say",
	.example = "stube apply --file portal.yaml --wait\n"
		   "kubectl create deployment web --image=example.org/web:1 --dry-run=client -o yaml | stube "
		   "apply --file -",
	.notes = "What was applied before and is in the manifest no more is removed; what others have set,\n"
		 "such as the number of replicas where the manifest names none, stays. Nothing is sent "
		 "unless\n"
		 "all manifests are right. Exit status: 0 done, with --wait 3 when a rollout is not complete "
		 "in time,\n"
		 "1 another failure.\n\n" CLUSTER_NOTES,
	.options = options,
	.args_size = sizeof(struct apply_args),
	.defaults = defaults,
	.max = SIZE_MAX, /* none: for a better word than 'takes no operand' */
	.run = apply_run,
};
