/* agent/sandbox.h: a Pod's sandbox: the process that holds its user, net, ipc and uts namespaces while containers come
 * and go (design, decision 11). It is a container like any other, of a folder that holds stube-init alone. */
#pragma once
#include <stdbool.h>
#include "agent/local.h"
#include "api/pod.h"
#include "base/arena.h"
#include "base/err.h"

/* Make the sandboxes' root: `root` (absolute) with a copy of stube-init from the folder `programs`, and the places where
 * mounts go. A copy of an older release is replaced; sandboxes that run keep theirs. */
err *sandbox_prepare(const char *programs, const char *root) MUST_CHECK;

struct sandbox_request {
	const struct pod *pod;
	const char *name;          /* of its local container */
	const char *root;
	struct id_range ids;
	const char *runtime, *cgroup_manager, *slice;
};
/* Make and start one. Whatever fails leaves nothing. *ret_sock: its monitor's. */
err *sandbox_start(struct local *l, struct arena *arena, const struct sandbox_request *request, int *ret_sock)
	MUST_CHECK;

/* The namespaces of a running sandbox, by path. pidfd was opened before the paths were: as long as sandbox_check() says
 * afterwards that this process still lives, they have led to its namespaces and to no others. */
struct sandbox {
	int pidfd;
	struct bundle_join join;
	char user[64], net[64], ipc[64], uts[64];
};
#define SANDBOX_NONE { .pidfd = -1 }
/* ESRCH: it does not run. `ret` must stay where it is: join points into it. */
err *sandbox_open(struct local *l, const char *name, const struct pod *pod, struct sandbox *ret) MUST_CHECK;
err *sandbox_check(const struct sandbox *s) MUST_CHECK;
void sandbox_done(struct sandbox *s);
DEFINE_CLEANUP_OF(struct sandbox, sandbox_done)
#define auto_sandbox CLEANUP(sandbox_done)
