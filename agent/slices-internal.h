/* agent/slices-internal.h: what both makers of slices need: directories (slices.c), units (slices-units.c).
 */
#pragma once
#include "agent/slices.h"

/* A cgroup below `fd`; make: unless it is there, open to all. */
err *slices_open(int fd, const char *name, bool make, int *ret_fd) MUST_CHECK;

/* /stube.slice, which nobody removes, with the lock that ends with the descriptor. */
err *slices_lock(int root_fd, bool make, int *ret_fd) MUST_CHECK;

/* "/stube.slice/TENANT/POD" in two. */
err *slices_split(const char *path, char tenant[static SLICES_PATH_MAX], const char **ret_pod) MUST_CHECK;

/* Of the slices directly in `fd`. */
err *slices_sums(int fd, int64_t *ret_weight, int64_t *ret_low) MUST_CHECK;

/* Raise a limit of memory that is below what is used: EBUSY, with the values that fit. */
err *slices_fit(int fd, struct slice_values *share) MUST_CHECK;

/* Nothing runs in it or below. */
bool slices_is_empty(int fd);
