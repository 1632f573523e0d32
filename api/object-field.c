/* api/object-field.c: the fields of objects that selectors may name. Ref: Kubernetes "Field Selectors". */
#include "api/event.h"
#include "api/kinds-internal.h"
#include "api/namespace.h"
#include "api/node.h"

#define EVERY_KIND KIND_COUNT

/* clang-format off */
#define ROW(kind, S, path, member, type) { kind, path, offsetof(S, member), &(type) }
static const struct row {
	enum kind_id kind;
	const char *path;
	size_t offset;
	const struct type *type;
} rows[] = {
	ROW(EVERY_KIND,     struct object,    "metadata.name",            metadata.name,            t_string),
	ROW(EVERY_KIND,     struct object,    "metadata.namespace",       metadata.namespace,       t_string),
	ROW(KIND_POD,       struct pod,       "spec.nodeName",            spec.node_name,           t_string),
	ROW(KIND_POD,       struct pod,       "spec.restartPolicy",       spec.restart,             t_pod_restart),
	ROW(KIND_POD,       struct pod,       "status.phase",             status.phase,             t_pod_phase),
	ROW(KIND_POD,       struct pod,       "status.podIP",             status.pod_ip,            t_string),
	ROW(KIND_EVENT,     struct event,     "involvedObject.kind",      involved.kind,            t_string),
	ROW(KIND_EVENT,     struct event,     "involvedObject.name",      involved.name,            t_string),
	ROW(KIND_EVENT,     struct event,     "involvedObject.namespace", involved.namespace,       t_string),
	ROW(KIND_EVENT,     struct event,     "involvedObject.uid",       involved.uid,             t_string),
	ROW(KIND_EVENT,     struct event,     "reason",                   reason,                   t_string),
	ROW(KIND_EVENT,     struct event,     "type",                     type,                     t_string),
	ROW(KIND_NODE,      struct node,      "spec.unschedulable",       spec.unschedulable,       t_bool),
	ROW(KIND_NAMESPACE, struct namespace, "status.phase",             status.phase,             t_namespace_phase),
};
/* clang-format on */

static const struct row *find(const struct kind *kind, const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((rows[i].kind == EVERY_KIND || rows[i].kind == kind->id) && str_equal(rows[i].path, path))
			return &rows[i];
	return NULL;
}

bool kind_has_field(const struct kind *kind, const char *path)
{
	return find(kind, path);
}

const char *object_field(const struct object *object, const char *path)
{
	const struct kind *kind = kind_of(object);
	const struct row *row = kind ? find(kind, path) : NULL;
	const char *text = NULL, *at = (const char *)object;

	if (!row)
		return NULL;
	if (row->type->kind == T_BOOL)
		return *(const bool *)(at + row->offset) ? "true" : "false";
	if (row->type->kind == T_ENUM)
		text = enum_name(row->type->names, *(const int *)(const void *)(at + row->offset));
	else
		text = *(const char *const *)(const void *)(at + row->offset);
	return text ? text : "";
}
