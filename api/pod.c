/* api/pod.c: the tables of a Pod. Ref: Kubernetes API reference, core/v1 Pod, 1.33. */
#include "api/pod.h"

#include <ctype.h>

/* clang-format off */
static const struct enum_name restart_names[] = {
	{ "Always", POD_RESTART_ALWAYS }, { "OnFailure", POD_RESTART_ON_FAILURE }, { "Never", POD_RESTART_NEVER }, {0}
};
static const struct enum_name pull_names[] = {
	{ "Always", POD_PULL_ALWAYS }, { "IfNotPresent", POD_PULL_IF_NOT_PRESENT }, { "Never", POD_PULL_NEVER }, {0}
};
static const struct enum_name protocol_names[] = {
	{ "TCP", POD_TCP }, { "UDP", POD_UDP }, { "SCTP", POD_SCTP }, {0}
};
static const struct enum_name medium_names[] = {
	{ "", POD_MEDIUM_DISK }, { "Memory", POD_MEDIUM_MEMORY }, {0}
};
static const struct enum_name path_names[] = {
	{ "", POD_PATH_ANY }, { "Directory", POD_PATH_DIRECTORY }, { "File", POD_PATH_FILE }, { "Socket", POD_PATH_SOCKET },
	{ "CharDevice", POD_PATH_CHAR_DEVICE }, { "BlockDevice", POD_PATH_BLOCK_DEVICE }, {0}
};
static const struct enum_name seccomp_names[] = {
	{ "RuntimeDefault", POD_SECCOMP_DEFAULT }, { "Unconfined", POD_SECCOMP_UNCONFINED }, {0}
};
/* clang-format on */

bool pod_is_label(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > 63 || text[0] == '-' || text[len - 1] == '-')
		return false;
	for (; *text; text++)
		if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && *text != '-')
			return false;
	return true;
}

static const char *check_label(const void *value)
{
	return pod_is_label(*(const char *const *)value) ?
		       NULL : "is not a name of at most 63 lower-case letters, digits and '-'";
}

static const char *check_env_name(const void *value)
{
	const char *name = *(const char *const *)value;

	return *name && !strchr(name, '=') ? NULL : "is not the name of an environment variable";
}

static const char *check_is_v1(const void *value)
{
	return str_equal(*(const char *const *)value, "v1") ? NULL : "is not 'v1'";
}

static const char *check_is_pod(const void *value)
{
	return str_equal(*(const char *const *)value, "Pod") ? NULL : "is not 'Pod'";
}

/* No path of a manifest climbs: what it names is what it says. */
static const char *check_path(const void *value)
{
	const char *path = *(const char *const *)value;

	if (path[0] != '/')
		return "is not an absolute path";
	for (const char *p = path; (p = strstr(p, "/..")); p += 3)
		if (p[3] == '/' || p[3] == '\0')
			return "must not contain '..'";
	return NULL;
}

/* clang-format off */
static const struct type t_label = STRING_CHECKED("name", check_label);
static const struct type t_env_name = STRING_CHECKED("name", check_env_name);
static const struct type t_path = STRING_CHECKED("path", check_path);
static const struct type t_v1 = STRING_CHECKED("version", check_is_v1);
static const struct type t_kind = STRING_CHECKED("kind", check_is_pod);
static const struct type t_id = INT_RANGE("id", int64_t, 0, 4294967294);
static const struct type opt_id = OPTIONAL(t_id);
static const struct type t_ids = ARRAY_OF_MAX(t_id, 1024);
static const struct type t_port_number = UINT_RANGE("port", uint16_t, 1, 65535);
static const struct type t_grace = INT_RANGE("seconds", int64_t, 0, 365 * 86400);
static const struct type t_restart = ENUM("restart policy", restart_names);
static const struct type t_pull = ENUM("pull policy", pull_names);
static const struct type t_protocol = ENUM("protocol", protocol_names);
static const struct type t_medium = ENUM("medium", medium_names);
static const struct type t_path_type = ENUM("type", path_names);
static const struct type t_seccomp_type = ENUM("seccomp profile type", seccomp_names);

static const struct field env_fields[] = {
	FIELD(struct pod_env, "name",  name,  t_env_name, REQUIRED, NULL),
	FIELD(struct pod_env, "value", value, t_string,   0, "\"\""),
	NOT_YET("valueFrom", "null"),
	{0}
};
static const struct field port_fields[] = {
	FIELD(struct pod_port, "name",          name,           t_string,      0, NULL),
	FIELD(struct pod_port, "containerPort", container_port, t_port_number, REQUIRED, NULL),
	FIELD(struct pod_port, "protocol",      protocol,       t_protocol,    0, "\"TCP\""),
	NOT_YET("hostPort", "0"),
	NOT_YET("hostIP", "\"\""),
	{0}
};
static const struct field mount_fields[] = {
	FIELD(struct pod_mount, "name",      name,       t_label, REQUIRED, NULL),
	FIELD(struct pod_mount, "mountPath", mount_path, t_path,  REQUIRED, NULL),
	FIELD(struct pod_mount, "readOnly",  read_only,  t_bool,  OMIT_ZERO, NULL),
	NOT_YET("recursiveReadOnly", "\"Disabled\""),
	NOT_YET("subPath", "\"\""),
	NOT_YET("subPathExpr", "\"\""),
	NOT_YET("mountPropagation", "\"None\""),
	{0}
};
static const struct field amounts_fields[] = {
	FIELD(struct pod_amounts, "cpu",    cpu,    t_quantity, 0, NULL),
	FIELD(struct pod_amounts, "memory", memory, t_quantity, 0, NULL),
	NOT_YET("ephemeral-storage", "\"0\""),
	{0}
};
static const struct type t_amounts = OBJECT_STRICT("amounts", struct pod_amounts, amounts_fields);
static const struct field resources_fields[] = {
	FIELD(struct pod_resources, "limits",   limits,   t_amounts, OMIT_ZERO, NULL),
	FIELD(struct pod_resources, "requests", requests, t_amounts, OMIT_ZERO, NULL),
	NOT_YET("claims", "[]"),
	{0}
};
static const struct field capabilities_fields[] = {
	FIELD(struct pod_capabilities, "add",  add,  t_strings, 0, NULL),
	FIELD(struct pod_capabilities, "drop", drop, t_strings, 0, NULL),
	{0}
};
static const struct field seccomp_fields[] = {
	FIELD(struct pod_seccomp_profile, "type", type, t_seccomp_type, REQUIRED, NULL),
	NOT_YET("localhostProfile", "\"\""),
	{0}
};
static const struct type t_seccomp = OBJECT_STRICT("seccomp profile", struct pod_seccomp_profile, seccomp_fields);
static const struct type opt_seccomp = OPTIONAL(t_seccomp);
static const struct type t_capabilities = OBJECT_STRICT("capabilities", struct pod_capabilities, capabilities_fields);
static const struct field security_fields[] = {
	FIELD(struct pod_security, "runAsUser",                run_as_user,     opt_id,   0, NULL),
	FIELD(struct pod_security, "runAsGroup",               run_as_group,    opt_id,   0, NULL),
	FIELD(struct pod_security, "runAsNonRoot",             run_as_non_root, opt_bool, 0, NULL),
	FIELD(struct pod_security, "readOnlyRootFilesystem",   read_only_root,  opt_bool, 0, NULL),
	FIELD(struct pod_security, "allowPrivilegeEscalation", allow_privilege_escalation, opt_bool, 0, NULL),
	FIELD(struct pod_security, "capabilities",             capabilities,    t_capabilities, OMIT_ZERO, NULL),
	FIELD(struct pod_security, "seccompProfile",           seccomp,         opt_seccomp, 0, NULL),
	NOT_YET("privileged", "false"),
	NOT_YET("procMount", "\"Default\""),
	NOT_YET("seLinuxOptions", "{}"),
	NOT_YET("appArmorProfile", "{}"),
	NOT_YET("windowsOptions", "{}"),
	{0}
};
static const struct type t_env = OBJECT_STRICT("variable", struct pod_env, env_fields);
static const struct type t_env_list = ARRAY_OF_MAX(t_env, 4096);
static const struct type t_port = OBJECT_STRICT("port", struct pod_port, port_fields);
static const struct type t_ports = ARRAY_OF_MAX(t_port, 256);
static const struct type t_mount = OBJECT_STRICT("mount", struct pod_mount, mount_fields);
static const struct type t_mounts = ARRAY_OF_MAX(t_mount, 256);
static const struct type t_resources = OBJECT_STRICT("resources", struct pod_resources, resources_fields);
static const struct type t_security = OBJECT_STRICT("security context", struct pod_security, security_fields);

static const struct field container_fields[] = {
	FIELD(struct pod_container, "name",            name,        t_label,     REQUIRED, NULL),
	FIELD(struct pod_container, "image",           image,       t_string,    0, "\"\""),
	FIELD(struct pod_container, "command",         command,     t_strings,   0, NULL),
	FIELD(struct pod_container, "args",            args,        t_strings,   0, NULL),
	FIELD(struct pod_container, "workingDir",      working_dir, t_path,      0, NULL),
	FIELD(struct pod_container, "env",             env,         t_env_list,  0, NULL),
	FIELD(struct pod_container, "ports",           ports,       t_ports,     0, NULL),
	FIELD(struct pod_container, "resources",       resources,   t_resources, OMIT_ZERO, NULL),
	FIELD(struct pod_container, "volumeMounts",    mounts,      t_mounts,    0, NULL),
	FIELD(struct pod_container, "securityContext", security,    t_security,  OMIT_ZERO, NULL),
	FIELD(struct pod_container, "imagePullPolicy", pull,        t_pull,      0, NULL),
	FIELD(struct pod_container, "stdin",           stdin_open,  t_bool,      OMIT_ZERO, NULL),
	FIELD(struct pod_container, "stdinOnce",       stdin_once,  t_bool,      OMIT_ZERO, NULL),
	FIELD(struct pod_container, "tty",             tty,         t_bool,      OMIT_ZERO, NULL),
	NOT_YET("envFrom", "[]"),
	NOT_YET("resizePolicy", "[]"),
	NOT_YET("restartPolicy", "\"\""),
	NOT_YET("restartPolicyRules", "[]"),
	NOT_YET("volumeDevices", "[]"),
	NOT_YET("livenessProbe", "{}"),
	NOT_YET("readinessProbe", "{}"),
	NOT_YET("startupProbe", "{}"),
	NOT_YET("lifecycle", "{}"),
	NOT_YET("terminationMessagePath", "\"/dev/termination-log\""),
	NOT_YET("terminationMessagePolicy", "\"File\""),
	{0}
};
static const struct field empty_dir_fields[] = {
	FIELD(struct pod_empty_dir, "medium",    medium,     t_medium,   0, "\"\""),
	FIELD(struct pod_empty_dir, "sizeLimit", size_limit, t_quantity, 0, NULL),
	{0}
};
static const struct field host_path_fields[] = {
	FIELD(struct pod_host_path_source, "path", path, t_path,      REQUIRED, NULL),
	FIELD(struct pod_host_path_source, "type", type, t_path_type, 0, "\"\""),
	{0}
};
static const struct type t_empty_dir = OBJECT_STRICT("emptyDir", struct pod_empty_dir, empty_dir_fields);
static const struct type t_host_path = OBJECT_STRICT("hostPath", struct pod_host_path_source, host_path_fields);
static const struct type opt_empty_dir = OPTIONAL(t_empty_dir);
static const struct type opt_host_path = OPTIONAL(t_host_path);
static const struct field volume_fields[] = {
	FIELD(struct pod_volume, "name",     name,      t_label,       REQUIRED, NULL),
	FIELD(struct pod_volume, "emptyDir", empty_dir, opt_empty_dir, 0, NULL),
	FIELD(struct pod_volume, "hostPath", host_path, opt_host_path, 0, NULL),
	NOT_YET("configMap", "null"), NOT_YET("secret", "null"), NOT_YET("projected", "null"),
	NOT_YET("downwardAPI", "null"), NOT_YET("persistentVolumeClaim", "null"), NOT_YET("ephemeral", "null"),
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
	FIELD(struct pod_pod_security, "runAsUser",          run_as_user,         opt_id,      0, NULL),
	FIELD(struct pod_pod_security, "runAsGroup",         run_as_group,        opt_id,      0, NULL),
	FIELD(struct pod_pod_security, "runAsNonRoot",       run_as_non_root,     opt_bool,    0, NULL),
	FIELD(struct pod_pod_security, "supplementalGroups", supplemental_groups, t_ids,       0, NULL),
	FIELD(struct pod_pod_security, "seccompProfile",     seccomp,             opt_seccomp, 0, NULL),
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
static const struct type t_container = OBJECT_STRICT("container", struct pod_container, container_fields);
static const struct type t_containers = {
	.kind = T_ARRAY, .name = "array", .size = sizeof(LIST(void)), .item = &t_container, .max = 64, .flags = NOT_EMPTY,
};
static const struct type t_volume = OBJECT_STRICT("volume", struct pod_volume, volume_fields);
static const struct type t_volumes = ARRAY_OF_MAX(t_volume, 256);
static const struct type t_alias = OBJECT_STRICT("host alias", struct pod_host_alias, alias_fields);
static const struct type t_aliases = ARRAY_OF_MAX(t_alias, 256);
static const struct type t_pod_security = OBJECT_STRICT("security context", struct pod_pod_security, pod_security_fields);

static const struct field spec_fields[] = {
	FIELD(struct pod_spec, "containers",      containers,    t_containers,   REQUIRED, NULL),
	FIELD(struct pod_spec, "volumes",         volumes,       t_volumes,      0, NULL),
	FIELD(struct pod_spec, "hostAliases",     host_aliases,  t_aliases,      0, NULL),
	FIELD(struct pod_spec, "restartPolicy",   restart,       t_restart,      0, "\"Always\""),
	FIELD(struct pod_spec, "terminationGracePeriodSeconds", grace_seconds, t_grace, 0, "30"),
	FIELD(struct pod_spec, "hostNetwork",     host_network,  t_bool,         OMIT_ZERO, NULL),
	FIELD(struct pod_spec, "hostUsers",       host_users,    t_bool,         OMIT_ZERO, NULL),
	FIELD(struct pod_spec, "hostname",        hostname,      t_label,        0, NULL),
	FIELD(struct pod_spec, "securityContext", security,      t_pod_security, OMIT_ZERO, NULL),
	NOT_YET("hostPID", "false"),
	NOT_YET("hostIPC", "false"),
	NOT_YET("shareProcessNamespace", "false"),
	NOT_YET("initContainers", "[]"),
	NOT_YET("ephemeralContainers", "[]"),
	NOT_YET("activeDeadlineSeconds", "null"),
	NOT_YET("dnsPolicy", "\"ClusterFirst\""),
	NOT_YET("dnsConfig", "{}"),
	NOT_YET("nodeSelector", "{}"),
	NOT_YET("nodeName", "\"\""),
	NOT_YET("affinity", "{}"),
	NOT_YET("tolerations", "[]"),
	NOT_YET("topologySpreadConstraints", "[]"),
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
static const struct field metadata_fields[] = {
	FIELD(struct meta,        "name",        name,        t_label,      REQUIRED, NULL),
	FIELD(struct meta,        "namespace",   namespace,   t_label,      0, NULL),
	FIELD(struct meta,        "uid",         uid,         t_string,     0, NULL),
	FIELD(struct meta,        "labels",      labels,      t_string_map, 0, NULL),
	FIELD(struct meta,        "annotations", annotations, t_string_map, 0, NULL),
	NOT_YET("generateName", "\"\""),
	NOT_YET("ownerReferences", "[]"),
	NOT_YET("finalizers", "[]"),
	NOT_YET("deletionTimestamp", "null"),
	NOT_YET("deletionGracePeriodSeconds", "null"),
	KNOWN("creationTimestamp", IGNORED), /* filled in by servers; says nothing about what to run */
	KNOWN("generation", IGNORED),
	KNOWN("resourceVersion", IGNORED),
	KNOWN("selfLink", IGNORED),
	KNOWN("managedFields", IGNORED),
	{0}
};
static const struct type t_spec = OBJECT_STRICT("spec", struct pod_spec, spec_fields);
static const struct type t_metadata = OBJECT_STRICT("metadata", struct meta,        metadata_fields);
static const struct field pod_fields[] = {
	FIELD(struct pod, "apiVersion", api_version, t_v1,       REQUIRED, NULL),
	FIELD(struct pod, "kind",       kind,        t_kind,     REQUIRED, NULL),
	FIELD(struct pod, "metadata",   metadata,    t_metadata, REQUIRED, NULL),
	FIELD(struct pod, "spec",       spec,        t_spec,     REQUIRED, NULL),
	KNOWN("status", IGNORED), /* what others observed */
	{0}
};
const struct type t_pod = OBJECT_STRICT("Pod", struct pod, pod_fields);
/* clang-format on */

/* ---- rules between fields ---- */

static const struct pod_volume *find_volume(const struct pod_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->volumes.count; i++)
		if (str_equal(spec->volumes.items[i].name, name))
			return &spec->volumes.items[i];
	return NULL;
}

static err *check_volumes(const void *document, struct decoder *d)
{
	const struct pod_spec *spec = &((const struct pod *)document)->spec;
	char path[96];

	for (size_t i = 0; i < spec->volumes.count; i++) {
		const struct pod_volume *v = &spec->volumes.items[i];
		snprintf(path, sizeof(path), "spec.volumes[%zu]", i);
		if (!v->empty_dir == !v->host_path)
			return decoder_fail(d, path, "needs one source: emptyDir or hostPath");
		if (find_volume(spec, v->name) != v)
			return decoder_fail(d, path, "there is another volume '%s'", v->name);
	}
	return NULL;
}

static err *check_mounts(const struct pod_spec *spec, const struct pod_container *c, size_t index,
			 struct decoder *d)
{
	char path[128];

	for (size_t i = 0; i < c->mounts.count; i++) {
		const struct pod_mount *m = &c->mounts.items[i];
		snprintf(path, sizeof(path), "spec.containers[%zu].volumeMounts[%zu]", index, i);
		if (!find_volume(spec, m->name))
			return decoder_fail(d, path, "there is no volume '%s'", m->name);
		for (size_t j = 0; j < i; j++)
			if (str_equal(c->mounts.items[j].mount_path, m->mount_path))
				return decoder_fail(d, path, "'%s' is mounted over twice", m->mount_path);
	}
	return NULL;
}

static bool is_root(const int64_t *container, const int64_t *pod)
{
	const int64_t *id = container ? container : pod;

	return id && *id == 0;
}

static err *check_containers(const void *document, struct decoder *d)
{
	const struct pod_spec *spec = &((const struct pod *)document)->spec;
	char path[96];

	for (size_t i = 0; i < spec->containers.count; i++) {
		const struct pod_container *c = &spec->containers.items[i];
		const struct pod_resources *r = &c->resources;
		const bool *non_root = c->security.run_as_non_root ? c->security.run_as_non_root :
								     spec->security.run_as_non_root;
		snprintf(path, sizeof(path), "spec.containers[%zu]", i);
		for (size_t j = 0; j < i; j++)
			if (str_equal(spec->containers.items[j].name, c->name))
				return decoder_fail(d, path, "there is another container '%s'", c->name);
		if (non_root && *non_root && is_root(c->security.run_as_user, spec->security.run_as_user))
			return decoder_fail(d, path, "runAsNonRoot, but runAsUser is 0");
		if ((r->limits.cpu.given && r->requests.cpu.milli > r->limits.cpu.milli) ||
		    (r->limits.memory.given && r->requests.memory.milli > r->limits.memory.milli))
			return decoder_fail(d, path, "a request is larger than its limit");
		TRY(check_mounts(spec, c, i, d));
	}
	return NULL;
}

static err *check_annotations(const void *document, struct decoder *d)
{
	const struct string_map *map = &((const struct pod *)document)->metadata.annotations;
	const char *limit = string_map_get(map, POD_PIDS_LIMIT);
	uint64_t number;

	if (limit && (!str_to_u64(limit, &number) || number < 1 || number > INT32_MAX))
		return decoder_fail(d, "metadata.annotations", "'" POD_PIDS_LIMIT "' is no number of processes");
	return NULL;
}

static const struct rule rules[] = {
	{ "volumes have one source", check_volumes },
	{ "containers agree with themselves", check_containers },
	{ "annotations of Stube are well-formed", check_annotations },
	{ 0 },
};

err *pod_decode(struct arena *arena, const char *name, const char *text, size_t len, const struct pod **ret)
{
	struct decoder d = { .arena = arena, .name = name };
	struct pod *pod;

	TRY_ALLOC(arena, pod, arena_alloc(arena, sizeof(*pod)));
	TRY(decode_text(&d, &t_pod, rules, text, len, pod));
	*ret = pod;
	return NULL;
}

err *pod_check(const struct pod *pod)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	const struct pod *copy;

	/* The same tables and rules that a file meets, so that nothing passes here only. */
	TRY(arena_new(16 << 20, &arena));
	pod_encode(&text, pod, 0);
	TRY(str_check(&text));
	return pod_decode(arena, "Pod", text.data, text.len, &copy);
}

void pod_encode(struct str *out, const struct pod *pod, unsigned indent)
{
	encode_text(out, &t_pod, pod, indent);
	if (indent)
		str_add_char(out, '\n');
}

err *pod_defaults(struct arena *arena, struct pod *pod)
{
	TRY(decode_defaults(arena, &t_pod, pod));
	pod->api_version = "v1";
	pod->kind = "Pod";
	return NULL;
}

err *pod_container_defaults(struct arena *arena, struct pod_container *container)
{
	return decode_defaults(arena, &t_container, container);
}
