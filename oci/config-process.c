/* oci/config-process.c: `process` of config.json: who runs, as whom, with what limits. */
#include "oci/config-internal.h"

#include <ctype.h>
#include <linux/sched.h>

/* "0-3,7", with spaces after commas: the pattern of the specification, and ascending ranges. */
static const char *check_cpu_list(const void *value)
{
	static const char reason[] = "is not a list such as 0-3,7";
	const char *p = *(const char *const *)value;
	char *end;

	if (!*p)
		return NULL;
	for (;; p++) {
		p += strspn(p, " ");
		if (!isdigit((unsigned char)*p))
			return reason;
		unsigned long low = strtoul(p, &end, 10), high = low;
		if (*end == '-') {
			if (!isdigit((unsigned char)end[1]))
				return reason;
			high = strtoul(end + 1, &end, 10);
		}
		if (high < low || high > UINT16_MAX)
			return reason;
		p = end + strspn(end, " ");
		if (!*p)
			return NULL;
		if (*p != ',')
			return reason;
	}
}
const struct type t_oci_cpu_list = STRING_CHECKED("list of numbers", check_cpu_list);

/* execve(2) takes anything, but every reader of an environment looks for the sign. */
static const char *check_env(const void *value)
{
	const char *text = *(const char *const *)value;

	return strchr(text, '=') && *text != '=' ? NULL : "is not of the form NAME=value";
}
static const struct type t_env_entry = STRING_CHECKED("environment variable", check_env);
static const struct type t_env = ARRAY_OF(t_env_entry);

static const struct type t_umask = UINT_RANGE("number", uint32_t, 0, 0777);
static const struct type opt_umask = OPTIONAL(t_umask);
/* setresuid(2) and its like read the highest number as "leave it": the process would stay root. */
static const struct type t_id = UINT_RANGE("number", uint32_t, 0, UINT32_MAX - 1);
static const struct type t_gids = ARRAY_OF(t_id);
static const struct type t_oom_score = INT_RANGE("number", int32_t, -1000, 1000);
static const struct type opt_oom_score = OPTIONAL(t_oom_score);
static const struct type t_nice = INT_RANGE("number", int32_t, -20, 19);
static const struct type t_priority = INT_RANGE("number", int32_t, 0, 99);
static const struct type t_io_priority = INT_RANGE("number", int32_t, 0, 7);

/* Versions of the specification after 1.0 ask for a warning, not an error. */
static const struct type t_capability = ENUM_WARN("capability", oci_capability_names);
static const struct type t_capability_list = ARRAY_OF(t_capability);
static const struct type t_rlimit_type = ENUM("resource limit", oci_rlimit_names);
static const struct type t_policy = ENUM("scheduling policy", oci_scheduler_policy_names);
static const struct type t_flag = ENUM("scheduling flag", oci_scheduler_flag_names);
static const struct type t_flags = ARRAY_OF(t_flag);
static const struct type t_io_class = ENUM("I/O priority class", oci_io_class_names);

/* clang-format off */
static const struct field console_size_fields[] = {
	FIELD(struct oci_console_size, "height", height, t_u16, REQUIRED, NULL),
	FIELD(struct oci_console_size, "width",  width,  t_u16, REQUIRED, NULL),
	{0}
};
static const struct type t_console_size = OBJECT("console size", struct oci_console_size, console_size_fields);
static const struct type opt_console_size = OPTIONAL(t_console_size);

static const struct field user_fields[] = {
	FIELD(struct oci_user, "uid",            uid,             t_id,      REQUIRED, NULL),
	FIELD(struct oci_user, "gid",            gid,             t_id,      REQUIRED, NULL),
	FIELD(struct oci_user, "umask",          umask,           opt_umask, 0,        NULL),
	FIELD(struct oci_user, "additionalGids", additional_gids, t_gids,    0,        NULL),
	KNOWN("username", IGNORED), /* of Windows */
	{0}
};
static const struct type t_user = OBJECT("user", struct oci_user, user_fields);

static const struct field capability_fields[] = {
	FIELD(struct oci_capabilities, "bounding",    bounding,    t_capability_list, 0, NULL),
	FIELD(struct oci_capabilities, "effective",   effective,   t_capability_list, 0, NULL),
	FIELD(struct oci_capabilities, "inheritable", inheritable, t_capability_list, 0, NULL),
	FIELD(struct oci_capabilities, "permitted",   permitted,   t_capability_list, 0, NULL),
	FIELD(struct oci_capabilities, "ambient",     ambient,     t_capability_list, 0, NULL),
	{0}
};
static const struct type t_capabilities = OBJECT("capabilities", struct oci_capabilities, capability_fields);
static const struct type opt_capabilities = OPTIONAL(t_capabilities);

static const struct field rlimit_fields[] = {
	FIELD(struct oci_rlimit, "type", type, t_rlimit_type, REQUIRED, NULL),
	FIELD(struct oci_rlimit, "hard", hard, t_u64,         REQUIRED, NULL),
	FIELD(struct oci_rlimit, "soft", soft, t_u64,         REQUIRED, NULL),
	{0}
};
static const struct type t_rlimit = OBJECT("resource limit", struct oci_rlimit, rlimit_fields);
static const struct type t_rlimits = ARRAY_OF(t_rlimit);

static const struct field scheduler_fields[] = {
	FIELD(struct oci_scheduler, "policy",   policy,   t_policy,   REQUIRED,  NULL),
	FIELD(struct oci_scheduler, "nice",     nice,     t_nice,     OMIT_ZERO, NULL),
	FIELD(struct oci_scheduler, "priority", priority, t_priority, OMIT_ZERO, NULL),
	FIELD(struct oci_scheduler, "flags",    flags,    t_flags,    0,         NULL),
	FIELD(struct oci_scheduler, "runtime",  runtime,  t_u64,      OMIT_ZERO, NULL),
	FIELD(struct oci_scheduler, "deadline", deadline, t_u64,      OMIT_ZERO, NULL),
	FIELD(struct oci_scheduler, "period",   period,   t_u64,      OMIT_ZERO, NULL),
	{0}
};
static const struct type t_scheduler = OBJECT("scheduler", struct oci_scheduler, scheduler_fields);
static const struct type opt_scheduler = OPTIONAL(t_scheduler);

static const struct field io_priority_fields[] = {
	FIELD(struct oci_io_priority, "class",    class,    t_io_class,    REQUIRED, NULL),
	FIELD(struct oci_io_priority, "priority", priority, t_io_priority, 0,        NULL),
	{0}
};
static const struct type t_io_prio = OBJECT("I/O priority", struct oci_io_priority, io_priority_fields);
static const struct type opt_io_prio = OPTIONAL(t_io_prio);

static const struct field affinity_fields[] = {
	FIELD(struct oci_cpu_affinity, "initial", initial, t_oci_cpu_list, 0, NULL),
	FIELD(struct oci_cpu_affinity, "final",   final,   t_oci_cpu_list, 0, NULL),
	{0}
};
static const struct type t_affinity = OBJECT("CPU affinity", struct oci_cpu_affinity, affinity_fields);
static const struct type opt_affinity = OPTIONAL(t_affinity);

static const struct field process_fields[] = {
	FIELD(struct oci_process, "terminal",        terminal,          t_bool,           OMIT_ZERO, NULL),
	FIELD(struct oci_process, "consoleSize",     console_size,      opt_console_size, 0,         NULL),
	FIELD(struct oci_process, "user",            user,              t_user,           REQUIRED,  NULL),
	FIELD(struct oci_process, "args",            args,              t_strings,        0,         NULL),
	KNOWN("commandLine", IGNORED), /* of Windows */
	FIELD(struct oci_process, "env",             env,               t_env,            0,         NULL),
	FIELD(struct oci_process, "cwd",             cwd,               t_abs_path,       REQUIRED,  NULL),
	FIELD(struct oci_process, "capabilities",    capabilities,      opt_capabilities, 0,         NULL),
	FIELD(struct oci_process, "rlimits",         rlimits,           t_rlimits,        0,         NULL),
	FIELD(struct oci_process, "noNewPrivileges", no_new_privileges, t_bool,           OMIT_ZERO, NULL),
	FIELD(struct oci_process, "apparmorProfile", apparmor_profile,  t_string,         0,         NULL),
	FIELD(struct oci_process, "selinuxLabel",    selinux_label,     t_string,         0,         NULL),
	FIELD(struct oci_process, "oomScoreAdj",     oom_score_adj,     opt_oom_score,    0,         NULL),
	FIELD(struct oci_process, "scheduler",       scheduler,         opt_scheduler,    0,         NULL),
	FIELD(struct oci_process, "ioPriority",      io_priority,       opt_io_prio,      0,         NULL),
	FIELD(struct oci_process, "execCPUAffinity", exec_cpu_affinity, opt_affinity,     0,         NULL),
	{0}
};
/* clang-format on */
const struct type t_oci_process = OBJECT("process", struct oci_process, process_fields);

uint64_t oci_capability_mask(const struct oci_ints *list)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < list->count; i++)
		mask |= UINT64_C(1) << list->items[i];
	return mask;
}

static err *rule_rlimits(const struct oci_process *p, const char *at, struct decoder *d)
{
	for (size_t i = 0; i < p->rlimits.count; i++) {
		const struct oci_rlimit *limit = &p->rlimits.items[i];
		const char *name = enum_name(oci_rlimit_names, limit->type);
		char path[OCI_PATH_MAX];

		for (size_t k = 0; k < i; k++)
			if (p->rlimits.items[k].type == limit->type)
				return decoder_fail(d, oci_rule_path(path, "%srlimits[%zu].type", at, i),
						    "'%s' is given twice", name);
		if (limit->soft > limit->hard)
			return decoder_fail(d, oci_rule_path(path, "%srlimits[%zu].soft", at, i),
					    "%s: %llu is over the hard limit %llu", name,
					    (unsigned long long)limit->soft, (unsigned long long)limit->hard);
	}
	return NULL;
}

/* What sched_setattr(2) would refuse with a bare EINVAL after the clone. */
static err *rule_scheduler(const struct oci_process *p, const char *at, struct decoder *d)
{
	const struct oci_scheduler *s = p->scheduler;
	char path[OCI_PATH_MAX];

	if (!s)
		return NULL;
	const char *policy = enum_name(oci_scheduler_policy_names, s->policy);
	bool realtime = s->policy == SCHED_FIFO || s->policy == SCHED_RR;
	bool deadline = s->policy == SCHED_DEADLINE;
	if (realtime != (s->priority > 0))
		return decoder_fail(d, oci_rule_path(path, "%sscheduler.priority", at),
				    realtime ? "%s needs a priority from 1 to 99" : "%s has no priority",
				    policy);
	if (!deadline && (s->runtime || s->deadline || s->period))
		return decoder_fail(d, oci_rule_path(path, "%sscheduler", at),
				    "runtime, deadline and period belong to SCHED_DEADLINE, not to %s",
				    policy);
	if (deadline && (!s->runtime || s->runtime > s->deadline || (s->period && s->deadline > s->period)))
		return decoder_fail(d, oci_rule_path(path, "%sscheduler", at),
				    "SCHED_DEADLINE needs 0 < runtime <= deadline <= period");
	return NULL;
}

err *oci_rules_process(const struct oci_process *process, const char *at, struct decoder *d)
{
	TRY(rule_rlimits(process, at, d));
	return rule_scheduler(process, at, d);
}
