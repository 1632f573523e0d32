/* api/pod-spec.c: the tables of a Pod's spec, without its containers. Ref: Kubernetes core/v1 PodSpec, 1.33. */
#include "api/kinds-internal.h"
#include "api/pod-internal.h"

/* clang-format off */
static const struct enum_name restart_names[] = {
	{ "Always", POD_RESTART_ALWAYS }, { "OnFailure", POD_RESTART_ON_FAILURE }, { "Never", POD_RESTART_NEVER }, {0}
};
static const struct enum_name medium_names[] = {
	{ "", POD_MEDIUM_DISK }, { "Memory", POD_MEDIUM_MEMORY }, {0}
};
static const struct enum_name path_names[] = {
	{ "", POD_PATH_ANY }, { "Directory", POD_PATH_DIRECTORY }, { "File", POD_PATH_FILE }, { "Socket", POD_PATH_SOCKET },
	{ "CharDevice", POD_PATH_CHAR_DEVICE }, { "BlockDevice", POD_PATH_BLOCK_DEVICE }, {0}
};
static const struct type t_grace = INT_RANGE("seconds", int64_t, 0, 365 * 86400);
const struct type t_pod_restart = ENUM("restart policy", restart_names);
static const struct type t_medium = ENUM("medium", medium_names);
static const struct type t_path_type = ENUM("type", path_names);
static const struct field empty_dir_fields[] = {
	FIELD(struct pod_empty_dir, "medium",    medium,     t_medium,   0, "\"\""),
	FIELD(struct pod_empty_dir, "sizeLimit", size_limit, t_quantity, 0, NULL),
	{0}
};
static const struct field host_path_fields[] = {
	FIELD(struct pod_host_path_source, "path", path, t_pod_path,    REQUIRED, NULL),
	FIELD(struct pod_host_path_source, "type", type, t_path_type, 0, "\"\""),
	{0}
};
static const struct field claim_fields[] = {
	FIELD(struct pod_claim_source, "claimName", claim,     t_subdomain, REQUIRED, NULL),
	FIELD(struct pod_claim_source, "readOnly",  read_only, t_bool,      OMIT_ZERO, NULL),
	{0}
};
static const struct type t_claim_source = OBJECT_STRICT("claim", struct pod_claim_source, claim_fields);
static const struct type opt_claim = OPTIONAL(t_claim_source);
static const struct type t_empty_dir = OBJECT_STRICT("emptyDir", struct pod_empty_dir, empty_dir_fields);
static const struct type t_host_path = OBJECT_STRICT("hostPath", struct pod_host_path_source, host_path_fields);
static const struct type opt_empty_dir = OPTIONAL(t_empty_dir);
static const struct type opt_host_path = OPTIONAL(t_host_path);
static const struct field volume_fields[] = {
	FIELD(struct pod_volume, "name",     name,      t_label,       REQUIRED, NULL),
	FIELD(struct pod_volume, "emptyDir", empty_dir, opt_empty_dir, 0, NULL),
	FIELD(struct pod_volume, "hostPath", host_path, opt_host_path, 0, NULL),
	FIELD(struct pod_volume, "persistentVolumeClaim", claim, opt_claim, 0, NULL),
	NOT_YET("configMap", "null"), NOT_YET("secret", "null"), NOT_YET("projected", "null"),
	NOT_YET("downwardAPI", "null"), NOT_YET("ephemeral", "null"),
	NOT_YET("csi", "null"), NOT_YET("nfs", "null"), NOT_YET("iscsi", "null"), NOT_YET("image", "null"),
	NOT_YET("cephfs", "null"), NOT_YET("rbd", "null"), NOT_YET("fc", "null"), NOT_YET("glusterfs", "null"),
	NOT_YET("flexVolume", "null"), NOT_YET("gitRepo", "null"), NOT_YET("azureDisk", "null"),
	NOT_YET("azureFile", "null"), NOT_YET("gcePersistentDisk", "null"), NOT_YET("awsElasticBlockStore", "null"),
	NOT_YET("vsphereVolume", "null"), NOT_YET("cinder", "null"), NOT_YET("portworxVolume", "null"),
	NOT_YET("quobyte", "null"), NOT_YET("scaleIO", "null"), NOT_YET("storageos", "null"),
	NOT_YET("flocker", "null"), NOT_YET("photonPersistentDisk", "null"),
	{0}
};
static const struct field alias_fields[] = {
	FIELD(struct pod_host_alias, "ip",        ip,        t_nonempty, REQUIRED, NULL),
	FIELD(struct pod_host_alias, "hostnames", hostnames, t_strings,  0, NULL),
	{0}
};
static const struct field pod_security_fields[] = {
	FIELD(struct pod_pod_security, "runAsUser",          run_as_user,         opt_pod_id,  0, NULL),
	FIELD(struct pod_pod_security, "runAsGroup",         run_as_group,        opt_pod_id,  0, NULL),
	FIELD(struct pod_pod_security, "runAsNonRoot",       run_as_non_root,     opt_bool,    0, NULL),
	FIELD(struct pod_pod_security, "supplementalGroups", supplemental_groups, t_pod_ids,   0, NULL),
	FIELD(struct pod_pod_security, "seccompProfile",     seccomp,             opt_pod_seccomp, 0, NULL),
	NOT_YET("supplementalGroupsPolicy", "\"Merge\""),
	NOT_YET("fsGroup", "null"),
	NOT_YET("fsGroupChangePolicy", "\"Always\""),
	NOT_YET("sysctls", "[]"),
	NOT_YET("seLinuxOptions", "{}"),
	NOT_YET("seLinuxChangePolicy", "\"\""),
	NOT_YET("appArmorProfile", "{}"),
	NOT_YET("windowsOptions", "{}"),
	{0}
};
static const struct type t_volume = OBJECT_STRICT("volume", struct pod_volume, volume_fields);
static const struct type t_volumes = ARRAY_OF_MAX(t_volume, 256);
static const struct type t_alias = OBJECT_STRICT("host alias", struct pod_host_alias, alias_fields);
static const struct type t_aliases = ARRAY_OF_MAX(t_alias, 256);
static const struct type t_pod_security = OBJECT_STRICT("security context", struct pod_pod_security, pod_security_fields);

static const struct enum_name toleration_names[] = {
	{ "Equal", TOLERATION_EQUAL }, { "Exists", TOLERATION_EXISTS }, {0}
};
static const struct enum_name spread_names[] = {
	{ "DoNotSchedule", SPREAD_DO_NOT_SCHEDULE }, { "ScheduleAnyway", SPREAD_SCHEDULE_ANYWAY }, {0}
};
static const struct type t_toleration_operator = ENUM("operator", toleration_names);
static const struct type t_toleration_effect = ENUM("taint effect", taint_effect_names);
static const struct type t_spread_action = ENUM("action", spread_names);
static const struct type t_skew = INT_RANGE("skew", int32_t, 1, INT32_MAX);
static const struct type opt_label_selector = OPTIONAL(t_label_selector);
static const struct field toleration_fields[] = {
	FIELD(struct toleration, "key",      key,      t_label_key,           EMPTY_ABSENT, NULL),
	FIELD(struct toleration, "operator", operator, t_toleration_operator, EMPTY_ABSENT, "\"Equal\""),
	FIELD(struct toleration, "value",    value,    t_label_value,         EMPTY_ABSENT, NULL),
	FIELD(struct toleration, "effect",   effect,   t_toleration_effect,   EMPTY_ABSENT, NULL),
	FIELD(struct toleration, "tolerationSeconds", seconds, opt_i64,       0, NULL),
	{0}
};
static const struct type t_toleration = OBJECT_STRICT("toleration", struct toleration, toleration_fields);
static const struct type t_tolerations = ARRAY_OF_MAX(t_toleration, 256);
static const struct field spread_fields[] = {
	FIELD(struct spread_constraint, "maxSkew",           max_skew,           t_skew,             REQUIRED, NULL),
	FIELD(struct spread_constraint, "topologyKey",       topology_key,       t_label_key,        REQUIRED, NULL),
	FIELD(struct spread_constraint, "whenUnsatisfiable", when_unsatisfiable, t_spread_action,    REQUIRED, NULL),
	FIELD(struct spread_constraint, "labelSelector",     selector,           opt_label_selector, 0, NULL),
	NOT_YET("minDomains", NULL),
	NOT_YET("nodeAffinityPolicy", "\"Honor\""),
	NOT_YET("nodeTaintsPolicy", "\"Ignore\""),
	NOT_YET("matchLabelKeys", "[]"),
	{0}
};
static const struct type t_spread = OBJECT_STRICT("spread constraint", struct spread_constraint, spread_fields);
static const struct type t_spreads = ARRAY_OF_MAX(t_spread, 16);

static const struct field term_fields[] = {
	FIELD(struct node_selector_term, "matchExpressions", match_expressions, t_selector_requirements, REQUIRED, NULL),
	NOT_YET("matchFields", "[]"),
	{0}
};
static const struct type t_term = OBJECT_STRICT("term", struct node_selector_term, term_fields);
static const struct type t_terms = {
	.kind = T_ARRAY, .name = "array", .size = sizeof(LIST(void)), .item = &t_term, .max = 64, .flags = NOT_EMPTY,
};
static const struct field node_required_fields[] = { INNER(LIST(void), "nodeSelectorTerms", t_terms, REQUIRED), {0} };
static const struct type t_node_required = INNER_OBJECT("node selector", LIST(void), node_required_fields);
#define IN_TIME "requiredDuringSchedulingIgnoredDuringExecution"
#define MAY_BE  "preferredDuringSchedulingIgnoredDuringExecution"
static const struct field node_affinity_fields[] = {
	INNER(LIST(void), IN_TIME, t_node_required, OMIT_ZERO),
	NOT_YET(MAY_BE, "[]"),
	{0}
};
static const struct type t_node_affinity = INNER_OBJECT("node affinity", LIST(void), node_affinity_fields);
static const struct field anti_term_fields[] = {
	FIELD(struct pod_anti_affinity_term, "labelSelector", selector,     opt_label_selector, 0, NULL),
	FIELD(struct pod_anti_affinity_term, "topologyKey",   topology_key, t_label_key,        REQUIRED, NULL),
	NOT_YET("namespaces", "[]"),
	NOT_YET("namespaceSelector", NULL),
	NOT_YET("matchLabelKeys", "[]"),
	NOT_YET("mismatchLabelKeys", "[]"),
	{0}
};
static const struct type t_anti_term = OBJECT_STRICT("term", struct pod_anti_affinity_term, anti_term_fields);
static const struct type t_anti_terms = ARRAY_OF_MAX(t_anti_term, 64);
static const struct field anti_affinity_fields[] = {
	INNER(LIST(void), IN_TIME, t_anti_terms, 0),
	NOT_YET(MAY_BE, "[]"),
	{0}
};
static const struct type t_anti_affinity = INNER_OBJECT("anti-affinity", LIST(void), anti_affinity_fields);
static const struct field affinity_fields[] = {
	FIELD(struct pod_affinity, "nodeAffinity",    node_required, t_node_affinity, OMIT_ZERO, NULL),
	FIELD(struct pod_affinity, "podAntiAffinity", anti_required, t_anti_affinity, OMIT_ZERO, NULL),
	NOT_YET("podAffinity", "{}"),
	{0}
};
static const struct type t_affinity = OBJECT_STRICT("affinity", struct pod_affinity, affinity_fields);

static const struct field spec_fields[] = {
	FIELD(struct pod_spec, "containers",      containers,    t_pod_containers,REQUIRED, NULL),
	FIELD(struct pod_spec, "volumes",         volumes,       t_volumes,      0, NULL),
	FIELD(struct pod_spec, "hostAliases",     host_aliases,  t_aliases,      0, NULL),
	FIELD(struct pod_spec, "restartPolicy",   restart,       t_pod_restart,  EMPTY_ABSENT, "\"Always\""),
	FIELD(struct pod_spec, "terminationGracePeriodSeconds", grace_seconds, t_grace, 0, "30"),
	FIELD(struct pod_spec, "hostNetwork",     host_network,  t_bool,         OMIT_ZERO, NULL),
	FIELD(struct pod_spec, "hostUsers",       host_users,    t_bool,         OMIT_ZERO, NULL),
	FIELD(struct pod_spec, "hostname",        hostname,      t_label,        EMPTY_ABSENT, NULL),
	FIELD(struct pod_spec, "securityContext", security,      t_pod_security, OMIT_ZERO, NULL),
	FIELD(struct pod_spec, "nodeName",        node_name,     t_subdomain,    EMPTY_ABSENT, NULL),
	FIELD(struct pod_spec, "nodeSelector",    node_selector, t_string_map,   0, NULL),
	FIELD(struct pod_spec, "affinity",        affinity,      t_affinity,     OMIT_ZERO, NULL),
	FIELD(struct pod_spec, "tolerations",     tolerations,   t_tolerations,  0, NULL),
	FIELD(struct pod_spec, "topologySpreadConstraints", spread, t_spreads,   0, NULL),
	NOT_YET("hostPID", "false"),
	NOT_YET("hostIPC", "false"),
	NOT_YET("shareProcessNamespace", "false"),
	NOT_YET("initContainers", "[]"),
	NOT_YET("ephemeralContainers", "[]"),
	NOT_YET("activeDeadlineSeconds", "null"),
	NOT_YET("dnsPolicy", "\"ClusterFirst\""),
	NOT_YET("dnsConfig", "{}"),
	NOT_YET("schedulerName", "\"default-scheduler\""),
	NOT_YET("schedulingGates", "[]"),
	NOT_YET("schedulingGroup", "{}"),
	NOT_YET("workloadRef", "{}"),
	NOT_YET("serviceAccountName", "\"default\""),
	NOT_YET("serviceAccount", "\"default\""),
	NOT_YET("automountServiceAccountToken", "false"),
	NOT_YET("imagePullSecrets", "[]"),
	NOT_YET("subdomain", "\"\""),
	NOT_YET("setHostnameAsFQDN", "false"),
	NOT_YET("hostnameOverride", "\"\""),
	NOT_YET("priorityClassName", "\"\""),
	NOT_YET("priority", "0"),
	NOT_YET("preemptionPolicy", "\"PreemptLowerPriority\""),
	NOT_YET("readinessGates", "[]"),
	NOT_YET("runtimeClassName", "\"\""),
	NOT_YET("enableServiceLinks", "true"),
	NOT_YET("overhead", "{}"),
	NOT_YET("os", "{}"),
	NOT_YET("resourceClaims", "[]"),
	NOT_YET("resources", "{}"),
	{0}
};
const struct type t_pod_spec = OBJECT_STRICT("spec", struct pod_spec, spec_fields);
/* clang-format on */
