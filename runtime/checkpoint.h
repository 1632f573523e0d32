/* runtime/checkpoint.h: a container's processes into files, and back, by CRIU.
 *
 * The runtime says what only it knows: which mounts, namespaces and descriptors come from outside, and the
 * cgroup; the processes with their memory, limits, capabilities and filters are CRIU's. Ref:
 * criu.org/External_bind_mounts, criu.org/Inheriting_FDs_on_restore. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/strv.h"
#include "runtime/criu.h"
#include "runtime/start.h"

#define CHECKPOINT_DESCRIPTORS "descriptors.json" /* beside CRIU's images; the name that runc and crun use \
						   */

/* Options of both commands; borrowed. A path that is NULL or "": not given. */
struct criu_options {
	const char *criu;	 /* the program; NULL: searched */
	const char *image_path;	 /* NULL: "checkpoint" in the current directory */
	const char *work_path;	 /* of the log; NULL: image_path */
	const char *parent_path; /* of the pre-dump before, relative to image_path */
	const char *page_server; /* ADDRESS:PORT */
	const char *manage_cgroups, *network_lock, *lsm_profile, *lsm_mount_context;
	struct strv empty_ns;
	int64_t status_fd; /* below 3: none */
	bool leave_running, pre_dump;
	bool tcp_established, tcp_close, tcp_skip_in_flight, ext_unix_sk, shell_job, file_locks, link_remap;
	bool auto_dedup, lazy_pages;
};

/* Write the container's processes to files. Unless it is left running it is deleted afterwards, as `delete`
 * does. A failure leaves it as it was. Errors: ENOENT no criu; EINVAL not running; ENOTSUP what CRIU could
 * not bring back. */
err *checkpoint_container(struct arena *arena, const char *root, const char *id, const struct criu_options *o,
			  struct strv *warnings) MUST_CHECK;

/* Make the container anew from them: cgroup, limits, device rules, hooks prestart and createRuntime, state.
 * s->pid is then a child of ours that runs. A failure leaves nothing. */
err *restore_container(struct arena *arena, const struct start_request *r, const struct criu_options *o,
		       struct start *s) MUST_CHECK;

/* ---- shared by both ---- */

/* Directories of a work, and the request that is written meanwhile. */
struct criu_work {
	const struct criu_options *options;
	const char *program;
	int image_fd, work_fd;
	struct str request; /* criu_opts of rpc.proto */
};
#define CRIU_WORK_INIT                                                      \
	{                                                                   \
		.image_fd = -1, .work_fd = -1, .request = STR_INIT(4 << 20) \
	}
void criu_work_done(struct criu_work *w);
DEFINE_CLEANUP_OF(struct criu_work, criu_work_done)
#define auto_criu_work CLEANUP(criu_work_done)

/* Check the options, find criu, open the directories (made if `make`), write what both kinds of request have.
 */
err *criu_work_begin(struct arena *arena, const struct criu_options *o, enum criu_type type, bool make,
		     struct criu_work *w) MUST_CHECK;

/* The configuration file of CRIU's own options: the annotation org.criu.config, else the host's. */
void criu_add_config(struct criu_work *w, const struct string_map *annotations);

/* How CRIU treats cgroups; `ignore` unless the caller asked for something. */
err *criu_add_cgroups(struct criu_work *w, bool ignore) MUST_CHECK;

/* ---- what comes from outside (criu-mounts.c, criu-descriptors.c) ---- */

/* Refuse by name what CRIU would bring back wrong or not at all. */
err *criu_refuse(const struct oci_config *config) MUST_CHECK;

/* Dump: mounts as they are below `root_fd`, the container's root in its own mount namespace. */
err *criu_dump_mounts(struct criu_work *w, const struct oci_config *config, int root_fd) MUST_CHECK;

/* Restore: the sources of the same mounts. cgroup: the container's new directory, NULL: none. */
err *criu_restore_mounts(struct criu_work *w, const struct oci_config *config, const char *bundle,
			 const char *cgroup) MUST_CHECK;

/* Mount points that a new root lacks, as a start would make them. */
err *criu_make_points(const struct oci_config *config, const char *bundle, int root_fd) MUST_CHECK;

/* Dump: tell CRIU which of init's standard descriptors belong to the host, and note all three beside the
 * images. recorded: what the runtime had at the start. */
err *criu_dump_descriptors(struct criu_work *w, int proc_fd, pid_t pid,
			   const struct strings *recorded) MUST_CHECK;

/* Restore: they become the runtime's own. fds: duplicates, yours to close; *ret_count of them are set. */
err *criu_restore_descriptors(struct arena *arena, struct criu_work *w, int fds[static 3],
			      size_t *ret_count) MUST_CHECK;

/* ---- parts of a request ---- */

/* A mount that comes from outside. Dump: key is the mount point, value its name in the images; restore: key
 * is the name, value the source. */
void criu_add_mount(struct criu_work *w, const char *key, const char *value);
void criu_add_external(struct criu_work *w, const char *resource);
void criu_add_inherited(struct criu_work *w, const char *key, int fd);
void criu_add_join(struct criu_work *w, const char *type, const char *path);
void criu_add_cgroup_root(struct criu_work *w, const char *path);
void criu_add_text(struct criu_work *w, unsigned field, const char *text); /* NULL and "": nothing */

/* Fields of criu_opts that one kind of request alone has. */
enum criu_field {
	CRIU_PID = 2,
	CRIU_ROOT = 13,
	CRIU_EMPTY_NS = 38,
	CRIU_FREEZE_CGROUP = 44,
};
void criu_add_int(struct criu_work *w, enum criu_field field, int64_t value);

/* The name of the null device that covers masked files, as runc has it. */
#define CHECKPOINT_NULL "/dev/null"

/* Keys of namespaces that are joined by path; as runc and crun. */
#define CHECKPOINT_NET_KEY "extRootNetNS"
#define CHECKPOINT_PID_KEY "extRootPidNS"
