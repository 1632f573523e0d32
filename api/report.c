/* api/report.c: the tables of the scheduler's answers: explanation, plan, forecast of a drain. */
#include "api/report.h"

/* clang-format off */
static const struct enum_name action_names[] = {
	{ "create", PLAN_CREATE }, { "change", PLAN_CHANGE }, { "nothing", PLAN_NOTHING }, {0}
};
static const struct type t_action = ENUM("action", action_names);
static const struct type t_count = INT_RANGE("count", int32_t, 0, INT32_MAX);

static const struct field node_fields[] = {
	FIELD(struct report_node, "node",   node,   t_nonempty, REQUIRED, NULL),
	FIELD(struct report_node, "fits",   fits,   t_bool,     0, NULL),
	FIELD(struct report_node, "reason", reason, t_string,   EMPTY_ABSENT, NULL),
	FIELD(struct report_node, "detail", detail, t_string,   EMPTY_ABSENT, NULL),
	{0}
};
static const struct type t_node_report = OBJECT_STRICT("node", struct report_node, node_fields);
static const struct type t_nodes = ARRAY_OF_MAX(t_node_report, 100000);
static const struct field explanation_fields[] = {
	FIELD(struct explanation, "namespace", namespace, t_string,   EMPTY_ABSENT, NULL),
	FIELD(struct explanation, "name",      name,      t_nonempty, REQUIRED, NULL),
	FIELD(struct explanation, "phase",     phase,     t_string,   EMPTY_ABSENT, NULL),
	FIELD(struct explanation, "node",      node,      t_string,   EMPTY_ABSENT, NULL),
	FIELD(struct explanation, "summary",   summary,   t_string,   EMPTY_ABSENT, NULL),
	FIELD(struct explanation, "since",     since,     t_api_time, 0, NULL),
	FIELD(struct explanation, "nodes",     nodes,     t_nodes,    0, NULL),
	FIELD(struct explanation, "help",      help,      t_string,   EMPTY_ABSENT, NULL),
	{0}
};
const struct type t_explanation = OBJECT_STRICT("explanation", struct explanation, explanation_fields);

static const struct field placement_fields[] = {
	FIELD(struct plan_placement, "node",      node,      t_string, EMPTY_ABSENT, NULL),
	FIELD(struct plan_placement, "summary",   summary,   t_string, EMPTY_ABSENT, NULL),
	FIELD(struct plan_placement, "instances", instances, t_count,  0, NULL),
	{0}
};
static const struct type t_placement = OBJECT_STRICT("placement", struct plan_placement, placement_fields);
static const struct type t_placements = ARRAY_OF_MAX(t_placement, 100000);
static const struct field item_fields[] = {
	FIELD(struct plan_item, "kind",         kind,          t_nonempty,   REQUIRED, NULL),
	FIELD(struct plan_item, "namespace",    namespace,     t_string,     EMPTY_ABSENT, NULL),
	FIELD(struct plan_item, "name",         name,          t_nonempty,   REQUIRED, NULL),
	FIELD(struct plan_item, "action",       action,        t_action,     REQUIRED, NULL),
	FIELD(struct plan_item, "replacesPods", replaces_pods, t_bool,       OMIT_ZERO, NULL),
	FIELD(struct plan_item, "changed",      changed,       t_strings,    0, NULL),
	FIELD(struct plan_item, "placements",   placements,    t_placements, 0, NULL),
	{0}
};
static const struct type t_item = OBJECT_STRICT("item", struct plan_item, item_fields);
static const struct type t_items = ARRAY_OF_MAX(t_item, 10000);
static const struct field plan_fields[] = {
	FIELD(struct plan, "items", items, t_items, 0, NULL),
	FIELD(struct plan, "fits",  fits,  t_bool,  0, NULL),
	{0}
};
const struct type t_plan = OBJECT_STRICT("plan", struct plan, plan_fields);

static const struct field drain_pod_fields[] = {
	FIELD(struct drain_pod, "namespace", namespace, t_string,   EMPTY_ABSENT, NULL),
	FIELD(struct drain_pod, "name",      name,      t_nonempty, REQUIRED, NULL),
	FIELD(struct drain_pod, "node",      node,      t_string,   EMPTY_ABSENT, NULL),
	FIELD(struct drain_pod, "summary",   summary,   t_string,   EMPTY_ABSENT, NULL),
	{0}
};
static const struct type t_drain_pod = OBJECT_STRICT("pod", struct drain_pod, drain_pod_fields);
static const struct type t_drain_pods = ARRAY_OF_MAX(t_drain_pod, 100000);
static const struct field forecast_fields[] = {
	FIELD(struct drain_forecast, "node", node, t_nonempty,   REQUIRED, NULL),
	FIELD(struct drain_forecast, "pods", pods, t_drain_pods, 0, NULL),
	FIELD(struct drain_forecast, "fits", fits, t_bool,       0, NULL),
	{0}
};
const struct type t_drain_forecast = OBJECT_STRICT("forecast", struct drain_forecast, forecast_fields);
/* clang-format on */
