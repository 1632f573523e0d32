/* api/lease.c: the tables of a Lease. Ref: Kubernetes coordination.k8s.io/v1 Lease, 1.33. */
#include "api/lease.h"

#include "api/kinds-internal.h"

/* clang-format off */
static const struct type t_duration = INT_RANGE("seconds", int32_t, 1, INT32_MAX);
static const struct type t_count = INT_RANGE("count", int32_t, 0, INT32_MAX);
static const struct type opt_duration = OPTIONAL(t_duration);
static const struct type opt_count = OPTIONAL(t_count);
static const struct field spec_fields[] = {
	FIELD(struct lease_spec, "holderIdentity",       holder,       t_string,         EMPTY_ABSENT, NULL),
	FIELD(struct lease_spec, "leaseDurationSeconds", duration,     opt_duration,     0, NULL),
	FIELD(struct lease_spec, "acquireTime",          acquire_time, t_api_micro_time, 0, NULL),
	FIELD(struct lease_spec, "renewTime",            renew_time,   t_api_micro_time, 0, NULL),
	FIELD(struct lease_spec, "leaseTransitions",     transitions,  opt_count,        0, NULL),
	NOT_YET("strategy", "\"\""),
	NOT_YET("preferredHolder", "\"\""),
	{0}
};
const struct type t_lease_spec = OBJECT_STRICT("spec", struct lease_spec, spec_fields);
static const struct field lease_fields[] = {
	OBJECT_FIELDS(struct lease),
	FIELD(struct lease, "spec", spec, t_lease_spec, OMIT_ZERO, NULL),
	{0}
};
const struct type t_lease = OBJECT_STRICT("Lease", struct lease, lease_fields);
/* clang-format on */

const struct rule lease_rules[] = {
	{ "metadata is well-formed", object_check_metadata },
	{ 0 },
};
