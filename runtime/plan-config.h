/* runtime/plan-config.h: from the decoded config.json to the start plan. */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/strv.h"
#include "oci/config.h"
#include "runtime/namespaces.h"
#include "runtime/plan-build.h"

/* What the parts of the plan are decided from; borrowed throughout. */
struct plan_source {
	struct arena *arena;
	const struct oci_config *config;
	const struct namespaces *namespaces;
	const char *bundle; /* absolute */
	int bundle_fd;
	int proc_fd;        /* the runtime's own /proc */
	int cgroup_fd;      /* the container's cgroup, or -1 */
	bool can_mount;     /* trees can be opened here and passed by descriptor */
	struct strv *warnings;
	/* Opens sources instead of open_tree(2), with its flags; errno. NULL: the caller's own rights. */
	int (*open_tree)(void *data, const char *path, unsigned flags);
	void *open_data;
	const char *selinux_fs; /* where SELinux shows that it is there; NULL: /sys/fs/selinux */
};

/* Root and mounts. What cannot be opened here by lack of rights is left to the child, by path. Errors name
 * "root.path" or "mounts[3]". */
err *plan_root(struct plan_builder *b, const struct plan_source *s) MUST_CHECK;
err *plan_mounts(struct plan_builder *b, const struct plan_source *s) MUST_CHECK;

/* Devices, masked and read-only paths, sysctls, names, hooks of the child. */
err *plan_linux(struct plan_builder *b, const struct plan_source *s) MUST_CHECK;

/* process: also for exec, with its own process and namespaces. ENOTSUP names what is not implemented. */
err *plan_process(struct plan_builder *b, const struct plan_source *s, const struct oci_process *process,
		  bool exec) MUST_CHECK;

/* The environment with each name once, as in runc and crun: the last value counts, where the first one stood
 * (getenv(3) would find the first, a shell the last). The texts stay the caller's. */
err *plan_env_unique(struct arena *arena, const struct strings *env, struct strings *ret) MUST_CHECK;

/* The annotation org.stube.landlock, for exec too. A right that this kernel lacks is ENOTSUP, or a warning
 * when the document says bestEffort. Errors name "annotations.org.stube.landlock". */
err *plan_landlock(struct plan_builder *b, const struct plan_source *s) MUST_CHECK;

/* The same of a decoded document, for a kernel whose Landlock has version `abi`; 0: none, or not in use. */
struct oci_landlock;
err *plan_landlock_document(struct plan_builder *b, const struct plan_source *s, const struct oci_landlock *l,
			    int abi) MUST_CHECK;
int plan_landlock_abi(void);

/* What this release refuses although the specification knows it. */
err *plan_refuse_unsupported(const struct oci_config *config) MUST_CHECK;

/* The runtime's own /proc, verified. */
err *plan_open_proc(int *ret_fd) MUST_CHECK;

/* "0-3,7" as a bit mask in 64-bit words of the arena; EINVAL. */
err *plan_parse_list(struct arena *arena, const char *text, uint64_t **ret, size_t *ret_words)
	MUST_CHECK;
