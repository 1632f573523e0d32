/* agent/node-check.h: what this machine offers, and what it lacks, for running services. */
#pragma once
#include "agent/reserve.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* One line each, appended: who makes cgroups, and whether systemd answers (node-manager.c); how layers come
 * into a root; the v2 hierarchy and its controllers; actions of filters. */
err *node_check_manager(const char *programs, const char *manager, bool *ret_answers,
			struct str *out) MUST_CHECK;
err *node_check_layers(struct str *out) MUST_CHECK;
err *node_check_cgroup(struct str *out) MUST_CHECK;
err *node_check_seccomp(struct str *out) MUST_CHECK;

enum node_check_result {
	CHECK_OK,
	CHECK_LIMITED, /* services run; something is slower, or not possible for those that ask for it */
	CHECK_MISSING, /* services do not run */
};

struct node_check {
	const char *name;
	enum node_check_result result;
	const char *found; /* "Linux 6.18.1" */
	const char *means; /* what follows from it; NULL when all is well */
};

struct node_check_options {
	const char *programs; /* folder of stube-monitor and stube-runtime; NULL: this program's */
	const char *cgroups;  /* who makes cgroups, as the agent is told; NULL: as the runtime does */
	struct reserve reserve;
};
/* All of them, in the order of a table for people. Nothing is changed on the machine. */
err *node_check(struct arena *arena, const struct node_check_options *options, struct node_check **ret,
		size_t *ret_count) MUST_CHECK;

/* The version behind "6.12.3-generic" as 6012. */
unsigned node_check_kernel(const char *release);
