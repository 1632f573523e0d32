/* api/namespace.c: the tables of a Namespace. Ref: Kubernetes core/v1 Namespace, 1.33. */
#include "api/namespace.h"

#include "api/kinds-internal.h"

static const char *check_finalizer(const void *value)
{
	return str_equal(*(const char *const *)value, "kubernetes") ? NULL : "is not supported";
}

/* clang-format off */
static const struct enum_name phase_names[] = {
	{ "", 0 }, { "Active", NAMESPACE_ACTIVE }, { "Terminating", NAMESPACE_TERMINATING }, {0}
};
const struct type t_namespace_phase = ENUM("phase", phase_names);
static const struct type t_finalizer = STRING_CHECKED("finalizer", check_finalizer);
static const struct type t_finalizers = ARRAY_OF_MAX(t_finalizer, 1);
static const struct field spec_fields[] = {
	FIELD(struct namespace_spec, "finalizers", finalizers, t_finalizers, 0, NULL),
	{0}
};
const struct type t_namespace_spec = OBJECT_STRICT("spec", struct namespace_spec, spec_fields);
static const struct field status_fields[] = {
	FIELD(struct namespace_status, "phase", phase, t_namespace_phase, OMIT_ZERO, "\"\""),
	KNOWN("conditions", IGNORED),
	{0}
};
const struct type t_namespace_status = OBJECT_STRICT("status", struct namespace_status, status_fields);
static const struct field namespace_fields[] = {
	OBJECT_FIELDS(struct namespace),
	FIELD(struct namespace, "spec",   spec,   t_namespace_spec,   OMIT_ZERO, NULL),
	FIELD(struct namespace, "status", status, t_namespace_status, OMIT_ZERO, NULL),
	{0}
};
const struct type t_namespace = OBJECT_STRICT("Namespace", struct namespace, namespace_fields);
/* clang-format on */

const struct rule namespace_rules[] = {
	{ "metadata is well-formed", object_check_metadata },
	{ 0 },
};
