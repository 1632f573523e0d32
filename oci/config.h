/* oci/config.h: config.json of a bundle: what a container is, as its caller asked for it.
 * Spec: runtime-spec 1.3, config.md and config-linux.md.
 *
 * The structs mirror the document; every member is described by one row of a table in
 * oci/config-*.c, which decodes, checks and encodes it. NULL, an empty list or a NULL pointer mean
 * that the document did not say. Everything decoded lives in the caller's arena. To make a
 * config.json, fill the structs (zeroed first) and call oci_config_encode(). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/decode.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strv.h"

/* In gnu17 mode the compiler defines this word as 1; here it is the name of a member. */
#undef linux

/* Versions of the specification, as `features` and `state` print them. */
#define OCI_VERSION_MIN "1.0.0"
#define OCI_VERSION     "1.3.0"
/* What we write into bundles that use nothing newer: crun before 1.9 refuses later minors by name. */
#define OCI_VERSION_BUNDLE "1.0.2"

/* Tables of names, ended by a NULL name; the same that decode and that `features` prints. */
extern const struct enum_name oci_capability_names[]; /* CAP_CHOWN ...: number of capabilities(7) */
extern const struct enum_name oci_rlimit_names[];     /* RLIMIT_CORE ...: number of getrlimit(2) */
extern const struct enum_name oci_namespace_names[];  /* pid ...: CLONE_NEW* of clone(2) */
extern const struct enum_name oci_propagation_names[];/* private, rslave ...: MS_* of mount(2) */
extern const struct enum_name oci_scheduler_policy_names[]; /* SCHED_*: number of sched(7) */
extern const struct enum_name oci_scheduler_flag_names[];   /* SCHED_FLAG_*: bits of sched_setattr(2) */
extern const struct enum_name oci_io_class_names[];   /* IOPRIO_CLASS_*: number of ioprio_set(2) */
extern const struct enum_name oci_memory_mode_names[];/* MPOL_*: number of set_mempolicy(2) */
extern const struct enum_name oci_memory_flag_names[];/* MPOL_F_*: bits of set_mempolicy(2) */
extern const struct enum_name oci_personality_names[];/* LINUX, LINUX32: PER_* of personality(2) */
extern const struct enum_name oci_device_type_names[];/* c, b, u, p: the character itself */
extern const struct enum_name oci_device_rule_names[];/* a, c, b: the character itself */
extern const struct enum_name oci_seccomp_action_names[]; /* SCMP_ACT_*: enum oci_seccomp_action */
extern const struct enum_name oci_seccomp_op_names[];     /* SCMP_CMP_*: enum oci_seccomp_op */
extern const struct enum_name oci_seccomp_arch_names[];   /* SCMP_ARCH_*: enum oci_seccomp_arch */
extern const struct enum_name oci_seccomp_flag_names[];   /* SECCOMP_FILTER_FLAG_*: bits of seccomp(2) */

/* crun's annotation for listenerPath: where a NOTIFY rule may send its listener instead. */
#define OCI_SECCOMP_RECEIVER "run.oci.seccomp.receiver"

/* ---- process ---- */

struct oci_ints {
	int *items; /* values of the enum table that the member names */
	size_t count;
};
struct oci_u32s {
	uint32_t *items;
	size_t count;
};

struct oci_user {
	uint32_t uid, gid;
	const uint32_t *umask; /* NULL: not set; 0 to 0777 */
	struct oci_u32s additional_gids;
};

struct oci_capabilities { /* items: capability numbers; unknown names were left out with a warning */
	struct oci_ints bounding, effective, inheritable, permitted, ambient;
};
/* The list as a bit mask: bit N is capability N. */
uint64_t oci_capability_mask(const struct oci_ints *list);

struct oci_rlimit {
	int type; /* RLIMIT_* */
	uint64_t hard, soft;
};

struct oci_console_size {
	uint16_t height, width; /* characters */
};

struct oci_scheduler {
	int policy; /* SCHED_* */
	int32_t nice;
	int32_t priority;
	struct oci_ints flags;              /* SCHED_FLAG_* */
	uint64_t runtime, deadline, period; /* nanoseconds; SCHED_DEADLINE */
};

struct oci_io_priority {
	int class; /* IOPRIO_CLASS_* */
	int32_t priority; /* 0 (first) to 7 */
};

struct oci_cpu_affinity {
	const char *initial, *final; /* CPU lists such as "0-3,7"; or NULL */
};

struct oci_process {
	bool terminal;
	const struct oci_console_size *console_size;
	struct oci_user user;
	struct strings args;
	struct strings env; /* NAME=value */
	const char *cwd;    /* absolute */
	const struct oci_capabilities *capabilities; /* NULL: not given, which runtimes read as none */
	struct {
		struct oci_rlimit *items;
		size_t count;
	} rlimits;
	bool no_new_privileges;
	const char *apparmor_profile;
	const char *selinux_label;
	const int32_t *oom_score_adj;
	const struct oci_scheduler *scheduler;
	const struct oci_io_priority *io_priority;
	const struct oci_cpu_affinity *exec_cpu_affinity;
};

/* ---- root, mounts, hooks ---- */

struct oci_root {
	const char *path; /* absolute, or relative to the bundle */
	bool readonly;
};

struct oci_id_mapping {
	uint32_t container_id, host_id, size; /* size: 1 or more */
};
struct oci_id_mappings {
	struct oci_id_mapping *items;
	size_t count;
};

struct oci_mount {
	const char *destination; /* inside the container; relative ones count from its root */
	const char *type;        /* NULL: a bind mount, or as the options say */
	const char *source;
	struct strings options;
	struct oci_id_mappings uid_mappings, gid_mappings; /* both or neither */
};

struct oci_hook {
	const char *path; /* absolute, on the host (startContainer: in the container) */
	struct strings args;
	struct strings env;
	const int32_t *timeout; /* seconds, 1 or more; NULL: none */
};
struct oci_hook_list {
	struct oci_hook *items;
	size_t count;
};
struct oci_hooks {
	struct oci_hook_list prestart, create_runtime, create_container, start_container, poststart, poststop;
};

/* ---- linux ---- */

struct oci_namespace {
	int type;         /* CLONE_NEW* */
	const char *path; /* of one to join, absolute; NULL: a new one */
};

struct oci_time_offset {
	int64_t secs;
	uint32_t nanosecs; /* below 1000000000 */
};
struct oci_time_offsets {
	const struct oci_time_offset *boottime, *monotonic;
};

struct oci_device {
	int type; /* 'c', 'b', 'u' (a character device), 'p' (a FIFO) */
	const char *path; /* absolute, in the container */
	int64_t major, minor; /* -1: not given, as for 'p' */
	const uint32_t *file_mode; /* permission bits; NULL: not given */
	const uint32_t *uid, *gid; /* in the container */
};

struct oci_net_device {
	const char *name;        /* on the host; the key of the map */
	const char *target_name; /* in the container; NULL: the same */
};

struct oci_device_rule {
	bool allow;
	int type; /* 'a', 'c', 'b' */
	const int64_t *major, *minor; /* NULL or -1: every number */
	const char *access; /* letters of "rwm"; NULL: all of them */
};

struct oci_memory { /* bytes; -1: no limit; NULL: not given */
	const int64_t *limit, *reservation, *swap; /* swap: memory and swap together */
	const int64_t *kernel, *kernel_tcp;        /* cgroup v1; obsolete */
	const uint64_t *swappiness;                /* 0 to 100 */
	const bool *disable_oom_killer, *use_hierarchy, *check_before_update;
};

struct oci_cpu {
	const uint64_t *shares;
	const int64_t *quota;   /* microseconds a period; -1: no limit */
	const uint64_t *burst, *period; /* microseconds */
	const int64_t *realtime_runtime;
	const uint64_t *realtime_period;
	const char *cpus, *mems; /* lists such as "0-3,7"; NULL: not given */
	const int64_t *idle;
};

struct oci_weight_device {
	int64_t major, minor;
	const uint16_t *weight, *leaf_weight; /* at least one */
};
struct oci_throttle_device {
	int64_t major, minor;
	uint64_t rate; /* bytes or operations a second; 0: no limit */
};
struct oci_throttle_devices {
	struct oci_throttle_device *items;
	size_t count;
};
struct oci_block_io {
	const uint16_t *weight, *leaf_weight;
	struct {
		struct oci_weight_device *items;
		size_t count;
	} weight_device;
	struct oci_throttle_devices read_bps, write_bps, read_iops, write_iops;
};

struct oci_hugepage_limit {
	const char *page_size; /* "2MB", as the kernel's file names */
	uint64_t limit;        /* bytes */
};

struct oci_net_priority {
	const char *name;
	uint32_t priority;
};
struct oci_network {
	const uint32_t *class_id;
	struct {
		struct oci_net_priority *items;
		size_t count;
	} priorities;
};

struct oci_pids {
	int64_t limit; /* 0 or less: no limit */
};

struct oci_rdma {
	const char *device; /* the key of the map */
	const uint32_t *hca_handles, *hca_objects; /* at least one */
};

struct oci_resources {
	struct {
		struct oci_device_rule *items;
		size_t count;
	} devices; /* in order */
	const struct oci_memory *memory;
	const struct oci_cpu *cpu;
	const struct oci_pids *pids;
	const struct oci_block_io *block_io;
	struct {
		struct oci_hugepage_limit *items;
		size_t count;
	} hugepage_limits;
	const struct oci_network *network;
	struct {
		struct oci_rdma *items;
		size_t count;
	} rdma;
	struct string_map unified; /* file name in the container's cgroup: value */
};

enum oci_seccomp_action {
	OCI_ACT_NONE,
	OCI_ACT_KILL, /* the old name of KILL_THREAD */
	OCI_ACT_KILL_PROCESS,
	OCI_ACT_KILL_THREAD,
	OCI_ACT_TRAP,
	OCI_ACT_ERRNO,
	OCI_ACT_TRACE,
	OCI_ACT_ALLOW,
	OCI_ACT_LOG,
	OCI_ACT_NOTIFY,
};
enum oci_seccomp_op {
	OCI_CMP_NONE,
	OCI_CMP_NE,
	OCI_CMP_LT,
	OCI_CMP_LE,
	OCI_CMP_EQ,
	OCI_CMP_GE,
	OCI_CMP_GT,
	OCI_CMP_MASKED_EQ,
};
enum oci_seccomp_arch {
	OCI_ARCH_NONE,
	OCI_ARCH_X86,
	OCI_ARCH_X86_64,
	OCI_ARCH_X32,
	OCI_ARCH_ARM,
	OCI_ARCH_AARCH64,
	OCI_ARCH_LOONGARCH64,
	OCI_ARCH_M68K,
	OCI_ARCH_MIPS,
	OCI_ARCH_MIPS64,
	OCI_ARCH_MIPS64N32,
	OCI_ARCH_MIPSEL,
	OCI_ARCH_MIPSEL64,
	OCI_ARCH_MIPSEL64N32,
	OCI_ARCH_PPC,
	OCI_ARCH_PPC64,
	OCI_ARCH_PPC64LE,
	OCI_ARCH_S390,
	OCI_ARCH_S390X,
	OCI_ARCH_SH,
	OCI_ARCH_SHEB,
	OCI_ARCH_PARISC,
	OCI_ARCH_PARISC64,
	OCI_ARCH_RISCV64,
};

struct oci_seccomp_arg {
	uint32_t index; /* 0 to 5 */
	uint64_t value, value_two; /* value_two: the compared value of SCMP_CMP_MASKED_EQ */
	int op; /* enum oci_seccomp_op */
};
struct oci_seccomp_rule {
	struct strings names; /* at least one */
	int action;           /* enum oci_seccomp_action */
	const uint32_t *errno_ret; /* only with an action that takes one */
	struct {
		struct oci_seccomp_arg *items;
		size_t count;
	} args;
};
struct oci_seccomp {
	int default_action;
	const uint32_t *default_errno_ret;
	struct oci_ints architectures; /* enum oci_seccomp_arch */
	struct oci_ints flags;         /* SECCOMP_FILTER_FLAG_* */
	const char *listener_path, *listener_metadata;
	struct {
		struct oci_seccomp_rule *items;
		size_t count;
	} syscalls;
};
/* "SCMP_ACT_ERRNO" and the like take an errno; others make one an error. */
bool oci_seccomp_takes_errno(int action);

struct oci_intel_rdt {
	const char *clos_id, *l3_cache_schema, *mem_bw_schema;
	struct strings schemata;
	bool enable_monitoring;
};

struct oci_memory_policy {
	int mode; /* MPOL_* */
	const char *nodes;
	struct oci_ints flags; /* MPOL_F_* */
};

struct oci_personality {
	int domain; /* PER_* */
	struct oci_ints flags; /* the specification knows none yet */
};

struct oci_linux {
	struct {
		struct oci_namespace *items;
		size_t count;
	} namespaces; /* no type twice */
	struct oci_id_mappings uid_mappings, gid_mappings;
	const struct oci_time_offsets *time_offsets;
	struct {
		struct oci_device *items;
		size_t count;
	} devices;
	struct {
		struct oci_net_device *items;
		size_t count;
	} net_devices;
	const char *cgroups_path;
	struct oci_resources resources;
	int rootfs_propagation; /* MS_*, with MS_REC for the r-forms; 0: not given */
	const struct oci_seccomp *seccomp;
	struct string_map sysctl;
	struct strings masked_paths, readonly_paths; /* absolute */
	const char *mount_label;
	const struct oci_intel_rdt *intel_rdt;
	const struct oci_memory_policy *memory_policy;
	const struct oci_personality *personality;
};

struct oci_config {
	const char *version; /* ociVersion */
	const struct oci_process *process; /* NULL: cannot be started */
	const struct oci_root *root;       /* never NULL after decoding */
	const char *hostname, *domainname;
	struct {
		struct oci_mount *items;
		size_t count;
	} mounts;
	struct oci_hooks hooks;
	struct string_map annotations;
	struct {
		const json *solaris, *windows, *zos, *freebsd;
	} foreign; /* sections for other systems, passed over */
	struct oci_linux linux;
};

/* The entry for a namespace type (CLONE_NEW*), or NULL when the container shares the runtime's. */
const struct oci_namespace *oci_namespace_find(const struct oci_config *config, int type);

/* Types of whole documents, for tables of others and for docs/spec-coverage.md; the keys of t_oci_hooks
 * are the names of the hooks. */
extern const struct type t_oci_config, t_oci_process, t_oci_resources, t_oci_hooks;

/* Decode `path` in `dir_fd` (AT_FDCWD: a path of the caller), apply every rule between fields.
 *   arena     where the result lives; 16 MiB are enough for any real document
 *   warnings  collects what the specification tells a runtime to accept and report; may be NULL
 * Errors name line and field: "config.json:12:9: process.rlimits[1].type: unknown resource limit
 * 'RLIMIT_FOO'". A config without process decodes: it can be looked at, not started. */
err *oci_config_load(int dir_fd, const char *path, struct arena *arena, struct strv *warnings,
		     const struct oci_config **ret) MUST_CHECK;

/* The same from text; name: what errors call the document. */
err *oci_config_decode(struct arena *arena, const char *name, const char *text, size_t len,
		       struct strv *warnings, const struct oci_config **ret) MUST_CHECK;

/* Where the listener of linux.seccomp goes: its listenerPath, else the annotation OCI_SECCOMP_RECEIVER; or NULL. */
const char *oci_seccomp_listener(const struct oci_config *config);

/* What starting needs beyond a valid document: a process with at least one argument. EINVAL. */
err *oci_config_check_start(const struct oci_config *config) MUST_CHECK;

/* A process document of its own (`exec --process FILE`), with the same rules and at least one
 * argument. */
err *oci_process_decode(struct arena *arena, const char *name, const char *text, size_t len,
			struct strv *warnings, const struct oci_process **ret) MUST_CHECK;

/* A resources document of its own (`update --resources FILE`). */
err *oci_resources_decode(struct arena *arena, const char *name, const char *text, size_t len,
			  struct strv *warnings, const struct oci_resources **ret) MUST_CHECK;

/* The document of `mounts add`: an object with "mounts" as in config.json, or that array alone, as crun
 * takes it. *ret has nothing but mounts. */
err *oci_mounts_decode(struct arena *arena, const char *name, const char *text, size_t len,
		       struct strv *warnings, const struct oci_config **ret) MUST_CHECK;

/* Write a whole document, in the order of the tables; same input, same bytes. indent: spaces a
 * level, 0 for one line. A failure sticks to `out` (str_check()). */
void oci_config_encode(struct str *out, const struct oci_config *config, unsigned indent);
void oci_process_encode(struct str *out, const struct oci_process *process, unsigned indent);

/* Which namespace (CLONE_NEW*) a sysctl belongs to; 0 when it belongs to none and so to the host. */
int oci_sysctl_namespace(const char *key);

/* The file of a sysctl below /proc/sys: "net.ipv4.ip_forward" is "net/ipv4/ip_forward". Keys may be
 * written with dots or slashes; whichever comes first separates (sysctl(8)). False when it does
 * not fit, or has an empty, "." or ".." component. */
bool oci_sysctl_path(const char *key, char *out, size_t size) MUST_CHECK;
