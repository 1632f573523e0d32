/* cmd/stube/drain.c: stube drain, cordon, uncordon: take a node out of service, and back. */
#include <stdio.h>
#include <string.h>

#include "api/deployment.h"
#include "api/pod.h"
#include "api/report.h"
#include "base/clock.h"
#include "cmd/stube/cluster.h"
#include "cmd/stube/commands.h"

struct drain_args {
	struct cluster_args cluster;
	bool plan, force;
	int64_t timeout;
	const char *output;
};

#define OPT_STRUCT struct drain_args
/* clang-format off */
static const struct cli_option drain_options[] = {
	OPT(0,   "plan",    CLI_FLAG,    plan,    NULL,      "say where its Pods would go, change nothing"),
	OPT(0,   "force",   CLI_FLAG,    force,   NULL,      "also when some would find no place, or nobody makes them anew"),
	OPT(0,   "timeout", CLI_SECONDS, timeout, "SECONDS", "wait no longer for their end (default: 10 minutes)"),
	OPT('o', "output",  CLI_CHOICE,  output,  "table|json|yaml", "how to print the plan"),
	CLUSTER_OPTIONS,
	{0}
};
static const struct cli_option cordon_options[] = {
	CLUSTER_OPTIONS,
	{0}
};
/* clang-format on */

enum { FORECAST_BYTES = 64 << 20 };

static void defaults(void *args)
{
	((struct drain_args *)args)->timeout = 600 * (int64_t)NSEC_PER_SEC;
}

static err *cordon(const struct cli_context *c, bool on, int *ret_status)
{
	static const enum kind_id allowed[] = { KIND_NODE, KIND_COUNT };
	const struct drain_args *a = c->args;
	auto_cluster struct cluster cluster = { 0 };
	struct target target;

	TRY(cluster_open(&a->cluster, &cluster));
	for (size_t i = 0; i < c->operand_count; i++) {
		TRY_USAGE(ret_status, target_parse(c->operands[i], allowed, &target));
		TRY(node_cordon(&cluster, target.name, on));
		printf("node/%s %s\n", target.name, on ? "cordoned" : "uncordoned");
		fflush(stdout);
	}
	return NULL;
}

static err *cordon_run(const struct cli_context *c, int *ret_status)
{
	return cordon(c, true, ret_status);
}

static err *uncordon_run(const struct cli_context *c, int *ret_status)
{
	return cordon(c, false, ret_status);
}

/* ---- drain ---- */

static err *forecast(struct cluster *c, const char *node, struct str *answer, struct drain_forecast *ret)
{
	struct decoder d = { .arena = c->arena, .name = "forecast", .lenient = true };
	auto_str struct str path = STR_INIT(1024);

	str_addf(&path, "/apis/stube/v1/drain/%s", node);
	TRY(str_check(&path));
	err *e = api_raw(c->client, "GET", path.data, NULL, NULL, answer);
	if (e && e->code == ENOENT) {
		err_free(e);
		return err_new(ENOENT, "Node '%s': not found", node);
	}
	TRY(e);
	return decode_text(&d, &t_drain_forecast, NULL, answer->data, answer->len, ret);
}

static void print_forecast(const struct drain_forecast *f)
{
	for (size_t i = 0; i < f->pods.count; i++) {
		const struct drain_pod *p = &f->pods.items[i];
		if (p->node)
			printf("pod/%s would go to %s\n", p->name, p->node);
		else
			printf("pod/%s would wait: %s\n", p->name, p->summary ? p->summary : "no node fits");
	}
	printf(f->fits ? "All Pods of node '%s' find a place.\n" : "Not all Pods of node '%s' find a place.\n", f->node);
	fflush(stdout);
}

static err *list_pods(struct cluster *c, struct arena *arena, const char *node, struct object_list *ret)
{
	struct api_query query = { 0 };

	TRY_ALLOC(arena, query.fields, arena_printf(arena, "spec.nodeName=%s", node));
	return api_list(c->client, arena, &kinds[KIND_POD], NULL, &query, ret);
}

/* A Pod without an owner is nobody's to make anew; one that is being deleted is not to be made anew. */
static err *check_owners(const struct object_list *pods, const char *node)
{
	for (size_t i = 0; i < pods->count; i++)
		if (!meta_controller(&pods->items[i]->metadata) && !pods->items[i]->metadata.deletion.nsec &&
		    !pod_is_over((const struct pod *)pods->items[i]))
			return err_hint(err_new(EBUSY, "drain node '%s': nobody would make pod '%s' anew", node,
						pods->items[i]->metadata.name),
					"Add --force to end it all the same.");
	return NULL;
}

static err *evict(struct cluster *c, const struct object *pod)
{
	auto_str struct str path = STR_INIT(2048), body = STR_INIT(4096), answer = STR_INIT(1 << 20);
	struct json_writer w = JSON_WRITER(&body, 0);

	json_begin_object(&w);
	json_member_string(&w, "apiVersion", "policy/v1");
	json_member_string(&w, "kind", "Eviction");
	json_key(&w, "metadata");
	json_begin_object(&w);
	json_member_string(&w, "name", pod->metadata.name);
	json_member_string(&w, "namespace", pod->metadata.namespace);
	json_end_object(&w);
	json_end_object(&w);
	str_addf(&path, "/api/v1/namespaces/%s/pods/%s/eviction", pod->metadata.namespace, pod->metadata.name);
	TRY(str_check(&path));
	TRY(str_check(&body));
	err *e = api_raw(c->client, "POST", path.data, "application/json", body.data, &answer);
	if (e && e->code == ENOENT) { /* it went by itself */
		err_free(e);
		return NULL;
	}
	TRY(e);
	printf("pod/%s evicted\n", pod->metadata.name);
	fflush(stdout);
	return NULL;
}

static err *on_event(const struct watch_event *event, void *user)
{
	size_t *left = user;

	if (event->type == WATCH_DELETED && *left > 0 && --*left == 0)
		return err_new(ECANCELED, "all gone");
	return NULL;
}

/* Until the node has no Pod that could still run. */
static err *wait_empty(struct cluster *c, const char *node, int64_t end)
{
	while (clock_monotonic() < end) {
		auto_arena struct arena *arena = NULL;
		struct object_list pods;
		size_t left = 0;
		TRY(arena_new(256 << 20, &arena));
		TRY(list_pods(c, arena, node, &pods));
		for (size_t i = 0; i < pods.count; i++)
			left += !pod_is_over((const struct pod *)pods.items[i]);
		if (left == 0)
			return NULL;
		struct api_query query = {
			.resource_version = pods.resource_version,
			.timeout = MIN(end - clock_monotonic(), 30 * (int64_t)NSEC_PER_SEC),
		};
		TRY_ALLOC(arena, query.fields, arena_printf(arena, "spec.nodeName=%s", node));
		err *e = api_watch(c->client, &kinds[KIND_POD], NULL, &query, on_event, &left, NULL);
		if (e && left > 0 && e->code != EKEYEXPIRED && e->code != ETIMEDOUT)
			return e;
		err_free(e);
	}
	return err_new(ETIMEDOUT, "drain node '%s': some Pods have not ended yet", node);
}

err *node_cordon(struct cluster *c, const char *node, bool on)
{
	const char *text = on ? "{\"spec\":{\"unschedulable\":true}}" : "{\"spec\":{\"unschedulable\":false}}";

	return api_patch(c->client, c->arena, &kinds[KIND_NODE], NULL, node, NULL, text, NULL);
}

err *node_empty(struct cluster *c, const char *node, int64_t timeout)
{
	struct object_list pods;

	TRY(node_cordon(c, node, true));
	TRY(list_pods(c, c->arena, node, &pods));
	for (size_t i = 0; i < pods.count; i++)
		if (!pod_is_over((const struct pod *)pods.items[i]))
			TRY(evict(c, pods.items[i]));
	return wait_empty(c, node, clock_monotonic() + timeout);
}

static err *drain(struct cluster *c, const struct drain_args *a, const char *node)
{
	auto_str struct str answer = STR_INIT(FORECAST_BYTES);
	struct drain_forecast f;
	struct object_list pods;

	TRY(forecast(c, node, &answer, &f)); /* first: it knows whether there is such a node */
	TRY(list_pods(c, c->arena, node, &pods));
	if (!a->force)
		TRY(check_owners(&pods, node));
	if (!f.fits && !a->force) {
		print_forecast(&f);
		return err_hint(err_new(EBUSY, "drain node '%s': some of its Pods find no other place", node),
				"Add --force to end them all the same; they wait until there is one.");
	}
	TRY(node_empty(c, node, a->timeout));
	printf("node/%s drained\n", node);
	return NULL;
}

static err *drain_run(const struct cli_context *c, int *ret_status)
{
	static const enum kind_id allowed[] = { KIND_NODE, KIND_COUNT };
	const struct drain_args *a = c->args;
	auto_cluster struct cluster cluster = { 0 };
	auto_str struct str answer = STR_INIT(FORECAST_BYTES);
	struct drain_forecast f;
	struct target target;

	TRY_USAGE(ret_status, target_parse(c->operands[0], allowed, &target));
	TRY(cluster_open(&a->cluster, &cluster));
	if (!a->plan)
		return drain(&cluster, a, target.name);
	TRY(forecast(&cluster, target.name, &answer, &f));
	if (!f.fits)
		*ret_status = STATUS_NO;
	if (output_parse(a->output) != OUTPUT_TABLE)
		return output_json(answer.data, answer.len, output_parse(a->output));
	print_forecast(&f);
	return NULL;
}

const struct cli_command cmd_drain = {
	.name = "drain",
	.operands = "NODE",
	.summary = "Move a node's Pods elsewhere, and let no new ones come",
	.example = "stube drain state-1 --plan\nstube drain state-1",
	.notes = "Refused, before anything is changed, when some Pod would find no other place or has no\n"
		 "Deployment that makes it anew; --force goes on. With --plan the exit status is 0 when all\n"
		 "find a place, 3 when some do not. Bring the node back with `stube "
		 "uncordon`.\n\n" CLUSTER_NOTES,
	.options = drain_options,
	.args_size = sizeof(struct drain_args),
	.defaults = defaults,
	.min = 1,
	.max = 1,
	.run = drain_run,
};

const struct cli_command cmd_cordon = {
	.name = "cordon",
	.operands = "NODE...",
	.summary = "Let no new Pods come to nodes",
	.example = "stube cordon state-1",
	.notes = CLUSTER_NOTES,
	.options = cordon_options,
	.args_size = sizeof(struct drain_args),
	.min = 1,
	.max = SIZE_MAX,
	.run = cordon_run,
};

const struct cli_command cmd_uncordon = {
	.name = "uncordon",
	.operands = "NODE...",
	.summary = "Let Pods come to nodes again",
	.example = "stube uncordon state-1",
	.notes = CLUSTER_NOTES,
	.options = cordon_options,
	.args_size = sizeof(struct drain_args),
	.min = 1,
	.max = SIZE_MAX,
	.run = uncordon_run,
};
