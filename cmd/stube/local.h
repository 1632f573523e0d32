/* cmd/stube/local.h: what the commands for local containers share. */
#pragma once
#include "agent/local.h"
#include "cmd/stube/remote.h"

/* Options of `stube run`, as its table fills them. */
struct run_args {
	const char *name, *user, *workdir, *network, *entrypoint, *hostname, *pull, *rootfs, *runtime;
	const char *cgroups, *cpus, *stop_signal, *seccomp, *userns, *platform;
	struct strv env, env_files, volumes, tmpfs, cap_add, labels, add_hosts;
	bool detach, interactive, tty, rm, writable, new_privileges;
	uint64_t memory, pids_limit, log_size, log_files;
	int64_t stop_timeout;
	struct remote_args remote;
};

/* A Pod of one container from these options. image: as the user named it, or NULL; command: ends with
 * NULL. Lives in the arena. Errors name the option. */
err *run_pod(struct arena *arena, const struct run_args *a, const char *name, const char *image,
	     char *const *command, const struct pod **ret) MUST_CHECK;

/* "NAME=VALUE", or "NAME" for the caller's own value; read from lines of a file likewise, where '#' begins
 * a comment. */
err *env_collect(const struct strv *pairs, const struct strv *files, struct strv *out) MUST_CHECK;
