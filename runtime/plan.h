/* runtime/plan.h: the start plan: one block of bytes that stube-runtime writes and stube-init walks.
 *
 * Everything is decided and measured before the clone: strings, mounts with parsed options, devices,
 * masks of capabilities, the seccomp filter. The block holds offsets instead of pointers, so it can be
 * sent as it is. Both programs are built together, yet the reader believes nothing: plan_check() proves
 * every offset once, after that the accessors are plain pointer arithmetic.
 *
 *	struct plan | items of lists (aligned to 8) and strings, in any order | one NUL
 *
 * The last byte of the block is NUL: therefore each offset below its size is a string that ends. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"

#define PLAN_MAGIC    0x6e616c50u /* "Plan" */
#define PLAN_VERSION  1
#define PLAN_SIZE_MAX (8u << 20)
#define PLAN_FDS_MAX  1024 /* descriptors that travel with a plan */
#define PLAN_NO_FD    UINT32_MAX

/* Offset of a string; 0: absent. */
typedef uint32_t plan_text;

/* `count` items at offset `at`; their type stands beside the member. */
struct plan_list {
	uint32_t at, count;
};

/* What was decided; the step tables' column "only when" reads nothing else (runtime/steps.h). */
enum plan_flag {
	PLAN_NEW_USER = 1 << 0,	 /* a new user namespace, made by clone3 or unshare */
	PLAN_LATE_USER = 1 << 1, /* made by unshare, after namespaces were joined */
	PLAN_USER = 1 << 2,	 /* a user namespace, new or joined: become its root */
	PLAN_JOIN = 1 << 3,	 /* at least one namespace is joined by path */
	PLAN_UNSHARE = 1 << 4,	 /* further new namespaces after the joins */
	PLAN_NEW_TIME = 1 << 5,
	PLAN_FORK = 1 << 6, /* a pid namespace is entered by forking */
	PLAN_NEW_CGROUP = 1 << 7,
	PLAN_NEW_NET = 1 << 8,
	PLAN_NAMES = 1 << 9,	/* hostname or domainname */
	PLAN_LIMITS = 1 << 10,	/* hard limits to raise, or oom_score_adj: with the caller's rights */
	PLAN_KEYRING = 1 << 11, /* a new session keyring */
	PLAN_TERMINAL = 1 << 12,
	PLAN_SYSCTL = 1 << 13,
	PLAN_HOOKS_RUNTIME = 1 << 14,
	PLAN_HOOKS_CONTAINER = 1 << 15,
	PLAN_HOOKS_START = 1 << 16,
	PLAN_PATHS = 1 << 17, /* masked or read-only paths */
	PLAN_ROOT_READONLY = 1 << 18,
	PLAN_NO_PIVOT = 1 << 19,
	PLAN_SECCOMP = 1 << 20,
	PLAN_SECCOMP_NOTIFY = 1 << 21,
	PLAN_NO_NEW_PRIVS = 1 << 22,
	PLAN_NET_DEVICES = 1 << 23,  /* devices of the host move in */
	PLAN_LABELS = 1 << 24,	     /* AppArmor or SELinux */
	PLAN_WAIT = 1 << 25,	     /* create: wait for `start` on a listening socket */
	PLAN_DEV = 1 << 26,	     /* /dev is ours: make the default devices and links */
	PLAN_BIND_DEVICES = 1 << 27, /* mknod(2) is not ours: bind the host's nodes */
	PLAN_LANDLOCK = 1 << 28,
	PLAN_MAKE_CWD = 1 << 29,    /* create a missing working directory */
	PLAN_ENTER_UNIT = 1u << 31, /* systemd puts the process into its cgroup, we may not */
	PLAN_SCHEDULING = 1 << 30,  /* scheduler, io priority, personality, memory policy, affinity */
};

enum plan_mount_kind {
	PLAN_MOUNT_FS,      /* a new file system of `type` */
	PLAN_MOUNT_BIND,    /* a tree: descriptor `fd`, else `source` of the child's own namespace */
	PLAN_MOUNT_REMOUNT, /* change the attributes of what is mounted on the destination */
	PLAN_MOUNT_LINK,    /* no mount: a symbolic link to `source` */
	PLAN_MOUNT_REMOVE,  /* unmount the destination if it is the mount with the id `set` */
};

enum plan_mount_flag {
	PLAN_MOUNT_RECURSIVE = 1 << 0,   /* rbind */
	PLAN_MOUNT_COPY_UP = 1 << 1,     /* tmpcopyup */
	PLAN_MOUNT_NO_LINKS = 1 << 3,    /* /proc, /sys: no component may be a symbolic link */
	PLAN_MOUNT_PROC = 1 << 4,        /* must be a proc file system */
	PLAN_MOUNT_SYSFS = 1 << 5,       /* must be a sysfs */
	PLAN_MOUNT_FALLBACK = 1 << 6,    /* EPERM: bind `source` of the host instead */
	PLAN_MOUNT_OVER_PROC = 1 << 7,   /* a file below /proc that may be covered */
	PLAN_MOUNT_SLAVE = 1 << 8,       /* a tree from the host's namespace: cut its propagation first */
	PLAN_MOUNT_PRIVATE = 1 << 9,
	PLAN_MOUNT_SOURCE_LINK = 1 << 10, /* bind the link that `source` is, not what it leads to */
	PLAN_MOUNT_PLACE_LINK = 1 << 11,  /* cover the link that the destination is */
	PLAN_MOUNT_TAKE_MODE = 1 << 12,  /* tmpfs without mode=: that of the directory it covers */
	PLAN_MOUNT_LABEL = 1 << 13,      /* its root gets the plan's mount_label */
	PLAN_MOUNT_TAKE_OWNER = 1 << 14, /* tmpcopyup without uid= and gid=: the same for the owner */
};

struct plan_mount {
	plan_text destination; /* absolute, normalised */
	plan_text source;
	plan_text type;
	plan_text label;           /* "mounts[3]": for messages */
	struct plan_list options;  /* plan_text: "key=value" or "flag", for the file system */
	uint32_t kind, flags;
	uint32_t fd;               /* a detached tree, or PLAN_NO_FD */
	uint32_t propagation;      /* MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE with MS_REC; 0 */
	uint64_t set, clear;       /* MOUNT_ATTR_* of the mount */
	uint64_t set_all, clear_all; /* the same for it and what lies below it */
};

struct plan_device {
	plan_text path;   /* absolute, normalised */
	plan_text label;  /* "linux.devices[0]", or the path of a default device */
	uint32_t mode;    /* type and permissions, as mknod(2) */
	uint32_t uid, gid;
	uint32_t major, minor;
};

struct plan_pair {
	plan_text key, value;
};

struct plan_hook {
	plan_text path;
	struct plan_list args, env; /* plan_text */
	int32_t timeout;            /* seconds; 0: none */
};

struct plan_rlimit {
	uint64_t soft, hard;
	uint32_t type, index; /* index: of process.rlimits */
};

struct plan_process {
	struct plan_list args, env; /* plan_text */
	plan_text cwd;
	plan_text apparmor, selinux;
	uint32_t uid, gid;
	struct plan_list groups;    /* uint32_t */
	struct plan_list rlimits;   /* struct plan_rlimit */
	uint32_t umask;             /* UINT32_MAX: unchanged */
	uint32_t keep_groups;       /* setgroups(2) is not allowed here: groups stay */
	uint64_t bounding, effective, permitted, inheritable, ambient;
	uint16_t rows, columns;     /* of the terminal; 0: not given */
	uint32_t personality;       /* UINT32_MAX: unchanged */
	uint32_t io_priority;       /* value of ioprio_set(2); UINT32_MAX: unchanged */
	uint32_t preserve_fds;      /* descriptors from 3 on that the program inherits */
	uint32_t memory_mode;       /* of set_mempolicy(2), with flags; UINT32_MAX: unchanged */
	struct plan_list memory_nodes; /* uint64_t, a bit mask */
	struct plan_list scheduler;    /* one struct plan_scheduler, or none */
	struct plan_list affinity;     /* uint64_t, a bit mask for sched_setaffinity(2) */
};

struct plan_scheduler { /* as struct sched_attr of sched_setattr(2) */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

struct plan_landlock_path {
	plan_text path, label; /* absolute; "rules.pathBeneath[0].paths[1]" */
	uint64_t access;       /* LANDLOCK_ACCESS_FS_* */
	uint32_t optional;     /* a path that is not there is passed over */
	uint32_t spare;
};

struct plan_landlock_port {
	uint64_t access, port;
};

struct plan_landlock {
	uint64_t fs, net, scoped; /* as struct landlock_ruleset_attr */
	struct plan_list paths;   /* struct plan_landlock_path */
	struct plan_list ports;   /* struct plan_landlock_port */
};

struct plan {
	uint32_t magic, version, size;
	uint32_t flags;      /* enum plan_flag */
	plan_text id;        /* of the container */

	/* Descriptors: indexes, or PLAN_NO_FD. */
	uint32_t fd_root;    /* the root as a detached tree; else root_path is opened by the child */
	uint32_t fd_proc;    /* the runtime's own /proc, verified */
	uint32_t fd_console; /* connected: the terminal's other end is sent there */
	uint32_t fd_listen;  /* where `start` connects */
	uint32_t fd_lock;    /* held until exec: says "created" (runtime/state.h) */

	uint32_t fd_hooks_out, fd_hooks_errors; /* files that get what hooks print */

	plan_text root_path; /* absolute, on the host */
	plan_text bundle;    /* the same; only where hooks_container begin there */
	uint32_t root_propagation; /* MS_* with MS_REC; 0: private */
	plan_text mount_label;     /* SELinux context of new file systems */
	plan_text hostname, domainname;
	struct plan_list mounts;   /* struct plan_mount */
	struct plan_list devices;  /* struct plan_device */
	struct plan_list masked, readonly; /* plan_text: absolute, normalised */
	struct plan_list sysctls;  /* struct plan_pair: file below /proc/sys, value */
	struct plan_list hooks_container, hooks_start; /* struct plan_hook */
	plan_text state_creating, state_created; /* state JSON for them; added when the pid is known */
	struct plan_process process;
	struct plan_list seccomp;  /* struct sock_filter, 8 bytes each */
	uint32_t seccomp_flags;
	struct plan_landlock landlock;
};

/* Prove that `len` bytes are a plan that can be read without further checks, and that no descriptor
 * index reaches `fd_count`. EINVAL names what is wrong. */
err *plan_check(const void *bytes, size_t len, size_t fd_count) MUST_CHECK;

/* Accessors for a plan that was checked. */
static inline const char *plan_string(const struct plan *p, plan_text t)
{
	return t ? (const char *)p + t : NULL;
}
static inline const void *plan_items(const struct plan *p, struct plan_list list)
{
	return (const char *)p + list.at;
}
/* Pointers to the strings of a list of plan_text, ended by NULL; yours to free. NULL: no memory. */
char **plan_strings(const struct plan *p, struct plan_list list) MUST_CHECK;
