/* api/deployment.c: the tables of a Deployment. Ref: Kubernetes apps/v1 Deployment, 1.33. */
#include "api/deployment.h"

#include <inttypes.h>

#include "api/kinds-internal.h"

/* ---- a number or a share ---- */

#define SHARE_USUAL 25 /* percent */
#define SHARE_MAX   1000000

static const char *parse_share(const char *text, void *value)
{
	struct count_or_share *v = value;
	char digits[16];
	size_t len = strlen(text);
	uint64_t number;

	v->percent = len > 0 && text[len - 1] == '%';
	len -= v->percent;
	if (len == 0 || len >= sizeof(digits))
		return "is not a number or a share such as 25%";
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (!str_to_u64(digits, &number) || number > SHARE_MAX)
		return "is not a number or a share such as 25%";
	v->value = (int64_t)number;
	v->given = true;
	return NULL;
}

static void format_share(const void *value, struct str *out)
{
	const struct count_or_share *v = value;

	str_addf(out, "%" PRId64 "%s", v->value, v->percent ? "%" : "");
}

int64_t count_or_share(const struct count_or_share *v, int64_t total, bool round_up)
{
	int64_t percent = v->given ? v->value : SHARE_USUAL;

	if (v->given && !v->percent)
		return v->value;
	return (percent * total + (round_up ? 99 : 0)) / 100;
}

/* clang-format off */
static const struct type t_share = {
	.kind = T_TEXT, .name = "number or share", .size = sizeof(struct count_or_share), .flags = OR_NUMBER | AS_NUMBER,
	.parse = parse_share, .format = format_share,
};
static const struct enum_name strategy_names[] = {
	{ "RollingUpdate", STRATEGY_ROLLING_UPDATE }, { "Recreate", STRATEGY_RECREATE }, {0}
};
static const struct type t_strategy_type = ENUM("strategy", strategy_names);
static const struct field rolling_fields[] = {
	FIELD(struct rolling_update, "maxUnavailable", max_unavailable, t_share, 0, NULL),
	FIELD(struct rolling_update, "maxSurge",       max_surge,       t_share, 0, NULL),
	{0}
};
static const struct type t_rolling = OBJECT_STRICT("rolling update", struct rolling_update, rolling_fields);
static const struct field strategy_fields[] = {
	FIELD(struct deployment_strategy, "type",          type,           t_strategy_type, EMPTY_ABSENT, "\"RollingUpdate\""),
	FIELD(struct deployment_strategy, "rollingUpdate", rolling_update, t_rolling,       OMIT_ZERO, NULL),
	{0}
};
static const struct type t_strategy = OBJECT_STRICT("strategy", struct deployment_strategy, strategy_fields);

static const struct field template_fields[] = {
	FIELD(struct pod_template, "metadata", metadata, t_template_meta, OMIT_ZERO, NULL),
	FIELD(struct pod_template, "spec",     spec,     t_pod_spec,      REQUIRED, NULL),
	{0}
};
const struct type t_pod_template = OBJECT_STRICT("template", struct pod_template, template_fields);

static const struct type t_replicas = INT_RANGE("replicas", int32_t, 0, 100000);
static const struct type t_count = INT_RANGE("count", int32_t, 0, INT32_MAX);
static const struct field spec_fields[] = {
	FIELD(struct deployment_spec, "replicas",                replicas,                  t_replicas,       0, "1"),
	FIELD(struct deployment_spec, "selector",                selector,                  t_label_selector, REQUIRED, NULL),
	FIELD(struct deployment_spec, "template",                template,                  t_pod_template,   REQUIRED, NULL),
	FIELD(struct deployment_spec, "strategy",                strategy,                  t_strategy,       0, NULL),
	FIELD(struct deployment_spec, "minReadySeconds",         min_ready_seconds,         t_count,          OMIT_ZERO, NULL),
	FIELD(struct deployment_spec, "revisionHistoryLimit",    revision_history_limit,    t_count,          0, "10"),
	FIELD(struct deployment_spec, "paused",                  paused,                    t_bool,           OMIT_ZERO, NULL),
	FIELD(struct deployment_spec, "progressDeadlineSeconds", progress_deadline_seconds, t_count,          0, "600"),
	NOT_YET("podReplacementPolicy", "\"\""),
	{0}
};
const struct type t_deployment_spec = OBJECT_STRICT("spec", struct deployment_spec, spec_fields);

static const struct field status_fields[] = {
	FIELD(struct deployment_status, "observedGeneration",  observed_generation, t_i64,        OMIT_ZERO, NULL),
	FIELD(struct deployment_status, "replicas",            replicas,            t_count,      OMIT_ZERO, NULL),
	FIELD(struct deployment_status, "updatedReplicas",     updated,             t_count,      OMIT_ZERO, NULL),
	FIELD(struct deployment_status, "readyReplicas",       ready,               t_count,      OMIT_ZERO, NULL),
	FIELD(struct deployment_status, "availableReplicas",   available,           t_count,      OMIT_ZERO, NULL),
	FIELD(struct deployment_status, "unavailableReplicas", unavailable,         t_count,      OMIT_ZERO, NULL),
	FIELD(struct deployment_status, "terminatingReplicas", terminating,         t_count,      OMIT_ZERO, NULL),
	FIELD(struct deployment_status, "conditions",          conditions,          t_conditions, 0, NULL),
	KNOWN("collisionCount", IGNORED),
	{0}
};
const struct type t_deployment_status = OBJECT_STRICT("status", struct deployment_status, status_fields);

static const struct field deployment_fields[] = {
	OBJECT_FIELDS(struct deployment),
	FIELD(struct deployment, "spec",   spec,   t_deployment_spec,   REQUIRED, NULL),
	FIELD(struct deployment, "status", status, t_deployment_status, OMIT_ZERO, NULL),
	{0}
};
const struct type t_deployment = OBJECT_STRICT("Deployment", struct deployment, deployment_fields);
/* clang-format on */

/* ---- rules ---- */

err *template_check(struct decoder *d, const struct meta *owner, const struct label_selector *selector,
		    const struct pod_template *template)
{
	if (label_selector_is_empty(selector))
		return decoder_fail(d, "spec.selector", "must not be empty");
	TRY(label_selector_check(d, "spec.selector", selector));
	TRY(meta_check_labels(d, "spec.template.metadata.labels", &template->metadata.labels));
	TRY(meta_check_annotations(d, "spec.template.metadata.annotations", &template->metadata.annotations));
	if (!label_selector_matches(selector, &template->metadata.labels))
		return decoder_fail(d, "spec.template.metadata.labels", "spec.selector does not match these labels");
	TRY(pod_meta_check(d, "spec.template.metadata", &template->metadata));
	TRY(meta_check_template(d, owner, &template->metadata));
	TRY(pod_spec_check(d, "spec.template.spec", &template->spec));
	if (template->spec.restart != POD_RESTART_ALWAYS)
		return decoder_fail(d, "spec.template.spec.restartPolicy", "must be Always");
	if (template->spec.node_name)
		return decoder_fail(d, "spec.template.spec.nodeName", "is not supported in a template");
	return NULL;
}

static err *check_template(const void *document, struct decoder *d)
{
	const struct deployment *o = document;

	return template_check(d, &o->metadata, &o->spec.selector, &o->spec.template);
}

static bool is_none(const struct count_or_share *v)
{
	return v->given && v->value == 0;
}

static err *check_strategy(const void *document, struct decoder *d)
{
	const struct deployment_strategy *s = &((const struct deployment *)document)->spec.strategy;
	const struct rolling_update *u = &s->rolling_update;

	if (s->type == STRATEGY_RECREATE && (u->max_surge.given || u->max_unavailable.given))
		return decoder_fail(d, "spec.strategy.rollingUpdate", "has no meaning with the strategy Recreate");
	if (is_none(&u->max_surge) && is_none(&u->max_unavailable))
		return decoder_fail(d, "spec.strategy.rollingUpdate", "maxSurge and maxUnavailable must not both be 0");
	if (u->max_unavailable.percent && u->max_unavailable.value > 100)
		return decoder_fail(d, "spec.strategy.rollingUpdate.maxUnavailable", "must not be more than 100%%");
	return NULL;
}

static err *check_deadline(const void *document, struct decoder *d)
{
	const struct deployment_spec *spec = &((const struct deployment *)document)->spec;

	if (spec->progress_deadline_seconds <= spec->min_ready_seconds)
		return decoder_fail(d, "spec.progressDeadlineSeconds", "must be more than minReadySeconds");
	return NULL;
}

const struct rule deployment_rules[] = {
	{ "metadata is well-formed", object_check_metadata },
	{ "the template is a Pod that the selector matches", check_template },
	{ "the strategy can make progress", check_strategy },
	{ "the deadline leaves time to be ready", check_deadline },
	{ 0 },
};
