/* monitor/session.h: the monitor of one container or one exec session.
 * Protocol: monitor/protocol.h. States: monitor/state.h. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/macro.h"
#include "base/strv.h"
#include "monitor/log.h"

struct monitor_options {
	const char *id;           /* of the container, as the runtime knows it */
	const char *dir;          /* absolute: socket, FIFOs and records of the running process */
	const char *keep;         /* absolute: log and exit record; outlives the process */
	const char *runtime;      /* path of any OCI runtime */
	struct strv runtime_args; /* before its command: --root DIR and the like */
	const char *bundle;       /* absolute; NULL for an exec session */
	const char *process;      /* absolute: process.json of an exec session, else NULL */
	bool adopt;               /* take over the container of a monitor that was killed */
	bool tty;                 /* the process has a terminal */
	bool interactive;         /* the process has a stdin that clients write to */
	bool log;                 /* keep a log; without one, readers pace the process */
	struct monitor_log_limits limits;
	const char *cgroup;       /* directory of a cgroup to move the monitor into, or NULL */
	int starter_fd;           /* connected SOCK_SEQPACKET: the first client; -1: none */
	int root_fd;              /* detached mount for BUNDLE/rootfs; -1: none */
	int lock_fd;              /* lock to hold while alive; -1: none */
	int lease_fd;             /* another: of the image in use; -1: none */
};

/* Be the monitor until all is over. Makes this process a subreaper in a mount namespace of its own and
 * blocks its signals: for a process that does nothing else. */
err *monitor_session(const struct monitor_options *options) MUST_CHECK;

/* What DIR/running.json says about a process that runs: enough to find, and not to confuse, it. */
#define RUNNING_VERSION 1
#define RUNNING_FILE    "running.json"
struct running {
	uint32_t version;
	int32_t pid;
	uint64_t birth;      /* start time of pid in clock ticks since boot: proc(5) stat, field 22 */
	int32_t monitor;     /* pid of the monitor */
	int64_t started;     /* ns since the epoch; 0: created only */
	bool tty, interactive;
};

/* Errors: ENOENT no process runs there; EINVAL damaged or newer than known. */
err *running_read(int dir_fd, struct running *ret) MUST_CHECK;
err *running_write(int dir_fd, const struct running *r) MUST_CHECK;

/* A descriptor of that very process, or ESRCH. */
err *running_open(const struct running *r, int *ret_pidfd) MUST_CHECK;

/* Start time of a process, or ESRCH. */
err *running_birth(pid_t pid, uint64_t *ret) MUST_CHECK;

/* Whether `pid` has ended and waits to be reaped, and its wait(2) status. */
bool running_zombie(pid_t pid, int *ret_status) MUST_CHECK;

#define MONITOR_SOCKET "monitor.sock"
#define MONITOR_LOG    "log"
