/* cmd/stube/columns.c: objects as rows of a table: which columns each kind has, and what stands in them. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/claim.h"
#include "api/deployment.h"
#include "api/event.h"
#include "api/lease.h"
#include "api/namespace.h"
#include "base/clock.h"
#include "base/fd.h"
#include "cmd/stube/cluster.h"

struct column {
	const char *heading;
	bool wide; /* only with --output wide */
	void (*cell)(const struct object *object, struct str *out);
};

const char *age_text(struct api_time since, char buf[static 24])
{
	int64_t seconds = since.nsec ? (clock_real() - since.nsec) / (int64_t)NSEC_PER_SEC : -1;

	if (seconds < 0)
		snprintf(buf, 24, since.nsec ? "0s" : "-");
	else if (seconds < 120)
		snprintf(buf, 24, "%llds", (long long)seconds);
	else if (seconds < 2 * 3600)
		snprintf(buf, 24, "%lldm", (long long)seconds / 60);
	else if (seconds < 2 * 86400)
		snprintf(buf, 24, "%lldh", (long long)seconds / 3600);
	else
		snprintf(buf, 24, "%lldd", (long long)seconds / 86400);
	return buf;
}

static const char *or_dash(const char *text)
{
	return text && *text ? text : "-";
}

/* ---- all kinds ---- */

static void cell_namespace(const struct object *o, struct str *out)
{
	str_add(out, or_dash(o->metadata.namespace));
}
static void cell_name(const struct object *o, struct str *out)
{
	str_add(out, or_dash(o->metadata.name));
}
static void cell_age(const struct object *o, struct str *out)
{
	char age[24];

	str_add(out, age_text(o->metadata.creation, age));
}
static void cell_labels(const struct object *o, struct str *out)
{
	for (size_t i = 0; i < o->metadata.labels.count; i++)
		str_addf(out, "%s%s=%s", i ? "," : "", o->metadata.labels.items[i].key, o->metadata.labels.items[i].value);
	if (o->metadata.labels.count == 0)
		str_add(out, "-");
}

/* ---- Pods ---- */

static void pod_ready(const struct object *o, struct str *out)
{
	const struct pod *pod = (const struct pod *)o;
	size_t ready = 0;

	for (size_t i = 0; i < pod->status.containers.count; i++)
		ready += pod->status.containers.items[i].ready;
	str_addf(out, "%zu/%zu", ready, pod->spec.containers.count);
}
static void pod_status(const struct object *o, struct str *out)
{
	str_add(out, pod_status_word((const struct pod *)o));
}
static void pod_restarts(const struct object *o, struct str *out)
{
	const struct pod *pod = (const struct pod *)o;
	long restarts = 0;

	for (size_t i = 0; i < pod->status.containers.count; i++)
		restarts += pod->status.containers.items[i].restarts;
	str_addf(out, "%ld", restarts);
}
static void pod_node(const struct object *o, struct str *out)
{
	str_add(out, or_dash(((const struct pod *)o)->spec.node_name));
}
static void pod_address(const struct object *o, struct str *out)
{
	str_add(out, or_dash(((const struct pod *)o)->status.pod_ip));
}
static void spec_images(const struct pod_spec *spec, struct str *out)
{
	for (size_t i = 0; i < spec->containers.count; i++)
		str_addf(out, "%s%s", i ? "," : "", spec->containers.items[i].image);
}
static void pod_images(const struct object *o, struct str *out)
{
	spec_images(&((const struct pod *)o)->spec, out);
}

/* ---- Deployments, ReplicaSets ---- */

static void deployment_ready(const struct object *o, struct str *out)
{
	const struct deployment *d = (const struct deployment *)o;

	str_addf(out, "%d/%d", d->status.ready, d->spec.replicas);
}
static void deployment_updated(const struct object *o, struct str *out)
{
	str_addf(out, "%d", ((const struct deployment *)o)->status.updated);
}
static void deployment_available(const struct object *o, struct str *out)
{
	str_addf(out, "%d", ((const struct deployment *)o)->status.available);
}
static void deployment_images(const struct object *o, struct str *out)
{
	spec_images(&((const struct deployment *)o)->spec.template.spec, out);
}
static void deployment_need(const struct object *o, struct str *out)
{
	const struct deployment *d = (const struct deployment *)o;

	str_add(out, or_dash(string_map_get(&d->spec.template.metadata.labels, STUBE_PROTECTION_NEED)));
}
static void set_desired(const struct object *o, struct str *out)
{
	str_addf(out, "%d", ((const struct replicaset *)o)->spec.replicas);
}
static void set_current(const struct object *o, struct str *out)
{
	str_addf(out, "%d", ((const struct replicaset *)o)->status.replicas);
}
static void set_ready(const struct object *o, struct str *out)
{
	str_addf(out, "%d", ((const struct replicaset *)o)->status.ready);
}
static void set_revision(const struct object *o, struct str *out)
{
	str_add(out, or_dash(string_map_get(&o->metadata.annotations, ANNOTATION_REVISION)));
}
static void set_images(const struct object *o, struct str *out)
{
	spec_images(&((const struct replicaset *)o)->spec.template.spec, out);
}

/* ---- Nodes ---- */

static void node_status(const struct object *o, struct str *out)
{
	const struct node *node = (const struct node *)o;
	const struct condition *ready = condition_find(&node->status.conditions, "Ready");

	str_add(out, node_is_ready(node) ? "Ready" : ready && ready->status == CONDITION_UNKNOWN ? "Lost" : "NotReady");
	if (node->spec.unschedulable)
		str_add(out, ",Cordoned");
}
static void node_class(const struct object *o, struct str *out)
{
	const char *class = string_map_get(&o->metadata.labels, STUBE_PROTECTION_CLASS);

	str_add(out, class ? class : "normal");
}
static void node_zone(const struct object *o, struct str *out)
{
	str_add(out, or_dash(string_map_get(&o->metadata.labels, LABEL_ZONE)));
}
static void node_version(const struct object *o, struct str *out)
{
	str_add(out, or_dash(((const struct node *)o)->status.info.agent));
}
static void node_address(const struct object *o, struct str *out)
{
	const struct node *node = (const struct node *)o;

	str_add(out, node->status.addresses.count ? or_dash(node->status.addresses.items[0].address) : "-");
}
static void node_kernel(const struct object *o, struct str *out)
{
	str_add(out, or_dash(((const struct node *)o)->status.info.kernel));
}
static void node_taints(const struct object *o, struct str *out)
{
	static const char *const effects[] = { "", "NoSchedule", "PreferNoSchedule", "NoExecute" };
	const struct node *node = (const struct node *)o;

	for (size_t i = 0; i < node->spec.taints.count; i++) {
		const struct taint *t = &node->spec.taints.items[i];
		str_addf(out, "%s%s:%s", i ? "," : "", t->key, effects[t->effect > 0 && t->effect < 4 ? t->effect : 0]);
	}
	if (node->spec.taints.count == 0)
		str_add(out, "-");
}

/* ---- the others ---- */

static void namespace_status(const struct object *o, struct str *out)
{
	str_add(out, ((const struct namespace *)o)->status.phase == NAMESPACE_TERMINATING ? "Terminating" : "Active");
}
static void claim_status(const struct object *o, struct str *out)
{
	static const char *const phases[] = { "Pending", "Pending", "Bound", "Lost" };
	int phase = ((const struct claim *)o)->status.phase;

	str_add(out, phases[phase >= 0 && phase < 4 ? phase : 0]);
}
static void claim_node(const struct object *o, struct str *out)
{
	str_add(out, or_dash(string_map_get(&o->metadata.annotations, CLAIM_NODE)));
}
static void claim_size(const struct object *o, struct str *out)
{
	struct quantity size = resource_get(&((const struct claim *)o)->spec.resources.requests, "storage");

	if (size.given)
		quantity_format(&size, out);
	else
		str_add(out, "-");
}
static void lease_holder(const struct object *o, struct str *out)
{
	str_add(out, or_dash(((const struct lease *)o)->spec.holder));
}
static void lease_renewed(const struct object *o, struct str *out)
{
	char age[24];

	str_add(out, age_text((struct api_time){ ((const struct lease *)o)->spec.renew_time.nsec }, age));
}
static void event_last(const struct object *o, struct str *out)
{
	const struct event *event = (const struct event *)o;
	char age[24];

	str_add(out, age_text(event->last.nsec ? event->last : o->metadata.creation, age));
}
static void event_type(const struct object *o, struct str *out)
{
	str_add(out, or_dash(((const struct event *)o)->type));
}
static void event_reason(const struct object *o, struct str *out)
{
	str_add(out, or_dash(((const struct event *)o)->reason));
}
static void event_about(const struct object *o, struct str *out)
{
	const struct event *event = (const struct event *)o;
	const struct kind *kind = kind_by_word(event->involved.kind ? event->involved.kind : "");

	str_addf(out, "%s/%s", kind ? kind->singular : or_dash(event->involved.kind), or_dash(event->involved.name));
}
static void event_message(const struct object *o, struct str *out)
{
	const struct event *event = (const struct event *)o;

	str_add(out, or_dash(event->message));
	if (event->count > 1)
		str_addf(out, " (%d times)", event->count);
}
static void event_count(const struct object *o, struct str *out)
{
	str_addf(out, "%d", ((const struct event *)o)->count);
}
static void event_source(const struct object *o, struct str *out)
{
	const struct event *event = (const struct event *)o;

	str_add(out, or_dash(event->source.component));
	if (event->source.host && *event->source.host)
		str_addf(out, ", %s", event->source.host);
}

/* clang-format off */
static const struct column pod_columns[] = {
	{ "NAME", false, cell_name },      { "READY", false, pod_ready },       { "STATUS", false, pod_status },
	{ "RESTARTS", false, pod_restarts }, { "NODE", false, pod_node },       { "AGE", false, cell_age },
	{ "ADDRESS", true, pod_address },  { "IMAGES", true, pod_images },      {0}
};
static const struct column deployment_columns[] = {
	{ "NAME", false, cell_name },      { "READY", false, deployment_ready }, { "UP-TO-DATE", false, deployment_updated },
	{ "AVAILABLE", false, deployment_available }, { "AGE", false, cell_age }, { "PROTECTION", true, deployment_need },
	{ "IMAGES", true, deployment_images }, {0}
};
static const struct column set_columns[] = {
	{ "NAME", false, cell_name },      { "DESIRED", false, set_desired },   { "CURRENT", false, set_current },
	{ "READY", false, set_ready },     { "AGE", false, cell_age },          { "REVISION", true, set_revision },
	{ "IMAGES", true, set_images },    {0}
};
static const struct column node_columns[] = {
	{ "NAME", false, cell_name },      { "STATUS", false, node_status },    { "CLASS", false, node_class },
	{ "ZONE", false, node_zone },      { "AGE", false, cell_age },          { "VERSION", false, node_version },
	{ "ADDRESS", true, node_address }, { "KERNEL", true, node_kernel },     { "TAINTS", true, node_taints }, {0}
};
static const struct column namespace_columns[] = {
	{ "NAME", false, cell_name },      { "STATUS", false, namespace_status }, { "AGE", false, cell_age },
	{ "LABELS", true, cell_labels },   {0}
};
static const struct column claim_columns[] = {
	{ "NAME", false, cell_name },      { "STATUS", false, claim_status },   { "NODE", false, claim_node },
	{ "SIZE", false, claim_size },     { "AGE", false, cell_age },          {0}
};
static const struct column lease_columns[] = {
	{ "NAME", false, cell_name },      { "HOLDER", false, lease_holder },   { "RENEWED", false, lease_renewed },
	{ "AGE", false, cell_age },        {0}
};
static const struct column event_columns[] = {
	{ "LAST", false, event_last },     { "TYPE", false, event_type },       { "REASON", false, event_reason },
	{ "OBJECT", false, event_about },  { "COUNT", true, event_count },      { "SOURCE", true, event_source },
	{ "MESSAGE", false, event_message }, {0}
};
/* clang-format on */
static const struct column namespace_column = { "NAMESPACE", false, cell_namespace };
static const struct column *const columns[KIND_COUNT] = {
	[KIND_NAMESPACE] = namespace_columns, [KIND_NODE] = node_columns,
	[KIND_POD] = pod_columns,             [KIND_CLAIM] = claim_columns,
	[KIND_EVENT] = event_columns,         [KIND_DEPLOYMENT] = deployment_columns,
	[KIND_REPLICASET] = set_columns,      [KIND_LEASE] = lease_columns,
};

/* ---- rows ---- */

enum { COLUMNS_MAX = 12, ROW_BYTES = 16 << 10, ROWS_BYTES = 256 << 20, GAP = 3 };

struct rows {
	const struct column *columns[COLUMNS_MAX];
	size_t count;
	size_t widths[COLUMNS_MAX];
	struct str cells; /* of the rows that wait, each cell NUL-terminated */
	bool headed;
};

err *rows_new(const struct kind *kind, bool wide, bool namespaces, struct rows **ret)
{
	struct rows *r = calloc(1, sizeof(*r));

	if (!r)
		return err_oom();
	str_init(&r->cells, ROWS_BYTES);
	if (namespaces && kind->namespaced)
		r->columns[r->count++] = &namespace_column;
	for (const struct column *c = columns[kind->id]; c->heading; c++)
		if (wide || !c->wide)
			r->columns[r->count++] = c;
	for (size_t i = 0; i < r->count; i++)
		r->widths[i] = strlen(r->columns[i]->heading);
	*ret = r;
	return NULL;
}

void rows_no_headers(struct rows *r)
{
	r->headed = true;
	memset(r->widths, 0, sizeof(r->widths));
}

void rows_show_labels(struct rows *r)
{
	static const struct column labels = { "LABELS", false, cell_labels };

	for (size_t i = 0; i < r->count; i++)
		if (str_equal(r->columns[i]->heading, labels.heading))
			return;
	r->columns[r->count] = &labels;
	r->widths[r->count++] = r->headed ? 0 : strlen(labels.heading);
}

void rows_wide_enough(struct rows *r)
{
	static const struct {
		const char *heading;
		size_t width;
	} rooms[] = {
		{ "STATUS", sizeof("CreateContainerError") - 1 },
		{ "NODE", 16 },
		{ "READY", 5 },
		{ "AGE", 5 },
	};

	for (size_t i = 0; i < r->count; i++)
		for (size_t j = 0; j < ARRAY_LEN(rooms); j++)
			if (str_equal(r->columns[i]->heading, rooms[j].heading))
				r->widths[i] = MAX(r->widths[i], rooms[j].width);
}

void rows_free(struct rows *r)
{
	if (!r)
		return;
	str_done(&r->cells);
	free(r);
}

/* Characters, not bytes: UTF-8's following bytes do not count. */
static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void rows_add(struct rows *r, const struct object *object)
{
	auto_str struct str text = STR_INIT(ROW_BYTES);

	for (size_t i = 0; i < r->count; i++) {
		size_t begin = r->cells.len;
		str_clear(&text);
		r->columns[i]->cell(object, &text);
		str_add_shown(&r->cells, text.data);
		str_add_char(&r->cells, '\0');
		if (!r->cells.failed)
			r->widths[i] = MAX(r->widths[i], width(r->cells.data + begin));
	}
}

static void add_padded(struct str *out, const char *text, size_t padded)
{
	str_add(out, text);
	for (size_t n = width(text); n < padded; n++)
		str_add_char(out, ' ');
}

static void add_line(const struct rows *r, const char *const *cells, struct str *out)
{
	for (size_t i = 0; i < r->count; i++)
		add_padded(out, cells[i], i + 1 < r->count ? r->widths[i] + GAP : 0);
	str_add_char(out, '\n');
}

err *rows_print(struct rows *r)
{
	auto_str struct str out = STR_INIT(2 * ROWS_BYTES);
	const char *cells[COLUMNS_MAX];
	size_t place = 0;

	TRY(str_check(&r->cells));
	for (size_t i = 0; i < r->count; i++)
		cells[i] = r->columns[i]->heading;
	if (!r->headed)
		add_line(r, cells, &out);
	r->headed = true;
	while (place < r->cells.len) {
		for (size_t i = 0; i < r->count; i++) {
			cells[i] = r->cells.data + place;
			place += strlen(cells[i]) + 1;
		}
		add_line(r, cells, &out);
	}
	str_clear(&r->cells);
	TRY(str_check(&out));
	return fd_write_all(STDOUT_FILENO, out.data, out.len);
}
