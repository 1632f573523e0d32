/* api/event.h: Event: what happened to an object, for people. Ref: Kubernetes core/v1 Event. */
#pragma once
#include "api/meta.h"

struct object_reference {
	const char *api_version, *kind, *namespace, *name, *uid, *resource_version, *field_path;
};
struct event_source {
	const char *component, *host;
};
struct event {
	const char *api_version, *kind;
	struct meta metadata;
	struct object_reference involved;
	const char *reason;  /* one word: "Pulled" */
	const char *message;
	const char *type;    /* "Normal" or "Warning" */
	struct event_source source;
	struct api_time first, last;
	struct api_micro_time event_time;
	int32_t count;
	const char *reporting_component, *reporting_instance, *action;
};
extern const struct type t_event;
