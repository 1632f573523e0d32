/* api/event.c: the tables of an Event. Ref: Kubernetes core/v1 Event, 1.33. */
#include "api/event.h"

#include "api/kinds-internal.h"

/* clang-format off */
static const struct type t_short = { .kind = T_STRING, .name = "string", .size = sizeof(char *), .max = 128 };
static const struct type t_message = { .kind = T_STRING, .name = "string", .size = sizeof(char *), .max = 4096 };
static const struct type t_count = INT_RANGE("count", int32_t, 0, INT32_MAX);

static const struct field reference_fields[] = {
	FIELD(struct object_reference, "apiVersion",      api_version,      t_string, EMPTY_ABSENT, NULL),
	FIELD(struct object_reference, "kind",            kind,             t_string, EMPTY_ABSENT, NULL),
	FIELD(struct object_reference, "namespace",       namespace,        t_string, EMPTY_ABSENT, NULL),
	FIELD(struct object_reference, "name",            name,             t_string, EMPTY_ABSENT, NULL),
	FIELD(struct object_reference, "uid",             uid,              t_string, EMPTY_ABSENT, NULL),
	FIELD(struct object_reference, "resourceVersion", resource_version, t_string, EMPTY_ABSENT, NULL),
	FIELD(struct object_reference, "fieldPath",       field_path,       t_string, EMPTY_ABSENT, NULL),
	{0}
};
static const struct type t_reference = OBJECT_STRICT("object reference", struct object_reference, reference_fields);
static const struct field source_fields[] = {
	FIELD(struct event_source, "component", component, t_short,  EMPTY_ABSENT, NULL),
	FIELD(struct event_source, "host",      host,      t_string, EMPTY_ABSENT, NULL),
	{0}
};
static const struct type t_source = OBJECT_STRICT("source", struct event_source, source_fields);
static const struct field event_fields[] = {
	OBJECT_FIELDS(struct event),
	FIELD(struct event, "involvedObject",     involved,            t_reference,      REQUIRED, NULL),
	FIELD(struct event, "reason",             reason,              t_short,          EMPTY_ABSENT, NULL),
	FIELD(struct event, "message",            message,             t_message,        EMPTY_ABSENT, NULL),
	FIELD(struct event, "source",             source,              t_source,         OMIT_ZERO, NULL),
	FIELD(struct event, "firstTimestamp",     first,               t_api_time,       0, NULL),
	FIELD(struct event, "lastTimestamp",      last,                t_api_time,       0, NULL),
	FIELD(struct event, "count",              count,               t_count,          OMIT_ZERO, NULL),
	FIELD(struct event, "type",               type,                t_short,          EMPTY_ABSENT, NULL),
	FIELD(struct event, "eventTime",          event_time,          t_api_micro_time, 0, NULL),
	FIELD(struct event, "action",             action,              t_short,          EMPTY_ABSENT, NULL),
	FIELD(struct event, "reportingComponent", reporting_component, t_short,          EMPTY_ABSENT, NULL),
	FIELD(struct event, "reportingInstance",  reporting_instance,  t_string,         EMPTY_ABSENT, NULL),
	NOT_YET("series", "{}"),
	NOT_YET("related", "{}"),
	{0}
};
const struct type t_event = OBJECT_STRICT("Event", struct event, event_fields);
/* clang-format on */

static err *check_event(const void *document, struct decoder *d)
{
	const struct event *e = document;

	if (e->type && !str_equal(e->type, "Normal") && !str_equal(e->type, "Warning"))
		return rule_fail(d, "", "type", e->type, "is not one of Normal|Warning");
	if (e->involved.namespace && e->metadata.namespace &&
	    !str_equal(e->involved.namespace, e->metadata.namespace))
		return decoder_fail(d, "involvedObject.namespace", "is not the event's namespace");
	return NULL;
}

const struct rule event_rules[] = {
	{ "metadata is well-formed", object_check_metadata },
	{ "the event fits its object", check_event },
	{ 0 },
};
