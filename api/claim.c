/* api/claim.c: the tables of a PersistentVolumeClaim. Ref: Kubernetes core/v1 PersistentVolumeClaim, 1.33. */
#include "api/claim.h"

#include "api/kinds-internal.h"

static const char *check_mode(const void *value)
{
	const char *mode = *(const char *const *)value;

	if (str_equal(mode, "ReadWriteOnce") || str_equal(mode, "ReadWriteOncePod"))
		return NULL;
	if (str_equal(mode, "ReadWriteMany") || str_equal(mode, "ReadOnlyMany"))
		return "is not supported: a local volume is one node's";
	return "is no access mode";
}

static const char *check_class(const void *value)
{
	return str_equal(*(const char *const *)value, "local") ? NULL : "is not supported: the one class is 'local'";
}

/* clang-format off */
static const struct enum_name phase_names[] = {
	{ "", 0 }, { "Pending", CLAIM_PENDING }, { "Bound", CLAIM_BOUND }, { "Lost", CLAIM_LOST }, {0}
};
static const struct type t_phase = ENUM("phase", phase_names);
static const struct type t_mode = STRING_CHECKED("access mode", check_mode);
static const struct type t_class = STRING_CHECKED("storage class", check_class);
static const struct type t_modes = ARRAY_OF_MAX(t_mode, 4);
static const struct type t_wanted_modes = {
	.kind = T_ARRAY, .name = "array", .size = sizeof(LIST(void)), .item = &t_mode, .max = 4, .flags = NOT_EMPTY,
};
static const struct field resources_fields[] = {
	FIELD(struct claim_resources, "requests", requests, t_resource_list, 0, NULL),
	FIELD(struct claim_resources, "limits",   limits,   t_resource_list, 0, NULL),
	{0}
};
static const struct type t_resources = OBJECT_STRICT("resources", struct claim_resources, resources_fields);
static const struct field spec_fields[] = {
	FIELD(struct claim_spec, "accessModes",      access_modes,  t_wanted_modes, REQUIRED, NULL),
	FIELD(struct claim_spec, "resources",        resources,     t_resources,    REQUIRED, NULL),
	FIELD(struct claim_spec, "storageClassName", storage_class, t_class,        EMPTY_ABSENT, NULL),
	FIELD(struct claim_spec, "volumeName",       volume_name,   t_string,       EMPTY_ABSENT, NULL),
	NOT_YET("volumeMode", "\"Filesystem\""),
	NOT_YET("selector", "{}"),
	NOT_YET("dataSource", "{}"),
	NOT_YET("dataSourceRef", "{}"),
	NOT_YET("volumeAttributesClassName", "\"\""),
	{0}
};
const struct type t_claim_spec = OBJECT_STRICT("spec", struct claim_spec, spec_fields);
static const struct field status_fields[] = {
	FIELD(struct claim_status, "phase",       phase,        t_phase,         OMIT_ZERO, "\"\""),
	FIELD(struct claim_status, "accessModes", access_modes, t_modes,         0, NULL),
	FIELD(struct claim_status, "capacity",    capacity,     t_resource_list, 0, NULL),
	KNOWN("conditions", IGNORED), KNOWN("allocatedResources", IGNORED), KNOWN("allocatedResourceStatuses", IGNORED),
	KNOWN("currentVolumeAttributesClassName", IGNORED), KNOWN("modifyVolumeStatus", IGNORED),
	{0}
};
const struct type t_claim_status = OBJECT_STRICT("status", struct claim_status, status_fields);
static const struct field claim_fields[] = {
	OBJECT_FIELDS(struct claim),
	FIELD(struct claim, "spec",   spec,   t_claim_spec,   REQUIRED, NULL),
	FIELD(struct claim, "status", status, t_claim_status, OMIT_ZERO, NULL),
	{0}
};
const struct type t_claim = OBJECT_STRICT("PersistentVolumeClaim", struct claim, claim_fields);
/* clang-format on */

static err *check_names(const struct resource_list *list, const char *path, struct decoder *d)
{
	for (size_t i = 0; i < list->count; i++)
		if (!str_equal(list->items[i].name, "storage"))
			return rule_fail(d, path, list->items[i].name, NULL, "is not supported");
	return NULL;
}

static err *check_size(const void *document, struct decoder *d)
{
	const struct claim_resources *r = &((const struct claim *)document)->spec.resources;
	struct quantity wanted = resource_get(&r->requests, "storage"), limit = resource_get(&r->limits, "storage");

	TRY(check_names(&r->requests, "spec.resources.requests", d));
	TRY(check_names(&r->limits, "spec.resources.limits", d));
	if (wanted.milli == 0)
		return decoder_fail(d, "spec.resources.requests.storage",
				    wanted.given ? "must be more than 0" : "required but missing");
	if (limit.given && wanted.milli > limit.milli)
		return decoder_fail(d, "spec.resources.requests.storage", "is larger than its limit");
	return NULL;
}

static err *check_modes(const void *document, struct decoder *d)
{
	const struct strings *modes = &((const struct claim *)document)->spec.access_modes;

	for (size_t i = 0; i < modes->count; i++)
		if (modes->count > 1 && str_equal(modes->items[i], "ReadWriteOncePod"))
			return decoder_fail(d, "spec.accessModes", "ReadWriteOncePod allows no other mode beside it");
	return NULL;
}

const struct rule claim_rules[] = {
	{ "metadata is well-formed", object_check_metadata },
	{ "a size is asked for", check_size },
	{ "access modes go together", check_modes },
	{ 0 },
};
