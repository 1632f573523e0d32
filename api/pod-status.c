/* api/pod-status.c: the status of a Pod and what people read from it. Ref: Kubernetes core/v1 PodStatus, 1.33. */
#include "api/kinds-internal.h"
#include "api/pod-internal.h"

/* clang-format off */
static const struct enum_name phase_names[] = {
	{ "", 0 }, { "Pending", POD_PENDING }, { "Running", POD_RUNNING }, { "Succeeded", POD_SUCCEEDED },
	{ "Failed", POD_FAILED }, { "Unknown", POD_UNKNOWN }, {0}
};
const struct type t_pod_phase = ENUM("phase", phase_names);
static const struct type t_restarts = INT_RANGE("count", int32_t, 0, INT32_MAX);

static const struct field waiting_fields[] = {
	FIELD(struct container_waiting, "reason",  reason,  t_string, EMPTY_ABSENT, NULL),
	FIELD(struct container_waiting, "message", message, t_string, EMPTY_ABSENT, NULL),
	{0}
};
static const struct field running_fields[] = {
	FIELD(struct container_running, "startedAt", started, t_api_time, 0, NULL),
	{0}
};
static const struct field terminated_fields[] = {
	FIELD(struct container_terminated, "exitCode",    code,         t_i32,      REQUIRED, NULL),
	FIELD(struct container_terminated, "signal",      signal,       t_i32,      OMIT_ZERO, NULL),
	FIELD(struct container_terminated, "reason",      reason,       t_string,   EMPTY_ABSENT, NULL),
	FIELD(struct container_terminated, "message",     message,      t_string,   EMPTY_ABSENT, NULL),
	FIELD(struct container_terminated, "startedAt",   started,      t_api_time, 0, NULL),
	FIELD(struct container_terminated, "finishedAt",  finished,     t_api_time, 0, NULL),
	FIELD(struct container_terminated, "containerID", container_id, t_string,   EMPTY_ABSENT, NULL),
	{0}
};
static const struct type t_waiting = OBJECT_STRICT("waiting", struct container_waiting, waiting_fields);
static const struct type t_running = OBJECT_STRICT("running", struct container_running, running_fields);
static const struct type t_terminated = OBJECT_STRICT("terminated", struct container_terminated, terminated_fields);
static const struct type opt_waiting = OPTIONAL(t_waiting);
static const struct type opt_running = OPTIONAL(t_running);
static const struct type opt_terminated = OPTIONAL(t_terminated);
static const struct field state_fields[] = {
	FIELD(struct container_state, "waiting",    waiting,    opt_waiting,    0, NULL),
	FIELD(struct container_state, "running",    running,    opt_running,    0, NULL),
	FIELD(struct container_state, "terminated", terminated, opt_terminated, 0, NULL),
	{0}
};
static const struct type t_state = OBJECT_STRICT("state", struct container_state, state_fields);
static const struct field container_fields[] = {
	FIELD(struct container_status, "name",         name,         t_nonempty, REQUIRED, NULL),
	FIELD(struct container_status, "state",        state,        t_state,    OMIT_ZERO, NULL),
	FIELD(struct container_status, "lastState",    last_state,   t_state,    OMIT_ZERO, NULL),
	FIELD(struct container_status, "ready",        ready,        t_bool,     0, NULL),
	FIELD(struct container_status, "restartCount", restarts,     t_restarts, 0, NULL),
	FIELD(struct container_status, "image",        image,        t_string,   0, NULL),
	FIELD(struct container_status, "imageID",      image_id,     t_string,   0, NULL),
	FIELD(struct container_status, "containerID",  container_id, t_string,   EMPTY_ABSENT, NULL),
	FIELD(struct container_status, "started",      started,      t_bool,     0, NULL),
	KNOWN("allocatedResources", IGNORED), KNOWN("resources", IGNORED), KNOWN("volumeMounts", IGNORED),
	KNOWN("user", IGNORED), KNOWN("allocatedResourcesStatus", IGNORED), KNOWN("stopSignal", IGNORED),
	{0}
};
static const struct type t_container_status = OBJECT_STRICT("container status", struct container_status, container_fields);
static const struct type t_container_statuses = ARRAY_OF_MAX(t_container_status, 64);
static const struct field ip_fields[] = {
	FIELD(struct pod_ip, "ip", ip, t_string, 0, NULL),
	{0}
};
static const struct type t_ip = OBJECT_STRICT("address", struct pod_ip, ip_fields);
static const struct type t_ips = ARRAY_OF_MAX(t_ip, 16);
static const struct field status_fields[] = {
	FIELD(struct pod_status, "observedGeneration", observed_generation, t_i64,   OMIT_ZERO, NULL),
	FIELD(struct pod_status, "phase",             phase,      t_pod_phase,          OMIT_ZERO, "\"\""),
	FIELD(struct pod_status, "conditions",        conditions, t_conditions,         0, NULL),
	FIELD(struct pod_status, "message",           message,    t_string,             EMPTY_ABSENT, NULL),
	FIELD(struct pod_status, "reason",            reason,     t_string,             EMPTY_ABSENT, NULL),
	FIELD(struct pod_status, "hostIP",            host_ip,    t_string,             EMPTY_ABSENT, NULL),
	FIELD(struct pod_status, "podIP",             pod_ip,     t_string,             EMPTY_ABSENT, NULL),
	FIELD(struct pod_status, "podIPs",            pod_ips,    t_ips,                0, NULL),
	FIELD(struct pod_status, "startTime",         start_time, t_api_time,           0, NULL),
	FIELD(struct pod_status, "containerStatuses", containers, t_container_statuses, 0, NULL),
	FIELD(struct pod_status, "qosClass",          qos_class,  t_string,             EMPTY_ABSENT, NULL),
	KNOWN("hostIPs", IGNORED), KNOWN("nominatedNodeName", IGNORED), KNOWN("initContainerStatuses", IGNORED),
	KNOWN("ephemeralContainerStatuses", IGNORED), KNOWN("resize", IGNORED), KNOWN("resourceClaimStatuses", IGNORED),
	KNOWN("extendedResourceClaimStatus", IGNORED), KNOWN("allocatedResources", IGNORED), KNOWN("resources", IGNORED),
	{0}
};
const struct type t_pod_status = OBJECT_STRICT("status", struct pod_status, status_fields);
/* clang-format on */

bool pod_is_ready(const struct pod *pod)
{
	const struct condition *ready = condition_find(&pod->status.conditions, "Ready");

	return ready && ready->status == CONDITION_TRUE;
}

bool pod_is_over(const struct pod *pod)
{
	return pod->status.phase == POD_SUCCEEDED || pod->status.phase == POD_FAILED;
}

/* Why this container does not run, or NULL. */
static const char *container_word(const struct container_state *state)
{
	if (state->waiting && state->waiting->reason)
		return state->waiting->reason;
	if (!state->terminated)
		return NULL;
	if (state->terminated->reason)
		return state->terminated->reason;
	return state->terminated->code || state->terminated->signal ? "Error" : "Completed";
}

/* As kubectl finds it: the first container that has something to say. */
static const char *running_word(const struct pod *pod)
{
	const char *word = pod->status.reason, *phase = enum_name(phase_names, pod->status.phase);
	bool running = false;

	if (!word)
		word = phase && *phase ? phase : "Pending";
	for (size_t i = pod->status.containers.count; i-- > 0;) {
		const struct container_status *c = &pod->status.containers.items[i];
		const char *reason = container_word(&c->state);
		if (reason)
			word = reason;
		else if (c->state.running && c->ready)
			running = true;
	}
	/* One is done, another serves. */
	if (running && str_equal(word, "Completed"))
		return pod_is_ready(pod) ? "Running" : "NotReady";
	return word;
}

/* The scheduler has said so: what the agent told last is not known to hold. */
static bool is_lost(const struct pod *pod)
{
	const struct condition *ready = condition_find(&pod->status.conditions, "Ready");

	return ready && ready->status != CONDITION_TRUE && str_equal(ready->reason, "NodeLost") && !pod_is_over(pod);
}

const char *pod_status_word(const struct pod *pod)
{
	if (is_lost(pod))
		return pod->metadata.deletion.nsec ? "Unknown" : "NodeLost";
	if (!pod->metadata.deletion.nsec || pod_is_over(pod))
		return running_word(pod);
	return str_equal(pod->status.reason, "NodeLost") ? "Unknown" : "Terminating";
}

const char *pod_on_node_loss(const struct pod *pod)
{
	const char *wanted = string_map_get(&pod->metadata.annotations, STUBE_ON_NODE_LOSS);

	if (wanted)
		return wanted;
	for (size_t i = 0; i < pod->spec.volumes.count; i++)
		if (pod->spec.volumes.items[i].claim)
			return "keep";
	return "replace";
}

static bool same_text(const char *a, const char *b)
{
	return str_equal(a ? a : "", b ? b : "");
}

bool toleration_matches(const struct toleration *t, const struct taint *taint)
{
	if (t->effect > 0 && t->effect != taint->effect)
		return false;
	if (t->key && *t->key && !str_equal(t->key, taint->key))
		return false;
	if (t->operator == TOLERATION_EXISTS)
		return true;
	return t->key && *t->key && same_text(t->value, taint->value);
}
