/* api/condition.c: conditions, which say what holds of an object and since when. */
#include "api/node.h"

/* clang-format off */
static const struct enum_name status_names[] = {
	{ "True", CONDITION_TRUE }, { "False", CONDITION_FALSE }, { "Unknown", CONDITION_UNKNOWN }, {0}
};
static const struct type t_condition_status = ENUM("condition status", status_names);
static const struct field condition_fields[] = {
	FIELD(struct condition, "type",               type,       t_nonempty,         REQUIRED, NULL),
	FIELD(struct condition, "status",             status,     t_condition_status, REQUIRED, NULL),
	FIELD(struct condition, "lastHeartbeatTime",  heartbeat,  t_api_time,         0, NULL),
	FIELD(struct condition, "lastUpdateTime",     update,     t_api_time,         0, NULL),
	FIELD(struct condition, "lastProbeTime",      probe,      t_api_time,         0, NULL),
	FIELD(struct condition, "lastTransitionTime", transition, t_api_time,         0, NULL),
	FIELD(struct condition, "reason",             reason,     t_string,           EMPTY_ABSENT, NULL),
	FIELD(struct condition, "message",            message,    t_string,           EMPTY_ABSENT, NULL),
	KNOWN("observedGeneration", IGNORED),
	{0}
};
static const struct type t_condition = OBJECT_STRICT("condition", struct condition, condition_fields);
const struct type t_conditions = ARRAY_OF_MAX(t_condition, 64);
/* clang-format on */

const struct condition *condition_find(const struct conditions *list, const char *type)
{
	for (size_t i = 0; i < list->count; i++)
		if (str_equal(list->items[i].type, type))
			return &list->items[i];
	return NULL;
}

err *condition_set(struct arena *arena, struct conditions *list, const struct condition *value)
{
	struct condition *grown, *there = (struct condition *)condition_find(list, value->type);

	if (there) {
		struct api_time since = there->transition;
		bool same = there->status == value->status;
		*there = *value;
		if (same && since.nsec)
			there->transition = since;
		return NULL;
	}
	TRY_ALLOC(arena, grown, arena_array(arena, list->count + 1, sizeof(*grown)));
	if (list->count)
		memcpy(grown, list->items, list->count * sizeof(*grown));
	grown[list->count++] = *value;
	list->items = grown;
	return NULL;
}
