/* oci/config-seccomp.c: `linux.seccomp` of config.json: which system calls do what. */
#include "oci/config-internal.h"

static const struct type t_action = ENUM("seccomp action", oci_seccomp_action_names);
static const struct type t_op = ENUM("seccomp operator", oci_seccomp_op_names);
static const struct type t_arch = ENUM("seccomp architecture", oci_seccomp_arch_names);
static const struct type t_archs = ARRAY_OF(t_arch);
static const struct type t_flag = ENUM("seccomp flag", oci_seccomp_flag_names);
static const struct type t_flags = ARRAY_OF(t_flag);
static const struct type t_arg_index = UINT_RANGE("number", uint32_t, 0, 5);
/* What fits into SECCOMP_RET_DATA. */
static const struct type t_errno = UINT_RANGE("number", uint32_t, 0, UINT16_MAX);
static const struct type opt_errno = OPTIONAL(t_errno);

/* clang-format off */
static const struct type t_names = {
	.kind = T_ARRAY, .name = "array", .size = sizeof(struct strings), .flags = NOT_EMPTY, .item = &t_nonempty
};

static const struct field arg_fields[] = {
	FIELD(struct oci_seccomp_arg, "index",    index,     t_arg_index, REQUIRED,  NULL),
	FIELD(struct oci_seccomp_arg, "value",    value,     t_u64,       REQUIRED,  NULL),
	FIELD(struct oci_seccomp_arg, "valueTwo", value_two, t_u64,       OMIT_ZERO, NULL),
	FIELD(struct oci_seccomp_arg, "op",       op,        t_op,        REQUIRED,  NULL),
	{0}
};
static const struct type t_arg = OBJECT("argument", struct oci_seccomp_arg, arg_fields);
static const struct type t_args = ARRAY_OF(t_arg);

static const struct field rule_fields[] = {
	FIELD(struct oci_seccomp_rule, "names",    names,     t_names,   REQUIRED, NULL),
	FIELD(struct oci_seccomp_rule, "action",   action,    t_action,  REQUIRED, NULL),
	FIELD(struct oci_seccomp_rule, "errnoRet", errno_ret, opt_errno, 0,        NULL),
	FIELD(struct oci_seccomp_rule, "args",     args,      t_args,    0,        NULL),
	{0}
};
static const struct type t_rule = OBJECT("seccomp rule", struct oci_seccomp_rule, rule_fields);
static const struct type t_rules = ARRAY_OF(t_rule);

static const struct field seccomp_fields[] = {
	FIELD(struct oci_seccomp, "defaultAction",    default_action,    t_action,   REQUIRED, NULL),
	FIELD(struct oci_seccomp, "defaultErrnoRet",  default_errno_ret, opt_errno,  0,        NULL),
	FIELD(struct oci_seccomp, "architectures",    architectures,     t_archs,    0,        NULL),
	FIELD(struct oci_seccomp, "flags",            flags,             t_flags,    0,        NULL),
	FIELD(struct oci_seccomp, "listenerPath",     listener_path,     t_string,   0,        NULL),
	FIELD(struct oci_seccomp, "listenerMetadata", listener_metadata, t_string,   0,        NULL),
	FIELD(struct oci_seccomp, "syscalls",         syscalls,          t_rules,    0,        NULL),
	{0}
};
/* clang-format on */
static const struct type t_seccomp = OBJECT("seccomp", struct oci_seccomp, seccomp_fields);
const struct type opt_oci_seccomp = OPTIONAL(t_seccomp);

bool oci_seccomp_takes_errno(int action)
{
	return action == OCI_ACT_ERRNO || action == OCI_ACT_TRACE;
}

#define AT "linux.seccomp"

const char *oci_seccomp_listener(const struct oci_config *config)
{
	const struct oci_seccomp *s = config->linux.seccomp;

	return s && s->listener_path ? s->listener_path
				     : string_map_get(&config->annotations, OCI_SECCOMP_RECEIVER);
}

static err *rule_syscall(const struct oci_config *config, size_t i, struct decoder *d)
{
	const struct oci_seccomp *s = config->linux.seccomp;
	const struct oci_seccomp_rule *rule = &s->syscalls.items[i];
	char path[OCI_PATH_MAX];

	if (rule->errno_ret && !oci_seccomp_takes_errno(rule->action))
		return decoder_fail(d, oci_rule_path(path, AT ".syscalls[%zu].errnoRet", i),
				    "%s takes no errno", enum_name(oci_seccomp_action_names, rule->action));
	if (rule->action == OCI_ACT_NOTIFY && !oci_seccomp_listener(config))
		return decoder_fail(d, oci_rule_path(path, AT ".syscalls[%zu].action", i),
				    "SCMP_ACT_NOTIFY needs linux.seccomp.listenerPath");
	return NULL;
}

err *oci_rules_seccomp(const struct oci_config *config, struct decoder *d)
{
	const struct oci_seccomp *s = config->linux.seccomp;

	if (!s)
		return NULL;
	/* Nobody could send the listener's descriptor: its own sendmsg(2) would wait for an answer. */
	if (s->default_action == OCI_ACT_NOTIFY)
		return decoder_fail(d, AT ".defaultAction", "SCMP_ACT_NOTIFY cannot be the default action");
	if (s->default_errno_ret && !oci_seccomp_takes_errno(s->default_action))
		return decoder_fail(d, AT ".defaultErrnoRet", "%s takes no errno",
				    enum_name(oci_seccomp_action_names, s->default_action));
	if (s->listener_metadata && !s->listener_path)
		return decoder_fail(d, AT ".listenerMetadata", "needs listenerPath");
	for (size_t i = 0; i < s->syscalls.count; i++)
		TRY(rule_syscall(config, i, d));
	return NULL;
}
