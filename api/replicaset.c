/* api/replicaset.c: the tables of a ReplicaSet. Ref: Kubernetes apps/v1 ReplicaSet, 1.33. */
#include "api/deployment.h"
#include "api/kinds-internal.h"

/* clang-format off */
static const struct type t_replicas = INT_RANGE("replicas", int32_t, 0, 100000);
static const struct type t_count = INT_RANGE("count", int32_t, 0, INT32_MAX);
static const struct field spec_fields[] = {
	FIELD(struct replicaset_spec, "replicas",        replicas,          t_replicas,       0, "1"),
	FIELD(struct replicaset_spec, "minReadySeconds", min_ready_seconds, t_count,          OMIT_ZERO, NULL),
	FIELD(struct replicaset_spec, "selector",        selector,          t_label_selector, REQUIRED, NULL),
	FIELD(struct replicaset_spec, "template",        template,          t_pod_template,   REQUIRED, NULL),
	{0}
};
const struct type t_replicaset_spec = OBJECT_STRICT("spec", struct replicaset_spec, spec_fields);

static const struct field status_fields[] = {
	FIELD(struct replicaset_status, "replicas",             replicas,            t_count,      OMIT_ZERO, NULL),
	FIELD(struct replicaset_status, "fullyLabeledReplicas", fully_labeled,       t_count,      OMIT_ZERO, NULL),
	FIELD(struct replicaset_status, "readyReplicas",        ready,               t_count,      OMIT_ZERO, NULL),
	FIELD(struct replicaset_status, "availableReplicas",    available,           t_count,      OMIT_ZERO, NULL),
	FIELD(struct replicaset_status, "terminatingReplicas",  terminating,         t_count,      OMIT_ZERO, NULL),
	FIELD(struct replicaset_status, "observedGeneration",   observed_generation, t_i64,        OMIT_ZERO, NULL),
	FIELD(struct replicaset_status, "conditions",           conditions,          t_conditions, 0, NULL),
	{0}
};
const struct type t_replicaset_status = OBJECT_STRICT("status", struct replicaset_status, status_fields);

static const struct field replicaset_fields[] = {
	OBJECT_FIELDS(struct replicaset),
	FIELD(struct replicaset, "spec",   spec,   t_replicaset_spec,   REQUIRED, NULL),
	FIELD(struct replicaset, "status", status, t_replicaset_status, OMIT_ZERO, NULL),
	{0}
};
const struct type t_replicaset = OBJECT_STRICT("ReplicaSet", struct replicaset, replicaset_fields);
/* clang-format on */

static err *check_template(const void *document, struct decoder *d)
{
	const struct replicaset *o = document;

	return template_check(d, &o->metadata, &o->spec.selector, &o->spec.template);
}

const struct rule replicaset_rules[] = {
	{ "metadata is well-formed", object_check_metadata },
	{ "the template is a Pod that the selector matches", check_template },
	{ 0 },
};
