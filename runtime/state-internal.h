/* runtime/state-internal.h: what the files of runtime/state*.c share. */
#pragma once
#include "runtime/state.h"

#define STATE_RECORD_NAME "state.json"
#define STATE_CONFIG_NAME "config.json"
#define STATE_START_NAME  "start"

/* Open ROOT; ENOENT when it is missing. */
err *state_open_root(const char *root, int *ret_fd) MUST_CHECK;

/* Open ROOT/ID, which must be a directory of this user that others cannot write. */
err *state_open_dir(int root_fd, const char *id, int *ret_fd) MUST_CHECK;

/* Whether ROOT/ID is still the directory behind `dir_fd`: it may have been removed before the lock. */
bool state_is_linked(int root_fd, const char *id, int dir_fd);

/* Take the lock of a container's directory; ETIMEDOUT. */
err *state_lock_dir(int dir_fd, const char *id, int timeout_ms) MUST_CHECK;

/* Read and decode ROOT/ID/state.json; ENOENT when there is none. */
err *state_read_record(struct arena *arena, int dir_fd, const char *id, struct state_record *ret) MUST_CHECK;

/* Remove ROOT/ID with its content. */
err *state_remove_dir(int root_fd, const char *id) MUST_CHECK;
