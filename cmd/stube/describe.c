/* cmd/stube/describe.c: stube describe: an object for people, with what happened to it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/claim.h"
#include "api/deployment.h"
#include "api/event.h"
#include "base/clock.h"
#include "base/fd.h"
#include "cmd/stube/cluster.h"
#include "cmd/stube/commands.h"

struct describe_args {
	struct cluster_args cluster;
};

#define OPT_STRUCT struct describe_args
/* clang-format off */
static const struct cli_option options[] = {
	CLUSTER_OPTIONS,
	{0}
};
/* clang-format on */

enum { DESCRIBE_BYTES = 16 << 20, COLUMN = 18 };

static void line(struct str *out, unsigned depth, const char *label, const char *value)
{
	if (!value || !*value)
		return;
	str_addf(out, "%*s%-*s", (int)depth * 2, "", COLUMN - (int)depth * 2, label);
	str_add_shown(out, value);
	str_add_char(out, '\n');
}

static void pairs(struct str *out, const char *label, const struct string_map *map)
{
	bool first = true;

	for (size_t i = 0; i < map->count; i++) {
		if (strstr(map->items[i].key, "last-applied-configuration"))
			continue; /* a whole manifest */
		str_addf(out, "%-*s%s=", COLUMN, first ? label : "", map->items[i].key);
		str_add_shown(out, map->items[i].value);
		str_add_char(out, '\n');
		first = false;
	}
}

static void amounts(struct str *out, unsigned depth, const char *label, const struct pod_amounts *a)
{
	auto_str struct str text = STR_INIT(256);

	if (a->cpu.given) {
		str_add(&text, "cpu ");
		quantity_format(&a->cpu, &text);
	}
	if (a->memory.given) {
		str_add(&text, text.len ? ", memory " : "memory ");
		quantity_format(&a->memory, &text);
	}
	line(out, depth, label, text.data);
}

static void conditions(struct str *out, const struct conditions *list)
{
	static const char *const words[] = { "", "True", "False", "Unknown" };
	char age[24];

	if (list->count)
		str_add(out, "Conditions:\n");
	for (size_t i = 0; i < list->count; i++) {
		const struct condition *c = &list->items[i];
		str_addf(out, "  %-*s%-8s %-6s ", COLUMN - 2, c->type, words[c->status > 0 && c->status < 4 ? c->status : 0],
			 age_text(c->transition, age));
		str_add_shown(out, c->reason ? c->reason : "");
		str_add(out, c->message && *c->message ? ": " : "");
		str_add_shown(out, c->message ? c->message : "");
		str_add_char(out, '\n');
	}
}

/* ---- Pods and templates ---- */

static void state(struct str *out, const char *label, const struct container_state *s)
{
	auto_str struct str text = STR_INIT(8192);
	char age[24];

	if (s->running)
		str_addf(&text, "running for %s", age_text(s->running->started, age));
	else if (s->waiting)
		str_addf(&text, "waiting: %s%s%s", s->waiting->reason ? s->waiting->reason : "",
			 s->waiting->message ? ": " : "", s->waiting->message ? s->waiting->message : "");
	else if (s->terminated)
		str_addf(&text, "ended with %d (%s) %s ago", s->terminated->code,
			 s->terminated->reason ? s->terminated->reason : "", age_text(s->terminated->finished, age));
	line(out, 2, label, text.data);
}

static const struct container_status *status_of(const struct pod_status *status, const char *name)
{
	for (size_t i = 0; status && i < status->containers.count; i++)
		if (str_equal(status->containers.items[i].name, name))
			return &status->containers.items[i];
	return NULL;
}

static void containers(struct str *out, const struct pod_spec *spec, const struct pod_status *status)
{
	char number[24];

	str_add(out, "Containers:\n");
	for (size_t i = 0; i < spec->containers.count; i++) {
		const struct pod_container *c = &spec->containers.items[i];
		const struct container_status *s = status_of(status, c->name);
		str_addf(out, "  %s\n", c->name);
		line(out, 2, "Image:", c->image);
		if (s) {
			line(out, 2, "Digest:", s->image_id);
			state(out, "State:", &s->state);
			state(out, "Before:", &s->last_state);
			snprintf(number, sizeof(number), "%d", s->restarts);
			line(out, 2, "Restarts:", number);
		}
		amounts(out, 2, "Requests:", &c->resources.requests);
		amounts(out, 2, "Limits:", &c->resources.limits);
		for (size_t j = 0; j < c->mounts.count; j++)
			str_addf(out, "    %-*s%s from %s%s\n", COLUMN - 4, j ? "" : "Mounts:", c->mounts.items[j].mount_path,
				 c->mounts.items[j].name, c->mounts.items[j].read_only ? ", read-only" : "");
	}
	for (size_t i = 0; i < spec->volumes.count; i++) {
		const struct pod_volume *v = &spec->volumes.items[i];
		str_addf(out, "%-*s%s: %s%s\n", COLUMN, i ? "" : "Volumes:", v->name,
			 v->claim ? "claim " : v->host_path ? "path of the node " : "empty directory",
			 v->claim ? v->claim->claim : v->host_path ? v->host_path->path : "");
	}
}

static void describe_pod(const struct object *o, struct str *out)
{
	const struct pod *pod = (const struct pod *)o;

	line(out, 0, "Status:", pod_status_word(pod));
	line(out, 0, "Reason:", pod->status.reason);
	line(out, 0, "Message:", pod->status.message);
	line(out, 0, "Node:", pod->spec.node_name ? pod->spec.node_name : "none yet");
	line(out, 0, "Address:", pod->status.pod_ip);
	line(out, 0, "On node loss:", pod_on_node_loss(pod));
	containers(out, &pod->spec, &pod->status);
	conditions(out, &pod->status.conditions);
}

static void describe_deployment(const struct object *o, struct str *out)
{
	const struct deployment *d = (const struct deployment *)o;
	auto_str struct str selector = STR_INIT(8192);

	label_selector_format(&d->spec.selector, &selector);
	line(out, 0, "Selector:", selector.data);
	str_addf(out, "%-*s%d wanted, %d updated, %d ready, %d available, %d unavailable\n", COLUMN,
		 "Replicas:", d->spec.replicas, d->status.updated, d->status.ready, d->status.available,
		 d->status.unavailable);
	line(out, 0, "Strategy:", d->spec.strategy.type == STRATEGY_RECREATE ? "Recreate" : "RollingUpdate");
	line(out, 0, "Paused:", d->spec.paused ? "yes" : NULL);
	pairs(out, "Pod labels:", &d->spec.template.metadata.labels);
	containers(out, &d->spec.template.spec, NULL);
	conditions(out, &d->status.conditions);
}

static void describe_replicaset(const struct object *o, struct str *out)
{
	const struct replicaset *r = (const struct replicaset *)o;

	str_addf(out, "%-*s%d wanted, %d there, %d ready\n", COLUMN, "Replicas:", r->spec.replicas, r->status.replicas,
		 r->status.ready);
	containers(out, &r->spec.template.spec, NULL);
	conditions(out, &r->status.conditions);
}

static void describe_node(const struct object *o, struct str *out)
{
	static const char *const effects[] = { "", "NoSchedule", "PreferNoSchedule", "NoExecute" };
	const struct node *n = (const struct node *)o;

	line(out, 0, "Status:", node_is_ready(n) ? "Ready" : "not ready");
	line(out, 0, "Cordoned:", n->spec.unschedulable ? "yes" : "no");
	for (size_t i = 0; i < n->spec.taints.count; i++) {
		const struct taint *t = &n->spec.taints.items[i];
		str_addf(out, "%-*s%s=%s:%s\n", COLUMN, i ? "" : "Taints:", t->key, t->value ? t->value : "",
			 effects[t->effect > 0 && t->effect < 4 ? t->effect : 0]);
	}
	for (size_t i = 0; i < n->status.addresses.count; i++)
		str_addf(out, "%-*s%s (%s)\n", COLUMN, i ? "" : "Addresses:", n->status.addresses.items[i].address,
			 n->status.addresses.items[i].type);
	str_addf(out, "%-*s", COLUMN, "For Pods:");
	for (size_t i = 0; i < n->status.allocatable.count; i++) {
		str_addf(out, "%s%s ", i ? ", " : "", n->status.allocatable.items[i].name);
		quantity_format(&n->status.allocatable.items[i].amount, out);
	}
	str_add_char(out, '\n');
	line(out, 0, "Kernel:", n->status.info.kernel);
	line(out, 0, "System:", n->status.info.os_image);
	line(out, 0, "Runtime:", n->status.info.runtime);
	line(out, 0, "Agent:", n->status.info.agent);
	conditions(out, &n->status.conditions);
}

static void describe_claim(const struct object *o, struct str *out)
{
	const struct claim *c = (const struct claim *)o;
	auto_str struct str size = STR_INIT(64);
	struct quantity storage = resource_get(&c->spec.resources.requests, "storage");

	if (storage.given)
		quantity_format(&storage, &size);
	line(out, 0, "Status:", c->status.phase == CLAIM_BOUND ? "Bound" : "Pending: bound when a Pod that mounts it is placed");
	line(out, 0, "Node:", string_map_get(&o->metadata.annotations, CLAIM_NODE));
	line(out, 0, "Size:", size.data);
}

static void (*const bodies[KIND_COUNT])(const struct object *, struct str *) = {
	[KIND_POD] = describe_pod,           [KIND_DEPLOYMENT] = describe_deployment,
	[KIND_REPLICASET] = describe_replicaset, [KIND_NODE] = describe_node,
	[KIND_CLAIM] = describe_claim,
};

static void describe_meta(const struct object *o, struct str *out)
{
	char time[CLOCK_TEXT_MAX];
	const struct owner_reference *owner = meta_controller(&o->metadata);

	line(out, 0, "Name:", o->metadata.name);
	line(out, 0, "Kind:", o->kind);
	line(out, 0, "Namespace:", o->metadata.namespace);
	line(out, 0, "Created:", clock_text(o->metadata.creation.nsec, false, time));
	if (o->metadata.deletion.nsec)
		line(out, 0, "To be deleted:", clock_text(o->metadata.deletion.nsec, false, time));
	if (owner)
		str_addf(out, "%-*s%s %s\n", COLUMN, "Managed by:", owner->kind, owner->name);
	pairs(out, "Labels:", &o->metadata.labels);
	pairs(out, "Annotations:", &o->metadata.annotations);
}

/* ---- events ---- */

static err *events(struct cluster *c, const struct object *o)
{
	auto_rows struct rows *rows = NULL;
	struct api_query query = { 0 };
	struct object_list list;

	TRY_ALLOC(c->arena, query.fields,
		  arena_printf(c->arena, "involvedObject.kind=%s,involvedObject.name=%s,involvedObject.uid=%s", o->kind,
			       o->metadata.name, o->metadata.uid));
	/* Events of a Node, which has no namespace, lie in the default one. */
	TRY(api_list(c->client, c->arena, &kinds[KIND_EVENT], o->metadata.namespace ? o->metadata.namespace : "default",
		     &query, &list));
	if (list.count == 0)
		return NULL;
	events_sort(&list);
	TRY(rows_new(&kinds[KIND_EVENT], false, false, &rows));
	for (size_t i = 0; i < list.count; i++)
		rows_add(rows, list.items[i]);
	TRY(fd_write_all(STDOUT_FILENO, "Events:\n", strlen("Events:\n")));
	return rows_print(rows);
}

static err *describe(struct cluster *c, const struct object *o)
{
	auto_str struct str out = STR_INIT(DESCRIBE_BYTES);

	describe_meta(o, &out);
	if (bodies[kind_of(o)->id])
		bodies[kind_of(o)->id](o, &out);
	TRY(str_check(&out));
	TRY(fd_write_all(STDOUT_FILENO, out.data, out.len));
	return kind_of(o)->id == KIND_EVENT ? NULL : events(c, o);
}

static err *describe_run(const struct cli_context *c, int *ret_status)
{
	const struct describe_args *a = c->args;
	auto_cluster struct cluster cluster = { 0 };
	struct targets targets;
	struct object_list list;
	bool first = true;

	TRY(cluster_open(&a->cluster, &cluster));
	TRY_USAGE(ret_status, targets_parse(cluster.arena, c->operands, c->operand_count, &targets));
	for (size_t i = 0; i < targets.count; i++) {
		const struct target *t = &targets.items[i];
		const char *namespace = target_namespace(&cluster, t->kind);
		struct object *one;
		list = (struct object_list){ &one, 1, NULL };
		if (t->name)
			TRY(api_get(cluster.client, cluster.arena, t->kind, namespace, t->name, &one));
		else
			TRY(api_list(cluster.client, cluster.arena, t->kind, namespace, &(struct api_query){ 0 }, &list));
		for (size_t j = 0; j < list.count; j++) {
			if (!first)
				TRY(fd_write_all(STDOUT_FILENO, "\n", 1));
			first = false;
			TRY(describe(&cluster, list.items[j]));
		}
	}
	return NULL;
}

const struct cli_command cmd_describe = {
	.name = "describe",
	.operands = "TYPE NAME... | TYPE/NAME... | TYPE",
	.summary = "Show objects for people, with what happened to them",
	.example = "stube describe pod portal-7d5b8c-x2x9k\nstube describe node/state-1",
	.notes = CLUSTER_NOTES,
	.options = options,
	.args_size = sizeof(struct describe_args),
	.min = 1,
	.max = SIZE_MAX,
	.run = describe_run,
};
