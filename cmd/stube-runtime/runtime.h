/* cmd/stube-runtime/runtime.h: what the runtime's commands share. One file a command, each ends in its entry. */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/cli.h"
#include "runtime/cgroup.h"
#include "runtime/start.h"
#include "runtime/state.h"
#include "runtime/steps.h"

#define RUNTIME_ARENA_MAX (64u << 20)

/* Options before the command; of runc and crun both. */
struct runtime_globals {
	const char *root, *log, *log_format, *log_level, *cgroup_manager, *rootless, *criu;
	bool debug, systemd_cgroup;
};

/* --root, or its default; in the arena. */
err *runtime_root(struct arena *arena, const struct cli_context *c, const char **ret) MUST_CHECK;
err *runtime_manager(const struct cli_context *c, enum cgroup_manager *ret) MUST_CHECK;

/* Whether the caller lacks the host's root rights; --rootless decides over what is seen. */
bool runtime_is_rootless(const struct cli_context *c);

/* Warnings of a decoded document into the log. */
void runtime_log_warnings(const struct strv *warnings);

/* Rows into the debug log; NULL without --debug. */
void (*runtime_step_printer(const struct cli_context *c))(const struct step *row);

/* Open --preserve-fds descriptors must exist: an own one must never land among them. */
err *runtime_check_preserved(uint64_t count) MUST_CHECK;

/* create and run: options that they share, and the request they become. */
struct start_args {
	const char *bundle, *config, *console_socket, *pid_file, *pidfd_socket;
	uint64_t preserve_fds;
	bool no_pivot, no_new_keyring, no_subreaper, detach, keep;
};
err *runtime_start_request(struct arena *arena, const struct cli_context *c,
			   const struct start_args *a, struct strv *warnings,
			   struct start_request *ret) MUST_CHECK;

/* "container 'ID'" in front of `e` (taken), unless the chain names it already. NULL stays NULL. */
err *runtime_named(err *e, const char *id) MUST_CHECK;

/* Open the container that the first operand names; the arena must outlive it. */
err *runtime_open(struct arena *arena, const struct cli_context *c, enum container_access access,
		  struct container *ret) MUST_CHECK;

/* Call `act` for the id in the first operand, or with `regex` for every container whose id matches that
 * extended regular expression. The rest goes on after a failure; the first failure is returned. */
err *runtime_each(struct arena *arena, const struct cli_context *c, bool regex,
		  err *(*act)(void *data, const char *root, const char *id), void *data) MUST_CHECK;

/* The text of a document that an option names: a file, or - for standard input. */
err *runtime_read_document(const char *path, struct str *ret) MUST_CHECK;

extern const struct cli_command cmd_create, cmd_run, cmd_start, cmd_exec;
extern const struct cli_command cmd_state, cmd_list, cmd_kill, cmd_delete, cmd_ps, cmd_pause, cmd_resume;
extern const struct cli_command cmd_spec, cmd_features;
extern const struct cli_command cmd_update, cmd_events, cmd_mounts;
extern const struct cli_command cmd_checkpoint, cmd_restore;

/* Touch what every command will, at the lowest price; first thing in main(). */
void warm(void);
