/* cmd/stube/explain.c: stube explain: why Pods are where they are, or are not placed. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/report.h"
#include "base/clock.h"
#include "cmd/stube/cluster.h"
#include "cmd/stube/commands.h"

struct explain_args {
	struct cluster_args cluster;
	const char *output;
};

#define OPT_STRUCT struct explain_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT('o', "output", CLI_CHOICE, output, "table|json|yaml", "how to print it"),
	CLUSTER_OPTIONS,
	{0}
};
/* clang-format on */

static err *print_nodes(const struct report_nodes *nodes)
{
	static const char *const headings[] = { "  NODE", "FITS", "REASON", NULL };
	auto_cli_table struct cli_table *table = NULL;
	auto_str struct str name = STR_INIT(1024), reason = STR_INIT(8192);

	if (nodes->count == 0)
		return NULL;
	TRY(cli_table_new(headings, &table));
	for (size_t i = 0; i < nodes->count; i++) {
		const struct report_node *n = &nodes->items[i];
		str_clear(&name);
		str_clear(&reason);
		str_addf(&name, "  %s", n->node);
		str_add(&reason, n->reason && !n->fits ? n->reason : "-");
		if (n->detail && *n->detail)
			str_addf(&reason, n->fits ? "%s" : ": %s", n->detail);
		const char *const cells[] = { name.data, n->fits ? "yes" : "no", reason.data };
		cli_table_row(table, cells);
	}
	fflush(stdout);
	return cli_table_print(table, STDOUT_FILENO);
}

static err *print(const struct explanation *x)
{
	char age[24];

	printf("pod/%s is %s: %s", x->name, x->phase, x->summary);
	if (x->since.nsec)
		printf(" (for %s)", age_text(x->since, age));
	printf("\n");
	TRY(print_nodes(&x->nodes));
	if (x->help && *x->help)
		printf("  It would help: %s\n", x->help);
	fflush(stdout);
	return NULL;
}

static err *explain_one(struct cluster *c, const struct object *pod, enum output output, bool first)
{
	auto_str struct str path = STR_INIT(4096), answer = STR_INIT(64 << 20);
	struct decoder d = { .arena = c->arena, .name = "explanation", .lenient = true };
	struct explanation x;

	str_addf(&path, "/apis/stube/v1/explain/namespaces/%s/pods/%s", pod->metadata.namespace, pod->metadata.name);
	TRY(str_check(&path));
	TRY(api_raw(c->client, "GET", path.data, NULL, NULL, &answer));
	if (output != OUTPUT_TABLE) {
		if (!first && output == OUTPUT_YAML)
			printf("---\n");
		fflush(stdout);
		return output_json(answer.data, answer.len, output);
	}
	TRY(decode_text(&d, &t_explanation, NULL, answer.data, answer.len, &x));
	return print(&x);
}

static err *explain_run(const struct cli_context *c, int *ret_status)
{
	static const enum kind_id allowed[] = { KIND_POD, KIND_DEPLOYMENT, KIND_REPLICASET, KIND_COUNT };
	const struct explain_args *a = c->args;
	auto_cluster struct cluster cluster = { 0 };
	struct object_list pods;
	struct target target;

	TRY_USAGE(ret_status, target_parse_two(c->operands, c->operand_count, allowed, &target));
	TRY(cluster_open(&a->cluster, &cluster));
	TRY(pods_of(&cluster, &target, &pods));
	if (pods.count == 0)
		fprintf(stderr, "%s '%s' has no Pods\n", target.kind->name, target.name);
	for (size_t i = 0; i < pods.count; i++)
		TRY(explain_one(&cluster, pods.items[i], output_parse(a->output), i == 0));
	return NULL;
}

const struct cli_command cmd_explain = {
	.name = "explain",
	.operands = "POD | TYPE/NAME | TYPE NAME",
	.summary = "Say why Pods are where they are, or what they wait for",
	.example = "stube explain deployment/bayernid\nstube explain pod/antrag-6f7c-2xk4p --output json",
	.notes = "Each node is named with the first reason that refuses the Pod, and what would help; of a "
		 "Pod with a\n"
		 "place, what its containers wait for or how they ended.\n\n" CLUSTER_NOTES,
	.options = options,
	.args_size = sizeof(struct explain_args),
	.min = 1,
	.max = 2,
	.run = explain_run,
};
