/* oci/seccomp-default.c: the seccomp profile of services whose manifest does not bring one. */
#include "oci/seccomp-default.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>

/* What programs need, in groups by subject; names of one architecture are unknown to others, which is
 * fine. Separated by spaces. */
static const char *const always[] = {
	/* files: open, read, write */
	"open openat openat2 creat close close_range read write readv writev pread64 pwrite64 preadv pwritev",
	"preadv2 pwritev2 lseek _llseek sendfile sendfile64 splice tee vmsplice copy_file_range readahead",
	"fadvise64 fadvise64_64 arm_fadvise64_64 fallocate truncate truncate64 ftruncate ftruncate64",
	"fsync fdatasync sync syncfs sync_file_range sync_file_range2 arm_sync_file_range cachestat",
	/* files: names, attributes */
	"stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx access faccessat faccessat2",
	"chmod fchmod fchmodat fchmodat2 chown chown32 lchown lchown32 fchown fchown32 fchownat umask",
	"link linkat symlink symlinkat readlink readlinkat rename renameat renameat2 unlink unlinkat",
	"mkdir mkdirat rmdir mknod mknodat getdents getdents64 readdir getcwd chdir fchdir utime utimes futimesat",
	"utimensat utimensat_time64 getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr",
	"setxattrat listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr",
	"removexattrat file_getattr file_setattr name_to_handle_at statfs statfs64 fstatfs fstatfs64 ustat",
	"statmount listmount",
	/* descriptors */
	"dup dup2 dup3 fcntl fcntl64 flock ioctl pipe pipe2 select _newselect pselect6 pselect6_time64 poll",
	"ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old",
	"epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_gettime",
	"timerfd_gettime64 timerfd_settime timerfd_settime64 inotify_init inotify_init1 inotify_add_watch",
	"inotify_rm_watch fanotify_mark memfd_create memfd_secret io_setup io_destroy io_submit io_cancel",
	"io_getevents io_pgetevents io_pgetevents_time64",
	/* memory */
	"brk mmap mmap2 munmap mremap mprotect msync madvise mincore mlock mlock2 mlockall munlock munlockall",
	"remap_file_pages membarrier mseal pkey_alloc pkey_free pkey_mprotect map_shadow_stack",
	/* processes and threads */
	"fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid gettid getppid getpgid",
	"getpgrp setpgid getsid setsid kill tkill tgkill pidfd_open pidfd_send_signal process_mrelease",
	"set_tid_address set_robust_list get_robust_list set_thread_area get_thread_area set_tls arch_prctl",
	"prctl rseq futex futex_time64 futex_wait futex_wake futex_requeue futex_waitv restart_syscall",
	"cacheflush breakpoint riscv_flush_icache riscv_hwprobe uretprobe uprobe swapcontext",
	"s390_runtime_instr sysinfo uname getcpu",
	/* scheduling and limits */
	"sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam",
	"sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max",
	"sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64 getpriority setpriority",
	"nice ioprio_get ioprio_set getrlimit ugetrlimit setrlimit prlimit64 getrusage times",
	/* users; the kernel asks for the capability by itself */
	"getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid",
	"getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid",
	"setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32",
	"setgroups setgroups32 capget capset",
	/* signals and time */
	"rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend",
	"rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaction sigaltstack signal sigpending",
	"sigprocmask sigreturn sigsuspend sgetmask ssetmask pause alarm getitimer setitimer nanosleep",
	"clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep",
	"clock_nanosleep_time64 clock_adjtime clock_adjtime64 adjtimex gettimeofday time timer_create",
	"timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64",
	/* messages between processes */
	"socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt",
	"setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64 socketcall",
	"ipc msgget msgctl msgsnd msgrcv semget semctl semop semtimedop semtimedop_time64 shmget shmctl",
	"shmat shmdt mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64",
	"mq_timedreceive mq_timedreceive_time64",
	/* what protects and confines */
	"getrandom seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self lsm_get_self_attr",
	"lsm_list_modules",
	NULL,
};

/* Calls that come back with a capability. */
static const struct {
	int capability;
	const char *names;
} privileged[] = {
	{ CAP_SYS_ADMIN, "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount "
			 "mount_setattr move_mount open_tree open_tree_attr perf_event_open quotactl "
			 "quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare" },
	{ CAP_BPF, "bpf" },
	{ CAP_DAC_READ_SEARCH, "open_by_handle_at" },
	{ CAP_PERFMON, "perf_event_open" },
	{ CAP_SYS_BOOT, "reboot" },
	{ CAP_SYS_CHROOT, "chroot" },
	{ CAP_SYS_MODULE, "init_module finit_module delete_module" },
	{ CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node" },
	{ CAP_SYS_PACCT, "acct" },
	{ CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace" },
	{ CAP_SYS_RAWIO, "iopl ioperm" },
	{ CAP_SYS_TIME, "clock_settime clock_settime64 settimeofday stime" },
	{ CAP_SYS_TTY_CONFIG, "vhangup" },
	{ CAP_SYSLOG, "syslog" },
};

/* Calls that depend on one argument: allowed when (argument & mask) == value. */
#define NEW_NAMESPACE                                                                              \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
	 CLONE_NEWNET)
#define WHOLE UINT64_MAX
#ifdef __s390x__
#define CLONE_FLAGS 1 /* clone(2): the first two arguments are swapped */
#else
#define CLONE_FLAGS 0
#endif
static const struct {
	const char *name;
	uint32_t argument;
	uint64_t mask, value;
	uint64_t unless; /* this capability allows the call as a whole, above; 0: none */
} conditional[] = {
	{ "clone", CLONE_FLAGS, NEW_NAMESPACE, 0, 1ull << CAP_SYS_ADMIN },
	{ "socket", 0, WHOLE, AF_UNIX, 0 },
	{ "socket", 0, WHOLE, AF_INET, 0 },
	{ "socket", 0, WHOLE, AF_INET6, 0 },
	{ "socket", 0, WHOLE, AF_NETLINK, 0 },
	{ "socket", 0, WHOLE, AF_PACKET, 0 },
	{ "personality", 0, WHOLE, 0x0, 0 },        /* PER_LINUX */
	{ "personality", 0, WHOLE, 0x8, 0 },        /* PER_LINUX32 */
	{ "personality", 0, WHOLE, 0x20000, 0 },    /* UNAME26 */
	{ "personality", 0, WHOLE, 0x20008, 0 },
	{ "personality", 0, WHOLE, 0xffffffff, 0 }, /* only asks */
};

#if defined(__x86_64__)
static const int architectures[] = { OCI_ARCH_X86_64, OCI_ARCH_X86, OCI_ARCH_X32 };
#elif defined(__aarch64__)
static const int architectures[] = { OCI_ARCH_AARCH64, OCI_ARCH_ARM };
#elif defined(__powerpc64__)
static const int architectures[] = { OCI_ARCH_PPC64LE };
#elif defined(__s390x__)
static const int architectures[] = { OCI_ARCH_S390X, OCI_ARCH_S390 };
#elif defined(__riscv)
static const int architectures[] = { OCI_ARCH_RISCV64 };
#else
static const int architectures[] = { OCI_ARCH_NONE }; /* the runtime takes its own */
#endif

enum { NAMES_MAX = 1024 };

static err *add_names(struct arena *arena, const char *text, struct strings *names)
{
	char *copy, *save = NULL;

	TRY_ALLOC(arena, copy, arena_strdup(arena, text));
	for (char *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		if (names->count == NAMES_MAX)
			return err_new(E2BIG, "more than %d names of system calls", NAMES_MAX);
		names->items[names->count++] = name;
	}
	return NULL;
}

static err *allowed_names(struct arena *arena, uint64_t capabilities, struct strings *ret)
{
	TRY_ALLOC(arena, ret->items, arena_array(arena, NAMES_MAX, sizeof *ret->items));
	for (size_t i = 0; always[i]; i++)
		TRY(add_names(arena, always[i], ret));
	for (size_t i = 0; i < ARRAY_LEN(privileged); i++) {
		if (capabilities & 1ull << privileged[i].capability)
			TRY(add_names(arena, privileged[i].names, ret));
	}
	return NULL;
}

static struct oci_seccomp_rule *next_rule(struct oci_seccomp *s)
{
	return &s->syscalls.items[s->syscalls.count++];
}

static err *one_name(struct arena *arena, const char *name, int action, struct oci_seccomp_rule *rule)
{
	rule->action = action;
	rule->names.count = 1;
	TRY_ALLOC(arena, rule->names.items, arena_array(arena, 1, sizeof *rule->names.items));
	rule->names.items[0] = name;
	return NULL;
}

static err *add_conditional(struct arena *arena, size_t i, struct oci_seccomp *s)
{
	struct oci_seccomp_rule *rule = next_rule(s);

	TRY(one_name(arena, conditional[i].name, OCI_ACT_ALLOW, rule));
	TRY_ALLOC(arena, rule->args.items, arena_array(arena, 1, sizeof *rule->args.items));
	rule->args.count = 1;
	if (conditional[i].mask == WHOLE)
		rule->args.items[0] = (struct oci_seccomp_arg){
			.index = conditional[i].argument, .value = conditional[i].value, .op = OCI_CMP_EQ,
		};
	else
		rule->args.items[0] = (struct oci_seccomp_arg){
			.index = conditional[i].argument, .value = conditional[i].mask,
			.value_two = conditional[i].value, .op = OCI_CMP_MASKED_EQ,
		};
	return NULL;
}

err *oci_seccomp_default(struct arena *arena, uint64_t capabilities, const struct oci_seccomp **ret)
{
	static const uint32_t permission = EPERM, missing = ENOSYS;
	struct oci_seccomp *s;
	struct oci_seccomp_rule *rule;

	TRY_ALLOC(arena, s, arena_alloc(arena, sizeof *s));
	s->default_action = OCI_ACT_ERRNO;
	s->default_errno_ret = &permission;
	TRY_ALLOC(arena, s->architectures.items, arena_alloc(arena, sizeof architectures));
	memcpy(s->architectures.items, architectures, sizeof architectures);
	s->architectures.count = architectures[0] == OCI_ARCH_NONE ? 0 : ARRAY_LEN(architectures);
	TRY_ALLOC(arena, s->syscalls.items,
		  arena_array(arena, 2 + ARRAY_LEN(conditional), sizeof *s->syscalls.items));

	rule = next_rule(s);
	rule->action = OCI_ACT_ALLOW;
	TRY(allowed_names(arena, capabilities, &rule->names));
	if (!(capabilities & 1ull << CAP_SYS_ADMIN)) {
		rule = next_rule(s);
		TRY(one_name(arena, "clone3", OCI_ACT_ERRNO, rule));
		rule->errno_ret = &missing;
	}
	for (size_t i = 0; i < ARRAY_LEN(conditional); i++) {
		if (!(conditional[i].unless & capabilities))
			TRY(add_conditional(arena, i, s));
	}
	*ret = s;
	return NULL;
}
