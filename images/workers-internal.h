/* images/workers-internal.h: a few threads that work through a list. */
#pragma once
#include <stdatomic.h>
#include <stddef.h>
#include "base/err.h"
#include "base/macro.h"

#define WORKERS_DEFAULT 3
#define WORKERS_MAX	16

/* Call run(i, arg) for each i below `count`, `parallel` (0: WORKERS_DEFAULT) at a time. The first error ends
 * it: *cancel is set, so that the others stop, nothing new begins, and that error is returned. */
err *workers_run(size_t count, unsigned parallel, err *(*run)(size_t i, void *arg), void *arg,
		 atomic_bool *cancel) MUST_CHECK;
