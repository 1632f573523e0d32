/* cmd/stube/plan.c: stube plan: what manifests would change, and where their instances would go. */
#include <stdio.h>
#include <string.h>

#include "api/manifest.h"
#include "api/report.h"
#include "cmd/stube/cluster.h"
#include "cmd/stube/commands.h"

struct plan_args {
	struct cluster_args cluster;
	struct strv files;
	const char *output;
};

#define OPT_STRUCT struct plan_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT('f', "file",   CLI_LIST,   files,  "FILE", "a manifest, a directory of manifests, or - for standard input; may be repeated"),
	OPT('o', "output", CLI_CHOICE, output, "table|json|yaml", "how to print it"),
	CLUSTER_OPTIONS,
	{0}
};
/* clang-format on */

enum { PLAN_BYTES = 64 << 20 };

/* As written: what a manifest leaves out is not ours to say, such as the number of replicas. */
static void write_item(struct json_writer *w, const json *item, const char *namespace)
{
	json_begin_object(w);
	for (size_t i = 0; i < item->object.count; i++) {
		const struct json_member *m = &item->object.members[i];
		json_key(w, m->key);
		if (!namespace || !str_equal(m->key, "metadata") || m->value->kind != JSON_OBJECT) {
			json_tree(w, m->value);
			continue;
		}
		json_begin_object(w);
		json_member_string(w, "namespace", namespace);
		for (size_t j = 0; j < m->value->object.count; j++) {
			if (str_equal(m->value->object.members[j].key, "namespace"))
				continue; /* null, then */
			json_key(w, m->value->object.members[j].key);
			json_tree(w, m->value->object.members[j].value);
		}
		json_end_object(w);
	}
	json_end_object(w);
}

static err *make_list(const struct cluster *c, const struct manifest *m, struct str *out)
{
	struct json_writer w = JSON_WRITER(out, 0);

	json_begin_object(&w);
	json_member_string(&w, "apiVersion", "v1");
	json_member_string(&w, "kind", "List");
	json_key(&w, "items");
	json_begin_array(&w);
	for (size_t i = 0; i < m->count; i++) {
		const struct object *o = m->items[i].object;
		bool add = kind_of(o)->namespaced && !o->metadata.namespace;
		write_item(&w, m->items[i].tree, add ? c->namespace : NULL);
	}
	json_end_array(&w);
	json_end_object(&w);
	return str_check(out);
}

static void print_placement(const struct plan_placement *p)
{
	if (p->node)
		printf("    %d on %s\n", p->instances, p->node);
	else
		printf("    %d would wait: %s\n", p->instances, p->summary ? p->summary : "no node fits");
}

static void print(const struct plan *plan)
{
	static const char *const words[] = { "", "would be created", "would change", "stays as it is" };

	for (size_t i = 0; i < plan->items.count; i++) {
		const struct plan_item *item = &plan->items.items[i];
		const struct kind *kind = kind_by_word(item->kind);
		printf("%s/%s %s%s\n", kind ? kind->singular : item->kind, item->name,
		       words[item->action > 0 && item->action < 4 ? item->action : 0],
		       item->replaces_pods ? ", its instances are made anew" : "");
		for (size_t j = 0; j < item->changed.count; j++)
			printf("    changes %s\n", item->changed.items[j]);
		for (size_t j = 0; j < item->placements.count; j++)
			print_placement(&item->placements.items[j]);
	}
	printf(plan->fits ? "All instances find a place.\n" : "Not all instances find a place.\n");
}

static err *plan_run(const struct cli_context *c, int *ret_status)
{
	const struct plan_args *a = c->args;
	auto_cluster struct cluster cluster = { 0 };
	auto_arena struct arena *arena = NULL;
	auto_str struct str list = STR_INIT(PLAN_BYTES), answer = STR_INIT(PLAN_BYTES);
	struct manifest manifest;
	struct plan plan;

	if (a->files.count == 0) {
		*ret_status = CLI_USAGE;
		return err_new(EINVAL, "say which manifests: --file FILE");
	}
	TRY(arena_new(512 << 20, &arena));
	TRY(manifest_read(arena, &a->files, &manifest));
	manifest_sort(&manifest);
	TRY(cluster_open(&a->cluster, &cluster));
	TRY(make_list(&cluster, &manifest, &list));
	TRY(api_raw(cluster.client, "POST", "/apis/stube/v1/plan", "application/json", list.data, &answer));
	struct decoder d = { .arena = arena, .name = "plan", .lenient = true };
	TRY(decode_text(&d, &t_plan, NULL, answer.data, answer.len, &plan));
	if (!plan.fits)
		*ret_status = STATUS_NO;
	if (output_parse(a->output) != OUTPUT_TABLE)
		return output_json(answer.data, answer.len, output_parse(a->output));
	print(&plan);
	return NULL;
}

const struct cli_command cmd_plan = {
	.name = "plan",
	.summary = "Say what manifests would change, and where instances would go",
	.example = "stube plan --file portal.yaml",
	.notes = "Nothing is changed. Exit status: 0 all instances find a place, 3 some would wait, 1 a "
		 "failure.\n\n" CLUSTER_NOTES,
	.options = options,
	.args_size = sizeof(struct plan_args),
	.run = plan_run,
};
