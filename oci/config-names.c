/* oci/config-names.c: the words of config.json and the kernel's numbers for them. */
#include "oci/config.h"

#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>

/* Newer than the kernel headers of some build machines. */
#ifndef MPOL_WEIGHTED_INTERLEAVE
#define MPOL_WEIGHTED_INTERLEAVE 6
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SCHED_ISO
#define SCHED_ISO 4 /* reserved by the kernel, named by the specification */
#endif

/* clang-format off */
#define NAME(constant) { #constant, constant }
#define END            { NULL, 0 }

const struct enum_name oci_capability_names[] = {
	NAME(CAP_CHOWN), NAME(CAP_DAC_OVERRIDE), NAME(CAP_DAC_READ_SEARCH), NAME(CAP_FOWNER),
	NAME(CAP_FSETID), NAME(CAP_KILL), NAME(CAP_SETGID), NAME(CAP_SETUID), NAME(CAP_SETPCAP),
	NAME(CAP_LINUX_IMMUTABLE), NAME(CAP_NET_BIND_SERVICE), NAME(CAP_NET_BROADCAST),
	NAME(CAP_NET_ADMIN), NAME(CAP_NET_RAW), NAME(CAP_IPC_LOCK), NAME(CAP_IPC_OWNER),
	NAME(CAP_SYS_MODULE), NAME(CAP_SYS_RAWIO), NAME(CAP_SYS_CHROOT), NAME(CAP_SYS_PTRACE),
	NAME(CAP_SYS_PACCT), NAME(CAP_SYS_ADMIN), NAME(CAP_SYS_BOOT), NAME(CAP_SYS_NICE),
	NAME(CAP_SYS_RESOURCE), NAME(CAP_SYS_TIME), NAME(CAP_SYS_TTY_CONFIG), NAME(CAP_MKNOD),
	NAME(CAP_LEASE), NAME(CAP_AUDIT_WRITE), NAME(CAP_AUDIT_CONTROL), NAME(CAP_SETFCAP),
	NAME(CAP_MAC_OVERRIDE), NAME(CAP_MAC_ADMIN), NAME(CAP_SYSLOG), NAME(CAP_WAKE_ALARM),
	NAME(CAP_BLOCK_SUSPEND), NAME(CAP_AUDIT_READ), NAME(CAP_PERFMON), NAME(CAP_BPF),
	NAME(CAP_CHECKPOINT_RESTORE), END
};

const struct enum_name oci_rlimit_names[] = {
	NAME(RLIMIT_AS), NAME(RLIMIT_CORE), NAME(RLIMIT_CPU), NAME(RLIMIT_DATA), NAME(RLIMIT_FSIZE),
	NAME(RLIMIT_LOCKS), NAME(RLIMIT_MEMLOCK), NAME(RLIMIT_MSGQUEUE), NAME(RLIMIT_NICE),
	NAME(RLIMIT_NOFILE), NAME(RLIMIT_NPROC), NAME(RLIMIT_RSS), NAME(RLIMIT_RTPRIO),
	NAME(RLIMIT_RTTIME), NAME(RLIMIT_SIGPENDING), NAME(RLIMIT_STACK), END
};

const struct enum_name oci_namespace_names[] = {
	{ "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC },   { "mount", CLONE_NEWNS },
	{ "network", CLONE_NEWNET },   { "pid", CLONE_NEWPID },   { "time", CLONE_NEWTIME },
	{ "user", CLONE_NEWUSER },     { "uts", CLONE_NEWUTS },   END
};

/* The r-forms are not in the specification's list, but Docker and Podman write them. */
const struct enum_name oci_propagation_names[] = {
	{ "private", MS_PRIVATE },             { "rprivate", MS_REC | MS_PRIVATE },
	{ "shared", MS_SHARED },               { "rshared", MS_REC | MS_SHARED },
	{ "slave", MS_SLAVE },                 { "rslave", MS_REC | MS_SLAVE },
	{ "unbindable", MS_UNBINDABLE },       { "runbindable", MS_REC | MS_UNBINDABLE }, END
};

const struct enum_name oci_scheduler_policy_names[] = {
	{ "SCHED_OTHER", SCHED_NORMAL }, NAME(SCHED_FIFO), NAME(SCHED_RR), NAME(SCHED_BATCH),
	NAME(SCHED_ISO), NAME(SCHED_IDLE), NAME(SCHED_DEADLINE), END
};

const struct enum_name oci_scheduler_flag_names[] = {
	NAME(SCHED_FLAG_RESET_ON_FORK), NAME(SCHED_FLAG_RECLAIM), NAME(SCHED_FLAG_DL_OVERRUN),
	NAME(SCHED_FLAG_KEEP_POLICY), NAME(SCHED_FLAG_KEEP_PARAMS), NAME(SCHED_FLAG_UTIL_CLAMP_MIN),
	NAME(SCHED_FLAG_UTIL_CLAMP_MAX), END
};

const struct enum_name oci_io_class_names[] = {
	NAME(IOPRIO_CLASS_RT), NAME(IOPRIO_CLASS_BE), NAME(IOPRIO_CLASS_IDLE), END
};

const struct enum_name oci_memory_mode_names[] = {
	NAME(MPOL_DEFAULT), NAME(MPOL_BIND), NAME(MPOL_INTERLEAVE), NAME(MPOL_WEIGHTED_INTERLEAVE),
	NAME(MPOL_PREFERRED), NAME(MPOL_PREFERRED_MANY), NAME(MPOL_LOCAL), END
};

const struct enum_name oci_memory_flag_names[] = {
	NAME(MPOL_F_NUMA_BALANCING), NAME(MPOL_F_RELATIVE_NODES), NAME(MPOL_F_STATIC_NODES), END
};

const struct enum_name oci_personality_names[] = {
	{ "LINUX", PER_LINUX }, { "LINUX32", PER_LINUX32 }, END
};

const struct enum_name oci_device_type_names[] = {
	{ "c", 'c' }, { "b", 'b' }, { "u", 'u' }, { "p", 'p' }, END
};

const struct enum_name oci_device_rule_names[] = {
	{ "a", 'a' }, { "c", 'c' }, { "b", 'b' }, END
};

#define ACT(word)  { "SCMP_ACT_" #word, OCI_ACT_##word }
#define CMP(word)  { "SCMP_CMP_" #word, OCI_CMP_##word }
#define ARCH(word) { "SCMP_ARCH_" #word, OCI_ARCH_##word }

const struct enum_name oci_seccomp_action_names[] = {
	ACT(ALLOW), ACT(ERRNO), ACT(KILL), ACT(KILL_PROCESS), ACT(KILL_THREAD), ACT(LOG), ACT(NOTIFY),
	ACT(TRACE), ACT(TRAP), END
};

const struct enum_name oci_seccomp_op_names[] = {
	CMP(EQ), CMP(GE), CMP(GT), CMP(LE), CMP(LT), CMP(MASKED_EQ), CMP(NE), END
};

const struct enum_name oci_seccomp_arch_names[] = {
	ARCH(AARCH64), ARCH(ARM), ARCH(LOONGARCH64), ARCH(M68K), ARCH(MIPS), ARCH(MIPS64),
	ARCH(MIPS64N32), ARCH(MIPSEL), ARCH(MIPSEL64), ARCH(MIPSEL64N32), ARCH(PARISC),
	ARCH(PARISC64), ARCH(PPC), ARCH(PPC64), ARCH(PPC64LE), ARCH(RISCV64), ARCH(S390),
	ARCH(S390X), ARCH(SH), ARCH(SHEB), ARCH(X32), ARCH(X86), ARCH(X86_64), END
};

const struct enum_name oci_seccomp_flag_names[] = {
	NAME(SECCOMP_FILTER_FLAG_TSYNC), NAME(SECCOMP_FILTER_FLAG_SPEC_ALLOW),
	NAME(SECCOMP_FILTER_FLAG_LOG), NAME(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), END
};
/* clang-format on */
