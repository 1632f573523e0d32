/* agent/userns.h: the user namespace in which an ordinary user's containers live.
 * Ref: user_namespaces(7), newuidmap(1), subuid(5). */
#pragma once
#include "base/err.h"
#include "base/macro.h"

/* For a caller that is not root: enter the user namespace of the containers that run below `run` (RUN/containers),
 * so that they can be entered and joined; or else make a new one, in which the caller is 0 and its ranges of
 * /etc/subuid and /etc/subgid follow from 1 on, by newuidmap(1); without ranges just 0. The process gets a mount
 * namespace of its own as well. Root: does nothing.
 * Only while the process has a single thread: first thing in a command.
 * Errors: what the kernel or newuidmap refuse, with a hint where the administrator can help. */
err *userns_enter(const char *run) MUST_CHECK;
