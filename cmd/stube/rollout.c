/* cmd/stube/rollout.c: stube rollout and stube scale: the revisions of a Deployment. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/deployment.h"
#include "base/clock.h"
#include "cmd/stube/cluster.h"
#include "cmd/stube/commands.h"

struct rollout_args {
	struct cluster_args cluster;
	int64_t timeout;
	uint64_t revision, replicas;
	const char *output;
	bool no_wait;
};

#define OPT_STRUCT struct rollout_args
/* clang-format off */
static const struct cli_option status_options[] = {
	OPT(0,   "timeout",  CLI_SECONDS, timeout,  "SECONDS", "give up then (default: 10 minutes)"),
	OPT(0,   "no-wait",  CLI_FLAG,    no_wait,  NULL,      "say where it stands, do not wait"),
	CLUSTER_OPTIONS,
	{0}
};
static const struct cli_option history_options[] = {
	OPT('o', "output",   CLI_CHOICE,  output,   "table|json|yaml|name", "how to print the revisions, which are ReplicaSets"),
	CLUSTER_OPTIONS,
	{0}
};
static const struct cli_option undo_options[] = {
	OPT(0,   "to-revision", CLI_UINT, revision, "N",       "go back to this one (default: the one before)"),
	CLUSTER_OPTIONS,
	{0}
};
static const struct cli_option change_options[] = {
	CLUSTER_OPTIONS,
	{0}
};
static const struct cli_option scale_options[] = {
	OPT(0,   "replicas", CLI_UINT,    replicas, "N",       "so many instances"),
	CLUSTER_OPTIONS,
	{0}
};
/* clang-format on */

static const enum kind_id deployments_only[] = { KIND_DEPLOYMENT, KIND_COUNT };

static void defaults(void *args)
{
	struct rollout_args *a = args;

	a->timeout = 600 * (int64_t)NSEC_PER_SEC;
	a->replicas = UINT64_MAX;
}

static err *open_target(const struct cli_context *c, struct cluster *cluster, struct target *target,
			int *ret_status)
{
	const struct rollout_args *a = c->args;

	TRY_USAGE(ret_status, target_parse_two(c->operands, c->operand_count, deployments_only, target));
	return cluster_open(&a->cluster, cluster);
}

static err *patch(struct cluster *c, const char *name, const char *text, const char *word)
{
	TRY(api_patch(c->client, c->arena, &kinds[KIND_DEPLOYMENT], c->namespace, name, NULL, text, NULL));
	printf("deployment/%s %s\n", name, word);
	return NULL;
}

/* ---- status ---- */

static err *status_run(const struct cli_context *c, int *ret_status)
{
	const struct rollout_args *a = c->args;
	auto_cluster struct cluster cluster = { 0 };
	struct target target;

	TRY(open_target(c, &cluster, &target, ret_status));
	return rollout_wait(&cluster, cluster.namespace, target.name, a->no_wait ? -1 : a->timeout, false,
			    ret_status);
}

/* ---- history, undo ---- */

static uint64_t revision_of(const struct object *set)
{
	const char *text = string_map_get(&set->metadata.annotations, ANNOTATION_REVISION);
	uint64_t revision;

	return text && str_to_u64(text, &revision) ? revision : 0;
}

static int by_revision(const void *a, const void *b)
{
	uint64_t left = revision_of(*(struct object *const *)a), right = revision_of(*(struct object *const *)b);

	return left < right ? -1 : left > right;
}

/* A Deployment's ReplicaSets, the oldest revision first. */
static err *revisions(struct cluster *c, const char *name, struct object **ret_deployment, struct object_list *ret)
{
	struct api_query all = { 0 };
	size_t kept = 0;

	TRY(api_get(c->client, c->arena, &kinds[KIND_DEPLOYMENT], c->namespace, name, ret_deployment));
	TRY(api_list(c->client, c->arena, &kinds[KIND_REPLICASET], c->namespace, &all, ret));
	for (size_t i = 0; i < ret->count; i++) {
		const struct owner_reference *owner = meta_controller(&ret->items[i]->metadata);
		if (owner && str_equal(owner->uid, (*ret_deployment)->metadata.uid))
			ret->items[kept++] = ret->items[i];
	}
	ret->count = kept;
	qsort(ret->items, ret->count, sizeof(*ret->items), by_revision);
	return NULL;
}

static err *print_history(const struct object_list *list)
{
	static const char *const headings[] = { "REVISION", "AGE", "REPLICAS", "IMAGES", "CAUSE", NULL };
	auto_cli_table struct cli_table *table = NULL;
	char age[24], revision[24], replicas[16];

	TRY(cli_table_new(headings, &table));
	for (size_t i = 0; i < list->count; i++) {
		const struct replicaset *set = (const struct replicaset *)list->items[i];
		const char *cause = string_map_get(&set->metadata.annotations, ANNOTATION_CAUSE);
		auto_str struct str images = STR_INIT(8192);
		for (size_t j = 0; j < set->spec.template.spec.containers.count; j++)
			str_addf(&images, "%s%s", j ? "," : "", set->spec.template.spec.containers.items[j].image);
		snprintf(revision, sizeof(revision), "%llu", (unsigned long long)revision_of(list->items[i]));
		snprintf(replicas, sizeof(replicas), "%d", set->status.replicas);
		const char *const cells[] = { revision, age_text(set->metadata.creation, age), replicas, images.data,
					      cause ? cause : "-" };
		cli_table_row(table, cells);
	}
	return cli_table_print(table, STDOUT_FILENO);
}

static err *history_run(const struct cli_context *c, int *ret_status)
{
	const struct rollout_args *a = c->args;
	auto_cluster struct cluster cluster = { 0 };
	struct object *deployment;
	struct object_list list;
	struct target target;

	TRY(open_target(c, &cluster, &target, ret_status));
	TRY(revisions(&cluster, target.name, &deployment, &list));
	if (output_parse(a->output) == OUTPUT_TABLE)
		return print_history(&list);
	return output_objects(list.items, list.count, true, output_parse(a->output));
}

/* The one asked for, or the newest below the current. */
static err *choose_revision(const struct object *deployment, const struct object_list *list, uint64_t wanted,
			    const struct replicaset **ret)
{
	uint64_t current = revision_of(deployment);

	*ret = NULL;
	for (size_t i = 0; i < list->count; i++) {
		uint64_t revision = revision_of(list->items[i]);
		if (wanted ? revision == wanted : revision < current)
			*ret = (const struct replicaset *)list->items[i];
	}
	if (*ret)
		return NULL;
	if (wanted)
		return err_new(ENOENT, "Deployment '%s' has no revision %llu", deployment->metadata.name,
			       (unsigned long long)wanted);
	return err_new(ENOENT, "Deployment '%s' has no revision before %llu", deployment->metadata.name,
		       (unsigned long long)current);
}

/* The whole Deployment is written back with the old template, against the revision that was read: a merge patch would
 * keep what only the newer template has. The hash is the ReplicaSet's own label, not the template's. */
static err *go_back(struct cluster *c, struct object *live, const struct replicaset *set)
{
	struct deployment *d = (struct deployment *)live;
	struct string_map *labels = &d->spec.template.metadata.labels;
	size_t kept = 0;

	d->spec.template = set->spec.template;
	for (size_t i = 0; i < labels->count; i++)
		if (!str_equal(labels->items[i].key, LABEL_TEMPLATE_HASH))
			labels->items[kept++] = labels->items[i];
	labels->count = kept;
	TRY(api_replace(c->client, c->arena, live, NULL, false, NULL));
	printf("deployment/%s goes back to revision %llu\n", d->metadata.name,
	       (unsigned long long)revision_of((const struct object *)set));
	return NULL;
}

static err *undo_run(const struct cli_context *c, int *ret_status)
{
	const struct rollout_args *a = c->args;
	auto_cluster struct cluster cluster = { 0 };
	const struct replicaset *set;
	struct object *deployment;
	struct object_list list;
	struct target target;

	TRY(open_target(c, &cluster, &target, ret_status));
	TRY(revisions(&cluster, target.name, &deployment, &list));
	TRY(choose_revision(deployment, &list, a->revision, &set));
	return go_back(&cluster, deployment, set);
}

/* ---- restart, pause, resume, scale ---- */

static err *restart_run(const struct cli_context *c, int *ret_status)
{
	auto_cluster struct cluster cluster = { 0 };
	char now[CLOCK_TEXT_MAX], text[256];
	struct target target;

	TRY(open_target(c, &cluster, &target, ret_status));
	snprintf(text, sizeof(text), "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"%s\":\"%s\"}}}}}",
		 ANNOTATION_RESTARTED, clock_text(clock_real(), true, now));
	return patch(&cluster, target.name, text, "is being restarted");
}

static err *set_paused(const struct cli_context *c, bool paused, int *ret_status)
{
	auto_cluster struct cluster cluster = { 0 };
	struct target target;

	TRY(open_target(c, &cluster, &target, ret_status));
	return patch(&cluster, target.name, paused ? "{\"spec\":{\"paused\":true}}" : "{\"spec\":{\"paused\":false}}",
		     paused ? "paused" : "resumed");
}

static err *pause_run(const struct cli_context *c, int *ret_status)
{
	return set_paused(c, true, ret_status);
}

static err *resume_run(const struct cli_context *c, int *ret_status)
{
	return set_paused(c, false, ret_status);
}

static err *scale_run(const struct cli_context *c, int *ret_status)
{
	const struct rollout_args *a = c->args;
	auto_cluster struct cluster cluster = { 0 };
	struct target target;
	char text[64];

	if (a->replicas > 100000) {
		*ret_status = CLI_USAGE;
		return err_new(EINVAL, "--replicas: a number up to 100000 is needed");
	}
	TRY(open_target(c, &cluster, &target, ret_status));
	snprintf(text, sizeof(text), "{\"spec\":{\"replicas\":%llu}}", (unsigned long long)a->replicas);
	return patch(&cluster, target.name, text, "scaled");
}

#define STATUS_NOTES "Exit status: 0 complete, 3 not complete in time or at all, 1 another failure."
#define ROLLOUT_COMMAND(name_, summary_, example_, options_, run_, notes_)                                \
	{                                                                                                 \
		.name = name_, .operands = "[deployment] NAME", .summary = summary_, .example = example_, \
		.notes = notes_, .options = options_, .args_size = sizeof(struct rollout_args),           \
		.defaults = defaults, .min = 1, .max = 2, .run = run_,                                    \
	}

static const struct cli_command cmd_status =
	ROLLOUT_COMMAND("status", "Wait until a Deployment is complete",
			"stube rollout status deployment/portal", status_options, status_run, STATUS_NOTES);
static const struct cli_command cmd_history =
	ROLLOUT_COMMAND("history", "List the revisions of a Deployment",
			"stube rollout history deployment/portal", history_options, history_run, NULL);
static const struct cli_command cmd_undo =
	ROLLOUT_COMMAND("undo", "Go back to an earlier revision",
			"stube rollout undo deployment/portal --to-revision 3", undo_options, undo_run, NULL);
static const struct cli_command cmd_restart =
	ROLLOUT_COMMAND("restart", "Make all instances anew, some at a time",
			"stube rollout restart deployment/portal", change_options, restart_run, NULL);
static const struct cli_command cmd_pause =
	ROLLOUT_COMMAND("pause", "Hold a rollout", "stube rollout pause deployment/portal", change_options,
			pause_run, NULL);
static const struct cli_command cmd_resume =
	ROLLOUT_COMMAND("resume", "Let a held rollout go on", "stube rollout resume deployment/portal",
			change_options, resume_run, NULL);
static const struct cli_command *const subcommands[] = {
	&cmd_status, &cmd_history, &cmd_undo, &cmd_restart, &cmd_pause, &cmd_resume, NULL,
};

const struct cli_command cmd_rollout = {
	.name = "rollout",
	.summary = "Watch, undo and steer the rollout of a Deployment",
	.example = "stube rollout status deployment/portal\nstube rollout undo deployment/portal",
	.subcommands = subcommands,
};

const struct cli_command cmd_scale = {
	.name = "scale",
	.operands = "[deployment] NAME",
	.summary = "Change how many instances a Deployment has",
	.example = "stube scale deployment/portal --replicas 3",
	.notes = CLUSTER_NOTES,
	.options = scale_options,
	.args_size = sizeof(struct rollout_args),
	.defaults = defaults,
	.min = 1,
	.max = 2,
	.run = scale_run,
};
