/* agent/bundle.h: one container of a Pod, with its image's defaults, as config.json of an OCI bundle.
 *
 * The one place that writes config.json. Safe unless the manifest says otherwise: a user namespace
 * with its own ids, no new privileges, the default seccomp profile, no capability that is not listed,
 * read-only root, tmpfs on /tmp and /run. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "agent/standing.h"
#include "api/pod.h"
#include "base/arena.h"
#include "base/err.h"
#include "oci/config.h"
#include "oci/image.h"

/* Host ids that a container's ids 0 to size - 1 are; size 0: no user namespace. */
struct id_range {
	uint32_t first, size;
};

enum bundle_network {
	BUNDLE_NET_NEW,  /* an own network namespace: empty but for loopback */
	BUNDLE_NET_JOIN, /* the one at netns_path */
	BUNDLE_NET_HOST, /* the caller's */
};

/* Namespaces of a Pod's sandbox that the container enters; NULL: it gets its own (user: as `ids` say). */
struct bundle_join {
	const char *user, *net, *ipc, *uts; /* paths such as /proc/PID/ns/ipc */
};

/* A claim's volume: where its files are on this node. */
struct bundle_claim {
	const char *volume; /* name in spec.volumes */
	const char *path;   /* absolute */
};

struct bundle_input {
	const struct pod *pod;
	size_t container;                /* which of spec.containers */
	const struct oci_image_defaults *image; /* NULL: a plain directory without any */
	int root_fd;                     /* the container's root, for /etc/passwd and /etc/group; -1: none */
	const char *user;                /* "NAME", "UID", each also ":GROUP"; NULL: as Pod and image say */
	struct id_range ids;
	enum bundle_network network;
	const char *netns_path;
	const struct bundle_join *join;  /* NULL: not in a sandbox; its net goes with BUNDLE_NET_JOIN */
	const char *dir;                 /* absolute: the bundle, where hosts, hostname, resolv.conf lie */
	bool resolv_conf;                /* DIR/resolv.conf is there */
	const char *volumes_dir;         /* absolute: emptyDir volumes on disk, one folder each by name */
	const struct bundle_claim *claims;
	size_t claim_count;
	const char *cgroups_path;        /* NULL: no cgroup */
	const struct standing *standing; /* NULL: as the caller's own, see agent/standing.h */
	bool oom_group; /* the kernel ends the whole container when it lacks memory, not one process of it */
	bool no_weights;                 /* the machine's cgroups have no controller `cpu`: see agent/cgroup.h */
};

/* What the caller must know beside config.json. Lives in the arena. */
struct bundle_result {
	struct oci_config config;
	const char *stop_signal; /* "SIGTERM" unless Pod or image say otherwise */
	uint32_t uid, gid;
};

/* Decide everything. Needs no privilege and writes nothing. Errors name the Pod's field, the image's,
 * or the file in the image: EINVAL, ENOENT for a user that is not there, EPERM for runAsNonRoot. */
err *bundle_decide(struct arena *arena, const struct bundle_input *input, struct bundle_result *ret)
	MUST_CHECK;

/* The process of an exec session in a container made of `config`: its user, capabilities and limits,
 * with another command. env: NAME=value, added to the container's. user: as in bundle_input, or NULL. */
struct bundle_exec {
	const struct strings *args;
	struct strings env;
	const char *cwd;  /* NULL: the container's */
	const char *user;
	bool tty;
	int root_fd;
};
err *bundle_exec_process(struct arena *arena, const struct oci_config *config, const struct bundle_exec *exec,
			 const struct oci_process **ret) MUST_CHECK;

/* Write config.json, hosts, hostname and, when `resolv_conf`, resolv.conf into the bundle's directory.
 * Mode 0600, for the files that the container sees 0644. */
err *bundle_write(int dir_fd, const struct bundle_input *input, const struct oci_config *config) MUST_CHECK;

/* ---- users ---- */

struct bundle_user {
	uint32_t uid, gid;
	struct oci_u32s groups;
	const char *name; /* NULL: not in /etc/passwd */
	const char *home; /* "/" when nobody says */
};

/* Resolve "NAME", "UID", "NAME:GROUP", "UID:GID" in the files below root_fd (-1: none). Numbers need no
 * entry. ENOENT names the user or group. */
err *bundle_user_find(struct arena *arena, int root_fd, const char *text, struct bundle_user *ret) MUST_CHECK;
