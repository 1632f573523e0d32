/* examples/application.c: the JSON forms of an application. */
#include "examples/application.h"

#include "examples/states.h"
#include "examples/token.h"

/* clang-format off */
static const struct field event_fields[] = {
	FIELD(struct event, "at",    at,    t_string, REQUIRED, NULL),
	FIELD(struct event, "state", state, t_state,  REQUIRED, NULL),
	FIELD(struct event, "by",    by,    t_role,   REQUIRED, NULL),
	FIELD(struct event, "note",  note,  t_string, 0,        NULL),
	{0}
};
static const struct type t_event = OBJECT("event", struct event, event_fields);
static const struct type t_history = ARRAY_OF_MAX(t_event, HISTORY_MAX);
static const struct field application_fields[] = {
	FIELD(struct application, "number",    number,    t_string,     REQUIRED,  NULL),
	FIELD(struct application, "citizen",   citizen,   t_string,     REQUIRED,  NULL),
	FIELD(struct application, "name",      name,      t_string,     REQUIRED,  NULL),
	FIELD(struct application, "kind",      kind,      t_string,     REQUIRED,  NULL),
	FIELD(struct application, "state",     state,     t_state,      REQUIRED,  NULL),
	FIELD(struct application, "created",   created,   t_string,     REQUIRED,  NULL),
	FIELD(struct application, "changed",   changed,   t_string,     REQUIRED,  NULL),
	FIELD(struct application, "fields",    fields,    t_string_map, 0,         NULL),
	FIELD(struct application, "digest",    digest,    t_string,     0,         NULL),
	FIELD(struct application, "signed_at", signed_at, t_i64,        OMIT_ZERO, NULL),
	FIELD(struct application, "signature", signature, t_string,     0,         NULL),
	FIELD(struct application, "history",   history,   t_history,    0,         NULL),
	{0}
};
const struct type t_application = OBJECT("application", struct application, application_fields);
static const struct type t_application_list = {
	.kind = T_ARRAY, .name = "array", .size = sizeof(LIST(void)), .item = &t_application, .flags = KEEP_EMPTY
};
static const struct field applications_fields[] = {
	FIELD(struct applications, "applications", list, t_application_list, REQUIRED, NULL),
	{0}
};
const struct type t_applications = OBJECT("applications", struct applications, applications_fields);
/* clang-format on */

void application_document(const struct application *a, struct str *out)
{
	struct json_writer w = JSON_WRITER(out, 0);

	json_begin_object(&w);
	json_member_string(&w, "number", a->number);
	json_member_string(&w, "kind", a->kind);
	json_member_string(&w, "citizen", a->citizen);
	json_member_string(&w, "name", a->name);
	json_member_string(&w, "created", a->created);
	json_key(&w, "fields");
	encode(&w, &t_string_map, &a->fields);
	json_end_object(&w);
}
