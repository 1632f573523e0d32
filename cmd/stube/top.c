/* cmd/stube/top.c: stube top: what nodes and Pods use, from the metrics of the nodes' agents. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/node.h"
#include "api/pod.h"
#include "base/clock.h"
#include "cmd/stube/cluster.h"
#include "cmd/stube/commands.h"

struct top_args {
	struct cluster_args cluster;
	bool all_namespaces;
	const char *selector, *output;
};

#define OPT_STRUCT struct top_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT('l', "selector",       CLI_STRING, selector,       "SELECTOR",   "only those with these labels"),
	OPT('A', "all-namespaces", CLI_FLAG,   all_namespaces, NULL,         "Pods of all namespaces"),
	OPT('o', "output",         CLI_CHOICE, output,         "table|json", "how to print them"),
	CLUSTER_OPTIONS,
	{0}
};
/* clang-format on */

enum { METRICS_BYTES = 64 << 20, SAMPLE_NS = 1000000000, CELL = 48 };

/* Two readings of one node's metrics, a second apart: processor time is a counter. */
struct sample {
	const char *node;
	struct str before, after;
	double seconds;
	bool there;
	const char *why; /* it is not */
};

/* ---- the text format: NAME{KEY="VALUE",...} NUMBER ---- */

static bool label_is(const char *line, const char *key, const char *value)
{
	char wanted[600];
	const char *end = strchr(line, '}');
	int len = snprintf(wanted, sizeof(wanted), "%s=\"%s\"", key, value);
	const char *found = strstr(line, wanted);

	return len > 0 && (size_t)len < sizeof(wanted) && found && end && found < end && (found[-1] == '{' || found[-1] == ',');
}

/* The sum over all lines of a metric whose labels match; false when there is none. */
static bool sum(const struct str *text, const char *name, const char *namespace, const char *pod, double *ret)
{
	size_t len = strlen(name);
	bool found = false;

	*ret = 0;
	for (const char *line = text->data; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, name, len) != 0 || (line[len] != '{' && line[len] != ' '))
			continue;
		if (pod && (!label_is(line, "namespace", namespace) || !label_is(line, "pod", pod)))
			continue;
		const char *value = line[len] == '{' ? strchr(line, '}') : line + len;
		if (!value)
			continue;
		*ret += strtod(value + (*value == '}'), NULL);
		found = true;
	}
	return found;
}

/* Milli-processors between the two readings. */
static bool processors(const struct sample *s, const char *name, const char *namespace, const char *pod, double *ret)
{
	double before, after;

	if (!s->there || !sum(&s->after, name, namespace, pod, &after))
		return false;
	if (!sum(&s->before, name, namespace, pod, &before))
		before = after; /* it began in between */
	*ret = after > before ? (after - before) / s->seconds * 1000 : 0;
	return true;
}

static bool bytes(const struct sample *s, const char *name, const char *namespace, const char *pod, double *ret)
{
	return s->there && sum(&s->after, name, namespace, pod, ret);
}

/* ---- readings ---- */

static err *take(struct cluster *c, const struct object_list *nodes, struct sample *samples, bool first)
{
	for (size_t i = 0; i < nodes->count; i++) {
		struct sample *s = &samples[i];
		if (!first && !s->there)
			continue;
		err *e = api_node_raw(c->client, s->node, "/metrics", first ? &s->before : &s->after);
		s->there = !e;
		if (e) {
			auto_str struct str text = STR_INIT(4096);
			err_format(e, &text);
			s->why = arena_strdup(c->arena, text.data);
			err_free(e);
		}
	}
	return NULL;
}

static err *sample_all(struct cluster *c, const struct object_list *nodes, struct sample **ret)
{
	struct sample *samples;

	TRY_ALLOC(c->arena, samples, arena_array(c->arena, nodes->count + 1, sizeof(*samples)));
	for (size_t i = 0; i < nodes->count; i++) {
		samples[i].node = nodes->items[i]->metadata.name;
		str_init(&samples[i].before, METRICS_BYTES);
		str_init(&samples[i].after, METRICS_BYTES);
	}
	int64_t begun = clock_monotonic();
	TRY(take(c, nodes, samples, true));
	nanosleep(&(struct timespec){ .tv_sec = SAMPLE_NS / (long)NSEC_PER_SEC, .tv_nsec = SAMPLE_NS % (long)NSEC_PER_SEC }, NULL);
	TRY(take(c, nodes, samples, false));
	for (size_t i = 0; i < nodes->count; i++)
		samples[i].seconds = (double)(clock_monotonic() - begun) / (double)NSEC_PER_SEC;
	*ret = samples;
	return NULL;
}

static void samples_done(struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		str_done(&samples[i].before);
		str_done(&samples[i].after);
	}
}

static const char *cpu_text(bool known, double milli, char out[static CELL])
{
	snprintf(out, CELL, known ? "%.0fm" : "-", milli);
	return out;
}

static const char *memory_text(bool known, double amount, char out[static CELL])
{
	snprintf(out, CELL, known ? "%.0fMi" : "-", amount / (1 << 20));
	return out;
}

/* ---- nodes ---- */

struct requested {
	int64_t cpu, memory;
	unsigned pods;
};

static void add_requests(const struct object_list *pods, const char *node, struct requested *r)
{
	for (size_t i = 0; i < pods->count; i++) {
		const struct pod *pod = (const struct pod *)pods->items[i];
		if (!str_equal(pod->spec.node_name, node) || pod_is_over(pod))
			continue;
		r->pods++;
		for (size_t j = 0; j < pod->spec.containers.count; j++) {
			const struct pod_resources *res = &pod->spec.containers.items[j].resources;
			const struct quantity *cpu = res->requests.cpu.given ? &res->requests.cpu : &res->limits.cpu;
			const struct quantity *memory = res->requests.memory.given ? &res->requests.memory : &res->limits.memory;
			r->cpu += cpu->milli;
			r->memory += memory->milli / 1000;
		}
	}
}

struct printer {
	struct cli_table *table; /* or */
	struct json_writer *json;
};

static void row(struct printer *p, const char *const *headings, const char *const *cells)
{
	if (p->table) {
		cli_table_row(p->table, cells);
		return;
	}
	json_begin_object(p->json);
	for (size_t i = 0; headings[i]; i++)
		json_member_string(p->json, headings[i], cells[i]);
	json_end_object(p->json);
}

static void node_row(struct printer *p, const char *const *headings, const struct node *node, const struct sample *s,
		     const struct requested *r)
{
	char cpu[CELL], memory[CELL], cpu_share[CELL], memory_share[CELL], pods[CELL];
	int64_t all_cpu = resource_get(&node->status.allocatable, "cpu").milli;
	int64_t all_memory = resource_get(&node->status.allocatable, "memory").milli / 1000;
	double used_cpu = 0, used_memory = 0;
	bool has_cpu = processors(s, "node_cpu_usage_seconds_total", NULL, NULL, &used_cpu);
	bool has_memory = bytes(s, "node_memory_working_set_bytes", NULL, NULL, &used_memory);

	snprintf(cpu_share, sizeof(cpu_share), "%lldm of %lldm", (long long)r->cpu, (long long)all_cpu);
	snprintf(memory_share, sizeof(memory_share), "%lldMi of %lldMi", (long long)r->memory >> 20, (long long)all_memory >> 20);
	snprintf(pods, sizeof(pods), "%u", r->pods);
	const char *const cells[] = { node->metadata.name, cpu_text(has_cpu, used_cpu, cpu), cpu_share,
				      memory_text(has_memory, used_memory, memory), memory_share, pods };
	row(p, headings, cells);
}

static void pod_row(struct printer *p, const char *const *headings, const struct pod *pod, const struct sample *s)
{
	char cpu[CELL], memory[CELL];
	double used_cpu = 0, used_memory = 0;
	const char *ns = pod->metadata.namespace, *name = pod->metadata.name;
	bool has_cpu = s && processors(s, "container_cpu_usage_seconds_total", ns, name, &used_cpu);
	bool has_memory = s && bytes(s, "container_memory_working_set_bytes", ns, name, &used_memory);
	const char *const cells[] = { ns, name, pod->spec.node_name ? pod->spec.node_name : "-", cpu_text(has_cpu, used_cpu, cpu),
				      memory_text(has_memory, used_memory, memory) };

	row(p, headings, cells);
}

struct readings {
	struct object_list nodes, pods;
	struct sample *samples;
};

static void print_all(struct printer *p, const char *const *headings, const struct readings *r, bool of_nodes)
{
	for (size_t i = 0; of_nodes && i < r->nodes.count; i++) {
		struct requested requested = { 0 };
		add_requests(&r->pods, r->nodes.items[i]->metadata.name, &requested);
		node_row(p, headings, (const struct node *)r->nodes.items[i], &r->samples[i], &requested);
	}
	for (size_t i = 0; !of_nodes && i < r->pods.count; i++) {
		const struct pod *pod = (const struct pod *)r->pods.items[i];
		const struct sample *s = NULL;
		for (size_t j = 0; j < r->nodes.count; j++)
			if (str_equal(pod->spec.node_name, r->samples[j].node))
				s = &r->samples[j];
		pod_row(p, headings, pod, s);
	}
}

static err *print(const struct readings *r, bool of_nodes, bool as_json)
{
	static const char *const node_heads[] = { "NODE", "CPU", "CPU-REQUESTED", "MEMORY", "MEMORY-REQUESTED", "PODS", NULL };
	static const char *const node_keys[] = { "node", "cpu", "cpuRequested", "memory", "memoryRequested", "pods", NULL };
	static const char *const pod_heads[] = { "NAMESPACE", "POD", "NODE", "CPU", "MEMORY", NULL };
	static const char *const pod_keys[] = { "namespace", "pod", "node", "cpu", "memory", NULL };
	auto_cli_table struct cli_table *table = NULL;
	auto_str struct str out = STR_INIT(METRICS_BYTES);
	struct json_writer w = JSON_WRITER(&out, 2);

	for (size_t i = 0; i < r->nodes.count; i++)
		if (!r->samples[i].there)
			fprintf(stderr, "node '%s': no figures: %s\n", r->samples[i].node, r->samples[i].why);
	if (!as_json) {
		TRY(cli_table_new(of_nodes ? node_heads : pod_heads, &table));
		print_all(&(struct printer){ table, NULL }, of_nodes ? node_heads : pod_heads, r, of_nodes);
		return cli_table_print(table, STDOUT_FILENO);
	}
	json_begin_array(&w);
	print_all(&(struct printer){ NULL, &w }, of_nodes ? node_keys : pod_keys, r, of_nodes);
	json_end_array(&w);
	TRY(str_check(&out));
	printf("%s\n", out.data);
	return NULL;
}

static err *top_run(const struct cli_context *c, int *ret_status)
{
	const struct top_args *a = c->args;
	auto_cluster struct cluster cluster = { 0 };
	struct readings r = { 0 };
	const struct kind *kind = kind_by_word(c->operands[0]);
	bool of_nodes = kind && kind->id == KIND_NODE;

	if (!kind || (kind->id != KIND_NODE && kind->id != KIND_POD)) {
		*ret_status = CLI_USAGE;
		return err_new(EINVAL, "'%s' is not one of nodes|pods", c->operands[0]);
	}
	TRY(cluster_open(&a->cluster, &cluster));
	struct api_query all = { 0 }, chosen = { .labels = a->selector };
	TRY(api_list(cluster.client, cluster.arena, &kinds[KIND_NODE], NULL, of_nodes ? &chosen : &all, &r.nodes));
	TRY(api_list(cluster.client, cluster.arena, &kinds[KIND_POD], of_nodes || a->all_namespaces ? NULL : cluster.namespace,
		     of_nodes ? &all : &chosen, &r.pods));
	err *e = sample_all(&cluster, &r.nodes, &r.samples);
	if (!e)
		e = print(&r, of_nodes, str_equal(a->output, "json"));
	if (r.samples)
		samples_done(r.samples, r.nodes.count);
	return e;
}

const struct cli_command cmd_top = {
	.name = "top",
	.operands = "nodes|pods",
	.summary = "Show what nodes and Pods use",
	.example = "stube top nodes\nstube top pods --all-namespaces",
	.notes = "Processor time is measured over one second, in thousandths of a processor. A node whose agent\n"
		 "cannot be reached shows no figures.\n\n" CLUSTER_NOTES,
	.options = options,
	.args_size = sizeof(struct top_args),
	.min = 1,
	.max = 1,
	.run = top_run,
};
