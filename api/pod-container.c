/* api/pod-container.c: the tables of a Pod's containers. Ref: Kubernetes core/v1 Container, 1.33. */
#include "api/kinds-internal.h"
#include "api/pod-internal.h"

static const char *check_env_name(const void *value)
{
	const char *name = *(const char *const *)value;

	return *name && !strchr(name, '=') ? NULL : "is not the name of an environment variable";
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
static const struct enum_name pull_names[] = {
	{ "Always", POD_PULL_ALWAYS }, { "IfNotPresent", POD_PULL_IF_NOT_PRESENT }, { "Never", POD_PULL_NEVER }, {0}
};
static const struct enum_name protocol_names[] = {
	{ "TCP", POD_TCP }, { "UDP", POD_UDP }, { "SCTP", POD_SCTP }, {0}
};
static const struct enum_name seccomp_names[] = {
	{ "RuntimeDefault", POD_SECCOMP_DEFAULT }, { "Unconfined", POD_SECCOMP_UNCONFINED }, {0}
};
static const struct type t_env_name = STRING_CHECKED("name", check_env_name);
const struct type t_pod_path = STRING_CHECKED("path", check_path);
static const struct type t_id = INT_RANGE("id", int64_t, 0, 4294967294);
const struct type opt_pod_id = OPTIONAL(t_id);
const struct type t_pod_ids = ARRAY_OF_MAX(t_id, 1024);
static const struct type t_port_number = UINT_RANGE("port", uint16_t, 1, 65535);
static const struct type t_pull = ENUM("pull policy", pull_names);
static const struct type t_protocol = ENUM("protocol", protocol_names);
static const struct type t_seccomp_type = ENUM("seccomp profile type", seccomp_names);

static const struct field env_fields[] = {
	FIELD(struct pod_env, "name",  name,  t_env_name, REQUIRED, NULL),
	FIELD(struct pod_env, "value", value, t_string,   0, "\"\""),
	NOT_YET("valueFrom", "null"),
	{0}
};
static const struct field port_fields[] = {
	FIELD(struct pod_port, "name",          name,           t_string,      EMPTY_ABSENT, NULL),
	FIELD(struct pod_port, "containerPort", container_port, t_port_number, REQUIRED, NULL),
	FIELD(struct pod_port, "hostPort",      host_port,      t_u16,         OMIT_ZERO, NULL),
	FIELD(struct pod_port, "protocol",      protocol,       t_protocol,    EMPTY_ABSENT, "\"TCP\""),
	NOT_YET("hostIP", "\"\""),
	{0}
};
static const struct field mount_fields[] = {
	FIELD(struct pod_mount, "name",      name,       t_label, REQUIRED, NULL),
	FIELD(struct pod_mount, "mountPath", mount_path, t_pod_path,  REQUIRED, NULL),
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
const struct type opt_pod_seccomp = OPTIONAL(t_seccomp);
static const struct type t_capabilities = OBJECT_STRICT("capabilities", struct pod_capabilities, capabilities_fields);
static const struct field security_fields[] = {
	FIELD(struct pod_security, "runAsUser",                run_as_user,     opt_pod_id, 0, NULL),
	FIELD(struct pod_security, "runAsGroup",               run_as_group,    opt_pod_id, 0, NULL),
	FIELD(struct pod_security, "runAsNonRoot",             run_as_non_root, opt_bool, 0, NULL),
	FIELD(struct pod_security, "readOnlyRootFilesystem",   read_only_root,  opt_bool, 0, NULL),
	FIELD(struct pod_security, "allowPrivilegeEscalation", allow_privilege_escalation, opt_bool, 0, NULL),
	FIELD(struct pod_security, "capabilities",             capabilities,    t_capabilities, OMIT_ZERO, NULL),
	FIELD(struct pod_security, "seccompProfile",           seccomp,         opt_pod_seccomp, 0, NULL),
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
	FIELD(struct pod_container, "workingDir",      working_dir, t_pod_path,  EMPTY_ABSENT, NULL),
	FIELD(struct pod_container, "env",             env,         t_env_list,  0, NULL),
	FIELD(struct pod_container, "ports",           ports,       t_ports,     0, NULL),
	FIELD(struct pod_container, "resources",       resources,   t_resources, OMIT_ZERO, NULL),
	FIELD(struct pod_container, "volumeMounts",    mounts,      t_mounts,    0, NULL),
	FIELD(struct pod_container, "securityContext", security,    t_security,  OMIT_ZERO, NULL),
	FIELD(struct pod_container, "imagePullPolicy", pull,        t_pull,      EMPTY_ABSENT, NULL),
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
const struct type t_pod_container = OBJECT_STRICT("container", struct pod_container, container_fields);
const struct type t_pod_containers = {
	.kind = T_ARRAY, .name = "array", .size = sizeof(LIST(void)), .item = &t_pod_container, .max = 64, .flags = NOT_EMPTY,
};
/* clang-format on */
